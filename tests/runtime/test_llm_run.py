"""Runs that ask a language model over real HTTP; only what would measure programs is scripted."""

from __future__ import annotations

import math
import re
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from runtime_script import Recorder, Script

from peagen_handlers import talking
from peagen_handlers.patch import PatchMutatorHandler
from peagen_ray.config.model import Config, MetricsTable
from peagen_ray.errors import ConfigError, KeyRefused, ReplayDivergence
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import read
from peagen_ray.evolution.program import Outcome
from peagen_ray.handler import HandlerContext, handling
from peagen_ray.llm import recording
from peagen_ray.llm.ensemble import Ensemble
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.replaying import replay
from peagen_ray.runtime.result import RunResult
from peagen_ray.runtime.run import evolve
from peagen_ray.runtime.settings import RunRequest
from peagen_ray.task import Result, Task
from peagen_ray.testing.llm_server import LLMServer, Received, Reply

KEY = "sk-planted-0123456789abcdef"


def answer(number: int) -> str:
    """A whole rewrite; the script of measurements reads the number in it."""
    return f"```python\ndef f(xs: list[int]) -> int:\n    k = {number}\n    return sum(xs)\n```"


def by_number(request: Received) -> str:
    return answer(request.number + 1)


def speed(source: str, mode: str) -> float:
    found = re.search(r"k = (\d+)", source)
    return 1.0 + 0.1 * int(found[1]) if found else 1.0


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("A_KEY", KEY)
    yield
    talking.hang_up()


@pytest.fixture
def asked(script: Script, here: Path) -> Script:
    """The script of tasks, whose questions for models go to the real handler."""
    offline = script.mutate

    def mutate(task: Task) -> Result | None:
        if task.payload["mutator"] == "genetic":
            return offline(task)
        with handling(HandlerContext(here)):
            return PatchMutatorHandler().handle(task)

    script.mutate = mutate  # type: ignore[method-assign]
    script.speed = speed
    return script


def backend(url: str, name: str = "openai", **fields: Any) -> dict[str, Any]:
    priced = {"price_in": 1.0, "price_out": 2.0}
    return {
        "name": name,
        "adapter": "openai",
        "model": "m",
        "base_url": url,
        "api_key_env": "A_KEY",
        **priced,
        **fields,
    }


def config(
    *backends: dict[str, Any], stop: dict[str, Any] | None = None, llm: Any = None, **evolve: Any
) -> Config:
    table = {"entry_fn": "f", "seed": 1, "generation_size": 4, **evolve}
    table["stop"] = {"max_generations": 2, **(stop or {})}
    quick = {"retries": 0, "breaker_failures": 1, "breaker_pause": "100ms", "backends": list(backends)}
    return Config.model_validate(
        {
            "evolve": table,
            "evaluate": {"winner_s": 0.5},
            "mutate": {"max_tokens": 100},
            "llm": {**quick, **(llm or {})},
        }
    )


RequestOf = Callable[..., RunRequest]


def events(result: RunResult) -> list[Event]:
    return list(read(result.paths.ledger))


def told(found: list[Event]) -> dict[int, Event]:
    """The candidates that were told; each question once."""
    tells = [event for event in found if event.event is Kind.TELL and event.kind == "mutate"]
    assert len(tells) == len({event.n for event in tells}), "a candidate was told twice"
    return {event.n: event for event in tells}


def tokens(found: list[Event]) -> int:
    return sum(event.tokens for event in found)


def test_a_run_asks_the_model_and_counts_what_the_server_counts(
    asked: Script, observer: Recorder, request_of: RequestOf
) -> None:
    with LLMServer(by_number) as server:
        result = evolve(request_of(config(backend(server.url))), observer)
    found = events(result)
    assert result.improved
    assert result.told == 8
    assert {event.mutator for event in told(found).values()} == {"patch"}
    assert tokens(found) == server.tokens_in + server.tokens_out
    assert sum(event.usd for event in found) == pytest.approx(
        (server.tokens_in + 2 * server.tokens_out) / 1e6
    )
    assert any(note.startswith("worst case: ") for note in observer.notes)


