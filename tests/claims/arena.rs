//! The arena: what is run in it can hurt nobody, ends in time, and says nothing that it has not done.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crisol::arena::{ArenaError, Bounds, Ended, Ran, Run, Sandbox, SandboxConfig, Work};
use crisol::exploit::Limits;
use tempfile::TempDir;

/// Small ones, so that payloads meet them soon.
const LIMITS: Limits = Limits {
    time_s: 5,
    memory_mb: 128,
    pids: 24,
    output_kb: 16,
    work_mb: 16,
    repeats: 1,
};
/// How much longer than its limit a run may take: killing, and a busy machine.
const GRACE: Duration = Duration::from_secs(3);

/// An arena, and a directory of the outside that runs may read.
struct Stage {
    sandbox: Sandbox,
    case: TempDir,
    _directory: TempDir,
}

impl Stage {
    fn new() -> Self {
        let directory = readable_directory();
        let case = readable_directory();
        let config = SandboxConfig {
            directory: directory.path().to_owned(),
            ..SandboxConfig::default()
        };
        Self {
            sandbox: Sandbox::open(&config).unwrap(),
            case,
            _directory: directory,
        }
    }

    fn run<T>(&self, line: &str, look: impl FnOnce(&Ran, &Work) -> T) -> (Ran, T) {
        let run = Run {
            line,
            environment: vec![("CRISOL_CANARY".to_owned(), "canary".to_owned())],
            reads: vec![(self.case.path().to_owned(), "/case")],
            fixtures: &BTreeMap::new(),
            limits: LIMITS,
        };
        let began = Instant::now();
        let seen = self.sandbox.run(&run, look).unwrap();
        let took = began.elapsed();
        let most = Duration::from_secs(LIMITS.time_s) + GRACE;
        assert!(took < most, "{line}: {took:?}");
        seen
    }

    fn says(&self, line: &str) -> (Ended, String) {
        let (ran, ()) = self.run(line, |_, _| ());
        (ran.ended, [ran.stdout, ran.stderr].concat())
    }
}

/// Returns a directory that nobody's identity can read, too.
fn readable_directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

/// Whether a process runs whose command line holds this.
fn runs(word: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(word)
    })
}

#[test]
fn what_a_run_does_is_told_as_it_was() {
    let stage = Stage::new();
    let line = "echo out; echo err >&2; echo canary > kept; exit 7";
    let (ran, file) = stage.run(line, |_, work| work.file("kept"));
    assert_eq!(ran.ended, Ended::Exited(7));
    assert_eq!((&*ran.stdout, &*ran.stderr), ("out\n", "err\n"));
    assert_eq!(file.unwrap(), b"canary\n");
    assert!(ran.met.is_empty(), "{:?}", ran.met);
    // Each run has a work directory of its own.
    let (_, file) = stage.run("true", |_, work| work.file("kept"));
    assert_eq!(file, None);
}

#[test]
fn a_run_that_takes_too_much_ends_in_time_and_is_told_what_it_met() {
    let stage = Stage::new();
    let grouped = stage.sandbox.bounds() != Bounds::Rlimits;
    let killed = |ran: &Ran, met: &str| {
        let told = ran.met.contains(&met) || !grouped;
        assert!(told && ran.ended != Ended::Exited(0), "{ran:?}");
    };
    let (ran, ()) = stage.run(
        "perl -e 'my $x = \"x\" x (1 << 30); print length $x'",
        |_, _| (),
    );
    killed(&ran, "memory");
    let (ran, ()) = stage.run("perl -e 'push @a, \"x\" x (1 << 20) while 1'", |_, _| ());
    killed(&ran, "memory");
    let (ran, ()) = stage.run("perl -e 'fork while 1'", |_, _| ());
    assert!(ran.met.contains(&"processes") || !grouped, "{ran:?}");
    let (ran, ()) = stage.run(
        "bash -c 'bomb() { bomb | bomb & }; bomb; sleep 60'",
        |_, _| (),
    );
    assert!(ran.met.contains(&"processes") || !grouped, "{ran:?}");
    for line in ["yes", "yes >&2", "head -c 1000000000 /dev/zero"] {
        let (ran, ()) = stage.run(line, |_, _| ());
        assert_eq!(ran.ended, Ended::TooMuchOutput, "{line}");
        assert!(ran.stdout.len().max(ran.stderr.len()) <= 16 << 10);
        assert_eq!(ran.met, ["output"]);
    }
    for line in [
        "sleep 60",
        "perl -e '1 while 1'",
        "trap '' TERM INT HUP QUIT; while true; do sleep 1; done",
        "sleep 60 & sleep 60",
    ] {
        let (ran, ()) = stage.run(line, |_, _| ());
        assert_eq!(ran.ended, Ended::TimedOut, "{line}");
        assert_eq!(ran.met, ["time"]);
    }
}

