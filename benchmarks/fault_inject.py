"""PT-6: seconds from a ``kill -9`` to the task's completion elsewhere, at default settings; prints one JSON line.

Two consumers (``peagen-ray worker start``) serve one queue. Each time a task runs, either its own process is killed
(``worker``) or everything of the consumer that has it (``consumer``), at a random moment between two renewals of the
lease; the other one is there all the time. The bar is less than 60 s for the slowest.

With ``--provider ray``, or ``--fabric ray`` beside Redis, a dispatcher on a Ray cluster of two nodes serves the queue.
Then the Ray worker that has the task is killed (``worker``, the bar is 10 s), or the actor of the dispatcher
(``dispatcher``), which Ray restarts.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen
from typing import Final, Protocol

from _fabric import cluster, configured, connected, install_work, work
from _processes import end, say, start

from peagen_ray.queues.base import TaskQueue
from peagen_ray.queues.model import LEASE_S, RENEW_S
from peagen_ray.queues.redis import RedisQueue
from peagen_ray.runtime.dispatching import host, leave
from peagen_ray.runtime.local import open_queue
from peagen_ray.runtime.serving import CACHE
from peagen_ray.task import Result, Status
from peagen_ray.testing.servers import RedisServer

BAR_S: Final = 60.0
BARS: Final = {"worker": 10.0}
"""Those that are not BAR_S, with the fabric on Ray."""

START_S: Final = 120.0
LONGEST_S: Final = 300.0
RAY_WORKER: Final = b"ray::"
"""What the command of a Ray worker begins with."""


class Crew(Protocol):
    """Those who serve a queue.

    Attributes:
        queue: the queue.
        root: a folder of theirs.
        cache: where under it their caches are; a pattern.
        sorts: what may be killed.
        bars: seconds that each may take to recover.
    """

    queue: TaskQueue
    root: Path
    cache: str
    sorts: tuple[str, ...]
    bars: dict[str, float]

    def fill(self) -> None:
        """Start whoever is missing."""

    def kill(self, sort: str, task_id: str, pid: int) -> None:
        """Kill one of what has the task, whose handler runs in that process."""


class Consumers:
    """Two consumers by name, in one workspace; those that were killed are started again."""

    sorts = ("worker", "consumer")

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.root, self.cache = folder, str(CACHE)
        self.bars = dict.fromkeys(self.sorts, BAR_S)
        self._url = stack.enter_context(RedisServer("valkey", keep=True)).url
        self.queue: TaskQueue = stack.enter_context(RedisQueue.from_url(self._url))
        self._processes: dict[str, Popen[str]] = {}
        install_work()
        stack.callback(self._close)

    def fill(self) -> None:
        """Start whoever is missing."""
        for name in ("one", "two"):
            if name not in self._processes:
                command = [sys.executable, "-m", "peagen_ray", "worker", "start", "--provider", self._url]
                command += ["--name", name, "--plugins", "Linger"]
                self._processes[name] = start(command, folder=str(self.root))

    def kill(self, sort: str, task_id: str, pid: int) -> None:
        """End the handler's process, or all of its consumer, with SIGKILL."""
        found = self.queue.inspect(task_id)
        assert found
        if sort == "worker":
            os.kill(pid, signal.SIGKILL)
        else:
            end(self._processes.pop(found.owner))

    def _close(self) -> None:
        while self._processes:
            end(self._processes.popitem()[1])


