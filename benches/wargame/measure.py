"""What a wargame costs beside the exploit's own time, and whether two at once take two cores.

    cargo build --release && python3 benches/wargame/measure.py target/release/crisol

Ratios of one run of this script count; the milliseconds are of this machine.
"""

import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
RANGE = HERE.parent.parent / "exploits" / "range"
# A run that does nothing, in as many variants as an exploit may have.
NOTHING = """schema: crisol.exploit/v1
id: nothing
info: {title: a run that does nothing, license: Apache-2.0}
target: {kind: library, source: app, runtime: python}
exploit:
  run: %s
  variants: [%s]
  matchers: [{type: word, words: ['@evidence']}]
  complete: {delivered: '@delivered', done: '@done', status: [0]}
benign:
- {id: none, run: 'true', matchers: [{type: status, status: [0]}]}
"""
DIFF = "--- a/a.txt\n+++ b/a.txt\n@@ -1 +1 @@\n-a\n+b\n"


def wargame(crisol, exploit, patch):
    command = [crisol, "wargame", "run", "--json", "--exploit", str(exploit), "--patch", str(patch)]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def report(process):
    return json.loads(process.communicate()[0])


def overhead(crisol, line):
    """Milliseconds of a run inside, and of the same line outside, each at the median."""
    with tempfile.TemporaryDirectory() as directory:
        exploit = pathlib.Path(directory)
        (exploit / "app").mkdir()
        (exploit / "app" / "a.txt").write_text("a\n")
        (exploit / "patch.diff").write_text(DIFF)
        variants = ", ".join(f"v{n}" for n in range(32))
        (exploit / "exploit.yaml").write_text(NOTHING % (json.dumps(line), variants))
        inside = [run["took_ms"] for run in report(wargame(crisol, exploit, exploit / "patch.diff"))["runs"]]
    outside = []
    for _ in range(32):
        began = time.perf_counter()
        subprocess.run(["/bin/sh", "-c", line], check=True, stdout=subprocess.DEVNULL)
        outside.append((time.perf_counter() - began) * 1000)
    return statistics.median(inside), statistics.median(outside)


def in_all(crisol, at_once, count):
    """Seconds that so many wargames take, so many of them at once; what opening the arena takes is left out."""
    exploit = RANGE / "sql-injection"
    patch = exploit / "fix.diff"
    began = time.perf_counter()
    opened = 0.0
    for _ in range(count // at_once):
        running = [wargame(crisol, exploit, patch) for _ in range(at_once)]
        took = [report(process)["took_ms"] / 1000 for process in running]
        opened += max(took)
    return opened, time.perf_counter() - began


def main():
    crisol = sys.argv[1]
    rows = []
    for name, line in [
        ("nothing", "echo @delivered; echo @done"),
        ("Python", "python3 -c 'print(1)'; echo @delivered; echo @done"),
        ("Node.js", "node -e 'console.log(1)'; echo @delivered; echo @done"),
    ]:
        inside, outside = overhead(crisol, line)
        rows.append((name, inside, outside, inside - outside))
    for name, inside, outside, more in rows:
        print(f"{name:8} {inside:6.1f} ms inside, {outside:6.1f} ms outside, {more:6.1f} ms more")
    in_all(crisol, 1, 1)
    one, _ = in_all(crisol, 1, 6)
    two, _ = in_all(crisol, 2, 6)
    print(f"6 wargames: {one:.2f} s one after another, {two:.2f} s two at once, {one / two:.2f} times as many")


main()
