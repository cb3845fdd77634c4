"""What becomes of a task when a run of it ends."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.errors import EnvelopeError, UnsupportedSchema
from peagen_ray.lifecycle import (
    LONGEST_DELAY_S,
    MAX_RETRY,
    Ack,
    Action,
    DeadLetter,
    GiveBack,
    Policy,
    Retry,
    buried,
    decide,
    message_of,
    refusal,
)
from peagen_ray.task import Result, Status, Task, TaskKind

POLICY = Policy(max_retry=3, patience=80.0, retry_delay=1.0, skip_delay=0.5)
TASK = Task(kind=TaskKind.EXECUTE, attempts=2)


def a_result(status: str, **data: Any) -> Result:
    return Result(task_id=TASK.id, status=Status(status), data=data)


@pytest.mark.parametrize(
    ("result", "attempts", "action"),
    [
        (a_result("ok"), 1, Ack()),
        (a_result("ok", retryable=True), 9, Ack()),
        (a_result("error", retryable=True, msg="m"), 1, Retry(1.0)),
        (a_result("error", retryable=True, msg="m"), 2, Retry(2.0)),
        (a_result("error", retryable=True, msg="m"), 3, DeadLetter("m (run 3 of 3)")),
        (a_result("error", retryable=True, msg="m"), 7, DeadLetter("m (run 7 of 3)")),
        (a_result("error", retryable=False, msg="m"), 1, DeadLetter("m")),
        (a_result("error"), 1, DeadLetter("error without a message")),
        (a_result("skip"), 3, GiveBack(0.5)),
        (None, 1, Retry(0.0)),
        (None, 2, Retry(0.0)),
        (None, 3, DeadLetter("worker vanished (run 3 of 3)")),
    ],
)
def test_every_outcome_has_its_action(result: Result | None, attempts: int, action: Action) -> None:
    assert decide(result, attempts, POLICY) == action


def test_three_runs_are_the_default() -> None:
    assert MAX_RETRY == Policy().max_retry == 3


@given(st.integers(1, 10**6), st.floats(0.001, 1000))
def test_the_retry_delay_doubles_with_each_run_up_to_a_bound(run: int, base: float) -> None:
    policy = Policy(max_retry=10**7, retry_delay=base)
    first = decide(a_result("error", retryable=True), run, policy)
    second = decide(a_result("error", retryable=True), run + 1, policy)
    assert isinstance(first, Retry)
    assert isinstance(second, Retry)
    assert base <= first.delay <= second.delay <= max(LONGEST_DELAY_S, base)
    assert second.delay in (first.delay * 2, max(LONGEST_DELAY_S, base))


def test_skips_are_spread_out_and_end_when_patience_does() -> None:
    delays, skipped_for, skips = [], 0.0, 0
    while isinstance(
        action := decide(a_result("skip", msg="no gpu"), 1, POLICY, skips=skips, skipped_for=skipped_for),
        GiveBack,
    ):
        delays.append(action.delay)
        skipped_for, skips = skipped_for + action.delay, skips + 1
    assert delays[:5] == [0.5, 1.0, 2.0, 4.0, 8.0]
    assert max(delays) == POLICY.patience / 8
    assert action == DeadLetter(f"every worker skipped it for {skipped_for:.0f} s: no gpu")
    assert POLICY.patience <= skipped_for <= POLICY.patience * 9 / 8


def test_a_first_skip_is_given_back_even_with_no_patience() -> None:
    assert isinstance(decide(a_result("skip"), 1, Policy(patience=0.0)), GiveBack)


@pytest.mark.parametrize("msg", [None, "", 0, [], {}])
def test_a_message_is_never_empty(msg: Any) -> None:
    assert message_of(a_result("error", msg=msg)) == "error without a message"


def test_what_the_dead_letter_queue_publishes() -> None:
    run = a_result("error", msg="it broke", retryable=True, provenance={"worker": "w"})
    result = buried(TASK, run, "it broke (run 3 of 3)")
    assert (result.task_id, result.status, result.attempts) == (TASK.id, Status.ERROR, 2)
    assert result.data == {
        "msg": "it broke",
        "retryable": False,
        "dead_letter": "it broke (run 3 of 3)",
        "provenance": {"worker": "w"},
    }
    assert buried(TASK, None, "worker vanished").data == {
        "msg": "worker vanished",
        "retryable": False,
        "dead_letter": "worker vanished",
    }


def test_a_task_that_cannot_be_read_is_answered() -> None:
    newer = refusal(UnsupportedSchema(4, 1, "f" * 32), "f" * 32)
    assert (newer.task_id, newer.status, newer.retryable) == ("f" * 32, Status.ERROR, False)
    assert (newer.data["schema_v"], newer.data["speaks"]) == (4, 1)
    assert "speaks 1" in newer.data["msg"]
    broken = refusal(EnvelopeError("not JSON"), "x")
    assert broken.data == {"msg": "not JSON", "retryable": False}
