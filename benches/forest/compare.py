"""Compares scores, explanations and times of one forest with scikit-learn, ONNX Runtime and shap.

    make compare ARGS="[DIR ...]"

Each DIR holds `forest.json` and `rows.npy` (<f4, C order); the bench `forest` adds our scores and
explanations. Without a DIR two forests are trained on made-up rows. All three others get the same
nodes, not a forest of their own. The packages are installed into a virtual environment under
`target/`, from `requirements.txt`. It ends with 1 when anything differs by more than its limit.
"""

import argparse
import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
TARGET = ROOT / "target"
ENVIRONMENT = TARGET / "compare-venv"
REQUIREMENTS = HERE / "requirements.txt"

# Largest difference of a score: doubles, and a runtime that adds up in float32.
DOUBLE_LIMIT = 1e-6
FLOAT_LIMIT = 1e-5
SHAP_LIMIT = 1e-6
BATCH = 512


def enter_environment():
    """Runs this script again inside its environment, which is made where it is missing or old."""
    python = ENVIRONMENT / "bin" / "python"
    if Path(sys.prefix) == ENVIRONMENT:
        return
    stamp = ENVIRONMENT / "requirements.txt"
    if not stamp.exists() or stamp.read_text() != REQUIREMENTS.read_text():
        venv.create(ENVIRONMENT, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "-r", REQUIREMENTS], check=True)
        stamp.write_text(REQUIREMENTS.read_text())
    os.execv(python, [str(python), *sys.argv])


