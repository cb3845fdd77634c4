"""What the queue's actor keeps, and finds again when it is restarted; without a cluster."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from pyarrow.fs import FileType, LocalFileSystem, SubTreeFileSystem
from ray_near import NearLink, near_queue

from peagen_ray.errors import QueueError
from peagen_ray.queues.base import FROM_START, Claim, TaskQueue
from peagen_ray.queues.ray import RayQueue, journal
from peagen_ray.queues.ray.journal import Fenced, Journal
from peagen_ray.queues.ray.wire import Away
from peagen_ray.task import Result, Task, TaskKind

CPU = frozenset({"cpu"})


@pytest.fixture
def open_near(tmp_path: Path) -> Iterator[Callable[..., RayQueue]]:
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(near_queue(tmp_path, **options))


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Storage that can only write whole objects."""
    store = SubTreeFileSystem(str(tmp_path), LocalFileSystem())
    monkeypatch.setattr(journal, "open_storage", lambda root: (store, "bucket"))


def link(queue: RayQueue) -> NearLink:
    found: Any = queue._link
    return found  # type: ignore[no-any-return]


def task(**payload: Any) -> Task:
    return Task(kind=TaskKind.EXECUTE, payload=payload)


def one(queue: TaskQueue) -> Claim:
    (claim,) = queue.claim(CPU, "w")
    return claim


def ok(claim: Claim) -> Result:
    return Result.success(claim.task, {"answer": 42})


def no(claim: Claim, *, retryable: bool) -> Result:
    return Result.failure(claim.task, "no", retryable=retryable)


# ---- the journal ------------------------------------------------------------------------------


def fill(kept: Journal, *steps: bytes) -> None:
    kept.take_over()
    kept.write_snapshot(b"{}")
    kept.append(steps)


@pytest.mark.parametrize("torn", [b"\n", b"x", b"00000000 half\n", journal.line_of(b"third")[:-1]])
def test_a_torn_tail_is_cut(tmp_path: Path, torn: bytes) -> None:
    fill(Journal(str(tmp_path), "q"), b"first", b"second")
    (file,) = tmp_path.glob("q/*.journal")
    file.write_bytes(file.read_bytes() + torn)
    assert Journal(str(tmp_path), "q").take_over() == (b"{}", [b"first", b"second"])


def test_every_cut_of_the_journal_restores_the_steps_before_it(tmp_path: Path) -> None:
    steps = [b"one", b"two", b"three"]
    fill(Journal(str(tmp_path), "q"), *steps)
    (file,) = tmp_path.glob("q/*.journal")
    whole = file.read_bytes()
    for end in range(len(whole)):
        file.write_bytes(whole[:end])
        _, found = Journal(str(tmp_path), "q").take_over()
        assert found == steps[: whole[:end].count(b"\n")]


def test_a_snapshot_takes_the_place_of_everything_before(tmp_path: Path) -> None:
    kept = Journal(str(tmp_path), "q")
    fill(kept, b"old")
    kept.write_snapshot(b"[1]")
    kept.append([b"new"])
    assert {path.suffix for path in tmp_path.glob("q/*")} == {"", ".snapshot", ".journal"}
    assert len(list(tmp_path.glob("q/*"))) == 3
    assert Journal(str(tmp_path), "q").take_over() == (b"[1]", [b"new"])


def test_a_life_that_was_replaced_keeps_nothing_more(tmp_path: Path) -> None:
    old, new = Journal(str(tmp_path), "q"), Journal(str(tmp_path), "q")
    fill(old, b"kept")
    assert new.take_over() == (b"{}", [b"kept"])
    with pytest.raises(Fenced):
        old.append([b"late"])
    with pytest.raises(Fenced):
        old.write_snapshot(b"[2]")
    new.write_snapshot(b"[3]")
    assert Journal(str(tmp_path), "q").take_over() == (b"[3]", [])


def test_of_two_that_take_over_at_once_the_later_one_counts(tmp_path: Path) -> None:
    one, other = Journal(str(tmp_path), "q"), Journal(str(tmp_path), "q")
    one.take_over()
    other.take_over()
    other.write_snapshot(b"[2]")
    with pytest.raises(Fenced):
        one.write_snapshot(b"[1]")
    assert Journal(str(tmp_path), "q").take_over() == (b"[2]", [])


