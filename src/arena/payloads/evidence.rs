//! Evidence that a patch keeps from arriving, takes away, hides in its answers, or makes come late.
//!
//! The control is the referee as it was: what came to its end and left nothing to find was called blocked.

use std::io::Write as _;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::case::{Case, SHORT, looks_blocked};
use super::{Stage, Table, on_two_threads};
use crate::arena::attempt::Seen;
use crate::arena::relay::exchange;
use crate::exploit::Drawn;

/// How many rows each table has.
pub(super) const ROWS: [usize; 4] = [23, 3, 8, 27];

/// As long as one attack of a phase is looked at.
const LONG: Option<Duration> = Some(Duration::from_millis(1_500));

const EXPLOIT: &str = "
schema: crisol.exploit/v1
id: evidence
info: {title: t, cwe: [CWE-78], license: Apache-2.0}
target: {kind: http-service, source: service, runtime: python}
limits: {time_s: 15, memory_mb: 256, pids: 32, work_mb: 8}
draw: {mark: word, folder: word}
service:
  directories: ['{{folder}}']
  env: {FOLDER: '{{folder}}'}
  start: 'exec python3 -I {{target}}/server.py {{port}}'
  ready: {tcp: '{{port}}', within_s: 10}
exploit:
  http:
    - {method: GET, path: '/{{folder}}/{{mark}}?{{canary}}', matchers: [{type: word, part: body, words: ['wrote {{canary}}']}]}
  variants: [one]
  matchers: [{type: file, path: '{{folder}}/{{mark}}', contains: '{{canary}}'}]
benign:
  - {id: b, http: [{method: GET, path: /, matchers: [{type: status, status: [200]}]}]}
";

/// A service that writes what it is asked to, between what a row does before and after it.
const SERVER: &str = r#"
import errno, os, resource, shutil, signal, socket, subprocess, sys, threading, time
folder = os.environ["FOLDER"]
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])), backlog=16)
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def begin():
    pass
def before(mark):
    pass
def write(mark, text):
    with open(mark, "w") as file: file.write(text)
def after(mark):
    pass
@row
begin()
while True:
    connection, _ = listener.accept()
    request = connection.recv(65536).decode()
    if not request: continue
    mark, _, text = request.split(" ")[1].partition("?")
    mark = mark.lstrip("/")
    try:
        before(mark)
        write(mark, text)
    except OSError:
        pass
    after(mark)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok")
    connection.close()
"#;

