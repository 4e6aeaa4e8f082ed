//! Registries: packages come in from where the settings say and from nowhere else, as they are stated, and nothing of
//! them runs or writes outside of the arena.

mod house;

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crisol::arena::registry::{Base, Bases};
use crisol::arena::{BuildError, Sandbox, SandboxConfig, TargetError, Targets, TargetsConfig};
use crisol::diff::{DiffLimits, parse};
use crisol::exploit::Exploit;
use house::{Given, House, Member, Shelf, package, source, tgz, wheel, zip};
use serde_json::{Value, json};
use tempfile::TempDir;

/// An arena and targets whose packages come from one registry.
struct Works {
    sandbox: Sandbox,
    targets: Targets,
    exploit: Exploit,
    root: TempDir,
}

impl Works {
    fn new(house: &House, ecosystem: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let at =
            |path: &str| Base::read(&format!("http://127.0.0.1:{}/{path}", house.port)).unwrap();
        let case = root.path().join("case");
        fs::create_dir(&case).unwrap();
        let exploit = format!(
            "schema: crisol.exploit/v1\nid: OWN\ninfo: {{title: t, cwe: [CWE-94], license: Apache-2.0}}\n\
             target: {{kind: library, ecosystem: {ecosystem}, package: victim, vulnerable: '1.0.0', fixed: '1.1.0', runtime: {}}}\n\
             exploit:\n  run: 'true'\n  variants: [a]\n  matchers: [{{type: file, path: x, contains: x}}]\n\
             \x20 complete: {{delivered: '@delivered', done: '@done', status: [0]}}\n\
             benign:\n  - {{id: b, run: 'true', matchers: [{{type: status, status: [0]}}]}}\n\
             patches: {{bump: fix.diff}}\n",
            if ecosystem == "npm" { "node" } else { "python" }
        );
        fs::write(case.join("exploit.yaml"), exploit).unwrap();
        fs::write(case.join("fix.diff"), "x").unwrap();
        Self {
            sandbox: Sandbox::open(&SandboxConfig {
                directory: root.path().join("arena"),
                ..SandboxConfig::default()
            })
            .unwrap(),
            targets: Targets::open(&TargetsConfig {
                cache: root.path().join("targets"),
                npm_registry: Some(at("npm")),
                python_index: Some(at("simple")),
                python_extra_index: Bases::default(),
                artifact_hosts: Bases::default(),
                ..TargetsConfig::default()
            })
            .unwrap(),
            exploit: Exploit::read(&case).unwrap(),
            root,
        }
    }

    /// Returns the patched tree of a bump to this version.
    fn bump(&self, to: &str) -> Result<PathBuf, TargetError> {
        let manifest = if self.is_npm() {
            (
                "package.json",
                "\"victim\": \"1.0.0\"".to_owned(),
                format!("\"victim\": \"{to}\""),
            )
        } else {
            (
                "requirements.txt",
                "victim==1.0.0".to_owned(),
                format!("victim=={to}"),
            )
        };
        let (file, old, new) = manifest;
        let patch = format!("--- a/{file}\n+++ b/{file}\n@@ -1 +1 @@\n-{old}\n+{new}\n");
        self.patched(&patch)
    }

    fn patched(&self, patch: &str) -> Result<PathBuf, TargetError> {
        let limits = DiffLimits::default();
        let diff = parse(patch, &limits).unwrap();
        let case = self.targets.case(&self.exploit).unwrap();
        let pair = self
            .targets
            .pair(&self.sandbox, &self.exploit, &case, &diff, patch)?;
        let kept = self.root.path().join("kept");
        let _ = fs::remove_dir_all(&kept);
        let copied = std::process::Command::new("cp")
            .arg("-r")
            .arg(&pair.patched.directory)
            .arg(&kept)
            .status();
        assert!(copied.unwrap().success());
        Ok(kept)
    }

    fn is_npm(&self) -> bool {
        let text = fs::read_to_string(self.root.path().join("case/exploit.yaml")).unwrap();
        text.contains("ecosystem: npm")
    }

    /// Demands that a bump to this version is refused for this reason.
    fn refuses(&self, to: &str, said: &[&str]) {
        match self.bump(to) {
            Err(TargetError::Patched(BuildError::Refused { said: found, doing })) => {
                for word in said {
                    assert!(found.contains(word), "{to}: {doing}: {found}");
                }
            }
            other => panic!("{to}: {other:?}"),
        }
    }

