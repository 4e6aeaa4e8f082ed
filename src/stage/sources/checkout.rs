//! Files of a checkout, no link followed.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Component, Path};

use super::MAX_FILE_BYTES;

/// Returns the text of a file; `None` if it is not there, no plain file of text, too large, or behind a link.
pub(super) fn read(root: &Path, path: &str) -> Option<String> {
    let mut at = root.to_owned();
    for part in Path::new(path).components() {
        let Component::Normal(name) = part else {
            return None;
        };
        at.push(name);
        // A link could lead outside of the checkout.
        if fs::symlink_metadata(&at).ok()?.is_symlink() {
            return None;
        }
    }
    if !fs::symlink_metadata(&at).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    let mut file = File::open(&at).ok()?.take(MAX_FILE_BYTES + 1);
    file.read_to_string(&mut text).ok()?;
    (text.len() as u64 <= MAX_FILE_BYTES).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn no_link_is_followed_and_no_path_leads_outside() {
        let root = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::write(outside.path().join("secret"), "s").unwrap();
        std::fs::create_dir(root.path().join("d")).unwrap();
        std::fs::write(root.path().join("d/package.json"), "{}").unwrap();
        std::os::unix::fs::symlink(outside.path(), root.path().join("link")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret"), root.path().join("file"))
            .unwrap();
        assert_eq!(read(root.path(), "d/package.json").as_deref(), Some("{}"));
        let absolute = outside.path().join("secret").display().to_string();
        let up = format!(
            "../{}/secret",
            outside.path().file_name().unwrap().to_string_lossy()
        );
        for path in [
            "link/secret",
            "file",
            "d",
            "none",
            "",
            absolute.as_str(),
            up.as_str(),
        ] {
            assert_eq!(read(root.path(), path), None, "{path}");
        }
    }
}
