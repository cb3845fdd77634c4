"""One scripted run, watched by a real Prometheus: every metric moves, every query finds something, an alert fires."""

import os
import re
import subprocess
import sys
import threading
from contextlib import ExitStack

import pytest
from prometheus import BOARDS, Prometheus, expressions, names_in, need_prometheus

from peagen_ray.cli import options
from peagen_ray.metrics import CATALOGUE, Type
from peagen_ray.queues.redis import RedisQueue
from peagen_ray.task import Task, TaskKind
from peagen_ray.testing.llm_server import LLMServer
from peagen_ray.testing.servers import RedisServer, need

SLOW = """
def unique(xs: list[int]) -> list[int]:
    result = []
    for x in xs:
        if x not in result:
            result = result + [x]
    return result
"""
ANSWER = (
    "```python\ndef unique(xs: list[int]) -> list[int]:\n    k = {n}\n    return list(dict.fromkeys(xs))\n```"
)

CONFIG = """
[worker.defaults]
idle_timeout = "2s"

[result_backend]
root = "a-file/results"

[mutate]
mutator = "patch"
max_tokens = 100

[evolve]
generation_size = 3

[evolve.stop]
max_generations = {generations}
no_improve = {generations}

[llm]
retries = 0
repair_rounds = 0

[[llm.backends]]
name = "local"
model = "m"
base_url = "{url}"
price_in = 1.0
price_out = 2.0
"""

SHOWS = hasattr(options, "MetricsPort")
"""Whether a run shows its own numbers."""

FROM_THE_RUN = {"evo_best_speed_ms", "llm_tokens_total", "llm_latency_seconds", "evo_cost_usd_total"}


class Program:
    """One of our commands, and the port on which it said that it shows its metrics."""

    def __init__(self, folder, *words):
        environment = {**os.environ, "COLUMNS": "200", "PEAGEN__EVALUATE__WINNER_S": "0.5"}
        environment["PEAGEN__METRICS__PORT"] = "0"
        self.process = subprocess.Popen(
            [sys.executable, "-m", "peagen_ray", *words],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = []
        self.port = None
        assert self.process.stdout
        for line in self.process.stdout:
            self.said.append(line)
            if found := re.search(r"metrics at http://\S+:(\d+)/metrics", line):
                self.port = int(found[1])
                break
        self._reader = threading.Thread(target=lambda: self.said.extend(self.process.stdout), daemon=True)
        self._reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)
        self._reader.join(10)
        self.process.stdout.close()


def execute(*tags, **payload):
    return Task(kind=TaskKind.EXECUTE, payload=payload, requires=frozenset(tags))


def trouble():
    """Tasks that die, take too long, need a GPU, and cannot be served."""
    return [
        execute("cpu", mode="no such mode"),
        execute("cpu", mode="prepare", timeout=0.001),
        execute("gpu", mode="no such mode", sandbox="gpu"),
        execute("tpu"),
    ]


@pytest.mark.slow
def test_every_metric_moves_every_query_finds_something_and_an_alert_fires(tmp_path):
    need("valkey")
    need_prometheus()
    (tmp_path / "slow.py").write_text(SLOW)
    (tmp_path / "a-file").write_text("in the way of the records\n")
    with ExitStack() as stack:
        server = stack.enter_context(RedisServer("valkey"))
        model = stack.enter_context(LLMServer(lambda request: ANSWER.format(n=request.number)))
        (tmp_path / ".peagen.toml").write_text(CONFIG.format(url=model.url, generations=1000 if SHOWS else 1))
        queue = stack.enter_context(RedisQueue.from_url(server.url))
        words = ["worker", "start", "--provider", server.url, "--warm-pool", "2"]
        words += ["--caps", "cpu,llm,docker,gpu,cuda12,internet", "--concurrency", "2"]
        worker = stack.enter_context(Program(tmp_path, *words))
        queue.enqueue_all(trouble())
        words = [
            "evolve",
            "run",
            "--provider",
            server.url,
            "--target-file",
            "slow.py",
            "--entry-fn",
            "unique",
        ]
        run = stack.enter_context(Program(tmp_path, *words))
        folder = tmp_path / "prometheus"
        folder.mkdir()
        assert worker.port, "".join(worker.said)
        assert run.port or not SHOWS, "".join(run.said)
        targets = [f"127.0.0.1:{each.port}" for each in (worker, run) if each.port]
        watched = stack.enter_context(Prometheus(folder, targets))

        known = {each.name for each in CATALOGUE} - (set() if SHOWS else FROM_THE_RUN)
        left = Left(watched, movements(known) + dashboards(known))
        watched.until(lambda: queue.enqueue(execute("cpu", mode="no such mode")) or left.look(), left)
        watched.until(lambda: "PeagenRecordsLost" in watched.firing(), "alert that records are lost")
        run.process.terminate()  # it is in no hurry, so that it can be watched for as long as that takes
        assert run.process.wait(120) == 0, "".join(run.said)
        assert model.tokens_in > 0


class Left:
    """Queries to which there was no answer yet: what a run shows is gone when it has ended."""

    def __init__(self, watched, queries):
        self._watched = watched
        self._queries = set(queries)

    def look(self):
        """Whether each had an answer by now."""
        self._queries = {each for each in self._queries if not self._watched.query(each)}
        return not self._queries

    def __str__(self):
        return f"answer to {sorted(self._queries)}"


def movements(known):
    """What asks of each metric whether it was ever more than nothing."""
    samples = [
        f"{each.name}_count" if each.type is Type.HISTOGRAM else each.name
        for each in CATALOGUE
        if each.name in known
    ]
    return [f"max_over_time({sample}[5m]) > 0" for sample in samples]


def dashboards(known):
    """What the dashboards ask, of those metrics."""
    asked = [each for board in BOARDS for each in expressions(board) if names_in(each) <= known]
    return [each.replace("$__rate_interval", "1m").replace("$__range", "5m") for each in asked]
