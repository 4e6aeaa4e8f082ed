//! What all files of npm, yarn and pnpm have in common: names, aliases, tarballs.

use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;
use crate::judge::advisory::tree::mask::Mask;
use crate::judge::advisory::tree::place::{Role, Source};
use crate::judge::advisory::tree::value::Value;

/// Splits `name@rest`, where a scoped name begins with an `@` of its own.
pub(super) fn name_and_rest(text: &str) -> Option<(&str, &str)> {
    let from = usize::from(text.starts_with('@'));
    let at = text.get(from..)?.find('@')? + from;
    let (name, rest) = text.split_at_checked(at)?;
    (!name.is_empty()).then_some((name, rest.strip_prefix('@')?))
}

/// Takes out the requirement of one dependency, `key: value`, if that installs a named package.
pub(super) fn dependency(mask: &mut Mask<'_>, at: &str, key: &str, value: &mut Value, role: Role) {
    let at = || format!("{at}/{key}");
    let text = value.as_text().unwrap_or_default();
    if text.starts_with("catalog:") {
        return;
    }
    let Some(aliased) = text.strip_prefix("npm:") else {
        if let Some(package) = mask.named(key) {
            mask.take(package, role, at(), Syntax::Npm, value);
        }
        return;
    };
    let (name, range) = match name_and_rest(aliased) {
        Some((name, range)) => (name.to_owned(), range.to_owned()),
        None if aliased
            .starts_with(|first: char| first.is_ascii_digit() || "^~<>=*".contains(first)) =>
        {
            (key.to_owned(), aliased.to_owned())
        }
        None => (aliased.to_owned(), String::new()),
    };
    if let Some(package) = mask.named(&name) {
        if mask.place(package, role, at(), Syntax::Npm, &range) {
            *value = Value::List(vec![Value::Text(name), Value::Hole]);
        }
    } else if mask.named(key).is_some() {
        mask.problem(NotABumpReason::Alias, text);
    }
}

/// Takes the requirements out of an object of dependencies.
pub(super) fn dependencies(mask: &mut Mask<'_>, at: &str, object: &mut Value, role: Role) {
    for (key, value) in object.entries_mut() {
        let key = key.clone();
        dependency(mask, at, &key, value, role);
    }
}

/// Returns the package that a key of `overrides` or `resolutions` is for: `lodash`, `lodash@<4`, `a>lodash`,
/// `a/**/lodash`, `@s/a/lodash@npm:^4`.
pub(super) fn override_target(key: &str) -> &str {
    let last = key.rsplit('>').next().unwrap_or(key).trim();
    // A selector begins with an `@` that begins no scope.
    let selector = last
        .match_indices('@')
        .find(|(at, _)| *at > 0 && !last.get(..*at).is_some_and(|before| before.ends_with('/')));
    let path = selector.map_or(last, |(at, _)| last.get(..at).unwrap_or(last));
    let Some((before, name)) = path.rsplit_once('/') else {
        return path;
    };
    let scope = before.rsplit('/').next().unwrap_or(before);
    if scope.starts_with('@') {
        let start = path.len() - name.len() - 1 - scope.len();
        path.get(start..).unwrap_or(path)
    } else {
        name
    }
}

/// Takes out what `overrides` pin, also inside of others.
pub(super) fn overrides(mask: &mut Mask<'_>, at: &str, object: &mut Value, parent: &str) {
    for (key, value) in object.entries_mut() {
        let target = if key == "." {
            parent
        } else {
            override_target(key)
        };
        let inner = format!("{at}/{key}");
        match value {
            Value::Map(_) => overrides(mask, &inner, value, target),
            // `$name` is what the project itself asks for, `-` takes the dependency away.
            Value::Text(text) if text.starts_with('$') || text == "-" => {}
            _ => {
                let target = target.to_owned();
                dependency(mask, &inner, &target, value, Role::Requirement);
            }
        }
    }
}

/// Reads a tarball's URL, `{base}{name}/-/{bare}-{version}.tgz`, with what stands behind a `#`.
pub(super) fn tarball(name: &str, url: &str) -> (Source, Option<String>) {
    let (path, fragment) = match url.split_once('#') {
        Some((path, fragment)) => (path, Some(fragment.to_owned())),
        None => (url, None),
    };
    let elsewhere = || Source::Elsewhere(url.to_owned());
    let read = || {
        let (front, file) = path.strip_suffix(".tgz")?.rsplit_once("/-/")?;
        let base = front.strip_suffix(name)?;
        let sane = base.starts_with("https://")
            && base.ends_with('/')
            && !base.ends_with("//")
            && !path.contains(['?', '%', '\\', ' '])
            && !base.contains('@');
        let bare = name.rsplit_once('/').map_or(name, |(_, bare)| bare);
        let version = file.strip_prefix(bare)?.strip_prefix('-')?;
        let begins = version.starts_with(|first: char| first.is_ascii_digit());
        (sane && begins).then(|| Source::Registry {
            base: base.to_owned(),
            version: Some(version.to_owned()),
        })
    };
    (read().unwrap_or_else(elsewhere), fragment)
}

#[cfg(test)]
mod tests {
    use super::{Source, name_and_rest, override_target, tarball};

    #[test]
    fn keys_of_overrides_name_their_package() {
        for key in [
            "lodash",
            "lodash@<4.17.21",
            "a>lodash",
            "a@1>b>lodash@^4",
            "**/lodash",
            "a/**/lodash",
            "@s/a/lodash",
            "lodash@npm:4.17.20",
        ] {
            assert_eq!(override_target(key), "lodash", "{key}");
        }
        for key in ["@s/b", "a/@s/b", "@t/a/@s/b@1", "**/@s/b", "x>@s/b@^2"] {
            assert_eq!(override_target(key), "@s/b", "{key}");
        }
    }

    #[test]
    fn names_with_a_scope_are_split_behind_it() {
        assert_eq!(name_and_rest("a@1"), Some(("a", "1")));
        assert_eq!(name_and_rest("@s/a@^1"), Some(("@s/a", "^1")));
        assert_eq!(name_and_rest("@s/a"), None);
        assert_eq!(name_and_rest("a"), None);
    }

    #[test]
    fn a_tarball_must_be_of_the_package_itself() {
        let (source, fragment) = tarball("@a/b", "https://r.example/x/@a/b/-/b-1.0.0.tgz#ab");
        let (base, version) = ("https://r.example/x/".to_owned(), Some("1.0.0".to_owned()));
        assert_eq!(source, Source::Registry { base, version });
        assert_eq!(fragment.as_deref(), Some("ab"));
        for evil in [
            "https://registry.npmjs.org/evil-lodash/-/lodash-4.17.21.tgz",
            "https://registry.npmjs.org/lodash/-/evil-4.17.21.tgz",
            "http://registry.npmjs.org/lodash/-/lodash-4.17.21.tgz",
            "https://user@evil.example/lodash/-/lodash-4.17.21.tgz",
            "https://registry.npmjs.org/lodash/-/lodash-4.17.21.tgz?x=1",
            "git+ssh://git@github.com/x/lodash.git",
            "file:lodash-4.17.21.tgz",
        ] {
            let (source, _) = tarball("lodash", evil);
            assert!(matches!(source, Source::Elsewhere(_)), "{evil}");
        }
    }
}
