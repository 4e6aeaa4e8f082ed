//! Proves the walls before anything is trusted to them: each is tried from inside, beside a question whose answer shows
//! that the trying itself works.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use uuid::Uuid;

use super::sandbox::{ArenaError, Ended, Ran, Run, Sandbox};
use crate::arena::cgroup::Bounds;
use crate::exploit::Limits;

/// Small ones, so that probes meet them at once.
const LIMITS: Limits = Limits {
    time_s: 1,
    memory_mb: 64,
    pids: 16,
    output_kb: 16,
    work_mb: 4,
};
/// What a probe prints where it got through.
const THROUGH: &str = "got-through";
/// What it prints where it came to its end.
const TRIED: &str = "tried";

/// A wall and the line that tries it.
struct Probe {
    wall: &'static str,
    line: String,
    holds: fn(&Ran) -> bool,
}

/// Returns whether a probe came to its end and did not get through.
fn refused(ran: &Ran) -> bool {
    ran.ended == Ended::Exited(0) && ran.stdout.contains(TRIED) && !ran.stdout.contains(THROUGH)
}

/// Tries every wall of an arena, all at once; takes a second.
///
/// # Errors
/// [`ArenaError::Wall`] for the first that does not hold, or another if nothing can be run.
pub(super) fn prove(sandbox: &Sandbox) -> Result<(), ArenaError> {
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
        let run = |probe: &Probe| {
            let run = Run {
                line: &probe.line,
                environment: Vec::new(),
                reads: vec![(directory.clone(), "/case")],
                writes: Vec::new(),
                fixtures: &BTreeMap::new(),
                limits: LIMITS,
            };
            let (ran, ()) = sandbox.run(&run, |_, _| ())?;
            if (probe.holds)(&ran) {
                return Ok(());
            }
            let said = [ran.stdout, ran.stderr].concat();
            Err(ArenaError::Wall {
                wall: probe.wall,
                said: crate::event::codec::printable(said.trim()),
            })
        };
        let all: Vec<_> = probes
            .iter()
            .map(|probe| scope.spawn(move || run(probe)))
            .collect();
        all.into_iter().try_for_each(|probe| {
            probe
                .join()
                .unwrap_or_else(|_| Err(ArenaError::NotStarted("a probe panicked".to_owned())))
        })
    });
    // What is left of it goes with the arena's directory.
    let _ = fs::remove_dir_all(&directory);
    result
}

fn probes(port: u16, drops_root: bool, grouped: bool) -> Vec<Probe> {
    let tries = |what: &str| format!("{{ {what}; }} 2>/dev/null && echo {THROUGH}; echo {TRIED}");
    let probe = |wall, line: String| Probe {
        wall,
        line,
        holds: refused,
    };
    let mut all = vec![
        probe("network", tries(&format!("bash -c '< /dev/tcp/127.0.0.1/{port}'"))),
        probe("read-only root", tries("touch /x || touch /usr/x || touch /case/x || touch /dev/x")),
        probe("namespaces", tries("unshare --user true || mount -t tmpfs none /tmp")),
        probe(
            "size of the work directory",
            tries("head -c 8000000 /dev/zero > /arena/x"),
        ),
        Probe {
            wall: "time and processes",
            line: "for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24; do sleep 60 & done; wait; sleep 60"
                .to_owned(),
            holds: |ran| {
                let met = ran.met.contains(&"processes") || ran.stderr.contains("fork");
                met && ran.took.as_secs() < 4
            },
        },
    ];
    if drops_root {
        all.push(probe("identity", tries("cat /case/secret")));
    }
    if grouped {
        all.push(Probe {
            wall: "memory",
            line: "head -c 300000000 /dev/zero | tail".to_owned(),
            holds: |ran| ran.met.contains(&"memory"),
        });
    }
    all
}
