"""CPU of our machinery per candidate: queue, engine, processes, ledger; prints one JSON line.

Candidates go the whole way (a mutate, an execute and an evaluate task, a process of its own for the execute task, and
a guest) but do nothing themselves. CPU is that of this process and of everything that it started. The bar is 20 ms a
candidate, in the first hundred as in the last.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import resource
import tempfile
import time
from pathlib import Path

import _stand_ins

from peagen_handlers.evaluate import SpeedEvaluateHandler
from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.ledger import Ledger
from peagen_ray.evolution.program import Program
from peagen_ray.evolution.selectors.epsilon import EpsilonSelector
from peagen_ray.evolution.settings import EngineSettings
from peagen_ray.evolution.stopping import StopRules
from peagen_ray.fabric.inline import InlineWorker, Registered
from peagen_ray.fabric.oneshot import OneShotRunner
from peagen_ray.launcher import linux
from peagen_ray.launcher.client import Launcher
from peagen_ray.queues.stub import StubQueue
from peagen_ray.runtime.driver import Driver
from peagen_ray.runtime.progress import Silent
from peagen_ray.runtime.serving import PRELOADED
from peagen_ray.runtime.tasks import TaskMaker
from peagen_ray.runtime.watch import Watch
from peagen_ray.sandbox.base import GuestLimits
from peagen_ray.sandbox.reference import Subject
from peagen_ray.task import Task
from peagen_ray.workload.target import Call

SOURCE = Path(__file__).with_name("artifacts").joinpath("bad_sort.py").read_text()
MODULES = ("_stand_ins", "peagen_handlers.evaluate")
CPU = frozenset({"cpu"})


class _Maker(TaskMaker):
    def screen(self, key, source, *, rival):
        task = super().screen(key, source, rival=rival)
        payload = {**task.payload, "call": pickle.dumps(Call(([],))).hex()}
        return Task(kind=task.kind, id=task.id, payload=payload)


class _Meter(Silent):
    """Notes the CPU used so far at every hundredth candidate."""

    def __init__(self, server: int) -> None:
        self.server = server
        self.told = 0
        self.marks = [self.cpu()]

    def cpu(self) -> float:
        """Seconds of this process, and of the fork server with everything that it has buried."""
        own = resource.getrusage(resource.RUSAGE_SELF)
        fields = Path(f"/proc/{self.server}/stat").read_text().rpartition(")")[2].split()
        ticks = sum(map(int, fields[11:15]))
        return own.ru_utime + own.ru_stime + ticks / os.sysconf("SC_CLK_TCK")

    def candidate(self, _told) -> None:
        self.told += 1
        if self.told % 100 == 0:
            self.marks.append(self.cpu())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--candidates", type=int, default=600)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as root,
        StubQueue() as queue,
        Launcher.start([*PRELOADED, *MODULES]) as launcher,
    ):
        handlers = {
            "Mutate": Registered(_stand_ins.Mutate(), "_stand_ins:Mutate"),
            "Execute": Registered(_stand_ins.Execute(), "_stand_ins:Execute"),
            "Evaluate": Registered(SpeedEvaluateHandler(), "peagen_handlers.evaluate:SpeedEvaluateHandler"),
        }
        runner = OneShotRunner(launcher, "bench", CPU, keep=(Path(__file__).parent,))
        engine = Engine(
            EngineSettings(seed=1, generation_size=10, confirm_margin=1e9),
            EpsilonSelector(),
            StopRules(max_candidates=options.candidates),
        )
        engine.seed(Program(0, SOURCE, fitness=0.0, speed_ms=200.0, peak_kb=1.0, confirmed=True), 0.0)
        tasks = _Maker(
            "bench",
            Subject(SOURCE, "bad_sort"),
            Path("none"),
            GuestLimits(),
            "cpu",
            "pure",
            {},
            "genetic",
            0.7,
            "",
        )
        (server,) = linux.children(launcher.pid)
        meter = _Meter(server)
        start = time.monotonic()
        with (
            Ledger.create(Path(root) / "ledger.arrow", {}) as ledger,
            InlineWorker(queue, handlers, runner, CPU, 2),
        ):
            watch = Watch(meter, 200.0)
            Driver(engine, ledger, queue, tasks, watch, lambda: time.monotonic() - start, 4).run()
        wall = time.monotonic() - start
    spans = [(b - a) * 10 for a, b in zip(meter.marks, meter.marks[1:], strict=False)]
    line = {
        "benchmark": "overhead",
        "candidates": options.candidates,
        "cpu_ms": round(sum(spans) / len(spans), 2),
        "cpu_ms_first_100": round(spans[0], 2),
        "cpu_ms_last_100": round(spans[-1], 2),
        "bar_ms": 20,
        "candidates_per_s": round(options.candidates / wall, 1),
    }
    print(json.dumps(line))


if __name__ == "__main__":
    main()