#[test]
fn a_work_directory_has_an_end_in_bytes_and_in_files() {
    let stage = Stage::new();
    for place in ["/arena", "/tmp", "/dev/shm"] {
        let line = format!("head -c 100000000 /dev/zero > {place}/x; wc -c < {place}/x");
        let (ended, said) = stage.says(&line);
        let bytes: u64 = said
            .lines()
            .find_map(|line| line.trim().parse().ok())
            .unwrap_or_else(|| panic!("{ended:?} {said}"));
        assert!(bytes <= 16 << 20, "{place} held {bytes}");
    }
    let (_, said) = stage.says(
        "perl -e 'my $n = 0; for (1..100000) { open(my $f, \">\", \"/arena/$_\") or last; $n++ } print $n'",
    );
    let files: u32 = said.trim().parse().unwrap();
    assert!((100..10_000).contains(&files), "{files} files");
}

#[test]
fn nothing_outlives_its_run() {
    let stage = Stage::new();
    // A number that no other process has.
    let odd = format!("86{}", std::process::id());
    for line in [
        format!("setsid sleep {odd} > /dev/null 2>&1 & exit 0"),
        format!("(setsid sh -c 'trap \"\" HUP TERM; sleep {odd}' &) ; exit 0"),
        format!("setsid sleep {odd} & exit 0"),
        format!("sleep {odd}"),
    ] {
        stage.run(&line, |_, _| ());
        assert!(!runs(&odd), "{line}");
    }
}

#[test]
fn walls_hold_against_what_a_run_may_try() {
    let stage = Stage::new();
    let secret = stage.case.path().join("secret");
    fs::write(&secret, "only its owner reads this").unwrap();
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    fs::write(stage.case.path().join("open"), "all read this").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let outside = std::process::id();
    // What a run prints where it gets through; it must print none of it.
    let through = "got-through";
    let did = |what: &str| format!("{what} && echo {through}");
    let call = |numbers: &str| {
        format!("perl -e 'exit(syscall({numbers}) == -1 ? 1 : 0)' && echo {through}")
    };
    let mut attempts = vec![
        did("cat /case/secret"),
        did("ls /root"),
        did("cat /etc/shadow"),
        did("ls /home"),
        did("touch /x"),
        did("touch /usr/x"),
        did("touch /etc/x"),
        did("touch /dev/x"),
        did("touch /case/x"),
        did("ln /case/open /arena/open"),
        did("mknod /arena/sda b 8 0"),
        did("mount -t tmpfs none /tmp"),
        did("mount --bind / /tmp"),
        did("umount /case"),
        did("unshare --user true"),
        did("unshare --net true"),
        did("chroot / true"),
        did("bwrap --ro-bind / / true"),
        did("su -c true"),
        did("cp /bin/sh s && chmod 4755 s && ./s -p -c '[ $(id -u) = 0 ]'"),
        did("date -s 2001-01-01"),
        did("echo 1 > /proc/sys/kernel/panic"),
        did("echo b > /proc/sysrq-trigger"),
        did("cat /proc/1/root/etc/shadow"),
        did("ls /proc/1/cwd/root"),
        did("cat /proc/kcore"),
        did("cat /dev/mem"),
        did("dmesg"),
        did(&format!("kill -0 {outside}")),
        did(&format!("bash -c '< /dev/tcp/127.0.0.1/{port}'")),
        did("bash -c '< /dev/tcp/1.1.1.1/53'"),
        did("getent hosts example.org"),
        "env | grep -E 'CARGO|CRISOL_TEST|SECRET' && echo got-through".to_owned(),
        "tr '\\0' '\\n' < /proc/1/environ | grep -E 'CARGO|RUST' && echo got-through".to_owned(),
    ];
    if cfg!(target_arch = "x86_64") {
        attempts.extend([
            call("101, 0, 0, 0, 0"),        // ptrace
            call("0x40000065, 0, 0, 0, 0"), // the same in the x32 ABI
            call("321, 0, 0, 0"),           // bpf
            call("425, 8, 0"),              // io_uring_setup
            call("250, 0, -3, 1"),          // keyctl
            call("298, 0, 0, -1, -1, 0"),   // perf_event_open
            call("272, 0x10000000"),        // unshare a user namespace
            call("323, 1"),                 // userfaultfd
        ]);
    }
    for line in &attempts {
        let (ended, said) = stage.says(line);
        assert!(!said.contains(through), "{line}: {ended:?} {said}");
    }
    // The same questions where the answer is yes: what is asked can be seen.
    for line in [
        did("cat /case/open"),
        did("touch /arena/x"),
        did("bash -c '{ echo > /dev/tcp/127.0.0.1/1; } 2>&1 | grep refused'"),
    ] {
        let (_, said) = stage.says(&line);
        assert!(said.contains(through), "{line}: {said}");
    }
    let (_, said) = stage.says("id -u; grep -E 'NoNewPrivs|Seccomp:|CapEff' /proc/self/status");
    let id: u32 = said.lines().next().unwrap().parse().unwrap();
    assert!((1_000..65_534).contains(&id), "{said}");
    for wanted in ["NoNewPrivs:\t1", "Seccomp:\t2", "CapEff:\t0000000000000000"] {
        assert!(said.contains(wanted), "{wanted} is not in {said}");
    }
    drop(listener);
    assert_eq!(
        fs::read_to_string(&secret).unwrap(),
        "only its owner reads this"
    );
}

