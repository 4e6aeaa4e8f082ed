//! Proves the walls before anything is trusted to them: each is tried from inside, beside a question whose answer shows
//! that the trying itself works.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::thread;

use serde::Serialize;
use uuid::Uuid;

use super::sandbox::{ArenaError, Ended, Ran, Run, Sandbox, ServiceRun, Work};
use super::surroundings::Surroundings;
use crate::arena::cgroup::Bounds;
use crate::event::codec::printable;
use crate::exploit::Limits;

/// Small ones, so that probes meet them soon; time enough for a busy machine.
const LIMITS: Limits = Limits {
    time_s: 20,
    memory_mb: 64,
    pids: 16,
    output_kb: 16,
    work_mb: 4,
    repeats: 1,
};
/// What a probe prints where it got through.
const THROUGH: &str = "got-through";
/// What it prints where it came to its end.
const TRIED: &str = "tried";

/// A wall of the sandbox, and whether it holds on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wall {
    /// Its name, also the label of its metric.
    pub name: &'static str,
    /// What it protects from.
    pub protects: &'static str,
    /// Whether it holds.
    pub holds: bool,
    /// What the probe printed where it does not, escaped.
    pub said: String,
}

/// A wall and the line that tries it.
struct Probe {
    name: &'static str,
    protects: &'static str,
    line: String,
    time_s: u64,
    holds: fn(&Ran) -> bool,
}

/// Returns whether a probe came to its end and did not get through.
fn refused(ran: &Ran) -> bool {
    ran.ended == Ended::Exited(0) && ran.stdout.contains(TRIED) && !ran.stdout.contains(THROUGH)
}

/// Returns all walls of a sandbox, each tried from inside; takes a second or two.
///
/// # Errors
/// [`ArenaError`] if nothing can be run at all.
pub(super) fn try_all(sandbox: &Sandbox) -> Result<Vec<Wall>, ArenaError> {
    let failed = |error| ArenaError::Io {
        doing: "prepare the probes".to_owned(),
        error,
    };
    let directory = sandbox
        .scratch()
        .join(format!("probe-{}", Uuid::new_v4().simple()));
    fs::create_dir(&directory).map_err(failed)?;
    fs::set_permissions(&directory, fs::Permissions::from_mode(0o755)).map_err(failed)?;
    let secret = directory.join("secret");
    fs::write(&secret, "only its owner may read this").map_err(failed)?;
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).map_err(failed)?;
    let outside = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
    let port = outside.local_addr().map_err(failed)?.port();

    let grouped = sandbox.bounds() != Bounds::Rlimits;
    let probes = probes(port, sandbox.drops_root(), grouped);
    let result = thread::scope(|scope| {
        let mut all: Vec<_> = probes
            .iter()
            .map(|probe| scope.spawn(|| probe.tries(sandbox, &directory)))
            .collect();
        all.push(scope.spawn(|| apart(sandbox)));
        let walls = all.into_iter().map(|probe| {
            let panicked = |_| Err(ArenaError::NotStarted("a probe panicked".to_owned()));
            probe.join().unwrap_or_else(panicked)
        });
        walls.collect()
    });
    // What is left of it goes with the arena's directory.
    let _ = fs::remove_dir_all(&directory);
    result
}

impl Probe {
    fn tries(&self, sandbox: &Sandbox, directory: &Path) -> Result<Wall, ArenaError> {
        let run = Run {
            line: &self.line,
            environment: Vec::new(),
            reads: vec![(directory.to_owned(), "/case")],
            fixtures: &BTreeMap::new(),
            limits: Limits {
                time_s: self.time_s,
                ..LIMITS
            },
        };
        let (ran, ()) = sandbox.run(&run, |_, _| ())?;
        Ok(wall(self.name, self.protects, (self.holds)(&ran), &ran))
    }
}

fn wall(name: &'static str, protects: &'static str, holds: bool, ran: &Ran) -> Wall {
    let said = [ran.stdout.as_str(), &ran.stderr].concat();
    Wall {
        name,
        protects,
        holds,
        said: match holds {
            true => String::new(),
            false => printable(said.trim()),
        },
    }
}

