//! A service under test against the trusted client beside it: its processes, its memory, its files, and what it needs.
//!
//! The client holds a secret in every way in which a program can hold one, and the service looks for it. As the control
//! both run in one sandbox, as they did before services had one of their own.

use std::collections::BTreeMap;

use super::{LIMITS, NO_FILTER, Stage, Table, answers, run_of};
use crate::arena::sandbox::{Ran, ServiceRun};
use crate::arena::surroundings::Surroundings;
use crate::exploit::Limits;

/// How many rows each table has.
pub(super) const ROWS: [usize; 2] = [29, 3];

const CLIENT: &str = include_str!("identities/client.py");
const SERVICE: &str = include_str!("identities/service.py");
const CLIENT_PATH: &str = "/crisol/client.py";
const SERVICE_PATH: &str = "/opt/service.py";
const PORT: u16 = 18_123;
/// What the client knows and nobody else.
const SECRET: &str = "5ecret-of-the-cl1ent";
const ROWS_OF_SERVICE: &[&str] = &[
    "environ",
    "cmdline",
    "memory",
    "descriptor",
    "maps",
    "root",
    "cwd",
    "status",
    "vm_read",
    "vm_write",
    "ptrace",
    "pidfd_getfd",
    "pidfd_send_signal",
    "signal",
    "stop",
    "priority",
    "limits",
    "affinity",
    "oom_score",
    "stdout",
    "plan",
    "scratch",
    "shared_memory_file",
    "socket_file",
    "system_v_memory",
    "system_v_semaphore",
    "system_v_messages",
    "posix_messages",
    "first_process",
];

fn line(what: &str) -> String {
    format!("exec /usr/bin/python3 -I {CLIENT_PATH} {PORT} {what}")
}

fn environment() -> Vec<(String, String)> {
    vec![("CRISOL_CANARY".to_owned(), SECRET.to_owned())]
}

/// Returns what the client printed while the service beside it did this.
fn apart(stage: &Stage, what: &str, limits: Limits) -> Ran {
    let own = BTreeMap::from([(CLIENT_PATH.to_owned(), CLIENT.to_owned())]);
    let of_service = BTreeMap::from([(SERVICE_PATH.to_owned(), SERVICE.to_owned())]);
    let line = line(what);
    let mut run = run_of(&line, &own, limits);
    run.environment = environment();
    let service = ServiceRun {
        line: &format!("exec /usr/bin/python3 -I {SERVICE_PATH} {PORT}"),
        environment: Vec::new(),
        reads: Vec::new(),
        tree: None,
        fixtures: &of_service,
        files: BTreeMap::new(),
        directories: Vec::new(),
        surroundings: Surroundings::drawn("/srv/data"),
        port: PORT,
        within_s: 15,
    };
    let mut session = stage.sandbox.start(&run, Some(&service)).unwrap();
    let ran = session.finish().unwrap();
    session.end_service();
    ran
}

/// Returns the same where both are in one sandbox.
fn together(stage: &Stage, what: &str, limits: Limits) -> Ran {
    let all = BTreeMap::from([
        (CLIENT_PATH.to_owned(), CLIENT.to_owned()),
        (SERVICE_PATH.to_owned(), SERVICE.to_owned()),
    ]);
    let line = format!(
        "/usr/bin/python3 -I {SERVICE_PATH} {PORT} </dev/null >/dev/null 2>/tmp/log &\n{}",
        line(what)
    );
    let mut run = run_of(&line, &all, limits);
    run.environment = environment();
    stage.sandbox.run(&run, |_, _| ()).unwrap().0
}

#[test]
fn a_service_finds_nothing_of_its_client_but_a_port() {
    let held = apart(&Stage::whole(), "look", LIMITS);
    let control = together(&Stage::without(&[NO_FILTER], ""), "look", LIMITS);
    let (of_held, of_control) = (answers(&held), answers(&control));
    let mut table = Table::default();
    for name in ROWS_OF_SERVICE {
        let answer = |of: &BTreeMap<String, String>| of.get(*name).cloned().unwrap_or_default();
        let (one, other) = (answer(&of_held), answer(&of_control));
        table.row(
            name,
            one.starts_with("none"),
            other == "found",
            (&one, &other),
        );
    }
    // The client was what was looked for, in both.
    for ran in [&held, &control] {
        table.twin(
            "the client goes on",
            ran.stdout.contains("client done\n"),
            ran,
        );
    }
    let forged = |ran: &Ran| ran.stdout.contains("forged by the service");
    table.twin("what it said", !forged(&held) && forged(&control), &control);
    table.ends(ROWS[0]);
}

/// What a service uses up, and whether its client still has some of it.
#[test]
fn what_a_service_uses_up_is_its_own() {
    let (whole, open) = (Stage::whole(), Stage::without(&[], ""));
    let mut table = Table::default();
    for what in ["watches", "files", "shared_memory"] {
        let held = apart(&whole, what, LIMITS);
        let control = together(&open, what, LIMITS);
        let says =
            |ran: &Ran, wanted: &str| answers(ran).get("has").is_some_and(|has| has == wanted);
        table.row(
            what,
            says(&held, "enough"),
            says(&control, "none"),
            (&held.stdout, &control.stdout),
        );
    }
    table.ends(ROWS[1]);
}
