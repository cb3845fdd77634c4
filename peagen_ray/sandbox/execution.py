"""One-shot use of a sandbox: run a program with inputs under limits, and say what became of it."""

from __future__ import annotations

import pickle
import time
from dataclasses import dataclass
from typing import Any, Final

from peagen_ray.sandbox.base import Guest, GuestFailed
from peagen_ray.sandbox.reference import run
from peagen_ray.workload.codec import MalformedValue
from peagen_ray.workload.equality import Observation
from peagen_ray.workload.target import Call

_MEMORY: Final = "MemoryError"


@dataclass(frozen=True)
class Program:
    """A program that is not trusted, and what it is given.

    Attributes:
        source: its text.
        entry: the function, or ``Class.method`` that needs no object, to call; "" runs the text as ``__main__``.
        inputs: positional arguments of the entry.
        stdin: what it reads on its standard input.
        argv: arguments of its command line.
    """

    source: str
    entry: str = ""
    inputs: tuple[Any, ...] = ()
    stdin: bytes = b""
    argv: tuple[str, ...] = ()


@dataclass(frozen=True)
class Execution:
    """What became of a program.

    Attributes:
        outcome: ``ok``, or one of the other five of :mod:`peagen_ray.sandbox.base`; an entry that raises and a
            program that exits with another code than 0 are an ``error``.
        reason: one line of why it is not ``ok``.
        value: what the entry returned, decoded by :mod:`peagen_ray.workload.codec`: built-in types only.
        stdout: what it printed, 64 KiB at most: the beginning and the end.
        stderr: the same of its standard error.
        cpu_s: seconds of CPU that it used, loading included.
        wall_s: seconds from the first message to the last.
        peak_kb: peak of memory beyond that of the interpreter, kB; 0 where it died, since then nobody knows.
        layers: the layers of isolation that were really active.
    """

    outcome: str
    reason: str
    value: Any
    stdout: str
    stderr: str
    cpu_s: float
    wall_s: float
    peak_kb: int
    layers: frozenset[str]


def execute(guest: Guest, program: Program) -> Execution:
    """Run a program in a guest, which is ended."""
    begun = time.monotonic()
    value, peak_kb, cpu_s = None, 0, None
    try:
        guest.reset_peak()
        if program.entry:
            value = _call(guest, program)
        else:
            _run(guest, program)
        outcome, reason = "ok", ""
        peak_kb, cpu_s = guest.peak_kb(), guest.cpu_ns() / 1e9
    except GuestFailed as failure:
        outcome, reason = failure.outcome, failure.reason
    finally:
        wall_s = time.monotonic() - begun
        guest.close()
    spent = guest.cpu_s if cpu_s is None else cpu_s
    return Execution(outcome, reason, value, *guest.printed, spent, wall_s, peak_kb, guest.layers)


def _call(guest: Guest, program: Program) -> Any:
    """Call the entry; returns its value, decoded.

    Raises:
        GuestFailed: it does not load, raised, or answered what cannot be read.
    """
    load = {"op": "load", "slot": "a", "source": program.source, "entry": program.entry}
    loaded = guest.ask({**load, "workload": None, "workload_path": ""})
    if not loaded.header.get("ok"):
        raise GuestFailed("error", f"does not load: {loaded.header.get('error')!s:.500}")
    body = run(guest, "a", pickle.dumps(Call(program.inputs))).body
    try:
        observed = Observation.read(body)
        value, raised = observed.value, observed.raised
    except MalformedValue as error:
        raise GuestFailed("error", f"answered rubbish: {error}") from error
    if raised:
        raise GuestFailed("memory" if raised == _MEMORY else "error", observed.summary()[:500])
    return value


def _run(guest: Guest, program: Program) -> None:
    """Run it as ``__main__``; raises GuestFailed if it raised or exits with another code than 0."""
    answer = guest.ask({"op": "main", "source": program.source, "argv": program.argv}, program.stdin)
    raised, code = answer.header.get("raised"), answer.header.get("code")
    if raised is not None:
        outcome = "memory" if str(raised).startswith(_MEMORY) else "error"
        raise GuestFailed(outcome, f"raised {raised!s:.500}")
    if code != 0:
        raise GuestFailed("error", f"exit {code!s:.100}")