/// Tries whether a service and its client see anything of each other but a port.
fn apart(sandbox: &Sandbox) -> Result<Wall, ArenaError> {
    let port = 18_080;
    let serve = format!(
        "{{ ls /; tr '\\0' ' ' < /proc/1/environ; cat /proc/1/comm; id -u; }} > seen 2>&1\n\
         exec /usr/bin/python3 -m http.server {port} --bind 127.0.0.1"
    );
    let line = format!(
        "cat /proc/[0-9]*/cmdline | grep -aq http[.]serve && echo {THROUGH}\n\
         ls /srv/probe 2>/dev/null && echo {THROUGH}\n\
         bash -c '< /dev/tcp/127.0.0.1/{port}' && echo {TRIED}"
    );
    let none = BTreeMap::new();
    let run = Run {
        line: &line,
        environment: vec![("CRISOL_PROBE".to_owned(), "1".to_owned())],
        reads: Vec::new(),
        fixtures: &none,
        limits: Limits {
            memory_mb: 128,
            ..LIMITS
        },
    };
    let service = ServiceRun {
        line: &serve,
        environment: Vec::new(),
        reads: Vec::new(),
        tree: None,
        fixtures: &none,
        files: BTreeMap::new(),
        directories: Vec::new(),
        surroundings: Surroundings::drawn("/srv/probe"),
        port,
        within_s: 15,
    };
    let mut session = sandbox.start(&run, Some(&service))?;
    let ran = session.finish()?;
    let seen = Work::file(session.work(), "seen").unwrap_or_default();
    let seen = String::from_utf8_lossy(&seen).into_owned();
    let names = |word: &str| seen.to_lowercase().contains(word);
    // The first process of its sandbox is the service itself: no line of the harness is in there.
    let is_alone = names("srv")
        && !["crisol", "bwrap", "arena", "case"]
            .iter()
            .any(|word| names(word));
    let mut wall = wall(
        "service apart",
        "the client, the relay and the first process from the service under test",
        refused(&ran) && is_alone,
        &ran,
    );
    if !wall.holds {
        wall.said.push_str(&printable(&seen));
    }
    Ok(wall)
}

fn probes(port: u16, drops_root: bool, grouped: bool) -> Vec<Probe> {
    let tries = |what: &str| format!("{{ {what}; }} 2>/dev/null && echo {THROUGH}; echo {TRIED}");
    let probe = |name, protects, line: String| Probe {
        name,
        protects,
        line,
        time_s: LIMITS.time_s,
        holds: refused,
    };
    // Each call that is let through ends the trying; a kernel without it answers as if it were refused.
    let call = |numbers: &str| format!("perl -e 'exit(syscall({numbers}) == -1 ? 1 : 0)'");
    let socket = |family: u32, kind: u32, protocol: u32| {
        format!("perl -e 'exit(socket(my $s, {family}, {kind}, {protocol}) ? 0 : 1)'")
    };
    let families = [
        socket(40, 1, 0),
        socket(17, 3, 0),
        socket(16, 3, 16),
        socket(38, 5, 0),
        socket(2, 3, 1),
    ];
    let mut all = vec![
        probe(
            "network",
            "other machines and this one from requests",
            tries(&format!("bash -c '< /dev/tcp/127.0.0.1/{port}' || bash -c '< /dev/tcp/192.0.2.1/80'")),
        ),
        probe(
            "socket families",
            "hypervisor, kernel subsystems and raw packets from sockets that no program needs",
            tries(&families.join(" || ")),
        ),
        probe(
            "read-only root",
            "programs and exploit from being changed",
            tries("touch /x || touch /usr/x || touch /case/x || touch /dev/x || touch /etc/x"),
        ),
        probe(
            "namespaces",
            "the kernel from users, mounts and networks made inside",
            tries("unshare --user true || mount -t tmpfs none /tmp"),
        ),
        probe(
            "work directory",
            "the machine's memory from files",
            tries("head -c 8000000 /dev/zero > /arena/x || perl -e 'for (1..9000) { open(my $f, \">\", \"/tmp/$_\") or exit 1 }'"),
        ),
        probe(
            "environment",
            "secrets of Crisol from being read",
            tries("env | grep -Eiq 'secret|token|password|kafka|redis|postgres|home=/root' || cat /proc/*/environ | grep -aq CRISOL_"),
        ),
        Probe {
            name: "time and processes",
            protects: "the machine from runs without end and from forks",
            line: "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do sleep 60 & done; wait; sleep 60"
                .to_owned(),
            time_s: 1,
            holds: |ran| {
                let met = ran.met.contains(&"processes") || ran.stderr.contains("fork");
                met && ran.took.as_secs() < 8
            },
        },
    ];
    if cfg!(target_arch = "x86_64") {
        let calls = [
            "101, 0, 0, 0, 0",
            "0x40000065, 0, 0, 0, 0",
            "321, 0, 0, 0",
            "425, 8, 0",
            "250, 0, -3, 1",
            "272, 0x10000000",
            "444, 0, 0, 1",
            "467, -100, 0, 0, 0, 0",
        ];
        let calls: Vec<String> = calls.iter().map(|numbers| call(numbers)).collect();
        all.push(probe(
            "system calls",
            "the kernel from calls that no program under test needs, or that are newer than the filter",
            tries(&calls.join(" || ")),
        ));
    }
    if drops_root {
        all.push(probe(
            "identity",
            "files of root and of other runs from being read",
            tries("cat /case/secret || [ $(id -u) = 0 ]"),
        ));
    }
    if grouped {
        all.push(Probe {
            name: "memory",
            protects: "the machine's memory from programs",
            line: "head -c 300000000 /dev/zero | tail".to_owned(),
            time_s: LIMITS.time_s,
            holds: |ran| ran.met.contains(&"memory"),
        });
    }
    all
}