    fn takes(&self, to: &str) -> PathBuf {
        self.bump(to)
            .unwrap_or_else(|error| panic!("{to}: {error}"))
    }
}

fn same(_: &mut Value) {}

/// Returns a shelf with a good package `victim` at its vulnerable version, and one that it may depend on.
fn npm_shelf() -> Shelf {
    let mut shelf = Shelf::default();
    for (name, version) in [("victim", "1.0.0"), ("helper", "2.3.4"), ("other", "1.0.0")] {
        let manifest = json!({ "name": name, "version": version });
        shelf.npm(name, version, package(&manifest), json!({}), same);
    }
    shelf
}

#[test]
fn an_npm_package_may_depend_on_versions_of_a_registry_and_on_nothing_else() {
    let mut shelf = npm_shelf();
    let specs = [
        "git+http://127.0.0.1:1/x.git",
        "http://127.0.0.1:1/secret.tgz",
        "file:../../../etc",
        "link:/etc",
        "npm:other@1.0.0",
        "someone/thing",
        "workspace:*",
    ];
    let mut put = |version: &str, field: &str, spec: &str| {
        let more = json!({ field: { "helper": spec } });
        let mut manifest = json!({ "name": "victim", "version": version });
        manifest[field] = more[field].clone();
        shelf.npm("victim", version, package(&manifest), more, same);
    };
    put("1.1.0", "dependencies", "^2.0.0");
    put("1.1.1", "devDependencies", "git+http://127.0.0.1:1/x.git");
    put("1.1.2", "dependencies", "npm:helper@2.3.4");
    for (nth, spec) in specs.iter().enumerate() {
        put(&format!("1.2.{nth}"), "dependencies", spec);
    }
    put("1.3.0", "optionalDependencies", "file:..");
    // The tarball says more than the packument.
    let hidden = json!({ "name": "victim", "version": "1.4.0", "dependencies": { "x": "git://127.0.0.1:1/x" } });
    shelf.npm("victim", "1.4.0", package(&hidden), json!({}), same);
    let works = Works::new(&shelf.serve(), "npm");
    for good in ["1.1.0", "1.1.2"] {
        let tree = works.takes(good);
        assert!(
            tree.join("node_modules/helper/index.js").is_file(),
            "{good}"
        );
    }
    assert!(!works.takes("1.1.1").join("node_modules/helper").exists());
    for (nth, spec) in specs.iter().enumerate() {
        works.refuses(&format!("1.2.{nth}"), &["victim@1.2", "helper", spec]);
    }
    works.refuses("1.3.0", &["victim@1.3.0", "helper: file:.."]);
    works.refuses("1.4.0", &["victim", "x: git://127.0.0.1:1/x"]);
    // What no registry has is the patch's fault, too.
    works.refuses("9.9.9", &["9.9.9"]);
}

#[test]
fn an_artifact_is_taken_from_its_registrys_host_and_as_it_was_stated_or_not_at_all() {
    let elsewhere = {
        let mut shelf = Shelf::default();
        shelf.given.insert(
            "/secret.tgz".to_owned(),
            Given::Bytes("text/plain", b"secret".to_vec()),
        );
        shelf.serve()
    };
    let there = format!("http://127.0.0.1:{}/secret.tgz", elsewhere.port);
    let mut shelf = npm_shelf();
    let mut put = |version: &str, change: &dyn Fn(&mut Value)| {
        let manifest = json!({ "name": "victim", "version": version });
        shelf.npm("victim", version, package(&manifest), json!({}), change);
    };
    put("1.1.0", &same);
    put("1.2.0", &|told| {
        told["dist"]["tarball"] = there.clone().into()
    });
    put("1.2.1", &|told| {
        told["dist"]["integrity"] = "sha512-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==".into();
    });
    put("1.2.2", &|told| {
        told["dist"] = json!({ "tarball": told["dist"]["tarball"] })
    });
    put("1.2.3", &|told| {
        told["dist"]["integrity"] = "md5-rL0Y20zC+Fzt72VPzMSk2A==".into()
    });
    for version in ["1.1.1", "1.2.4", "1.2.5", "1.2.6"] {
        put(version, &same);
    }
    let path = |version: &str| format!("/files/victim-{version}.tgz");
    let own = shelf.given[&path("1.1.1")].clone();
    shelf.given.insert("/files/moved.tgz".to_owned(), own);
    let mut move_to = |version: &str, to: &str| {
        shelf
            .given
            .insert(path(version), Given::Moved(to.to_owned()));
    };
    move_to("1.1.1", "moved.tgz");
    move_to("1.2.4", &there);
    move_to("1.2.5", "/files/victim-1.2.5.tgz");
    shelf.given.insert(path("1.2.6"), Given::Endless(256));
    let works = Works::new(&shelf.serve(), "npm");
    for good in ["1.1.0", "1.1.1"] {
        works.takes(good);
    }
    works.refuses("1.2.0", &["victim@1.2.0", "host"]);
    works.refuses("1.2.1", &["victim@1.2.1", "digest"]);
    works.refuses("1.2.2", &["victim@1.2.2", "no digest"]);
    works.refuses("1.2.3", &["victim@1.2.3", "no digest"]);
    works.refuses("1.2.4", &["victim@1.2.4", "another host"]);
    works.refuses("1.2.5", &["victim@1.2.5", "for ever"]);
    works.refuses("1.2.6", &["victim@1.2.6", "MiB"]);
    assert_eq!(elsewhere.strayed.load(Ordering::SeqCst), 0);
}

