//! Applies a source patch to a tree, as `git apply -p1` would.
//!
//! Two readers must agree before anything is written: Crisol's own, which refuses paths that lead outside and
//! everything that can be read in two ways, and diffy's, whose hunks are applied. All files are worked out first and written
//! afterwards, so a patch that fails in the middle leaves nothing behind.
//!
//! A file whose lines all end in CR LF meets a patch without them: packages are published with other line ends than
//! their repositories have. Then line ends are set aside for the search and put back.

mod hunks;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};

use diffy::patch_set::{FileOperation, FilePatch, ParseOptions, PatchKind, PatchSet};

use crate::diff::{Change, DiffLimits, parse};

/// The largest file that a patch may change, in bytes.
const MAX_FILE_BYTES: u64 = 16 << 20;

/// A patch that does not apply.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// It is no diff.
    #[error("no diff: {0}")]
    Unreadable(String),
    /// It changes what is not there, or makes what is.
    #[error("{path}: {problem}")]
    Path {
        /// The file.
        path: String,
        /// What is wrong.
        problem: &'static str,
    },
    /// Its lines are not those of the file.
    #[error("{path}: {problem}")]
    Lines {
        /// The file.
        path: String,
        /// Which hunk.
        problem: String,
    },
    /// The tree cannot be read or written.
    #[error("{path}: {error}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        error: io::Error,
    },
}

/// A file after the patch; `None` for one that is gone.
#[derive(Debug)]
struct Written {
    path: PathBuf,
    text: Option<Vec<u8>>,
    executable: bool,
}

/// What a patch makes of a tree, before anything of it is written.
#[derive(Debug)]
pub(super) struct Plan {
    written: Vec<Written>,
    paths: Vec<String>,
    /// Names that files had and have no more.
    left: Vec<String>,
}

impl Plan {
    /// Returns all paths that it touches: those of files that come, go, change or move.
    pub(super) fn touched(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().chain(&self.left).map(String::as_str)
    }

    /// Writes it; returns the paths that it changed.
    ///
    /// # Errors
    /// If the tree cannot be written; then it may be changed in part.
    pub(super) fn write(self) -> Result<Vec<String>, ApplyError> {
        for written in self.written {
            write(&written).map_err(|error| ApplyError::Io {
                path: written.path.display().to_string(),
                error,
            })?;
        }
        Ok(self.paths)
    }
}

/// Applies `diff` to the tree at `root`; returns the paths that it changed.
///
/// # Errors
/// [`ApplyError`]; the tree is as it was, unless writing it failed.
pub fn apply(root: &Path, diff: &str) -> Result<Vec<String>, ApplyError> {
    plan(root, diff)?.write()
}

