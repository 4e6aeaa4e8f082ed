//! `requirements*.txt` and `constraints*.txt`, whole, by a reader of our own.

use super::pep508;
use crate::judge::advisory::name::pypi_name;
use crate::judge::advisory::reason::NotABumpReason;
use crate::judge::advisory::requirement::Syntax;
use crate::judge::advisory::tree::digest::is_named;
use crate::judge::advisory::tree::mask::Mask;
use crate::judge::advisory::tree::place::{Entry, Source};
use crate::judge::advisory::tree::value::Value;

/// Takes out the places of named packages, a logical line after the other.
pub(in super::super) fn read(text: &str, mask: &mut Mask<'_>) -> Option<Value> {
    let lines = logical(text)?;
    let lines = lines.iter().map(|line| requirement(mask, line));
    Some(Value::List(lines.collect()))
}

/// Joins continued lines and leaves comments out; `None` if the file ends in the middle of a line.
fn logical(text: &str) -> Option<Vec<String>> {
    let mut lines = Vec::new();
    let mut open = String::new();
    for line in text.lines() {
        // A comment line ends a continuation, as pip has it.
        let is_comment = line.trim_start().starts_with('#');
        if let Some(head) = line.strip_suffix('\\').filter(|_| !is_comment) {
            open.push_str(head);
            continue;
        }
        if is_comment {
            // pip joins first and strips then: what is continued into a comment is odd.
            if !open.is_empty() {
                return None;
            }
            continue;
        }
        open.push_str(line);
        let whole = std::mem::take(&mut open);
        let code = whole
            .match_indices('#')
            .find(|(at, _)| {
                *at == 0
                    || whole
                        .get(..*at)
                        .is_some_and(|before| before.ends_with([' ', '\t']))
            })
            .and_then(|(at, _)| whole.get(..at))
            .unwrap_or(&whole)
            .trim();
        if !code.is_empty() {
            lines.push(code.to_owned());
        }
    }
    open.is_empty().then_some(lines)
}

fn requirement(mask: &mut Mask<'_>, line: &str) -> Value {
    let whole = || Value::Text(line.to_owned());
    if line.starts_with('-') {
        // An editable or a file may be of any name: `#egg=name`.
        if let Some((_, egg)) = line.split_once("egg=") {
            let name = egg.split(['&', '[']).next().unwrap_or(egg);
            if mask.named(name.trim()).is_some() {
                mask.problem(NotABumpReason::NonRegistrySource, line);
            }
        }
        return whole();
    }
    let (text, options) = match line.find(" --") {
        Some(at) => line.split_at_checked(at).unwrap_or((line, "")),
        None => (line, ""),
    };
    let Some(found) = pep508::split(text) else {
        return whole();
    };
    let Some(package) = mask.named(found.name) else {
        return whole();
    };
    let mut digests = Vec::new();
    let mut others = Vec::new();
    let mut words = options.split_ascii_whitespace();
    while let Some(word) = words.next() {
        let digest = match word.strip_prefix("--hash=") {
            Some(digest) => Some(digest),
            None if word == "--hash" => words.next(),
            None => None,
        };
        match digest {
            Some(digest) if is_named(digest) => digests.push(digest.to_owned()),
            _ => others.push(Value::Text(word.to_owned())),
        }
    }
    if found.tail.starts_with('@') {
        mask.problem(NotABumpReason::NonRegistrySource, line);
        return whole();
    }
    let name = pypi_name(found.name);
    let at = [&name, found.extras, found.tail.trim()].concat();
    let entry = Entry {
        digests,
        weak: false,
        source: Source::Unsaid,
        needs: Vec::new(),
        traits: Value::Null,
    };
    if !mask.pinned(package, at, Syntax::Pip, found.specifiers, entry) {
        return whole();
    }
    Value::List(vec![
        Value::Text(name),
        Value::Text(found.extras.to_owned()),
        Value::Hole,
        Value::Text(found.tail.trim().to_owned()),
        Value::List(others),
    ])
}

#[cfg(test)]
mod tests {
    use super::logical;

    #[test]
    fn lines_are_joined_and_comments_left_out() {
        let text = "# top\na==1 \\\n    --hash=sha256:x  # via b\n\nb==2 # c\n-r other.txt\n";
        assert_eq!(
            logical(text).unwrap(),
            ["a==1     --hash=sha256:x", "b==2", "-r other.txt"]
        );
        assert_eq!(logical("a==1 \\\n"), None);
        assert_eq!(logical("a==1 \\\n# x\n"), None);
    }
}
