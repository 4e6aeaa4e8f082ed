//! Pages of a Python package index: which files there are of a project, in JSON (PEP 691) or HTML (PEP 503).

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde_json::Value;
use url::Url;

use super::digest::Stated;

/// The most files that are read of a page.
const MAX_FILES: usize = 50_000;

/// A page that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// It is no JSON of that shape.
    #[error("not a page of an index: {0}")]
    Json(#[from] serde_json::Error),
    /// It is of a kind that no index has.
    #[error("not a page of an index")]
    Kind,
}

/// A file of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// Its name: letters, digits and `._-+!`.
    pub name: String,
    pub(super) url: Url,
    pub(super) stated: Option<Stated>,
    requires_python: Option<String>,
    is_yanked: bool,
}

#[derive(Deserialize)]
struct RawPage {
    files: Vec<RawFile>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct RawFile {
    filename: String,
    url: String,
    #[serde(default)]
    hashes: BTreeMap<String, Value>,
    requires_python: Option<Value>,
    yanked: Option<Value>,
}

/// Returns the files that a page lists, each with where it lies; `at` is where the page itself came from. Files with
/// strange names or addresses are left out.
///
/// # Errors
/// [`PageError`] if it is no such page.
pub fn read_page(kind: &str, bytes: &[u8], at: &Url) -> Result<Vec<ListedFile>, PageError> {
    let kind = kind.to_ascii_lowercase();
    let mut files = if kind.contains("json") {
        let page: RawPage = serde_json::from_slice(bytes)?;
        let read = |file: RawFile| file.read(at);
        page.files
            .into_iter()
            .take(MAX_FILES)
            .filter_map(read)
            .collect()
    } else if kind.contains("html") {
        let text = String::from_utf8_lossy(bytes);
        anchors(&text)
            .take(MAX_FILES)
            .filter_map(|tag| of_anchor(tag, at))
            .collect()
    } else {
        return Err(PageError::Kind);
    };
    drop_doubles(&mut files);
    Ok(files)
}

/// Keeps the first file of each name.
pub(super) fn drop_doubles(files: &mut Vec<ListedFile>) {
    let mut seen = std::collections::HashSet::new();
    files.retain(|file| seen.insert(file.name.clone()));
}

impl RawFile {
    fn read(self, at: &Url) -> Option<ListedFile> {
        is_file_name(&self.filename).then_some(())?;
        let sha256 = self.hashes.get("sha256").and_then(Value::as_str);
        Some(ListedFile {
            name: self.filename,
            url: at.join(&self.url).ok()?,
            stated: sha256.and_then(Stated::of_sha256),
            requires_python: self
                .requires_python
                .as_ref()
                .and_then(Value::as_str)
                .map(str::to_owned),
            is_yanked: !matches!(self.yanked, None | Some(Value::Null | Value::Bool(false))),
        })
    }
}

/// Returns what stands between `<a` and `>` of each anchor.
fn anchors(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let (_, after) = rest.split_once('<')?;
            rest = after;
            if let Some(inside) = after.strip_prefix("!--") {
                rest = inside.split_once("-->")?.1;
                continue;
            }
            let name = after.strip_prefix(['a', 'A']);
            let Some(inside) =
                name.filter(|inside| inside.starts_with(|c: char| c.is_ascii_whitespace()))
            else {
                continue;
            };
            let end = end_of_tag(inside)?;
            let tag = inside.get(..end)?;
            rest = inside.get(end..)?;
            return Some(tag);
        }
    })
}

/// Returns where a tag ends: at the first `>` outside of quotes.
fn end_of_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    text.bytes().position(|byte| match (quote, byte) {
        (None, b'"' | b'\'') => {
            quote = Some(byte);
            false
        }
        (Some(open), byte) if open == byte => {
            quote = None;
            false
        }
        (None, b'>') => true,
        _ => false,
    })
}

fn of_anchor(tag: &str, at: &Url) -> Option<ListedFile> {
    let attributes = attributes(tag);
    let get = |wanted: &str| {
        let found = attributes.iter().find(|(name, _)| name == wanted);
        found.map(|(_, value)| value.as_str())
    };
    let mut url = at.join(get("href")?.trim()).ok()?;
    let stated = url.fragment().and_then(|fragment| {
        let mut parts = fragment.split('&');
        parts.find_map(|part| Stated::of_sha256(part.strip_prefix("sha256=")?))
    });
    url.set_fragment(None);
    // Names stand in the address; what is shown may be anything.
    let last = url.path_segments()?.next_back()?;
    let name = last
        .replace("%2B", "+")
        .replace("%2b", "+")
        .replace("%21", "!");
    is_file_name(&name).then_some(())?;
    Some(ListedFile {
        stated,
        requires_python: get("data-requires-python").map(str::to_owned),
        is_yanked: get("data-yanked").is_some(),
        name,
        url,
    })
}

/// Returns the attributes of a tag, names in small letters.
fn attributes(tag: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = tag.trim_start();
    while !rest.is_empty() {
        let end = rest
            .find(|c: char| c == '=' || c.is_ascii_whitespace())
            .unwrap_or(rest.len());
        let (name, after) = rest.split_at(end);
        let after = after.trim_start();
        let (value, after) = match after.strip_prefix('=') {
            None => ("", after),
            Some(after) => value_of(after.trim_start()),
        };
        found.push((name.to_ascii_lowercase(), unescaped(value)));
        // A name of no length would never end.
        rest = if end == 0 && after.len() == rest.len() {
            ""
        } else {
            after.trim_start()
        };
    }
    found
}

