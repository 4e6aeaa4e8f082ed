//! Trees out of archives that stand beside an exploit: they are unpacked in the arena, like everything that is made of
//! foreign files.

use std::path::{Path, PathBuf};

use super::BuildError;
use super::inside::{Site, Step, script};
use crate::arena::trees::Most;
use crate::exploit::Limits;

/// What unpacking may use.
const LIMITS: Limits = Limits {
    time_s: 60,
    memory_mb: 512,
    pids: 16,
    output_kb: 64,
    work_mb: 64,
    repeats: 1,
};
/// What a tree may hold.
const MOST: Most = Most {
    bytes: 64 << 20,
    files: 8_000,
};
/// Python unpacks. Plain files and directories below the tree, nothing else: its own filter for that came with later
/// versions than some systems have.
const UNPACK: &str = r#"
import sys, tarfile, zipfile
name = "/packed/archive"
def check(name, plain=True):
    if not plain or name.startswith("/") or ".." in name.split("/"):
        sys.exit("refused: " + ascii(name))
if zipfile.is_zipfile(name):
    archive = zipfile.ZipFile(name)
    for member in archive.infolist():
        check(member.filename, member.external_attr >> 28 in (0, 4, 8))
else:
    archive = tarfile.open(name)
    for member in archive.getmembers():
        check(member.name, member.isfile() or member.isdir())
archive.extractall("/arena/tree")
"#;
const STEPS: &str = "mkdir /arena/tree
/usr/bin/python3 -I /crisol/unpack.py
chmod -R u+rwX,go+rX /arena/tree
";

/// Unpacks a tar archive (plain or compressed) or a zip archive into a directory below the site's own, and returns that.
///
/// # Errors
/// [`BuildError`] if it does not unpack.
pub(super) fn unpack(site: &Site<'_>, archive: &Path) -> Result<PathBuf, BuildError> {
    let tree = site.scratch.join("tree");
    let step = Step {
        doing: "unpack the source",
        script: &script(STEPS),
        reads: vec![(archive.to_owned(), "/packed/archive")],
        texts: vec![("/crisol/unpack.py", UNPACK.to_owned())],
        limits: LIMITS,
        takes: ("tree", &tree),
        most: MOST,
    };
    step.alone(site)?;
    Ok(tree)
}
