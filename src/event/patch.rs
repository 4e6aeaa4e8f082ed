//! Patches as they come in: Eureka's patch events and the seeds' validation requests.
//!
//! Both shapes travel on `patches`; [`decode`] reads either into one [`Patch`].

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use sha2::{Digest, Sha256};

use crate::event::apv::Apv;
use crate::event::codec::{CodecError, read_json};
use crate::event::facts::{ApvFacts, Ecosystem};
use crate::event::id::{self, PatchDigest};
use crate::event::json_text::JsonText;
use crate::event::limits::EventLimits;

/// The longest free-text label (generator, author, strategy) that is kept, in bytes.
const MAX_LABEL_BYTES: usize = 256;
/// The most files that may come with a patch.
const MAX_FILES: usize = 64;
/// The longest path of a file that comes with a patch, in bytes.
const MAX_PATH_BYTES: usize = 1_024;
/// The longest name of a repository, in bytes.
const MAX_REPOSITORY_BYTES: usize = 200;
/// The file name given to code that comes without one.
const UNNAMED_FILE: &str = "affected_code";

/// The wire form of everything on `patches`; which fields are there decides which shape it is.
///
/// What the producer says of its own confidence, tests and severity is read by nobody here: a
/// generator is not a witness.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Patch")]
pub struct PatchWire<'a> {
    /// Names the patch; absent on a validation request.
    #[serde(default, borrow, deserialize_with = "borrowed")]
    patch_id: Option<Cow<'a, str>>,
    /// The CVE that the patch claims to remedy.
    #[serde(borrow)]
    cve_id: Cow<'a, str>,
    /// The unified diff of a patch event.
    #[serde(default, borrow)]
    #[schemars(with = "Option<String>")]
    diff_content: Option<JsonText<'a>>,
    /// dependency_upgrade, code_patch, ...: informative.
    #[serde(default, borrow, deserialize_with = "borrowed")]
    strategy_used: Option<Cow<'a, str>>,
    /// The tool that made it: informative, and a feature of the memory.
    #[serde(default, borrow, deserialize_with = "borrowed")]
    generator: Option<Cow<'a, str>>,
    /// The package it is for, taken only if it fits the APV.
    #[serde(default, borrow, deserialize_with = "borrowed")]
    package: Option<Cow<'a, str>>,
    /// The package, more exactly; taken only if it fits the APV.
    #[serde(default, borrow)]
    target: Option<TargetWire<'a>>,
    /// Facts that came along; they may only restrict.
    #[serde(default, borrow)]
    apv: Option<Apv<'a>>,
    /// Files that the diff changes, whole, as they were before: a bump is then judged on them.
    #[serde(default, borrow)]
    files: Option<Vec<FileWire<'a>>>,
    /// Where the project lives, as `owner/name`: a mirror of it may be at hand.
    #[serde(default, borrow, deserialize_with = "borrowed")]
    repository: Option<Cow<'a, str>>,
    /// The commit that the diff is of, 40 or 64 hexadecimal digits.
    #[serde(default, borrow, deserialize_with = "borrowed")]
    base_commit: Option<Cow<'a, str>>,
    /// The diff of a validation request.
    #[serde(default, borrow)]
    #[schemars(with = "Option<String>")]
    patch_diff: Option<JsonText<'a>>,
    /// The code of a validation request.
    #[serde(default, borrow)]
    patch: Option<PatchCodeWire<'a>>,
    /// The vulnerability of a validation request.
    #[serde(default, borrow)]
    vulnerability: Option<VulnerabilityWire<'a>>,
}

/// What a patch says it is applied to.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Target")]
pub struct TargetWire<'a> {
    #[serde(borrow)]
    ecosystem: Cow<'a, str>,
    #[serde(borrow)]
    package: Cow<'a, str>,
}

/// A file as it was before the change.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "File")]
pub struct FileWire<'a> {
    /// Its path in the repository, as the diff has it.
    #[serde(borrow)]
    path: Cow<'a, str>,
    /// Its whole text.
    #[serde(borrow)]
    #[schemars(with = "String")]
    before: JsonText<'a>,
}

/// The patch of a validation request.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "PatchCode")]
pub struct PatchCodeWire<'a> {
    #[serde(borrow)]
    #[schemars(with = "String")]
    code: JsonText<'a>,
}

/// The vulnerability of a validation request.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(rename = "Vulnerability")]
pub struct VulnerabilityWire<'a> {
    #[serde(default, borrow, deserialize_with = "borrowed")]
    affected_code: Option<Cow<'a, str>>,
}

