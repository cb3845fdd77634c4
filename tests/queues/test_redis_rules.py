"""The rules that exist twice, in Python and in the scripts, say the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from peagen_ray.lifecycle import LONGEST_DELAY_S, DeadLetter, GiveBack, Policy, Retry, decide
from peagen_ray.queues.model import lane_of
from peagen_ray.queues.redis.link import linked
from peagen_ray.queues.redis.wire import micros, outcome_words
from peagen_ray.task import Result, Status, Task, TaskKind, _iso, missing_tags
from peagen_ray.testing.servers import RedisServer

Lua = Callable[..., Any]
POLICY = Policy(max_retry=4, patience=32.0, retry_delay=1.5, skip_delay=0.25)
tag = st.sampled_from(
    [
        "cpu",
        "gpu",
        "llm",
        "cuda11",
        "cuda12",
        "cuda11/12",
        "cuda12/11/13",
        "gcc13",
        "a.b",
        "x_y",
        "py3/pypy",
        "1/2",
        "a1b2/3",
    ]
)
text = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=300)


@pytest.fixture(scope="module")
def lua(server: RedisServer) -> Iterator[Lua]:
    """Runs a program after what it uses of the library; its arguments begin at ``ARGV[4]``."""
    times = map(micros, (POLICY.patience, POLICY.retry_delay, POLICY.skip_delay, LONGEST_DELAY_S))
    policy = " ".join(map(str, (POLICY.max_retry, *times, 10, 10, 10)))
    with server.client() as client:

        def run(program: str, *args: Any, now: int = 0) -> Any:
            return client.eval(linked(program), 1, "rules.tasks", "rules.", now, policy, *args)

        yield run


@given(wanted=st.sets(tag), offered=st.frozensets(tag))
@settings(max_examples=200, deadline=None)
def test_a_lane_lacks_the_tags_that_a_task_lacks(lua: Lua, wanted: set[str], offered: frozenset[str]) -> None:
    said = lua("return lacks(ARGV[4], offer_of(ARGV[5]))", lane_of(wanted), lane_of(offered))
    assert tuple(each.decode() for each in said) == missing_tags(wanted, offered)


@example(outcome="retryable", message="before\0after", runs=POLICY.max_retry, skips=0, skipped_for=0.0)
@given(
    outcome=st.sampled_from(["vanished", "skip", "retryable", "final"]),
    message=st.one_of(st.none(), text),
    runs=st.integers(1, 6),
    skips=st.integers(0, 80),
    skipped_for=st.integers(0, 64 * 64).map(lambda n: n / 64),
)
@settings(max_examples=300, deadline=None)
def test_what_a_run_came_to_is_decided_alike(
    lua: Lua, outcome: str, message: str | None, runs: int, skips: int, skipped_for: float
) -> None:
    result = None
    if outcome != "vanished":
        data = {} if message is None else {"msg": message}
        status = Status.SKIP if outcome == "skip" else Status.ERROR
        data |= {} if outcome == "skip" else {"retryable": outcome == "retryable"}
        result = Result(task_id="a" * 32, status=status, data=data)
    words = outcome_words(result) if result else []
    now = 10**15
    program = """
      local outcome = ARGV[7] and outcome_from(7) or nil
      local action, detail = decide({a = ARGV[4], sk = ARGV[5], ss = ARGV[6]}, outcome)
      return {action, type(detail) == 'number' and int(detail) or detail}
    """
    said, detail = (
        each.decode() for each in lua(program, runs, skips, now - micros(skipped_for), *words, now=now)
    )
    match decide(result, runs, POLICY, skips=skips, skipped_for=skipped_for):
        case DeadLetter(reason):
            assert (said, detail) == ("dead", reason)
        case Retry(delay):
            assert (said, int(detail)) == ("retry", micros(delay))
        case GiveBack(delay):
            assert (said, int(detail)) == ("back", micros(delay))


@given(moment=st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1)))
@settings(max_examples=200, deadline=None)
def test_moments_are_written_alike(lua: Lua, moment: datetime) -> None:
    since = (moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    written = lua("return iso(tonumber(ARGV[4]))", since).decode()
    assert datetime.fromisoformat(written) == moment.replace(tzinfo=UTC)
    assert written == (_iso(moment.replace(tzinfo=UTC)) if moment.microsecond else written)


@given(
    payload=st.dictionaries(text, text, max_size=3), kind=st.sampled_from(TaskKind), runs=st.integers(0, 99)
)
@settings(max_examples=200, deadline=None)
def test_runs_are_written_into_the_task_and_nothing_else_is(
    lua: Lua, payload: dict[str, str], kind: TaskKind, runs: int
) -> None:
    payload = {**payload, "trap": '"attempts":7,"created_at":"","schema_v":1}'}
    task = Task(kind=kind, payload=payload, requires={"cpu"})
    said = lua(
        "return {with_attempts(ARGV[4], ARGV[5]), id_in(ARGV[4]), kind_in(ARGV[4])}", task.to_wire(), runs
    )
    assert Task.from_wire(said[0]) == task.model_copy(update={"attempts": runs})
    assert (said[1].decode(), said[2].decode()) == (task.id, str(kind))


@given(
    result=st.builds(
        lambda task_id, msg: Result(task_id=task_id, status=Status.OK, data={"msg": msg}), text, text
    )
)
@settings(max_examples=200, deadline=None)
def test_the_task_of_a_result_is_found_in_it(lua: Lua, result: Result) -> None:
    assert lua("return task_id_in(ARGV[4])", result.to_wire()).decode() == result.task_id
