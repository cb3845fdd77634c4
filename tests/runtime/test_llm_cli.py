"""Runs with a model from outside: what a person types; programs are measured for real."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import read
from peagen_ray.testing.llm_server import LLMServer, Received, Reply

pytestmark = pytest.mark.slow

KEY = "sk-planted-0123456789abcdef"
GOOD = (
    "```python\ndef unique(xs: list[int]) -> list[int]:\n    k = {n}\n    return list(dict.fromkeys(xs))\n```"
)


def script(request: Received) -> str:
    return GOOD.format(n=request.number)


def configure(workspace: Any, server: LLMServer, **stop: Any) -> None:
    rules = "\n".join(f"{name} = {value}" for name, value in stop.items())
    (workspace.path / ".peagen.toml").write_text(
        f"""
[mutate]
max_tokens = 100

[evolve]
generation_size = 4
max_in_flight = 3

[evolve.stop]
{rules}

[llm]
retries = 0
repair_rounds = 0

[[llm.backends]]
name = "openai"
model = "m"
base_url = "{server.url}"
api_key_env = "A_PLANTED_KEY"
timeout_ms = 600000
price_in = 1.0
price_out = 2.0
"""
    )


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_PLANTED_KEY", KEY)


def events(workspace: Any) -> list[Event]:
    return list(read(workspace.runs()[0] / "ledger.arrow"))


def holds_key(directory: Path) -> list[Path]:
    return [path for path in directory.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_a_run_with_a_model_finds_what_it_says_and_its_replay_needs_neither_server_nor_key(
    workspace: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LLMServer(script) as server:
        configure(workspace, server, max_generations=2)
        done = workspace.run(
            "-v", "evolve", "run", "--sync", "--json", "--target-file", "slow.py", "--entry-fn", "unique"
        )
    summary = json.loads(done.stdout)
    assert summary["improved"]
    assert "dict.fromkeys" in (workspace.path / "winner.py").read_text()
    assert sum(event.tokens for event in events(workspace)) == server.tokens_in + server.tokens_out
    assert holds_key(workspace.path) == []
    assert KEY not in done.stdout + done.stderr
    monkeypatch.delenv("A_PLANTED_KEY")
    replayed = workspace.run("evolve", "run", "--replay", "last")
    assert f"{summary['candidates']} mutations made again" in replayed.stderr + replayed.stdout


def test_a_run_that_is_killed_while_models_think_never_spends_more_than_its_cap(workspace: Any) -> None:
    cap = 9000
    silent = [True]

    def answers(request: Received) -> Reply | str:
        return Reply(hang=True) if silent[0] and request.number >= 2 else script(request)

    with LLMServer(answers) as server:
        configure(workspace, server, max_generations=50, budget_tokens=cap)
        command = ("evolve", "run", "--sync", "--target-file", "slow.py", "--entry-fn", "unique")
        process = workspace.start(*command)
        server.wait_for(3, timeout=60)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        silent[0] = False
        summary = workspace.evolve("--resume")
    found = events(workspace)
    lost = sum(event.tokens for event in found if event.event is Kind.DROP)
    answered = server.tokens_in + server.tokens_out
    assert summary["stopped"] == "budget_tokens"
    assert lost > 0
    assert answered + lost <= cap
    assert answered <= sum(event.tokens for event in found) <= cap
    told = [event.n for event in found if event.event is Kind.TELL]
    assert len(told) == len(set(told))


def test_a_dry_run_prints_the_worst_case_and_asks_nobody(workspace: Any) -> None:
    with LLMServer(script) as server:
        configure(workspace, server, max_generations=2, budget_usd=3.5)
        run = ("evolve", "run", "--sync", "--target-file", "slow.py", "--entry-fn", "unique")
        evolved = workspace.run("--dry-run", *run)
        mutated = workspace.run(
            "--dry-run", "mutate", "--sync", "--target-file", "slow.py", "--entry-fn", "unique"
        )
    assert "worst-case token spend" in evolved.stdout + evolved.stderr
    assert "USD" in evolved.stdout + evolved.stderr
    assert "worst-case token spend" in mutated.stderr
    assert server.requests == []
    assert not (workspace.path / "slow_mutated.py").exists()


def test_mutate_asks_the_back_end_that_is_named(workspace: Any) -> None:
    with LLMServer(["```diff\n-    result = []\n+    result: list[int] = []\n```\n"]) as server:
        configure(workspace, server)
        base = ("mutate", "--sync", "--target-file", "slow.py", "--entry-fn", "unique", "--backend")
        done = workspace.run(*base, "openai")
        refused = workspace.run(*base, "nobody", code=2)
    assert "operator: diff" in done.stderr
    assert "result: list[int] = []" in (workspace.path / "slow_mutated.py").read_text()
    assert "nobody" in refused.stderr
    assert len(server.requests) == 1


def test_ctrl_c_during_a_call_keeps_the_best_and_ends_at_once(workspace: Any) -> None:
    with LLMServer(lambda request: script(request) if request.number < 2 else Reply(hang=True)) as server:
        configure(workspace, server, max_generations=50)
        command = ("evolve", "run", "--sync", "--json", "--target-file", "slow.py", "--entry-fn", "unique")
        process = workspace.start(*command)
        server.wait_for(3, timeout=120)  # the third is the first that hangs
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert json.loads(out)["stopped"] == "interrupted"
    assert (workspace.runs()[0] / "summary.json").exists()
