//! What comes with a patch to judge it by: its files as they were, and the commit that it is of.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Patch;
use crate::event::codec::CodecError;
use crate::event::json_text::JsonText;

/// The most files that may come with a patch.
const MAX_FILES: usize = 64;
/// The longest path of a file that comes with a patch, in bytes.
const MAX_PATH_BYTES: usize = 1_024;
/// The longest name of a repository, in bytes.
const MAX_REPOSITORY_BYTES: usize = 200;

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
pub(super) fn checked_files(wire: Vec<FileWire<'_>>) -> Result<Vec<FileBefore<'_>>, CodecError> {
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
pub(super) fn checked_origin<'a>(
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

#[cfg(test)]
mod tests {
    use crate::event::codec::CodecError;
    use crate::event::limits::EventLimits;
    use crate::event::patch::{Patch, decode};

    fn read(json: &str) -> Result<Patch<'_>, CodecError> {
        let limits = EventLimits::default();
        decode(Some(json.as_bytes()), &limits, |_, _, _| String::new())
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
}
