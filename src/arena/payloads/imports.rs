//! What trusted code might load of its target, and what a library replaces of the process that it is attacked in.
//!
//! Over 400 lines, because most of them are rows: both tables are about what one process loads.

use std::collections::BTreeMap;

use super::case::{Case, SHORT, looks_blocked, write};
use super::{LIMITS, Stage, Table, readable_directory, run_of};
use crate::arena::guard::meddling;
use crate::arena::tamper::names_harness;
use crate::diff::{DiffLimits, parse, synthesize};

/// How many rows each table has.
pub(super) const ROWS: [usize; 4] = [16, 14, 9, 5];

const OF_A_SERVICE: &str = "
schema: crisol.exploit/v1
id: imports
info: {title: t, cwe: [CWE-94], license: Apache-2.0}
target: {kind: http-service, source: service, runtime: python}
limits: {time_s: 20, memory_mb: 256, pids: 32}
draw: {word: word}
service:
  start: 'python3 -I {{target}}/plant.py; exec python3 -I {{target}}/server.py {{port}}'
  ready: {tcp: '{{port}}', within_s: 10}
exploit:
  run: sh /case/imports.sh
  variants: [one]
  matchers: [{type: word, words: ['mark ']}]
  complete: {delivered: '@delivered', done: '@done', status: [0]}
benign:
  - {id: b, run: 'true', matchers: [{type: status, status: [0]}]}
";
const SERVER: &str = "import socket, sys, time
listener = socket.create_server(('127.0.0.1', int(sys.argv[1])))
while True: listener.accept()
";
/// What a trusted client loads: each in a process of its own, which says so if it was the target's.
const IMPORTS: &str = r#"
cat /case/names | while read -r name; do python3 -c "import $name" 2>/dev/null; done | grep '^mark' | sort -u
for name in plain by-main by-exports here; do node -e "require('$name')" 2>/dev/null; done
echo @delivered
echo @done
"#;
/// Modules that stand in the target.
const IN_TARGET: [&str; 9] = [
    "sitecustomize",
    "json",
    "socket",
    "http",
    "urllib",
    "ssl",
    "base64",
    "subprocess",
    "answers",
];
/// Plants more where the client would look in its own directory, if it were the service's.
const PLANT: &str = r#"
import os, sys
site = os.path.expanduser("~/.local/lib/python%d.%d/site-packages" % sys.version_info[:2])
os.makedirs(site)
os.makedirs("node_modules/here")
open(f"{site}/usercustomize.py", "w").write("print('mark usercustomize')")
open(f"{site}/own.pth", "w").write("import sys; print('mark own.pth')\n")
open("shlex.py", "w").write("print('mark shlex')")
open("node_modules/here/index.js", "w").write("console.log('mark here')")
"#;

fn mark(name: &str) -> String {
    format!("print('mark {name}')\n")
}