/// Works out what `diff` makes of the tree at `root`.
///
/// # Errors
/// [`ApplyError`] if it does not apply.
pub(super) fn plan(root: &Path, diff: &str) -> Result<Plan, ApplyError> {
    let limits = DiffLimits::default();
    let ours = parse(diff, &limits).map_err(|error| ApplyError::Unreadable(error.to_string()))?;
    let is_git = diff.lines().any(|line| line.starts_with("diff --git "));
    let options = if is_git {
        ParseOptions::gitdiff()
    } else {
        ParseOptions::unidiff()
    };
    let theirs: Vec<FilePatch<'_, [u8]>> = PatchSet::parse_bytes(diff.as_bytes(), options)
        .collect::<Result<_, _>>()
        .map_err(|error| ApplyError::Unreadable(error.to_string()))?;
    if ours.files.len() != theirs.len() {
        return Err(ApplyError::Unreadable(
            "two readers see different files in it".to_owned(),
        ));
    }
    let mut all = Vec::new();
    let (mut paths, mut left) = (Vec::new(), Vec::new());
    for (file, patch) in ours.files.iter().zip(&theirs) {
        let path = file.path().to_owned();
        if file.change == Change::Binary {
            return Err(ApplyError::Path {
                path,
                problem: "is binary",
            });
        }
        if let Some(problem) = file.new_mode.and_then(problem_of_mode) {
            return Err(ApplyError::Path { path, problem });
        }
        check_same(&path, patch)?;
        let old = file.old_path.as_deref();
        let (before, was_executable) = match old {
            Some(old) => read(root, old)?,
            None if exists(root, &path)? => {
                return Err(ApplyError::Path {
                    path,
                    problem: "is there already",
                });
            }
            None => (Vec::new(), false),
        };
        let text = match patch.patch() {
            PatchKind::Text(hunks) => apply_hunks(&path, &before, hunks)?,
            PatchKind::Binary(_) => {
                return Err(ApplyError::Path {
                    path,
                    problem: "is binary",
                });
            }
        };
        if let Some(old) = old.filter(|old| *old != path && file.change == Change::Renamed) {
            all.push(Written {
                path: inside(root, old)?,
                text: None,
                executable: false,
            });
            left.push(old.to_owned());
        }
        all.push(Written {
            path: inside(root, &path)?,
            text: (file.change != Change::Deleted).then_some(text),
            executable: file
                .new_mode
                .map_or(was_executable, |mode| mode & 0o111 != 0),
        });
        paths.push(path);
    }
    Ok(Plan {
        written: all,
        paths,
        left,
    })
}

/// Returns what is wrong with a mode that is none of a plain file.
fn problem_of_mode(mode: u32) -> Option<&'static str> {
    const KIND: u32 = 0o170_000;
    match mode & KIND {
        0 | 0o100_000 => None,
        0o120_000 => Some("becomes a link"),
        0o160_000 => Some("is another repository"),
        _ => Some("becomes something else than a file"),
    }
}

/// Checks that the second reader sees the same file.
fn check_same(path: &str, patch: &FilePatch<'_, [u8]>) -> Result<(), ApplyError> {
    let operation = patch.operation().strip_prefix(1);
    let theirs = match &operation {
        FileOperation::Delete(old) => old,
        FileOperation::Create(new) => new,
        FileOperation::Modify { modified, .. } => modified,
        FileOperation::Rename { to, .. } | FileOperation::Copy { to, .. } => to,
    };
    // Names of renames have no prefix to strip.
    let whole = match patch.operation() {
        FileOperation::Rename { to, .. } | FileOperation::Copy { to, .. } => Some(to.as_ref()),
        _ => None,
    };
    let path_bytes = path.as_bytes();
    if **theirs == *path_bytes || whole == Some(path_bytes) {
        Ok(())
    } else {
        Err(ApplyError::Path {
            path: path.to_owned(),
            problem: "is read as another file by a second reader",
        })
    }
}

/// Returns a file's text with the hunks applied.
fn apply_hunks(
    path: &str,
    before: &[u8],
    hunks: &diffy::Patch<'_, [u8]>,
) -> Result<Vec<u8>, ApplyError> {
    let failed = match hunks::apply(before, hunks) {
        Ok(text) => return Ok(text),
        Err(nth) => ApplyError::Lines {
            path: path.to_owned(),
            problem: format!("hunk {nth} fits nowhere"),
        },
    };
    if !ends_lines_with_cr(before) {
        return Err(failed);
    }
    let text = hunks::apply(&without_cr(before), hunks).map_err(|_| failed)?;
    Ok(with_cr(&text))
}

/// Whether every line ends in CR LF.
fn ends_lines_with_cr(text: &[u8]) -> bool {
    let ends = memchr::memchr_iter(b'\n', text).count();
    ends > 0 && memchr::memmem::find_iter(text, b"\r\n").count() == ends
}

fn without_cr(text: &[u8]) -> Vec<u8> {
    let mut bare = Vec::with_capacity(text.len());
    let mut bytes = text.iter().peekable();
    while let Some(byte) = bytes.next() {
        if !(*byte == b'\r' && bytes.peek() == Some(&&b'\n')) {
            bare.push(*byte);
        }
    }
    bare
}