class OnRay:
    """A dispatcher on a cluster of two nodes, which serves a queue that is there too, or in Redis."""

    sorts = ("worker", "dispatcher")

    def __init__(self, stack: ExitStack, folder: Path, provider: str) -> None:
        self.bars = {sort: BARS.get(sort, BAR_S) for sort in self.sorts}
        url = stack.enter_context(RedisServer("valkey", keep=True)).url if provider == "redis" else ""
        stack.enter_context(connected(stack.enter_context(cluster(1, 1)).address))
        self.root, self.cache = Path(os.environ["RAY_TMPDIR"]), "ray/session_latest/peagen/*/cache"
        config = configured(folder, url=url)
        self._dispatcher = host(config, "fault-inject")
        stack.callback(leave, self._dispatcher)
        self.queue: TaskQueue = stack.enter_context(open_queue(config))

    def fill(self) -> None:
        """Nobody is missing: Ray starts what was killed."""

    def kill(self, sort: str, task_id: str, pid: int) -> None:  # noqa: ARG002 - of the one task that there is
        """End a process of Ray's with SIGKILL: the one that started the handler's, or the dispatcher's."""
        if sort == "worker":
            os.kill(next(each for each in ancestors(pid) if command_of(each).startswith(RAY_WORKER)), 9)
        else:
            os.kill(self._dispatcher.status()["pid"], signal.SIGKILL)


def ancestors(pid: int) -> Iterator[int]:
    """Who started a process, who started that one, and so on."""
    while pid > 1:
        stat = Path(f"/proc/{pid}/stat").read_text()
        pid = int(stat.rpartition(")")[2].split()[1])
        yield pid


def command_of(pid: int) -> bytes:
    """The command of a process."""
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def recovery_s(crew: Crew, sort: str, moment: float) -> float:
    """Seconds from the kill to the Result of the task's second run."""
    crew.fill()
    task = work("Linger", told=f"told-{time.monotonic_ns()}")
    crew.queue.enqueue(task)
    told = await_file(crew, task.payload["told"])
    time.sleep(moment)
    began = time.monotonic()
    crew.kill(sort, task.id, int(told.read_text()))
    result = crew.queue.wait_for_result(task.id, LONGEST_S)
    taken = time.monotonic() - began
    check(result)
    say(f"{sort} killed: {taken:.1f} s")
    return taken


def await_file(crew: Crew, name: str) -> Path:
    """The file of that name in a cache of theirs, once it is there."""
    end_at = time.monotonic() + START_S
    while time.monotonic() < end_at:
        for found in crew.root.glob(f"{crew.cache}/{name}"):
            return found
        time.sleep(0.05)
    raise SystemExit("the task did not start")


def check(result: Result | None) -> None:
    """End this process unless a second run completed the task."""
    if result is None or result.status is not Status.OK or result.attempts != 2:
        raise SystemExit(f"the task was not completed by another run: {result}")


def main() -> int:
    """Kill some of each sort; 1 if a task took longer than its bar to come back."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="kills of each sort (default 3)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--provider", choices=["redis", "ray"], default="redis", help="where the queue is")
    parser.add_argument(
        "--fabric", choices=["inline", "ray"], help="who serves it (ray with the provider ray)"
    )
    options = parser.parse_args()
    on_ray = "ray" in (options.provider, options.fabric)
    if on_ray and options.fabric == "inline":
        parser.error("workers without a cluster serve Redis only")
    dice = random.Random(options.seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        crew: Crew = OnRay(stack, folder, options.provider) if on_ray else Consumers(stack, folder)
        taken: dict[str, list[float]] = {sort: [] for sort in crew.sorts}
        for _ in range(options.rounds):
            for sort, times in taken.items():
                times.append(recovery_s(crew, sort, dice.uniform(0.0, RENEW_S)))
    worst = {sort: max(times) for sort, times in taken.items()}
    missed = [sort for sort, value in worst.items() if value >= crew.bars[sort]]
    printed = {
        "benchmark": "PT-6",
        "provider": options.provider,
        "fabric": "ray" if on_ray else "inline",
        "lease_s": LEASE_S,
        "recovery_s": {
            **{sort: round(statistics.median(times), 2) for sort, times in taken.items()},
            "worst": round(max(worst.values()), 2),
        },
        "rounds": options.rounds,
        "bars_s": crew.bars,
        "missed": missed,
        "ok": not missed,
    }
    print(json.dumps(printed))
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