/// Returns the value that a text begins with, and what comes after it.
fn value_of(text: &str) -> (&str, &str) {
    for quote in ['"', '\''] {
        if let Some(inside) = text.strip_prefix(quote) {
            return inside.split_once(quote).unwrap_or((inside, ""));
        }
    }
    let end = text
        .find(|c: char| c.is_ascii_whitespace())
        .unwrap_or(text.len());
    text.split_at(end)
}

/// Returns a text without the entities that addresses and versions have.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let entity = after.split_once(';').filter(|(name, _)| name.len() <= 8);
        let read = entity.and_then(|(name, after)| {
            let code = match name {
                "amp" => return Some(('&', after)),
                "lt" => return Some(('<', after)),
                "gt" => return Some(('>', after)),
                "quot" => return Some(('"', after)),
                "apos" => return Some(('\'', after)),
                name => name.strip_prefix('#')?,
            };
            let code = match code.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => code.parse().ok()?,
            };
            Some((char::from_u32(code)?, after))
        });
        let (c, after) = read.unwrap_or(('&', after));
        out.push(c);
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Returns the page that pip is given; `at` says where a file is asked for.
pub(super) fn page(files: &[ListedFile], at: impl Fn(&ListedFile) -> String) -> String {
    let mut page = "<!DOCTYPE html>\n<html><body>\n".to_owned();
    for file in files {
        let _ = write!(page, "<a href=\"{}\"", at(file));
        if let Some(requires) = &file.requires_python {
            let _ = write!(page, " data-requires-python=\"{}\"", escaped(requires));
        }
        if file.is_yanked {
            page.push_str(" data-yanked=\"\"");
        }
        let _ = writeln!(page, ">{}</a>", file.name);
    }
    page.push_str("</body></html>\n");
    page
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

/// Whether a text is a plain name of a file.
pub fn is_file_name(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-+!".contains(c);
    !name.is_empty() && name.len() <= 255 && !name.starts_with('.') && name.chars().all(plain)
}

/// Whether a text is the name of a project.
pub fn is_project(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let ends = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    name.len() <= 200
        && name.chars().all(plain)
        && ends(name.chars().next())
        && ends(name.chars().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: &str = "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9";

    fn at() -> Url {
        Url::parse("https://index.example/simple/a/").unwrap()
    }

    #[test]
    fn both_kinds_of_pages_say_the_same() {
        let json = format!(
            r#"{{"files":[{{"filename":"a-1.whl","url":"../../f/a-1.whl","hashes":{{"sha256":"{SHA256}"}},"requires-python":">=3","yanked":"bad"}},
            {{"filename":"a-2.whl","url":"https://f.example/a-2.whl","hashes":{{}},"yanked":false,"size":7}},
            {{"filename":"../a","url":"https://f.example/a","hashes":{{}}}}]}}"#
        );
        let html = format!(
            "<html><!-- <a href='x.whl'> --><body><abbr>x</abbr>\n\
             <A class=x data-requires-python=\"&gt;=3\" data-yanked='bad>' href=\"/f/a-1.whl#sha256={SHA256}\">what<b>ever</b></A>\n\
             <a href='https://f.example/a-2.whl'>a-2.whl</a><a href='https://f.example/a-2.whl#sha256={SHA256}'>twice</a>\n\
             <a href=https://f.example/%2e%2e>a</a><a name=x>no</a><a href='unclosed"
        );
        let read = read_page(
            "application/vnd.pypi.simple.v1+json",
            json.as_bytes(),
            &at(),
        )
        .unwrap();
        assert_eq!(
            read,
            read_page("text/html; charset=UTF-8", html.as_bytes(), &at()).unwrap()
        );
        let [first, second] = &read[..] else {
            panic!("{read:?}");
        };
        assert_eq!(first.url.as_str(), "https://index.example/f/a-1.whl");
        assert_eq!(first.stated, Stated::of_sha256(SHA256));
        assert!(first.is_yanked && !second.is_yanked);
        assert_eq!(second.stated, None);
        assert!(read_page("text/plain", b"", &at()).is_err());
        assert!(read_page("application/json", b"[]", &at()).is_err());
    }

    #[test]
    fn what_pip_is_given_reads_as_what_was_read() {
        let html = format!(
            "<a data-requires-python='&lt;4,&gt;=3&quot;' data-yanked href='a-1+x.whl#sha256={SHA256}'>"
        );
        let read = read_page("text/html", html.as_bytes(), &at()).unwrap();
        let given = page(&read, |file| format!("{}#sha256={SHA256}", file.url));
        assert_eq!(
            read_page("text/html", given.as_bytes(), &at()).unwrap(),
            read
        );
        assert_eq!(read[0].requires_python.as_deref(), Some("<4,>=3\""));
    }

    #[test]
    fn projects_have_names_that_lead_nowhere() {
        for name in ["a", "A.b_c-1", "zope.interface"] {
            assert!(is_project(name), "{name}");
        }
        for name in ["", "..", "a/..", "../a", "-a", "a ", "a%2fb", "a?x", "é"] {
            assert!(!is_project(name), "{name}");
        }
    }
}
