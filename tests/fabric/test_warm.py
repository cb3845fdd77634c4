"""Processes that stand ready: used once, never too many, and never left behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from fabric_bench import CPU, FilledPool, WarmRunner, await_end, kill, leftovers, task

from peagen_ray.errors import LaunchError
from peagen_ray.fabric.oneshot import PRELOAD, OneShotRunner
from peagen_ray.fabric.warm import WarmPool
from peagen_ray.launcher.client import Launcher
from peagen_ray.task import Status

DOER = "fabric_handlers:Doer"


def run(runner, do, **payload):
    return runner.run(DOER, task(do, **payload), timeout=30)


def standing(pool):
    return [each.parked for each in pool._idle]


@pytest.fixture
def slots(tmp_path):
    return tmp_path / "slots"


@pytest.fixture
def make(launcher, scratches, slots):
    """Makes pools; at the end there is no process and no scratch directory left."""
    made = []

    def make(size=2, idle_timeout=600, starter=launcher, slots=slots, **options):
        made.append(FilledPool(starter, size, slots, idle_timeout, scratch_root=scratches, **options))
        return made[-1]

    yield make
    for pool in made:
        pool.close()
    assert list(scratches.iterdir()) == []
    assert leftovers(launcher) == []


def runner_with(pool, launcher, **options):
    return OneShotRunner(launcher, "w", CPU, pool.scratch_root, pool.keep, pool=pool, **options)


def test_a_task_gets_a_process_that_stood_ready_and_another_takes_its_place(make, launcher):
    pool = make(size=1)
    pool.fill()
    (ready,) = standing(pool)
    assert run(runner_with(pool, launcher), "nothing").data["pid"] == ready.child.pid
    pool.wait_for(lambda: pool.counts.idle == 1)
    assert standing(pool)[0].child.pid != ready.child.pid


def test_without_one_that_stands_ready_a_task_gets_a_fresh_process(make, launcher):
    pool = make()
    assert run(runner_with(pool, launcher), "nothing").status is Status.OK
    pool.wait_for(lambda: pool.counts.idle == 2)


def test_it_counts_what_lives_what_stands_ready_and_what_it_has_started(make):
    pool = make(size=2, idle_timeout=600)
    assert pool.counts.gone_at is None
    before = time.time()
    pool.fill()
    assert before + 600 < pool.counts.gone_at <= time.time() + 600.1
    taken = pool.take()
    assert (pool.counts.live, pool.counts.idle, pool.counts.launched) == (2, 1, 2)
    pool.fill()
    assert (pool.counts.live, pool.counts.idle, pool.counts.launched) == (3, 2, 3)
    taken.close()
    assert (pool.counts.live, pool.counts.idle, pool.counts.launched) == (2, 2, 3)


def test_one_that_died_is_not_taken(make):
    pool = make(size=2)
    pool.fill()
    for each in standing(pool):
        kill(each.child.pid)
    assert pool.take() is None


def test_one_that_was_killed_leaves_at_once_with_its_directory_and_its_slot(make, scratches):
    pool = make(size=1)
    pool.fill()
    kill(standing(pool)[0].child.pid)
    pool.wait_for(lambda: pool.counts.live == 0)
    assert list(scratches.iterdir()) == []
    other = make(size=1)
    other.fill()
    assert other.counts.idle == 1


def test_those_that_nobody_takes_leave_with_their_directories(make, scratches, launcher):
    left = []
    pool = make(size=2, idle_timeout=0.01, on_idle=lambda: left.append(1))
    pool.fill()
    pool.wait_for(lambda: len(left) == 2)
    assert pool.counts.live == 0
    assert pool.counts.idle == 0
    assert pool.counts.launched == pool.counts.left_idle == 2
    assert list(scratches.iterdir()) == []
    assert leftovers(launcher) == []


def test_an_idle_timeout_of_years_is_one(make):
    pool = make(size=1, idle_timeout=1e9)
    pool.fill()
    pool.fill()
    assert pool.counts.idle == 1


def test_a_fork_server_that_was_killed_takes_them_along_and_the_next_one_fills_the_pool(make, scratches):
    with Launcher.start([*PRELOAD, "fabric_handlers"]) as launcher:
        pool = make(size=2, starter=launcher)
        pool.fill()
        launcher._process.kill()
        launcher._process.wait()
        pool.wait_for(lambda: pool.counts.live == 0)
        assert list(scratches.iterdir()) == []
        assert run(runner_with(pool, launcher), "nothing").status is Status.OK
        pool.fill()
        assert pool.counts.idle == 2
        pool.close()


def test_a_launcher_may_be_closed_before_the_pool(make, scratches):
    with Launcher.start(PRELOAD) as launcher:
        pool = make(starter=launcher)
        pool.fill()
    pool.close()
    assert list(scratches.iterdir()) == []


def test_one_that_dies_when_it_gets_its_order_is_replaced_by_a_fresh_one(make, launcher, monkeypatch):
    pool = make(size=1)
    runner, taken = runner_with(pool, launcher), []
    take = pool.take

    def take_a_dying_one():
        parked = take()
        kill(parked.child.pid)
        taken.append(parked.child.pid)
        return parked

    pool.fill()
    monkeypatch.setattr(pool, "take", take_a_dying_one)
    result = run(runner, "nothing")
    assert result.status is Status.OK
    assert result.data["pid"] not in taken
    assert len(taken) == 1


def test_one_that_stops_reading_within_its_order_is_replaced_by_a_fresh_one(make, launcher, monkeypatch):
    pool = make(size=1)
    pool.fill()
    take, died = pool.take, []

    def take_one_that_dies_soon():
        parked = take()
        os.kill(parked.child.pid, signal.SIGSTOP)

        def die_when_the_socket_is_full(sock, events, deadline):
            if parked.child.pid not in died:
                died.append(parked.child.pid)
                kill(parked.child.pid)
            ready(sock, events, deadline)

        ready = parked.child._ready
        monkeypatch.setattr(parked.child, "_ready", die_when_the_socket_is_full)
        return parked

    monkeypatch.setattr(pool, "take", take_one_that_dies_soon)
    # Longer than what a socket holds, so that sending it fails half way.
    result = run(runner_with(pool, launcher), "nothing", ballast="x" * (8 << 20))
    assert result.status is Status.OK
    assert len(died) == 1


def test_a_task_that_was_begun_is_not_begun_again(make, launcher, tmp_path):
    pool = make(size=1, keep=(tmp_path,))
    pool.fill()
    diary = tmp_path / "diary"
    result = run(runner_with(pool, launcher), "write and die", path=str(diary))
    assert result.data["reason"] == "killed by SIGKILL"
    assert diary.read_text() == "x"


def test_a_directory_that_was_replaced_is_seen_as_it_is(make, launcher, tmp_path):
    workspace = tmp_path / "workspace"
    workspace.mkdir()
    pool = make(size=1, keep=(workspace,))
    pool.fill()
    workspace.rename(tmp_path / "old")
    workspace.mkdir()
    (workspace / "new").touch()
    assert run(runner_with(pool, launcher), "see", path=str(workspace / "new")).data["seen"]


def test_one_whose_scratch_directory_was_swept_away_is_not_taken(make):
    pool = make(size=1)
    pool.fill()
    standing(pool)[0].scratch.rmdir()
    assert pool.take() is None


def test_those_that_stood_ready_while_a_task_littered_see_nothing_of_it(launcher, scratches):
    runner = WarmRunner(launcher, "w", CPU, scratches)
    results = [run(runner, "litter", nap=f"1001.{os.getpid()}") for _ in range(4)]
    runner.pool.close()
    if "private-tmp" not in results[0].data["provenance"]["layers"]:
        pytest.skip("the kernel allows no private temporary directories here")
    assert [result.data["found"] for result in results] == [[]] * 4
    assert len({result.data["state"] for result in results}) == 4


@pytest.mark.parametrize("slots", ["a file", "a link"])
def test_slots_that_cannot_be_used_cost_no_task_anything(make, launcher, tmp_path, slots, caplog):
    place = tmp_path / "slots"
    if slots == "a file":
        place.touch()
    else:
        place.mkdir()
        (tmp_path / "victim").touch()
        (place / "slot-0").symlink_to(tmp_path / "victim")
    pool = make(slots=place)
    pool.fill()
    assert pool.counts.idle == 0
    assert run(runner_with(pool, launcher), "nothing").status is Status.OK
    pool.fill()
    assert [record.message for record in caplog.records if "stands ready" in record.message] != []
    assert len(caplog.records) == 1


def test_a_launcher_that_refuses_gives_the_slot_back(make, launcher, monkeypatch, scratches):
    def refuse(spec):
        raise LaunchError("no")

    pool = make(size=1)
    with monkeypatch.context() as patch:
        patch.setattr(launcher, "spawn", refuse)
        pool.fill()
    assert list(scratches.iterdir()) == []
    pool.fill()
    assert pool.counts.idle == 1


def test_a_pool_that_is_closed_while_it_starts_a_process_leaves_none(make, launcher, monkeypatch):
    reached, go_on = threading.Event(), threading.Event()
    spawn = launcher.spawn

    def spawn_slowly(spec):
        reached.set()
        assert go_on.wait(20)
        return spawn(spec)

    monkeypatch.setattr(launcher, "spawn", spawn_slowly)
    pool = make(size=4)
    pool.refill()
    assert reached.wait(20)
    told, wake = threading.Event(), pool._wake
    monkeypatch.setattr(pool, "_wake", lambda: (wake(), told.set()))
    closing = threading.Thread(target=pool.close)
    closing.start()
    assert told.wait(20)
    go_on.set()
    closing.join()
    assert pool.counts.live == 0
    assert pool.counts.launched == 1


def test_a_pool_that_is_closed_has_none_and_gets_none(make):
    pool = make()
    pool.fill()
    pool.close()
    pool.close()
    pool.refill()
    assert pool.take() is None
    assert pool.counts.live == 0


def test_a_pool_of_none_has_no_thread_and_touches_no_file(launcher, slots):
    threads = threading.active_count()
    with WarmPool(launcher, 0, slots, 600) as pool:
        pool.refill()
        assert pool.take() is None
        assert threading.active_count() == threads
    assert not slots.exists()


def test_a_hundred_tasks_leave_no_descriptor_open(make, launcher):
    pool = make(size=2)
    runner = runner_with(pool, launcher)
    run(runner, "nothing")
    pool.fill()
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(100):
        assert run(runner, "nothing").status is Status.OK
    pool.fill()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_threads_that_share_a_pool_never_share_a_process(make, launcher):
    pool = make(size=3)
    runner, pids = runner_with(pool, launcher), []

    def work():
        for _ in range(15):
            pids.append(run(runner, "nothing").data["pid"])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(pids)) == 60


def test_a_runner_refuses_a_pool_whose_processes_see_other_directories(make, launcher, scratches, tmp_path):
    with pytest.raises(ValueError, match="keep"):
        OneShotRunner(launcher, "w", CPU, scratches, (tmp_path,), pool=make())


@contextmanager
def owner(slots, size, scratches):
    """Another process with a pool, and how to have it filled."""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    process = subprocess.Popen(
        [
            sys.executable,
            str(Path(__file__).with_name("warm_owner.py")),
            str(slots),
            str(size),
            str(scratches),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    with process:
        try:
            process.launcher = json.loads(process.stdout.readline())["launcher"]
            yield process
        finally:
            process.kill()


def ask(*processes):
    for process in processes:
        process.stdin.write("fill\n")
        process.stdin.flush()
    return [json.loads(process.stdout.readline())["pids"] for process in processes]


def test_processes_that_share_slots_park_no_more_than_there_are(slots, scratches):
    with owner(slots, 3, scratches) as one, owner(slots, 3, scratches) as other:
        first, second = ask(one, other)
        assert len(first) + len(second) == 3
        assert sum(map(len, ask(one, other))) == 3
        guard = os.pidfd_open(one.launcher), os.pidfd_open(other.launcher)
        one.stdin.close()
        await_end(guard[0])
        one.wait()
        assert sum(map(len, ask(other))) == 3
        other.stdin.close()
        await_end(guard[1])
    assert list(scratches.iterdir()) == []


def test_a_process_that_is_killed_leaves_no_slot_no_process_and_no_directory(slots, scratches):
    with owner(slots, 2, scratches) as one, owner(slots, 2, scratches) as other:
        (pids,) = ask(one)
        assert len(pids) == 2
        assert ask(other) == [[]]
        guard = os.pidfd_open(one.launcher)
        one.kill()
        await_end(guard)
        assert not any(Path("/proc", str(pid)).exists() for pid in pids)
        assert list(scratches.iterdir()) == []
        assert len(ask(other)[0]) == 2
        other.stdin.close()
        other.wait()
    assert list(scratches.iterdir()) == []
