"""Every switch back and forth in the middle of a run's life: providers, selector, warm pool, versions of the envelope."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import read
from peagen_ray.evolution.program import Outcome
from peagen_ray.testing.servers import RedisServer, need

pytestmark = pytest.mark.slow

RUN = ("evolve", "run", "--target-file", "slow.py", "--entry-fn", "unique", "--json", "-v")
SIZE = 3
QUICK = {"PEAGEN__EVALUATE__WINNER_S": "0.5", "PEAGEN__EVOLVE__GENERATION_SIZE": str(SIZE)}


class Team:
    """A workspace, and processes in it; none is left at the end.

    Attributes:
        here: the workspace.
        environ: what every process is given.
    """

    def __init__(self, here: Path, wheel: Path) -> None:
        self.here = here
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PEAGEN", "WORKER"))
        }
        paths = os.pathsep.join([str(wheel), kept.get("PYTHONPATH", "")])
        self.environ = {**kept, "PYTHONPATH": paths, "COLUMNS": "200", **QUICK}
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, command: list[str], here: Path | None = None, **environ: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            cwd=here or self.here,
            env={**self.environ, **environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._processes.append(process)
        return process

    def close(self) -> None:
        for process in self._processes:
            process.kill()
            process.communicate()

    def runs(self) -> list[Path]:
        return sorted((self.here / ".peagen" / "runs").iterdir())

    def events(self) -> list[Event]:
        (run,) = self.runs()
        return list(read(run / "ledger.arrow"))


@pytest.fixture
def team(tmp_path: Path, own_wheel: Path, made_workspace: Callable[[Path], Any]) -> Iterator[Team]:
    made_workspace(tmp_path)
    team = Team(tmp_path, own_wheel)
    yield team
    team.close()


@pytest.fixture
def server() -> Iterator[RedisServer]:
    need("valkey")
    with RedisServer("valkey", tcp=True, keep=True) as running:
        yield running


def program(*words: str) -> list[str]:
    return [sys.executable, "-m", "peagen_ray", *words]


def until(process: subprocess.Popen[str], words: str, times: int = 1) -> None:
    """Returns once the process has said that so many times."""
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line)
        times -= words in line
        if times <= 0:
            return
    pytest.fail(f"{words!r} was not said: {''.join(said)}")


def ended(process: subprocess.Popen[str], code: int = 0) -> str:
    out, _ = process.communicate(timeout=240)
    assert process.returncode == code, (process.returncode, out)
    return out


def summary(out: str) -> dict[str, Any]:
    (line,) = [line for line in out.splitlines() if line.startswith('{"run"')]
    found: dict[str, Any] = json.loads(line)
    return found


@contextmanager
def worker(
    team: Team, server: RedisServer, here: Path, *words: str, **environ: str
) -> Iterator[subprocess.Popen[str]]:
    here.mkdir(exist_ok=True)
    process = team.start(program("worker", "start", "--provider", server.url, *words), here, **environ)
    until(process, " serves ")
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def told(events: list[Event]) -> Mapping[int, Event]:
    return {event.n: event for event in events if event.event is Kind.TELL}


def generations(told: Mapping[int, Event]) -> int:
    """More than what was told has made, as it counts the confirmations too."""
    return len(told) // SIZE


def killed_after(process: subprocess.Popen[str], candidates: int) -> None:
    """Kill -9 once so many candidates were shown."""
    assert process.stdout is not None
    for line in process.stdout:
        candidates -= line.startswith(("+ mutate", "  mutate"))
        if candidates <= 0:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)


def check_whole(events: list[Event]) -> None:
    """Every question was answered once; one that was asked again was asked in a later life."""
    asked: dict[int, list[int]] = {}
    for event in events:
        if event.event is Kind.ASK:
            asked.setdefault(event.n, []).append(event.epoch)
    tells = [event for event in events if event.event is Kind.TELL]
    assert len({event.n for event in tells}) == len(tells)
    assert all(epochs == sorted(set(epochs)) for epochs in asked.values())
    assert all(event.epoch == asked[event.n][-1] for event in tells)


def test_a_run_on_redis_goes_on_without_it_and_back(team: Team, server: RedisServer, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    with worker(team, server, elsewhere, "--concurrency", "2", "--warm-pool", "0") as working:
        running = team.start(
            program(*RUN, "--seed", "7", "--generations", "40", "--broker-timeout", "1"),
            PEAGEN_QUEUE=server.url,
        )
        until(running, "mutate", 6)
        server.kill()
        ended(running, 3)
        first = told(team.events())
        assert first

        # The emergency switch: whatever the file says, and with the server dead.
        (team.here / ".peagen.toml").write_text(f'[task_queue]\nprovider = "redis"\nurl = "{server.url}"\n')
        more = str(generations(first) + 1)
        inline = ended(team.start(program(*RUN, "--resume", "--generations", more), PEAGEN_QUEUE="stub"), 0)
        assert inline.count("PEAGEN_QUEUE: the queue is stub, although") == 1
        second = told(team.events())
        assert {n: second[n] for n in first} == first
        left = [
            event.n
            for event in team.events()
            if event.event is Kind.ASK and event.epoch == 1 and event.n < max(first)
        ]

        # And back: the server keeps what was enqueued; its late Results are dropped and counted.
        server.start()
        until(working, "again")
        again = summary(ended(team.start(program(*RUN, "--resume", "--generations", str(int(more) + 2))), 0))
    events = team.events()
    third = told(events)
    assert {n: third[n] for n in second} == second
    check_whole(events)
    assert [event.epoch for event in events if event.event is Kind.RESUME] == [1, 2]
    drops = [event for event in events if event.event is Kind.DROP]
    assert all(event.epoch == 0 for event in drops)
    assert again["late"] == len(drops)
    assert drops or not left


@pytest.mark.nightly  # the way back from the stub is the second switch of the test above
def test_a_run_of_the_stub_goes_on_on_redis(team: Team, server: RedisServer, tmp_path: Path) -> None:
    killed_after(team.start(program(*RUN, "--sync", "--seed", "7", "--generations", "40")), 5)
    first = told(team.events())
    with worker(team, server, tmp_path / "elsewhere", "--concurrency", "2"):
        words = program(*RUN, "--resume", "--generations", str(generations(first) + 2))
        ended(team.start(words, PEAGEN_QUEUE=server.url), 0)
    events = team.events()
    assert {n: told(events)[n] for n in first} == first
    check_whole(events)


def test_selector_of_old_and_no_warm_pool_take_over_in_the_middle_and_hand_back(team: Team) -> None:
    killed_after(team.start(program(*RUN, "--sync", "--seed", "7", "--generations", "40")), 5)
    size = generations(told(team.events()))
    for number, (name, pool) in enumerate((("legacy", "0"), ("epsilon", "2")), 2):
        (team.here / ".peagen.toml").write_text(f'[evolve]\nselector = "{name}"\n')
        words = program(*RUN, "--sync", "--resume", "--generations", str(size + number))
        said = ended(team.start(words, PEAGEN__WORKER__DEFAULTS__WARM_POOL=pool))
        assert f"parents are chosen by the selector {name}" in said
    events = team.events()
    check_whole(events)
    assert [event.detail.get("selector") for event in events if event.event is Kind.RESUME] == [
        "legacy",
        "epsilon",
    ]
    said = ended(team.start(program("evolve", "run", "--replay", "last")), 0)
    assert "byte-identical" in said


GPU_STAND_IN = """
from peagen_handlers.execute import ExecuteGPUHandler, ExecuteProcessHandler


