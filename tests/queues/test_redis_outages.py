"""A server that forgets, restarts, dies, hangs or stays away, under those who use and those who wait."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from peagen_ray.errors import BrokerUnavailable, QueueError, QueueFull
from peagen_ray.queues.model import FROM_NOW, FROM_START, Claim, Completion
from peagen_ray.queues.redis import RedisQueue
from peagen_ray.task import Result, Task, TaskKind
from peagen_ray.testing._queue_kit import CPU, LONG, a_task, ok
from peagen_ray.testing._queue_kit import error as failure
from peagen_ray.testing.relay import Relay
from peagen_ray.testing.servers import Flavour, RedisServer

LINK = "peagen_ray.queues.redis.link"


@pytest.fixture
def own(flavour: Flavour) -> Iterator[RedisServer]:
    """A server that forgets all when it is killed."""
    with RedisServer(flavour) as server:
        yield server


@pytest.fixture
def durable(flavour: Flavour) -> Iterator[RedisServer]:
    """A server that keeps what it acknowledged."""
    with RedisServer(flavour, keep=True) as server:
        yield server


def one(queue: RedisQueue, **options: Any) -> Claim:
    (claim,) = queue.claim(CPU, "w", **options)
    return claim


class Waiters:
    """One of each that can wait, on one handle: for a task, for a Result, for Results."""

    def __init__(self, queue: RedisQueue, pool: ThreadPoolExecutor, server: RedisServer) -> None:
        self.queue, self.task = queue, a_task("later")
        _, cursor = queue.results_since(FROM_NOW)
        self.claim = pool.submit(queue.claim, CPU, "waits", timeout=LONG)
        self.result = pool.submit(queue.wait_for_result, self.task.id, LONG)
        self.results = pool.submit(queue.results_since, cursor, timeout=LONG)
        self.until_they_wait(server)

    def until_they_wait(self, server: RedisServer) -> None:
        """Return when both connections that wait are blocked in the server."""
        with server.client() as client:
            while client.info("clients")["blocked_clients"] < 2:
                client.ping()

    def are_served(self) -> None:
        """Give each what it waits for, and see that it gets it."""
        self.queue.enqueue(mine := a_task("cpu"))
        (claim,) = self.claim.result(LONG)
        assert claim.task.id == mine.id
        self.queue.enqueue(self.task)
        (claim,) = self.queue.claim(frozenset({"later"}), "w", timeout=LONG)
        done = self.queue.complete(claim, ok(claim.task))
        assert done
        result = self.result.result(LONG)
        assert isinstance(result, Result)
        found, _ = self.results.result(LONG)
        assert [each.task_id for each in found] == [result.task_id] == [self.task.id]


# ---- a server that forgets -------------------------------------------------------------------------


def test_scripts_that_the_server_forgot_are_sent_again(own: RedisServer) -> None:
    with RedisQueue.from_url(own.url) as queue, own.client() as client:
        for flush in (client.script_flush, client.flushall, client.script_flush):
            queue.enqueue(a_task("cpu"))
            flush()
            queue.enqueue(a_task("cpu"))
            client.script_flush()
            claim = one(queue)
            client.script_flush()
            assert queue.extend(claim)
            client.script_flush()
            done = queue.complete(claim, ok(claim.task))
            assert done


def test_those_who_wait_go_on_after_a_flush(own: RedisServer) -> None:
    with RedisQueue.from_url(own.url) as queue, ThreadPoolExecutor() as pool:
        queue.enqueue(a_task("cpu"))
        claim = one(queue)
        queue.complete(claim, ok(claim.task))
        waiters = Waiters(queue, pool, own)
        with own.client() as client:
            client.flushall()
        waiters.are_served()


def test_what_was_done_is_published_although_the_server_forgot_that_it_was_asked(own: RedisServer) -> None:
    with RedisQueue.from_url(own.url) as queue:
        queue.enqueue(a_task("cpu"))
        claim, follow = one(queue), a_task("cpu")
        with own.client() as client:
            client.flushall()
        assert not queue.extend(claim)
        done = queue.complete(claim, ok(claim.task), [follow])
        assert done
        assert queue.wait_for_result(claim.task.id, 0) is not None
        assert [task.id for task in queue.list_tasks()] == [follow.id]
        again = queue.complete(claim, ok(claim.task))
        assert not again


def test_a_failure_after_a_flush_changes_nothing(own: RedisServer) -> None:
    with RedisQueue.from_url(own.url) as queue:
        queue.enqueue(a_task("cpu"))
        claim = one(queue)
        with own.client() as client:
            client.flushall()
        assert queue.fail(claim, failure(claim.task, retryable=True)) is None
        assert (queue.give_back(claim), queue.release(claim)) == (False, False)
        assert (queue.pending_count(), queue.dead_count()) == (0, 0)


# ---- a server that starts again --------------------------------------------------------------------


def test_those_who_wait_go_on_after_a_restart(durable: RedisServer) -> None:
    with RedisQueue.from_url(durable.url) as queue, ThreadPoolExecutor() as pool:
        waiters = Waiters(queue, pool, durable)
        durable.restart()
        waiters.are_served()


def test_those_who_wait_for_a_durable_server_get_what_was_there_before_it_died(durable: RedisServer) -> None:
    with RedisQueue.from_url(durable.url) as queue, ThreadPoolExecutor() as pool:
        tasks = [a_task("cpu") for _ in range(50)]
        queue.enqueue_all(tasks)
        durable.kill()
        waiting = pool.submit(queue.claim, CPU, "waits", 50, LONG)
        durable.start()
        assert [claim.task.id for claim in waiting.result(LONG)] == [task.id for task in tasks]


def test_a_durable_server_that_is_killed_loses_nothing_and_doubles_nothing(durable: RedisServer) -> None:
    with RedisQueue.from_url(durable.url) as queue:
        queue.enqueue_all([a_task("cpu") for _ in range(6)])
        done, held, failed, dead = queue.claim(CPU, "w", limit=4)
        queue.complete(done, ok(done.task))
        queue.fail(failed, failure(failed.task, retryable=True))
        queue.fail(dead, failure(dead.task, retryable=False))
        before = queue.depth(), queue.counters(), queue.inspect(failed.task.id), queue.dead_letters()
        durable.kill()
        durable.start()
        assert before == (
            queue.depth(),
            queue.counters(),
            queue.inspect(failed.task.id),
            queue.dead_letters(),
        )
        assert queue.extend(held)
        queue.complete(held, ok(held.task))
        found, _ = queue.results_since(FROM_START)
        assert [each.task_id for each in found] == [done.task.id, dead.task.id, held.task.id]
        queue.enqueue_all([done.task, held.task, dead.task])
        assert queue.pending_count() == 3


def test_those_who_wait_go_on_after_a_server_without_persistence_was_killed(own: RedisServer) -> None:
    with RedisQueue.from_url(own.url) as queue, ThreadPoolExecutor() as pool:
        waiters = Waiters(queue, pool, own)
        own.kill()
        own.start()
        waiters.are_served()


def test_producers_and_consumers_go_on_while_the_server_dies_again_and_again(durable: RedisServer) -> None:
    tasks = [a_task("cpu") for _ in range(120)]
    over = threading.Event()

    def produce() -> None:
        with RedisQueue.from_url(durable.url) as queue:
            for task in tasks:
                queue.enqueue(task)

    def consume(_: int) -> None:
        with RedisQueue.from_url(durable.url) as queue:
            while not over.is_set():
                for claim in queue.claim(CPU, "w", limit=3, timeout=0.2):
                    queue.complete(claim, ok(claim.task))

    with ThreadPoolExecutor() as pool, RedisQueue.from_url(durable.url) as queue:
        working = [pool.submit(produce), *(pool.submit(consume, n) for n in range(3))]
        try:
            found: list[Result] = []
            cursor = FROM_START
            for goal in (30, 60, 90, 120):
                while len(found) < goal:
                    more, cursor = queue.results_since(cursor, timeout=LONG)
                    assert more
                    found += more
                durable.kill()
                durable.start()
        finally:
            over.set()
        for each in working:
            each.result(LONG)
        assert sorted(each.task_id for each in found) == sorted(task.id for task in tasks)
        assert {each.attempts for each in found} == {1}
        assert (queue.pending_count(), queue.claimed_count(), queue.dead_count()) == (0, 0, 0)


# ---- connections that are cut ----------------------------------------------------------------------


def test_those_who_wait_go_on_after_their_connections_were_cut(own: RedisServer) -> None:
    with Relay(own.socket) as relay, RedisQueue.from_url(relay.url) as queue, ThreadPoolExecutor() as pool:
        waiters = Waiters(queue, pool, own)
        relay.cut()
        waiters.are_served()


def test_those_who_wait_go_on_after_the_server_unblocked_or_killed_them(own: RedisServer) -> None:
    with RedisQueue.from_url(own.url) as queue, ThreadPoolExecutor() as pool, own.client() as client:
        waiters = Waiters(queue, pool, own)
        for each in client.client_list():
            if "b" in each["flags"]:
                client.execute_command("CLIENT", "UNBLOCK", each["id"], "ERROR")
        waiters.until_they_wait(own)
        client.client_kill_filter(_type="normal", skipme=True)
        waiters.are_served()


# ---- a server that hangs ---------------------------------------------------------------------------


class Told(logging.Handler):
    """Waits for what the link says in the log."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._more = threading.Condition()
        self.addFilter(lambda record: record.name == LINK)

    def emit(self, record: logging.LogRecord) -> None:
        with self._more:
            self.lines.append(record.getMessage())
            self._more.notify_all()

    def wait(self, words: str) -> None:
        with self._more:
            assert self._more.wait_for(lambda: any(words in line for line in self.lines), LONG)


