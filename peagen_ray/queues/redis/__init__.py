"""The queue on a server that speaks Redis Streams; its transitions are the scripts in ``queues/lua``."""

from __future__ import annotations

import itertools
import math
import re
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, Self, TypeVar

from peagen_ray.errors import EnvelopeError, QueueError, QueueFull, ResultExpired
from peagen_ray.lifecycle import (
    IDLE_MS,
    LONGEST_DELAY_S,
    MAX_RETRY,
    PATIENCE_S,
    RETRY_DELAY_S,
    SKIP_DELAY_S,
    Action,
    refusal,
)
from peagen_ray.queues.base import (
    FROM_NOW,
    FROM_START,
    LEASE_S,
    Claim,
    Completion,
    DeadTask,
    State,
    TaskInfo,
    TaskQueue,
)
from peagen_ray.queues.memory import RESULTS_AGE_S, RESULTS_KEPT, checked, completed
from peagen_ray.queues.redis.link import BLOCK_S, Link
from peagen_ray.queues.redis.wire import (
    action_of,
    dead_task,
    fields,
    judge,
    micros,
    outcome_words,
    read_again,
    readable,
    results_in,
    seconds,
    task_info,
    task_words,
)
from peagen_ray.task import Result, Status, Task, TaskKind

PREFIX: Final = "peagen."
BATCH: Final = 200
"""Tasks that one script call enqueues or completes at most, so that no call holds the server up for long."""

BATCH_BYTES: Final = 4_000_000
"""Bytes of tasks that one script call enqueues, unless a single one has more."""

_SORTED: Final = 1000
"""Entries that one claim sorts, or takes, at most."""

_KINDS: Final = frozenset(TaskKind)
"""The kinds that this program knows; a newer one beside it may have others in the queue."""

_CURSOR: Final = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")
_ROOM_PAUSE_S: Final = 0.05
_T = TypeVar("_T")


class Server(NamedTuple):
    """What a server says of itself.

    Attributes:
        flavour: which program it is.
        version: its version.
        policy: what it does when its memory is full; "" if it does not say.
    """

    flavour: Literal["redis", "valkey"]
    version: tuple[int, ...]
    policy: str


