"""Entries that the launcher's tests start."""

import atexit
import ctypes
import json
import os
import random
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from peagen_ray.launcher import framing
from peagen_ray.launcher.client import Launcher, SpawnSpec

tempfile.gettempdir()  # so that the launcher's own is cached when children are forked
atexit.register(lambda: Path("atexit-ran").touch())
USED = (ctypes, random, signal, sys, threading)
STATE: list[int] = []


def evaluate(channel: socket.socket) -> None:
    expression = framing.receive(channel, 1 << 16).decode()
    framing.send(channel, str(eval(expression)).encode())


def nothing(channel: socket.socket) -> None:
    pass


def hang(channel: socket.socket) -> None:
    framing.send(channel, b"")
    forever()


def forever() -> None:
    while True:
        signal.pause()


def stubborn(channel: socket.socket) -> None:
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    hang(channel)


def fork(then, *args) -> int:
    """Start a process of our own; returns its pid."""
    pid = os.fork()
    if pid == 0:
        try:
            then(*args)
        finally:
            os._exit(0)
    return pid


def daemonise(report: int) -> None:
    """Fork twice, in a session of its own, deaf to every polite signal, and say who we are."""
    os.setsid()
    if os.fork():
        os._exit(0)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    os.write(report, f"{os.getpid()} ".encode())
    forever()


def daemons(count: int) -> list[int]:
    """Start that many; returns their pids."""
    reading, writing = os.pipe()
    for _ in range(count):
        os.waitpid(fork(daemonise, writing), 0)
    os.close(writing)
    said = b""
    while said.count(b" ") < count:
        said += os.read(reading, 4096)
    return [int(pid) for pid in said.split()]


def leave_daemons(channel: socket.socket) -> None:
    """Start daemons and end."""
    framing.send(channel, " ".join(map(str, daemons(3))).encode())


def keep_daemons(channel: socket.socket) -> None:
    """Start daemons and an ordinary child, and hang."""
    pids = [*daemons(2), fork(forever)]
    framing.send(channel, " ".join(map(str, pids)).encode())
    forever()


def adopt_daemons(channel: socket.socket) -> None:
    """Say whether daemons that we start stay below us while we live."""
    pids = daemons(2)
    parents = {int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]) for pid in pids}
    framing.send(channel, str(parents == {os.getpid()}).encode())


def breed(channel: socket.socket) -> None:
    """Start a chain of processes each of which forks the next and ends."""
    first = os.fork()
    if first == 0:
        os.setsid()
        channel.close()
        os.closerange(0, 64)
        while True:
            if os.fork():
                os._exit(0)
    framing.send(channel, b"")


def print_much(channel: socket.socket) -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.write("first\n")
        for _ in range(50):
            stream.write("x" * (1 << 20))
        stream.write("\nlast\n")


def print_then_answer(channel: socket.socket) -> None:
    """Print more than a pipe holds before every answer."""
    for _ in range(3):
        message = framing.receive(channel, 1 << 24)
        sys.stdout.write("y" * (1 << 20))
        framing.send(channel, message)


def print_without_end(channel: socket.socket) -> None:
    while True:
        os.write(1, b"z" * 65536)


def print_without_newline(channel: socket.socket) -> None:
    sys.stdout.write("no newline")
    sys.stderr.write("caf\udce9 \N{SNOWMAN}\n")


def raise_error(channel: socket.socket) -> None:
    raise LookupError("nothing like it")


def raise_recursion(channel: socket.socket) -> None:
    raise_recursion(channel)


def exit_with(channel: socket.socket) -> None:
    raise SystemExit(eval(framing.receive(channel, 100).decode()))


def leave_at_once(channel: socket.socket) -> None:
    os._exit(7)


def segfault(channel: socket.socket) -> None:
    ctypes.string_at(0)


def kill_self(channel: socket.socket) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def abort(channel: socket.socket) -> None:
    os.abort()


def real_time_signal(channel: socket.socket) -> None:
    os.kill(os.getpid(), 40)


def close_streams(channel: socket.socket) -> None:
    sys.stdout.close()
    sys.stderr = None


def spin(channel: socket.socket) -> None:
    framing.send(channel, b"")
    while True:
        pass


def too_large_file(channel: socket.socket) -> None:
    try:
        Path("big").write_bytes(b"x" * 100_000)
    except OSError as error:
        framing.send(channel, type(error).__name__.encode() + str(error.errno).encode())


def too_much_memory(channel: socket.socket) -> None:
    try:
        bytearray(1 << 30)
    except MemoryError:
        framing.send(channel, b"MemoryError")