/// A patch, checked: ids are bounded, the diff is text within the record limit, not yet parsed.
#[derive(Debug, Clone)]
pub struct Patch<'a> {
    /// Names the patch: the producer's id, or `req:` and the digest for a validation request.
    pub patch_id: Cow<'a, str>,
    /// The CVE it claims to remedy.
    pub cve_id: Cow<'a, str>,
    /// The unified diff.
    pub diff: JsonText<'a>,
    /// The sha-256 of `diff`.
    pub digest: PatchDigest,
    /// What kind of remedy the producer calls it, cut to 256 bytes.
    pub strategy: Option<Cow<'a, str>>,
    /// The tool that made it, cut to 256 bytes.
    pub generator: Option<Cow<'a, str>>,
    /// The package it says it is for.
    pub package: Option<ClaimedPackage<'a>>,
    /// Facts that came along.
    pub embedded: Option<ApvFacts>,
    /// Files as they were before, at most 64, each path once.
    pub files: Vec<FileBefore<'a>>,
    /// Where its files could be looked up.
    pub origin: Option<Origin<'a>>,
}

/// A file as it was before the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileBefore<'a> {
    /// Its path in the repository.
    pub path: Cow<'a, str>,
    /// Its whole text.
    pub before: JsonText<'a>,
}

/// A commit of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The repository: one to four names joined by `/`, none of which begins with `.` or `-`.
    pub repository: Cow<'a, str>,
    /// The commit, 40 or 64 lowercase hexadecimal digits.
    pub commit: Cow<'a, str>,
}

/// The package a patch says it is for; counts only where the APV names it too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimedPackage<'a> {
    /// The ecosystem, where the producer says it.
    pub ecosystem: Option<Ecosystem>,
    /// The name.
    pub name: Cow<'a, str>,
}

/// Makes a unified diff of a file from its text before and after.
pub type Synthesize = fn(path: &str, before: &str, after: &str) -> String;

/// Reads a patch event or a validation request, whose code becomes a diff by `synthesize`.
///
/// # Errors
/// [`CodecError`]: size, UTF-8, depth, JSON, or the field that is missing or out of bounds.
pub fn decode<'a>(
    value: Option<&'a [u8]>,
    limits: &EventLimits,
    synthesize: Synthesize,
) -> Result<Patch<'a>, CodecError> {
    let wire: PatchWire<'a> = read_json(value, limits)?;
    wire.check(synthesize)
}

impl<'a> PatchWire<'a> {
    fn check(self, synthesize: Synthesize) -> Result<Patch<'a>, CodecError> {
        id::check_cve_id(&self.cve_id).map_err(|e| CodecError::schema("cve_id", e.to_string()))?;
        let is_request = self.patch_id.is_none() && self.diff_content.is_none();
        let diff = match self.diff_content {
            Some(diff) => diff,
            None if is_request => {
                request_diff(self.patch_diff, self.patch, self.vulnerability, synthesize)?
            }
            None => return Err(CodecError::schema("diff_content", "missing field")),
        };
        let digest = PatchDigest::of(&diff);
        let patch_id = match self.patch_id {
            Some(id) => {
                id::check_patch_id(&id)
                    .map_err(|e| CodecError::schema("patch_id", e.to_string()))?;
                id
            }
            None if is_request => Cow::Owned(format!("req:{}", digest.to_hex())),
            None => return Err(CodecError::schema("patch_id", "missing field")),
        };
        let package = match (self.target, self.package) {
            (Some(target), _) => Some(ClaimedPackage {
                ecosystem: Some(Ecosystem::from_name(&target.ecosystem)),
                name: checked_package("target.package", target.package)?,
            }),
            (None, Some(name)) => Some(ClaimedPackage {
                ecosystem: None,
                name: checked_package("package", name)?,
            }),
            (None, None) => None,
        };
        let embedded = match self.apv {
            Some(apv) if apv.cve_id == self.cve_id => Some(apv.facts()?),
            Some(_) => {
                return Err(CodecError::schema(
                    "apv.cve_id",
                    "is not the patch's cve_id",
                ));
            }
            None => None,
        };
        let files = checked_files(self.files.unwrap_or_default())?;
        let origin = checked_origin(self.repository, self.base_commit)?;
        Ok(Patch {
            patch_id,
            cve_id: self.cve_id,
            diff,
            digest,
            strategy: self.strategy_used.map(label),
            generator: self.generator.map(label),
            package,
            embedded,
            files,
            origin,
        })
    }
}

impl Patch<'_> {
    /// Returns the sha-256 of what came with the diff and is judged with it; `None` if nothing did.
    pub fn sources_digest(&self) -> Option<[u8; 32]> {
        if self.files.is_empty() && self.origin.is_none() {
            return None;
        }
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_le_bytes());
            hash.update(text.as_bytes());
        };
        if let Some(origin) = &self.origin {
            part(&origin.repository);
            part(&origin.commit);
        }
        for file in &self.files {
            part(&file.path);
            part(&file.before);
        }
        Some(hash.finalize().into())
    }
}

