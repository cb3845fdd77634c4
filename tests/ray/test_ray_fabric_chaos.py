"""Nothing is lost and nothing doubled while all that a fabric on Ray is made of is killed at random moments.

In CI one seed of a few hundred tasks; more seeds, of 2 000 tasks each, with ``PEAGEN_CHAOS_SEEDS``.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "chaos"))

from chaos_outcomes import check_outcome, collected, tasks_of
from ray_bench import kill_actor
from ray_fabric_bench import HERE, SMALL, Fabric, kill, status_of, wheel

from peagen_ray.fabric.host import Hosted
from peagen_ray.launcher.linux import descendants
from peagen_ray.queues.base import TaskQueue
from peagen_ray.task import Task

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(280)]

CHAOS = HERE.parent / "chaos"
SEEDS = int(os.environ.get("PEAGEN_CHAOS_SEEDS", "1"))
MANY = "PEAGEN_CHAOS_SEEDS" in os.environ
TASKS = 2_000 if MANY else 200
MAX_RETRY = 6
WORKERS = (b"ray::ChaosDoer", b"ray::IDLE")
VICTIMS = {"worker": 4, "dispatcher": 1, "queue": 1, "producer": 1, "node": 1}
KILLS = 1_000 if MANY else 10
PRODUCERS_KILLED = 1 + MANY
NODES_REMOVED = 1 + MANY


class Crew:
    """Dispatchers and a producer on a cluster, and a node that comes and goes."""

    def __init__(self, fabric: Fabric, cluster: Any, folder: Path, tasks: list[Task]) -> None:
        self._fabric = fabric
        self._cluster = cluster
        self._folder = folder
        self.accepted = folder / "accepted"
        self.accepted.touch()
        self.log = Path(fabric.config.result_backend.root) / "log"
        (folder / "tasks").write_bytes(b"\n".join(task.to_wire() for task in tasks))
        self._dispatchers: list[Hosted] = [fabric.serve(), fabric.serve()]
        self._node = cluster.add_node(num_cpus=1, **SMALL)
        self._gone = threading.Event()
        self._lives = PRODUCERS_KILLED
        self._removals = NODES_REMOVED
        self.happened: Counter[str] = Counter()
        self._producer = self._produce()

    def _produce(self) -> subprocess.Popen[bytes]:
        options = {"prefix": self._fabric.prefix, "root": self._root, "max_retry": MAX_RETRY}
        words = [self._cluster.address, self._folder / "tasks", self.accepted, json.dumps(options), "watched"]
        path = f"{wheel(self._folder / 'wheel')}:{HERE}:{os.environ.get('PYTHONPATH', '')}"
        with (self._folder / "errors").open("ab") as errors:
            return subprocess.Popen(
                [sys.executable, CHAOS / "chaos_producer.py", *words],
                stdin=subprocess.DEVNULL,
                stderr=errors,
                env={**os.environ, "PYTHONPATH": path},
            )

    @property
    def _root(self) -> str:
        return f"{self._fabric.config.result_backend.root}/.queue"

    def look_after(self) -> None:
        """Start a producer that was killed again, and a node in place of one that is gone; in the main thread."""
        if self._producer.poll() not in (None, 0):
            self._producer = self._produce()
        if self._gone.is_set():
            self._node = self._cluster.add_node(num_cpus=1, **SMALL)
            self._gone.clear()

    # ---- who is killed ------------------------------------------------------------------------

    def worker(self, dice: random.Random) -> None:
        pids = [pid for pid in self._below_nodes() if _command(pid).startswith(WORKERS)]
        if pids:
            with suppress(ProcessLookupError):
                kill(dice.choice(pids))

    def _below_nodes(self) -> list[int]:
        """The processes of the nodes that run tasks; the head's are the actors'."""
        with suppress(KeyError, RuntimeError):  # a node that is about to come
            nodes = list(self._cluster.worker_nodes)
            return [pid for node in nodes for pid in descendants(node.all_processes["raylet"][0].process.pid)]
        return []

    def dispatcher(self, dice: random.Random) -> None:
        status = status_of(dice.choice(self._dispatchers))
        if status:
            with suppress(ProcessLookupError):
                kill(status["pid"])

    def queue(self, _: random.Random) -> None:
        kill_actor(self._fabric.prefix, restart=True)

    def producer(self, _: random.Random) -> None:
        if self._lives and self.accepted.read_text():
            self._lives -= 1
            self._producer.kill()

    def node(self, _: random.Random) -> None:
        if self._removals and not self._gone.is_set():
            self._removals -= 1
            self._cluster.remove_node(self._node, allow_graceful=False)
            self._gone.set()

    def stop(self) -> None:
        self._producer.kill()
        self._producer.wait()
        if self._node in self._cluster.worker_nodes:
            self._cluster.remove_node(self._node)

    @property
    def errors(self) -> str:
        return (self._folder / "errors").read_text()[-3000:]


@contextmanager
def havoc(crew: Crew, dice: random.Random) -> Iterator[None]:
    """Kill everybody once, and then somebody, at random moments."""
    over = threading.Event()

    def rage() -> None:
        first = dice.sample(list(VICTIMS), len(VICTIMS))
        while crew.happened.total() < KILLS and not over.wait(dice.uniform(0.1, 1.0 if first else 3.0)):
            victim = first.pop() if first else dice.choices(list(VICTIMS), list(VICTIMS.values()))[0]
            getattr(crew, victim)(dice)
            crew.happened[victim] += 1

    thread = threading.Thread(target=rage)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_accepted_task_has_one_result_whoever_is_killed(
    seed: int, connected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(wheel(tmp_path / "wheel")))
    dice, tasks, calm = random.Random(seed), tasks_of(seed, TASKS), threading.Event()
    queue = {"max_retry": MAX_RETRY, "results_kept": 100_000, "broker_timeout": 60.0}
    with Fabric(
        tmp_path, "watched", task_queue=queue, worker=ONLY_CHAOS, fabric={"max_parallel": 32}
    ) as fabric:
        crew = Crew(fabric, connected, tmp_path, tasks)
        try:
            with havoc(crew, dice):
                collected(fabric.queue, int(0.9 * TASKS), crew.look_after, calm)
            results = collected(fabric.queue, TASKS, crew.look_after, calm)
            check_outcome(fabric.queue, crew.accepted, tasks, results, MAX_RETRY)
            none_is_claimed_after_its_end(fabric.queue, crew.log, tasks)
            assert crew.happened.keys() == set(VICTIMS)
            assert (fabric.queue.pending_count(), fabric.queue.claimed_count()) == (0, 0)
        except BaseException:
            print(crew.errors, crew.happened)  # noqa: T201 - pytest shows it with a failure
            raise
        finally:
            crew.stop()


ONLY_CHAOS = {"defaults": {"plugins": ["ChaosDoer"]}}


def none_is_claimed_after_its_end(queue: TaskQueue, log: Path, tasks: list[Task]) -> None:
    """By the queue's own clock; no task was completed twice."""
    ended = {}
    for task in tasks:
        info = queue.inspect(task.id)
        assert info is not None
        ended[task.id] = info.since
    done: Counter[str] = Counter()
    for line in log.read_text().splitlines():
        event, task_id, when = line.split()
        assert float(when) <= ended[task_id] + 1e-6, line
        done[task_id] += event == "done"
    assert max(done.values()) == 1


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
