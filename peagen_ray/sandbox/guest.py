"""What runs in a guest: loads programs, calls them, and answers what it saw.

Operations (the ``op`` of a message's header), and what is answered:

``load``
    ``slot``, ``source``, ``entry``, ``workload`` (source text or null), ``workload_path``. Answer: ``ok``,
    ``error``.
``ready``
    ``slot``, ``calls`` (lengths of the pickled calls in the body), ``repeat`` (how often each).
``go``
    ``slot``. The prepared calls are made, and nothing else is done. Answer: ``ns``. An empty message asks for the
    same, in the slot that was made ready last, and is answered by an empty one.
``collect``
    ``slot``, ``limit`` (bytes of one). Answer: ``lengths``; body: the observations of the calls.
``run``
    The last three in one.
``pairs``
    ``calls``, ``step``, ``repeat_a``, ``repeat_b``, ``swapped``. Slots ``a`` and ``b`` are timed alternately, AB
    then BA, or the other way round. A pair takes the next ``step`` of the calls, and each slot the first
    ``repeat`` of these. Answer: ``pairs``, ``[[ns_a, ns_b], …]``.
``hot``
    ``slot``, ``calls``. Answer: ``hot``, the lines of the program that took most of the calls' time, and their
    shares in thousandths, ``[[line, share], …]``.
``main``
    ``source``, ``argv``; body: its standard input. Runs a program as ``__main__``. Answer: ``code`` that it exited
    with, or ``raised``.
``evaluate``
    ``convention``, ``options``, ``files``, ``main``; body: a zip. Has a convention judge a candidate, see
    ``peagen_ray.sandbox.conventions``. Answer: ``judgement``.
"""

from __future__ import annotations

import gc
import os
import pickle
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from types import ModuleType
from typing import Any, Final

from peagen_ray.launcher import framing
from peagen_ray.sandbox.hotlines import Tracer
from peagen_ray.sandbox.messages import pack, split, unpack
from peagen_ray.workload.codec import ValueTooLarge
from peagen_ray.workload.equality import observe
from peagen_ray.workload.file import WORKLOAD_NAME
from peagen_ray.workload.target import Call, Prepared, Target, bind, drain, install, load_module

REQUEST_LIMIT: Final = 256 << 20
"""Bytes that one message from the host may have; the host is trusted, so this only guards against garbage."""

_clock = time.process_time_ns
_collect, _freeze, _disable, _enable = gc.collect, gc.freeze, gc.disable, gc.enable


@dataclass
class _Made:
    """A call that is ready to be made, or was made."""

    call: Call
    prepared: Prepared
    value: Any = None
    raised: bool = False

    def make(self) -> None:
        """Make it; iterators are drained, since producing is the work."""
        try:
            self.value = drain(self.prepared.thunk())
        except Exception as error:  # noqa: BLE001  (the program is not ours: what it raises is its outcome)
            self.value, self.raised = error, True


@dataclass
class _Slot:
    """A loaded program and its calls."""

    module: ModuleType
    target: Target
    made: list[_Made] = field(default_factory=list)
    distinct: int = 0

    def ready(self, body: bytes) -> _Made:
        """Make a pickled call ready; classes in it are those of this slot's module."""
        install(self.module)
        call = pickle.loads(body)  # noqa: S301  (what the host sends is trusted)
        try:
            return _Made(call, self.target.prepare(call))
        except Exception as error:  # noqa: BLE001  (a constructor's error is the outcome of the call)
            return _Made(call, Prepared(partial(_raise, error)))


