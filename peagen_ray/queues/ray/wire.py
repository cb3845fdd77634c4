"""What travels between a handle and the actor, as JSON: claims, actions, what is known of tasks, errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final, NamedTuple

from peagen_ray import errors
from peagen_ray.errors import PeagenError, QueueError
from peagen_ray.lifecycle import Ack, Action, DeadLetter, GiveBack, Retry
from peagen_ray.queues.model import Attempt, Claim, Completion, DeadTask, State, TaskInfo
from peagen_ray.task import Result, Task, TaskKind

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


def to_json(value: Any) -> bytes:
    """The JSON that travels, on one line."""
    return _ENCODER.encode(value).encode(errors="backslashreplace")


class Reply(NamedTuple):
    """What the actor says to one call.

    Attributes:
        body: JSON.
        empty: whether the caller may rather wait for more.
    """

    body: bytes
    empty: bool = False


def said(value: Any, *, empty: bool = False) -> Reply:
    """A reply with a value."""
    return Reply(to_json({"is": value}), empty)


def refused(error: PeagenError) -> Reply:
    """A reply that raises an error at the caller."""
    return Reply(to_json({"raise": [type(error).__name__, error.what, error.subject, error.hint]}))


def away(why: str) -> Reply:
    """A reply that asks the caller to call again: what was done is not kept yet."""
    return Reply(to_json({"away": why}))


class Away(Exception):
    """The cluster or the actor does not answer at the moment, or cannot keep what it is told."""


def understood(body: bytes) -> Any:
    """The value of a reply; raises what it says."""
    reply = json.loads(body)
    if "away" in reply:
        raise Away(reply["away"])
    if "raise" in reply:
        name, what, subject, hint = reply["raise"]
        raise getattr(errors, name, QueueError)(what, subject=subject, hint=hint)
    return reply["is"]


# ---- claims -----------------------------------------------------------------------------------


def claim_words(claim: Claim) -> list[Any]:
    """A claim that is given."""
    return [wire(claim.task), claim.token, claim.lease_until]


def claim_of(words: Sequence[Any]) -> Claim:
    """A claim that was given."""
    task, token, until = words
    return Claim(Task.from_wire(task), token, until)


def named(claim: Claim) -> list[str]:
    """What a worker says of a claim: id, kind and token."""
    return [claim.task.id, str(claim.task.kind), claim.token]


def claim_named(words: Sequence[str]) -> Claim:
    """The claim that a worker means; of its task no more than id and kind."""
    task_id, kind, token = words
    return Claim(Task(kind=TaskKind(kind), id=task_id), token, 0.0)


def completion_words(done: Completion, *, whole: bool) -> list[Any]:
    """A task that is done; with all of the task, or with its id and kind only."""
    claim = claim_words(done.claim) if whole else named(done.claim)
    return [claim, wire(done.result), [wire(task) for task in done.spawn]]


def completion_of(words: Sequence[Any], *, whole: bool) -> Completion:
    """The inverse of :func:`completion_words`."""
    claim, result, spawn = words
    read = claim_of(claim) if whole else claim_named(claim)
    return Completion(read, Result.from_wire(result), [Task.from_wire(task) for task in spawn])


def wire(envelope: Task | Result) -> str:
    """The JSON of a task or Result."""
    return envelope.to_wire().decode()


# ---- actions ----------------------------------------------------------------------------------


def action_words(action: Action | None) -> list[Any] | None:
    """What was done with a run that ended."""
    match action:
        case Retry(delay):
            return ["retry", delay]
        case GiveBack(delay):
            return ["back", delay]
        case DeadLetter(reason):
            return ["dead", reason]
        case Ack():
            return ["ack", ""]
    return None


def action_of(words: Sequence[Any] | None) -> Action | None:
    """The inverse of :func:`action_words`."""
    match words:
        case ["retry", delay]:
            return Retry(delay)
        case ["back", delay]:
            return GiveBack(delay)
        case ["dead", reason]:
            return DeadLetter(reason)
        case ["ack", _]:
            return Ack()
    return None


# ---- what is known of a task ------------------------------------------------------------------


def info_words(info: TaskInfo | None) -> dict[str, Any] | None:
    """All that is known of a task."""
    if info is None:
        return None
    return {
        "task": info.task and wire(info.task),
        "state": info.state,
        "since": info.since,
        "owner": info.owner,
        "due": info.due,
        "result": info.result and wire(info.result),
        "reason": info.reason,
        "history": [asdict(run) for run in info.history],
    }


def info_of(words: dict[str, Any] | None) -> TaskInfo | None:
    """The inverse of :func:`info_words`."""
    if words is None:
        return None
    return TaskInfo(
        **words
        | {
            "task": words["task"] and Task.from_wire(words["task"]),
            "state": State(words["state"]),
            "result": words["result"] and Result.from_wire(words["result"]),
            "history": tuple(Attempt(**run) for run in words["history"]),
        }
    )


def dead_words(dead: DeadTask) -> list[Any]:
    """A dead letter."""
    task = dead.task and wire(dead.task)
    return [dead.id, task, dead.reason, dead.died_at, [asdict(run) for run in dead.history]]


def dead_of(words: Sequence[Any]) -> DeadTask:
    """The inverse of :func:`dead_words`."""
    task_id, task, reason, died_at, history = words
    runs = tuple(Attempt(**run) for run in history)
    return DeadTask(task_id, task and Task.from_wire(task), reason, died_at, runs)