#[test]
fn signals_stay_inside() {
    let stage = Stage::new();
    for line in [
        "kill -9 -1",
        "perl -e 'kill 9, 1; kill 9, getppid'",
        "kill -STOP -1",
    ] {
        // That it ends at all, and this test too, is the claim.
        stage.run(line, |_, _| ());
    }
    assert_eq!(stage.says("echo still").1, "still\n");
}

#[test]
fn what_is_left_behind_is_read_without_following_it() {
    let stage = Stage::new();
    let outside = stage.case.path().join("outside");
    fs::write(&outside, "canary").unwrap();
    for line in [
        format!("ln -s {} kept", outside.display()),
        "ln -s /case/outside kept".to_owned(),
        "mkdir d; echo canary > d/real; ln -s d/real kept".to_owned(),
        "mkfifo kept".to_owned(),
        "mkdir kept".to_owned(),
        "perl -MSocket -e 'socket(S, AF_UNIX, SOCK_STREAM, 0); bind(S, sockaddr_un(\"kept\")) or die'".to_owned(),
    ] {
        let (_, file) = stage.run(&line, |_, work| work.file("kept"));
        assert_eq!(file, None, "{line}");
    }
    let escapes = |_: &Ran, work: &Work| {
        ["../../etc/passwd", "/etc/passwd", "up/passwd"].map(|path| work.file(path))
    };
    let (_, files) = stage.run("ln -s /etc up", escapes);
    assert_eq!(files, [None, None, None]);
    let (_, file) = stage.run("mkdir d; echo canary > d/kept", |_, work| {
        work.file("d/kept")
    });
    assert_eq!(file.unwrap(), b"canary\n");
}

#[test]
fn files_that_crisol_holds_open_are_not_there_inside() {
    let stage = Stage::new();
    // The last one is the directory that is being listed.
    let (_, said) = stage.says("bash -c 'exec ls /proc/$$/fd'");
    assert_eq!(
        said.split_whitespace().collect::<Vec<_>>(),
        ["0", "1", "2", "3"]
    );
}

#[test]
fn an_arena_whose_walls_do_not_hold_is_not_opened() {
    let directory = readable_directory();
    let open = |script: &str| {
        let bwrap = directory.path().join("bwrap");
        fs::write(&bwrap, script).unwrap();
        fs::set_permissions(&bwrap, fs::Permissions::from_mode(0o755)).unwrap();
        Sandbox::open(&SandboxConfig {
            directory: directory.path().join("arena"),
            bwrap,
            ..SandboxConfig::default()
        })
    };
    // One that runs what it is given and builds nothing around it, in the words of the real one.
    let none = "#!/bin/bash\nwhile [ \"$1\" != -- ]; do shift; done\nshift\n\
        echo '{\"child-pid\": 2147483646}' >&8\n\"$@\"\necho \"{\\\"exit-code\\\": $?}\" >&8\n";
    let error = open(none).unwrap_err();
    assert!(matches!(error, ArenaError::Wall { .. }), "{error}");
    assert!(error.to_string().contains("does not hold"), "{error}");
    // One that is all right but for the network.
    let shared = "#!/bin/bash\nexec bwrap \"${@:1:4}\" \"${@:5:3}\" --share-net \"${@:8}\"\n";
    let error = open(shared).unwrap_err();
    assert!(
        matches!(
            error,
            ArenaError::Wall {
                wall: "network",
                ..
            }
        ),
        "{error}"
    );
    // One that is not there.
    let error = Sandbox::open(&SandboxConfig {
        directory: directory.path().join("arena"),
        bwrap: directory.path().join("no-bwrap"),
        ..SandboxConfig::default()
    });
    assert!(matches!(error, Err(ArenaError::NotStarted(_))), "{error:?}");
    // The same with the real one.
    open("#!/bin/bash\nexec bwrap \"$@\"\n").unwrap();
}

#[test]
fn an_arena_leaves_nothing_behind() {
    let directory = readable_directory();
    let config = SandboxConfig {
        directory: directory.path().to_owned(),
        ..SandboxConfig::default()
    };
    let sandbox = Sandbox::open(&config).unwrap();
    let run = Run {
        line: "echo x > /arena/x",
        environment: Vec::new(),
        reads: Vec::new(),
        fixtures: &BTreeMap::new(),
        limits: LIMITS,
    };
    sandbox.run(&run, |_, _| ()).unwrap();
    let own: Vec<PathBuf> = entries(directory.path());
    assert_eq!(own.len(), 1);
    let mut left = entries(&own[0]);
    left.sort();
    assert_eq!(left, [own[0].join("filter"), own[0].join("lock")]);
    drop(sandbox);
    assert!(entries(directory.path()).is_empty());
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}
