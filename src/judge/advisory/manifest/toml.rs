//! TOML as package managers print it, line by line.

use crate::diff::cut::{cut, trimmed};

/// What one line of TOML is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TomlLine<'a> {
    /// `[name]` or `[[name]]`.
    Section(&'a str),
    /// `key = "value"`.
    Pair(&'a str, &'a str),
    /// `key = { … }`: the inside of the braces.
    Table(&'a str, &'a str),
    /// `key = [`, the rest on further lines.
    Open(&'a str),
    /// `]`.
    Close,
    /// `"value",` as an element of an array.
    Element(&'a str),
    /// `{ … },` as an element of an array: the inside of the braces.
    ElementTable(&'a str),
    /// `key = [ … ]` on one line: the inside of the brackets.
    List(&'a str, &'a str),
    /// `key = true`, `key = 1`: a value that is no text.
    Literal(&'a str, &'a str),
    /// Nothing, or a comment.
    Blank,
    /// `"""` or `'''`: a text of several lines begins or ends.
    LongText,
    /// Anything else.
    Other,
}

/// Returns what the line is. A comment may follow.
pub(super) fn toml_line(line: &str) -> TomlLine<'_> {
    let body = trimmed(line);
    if body.is_empty() || body.starts_with('#') {
        return TomlLine::Blank;
    }
    scan(body).unwrap_or_else(|| unusual(body))
}

/// Returns what a line is that is none of the usual ones.
fn unusual(body: &str) -> TomlLine<'_> {
    let odd = |quote| body.matches(quote).count() % 2 == 1;
    if odd("\"\"\"") || odd("'''") {
        return TomlLine::LongText;
    }
    let Some((key, value)) = key_value(body) else {
        return TomlLine::Other;
    };
    if let Some(list) = value.strip_prefix('[') {
        let inside = outside_strings(list, |byte| matches!(byte, b'[' | b']'));
        let split = inside.and_then(|end| list.split_at_checked(end));
        return match split.and_then(|(inside, rest)| Some((inside, rest.strip_prefix(']')?))) {
            Some((inside, rest)) if is_end(rest) => TomlLine::List(key, inside),
            _ => TomlLine::Other,
        };
    }
    let (literal, _) = cut(value, b'#').unwrap_or((value, ""));
    let literal = literal.trim_end();
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-+._:".contains(&byte);
    if !literal.is_empty() && literal.bytes().all(plain) {
        return TomlLine::Literal(key, literal);
    }
    TomlLine::Other
}

/// Returns the elements of the inside of a one-line array, each as a line of its own would be:
/// [`TomlLine::Element`] or [`TomlLine::ElementTable`]. `None` if anything else stands in it.
pub(super) fn elements(inside: &str) -> Option<Vec<TomlLine<'_>>> {
    let mut found = Vec::new();
    let mut rest = inside.trim_start();
    while !rest.is_empty() {
        let after = if let Some((text, after)) = string(rest) {
            found.push(TomlLine::Element(text));
            after
        } else {
            let (table, after) = braces(rest)?;
            found.push(TomlLine::ElementTable(table));
            after
        };
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if after.is_empty() => after,
            None => return None,
        };
    }
    Some(found)
}

fn scan(body: &str) -> Option<TomlLine<'_>> {
    if body.starts_with('[') {
        let (name, rest) = match body.strip_prefix("[[") {
            Some(double) => double.split_once("]]")?,
            None => cut(body.strip_prefix('[')?, b']')?,
        };
        return is_end(rest).then(|| TomlLine::Section(name.trim()));
    }
    if body.starts_with(']') {
        return is_end(body.strip_prefix(']')?).then_some(TomlLine::Close);
    }
    if let Some((value, rest)) = string(body)
        && (rest.starts_with(',') || is_end(rest))
    {
        return is_end(rest.strip_prefix(',').unwrap_or(rest)).then_some(TomlLine::Element(value));
    }
    if let Some((inside, rest)) = braces(body) {
        return is_end(rest.strip_prefix(',').unwrap_or(rest))
            .then_some(TomlLine::ElementTable(inside));
    }
    let (key, value) = key_value(body)?;
    if let Some(rest) = value.strip_prefix('[') {
        return is_end(rest).then_some(TomlLine::Open(key));
    }
    if let Some((text, rest)) = string(value) {
        return is_end(rest).then_some(TomlLine::Pair(key, text));
    }
    let (inside, rest) = braces(value)?;
    is_end(rest).then_some(TomlLine::Table(key, inside))
}

/// Returns the string value of `wanted` in the inside of an inline table, if each key stands there once.
///
/// `None` as well if the table is not simple: nested braces, repeated keys, escapes. Calls `seen` for
/// each key.
pub(super) fn table_value<'a>(
    inside: &'a str,
    wanted: &str,
    mut seen: impl FnMut(&'a str),
) -> Option<&'a str> {
    let mut rest = inside.trim_start();
    let mut found = None;
    while !rest.is_empty() {
        let (key, value) = key_value(rest)?;
        seen(key);
        let after = if let Some((text, after)) = string(value) {
            if key == wanted && found.replace(text).is_some() {
                return None;
            }
            after
        } else if let Some(list) = value.strip_prefix('[') {
            array_end(list)?
        } else {
            let end = value.find(',').unwrap_or(value.len());
            let (plain, after) = value.split_at_checked(end)?;
            if plain.contains(['{', '[', '"', '\'']) || key == wanted {
                return None;
            }
            after
        };
        let after = after.trim_start();
        rest = match after.strip_prefix(',') {
            Some(next) => next.trim_start(),
            None if after.is_empty() => after,
            None => return None,
        };
    }
    found
}

