//! `yarn.lock`, whole: classic, by a reader of our own, and berry, which is YAML.

use std::collections::HashSet;

use super::npm;
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;
use crate::judge::advisory::tree::digest::{Digests, integrity, is_hex};
use crate::judge::advisory::tree::mask::{Mask, needs_of, strip};
use crate::judge::advisory::tree::place::{Entry, Source};
use crate::judge::advisory::tree::value::Value;

/// More fields or dependencies than an entry of the classic form has.
const MAX_FIELDS: usize = 1_024;
/// What an entry needs.
const NEEDS: [&str; 3] = ["dependencies", "optionalDependencies", "peerDependencies"];
/// What an entry repeats of its package's manifest.
const TRAITS: [&str; 4] = [
    "bin",
    "conditions",
    "peerDependenciesMeta",
    "dependenciesMeta",
];

/// Reads either form and takes out the places of named packages.
pub(in super::super) fn read(text: &str, mask: &mut Mask<'_>) -> Option<Value> {
    if text.lines().any(|line| line.starts_with("__metadata:")) {
        return super::yaml(text, mask, berry);
    }
    let mut doc = parse(text)?;
    for (key, entry) in entries(&mut doc) {
        *key = classic(mask, key, entry);
    }
    doc.sort();
    Some(doc)
}

fn entries(doc: &mut Value) -> impl Iterator<Item = &mut (String, Value)> {
    doc.entries_mut().iter_mut()
}

/// One entry of the classic form; returns its key without the versions that may change.
fn classic(mask: &mut Mask<'_>, key: &str, entry: &mut Value) -> String {
    let specs: Vec<(String, String)> = key
        .split(", ")
        .filter_map(npm::name_and_rest)
        .map(|(name, range)| (name.to_owned(), range.to_owned()))
        .collect();
    let real = |(name, range): &(String, String)| match range.strip_prefix("npm:") {
        Some(aliased) => npm::name_and_rest(aliased)
            .map_or(aliased, |(n, _)| n)
            .to_owned(),
        None => name.clone(),
    };
    let version = entry.text_of("version").unwrap_or_default().to_owned();
    let Some(name) = specs.first().map(real) else {
        return key.to_owned();
    };
    mask.installs(&name, &version);
    if specs.iter().any(|spec| real(spec) != name) {
        if specs.iter().any(|spec| mask.named(&real(spec)).is_some()) {
            mask.problem(NotABumpReason::Alias, key);
        }
        return key.to_owned();
    }
    let Some(package) = mask.named(&name) else {
        if specs.iter().any(|(name, _)| mask.named(name).is_some()) {
            mask.problem(NotABumpReason::Alias, key);
        }
        return key.to_owned();
    };
    let (source, fragment) = match entry.text_of("resolved") {
        Some(url) => npm::tarball(&name, url),
        None => (Source::Missing, None),
    };
    let digests = match entry.text_of("integrity").map(integrity) {
        Some(Some(digests)) => digests.with(fragment),
        Some(None) => {
            mask.problem(NotABumpReason::IntegrityDropped, key);
            return key.to_owned();
        }
        None => Digests {
            weak: fragment.is_some(),
            all: fragment.into_iter().collect(),
        },
    };
    locked(
        mask,
        package,
        &specs,
        key,
        &version,
        entry,
        (digests, source),
    )
}

/// Notes an entry whose package is named; returns its key without the versions that may change.
fn locked(
    mask: &mut Mask<'_>,
    package: &str,
    specs: &[(String, String)],
    key: &str,
    version: &str,
    entry: &mut Value,
    (digests, source): (Digests, Source),
) -> String {
    let mut names = Vec::new();
    for (name, range) in specs {
        let (protocol, range) = match range.strip_prefix("npm:") {
            Some(rest) => match npm::name_and_rest(rest) {
                Some((aliased, range)) => (format!("npm:{aliased}@"), range),
                None => ("npm:".to_owned(), rest),
            },
            None => (String::new(), range.as_str()),
        };
        // A copy of what a manifest asks for; what is no range stays to be compared.
        let kept = match mask.is_requirement(Syntax::Npm, range) {
            true => "",
            false => range,
        };
        names.push(format!("{name}@{protocol}{kept}"));
    }
    names.sort();
    names.dedup();
    let masked = names.join(", ");
    let traits = TRAITS.iter().filter_map(|key| {
        let value = entry.get(key)?;
        Some(((*key).to_owned(), value.clone()))
    });
    let bookkeeping = Entry {
        digests: digests.all,
        weak: digests.weak,
        source,
        needs: needs_of(entry, &NEEDS, Syntax::Npm)
            .into_iter()
            .map(|mut need| {
                if let Some((_, text)) = &mut need.versions
                    && let Some(bare) = text.strip_prefix("npm:")
                {
                    *text = bare.to_owned();
                }
                need
            })
            .collect(),
        traits: Value::Map(traits.collect()),
    };
    if !mask.entry(package, masked.as_str(), version, bookkeeping) {
        return key.to_owned();
    }
    let taken = ["version", "resolved", "integrity", "resolution", "checksum"];
    strip(entry, &[&taken, &TRAITS], &NEEDS);
    masked
}

/// The YAML form.
fn berry(doc: &mut Value, mask: &mut Mask<'_>) {
    for (key, entry) in entries(doc) {
        *key = berry_entry(mask, key, entry);
    }
    doc.sort();
}