#[test]
fn a_packument_without_end_and_a_name_that_leads_up_are_refused_and_a_silent_registry_is_nobodys_fault()
 {
    let mut shelf = npm_shelf();
    let mut put = |version: &str, name: &str| {
        let more = json!({ "dependencies": { name: "1.0.0" } });
        let manifest = json!({ "name": "victim", "version": version });
        shelf.npm("victim", version, package(&manifest), more, same);
    };
    put("1.1.0", "other");
    put("1.2.0", "../../secret");
    put("1.2.1", "huge");
    put("1.2.2", "sent-on");
    shelf
        .given
        .insert("/npm/huge".to_owned(), Given::Endless(64));
    shelf.given.insert(
        "/npm/sent-on".to_owned(),
        Given::Moved("http://127.0.0.1:1/secret".to_owned()),
    );
    let house = shelf.serve();
    let works = Works::new(&house, "npm");
    works.takes("1.1.0");
    works.refuses("1.2.0", &["../../secret"]);
    works.refuses("1.2.1", &["huge", "MiB"]);
    works.refuses("1.2.2", &["sent-on", "another host"]);
    assert_eq!(house.strayed.load(Ordering::SeqCst), 0);
    let silent = House { port: 1, ..house };
    let away = Works::new(&silent, "npm").bump("1.1.0");
    assert!(
        matches!(
            away,
            Err(TargetError::Vulnerable(BuildError::Download { .. }))
        ),
        "{away:?}"
    );
}

#[test]
fn a_tarball_leaves_nothing_outside_of_its_package() {
    let mut shelf = npm_shelf();
    let manifest = br#"{"name":"victim","version":"1.2.0"}"#;
    let hostile = tgz(&[
        Member("package/package.json", b'0', "", manifest),
        Member("package/../../../../../arena/tree/escaped", b'0', "", b"x"),
        Member("/arena/tree/absolute", b'0', "", b"x"),
        Member("package/link", b'2', "/etc", b""),
        Member("package/link/written", b'0', "", b"x"),
        Member("package/device", b'3', "", b""),
        Member("package/pipe", b'6', "", b""),
        Member("package/index.js", b'0', "", b"exports.x = 1;\n"),
    ]);
    shelf.npm("victim", "1.2.0", hostile, json!({}), same);
    let works = Works::new(&shelf.serve(), "npm");
    let Ok(tree) = works.bump("1.2.0") else {
        return;
    };
    let mut names = Vec::new();
    walk(&tree, &mut names);
    for name in &names {
        let strange = ["escaped", "absolute", "written", "device", "pipe", "link"];
        assert!(
            !strange
                .iter()
                .any(|one| name.ends_with(one) && !name.contains("victim")),
            "{names:?}"
        );
        let kind = fs::symlink_metadata(tree.join(name)).unwrap().file_type();
        assert!(kind.is_file() || kind.is_dir(), "{name}");
    }
    assert!(
        names.iter().any(|name| name.ends_with("victim/index.js")),
        "the control: {names:?}"
    );
    assert!(!Path::new("/etc/written").exists());
}

