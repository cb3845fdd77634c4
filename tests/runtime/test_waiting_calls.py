"""Calls that wait for a model take no CPU slot, end when nobody wants them, and are bounded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peagen_handlers import talking
from peagen_ray.config.model import Config
from peagen_ray.metrics import Meter
from peagen_ray.runtime.local import LocalFabric
from peagen_ray.sandbox.measure import Verdict
from peagen_ray.task import Result, Status, Task, TaskKind
from peagen_ray.testing.llm_server import LLMServer, Reply

KEY = "sk-planted-0123456789abcdef"
SLOW = "def f(xs: list[int]) -> int:\n    n = 0\n    for x in xs:\n        n += x\n    return n\n"
WHOLE = "```python\ndef f(xs: list[int]) -> int:\n    return sum(xs)\n```\n"
BOTH = frozenset({"cpu", "llm"})


def question(server: LLMServer, *tags: str) -> Task:
    backend = {"name": "b", "adapter": "openai", "model": "m", "base_url": server.url, "api_key_env": "A_KEY"}
    payload = {"mutator": "rewrite", "source": SLOW, "entry": "f", "backends": [backend], "retries": 0}
    return Task(kind=TaskKind.MUTATE, payload=payload, requires=frozenset(tags or ("llm",)))


def evaluation(*tags: str) -> Task:
    payload = {"verdict": Verdict("incorrect", "wrong").to_data(), "reference_ms": 200.0}
    return Task(kind=TaskKind.EVALUATE, payload=payload, requires=frozenset(tags))


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("A_KEY", KEY)
    yield
    talking.hang_up()


@pytest.fixture
def fabric(here: Path) -> Iterator[Callable[..., LocalFabric]]:
    opened: list[LocalFabric] = []

    def make(waiting: int = 8, **defaults: Any) -> LocalFabric:
        config = Config.model_validate({"worker": {"defaults": {"warm_pool": 0, **defaults}}})
        made = LocalFabric(config, 1, (here,), BOTH, waiting=waiting)
        opened.append(made.__enter__())
        return made

    yield make
    for each in opened:
        each.__exit__(None, None, None)


@pytest.mark.parametrize("tags", [(), ("cpu",)])
def test_a_worker_with_one_slot_works_while_models_are_waited_for(
    fabric: Callable[..., LocalFabric], tags: tuple[str, ...]
) -> None:
    with LLMServer([Reply(hang=True)] * 8) as server:
        made = fabric()
        waiting = [question(server) for _ in range(8)]
        for task in waiting:
            made.queue.enqueue(task)
        server.wait_for(8)
        assert made.do(evaluation(*tags)).status is Status.OK
        for task in waiting:
            made.queue.cancel(task.id)


def test_calls_beyond_the_bound_wait_their_turn(fabric: Callable[..., LocalFabric]) -> None:
    with LLMServer([Reply(WHOLE, delay=0.05)] * 6) as server:
        made = fabric(waiting=2)
        tasks = [question(server) for _ in range(6)]
        for task in tasks:
            made.queue.enqueue(task)
        results = [made.wait(task.id) for task in tasks]
    assert all(result.data["operator"] == "rewrite" for result in results)


def test_a_task_that_names_more_tags_than_llm_is_served_too(fabric: Callable[..., LocalFabric]) -> None:
    with LLMServer([WHOLE]) as server:
        assert fabric().do(question(server, "llm", "cpu")).data["operator"] == "rewrite"


def test_whoever_has_the_calls_made_counts_their_tokens(here: Path) -> None:
    meter = Meter()
    config = Config.model_validate({"worker": {"defaults": {"warm_pool": 0}}})
    with LLMServer(["no change", WHOLE]) as server:
        with LocalFabric(config, 1, (here,), BOTH, meter=meter) as made:
            made.do(question(server))
        counted = meter.registry.get_sample_value("llm_tokens_total", {"backend": "b"})
    assert len(server.requests) == 2
    assert counted == server.tokens_in + server.tokens_out
    assert meter.registry.get_sample_value("llm_latency_seconds_count", {"backend": "b"}) == 2


def test_a_worker_that_leaves_hangs_up_and_leaves_no_call_behind(here: Path) -> None:
    config = Config.model_validate({"worker": {"defaults": {"warm_pool": 0}}})
    with LLMServer([Reply(hang=True)]) as server:
        with LocalFabric(config, 1, (here,), BOTH) as made:
            made.queue.enqueue(question(server))
            server.wait_for(1)
        server.wait_abandoned(1)


@pytest.mark.slow
def test_in_a_process_of_its_own_it_has_the_key_of_its_back_end_and_no_other(
    fabric: Callable[..., LocalFabric], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOTHER_KEY", "secret-of-somebody-else")
    with LLMServer([WHOLE]) as server:
        result: Result = fabric(isolation="always").do(question(server))
    assert result.data.get("operator") == "rewrite", result.data
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY.encode() not in result.to_wire()