fn berry_entry(mask: &mut Mask<'_>, key: &str, entry: &mut Value) -> String {
    let version = entry.text_of("version").unwrap_or_default().to_owned();
    let resolution = entry.text_of("resolution").unwrap_or_default().to_owned();
    let specs: Vec<(String, String)> = key
        .split(", ")
        .filter_map(npm::name_and_rest)
        .map(|(name, range)| (name.to_owned(), range.to_owned()))
        .collect();
    let (name, place) = npm::name_and_rest(&resolution).unwrap_or(("", ""));
    mask.installs(name, &version);
    let local = place.starts_with("workspace:");
    let Some(package) = mask.named(name) else {
        if !local && specs.iter().any(|(name, _)| mask.named(name).is_some()) {
            mask.problem(NotABumpReason::Alias, key);
        }
        return key.to_owned();
    };
    if local {
        return key.to_owned();
    }
    let Some(resolved) = place.strip_prefix("npm:") else {
        mask.problem(NotABumpReason::NonRegistrySource, resolution);
        return key.to_owned();
    };
    // `npm:1.0.0::__archiveUrl=...` comes from another place.
    let source = Source::Registry {
        base: "npm:".to_owned(),
        version: Some(resolved.to_owned()),
    };
    let digests = match entry.text_of("checksum") {
        Some(text) if is_checksum(text) => Digests {
            all: vec![text.to_owned()],
            weak: false,
        },
        Some(_) => {
            mask.problem(NotABumpReason::IntegrityDropped, key);
            return key.to_owned();
        }
        None => Digests::default(),
    };
    locked(
        mask,
        package,
        &specs,
        key,
        &version,
        entry,
        (digests, source),
    )
}

/// SHA-512, in newer forms behind the version of the cache (`10/…`, `10c0/…`).
fn is_checksum(text: &str) -> bool {
    let digest = text.split_once('/').map_or(text, |(_, digest)| digest);
    is_hex(digest, 128)
}

/// Parses the classic form: keys and values by indentation, two spaces a level.
fn parse(text: &str) -> Option<Value> {
    let mut blocks: Vec<(String, Value)> = Vec::new();
    let mut seen = HashSet::new();
    for line in text.lines() {
        let line = line.trim_end();
        let content = line.trim_start_matches(' ');
        if content.is_empty() || content.starts_with('#') {
            continue;
        }
        let depth = line.len() - content.len();
        match depth {
            0 => {
                let key = keys(content.strip_suffix(':')?)?;
                if !seen.insert(key.clone()) {
                    return None;
                }
                blocks.push((key, Value::Map(Vec::new())));
            }
            2 => {
                let (_, block) = blocks.last_mut()?;
                let (key, value) = match content.strip_suffix(':') {
                    Some(key) => (unquoted(key)?, Value::Map(Vec::new())),
                    None => pair(content)?,
                };
                insert(block, key, value)?;
            }
            4 => {
                let (_, block) = blocks.last_mut()?;
                let (_, inner) = block.entries_mut().last_mut()?;
                let (key, value) = pair(content)?;
                insert(inner, key, value)?;
            }
            _ => return None,
        }
    }
    Some(Value::Map(blocks))
}

fn insert(map: &mut Value, key: String, value: Value) -> Option<()> {
    match map {
        Value::Map(entries)
            if entries.len() < MAX_FIELDS && entries.iter().all(|(known, _)| *known != key) =>
        {
            entries.push((key, value));
            Some(())
        }
        _ => None,
    }
}

/// `"a@^1", b@2` as `a@^1, b@2`.
fn keys(text: &str) -> Option<String> {
    let all: Option<Vec<String>> = text.split(", ").map(unquoted).collect();
    all.map(|all| all.join(", "))
}

fn pair(content: &str) -> Option<(String, Value)> {
    let (key, value) = match content.strip_prefix('"') {
        Some(quoted) => {
            let (key, rest) = quoted.split_once('"')?;
            (key.to_owned(), rest.strip_prefix(' ')?)
        }
        None => {
            let (key, rest) = content.split_once(' ')?;
            (unquoted(key)?, rest)
        }
    };
    Some((key, Value::Text(unquoted(value)?)))
}

/// A bare word or a quoted text; escapes are not understood.
fn unquoted(text: &str) -> Option<String> {
    let inside = match text.strip_prefix('"') {
        Some(rest) => rest.strip_suffix('"')?,
        None => text,
    };
    let plain = !inside.is_empty() && !inside.contains(['"', '\\']) && inside.is_ascii();
    plain.then(|| inside.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{is_checksum, parse};

    #[test]
    fn the_classic_form_is_read_by_its_indentation() {
        let text = "# yarn lockfile v1\n\n\n\"@s/a@^1\", b@2:\n  version \"1.2.3\"\n  dependencies:\n    c \"^1.0\"\n    \"@s/d\" \"2\"\n\ne@1:\n  version \"1.0.0\"\n";
        let doc = parse(text).unwrap();
        assert_eq!(doc.entries().len(), 2);
        let (key, entry) = &doc.entries()[0];
        assert_eq!(key, "@s/a@^1, b@2");
        assert_eq!(entry.text_of("version"), Some("1.2.3"));
        assert_eq!(
            entry.get("dependencies").unwrap().text_of("@s/d"),
            Some("2")
        );
        for odd in [
            "a@1:\n  version \"1\"\n  version \"2\"\n",
            "a@1:\n  version \"1\"\na@1:\n  version \"2\"\n",
            "a@1\n",
            "a@1:\n   version \"1\"\n",
            "a@1:\n  version \"1\\n\"\n",
        ] {
            assert!(parse(odd).is_none(), "{odd}");
        }
    }

    #[test]
    fn a_checksum_is_a_whole_sha_512() {
        let digest = "a1".repeat(64);
        assert!(is_checksum(&digest) && is_checksum(&format!("10c0/{digest}")));
        assert!(!is_checksum("10/abc"));
    }
}
