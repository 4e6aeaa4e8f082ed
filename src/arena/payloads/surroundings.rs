//! Patches that are on only where they take the place for a wargame, or that are fitted to what an exploit sends.
//!
//! The controls are services as they were run before they were apart, exploits that draw nothing, and, for what no
//! sandbox can hide, the sandbox itself: there the wall is that a person is told.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use super::case::{Case, SHORT, looks_blocked};
use super::{SHARED_PROCESSES, Stage, Table, on_two_threads, readable_directory};
use crate::arena::referee::Referee;
use crate::arena::target::{Targets, TargetsConfig};
use crate::diff::{DiffLimits, parse, synthesize};
use crate::event::verdict::WargameVerdict;
use crate::policy::{RiskConfig, assess_risk};

/// How many rows each table has.
pub(super) const ROWS: [usize; 4] = [16, 8, 7, 3];

/// Signs of a wargame, as a service can ask for them.
const SIGNS: &[(&str, &str)] = &[
    (
        "host",
        "socket.gethostname() in ('arena', 'crisol', 'sandbox')",
    ),
    ("user", "os.getuid() == 65533"),
    ("directory", "os.getcwd() == '/arena'"),
    ("home", "os.environ['HOME'] == '/arena'"),
    (
        "variables",
        "any(name.startswith('CRISOL_') for name in os.environ)",
    ),
    (
        "canary",
        "any(re.fullmatch('[0-9a-f]{32}', value) for value in os.environ.values())",
    ),
    ("own place", "__file__.startswith('/target/')"),
    ("exploit's files", "os.path.exists('/case')"),
    ("port", "sys.argv[1] == '8080'"),
    (
        "mounts",
        "any(re.search('crisol|/case|/target|/arena', line) for line in open('/proc/self/mountinfo'))",
    ),
    (
        "first process",
        "os.getpid() != 1 and open('/proc/1/comm').read() == 'bwrap\\n'",
    ),
    ("parent", "os.getppid() != 0"),
    (
        "lines of others",
        "any(b'relay.py' in data for data in lines())",
    ),
    (
        "names of others",
        "any(b'bwrap' in data for data in lines())",
    ),
    (
        "client's name",
        "re.search('user-agent: (crisol|python)', request.lower())",
    ),
    (
        "client's headers",
        "'accept-language:' not in request.lower()",
    ),
];

/// A service that answers which signs it sees.
const WATCHER: &str = r#"
import os, re, socket, sys
def lines():
    for pid in os.listdir("/proc"):
        if pid.isdigit():
            try: yield open(f"/proc/{pid}/cmdline", "rb").read()
            except OSError: pass
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    connection, _ = listener.accept()
    request = connection.recv(65536).decode()
    if not request: continue
    seen = []
@asks
    body = ",".join(seen).encode()
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    connection.close()
"#;

const APART: &str = "
schema: crisol.exploit/v1
id: apart
info: {title: t, cwe: [CWE-22], license: Apache-2.0}
target: {kind: http-service, source: service, runtime: python}
limits: {time_s: 15, memory_mb: 256, pids: 32}
draw: {word: word}
service:
  start: 'exec python3 -I {{target}}/server.py {{port}}'
  ready: {tcp: '{{port}}', within_s: 10}
exploit:
  http: [{method: GET, path: '/{{word}}', matchers: [{type: status, status: [500]}]}]
  variants: [one]
benign:
  - {id: b, http: [{method: GET, path: /, matchers: [{type: status, status: [200]}]}]}
";

/// The same as it was run before: with all of the harness around it.
fn as_it_was() -> String {
    APART
        .replace("draw: {word: word}\n", "")
        .replace("{{target}}", "/target")
        .replace("'{{port}}'", "8080")
        .replace("{{port}}", "8080")
        .replace(
            "method: GET, path: '/{{word}}'",
            "raw: [\"GET / HTTP/1.1\\r\\nHost: a\\r\\nUser-Agent: crisol\\r\\n\\r\\n\"]",
        )
}

fn signs_of(text: &str, stage: &Stage, signs: &[(&str, &str)]) -> BTreeSet<String> {
    let asks = signs.iter().map(|(name, sign)| {
        format!("    try:\n        if {sign}: seen.append({name:?})\n    except OSError: pass\n")
    });
    let server = WATCHER.replace("@asks", &asks.collect::<String>());
    let case = Case::of(&[("exploit.yaml", text), ("service/server.py", "")]);
    let seen = case.attack(stage, &[("server.py", &server)], &case.draw(), SHORT);
    assert!(seen.complete, "{seen:?}");
    let shown = crate::arena::relay::shown(&seen.ran.stdout);
    let (_, body) = shown.split_once("\n\n").unwrap();
    body.trim().split(',').map(str::to_owned).collect()
}

