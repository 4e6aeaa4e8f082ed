//! `go.mod` and `go.sum`, whole, by readers of our own.

use std::collections::{HashMap, HashSet};

use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;
use crate::judge::advisory::tree::digest::is_base64;
use crate::judge::advisory::tree::mask::Mask;
use crate::judge::advisory::tree::place::Role;
use crate::judge::advisory::tree::value::Value;

/// The directives that there are.
const DIRECTIVES: [&str; 9] = [
    "module",
    "go",
    "toolchain",
    "godebug",
    "require",
    "exclude",
    "replace",
    "retract",
    "tool",
];

/// One line: its directive, its words, and its comment.
struct Statement<'t> {
    directive: &'t str,
    words: Vec<&'t str>,
    comment: &'t str,
}

/// Reads `go.mod` and takes out the places of named modules.
///
/// A required version is what is built unless another module requires a later one.
pub(in super::super) fn read_mod(text: &str, mask: &mut Mask<'_>) -> Option<Value> {
    let statements = statements(text)?;
    let excluded: HashSet<(&str, &str)> = statements
        .iter()
        .filter(|one| one.directive == "exclude")
        .filter_map(|one| match one.words.as_slice() {
            [module, version] => Some((*module, *version)),
            _ => None,
        })
        .collect();
    let mut rest = Vec::new();
    for one in &statements {
        rest.push(statement(mask, one, &excluded));
    }
    rest.sort();
    Some(Value::List(rest))
}

fn statement(mask: &mut Mask<'_>, one: &Statement<'_>, excluded: &HashSet<(&str, &str)>) -> Value {
    let text = |text: &str| Value::Text(text.to_owned());
    let whole = || {
        let words = one.words.iter().map(|word| text(word));
        let head = [text(one.directive)].into_iter();
        Value::List(head.chain(words).chain([text(one.comment)]).collect())
    };
    match (one.directive, one.words.as_slice()) {
        ("replace", [module, ..]) if mask.named(module).is_some() => {
            mask.problem(NotABumpReason::Replaced, *module);
        }
        ("replace", words) if words.iter().any(|word| mask.named(word).is_some()) => {
            mask.problem(NotABumpReason::Alias, words.join(" "));
        }
        ("require", [module, version]) => {
            let Some(package) = mask.named(module) else {
                return whole();
            };
            mask.installs(module, version);
            if excluded.contains(&(*module, *version)) {
                // Then the next later one is built, whichever that is.
                mask.problem(NotABumpReason::Replaced, [module, " ", version].concat());
                return whole();
            }
            // A requirement, for nothing is locked by it, yet of one version.
            if mask.place(package, Role::Requirement, *module, Syntax::Exact, version) {
                return Value::List(vec![
                    text("require"),
                    text(module),
                    Value::Hole,
                    text(one.comment),
                ]);
            }
        }
        _ => {}
    }
    whole()
}

/// Splits `go.mod` into statements; `None` if it is none.
fn statements(text: &str) -> Option<Vec<Statement<'_>>> {
    let mut block: Option<&str> = None;
    let mut all = Vec::new();
    for line in text.lines() {
        // Strings and block comments are nothing that modules are named by.
        if line.contains(['"', '`']) || line.contains("/*") {
            return None;
        }
        let (code, comment) = match line.find("//") {
            Some(at) => line.split_at_checked(at)?,
            None => (line, ""),
        };
        let comment = match comment.trim_start_matches('/').trim() {
            "indirect" => "indirect",
            // What people write is not read by the tool.
            _ => "",
        };
        let mut words: Vec<&str> = code.split_ascii_whitespace().collect();
        match (block, words.as_slice()) {
            (_, []) => continue,
            (Some(_), [")"]) => {
                block = None;
                continue;
            }
            (None, [directive, "("]) => {
                block = Some(directive);
                continue;
            }
            (None, [directive, "()"]) if DIRECTIVES.contains(directive) => continue,
            _ => {}
        }
        let directive = match block {
            Some(directive) => directive,
            None => words.remove(0),
        };
        if !DIRECTIVES.contains(&directive) || words.iter().any(|word| matches!(*word, "(" | ")")) {
            return None;
        }
        all.push(Statement {
            directive,
            words,
            comment,
        });
    }
    block.is_none().then_some(all)
}

/// Reads `go.sum`: `module version h1:…` and `module version/go.mod h1:…`.
///
/// Sums of named modules come and go with their versions. They install nothing: what is built stands in
/// `go.mod`.
pub(in super::super) fn read_sum(text: &str, mask: &mut Mask<'_>) -> Option<Value> {
    let mut rest = Vec::new();
    let mut seen = HashMap::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let mut words = line.split_ascii_whitespace();
        let (module, version, digest) = (words.next()?, words.next()?, words.next()?);
        let plain = digest.strip_prefix("h1:").is_some_and(|d| is_base64(d, 32));
        if words.next().is_some() || !plain {
            return None;
        }
        // Two sums for one version: one of them is wrong.
        if *seen.entry((module, version)).or_insert(digest) != digest {
            return None;
        }
        if mask.named(module).is_some() {
            mask.sum(module, version, digest);
        } else {
            rest.push(Value::Text(line.trim().to_owned()));
        }
    }
    rest.sort();
    Some(Value::List(rest))
}

#[cfg(test)]
mod tests {
    use super::statements;

    #[test]
    fn blocks_and_single_lines_are_the_same() {
        let text = "module a.b/c // x\n\ngo 1.21\n\nrequire d.e/f v1.0.0\n\nrequire (\n\tg.h/i v2.0.0 // indirect\n)\n";
        let all = statements(text).unwrap();
        let told: Vec<String> = all
            .iter()
            .map(|one| format!("{} {} {}", one.directive, one.words.join(" "), one.comment))
            .collect();
        assert_eq!(
            told,
            [
                "module a.b/c ",
                "go 1.21 ",
                "require d.e/f v1.0.0 ",
                "require g.h/i v2.0.0 indirect"
            ]
        );
        for odd in [
            "require (\n",
            "nonsense a b\n",
            "require \"a.b\" v1.0.0\n",
            ")\n",
        ] {
            assert!(statements(odd).is_none(), "{odd}");
        }
    }
}
