"""What travels between the queue and its scripts: times, tasks, outcomes and records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from hashlib import sha256
from typing import Any, Final

from peagen_ray.errors import EnvelopeError
from peagen_ray.lifecycle import Action, DeadLetter, GiveBack, Retry, message_of, refusal
from peagen_ray.queues._record import MSG_CHARS
from peagen_ray.queues.letters import from_json, history_of
from peagen_ray.queues.model import DeadTask, State, TaskInfo, lane_of
from peagen_ray.task import Result, Task

_STATES: Final = {
    b"w": State.WAITING,
    b"l": State.DELAYED,
    b"c": State.CLAIMED,
    b"r": State.RELEASED,
    b"d": State.DONE,
    b"x": State.DEAD,
    b"k": State.CANCELLED,
}
_OUR_KEYS: Final = frozenset({"msg", "retryable", "dead_letter"})
_FOREIGN: Final = "another program wrote it into the dead-letter queue"
_ID_CHARS: Final = 32
_LEAST_ID: Final = 16


def micros(seconds: float) -> int:
    """Seconds as whole microseconds."""
    return round(seconds * 1e6)


def seconds(micro: bytes | float | str) -> float:
    """Microseconds as seconds."""
    return float(micro) / 1e6


def fields(flat: Sequence[bytes]) -> dict[bytes, bytes]:
    """Names and values in turn, as a dict."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def task_words(task: Task) -> list[Any]:
    """Id, lane, kind and JSON; runs are counted by the queue, from zero."""
    fresh = task.model_copy(update={"attempts": 0}) if task.attempts else task
    return [task.id, lane_of(task.requires), str(task.kind), fresh.to_wire()]


def outcome_words(result: Result) -> list[Any]:
    """Status, whether it may be retried, the reason in full and shortened, and the data as JSON members."""
    reason = message_of(result)
    message = json.dumps(result.data["msg"]) if "msg" in result.data else ""
    rest = {name: value for name, value in result.data.items() if name not in _OUR_KEYS}
    plain = result.model_copy(update={"data": rest}).to_wire()  # raises EnvelopeError if it is no JSON
    members = json.dumps(json.loads(plain)["data"], ensure_ascii=False)[1:-1]
    return [
        str(result.status),
        "1" if result.retryable else "0",
        reason,
        reason[:MSG_CHARS],
        message,
        f"{members}," if members else "",
    ]


def action_of(said: bytes) -> Action | None:
    """What a script says that was done."""
    name, _, detail = said.decode().partition(" ")
    match name:
        case "dead":
            return DeadLetter(detail)
        case "retry":
            return Retry(seconds(detail))
        case "back":
            return GiveBack(seconds(detail))
    return None


def judge(entry: bytes, flat: Sequence[bytes], stream: str) -> list[Any]:
    """What ``admit.lua`` is told of an entry that another producer wrote to the door."""
    raw = fields(flat).get(b"data")
    derived = sha256(f"{stream} {entry.decode()}".encode()).hexdigest()[:_ID_CHARS]
    if raw is None:
        names = b", ".join(flat[::2]).decode(errors="replace")
        error = EnvelopeError(f"the entry has no field data, but {names}", subject=f"entry {entry.decode()}")
        return _bad(entry, derived, error, json.dumps([each.decode("latin-1") for each in flat]).encode())
    task_id = _id_in(raw)
    try:
        task = Task.from_wire(raw if task_id else _with_id(raw, derived))
        return [entry, "task", *task_words(task)]
    except EnvelopeError as error:
        return _bad(entry, task_id or derived, error, raw)


def _bad(entry: bytes, task_id: str, error: EnvelopeError, raw: bytes) -> list[Any]:
    answer = refusal(error, task_id)
    data = {**answer.data, "dead_letter": answer.data["msg"]}
    return [entry, "bad", task_id, str(error), answer.model_copy(update={"data": data}).to_wire(), raw]


def _id_in(raw: bytes) -> str | None:
    """The id that an entry carries, if it is one."""
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    name = found.get("id") if isinstance(found, dict) else None
    if not isinstance(name, str) or len(name) < _LEAST_ID:
        return None
    return name if set(name) <= set("0123456789abcdef") else None


def _with_id(raw: bytes, task_id: str) -> bytes:
    try:
        found = json.loads(raw)
    except (ValueError, RecursionError):
        return raw
    if not isinstance(found, dict) or "id" in found:
        return raw
    return json.dumps({**found, "id": task_id}).encode()


def read_again(raw: bytes, task_id: str) -> Task | None:
    """The task in what could not be read once, if this program can."""
    try:
        task = Task.from_wire(raw if _id_in(raw) else _with_id(raw, task_id))
    except EnvelopeError:
        return None
    return task if task.id == task_id else None


def dead_task(name: bytes, entry: Mapping[bytes, bytes]) -> DeadTask:
    """An entry of the dead-letter stream; one that others wrote goes by the entry's own id."""
    raw = entry.get(b"data", b"")
    try:
        if b"reason" in entry:
            task_id, reason = entry[b"id"].decode(), entry[b"reason"].decode(errors="replace")
            return DeadTask(task_id, None, reason, seconds(entry[b"at"]), raw=raw)
        return from_json(raw)
    except (EnvelopeError, KeyError, ValueError):
        milliseconds = int(name.partition(b"-")[0])
        return DeadTask(name.decode(), None, _FOREIGN, milliseconds / 1000, raw=raw)


def task_info(record: Sequence[bytes], data: bytes, result: bytes, due: bytes) -> TaskInfo:
    """All that a record says."""
    found = fields(record)
    state = _STATES[found[b"s"]]
    owner = found.get(b"o", b"").decode() if state is State.CLAIMED else ""
    return TaskInfo(
        task=readable(data),
        state=state,
        since=seconds(found[b"t"]),
        owner=owner,
        due=seconds(due) if due else None,
        result=Result.from_wire(result) if result else None,
        reason=found.get(b"why", b"").decode(errors="replace"),
        history=history_of(json.loads(found.get(b"hist", b"[]"))),
    )


def readable(data: bytes) -> Task | None:
    """The task, if there is one that this program can read."""
    try:
        return Task.from_wire(data) if data else None
    except EnvelopeError:
        return None


def results_in(found: Iterable[bytes]) -> list[Result]:
    """The Results; what others wrote among them and is none is left out."""
    results = []
    for data in found:
        with suppress(EnvelopeError):
            results.append(Result.from_wire(data))
    return results