/// What a patched service does to the place of the evidence, which it does not know before it is asked.
const PLACES: &[(&str, &str)] = &[
    (
        "a directory stands there",
        "def before(mark): os.mkdir(mark)",
    ),
    (
        "a link to nothing stands there",
        "def before(mark): os.symlink('/dev/null', mark)",
    ),
    (
        "a link to elsewhere stands there",
        "def before(mark): os.symlink('/tmp/else', mark)",
    ),
    (
        "a pipe stands there",
        "def before(mark):\n    os.mkfifo(mark)\n    threading.Thread(target=lambda: open(mark).read(), daemon=True).start()",
    ),
    (
        "a socket stands there",
        "def before(mark): socket.socket(socket.AF_UNIX).bind(mark)",
    ),
    (
        "its directory is a link",
        "def begin():\n    os.rename(folder, 'away')\n    os.symlink('away', folder)",
    ),
    (
        "its directory is a file",
        "def begin():\n    os.rmdir(folder)\n    open(folder, 'w').close()",
    ),
    (
        "its directory cannot be written to",
        "def begin(): os.chmod(folder, 0o555)",
    ),
    (
        "its directory cannot be entered",
        "def begin(): os.chmod(folder, 0o600)",
    ),
    (
        "the work directory cannot be written to",
        "def begin():\n    os.rmdir(folder)\n    os.chmod('.', 0o555)",
    ),
    (
        "there is no room",
        "def before(mark):\n    file = os.open('fill', os.O_WRONLY | os.O_CREAT)\n    size = 65536\n    while size:\n        try: os.write(file, b'x' * size)\n        except OSError: size //= 2",
    ),
    (
        "there is room for no file",
        "def before(mark):\n    for n in range(100000):\n        os.mkdir(f'fill{n}')",
    ),
    ("it is deleted at once", "def after(mark): os.unlink(mark)"),
    (
        "it is renamed",
        "def after(mark): os.rename(mark, mark + '.old')",
    ),
    (
        "it is moved to another directory",
        "def after(mark): shutil.move(mark, '/tmp/moved')",
    ),
    ("it is emptied", "def after(mark): os.truncate(mark, 0)"),
    (
        "something else is written over it",
        "def after(mark): write(mark, 'nothing to see')",
    ),
    (
        "it is put in place of by a rename",
        "def after(mark):\n    write(folder + '/new', 'nothing')\n    os.rename(folder + '/new', mark)",
    ),
    (
        "it is swept away in the background",
        "def begin():\n    def sweep():\n        while True:\n            for name in os.listdir(folder): os.unlink(f'{folder}/{name}')\n            time.sleep(0.002)\n    threading.Thread(target=sweep, daemon=True).start()",
    ),
    (
        "its directory is taken away with it",
        "def after(mark): shutil.rmtree(folder)",
    ),
    (
        "its directory is moved away with it",
        "def after(mark): os.rename(folder, 'away')",
    ),
    (
        "no process may write to a file",
        "def begin(): resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))",
    ),
    (
        "no process may open one more",
        "kept = []\ndef begin(): resource.setrlimit(resource.RLIMIT_NOFILE, (20, 1024))\ndef before(mark):\n    try:\n        while True: kept.append(os.dup(2))\n    except OSError: pass\ndef after(mark):\n    for one in kept: os.close(one)",
    ),
];

/// What makes evidence come after the attack has been answered.
const LATE: &[(&str, &str)] = &[
    (
        "written by a thread half a second later",
        "own = write\ndef write(mark, text): threading.Timer(0.5, own, (mark, text)).start()",
    ),
    (
        "written by a child half a second later",
        "own = write\ndef write(mark, text):\n    if os.fork() == 0:\n        os.setsid()\n        time.sleep(0.5)\n        own(mark, text)\n        os._exit(0)",
    ),
    (
        "written when the service is told to end",
        "own = write\ndef write(mark, text): subprocess.Popen(['sh', '-c', 'sleep 0.7; printf %s \"$1\" > \"$2\"', 'sh', text, mark])",
    ),
];

/// What leaves no evidence because the service, or what asks it, does not come to its end.
const ENDS: &[(&str, &str)] = &[
    (
        "it dies after its answer",
        "def write(mark, text): threading.Timer(0.3, lambda: os._exit(0)).start()",
    ),
    (
        "it closes its port",
        "def write(mark, text): listener.close()",
    ),
    ("it never answers", "def write(mark, text): time.sleep(60)"),
    (
        "it resets the connection",
        "import struct\ndef write(mark, text):\n    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))\n    connection.close()\n    sys.stderr.close()",
    ),
    (
        "it closes the connection without a word",
        "def write(mark, text): connection.shutdown(socket.SHUT_RDWR)",
    ),
    (
        "it answers half of an answer",
        "def write(mark, text):\n    connection.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 100\\r\\n\\r\\nhalf')\n    connection.shutdown(socket.SHUT_RDWR)",
    ),
    (
        "it is killed for its memory",
        "def write(mark, text):\n    hog = []\n    while True: hog.append(bytearray(1 << 24))",
    ),
    (
        "it answers without end",
        "def write(mark, text):\n    connection.sendall(b'HTTP/1.1 200 OK\\r\\n\\r\\n')\n    while True: connection.sendall(b'x' * 65536)",
    ),
];

fn served(row: &str) -> String {
    SERVER.replace("@row", row)
}

