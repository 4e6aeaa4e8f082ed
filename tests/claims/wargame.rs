//! Wargames: right patches pass, wrong ones do not, and none talks its way out.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crisol::arena::{
    Ended, Outcome, Phase, Referee, Report, Sandbox, SandboxConfig, Targets, TargetsConfig, apply,
};
use crisol::diff::synthesize;
use crisol::event::verdict::WargameVerdict;
use crisol::exploit::{Catalogue, Exploit, Means};
use serde_json::Value;
use tempfile::TempDir;

use crate::fixture::run;
use crate::stream::crisol;

/// The exploit that hostile patches are written for.
const FILES: &str = "range-path-traversal";

/// The committed catalogue.
fn catalogue() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("exploits")
}

/// An arena and targets of a test's own.
struct Ring {
    sandbox: Sandbox,
    targets: Targets,
    _directory: TempDir,
}

impl Ring {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let sandbox = SandboxConfig {
            directory: directory.path().join("arena"),
            ..SandboxConfig::default()
        };
        let targets = TargetsConfig {
            cache: directory.path().join("targets"),
            ..TargetsConfig::default()
        };
        Self {
            sandbox: Sandbox::open(&sandbox).unwrap(),
            targets: Targets::open(&targets).unwrap(),
            _directory: directory,
        }
    }

    fn fight(&self, exploit: &Exploit, patch: &str) -> Report {
        let referee = Referee::new(&self.sandbox, &self.targets);
        referee.fight(exploit, patch, &mut |_| ControlFlow::Continue(()))
    }
}

/// Returns the exploit of the file server with less time, and its service's text.
fn file_server() -> (Exploit, String) {
    let (catalogue, _) = Catalogue::open(&catalogue()).unwrap();
    let mut exploit = catalogue.get(FILES).unwrap().clone();
    exploit.limits.time_s = 4;
    let service = fs::read_to_string(exploit.directory.join("service/server.py")).unwrap();
    (exploit, service)
}

/// Copies files of the file server's exploit to a directory.
fn take(files: &[&str], to: &Path) {
    let from = catalogue().join("range/path-traversal");
    for below in files {
        let to = to.join(below);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::copy(from.join(below), to).unwrap();
    }
}

/// Returns a patch of the file server that puts lines before it looks at a path.
fn with_lines(service: &str, lines: &str) -> String {
    const LOOKS: &str = "        name = os.path.join(";
    assert!(service.contains(LOOKS));
    let after = service.replacen(LOOKS, &format!("{lines}{LOOKS}"), 1);
    synthesize("server.py", service, &after)
}

/// The short form: one wrong patch of each; `crisol exploits test` tries all, and those of CVEs.
#[test]
fn every_exploit_of_the_catalogues_own_tells_a_right_patch_from_a_wrong_one() {
    let (catalogue, flawed) = Catalogue::open(&catalogue()).unwrap();
    assert!(flawed.is_empty(), "{flawed:?}");
    let ring = Ring::new();
    let own = catalogue.all().iter().filter(|one| one.info.cve.is_none());
    let tell = |exploit: &Exploit| {
        for patch in exploit.reference_patches() {
            let report = ring.fight(exploit, &fs::read_to_string(&patch).unwrap());
            assert_eq!(report.verdict, WargameVerdict::Mitigated, "{report:#?}");
        }
        let wrong = exploit.wrong_patches().unwrap();
        let report = ring.fight(exploit, &fs::read_to_string(&wrong[0]).unwrap());
        let seen_through = matches!(
            report.verdict,
            WargameVerdict::StillExploitable | WargameVerdict::Regression
        );
        assert!(seen_through, "{}: {report:#?}", wrong[0].display());
    };
    // Runs wait for each other's programs to start, so two at once take little more than one.
    let (one, other): (Vec<_>, Vec<_>) = own.enumerate().partition(|(nth, _)| nth % 2 == 0);
    std::thread::scope(|scope| {
        for half in [one, other] {
            scope.spawn(move || half.iter().for_each(|(_, exploit)| tell(exploit)));
        }
    });
}

