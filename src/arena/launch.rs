//! The command that builds the walls around a run.
//!
//! ```text
//! [setpriv: nobody, no groups] → prlimit → unshare: a mount namespace → bash → a bounded tmpfs → bwrap → the run
//! ```
//!
//! - Started as root, bubblewrap would keep what root may read, so identity is dropped before anything else.
//! - bubblewrap cannot bound the number of files of a tmpfs; so the work directory is mounted one step before it, where
//!   the referee can also read it after everything inside has ended.
//! - The shell closes whatever files Crisol itself was started with: a run would inherit them. (Bash, because other
//!   shells cannot name files above 9.)
//! - It waits twice for a line: before it starts, so that it can be put into its control groups, and at the end,
//!   so that what the run left behind can be looked at.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::exploit::Limits;

/// The identity of nobody, on Debian and elsewhere.
const NOBODY: &str = "65534";
/// Files and directories that a run may make at least, and for each MiB of its work directory.
const WORK_INODES: u32 = 8_192;
const WORK_INODES_A_MIB: u32 = 64;
/// What a run finds programs by.
const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

/// Arguments: directory to mount, size, inodes, filter, status, and bubblewrap with its own.
const SCRIPT: &str = r#"
for fd in /proc/$$/fd/*; do
  fd=${fd##*/}
  ((fd > 2 && fd != 255)) && eval "exec $fd>&-"
done
read -r _ || exit 1
mount -t tmpfs -o "size=$2,nr_inodes=$3,mode=0755" none "$1" || exit 1
mkdir -m 0777 "$1/arena" "$1/tmp" "$1/shm" || exit 1
filter=$4 status=$5
shift 5
bwrap=$1
shift
"$bwrap" --seccomp 9 --json-status-fd 8 "$@" 9<"$filter" 8>"$status" </dev/null
exec >/dev/null 2>&1
read -r _
"#;

/// Where the parts of a run stand outside.
#[derive(Debug, Clone, Copy)]
pub(super) struct Places<'a> {
    /// Where the work directory is mounted.
    pub(super) work: &'a Path,
    /// The filter of system calls.
    pub(super) filter: &'a Path,
    /// Where bubblewrap tells what became of the run.
    pub(super) status: &'a Path,
}

/// Something of the outside that the run sees.
#[derive(Debug, Clone)]
pub(super) struct Bind {
    pub(super) from: std::path::PathBuf,
    pub(super) to: String,
    pub(super) writable: bool,
}

/// What is started.
#[derive(Debug)]
pub(super) struct Launch<'a> {
    pub(super) places: Places<'a>,
    pub(super) bwrap: &'a Path,
    pub(super) limits: Limits,
    /// Whether single processes must be bounded, because nothing bounds all of them.
    pub(super) by_process: bool,
    pub(super) drop_root: bool,
    pub(super) binds: &'a [Bind],
    pub(super) environment: &'a [(String, String)],
    pub(super) line: &'a str,
}

/// Returns how many files and directories a run may make whose work directory has so many MiB.
pub(super) fn inodes(work_mb: u64) -> u32 {
    let work_mb = u32::try_from(work_mb).unwrap_or(u32::MAX);
    work_mb.saturating_mul(WORK_INODES_A_MIB).max(WORK_INODES)
}

impl Launch<'_> {
    /// Returns the command; its standard streams are pipes.
    pub(super) fn command(&self) -> Command {
        let mut words: Vec<String> = Vec::new();
        let mut say = |text: &[&str]| words.extend(text.iter().map(|word| (*word).to_owned()));
        if self.drop_root {
            say(&[
                "setpriv",
                "--reuid",
                NOBODY,
                "--regid",
                NOBODY,
                "--clear-groups",
            ]);
        }
        let Limits {
            time_s,
            memory_mb,
            pids,
            work_mb,
            ..
        } = self.limits;
        say(&["prlimit", "--core=0", "--nofile=1024"]);
        // No process alone may use more than all cores could together.
        say(&[&format!("--cpu={}", time_s * 2)]);
        if self.by_process {
            say(&[
                &format!("--data={}", memory_mb << 20),
                &format!("--nproc={pids}"),
            ]);
        }
        say(&[
            "unshare",
            "--user",
            "--map-root-user",
            "--mount",
            "bash",
            "-c",
        ]);
        say(&[SCRIPT, "arena"]);
        say(&[
            &self.places.work.display().to_string(),
            &format!("{work_mb}m"),
            &inodes(work_mb).to_string(),
            &self.places.filter.display().to_string(),
            &self.places.status.display().to_string(),
            &self.bwrap.display().to_string(),
        ]);
        words.extend(self.walls());
        words.extend(["--", "/bin/sh", "-c", self.line].map(str::to_owned));
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command
            .args(words)
            .env_clear()
            .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Returns bubblewrap's arguments.
    fn walls(&self) -> Vec<String> {
        let mut words: Vec<String> = Vec::new();
        let mut say = |text: &[&str]| words.extend(text.iter().map(|word| (*word).to_owned()));
        say(&["--unshare-all", "--unshare-user", "--disable-userns"]);
        say(&["--uid", NOBODY, "--gid", NOBODY, "--cap-drop", "ALL"]);
        say(&[
            "--die-with-parent",
            "--new-session",
            "--hostname",
            "arena",
            "--clearenv",
        ]);
        say(&["--ro-bind", "/usr", "/usr"]);
        for top in ["/bin", "/sbin", "/lib", "/lib32", "/lib64"] {
            match std::fs::read_link(top) {
                Ok(link) => say(&["--symlink", &link.display().to_string(), top]),
                Err(_) => say(&["--ro-bind-try", top, top]),
            }
        }
        for shared in ["/etc/alternatives", "/etc/ld.so.cache", "/etc/localtime"] {
            say(&["--ro-bind-try", shared, shared]);
        }
        say(&["--proc", "/proc", "--dev", "/dev"]);
        let work = self.places.work;
        for (part, to) in [("arena", "/arena"), ("tmp", "/tmp"), ("shm", "/dev/shm")] {
            say(&["--bind", &work.join(part).display().to_string(), to]);
        }
        for bind in self.binds {
            let how = if bind.writable { "--bind" } else { "--ro-bind" };
            say(&[how, &bind.from.display().to_string(), &bind.to]);
        }
        // What is mounted above is a tmpfs without bounds, so nothing may be written there.
        say(&["--remount-ro", "/dev", "--remount-ro", "/"]);
        say(&["--chdir", "/arena"]);
        let own = [
            ("PATH", PATH),
            ("HOME", "/arena"),
            ("LANG", "C.UTF-8"),
            ("TMPDIR", "/tmp"),
        ];
        for (name, value) in own {
            say(&["--setenv", name, value]);
        }
        for (name, value) in self.environment {
            say(&["--setenv", name, value]);
        }
        words
    }
}
