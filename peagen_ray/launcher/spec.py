"""What is asked of the launcher, and how a process ended."""

from __future__ import annotations

import json
import os
import signal as signals
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from peagen_ray.errors import LaunchError
from peagen_ray.launcher.jail.policy import Jail

REQUEST_LIMIT: Final = 64 * 1024
"""Bytes of the longest request."""

FAREWELL: Final = b"farewell"
"""What an owner that ends its launcher says; one that says nothing has died."""


@dataclass(frozen=True)
class Limits:
    """Resource limits of one process; None is no limit of ours. Core dumps are always off.

    Attributes:
        cpu_s: seconds of CPU, rounded up to whole ones; SIGXCPU, and SIGKILL a second later.
        address_space: bytes of address space; allocations beyond it fail.
        file_bytes: bytes of the largest file that it may write.
        open_files: descriptors open at a time.
    """

    cpu_s: float | None = None
    address_space: int | None = None
    file_bytes: int | None = None
    open_files: int | None = None


@dataclass(frozen=True)
class SpawnSpec:
    """One process to start.

    Attributes:
        entry: ``package.module:function``, called there as ``function(channel)``; or a program to
            execute in its place, see ``argv``.
        scratch: an existing empty directory: its working directory, HOME and TMPDIR. Removed by the
            launcher only if the process that asks dies before it can.
        environment: all its environment beyond the scrubbed base.
        limits: its resource limits.
        nested: give it a launcher of its own: ``function(channel, launcher)``.
        keep: directories that it goes on seeing although they lie under ``/tmp``, ``/var/tmp`` or
            ``/dev/shm``, of which it gets empty ones of its own where the kernel allows that.
        argv: execute this program in place of calling an entry; its channel is descriptor 3.
        jail: keep it within these bounds, in place of ``limits`` and ``keep``.
        stdio: that program's channel is its standard input and output too; only what it writes to
            standard error is kept.
        will: a program to execute when it is gone, if whoever asked for it died before it could, or ends
            the launcher first: to remove what it left elsewhere than in its scratch directory.
    """

    entry: str
    scratch: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    limits: Limits = Limits()
    nested: bool = False
    keep: tuple[Path, ...] = ()
    argv: tuple[str, ...] = ()
    stdio: bool = False
    will: tuple[str, ...] = ()
    jail: Jail | None = None

    def to_wire(self) -> bytes:
        """The request as JSON, its paths resolved; LaunchError if it is longer than a request may be."""
        fields = {
            "entry": self.entry,
            "scratch": os.path.realpath(self.scratch),
            "environment": dict(self.environment),
            "limits": asdict(self.limits),
            "nested": self.nested,
            "keep": [os.path.realpath(path) for path in self.keep],
            "argv": list(self.argv),
            "stdio": self.stdio,
            "will": list(self.will),
            "jail": None if self.jail is None else self.jail.to_wire(),
        }
        request = json.dumps(fields).encode()
        if len(request) > REQUEST_LIMIT:
            raise LaunchError(
                f"the request takes {len(request)} bytes, {REQUEST_LIMIT} is the limit",
                subject=self.entry,
                hint="pass large values over the channel, not in the environment",
            )
        return request

    @classmethod
    def from_wire(cls, request: bytes) -> SpawnSpec:
        """Read a request; LaunchError if it is none."""
        try:
            fields = json.loads(request)
            spec = cls(
                entry=fields["entry"],
                scratch=Path(fields["scratch"]),
                environment={str(name): str(value) for name, value in fields["environment"].items()},
                limits=Limits(**fields["limits"]),
                nested=bool(fields["nested"]),
                keep=tuple(map(Path, fields["keep"])),
                argv=tuple(map(str, fields["argv"])),
                stdio=bool(fields["stdio"]),
                will=tuple(map(str, fields["will"])),
                jail=None if fields["jail"] is None else Jail.from_wire(fields["jail"]),
            )
            module, function = ("-", "-") if spec.argv else spec.entry.split(":")
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise LaunchError(f"not a request: {type(error).__name__}: {error}") from error
        if not module or not function:
            raise LaunchError("an entry is written package.module:function", subject=spec.entry)
        return spec


@dataclass(frozen=True)
class Exit:
    """How a process ended.

    Attributes:
        code: its exit code, None if a signal ended it.
        signal: number of the signal that ended it, else None.
        cpu_s: seconds of CPU that it used, and those of its children that it waited for.
        max_rss_kb: its peak of resident memory, kB; begins at that of the launcher it came from.
        out_of_memory: the kernel killed it, or one of its processes, for the memory of all together.
    """

    code: int | None
    signal: int | None = None
    cpu_s: float = 0.0
    max_rss_kb: int = 0
    out_of_memory: bool = False

    @property
    def reason(self) -> str:
        """Such as ``exit 1`` or ``killed by SIGSEGV``."""
        if self.signal is None:
            return f"exit {self.code}"
        try:
            return f"killed by {signals.Signals(self.signal).name}"
        except ValueError:
            return f"killed by signal {self.signal}"

    def to_wire(self) -> dict[str, Any]:
        """The fields that the launcher sends."""
        return vars(self)

    @classmethod
    def from_wire(cls, fields: dict[str, Any]) -> Exit:
        """Read what :meth:`to_wire` made."""
        return cls(**fields)
