"""What a run's own worker offers, and what is said before anything runs where that is not enough."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from peagen_handlers.execute import ExecuteDockerHandler, ExecuteGPUHandler, ExecuteProcessHandler
from peagen_ray.config.model import Config
from peagen_ray.errors import SandboxError, SandboxUnavailable, UsageError
from peagen_ray.fabric.inline import Registered
from peagen_ray.runtime import offering as module
from peagen_ray.runtime.offering import offering
from peagen_ray.sandbox.engine import Engine

HANDLERS = (ExecuteProcessHandler, ExecuteDockerHandler, ExecuteGPUHandler)


@pytest.fixture(autouse=True)
def handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {each.__name__: Registered(each(), f"m:{each.__name__}") for each in HANDLERS}
    monkeypatch.setattr(
        module, "registered", lambda only: {k: v for k, v in known.items() if not only or k in only}
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Which engines were looked for; each is found but ``gone``."""
    found: list[str] = []

    def find(command: str = "") -> Engine:
        found.append(command)
        if command == "gone":
            raise SandboxError("no engine: gone is not installed", hint="apt-get install podman runc")
        return Engine(("podman",))

    monkeypatch.setattr(Engine, "find", find)
    return found


def config(backend: str, *, engine: str = "", **worker: Any) -> Config:
    tables = {"evolve": {"backend": backend}, "execute": {"container": {"engine": engine}}}
    return Config.model_validate({**tables, "worker": {"defaults": worker}})


@pytest.mark.parametrize("backend", ["cpu", "process", "bubblewrap"])
def test_processes_need_no_engine(backend: str, asked: list[str]) -> None:
    assert offering(config(backend)) == {"cpu"}
    assert asked == []


@pytest.mark.parametrize("backend", ["docker", "container"])
def test_whoever_asks_for_containers_on_a_machine_with_an_engine_has_them(
    backend: str, asked: list[str]
) -> None:
    assert offering(config(backend, engine="podman")) == {"cpu", "docker"}
    assert asked == ["podman"]


def test_a_worker_that_is_said_to_have_an_engine_is_believed(asked: list[str]) -> None:
    assert offering(config("docker", caps=["cpu", "docker", "gcc13"])) == {"cpu", "docker", "gcc13"}
    assert asked == []


def test_without_an_engine_it_is_said_what_to_install(asked: list[str]) -> None:
    with pytest.raises(UsageError, match="gone is not installed") as refused:
        offering(config("docker", engine="gone"))
    assert refused.value.exit_code == 2
    assert refused.value.subject == "backend docker"
    assert "apt-get install podman runc" in refused.value.hint
    assert "backend cpu" in refused.value.hint


@pytest.mark.parametrize(
    ("backend", "worker", "missing"),
    [
        ("gpu", {}, "cuda11/12, docker, gpu"),
        ("gpu", {"caps": ["docker", "gpu", "cuda10"]}, "cuda11/12"),
        ("moon", {}, "a handler for execute"),
        ("cpu", {"plugins": ["ExecuteDockerHandler"]}, "a handler for execute"),
    ],
)
def test_what_nothing_here_can_do_is_said_by_the_name_of_what_is_missing(
    backend: str, worker: dict[str, Any], missing: str, asked: list[str]
) -> None:
    with pytest.raises(UsageError) as refused:
        offering(config(backend, **worker))
    assert refused.value.what == f"nothing here offers {missing}"
    assert "WORKER_CAPS" in refused.value.hint


def test_a_worker_with_a_gpu_runs_what_asks_for_one(asked: list[str]) -> None:
    caps = {"docker", "gpu", "cuda12"}
    assert offering(config("gpu", caps=sorted(caps))) == caps


def test_elsewhere_than_on_linux_no_candidate_is_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxUnavailable, match="this is darwin") as refused:
        offering(Config())
    assert refused.value.exit_code == 2
    assert "`container`" in refused.value.hint
    assert "--unsafe" in refused.value.hint