#[test]
fn a_trusted_client_loads_nothing_of_a_service() {
    let modules: Vec<(String, String)> = IN_TARGET
        .iter()
        .map(|name| (format!("{name}.py"), mark(name)))
        .collect();
    let mut tree: Vec<(&str, &str)> = modules
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    tree.extend([
        ("server.py", SERVER),
        ("plant.py", PLANT),
        ("node_modules/plain/index.js", "console.log('mark plain')"),
        (
            "node_modules/by-main/package.json",
            "{\"main\": \"./x/y.js\"}",
        ),
        ("node_modules/by-main/x/y.js", "console.log('mark by-main')"),
        (
            "node_modules/by-exports/package.json",
            "{\"exports\": {\".\": {\"require\": \"./z.js\"}}}",
        ),
        (
            "node_modules/by-exports/z.js",
            "console.log('mark by-exports')",
        ),
    ]);
    let names = [&IN_TARGET[1..], &["shlex"]].concat().join("\n") + "\n";
    let case = Case::of(&[
        ("exploit.yaml", OF_A_SERVICE),
        ("imports.sh", IMPORTS),
        ("names", &names),
        ("service/server.py", SERVER),
    ]);
    let stage = Stage::whole();
    let held = case.attack(&stage, &tree, &case.draw(), SHORT);
    // Where Python and Node.js look for it: as it was when the target stood in the client's sandbox.
    let target = readable_directory();
    write(target.path(), &tree);
    let fixtures = BTreeMap::from([
        ("/case/imports.sh".to_owned(), IMPORTS.to_owned()),
        ("/case/names".to_owned(), names),
    ]);
    let mut run = run_of(
        "/usr/bin/python3 -I /target/plant.py; exec sh /case/imports.sh",
        &fixtures,
        LIMITS,
    );
    run.limits.memory_mb = 256;
    run.reads = vec![(target.path().to_owned(), "/target")];
    run.environment = vec![
        ("PYTHONPATH".to_owned(), "/target".to_owned()),
        ("NODE_PATH".to_owned(), "/target/node_modules".to_owned()),
        ("PYTHONDONTWRITEBYTECODE".to_owned(), "1".to_owned()),
    ];
    let (control, ()) = stage.sandbox.run(&run, |_, _| ()).unwrap();
    let mut table = Table::default();
    let more = [
        "usercustomize",
        "own.pth",
        "shlex",
        "plain",
        "by-main",
        "by-exports",
        "here",
    ];
    for name in IN_TARGET.iter().chain(&more) {
        let line = format!("mark {name}");
        let loads = |text: &str| text.lines().any(|one| one == line);
        table.row(
            name,
            !loads(&held.ran.stdout),
            loads(&control.stdout),
            (&held.ran.stdout, &control.stdout),
        );
    }
    table.twin("the client", looks_blocked(&held), &held);
    table.ends(ROWS[0]);
}

const OF_A_LIBRARY: &str = "
schema: crisol.exploit/v1
id: in-process
info: {title: t, cwe: [CWE-94], license: Apache-2.0}
target: {kind: library, source: library, runtime: @runtime}
limits: {time_s: 15, memory_mb: 512, pids: 64}
draw: {mark: word}
exploit:
  run: @run
  variants: [one]
  matchers:
    - {type: file, path: '{{mark}}', contains: '{{canary}}'}
    - {type: word, words: ['got {{canary}}']}
  complete: {delivered: '@delivered', done: '@done', status: [0]}
benign:
  - {id: b, run: 'true', matchers: [{type: status, status: [0]}]}
";

const PYTHON_ATTACK: &str = r#"
import io, json, os, subprocess, sys
drawn = json.loads(os.environ["CRISOL_DRAWN"])
mark, canary = drawn["mark"], drawn["canary"]
import victim
print("@delivered", flush=True)
try:
    victim.load(open("/target/text").read().format(mark=mark, canary=canary))
except Exception:
    pass
print("@done", flush=True)
"#;
const PYTHON_LOADS: &str = "def load(text):\n    return eval(text)\n";
const WRITES: &str = "open('{mark}', 'w').write('{canary}')";
const BY_SHELL: &str = "__import__('os').system('echo {canary} > {mark}')";

