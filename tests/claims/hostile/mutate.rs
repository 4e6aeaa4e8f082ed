//! Damage to events, from a flipped bit to a diff of 6,000 hunks. The same seed does the same damage.

use crate::oracle::Random;

/// What takes the place of some text: numbers out of any range, escapes, characters that are not seen.
const TOKENS: [&str; 22] = [
    "1e999",
    "-0",
    "18446744073709551616",
    "NaN",
    "null",
    "true",
    "[]",
    "{}",
    "\\u0000",
    "\\ud800",
    "\\u202e",
    "\u{202e}",
    "\u{200b}",
    "\u{1b}[2J",
    "*",
    "?",
    "[a-z]",
    "../../etc/passwd",
    "\\\\",
    "%n%s",
    "<script>alert(1)</script>",
    "\r",
];

/// Returns an event's value, damaged once or a few times.
pub fn mutated(value: &[u8], other: &[u8], random: &mut Random) -> Vec<u8> {
    if random.chance(3) {
        return monstrous(value, random);
    }
    let mut value = value.to_vec();
    for _ in 0..random.between(1, 4) {
        value = damaged(value, other, random);
    }
    value
}

fn damaged(mut value: Vec<u8>, other: &[u8], random: &mut Random) -> Vec<u8> {
    if value.is_empty() {
        return value;
    }
    let length = u32::try_from(value.len()).unwrap();
    let at = random.below(length) as usize;
    let end = (at + random.between(1, 40) as usize).min(value.len());
    match random.below(9) {
        0 => value[at] ^= 1 << random.below(8),
        1 => value[at] = random.next().to_le_bytes()[0],
        2 => drop(value.drain(at..end)),
        3 => {
            let again = value[at..end].to_vec();
            value.splice(at..at, again);
        }
        4 => value.truncate(at),
        5 => {
            // The tail of another event.
            value.truncate(at);
            value.extend_from_slice(&other[at.min(other.len())..]);
        }
        6 => {
            let noise: Vec<u8> = (0..random.between(1, 8))
                .map(|_| random.next().to_le_bytes()[0])
                .collect();
            value.splice(at..at, noise);
        }
        7 => drop(value.splice(at..end, random.pick(&TOKENS).bytes())),
        // Where it most likely stays JSON: behind a colon or within a string.
        _ => {
            let places: Vec<usize> = (1..value.len())
                .filter(|at| matches!(value[at - 1], b':' | b'"' | b' '))
                .collect();
            if let Some(place) = (!places.is_empty()).then(|| random.pick(&places)) {
                value.splice(place..place, random.pick(&TOKENS).bytes());
            }
        }
    }
    value
}

/// Makes an event that is past a limit somewhere.
fn monstrous(value: &[u8], random: &mut Random) -> Vec<u8> {
    let text = String::from_utf8_lossy(value).into_owned();
    let id = || "C".repeat(1_000_000);
    let event = |patch_id: &str, diff: &str| {
        let diff = serde_json::to_string(diff).unwrap();
        format!(r#"{{"patch_id":"{patch_id}","cve_id":"CVE-2099-1","diff_content":{diff}}}"#)
    };
    let header = "--- a/x\n+++ b/x\n";
    let made = match random.below(8) {
        0 => event(&id(), "--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"),
        1 => text.replace("CVE-2099-", "CVE-2099-*?[x]"),
        2 => format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000)),
        3 => {
            let hunks: String = (0..6_000)
                .map(|n| format!("@@ -{0} +{0} @@\n-a\n+b\n", n * 2 + 1))
                .collect();
            event("many-hunks", &[header, &hunks].concat())
        }
        4 => {
            let files: String = (0..300)
                .map(|n| format!("--- a/{n}\n+++ b/{n}\n@@ -1 +1 @@\n-a\n+b\n"))
                .collect();
            event("many-files", &files)
        }
        5 => {
            let line = "x".repeat(20_000);
            event("long-line", &format!("{header}@@ -1 +1 @@\n-a\n+{line}\n"))
        }
        6 => event(
            "lying-hunk",
            &format!("{header}@@ -1,4294967296 +1,99999999999999999999 @@\n-a\n+b\n"),
        ),
        _ => event("no-hunk", &header.repeat(3_000)),
    };
    made.into_bytes()
}