/// Returns the files, each path once and bounded.
fn checked_files(wire: Vec<FileWire<'_>>) -> Result<Vec<FileBefore<'_>>, CodecError> {
    if wire.len() > MAX_FILES {
        let problem = format!("has {} files, the most are {MAX_FILES}", wire.len());
        return Err(CodecError::schema("files", problem));
    }
    let mut files: Vec<FileBefore<'_>> = Vec::with_capacity(wire.len());
    for (at, file) in wire.into_iter().enumerate() {
        let refuse = |problem: &str| {
            let field = format!("files[{at}].path");
            Err(CodecError::schema(field, problem))
        };
        if file.path.is_empty() || file.path.len() > MAX_PATH_BYTES {
            return refuse("must have 1 to 1024 bytes");
        }
        if files.iter().any(|known| known.path == file.path) {
            return refuse("comes twice");
        }
        files.push(FileBefore {
            path: file.path,
            before: file.before,
        });
    }
    Ok(files)
}

/// Returns the commit, if both parts of it are there and are what they must be.
fn checked_origin<'a>(
    repository: Option<Cow<'a, str>>,
    commit: Option<Cow<'a, str>>,
) -> Result<Option<Origin<'a>>, CodecError> {
    if let Some(repository) = &repository
        && !is_repository(repository)
    {
        let problem = "must be one to four names of letters, digits, '.', '_' and '-', joined by '/', none of which begins with '.' or '-'";
        return Err(CodecError::schema("repository", problem));
    }
    if let Some(commit) = &commit
        && !is_commit(commit)
    {
        let problem = "must be a whole commit, 40 or 64 lowercase hexadecimal digits";
        return Err(CodecError::schema("base_commit", problem));
    }
    let both = repository.zip(commit);
    Ok(both.map(|(repository, commit)| Origin { repository, commit }))
}

fn is_repository(text: &str) -> bool {
    let is_name = |name: &str| {
        !name.is_empty()
            && !name.starts_with(['.', '-'])
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
    };
    text.len() <= MAX_REPOSITORY_BYTES
        && text.split('/').count() <= 4
        && text.split('/').all(is_name)
}

fn is_commit(text: &str) -> bool {
    matches!(text.len(), 40 | 64)
        && text
            .bytes()
            .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Returns the diff of a validation request: its own, or the one from `affected_code` to `code`.
fn request_diff<'a>(
    patch_diff: Option<JsonText<'a>>,
    patch: Option<PatchCodeWire<'a>>,
    vulnerability: Option<VulnerabilityWire<'a>>,
    synthesize: Synthesize,
) -> Result<JsonText<'a>, CodecError> {
    if let Some(diff) = patch_diff {
        return Ok(diff);
    }
    let Some(patch) = patch else {
        return Err(CodecError::schema(
            ".",
            "neither a patch event (patch_id, diff_content) nor a validation request (patch or patch_diff)",
        ));
    };
    if looks_like_diff(&patch.code) {
        return Ok(patch.code);
    }
    let before = vulnerability
        .and_then(|v| v.affected_code)
        .ok_or_else(|| CodecError::schema("vulnerability.affected_code", "missing field"))?;
    let diff = synthesize(UNNAMED_FILE, &before, &patch.code);
    Ok(JsonText::from(Cow::Owned(diff)))
}

fn looks_like_diff(code: &str) -> bool {
    code.starts_with("diff --git ") || (code.starts_with("--- ") && code.contains("\n+++ "))
}

fn checked_package<'a>(
    field: &'static str,
    name: Cow<'a, str>,
) -> Result<Cow<'a, str>, CodecError> {
    id::check_package(field, &name).map_err(|e| CodecError::schema(field, e.to_string()))?;
    Ok(name)
}

