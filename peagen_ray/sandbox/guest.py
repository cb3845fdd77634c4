"""What runs in a guest: loads programs, calls them, and answers what it saw.

Operations (the ``op`` of a message's header):

* ``load``: ``slot``, ``source``, ``entry``, ``workload`` (source text or null). Answer: ``{"ok": …}``.
* ``run``: ``slot``; body: pickled :class:`~peagen_ray.workload.target.Call`. ``repeat`` calls are prepared and
  made. Answer: ``{"ns": …}``, body: the encoded observation of the last one.
* ``echo``: the last ``run`` of this slot once more, without calling: the cost of the conversation itself.
* ``pairs``: ``calls`` (lengths of the pickled calls in the body), ``first``, ``count``, ``repeat_a``, ``repeat_b``.
  Calls of slot ``a`` and slot ``b`` are timed alternately, AB then BA. Answer: ``{"pairs": [[ns_a, ns_b], …]}``.
"""

from __future__ import annotations

import gc
import pickle
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Final

from peagen_ray.launcher import framing
from peagen_ray.sandbox.base import pack, unpack
from peagen_ray.workload.codec import ValueTooLarge
from peagen_ray.workload.equality import observe
from peagen_ray.workload.target import Call, Program, drain, load_module, load_program

REQUEST_LIMIT: Final = 256 << 20
"""Bytes that one message from the host may have; the host is trusted, so this only guards against garbage."""

_clock = time.process_time_ns


@dataclass
class _Slot:
    program: Program
    observation: bytes = b""

    def unpickle(self, body: bytes) -> Call:
        self.program.install()
        call = pickle.loads(body)  # noqa: S301  (what the host sends is trusted)
        assert isinstance(call, Call)
        return call


class _Session:
    def __init__(self) -> None:
        self.slots: dict[str, _Slot] = {}

    def answer(self, header: dict[str, Any], body: bytes) -> bytes:
        operation: Callable[[dict[str, Any], bytes], bytes] = getattr(self, f"do_{header['op']}")
        return operation(header, body)

    def do_load(self, header: dict[str, Any], _body: bytes) -> bytes:
        helper: ModuleType | None = None
        if header.get("workload"):
            helper = load_module(header["workload"], name="__peagen_workload__")
        try:
            program = load_program(header["source"], header["entry"], helper)
        except Exception as error:  # noqa: BLE001  (the program is not ours: whatever it raises is its outcome)
            return pack({"ok": False, "error": _summary(error)})
        self.slots[header["slot"]] = _Slot(program)
        return pack({"ok": True})

    def do_run(self, header: dict[str, Any], body: bytes) -> bytes:
        slot = self.slots[header["slot"]]
        prepared = [slot.program.prepare(slot.unpickle(body)) for _ in range(header.get("repeat", 1))]
        start = _clock()
        for thunk in prepared:
            outcome = thunk.run()
        elapsed = _clock() - start
        slot.observation = b""
        try:
            slot.observation = observe(outcome, prepared[-1], limit_bytes=header["limit"])
        except ValueTooLarge as error:
            return pack({"ns": elapsed, "too_large": str(error)})
        return pack({"ns": elapsed}, slot.observation)

    def do_echo(self, header: dict[str, Any], body: bytes) -> bytes:
        slot = self.slots[header["slot"]]
        for _ in range(header.get("repeat", 1)):
            slot.program.prepare(slot.unpickle(body))
        return pack({"ns": 0}, slot.observation)

    def do_pairs(self, header: dict[str, Any], body: bytes) -> bytes:
        ends = [sum(header["calls"][: i + 1]) for i in range(len(header["calls"]))]
        calls = [body[end - size : end] for end, size in zip(ends, header["calls"], strict=True)]
        pairs = []
        for number in range(header["first"], header["first"] + header["count"]):
            call = calls[number % len(calls)]
            timed = {}
            for name in ("a", "b") if number % 2 else ("b", "a"):
                timed[name] = self._time(self.slots[name], call, header[f"repeat_{name}"])
            pairs.append([timed["a"], timed["b"]])
        return pack({"pairs": pairs})

    def _time(self, slot: _Slot, call: bytes, repeat: int) -> int:
        prepared = [slot.program.prepare(slot.unpickle(call)) for _ in range(repeat)]
        gc.collect(0)
        gc.disable()
        start = _clock()
        for thunk in prepared:
            drain(thunk.run())
        elapsed = _clock() - start
        gc.enable()
        return elapsed


def main(channel: socket.socket) -> None:
    """Answer the host until it hangs up."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), 3000))
    session = _Session()
    while True:
        try:
            message = framing.receive(channel, REQUEST_LIMIT, None)
        except framing.ChannelClosed:
            return
        framing.send(channel, session.answer(*unpack(message)))


def _summary(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:500]
