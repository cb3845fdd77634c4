"""PatchMutatorHandler over real HTTP: proposals, rejections, repairs, silence; and what each cost."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from peagen_handlers import talking
from peagen_handlers.patch import MOVES, NO_ANSWER, PatchMutatorHandler
from peagen_ray.fabric.interrupt import Interrupt
from peagen_ray.handler import HandlerContext, choose, handling
from peagen_ray.llm.exchange import Exchange
from peagen_ray.task import Result, Status, Task, TaskKind
from peagen_ray.testing.llm_server import LLMServer, Reply
from peagen_ray.workload.fingerprint import fingerprint

KEY = "sk-planted-0123456789abcdef"
SLOW = "def f(xs: list[int]) -> int:\n    n = 0\n    for x in xs:\n        n += x\n    return n\n"
FAST = "def f(xs: list[int]) -> int:\n    return sum(xs)\n"
WHOLE = f"Sure!\n```python\n{FAST}```\n"
CONFUSED = "```python\ndef g(:\n```"


@pytest.fixture(autouse=True)
def _hung_up() -> Iterator[None]:
    """No loop of one test is there in the next."""
    yield
    talking.hang_up()


Handle = Callable[..., Result]


@pytest.fixture
def handle(tmp_path: Path) -> Handle:
    """Handles a task that asks these servers."""

    def run(
        *servers: LLMServer, attempts: int = 1, interrupt: Interrupt | None = None, **fields: Any
    ) -> Result:
        backends = [
            {"name": f"b{n}", "adapter": "openai", "model": "m", "base_url": s.url, "api_key_env": "A_KEY"}
            | {"price_in": 1.0, "price_out": 2.0}
            for n, s in enumerate(servers)
        ]
        payload = {"mutator": "rewrite", "source": SLOW, "entry": "f", "backends": backends, "retries": 0}
        task = Task(kind=TaskKind.MUTATE, payload=payload | fields, attempts=attempts)
        context = HandlerContext(
            tmp_path, environment={"A_KEY": KEY}, on_interrupt=(interrupt or Interrupt()).calling
        )
        with handling(context):
            return PatchMutatorHandler().handle(task)

    return run


def test_an_answer_becomes_a_proposal_with_what_it_cost(handle: Handle) -> None:
    with LLMServer([WHOLE]) as server:
        data = handle(server).data
    assert (data["source"], data["operator"]) == (FAST, "rewrite")
    assert data["fingerprint"] == fingerprint(FAST)
    assert data["tokens"] == server.tokens_in + server.tokens_out
    assert data["usd"] == pytest.approx((server.tokens_in + 2 * server.tokens_out) / 1e6)
    assert [Exchange.from_wire(each).text for each in data["exchanges"]] == [WHOLE]
    assert not data["lost"]


def test_an_answer_that_cannot_be_used_is_mended_in_the_next_round(handle: Handle) -> None:
    with LLMServer([CONFUSED, WHOLE]) as server:
        data = handle(server).data
    assert data["source"] == FAST
    assert "def g(:" in server.requests[1].prompt
    assert data["tokens"] == server.tokens_in + server.tokens_out
    assert len({each["prompt"] for each in data["exchanges"]}) == 2


def test_without_repairs_it_is_rejected_with_the_reason(handle: Handle) -> None:
    with LLMServer(["I cannot help."]) as server:
        data = handle(server, repair_rounds=0).data
    assert data["rejected"] == "no diff"
    assert data["tokens"] == server.tokens_in + server.tokens_out


def test_what_was_judged_before_is_rejected_and_not_mended(handle: Handle) -> None:
    with LLMServer([WHOLE, WHOLE]) as server:
        data = handle(server, exclude=[fingerprint(FAST)]).data
    assert data["rejected"] == "already tried"
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    "reply", [Reply(status=503), Reply(status=429), Reply(status=401), Reply(body=b"<p>")]
)
def test_a_back_end_that_does_not_answer_is_no_rejection(handle: Handle, reply: Reply) -> None:
    with LLMServer([reply]) as server:
        result = handle(server)
    assert result.status is Status.OK
    assert result.data["reason"] == NO_ANSWER
    assert "rejected" not in result.data
    assert result.data["detail"]


def test_a_prompt_that_the_endpoint_refuses_is_a_rejection(handle: Handle) -> None:
    with LLMServer([Reply("too long for us", status=400)]) as server:
        data = handle(server).data
    assert data["rejected"] == "prompt refused"
    assert data["tokens"] == 0


def test_a_prompt_beyond_the_limit_is_not_sent(handle: Handle) -> None:
    with LLMServer() as server:
        data = handle(server, max_prompt_tokens=600).data
    assert data["rejected"] == "too large"
    assert server.requests == []


def test_of_several_back_ends_the_first_usable_answer_is_kept(handle: Handle) -> None:
    with LLMServer(["no"]) as useless, LLMServer([Reply(WHOLE, delay=0.1)]) as useful:
        data = handle(useless, useful).data
    assert data["source"] == FAST
    assert [each["backend"] for each in data["exchanges"] if each["kept"]] == ["b1"]


def test_a_lease_that_does_not_hold_a_call_lets_none_be_made(handle: Handle) -> None:
    with LLMServer([WHOLE]) as server:
        data = handle(server, lease={"id": "x", "tokens": 100, "pico": 10**12}).data
    assert data["reason"] == NO_ANSWER
    assert server.requests == []


def test_a_second_run_of_a_task_spends_nothing(handle: Handle) -> None:
    with LLMServer([WHOLE]) as server:
        data = handle(server, attempts=2).data
    assert data["reason"] == NO_ANSWER
    assert server.requests == []


def test_a_missing_key_is_said_by_the_name_of_its_variable_and_no_call_is_made(tmp_path: Path) -> None:
    backend = {"name": "openai", "model": "m", "api_key_env": "NOT_SET_ANYWHERE"}
    payload = {"mutator": "patch", "source": SLOW, "entry": "f", "backends": [backend]}
    with handling(HandlerContext(tmp_path)):
        data = PatchMutatorHandler().handle(Task(kind=TaskKind.MUTATE, payload=payload)).data
    assert data["reason"] == NO_ANSWER
    assert "NOT_SET_ANYWHERE" in data["detail"]
    assert [each["outcome"] for each in data["exchanges"]] == ["refused"]


def test_an_interrupt_ends_the_call_and_says_that_something_may_be_lost(handle: Handle) -> None:
    interrupt = Interrupt()
    found: list[Result] = []
    with LLMServer([Reply(hang=True)]) as server:
        thread = threading.Thread(target=lambda: found.append(handle(server, interrupt=interrupt)))
        thread.start()
        server.wait_for(1)
        interrupt.fire()
        thread.join(10)
        server.wait_abandoned(1)
    assert found[0].data["reason"] == NO_ANSWER
    assert found[0].data["lost"]


def test_no_key_is_in_a_result_not_even_of_an_endpoint_that_repeats_it(handle: Handle) -> None:
    with LLMServer([Reply(f"bad key {KEY}", status=401)]) as server:
        result = handle(server)
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY.encode() not in result.to_wire()


def test_templates_of_the_person_come_with_the_task(handle: Handle) -> None:
    with LLMServer([WHOLE]) as server:
        handle(server, templates={"agent_mutate.j2": "Only this: {{ entry }}"})
    assert server.requests[0].prompt.strip() == "Only this: f"


def test_a_template_with_a_name_outside_of_its_directory_is_refused(handle: Handle, tmp_path: Path) -> None:
    with LLMServer() as server:
        data = handle(server, templates={"../../evil.j2": "x"}).data
    assert "outside" in data["detail"]
    assert not (tmp_path.parent / "evil.j2").exists()


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"backends": []}, "backends"),
        ({"temperature": 9}, "temperature"),
        ({"request": {"move": "no"}}, "parent"),
    ],
)
def test_a_bad_payload_is_an_error_that_names_the_key(
    handle: Handle, fields: dict[str, Any], where: str
) -> None:
    with LLMServer() as server:
        result = handle(server, **fields)
    assert result.status is Status.ERROR
    assert where in result.data["msg"]
    assert not result.data["retryable"]


@pytest.mark.parametrize("name", MOVES)
def test_it_serves_the_mutators_that_ask_a_model(name: str) -> None:
    task = Task(kind=TaskKind.MUTATE, payload={"mutator": name}, requires=frozenset({"llm"}))
    handler = choose([PatchMutatorHandler()], task, frozenset({"llm", "cpu"}))
    assert isinstance(handler, PatchMutatorHandler)


@pytest.mark.parametrize("name", ["genetic", "auto", None, 3, ["patch"]])
def test_it_leaves_tasks_for_others_alone(name: object) -> None:
    assert not PatchMutatorHandler().dispatch(Task(kind=TaskKind.MUTATE, payload={"mutator": name}))
