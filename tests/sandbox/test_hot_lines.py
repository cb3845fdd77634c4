"""Hot lines: where a program spends its time is told, and nothing where that cannot be had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from peagen_ray.sandbox import hotlines
from peagen_ray.sandbox.base import Answer, GuestFailed, GuestLimits
from peagen_ray.sandbox.hotlines import TOLD, Tracer
from peagen_ray.sandbox.measure import screen
from peagen_ray.sandbox.process import ProcessSandbox
from peagen_ray.sandbox.reference import Reference, Subject
from peagen_ray.sandbox.screening import told

LIMITS = GuestLimits(wall_s=3.0, cpu_s=20.0, memory_mb=512, output_kb=256, scratch_mb=4)

HELPED = """
def helper(n):
    return sum(range(n))


def main():
    quick = 1
    slow = helper(200_000)
    return quick + slow
"""

SLOW = """def total(numbers: list[int]) -> int:
    found = 0
    for _ in range(3):
        found = sum(sorted(numbers * 20)) // 20
    return found
"""

HOSTILE = """import sys


def total(numbers: list[int]) -> int:
    if sys.gettrace():
        {}
    return sum(numbers)
"""


def traced(source: str, file: str = "program") -> list[list[int]]:
    names: dict[str, Callable[[], Any]] = {}
    exec(compile(source, "program", "exec"), names)
    return Tracer(file).run([names["main"]])


def test_time_belongs_to_the_line_that_spends_it_and_not_to_the_one_that_calls_it() -> None:
    line, share = traced(HELPED)[0]
    assert HELPED.splitlines()[line - 1] == "    return sum(range(n))"
    assert share > 900


def test_time_spent_in_another_file_belongs_to_the_line_that_calls_it() -> None:
    source = (
        "import json\ndef main():\n    x = 1\n    json.dumps(list(range(50_000)), indent=1)\n    return x\n"
    )
    assert traced(source)[0][0] == 4


def test_nothing_is_told_of_a_program_that_is_traced_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hotlines, "MOST_LINES", 3)
    assert traced(HELPED) == []


def test_a_program_that_raises_or_recurses_is_traced_too() -> None:
    source = "def main(n=50):\n    try:\n        main(n - 1) if n else 1 / 0\n    except ZeroDivisionError:\n        sum(range(99_999))\n"
    assert traced(source)[0][0] == 5


@pytest.mark.parametrize(
    "said", [None, "x", {}, [1], [[1]], [[1, -1]], [[1, 2.5]], [["a", 1]], [[1, 2]] * (TOLD + 1)]
)
def test_rubbish_is_no_answer(said: object) -> None:
    with pytest.raises(GuestFailed):
        told(Answer({"hot": said}, b""))


def test_a_share_is_no_more_than_all() -> None:
    assert told(Answer({"hot": [[3, 10**9]]}, b"")) == ((3, 1.0),)


def test_screening_tells_the_hot_lines_where_it_is_asked_to(
    sandbox: ProcessSandbox, subject: Subject, reference: Reference
) -> None:
    verdict = screen(sandbox, LIMITS, subject, reference, SLOW, hot=True)
    assert verdict.outcome == "ok"
    line, share = verdict.hot[0]
    assert line == 4
    assert share > 0.5
    assert screen(sandbox, LIMITS, subject, reference, SLOW).hot == ()


@pytest.mark.parametrize("what", ["raise SystemExit", "import os; os._exit(1)", "sys.settrace(None)"])
def test_a_program_that_will_not_be_looked_at_is_judged_by_what_it_does(
    what: str, sandbox: ProcessSandbox, subject: Subject, reference: Reference
) -> None:
    verdict = screen(sandbox, LIMITS, subject, reference, HOSTILE.format(what), hot=True)
    assert (verdict.outcome, verdict.speed is not None) == ("ok", True)