@pytest.fixture
def told() -> Iterator[Told]:
    handler = Told()
    logger = logging.getLogger(LINK)
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)


HUNG: list[tuple[str, Callable[[RedisQueue, Claim], Any], Any]] = [
    ("enqueue", lambda queue, claim: queue.enqueue(Task(kind=TaskKind.EXECUTE, id="a" * 32)), None),
    ("complete", lambda queue, claim: queue.complete(claim, ok(claim.task)), True),
    ("release", lambda queue, claim: queue.release(claim), True),
    ("give back", lambda queue, claim: queue.give_back(claim), True),
    ("extend", lambda queue, claim: queue.extend(claim), True),
    ("claim", lambda queue, claim: [each.task.attempts for each in queue.claim(CPU, "w")], [1]),
]


@pytest.mark.parametrize(("name", "call", "answer"), HUNG, ids=[name for name, *_ in HUNG])
def test_a_call_that_a_hung_server_carried_out_in_the_end_is_carried_out_once(
    own: RedisServer, told: Told, monkeypatch: pytest.MonkeyPatch, name: str, call: Any, answer: Any
) -> None:
    monkeypatch.setattr(f"{LINK}._SILENCE_S", 0.2)
    with RedisQueue.from_url(own.url) as queue, ThreadPoolExecutor() as pool:
        queue.enqueue_all([a_task("cpu"), a_task("cpu")])
        claim = one(queue)
        own.pause()
        calling: Future[Any] = pool.submit(call, queue, claim)
        told.wait("does not answer")
        own.resume()
        assert calling.result(LONG) == answer
        told.wait("answers again")
        assert queue.counters().get(("stale", TaskKind.EXECUTE), 0) == 0
        expected = {"enqueue": (2, 1), "claim": (0, 2), "give back": (2, 0), "extend": (1, 1)}
        assert (queue.pending_count(), queue.claimed_count()) == expected.get(name, (1, 0))