fn walk(root: &Path, names: &mut Vec<String>) {
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(directory).unwrap().flatten() {
            if entry.file_type().unwrap().is_dir() {
                left.push(entry.path());
            }
            let path = entry.path();
            names.push(path.strip_prefix(root).unwrap().display().to_string());
        }
    }
}

/// Returns a shelf with a good project `victim` at its vulnerable version, and what builds ask for.
fn python_shelf() -> Shelf {
    let mut shelf = Shelf::default();
    for (name, version) in [
        ("victim", "1.0.0"),
        ("helper", "2.0.0"),
        ("setuptools", "65.5.1"),
        ("wheel", "0.38.4"),
    ] {
        let file = format!("{name}-{version}-py3-none-any.whl");
        shelf.python(name, &file, wheel(name, version, &[]), same);
    }
    shelf
}

#[test]
fn a_wheel_may_require_projects_of_the_index_and_no_places() {
    let mut shelf = python_shelf();
    let mut put = |version: &str, requires: &[&str], change: &dyn Fn(&mut Value)| {
        let file = format!("victim-{version}-py3-none-any.whl");
        shelf.python("victim", &file, wheel("victim", version, requires), change);
    };
    put(
        "1.1.0",
        &["helper>=2", "absent>1 ; python_version < '3'"],
        &same,
    );
    put(
        "1.2.0",
        &["helper @ http://127.0.0.1:1/secret-1.0.tar.gz"],
        &same,
    );
    put("1.2.1", &["helper @ file:///etc/secret"], &same);
    put(
        "1.2.2",
        &["helper[x]@git+http://127.0.0.1:1/x ; extra == 'y'"],
        &same,
    );
    put("1.2.3", &[], &|listed| listed["hashes"] = json!({}));
    put("1.2.4", &[], &|listed| {
        listed["hashes"]["sha256"] = "0".repeat(64).into()
    });
    put("1.2.5", &[], &|listed| {
        listed["url"] = "http://127.0.0.1:1/secret.whl".into()
    });
    let bomb = zip(&[
        ("victim-1.2.6.dist-info/METADATA", b"Name: victim\n", None),
        ("victim.py", b"x", Some(u32::MAX)),
    ]);
    shelf.python("victim", "victim-1.2.6-py3-none-any.whl", bomb, same);
    let up = zip(&[
        ("victim-1.2.7.dist-info/METADATA", b"Name: victim\n", None),
        ("../escaped.py", b"x", None),
    ]);
    shelf.python("victim", "victim-1.2.7-py3-none-any.whl", up, same);
    let works = Works::new(&shelf.serve(), "pypi");
    let tree = works.takes("1.1.0");
    assert!(tree.join("victim.py").is_file() && tree.join("helper.py").is_file());
    works.refuses(
        "1.2.0",
        &[
            "victim-1.2.0",
            "helper @ http://127.0.0.1:1/secret-1.0.tar.gz",
        ],
    );
    works.refuses("1.2.1", &["helper @ file:///etc/secret"]);
    works.refuses("1.2.2", &["helper[x]@git+http"]);
    works.refuses("1.2.3", &["victim-1.2.3", "no digest"]);
    works.refuses("1.2.4", &["victim-1.2.4", "digest"]);
    works.refuses("1.2.5", &["victim-1.2.5", "host"]);
    works.refuses("1.2.6", &["victim-1.2.6", "unpacks to more"]);
    works.refuses("1.2.7", &["victim-1.2.7", "../escaped.py"]);
}

