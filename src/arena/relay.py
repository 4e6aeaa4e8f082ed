"""Sends a service what it is told from a sandbox beside the service's, and hands its answers out unread.

What it prints is all that is known of the answers. The service shares nothing with it but a loopback.
"""

import base64
import json
import socket
import subprocess
import sys
import time

sys.path.insert(0, "/case-lib")

from answers import Incomplete, read

# How long a service may take to close its connection, or to say more, after a whole answer, in seconds.
LINGER = 0.1


def connect(place, patience):
    host, _, port = place.rpartition(":")
    return socket.create_connection((host.strip("[]"), int(port)), patience)


def is_ready(place, within_s):
    end = time.monotonic() + within_s
    while time.monotonic() < end:
        try:
            connect(place, 1).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False


def is_whole(data, method):
    """Whether no more is to come; an answer that cannot be read may go on for as long as it likes."""
    try:
        return read(data, False, method) is not None
    except Incomplete:
        return False


def ask(place, request, room, patience):
    """The answer and how it ended: `closed` or `reset` by the service, `whole`, `cut` because it was too long, or `late`."""
    method = request.split(b" ", 1)[0].decode("latin-1")
    end = time.monotonic() + patience
    answer, how = b"", "late"
    with connect(place, patience) as connection:
        try:
            connection.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            # Refused while it was on its way: what was answered still counts.
            pass
        while len(answer) <= room:
            left = end - time.monotonic()
            if left <= 0:
                break
            connection.settimeout(left)
            try:
                block = connection.recv(65536)
            except (TimeoutError, socket.timeout):
                break
            except OSError:
                how = "reset"
                break
            if not block:
                how = "closed"
                break
            answer += block
            if is_whole(answer, method):
                how = "whole"
                end = min(end, time.monotonic() + LINGER)
            else:
                how = "late"
    if len(answer) > room:
        return answer[:room], "cut"
    return answer, how


def say(**what):
    print(json.dumps(what), flush=True)


def main():
    with open("/crisol/plan.json", encoding="utf-8") as file:
        plan = json.load(file)
    if plan["beside"]:
        subprocess.Popen(["/bin/sh", "-c", plan["beside"]], stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr)
    places = [*plan["beside_ready"], plan["service"]]
    if not all(is_ready(place, plan["within_s"]) for place in places):
        raise SystemExit("the service is not ready in time")
    say(ready=True)
    for request in plan["requests"]:
        try:
            answer, how = ask(plan["service"], base64.b64decode(request), plan["room"], plan["patience_s"])
            say(answer=base64.b64encode(answer).decode("ascii"), how=how)
        except OSError:
            say(answer=None, how="refused")
    alive = True
    if plan["alive_after"]:
        alive = is_ready(plan["service"], 1)
    say(alive=alive)


main()
