"""What queues on Redis Streams get wrong, one test each, and that this one does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from peagen_ray.errors import BrokerUnavailable
from peagen_ray.queues.model import FROM_START, Claim, State
from peagen_ray.queues.redis import RedisQueue
from peagen_ray.queues.redis.link import BLOCK_S
from peagen_ray.task import Task, TaskKind
from peagen_ray.testing._queue_kit import CPU, LONG, a_task, error, ok
from peagen_ray.testing.relay import Relay
from peagen_ray.testing.servers import Flavour, RedisServer

GPU = frozenset({"gpu"})
Open = Callable[..., RedisQueue]


def one(queue: RedisQueue, offered: frozenset[str] = CPU, owner: str = "w", **options: Any) -> Claim:
    (claim,) = queue.claim(offered, owner, **options)
    return claim


def finish_one(queue: RedisQueue) -> None:
    claim = one(queue)
    assert queue.complete(claim, ok(claim.task))


def pending(queue: RedisQueue, server: RedisServer, lane: str) -> list[dict[str, Any]]:
    with server.client() as client:
        found: list[dict[str, Any]] = client.xpending_range(
            f"{queue._prefix}tasks.{lane}", "peagen", "-", "+", 100
        )
        return found


# ---- 1: a consumer reads only what it can run ------------------------------------------------------


def test_what_a_consumer_cannot_run_is_neither_read_nor_moved_nor_counted(
    on_either: Open, server: RedisServer
) -> None:
    queue = on_either()
    theirs = [a_task("gpu") for _ in range(50)]
    mine = a_task("cpu")
    queue.enqueue_all([*theirs, mine])
    assert one(queue).task.id == mine.id
    assert queue.claim(CPU, "w", limit=9) == []
    assert pending(queue, server, "gpu") == []
    claims = queue.claim(GPU, "g", limit=100)
    assert [claim.task.id for claim in claims] == [task.id for task in theirs]
    assert {claim.task.attempts for claim in claims} == {1}


# ---- 2: a late heartbeat ---------------------------------------------------------------------------


def test_a_late_heartbeat_does_not_take_a_claim_back(
    on_either: Open, server: RedisServer, clock: Any
) -> None:
    queue = on_either(clock=clock)
    queue.enqueue(a_task("cpu"))
    late = one(queue, owner="late", lease=5.0)
    clock.now += 6.0
    claim = one(queue, owner="other")
    assert not queue.extend(late)
    (entry,) = pending(queue, server, "cpu")
    assert (entry["consumer"], entry["message_id"].decode()) == (b"other", claim.token)
    assert queue.extend(claim)


def test_a_heartbeat_resets_the_idle_time_that_the_server_shows_and_delivers_nothing_again(
    on_either: Open, server: RedisServer
) -> None:
    queue = on_either()
    queue.enqueue(a_task("cpu"))
    claim = one(queue)
    before = pending(queue, server, "cpu")[0]
    assert queue.extend(claim)
    after = pending(queue, server, "cpu")[0]
    assert after["times_delivered"] == before["times_delivered"]


# ---- 3: reclaiming ---------------------------------------------------------------------------------


def test_a_lapsed_lease_comes_back_with_no_traffic_at_all(on_either: Open) -> None:
    queue = on_either()
    queue.enqueue(a_task("cpu"))
    lost = one(queue, owner="lost", lease=0.05)
    found = one(on_either(), owner="waits", timeout=LONG)
    assert (found.task.id, found.task.attempts) == (lost.task.id, 2)


def test_a_consumer_takes_back_what_it_cannot_run_itself(on_either: Open, clock: Any) -> None:
    queue = on_either(clock=clock)
    tasks = [a_task("gpu") for _ in range(250)]
    queue.enqueue_all(tasks)
    assert len(queue.claim(GPU, "lost", limit=300, lease=5.0)) == 250
    clock.now += 6.0
    assert queue.claim(CPU, "w") == []
    assert queue.pending_count() == 250
    assert queue.inspect(tasks[0].id).state is State.WAITING  # type: ignore[union-attr]
    assert [claim.task.id for claim in queue.claim(GPU, "g", limit=300)] == [task.id for task in tasks]


# ---- 4: attempts -----------------------------------------------------------------------------------


def test_runs_are_counted_as_they_start_whatever_the_servers_delivery_counts(
    on_either: Open, server: RedisServer, clock: Any
) -> None:
    queue = on_either(clock=clock, max_retry=3)
    queue.enqueue(a_task("cpu"))
    for run in (1, 2, 3):
        claim = one(queue, lease=5.0)
        assert claim.task.attempts == run
        with server.client() as client:
            lane = f"{queue._prefix}tasks.cpu"
            client.xclaim(lane, "peagen", "w", 0, [claim.token])
            client.xclaim(lane, "peagen", "w", 0, [claim.token], justid=True)
        assert queue.extend(claim)
        assert queue.inspect(claim.task.id).task.attempts == run  # type: ignore[union-attr]
        clock.now += 6.0
    assert queue.claim(CPU, "w") == []
    assert [dead.id for dead in queue.dead_letters()] == [claim.task.id]


# ---- 5: trimming -----------------------------------------------------------------------------------


def test_no_trimming_drops_a_task_that_is_not_acknowledged(on_either: Open) -> None:
    queue = on_either(results_kept=1)
    tasks = [a_task("cpu") for _ in range(300)]
    queue.enqueue_all(tasks)
    claims = queue.claim(CPU, "w", limit=150)
    for claim in claims[:100]:
        assert queue.complete(claim, ok(claim.task))
    assert (queue.pending_count(), queue.claimed_count()) == (150, 50)
    assert all(queue.extend(claim) for claim in claims[100:])
    assert [claim.task.id for claim in queue.claim(CPU, "w", limit=300)] == [t.id for t in tasks[150:]]


def test_a_completed_task_leaves_no_entry_behind(on_either: Open, server: RedisServer) -> None:
    queue = on_either()
    queue.enqueue_all([a_task("cpu") for _ in range(10)])
    for claim in queue.claim(CPU, "w", limit=10):
        assert queue.complete(claim, ok(claim.task))
    with server.client() as client:
        assert client.xlen(f"{queue._prefix}tasks") == client.xlen(f"{queue._prefix}tasks.cpu") == 0
    assert pending(queue, server, "cpu") == []


# ---- 6: counts -------------------------------------------------------------------------------------


def test_counts_and_ages_hold_after_entries_were_deleted(on_either: Open, clock: Any) -> None:
    queue = on_either(clock=clock)
    tasks = [a_task("cpu") for _ in range(10)]
    for task in tasks:
        queue.enqueue(task)
        clock.now += 1.0
    for task in tasks[1:9:2]:
        assert queue.cancel(task.id)
    one(queue)
    assert queue.pending_count() == 5
    assert queue.depth() == {("cpu", TaskKind.EXECUTE): 5}
    assert queue.oldest_idle() == 8.0
    queue.cancel(tasks[2].id)
    assert queue.oldest_idle() == 6.0


# ---- 7: Results ------------------------------------------------------------------------------------


def test_the_first_result_stays_and_a_late_duplicate_changes_nothing(on_either: Open, clock: Any) -> None:
    queue = on_either(clock=clock)
    queue.enqueue(a_task("cpu"))
    late = one(queue, lease=5.0)
    clock.now += 6.0
    claim = one(queue)
    assert queue.complete(claim, ok(claim.task, by="second"))
    assert not queue.complete(late, ok(late.task, by="first"), [a_task("cpu")])
    (result,), _ = queue.results_since(FROM_START)
    assert result.data["by"] == "second"
    assert queue.pending_count() == 0


def test_a_failure_of_a_run_that_is_over_does_not_end_the_next_one(on_either: Open, clock: Any) -> None:
    queue = on_either(clock=clock)
    queue.enqueue(a_task("cpu"))
    late = one(queue, lease=5.0)
    clock.now += 6.0
    claim = one(queue)
    assert queue.fail(late, error(late.task, retryable=False)) is None
    assert queue.extend(claim)
    assert queue.dead_count() == 0


# ---- 8: the client's own retries -------------------------------------------------------------------


@pytest.fixture
def relay(server: RedisServer) -> Any:
    with Relay(server.socket) as relay:
        yield relay


@pytest.fixture
def through(relay: Relay, on_either: Open, server: RedisServer) -> Any:
    """A queue behind the relay, whose scripts the server knows; and one that goes there directly."""
    direct = on_either()
    with RedisQueue.from_url(relay.url, prefix=direct._prefix) as queue:
        queue.enqueue(warm := a_task("warm"))
        claim = one(queue, frozenset({"warm"}))
        queue.give_back(claim)
        queue.release(one(queue, frozenset({"warm"})))
        for outcome in (False, True):
            queue.enqueue(warm := a_task("warm"))
            claim = one(queue, frozenset({"warm"}))
            if outcome:
                queue.complete(claim, ok(warm))
            else:
                queue.fail(claim, error(claim.task, retryable=False))
        queue.purge()
        yield queue


@pytest.mark.parametrize("times", [1, 3])
def test_an_enqueue_whose_reply_is_lost_puts_in_one_entry(
    through: RedisQueue, relay: Relay, server: RedisServer, times: int
) -> None:
    relay.lose_replies(times)
    through.enqueue_all([a_task("cpu"), a_task("cpu")])
    assert relay.lost == times
    with server.client() as client:
        assert client.xlen(f"{through._prefix}tasks") == 2
    assert through.pending_count() == 2


@pytest.mark.parametrize("times", [1, 3])
def test_a_claim_whose_reply_is_lost_is_given_again_and_counts_one_run(
    through: RedisQueue, relay: Relay, server: RedisServer, times: int
) -> None:
    tasks = [a_task("cpu") for _ in range(3)]
    through.enqueue_all(tasks)
    relay.lose_replies(times)
    claims = through.claim(CPU, "w", limit=2)
    assert relay.lost == times
    assert [(claim.task.id, claim.task.attempts) for claim in claims] == [(t.id, 1) for t in tasks[:2]]
    assert len(pending(through, server, "cpu")) == 2
    assert all(through.extend_all(claims))
    assert through.pending_count() == 1


def test_the_next_claim_is_not_the_one_whose_reply_was_lost_before(through: RedisQueue, relay: Relay) -> None:
    through.enqueue_all([a_task("cpu") for _ in range(4)])
    relay.lose_replies()
    first = through.claim(CPU, "w", limit=2)
    relay.lose_replies()
    second = through.claim(CPU, "w", limit=2)
    assert len({claim.token for claim in [*first, *second]}) == 4


def test_a_completion_whose_reply_is_lost_says_that_it_won(through: RedisQueue, relay: Relay) -> None:
    through.enqueue(a_task("cpu"))
    claim, follow = one(through), a_task("cpu")
    relay.lose_replies()
    assert through.complete(claim, ok(claim.task), [follow]) is True
    assert relay.lost == 1
    assert through.counters().get(("stale", TaskKind.EXECUTE), 0) == 0
    assert [task.id for task in through.list_tasks()] == [follow.id]
    assert through.complete(claim, ok(claim.task)) is False


def test_a_failure_whose_reply_is_lost_says_what_was_done(through: RedisQueue, relay: Relay) -> None:
    through.enqueue(a_task("cpu"))
    claim = one(through)
    relay.lose_replies()
    action = through.fail(claim, error(claim.task, retryable=True))
    assert action is not None
    assert through.counters()["retried", TaskKind.EXECUTE] == 1
    assert len(through.inspect(claim.task.id).history) == 1  # type: ignore[union-attr]


@pytest.mark.parametrize("word", ["give_back", "release"])
def test_a_last_word_whose_reply_is_lost_says_that_it_counted(
    through: RedisQueue, relay: Relay, word: str
) -> None:
    through.enqueue(a_task("cpu"))
    claim = one(through)
    relay.lose_replies()
    assert getattr(through, word)(claim) is True
    assert through.counters().get(("stale", TaskKind.EXECUTE), 0) == 0


def test_waiting_outlasts_the_blocking_read_and_never_repeats_it(on_either: Open) -> None:
    link = on_either()._link
    options = link._waiting.connection_pool.connection_kwargs
    assert options["socket_timeout"] >= BLOCK_S + 5
    assert options["retry"].get_retries() == 0
    assert link._client.connection_pool is not link._waiting.connection_pool
    assert link._client.connection_pool.connection_kwargs["retry"].get_retries() == 0


# ---- 9: a flush ------------------------------------------------------------------------------------


def test_tasks_that_came_between_a_flush_and_the_next_claim_are_served(flavour: Flavour) -> None:
    with RedisServer(flavour) as server, RedisQueue.from_url(server.url) as queue:
        queue.enqueue(a_task("cpu"))
        finish_one(queue)
        with server.client() as client:
            client.flushall()
            tasks = [a_task("cpu") for _ in range(3)]
            for task in tasks:
                client.xadd("peagen.tasks", {"data": task.to_wire()})
        assert [claim.task.id for claim in queue.claim(CPU, "w", limit=9)] == [task.id for task in tasks]


def test_a_group_that_was_destroyed_is_made_again_and_no_task_is_skipped(
    on_either: Open, server: RedisServer
) -> None:
    queue = on_either()
    tasks = [a_task("cpu") for _ in range(4)]
    queue.enqueue_all(tasks)
    first = one(queue)
    with server.client() as client:
        client.xgroup_destroy(f"{queue._prefix}tasks.cpu", "peagen")
    assert [claim.task.id for claim in queue.claim(CPU, "w", limit=9)] == [task.id for task in tasks[1:]]
    assert queue.extend(first)
    assert queue.complete(first, ok(first.task))


# ---- 10: consumers that are gone -------------------------------------------------------------------


def consumers(queue: RedisQueue, server: RedisServer) -> set[str]:
    with server.client() as client:
        return {
            each["name"].decode() for each in client.xinfo_consumers(f"{queue._prefix}tasks.cpu", "peagen")
        }


def test_consumers_that_lapsed_leave_the_group_and_their_tasks_come_back(
    on_either: Open, server: RedisServer, clock: Any
) -> None:
    queue = on_either(clock=clock)
    tasks = [a_task("cpu") for _ in range(12)]
    queue.enqueue_all(tasks)
    for n in range(12):
        one(queue, owner=f"gone-{n}", lease=5.0)
    assert len(consumers(queue, server)) == 12
    clock.now += 20.0
    claims = queue.claim(CPU, "stays", limit=20, lease=600.0)
    assert [claim.task.id for claim in claims] == [task.id for task in tasks]
    for _ in range(12):
        clock.now += 1.0
        queue.claim(CPU, "stays", lease=600.0)
    assert consumers(queue, server) == {"stays"}
    assert all(queue.complete(claim, ok(claim.task)) for claim in claims)


def test_a_consumer_that_holds_a_task_stays_in_the_group(
    on_either: Open, server: RedisServer, clock: Any
) -> None:
    queue = on_either(clock=clock)
    queue.enqueue(a_task("cpu"))
    claim = one(queue, owner="works", lease=5.0)
    for _ in range(10):
        clock.now += 4.0
        assert queue.extend(claim)
        assert queue.claim(CPU, "other", lease=1.0) == []
    assert "works" in consumers(queue, server)
    assert queue.complete(claim, ok(claim.task))


# ---- 11: delayed tasks -----------------------------------------------------------------------------


def test_a_crowd_of_delayed_tasks_is_served_in_order_once_it_is_due(on_either: Open, clock: Any) -> None:
    queue = on_either(clock=clock, retry_delay=2.0)
    tasks = [a_task("cpu") for _ in range(1_500)]
    queue.enqueue_all(tasks)
    claims = [*queue.claim(CPU, "w", limit=2_000), *queue.claim(CPU, "w", limit=2_000)]
    assert len(claims) == 1_500
    for claim in claims:
        queue.give_back(claim, 2.0)
    assert queue.claim(CPU, "w") == []
    clock.now += 3.0
    served: list[str] = []
    while claims := queue.claim(CPU, "w", limit=500):
        served += [claim.task.id for claim in claims]
    assert served == [task.id for task in tasks]


def test_time_is_the_servers_whatever_a_clients_clock_says(
    on_either: Open, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = on_either()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    queue.enqueue(a_task("cpu"))
    with server.client() as client:
        before, claim, after = client.time()[0], one(queue, lease=10.0), client.time()[0]
    assert before + 10 <= claim.lease_until <= after + 11


# ---- 12: failover ----------------------------------------------------------------------------------


def test_with_replicas_asked_for_a_task_is_accepted_only_once_they_have_it(
    flavour: Flavour, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RedisServer(flavour, tcp=True, options=["--repl-diskless-sync-delay", "0"]) as master:
        with (
            RedisQueue.from_url(master.url, replicas=1, broker_timeout=LONG) as queue,
            ThreadPoolExecutor() as pool,
        ):
            accepted = pool.submit(queue.enqueue, task := a_task("cpu"))
            replica = RedisServer(flavour, tcp=True, options=["--replicaof", "127.0.0.1", str(master.port)])
            with replica:
                accepted.result(LONG)
                with replica.client() as client:
                    assert client.exists(f"peagen.task:{task.id}")
        monkeypatch.setattr("peagen_ray.queues.redis.link._REPLICA_S", 0.05)
        late = RedisQueue.from_url(master.url, replicas=1, broker_timeout=0.5)
        with late, pytest.raises(BrokerUnavailable, match="0 of 1 replicas"):
            late.enqueue(a_task("cpu"))


def test_resubmitting_ids_changes_nothing(on_either: Open) -> None:
    queue = on_either()
    tasks = [a_task("cpu") for _ in range(5)]
    queue.enqueue_all(tasks)
    finish_one(queue)
    held = one(queue)
    on_either().enqueue_all(tasks)
    assert (queue.pending_count(), queue.claimed_count()) == (3, 1)
    assert queue.extend(held)


# ---- 13: names of keys -----------------------------------------------------------------------------


def test_every_key_begins_with_the_prefix(flavour: Flavour) -> None:
    with RedisServer(flavour) as server, RedisQueue.from_url(server.url, prefix="{mine}.") as queue:
        queue.enqueue_all([a_task("cpu") for _ in range(6)])
        claims = queue.claim(CPU, "w", limit=5)
        queue.complete(claims[0], ok(claims[0].task), [a_task("gpu")])
        queue.fail(claims[1], error(claims[1].task, retryable=True))
        queue.fail(claims[2], error(claims[2].task, retryable=False))
        queue.release(claims[3])
        assert queue.pop(block=False) is not None
        with server.client() as client:
            keys = client.keys()
        assert len(keys) > 10
        assert all(key.startswith(b"{mine}.") for key in keys)


def test_two_prefixes_on_one_server_are_two_queues(on_either: Open) -> None:
    one_queue, other = on_either(), on_either(prefix="other.")
    one_queue.enqueue(a_task("cpu"))
    assert other.claim(CPU, "w") == []
    assert (one_queue.pending_count(), other.pending_count()) == (1, 0)


# ---- 14: servers of tests --------------------------------------------------------------------------


def test_servers_that_start_at_once_are_each_their_own(flavour: Flavour) -> None:
    barrier = threading.Barrier(6)

    def begin(n: int) -> RedisServer:
        barrier.wait(LONG)
        return RedisServer(flavour, tcp=n % 2 == 0).start()

    with ThreadPoolExecutor(6) as pool:
        servers = list(pool.map(begin, range(6)))
    try:
        for server in servers:
            with RedisQueue.from_url(server.url) as queue:
                assert queue.pending_count() == 0
                queue.enqueue(Task(kind=TaskKind.EXECUTE))
            with server.client() as client:
                assert client.info("server")["process_id"] == server.pid
    finally:
        for server in servers:
            server.stop()
