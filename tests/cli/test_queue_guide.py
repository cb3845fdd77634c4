"""The guide to the queue's tools: each of its commands does what it says, on a queue with something in it."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from peagen_ray.cli.boundary import run
from peagen_ray.queues.redis import RedisQueue
from peagen_ray.task import Result, Task, TaskKind
from peagen_ray.testing.servers import RedisServer, need

GUIDE = Path(__file__).parents[2] / "docs" / "queue-tools.md"
CPU = frozenset({"cpu"})


def commands() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    need("valkey")
    with RedisServer("valkey") as running:
        yield running


@pytest.fixture
def ids(server: RedisServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """A queue with one task that waits and one that died, and what the guide calls them."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PEAGEN_QUEUE", server.url)
    with server.client() as client:
        client.flushall()
    dead, waiting = (Task(kind=TaskKind.EXECUTE, requires=CPU) for _ in range(2))
    with RedisQueue.from_url(server.url) as queue:
        queue.enqueue(dead)
        (claim,) = queue.claim(CPU, "host-1")
        queue.fail(claim, Result.failure(claim.task, "it broke", retryable=False))
        queue.enqueue(waiting)
    return {"$WAITING": waiting.id, "$DEAD": dead.id}


@pytest.mark.parametrize("line", commands(), ids=lambda line: line.partition("#")[0].strip())
def test_a_command_of_the_guide_works(
    line: str, ids: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    program, *words = shlex.split(line, comments=True)
    assert program == "peagen-ray"
    assert run([ids.get(word, word) for word in words]) == 0
    said = capfd.readouterr()
    assert said.out + said.err
    assert all(Path(words[n + 1]).stat().st_size for n, word in enumerate(words) if word == "--output")
