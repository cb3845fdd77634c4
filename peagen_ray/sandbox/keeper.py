"""The first process of a container: stands between the engine's pipes and the guest, and goes when the host does.

The kernel ends a process-id namespace with its first process, and takes no signal for that one from within.
So a guest can neither outlive its host nor end its keeper; it cannot look into it either.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, NoReturn

from peagen_ray.launcher import linux

_PR_SET_DUMPABLE: Final = 4
_CHUNK: Final = 1 << 16
_OOM_COUNTS: Final = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
"""Where the kernel counts whom it killed for memory, in the second and the first version of control groups."""


def keep(place: int) -> None:
    """Fork; returns in the child, whose channel is the descriptor ``place``. The parent is the keeper from then on.

    The child's standard input is empty, and what it prints goes to standard error. It all ends here if this is
    not the first process of its namespace: a keeper kills whatever else it sees there.
    """
    if os.getpid() != 1:
        sys.exit("a guest's keeper has to be the first process of its container")
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        linux.prctl(_PR_SET_DUMPABLE, 0)  # nobody of its own user's looks into it
        _serve(ours, pid)
    ours.close()
    fd = theirs.detach()
    if fd != place:
        os.dup2(fd, place, inheritable=False)
        os.close(fd)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(2, 1)
    os.close(null)


def _serve(channel: socket.socket, guest: int) -> NoReturn:
    """Carry messages until the guest has ended, and end as it did: 128 and the number if by a signal."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Python's own handler would let the guest end us
    answers = threading.Thread(target=_carry_out, args=(channel,))
    answers.start()
    for task in (_carry_in, _leave_with_host):
        threading.Thread(target=task, args=(channel,), daemon=True).start()
    code = os.waitstatus_to_exitcode(_wait_for(guest))
    with suppress(ProcessLookupError):
        os.kill(-1, signal.SIGKILL)
    answers.join()
    if code == -signal.SIGKILL and _out_of_memory():
        os.write(2, b"MemoryError: the memory of the container was used up\n")
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


def _out_of_memory() -> bool:
    for path in _OOM_COUNTS:
        with suppress(OSError):
            counts = dict(line.split()[:2] for line in Path(path).read_text().splitlines())
            return int(counts.get("oom_kill", 0)) > 0
    return False
