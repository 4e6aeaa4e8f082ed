#!/usr/bin/env python3
"""Measures the judge on projects that it has not seen, for several ways of dealing out the projects.

    benches/forest/held_out.py patches.jsonl.gz [--crisol target/debug/crisol] [--splits 4] [--parts 5] [--json]

Each way deals the projects out into parts of about as many patches; each part is measured with `crisol evaluate
--stream` by a model that is fitted to the other parts, thresholds included. The first way deals out the largest
projects first, as the program's own folds do; every further one in an order drawn by its number. A part takes about
20 s on one core. What differs most is the projects, so look at all ways, not at the best.
"""

import argparse
import gzip
import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

# Projects of about the same size may change places in a drawn order: the largest must still come first, or the
# parts would not be about as large.
SIZE_CLASS = 400


def read(path):
    """Returns the lines of a file of labelled patches, each with its project and whether it is measured on."""
    opened = gzip.open if path.read_bytes()[:2] == b"\x1f\x8b" else open
    lines = []
    with opened(path, "rt") as file:
        for line in file:
            row = json.loads(line)
            counts = not row["tool"].startswith("developer") and row.get("label_tier") != "manual"
            lines.append((line, row["project"], counts))
    return lines


def dealt(lines, parts, way):
    """Returns the part of each project."""
    sizes = Counter(project for _, project, counts in lines if counts)
    order = sorted(sizes, key=lambda project: (-sizes[project], project))
    if way > 0:
        random.Random(way).shuffle(order)
        order.sort(key=lambda project: -(sizes[project] // SIZE_CLASS))
    load = [0] * parts
    part_of = {}
    for project in order:
        part = load.index(min(load))
        part_of[project] = part
        load[part] += sizes[project]
    return part_of


def measure(crisol, lines, part_of, part, orders):
    """Returns what `crisol evaluate` says of one part."""
    with tempfile.TemporaryDirectory() as directory:
        train, data = Path(directory, "train.jsonl"), Path(directory, "data.jsonl")
        with train.open("w") as others, data.open("w") as own:
            for line, project, counts in lines:
                if counts:
                    (own if part_of[project] == part else others).write(line)
        command = [crisol, "evaluate", "--stream", "--train", train, "--data", data]
        command += ["--orders", str(orders), "--json"]
        # What is left out of a file is told of each part; that is of interest once, and not here.
        ran = subprocess.run(command, capture_output=True)
        if ran.returncode != 0:
            sys.exit(ran.stderr.decode(errors="replace"))
        return json.loads(ran.stdout)


def together(measured):
    """Returns the figures of all parts: areas as means, shares over all patches."""
    n = sum(one["n"] for one in measured)
    decided = sum(one["n"] * one["decided_share"] for one in measured)
    right = sum(one["n"] * one["decided_share"] * one["decided_right"] for one in measured)
    second = [one["second_look"] for one in measured if one["second_look"]]
    passed = sum(one["n"] for one in second)
    accepted = sum(one["n"] * one["coverage"] for one in second)
    precise = sum(one["n"] * one["coverage"] * one["precision"] for one in second)
    return {
        "auc": sum(one["auc"] for one in measured) / len(measured),
        "upper_bound_auc": sum(one["upper_bound"]["auc"] for one in measured) / len(measured),
        "ece": sum(one["ece"] for one in measured) / len(measured),
        "decided_share": decided / n,
        "decided_right": right / max(decided, 1e-9),
        "second_look_coverage": accepted / max(passed, 1),
        "second_look_precision": precise / max(accepted, 1e-9),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file", type=Path)
    parser.add_argument("--crisol", default="target/debug/crisol")
    parser.add_argument("--splits", type=int, default=4)
    parser.add_argument("--parts", type=int, default=5)
    parser.add_argument("--orders", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    lines = read(args.file)
    ways = []
    for way in range(args.splits):
        part_of = dealt(lines, args.parts, way)
        measured = []
        for part in range(args.parts):
            measured.append(measure(args.crisol, lines, part_of, part, args.orders))
            if sys.stderr.isatty():
                done = way * args.parts + part + 1
                print(f"\r{done} of {args.splits * args.parts}", end="", file=sys.stderr, flush=True)
        areas = [round(one["auc"], 3) for one in measured]
        ways.append({"way": way, "areas": areas, **together(measured)})
    if sys.stderr.isatty():
        print("\r\033[K", end="", file=sys.stderr)
    if args.json:
        json.dump(ways, sys.stdout, indent=2)
        print()
        return
    print("| way | area of each part | area | with the truth | error | decided | right | second look | right |")
    print("|---|---|---|---|---|---|---|---|---|")
    for one in ways:
        figures = [one["auc"], one["upper_bound_auc"], one["ece"], one["decided_share"], one["decided_right"]]
        figures += [one["second_look_coverage"], one["second_look_precision"]]
        areas = ", ".join(f"{area:.3f}" for area in one["areas"])
        print(f"| {one['way'] + 1} | {areas} |", " | ".join(f"{figure:.3f}" for figure in figures), "|")


if __name__ == "__main__":
    main()