#[test]
fn a_build_has_no_network_writes_to_the_arena_alone_and_is_believed_nothing() {
    let mut shelf = python_shelf();
    let mut put = |version: &str, backend: &str| {
        let file = format!("victim-{version}.tar.gz");
        shelf.python("victim", &file, source("victim", version, backend), same);
    };
    put("1.1.0", "return wheel('Requires-Dist: helper>=2\\n')");
    put(
        "1.2.0",
        "return wheel('Requires-Dist: x @ http://127.0.0.1:1/x-1.0.tar.gz\\n')",
    );
    put("1.2.1", "return wheel(name='helper')");
    // Nobody is there: not the gateway, nor what listens outside.
    let outside = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = outside.local_addr().unwrap().port();
    let tries = "import socket
for port in (4873, PORT):
    try:
        socket.create_connection(('127.0.0.1', port), 2)
    except OSError:
        continue
    raise SystemExit('got through')
return wheel()";
    put("1.1.1", &tries.replace("PORT", &port.to_string()));

    put(
        "1.2.3",
        "for n in range(600):\n    with open('/arena/tmp/fill%d' % n, 'wb') as file: file.write(b'x' * (1 << 20))\nreturn wheel()",
    );
    put(
        "1.2.4",
        "for n in range(20000): open('/arena/tmp/fill%d' % n, 'w').close()\nreturn wheel()",
    );
    put(
        "1.2.5",
        "os.makedirs('/arena/built', exist_ok=True)\nopen('/arena/built/helper-2.0.0-py3-none-any.whl', 'w').close()\nreturn wheel()",
    );
    put(
        "1.2.6",
        "os.symlink('/etc/passwd', os.path.join(here, 'victim-1.2.6-py3-none-any.whl'))\nreturn 'victim-1.2.6-py3-none-any.whl'",
    );
    let works = Works::new(&shelf.serve(), "pypi");
    let tree = works.takes("1.1.0");
    assert!(tree.join("victim.py").is_file() && tree.join("helper.py").is_file());
    works.takes("1.1.1");
    let (bytes, files) = watched(&works.root.path().join("targets"), || {
        works.refuses(
            "1.2.0",
            &["victim==1.2.0", "x @ http://127.0.0.1:1/x-1.0.tar.gz"],
        );
        for hostile in ["1.2.1", "1.2.3", "1.2.4", "1.2.5", "1.2.6"] {
            works.refuses(hostile, &[]);
        }
    });
    assert!(
        bytes < 8 << 20 && files < 200,
        "{bytes} bytes, {files} files"
    );
}

/// Returns the most bytes and files that stood below a directory while something was done.
fn watched(root: &Path, work: impl FnOnce()) -> (u64, u64) {
    let (over, bytes, files) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Acquire) {
                let (mut sum, mut count) = (0, 0);
                let mut left = vec![root.to_owned()];
                while let Some(directory) = left.pop() {
                    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
                        count += 1;
                        match entry.metadata() {
                            Ok(found) if found.is_dir() => left.push(entry.path()),
                            Ok(found) => sum += found.len(),
                            Err(_) => {}
                        }
                    }
                }
                bytes.fetch_max(sum, Ordering::AcqRel);
                files.fetch_max(count, Ordering::AcqRel);
                thread::sleep(Duration::from_millis(100));
            }
        });
        // Ends the watch, however the work ends.
        struct Over<'a>(&'a AtomicBool);
        impl Drop for Over<'_> {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Release);
            }
        }
        let _over = Over(&over);
        work();
    });
    (bytes.into_inner(), files.into_inner())
}

#[test]
fn a_patch_of_a_package_touches_that_packages_files_alone() {
    let works = Works::new(&python_shelf().serve(), "pypi");
    let changes = "--- a/victim.py\n+++ b/victim.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n";
    let tree = works.patched(changes).unwrap();
    assert_eq!(
        fs::read_to_string(tree.join("victim.py")).unwrap(),
        "x = 2\n"
    );
    for new in [
        "sitecustomize.py",
        "json.py",
        "victim.pth",
        "victim-1.0.0.dist-info/x",
        "helper/a.py",
    ] {
        let adds = format!("{changes}--- /dev/null\n+++ b/{new}\n@@ -0,0 +1 @@\n+import os\n");
        let refused = works.patched(&adds);
        assert!(
            matches!(refused, Err(TargetError::Tampering(_))),
            "{new}: {refused:?}"
        );
    }
    // One that does not even apply is no more than that.
    let elsewhere = works.patched(&changes.replace("victim.py", "src/victim.py"));
    assert!(
        matches!(elsewhere, Err(TargetError::Apply(_))),
        "{elsewhere:?}"
    );
}

#[test]
fn a_kept_tree_that_was_changed_is_built_again() {
    let works = Works::new(&python_shelf().serve(), "pypi");
    let none = "--- a/victim.py\n+++ b/victim.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n";
    works.patched(none).unwrap();
    let shelf = works.root.path().join("targets/trees");
    let kept = fs::read_dir(&shelf).unwrap().flatten();
    let mut kept = kept.map(|entry| entry.path().join("tree/victim.py"));
    let file = kept.find(|file| file.exists()).unwrap();
    fs::write(&file, "x = 3\n").unwrap();
    // The patch would not apply to what was written there.
    works.patched(none).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "x = 1\n");
}
