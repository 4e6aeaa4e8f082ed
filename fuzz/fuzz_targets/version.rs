//! Any versions and ranges on both sides of a bump, in every ecosystem: an assessment, and never a remedy
//! without a version that is known to be fixed.

#![no_main]

use crisol::diff::{DiffLimits, parse};
use crisol::event::facts::{ApvFacts, Ecosystem, PackageFacts, Severity};
use crisol::judge::advisory::{Advisory, Assessment, assess};
use libfuzzer_sys::fuzz_target;

/// Of each ecosystem: a manifest, the package, context lines, and a line in which `{}` is the version.
const MANIFESTS: [(Ecosystem, &str, &str, &str, &str); 5] = [
    (
        Ecosystem::Npm,
        "package.json",
        "lodash",
        "   \"dependencies\": {",
        "    \"lodash\": \"{}\",",
    ),
    (
        Ecosystem::PyPi,
        "requirements.txt",
        "lodash",
        " flask==1.0",
        "lodash=={}",
    ),
    (
        Ecosystem::CratesIo,
        "Cargo.toml",
        "lodash",
        " [dependencies]",
        "lodash = \"{}\"",
    ),
    (
        Ecosystem::Go,
        "go.mod",
        "example.org/lodash",
        " require (",
        "\texample.org/lodash v{}",
    ),
    (
        Ecosystem::Maven,
        "pom.xml",
        "org.example:lodash",
        " <groupId>org.example</groupId>\n <artifactId>lodash</artifactId>",
        "<version>{}</version>",
    ),
];

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut parts = text.split('\n');
    let mut next = || parts.next().unwrap_or_default();
    let (choice, old, new, affected, fixed, last) = (next(), next(), next(), next(), next(), next());
    let (ecosystem, path, name, context, line) = MANIFESTS[choice.len() % MANIFESTS.len()];
    let facts = ApvFacts {
        packages: Box::new([PackageFacts {
            ecosystem,
            name: name.into(),
            affected: affected.split(';').map(Into::into).collect(),
            fixed: fixed.split(';').filter(|v| !v.is_empty()).map(Into::into).collect(),
            last_affected: (!last.is_empty()).then(|| last.into()),
            modified_ms: 0,
            severity: Severity::Medium,
            withdrawn: false,
        }]),
        kev: false,
        epss: None,
        cwes: Box::default(),
        withdrawn: false,
    };
    let before = line.replace("{}", old);
    let after = line.replace("{}", new);
    let lines = context.lines().count() + 1;
    let diff = format!(
        "--- a/{path}\n+++ b/{path}\n@@ -1,{lines} +1,{lines} @@\n{context}\n-{before}\n+{after}\n"
    );
    let Ok(diff) = parse(&diff, &DiffLimits::default()) else {
        return;
    };
    if let Assessment::Remedies(_) = assess(&diff, &Advisory::from(facts)) {
        assert!(!fixed.is_empty(), "a remedy without a fix: {text:?}");
        assert_ne!(old, new, "a remedy that changes nothing: {text:?}");
    }
});
