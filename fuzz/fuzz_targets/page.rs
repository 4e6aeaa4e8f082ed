//! Any bytes as a page of a Python index, in both forms: files with plain names.

#![no_main]

use crisol::arena::registry::{is_file_name, is_project, read_page};
use libfuzzer_sys::fuzz_target;
use url::Url;

fuzz_target!(|data: &[u8]| {
    let at = Url::parse("https://index.example/simple/a/").expect("an address");
    for kind in ["text/html", "application/vnd.pypi.simple.v1+json"] {
        for file in read_page(kind, data, &at).unwrap_or_default() {
            assert!(is_file_name(&file.name) && !file.name.contains(['/', '"', '<']), "{file:?}");
        }
    }
    if let Ok(text) = std::str::from_utf8(data)
        && is_project(text)
    {
        assert!(!text.contains(['/', '%', '?']) && !text.starts_with('.'), "{text:?}");
    }
});
