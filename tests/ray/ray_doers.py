"""Handlers that the fabric's tests run on a cluster, and the telephone by which they ask what to do. Not a test."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import time
from typing import Any

from peagen_ray.handler import TaskHandler
from peagen_ray.task import Result, Task, TaskKind

DEVICES = "CUDA_VISIBLE_DEVICES"


class Doer(TaskHandler):
    """Does what the payload's ``do`` says, in a process of its own."""

    KIND = TaskKind.RENDER

    def dispatch(self, task: Task) -> bool:
        return task.payload.get("for", "Doer") == type(self).__name__

    def handle(self, task: Task) -> Result:
        answer = getattr(self, "do_" + task.payload.get("do", "nothing"))(task)
        return answer if isinstance(answer, Result) else Result.success(task, answer or {})

    def do_nothing(self, task: Task) -> dict[str, Any]:
        return {"pid": os.getpid(), "devices": os.environ.get(DEVICES)}

    def do_call(self, task: Task) -> Any:
        """Ask by telephone; ``go`` ends well, anything else fails and may be tried again."""
        words = {"task": task.id, "attempts": task.attempts, "devices": os.environ.get(DEVICES)}
        said = ask(task.payload["phone"], words)
        return {"attempts": task.attempts} if said == "go" else Result.failure(task, said, retryable=True)

    def do_much(self, task: Task) -> dict[str, Any]:
        return {"value": "x" * 2_000_000}

    def do_hog(self, task: Task) -> None:
        """Take memory until somebody ends this, or there is as much as was asked for."""
        hoard = []
        for _ in range(task.payload["mb"] // 20):
            hoard.append(b"x" * (20 << 20))

    def do_bad(self, task: Task) -> Result:
        return Result.failure(task, "bad", retryable=False)


class SharedDoer(Doer):
    """Runs in the Ray worker itself."""

    SHARED = True


class GpuDoer(Doer):
    PROVIDES = frozenset({"cpu", "gpu"})


class SharedGpuDoer(GpuDoer):
    SHARED = True


class LlmDoer(Doer):
    PROVIDES = frozenset({"cpu", "llm"})


class ChaosDoer(TaskHandler):
    """Does what the payload's ``what`` says, in the Ray worker."""

    KIND = TaskKind.EXECUTE
    SHARED = True

    def dispatch(self, task: Task) -> bool:
        return "what" in task.payload

    def handle(self, task: Task) -> Result:
        what = task.payload["what"]
        if what == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "slow":
            time.sleep(1.0)
        if what == "bad" or (what == "flaky" and task.attempts == 1):
            return Result.failure(task, what, retryable=what == "flaky")
        return Result.success(task, {"by": os.getpid()})


NAMES = ("Doer", "SharedDoer", "GpuDoer", "SharedGpuDoer", "LlmDoer", "ChaosDoer")


def ask(number: str, words: dict[str, Any]) -> str:
    """Tell whoever answers at that number, and hear what to do; an abstract socket needs no file."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect("\0" + number)
        line.sendall(json.dumps(words).encode() + b"\n")
        return line.makefile().readline().strip() or "nobody answers"


class Phone:
    """Where handlers ask what to do."""

    def __init__(self) -> None:
        self.number = f"peagen-test-{os.urandom(8).hex()}"
        self._line = socket.socket(socket.AF_UNIX)
        self._line.bind("\0" + self.number)
        self._line.listen(64)
        self._calls: list[Call] = []

    def call(self, timeout: float) -> Call:
        """The next call."""
        self._line.settimeout(timeout)
        call = Call(self._line.accept()[0])
        self._calls.append(call)
        return call

    def close(self) -> None:
        self._line.close()
        for call in self._calls:
            call.close()


class Call:
    """A handler that waits for an answer.

    Attributes:
        pid: the process that asks, as this machine counts.
        words: what it says.
    """

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        line.settimeout(60)
        self._file = line.makefile()
        self.pid: int = struct.unpack("3i", line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))[0]
        self.words: dict[str, Any] = json.loads(self._file.readline())

    def say(self, word: str = "go") -> None:
        self._line.sendall(word.encode() + b"\n")

    def hung_up(self) -> None:
        """Return when the process that asked has ended."""
        assert self._file.read() == ""

    def close(self) -> None:
        self._file.close()
        self._line.close()
