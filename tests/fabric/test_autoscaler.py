"""The node types of a running autoscaler: where its configuration is found, and what is made of one that is broken."""

from __future__ import annotations

import http.server
import json
import logging
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trustme
import yaml

from peagen_ray.config import pod
from peagen_ray.errors import ConfigError
from peagen_ray.fabric import autoscaler
from peagen_ray.fabric.autoscaler import FRESH_S, Known, configured, declared
from peagen_ray.fabric.capabilities import PLENTY, NodeType

LONG = 30.0
CPU, GPU = NodeType("cpu", {"CPU": 4.0}), NodeType("gpu", {"GPU": 1.0})
HEAD = "node:__internal_head__"
OURS = Path(__file__).parents[2] / "deploy/kuberay/raycluster.yaml"


# ---- what is known, and for how long -------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Asked:
    """Answers with what it is given next, when it is told to."""

    def __init__(self, *answers: Any, open_: bool = True) -> None:
        self.answers = list(answers)
        self.gate = threading.Event()
        self.begun = threading.Semaphore(0)
        if open_:
            self.gate.set()

    def __call__(self) -> tuple[NodeType, ...]:
        self.begun.release()
        assert self.gate.wait(LONG)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def settled() -> None:
    """Wait until nobody asks."""
    for thread in threading.enumerate():
        if thread.name == "node types":
            thread.join(LONG)


def test_the_first_answer_is_waited_for_and_good_for_a_while():
    known, ask = Known(clock := Clock()), Asked((CPU,), (GPU,))
    assert known.value(ask) == (CPU,)
    clock.now += FRESH_S - 0.1
    assert known.value(ask) == (CPU,)
    assert ask.answers == [(GPU,)]


def test_a_later_answer_is_not_waited_for_and_asked_for_once_at_a_time():
    known = Known(clock := Clock())
    assert known.value(Asked((CPU,))) == (CPU,)
    clock.now += FRESH_S
    slow = Asked((GPU,), open_=False)
    assert known.value(slow) == (CPU,)
    assert slow.begun.acquire(timeout=LONG)
    assert known.value(slow) == (CPU,)
    slow.gate.set()
    settled()
    assert known.value(slow) == (GPU,)
    assert not slow.begun.acquire(blocking=False)


def test_a_failure_keeps_what_was_known_and_is_told_once(caplog):
    known = Known(clock := Clock())
    assert known.value(Asked((CPU,))) == (CPU,)
    for why in ("is away", "is away", "is forbidden"):
        clock.now += FRESH_S
        assert known.value(Asked(OSError(f"Kubernetes {why}"))) == (CPU,)
        settled()
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2
    assert "is away" in warnings[0]
    assert "is forbidden" in warnings[1]


def test_an_answer_that_never_comes_costs_its_patience_only_once(monkeypatch):
    monkeypatch.setattr(autoscaler, "FIRST_S", 0.01)
    known = Known(clock := Clock())
    never = Asked((CPU,), open_=False)
    assert known.value(never) == ()
    clock.now += 1
    monkeypatch.setattr(autoscaler, "FIRST_S", 1e9)
    assert known.value(never) == ()
    never.gate.set()
    settled()
    assert known.value(never) == (CPU,)


def test_a_cluster_whose_head_is_gone_has_no_node_types():
    dead = {"Alive": False, "Resources": {HEAD: 1.0}}
    worker = {"Alive": True, "Resources": {"CPU": 1.0}}
    assert declared(None, [dead, worker]) == ()


# ---- the autoscaler's own process ----------------------------------------------------------------


@contextmanager
def monitor(folder: Path, *options: str) -> Iterator[None]:
    """A process whose command is that of Ray's autoscaler."""
    script = folder / "monitor.py"
    script.write_text("print('up', flush=True); input()")
    command = [sys.executable, str(script), *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=folder) as process:
        assert process.stdout
        process.stdout.readline()
        try:
            yield
        finally:
            process.communicate(b"\n")


def test_the_autoscaler_of_a_session_is_found_and_so_is_its_file(tmp_path):
    logs, others = "--logs-dir=/tmp/ray/session_1/logs", "--logs-dir=/tmp/ray/session_12/logs"
    one, other = tmp_path / "one", tmp_path / "other"
    one.mkdir()
    other.mkdir()
    with monitor(other, others, "--autoscaling-config=/etc/other.yaml"):
        assert autoscaler._monitor("session_1") is None
        with monitor(one, logs, "--autoscaling-config=own.yaml"):
            found = autoscaler._monitor("session_1")
            assert found is not None
            assert autoscaler._file_of(found) == one / "own.yaml"
        with monitor(one, logs, "--autoscaling-config=~/bootstrap.yaml"):
            found = autoscaler._monitor("session_1")
            assert found is not None
            assert autoscaler._file_of(found) == Path.home() / "bootstrap.yaml"
        with monitor(one, logs):
            found = autoscaler._monitor("session_1")
            assert found is not None
            assert autoscaler._file_of(found) is None
    assert autoscaler._monitor("session_12") is None


