"""The steps of the state machine, each named, with its arguments as JSON: what is journaled and replayed."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from peagen_ray.errors import PeagenError, QueueError, QueueFull
from peagen_ray.lifecycle import Policy
from peagen_ray.queues.memory import MemoryQueue
from peagen_ray.queues.ray.wire import (
    Reply,
    action_words,
    claim_named,
    claim_words,
    completion_of,
    dead_words,
    info_words,
    refused,
    said,
    to_json,
    wire,
)
from peagen_ray.task import Result, Task

CALLERS: Final = 4096
"""Callers whose last answer is remembered, should they ask again."""

_FORMAT: Final = 1
_DECODER: Final = json.JSONDecoder()
_POLICY: Final = ("max_retry", "patience", "retry_delay", "skip_delay")
_READS: Final = frozenset({"result", "results", "stats", "held", "list", "inspect", "dead"})
_ON_CHANGE: Final = frozenset({"hello", "enqueue", "claim"})
"""Steps that are journaled only if something changed; the others always, since they are counted."""

_IDEMPOTENT: Final = frozenset({"refresh", "hello", "enqueue", "begin", "extend"})
"""Steps whose second answer is right without the first being remembered."""


class Steps:
    """A queue that does named steps, and remembers what it answered.

    It decides by its arguments alone: the same steps at the same times lead to the same state, to the
    same answers, and to the same tokens. A step that is repeated by its caller under the same number
    gets the same answer and changes nothing.

    Concurrency: one caller at a time.

    Args:
        options: those of :class:`~peagen_ray.queues.stub.StubQueue` that are numbers.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._now = 0.0
        self._options: dict[str, Any] = {}
        self.core = MemoryQueue(lambda: self._now)
        self._answers: OrderedDict[str, tuple[int, str, Any]] = OrderedDict()
        self._configure(options)

    @property
    def now(self) -> float:
        """The time of the last step, in seconds since the epoch."""
        return self._now

    def step(self, now: float, name: str, caller: str, number: int, body: bytes) -> tuple[Reply, bytes]:
        """Do a step.

        Args:
            now: seconds since the epoch; what is before the last step's time counts as that.
            name: which step.
            caller: who asks, one call at a time.
            number: the call's; grows from call to call.
            body: the arguments, as JSON.

        Returns:
            The answer, and what :meth:`replay` must be given to do it again; nothing if nothing changed.
        """
        last, kind, answer = self._answers.get(caller, (-1, "", None))
        if (number, name) == (last, kind):
            return self._reply(name, answer), b""
        if number < last:
            return refused(QueueError("a call that its caller gave up", subject=f"call {number}")), b""
        self._now = max(self._now, now)
        before = self.core.changes, self._options
        self.core.expire()
        try:
            answer = _DO[name](self, *json.loads(body))
        except PeagenError as error:
            return refused(error), b""
        if name not in _IDEMPOTENT | _READS and answer != []:
            self._remember(caller, number, name, answer)
        changed = name not in _ON_CHANGE or before != (self.core.changes, self._options)
        journaled = b"" if name in _READS or not changed else _record(self._now, name, caller, number, body)
        return self._reply(name, answer), journaled

    def replay(self, record: bytes) -> None:
        """Do a step again, from what :meth:`step` returned."""
        text = record.decode()
        (now, name, caller, number), end = _DECODER.raw_decode(text)
        self.step(now, name, caller, number, text[end:].encode())

    def _remember(self, caller: str, number: int, name: str, answer: Any) -> None:
        self._answers[caller] = number, name, answer
        self._answers.move_to_end(caller)
        if len(self._answers) > CALLERS:
            self._answers.popitem(last=False)

    def _reply(self, name: str, answer: Any) -> Reply:
        match name, answer:
            case "claim", _:
                claims = [claim for words in answer if (claim := self.core.held(*words)) is not None]
                return said([claim_words(claim) for claim in claims], empty=not claims)
            case "result", _:
                return said(answer, empty=answer is None)
            case "results", [found, _]:
                return said(answer, empty=not found)
            case "enqueue", [accepted, given, _]:
                return said(answer, empty=accepted < given)
        return said(answer)

    # ---- moving house -------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Everything, as JSON; the inverse of :meth:`restore`."""
        answers = [[caller, *last] for caller, last in self._answers.items()]
        return {
            "format": _FORMAT,
            "now": self._now,
            "options": self._options,
            "queue": self.core.snapshot(),
            "answers": answers,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Become what the snapshot was; this must be new.

        Raises:
            QueueError: it is not new, or the snapshot is of another format.
        """
        if snapshot.get("format") != _FORMAT:
            raise QueueError("the snapshot is of another format", subject=str(snapshot.get("format")))
        self._now = snapshot["now"]
        self._configure(snapshot["options"])
        self.core.restore(snapshot["queue"])
        for caller, number, name, answer in snapshot["answers"]:
            self._answers[caller] = number, name, answer

    # ---- the steps ----------------------------------------------------------------------------

    def _configure(self, options: dict[str, Any]) -> None:
        rest = {name: value for name, value in options.items() if name not in _POLICY}
        self.core.configure(Policy(**{name: options[name] for name in _POLICY}), **rest)
        self._options = options

    def _hello(self, options: dict[str, Any]) -> None:
        if options != self._options:
            self._configure(options)

    def _refresh(self) -> None:
        """A new life begins: leases start afresh, and no token of the last life is given again."""
        self.core.refresh()

    def _enqueue(self, *tasks: str) -> tuple[int, int, int]:
        accepted = 0
        for task in [Task.from_wire(each) for each in tasks]:
            try:
                self.core.enqueue(task)
            except QueueFull:
                break
            accepted += 1
        return accepted, len(tasks), self.core.pending_count()

    def _claim(
        self, offered: list[str] | None, owner: str, limit: int, lease: float, begin: bool
    ) -> list[list[str]]:
        if offered is None:
            claims = [claim for claim in [self.core.pop()] if claim is not None]
        else:
            claims = self.core.claim(frozenset(offered), owner, limit, lease=lease, begin=begin)
        return [[claim.task.id, claim.token] for claim in claims]

    def _begin(self, *claims: list[str]) -> list[tuple[int, float] | None]:
        begun = [self.core.begin(claim_named(words)) for words in claims]
        return [(claim.task.attempts, claim.lease_until) if claim else None for claim in begun]

    def _extend(self, *claims: list[str]) -> list[bool]:
        return [self.core.extend(claim_named(words)) for words in claims]

    def _give_back(self, claim: list[str], delay: float) -> bool:
        return self.core.give_back(claim_named(claim), delay)

    def _complete(self, whole: bool, *done: list[Any]) -> list[bool | None]:
        read = [completion_of(words, whole=whole) for words in done]
        return [
            self.core.complete(*each) if whole or self.core.knows(each.claim.task.id) else None
            for each in read
        ]

    def _fail(self, claim: list[str], result: str) -> list[Any] | None:
        return action_words(self.core.fail(claim_named(claim), Result.from_wire(result)))

    def _release(self, claim: list[str]) -> bool:
        return self.core.release(claim_named(claim))

    def _publish(self, result: str, claim: list[str] | None) -> bool:
        return self.core.publish(Result.from_wire(result), claim and claim_named(claim))  # type: ignore[arg-type]

    def _cancel(self, task_id: str) -> bool:
        return self.core.cancel(task_id)

    def _retry(self, *task_ids: str) -> int:
        return self.core.retry(task_ids)

    def _purge(self, task_ids: list[str] | None, older_than: float) -> int:
        return self.core.purge(task_ids, older_than=older_than)

    def _orphans(self, idle_ms: int, max_batch: int) -> int:
        return self.core.requeue_orphans(idle_ms, max_batch)

    # ---- reading ------------------------------------------------------------------------------

    def _result(self, task_id: str) -> str | None:
        result = self.core.result(task_id)
        return result and wire(result)  # type: ignore[return-value]

    def _results(self, cursor: str, limit: int) -> tuple[list[str], str]:
        found, after = self.core.results_since(cursor, limit)
        return [wire(result) for result in found], after

    def _stats(self) -> dict[str, Any]:
        core = self.core
        return {
            "waiting": core.pending_count(),
            "claimed": core.claimed_count(),
            "dead": core.dead_count(),
            "oldest_idle": core.oldest_idle(),
            "depth": [[lane, kind, n] for (lane, kind), n in core.depth().items()],
            "unserved": core.unserved(),
            "counters": [[event, kind, n] for (event, kind), n in core.counters().items()],
        }

    def _held(self) -> dict[str, int]:
        return dict(self.core.held_bytes())

    def _list(self, limit: int, offset: int) -> list[str]:
        return [wire(task) for task in self.core.list_tasks(limit, offset)]

    def _inspect(self, task_id: str) -> dict[str, Any] | None:
        return info_words(self.core.inspect(task_id))

    def _dead(self, limit: int, offset: int) -> list[list[Any]]:
        return [dead_words(dead) for dead in self.core.dead_letters(limit, offset)]


_DO: Final[dict[str, Callable[..., Any]]] = {
    name: getattr(Steps, f"_{name}")
    for name in (
        *(
            "refresh",
            "hello",
            "enqueue",
            "claim",
            "begin",
            "extend",
            "give_back",
            "complete",
            "fail",
            "release",
        ),
        *("publish", "cancel", "retry", "purge", "orphans", *sorted(_READS)),
    )
}


def _record(now: float, name: str, caller: str, number: int, body: bytes) -> bytes:
    return to_json([now, name, caller, number]) + body