class RedisQueue(TaskQueue):
    """Tasks in the streams of a Redis (7.0 or newer) or Valkey (8 or newer) server.

    Whatever the server keeps survives this process; what a server keeps is in docs/queues.md. A server
    that is away is waited for; a call whose reply was lost is repeated and changes nothing twice.

    Concurrency: as the port says. Each thread that waits for tasks has a connection of its own; those that
    wait for Results share one.

    Args:
        url: ``redis://``, ``rediss://``, ``unix://`` or ``redis+sentinel://host:port,…/service``.
        prefix: what the names of all keys begin with.
        broker_timeout: seconds that the server may stay away before a call raises BrokerUnavailable.
        username: ACL user, if not the address's.
        password: if not the address's.
        replicas: replicas that must have a task, or its completion, before the call returns.
        max_retry, idle_ms, patience, retry_delay, skip_delay, results_kept, results_age, max_waiting,
            room_timeout: as of :class:`~peagen_ray.queues.stub.StubQueue`; all handles on one queue should
            agree.
        clock: seconds since the epoch, in place of the server's clock.
    """

    def __init__(
        self,
        url: str,
        *,
        prefix: str = PREFIX,
        broker_timeout: float = 30.0,
        username: str | None = None,
        password: str | None = None,
        replicas: int = 0,
        max_retry: int = MAX_RETRY,
        idle_ms: int = IDLE_MS,
        patience: float = PATIENCE_S,
        retry_delay: float = RETRY_DELAY_S,
        skip_delay: float = SKIP_DELAY_S,
        results_kept: int = RESULTS_KEPT,
        results_age: float = RESULTS_AGE_S,
        max_waiting: int | None = None,
        room_timeout: float = 0.0,
        clock: Callable[[], float] | None = None,
    ) -> None:
        super().__init__()
        self._link = Link(
            url, broker_timeout=broker_timeout, username=username, password=password, replicas=replicas
        )
        self._prefix = prefix
        self._door = f"{prefix}tasks"
        self._clock = clock
        self._idle_s = idle_ms / 1000
        self._max_waiting = max_waiting
        self._room_timeout = room_timeout
        times = (patience, retry_delay, skip_delay, LONGEST_DELAY_S)
        rest = (results_kept, micros(results_age), micros(self._idle_s))
        self._policy = " ".join(map(str, (max_retry, *map(micros, times), *rest)))
        self._news = _News()
        self._calls = itertools.count(1)
        self._me = uuid.uuid4().hex

    @classmethod
    def from_url(cls, url: str, **options: Any) -> Self:
        """The queue at that address; the connection is made when it is first used."""
        return cls(url, **options)

    def _run(self, script: str, *args: Any) -> Any:
        now = "" if self._clock is None else micros(self._clock())
        return self._link.run(script, self._door, [self._prefix, now, self._policy, *args])

    def _name(self) -> str:
        """The name of a call that may be repeated, for the scripts to know it by; "0" says that it is the first."""
        return f"0{self._me[:12]}.{next(self._calls)}"

    # ---- producing ----------------------------------------------------------------------------

    def enqueue(self, task: Task) -> None:
        """Accept a task; waits for room for ``room_timeout`` seconds."""
        self.enqueue_all([task])

    def enqueue_all(self, tasks: Sequence[Task]) -> None:
        """Accept tasks, in order."""
        end = time.monotonic() + self._room_timeout
        bound = "" if self._max_waiting is None else self._max_waiting
        left = list(tasks)
        while left:
            words = _bounded(map(task_words, left[:BATCH]))
            accepted, waiting = self._run("enqueue", bound, *words)
            left = left[accepted:]
            if waiting < 0:
                continue
            if time.monotonic() >= end:
                raise QueueFull(
                    f"{waiting} tasks wait already",
                    subject=f"task {left[0].id}",
                    hint="wait for workers, start more of them, or raise the bound",
                )
            time.sleep(_ROOM_PAUSE_S)

    # ---- consuming ----------------------------------------------------------------------------

    def claim(
        self,
        offered: frozenset[str],
        owner: str,
        limit: int = 1,
        timeout: float | None = 0.0,
        *,
        lease: float = LEASE_S,
        begin: bool = True,
    ) -> list[Claim]:
        """Take up to ``limit`` tasks."""
        return self._claim("+".join(sorted(offered)), owner, limit, timeout, lease, begin=begin)

    def _pop(self, timeout: float | None) -> Claim | None:
        return next(iter(self._claim("*", "", 1, timeout, self._idle_s)), None)

    def _claim(
        self,
        offered: str,
        owner: str,
        limit: int,
        timeout: float | None,
        lease: float,
        *,
        begin: bool = True,
    ) -> list[Claim]:
        end = _end(timeout)
        caller = f"{self._me}-{threading.get_ident()}"
        while True:
            most = min(limit, _SORTED)
            words = (offered, owner or "-", most, micros(lease), caller, next(self._calls), "0", _SORTED)
            taken, foreign, more, due, nudge, now = self._run("claim", *words, "1" if begin else "0")
            claims = self._claims(taken, seconds(now) + lease)
            if foreign:
                self._admit(foreign)
            left = end - time.monotonic()
            if claims or (left <= 0 and not (foreign or more)):
                return claims
            if foreign or more or taken:
                continue
            wait = min(left, BLOCK_S if int(due) < 0 else seconds(due))
            if wait > 0:
                self._link.wait({self._door: "0-0", f"{self._prefix}nudges": nudge.decode()}, wait)
            if self._link.closed:
                return []

    def _claims(self, taken: Sequence[Any], until: float) -> list[Claim]:
        claims = []
        for data, runs, entry in taken:
            try:
                task = Task.from_wire(data).model_copy(update={"attempts": runs})
            except EnvelopeError as error:
                self._refuse(data, entry.decode(), error)
            else:
                claims.append(Claim(task, entry.decode(), until))
        return claims

    def _refuse(self, data: bytes, token: str, error: EnvelopeError) -> None:
        """Bury a task that a newer program enqueued and this one cannot read."""
        match = re.match(rb'\{"kind":"([a-z_]+)","id":"([0-9a-f]+)"', data)
        if match:
            kind, task_id = (group.decode() for group in match.groups())
            self._run("fail", self._name(), task_id, token, kind, *outcome_words(refusal(error, task_id)))

    def _admit(self, entries: Sequence[Any]) -> None:
        """Give entries that other producers wrote to the door their record, or bury them."""
        words = itertools.chain.from_iterable(judge(entry, flat or [], self._door) for entry, flat in entries)
        self._run("admit", *words)

    def begin(self, claim: Claim) -> Claim | None:
        """The run begins, and counts."""
        return self.begin_all([claim])[0]

    def begin_all(self, claims: Sequence[Claim]) -> list[Claim | None]:
        """The runs begin, and count."""
        if not claims:
            return []
        words = itertools.chain.from_iterable((claim.task.id, claim.token) for claim in claims)
        now, *said = self._run("begin", *words)
        found: list[Claim | None] = []
        for claim, runs, lease in zip(claims, said[::2], said[1::2], strict=True):
            task = claim.task.model_copy(update={"attempts": runs})
            found.append(Claim(task, claim.token, seconds(now) + seconds(lease)) if runs else None)
        return found

    def extend(self, claim: Claim) -> bool:
        """Renew the lease."""
        return self.extend_all([claim])[0]

    def extend_all(self, claims: Sequence[Claim]) -> list[bool]:
        """Renew the leases."""
        if not claims:
            return []
        words = itertools.chain.from_iterable((claim.task.id, claim.token) for claim in claims)
        return [bool(said) for said in self._run("extend", *words)]

    def give_back(self, claim: Claim, delay: float = 0.0) -> bool:
        """Offer the task to another worker."""
        task = claim.task
        return bool(
            self._run(
                "give_back", self._name(), task.id, claim.token, str(task.kind), micros(max(0.0, delay))
            )
        )

    def complete(self, claim: Claim, result: Result, spawn: Sequence[Task] = ()) -> bool:
        """Publish, enqueue the follow-up tasks and acknowledge."""
        return self.complete_all([Completion(claim, result, spawn)])[0]

    def complete_all(self, done: Sequence[Completion]) -> list[bool]:
        """Complete each, in one atomic step of its own."""
        return completed(done, BATCH, self._complete)

    def _complete(self, done: Sequence[Completion]) -> list[bool]:
        answers = self._run("complete", self._name(), *_completion_words(done, known=True))
        unknown = [each for each, answer in zip(done, answers, strict=True) if answer < 0]
        if unknown:
            # The server lost the record, but the work was done.
            again = iter(self._run("complete", self._name(), *_completion_words(unknown, known=False)))
            answers = [next(again) if answer < 0 else answer for answer in answers]
        return [answer > 0 for answer in answers]

    def fail(self, claim: Claim, result: Result) -> Action | None:
        """Carry out what ``lifecycle`` decides."""
        checked(claim, result, ok=False)
        task = claim.task
        return action_of(
            self._run("fail", self._name(), task.id, claim.token, str(task.kind), *outcome_words(result))
        )

    def release(self, claim: Claim) -> bool:
        """Acknowledge without a Result."""
        return bool(self._run("release", self._name(), claim.task.id, claim.token, str(claim.task.kind)))

    def publish(self, result: Result, claim: Claim | None = None) -> bool:
        """Complete or fail the task that a Result names."""
        outcome = [] if result.status is Status.OK else outcome_words(result)
        token = claim.token if claim else ""
        words = (result.task_id, token, str(result.status), result.to_wire(), result.attempts)
        return bool(self._run("publish", *words, *outcome))

    def requeue_orphans(self, idle_ms: int, max_batch: int) -> int:
        """Take back the tasks of vanished consumers."""
        return int(self._run("orphans", idle_ms * 1000, max_batch))

    # ---- reading ------------------------------------------------------------------------------

    def wait_for_result(self, task_id: str, timeout: float | None) -> Result | None:
        """The task's terminal Result."""

        def look() -> tuple[Result | None, str]:
            state, *rest = self._run("result", task_id)
            if state == _EXPIRED:
                raise ResultExpired(
                    "its result is kept no longer",
                    subject=f"task {task_id}",
                    hint="read results sooner, or keep more of them",
                )
            return (Result.from_wire(rest[0]), "") if state else (None, rest[0].decode())

        begins = b'{"task_id":"%s"' % task_id.encode()

        def hear(data: bytes) -> Result | None:
            return Result.from_wire(data) if data.startswith(begins) else None

        return self._follow(look, timeout, hear)

    def results_since(
        self, cursor: str, limit: int = 100, timeout: float | None = 0.0
    ) -> tuple[list[Result], str]:
        """Results in the order of publication."""
        if cursor not in (FROM_START, FROM_NOW) and not _CURSOR.fullmatch(cursor):
            raise QueueError("no cursor of this queue", subject=repr(cursor[:20]))
        after = cursor

        def look() -> tuple[list[Result], str]:
            nonlocal after
            found, reached, expired = self._run("results", after, limit)
            if expired:
                raise ResultExpired(
                    "some results are kept no longer and were not read",
                    subject=f"cursor {after}",
                    hint="read more often, keep more results, or start again from FROM_START",
                )
            after = reached.decode()
            return results_in(found), after

        return self._follow(look, timeout) or [], after

    def _follow(
        self,
        look: Callable[[], tuple[_T, str]],
        timeout: float | None,
        hear: Callable[[bytes], _T | None] = lambda _: None,
    ) -> _T:
        """What ``look`` finds as soon as it is not empty; it says after which Result it looked.

        ``hear`` may recognise in a Result's JSON what is waited for, which saves another look.
        """
        end = _end(timeout)
        while True:
            found, last = look()
            left = end - time.monotonic()
            if found or left <= 0 or self._link.closed:
                return found
            for data in self._news.wait(self._listen, last, left):
                if (heard := hear(data)) is not None:
                    return heard

    def _listen(self, last: str, left: float) -> list[bytes]:
        return self._link.wait({f"{self._prefix}results": last}, left)

    def pending_count(self) -> int:
        """Tasks that no worker has."""
        return self._stats().waiting

    def claimed_count(self) -> int:
        """Tasks that workers have."""
        return self._stats().claimed

    def dead_count(self) -> int:
        """Tasks in the dead-letter queue."""
        return self._stats().dead

    def _stats(self) -> _Stats:
        return _Stats(self._run("stats"))

    def list_tasks(self, limit: int = 10, offset: int = 0) -> list[Task]:
        """Tasks that no worker has."""
        while True:
            found, foreign, more = self._run("list", offset + limit)
            if foreign:
                self._admit(foreign)
            if not foreign and (not more or len(found) >= offset + limit):
                return [task for data in found[offset:] if (task := readable(data))]

    def depth(self) -> Mapping[tuple[str, TaskKind], int]:
        """Tasks that no worker has, by lane and kind."""
        return self._stats().depth

    def oldest_idle(self) -> float:
        """Seconds for which the task that has waited longest could have run."""
        return self._stats().oldest_idle

    def unserved(self) -> Mapping[str, tuple[str, ...]]:
        """The tags that were missing, by lane."""
        return self._stats().unserved

    def counters(self) -> Mapping[tuple[str, TaskKind], int]:
        """What happened so far, by event and kind."""
        return self._stats().counters

    def held_bytes(self) -> Mapping[str, int]:
        """What the server says; empty where its user may not ask (``+memory|usage``)."""
        held: Counter[str] = Counter()
        for name, size in fields(self._run("held")).items():
            held[name.decode().removesuffix(".")] += int(size)  # of the lane of tasks without tags
        return held

    def inspect(self, task_id: str) -> TaskInfo | None:
        """All that is known of a task."""
        record, data, result, due, forgotten = self._run("inspect", task_id)
        if not record:
            return TaskInfo(None, State.EXPIRED, 0.0) if forgotten else None
        return task_info(record, data, result, due)

    def clock_ahead(self) -> float:
        """Seconds that the server's clock is ahead of this machine's, give or take the time of a call."""
        start = time.time()
        whole, micro = self._link.command("TIME")
        return int(whole) + int(micro) / 1e6 - (start + time.time()) / 2

    def server(self) -> Server:
        """What the server is.

        Raises:
            ConfigError: its user may not ask (``+info``).
        """
        said = self._link.command("INFO")
        flavour: Literal["redis", "valkey"] = "valkey" if "valkey_version" in said else "redis"
        number = tuple(int(part) for part in str(said[f"{flavour}_version"]).split(".")[:3])
        return Server(flavour, number, str(said.get("maxmemory_policy", "")))

    # ---- people's tools -----------------------------------------------------------------------

    def dead_letters(self, limit: int = 100, offset: int = 0) -> list[DeadTask]:
        """The dead-letter queue, oldest first."""
        entries = self._link.command("XRANGE", f"{self._prefix}dead", "-", "+", "COUNT", offset + limit)
        return [dead_task(entry[0], _entry_fields(entry)) for entry in entries[offset:]]

    def retry(self, task_ids: Iterable[str]) -> int:
        """Give dead tasks a new life; those that could not be read only if this program can read them."""
        chosen = list(dict.fromkeys(task_ids))
        revived = 0
        for start in range(0, len(chosen), BATCH):
            batch = chosen[start : start + BATCH]
            words = itertools.chain.from_iterable((task_id, "", "", "") for task_id in batch)
            said = dict(zip(batch, self._run("retry", *words), strict=True))
            revived += sum(answer == 1 for answer in said.values())
            raw = {task_id: answer for task_id, answer in said.items() if isinstance(answer, bytes)}
            readable = [task for task_id, data in raw.items() if (task := read_again(data, task_id))]
            if readable:
                revived += sum(self._run("retry", *itertools.chain.from_iterable(map(task_words, readable))))
        return revived

    def purge(self, task_ids: Iterable[str] | None = None, *, older_than: float = 0.0) -> int:
        """Remove dead tasks for good."""
        removed: int = 0
        age = micros(older_than)
        if task_ids is not None:
            chosen = list(dict.fromkeys(task_ids))
            for start in range(0, len(chosen), BATCH):
                removed += int(self._run("purge", age, *chosen[start : start + BATCH])[0])
            return removed
        while True:
            n, more = self._run("purge", age)
            removed += int(n)
            if not more:
                return removed

    def cancel(self, task_id: str) -> bool:
        """End a task that is not finished."""
        return bool(self._run("cancel", task_id))

    def close(self) -> None:
        """Let go of the connections; whoever waits notices within a second."""
        self._link.close()
        self._news.close()


