//! Any bytes as a wheel, and as the name of a member: an archive, or an error; no name leads elsewhere.

#![no_main]

use std::io::Cursor;
use std::path::{Component, Path};

use crisol::arena::registry::{direct_references, is_member};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let _ = direct_references(&mut Cursor::new(data));
    if is_member(data)
        && let Ok(text) = std::str::from_utf8(data)
    {
        let stays = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        assert!(Path::new(text).components().all(stays), "{text:?}");
    }
});