/// What the catalogue must have, and every CVE's exploit beside it.
#[test]
fn the_catalogue_covers_the_classes_and_every_exploit_can_be_admitted() {
    let (catalogue, flawed) = Catalogue::open(&catalogue()).unwrap();
    assert!(flawed.is_empty(), "{flawed:?}");
    let of_cves: Vec<&Exploit> = catalogue
        .all()
        .iter()
        .filter(|one| one.info.cve.is_some())
        .collect();
    let weaknesses: BTreeSet<&str> = of_cves
        .iter()
        .flat_map(|one| one.info.cwe.iter().map(String::as_str))
        .collect();
    assert!(of_cves.len() >= 40, "{}", of_cves.len());
    assert!(weaknesses.len() >= 15, "{weaknesses:?}");
    for wanted in [22, 78, 79, 89, 352, 434, 502, 611, 918] {
        let wanted = format!("CWE-{wanted}");
        assert!(weaknesses.contains(wanted.as_str()), "{wanted}");
        let of_class = catalogue.all().iter().filter(|one| one.info.cve.is_none());
        let mut of_class = of_class.filter(|one| one.info.cwe.contains(&wanted));
        assert!(of_class.next().is_some(), "no service of {wanted}");
    }
    for exploit in catalogue.all() {
        assert!(
            exploit.reference_patches().next().is_some(),
            "{}",
            exploit.id
        );
        assert!(
            !exploit.wrong_patches().unwrap().is_empty(),
            "{}",
            exploit.id
        );
        assert!(exploit.attack.variants.len() > 1, "{}", exploit.id);
    }
}

/// The declarative form: what is sent is written down, and read outside.
#[test]
fn requests_that_are_written_down_are_sent_as_they_are_and_judged_outside() {
    let ring = Ring::new();
    let directory = tempfile::tempdir().unwrap();
    take(&["service/server.py", "fix.diff"], directory.path());
    let text = r#"
schema: crisol.exploit/v1
id: declared
info: {title: t, cwe: [CWE-22], license: Apache-2.0}
target: {kind: http-service, source: service, runtime: python}
limits: {time_s: 15, memory_mb: 256, pids: 32}
service:
  start: mkdir -p /arena/public/docs; echo PUBLIC > /arena/public/docs/a.txt; echo "$CRISOL_CANARY" > /arena/secret.txt; export FILES=/arena/public PORT=8080; exec python3 /target/server.py
  ready: {tcp: 8080, within_s: 10}
exploit:
  variants: {dotdot: {path: /../secret.txt}, encoded: {path: /%2e%2e/secret.txt}}
  http:
    - raw: ["GET {{path}} HTTP/1.0\r\n\r\n"]
      matchers: [{type: word, part: body, words: ['{{canary}}']}]
benign:
  - id: serves
    http:
      - {method: GET, path: /docs/a.txt, matchers-condition: and, matchers: [{type: status, status: [200]}, {type: word, part: body, words: [PUBLIC]}]}
      - {method: GET, path: /docs/none.txt, matchers: [{type: status, status: [404]}]}
"#;
    fs::write(directory.path().join("exploit.yaml"), text).unwrap();
    let exploit = Exploit::read(directory.path()).unwrap();
    let fix = fs::read_to_string(directory.path().join("fix.diff")).unwrap();
    let report = ring.fight(&exploit, &fix);
    assert_eq!(report.verdict, WargameVerdict::Mitigated, "{report:#?}");
    let before: Vec<_> = report
        .runs
        .iter()
        .map(|run| (run.phase, run.outcome))
        .collect();
    assert_eq!(before[0], (Phase::Phase1, Outcome::Exploited));

    let server = fs::read_to_string(directory.path().join("service/server.py")).unwrap();
    let patched = |from: &str, to: &str| {
        assert!(server.contains(from), "{from}");
        let after = server.replacen(from, to, 1);
        ring.fight(&exploit, &synthesize("server.py", &server, &after))
    };
    // One that refuses everything, one that ends at what it does not like, one that never starts, and one that
    // looks for whoever reads its answers.
    let closed = patched(
        "            with open(name",
        "            raise OSError\n            with open(name",
    );
    assert_eq!(closed.verdict, WargameVerdict::Regression);
    let ends = patched(
        "        name = os.path.join",
        "        if '..' in path: os._exit(0)
        name = os.path.join",
    );
    assert_eq!(ends.verdict, WargameVerdict::Inconclusive, "{ends:#?}");
    let never = patched(
        "import os
",
        "import os
raise SystemExit(3)
",
    );
    assert_eq!(never.verdict, WargameVerdict::Regression, "{never:#?}");
    let forges = patched(
        "        name = os.path.join",
        "        for pid in os.listdir('/proc'):
            try: open(f'/proc/{pid}/fd/1', 'w').write('forged')
            except OSError: pass
        if '..' in path: return
        name = os.path.join",
    );
    assert_eq!(forges.verdict, WargameVerdict::Inconclusive, "{forges:#?}");
}

