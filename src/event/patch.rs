//! Patches as they come in: Eureka's patch events and the seeds' validation requests.
//!
//! Both shapes travel on `patches`; [`decode`] reads either into one [`Patch`].

mod sources;

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use crate::event::apv::Apv;
use crate::event::codec::{CodecError, read_json};
use crate::event::facts::{ApvFacts, Ecosystem};
use crate::event::id::{self, PatchDigest};
use crate::event::json_text::JsonText;
use crate::event::limits::EventLimits;

pub use sources::{FileBefore, FileWire, Origin};

/// The longest free-text label (generator, author, strategy) that is kept, in bytes.
const MAX_LABEL_BYTES: usize = 256;
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
        let files = sources::checked_files(self.files.unwrap_or_default())?;
        let origin = sources::checked_origin(self.repository, self.base_commit)?;
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
    fn facts_of_another_cve_are_refused() {
        let error = read(
            r#"{"patch_id":"p","cve_id":"CVE-1","diff_content":"x",
                "apv":{"cve_id":"CVE-2","modified":"2020-01-01T00:00:00Z","affected_packages":[]}}"#,
        )
        .unwrap_err();
        assert_eq!(error.to_string(), "apv.cve_id: is not the patch's cve_id");
    }
}