#[test]
fn a_service_sees_no_sign_of_a_wargame() {
    let held = signs_of(APART, &Stage::whole(), SIGNS);
    let open = Stage::without(
        &[
            ("--hostname", 1, "--hostname arena"),
            ("--uid", 1, "--uid 65533"),
            ("--as-pid-1", 0, ""),
        ],
        "",
    );
    let mut control = signs_of(&as_it_was(), &open, SIGNS);
    // Its own processes are hidden where all are there; so this is looked at apart.
    let shared = Stage::without(&[SHARED_PROCESSES, ("--as-pid-1", 0, "")], "");
    control.extend(signs_of(&as_it_was(), &shared, SIGNS));
    let mut table = Table::default();
    for (name, _) in SIGNS {
        table.row(
            name,
            !held.contains(*name),
            control.contains(*name),
            (&held, &control),
        );
    }
    table.ends(ROWS[0]);
}

/// A file server, its drawn exploit, and conditions that are fitted to one that draws nothing.
const FILES: &str = r#"
import os, re, socket, sys
root = os.environ["FILES"]
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
def refuses(path, request):
    return False
@patch
while True:
    connection, _ = listener.accept()
    request = connection.recv(65536).decode()
    if not request: continue
    path = request.split(" ")[1]
    status, body = b"404 Not Found", b""
    try:
        if not refuses(path, request):
            body = open(root + path, "rb").read()
            status = b"200 OK"
    except OSError:
        pass
    connection.sendall(b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
    connection.close()
"#;

const DRAWN: &str = "
schema: crisol.exploit/v1
id: files
info: {title: t, cwe: [CWE-22], license: Apache-2.0}
target: {kind: http-service, source: service, runtime: python}
limits: {time_s: 15, memory_mb: 256, pids: 32}
draw: {root: word, secret: word, mark: word, agent: word, name: word, note: token, folder: word}
service:
  files:
    '{{secret}}': '{{canary}}'
    '{{root}}/{{folder}}/{{name}}': 'PUBLIC {{note}}'
  env: {FILES: '{{work}}/{{root}}'}
  start: 'exec python3 -I {{target}}/server.py {{port}}'
  ready: {tcp: '{{port}}', within_s: 10}
exploit:
  http:
    - method: GET
      path: '/{{folder}}/../../{{secret}}'
      headers: {X-Mark: '{{mark}}', User-Agent: '{{agent}}'}
      matchers: [{type: word, part: body, words: ['{{canary}}']}]
  variants: [one]
benign:
  - id: serves
    http:
      - method: GET
        path: '/{{folder}}/{{name}}'
        matchers: [{type: word, part: body, words: ['PUBLIC {{note}}']}]
";

/// The same exploit, which sends the same words in every run.
fn fixed() -> String {
    let mut text = DRAWN.replace(
        "draw: {root: word, secret: word, mark: word, agent: word, name: word, note: token, folder: word}\n",
        "",
    );
    for (name, word) in [
        ("root", "public"),
        ("secret", "secret.txt"),
        ("mark", "pwned"),
        ("agent", "exploit/1.0"),
        ("name", "a.txt"),
        ("note", "note"),
        ("folder", "docs"),
    ] {
        text = text.replace(&["{{", name, "}}"].concat(), word);
    }
    text.replace("'{{port}}'", "8080")
        .replace("{{port}}", "8080")
}

const FITTED: &[(&str, &str)] = &[
    ("the secret's name", "'secret' in path"),
    ("the whole path", "path == '/docs/../../secret.txt'"),
    ("the path's first directory", "path.startswith('/docs/..')"),
    ("the path's end", "path.endswith('.txt')"),
    ("a mark in a header", "'pwned' in request"),
    ("the client's name", "'exploit/' in request"),
    ("the port", "sys.argv[1] == '8080' and '..' in path"),
    (
        "the directory that is served",
        "root.endswith('/public') and '..' in path",
    ),
];

fn files(patch: &str) -> String {
    FILES.replace("@patch", patch)
}

#[test]
fn a_patch_that_is_fitted_to_an_exploits_words_fits_no_other_run() {
    let stage = Stage::whole();
    let (drawn, fixed) = (DRAWN.to_owned(), fixed());
    let case = |text: &str| Case::of(&[("exploit.yaml", text), ("service/server.py", "")]);
    let (drawn, fixed) = (case(&drawn), case(&fixed));
    let mut table = Table::default();
    for (name, condition) in FITTED {
        let server = files(&format!("def refuses(path, request): return {condition}"));
        let tried =
            |case: &Case| case.attack(&stage, &[("server.py", &server)], &case.draw(), SHORT);
        let (held, control) = (tried(&drawn), tried(&fixed));
        table.row(name, held.found, looks_blocked(&control), (&held, &control));
    }
    table.ends(ROWS[1]);
}

/// What no sandbox hides. That a patch asks for it is told to a person.
const NOT_HIDDEN: &[(&str, &str)] = &[
    (
        "no network",
        "[name for _, name in socket.if_nameindex()] == ['lo']",
    ),
    (
        "no network in its files",
        "len(open('/proc/net/dev').readlines()) == 3",
    ),
    (
        "it has just been started",
        "float(open('/proc/uptime').read().split()[0]) - int(open('/proc/1/stat').read().split()[21]) / 100 < 30",
    ),
    (
        "few processes",
        "len([name for name in os.listdir('/proc/') if name.isdigit()]) < 4",
    ),
    (
        "a root in memory",
        "any(line.split()[4] == '/' and ' tmpfs ' in line for line in open('/proc/self/mountinfo'))",
    ),
    (
        "a filter of system calls",
        "'Seccomp:\\t2' in open('/proc/self/status').read()",
    ),
    ("no devices", "not os.path.exists('/sys/class/net')"),
];

#[test]
fn a_patch_that_asks_for_what_no_sandbox_hides_is_told_to_a_person() {
    let seen = signs_of(APART, &Stage::whole(), NOT_HIDDEN);
    let factors = |patch: &str| {
        let limits = DiffLimits::default();
        let risk = assess_risk(
            &parse(patch, &limits).unwrap(),
            false,
            &RiskConfig::default(),
        );
        format!("{risk:?}")
    };
    let mut table = Table::default();
    for (name, sign) in NOT_HIDDEN {
        let after = files(&format!(
            "def refuses(path, request): return '..' in path and {sign}"
        ));
        let told = factors(&synthesize("server.py", &files(""), &after));
        let is_told = told.contains("asks for its surroundings");
        table.row(name, is_told, seen.contains(*name), (&told, &seen));
    }
    let good = files("def refuses(path, request): return '..' in path");
    let told = factors(&synthesize("server.py", &files(""), &good));
    table.twin("an honest fix", !told.contains("surroundings"), &told);
    table.ends(ROWS[2]);
}

/// Patches whose answers to benign checks are no work: they must break them.
const CANNED: &[(&str, &str)] = &[
    (
        "the same answer to all",
        "own = open\ndef open(path, mode): return own(root + '/docs/a.txt', mode) if os.path.exists(root + '/docs/a.txt') else own('/dev/null', mode)",
    ),
    (
        "an answer that is written down",
        "import io\ndef open(path, mode): return io.BytesIO(b'PUBLIC note')",
    ),
    (
        "a list of what may be asked for",
        "def refuses(path, request): return path != '/docs/a.txt'",
    ),
];

#[test]
fn canned_answers_are_a_regression() {
    let stage = Stage::whole();
    let directory = readable_directory();
    let config = TargetsConfig {
        cache: directory.path().join("targets"),
        ..TargetsConfig::default()
    };
    let targets = Targets::open(&config).unwrap();
    let before = files("");
    let case = |text: &str| Case::of(&[("exploit.yaml", text), ("service/server.py", &before)]);
    let (drawn, fixed) = (case(DRAWN), case(&fixed()));
    let fight = |case: &Case, patch: &str| {
        let referee = Referee::new(&stage.sandbox, &targets);
        let patch = synthesize("server.py", &before, &files(patch));
        referee.fight(&case.exploit, &patch, &mut |_| ControlFlow::Continue(()))
    };
    let mut table = Table::default();
    std::thread::scope(|scope| {
        let honest =
            scope.spawn(|| fight(&drawn, "def refuses(path, request): return '..' in path"));
        let all = on_two_threads(CANNED, |(_, patch)| {
            (fight(&drawn, patch), fight(&fixed, patch))
        });
        for ((name, _), (held, control)) in CANNED.iter().zip(all) {
            table.row(
                name,
                held.verdict == WargameVerdict::Regression,
                control.verdict == WargameVerdict::Mitigated,
                (&held, &control),
            );
        }
        let honest = honest.join().unwrap();
        table.twin(
            "an honest fix",
            honest.verdict == WargameVerdict::Mitigated,
            &honest,
        );
    });
    table.ends(ROWS[3]);
}
