"""``worker`` and ``evolve`` on a real cluster, as a person types them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import ray
from ray_fabric_bench import HERE, LONG_S, PLUGINS, Fabric, task, wait_for, wheel

from peagen_ray.cli.boundary import run
from peagen_ray.fabric.cluster import clocks, live_nodes
from peagen_ray.fabric.host import Hosted
from peagen_ray.queues.base import State
from peagen_ray.runtime.clusterwork import statuses
from peagen_ray.task import Status, Task

pytestmark = pytest.mark.timeout(180)

TARGET = """
def unique(xs: list[int]) -> list[int]:
    result = []
    for x in xs:
        if x not in result:
            result = result + [x]
    return result
"""


@pytest.fixture
def fabric(connected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fabric]:
    """A queue that nobody serves yet, in a workspace whose commands find it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(wheel(tmp_path / "wheel")))
    with Fabric(tmp_path) as fabric:
        environment = {
            "RAY_AUTH_MODE": "disabled",
            "PEAGEN__TASK_QUEUE__PREFIX": fabric.prefix,
            "PEAGEN__RESULT_BACKEND__ROOT": str(tmp_path / "results"),
            "WORKER_PLUGINS": ",".join(PLUGINS),
            "PYTHONPATH": f"{tmp_path / 'wheel'}:{HERE}:{os.environ.get('PYTHONPATH', '')}",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        yield fabric


@pytest.fixture
def at(connected: Any) -> list[str]:
    """The options that name the cluster."""
    return ["--provider", "ray", "--address", connected.address]


@pytest.fixture
def detached(fabric: Fabric, at: list[str]) -> Iterator[Callable[[str], None]]:
    """Starts detached dispatchers; those that are left are killed."""
    names: list[str] = []

    def start(name: str) -> None:
        names.append(name)
        assert run(["worker", "start", *at, "--detach", "--name", name]) == 0

    yield start
    for hosted in Hosted.every():
        if hosted.name in names:
            hosted.kill()


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts commands in processes of their own; none is left at the end."""
    with ExitStack() as stack:
        yield lambda *words: stack.enter_context(process(*words))


@contextmanager
def process(*words: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "peagen_ray", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def heard(running: subprocess.Popen[str], words: str) -> None:
    """Return when a process has said a line with those words."""
    assert running.stdout is not None
    said = ""
    while words not in said:
        line = running.stdout.readline()
        assert line, said
        said += line


def ended(running: subprocess.Popen[str]) -> tuple[int, str]:
    said, _ = running.communicate(timeout=LONG_S)
    return running.returncode, said


def names(address: str) -> set[str]:
    return {row["name"] for row in statuses(address)}


def running(fabric: Fabric, name: str) -> Any:
    """A call of a task of which that dispatcher knows that it runs."""
    call = fabric.call()

    def known() -> bool:
        (row,) = [row for row in statuses("auto") if row["name"] == name]
        return (row.get("in_flight"), row.get("waiting")) == (1, 0)

    wait_for(known)
    return call


def state(fabric: Fabric, one: Task) -> State:
    info = fabric.queue.inspect(one.id)
    assert info is not None
    return info.state


# ---- detached dispatchers ---------------------------------------------------------------------


def test_a_detached_dispatcher_serves_shows_its_status_and_is_stopped(
    fabric: Fabric, at: list[str], detached: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    address = at[-1]
    detached("stays")
    assert "worker stop stays" in capsys.readouterr().out
    assert fabric.do().status is Status.OK
    wait_for(lambda: counts(address, "stays").get("done") == 1)
    capsys.readouterr()
    assert run(["worker", "status", "--address", address, "--json"]) == 0
    (row,) = [
        row for row in json.loads(capsys.readouterr().out)["dispatchers"] if row["name"].endswith("stays")
    ]
    assert (row["counts"], row["in_flight"], row["error"]) == ({"done": 1}, 0, "")
    assert run(["worker", "start", *at, "--detach", "--name", "stays"]) == 2
    assert "there is a dispatcher of that name" in capsys.readouterr().err
    assert run(["worker", "stop", "stays", "--address", address]) == 0
    assert "1 done" in capsys.readouterr().out
    wait_for(lambda: "stays" not in names(address))
    assert run(["worker", "stop", "stays", "--address", address]) == 2
    assert "there is no such dispatcher" in capsys.readouterr().err


def counts(address: str, name: str) -> dict[str, int]:
    (row,) = [row for row in statuses(address) if row["name"].endswith(name)]
    found: dict[str, int] = row["counts"]
    return found


def test_stop_waits_for_what_runs_and_stop_now_ends_it_and_gives_it_back(
    fabric: Fabric, at: list[str], detached: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    address = at[-1]
    detached("patient")
    one = fabric.add(fabric.calling())
    call = running(fabric, "patient")
    with ThreadPoolExecutor() as pool:
        stopping = pool.submit(run, ["worker", "stop", "patient", "--address", address])
        wait_for(lambda: [row for row in statuses(address) if row.get("stopping")])
        assert not stopping.done()
        call.say()
        assert stopping.result(LONG_S) == 0
    assert fabric.result(one).status is Status.OK
    detached("hasty")
    two = fabric.add(fabric.calling())
    call = fabric.call()
    assert run(["worker", "stop", "hasty", "--now", "--address", address]) == 0
    call.hung_up()
    assert state(fabric, two) is State.WAITING
    assert "dispatcher hasty has ended: 0 done" in capsys.readouterr().out


# ---- dispatchers that a process watches -------------------------------------------------------


def test_a_dispatcher_leaves_when_it_was_idle_and_its_process_with_it(
    fabric: Fabric, at: list[str], start: Callable[..., subprocess.Popen[str]]
) -> None:
    one = fabric.add(task())
    code, said = ended(start("worker", "start", *at, "--exit-after-idle", "1s", "--name", "brief"))
    assert code == 0, said
    assert fabric.result(one).status is Status.OK
    assert "nothing ran for 1 s" in said
    assert "1 done" in said
    assert "brief" not in names(at[-1])


def test_a_process_whose_dispatcher_somebody_ends_leaves_too(
    fabric: Fabric, at: list[str], start: Callable[..., subprocess.Popen[str]]
) -> None:
    watching = start("worker", "start", *at, "--name", "watched")
    heard(watching, "serves the queue")
    (hosted,) = [each for each in Hosted.every() if each.name == "watched"]
    hosted.kill()
    code, said = ended(watching)
    assert code == 0, said
    assert "somebody has ended it" in said


def test_one_signal_lets_what_runs_finish_and_two_give_it_back(
    fabric: Fabric, at: list[str], start: Callable[..., subprocess.Popen[str]]
) -> None:
    patient = start("worker", "start", *at, "--name", "patient")
    one = fabric.add(fabric.calling())
    call = running(fabric, "patient")
    patient.send_signal(signal.SIGTERM)
    heard(patient, "finishing what runs")
    call.say()
    code, said = ended(patient)
    assert (code, "1 done" in said) == (0, True), said
    assert fabric.result(one).status is Status.OK
    hasty = start("worker", "start", *at, "--name", "hasty")
    two = fabric.add(fabric.calling())
    call = fabric.call()
    hasty.send_signal(signal.SIGINT)
    heard(hasty, "finishing what runs")
    hasty.send_signal(signal.SIGINT)
    code, said = ended(hasty)
    call.hung_up()
    assert code == 130, said
    assert state(fabric, two) is State.WAITING


# ---- what is wrong ----------------------------------------------------------------------------


def test_where_no_cluster_is_the_exit_code_is_3_and_the_message_helps(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    with socket.socket() as taken:  # bound, and not listening
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, said = ended(start("worker", "start", "--address", address))
    assert code == 3, said
    assert address in said
    assert "ray start --head" in said


def test_under_the_emergency_switch_there_is_nothing_to_serve(
    fabric: Fabric, at: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PEAGEN_QUEUE", "stub")
    before = names(at[-1])
    assert run(["worker", "start", *at, "--detach"]) == 2
    assert "PEAGEN_QUEUE" in capsys.readouterr().err
    assert names(at[-1]) == before


# ---- a run ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_generation_is_done_by_the_cluster_from_end_to_end(
    fabric: Fabric, at: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKER_PLUGINS")
    monkeypatch.setenv("PEAGEN__EVOLVE__GENERATION_SIZE", "2")
    (tmp_path / "slow.py").write_text(TARGET)
    words = ["evolve", "step", "--target-file", "slow.py", "--entry-fn", "unique", *at]
    done = subprocess.run(
        [sys.executable, "-m", "peagen_ray", *words], capture_output=True, text=True, timeout=170, check=False
    )
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["candidates"] == 2
    assert not [name for name in names(at[-1]) if name.startswith(socket.gethostname())]


# ---- what is seen of it -----------------------------------------------------------------------


def test_every_node_tells_the_time(connected: Any) -> None:
    nodes = live_nodes(ray)
    ahead = clocks(ray, nodes, LONG_S)
    assert set(ahead) == {node.name for node in nodes}
    assert all(by < 1 for by in ahead.values())  # it is this machine's own, read before it got here


def test_processes_that_stood_ready_and_were_not_taken_are_counted_as_idle(
    fabric: Fabric, at: list[str], detached: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEAGEN__WORKER__DEFAULTS__IDLE_TIMEOUT", "1s")
    monkeypatch.setenv("PEAGEN__METRICS__PORT", "0")
    detached("watched")
    (row,) = [row for row in statuses(at[-1]) if row["name"] == "watched"]
    (port,) = [text.rpartition(":")[2].partition("/")[0] for _, text in row["said"] if "metrics at" in text]

    def left() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as page:
            return 'worker_exit_reason_total{reason="idle"} 0.0' not in page.read().decode()

    assert not left()
    assert fabric.do().status is Status.OK
    wait_for(left)
