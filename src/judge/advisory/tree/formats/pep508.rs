//! One PEP 508 requirement: `name[extras] specifiers ; marker`.

use crate::judge::advisory::name::pypi_name;
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;
use crate::judge::advisory::tree::mask::Mask;
use crate::judge::advisory::tree::place::Role;
use crate::judge::advisory::tree::value::Value;

/// A requirement, split.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Split<'t> {
    /// The name as it is written.
    pub name: &'t str,
    /// The extras with their brackets.
    pub extras: &'t str,
    /// The specifiers, without brackets; empty where any version is admitted.
    pub specifiers: &'t str,
    /// The marker, or `@` and a URL; empty without.
    pub tail: &'t str,
}

/// Splits a requirement; `None` if it is none.
pub(super) fn split(text: &str) -> Option<Split<'_>> {
    let text = text.trim();
    let of_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let end = text.bytes().position(|byte| !of_name(byte));
    let (name, rest) = text.split_at_checked(end.unwrap_or(text.len()))?;
    let alphanumeric = |character: char| character.is_ascii_alphanumeric();
    if !name.starts_with(alphanumeric) || !name.ends_with(alphanumeric) {
        return None;
    }
    let mut rest = rest.trim_start();
    let mut extras = "";
    if rest.starts_with('[') {
        let end = rest.find(']')? + 1;
        (extras, rest) = rest.split_at_checked(end)?;
        rest = rest.trim_start();
    }
    if rest.starts_with('@') {
        return Some(Split {
            name,
            extras,
            specifiers: "",
            tail: rest,
        });
    }
    let end = rest.find(';').unwrap_or(rest.len());
    let (specifiers, tail) = rest.split_at_checked(end)?;
    let specifiers = specifiers.trim();
    let bare = specifiers
        .strip_prefix('(')
        .and_then(|inside| inside.strip_suffix(')'));
    let specifiers = bare.unwrap_or(specifiers).trim();
    let compares = specifiers.is_empty() || specifiers.starts_with(['=', '<', '>', '!', '~']);
    let plain = !specifiers.contains(['#', '@', '\\', '"', '\'', '(', ')']);
    (compares && plain).then_some(Split {
        name,
        extras,
        specifiers,
        tail,
    })
}

/// Returns what is left of a requirement once the versions of a named package are taken out of it.
pub(super) fn masked(mask: &mut Mask<'_>, at: &str, text: &str) -> Value {
    let whole = || Value::Text(text.to_owned());
    let Some(found) = split(text) else {
        return whole();
    };
    let Some(package) = mask.named(found.name) else {
        return whole();
    };
    if found.tail.starts_with('@') {
        mask.problem(NotABumpReason::NonRegistrySource, text);
        return whole();
    }
    let name = pypi_name(found.name);
    // The same package under several markers or extras is several places.
    let at = [at, "/", &name, found.extras, found.tail].concat();
    if !mask.place(
        package,
        Role::Requirement,
        at,
        Syntax::Pip,
        found.specifiers,
    ) {
        return whole();
    }
    let [extras, tail] = [found.extras, found.tail].map(|part| Value::Text(part.to_owned()));
    Value::List(vec![Value::Text(name), extras, Value::Hole, tail])
}

/// Takes the versions of named packages out of a list of requirements.
pub(super) fn list(mask: &mut Mask<'_>, at: &str, list: &mut Value) {
    for element in list.elements_mut() {
        if let Some(text) = element.as_text().map(str::to_owned) {
            *element = masked(mask, at, &text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn requirements_are_split_into_their_parts() {
        let found = split("PyYAML[a,b] >= 1.0, < 2 ; python_version < '3'").unwrap();
        assert_eq!((found.name, found.extras), ("PyYAML", "[a,b]"));
        assert_eq!(found.specifiers, ">= 1.0, < 2");
        assert_eq!(found.tail, "; python_version < '3'");
        assert_eq!(split("a (>=1,<2)").unwrap().specifiers, ">=1,<2");
        assert_eq!(split("a @ https://e/x").unwrap().tail, "@ https://e/x");
        for none in ["", "-e .", "_a==1", "a 1.0", "a==1#b", "a==1 \\"] {
            assert_eq!(split(none), None, "{none}");
        }
    }
}