fn with_cr(text: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(text.len() + text.len() / 32);
    for byte in text {
        if *byte == b'\n' {
            whole.push(b'\r');
        }
        whole.push(*byte);
    }
    whole
}

/// Returns where a path of the diff lies, if nothing on the way is a link: a link could lead outside the tree.
fn inside(root: &Path, path: &str) -> Result<PathBuf, ApplyError> {
    let refused = |problem| ApplyError::Path {
        path: path.to_owned(),
        problem,
    };
    let mut at = root.to_owned();
    for part in Path::new(path).components() {
        let Component::Normal(name) = part else {
            return Err(refused("leads outside of the tree"));
        };
        at.push(name);
        match fs::symlink_metadata(&at) {
            Ok(found) if found.is_symlink() => return Err(refused("passes through a link")),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(ApplyError::Io {
                    path: path.to_owned(),
                    error,
                });
            }
        }
    }
    Ok(at)
}

fn exists(root: &Path, path: &str) -> Result<bool, ApplyError> {
    Ok(fs::symlink_metadata(inside(root, path)?).is_ok())
}

/// Returns a file's bytes, and whether it may be run.
fn read(root: &Path, path: &str) -> Result<(Vec<u8>, bool), ApplyError> {
    let refused = |problem| ApplyError::Path {
        path: path.to_owned(),
        problem,
    };
    let at = inside(root, path)?;
    let found = fs::metadata(&at).map_err(|_| refused("is not there"))?;
    if !found.is_file() {
        return Err(refused("is no file"));
    }
    if found.len() > MAX_FILE_BYTES {
        return Err(refused("is larger than 16 MiB"));
    }
    let bytes = fs::read(&at).map_err(|error| ApplyError::Io {
        path: path.to_owned(),
        error,
    })?;
    Ok((bytes, found.permissions().mode() & 0o111 != 0))
}

