//! Trees out of archives that stand beside an exploit: they are unpacked in the arena, like everything that is made of
//! foreign files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::BuildError;
use super::files::{WRITABLE, make, readable};
use super::inside::in_arena;
use crate::arena::sandbox::{Run, Sandbox};
use crate::exploit::Limits;

/// What unpacking may use.
const LIMITS: Limits = Limits {
    time_s: 60,
    memory_mb: 512,
    pids: 16,
    output_kb: 64,
    work_mb: 64,
};
/// Python unpacks. Plain files and directories below the tree, nothing else: its own filter for that came with later
/// versions than some systems have.
const LINE: &str = "exec /usr/bin/python3 -I -c '
import sys, tarfile, zipfile
name = sys.argv[1]
if zipfile.is_zipfile(name):
    zipfile.ZipFile(name).extractall(\"/tree\")
else:
    archive = tarfile.open(name)
    for member in archive.getmembers():
        plain = member.isfile() or member.isdir()
        if not plain or member.name.startswith(\"/\") or \"..\" in member.name.split(\"/\"):
            sys.exit(\"refused: \" + member.name)
    archive.extractall(\"/tree\")
' /packed/archive";

/// Unpacks a tar archive (plain or compressed) or a zip archive into a directory below `scratch`, and returns that.
///
/// # Errors
/// [`BuildError`] if it does not unpack.
pub(super) fn unpack(
    scratch: &Path,
    archive: &Path,
    sandbox: &Sandbox,
) -> Result<PathBuf, BuildError> {
    let tree = scratch.join("tree");
    make(&tree, WRITABLE)?;
    let run = Run {
        line: LINE,
        environment: Vec::new(),
        reads: vec![(archive.to_owned(), "/packed/archive")],
        writes: vec![(tree.clone(), "/tree")],
        fixtures: &BTreeMap::new(),
        limits: LIMITS,
    };
    in_arena("unpack the source", sandbox, &run)?;
    readable(&tree)?;
    Ok(tree)
}
