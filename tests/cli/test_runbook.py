"""The runbook: its commands do what it says, against real servers, and each of its switches is one."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from peagen_ray.config.load import load
from peagen_ray.queues.redis import RedisQueue
from peagen_ray.task import Result, Task, TaskKind
from peagen_ray.testing.servers import RedisServer, need

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")

SLOW = """
def unique(xs: list[int]) -> list[int]:
    result = []
    for x in xs:
        if x not in result:
            result = result + [x]
    return result
"""

CLIENT = f"""#!{sys.executable}
# Stands for the server's own client, which may not be installed.
import sys
import redis
_, _, url, *words = sys.argv
with redis.Redis.from_url(url) as client:
    said = client.execute_command(*words)
    print("\\n".join(f"{{key}}:{{value}}" for key, value in said.items()) if isinstance(said, dict) else said)
"""


def blocks() -> list[str]:
    return re.findall(r"```sh\n(.*?)```", RUNBOOK, re.DOTALL)


def switches() -> list[str]:
    return re.findall(r"^\| `([A-Z_]+=[^`]*)` \|", RUNBOOK, re.MULTILINE)


@pytest.mark.parametrize("switch", switches())
def test_a_switch_is_taken_from_the_environment(
    switch: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    name, _, value = switch.partition("=")
    assert f"env {name}" in load(environ={name: value}).origin.values()


def test_links_lead_somewhere() -> None:
    titles = {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", RUNBOOK, re.MULTILINE)
    }
    assert set(re.findall(r"\]\(#([^)]+)\)", RUNBOOK)) <= titles
    files = re.findall(r"\]\(([\w-]+\.md)\)", RUNBOOK)
    assert all((ROOT / "docs" / name).is_file() for name in files)


@pytest.mark.slow
def test_the_commands_of_the_runbook_do_what_it_says(tmp_path: Path) -> None:
    need("valkey")
    (tmp_path / "slow.py").write_text(SLOW)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (
        ("redis-cli", CLIENT),
        ("peagen-ray", f'#!/bin/sh\nexec {sys.executable} -m peagen_ray "$@"\n'),
    ):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    with RedisServer("valkey", tcp=True) as primary, RedisServer("valkey", tcp=True) as replica:
        broken(primary.url)
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("PEAGEN", "WORKER"))},
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PRIMARY": f"127.0.0.1:{primary.port}",
            "REPLICA": f"127.0.0.1:{replica.port}",
            "COLUMNS": "200",
            "PEAGEN__EVALUATE__WINNER_S": "0.5",
            "PEAGEN__EVOLVE__GENERATION_SIZE": "3",
        }
        script = "".join(f"echo '### {number}'\n{block}" for number, block in enumerate(blocks()))
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stdout
        check(tmp_path, done.stdout)
        assert replica.client().info("replication")["role"] == "master"


def broken(url: str) -> None:
    """A queue with a task that died, and one that nobody can serve."""
    with RedisQueue.from_url(url) as queue:
        dead = Task(kind=TaskKind.EXECUTE, payload={"mode": "nothing"}, requires=frozenset({"cpu"}))
        queue.enqueue(dead)
        (claim,) = queue.claim(frozenset({"cpu"}), "host-1")
        queue.fail(claim, Result.failure(claim.task, "it broke", retryable=False))
        queue.enqueue(Task(kind=TaskKind.EXECUTE, requires=frozenset({"tpu"})))


def check(folder: Path, said: str) -> None:
    """What the runbook says has come about."""
    parts = dict(re.findall(r"^### (\d+)\n(.*?)(?=^### |\Z)", said, re.DOTALL | re.MULTILINE))
    at = {name: parts[str(next(n for n, block in enumerate(blocks()) if name in block))] for name in NAMED}
    assert "it broke" in at["dlq inspect"]
    assert "back in the queue: 1 task" in at["dlq retry"]
    assert "worst" in at["BUDGET_TOKENS"] or "200000" in at["BUDGET_TOKENS"]
    assert "worker mended" in at["elsewhere"]
    assert list((folder / "elsewhere").rglob("*.json.gz"))
    assert "claiming no more, finishing what runs" in (folder / "blue.log").read_text()
    assert "metrics at http://" in (folder / "green.log").read_text()


NAMED = ("dlq inspect", "dlq retry", "BUDGET_TOKENS", "elsewhere")
