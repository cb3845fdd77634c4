"""Programs that know only ``XADD peagen.tasks`` and ``XREAD peagen.results``, and what they get wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from typing import Any

import pytest

from peagen_ray.queues.model import FROM_START, Claim, State
from peagen_ray.queues.redis import RedisQueue
from peagen_ray.task import SCHEMA_V, Status, TaskKind
from peagen_ray.testing._queue_kit import CPU, LONG, a_task, error, ok
from peagen_ray.testing.servers import Flavour, RedisServer


@pytest.fixture
def own(flavour: Flavour) -> Iterator[RedisServer]:
    """A server on which the streams have their documented names."""
    with RedisServer(flavour) as server:
        yield server


@pytest.fixture
def queue(own: RedisServer) -> Iterator[RedisQueue]:
    with RedisQueue.from_url(own.url) as queue:
        yield queue


@pytest.fixture
def plain(own: RedisServer) -> Iterator[Any]:
    with own.client() as client:
        yield client


def add(plain: Any, **fields: Any) -> str:
    return str(plain.xadd("peagen.tasks", {"data": json.dumps({"kind": "execute", **fields})}).decode())


def take(queue: RedisQueue, limit: int = 9) -> list[Claim]:
    return queue.claim(CPU, "w", limit=limit)


def results(plain: Any) -> list[dict[str, Any]]:
    (found,) = plain.xread({"peagen.results": "0"})
    return [json.loads(fields[b"data"]) for _, fields in found[1]]


def test_a_script_that_knows_the_two_streams_gets_its_answer(queue: RedisQueue, plain: Any) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(queue.claim, CPU, "w", timeout=LONG)
        task_id = "0123456789abcdef" * 2
        add(plain, id=task_id, payload={"n": 1}, requires=["cpu"])
        (claim,) = waiting.result(LONG)
        assert (claim.task.id, claim.task.payload, claim.task.attempts) == (task_id, {"n": 1}, 1)
        answer = pool.submit(plain.xread, {"peagen.results": "0"}, block=int(LONG * 1000))
        assert queue.complete(claim, ok(claim.task, n=2))
        ((_, entries),) = answer.result(LONG)
        assert set(entries[0][1]) == {b"data"}
        said = json.loads(entries[0][1][b"data"])
        assert (said["task_id"], said["status"], said["data"]) == (task_id, "ok", {"n": 2})


def test_tasks_of_ours_can_be_read_from_the_stream_by_anyone(queue: RedisQueue, plain: Any) -> None:
    queue.enqueue(task := a_task("cpu", n=1))
    ((_, fields),) = plain.xrange("peagen.tasks")
    assert fields == {b"data": task.to_wire()}


def test_a_missing_id_becomes_a_hash_of_stream_and_entry(queue: RedisQueue, plain: Any) -> None:
    entry = add(plain)
    (claim,) = take(queue)
    assert claim.task.id == sha256(f"peagen.tasks {entry}".encode()).hexdigest()[:32]
    assert queue.complete(claim, ok(claim.task))
    assert results(plain)[0]["task_id"] == claim.task.id


def test_an_id_that_is_known_is_acknowledged_away(queue: RedisQueue, plain: Any) -> None:
    queue.enqueue(task := a_task("cpu"))
    add(plain, id=task.id)
    add(plain, id=task.id)
    (claim,) = take(queue)
    add(plain, id=task.id)
    assert take(queue) == []
    assert queue.complete(claim, ok(claim.task))
    add(plain, id=task.id)
    assert take(queue) == []
    assert (queue.pending_count(), plain.xlen("peagen.tasks")) == (0, 0)
    assert len(results(plain)) == 1


def test_tasks_of_both_kinds_of_producer_keep_their_order(queue: RedisQueue, plain: Any) -> None:
    ids = [f"{n:032x}" for n in range(250)]
    for n, task_id in enumerate(ids):
        if n % 3:
            add(plain, id=task_id, requires=["cpu"])
        else:
            queue.enqueue(a_task("cpu").model_copy(update={"id": task_id}))
    served: list[str] = []
    while claims := take(queue, 40):
        served += [claim.task.id for claim in claims]
    assert served == ids


def test_what_is_not_looked_at_yet_is_counted_and_listed(queue: RedisQueue, plain: Any) -> None:
    add(plain, id="a" * 32, requires=["cpu"])
    queue.enqueue(a_task("cpu"))
    assert queue.pending_count() == 2
    assert next(iter(queue.list_tasks())).id == "a" * 32
    assert queue.pending_count() == 2
    assert queue.inspect("a" * 32).state is State.WAITING  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "raw",
    [
        b"not JSON",
        b"",
        b"\xff\xfe\x00",
        b"[]",
        b'"text"',
        b"null",
        b"{}",
        b'{"id": "0123456789abcdef0123"}',
        b'{"kind": "juggle", "id": "0123456789abcdef0123"}',
        b'{"kind": "execute", "id": "NOT HEX"}',
        b'{"kind": "execute", "id": 7}',
        b'{"kind": "execute", "requires": "cpu"}',
        b'{"kind": "execute", "requires": ["C P U"]}',
        b'{"kind": "execute", "payload": 1}',
        b'{"kind": "execute", "payload": ' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"kind": "execute", "attempts": -1}',
        b'{"kind": "execute", "id": "0123456789abcdef0123", "payload": {"x": 1e999}}',
        b'{"kind": "execute"}' * 2,
    ],
)
def test_what_is_no_task_is_buried_with_its_bytes_and_consumers_go_on(
    queue: RedisQueue, plain: Any, raw: bytes
) -> None:
    plain.xadd("peagen.tasks", {"data": raw})
    queue.enqueue(task := a_task("cpu"))
    assert [claim.task.id for claim in take(queue)] == [task.id]
    (dead,) = queue.dead_letters()
    assert (dead.task, dead.raw) == (None, raw)
    assert dead.reason
    ((_, fields),) = plain.xrange("peagen.dead")
    assert (fields[b"data"], fields[b"reason"].decode()) == (raw, dead.reason)
    (result,), _ = queue.results_since(FROM_START)
    assert (result.task_id, result.status, result.retryable) == (dead.id, Status.ERROR, False)
    assert dead.reason in result.data["msg"] or result.data["msg"] in dead.reason
    assert queue.pending_count() == 0


def test_an_entry_with_other_fields_is_buried_and_says_which(queue: RedisQueue, plain: Any) -> None:
    plain.xadd("peagen.tasks", {"body": "x", "extra": b"\xff"})
    assert take(queue) == []
    (dead,) = queue.dead_letters()
    assert "body" in dead.reason
    assert b"body" in dead.raw


def test_a_newer_envelope_is_answered_with_the_version_that_is_spoken(queue: RedisQueue, plain: Any) -> None:
    add(plain, id="b" * 32, schema_v=SCHEMA_V + 1, shape="unknown")
    assert take(queue) == []
    (result,), _ = queue.results_since(FROM_START)
    assert (result.task_id, result.status, result.retryable) == ("b" * 32, Status.ERROR, False)
    assert (result.data["speaks"], result.data["schema_v"]) == (SCHEMA_V, SCHEMA_V + 1)
    assert str(SCHEMA_V) in result.data["msg"]
    (dead,) = queue.dead_letters()
    assert json.loads(dead.raw)["shape"] == "unknown"


def test_a_buried_entry_is_told_to_whoever_waits_for_it(queue: RedisQueue, plain: Any) -> None:
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(queue.wait_for_result, "c" * 32, LONG)
        add(plain, id="c" * 32, attempts=-1)
        assert take(queue) == []
        assert waiting.result(LONG).status is Status.ERROR  # type: ignore[union-attr]


def test_what_cannot_be_read_can_be_purged_but_not_retried(queue: RedisQueue, plain: Any) -> None:
    plain.xadd("peagen.tasks", {"data": b"not JSON"})
    take(queue)
    (dead,) = queue.dead_letters()
    assert queue.retry([dead.id]) == 0
    assert queue.dead_count() == 1
    assert queue.purge([dead.id]) == 1
    assert (queue.dead_count(), plain.xlen("peagen.dead")) == (0, 0)


def test_a_hundred_bad_entries_do_not_hold_up_a_good_one(queue: RedisQueue, plain: Any) -> None:
    for n in range(350):
        plain.xadd("peagen.tasks", {"data": f"bad {n}"})
    queue.enqueue(task := a_task("cpu"))
    assert [claim.task.id for claim in take(queue)] == [task.id]
    assert queue.dead_count() == 350


def test_bad_entries_are_buried_once_by_many_consumers(
    queue: RedisQueue, plain: Any, own: RedisServer
) -> None:
    for n in range(200):
        plain.xadd("peagen.tasks", {"data": f"bad {n}"})
        add(plain, requires=["cpu"])
    with ThreadPoolExecutor(4) as pool:

        def drain(_: int) -> list[str]:
            with RedisQueue.from_url(own.url) as mine:
                found: list[str] = []
                while claims := mine.claim(CPU, "w", limit=7):
                    found += [claim.task.id for claim in claims]
                return found

        served = [task_id for each in pool.map(drain, range(4)) for task_id in each]
    assert len(served) == len(set(served)) == 200
    assert queue.dead_count() == 200
    assert len(queue.results_since(FROM_START, limit=1_000)[0]) == 200


def test_fields_that_we_do_not_know_are_ignored(queue: RedisQueue, plain: Any) -> None:
    add(plain, id="d" * 32, requires=["cpu"], colour="green", attempts=2)
    (claim,) = take(queue)
    assert claim.task.attempts == 1
    assert queue.fail(claim, error(claim.task, retryable=True)) is not None


def test_the_kind_and_tags_of_a_foreign_task_are_counted(queue: RedisQueue, plain: Any) -> None:
    plain.xadd("peagen.tasks", {"data": '{"kind":"evaluate","requires":["gpu","cpu"]}'})
    assert take(queue) == []
    assert queue.depth() == {("cpu+gpu", TaskKind.EVALUATE): 1}
    assert queue.unserved() == {"cpu+gpu": ("gpu",)}


def test_a_big_task_passes_through_whole(queue: RedisQueue, plain: Any) -> None:
    text = "ü\u2028" * 500_000
    add(plain, id="e" * 32, payload={"src": text})
    queue.enqueue(a_task("cpu", src=text))
    assert [claim.task.payload["src"] == text for claim in take(queue)] == [True, True]


def test_what_others_wrote_into_the_dead_letter_queue_is_shown_and_can_be_removed(
    queue: RedisQueue, plain: Any
) -> None:
    name = plain.xadd("peagen.dead", {"data": json.dumps({"kind": "execute", "id": "a" * 32})}).decode()
    plain.xadd("peagen.dead", {"reason": "no id"})
    queue.enqueue(task := a_task("cpu"))
    queue.fail(take(queue)[0], error(task, retryable=False))
    first, _, ours = queue.dead_letters()
    assert (first.id, first.task, ours.id) == (name, None, task.id)
    assert queue.retry([name]) == 0
    assert queue.purge([name]) == 1
    assert queue.purge() == 2
    assert plain.xlen("peagen.dead") == 0


def test_a_dead_letter_that_was_trimmed_away_is_not_revived(queue: RedisQueue, plain: Any) -> None:
    queue.enqueue(task := a_task("cpu"))
    queue.fail(take(queue)[0], error(task, retryable=False))
    plain.xtrim("peagen.dead", maxlen=0)
    assert queue.retry([task.id]) == 0
    assert (queue.pending_count(), take(queue)) == (0, [])


def test_what_is_no_result_does_not_hide_those_after_it(queue: RedisQueue, plain: Any) -> None:
    plain.xadd("peagen.results", {"data": "no Result"})
    queue.enqueue(task := a_task("cpu"))
    queue.complete(take(queue)[0], ok(task))
    (result,), _ = queue.results_since(FROM_START)
    assert result.task_id == task.id


def test_a_kind_of_a_newer_program_is_left_out_of_what_people_see(queue: RedisQueue) -> None:
    newer = b'{"kind":"juggle","id":"%s","payload":{}}' % (b"a" * 32)
    queue._run("enqueue", "", "a" * 32, "cpu", "juggle", newer)
    queue.enqueue(task := a_task("cpu"))
    assert queue.depth() == {("cpu", TaskKind.EXECUTE): 1}
    assert [each.id for each in queue.list_tasks()] == [task.id]
    assert [claim.task.id for claim in take(queue)] == [task.id]
    assert queue.counters() == {}
    assert queue.dead_count() == 1
