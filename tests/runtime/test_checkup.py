"""What ``doctor`` looks at beside the sandboxes: what it finds, that no key is shown, and how to mend it."""

from __future__ import annotations

import shutil
import time
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from peagen_ray.cli.boundary import run
from peagen_ray.config.load import load
from peagen_ray.fabric import cluster
from peagen_ray.fabric.capabilities import Node
from peagen_ray.queues.redis import RedisQueue, Server
from peagen_ray.runtime import checkup
from peagen_ray.runtime.checkup import Check, Verdict
from peagen_ray.testing.servers import RedisServer, need

KEY = "sk-planted-0123456789"


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    need("valkey")
    with RedisServer("valkey") as running:
        yield running


def found(name: str, **environ: str) -> list[Check]:
    return [each for each in checkup.checks(load(environ=environ).config) if each.name == name]


def one(name: str, **environ: str) -> Check:
    (check,) = found(name, **environ)
    return check


def test_with_nothing_configured_nothing_has_to_be_mended() -> None:
    checks = list(checkup.checks(load(environ={}).config))
    assert {each.verdict for each in checks} <= {Verdict.OK, Verdict.LOOK}
    assert {each.name for each in checks} == {"ray", "queue", "gpus", "keys", "clock", "disk"}


def test_a_server_that_answers_is_named_with_its_version(server: RedisServer) -> None:
    assert "1 waiting" not in one("queue", PEAGEN_QUEUE=server.url).found
    check = one("server", PEAGEN_QUEUE=server.url)
    assert check.verdict is Verdict.OK
    assert check.found.startswith("valkey ")
    with RedisQueue.from_url(server.url) as queue:
        assert abs(queue.clock_ahead()) < 1


def test_a_server_that_throws_tasks_away_has_to_be_mended(server: RedisServer) -> None:
    with server.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        check = one("server", PEAGEN_QUEUE=server.url)
        client.config_set("maxmemory-policy", "noeviction")
    assert (check.verdict, "allkeys-lru" in check.found, "noeviction" in check.mend) == (
        Verdict.BAD,
        True,
        True,
    )


@pytest.mark.parametrize(
    ("about", "old"),
    [
        (Server("redis", (6, 2, 14), "noeviction"), True),
        (Server("redis", (7, 0, 0), "noeviction"), False),
        (Server("redis", (10, 0, 0), ""), False),
        (Server("valkey", (7, 2, 5), "noeviction"), True),
        (Server("valkey", (8, 0, 0), "noeviction"), False),
    ],
)
def test_a_server_that_is_too_old_is_said_to_be(
    about: Server, old: bool, server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RedisQueue, "server", lambda _: about)
    assert (one("server", PEAGEN_QUEUE=server.url).verdict is Verdict.BAD) is old


def test_a_user_who_may_not_ask_is_no_trouble(server: RedisServer) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "shy", "on", "nopass", "~*", "+@all", "-info")
        check = one(
            "server", PEAGEN_QUEUE=server.url, PEAGEN__TASK_QUEUE__USERNAME="shy", PEAGEN_REDIS_PASSWORD="x"
        )
        client.execute_command("ACL", "DELUSER", "shy")
    assert (check.verdict, "may not ask" in check.found) == (Verdict.OK, True)


def test_a_clock_that_differs_from_the_servers_is_worth_a_look(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RedisQueue, "clock_ahead", lambda _: -90.0)
    checks = {each.verdict: each for each in found("clock", PEAGEN_QUEUE=server.url)}
    assert "90.0 s behind" in checks[Verdict.LOOK].found


def test_a_broker_that_is_away_is_a_finding_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    environ = {"PEAGEN_QUEUE": f"unix://{tmp_path}/nobody", "PEAGEN__TASK_QUEUE__BROKER_TIMEOUT": "0.1"}
    checks = list(checkup.checks(load(environ=environ).config))
    (queue,) = (each for each in checks if each.name == "queue")
    assert queue.verdict is Verdict.BAD
    assert "is the server up?" in queue.mend
    assert checks[-1].name == "disk"