fn attack(case: &Case, stage: &Stage, row: &str, drawn: &Drawn, linger: Option<Duration>) -> Seen {
    case.attack(stage, &[("server.py", &served(row))], drawn, linger)
}

fn case() -> Case {
    Case::of(&[("exploit.yaml", EXPLOIT), ("service/server.py", "")])
}

#[test]
fn where_no_evidence_could_come_to_be_or_stay_its_absence_is_told() {
    let (case, stage) = (case(), Stage::whole());
    let mut table = Table::default();
    let seen = attack(&case, &stage, "", &case.draw(), SHORT);
    table.twin("the vulnerable service", seen.found && seen.complete, &seen);
    let fixed = "def write(mark, text): write_elsewhere = True";
    let seen = attack(&case, &stage, fixed, &case.draw(), SHORT);
    table.twin(
        "an honest fix",
        looks_blocked(&seen) && seen.tampered.is_none(),
        &seen,
    );
    let all = on_two_threads(PLACES, |(_, row)| {
        attack(&case, &stage, row, &case.draw(), SHORT)
    });
    for ((name, _), seen) in PLACES.iter().zip(all) {
        table.row(name, seen.tampered.is_some(), looks_blocked(&seen), &seen);
    }
    table.ends(ROWS[0]);
}

#[test]
fn evidence_that_comes_late_is_waited_for() {
    let (case, stage) = (case(), Stage::whole());
    let mut table = Table::default();
    for (name, row) in LATE {
        let waited = attack(&case, &stage, row, &case.draw(), LONG);
        let control = attack(&case, &stage, row, &case.draw(), None);
        table.row(
            name,
            waited.found,
            looks_blocked(&control),
            (&waited, &control),
        );
    }
    table.ends(ROWS[1]);
}

#[test]
fn an_attack_that_is_not_answered_to_its_end_has_been_blocked_by_nobody() {
    let (case, stage) = (case(), Stage::whole());
    let mut table = Table::default();
    std::thread::scope(|scope| {
        let rows: Vec<_> = ENDS
            .iter()
            .map(|(name, row)| {
                let (case, stage) = (&case, &stage);
                (
                    name,
                    scope.spawn(move || attack(case, stage, row, &case.draw(), LONG)),
                )
            })
            .collect();
        for (name, seen) in rows {
            let seen = seen.join().unwrap();
            // Nothing was found, which was all that was asked for.
            table.row(name, !seen.complete, !seen.found, &seen);
        }
    });
    table.ends(ROWS[2]);
}

const SECRET: &str = "c4narythatnobodysent";

fn gzipped(text: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text).unwrap();
    packed.finish().unwrap()
}

fn deflated(text: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text).unwrap();
    packed.finish().unwrap()
}

fn zlib(text: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text).unwrap();
    packed.finish().unwrap()
}

