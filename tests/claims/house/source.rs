//! Rust source as these claims read it: without comments, literals and what only tests compile.

use std::fs;
use std::path::{Path, PathBuf};

/// One file of the repository.
pub(super) struct Source {
    /// The path below the repository's root.
    pub path: PathBuf,
    /// The text as it stands.
    pub text: String,
    /// The code alone: comments, literals and test items blanked, lines kept.
    pub code: String,
    /// How many lines are of test items.
    test_lines: usize,
}

impl Source {
    /// Returns a source of this text.
    pub fn of(path: &str, text: &str) -> Self {
        let (code, test_lines) = without_test_items(&without_comments_and_literals(text));
        Self {
            path: PathBuf::from(path),
            text: text.to_owned(),
            code,
            test_lines,
        }
    }

    /// Returns whether the whole file is compiled for tests alone.
    pub fn is_test(&self) -> bool {
        self.path
            .components()
            .any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "tests.rs")))
    }

    /// Returns how many lines ship: code and comments, not tests.
    pub fn shipped_lines(&self) -> usize {
        if self.is_test() {
            return 0;
        }
        self.text.lines().count() - self.test_lines
    }
}

/// Returns every Rust file below `folder`, which is below the repository's root.
pub(super) fn read_all(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut folders = vec![root.join(folder)];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                let below = path.strip_prefix(root).unwrap().to_str().unwrap();
                sources.push(Source::of(below, &text));
            }
        }
    }
    sources.sort_by(|one, other| one.path.cmp(&other.path));
    sources
}

fn without_comments_and_literals(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = blank_length(rest, out.chars().next_back());
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            blank(&mut out, &rest[..length]);
            rest = &rest[length..];
        }
    }
    out
}

/// Returns the length of the comment or literal that `rest` begins with; 0 if it begins with code.
fn blank_length(rest: &str, before: Option<char>) -> usize {
    let through = |end: &str, from: usize| {
        rest[from..]
            .find(end)
            .map_or(rest.len(), |at| from + at + end.len())
    };
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return through("*/", 2);
    }
    let raw = rest.strip_prefix('b').unwrap_or(rest);
    if let Some(hashes) = raw.strip_prefix('r').filter(|_| !in_word) {
        let count = hashes.len() - hashes.trim_start_matches('#').len();
        if hashes[count..].starts_with('"') {
            let head = rest.len() - hashes.len() + count + 1;
            return through(&format!("\"{}", "#".repeat(count)), head);
        }
    }
    match rest.strip_prefix('"') {
        Some(body) => 1 + closing(body, '"'),
        // A lifetime has no closing quote behind its first character.
        None => match rest.strip_prefix('\'') {
            Some(body) if body.starts_with('\\') || body.chars().nth(1) == Some('\'') => {
                1 + closing(body, '\'')
            }
            _ => 0,
        },
    }
}

/// Returns the length through the closing quote, past escapes.
fn closing(body: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in body.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    body.len()
}

/// Blanks every item under `#[cfg(test)]`, and returns how many lines those were.
fn without_test_items(code: &str) -> (String, usize) {
    const ATTRIBUTE: &str = "#[cfg(test)]";
    let mut out = String::with_capacity(code.len());
    let mut lines = 0;
    let mut rest = code;
    while let Some(at) = rest.find(ATTRIBUTE) {
        let (before, item) = rest.split_at(at);
        let (item, after) = item.split_at(ATTRIBUTE.len() + item_length(&item[ATTRIBUTE.len()..]));
        out.push_str(before);
        blank(&mut out, item);
        lines += item.lines().count();
        rest = after;
    }
    (out + rest, lines)
}

/// Returns the length of an item: through its semicolon, or through its matching brace.
fn item_length(item: &str) -> usize {
    let mut depth = 0;
    for (at, c) in item.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 1 => return at + 1,
            '}' => depth -= 1,
            ';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}

fn blank(out: &mut String, text: &str) {
    out.extend(text.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
}

#[test]
fn only_code_that_ships_is_read() {
    let source = Source::of(
        "src/x.rs",
        "// crate::cli\nfn a<'a>() { let _ = (\"crate::cli \\\"\", r#\"crate::\"cli\"#, '\"', b'\\''); }\n#[cfg(test)]\nmod tests { use crate::cli; fn b() {} }\nuse crate::log;\n",
    );
    assert!(!source.code.contains("cli"), "{}", source.code);
    assert!(source.code.contains("use crate::log;"));
    assert_eq!(source.code.lines().count(), source.text.lines().count());
    assert_eq!(source.shipped_lines(), 3);
}