fn write(written: &Written) -> io::Result<()> {
    let Some(text) = &written.text else {
        return fs::remove_file(&written.path);
    };
    if let Some(parent) = written.path.parent() {
        fs::create_dir_all(parent)?;
    }
    // A tree may be made of hard links to a cache: what is changed must be a file of its own.
    if fs::symlink_metadata(&written.path).is_ok() {
        fs::remove_file(&written.path)?;
    }
    fs::write(&written.path, text)?;
    let mode = if written.executable { 0o755 } else { 0o644 };
    fs::set_permissions(&written.path, fs::Permissions::from_mode(mode))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn text(root: &tempfile::TempDir, path: &str) -> Option<String> {
        fs::read_to_string(root.path().join(path)).ok()
    }

    const CHANGE: &str = "diff --git a/d/a.txt b/d/a.txt\n--- a/d/a.txt\n+++ b/d/a.txt\n@@ -1,3 +1,3 @@\n one\n-two\n+zwei\n three\n";

    #[test]
    fn lines_are_found_where_they_moved_to() {
        let root = tree(&[("d/a.txt", "zero\nzero\none\ntwo\nthree\nfour\n")]);
        // A hunk that says that it begins the file does not move.
        assert!(apply(root.path(), CHANGE).is_err());
        let inner = CHANGE.replace("@@ -1,3 +1,3 @@", "@@ -9,3 +9,3 @@");
        assert_eq!(apply(root.path(), &inner).unwrap(), ["d/a.txt"]);
        assert_eq!(
            text(&root, "d/a.txt").unwrap(),
            "zero\nzero\none\nzwei\nthree\nfour\n"
        );
    }

    #[test]
    fn other_line_ends_are_kept() {
        let root = tree(&[("d/a.txt", "one\r\ntwo\r\nthree\r\n")]);
        apply(root.path(), CHANGE).unwrap();
        assert_eq!(text(&root, "d/a.txt").unwrap(), "one\r\nzwei\r\nthree\r\n");
        // Where they are mixed nobody knows which are meant.
        let root = tree(&[("d/a.txt", "one\r\ntwo\nthree\r\n")]);
        assert!(apply(root.path(), CHANGE).is_err());
    }

    #[test]
    fn files_come_go_and_move() {
        let root = tree(&[("a.txt", "one\n"), ("b.txt", "one\ntwo\n"), ("run", "x\n")]);
        fs::set_permissions(root.path().join("run"), fs::Permissions::from_mode(0o755)).unwrap();
        let diff = "diff --git a/a.txt b/a.txt\ndeleted file mode 100644\n--- a/a.txt\n+++ /dev/null\n@@ -1 +0,0 @@\n-one\n\
            diff --git a/b.txt b/deep/c.txt\nsimilarity index 50%\nrename from b.txt\nrename to deep/c.txt\n--- a/b.txt\n+++ b/deep/c.txt\n@@ -1,2 +1,2 @@\n one\n-two\n+drei\n\
            diff --git a/new/d.txt b/new/d.txt\nnew file mode 100644\n--- /dev/null\n+++ b/new/d.txt\n@@ -0,0 +1 @@\n+new\n\
            diff --git a/run b/run\n--- a/run\n+++ b/run\n@@ -1 +1 @@\n-x\n+y\n";
        apply(root.path(), diff).unwrap();
        assert_eq!(text(&root, "a.txt"), None);
        assert_eq!(text(&root, "b.txt"), None);
        assert_eq!(text(&root, "deep/c.txt").unwrap(), "one\ndrei\n");
        assert_eq!(text(&root, "new/d.txt").unwrap(), "new\n");
        let mode = fs::metadata(root.path().join("run"))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o755);
    }

    #[test]
    fn a_patch_that_fails_changes_nothing() {
        let root = tree(&[("d/a.txt", "one\ntwo\nthree\n"), ("d/b.txt", "other\n")]);
        let second = CHANGE.replace("a.txt", "b.txt");
        let error = apply(root.path(), &[CHANGE, &second].concat()).unwrap_err();
        assert!(error.to_string().starts_with("d/b.txt: "), "{error}");
        assert_eq!(text(&root, "d/a.txt").unwrap(), "one\ntwo\nthree\n");
    }

    #[test]
    fn no_patch_leads_outside() {
        let outside = tree(&[("d/a.txt", "one\ntwo\nthree\n")]);
        let root = tree(&[("x/a.txt", "one\ntwo\nthree\n")]);
        std::os::unix::fs::symlink(outside.path().join("d"), root.path().join("d")).unwrap();
        let file = root.path().join("x/link.txt");
        std::os::unix::fs::symlink(outside.path().join("d/a.txt"), &file).unwrap();
        let absolute = outside.path().join("d/a.txt").display().to_string();
        for path in [
            "d/a.txt",
            "x/link.txt",
            "../d/a.txt",
            "x/../../d/a.txt",
            &absolute,
            "/etc/passwd",
        ] {
            let error = apply(root.path(), &CHANGE.replace("d/a.txt", path));
            assert!(error.is_err(), "{path}");
        }
        let link = "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n";
        assert!(apply(root.path(), link).is_err());
        let file = link.replace("120000", "100644");
        assert!(
            apply(root.path(), &file).is_ok(),
            "the control: a file is one"
        );
        assert_eq!(text(&outside, "d/a.txt").unwrap(), "one\ntwo\nthree\n");
    }

    /// What git makes of it, in a directory that is no repository; `None` if it refuses.
    fn by_git(before: &str, diff: &str) -> Option<String> {
        let root = tree(&[("f", before), ("p", diff)]);
        let done = std::process::Command::new("git")
            .args(["apply", "-p1", "--whitespace=nowarn", "p"])
            .current_dir(root.path())
            .env("GIT_DIR", "/nonexistent")
            .output()
            .unwrap();
        done.status.success().then(|| text(&root, "f").unwrap())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]
        #[test]
        fn it_does_what_git_does(
            old in prop::collection::vec(prop::sample::select(&["", "a", "b", "  c", "d e"][..]), 1..24),
            cut in 0_usize..24,
            gone in 0_usize..4,
            new in prop::collection::vec(prop::sample::select(&["", "x", "y"][..]), 0..4),
            above in prop::collection::vec(prop::sample::select(&["", "a", "z"][..]), 0..6),
        ) {
            let lines = |parts: &[&[&str]]| -> String {
                parts.iter().flat_map(|part| part.iter()).flat_map(|line| [line, "\n"]).collect()
            };
            let cut = cut.min(old.len());
            let rest = (cut + gone).min(old.len());
            let before = lines(&[&old]);
            let after = lines(&[&old[..cut], &new, &old[rest..]]);
            prop_assume!(before != after && !after.is_empty());
            let diff = crate::diff::synthesize("f", &before, &after);
            let moved = lines(&[&above, &old]);
            for base in [&before, &moved] {
                let root = tree(&[("f", base)]);
                let ours = apply(root.path(), &diff).ok().map(|_| text(&root, "f").unwrap());
                prop_assert_eq!(ours, by_git(base, &diff), "{}", diff);
            }
        }
    }

    #[test]
    fn a_tree_of_hard_links_is_not_written_through() {
        let kept = tree(&[("d/a.txt", "one\ntwo\nthree\n")]);
        let root = tree(&[("d/other", "")]);
        fs::hard_link(kept.path().join("d/a.txt"), root.path().join("d/a.txt")).unwrap();
        apply(root.path(), CHANGE).unwrap();
        assert_eq!(text(&kept, "d/a.txt").unwrap(), "one\ntwo\nthree\n");
    }

    #[test]
    fn a_patch_has_no_links_no_repositories_and_nothing_binary() {
        let root = tree(&[
            ("d/a.txt", "one\ntwo\nthree\n"),
            ("s", "Subproject commit 1\n"),
        ]);
        let submodule = "diff --git a/s b/s\nindex 1111111..2222222 160000\n--- a/s\n+++ b/s\n@@ -1 +1 @@\n-Subproject commit 1\n+Subproject commit 2\n";
        let added = "diff --git a/n b/n\nnew file mode 160000\n--- /dev/null\n+++ b/n\n@@ -0,0 +1 @@\n+Subproject commit 2\n";
        let becomes = "diff --git a/s b/s\nold mode 100644\nnew mode 120000\n";
        let binary = "diff --git a/s b/s\nindex 1..2 100644\nBinary files a/s and b/s differ\n";
        for diff in [submodule, added, becomes, binary] {
            assert!(
                apply(root.path(), &[CHANGE, diff].concat()).is_err(),
                "{diff}"
            );
            assert_eq!(text(&root, "d/a.txt").unwrap(), "one\ntwo\nthree\n");
        }
        let plain = submodule.replace("160000", "100644");
        apply(root.path(), &[CHANGE, &plain].concat()).unwrap();
    }

    #[test]
    fn a_plan_names_all_that_it_touches_and_writes_nothing_yet() {
        let root = tree(&[("d/a.txt", "one\ntwo\nthree\n"), ("b", "one\n")]);
        let moves = "diff --git a/b b/c\nsimilarity index 100%\nrename from b\nrename to c\n";
        let plan = plan(root.path(), &[CHANGE, moves].concat()).unwrap();
        assert_eq!(plan.touched().collect::<Vec<_>>(), ["d/a.txt", "c", "b"]);
        assert_eq!(text(&root, "b").unwrap(), "one\n");
        plan.write().unwrap();
        assert_eq!(text(&root, "c").unwrap(), "one\n");
    }
}