class GpuStandIn(ExecuteGPUHandler):
    def sandbox(self, job):
        return ExecuteProcessHandler.sandbox(self, job.model_copy(update={"sandbox": "process"}))
"""


GPUS = ("--caps", "cpu,gpu,docker,cuda12", "--plugins")
MEASURES_ON_GPUS_ALONE = "GpuStandIn,GeneticMutatorHandler,EvaluateHandler,SpeedEvaluateHandler"


def stand_in(team: Team, wheel: Path) -> str:
    """A search path with a wheel whose handler does, in processes, what is to be done in containers with a GPU."""
    info = wheel / "gpu_stand_in-1.0.dist-info"
    info.mkdir(parents=True)
    (wheel / "gpu_stand_in.py").write_text(GPU_STAND_IN)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: gpu-stand-in\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[peagen.task_handlers]\nGpuStandIn = gpu_stand_in:GpuStandIn\n")
    return os.pathsep.join([str(wheel), team.environ["PYTHONPATH"]])


def test_cpus_take_over_from_gpus_in_the_middle_and_hand_back(
    team: Team, server: RedisServer, tmp_path: Path
) -> None:
    team.environ["PEAGEN_QUEUE"] = server.url
    gpus, path = (*GPUS, MEASURES_ON_GPUS_ALONE), stand_in(team, tmp_path / "wheel")
    with worker(team, server, tmp_path / "gpus", *gpus, PYTHONPATH=path):
        killed_after(team.start(program(*RUN, "--backend", "gpu", "--seed", "7", "--generations", "40")), 3)
    lives = [told(team.events())]
    for backend, words in (("cpu", ()), ("gpu", gpus)):
        with worker(team, server, tmp_path / backend, *words, PYTHONPATH=path):
            more = str(generations(lives[-1]) + 1)
            ended(team.start(program(*RUN, "--resume", "--backend", backend, "--generations", more)), 0)
        lives.append(told(team.events()))
    first, second, third = lives
    assert {n: second[n] for n in first} == first
    assert {n: third[n] for n in second} == second
    for new in (second.keys() - first.keys(), third.keys() - second.keys()):
        assert Outcome.OK in {third[n].outcome for n in new}
    check_whole(team.events())


def test_a_worker_refuses_a_newer_envelope_and_serves_an_older_producer(
    team: Team, server: RedisServer, tmp_path: Path
) -> None:
    render = {"render": 1, "units": "", "templates": {}}
    newer = {
        "kind": "render",
        "id": "ab" * 16,
        "schema_v": 2,
        "payload": render,
        "requires": ["cpu"],
        "more": {},
    }
    older = {
        "kind": "mutate",
        "payload": {"source": "def f(x):\n    return x + 0\n", "entry": "f", "seed": 1},
    }
    with server.client() as client, worker(team, server, tmp_path / "elsewhere"):
        for fields in (newer, older):
            client.xadd("peagen.tasks", {"data": json.dumps(fields)})
        found: list[dict[str, Any]] = []
        cursor = "0"
        while len(found) < 2:
            answered = client.xread({"peagen.results": cursor}, block=60_000)
            assert answered, found
            entries = answered[0][1]
            found += [json.loads(entry[b"data"]) for _, entry in entries]
            cursor = entries[-1][0]
        dead = client.xlen("peagen.dead")
    results = {result["status"]: result for result in found}
    assert results["error"]["task_id"] == "ab" * 16
    assert results["error"]["data"]["retryable"] is False
    assert "schema_v 2" in results["error"]["data"]["msg"]
    assert "speaks 1" in results["error"]["data"]["msg"]
    assert results["ok"]["data"]["provenance"]["handler"].endswith("GeneticMutatorHandler")
    assert dead == 1
