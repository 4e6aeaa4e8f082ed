//! Any bytes as the `METADATA` of a Python package: what is told as a requirement by place is one.

#![no_main]

use crisol::arena::registry::{is_direct, references_in};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    for requirement in references_in(data) {
        assert!(is_direct(&requirement) && requirement.contains('@'), "{requirement:?}");
    }
    if let Ok(text) = std::str::from_utf8(data)
        && !text.contains(['\n', '\r', '\0'])
    {
        // Whatever stands in one line is found as what it is.
        let line = format!("Name: a\nRequires-Dist: {text}\n\nRequires-Dist: b @ http://h\n");
        assert_eq!(!references_in(line.as_bytes()).is_empty(), is_direct(text.trim()), "{text:?}");
    }
});