_EXPIRED: Final = 2


class _News:
    """One thread at a time listens for Results on behalf of all that wait."""

    def __init__(self) -> None:
        self._listening = threading.Lock()
        self._turn = threading.Condition()
        self._turns = 0
        self._after = ""

    def wait(self, listen: Callable[[str, float], list[bytes]], last: str, left: float) -> list[bytes]:
        """Return when there may be a Result that is later than ``last``, or in ``left`` seconds.

        Returns:
            What the listener heard, to the listener; nothing to the others, who look for themselves.
        """
        with self._turn:
            leads = self._listening.acquire(blocking=False)
            if leads:
                self._after = last
            elif self._after == last or not _later(self._after, last):
                turn = self._turns
                self._turn.wait_for(lambda: self._turns != turn, min(left, BLOCK_S))
        if not leads:
            return []
        try:
            return listen(last, left)
        finally:
            with self._turn:
                self._listening.release()
                self._turns += 1
                self._turn.notify_all()

    def close(self) -> None:
        with self._turn:
            self._turns += 1
            self._turn.notify_all()


class _Stats:
    """What ``stats.lua`` answers."""

    def __init__(self, said: Sequence[Any]) -> None:
        waiting, claimed, dead, self._depth, self._unserved, self._counters, idle = said
        self.waiting, self.claimed, self.dead = int(waiting), int(claimed), int(dead)
        self.oldest_idle = seconds(idle)

    @property
    def depth(self) -> dict[tuple[str, TaskKind], int]:
        names = ((name.decode().partition(" "), n) for name, n in fields(self._depth).items())
        return {(lane, TaskKind(kind)): int(n) for (kind, _, lane), n in names if kind in _KINDS and int(n)}

    @property
    def unserved(self) -> dict[str, tuple[str, ...]]:
        found = fields(self._unserved).items()
        return {lane.decode(): tuple(said.decode().partition(" ")[2].split("+")) for lane, said in found}

    @property
    def counters(self) -> dict[tuple[str, TaskKind], int]:
        names = ((name.decode().rpartition(":"), n) for name, n in fields(self._counters).items())
        return {(event, TaskKind(kind)): int(n) for (event, _, kind), n in names if kind in _KINDS}


def _bounded(tasks: Iterable[list[Any]]) -> list[Any]:
    """The words of the first tasks, up to about BATCH_BYTES."""
    words: list[Any] = []
    size = 0
    for each in tasks:
        if words and size + len(each[-1]) > BATCH_BYTES:
            break
        words += each
        size += len(each[-1])
    return words


def _completion_words(done: Sequence[Completion], *, known: bool) -> Iterable[Any]:
    for claim, result, spawn in done:
        task_id, lane, kind, data = task_words(claim.task) if not known else (claim.task.id, "", "", "")
        yield from (
            task_id,
            claim.token,
            result.to_wire(),
            lane,
            kind or str(claim.task.kind),
            data,
            len(spawn),
        )
        for task in spawn:
            yield from task_words(task)


def _entry_fields(entry: Sequence[Any]) -> Mapping[bytes, bytes]:
    found = entry[1]
    return found if isinstance(found, dict) else fields(found)


def _later(one: str, other: str) -> bool:
    """Whether one entry's id is later than the other's."""
    return [int(part) for part in one.split("-")] > [int(part) for part in other.split("-")]


def _end(timeout: float | None) -> float:
    return math.inf if timeout is None else time.monotonic() + timeout
