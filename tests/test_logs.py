"""Logs: each line is whole, says what it is about, and cannot be forged by what it quotes."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest

from peagen_ray.about import KEY, About, inherited
from peagen_ray.logs import ROOT, set_up, teller

LOG = logging.getLogger(f"{ROOT}.some.module")
IDS = {"run": "r1", "task": "ab12", "candidate": 0, "worker": "w-1"}


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    logger = logging.getLogger(ROOT)
    before = logger.handlers[:], logger.level
    yield io.StringIO()
    logger.handlers[:], logger.level = before[0], before[1]


def test_json_lines_have_the_ids_and_whatever_else_is_known(written: io.StringIO) -> None:
    set_up("json", "info", written)
    LOG.info("task %s ended", "ab12", extra={**IDS, "wall_s": 0.5, "reason": ""})
    line = json.loads(written.getvalue())
    assert line.pop("time").endswith("Z")
    known = {"level": "info", "logger": "peagen_ray.some.module", "message": "task ab12 ended"}
    assert line == {**known, **IDS, "wall_s": 0.5}


def test_text_lines_show_the_ids(written: io.StringIO) -> None:
    set_up("text", "warning", written)
    LOG.warning("lost", extra={"candidate": 3, "run": "r1"})
    assert written.getvalue().endswith("WARNING some.module: lost (run r1, candidate 3)\n")


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_a_candidate_said_cannot_begin_a_line_or_drive_the_terminal(
    form: str, written: io.StringIO
) -> None:
    set_up(form, "info", written)
    LOG.info("%s", "one\ntwo\x1b[2J\u202e", extra={"worker": "a\nb"})
    (line,) = written.getvalue().splitlines()
    assert line.isprintable()


def test_a_value_of_any_length_or_type_is_bounded_and_written(written: io.StringIO) -> None:
    set_up("json", "info", written)
    LOG.info(
        "x" * 100_000, extra={"reason": "y" * 100_000, "odd": object(), "ratio": float("inf"), "_ray": 1}
    )
    assert len(written.getvalue()) < 40_000
    line = json.loads(written.getvalue(), parse_constant=pytest.fail)
    assert "object object" in line["odd"]
    assert (line["ratio"], "_ray" in line) == ("inf", False)


def test_tracebacks_are_in_both_forms(written: io.StringIO) -> None:
    for form in ("json", "text"):
        set_up(form, "info", written)
        try:
            raise ValueError("broken")
        except ValueError:
            LOG.exception("the listener failed")
    first, rest = written.getvalue().split("\n", 1)
    assert "ValueError: broken" in json.loads(first)["traceback"]
    assert "\nValueError: broken" in rest


def test_a_second_set_up_takes_the_place_of_the_first(written: io.StringIO) -> None:
    set_up("text", "info", io.StringIO())
    set_up("text", "error", written)
    LOG.warning("not this")
    LOG.error("this")
    teller("worker", worker="w")("nor that, which is information")
    assert len(written.getvalue().splitlines()) == 1


@pytest.mark.parametrize(
    "said",
    [None, 3, [], {"run": 7, "candidate": True}, {"candidate": "1", "trace": None}, {"run": "r" * 999}],
)
def test_what_others_say_a_task_is_about_is_taken_for_what_it_is(said: object) -> None:
    found = About.of({KEY: said})
    assert found.candidate is None
    assert len(found.run) <= 120
    assert isinstance(found.trace, str)


def test_follow_up_tasks_are_about_the_same_unless_they_say_otherwise() -> None:
    about = {KEY: About("r1", 4, "00-ab").to_data()}
    assert About.of(inherited({"x": 1}, about)) == About("r1", 4, "00-ab")
    assert inherited({KEY: {"run": "other"}}, about) == {KEY: {"run": "other"}}
    assert inherited({"x": 1}, {"y": 2}) == {"x": 1}
