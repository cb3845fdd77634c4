"""Nothing is lost and nothing doubled while servers, workers and producers are killed at random moments."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from chaos_outcomes import CPU, check_outcome, collected, tasks_of

from peagen_ray.queues.redis import RedisQueue
from peagen_ray.task import Result, Task
from peagen_ray.testing.servers import RedisServer, need

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(280)]

HERE = Path(__file__).parent
SEEDS = int(os.environ.get("PEAGEN_CHAOS_SEEDS", "3"))
TASKS = 2_000
WORKERS = 2
OPTIONS: dict[str, Any] = {
    "max_retry": 6,
    "retry_delay": 0.05,
    "broker_timeout": 60.0,
    "results_kept": 100_000,
}


class Crew:
    """Workers and a producer, each started again whenever it is killed."""

    def __init__(self, url: str, folder: Path, tasks: list[Task]) -> None:
        self._url = url
        self._folder = folder
        self._lock = threading.Lock()
        self._stopping = False
        self.accepted = folder / "accepted"
        self.accepted.touch()
        self.log = folder / "log"
        (folder / "tasks").write_bytes(b"\n".join(task.to_wire() for task in tasks))
        self._workers = [self._worker() for _ in range(WORKERS)]
        self._producer = self._produce()

    def _start(self, script: str, *words: Path) -> subprocess.Popen[bytes]:
        command = [sys.executable, HERE / script, self._url, *words, json.dumps(OPTIONS)]
        with (self._folder / "errors").open("ab") as errors:
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=errors)

    def _worker(self) -> subprocess.Popen[bytes]:
        return self._start("chaos_worker.py", self.log)

    def _produce(self) -> subprocess.Popen[bytes]:
        return self._start("chaos_producer.py", self._folder / "tasks", self.accepted)

    def look_after(self) -> None:
        """Replace whoever is dead; a producer that is done stays away."""
        with self._lock:
            if self._stopping:
                return
            self._workers = [each if each.poll() is None else self._worker() for each in self._workers]
            if self._producer.poll() not in (None, 0):
                self._producer = self._produce()

    def kill_one(self, dice: random.Random) -> None:
        with self._lock:
            dice.choice(self._workers).kill()

    def kill_producer(self) -> None:
        with self._lock:
            self._producer.kill()

    def stop(self) -> None:
        with self._lock:
            self._stopping = True
            for each in self._workers:
                each.terminate()
            self._producer.kill()
            for each in (*self._workers, self._producer):
                try:
                    each.wait(20)
                except subprocess.TimeoutExpired:
                    each.kill()
                    each.wait()

    @property
    def errors(self) -> str:
        return (self._folder / "errors").read_text()[-3000:]


@contextmanager
def havoc(server: RedisServer, crew: Crew, dice: random.Random) -> Iterator[None]:
    """Kill somebody at random moments, and start again who died."""
    over = threading.Event()

    def rage() -> None:
        while not over.wait(dice.uniform(0.05, 0.6)):
            crew.look_after()
            match dice.choices(["worker", "server", "producer", "nobody"], [4, 1, 2, 6])[0]:
                case "worker":
                    crew.kill_one(dice)
                case "producer":
                    crew.kill_producer()
                case "server":
                    server.kill()
                    over.wait(dice.uniform(0.0, 0.4))
                    server.start()

    thread = threading.Thread(target=rage)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_accepted_task_has_one_result_and_none_begins_after_its_end(seed: int, tmp_path: Path) -> None:
    need("valkey")
    dice = random.Random(seed)
    tasks = tasks_of(seed, TASKS)
    with RedisServer("valkey", keep=True) as server:
        crew = Crew(server.url, tmp_path, tasks)
        calm = threading.Event()
        try:
            with RedisQueue.from_url(server.url, **OPTIONS) as queue:
                with havoc(server, crew, dice):
                    results = collected(queue, int(0.9 * TASKS), crew.look_after, calm)
                results = collected(queue, TASKS, crew.look_after, calm)
                crew.stop()
                check(queue, server, crew, tasks, results)
        except BaseException:
            print(crew.errors, server.log[-2000:])  # noqa: T201 - pytest shows it with a failure
            raise
        finally:
            crew.stop()


def check(
    queue: RedisQueue, server: RedisServer, crew: Crew, tasks: list[Task], results: list[Result]
) -> None:
    check_outcome(queue, crew.accepted, tasks, results, OPTIONS["max_retry"])
    none_begins_after_its_end(server, crew)
    nothing_is_left(queue, server)


def none_begins_after_its_end(server: RedisServer, crew: Crew) -> None:
    """A claim's token tells when its entry came into the lane, a Result's when it was published."""
    with server.client() as client:
        entries = client.xrange("peagen.results")
    ended = {json.loads(fields[b"data"])["task_id"]: entry.decode() for entry, fields in entries}
    done: Counter[str] = Counter()
    for line in crew.log.read_text().splitlines():
        event, task_id, token, _ = line.split()
        assert int(token.split("-")[0]) <= int(ended[task_id].split("-")[0]), line
        done[task_id] += event == "done"
    assert max(done.values()) == 1


def nothing_is_left(queue: RedisQueue, server: RedisServer) -> None:
    for _ in range(100):
        assert queue.claim(CPU, "last", 10, 0.1, lease=0.1) == []
        if not names(server) - {b"last"}:
            break
    assert names(server) <= {b"last"}
    assert (queue.pending_count(), queue.claimed_count()) == (0, 0)


def names(server: RedisServer) -> set[Any]:
    """The consumers of every lane."""
    with server.client() as client:
        lanes = list(client.scan_iter("peagen.tasks.*"))
        return {consumer["name"] for lane in lanes for consumer in client.xinfo_consumers(lane, "peagen")}