# ---- what somebody reported to the cluster -------------------------------------------------------


def test_a_configuration_in_the_clusters_own_store_is_taken_as_it_is(monkeypatch):
    from ray._private.state import state
    from ray.core.generated.autoscaler_pb2 import ClusterConfig, NodeGroupConfig

    groups = [
        NodeGroupConfig(name="many", resources={"CPU": 8, "docker": PLENTY}, min_count=1, max_count=-1),
        NodeGroupConfig(name="none", resources={}, max_count=0),
    ]
    monkeypatch.setattr(state, "get_cluster_config", lambda: ClusterConfig(node_group_configs=groups))
    many = NodeType("many", {"CPU": 8.0, "docker": float(PLENTY)}, 1, PLENTY)
    assert configured() == (many, NodeType("none", {}, 0, 0))


# ---- KubeRay -------------------------------------------------------------------------------------


class Kubernetes(http.server.BaseHTTPRequestHandler):
    """An API server that has one document."""

    def do_GET(self) -> None:
        status, body = self.server.answer  # type: ignore[attr-defined]
        wanted = "/apis/ray.io/v1/namespaces/peagen/rayclusters/peagen"
        if self.path != wanted or self.headers["Authorization"] != "Bearer secret-7":
            status = 403
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[http.server.HTTPServer]:
    """The API server of the pod that this process says it is in: a head's, whose autoscaler is a container of its own."""
    import ray
    from ray.autoscaler._private.kuberay import node_provider

    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    (tmp_path / "token").write_text("secret-7")
    (tmp_path / "namespace").write_text("peagen\n")
    with http.server.HTTPServer(("127.0.0.1", 0), Kubernetes) as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        host = f"https://127.0.0.1:{server.server_address[1]}"
        where = partial(node_provider.url_from_resource, kubernetes_host=host)
        monkeypatch.setattr(node_provider, "url_from_resource", where)
        monkeypatch.setattr(node_provider, "IN_CLUSTER_TOKEN_PATH", str(tmp_path / "token"))
        monkeypatch.setattr(node_provider, "KUBERAY_CA_CERT_PATH", str(tmp_path / "ca.crt"))
        monkeypatch.setattr(pod, "_NAMESPACE", tmp_path / "namespace")
        monkeypatch.setenv("RAY_CLUSTER_NAME", "peagen")
        monkeypatch.setattr(autoscaler, "_reported", tuple)
        monkeypatch.setattr(autoscaler, "_monitor", lambda _: None)
        monkeypatch.setattr(ray, "get_runtime_context", Context)
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield server
        server.shutdown()
        serving.join()


class Context:
    def get_session_name(self) -> str:
        return "session_1"


def test_on_kuberay_the_head_reads_its_raycluster(api):
    document = yaml.safe_load(OURS.read_text())
    document["metadata"]["namespace"] = "peagen"
    api.answer = 200, json.dumps(document).encode()
    found = {each.name: each for each in configured()}
    assert found.keys() == {"headgroup", "cpu", "gpu"}
    assert (found["cpu"].least, found["cpu"].most) == (0, 10)
    assert found["cpu"].resources["CPU"] == 4
    assert found["cpu"].resources["llm"] == 16
    assert found["gpu"].resources["GPU"] == 1


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, b"{}", OSError),
        (500, b"down", OSError),
        (200, b"<html>", ValueError),
        (200, b'{"kind": "RayCluster", "spec": {}}', ConfigError),
        (200, b'{"kind": "RayCluster", "spec": {"workerGroupSpecs": 7}}', ConfigError),
        (200, b'{"kind": "RayCluster"}', ConfigError),
    ],
)
def test_a_raycluster_that_cannot_be_read_is_an_error_that_pictures_survive(api, status, body, error):
    api.answer = status, body
    with pytest.raises(error):
        configured()
    assert Known(Clock()).value(configured) == ()


def test_outside_of_kuberay_and_without_an_autoscaler_there_are_no_node_types(api, monkeypatch, tmp_path):
    monkeypatch.delenv("RAY_CLUSTER_NAME")
    assert configured() == ()
    monkeypatch.setenv("RAY_CLUSTER_NAME", "peagen")
    monkeypatch.setattr(pod, "_NAMESPACE", tmp_path / "none")
    assert configured() == ()


def test_an_autoscaler_that_starts_nothing_has_no_types_though_the_pod_is_kuberays(
    api, monkeypatch, tmp_path
):
    process = tmp_path / "7"
    process.mkdir()
    (process / "cmdline").write_text("python\0/ray/monitor.py\0")
    monkeypatch.setattr(autoscaler, "_monitor", lambda _: process)
    api.answer = 403, b""
    assert configured() == ()
