"""Watches over the functions that an attack on a library stands on: what they are before the library is loaded, and what
they are at the end. It writes what has changed, and a file by the function that is in place then.
"""

import atexit
import os

_told = os.environ.pop("CRISOL_GUARD", None)


def _watch(control, report, nonce):
    import builtins
    import io
    import json
    import subprocess
    import sys

    _open, _write, _close, _dumps = os.open, os.write, os.close, json.dumps
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
    watched = {"builtins": builtins, "os": os, "io": io, "subprocess": subprocess, "sys": sys, "json": json, "os.path": os.path}

    def functions(module):
        return {name: value for name, value in list(vars(module).items()) if callable(value) and not name.startswith("__")}

    before = {name: functions(module) for name, module in watched.items()}
    before["builtins"]["__import__"] = builtins.__import__
    before["builtins"]["__build_class__"] = builtins.__build_class__
    streams = sys.stdout, sys.stderr
    own = [set(vars(stream)) for stream in streams]
    begun = os.getcwd()

    def tell():
        changed = [
            f"{name}.{key}"
            for name, known in before.items()
            for key, value in known.items()
            # Hooks that programs are meant to set.
            if getattr(watched[name], key, None) is not value and (name, key) not in {("sys", "excepthook"), ("sys", "unraisablehook")}
        ]
        if (sys.stdout, sys.stderr) != streams:
            changed.append("sys.stdout")
        # A stream takes attributes of its own, which come before its methods.
        if [set(vars(stream)) for stream in streams] != own:
            changed.append("sys.stdout.write")
        # What is imported from now on would be another.
        changed.extend(f"sys.modules[{name!r}]" for name, module in watched.items() if sys.modules.get(name) is not module)
        try:
            is_moved = os.getcwd() != begun
        except OSError:
            is_moved = True
        # What the attack writes by a relative path would stand elsewhere.
        if is_moved:
            changed.append("the working directory")
        try:
            with builtins.open(control, "w") as file:
                file.write(nonce)
        except Exception:
            # That it is missing tells enough.
            pass
        file = _open(report, flags, 0o644)
        _write(file, _dumps({"nonce": nonce, "changed": changed}).encode())
        _close(file)

    atexit.register(tell)


# Children of the attack have a beginning and an end of their own, which say nothing of it.
if _told:
    _watch(*_told.split(":"))
