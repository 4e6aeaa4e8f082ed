//! Any text as an exploit: an error that names the field, or an exploit whose plans the relay can read, with every request.

#![no_main]

use std::path::Path;

use crisol::arena::plan_of;
use crisol::exploit::{Exploit, Seed};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let exploit = match Exploit::parse(text, Path::new("/nonexistent")) {
        Ok(exploit) => exploit,
        Err(error) => {
            assert!(error.to_string().contains("exploit.yaml"));
            return;
        }
    };
    let seed = Seed::new([7; 16]);
    for variant in &exploit.attack.variants {
        let drawn = exploit.draw(&seed, "phase2/a");
        assert_eq!(drawn.json(), exploit.draw(&seed, "phase2/a").json(), "one seed, one draw");
        let _ = exploit.fixtures(&drawn);
        let Some(plan) = plan_of(&exploit, variant, &drawn) else {
            continue;
        };
        let plan: Value = serde_json::from_str(&plan).unwrap();
        let requests = plan["requests"].as_array().unwrap();
        assert!(!requests.is_empty());
        for request in requests {
            use base64::Engine as _;
            let request = base64::engine::general_purpose::STANDARD.decode(request.as_str().unwrap());
            assert!(!request.unwrap().is_empty());
        }
    }
});