def test_what_a_run_spends_is_to_be_seen_while_it_goes_on(
    asked: Script, observer: Recorder, request_of: RequestOf
) -> None:
    seen: dict[str, float] = {}
    note, told = observer.note, observer.candidate

    def noted(text: str) -> None:
        note(text)
        if text.startswith("metrics at "):
            observer.candidate = looked  # type: ignore[method-assign]

    def looked(candidate: Any) -> None:
        told(candidate)
        port = next(text for text in observer.notes if text.startswith("metrics at ")).rpartition(":")[2]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}", timeout=10) as shown:
            lines = (line.rpartition(" ") for line in shown.read().decode().splitlines() if line[0] != "#")
            seen.update({name: float(number) for name, _, number in lines})

    observer.note = noted  # type: ignore[method-assign]
    with LLMServer(by_number) as server:
        wanted = config(backend(server.url)).model_copy(update={"metrics": MetricsTable(port=0)})
        result = evolve(request_of(wanted), observer)
    usd = sum(event.usd for event in events(result))
    assert seen['evo_cost_usd_total{backend="openai"}'] == pytest.approx(usd)
    assert any(name.startswith("evo_best_speed_ms{") for name in seen)


def test_every_exchange_is_on_disk_when_the_engine_is_told(
    asked: Script, observer: Recorder, request_of: RequestOf
) -> None:
    with LLMServer(by_number) as server:
        result = evolve(request_of(config(backend(server.url))), observer)
    texts = {each.asked.exchanges[0].text for each in recording.read(result.paths.exchanges)}
    assert texts == {answer(number + 1) for number in range(len(server.requests))}


def test_five_failures_in_a_row_cost_no_candidate_and_double_none(
    asked: Script, observer: Recorder, request_of: RequestOf
) -> None:
    def script(request: Received) -> Reply | str:
        return Reply(status=503) if 2 <= request.number < 7 else by_number(request)

    with LLMServer(script) as server:
        result = evolve(request_of(config(backend(server.url))), observer)
    found = events(result)
    candidates = told(found)
    assert len(candidates) == result.told == 8
    assert all(event.outcome is Outcome.OK for event in candidates.values())
    assert tokens(found) == server.tokens_in + server.tokens_out
    assert len(server.requests) == 8 + 5
    waits = [note for note in observer.notes if note.startswith("waiting for openai")]
    assert len(waits) == 1
    assert "503" in waits[0]
    assert "a language model answers again" in observer.notes


def test_a_run_goes_on_when_back_ends_that_were_all_down_come_back(
    asked: Script, observer: Recorder, request_of: RequestOf
) -> None:
    with LLMServer() as gone:
        port = int(gone.url.rsplit(":", 1)[1].removesuffix("/v1"))
    back: list[LLMServer] = []
    note = observer.note

    def noted(text: str) -> None:
        note(text)
        if text.startswith("waiting for"):
            back.append(LLMServer(by_number, port=port).start())

    observer.note = noted  # type: ignore[method-assign]
    names = ("one", "two")
    try:
        result = evolve(request_of(config(*(backend(gone.url, name) for name in names))), observer)
    finally:
        for server in back:
            server.stop()
    assert len(back) == 1
    assert len(told(events(result))) == result.told == 8
    assert tokens(events(result)) == back[0].tokens_in + back[0].tokens_out


def test_a_back_end_that_is_down_leaves_its_calls_to_the_others(
    asked: Script, observer: Recorder, request_of: RequestOf
) -> None:
    with LLMServer(lambda _: Reply(status=500)) as bad, LLMServer(by_number) as good:
        backends = backend(bad.url, "bad"), backend(good.url, "good")
        wanted = config(*backends, llm={"breaker_pause": "10m"}, max_in_flight=1)
        result = evolve(request_of(wanted), observer)
    assert len(bad.requests) == 1
    assert all(event.outcome is Outcome.OK for event in told(events(result)).values())


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("rule", ["budget_tokens", "budget_usd"])
def test_a_budget_is_never_exceeded_and_what_it_bought_is_kept(
    asked: Script, observer: Recorder, request_of: RequestOf, rule: str, ordered: bool
) -> None:
    cap = {"budget_tokens": 6000} if rule == "budget_tokens" else {"budget_usd": 0.007}
    with LLMServer(by_number) as server:
        wanted = config(
            backend(server.url), stop=cap | {"max_generations": 50}, ordered=ordered, llm={"repair_rounds": 0}
        )
        result = evolve(request_of(wanted), observer)
    spent_tokens = server.tokens_in + server.tokens_out
    spent_usd = (server.tokens_in + 2 * server.tokens_out) / 1e6
    assert result.stopped == rule
    assert result.improved
    assert len(server.requests) > 2
    assert spent_tokens <= cap.get("budget_tokens", math.inf)
    assert spent_usd <= cap.get("budget_usd", math.inf)
    assert tokens(events(result)) == spent_tokens


