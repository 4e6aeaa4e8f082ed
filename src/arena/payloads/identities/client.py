"""A trusted client that holds a secret in every way there is, and goes on when the service has looked for it."""

import ctypes
import mmap
import os
import socket
import sys
import threading

port, what = int(sys.argv[1]), sys.argv[2]
secret = os.environ["CRISOL_CANARY"].encode()
libc = ctypes.CDLL(None, use_errno=True)
# As where another program of the same user may trace it.
libc.prctl(0x59616D61, ctypes.c_ulong(-1), 0, 0, 0)

os.makedirs("/tmp/client", exist_ok=True)
os.chdir("/tmp/client")
for path in ["/tmp/client/plan", "/tmp/scratch", "/dev/shm/client"]:
    with open(path, "wb") as file:
        file.write(secret)
held = open("/tmp/client/plan", "rb")
os.dup2(held.fileno(), 77)

memory = mmap.mmap(-1, 4096)
memory[: len(secret)] = secret
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))

listener = socket.socket(socket.AF_UNIX)
listener.bind("/tmp/client.socket")
listener.listen()


def serve():
    while True:
        connection, _ = listener.accept()
        connection.sendall(secret)
        connection.close()


threading.Thread(target=serve, daemon=True).start()
KEY = 0xC1150
segment = libc.shmget(KEY, 4096, 0o1600)
libc.shmat.restype = ctypes.c_void_p
ctypes.memmove(libc.shmat(segment, None, 0), secret, len(secret))
libc.semget(KEY, 1, 0o1600)
libc.msgget(KEY, 0o1600)
libc.mq_open(b"/client", os.O_CREAT | os.O_RDWR, 0o600, None)


def connect():
    for _ in range(500):
        try:
            return socket.create_connection(("127.0.0.1", port), 15)
        except OSError:
            threading.Event().wait(0.02)
    raise SystemExit("no service")


service = connect()
service.sendall(f"{what} {address} {os.getpid()}\n".encode())
for line in service.makefile("r"):
    if line == "done\n":
        break
    sys.stdout.write(line)
sys.stdout.flush()


def has():
    if what == "watches":
        return libc.inotify_init() >= 0
    path = "/tmp/new" if what == "files" else "/dev/shm/new"
    try:
        with open(path, "wb") as file:
            file.write(b"x" * 65536)
    except OSError:
        return False
    return True


if what != "look":
    print("has", "enough" if has() else "none")
print("client done", flush=True)