/// Cuts a free-text label at a character boundary; labels are data, so nothing else is refused.
fn label(mut text: Cow<'_, str>) -> Cow<'_, str> {
    let end = text.floor_char_boundary(MAX_LABEL_BYTES);
    if end < text.len() {
        text.to_mut().truncate(end);
    }
    text
}

/// Reads a text that may be absent; one without escapes is borrowed, which serde does of itself only
/// for one that must be there.
fn borrowed<'a, 'de: 'a, D: Deserializer<'de>>(
    reader: D,
) -> Result<Option<Cow<'a, str>>, D::Error> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    let text = Option::<Text<'a>>::deserialize(reader)?;
    Ok(text.map(|Text(text)| text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Patch<'_>, CodecError> {
        decode(
            Some(json.as_bytes()),
            &EventLimits::default(),
            |_, before, after| format!("-{before}+{after}"),
        )
    }

    #[test]
    fn a_patch_event_is_read_and_unknown_fields_are_tolerated() {
        let patch = read(
            r#"{"patch_id":"p1","cve_id":"CVE-2020-1","diff_content":"--- a/x\n","confidence_score":0.99,
               "future":{"deep":[1,2,{}]},"package":"lodash"}"#,
        )
        .unwrap();
        assert_eq!(&*patch.diff, "--- a/x\n");
        assert_eq!(patch.package.unwrap().name, "lodash");
    }

    #[test]
    fn a_validation_request_is_named_by_its_digest() {
        let patch = read(
            r#"{"apv_id":"a","cve_id":"CVE-2020-1",
                "vulnerability":{"type":"sqli","severity":"high","affected_code":"a\nb\n"},
                "patch":{"type":"code","code":"a\nc\n"}}"#,
        )
        .unwrap();
        assert_eq!(patch.patch_id, format!("req:{}", patch.digest));
        assert_eq!(&*patch.diff, "-a\nb\n+a\nc\n");
    }

    #[test]
    fn what_is_missing_is_named() {
        for (json, field) in [
            (r#"{"patch_id":"p","cve_id":"CVE-1"}"#, "diff_content"),
            (r#"{"cve_id":"CVE-1","diff_content":"x"}"#, "patch_id"),
            (r#"{"cve_id":"CVE-1"}"#, "."),
            (r#"{"patch_id":"p","diff_content":"x"}"#, "."),
            (
                r#"{"cve_id":"CVE-1","patch":{"code":"x"}}"#,
                "vulnerability.affected_code",
            ),
            (
                r#"{"patch_id":"p p","cve_id":"CVE-1","diff_content":"x"}"#,
                "patch_id",
            ),
            (
                r#"{"patch_id":"p","cve_id":"","diff_content":"x"}"#,
                "cve_id",
            ),
        ] {
            let error = read(json).unwrap_err();
            assert!(
                error.to_string().starts_with(&format!("{field}: ")),
                "{json}: {error}"
            );
        }
    }

    #[test]
    fn files_come_with_a_patch_and_are_told_by_a_digest() {
        let plain = r#"{"patch_id":"p","cve_id":"CVE-1","diff_content":"x"}"#;
        assert_eq!(read(plain).unwrap().sources_digest(), None);
        let with =
            |more: &str| plain.replace(r#""diff_content""#, &format!(r#"{more},"diff_content""#));
        let one = with(r#""files":[{"path":"a","before":"b\n"}]"#);
        let patch = read(&one).unwrap();
        assert_eq!(
            (&*patch.files[0].path, &*patch.files[0].before),
            ("a", "b\n")
        );
        let other = with(r#""files":[{"path":"ab","before":"\n"}]"#);
        assert_ne!(
            patch.sources_digest(),
            read(&other).unwrap().sources_digest()
        );
        let commit = "0123456789abcdef0123456789abcdef01234567";
        let of = with(&format!(r#""repository":"o/n","base_commit":"{commit}""#));
        let origin = read(&of).unwrap().origin.unwrap();
        assert_eq!((&*origin.repository, &*origin.commit), ("o/n", commit));
    }

    #[test]
    fn files_and_commits_have_their_bounds() {
        let many: Vec<String> = (0..65)
            .map(|n| format!(r#"{{"path":"{n}","before":""}}"#))
            .collect();
        let many = format!(r#""files":[{}]"#, many.join(","));
        for (more, field) in [
            (
                r#""files":[{"path":"a","before":""},{"path":"a","before":""}]"#,
                "files[1].path",
            ),
            (r#""files":[{"path":"","before":""}]"#, "files[0].path"),
            (r#""files":[{"path":"a"}]"#, "files[0]"),
            (many.as_str(), "files"),
            (r#""repository":"../x""#, "repository"),
            (r#""repository":"a//b""#, "repository"),
            (r#""repository":"-a/b""#, "repository"),
            (r#""repository":"/etc""#, "repository"),
            (r#""repository":"a/b/c/d/e""#, "repository"),
            (r#""base_commit":"main""#, "base_commit"),
            (r#""base_commit":"--upload-pack=x""#, "base_commit"),
            (
                r#""base_commit":"0123456789ABCDEF0123456789abcdef01234567""#,
                "base_commit",
            ),
        ] {
            let json = format!(r#"{{"patch_id":"p","cve_id":"CVE-1","diff_content":"x",{more}}}"#);
            let error = read(&json).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{field}: ")), "{more}: {error}");
        }
    }

    #[test]
    fn facts_of_another_cve_are_refused() {
        let error = read(
            r#"{"patch_id":"p","cve_id":"CVE-1","diff_content":"x",
                "apv":{"cve_id":"CVE-2","modified":"2020-01-01T00:00:00Z","affected_packages":[]}}"#,
        )
        .unwrap_err();
        assert_eq!(error.to_string(), "apv.cve_id: is not the patch's cve_id");
    }
}
