"""The sandbox port: where programs that are not trusted run, under limits, and what became of them.

A :class:`Sandbox` starts guests. A guest is one process that runs ``peagen_ray.sandbox.guest`` and
answers messages. The host (trusted) owns the inputs, the expected outputs and the clock; nothing that
comes from a guest is unpickled, and every answer has a bounded length. Neither class is safe for use by
several threads at once.

Outcomes, here and in every verdict: ``ok``; ``error``, it raised, does not load, ended itself or answered
rubbish; ``timeout``, of wall or CPU time; ``memory``; ``killed``, by a signal; ``violation``, it did what
the sandbox forbids, or printed or returned more than it may.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from peagen_ray.errors import SandboxError
from peagen_ray.handler import guests
from peagen_ray.launcher.jail.policy import Profile
from peagen_ray.sandbox.messages import Answer

if TYPE_CHECKING:
    from peagen_ray.sandbox.execution import Execution, Program

__all__ = ["Answer", "Guest", "GuestFailed", "GuestLimits", "Profile", "Sandbox", "listening", "naturals"]


@dataclass(frozen=True)
class GuestLimits:
    """What a guest may use.

    Attributes:
        wall_s: seconds that one answer may take.
        cpu_s: CPU seconds that the guest may use in all.
        memory_mb: MiB of memory.
        output_kb: KiB that the outcome of one call may have, and what is printed in all.
        scratch_mb: MiB that it may write to its scratch directory.
        processes: processes and threads that it may have at a time, where its profile allows any.
    """

    wall_s: float = 10.0
    cpu_s: float = 60.0
    memory_mb: int = 1024
    output_kb: int = 1024
    scratch_mb: int = 64
    processes: int = 64

    def within(self, ceiling: Mapping[str, float]) -> Self:
        """These limits, none of them above what ``ceiling`` has under its name."""
        return replace(self, **{name: min(getattr(self, name), most) for name, most in ceiling.items()})


class GuestFailed(SandboxError):
    """A guest gave no answer that can be used.

    Args:
        outcome: ``error``, ``timeout``, ``memory``, ``killed`` or ``violation``.
        reason: one line of what happened.
    """

    def __init__(self, outcome: str, reason: str) -> None:
        super().__init__(f"{outcome}: {reason}")
        self.outcome = outcome
        self.reason = reason


class Guest(ABC):
    """One process of untrusted code. Use it as a context manager: it is dead when the block ends.

    Attributes:
        layers: the layers of isolation that are really active around it.
        printed: what it printed to standard output and to standard error, of each the beginning and the end; known
            once it has ended.
        cpu_s: seconds of CPU that it used, those of its children included; known once it has ended.
    """

    layers: frozenset[str]
    printed: tuple[str, str] = ("", "")
    cpu_s: float = 0.0

    @abstractmethod
    def ask(
        self, header: dict[str, Any], body: bytes = b"", *, wall_s: float | None = None, answers: int = 1
    ) -> Answer:
        """Send a message and wait for its answer.

        Args:
            header: the operation and what it takes; ``limit`` is added.
            body: what else it takes.
            wall_s: seconds to wait, by default ``GuestLimits.wall_s``.
            answers: how many times ``GuestLimits.output_kb`` the answer may have.

        Raises:
            GuestFailed: it died, took too long or answered too much; it is dead then.
        """

    @abstractmethod
    def go(self, *, wall_s: float | None = None) -> None:
        """Have it make the calls that ``ready`` prepared, by the shortest conversation there is.

        Args:
            wall_s: seconds to wait, by default ``GuestLimits.wall_s``.

        Raises:
            GuestFailed: as for :meth:`ask`.
        """

    @abstractmethod
    def cpu_ns(self) -> int:
        """CPU time of the guest's process so far, all threads, in nanoseconds, read from outside."""

    @abstractmethod
    def pause(self) -> None:
        """Stop it until :meth:`resume`: whatever it left running does not run meanwhile."""

    @abstractmethod
    def resume(self) -> None:
        """Let it run again."""

    @abstractmethod
    def core(self) -> int:
        """The core that it ran on last."""

    @abstractmethod
    def pin(self, core: int) -> None:
        """Keep it on one core, where the kernel lets us; what it starts from now on stays there too."""

    @abstractmethod
    def reset_peak(self) -> None:
        """Start a new measurement of peak memory."""

    @abstractmethod
    def peak_kb(self) -> int:
        """Peak of resident memory beyond what was resident at :meth:`reset_peak`, in kB."""

    @abstractmethod
    def kill(self) -> None:
        """Have it die, from any thread: whoever asks it meanwhile is told that it died. :meth:`close` it as ever."""

    @abstractmethod
    def close(self) -> None:
        """End it, and everything that it started."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@contextmanager
def listening(guest: Guest) -> Iterator[Guest]:
    """Within the block a candidate's guest lives; at its end what it printed goes into the Result of the task."""
    try:
        with guest:
            yield guest
    finally:
        guests().printed(*guest.printed)


class Sandbox(ABC):
    """Starts guests.

    Attributes:
        NAME: its name in ``peagen.sandboxes``.
        profile: what its guests may do unless :meth:`start` says otherwise.
        connects: whether its guests may connect to the ports that the worker grants, where a sandbox has a way.
    """

    NAME: ClassVar[str]
    profile: Profile = Profile.PURE
    connects: bool = False

    @abstractmethod
    def start(self, limits: GuestLimits, profile: Profile | None = None) -> Guest:
        """A fresh guest under those limits, none of them above the worker's ceiling.

        Raises:
            SandboxUnavailable: a layer that is demanded is not to be had here.
            SandboxError: it cannot be started.
        """

    def run(
        self, program: Program, limits: GuestLimits | None = None, profile: Profile = Profile.PURE
    ) -> Execution:
        """Run one program in a guest of its own, which is gone afterwards.

        Raises:
            SandboxError: see :meth:`start`; what the program does is in the answer and raises nothing.
        """
        from peagen_ray.sandbox.execution import execute  # it is made of guests, which are defined here

        return execute(self.start(limits or GuestLimits(), profile), program)

    @abstractmethod
    @contextmanager
    def fresh(self, hash_seed: int) -> Iterator[Sandbox]:
        """The same sandbox, whose guests come from an interpreter that is executed for this block alone.

        Args:
            hash_seed: of that interpreter's strings (``PYTHONHASHSEED``).
        """


def naturals(value: object, count: int) -> list[int]:
    """``value``, if it is a list of so many natural numbers of 62 bits at most: a guest may answer anything.

    Raises:
        GuestFailed: it is something else.
    """
    if isinstance(value, list) and len(value) == count and all(map(_is_natural, value)):
        return value
    raise GuestFailed("error", f"answered rubbish: {value!r:.80} where {count} numbers belong")


def _is_natural(value: object) -> bool:
    return type(value) is int and 0 <= value < 1 << 62