def test_two_queues_share_a_root(tmp_path: Path) -> None:
    fill(Journal(str(tmp_path), "{a}/../b"), b"mine")
    fill(Journal(str(tmp_path), "b"), b"yours")
    assert Journal(str(tmp_path), "{a}/../b").take_over()[1] == [b"mine"]


def test_an_object_store_gets_an_object_for_each_batch(objects: None, tmp_path: Path) -> None:
    kept = Journal("s3://bucket", "q")
    fill(kept, b"1", b"2")
    kept.append([b"3"])
    assert len(list(tmp_path.glob("bucket/q/*.journal.*"))) == 2
    assert Journal("s3://bucket", "q").take_over() == (b"{}", [b"1", b"2", b"3"])
    kept = Journal("s3://bucket", "q")
    kept.take_over()
    kept.write_snapshot(b"[4]")
    assert list(tmp_path.glob("bucket/q/*.journal.*")) == []


# ---- the queue --------------------------------------------------------------------------------


@pytest.mark.parametrize("storage", ["disk", "objects"])
def test_every_place_of_a_task_survives_a_restart(
    open_near: Callable[..., RayQueue], storage: str, request: pytest.FixtureRequest
) -> None:
    if storage == "objects":
        request.getfixturevalue("objects")
    queue = open_near(max_retry=2)
    waiting, dead, delayed, held, done = (task(n=n) for n in range(5))
    for each in (dead, delayed, held, done):
        queue.enqueue(each)
    claims = {claim.task.id: claim for claim in queue.claim(CPU, "w", 9, lease=600)}
    queue.fail(claims[dead.id], no(claims[dead.id], retryable=False))
    queue.give_back(claims[delayed.id], 600)
    queue.complete(claims[done.id], ok(claims[done.id]), [waiting])
    before = [queue.inspect(each.id) for each in (waiting, dead, delayed, done)]
    link(queue).die(torn=storage == "disk")
    assert [queue.inspect(each.id) for each in (waiting, dead, delayed, done)] == before
    assert queue.extend(claims[held.id])
    assert queue.complete(claims[held.id], ok(claims[held.id]))
    results, _ = queue.results_since(FROM_START)
    assert [result.task_id for result in results] == [dead.id, done.id, held.id]


def test_tokens_are_not_given_again_after_a_restart(open_near: Callable[..., RayQueue]) -> None:
    queue = open_near()
    queue.enqueue_all([task() for _ in range(6)])
    tokens = []
    for _ in range(6):
        tokens.append(one(queue).token)
        link(queue).die()
    assert len(set(tokens)) == 6


def complete(queue: RayQueue, claim: Claim) -> bool:
    return queue.complete(claim, ok(claim), [task(), task()])


STEPS: dict[str, tuple[Callable[[RayQueue, Claim], Any], int]] = {
    "complete": (complete, 2),
    "retry": (lambda queue, claim: queue.fail(claim, no(claim, retryable=True)) is not None, 1),
    "bury": (lambda queue, claim: queue.fail(claim, no(claim, retryable=False)) is not None, 0),
    "give_back": (lambda queue, claim: queue.give_back(claim), 1),
    "release": (lambda queue, claim: queue.release(claim), 0),
    "publish": (lambda queue, claim: queue.publish(ok(claim), claim), 0),
    "cancel": (lambda queue, claim: queue.cancel(claim.task.id), 0),
    "begin": (lambda queue, claim: queue.begin(claim) == claim, 0),
    "extend": (lambda queue, claim: queue.extend(claim), 0),
    "orphans": (lambda queue, claim: queue.requeue_orphans(0, 9) == 0, 0),
    "purge": (lambda queue, claim: queue.purge() == 0, 0),
}


@pytest.mark.parametrize("dying", [False, True], ids=["alone", "with the actor"])
@pytest.mark.parametrize("step", STEPS)
def test_a_call_whose_reply_is_lost_has_one_effect_and_its_true_answer(
    open_near: Callable[..., RayQueue], step: str, dying: bool
) -> None:
    queue = open_near(clock=lambda: 1_000.0)
    queue.enqueue(task())
    claim = one(queue)
    do, pending = STEPS[step]
    link(queue).losing, link(queue).dying, link(queue).tearing = 2, dying, dying
    assert do(queue, claim)
    assert queue.pending_count() == pending
    assert not any(event == "stale" for event, _ in queue.counters())