/// What a patched library does beside what it did before, and what it is told to evaluate.
const PYTHON: &[(&str, &str, &str)] = &[
    (
        "builtins.open",
        "import builtins, io\nbuiltins.open = lambda *a, **k: io.StringIO()\n",
        WRITES,
    ),
    (
        "io.open",
        "import io\nio.open = lambda *a, **k: io.StringIO()\n",
        "__import__('io').open('{mark}', 'w').write('{canary}')",
    ),
    (
        "os.system",
        "import os\nos.system = lambda line: 0\n",
        BY_SHELL,
    ),
    (
        "os.open",
        "import os\nos.open = lambda *a, **k: 1 / 0\n",
        "__import__('os').write(__import__('os').open('{mark}', 65), b'{canary}')",
    ),
    (
        "subprocess.Popen",
        "import subprocess\nsubprocess.Popen = None\n",
        "__import__('subprocess').run('echo {canary} > {mark}', shell=True)",
    ),
    (
        "builtins.eval",
        "import builtins\nbuiltins.eval = lambda text: None\n",
        WRITES,
    ),
    (
        "builtins.__import__",
        "import builtins\nown = __import__\nbuiltins.__import__ = lambda name, *a: own('json' if name == 'os' else name, *a)\n",
        BY_SHELL,
    ),
    (
        "sys.stdout",
        "import sys\nclass Out:\n    def __init__(self, out): self.out = out\n    def write(self, text): return self.out.write('' if 'got' in text else text)\n    def flush(self): self.out.flush()\nsys.stdout = Out(sys.stdout)\n",
        "print('got {canary}')",
    ),
    (
        "json.dumps",
        "import json\njson.dumps = lambda value: ''\n",
        "print(__import__('json').dumps('got {canary}'))",
    ),
    (
        "an end before the guard's",
        "import os\ndef load(text):\n    os.write(1, b'@' + b'done\\n')\n    os._exit(0)\n",
        WRITES,
    ),
    (
        "another module in its place",
        "import sys, types\nfake = types.ModuleType('os')\nfake.system = lambda line: 0\nsys.modules['os'] = fake\n",
        BY_SHELL,
    ),
    ("another directory", "import os\nos.chdir('/tmp')\n", WRITES),
    (
        "sys.stdout.write",
        "import sys\nwrite = sys.stdout.write\nsys.stdout.write = lambda text: write('' if 'got' in text else text)\n",
        "print('got {canary}')",
    ),
    (
        "no room for a file",
        "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nresource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))\n",
        BY_SHELL,
    ),
];

const NODE_ATTACK: &str = r#"
const fs = require("fs");
const { mark, canary } = JSON.parse(process.env.CRISOL_DRAWN);
const text = fs.readFileSync("/target/text", "utf8").replaceAll("{mark}", mark).replaceAll("{canary}", canary);
const victim = require("/target/victim.js");
console.log("@delivered");
try { victim.load(text); } catch {}
console.log("@done");
"#;
const NODE_LOADS: &str = "exports.load = (text) => (0, eval)(text);\nglobalThis.own = require;\n";
const NODE_WRITES: &str = "own('fs').writeFileSync('{mark}', '{canary}')";

/// The same of Node.js.
const NODE: &[(&str, &str, &str)] = &[
    (
        "fs.writeFileSync",
        "require('fs').writeFileSync = () => {};\n",
        NODE_WRITES,
    ),
    (
        "fs.openSync and more",
        "const fs = require('fs'); fs.openSync = fs.writeSync = fs.closeSync = () => 0; fs.writeFileSync = fs.appendFileSync = () => {};\n",
        "own('fs').appendFileSync('{mark}', '{canary}')",
    ),
    (
        "child_process.execSync",
        "require('child_process').execSync = () => '';\n",
        "own('child_process').execSync('echo {canary} > {mark}')",
    ),
    (
        "Module._load",
        "const Module = require('module'); const load = Module._load; Module._load = (name, ...rest) => name === 'fs' ? { writeFileSync() {} } : load(name, ...rest);\n",
        NODE_WRITES,
    ),
    (
        "stdout.write",
        "const write = process.stdout.write.bind(process.stdout); process.stdout.write = (text, ...rest) => write(String(text).includes('got') ? '' : text, ...rest);\n",
        "console.log('got {canary}')",
    ),
    (
        "console.log",
        "const log = console.log; console.log = (text) => { if (!text.includes('got')) log(text); };\n",
        "console.log('got {canary}')",
    ),
    (
        "JSON.stringify",
        "JSON.stringify = () => '';\n",
        "console.log(JSON.stringify({a: 'got {canary}'}))",
    ),
    (
        "an end before the guard's",
        "exports.load = () => { require('fs').writeSync(1, '@' + 'done\\n'); process.reallyExit(0); };\n",
        NODE_WRITES,
    ),
    ("another directory", "process.chdir('/tmp');\n", NODE_WRITES),
];

/// Patches of a library that say what only the harness says.
const FORGED: &[(&str, &str)] = &[
    (
        "lines printed by atexit",
        "import atexit\natexit.register(lambda: print('@done'))\ndef load(text):\n    raise SystemExit(0)\n",
    ),
    (
        "lines printed by __del__",
        "class Late:\n    def __del__(self, say=print): say('@done', flush=True)\nlate = Late()\ndef load(text):\n    raise SystemExit(0)\n",
    ),
    (
        "lines printed by a child",
        "import os, subprocess\ndef load(text):\n    subprocess.run(['echo', '@done'])\n    raise SystemExit(0)\n",
    ),
    (
        "on where the harness is",
        "import os\ndef load(text):\n    if 'CRISOL_DRAWN' not in os.environ: return eval(text)\n",
    ),
    (
        "on where the relay or the guard is",
        "import os\ndef load(text):\n    if not os.path.exists('/crisol/guard'): return eval(text)\n",
    ),
];

