"""The first process of a container: stands between the engine's pipes and the guest, and goes when the host does.

The kernel ends a process-id namespace with its first process, and takes no signal for that one from within.
So a guest can neither outlive its host nor end its keeper; it cannot look into it either.
"""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from peagen_ray.launcher import linux
from peagen_ray.launcher.jail import identity, init

_PR_SET_DUMPABLE: Final = 4
_CHUNK: Final = 1 << 16
_PIECE: Final = select.PIPE_BUF - 1
"""Bytes that are written to a pipe in one piece, together with a mark."""

OUT: Final = "\x0e"
ERR: Final = "\x0f"
"""Shift out and shift in: from here on it is standard output, or standard error."""

_OOM_COUNTS: Final = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
"""Where the kernel counts whom it killed for memory, in the second and the first version of control groups."""


def keep(place: int) -> None:
    """Fork; returns in the child, whose channel is the descriptor ``place``. The parent is the keeper from then on.

    The child's standard input is empty, and what it prints goes to the engine's standard error, marked by
    where it was printed: see :func:`apart`. It all ends here if this is not the first process of its namespace:
    a keeper kills whatever else it sees there.
    """
    if os.getpid() != 1:
        sys.exit("a guest's keeper has to be the first process of its container")
    ours, theirs = socket.socketpair()
    pipes = {OUT: os.pipe(), ERR: os.pipe()}
    pid = os.fork()
    if pid:
        theirs.close()
        _seclude()
        for _, writing in pipes.values():
            os.close(writing)
        _serve(ours, {mark: reading for mark, (reading, _) in pipes.items()}, pid)
    ours.close()
    fd = theirs.detach()
    if fd != place:
        os.dup2(fd, place, inheritable=False)
        os.close(fd)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    for at, (reading, writing) in enumerate(pipes.values(), 1):
        os.dup2(writing, at)
        os.close(reading)
        os.close(writing)


def stand_by(memory_bytes: int, uid: int | None) -> None:
    """Fork; returns in the child. The parent, the first process of a tree, minds the memory of all until it ends.

    Args:
        memory_bytes: resident memory of all of them together.
        uid: the user to become, as the child will; None is who it is already.
    """
    pid, code = os.fork(), 1
    if pid == 0:
        return
    try:
        os.closerange(3, 64)
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
        identity.gain_nothing()
        if uid is not None:
            identity.become(uid)
        identity.renounce()
        linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)  # which a change of user takes back
        _seclude()
        code = os.waitstatus_to_exitcode(init.wait_for(pid, memory_bytes))
    finally:
        os._exit(code if code >= 0 else 128 - code)


def _seclude() -> None:
    """Let nobody of our own user's look into us, or end us."""
    linux.prctl(_PR_SET_DUMPABLE, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's own handler would let the guest do it


def apart(printed: str) -> tuple[str, str]:
    """What was printed to standard output and to standard error, from both as a keeper marks them."""
    streams = {OUT: "", ERR: ""}
    mark = ERR
    for part in re.split(f"([{OUT}{ERR}])", printed):
        if part in streams:
            mark = part
        else:
            streams[mark] += part
    return streams[OUT], streams[ERR]


def _serve(channel: socket.socket, printing: Mapping[str, int], guest: int) -> NoReturn:
    """Carry messages until the guest has ended, and end as it did: 128 and the number if by a signal."""
    outward = [threading.Thread(target=_carry_out, args=(channel,))]
    outward += [threading.Thread(target=_print, args=each) for each in printing.items()]
    for thread in outward:
        thread.start()
    for task in (_carry_in, _leave_with_host):
        threading.Thread(target=task, args=(channel,), daemon=True).start()
    code = os.waitstatus_to_exitcode(_wait_for(guest))
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    for thread in outward:
        thread.join()
    if code == -signal.SIGKILL and _out_of_memory():
        os.write(2, f"{ERR}MemoryError: the memory of the container was used up\n".encode())
    os._exit(code if code >= 0 else 128 - code)


def _wait_for(guest: int) -> int:
    """The guest's status; orphans, which fall to the first process, are reaped meanwhile."""
    while True:
        reaped, status = os.wait()
        if reaped == guest:
            return status


def _leave_with_host(_: socket.socket) -> None:
    poll = select.poll()
    poll.register(0, 0)  # nothing but its being hung up
    poll.poll()
    os._exit(1)


def _carry_in(channel: socket.socket) -> None:
    with suppress(OSError):
        while chunk := os.read(0, _CHUNK):
            channel.sendall(chunk)


def _carry_out(channel: socket.socket) -> None:
    with suppress(OSError):
        while chunk := channel.recv(_CHUNK):
            rest = memoryview(chunk)
            while rest:
                rest = rest[os.write(1, rest) :]


def _print(mark: str, reading: int) -> None:
    """Pass on what is printed there, less the marks, each piece under its own."""
    with suppress(OSError):
        while chunk := os.read(reading, _PIECE):
            piece = mark.encode() + chunk.translate(None, f"{OUT}{ERR}".encode())
            os.write(2, piece)  # at once, so that no other piece comes between


def _out_of_memory() -> bool:
    for path in _OOM_COUNTS:
        with suppress(OSError):
            counts = dict(line.split()[:2] for line in Path(path).read_text().splitlines())
            return int(counts.get("oom_kill", 0)) > 0
    return False
