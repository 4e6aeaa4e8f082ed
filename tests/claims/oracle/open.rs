//! The items that a person still has before them.

use std::collections::HashMap;

/// The package of an item whose case does not tell.
pub const ANY_PACKAGE: &str = "*";

/// Open items that block, by CVE and package. Nothing closes an item in this stream.
#[derive(Debug, Default)]
pub struct OpenItems(HashMap<String, HashMap<String, Vec<String>>>);

impl OpenItems {
    /// Whether an item of another patch stands against approving `patch_id`: same CVE, and same package or `*` on
    /// either side.
    pub fn blocks(&self, cve_id: &str, package: &str, patch_id: &str) -> bool {
        let Some(packages) = self.0.get(cve_id) else {
            return false;
        };
        packages.iter().any(|(of, patch_ids)| {
            let same = of == package || of == ANY_PACKAGE || package == ANY_PACKAGE;
            same && patch_ids.iter().any(|other| other != patch_id)
        })
    }

    /// Opens an item.
    pub fn open(&mut self, cve_id: &str, package: &str, patch_id: &str) {
        let packages = self.0.entry(cve_id.to_owned()).or_default();
        let patch_ids = packages.entry(package.to_owned()).or_default();
        // Of any two ids one is another's, so further ones change no answer.
        if patch_ids.len() < 2 {
            patch_ids.push(patch_id.to_owned());
        }
    }
}
