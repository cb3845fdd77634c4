"""Sandbox ``process``: a fresh process of the launcher's, under resource limits."""

from __future__ import annotations

import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from peagen_ray.errors import LaunchError, SandboxError
from peagen_ray.handler import current
from peagen_ray.launcher import framing
from peagen_ray.launcher.client import Child, Launcher, Limits, SpawnSpec
from peagen_ray.sandbox.base import Answer, Guest, GuestFailed, GuestLimits, Sandbox, pack, unpack

_OPEN_FILES: Final = 64
_HEADER_LIMIT: Final = 64 << 10
"""Bytes that an answer may have beside its observations."""


class ProcessSandbox(Sandbox):
    """Guests are processes forked by the launcher, with their own session, ``/tmp`` and limits.

    Args:
        launcher: what starts them; by default the one of the task that is being handled.
    """

    NAME = "process"

    def __init__(self, launcher: Launcher | None = None) -> None:
        self._launcher = launcher

    def start(self, limits: GuestLimits) -> Guest:
        """A fresh guest; raises SandboxError if it cannot be started."""
        launcher = self._launcher or current().launcher
        if launcher is None:
            raise SandboxError("there is no launcher to start a guest with", hint="run it in a one-shot task")
        scratch = Path(tempfile.mkdtemp(prefix="peagen-guest-"))
        spec = SpawnSpec(
            entry="peagen_ray.sandbox.guest:main",
            scratch=scratch,
            environment={},
            # No RLIMIT_CPU: with one, the kernel counts the process's CPU clock in ticks of milliseconds.
            limits=Limits(
                address_space=limits.memory_mb << 20,
                file_bytes=limits.scratch_mb << 20,
                open_files=_OPEN_FILES,
            ),
        )
        try:
            return _ProcessGuest(launcher.spawn(spec), limits, scratch)
        except LaunchError as error:
            shutil.rmtree(scratch, ignore_errors=True)
            raise SandboxError(str(error)) from error


class _ProcessGuest(Guest):
    def __init__(self, child: Child, limits: GuestLimits, scratch: Path) -> None:
        self._child = child
        self._limits = limits
        self._scratch = scratch
        self._proc = Path("/proc") / str(child.pid)
        self._resident = 0

    def ask(
        self, header: dict[str, Any], body: bytes = b"", *, wall_s: float | None = None, answers: int = 1
    ) -> Answer:
        limit = self._limits.output_kb << 10
        patience = self._limits.wall_s if wall_s is None else wall_s
        deadline = time.monotonic() + patience
        try:
            self._child.send(pack({**header, "limit": limit}, body), deadline)
            answer = unpack(self._child.receive(answers * limit + _HEADER_LIMIT, deadline))
        except framing.ChannelTimeout:
            self._refuse_flood(limit)
            raise self._failed("timeout", f"no answer within {patience:g} s") from None
        except framing.MessageTooLong:
            raise self._failed("output", f"the output is larger than {self._limits.output_kb} KiB") from None
        except ValueError as error:
            raise self._failed("crash", f"answered rubbish: {error}") from error
        except framing.ChannelClosed:
            raise self._died() from None
        self._refuse_flood(limit)
        if self.cpu_ns() > self._limits.cpu_s * 1e9:
            raise self._failed("timeout", f"used more than {self._limits.cpu_s:g} s of CPU")
        return answer

    def _refuse_flood(self, limit: int) -> None:
        if self._child.printed > limit:
            raise self._failed("output", f"printed more than {self._limits.output_kb} KiB")

    def _failed(self, outcome: str, reason: str) -> GuestFailed:
        self.close()
        return GuestFailed(outcome, reason)

    def _died(self) -> GuestFailed:
        gone = self._child.wait(5.0) or self._child.kill()
        last = self._child.output()[1].strip().splitlines()[-1:]
        reason = ": ".join([gone.reason, *last])[:500]
        outcome = "memory" if "MemoryError" in reason else "timeout" if "SIGXCPU" in reason else "crash"
        return self._failed(outcome, reason)

    def cpu_ns(self) -> int:
        try:
            return self._child.cpu_ns()
        except LaunchError:
            raise self._died() from None

    def reset_peak(self) -> None:
        try:
            (self._proc / "clear_refs").write_text("5")
        except OSError:
            raise self._died() from None
        self._resident = self._status("VmRSS")

    def peak_kb(self) -> int:
        return max(0, self._status("VmHWM") - self._resident)

    def _status(self, field: str) -> int:
        with suppress(OSError):
            for line in (self._proc / "status").read_text().splitlines():
                if line.startswith(f"{field}:"):
                    return int(line.split()[1])
        raise self._died()  # what has ended has no memory

    def close(self) -> None:
        self._child.close()
        shutil.rmtree(self._scratch, ignore_errors=True)
