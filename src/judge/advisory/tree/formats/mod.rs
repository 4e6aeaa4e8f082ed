//! Readers of whole files, one a format: each parses the text and takes the places out of it.

pub(super) mod cargo;
pub(super) mod go;
pub(super) mod npm;
pub(super) mod npm_lock;
pub(super) mod package_json;
pub(super) mod pep508;
pub(super) mod pipfile;
pub(super) mod pnpm;
pub(super) mod pom;
pub(super) mod pyproject;
pub(super) mod python_lock;
pub(super) mod requirements;
pub(super) mod yarn;

use super::mask::Mask;
use super::value::Value;

/// Deeper nesting than any of these files has; a hostile one may not exhaust the stack.
const MAX_DEPTH: usize = 64;

/// More values than the largest lock has.
const MAX_NODES: usize = 2_000_000;

/// Parses JSON and takes the places out; `None` if it is none.
pub(super) fn json(
    text: &str,
    mask: &mut Mask<'_>,
    read: fn(&mut Value, &mut Mask<'_>),
) -> Option<Value> {
    let mut value: Value = serde_json::from_str(text).ok()?;
    read(&mut value, mask);
    Some(value)
}

/// Parses TOML and takes the places out; `None` if it is none.
pub(super) fn toml(
    text: &str,
    mask: &mut Mask<'_>,
    read: fn(&mut Value, &mut Mask<'_>),
) -> Option<Value> {
    let mut value: Value = ::toml::from_str(text).ok()?;
    read(&mut value, mask);
    Some(value)
}

/// Parses YAML and takes the places out; `None` if it is none, or holds what locks never do: anchors, aliases,
/// tags and several documents, which readers take in different ways.
pub(super) fn yaml(
    text: &str,
    mask: &mut Mask<'_>,
    read: fn(&mut Value, &mut Mask<'_>),
) -> Option<Value> {
    let odd = |line: &str| {
        let line = line.trim().trim_start_matches("- ").trim_start();
        let value = line.split_once(": ").map_or(line, |(_, value)| value);
        [line, value.trim_start()]
            .iter()
            .any(|part| part.starts_with(['&', '*', '!', '?', '%']) || part.starts_with("<<"))
            || line == "---"
            || line == "..."
    };
    if text.lines().any(odd) {
        return None;
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: MAX_DEPTH,
            flow_nesting_limit: MAX_DEPTH,
            max_nodes: MAX_NODES,
            max_events: 4 * MAX_NODES,
        },
    };
    let mut value: Value = serde_saphyr::from_str_with_options(text, options).ok()?;
    read(&mut value, mask);
    Some(value)
}
