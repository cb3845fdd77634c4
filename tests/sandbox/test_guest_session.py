"""What a guest does, in this process: its operations, and their order."""

from __future__ import annotations

import gc
import pickle
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from peagen_ray.launcher import framing
from peagen_ray.sandbox import guest
from peagen_ray.sandbox.base import Answer
from peagen_ray.sandbox.guest import _Session
from peagen_ray.sandbox.messages import pack, unpack
from peagen_ray.sandbox.reference import observations
from peagen_ray.workload.equality import Observation
from peagen_ray.workload.file import WORKLOAD_NAME
from peagen_ray.workload.target import MODULE_NAME, Call, Drained

DOUBLE = "def f(x):\n    return x * 2\n"


@pytest.fixture(autouse=True)
def clean() -> Iterator[None]:
    """A guest changes its process, which here is ours."""
    limit, modules = sys.getrecursionlimit(), dict(sys.modules)
    yield
    sys.setrecursionlimit(limit)
    gc.unfreeze()
    assert gc.isenabled()
    for name in (MODULE_NAME, WORKLOAD_NAME):
        if name in modules:
            sys.modules[name] = modules[name]
        else:
            sys.modules.pop(name, None)


class Talk:
    """A session, and what a host says to it."""

    def __init__(self) -> None:
        self.session = _Session()

    def ask(self, op: str, body: bytes = b"", **header: Any) -> Answer:
        return unpack(self.session.answer({"op": op, "limit": 4096, **header}, body))

    def load(self, source: str, slot: str = "a", entry: str = "f", workload: str | None = None) -> Answer:
        return self.ask(
            "load", slot=slot, source=source, entry=entry, workload=workload, workload_path="w.py"
        )

    def calls(self, op: str, *calls: Call, slot: str = "a", **header: Any) -> Answer:
        bodies = [pickle.dumps(call) for call in calls]
        return self.ask(op, b"".join(bodies), slot=slot, calls=[len(each) for each in bodies], **header)

    def run(self, *arguments: Any) -> Observation:
        answer = self.calls("run", Call(arguments), repeat=1)
        assert answer.header["ns"] >= 0
        return Observation.read(observations(answer, 1)[0])


@pytest.fixture
def talk() -> Talk:
    return Talk()


def test_a_program_is_loaded_and_called(talk: Talk) -> None:
    assert talk.load(DOUBLE).header == {"ok": True}
    assert talk.run(21).value == 42


def test_a_program_that_does_not_load_leaves_the_slot_as_it_was(talk: Talk) -> None:
    talk.load(DOUBLE)
    for source, words in (("1 / 0", "ZeroDivisionError"), ("def g(): pass", "f"), ("def f(:", "SyntaxError")):
        header = talk.load(source).header
        assert header["ok"] is False
        assert words in header["error"]
    assert len(talk.load(f"raise ValueError('x' * 9000)\n{DOUBLE}").header["error"]) <= 500
    assert talk.run(21).value == 42


def test_a_whole_module_is_called_through_the_workload(talk: Talk) -> None:
    workload = "def call(module, x):\n    return module.f(x) + 1\n"
    assert talk.load(DOUBLE, entry="", workload=workload).header == {"ok": True}
    assert talk.run(3).value == 7
    assert "call(module, *args)" in talk.load(DOUBLE, entry="", workload="x = 1\n").header["error"]


def test_what_is_raised_is_an_outcome_wherever_it_is_raised(talk: Talk) -> None:
    talk.load("def f(x):\n    return {}[x]\n")
    assert talk.run(1).raised == "KeyError"
    talk.load(
        "class C:\n    def __init__(self, x):\n        self.x = 1 / x\n\n    def f(self):\n        return self.x\n",
        entry="C.f",
    )
    answer = talk.calls("run", Call((), init=(0,)), repeat=1)
    assert Observation.read(observations(answer, 1)[0]).raised == "ZeroDivisionError"


def test_what_a_generator_yields_is_made_while_the_clock_runs(talk: Talk) -> None:
    talk.load("made = []\n\ndef f(n):\n    for i in range(n):\n        made.append(i)\n        yield i\n")
    talk.calls("ready", Call((3,)), repeat=2)
    module = talk.session.slots["a"].module
    assert module.made == []
    talk.ask("go", slot="a")
    assert module.made == [0, 1, 2, 0, 1, 2]
    value = Observation.read(observations(talk.ask("collect", slot="a"), 1)[0]).value
    assert isinstance(value, Drained)
    assert value.items == [0, 1, 2]


