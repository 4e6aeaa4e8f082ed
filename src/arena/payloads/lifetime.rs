//! What outlives a run, or takes more than its share: processes, memory, files, output, time; and what it leaves behind
//! for whoever copies it.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::os::fd::AsRawFd as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{
    LIMITS, SHARED_PROCESSES, Stage, Table, on_two_threads, readable_directory, run_of,
    write_program,
};
use crate::arena::cgroup::Bounds;
use crate::arena::sandbox::{Ended, Sandbox, SandboxConfig};
use crate::exploit::Limits;

/// How many rows each table has.
pub(super) const ROWS: [usize; 4] = [6, 2, 12, 3];

/// Lines stand in a file, so that no command line of the harness holds what is looked for.
const SCRIPT: &str = "/crisol/script.sh";
const RUNS_SCRIPT: &str = "exec sh /crisol/script.sh";

/// Returns a number of seconds that no other process sleeps for.
fn odd() -> String {
    static NTH: AtomicU32 = AtomicU32::new(0);
    let nth = NTH.fetch_add(1, Ordering::Relaxed);
    format!("9.{}{nth:04}", std::process::id())
}

/// Whether a process runs whose command line holds this.
fn runs(word: &str) -> bool {
    fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(word)
    })
}

/// Whether something comes to be in a while.
fn comes(within: Duration, is: impl Fn() -> bool) -> bool {
    let end = Instant::now() + within;
    while !is() {
        if Instant::now() > end {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}

/// Lines that leave a process behind.
const DAEMONS: [(&str, &str); ROWS[0]] = [
    (
        "a session of its own",
        "setsid sleep @odd >/dev/null 2>&1 &",
    ),
    (
        "forked twice",
        "(setsid sh -c 'sleep @odd & exit 0' >/dev/null 2>&1 &)",
    ),
    (
        "deaf to signals",
        "setsid sh -c 'trap \"\" HUP TERM INT QUIT; sleep @odd; true' >/dev/null 2>&1 &",
    ),
    (
        "stopped",
        "setsid sh -c 'sleep @odd & kill -STOP $!; wait' >/dev/null 2>&1 &",
    ),
    (
        "without a terminal to hang up",
        "nohup sleep @odd >/dev/null 2>&1 &",
    ),
    (
        "under another name",
        "setsid perl -e '$0 = \"kworker/@odd\"; sleep 9' >/dev/null 2>&1 &",
    ),
];

#[test]
fn no_process_outlives_its_run() {
    let rows = DAEMONS.map(|(name, line)| (name, line, odd(), odd()));
    let left = |stage: &Stage, which: fn(&(&str, &str, String, String)) -> String| {
        let lines = rows
            .iter()
            .map(|row| row.1.replace("@odd", &which(row)) + "\n");
        let script = lines.collect::<String>() + "sleep 0.5\nexit 0\n";
        let fixtures = BTreeMap::from([(SCRIPT.to_owned(), script)]);
        let run = run_of(RUNS_SCRIPT, &fixtures, LIMITS);
        let mut session = stage.sandbox.start(&run, None).unwrap();
        let ran = session.finish().unwrap();
        assert_eq!(ran.ended, Ended::Exited(0), "{ran:?}");
        // The first process of its namespace takes all others with it, a moment after its end.
        let left = rows
            .iter()
            .map(|row| !comes(Duration::from_millis(500), || !runs(&which(row))));
        left.collect::<Vec<bool>>()
    };
    let held = left(&Stage::whole(), |row| row.2.clone());
    let control = left(&Stage::without(&[SHARED_PROCESSES], ""), |row| {
        row.3.clone()
    });
    let mut table = Table::default();
    for (nth, (name, ..)) in rows.iter().enumerate() {
        table.row(name, !held[nth], control[nth], (held[nth], control[nth]));
    }
    table.ends(ROWS[0]);
}

const DIRECTORY: &str = "PAYLOADS_DIRECTORY";
const LINE: &str = "PAYLOADS_LINE";

/// Starts this test as a Crisol that is killed in the middle of a run; tells which of two processes of that run are left.
fn left_by_the_dead(directory: &Path, odd: [String; 2]) -> [bool; 2] {
    let line = format!(
        "setsid sleep {} >/dev/null 2>&1 &\nsleep {}\n",
        odd[0], odd[1]
    );
    let mut crisol = Command::new(std::env::current_exe().unwrap())
        .args([
            "arena::payloads::lifetime::a_run_ends_with_its_crisol",
            "--exact",
        ])
        .env(DIRECTORY, directory)
        .env(LINE, line)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let begun = comes(Duration::from_secs(15), || odd.iter().all(|odd| runs(odd)));
    crisol.kill().unwrap();
    crisol.wait().unwrap();
    assert!(begun, "the run began");
    // Processes are killed one after another; what is still there after a second stays.
    let _ = comes(Duration::from_secs(1), || !odd.iter().any(|odd| runs(odd)));
    [runs(&odd[0]), runs(&odd[1])]
}

#[test]
fn a_run_ends_with_its_crisol() {
    let config = |directory: &Path| SandboxConfig {
        directory: directory.join("arena"),
        bwrap: directory.join("bwrap"),
        ..SandboxConfig::default()
    };
    if let (Ok(directory), Ok(line)) = (std::env::var(DIRECTORY), std::env::var(LINE)) {
        let sandbox = Sandbox::unproven(&config(Path::new(&directory))).unwrap();
        let fixtures = BTreeMap::from([(SCRIPT.to_owned(), line)]);
        let run = run_of(RUNS_SCRIPT, &fixtures, LIMITS);
        let _ = sandbox.run(&run, |_, _| ());
        return;
    }
    let (whole, open) = (readable_directory(), readable_directory());
    write_program(
        &whole.path().join("bwrap"),
        "#!/bin/bash\nexec bwrap \"$@\"\n",
    );
    // A process between, which is killed alone; and nothing below it asks to go with it.
    write_program(
        &open.path().join("bwrap"),
        "#!/bin/bash\nwords=()\nwhile [ \"$1\" != -- ]; do\n[ \"$1\" = --die-with-parent ] || words+=(\"$1\")\nshift\ndone\n\
         bwrap \"${words[@]}\" \"$@\" &\nwait\n",
    );
    let held = left_by_the_dead(whole.path(), [odd(), odd()]);
    let odd = [odd(), odd()];
    let control = left_by_the_dead(open.path(), odd.clone());
    let mut table = Table::default();
    for (nth, name) in ["a daemon of a dead Crisol's run", "a dead Crisol's run"]
        .iter()
        .enumerate()
    {
        table.row(name, !held[nth], control[nth], (held, control));
    }
    // The second wall: who opens the arena next kills what is left.
    let next = Sandbox::unproven(&config(open.path())).unwrap();
    if next.bounds() != Bounds::Rlimits {
        let gone = comes(Duration::from_secs(3), || !odd.iter().any(|odd| runs(odd)));
        table.twin("the next arena", gone, odd);
    }
    table.ends(ROWS[1]);
}

/// Small ones, and larger ones as the control.
const SMALL: Limits = Limits {
    time_s: 2,
    memory_mb: 64,
    pids: 16,
    output_kb: 16,
    work_mb: 4,
    repeats: 2,
};
const LARGE: Limits = Limits {
    time_s: 20,
    memory_mb: 512,
    pids: 200,
    output_kb: 512,
    work_mb: 256,
    repeats: 2,
};

/// Lines that say `through` where no bound stopped them.
const GREEDY: [(&str, &str); ROWS[2]] = [
    (
        "memory",
        "perl -e 'my $x = \"x\" x (200 << 20); print \"through\"'",
    ),
    (
        "memory that is asked for bit by bit",
        "perl -e 'for (1..200) { push @x, \"x\" x (1 << 20) } print \"through\"'",
    ),
    (
        "processes",
        "perl -e '$| = 1; for (1..60) { my $p = fork; exit 1 unless defined $p; if (!$p) { close STDOUT; close STDERR; sleep 3; exit } } print \"through\"'",
    ),
    (
        "threads",
        "python3 -c 'import os, threading, time\nfor _ in range(60): threading.Thread(target=time.sleep, args=(1,), daemon=True).start()\nprint(\"through\", flush=True)\nos._exit(0)'",
    ),
    (
        "output",
        "head -c 200000 /dev/zero | tr '\\0' x; echo through",
    ),
    (
        "errors",
        "head -c 200000 /dev/zero | tr '\\0' x >&2; echo through",
    ),
    ("time", "sleep 4; echo through"),
    (
        "time without sleep",
        "perl -e 'my $end = time + 4; 1 while time < $end; print \"through\"'",
    ),
    (
        "files of the work directory",
        "head -c 20000000 /dev/zero > x && echo through",
    ),
    (
        "files of /tmp",
        "head -c 20000000 /dev/zero > /tmp/x && echo through",
    ),
    (
        "shared memory",
        "head -c 20000000 /dev/zero > /dev/shm/x && echo through",
    ),
    (
        "the number of files",
        "perl -e 'for (1..9000) { open(my $f, \">\", \"/tmp/$_\") or exit 1 } print \"through\"'",
    ),
];

#[test]
fn nothing_takes_more_than_its_run_may() {
    let stage = Stage::whole();
    let all = on_two_threads(&GREEDY, |(_, line)| {
        (stage.run(line, SMALL), stage.run(line, LARGE))
    });
    let mut table = Table::default();
    for ((name, _), (held, control)) in GREEDY.iter().zip(all) {
        let through = |out: &str| out.contains("through");
        let short = |text: &str| text.chars().take(200).collect::<String>();
        let seen = (
            held.ended,
            &held.met,
            short(&held.stderr),
            control.ended,
            short(&control.stderr),
        );
        table.row(name, !through(&held.stdout), through(&control.stdout), seen);
    }
    table.ends(ROWS[2]);
}

/// How large all files below a directory say that they are, and how deep it is.
fn extent(directory: &Path) -> (u64, usize) {
    let (mut bytes, mut depth) = (0, 0);
    for entry in fs::read_dir(directory).unwrap().flatten() {
        let found = fs::symlink_metadata(entry.path()).unwrap();
        if found.is_dir() {
            let (more, deeper) = extent(&entry.path());
            (bytes, depth) = (bytes + more, depth.max(deeper + 1));
        } else if found.is_file() {
            bytes += found.len();
        }
    }
    (bytes, depth)
}

#[test]
fn what_a_run_leaves_behind_hurts_nobody_who_copies_it() {
    let stage = Stage::whole();
    let secret = stage.outside().join("secret");
    fs::write(&secret, "of the machine").unwrap();
    let line = format!(
        "truncate -s 1G x\nln -s {} link\nperl -e 'for (1..90) {{ mkdir \"d\" or exit 1; chdir \"d\" }}'\n",
        secret.display()
    );
    let limits = Limits {
        work_mb: 4,
        ..LIMITS
    };
    let held = stage.outside().join("held");
    let fixtures = BTreeMap::new();
    let run = run_of(&line, &fixtures, limits);
    let (_, (found, depth, claimed)) = stage
        .sandbox
        .run(&run, |_, work| {
            let directory = work.directory().unwrap();
            let place = format!("/proc/self/fd/{}", directory.as_raw_fd());
            let mut text = String::new();
            let file = fs::File::open(format!("{place}/link"));
            let found = file.and_then(|mut file| file.read_to_string(&mut text));
            let depth = extent(Path::new(&place)).1;
            work.copy_to(&held).unwrap();
            // Whoever takes a file's word for its size.
            let claimed = fs::metadata(format!("{place}/x")).unwrap().len();
            (found.map(|_| text), depth, claimed)
        })
        .unwrap();
    let size = |directory: &Path| extent(directory).0;
    let bytes = 4 << 20;
    let mut table = Table::default();
    table.row(
        "a file of a gibibyte without a byte",
        size(&held) <= bytes,
        claimed > bytes,
        (size(&held), claimed),
    );
    table.row(
        "a link that leads out",
        fs::read(held.join("link")).is_err(),
        found.as_deref().is_ok_and(|text| text == "of the machine"),
        &found,
    );
    table.row(
        "directories without end",
        extent(&held).1 <= 64,
        depth > 64,
        (extent(&held).1, depth),
    );
    table.ends(ROWS[3]);
}