def test_a_budget_that_pays_for_no_call_at_all_ends_the_run_with_the_original(
    asked: Script, observer: Recorder, request_of: RequestOf
) -> None:
    with LLMServer(by_number) as server:
        result = evolve(request_of(config(backend(server.url), stop={"budget_tokens": 700})), observer)
    assert (result.stopped, result.improved, server.requests) == ("budget_tokens", False, [])
    assert any("no more questions to language models" in note for note in observer.notes)


def test_a_resumed_run_has_only_what_its_earlier_life_left(
    asked: Script, observer: Recorder, request_of: RequestOf
) -> None:
    cap = {"budget_tokens": 6000, "max_generations": 50}
    with LLMServer(by_number) as server:
        wanted = config(backend(server.url), stop=cap, llm={"repair_rounds": 0})
        first = evolve(request_of(wanted), observer)
        before = len(server.requests)
        again = evolve(request_of(wanted, resume=first.paths.id), observer)
        assert len(server.requests) == before
        more = config(backend(server.url), stop=cap | {"budget_tokens": 9000}, llm={"repair_rounds": 0})
        last = evolve(request_of(more, resume=first.paths.id), observer)
    assert again.stopped == last.stopped == "budget_tokens"
    assert before < len(server.requests)
    assert tokens(events(last)) == server.tokens_in + server.tokens_out <= 9000


