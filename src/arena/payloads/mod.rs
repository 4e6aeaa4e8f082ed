//! Hostile payloads of our own, kind by kind, as tables. Each row has a negative control: with the wall taken down the
//! same payload gets through. So a row proves that it is a payload, and that it is this wall that stops it.
//!
//! Walls are taken down in tests alone: by a bubblewrap that is given other arguments, by a service that is started in
//! the sandbox of its client, by larger bounds, or by judging the same run as if nobody had watched it.

mod bumps;
mod case;
mod evidence;
mod identities;
mod imports;
mod kernel;
mod lifetime;
mod surroundings;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::sandbox::{Ran, Run, Sandbox, SandboxConfig};
use crate::exploit::Limits;

/// Enough for scripts, and met soon.
const LIMITS: Limits = Limits {
    time_s: 20,
    memory_mb: 128,
    pids: 48,
    output_kb: 64,
    work_mb: 16,
    repeats: 2,
};

/// An option of bubblewrap, how many arguments it has, and what stands in its place where a wall is down.
type Edit = (&'static str, usize, &'static str);

/// No filter of system calls.
const NO_FILTER: Edit = ("--seccomp", 1, "");
/// All capabilities of a namespace of its own, as its root.
const CAPABLE: [Edit; 4] = [
    ("--disable-userns", 0, ""),
    ("--cap-drop", 1, "--cap-add ALL"),
    ("--uid", 1, "--uid 0"),
    ("--gid", 1, "--gid 0"),
];
/// The processes of the outside are there.
const SHARED_PROCESSES: Edit = (
    "--unshare-all",
    0,
    "--unshare-ipc --unshare-net --unshare-uts --unshare-cgroup-try",
);

/// What failed of a table; all of it is told at once.
#[derive(Debug, Default)]
struct Table {
    rows: usize,
    failed: Vec<String>,
}

impl Table {
    /// Demands of a row that its wall holds, and that the payload gets through where it is down.
    fn row(&mut self, name: &str, is_stopped: bool, gets_through: bool, seen: impl Debug) {
        self.rows += 1;
        if !is_stopped {
            self.failed.push(format!("{name} got through: {seen:?}"));
        }
        if !gets_through {
            let said = format!("{name} is no payload, its control fails: {seen:?}");
            self.failed.push(said);
        }
    }

    /// Demands something that is no row: a good twin.
    fn twin(&mut self, name: &str, passes: bool, seen: impl Debug) {
        if !passes {
            self.failed.push(format!("{name} is refused: {seen:?}"));
        }
    }

    /// Demands that all rows held, and that there are so many.
    fn ends(self, rows: usize) {
        assert!(self.failed.is_empty(), "\n{}", self.failed.join("\n"));
        assert_eq!(self.rows, rows, "the table of docs/security.md counts them");
    }
}

/// A sandbox, whole or with walls taken down.
struct Stage {
    sandbox: Sandbox,
    directory: TempDir,
}

impl Stage {
    /// Returns one with all of its walls.
    fn whole() -> Self {
        Self::with(PathBuf::from("bwrap"), readable_directory())
    }

    /// Returns one with walls taken down, and these mounts (options of bubblewrap).
    fn without(edits: &[Edit], mounts: &str) -> Self {
        let directory = readable_directory();
        let file = directory.path().join("bwrap");
        let cases = edits.iter().map(|(option, arguments, instead)| {
            format!("{option}) words+=({instead}); shift {};;\n", arguments + 1)
        });
        let script = format!(
            "#!/bin/bash\nwords=()\nwhile [ \"$1\" != -- ]; do\ncase $1 in\n{}\
             --remount-ro) words+=({mounts} \"$1\" \"$2\"); shift 2;;\n\
             *) words+=(\"$1\"); shift;;\nesac\ndone\nexec bwrap \"${{words[@]}}\" \"$@\"\n",
            cases.collect::<String>()
        );
        write_program(&file, &script);
        Self::with(file, directory)
    }

    fn with(bwrap: PathBuf, directory: TempDir) -> Self {
        let config = SandboxConfig {
            directory: directory.path().join("arena"),
            bwrap,
            ..SandboxConfig::default()
        };
        Self {
            sandbox: Sandbox::unproven(&config).unwrap(),
            directory,
        }
    }

    fn run(&self, line: &str, limits: Limits) -> Ran {
        let fixtures = BTreeMap::new();
        let run = run_of(line, &fixtures, limits);
        self.sandbox.run(&run, |_, _| ()).unwrap().0
    }

    /// A directory of the outside that all may read.
    fn outside(&self) -> &Path {
        self.directory.path()
    }
}

fn run_of<'a>(line: &'a str, fixtures: &'a BTreeMap<String, String>, limits: Limits) -> Run<'a> {
    Run {
        line,
        environment: Vec::new(),
        reads: Vec::new(),
        fixtures,
        limits,
    }
}

/// Returns a directory that every identity can read.
fn readable_directory() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
    directory
}

/// Returns what a script said of each row: lines of a name and an answer.
fn answers(ran: &Ran) -> BTreeMap<String, String> {
    let lines = ran.stdout.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(name, answer)| (name.to_owned(), answer.to_owned()))
        .collect()
}

/// Writes a program.
fn write_program(file: &Path, script: &str) {
    fs::write(file, script).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Tries rows on two threads: most of their time is waiting. Returns what was seen of each, in order.
fn on_two_threads<R: Sync, S: Send>(rows: &[R], tries: impl Fn(&R) -> S + Sync) -> Vec<S> {
    let (one, other) = rows.split_at(rows.len() / 2);
    std::thread::scope(|scope| {
        let one = scope.spawn(|| one.iter().map(&tries).collect::<Vec<_>>());
        let other: Vec<S> = other.iter().map(&tries).collect();
        let mut all = one.join().unwrap();
        all.extend(other);
        all
    })
}

/// The table of the documentation says how many payloads there are of each kind.
#[test]
fn the_table_of_payloads_is_true() {
    let text = include_str!("../../../docs/security.md");
    let (_, section) = text.split_once("## Payloads of our own").unwrap();
    let rows = section.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.split(" | ");
        let name = cells.next()?;
        let count: usize = cells.next()?.parse().ok()?;
        Some((name, count))
    });
    let told: BTreeMap<&str, usize> = rows.collect();
    let own: [(&str, &[usize]); 7] = [
        ("identities", &identities::ROWS),
        ("imports", &imports::ROWS),
        ("evidence", &evidence::ROWS),
        ("surroundings", &surroundings::ROWS),
        ("bumps", &bumps::ROWS),
        ("lifetime", &lifetime::ROWS),
        ("kernel", &kernel::ROWS),
    ];
    for (kind, rows) in own {
        assert_eq!(told.get(kind).copied(), Some(rows.iter().sum()), "{kind}");
    }
    // Two kinds stand elsewhere: their tests are there, and the table says how many payloads they hold.
    assert_eq!(told.len(), 9, "{told:?}");
    assert!(told.values().all(|count| *count >= 8), "{told:?}");
    assert!(told.values().sum::<usize>() >= 80, "{told:?}");
}