def bench(*arguments):
    """Returns what the bench `forest` prints."""
    command = ["cargo", "bench", "--quiet", "--bench", "forest", "--", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout


def median_ns(calls, call):
    """Returns the median time of one call, in ns."""
    for at in range(calls // 10 + 1):
        call(at)
    times = []
    for at in range(calls):
        began = time.perf_counter_ns()
        call(at)
        times.append(time.perf_counter_ns() - began)
    return sorted(times)[calls // 2]


def trees_of(forest):
    """Yields each tree's arrays, with links that count from its root and -1 at leaves."""
    import numpy as np

    arrays = {
        "feature": np.array(forest["feature"], np.int64),
        "threshold": np.array(forest["threshold"], np.float32),
        "left": np.array(forest["left"], np.int64),
        "right": np.array(forest["right"], np.int64),
        "value": np.array(forest["value"], np.float32),
        "cover": np.array(forest["cover"], np.float64),
    }
    ends = forest["roots"][1:] + [len(forest["feature"])]
    for root, end in zip(forest["roots"], ends):
        tree = {name: values[root:end] for name, values in arrays.items()}
        leaf = tree["left"] == 0
        tree["left"] = np.where(leaf, -1, tree["left"] - root)
        tree["right"] = np.where(leaf, -1, tree["right"] - root)
        tree["leaf"] = leaf
        yield tree


def spoiled(forest):
    """Returns the forest with the leaves of its first tree stretched: every check must notice."""
    end = (forest["roots"] + [len(forest["feature"])])[1]
    return {**forest, "value": [value * 1.5 for value in forest["value"][:end]] + forest["value"][end:]}


def shap_explainer(forest):
    """Returns shap's explainer of the same trees."""
    import numpy as np
    import shap

    mean = forest["link"] == "mean"
    scale = 1.0 / len(forest["roots"]) if mean else 1.0
    trees = [
        {
            "children_left": tree["left"],
            "children_right": tree["right"],
            "children_default": tree["left"],
            "features": np.where(tree["leaf"], -1, tree["feature"]),
            "thresholds": tree["threshold"].astype(np.float64),
            "values": (tree["value"].astype(np.float64) * scale).reshape(-1, 1),
            "node_sample_weight": tree["cover"],
        }
        for tree in trees_of(forest)
    ]
    model = {"trees": trees, "base_offset": forest["base"], "tree_output": "raw_value"}
    return shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")


def sklearn_forest(forest):
    """Returns a RandomForestRegressor of the same trees, and what turns its mean into our score."""
    import numpy as np
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.tree import DecisionTreeRegressor
    from sklearn.tree._tree import Tree

    columns = forest["columns"]
    some = np.zeros((2, columns), np.float32)
    some[1] = 1.0
    whole = RandomForestRegressor(n_estimators=1).fit(some, [0.0, 1.0])
    whole.estimators_ = []
    for tree in trees_of(forest):
        one = DecisionTreeRegressor().fit(some, [0.0, 1.0])
        state = one.tree_.__getstate__()
        nodes = np.zeros(len(tree["leaf"]), state["nodes"].dtype)
        nodes["left_child"] = tree["left"]
        nodes["right_child"] = tree["right"]
        nodes["feature"] = np.where(tree["leaf"], -2, tree["feature"])
        nodes["threshold"] = np.where(tree["leaf"], -2.0, tree["threshold"])
        nodes["n_node_samples"] = np.maximum(tree["cover"], 1)
        nodes["weighted_n_node_samples"] = tree["cover"]
        state["nodes"] = nodes
        state["node_count"] = len(nodes)
        state["max_depth"] = len(nodes)
        state["values"] = np.ascontiguousarray(tree["value"].astype(np.float64).reshape(-1, 1, 1))
        one.tree_ = Tree(columns, np.array([1], np.intp), 1)
        one.tree_.__setstate__(state)
        whole.estimators_.append(one)
    whole.n_estimators = len(whole.estimators_)
    if forest["link"] == "mean":
        return whole, lambda mean: mean
    return whole, lambda mean: mean * whole.n_estimators + forest["base"]


def onnx_sessions(forest):
    """Returns sessions of the same trees on one thread and on all, and of a model that does nothing."""
    import numpy as np
    import onnxruntime
    from onnx import TensorProto, checker, helper

    names = ("treeids", "nodeids", "featureids", "modes", "values", "truenodeids", "falsenodeids")
    nodes = {f"nodes_{name}": [] for name in names}
    targets = {f"target_{name}": [] for name in ("treeids", "nodeids", "ids", "weights")}
    for number, tree in enumerate(trees_of(forest)):
        count = len(tree["leaf"])
        nodes["nodes_treeids"] += [number] * count
        nodes["nodes_nodeids"] += range(count)
        nodes["nodes_featureids"] += tree["feature"].tolist()
        nodes["nodes_modes"] += ["LEAF" if leaf else "BRANCH_LEQ" for leaf in tree["leaf"]]
        nodes["nodes_values"] += tree["threshold"].tolist()
        nodes["nodes_truenodeids"] += np.maximum(tree["left"], 0).tolist()
        nodes["nodes_falsenodeids"] += np.maximum(tree["right"], 0).tolist()
        leaves = np.flatnonzero(tree["leaf"])
        targets["target_treeids"] += [number] * len(leaves)
        targets["target_nodeids"] += leaves.tolist()
        targets["target_ids"] += [0] * len(leaves)
        targets["target_weights"] += tree["value"][leaves].tolist()
    mean = forest["link"] == "mean"
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["rows"],
        ["scores"],
        domain="ai.onnx.ml",
        n_targets=1,
        aggregate_function="AVERAGE" if mean else "SUM",
        post_transform="NONE",
        base_values=[forest["base"]],
        **nodes,
        **targets,
    )

    def session(node, width, threads):
        graph = helper.make_graph(
            [node],
            "forest",
            [helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, forest["columns"]])],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [None, width])],
        )
        opsets = [helper.make_opsetid("", 17), helper.make_opsetid("ai.onnx.ml", 3)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        checker.check_model(model)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    nothing = helper.make_node("Identity", ["rows"], ["scores"])
    return session(node, 1, 1), session(node, 1, 0), session(nothing, forest["columns"], 1)


def compare(directory):
    """Prints the tables of one forest; returns whether everything is within its limit."""
    import numpy as np

    ours = json.loads(bench("run", directory))
    forest = json.loads((directory / "forest.json").read_text())
    rows = np.load(directory / "rows.npy")
    scores = np.load(directory / "scores.npy")
    batch = np.ascontiguousarray(rows[:BATCH])
    singles = [np.ascontiguousarray(rows[at : at + 1]) for at in range(len(rows))]

    def timed(call, calls):
        one = median_ns(calls, lambda at: call(singles[at % len(singles)]))
        return one, median_ns(max(calls // 20, 20), lambda _: call(batch)) / len(batch)

    def scores_off(forest):
        whole, to_score = sklearn_forest(forest)
        by_onnx = onnx_sessions(forest)[0].run(None, {"rows": rows})[0][:, 0]
        return [np.abs(theirs - scores).max() for theirs in (to_score(whole.predict(rows)), by_onnx)]

    contributions = np.load(directory / "shap.npy")
    wide = rows[: len(contributions)].astype(np.float64)

    def explained_off(forest):
        theirs = shap_explainer(forest).shap_values(wide, check_additivity=False)
        return np.abs(np.reshape(theirs, (len(wide), -1)) - contributions[:, :-1]).max()

    limits = [DOUBLE_LIMIT, FLOAT_LIMIT, SHAP_LIMIT]
    noticed = [*scores_off(spoiled(forest)), explained_off(spoiled(forest))]
    if not all(off > limit for off, limit in zip(noticed, limits)):
        sys.exit(f"a spoiled forest goes unnoticed: {noticed}")

    lines = [("crisol", (ours["batch_1_ns"], ours["batch_512_ns"] / len(batch)), 0.0, 0.0)]
    one_thread, all_threads, nothing = onnx_sessions(forest)

    def run(session):
        return lambda rows: session.run(None, {"rows": rows})[0]

    for name, session in (("onnxruntime, 1 thread", one_thread), ("onnxruntime, all threads", all_threads)):
        off = np.abs(run(session)(rows)[:, 0] - scores).max()
        lines.append((name, timed(run(session), 4_000), off, FLOAT_LIMIT))
    # What a call costs before any tree is walked.
    lines.append(("onnxruntime, no tree", timed(run(nothing), 4_000), 0.0, 0.0))
    whole, to_score = sklearn_forest(forest)
    off = np.abs(to_score(whole.predict(rows)) - scores).max()
    lines.append(("scikit-learn", timed(whole.predict, 60), off, DOUBLE_LIMIT))

    nodes, trees = len(forest["feature"]), len(forest["roots"])
    print(f"\n{directory.name}: {trees} trees, {nodes} nodes, {forest['columns']} columns, {forest['link']}")
    print(f"{'score':26}{'1 row, p50':>14}{'ratio':>8}{'512 rows, a row':>18}{'ratio':>8}{'difference':>13}")
    first = lines[0][1]
    fits = True
    for name, (one, many), off, limit in lines:
        print(
            f"{name:26}{one / 1e3:>11.2f} us{one / first[0]:>8.1f}{many / 1e3:>15.3f} us"
            f"{many / first[1]:>8.2f}{off:>13.1e}"
        )
        fits &= bool(off <= limit)

    explainer = shap_explainer(forest)
    off = explained_off(forest)
    off_base = np.abs(np.ravel(explainer.expected_value)[0] - contributions[:, -1]).max()
    off_sum = np.abs(contributions.sum(1) - scores[: len(wide)]).max()
    alone = median_ns(100, lambda at: explainer.shap_values(wide[at : at + 1], check_additivity=False))
    print(f"{'explain':26}{'1 row, p50':>14}{'ratio':>8}{'difference':>18}{'of base':>12}{'of sum':>12}")
    print(f"{'this crate':26}{ours['explain_ns'] / 1e3:>11.2f} us{1.0:>8.1f}{'':>30}{off_sum:>12.1e}")
    print(
        f"{'shap':26}{alone / 1e3:>11.2f} us{alone / ours['explain_ns']:>8.1f}{off:>18.1e}{off_base:>12.1e}"
    )
    return fits and off <= SHAP_LIMIT and off_base <= SHAP_LIMIT and off_sum <= 1e-9


def main():
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("directories", type=Path, nargs="*", metavar="DIR")
    chosen = arguments.parse_args()
    enter_environment()
    directories = chosen.directories
    if not directories:
        directories = [TARGET / "compare" / kind for kind in ("boost", "bag")]
        for directory in directories:
            if not (directory / "forest.json").exists():
                print(bench(directory.name, directory), end="")
    fits = [compare(directory.resolve()) for directory in directories]
    if not all(fits):
        sys.exit("a difference is above its limit")


if __name__ == "__main__":
    main()