LLM = """
[[llm.backends]]
name = "openai"
model = "m"
[[llm.backends]]
name = "local"
base_url = "http://127.0.0.1:9"
"""


def test_keys_are_there_or_not_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / ".peagen.toml").write_text(LLM)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    missing, local = found("keys")
    assert (missing.verdict, missing.found) == (Verdict.BAD, "openai: OPENAI_API_KEY is not set")
    assert "export OPENAI_API_KEY" in missing.mend
    assert local.verdict is Verdict.OK
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    assert {each.verdict for each in found("keys")} == {Verdict.OK}
    monkeypatch.setattr("peagen_ray.cli.doctor._machine", dict)
    monkeypatch.setattr("peagen_ray.sandbox.examination.examine_all", refuse)
    assert run(["doctor"]) == 1
    said = capsys.readouterr()
    assert "OPENAI_API_KEY is set" in said.out
    assert KEY not in said.out + said.err


def refuse(*_: object) -> None:
    raise PermissionError(13, "Permission denied")


def test_a_gpu_is_missed_only_where_one_is_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nodes: tuple[str, ...] = ()
    monkeypatch.setattr(checkup, "device_nodes", lambda _: nodes)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert one("gpus").found == "none"
    assert one("gpus", PEAGEN__EVOLVE__BACKEND="gpu").verdict is Verdict.BAD
    assert one("gpus", WORKER_CAPS="cpu,gpu").verdict is Verdict.BAD
    nodes = ("/dev/nvidia0", "/dev/nvidia1", "/dev/nvidiactl", "/dev/nvidia-uvm")
    assert one("gpus", WORKER_CAPS="cpu,gpu").found == "2 of 2 may be used"
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert one("gpus", WORKER_CAPS="cpu,gpu").verdict is Verdict.BAD


@pytest.mark.parametrize(("gib", "verdict"), [(50.0, Verdict.OK), (0.5, Verdict.LOOK), (0.01, Verdict.BAD)])
def test_a_disk_that_fills_is_seen_in_time(
    gib: float, verdict: Verdict, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(int(gib * 1024**3)))
    assert {each.verdict for each in found("disk")} == {verdict}


def test_a_clock_before_this_program_was_written_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 86_400.0)
    check = one("clock")
    assert (check.verdict, "1970-01-02" in check.found) == (Verdict.BAD, True)


NODES = tuple(Node(name, {}, "", name) for name in ("a", "b", "c"))


@contextmanager
def pretended(address: str) -> Iterator[str]:
    yield address


def on_nodes(monkeypatch: pytest.MonkeyPatch, ahead: dict[str, float]) -> dict[Verdict, str]:
    monkeypatch.setattr(cluster, "connected", pretended)
    monkeypatch.setattr(cluster, "live_nodes", lambda _: NODES)
    monkeypatch.setattr(cluster, "clocks", lambda _ray, _nodes, _patience_s: ahead)
    here = {"PEAGEN__FABRIC__ADDRESS": "auto", "PEAGEN__TASK_QUEUE__PROVIDER": "ray"}
    return {each.verdict: each.found for each in found("clock", **here) if "UTC" not in each.found}


def test_clocks_of_nodes_that_differ_are_named_and_so_are_nodes_that_were_not_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checkup, "_queue", lambda _: iter(()))
    assert on_nodes(monkeypatch, {"a": 0.1, "b": -0.2, "c": 0.0}) == {
        Verdict.OK: "within 2 s of that of 3 nodes"
    }
    said = on_nodes(monkeypatch, {"a": 0.1, "b": -7.3, "c": 0.0})
    assert said == {
        Verdict.OK: "within 2 s of that of 2 nodes",
        Verdict.LOOK: "that of node b is 7.3 s behind this machine's",
    }
    assert on_nodes(monkeypatch, {"a": 0.1})[Verdict.LOOK].startswith(
        "not compared with that of b, c: no answer"
    )
    assert "not compared" in one("clock").found
