//! Any bytes as a packument and as a `package.json`: no foreign dependency slips through as one of a registry.

#![no_main]

use crisol::arena::registry::{Packument, foreign_of_manifest, is_name, is_of_registry};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(packument) = Packument::read("a", data) {
        for (version, of) in &packument.versions {
            assert!(!version.contains(['/', '\\', '%']), "{version:?}");
            if let Some(foreign) = &of.foreign {
                assert!(foreign.contains(": "), "{foreign:?}");
            }
        }
    }
    let _ = foreign_of_manifest(data);
    if let Ok(text) = std::str::from_utf8(data) {
        if is_of_registry("a", text) {
            let rest = text.trim().strip_prefix("npm:a").unwrap_or(text);
            assert!(!rest.contains('/'), "{text:?}");
            assert!(!rest.contains(':') || rest.contains("npm:a"), "{text:?}");
        }
        if is_name(text) {
            assert!(!text.split('/').any(|part| part.is_empty() || part.starts_with('.')), "{text:?}");
        }
    }
});
