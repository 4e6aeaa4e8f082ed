"""A hostile service that looks for its client's secret, and uses up what its client needs."""

import ctypes
import errno
import os
import resource
import signal
import socket
import sys

SECRET = b"5ecret-of-the-cl1ent"
KEY = 0xC1150
libc = ctypes.CDLL(None, use_errno=True)
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
kept = []


def accepted():
    while True:
        connection, _ = listener.accept()
        line = connection.makefile("r").readline().split()
        if line:
            return connection, line[0], int(line[1]), int(line[2])


connection, what, address, client = accepted()


def others():
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) not in (1, os.getpid())] + (
        [1] if os.getpid() != 1 else []
    )


def read(path, flags=os.O_RDONLY):
    file = os.open(path, flags | os.O_NONBLOCK)
    try:
        return os.read(file, 65536)
    finally:
        os.close(file)


def of_any(look):
    """Whether it is found in any process that is not our own."""

    def row():
        last = "no process"
        for pid in others():
            try:
                if look(pid):
                    return True
            except OSError as error:
                last = errno.errorcode.get(error.errno, str(error))
        raise OSError(last)

    return row


def call(number, *arguments):
    result = libc.syscall(number, *[ctypes.c_long(one) for one in arguments])
    if result == -1:
        raise OSError(ctypes.get_errno(), "")
    return result


def memory(pid):
    with open(f"/proc/{pid}/mem", "rb", 0) as file:
        file.seek(address)
        return SECRET in file.read(64)


class Part(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


def vm(number, text):
    def look(pid):
        buffer = ctypes.create_string_buffer(text, 64)
        here, there = Part(ctypes.addressof(buffer), 20), Part(address + (0 if number == 310 else 2048), 20)
        call(number, pid, ctypes.addressof(here), 1, ctypes.addressof(there), 1, 0)
        return number == 311 or SECRET in buffer.raw

    return look


def ptrace(pid):
    if pid != client:
        raise OSError(errno.ESRCH, "")
    # Seized, so that it is not stopped; let go with our end.
    call(101, 0x4206, pid, 0, 0)
    call(101, 0x4207, pid, 0, 0)
    os.waitpid(pid, 0x40000000)
    call(101, 17, pid, 0, 0)
    return True


def taken(pid):
    pidfd = os.pidfd_open(pid)
    return SECRET in os.pread(call(438, pidfd, 77, 0), 64, 0)


def by_pidfd(pid):
    signal.pidfd_send_signal(os.pidfd_open(pid), 0)
    return True


def stopped(pid):
    if pid != client:
        raise OSError(errno.ESRCH, "")
    os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGCONT)
    return True


def effect(act):
    def look(pid):
        act(pid)
        return True

    return look


def written(path, text):
    def look(pid):
        file = os.open(path.format(pid), os.O_WRONLY | os.O_NONBLOCK)
        os.write(file, text)
        return True

    return look


def connected():
    with socket.socket(socket.AF_UNIX) as other:
        other.settimeout(2)
        other.connect("/tmp/client.socket")
        return SECRET in other.recv(64)


def got(number):
    if number == -1:
        raise OSError(ctypes.get_errno(), "")
    return True


def segment():
    number = libc.shmget(KEY, 0, 0)
    got(number)
    libc.shmat.restype = ctypes.c_void_p
    return SECRET in ctypes.string_at(libc.shmat(number, None, 0x1000), 64)


def first():
    """Whether the first process is another than this one, and names what started it."""
    return os.getpid() != 1 and b"crisol" in read("/proc/1/cmdline")


def spoken(pid):
    """Speaks for the client, by its own output."""
    if pid != client:
        raise OSError(errno.ESRCH, "")
    os.write(call(438, os.pidfd_open(pid), 1, 0), b"forged by the service\n")
    return True


LOOKS = {
    "environ": of_any(lambda pid: SECRET in read(f"/proc/{pid}/environ")),
    "cmdline": of_any(lambda pid: b"crisol" in read(f"/proc/{pid}/cmdline")),
    "memory": of_any(memory),
    "descriptor": of_any(lambda pid: SECRET in read(f"/proc/{pid}/fd/77")),
    "maps": of_any(lambda pid: b"[heap]" in read(f"/proc/{pid}/maps")),
    "root": of_any(lambda pid: SECRET in read(f"/proc/{pid}/root/tmp/client/plan")),
    "cwd": of_any(lambda pid: SECRET in read(f"/proc/{pid}/cwd/plan")),
    "status": of_any(lambda pid: b"python" in read(f"/proc/{pid}/status")),
    "vm_read": of_any(vm(310, b"")),
    "vm_write": of_any(vm(311, b"written by the service")),
    "ptrace": of_any(ptrace),
    "pidfd_getfd": of_any(taken),
    "pidfd_send_signal": of_any(by_pidfd),
    "signal": of_any(effect(lambda pid: os.kill(pid, 0))),
    "stop": of_any(stopped),
    "priority": of_any(effect(lambda pid: os.setpriority(os.PRIO_PROCESS, pid, 5))),
    "limits": of_any(effect(lambda pid: resource.prlimit(pid, resource.RLIMIT_CORE, (0, 0)))),
    "affinity": of_any(effect(lambda pid: os.sched_setaffinity(pid, os.sched_getaffinity(pid)))),
    "oom_score": of_any(written("/proc/{}/oom_score_adj", b"500")),
    "stdout": of_any(spoken),
    "plan": lambda: b"client" in read("/crisol/client.py"),
    "scratch": lambda: SECRET in read("/tmp/scratch"),
    "shared_memory_file": lambda: SECRET in read("/dev/shm/client"),
    "socket_file": connected,
    "system_v_memory": segment,
    "system_v_semaphore": lambda: got(libc.semget(KEY, 0, 0)),
    "system_v_messages": lambda: got(libc.msgget(KEY, 0)),
    "posix_messages": lambda: got(libc.mq_open(b"/client", os.O_RDONLY)),
    "first_process": first,
}


def watches():
    while True:
        number = libc.inotify_init()
        if number < 0:
            return
        kept.append(number)


def filled(directory):
    try:
        with open(f"{directory}/flood", "wb") as file:
            while True:
                file.write(b"x" * 65536)
                file.flush()
    except OSError:
        pass


if what == "look":
    for name, look in LOOKS.items():
        try:
            answer = "found" if look() else "none"
        except Exception as error:
            answer = f"none: {error}"
        connection.sendall(f"{name} {answer}\n".encode())
elif what == "watches":
    watches()
else:
    filled("/tmp" if what == "files" else "/dev/shm")
connection.sendall(b"done\n")
signal.pause()