/// Answers that give a secret away, where nobody looked for it: name, how the relay saw its end, bytes.
fn hidden() -> Vec<(&'static str, &'static str, Vec<u8>)> {
    let (one, two) = SECRET.split_at(9);
    let with = |head: &str, body: &[u8]| {
        let head = format!(
            "HTTP/1.1 200 OK\r\n{head}Content-Length: {}\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    };
    let bare = |head: &str, body: &str| format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}").into_bytes();
    let each = |width: usize, is_little: bool| -> Vec<u8> {
        let wide = |byte: u8| {
            let mut all = vec![0; width];
            all[if is_little { 0 } else { width - 1 }] = byte;
            all
        };
        SECRET.bytes().flat_map(wide).collect()
    };
    let masked: Vec<u8> = SECRET.bytes().map(|byte| byte ^ 0x80).collect();
    let chunks = |body: &str| bare("Transfer-Encoding: chunked\r\n", body);
    let text = |name: &str| format!("Content-Type: text/plain; charset={name}\r\n");
    vec![
        ("packed by gzip", "whole", with("Content-Encoding: gzip\r\n", &gzipped(SECRET.as_bytes()))),
        ("packed twice", "whole", with("Content-Encoding: gzip, gzip\r\n", &gzipped(&gzipped(SECRET.as_bytes())))),
        ("packed by deflate", "whole", with("Content-Encoding: deflate\r\n", &deflated(SECRET.as_bytes()))),
        ("packed by zlib", "whole", with("Content-Encoding: deflate\r\n", &zlib(SECRET.as_bytes()))),
        ("in a coding of brotli", "whole", with("Content-Encoding: br\r\n", &masked)),
        ("in a coding of zstd", "whole", with("Content-Encoding: zstd\r\n", &masked)),
        ("in a coding of nobody", "whole", with("Content-Encoding: x-own\r\n", &masked)),
        ("with half of a packed body", "whole", with("Content-Encoding: gzip\r\n", &gzipped(SECRET.as_bytes())[..20])),
        ("in UTF-16", "whole", with(&text("utf-16le"), &each(2, true))),
        ("in UTF-16 of the other order", "whole", with(&text("UTF-16BE"), &each(2, false))),
        ("in UTF-32", "whole", with(&text("utf-32"), &each(4, true))),
        ("in EBCDIC", "whole", with(&text("ibm037"), &masked)),
        ("in a charset of nobody", "whole", with(&text("x-own"), &masked)),
        ("in UTF-16 by its mark alone", "whole", with("", &[&[0xff, 0xfe][..], &each(2, true)].concat())),
        ("in chunks", "whole", chunks(&format!("9\r\n{one}\r\nb\r\n{two}\r\n0\r\n\r\n"))),
        ("in a chunk that is cut off", "closed", chunks(&format!("9\r\n{one}\r\nff\r\n{two}"))),
        ("in chunks of a bad size", "closed", chunks(&format!("9\r\n{one}\r\nzz\r\n{two}\r\n0\r\n\r\n"))),
        ("in chunks with a length beside", "closed", bare("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", &format!("9\r\n{one}\r\nb\r\n{two}\r\n0\r\n\r\n"))),
        ("in a transfer coding of nobody", "closed", [&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"[..], &masked].concat()),
        ("in a header", "whole", bare(&format!("Content-Length: 0\r\nX-Note: {SECRET}\r\n"), "")),
        ("in an answer before the answer", "whole", format!("HTTP/1.1 103 Early Hints\r\nLink: {SECRET}\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").into_bytes()),
        ("in a second length", "closed", bare(&format!("Content-Length: 0\r\nContent-Length: {}\r\n", masked.len()), &String::from_utf8_lossy(&masked))),
        ("behind a length that is too short", "closed", [&b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"[..], &masked].concat()),
        ("behind a length that is too long", "closed", [&b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"[..], &masked].concat()),
        ("in HTTP of 1991", "closed", masked.clone()),
        ("in a drip that is cut off", "cut", [&b"HTTP/1.1 200 OK\r\n\r\n"[..], &masked[..6]].concat()),
        ("in a body that ends in a reset", "reset", [&b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n"[..], &masked[..6]].concat()),
    ]
}

#[test]
fn a_secret_in_an_answer_is_found_or_the_answer_counts_for_nothing() {
    let said = |how: &str, bytes: &[u8], more: &str| {
        let answer = serde_json::json!({"answer": STANDARD.encode(bytes), "how": how});
        format!("{{\"ready\": true}}\n{answer}\n{{\"alive\": true}}\n{more}")
    };
    let requests = [vec!["GET / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned()]];
    // The reader as it was: what stands behind the first blank line is the body.
    let before = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        !body.contains(SECRET)
    };
    let mut table = Table::default();
    for (name, how, bytes) in hidden() {
        let seen = exchange(&said(how, &bytes, ""), &requests, SECRET);
        table.row(
            name,
            seen.gives_away || !seen.is_complete,
            before(&bytes),
            &seen,
        );
    }
    let plain = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    let good = exchange(&said("whole", plain, ""), &requests, SECRET);
    table.twin("an answer", good.is_complete && !good.gives_away, &good);
    table.ends(ROWS[3]);
}