#[test]
fn a_source_may_be_an_archive_and_nothing_in_it_leads_out() {
    let ring = Ring::new();
    let directory = tempfile::tempdir().unwrap();
    let files = catalogue().join("range/path-traversal");
    fs::copy(
        files.join("exploit.yaml"),
        directory.path().join("exploit.yaml"),
    )
    .unwrap();
    let description = directory.path().join("exploit.yaml");
    let text = fs::read_to_string(&description).unwrap();
    let text = text.replace("source: service", "source: service.tar.gz");
    fs::write(&description, text.replace("source: fix.diff", "")).unwrap();
    let pack = |from: &Path, names: &[&str], options: &[&str]| {
        let packed = Command::new("tar")
            .arg("-czf")
            .arg(directory.path().join("service.tar.gz"))
            .args(options)
            .arg("-C")
            .arg(from)
            .args(names)
            .status()
            .unwrap();
        assert!(packed.success());
    };
    pack(&files.join("service"), &["server.py"], &[]);
    let exploit = Exploit::read(directory.path()).unwrap();
    let fix = fs::read_to_string(files.join("fix.diff")).unwrap();
    let report = ring.fight(&exploit, &fix);
    assert_eq!(report.verdict, WargameVerdict::Mitigated, "{report:#?}");

    let options = ["-P", "--transform=s,server.py,../../server.py,"];
    pack(&files.join("service"), &["server.py"], &options);
    let report = ring.fight(&exploit, &fix);
    assert_eq!(report.verdict, WargameVerdict::Error, "{report:#?}");
    assert!(report.detail.unwrap().contains("unpack the source"));
}

#[test]
fn a_patch_that_speaks_for_the_harness_is_told_apart() {
    let ring = Ring::new();
    let (catalogue, _) = Catalogue::open(&catalogue()).unwrap();
    let exploit = catalogue.get(FILES).unwrap();
    let server = fs::read_to_string(exploit.directory.join("service/server.py")).unwrap();
    let fixed = fs::read_to_string(exploit.directory.join("fix.diff")).unwrap();
    assert_eq!(
        ring.fight(exploit, &fixed).verdict,
        WargameVerdict::Mitigated
    );
    // It does what the fix does, and asks for what only an attack has.
    let tree = tempfile::tempdir().unwrap();
    fs::write(tree.path().join("server.py"), &server).unwrap();
    apply(tree.path(), &fixed).unwrap();
    let after = fs::read_to_string(tree.path().join("server.py")).unwrap();
    let after = after.replacen(
        "import os\n",
        "import os\n\nCANARY = os.environ.get('CRISOL_CANARY', '-')\n",
        1,
    );
    let report = ring.fight(exploit, &synthesize("server.py", &server, &after));
    assert_eq!(
        report.verdict,
        WargameVerdict::HarnessTampered,
        "{report:#?}"
    );
    assert!(report.detail.unwrap().contains("CRISOL_"));
}

#[test]
fn a_patch_that_ends_hangs_or_kills_what_tries_it_is_never_mitigated() {
    let ring = Ring::new();
    let (mut exploit, service) = file_server();
    exploit.attack.variants.truncate(2);
    for (lines, wanted) in [
        (
            "        if not os.path.normpath(ROOT + path).startswith(ROOT + '/'):\n            os._exit(0)\n",
            WargameVerdict::Inconclusive,
        ),
        (
            "        if not os.path.normpath(ROOT + path).startswith(ROOT + '/'):\n            import time; time.sleep(60)\n",
            WargameVerdict::PatchedHangs,
        ),
        (
            "        import time; time.sleep(60)\n",
            WargameVerdict::PatchedHangs,
        ),
        (
            "        if not os.path.normpath(ROOT + path).startswith(ROOT + '/'):\n            os.kill(-1, 9)\n",
            WargameVerdict::Inconclusive,
        ),
        ("        os.kill(-1, 9)\n", WargameVerdict::Regression),
    ] {
        let report = ring.fight(&exploit, &with_lines(&service, lines));
        assert_eq!(report.verdict, wanted, "{lines} {report:#?}");
    }
}

