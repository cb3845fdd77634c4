"""A guest as a process of the launcher's that answers on its channel: what every sandbox has in common."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from peagen_ray.handler import guests
from peagen_ray.launcher import framing
from peagen_ray.launcher.process import Child
from peagen_ray.launcher.spec import Exit
from peagen_ray.sandbox.base import Answer, Guest, GuestFailed, GuestLimits
from peagen_ray.sandbox.messages import pack, unpack

_HEADER_LIMIT: Final = 64 << 10
"""Bytes that an answer may have beside its observations."""

_SIGNALS: Final = {"SIGXCPU": "timeout", "SIGSYS": "violation"}
"""What a signal means, other than that it killed the guest."""


class ConversationGuest(Guest):
    """A guest that is spoken to over the channel of a launcher's child.

    Args:
        child: the process that was started, the guest itself or what the guest runs in.
        pid: process id of the guest itself, as seen from here.
        limits: what it may use.
        layers: isolation that is really active.
        bury: what else has to be done at its end, once.
    """

    def __init__(
        self,
        child: Child,
        pid: int,
        limits: GuestLimits,
        layers: frozenset[str],
        bury: Callable[[], None] = lambda: None,
    ) -> None:
        self.layers = layers
        self._child = child
        self._limits = limits
        self._bury = bury
        self._pid = pid
        self._proc = Path("/proc") / str(pid)
        self._clock = ((~pid) << 3) | 2  # clock_getcpuclockid(3)
        self._resident = 0
        self._paused = False
        self._closed = False
        try:
            self._pidfd = os.pidfd_open(pid)
        except OSError:
            self._pidfd = -1
            raise self._died() from None

    def ask(
        self, header: dict[str, Any], body: bytes = b"", *, wall_s: float | None = None, answers: int = 1
    ) -> Answer:
        """See :meth:`Guest.ask`."""
        limit = self._limits.output_kb << 10
        answer = self._exchange(
            pack({**header, "limit": limit}, body), answers * limit + _HEADER_LIMIT, wall_s
        )
        try:
            return unpack(answer)
        except ValueError as error:
            raise self._failed("error", f"answered rubbish: {error}") from error

    def go(self, *, wall_s: float | None = None) -> None:
        """See :meth:`Guest.go`: an empty message, answered by an empty one."""
        answer = self._exchange(b"", _HEADER_LIMIT, wall_s)
        if answer:
            raise self._failed("error", f"answered rubbish: {answer[:80]!r} where nothing belongs")

    def cpu_ns(self) -> int:
        """See :meth:`Guest.cpu_ns`."""
        try:
            return time.clock_gettime_ns(self._clock)
        except OSError:
            raise self._died() from None

    def pause(self) -> None:
        """See :meth:`Guest.pause`."""
        self._signal(signal.SIGSTOP)
        self._paused = True

    def resume(self) -> None:
        """See :meth:`Guest.resume`."""
        if self._paused:
            self._signal(signal.SIGCONT)
            self._paused = False

    def core(self) -> int:
        """See :meth:`Guest.core`; field 39 of proc_pid_stat(5)."""
        try:
            return int((self._proc / "stat").read_text().rpartition(")")[2].split()[36])
        except OSError:
            raise self._died() from None

    def pin(self, core: int) -> None:
        """See :meth:`Guest.pin`."""
        with suppress(OSError):
            os.sched_setaffinity(self._pid, {core})

    def reset_peak(self) -> None:
        """See :meth:`Guest.reset_peak`."""
        try:
            (self._proc / "clear_refs").write_text("5")
        except OSError:
            raise self._died() from None
        self._resident = self._status("VmRSS")

    def peak_kb(self) -> int:
        """See :meth:`Guest.peak_kb`."""
        return max(0, self._status("VmHWM") - self._resident)

    def kill(self) -> None:
        """See :meth:`Guest.kill`; a process that is gone, or is being buried, needs it no more."""
        with suppress(OSError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def close(self) -> None:
        """See :meth:`Guest.close`."""
        if self._closed:
            return
        self._closed = True
        try:
            spent_s = self._spent_s()
            self.cpu_s = max(self._child.kill().cpu_s, spent_s)
            guests().cpu_s += self.cpu_s
            self.printed = self._output()
            self._child.close()
        finally:
            pidfd, self._pidfd = self._pidfd, -1
            if pidfd >= 0:
                os.close(pidfd)
            self._bury()

    def _exchange(self, message: bytes, longest: int, wall_s: float | None) -> bytes:
        limit = self._limits.output_kb << 10
        patience = self._limits.wall_s if wall_s is None else wall_s
        deadline = time.monotonic() + patience
        try:
            self._child.send(message, deadline)
            answer = self._child.receive(longest, deadline)
        except framing.ChannelTimeout:
            self._refuse_flood(limit)
            raise self._failed("timeout", f"no answer within {patience:g} s") from None
        except framing.MessageTooLong:
            reason = f"the output is larger than {self._limits.output_kb} KiB"
            raise self._failed("violation", reason) from None
        except framing.ChannelClosed:
            raise self._died() from None
        self._refuse_flood(limit)
        if self.cpu_ns() > self._limits.cpu_s * 1e9:
            raise self._failed("timeout", f"used more than {self._limits.cpu_s:g} s of CPU")
        return answer

    def _signal(self, number: int) -> None:
        try:
            signal.pidfd_send_signal(self._pidfd, number)
        except OSError:
            raise self._died() from None

    def _refuse_flood(self, limit: int) -> None:
        if self._child.printed > limit:
            raise self._failed("violation", f"printed more than {self._limits.output_kb} KiB")

    def _failed(self, outcome: str, reason: str) -> GuestFailed:
        self.close()
        return GuestFailed(outcome, reason)

    def _died(self) -> GuestFailed:
        if self._closed:
            return GuestFailed("error", "it has been ended")
        gone = self._ended()
        last = self._output()[1].strip().splitlines()[-1:]
        reason = ": ".join([gone.reason, *last])[:500]
        outcome = next((known for name, known in _SIGNALS.items() if name in gone.reason), None)
        if gone.out_of_memory or "MemoryError" in reason:
            outcome = "memory"
        outcome = outcome or ("killed" if gone.signal else "error")
        return self._failed(outcome, reason)

    def _ended(self) -> Exit:
        """How the guest ended; it is ended if it has not."""
        return self._child.wait(5.0) or self._child.kill()

    def _spent_s(self) -> float:
        """Seconds of CPU that its process's end says nothing of, while it lives."""
        return 0.0

    def _output(self) -> tuple[str, str]:
        """What it has printed so far to standard output and to standard error."""
        return self._child.output()

    def _status(self, field: str) -> int:
        with suppress(OSError):
            for line in (self._proc / "status").read_text().splitlines():
                if line.startswith(f"{field}:"):
                    return int(line.split()[1])
        raise self._died()  # what has ended has no memory