def test_calls_are_repeated_with_arguments_of_their_own_and_answered_once(talk: Talk) -> None:
    talk.load("def f(xs):\n    xs.append(len(xs))\n    return len(xs)\n")
    talk.calls("ready", Call(([],)), Call(([5],)), repeat=3)
    assert talk.ask("go", slot="a").header["ns"] > 0
    seen = [Observation.read(each) for each in observations(talk.ask("collect", slot="a"), 2)]
    assert [each.value for each in seen] == [1, 2]
    assert [each.args for each in seen] == [[[0]], [[5, 1]]]


def test_an_output_over_the_limit_is_said_to_be(talk: Talk) -> None:
    talk.load("def f(x):\n    return 'x' * x\n")
    answer = talk.calls("run", Call((100_000,)), repeat=1)
    assert "4096" in answer.header["too_large"]


def test_classes_in_arguments_are_those_of_the_slots_own_program(talk: Talk) -> None:
    source = "class P:\n    pass\n\ndef f(p):\n    return type(p) is P\n"
    talk.load(source, "a")
    talk.load(source, "b")
    module = talk.session.slots["a"].module
    sys.modules[MODULE_NAME] = module
    body = pickle.dumps(Call((module.P(),)))
    for slot in ("a", "b"):
        answer = talk.ask("run", body, slot=slot, calls=[len(body)], repeat=1)
        assert Observation.read(observations(answer, 1)[0]).value is True


def test_pairs_are_timed_in_turns(talk: Talk) -> None:
    for slot in ("a", "b"):
        talk.load(f"import sys\n\ndef f(x):\n    sys.modules['order'].append(('{slot}', x))\n", slot)
    order: list[tuple[str, int]] = []
    sys.modules["order"] = order  # type: ignore[assignment]
    try:
        more = {"swapped": False, "step": 2, "repeat_a": 1, "repeat_b": 2}
        calls = [Call((number,)) for number in range(6)]
        pairs = talk.calls("pairs", *calls, **more).header["pairs"]
        talk.calls("pairs", *calls[:2], **{**more, "swapped": True})
    finally:
        del sys.modules["order"]
    assert [len(pair) for pair in pairs] == [2, 2, 2]
    assert order == [
        *(("a", 0), ("b", 0), ("b", 1)),
        *(("b", 2), ("b", 3), ("a", 2)),
        *(("a", 4), ("b", 4), ("b", 5)),
        *(("b", 0), ("b", 1), ("a", 0)),
    ]


def test_an_empty_message_says_go_and_is_answered_by_none(talk: Talk) -> None:
    talk.load("made = []\n\ndef f(n):\n    made.append(n)\n", "a")
    talk.load(DOUBLE, "b")
    talk.calls("ready", Call((4,)), slot="b", repeat=1)
    talk.calls("ready", Call((5,)), Call((6,)), slot="a", repeat=1)
    assert talk.session.respond(b"") == b""
    assert talk.session.slots["a"].module.made == [5, 6]


def test_garbage_is_collected_between_the_calls_and_not_in_them(talk: Talk) -> None:
    talk.load("import gc\n\ndef f(x):\n    return gc.isenabled()\n")
    assert talk.run(1).value is False
    assert gc.isenabled()


def test_a_guest_answers_until_its_host_hangs_up() -> None:
    host, channel = socket.socketpair()
    thread = threading.Thread(target=guest.main, args=(channel,))
    with host, channel:
        thread.start()
        load = {"op": "load", "slot": "a", "source": DOUBLE, "entry": "f", "limit": 4096}
        framing.send(host, pack({**load, "workload": None, "workload_path": ""}))
        assert unpack(framing.receive(host, 4096, None)).header == {"ok": True}
        call = pickle.dumps(Call((21,)))
        framing.send(
            host, pack({"op": "run", "slot": "a", "calls": [len(call)], "repeat": 1, "limit": 9}, call)
        )
        assert "too_large" in unpack(framing.receive(host, 4096, None)).header
        host.shutdown(socket.SHUT_WR)
        thread.join(10)
    assert not thread.is_alive()
    assert sys.getrecursionlimit() >= 3000