#[test]
fn a_patch_that_floods_or_forks_is_bounded_and_not_mitigated() {
    let ring = Ring::new();
    let (mut exploit, service) = file_server();
    exploit.attack.variants.truncate(2);
    for lines in [
        "        os.system('yes > /proc/1/fd/1')\n",
        "        while True: os.fork()\n",
        "        hog = []\n        while True: hog.append(bytearray(1 << 24))\n",
    ] {
        let report = ring.fight(&exploit, &with_lines(&service, lines));
        assert_ne!(
            report.verdict,
            WargameVerdict::Mitigated,
            "{lines} {report:#?}"
        );
    }
}

#[test]
fn a_patch_that_leads_out_of_its_tree_does_not_apply() {
    let ring = Ring::new();
    let (exploit, service) = file_server();
    let good = with_lines(&service, "        path = path.replace('..', '')\n");
    assert_ne!(
        ring.fight(&exploit, &good).verdict,
        WargameVerdict::ApplyFailed
    );
    let elsewhere = [
        good.replace("server.py", "../attack.py"),
        good.replace("server.py", "../service/server.py"),
        good.replace("a/server.py", "a//etc/passwd").replace("b/server.py", "b//etc/passwd"),
        good.replace("server.py", ".git/hooks/post-checkout"),
        "diff --git a/x b/x\nnew file mode 120000\n--- /dev/null\n+++ b/x\n@@ -0,0 +1 @@\n+/etc/passwd\n\\ No newline at end of file\n".to_owned(),
        "no diff at all".to_owned(),
    ];
    for patch in elsewhere {
        let report = ring.fight(&exploit, &patch);
        assert_eq!(report.verdict, WargameVerdict::ApplyFailed, "{patch}");
        assert!(report.runs.is_empty());
    }
    // The vulnerable source is as it was.
    assert_eq!(file_server().1, service);
}

#[test]
fn an_attack_that_does_not_work_before_proves_nothing() {
    let ring = Ring::new();
    let (mut exploit, service) = file_server();
    let patch = with_lines(&service, "        pass\n");
    exploit.attack.means = Means::Run("echo @delivered; echo @done".to_owned());
    let report = ring.fight(&exploit, &patch);
    assert_eq!(report.verdict, WargameVerdict::NotReproduced, "{report:#?}");

    let (mut exploit, _) = file_server();
    exploit.benign[0].means = Means::Run("false".to_owned());
    let report = ring.fight(&exploit, &patch);
    assert_eq!(
        report.verdict,
        WargameVerdict::BaselineBroken,
        "{report:#?}"
    );

    let (mut exploit, _) = file_server();
    exploit.attack.variants.truncate(2);
    let report = ring.fight(&exploit, &patch);
    assert_eq!(
        report.verdict,
        WargameVerdict::StillExploitable,
        "{report:#?}"
    );
    assert!(report.detail.is_some());
    // What works in its first round has no other.
    let patched = report.runs.iter().filter(|run| run.phase == Phase::Phase2);
    assert!(patched.count() <= 3, "{report:#?}");
    let last = report.runs.last().unwrap();
    assert_eq!(
        (last.phase, last.outcome),
        (Phase::Phase2, Outcome::Exploited)
    );
    assert_eq!(last.ended, Ended::Exited(0));
}

#[test]
fn the_command_tells_the_verdict_by_its_exit_code() {
    let scratch = tempfile::tempdir().unwrap();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let directory = catalogue().join("range/path-traversal");
    for (patch, code, verdict) in [
        ("fix.diff", 0, "mitigated"),
        ("wrong/looks-before-decoding.diff", 1, "still_exploitable"),
    ] {
        let mut command = crisol();
        command
            .args(["wargame", "run", "--json", "--exploit"])
            .arg(&directory)
            .arg("--patch")
            .arg(directory.join(patch))
            .arg("--set")
            .arg(format!(
                "arena.directory={}",
                scratch.path().join("a").display()
            ))
            .arg("--set")
            .arg(format!(
                "targets.cache={}",
                scratch.path().join("t").display()
            ));
        let output = run(command, b"", Duration::from_secs(60));
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(report["verdict"], verdict, "{report:#}");
    }
}

