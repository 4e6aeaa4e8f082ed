"""Starts a service inside the sandbox, sends it what it is told, and hands its answers out unread.

What it prints is all that is known of the answers, so nothing else may write there: the service has other outputs, and
a process that is not dumpable keeps its own out of reach of others of the same identity.
"""

import base64
import ctypes
import json
import socket
import subprocess
import sys
import time

PR_SET_DUMPABLE = 4


def connect(port, patience):
    connection = socket.create_connection(("127.0.0.1", port), patience)
    connection.settimeout(patience)
    return connection


def is_ready(port, within_s, service):
    end = time.monotonic() + within_s
    while time.monotonic() < end and service.poll() is None:
        try:
            connect(port, 1).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False


def is_last_chunk_there(body):
    """Walks the chunks by their sizes: what stands inside one may look like the end."""
    while True:
        line, gap, rest = body.partition(b"\r\n")
        if not gap:
            return False
        try:
            size = int(line.split(b";")[0], 16)
        except ValueError:
            return False
        if size == 0:
            # Trailers, if there are any, end with an empty line.
            return rest.startswith(b"\r\n") or b"\r\n\r\n" in rest
        if size < 0 or len(rest) < size + 2:
            return False
        body = rest[size + 2 :]


def is_whole(answer):
    """Whether an answer tells its length and has it; any other ends with its connection."""
    head, gap, body = answer.partition(b"\r\n\r\n")
    if not gap:
        return False
    fields = [line.split(b":", 1) for line in head.lower().split(b"\r\n")[1:] if b":" in line]
    fields = {name.strip(): value.strip() for name, value in fields}
    if b"chunked" in fields.get(b"transfer-encoding", b""):
        return is_last_chunk_there(body)
    length = fields.get(b"content-length", b"")
    return length.isdigit() and len(body) >= int(length)


def ask(port, request, room, patience):
    """The answer, as much as there is room for; None if the request could not be sent."""
    try:
        connection = connect(port, patience)
    except OSError:
        return None
    answer = b""
    with connection:
        try:
            connection.sendall(request)
        except OSError:
            # Refused while it was on its way: what was answered still counts.
            pass
        try:
            while len(answer) < room and not is_whole(answer):
                block = connection.recv(65536)
                if not block:
                    break
                answer += block
        except OSError:
            pass
    return answer[:room]


def say(**what):
    print(json.dumps(what), flush=True)


def main():
    if ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise SystemExit("the relay cannot keep its outputs to itself")
    with open("/crisol/plan.json", encoding="utf-8") as file:
        plan = json.load(file)
    service = subprocess.Popen(
        ["/bin/sh", "-c", plan["start"]], stdin=subprocess.DEVNULL, stdout=sys.stderr, stderr=sys.stderr
    )
    port = plan["port"]
    if not is_ready(port, plan["within_s"], service):
        raise SystemExit("the service is not ready in time")
    say(ready=True)
    for request in plan["requests"]:
        answer = ask(port, base64.b64decode(request), plan["room"], plan["patience_s"])
        say(answer=None if answer is None else base64.b64encode(answer).decode("ascii"))
    alive = True
    if plan["alive_after"]:
        try:
            connect(port, plan["patience_s"]).close()
        except OSError:
            alive = False
    say(alive=alive)
    service.kill()


main()