# ---- a server that stays away ----------------------------------------------------------------------


def test_a_server_that_stays_away_is_an_error_with_exit_code_3(own: RedisServer) -> None:
    with RedisQueue.from_url(own.url, broker_timeout=0.3) as queue:
        queue.enqueue(task := a_task("cpu"))
        claim = one(queue)
        own.kill()
        calls: list[Callable[[], Any]] = [
            lambda: queue.enqueue(task),
            lambda: queue.claim(CPU, "w"),
            lambda: queue.complete(claim, ok(claim.task)),
            lambda: queue.extend(claim),
            queue.pending_count,
            queue.dead_letters,
        ]
        for call in calls:
            with pytest.raises(BrokerUnavailable, match="does not answer") as caught:
                call()
            assert caught.value.exit_code == 3


def test_those_who_wait_are_told_that_the_server_stays_away(own: RedisServer) -> None:
    with RedisQueue.from_url(own.url, broker_timeout=0.3) as queue, ThreadPoolExecutor() as pool:
        waiters = Waiters(queue, pool, own)
        own.kill()
        waiting: list[Future[Any]] = [waiters.claim, waiters.result, waiters.results]
        for each in waiting:
            with pytest.raises(BrokerUnavailable):
                each.result(LONG)


@pytest.mark.parametrize(
    "url",
    [
        "redis://someone:s3cret@127.0.0.1:1",
        "redis://:s3cret@127.0.0.1:1/0",
        "rediss://someone:s3cret@127.0.0.1:1",
        "redis+sentinel://someone:s3cret@127.0.0.1:1/mymaster",
        "redis://127.0.0.1:1?password=s3cret",
        "unix://someone:s3cret@/nowhere/socket",
    ],
)
def test_errors_and_warnings_name_the_address_and_hide_the_password(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    with RedisQueue.from_url(url, broker_timeout=0.2) as queue, pytest.raises(BrokerUnavailable) as caught:
        queue.enqueue(a_task("cpu"))
    said = f"{caught.value} {caught.value!r} {caplog.text}"
    assert "s3cret" not in said
    assert url.partition("://")[0] in said
    assert "127.0.0.1:1" in said or "/nowhere/socket" in said


def test_the_outage_and_its_end_are_said_once_each(own: RedisServer, told: Told) -> None:
    with RedisQueue.from_url(own.url) as queue, ThreadPoolExecutor() as pool:
        own.kill()
        calling = [pool.submit(queue.pending_count) for _ in range(4)]
        told.wait("does not answer")
        own.start()
        assert [each.result(LONG) for each in calling] == [0, 0, 0, 0]
        told.wait("answers again")
        assert len(told.lines) == 2


def test_closing_ends_every_wait_even_with_the_server_away(own: RedisServer) -> None:
    queue = RedisQueue.from_url(own.url)
    with ThreadPoolExecutor() as pool:
        waiters = Waiters(queue, pool, own)
        own.kill()
        queue.close()
        waiting: list[Future[Any]] = [waiters.claim, waiters.result, waiters.results]
        for each in waiting:
            error = each.exception(LONG)
            assert error is None or (isinstance(error, QueueError) and "closed" in str(error))


# ---- a server that is full -------------------------------------------------------------------------


def test_a_server_without_memory_refuses_tasks_and_lets_workers_catch_up(own: RedisServer) -> None:
    with RedisQueue.from_url(own.url) as queue, own.client() as client:
        queue.enqueue_all([a_task("cpu") for _ in range(4)])
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", 1)
        with pytest.raises(QueueFull, match="memory"):
            queue.enqueue(a_task("cpu"))
        first, second, third = queue.claim(CPU, "w", limit=3)
        assert queue.extend(first)
        done = queue.complete(first, ok(first.task))
        assert done
        assert queue.fail(second, failure(second.task, retryable=True))
        assert queue.give_back(third)
        assert (queue.pending_count(), queue.claimed_count()) == (3, 0)
        client.config_set("maxmemory", 0)
        queue.enqueue(a_task("cpu"))
        assert queue.pending_count() == 4


# ---- waiting for Results ---------------------------------------------------------------------------


def test_many_that_wait_for_results_share_one_connection_and_all_are_told(own: RedisServer) -> None:
    with RedisQueue.from_url(own.url) as queue, ThreadPoolExecutor(30) as pool, own.client() as client:
        tasks = [a_task("cpu") for _ in range(30)]
        waiting = [pool.submit(queue.wait_for_result, task.id, LONG) for task in tasks]
        queue.enqueue_all(tasks)
        blocked = set()
        while claims := queue.claim(CPU, "w", limit=7):
            blocked.add(client.info("clients")["blocked_clients"])
            for claim in claims:
                assert queue.complete_all([Completion(claim, ok(claim.task))]) == [True]
        results = [each.result(LONG) for each in waiting]
        assert [result.task_id for result in results if result] == [task.id for task in tasks]
        assert max(blocked) <= 1