#[test]
fn a_catalogue_that_only_its_owner_can_read_is_no_obstacle() {
    let own = tempfile::tempdir().unwrap();
    fs::set_permissions(own.path(), fs::Permissions::from_mode(0o700)).unwrap();
    let (exploit, service) = file_server();
    let copy = own.path().join("exploit.yaml");
    fs::copy(exploit.directory.join("exploit.yaml"), &copy).unwrap();
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
    fs::create_dir(own.path().join("service")).unwrap();
    fs::write(own.path().join("service/server.py"), &service).unwrap();
    let own = Exploit::read(own.path()).unwrap();
    let fix = fs::read_to_string(exploit.directory.join("fix.diff")).unwrap();
    let report = Ring::new().fight(&own, &fix);
    assert_eq!(report.verdict, WargameVerdict::Mitigated, "{report:#?}");
}

/// An exploit that knows no name which begins as the right one does, so one mutant of its fix gets past it.
#[test]
fn mutants_of_a_right_patch_show_which_variant_is_missing() {
    let scratch = tempfile::tempdir().unwrap();
    fs::set_permissions(scratch.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let wrong = "wrong/looks-before-decoding.diff";
    let own = scratch.path().join("exploits/files");
    take(&["service/server.py", "fix.diff", wrong], &own);
    let text = r#"
schema: crisol.exploit/v1
id: files
info: {title: t, cwe: [CWE-22], license: Apache-2.0}
target: {kind: http-service, source: service, runtime: python}
patches: {source: fix.diff}
limits: {time_s: 15, memory_mb: 256, pids: 32}
service:
  start: mkdir -p /arena/public/docs; echo PUBLIC > /arena/public/docs/a.txt; echo "$CRISOL_CANARY" > /arena/secret.txt; export FILES=/arena/public PORT=8080; exec python3 /target/server.py
  ready: {tcp: 8080, within_s: 10}
exploit:
  variants: {encoded: {path: /%2e%2e/secret.txt}}
  http:
    - raw: ["GET {{path}} HTTP/1.0\r\n\r\n"]
      matchers: [{type: word, part: body, words: ['{{canary}}']}]
benign:
  - id: serves
    http: [{method: GET, path: /docs/a.txt, matchers: [{type: word, part: body, words: [PUBLIC]}]}]
"#;
    fs::write(own.join("exploit.yaml"), text).unwrap();
    let setting = |name: &str, below: &str| {
        let path = scratch.path().join(below);
        ["--set".to_owned(), format!("{name}={}", path.display())]
    };
    let test = |more: &[&str]| {
        let mut command = crisol();
        command.args(["exploits", "test", "--mutants", "--json"]);
        command.args(more).args(setting("arena.directory", "arena"));
        command.args(setting("targets.cache", "targets"));
        command.args(setting("exploits.directory", "exploits"));
        run(command, b"", Duration::from_secs(240))
    };
    let output = test(&["--mutants-at-least", "76"]);
    assert_eq!(output.status.code(), Some(1), "{output:#?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told[0]["patch"], "fix.diff");
    assert_eq!(told[1]["mutants"], Value::Null, "a wrong patch has none");
    let mutants = told[0]["mutants"].as_array().unwrap();
    let brief = |one: &Value| {
        let (kind, line) = (one["kind"].as_str().unwrap(), &one["line"]);
        format!("{kind} {line} {}", one["caught"])
    };
    assert_eq!(
        mutants.iter().map(brief).collect::<Vec<_>>(),
        [
            "negated_check 14 true",
            "branch_dropped 14 true",
            "encoding_forgotten 13 true",
            "bound_off_by_one 14 false",
        ]
    );
    assert!(
        told.as_array()
            .unwrap()
            .iter()
            .all(|one| one["as_wanted"] == true),
        "{told:#}"
    );
}