/// Splits `key = value`; the key may be quoted.
fn key_value(text: &str) -> Option<(&str, &str)> {
    if let Some((key, rest)) = string(text) {
        return Some((key, rest.trim_start().strip_prefix('=')?.trim_start()));
    }
    let (key, value) = cut(text, b'=')?;
    let key = key.trim();
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (!key.is_empty() && key.bytes().all(bare)).then(|| (key, value.trim_start()))
}

/// Reads a one-line string without escapes; multi-line quotes are none.
fn string(text: &str) -> Option<(&str, &str)> {
    let quote = *text
        .as_bytes()
        .first()
        .filter(|first| matches!(first, b'"' | b'\''))?;
    let text = text.get(1..)?;
    let end = memchr::memchr2(quote, b'\\', text.as_bytes())?;
    let (inside, rest) = text.split_at_checked(end)?;
    if rest.as_bytes().first() != Some(&quote) {
        return None;
    }
    let rest = rest.get(1..)?;
    let multi_line = inside.is_empty() && rest.as_bytes().first() == Some(&quote);
    (!multi_line).then_some((inside, rest))
}

/// Reads `{ … }` up to the brace that closes it; braces within strings do not count, others end it.
fn braces(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix('{')?;
    let end = outside_strings(inside, |byte| matches!(byte, b'{' | b'}'))?;
    let (inside, rest) = inside.split_at_checked(end)?;
    Some((inside, rest.strip_prefix('}')?))
}

fn array_end(text: &str) -> Option<&str> {
    let end = outside_strings(text, |byte| matches!(byte, b'[' | b']'))?;
    text.get(end..)?.strip_prefix(']')
}

/// Returns the index of the first byte outside strings that is wanted.
fn outside_strings(text: &str, wanted: impl Fn(u8) -> bool) -> Option<usize> {
    let mut quote = None;
    for (index, byte) in text.bytes().enumerate() {
        match quote {
            Some(open) if byte == open => quote = None,
            Some(_) if byte == b'\\' => return None,
            Some(_) => {}
            None if matches!(byte, b'"' | b'\'') => quote = Some(byte),
            None if wanted(byte) => return Some(index),
            None => {}
        }
    }
    None
}

fn is_end(rest: &str) -> bool {
    let rest = rest.trim_start();
    rest.is_empty() || rest.starts_with('#')
}

#[cfg(test)]
mod tests {
    use super::{TomlLine, elements, table_value, toml_line};

    #[test]
    fn lines_are_told_apart() {
        assert_eq!(toml_line("[a.b] # c"), TomlLine::Section("a.b"));
        assert_eq!(toml_line("[[package]]"), TomlLine::Section("package"));
        assert_eq!(
            toml_line("serde = \"1.0\" # c"),
            TomlLine::Pair("serde", "1.0")
        );
        assert_eq!(toml_line("\"a\" = '1'"), TomlLine::Pair("a", "1"));
        assert_eq!(
            toml_line("a = { version = \"1\" }"),
            TomlLine::Table("a", " version = \"1\" ")
        );
        assert_eq!(toml_line("  \"a>=1\","), TomlLine::Element("a>=1"));
        assert_eq!(
            toml_line("  {file = \"x\"},"),
            TomlLine::ElementTable("file = \"x\"")
        );
        assert_eq!(toml_line("deps = ["), TomlLine::Open("deps"));
        assert_eq!(toml_line("],"), TomlLine::Other);
        assert_eq!(toml_line("a = [\"x\"] # c"), TomlLine::List("a", "\"x\""));
        assert_eq!(toml_line("a.b = true"), TomlLine::Literal("a.b", "true"));
        assert_eq!(toml_line("a = 1 # c"), TomlLine::Literal("a", "1"));
        assert_eq!(toml_line("# a = 1"), TomlLine::Blank);
        assert_eq!(toml_line(""), TomlLine::Blank);
        assert_eq!(toml_line("a = \"\"\""), TomlLine::LongText);
        for other in [
            "a = \"1\" b = \"2\"",
            "a = \"\\u0031\"",
            "a = [\"x\"",
            "a = [\"x\"] b",
            "a = {",
        ] {
            assert_eq!(toml_line(other), TomlLine::Other, "{other}");
        }
    }

    #[test]
    fn a_list_on_one_line_is_read_as_its_elements() {
        assert_eq!(
            elements("\"a\", {b = \"]\"},"),
            Some(vec![
                TomlLine::Element("a"),
                TomlLine::ElementTable("b = \"]\"")
            ])
        );
        assert_eq!(elements(""), Some(Vec::new()));
        assert_eq!(elements("\"a\" \"b\""), None);
        assert_eq!(elements("1"), None);
    }

    #[test]
    fn a_value_is_taken_from_a_simple_table_only() {
        let get = |inside| table_value(inside, "version", |_| {});
        assert_eq!(
            get("version = \"1\", features = [\"a\", \"]\"], optional = true"),
            Some("1")
        );
        assert_eq!(get("version = \"1\", version = \"2\""), None);
        assert_eq!(get("version = 1"), None);
        assert_eq!(get("git = \"x\""), None);
        assert_eq!(get("a = [[\"x\"]], version = \"1\""), None);
    }
}