fn in_process(runtime: &str, run: &str, attack: (&str, &str), library: (&str, &str)) -> Case {
    let text = OF_A_LIBRARY
        .replace("@runtime", runtime)
        .replace("@run", run);
    Case::of(&[("exploit.yaml", &text), attack, library])
}

/// Tries rows of libraries that replace what the attack stands on, against the guard.
fn replaced(
    case: &Case,
    file: &str,
    loads: &str,
    writes: &str,
    rows: &[(&str, &str, &str)],
    count: usize,
) {
    let stage = Stage::whole();
    let tried = |more: &str, text: &str| {
        let library = [loads, more].concat();
        case.attack(
            &stage,
            &[(file, &library), ("text", text)],
            &case.draw(),
            SHORT,
        )
    };
    let before = tried("", writes);
    let mut table = Table::default();
    table.twin(
        "the library as it is",
        before.found && before.watched.is_some(),
        &before,
    );
    // An honest fix is no meddling.
    let fixed = case.attack(
        &stage,
        &[(file, &loads.replace("eval", "String")), ("text", writes)],
        &case.draw(),
        SHORT,
    );
    let told = meddling(before.watched.as_ref(), fixed.watched.as_ref());
    table.twin(
        "an honest fix",
        looks_blocked(&fixed) && told.is_none(),
        (&fixed, told),
    );
    for (name, more, text) in rows {
        // The same text is evidence where nothing is replaced.
        let seen = tried(more, text);
        let told = meddling(before.watched.as_ref(), seen.watched.as_ref());
        table.row(name, told.is_some(), looks_blocked(&seen), (&told, &seen));
    }
    table.ends(count);
}

#[test]
fn a_python_library_that_replaces_what_it_is_attacked_by_is_told() {
    let case = in_process(
        "python",
        "python3 /case/attack.py",
        ("attack.py", PYTHON_ATTACK),
        ("library/victim.py", PYTHON_LOADS),
    );
    replaced(&case, "victim.py", PYTHON_LOADS, WRITES, PYTHON, ROWS[1]);
}

#[test]
fn a_library_of_nodejs_that_replaces_what_it_is_attacked_by_is_told() {
    let case = in_process(
        "node",
        "node /case/attack.js",
        ("attack.js", NODE_ATTACK),
        ("library/victim.js", NODE_LOADS),
    );
    replaced(&case, "victim.js", NODE_LOADS, NODE_WRITES, NODE, ROWS[2]);
}

#[test]
fn a_library_that_says_what_the_harness_says_is_told() {
    let case = in_process(
        "python",
        "python3 /case/attack.py",
        ("attack.py", PYTHON_ATTACK),
        ("library/victim.py", PYTHON_LOADS),
    );
    let stage = Stage::whole();
    let mut table = Table::default();
    for (name, more) in FORGED {
        let after = [PYTHON_LOADS, more].concat();
        let patch = synthesize("victim.py", PYTHON_LOADS, &after);
        let limits = DiffLimits::default();
        let told = names_harness(&parse(&patch, &limits).unwrap(), &case.exploit);
        let seen = case.attack(
            &stage,
            &[("victim.py", &after), ("text", WRITES)],
            &case.draw(),
            SHORT,
        );
        table.row(name, told.is_some(), looks_blocked(&seen), (told, &seen));
    }
    let good = synthesize(
        "victim.py",
        PYTHON_LOADS,
        &PYTHON_LOADS.replace("eval", "str"),
    );
    let limits = DiffLimits::default();
    let told = names_harness(&parse(&good, &limits).unwrap(), &case.exploit);
    table.twin("an honest fix", told.is_none(), told);
    table.ends(ROWS[3]);
}
