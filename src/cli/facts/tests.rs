use std::path::PathBuf;

use super::*;
use crate::event::decision::EvidenceRecord;
use crate::table::Known;

const RECORD: &str = r#"{"cve_id":"CVE-1","modified":"2020-01-01T00:00:00Z","priority":"low",
    "affected_packages":[{"ecosystem":"npm","name":"x","fixed_versions":["2"]}]}"#;

struct Files(tempfile::TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn apv(text: &str) -> Result<FileFacts, String> {
    let files = Files::new();
    let path = files.write("apv", text);
    read(&Settings::default(), &path, None).map_err(|failure| {
        assert_eq!(failure.exit, Exit::Usage);
        failure.message
    })
}

fn on_one_line(record: &str) -> String {
    record.replace('\n', " ")
}

#[test]
fn an_object_an_array_and_lines_are_read_alike() {
    let line = on_one_line(RECORD);
    let other = line.replace("CVE-1", "CVE-2");
    for (text, cves) in [
        (RECORD.to_owned(), vec!["CVE-1"]),
        (format!("[{RECORD},\n{other}]\n"), vec!["CVE-1", "CVE-2"]),
        (format!("\n{line}\r\n\n{other}"), vec!["CVE-1", "CVE-2"]),
    ] {
        let facts = apv(&text).unwrap();
        assert_eq!(facts.cves, cves, "{text}");
        assert!(matches!(
            facts.tables.apv.get("CVE-1"),
            Some(Known::Facts(_))
        ));
    }
}

#[test]
fn a_record_that_is_no_vulnerability_makes_its_cve_invalid() {
    let facts = apv("{\"cve_id\":\"CVE-7\"}\n").unwrap();
    assert!(matches!(
        facts.tables.apv.get("CVE-7"),
        Some(Known::Invalid)
    ));
    assert!(facts.cves.is_empty());
}

#[test]
fn a_broken_file_is_refused_with_its_line() {
    let line = on_one_line(RECORD);
    for (text, place) in [
        (format!("{line}\n{{\n"), "line 2: invalid json"),
        ("[{\"cve_id\":\n3".to_owned(), "line 2: invalid json"),
        (String::new(), "holds no record"),
        ("\n\n".to_owned(), "holds no record"),
    ] {
        let Err(message) = apv(&text) else {
            panic!("{text}")
        };
        assert!(message.contains(place), "{message}");
    }
}

#[test]
fn settings_are_read_in_order_and_their_lines_are_named() {
    let files = Files::new();
    let path = files.write(
        "control",
        "{\"key\":\"auto_approve\",\"value\":true}\n\n{\"key\":\"kill_switch\",\"value\":true}\n\
         {\"key\":\"evidence.advisory.patch.me\",\"value\":{\"agreed\":9,\"n\":10}}\n{\"key\":\"kill_switch\",\"value\":null}\n",
    );
    let table = ControlTable::default();
    read_control(&path, &table).unwrap();
    let control = table.snapshot();
    assert_eq!(control.auto_approve, Some(true));
    assert!(!control.kill_switch);
    assert_eq!(
        control.evidence("advisory", "patch"),
        EvidenceRecord { agreed: 9, n: 10 }
    );
    assert_eq!(control.version, 4);
    for (text, told) in [
        (
            "{\"key\":\"color\",\"value\":1}",
            "line 1: key: unknown setting color",
        ),
        (
            "\n{\"key\":\"kill_switch\",\"value\":7}",
            "line 2: kill_switch: takes true or false",
        ),
        (
            "{\"key\":\"policy_version\",\"value\":99}",
            "this build knows no policy 99",
        ),
        ("true", "expected {\"key\""),
    ] {
        let failure = read_control(&files.write("bad", text), &table).unwrap_err();
        assert!(failure.message.contains(told), "{}", failure.message);
    }
}

#[test]
fn the_nearest_ids_come_first() {
    let known = [
        "CVE-2021-23337",
        "CVE-2020-14343",
        "CVE-2021-23338",
        "CVE-2024-1",
    ]
    .map(str::to_owned);
    assert_eq!(
        nearest("CVE-2021-23339", &known, 2),
        ["CVE-2021-23337", "CVE-2021-23338"]
    );
    assert_eq!(nearest("CVE-2020-14434", &known, 1), ["CVE-2020-14343"]);
}