def test_what_back_ends_have_gained_is_known_to_a_later_life_of_the_run(
    asked: Script, observer: Recorder, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    credited: list[tuple[str, float, float]] = []
    credit = Ensemble.credit

    def noted(ensemble: Ensemble, *what: Any) -> None:
        credited.append(what)
        credit(ensemble, *what)

    monkeypatch.setattr(Ensemble, "credit", noted)
    with LLMServer(by_number) as one, LLMServer(lambda _: answer(1)) as two:
        backends = backend(one.url, "one"), backend(two.url, "two")
        wanted = config(*backends, llm={"bandit": True, "repair_rounds": 0}, stop={"max_generations": 3})
        first = evolve(request_of(wanted), observer)
        earlier = list(credited)
        credited.clear()
        more = config(*backends, llm={"bandit": True, "repair_rounds": 0}, stop={"max_generations": 4})
        evolve(request_of(more, resume=first.paths.id), observer)
    again = credited[: len(earlier)]
    assert {name for name, _, _ in earlier} == {"one", "two"}
    assert any(gain > 0 for _, gain, _ in earlier)
    assert [(name, pytest.approx(gain), pytest.approx(usd)) for name, gain, usd in earlier] == again


def test_calls_of_which_nothing_was_heard_are_charged_as_reserved(
    asked: Script, observer: Recorder, request_of: RequestOf
) -> None:
    answered = asked.mutate
    left = [3]

    def mutate(task: Task) -> Result | None:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return answered(task)

    asked.mutate = mutate  # type: ignore[method-assign]
    with LLMServer(by_number) as server:
        wanted = config(backend(server.url), stop={"budget_tokens": 50_000}, llm={"repair_rounds": 0})
        with pytest.raises(KeyboardInterrupt):
            evolve(request_of(wanted), observer)
        paths = RunPaths.find("last")
        open_leases = [event for event in read(paths.ledger) if event.event is Kind.LEASE]
        asked.mutate = answered  # type: ignore[method-assign]
        result = evolve(request_of(wanted, resume="last"), observer)
    found = events(result)
    drops = [event for event in found if event.event is Kind.DROP]
    assert drops
    assert {event.n for event in drops} <= {event.n for event in open_leases}
    assert tokens(drops) == sum(e.detail["tokens"] for e in open_leases if e.n in {d.n for d in drops})
    assert tokens(found) == sum(event.tokens for event in told(found).values()) + tokens(drops)
    assert server.tokens_in + server.tokens_out <= tokens(found) <= 50_000
    assert len(told(found)) == result.told == 8


def test_a_replay_reads_the_answers_again_with_the_server_gone_and_no_key(
    asked: Script, observer: Recorder, request_of: RequestOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def script(request: Received) -> Reply | str:
        wrong: list[Reply | str] = [Reply(status=503), "no code at all", by_number(request), answer(1)]
        return wrong[request.number % 4]

    with LLMServer(script) as server:
        result = evolve(request_of(config(backend(server.url), stop={"max_generations": 4})), observer)
    monkeypatch.delenv("A_KEY")
    again = replay(result.paths)
    assert again["mutations"] == result.told == 16
    sources = {
        event.n: event.source for event in events(result) if event.source and event.event is not Kind.FINAL
    }
    made = {int(path.stem): path.read_text() for path in Path(again["directory"]).iterdir()}
    assert made == sources


def test_a_recording_that_was_changed_is_noticed(
    asked: Script, observer: Recorder, request_of: RequestOf
) -> None:
    with LLMServer(by_number) as server:
        result = evolve(request_of(config(backend(server.url))), observer)
    text = result.paths.exchanges.read_text()
    result.paths.exchanges.write_text(text.replace("k = 3\\n", "k = 33\\n"))
    with pytest.raises(ReplayDivergence, match="question"):
        replay(result.paths)


def test_the_key_is_sent_to_the_server_and_is_nowhere_else(
    asked: Script, observer: Recorder, request_of: RequestOf, here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")

    def script(request: Received) -> Reply | str:
        return Reply(f"who is {KEY}", status=500) if request.number < 2 else by_number(request)

    with LLMServer(script) as server:
        evolve(request_of(config(backend(server.url))), observer)
    assert all(KEY in request.headers["authorization"] for request in server.requests)
    assert all(KEY.encode() not in path.read_bytes() for path in here.rglob("*") if path.is_file())
    assert all(KEY.encode() not in task.to_wire() for task in asked.tasks)
    assert KEY not in caplog.text + "\n".join(observer.notes)


def test_a_mix_asks_models_and_edits_trees(asked: Script, observer: Recorder, request_of: RequestOf) -> None:
    moves = {"genetic": 0.5, "diff": 0.5, "rewrite": 0.0, "crossover": 0.0, "repair": 0.0}
    with LLMServer(by_number) as server:
        result = evolve(
            request_of(config(backend(server.url), moves=moves, stop={"max_generations": 5})), observer
        )
    candidates = told(events(result)).values()
    made = Counter(event.mutator for event in candidates)
    assert made["patch"] == len(server.requests) > 0
    assert made["genetic"] > 0
    assert all(event.tokens == 0 for event in candidates if event.mutator == "genetic")
    assert {event.operator for event in candidates if event.mutator == "patch"} == {"diff"}


def test_prompts_tell_how_earlier_changes_failed(
    asked: Script, observer: Recorder, request_of: RequestOf
) -> None:
    asked.speed = lambda source, _: speed(source, "") if "k" not in source else _wrong()
    with LLMServer(by_number) as server:
        evolve(request_of(config(backend(server.url), max_in_flight=1)), observer)
    assert "expected 1, got 2" not in server.requests[0].prompt
    assert all("expected 1, got 2" in request.prompt for request in server.requests[1:])


def _wrong() -> Any:
    from peagen_ray.sandbox.measure import Verdict

    return Verdict("incorrect", "result: expected 1, got 2")


def test_back_ends_that_all_refuse_us_end_the_run_and_say_why(
    asked: Script, observer: Recorder, request_of: RequestOf
) -> None:
    with LLMServer(lambda _: Reply("no such key", status=401)) as server:
        result = evolve(request_of(config(backend(server.url), llm={"breaker_pause": "10m"})), observer)
    assert result.stopped == "llm_refused"
    assert any("no such key" in note for note in observer.notes)
    assert not told(events(result))


def test_a_missing_key_or_price_is_found_before_anything_is_measured(
    asked: Script, observer: Recorder, request_of: RequestOf
) -> None:
    unpriced = {"name": "openai", "model": "m"}
    with pytest.raises(KeyRefused, match="OPENAI_API_KEY"):
        evolve(request_of(config(unpriced)), observer)
    with pytest.raises(ConfigError, match="price_in"):
        evolve(request_of(config(unpriced, stop={"budget_usd": 1.0})), observer)
    assert asked.tasks == []


def test_the_rate_of_a_back_end_holds_over_the_whole_run(
    asked: Script, observer: Recorder, request_of: RequestOf
) -> None:
    wanted = {"rate_per_min": 120.0, "tokens_per_min": None}
    arrived: list[float] = []

    def script(request: Received) -> str:
        arrived.append(time.monotonic())
        return by_number(request)

    with LLMServer(script) as server:
        evolve(
            request_of(config(backend(server.url, **wanted), generation_size=8, stop={"max_generations": 2})),
            observer,
        )
    burst = 12
    assert len(arrived) == 16
    assert arrived[-1] - arrived[0] >= (len(arrived) - burst) / 2 * 0.9
