"""GenerateHandler over real HTTP: what an answer is, and what is none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peagen_handlers import talking
from peagen_handlers.calls import NO_ANSWER
from peagen_handlers.generate import GenerateHandler
from peagen_handlers.render import RenderHandler
from peagen_ray.fabric.interrupt import Interrupt
from peagen_ray.handler import HandlerContext, choose, handling
from peagen_ray.task import Result, Status, Task, TaskKind
from peagen_ray.testing.llm_server import LLMServer, Reply

Handle = Callable[..., Result]


@pytest.fixture(autouse=True)
def _hung_up() -> Iterator[None]:
    yield
    talking.hang_up()


@pytest.fixture
def handle(tmp_path: Path) -> Handle:
    """Handles a task that asks a server."""

    def run(
        server: LLMServer, attempts: int = 1, interrupt: Interrupt | None = None, **fields: Any
    ) -> Result:
        backend = {"name": "b", "adapter": "openai", "model": "m", "base_url": server.url}
        payload = {"generate": 1, "prompt": "Write it.", "backends": [backend], "retries": 0}
        task = Task(kind=TaskKind.RENDER, payload=payload | fields, attempts=attempts)
        with handling(HandlerContext(tmp_path, on_interrupt=(interrupt or Interrupt()).calling)):
            return GenerateHandler().handle(task)

    return run


def test_the_answer_comes_as_it_is_with_what_it_cost(handle: Handle) -> None:
    with LLMServer(["```\nx\n```"]) as server:
        data = handle(server).data
    assert data["text"] == "```\nx\n```"
    assert data["tokens"] == server.tokens_in + server.tokens_out > 0
    assert server.requests[0].prompt == "Write it."


@pytest.mark.parametrize(
    ("reply", "why"),
    [
        (Reply("x = 1", finish="length"), "cut off at 4096 tokens"),
        (Reply("x = 1", finish="content_filter"), "declined"),
        (Reply("  \n"), "answered nothing"),
        (Reply("too long for us", status=400), "too long for us"),
    ],
)
def test_what_is_no_answer_is_rejected_with_the_reason(handle: Handle, reply: Reply, why: str) -> None:
    with LLMServer([reply]) as server:
        data = handle(server).data
    assert why in data["rejected"]
    assert "text" not in data


def test_a_back_end_that_does_not_answer_may_be_asked_again(handle: Handle) -> None:
    with LLMServer([Reply("busy", status=503)]) as server:
        data = handle(server).data
    assert (data["reason"], data["tokens"]) == (NO_ANSWER, 0)
    assert "busy" in data["detail"]


def test_a_second_run_and_a_lease_that_is_too_small_ask_nobody(handle: Handle) -> None:
    with LLMServer() as server:
        again = handle(server, attempts=2).data
        short = handle(server, lease={"id": "x", "tokens": 100, "pico": 10**12}).data
    assert again["reason"] == short["reason"] == NO_ANSWER
    assert server.requests == []


def test_a_call_that_is_interrupted_counts_as_lost(handle: Handle) -> None:
    interrupt = Interrupt()
    with LLMServer(lambda _: (interrupt.fire(), Reply(hang=True))[1]) as server:
        data = handle(server, interrupt=interrupt).data
        server.wait_abandoned(1)
    assert data["lost"]


def test_a_newer_form_is_refused_and_rendering_is_left_to_its_own_handler(handle: Handle) -> None:
    with LLMServer() as server:
        result = handle(server, generate=2)
    assert result.status is Status.ERROR
    assert "payload.generate" in result.data["msg"]
    handlers, caps = [GenerateHandler(), RenderHandler()], frozenset({"llm", "cpu"})
    for payload, kind in (({"generate": 1}, GenerateHandler), ({"render": 1}, RenderHandler)):
        assert isinstance(choose(handlers, Task(kind=TaskKind.RENDER, payload=payload), caps), kind)