@pytest.mark.parametrize("dying", [False, True], ids=["alone", "with the actor"])
def test_a_claim_whose_reply_is_lost_is_given_once(open_near: Callable[..., RayQueue], dying: bool) -> None:
    queue = open_near()
    tasks = [task() for _ in range(5)]
    link(queue).losing, link(queue).dying = 2, dying
    queue.enqueue_all(tasks)
    link(queue).losing = 2
    claims = queue.claim(CPU, "w", 2)
    assert [claim.task.id for claim in claims] == [each.id for each in tasks[:2]]
    assert {claim.task.attempts for claim in claims} == {1}
    assert (queue.pending_count(), queue.claimed_count()) == (3, 2)


def test_completing_what_a_queue_without_a_journal_forgot_counts(open_near: Callable[..., RayQueue]) -> None:
    queue = open_near(durable=False)
    queue.enqueue(task(n=1))
    claim = one(queue)
    link(queue).die()
    assert queue.complete(claim, ok(claim), [task(n=2)])
    assert queue.wait_for_result(claim.task.id, 0) == ok(claim).model_copy(
        update={"created_at": queue.wait_for_result(claim.task.id, 0).created_at}  # type: ignore[union-attr]
    )
    assert [each.payload for each in queue.list_tasks()] == [{"n": 2}]


def test_a_long_journal_gives_way_to_a_snapshot(open_near: Callable[..., RayQueue], tmp_path: Path) -> None:
    queue = open_near()
    for n in range(200):
        queue.enqueue(task(n=n))
        claim = one(queue)
        queue.complete(claim, ok(claim))
    queue.enqueue(task(n="last"))
    link(queue).die()
    assert [each.payload for each in queue.list_tasks()] == [{"n": "last"}]
    files = {path.suffix: path.stat().st_size for path in tmp_path.glob("*/*.*")}
    assert set(files) == {".snapshot", ".journal"}
    assert link(queue).actor._keeper._journal._stem.number == 1  # type: ignore[union-attr]


def test_the_journal_stays_short_in_a_long_life(open_near: Callable[..., RayQueue], tmp_path: Path) -> None:
    queue = open_near(results_kept=1)
    longest = 0
    for n in range(300):
        queue.enqueue(task(n=n))
        queue.cancel(queue.list_tasks(1)[0].id)
        longest = max(longest, *(path.stat().st_size for path in tmp_path.glob("*/*.journal")))
    assert longest < 20_000
    assert link(queue).actor._keeper._journal._stem.number > 3  # type: ignore[union-attr]


def test_what_cannot_be_kept_is_not_acknowledged_and_comes_right_later(
    open_near: Callable[..., RayQueue], monkeypatch: pytest.MonkeyPatch
) -> None:
    queue = open_near()
    queue.enqueue(task(n=0))
    monkeypatch.setattr("peagen_ray.queues.ray.actor._STORAGE_PATIENCE_S", 0.1)
    monkeypatch.setattr("peagen_ray.queues.ray.actor._STORAGE_PAUSE_S", 0.01)
    with monkeypatch.context() as patch:
        patch.setattr(os, "fdatasync", _full)
        with pytest.raises(Away, match="No space"):
            queue.enqueue(task(n=1))
        with pytest.raises(Away, match="No space"):
            queue.pending_count()
    queue.enqueue(task(n=2))
    link(queue).die()
    assert [each.payload["n"] for each in queue.list_tasks()] == [0, 1, 2]


def _full(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_a_snapshot_that_makes_no_sense_is_named(open_near: Callable[..., RayQueue], tmp_path: Path) -> None:
    queue = open_near()
    queue.enqueue(task())
    (snapshot,) = tmp_path.glob("*/*.snapshot")
    snapshot.write_bytes(b"{}")
    with pytest.raises(QueueError, match="format"):
        link(queue).live()
    snapshot.write_bytes(b"no JSON")
    with pytest.raises(QueueError, match="cannot be restored"):
        link(queue).live()


def test_the_queue_follows_the_handle_that_was_opened_last_even_after_a_restart(
    open_near: Callable[..., RayQueue],
) -> None:
    queue = open_near(max_waiting=1)
    options = {**link(queue)._arguments["options"], "max_waiting": 2}
    link(queue).call("hello", options)
    link(queue).die()
    queue.enqueue_all([task(), task()])
    with pytest.raises(QueueError, match="2 tasks wait"):
        queue.enqueue(task())


def test_the_fake_object_store_is_none_that_appends(objects: None) -> None:
    filesystem, path = journal.open_storage("s3://bucket")
    assert filesystem.type_name != "local"
    assert filesystem.get_file_info(path).type is FileType.NotFound