class _Session:
    def __init__(self) -> None:
        self.slots: dict[str, _Slot] = {}
        self.latest: list[_Made] = []

    def respond(self, message: bytes) -> bytes:
        if message:
            return self.answer(*unpack(message))
        _time(self.latest)
        return b""

    def answer(self, header: dict[str, Any], body: bytes) -> bytes:
        operation: Callable[[dict[str, Any], bytes], bytes] = getattr(self, f"do_{header['op']}")
        return operation(header, body)

    def do_load(self, header: dict[str, Any], _body: bytes) -> bytes:
        try:
            module = load_module(header["source"])
            install(module)
            target = bind(module, header["entry"], _caller(header["workload"], header["workload_path"]))
        except Exception as error:  # noqa: BLE001  (the program is not ours: whatever it raises is its outcome)
            return pack({"ok": False, "error": f"{type(error).__name__}: {error}"[:500]})
        self.slots[header["slot"]] = _Slot(module, target)
        return pack({"ok": True})

    def do_ready(self, header: dict[str, Any], body: bytes) -> bytes:
        slot = self.slots[header["slot"]]
        calls = split(body, header["calls"])
        slot.made = [slot.ready(call) for _ in range(header["repeat"]) for call in calls]
        slot.distinct = len(calls)
        self.latest = slot.made
        _collect()
        _freeze()  # what a program keeps, such as tables, is gone through once and not every time
        return pack({})

    def do_go(self, header: dict[str, Any], _body: bytes) -> bytes:
        return pack({"ns": _time(self.slots[header["slot"]].made)})

    def do_collect(self, header: dict[str, Any], _body: bytes) -> bytes:
        slot = self.slots[header["slot"]]
        seen = []
        for made in slot.made[: slot.distinct]:
            try:
                instance, limit = made.prepared.instance, header["limit"]
                seen.append(observe(made.value, made.call, instance, raised=made.raised, limit_bytes=limit))
            except ValueTooLarge as error:
                return pack({"too_large": str(error)})
        return pack({"lengths": [len(each) for each in seen]}, b"".join(seen))

    def do_run(self, header: dict[str, Any], body: bytes) -> bytes:
        self.do_ready(header, body)
        elapsed = _time(self.slots[header["slot"]].made)
        collected = unpack(self.do_collect(header, b""))
        return pack({**collected.header, "ns": elapsed}, collected.body)

    def do_pairs(self, header: dict[str, Any], body: bytes) -> bytes:
        calls, step = split(body, header["calls"]), header["step"]
        pairs = []
        for number, first in enumerate(range(0, len(calls), step), header["swapped"]):
            timed = {}
            for name in ("b", "a") if number % 2 else ("a", "b"):
                chosen = calls[first : first + header[f"repeat_{name}"]]
                timed[name] = _time([self.slots[name].ready(call) for call in chosen])
            pairs.append([timed["a"], timed["b"]])
        return pack({"pairs": pairs})

    def do_hot(self, header: dict[str, Any], body: bytes) -> bytes:
        slot = self.slots[header["slot"]]
        made = [slot.ready(call) for call in split(body, header["calls"])]
        return pack({"hot": Tracer(slot.module.__file__ or "").run([each.make for each in made])})

    def do_main(self, header: dict[str, Any], body: bytes) -> bytes:
        _offer_stdin(body)
        sys.argv = ["program", *header["argv"]]
        try:
            load_module(header["source"], name="__main__", path="program")
            ended: dict[str, Any] = {"code": 0}
        except SystemExit as leaving:
            ended = {"code": _exit_code(leaving.code)}
        except BaseException as error:  # noqa: BLE001  (as Python's own outermost frame does)
            traceback.print_exc()
            ended = {"raised": f"{type(error).__name__}: {error}"[:500]}
        with suppress(OSError, ValueError, AttributeError):  # closed, or replaced
            sys.stdout.flush()
        return pack(ended)

    def do_evaluate(self, header: dict[str, Any], body: bytes) -> bytes:
        from peagen_ray.sandbox.conventions.laying import judge  # those that are timed have no use for it

        return pack({"judgement": judge(header, body)})


def _raise(error: Exception) -> None:
    raise error


def _time(calls: list[_Made]) -> int:
    """Make the calls; CPU nanoseconds of that, garbage collection left out."""
    _disable()
    start = _clock()
    for made in calls:
        made.make()
    elapsed = _clock() - start
    _enable()
    return elapsed


def _exit_code(code: object) -> int:
    """What Python itself makes of ``sys.exit(code)``."""
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    sys.stderr.write(f"{code}\n")
    return 1


def _offer_stdin(content: bytes) -> None:
    """Make it what the standard input gives: a file, since a pipe would need somebody to fill it meanwhile."""
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        os.dup2(file.fileno(), 0)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115  (for as long as the process lives)


def _caller(workload: str | None, path: str) -> Callable[..., Any] | None:
    """The workload file's ``call``, which whole modules are called through."""
    if workload is None:
        return None
    module = load_module(workload, name=WORKLOAD_NAME, path=path)
    install(module)
    caller: Callable[..., Any] | None = getattr(module, "call", None)
    return caller


def responder() -> Callable[[bytes], bytes]:
    """Make this process a guest: what answers a message of the host's."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 3000))
    return _Session().respond


def main(channel: socket.socket) -> None:
    """Answer the host until it hangs up; what traces the launcher does not slow what is measured here."""
    sys.settrace(None)
    sys.setprofile(None)
    respond = responder()
    while True:
        try:
            message = framing.receive(channel, REQUEST_LIMIT, None)
        except framing.ChannelClosed:
            return
        framing.send(channel, respond(message))