def thread(channel: socket.socket) -> None:
    """Leave a thread running that would never end."""
    threading.Thread(target=forever).start()
    sys.stdout.write("with a thread")


def mark_module(channel: socket.socket) -> None:
    STATE.append(1)
    os.environ["LEFT_BEHIND"] = "1"
    framing.send(channel, str(len(STATE)).encode())


def nest(channel: socket.socket, launcher: Launcher) -> None:
    """Have a candidate evaluate what we are told, and pass its answer on."""
    Path("candidate").mkdir()
    spec = SpawnSpec("launcher_entries:evaluate", Path("candidate").absolute())
    with launcher, launcher.spawn(spec) as child:
        child.send(framing.receive(channel, 1 << 16))
        framing.send(channel, child.receive(1 << 16))
        sys.stdout.write(f"{child.wait()}\n")


def nest_and_hang(channel: socket.socket, launcher: Launcher) -> None:
    """Start candidates, one of them with a candidate and daemons of its own, and hang."""
    pids = []
    children = []
    for name, entry in (("a", "hang"), ("b", "keep_daemons"), ("c", "nest_one")):
        Path(name).mkdir()
        spec = SpawnSpec(f"launcher_entries:{entry}", Path(name).absolute(), nested=name == "c")
        children.append(launcher.spawn(spec))
        pids += [children[-1].pid, *map(int, children[-1].receive(1 << 16).split())]
    framing.send(channel, " ".join(map(str, pids)).encode())
    mode = framing.receive(channel, 100)
    if mode == b"hang":
        forever()
    if mode == b"die":
        os._exit(3)


def nest_one(channel: socket.socket, launcher: Launcher) -> None:
    Path("d").mkdir()
    with launcher.spawn(SpawnSpec("launcher_entries:hang", Path("d").absolute())) as child:
        framing.send(channel, str(child.pid).encode())
        forever()


def nest_with_will(channel: socket.socket, launcher: Launcher) -> None:
    """Start a child whose will is the program that is received, and come to the end that is received."""
    will, end = json.loads(framing.receive(channel, 4096))
    scratch = Path.cwd() / "candidate"
    scratch.mkdir()
    child = launcher.spawn(SpawnSpec("launcher_entries:hang", scratch, will=tuple(will)))
    framing.send(channel, b"started")
    if end == "close":
        child.close()
    if end == "die":
        os._exit(3)
    if end == "hang":
        forever()


def nest_leaves_socket(channel: socket.socket, launcher: Launcher) -> None:
    """End while a daemon of ours still holds the launcher's socket, and a candidate runs."""
    Path("d").mkdir()
    child = launcher.spawn(SpawnSpec("launcher_entries:hang", Path("d").absolute()))
    pids = [*daemons(1), child.pid]
    framing.send(channel, " ".join(map(str, pids)).encode())


def nest_abuse(channel: socket.socket, launcher: Launcher) -> None:
    """Say rubbish to the launcher, with and without descriptors; then see whether it still serves."""
    base = launcher._base
    base.send(b"rubbish without descriptors")
    base.send(b"x" * 100_000)
    null = os.open(os.devnull, os.O_RDONLY)
    answers = []
    for request, fds in (
        (b"{}", []),
        (b"{}", [null]),
        (b"not json", [null, null, null, null]),
        (b'{"entry": 3}', [null] * 4),
        (b"[" * 60_000, [null] * 4),
        (b"x" * 100_000, [null] * 4),
        (b"{}", [null] * 20),
    ):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        socket.send_fds(base, [request], [theirs.fileno(), *fds])
        theirs.close()
        answers.append(b"error" in ours.recv(1 << 16))
        # The first descriptor need not be a socket either.
        socket.send_fds(base, [request], [null, *fds])
    Path("d").mkdir()
    with launcher.spawn(SpawnSpec("launcher_entries:nothing", Path("d").absolute())) as child:
        answers.append(child.wait().code == 0)
    framing.send(channel, str(all(answers)).encode())


def subprocesses(channel: socket.socket) -> None:
    """Start another program, as handlers do, and one that outlives us."""
    said = subprocess.run(["echo", "hello"], capture_output=True, text=True, check=True).stdout
    background = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    framing.send(channel, f"{said.strip()} {background.pid}".encode())


def wait_for_input(channel: socket.socket) -> None:
    poll = select.poll()
    poll.register(0, select.POLLIN)
    poll.poll()
    framing.send(channel, repr(os.read(0, 10)).encode())


def never_reads(channel: socket.socket) -> None:
    framing.send(channel, b"")
    forever()


def clock() -> float:
    return time.monotonic()
