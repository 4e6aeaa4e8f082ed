//! What an output says against what it must say.

use super::event::{About, Expected, Header};
use super::identity::{decision_id, sha256};
use super::sighting::{Output, Sighting};

/// Returns what differs, what was expected and what was seen.
pub fn differences(
    expected: &Expected,
    sighting: &Sighting<'_>,
    output: &Output,
) -> Vec<(String, String, String)> {
    let mut found = Vec::new();
    let mut compare = |what: &str, expected: String, seen: String| {
        if expected != seen {
            found.push((what.to_owned(), expected, seen));
        }
    };
    compare(
        "disposition",
        format!("{:?}", expected.disposition),
        format!("{:?}", sighting.outlet.disposition()),
    );
    match (&expected.about, output) {
        (
            About::Patch {
                patch_id,
                cve_id,
                package,
            },
            Output::Patch { says, .. },
        ) => {
            let id = decision_id(patch_id, &expected.digest);
            for (what, seen) in says {
                let wanted = match *what {
                    "cve_id" => cve_id,
                    "package" => match package {
                        Some(package) => package,
                        None => continue,
                    },
                    "reason" => expected.reason,
                    "decision" => "auto_approved",
                    "decision_id" | "decision_id by its own fields" => &id,
                    _ => &expected.digest,
                };
                compare(what, wanted.to_owned(), seen.clone());
            }
        }
        (
            About::Letter {
                key,
                tombstone,
                headers,
                large,
            },
            Output::Letter {
                digest,
                reason,
                original,
                ..
            },
        ) => {
            compare("reason", expected.reason.to_owned(), reason.clone());
            compare("crisol_dlq_digest", expected.digest.clone(), digest.clone());
            let left_out = *large && sighting.value.is_none();
            if !left_out {
                compare(
                    "tombstone",
                    tombstone.to_string(),
                    sighting.value.is_none().to_string(),
                );
                compare(
                    "digest of the value",
                    expected.digest.clone(),
                    sha256(sighting.value.unwrap_or_default()),
                );
                compare("key", shown(key.as_deref()), shown(sighting.key));
                compare("headers", listed(headers), listed(original));
            }
        }
        (_, Output::Letter { reason, .. }) => {
            compare("reason", expected.reason.to_owned(), reason.clone())
        }
        (_, Output::Patch { .. }) => {}
    }
    found
}

/// Returns bytes as text that is safe to print.
pub fn shown(bytes: Option<&[u8]>) -> String {
    match bytes {
        Some(bytes) => format!("\"{}\"", bytes.escape_ascii()),
        None => "none".to_owned(),
    }
}

fn listed(headers: &[Header]) -> String {
    let one = |(name, value): &Header| format!("{name}={}", shown(value.as_deref()));
    headers.iter().map(one).collect::<Vec<_>>().join(" ")
}
