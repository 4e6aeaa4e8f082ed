//! Records that can be taken for no patch, each by one fault.

use serde_json::{Map, Value, json};

use super::event::Header;
use super::kind::Kind;
use super::random::Random;

/// The largest value that is taken, in bytes.
const MAX_VALUE_BYTES: usize = 1_048_576;

/// A broken record; the headers lack the nonce yet.
pub struct Broken {
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
    /// Headers that nobody asked for: repeated, without value, not text.
    pub headers: Vec<Header>,
}

/// Breaks a good patch event in the way of its kind. `nonce` stands in every value that has room for it.
///
/// # Panics
/// Panics for a kind that is not dead.
pub fn broken(
    kind: Kind,
    cve_id: &str,
    mut body: Map<String, Value>,
    nonce: &str,
    random: &mut Random,
) -> Broken {
    // A request would lack other fields than a patch event does.
    body.retain(|name, _| !matches!(name.as_str(), "patch_diff" | "patch" | "vulnerability"));
    body.entry("patch_id").or_insert_with(|| json!(nonce));
    body.entry("diff_content")
        .or_insert_with(|| json!("--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"));
    let diff = body["diff_content"].as_str().expect("a diff").to_owned();
    let value = match kind {
        Kind::Empty => random.chance(50).then(Vec::new),
        Kind::BadUtf8 => Some(bad_utf8(&body, random)),
        Kind::BrokenJson => Some(broken_json(&body, random)),
        Kind::DeepJson => Some(deep_json(nonce, random)),
        Kind::MissingField => {
            body.remove(random.pick(&["patch_id", "cve_id", "diff_content"]));
            Some(bytes(body))
        }
        Kind::ControlCharacter => {
            let field = random.pick(&["patch_id", "cve_id"]);
            let control = random.pick(&['\u{7}', '\u{1b}', '\0', '\n']);
            let id = body[field].as_str().expect("an id").to_owned();
            body.insert(field.to_owned(), json!(format!("{id}{control}")));
            Some(bytes(body))
        }
        Kind::TooLarge => {
            let filler = MAX_VALUE_BYTES + random.below(2_000) as usize;
            body.insert("notes".to_owned(), json!("x".repeat(filler)));
            Some(bytes(body))
        }
        Kind::LyingHunk => Some(with_diff(body, &lying_hunk(&diff, random))),
        Kind::NoFile => Some(with_diff(body, &without_file(&diff, nonce, random))),
        Kind::EscapingPath => Some(with_diff(body, &escaping(&diff))),
        other => panic!("{other:?} is not broken"),
    };
    let key = match random.below(10) {
        0 => None,
        1 => Some(vec![0xff, 0, b'k']),
        _ => Some(cve_id.as_bytes().to_vec()),
    };
    Broken {
        key,
        value,
        headers: odd_headers(random),
    }
}

fn bytes(body: Map<String, Value>) -> Vec<u8> {
    Value::Object(body).to_string().into_bytes()
}

fn with_diff(mut body: Map<String, Value>, diff: &str) -> Vec<u8> {
    body.insert("diff_content".to_owned(), json!(diff));
    bytes(body)
}

fn bad_utf8(body: &Map<String, Value>, random: &mut Random) -> Vec<u8> {
    let mut value = bytes(body.clone());
    let faults: [&[u8]; 4] = [
        b"\xff",
        b"\xc3\x28",
        b"\xed\xa0\x80",
        b"\xf8\x88\x80\x80\x80",
    ];
    let at = value.len() - 2;
    value.splice(at..at, random.pick(&faults).iter().copied());
    value
}

fn broken_json(body: &Map<String, Value>, random: &mut Random) -> Vec<u8> {
    let mut value = bytes(body.clone());
    match random.below(3) {
        0 => value.truncate(value.len() - 1 - random.below(100) as usize),
        1 => value.extend(b",}"),
        _ => value[0] = b'<',
    }
    value
}

fn deep_json(nonce: &str, random: &mut Random) -> Vec<u8> {
    let (open, close) = random.pick(&[("[", "]"), ("{\"a\":", "}")]);
    let deep = format!("{}1{}", open.repeat(200), close.repeat(200));
    let head =
        format!("{{\"patch_id\":\"{nonce}\",\"cve_id\":\"CVE-2031-1\",\"diff_content\":\"\"");
    format!("{head},\"notes\":{deep}}}").into_bytes()
}

/// Makes the hunk's header promise one line more, or one less, than follow.
fn lying_hunk(diff: &str, random: &mut Random) -> String {
    let delta = if random.chance(50) { 1 } else { -1 };
    let mut lines: Vec<String> = diff.lines().map(str::to_owned).collect();
    let header = lines
        .iter_mut()
        .find(|line| line.starts_with("@@ "))
        .expect("a hunk");
    let (old, rest) = header.split_once(" +").expect("two ranges");
    let (start, count) = old.split_once(',').expect("a count");
    let count: i64 = count.parse().expect("a number");
    *header = format!("{start},{} +{rest}", count + delta);
    lines.join("\n") + "\n"
}

/// Leaves a hunk without its file, or prose without a hunk.
fn without_file(diff: &str, nonce: &str, random: &mut Random) -> String {
    match random.below(3) {
        0 => diff[diff.find("@@ ").expect("a hunk")..].to_owned(),
        1 => format!("I have fixed {nonce} by looking at it.\n"),
        _ => String::new(),
    }
}

fn escaping(diff: &str) -> String {
    let path = diff
        .lines()
        .find_map(|line| line.strip_prefix("+++ b/"))
        .expect("a path");
    diff.replace(&format!("/{path}"), &format!("/../{path}"))
}

fn odd_headers(random: &mut Random) -> Vec<Header> {
    let header = |name: &str, value: Option<&[u8]>| (name.to_owned(), value.map(<[u8]>::to_vec));
    match random.below(3) {
        0 => Vec::new(),
        1 => vec![header("content-type", Some(b"application/json"))],
        _ => vec![
            header("x-twice", Some(b"one")),
            header("x-twice", Some(b"\xfe\xff")),
            header("x-none", None),
            header("x-empty", Some(b"")),
        ],
    }
}
