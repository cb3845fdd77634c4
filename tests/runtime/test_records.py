"""What the ledgers of a workspace say about its runs, and a winner measured again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from runtime_script import Recorder, Script, ScriptedFabric, config, failure, ok

from peagen_ray.cli.boundary import run
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import Ledger, read
from peagen_ray.evolution.program import Outcome
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.records import Gain, RunRecord, Scored, State, all_runs, record_of
from peagen_ray.runtime.result import RunResult
from peagen_ray.runtime.run import evolve
from peagen_ray.runtime.settings import RunRequest
from peagen_ray.runtime.verifying import overlapping
from peagen_ray.sandbox.measure import Verdict
from peagen_ray.task import Result, Task

Go = Callable[..., RunResult]


@pytest.fixture
def go(here: Path, script: Script, observer: Recorder, request_of: Callable[..., RunRequest]) -> Go:
    """Makes a run that the script answers."""

    def make(options: dict[str, Any] | None = None, **evolve_: Any) -> RunResult:
        return evolve(request_of(config(**evolve_), **(options or {})), observer)

    return make


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Task], Result | None]], None]:
    """Sets what answers a verification's tasks."""

    def answer(script: Callable[[Task], Result | None]) -> None:
        monkeypatch.setattr(
            "peagen_ray.runtime.verifying.LocalFabric", lambda *_, **__: ScriptedFabric(script)
        )

    return answer


def interrupted(result: RunResult) -> None:
    """Make a run look as if its process had been killed before it came to its end."""
    ledger = result.paths.ledger
    events = [event for event in read(ledger) if event.event is not Kind.FINAL]
    with Ledger.open(ledger) as old:
        recorded = old.meta
    ledger.unlink()
    with Ledger.create(ledger, recorded) as new:
        new.append(events)


def told(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def test_a_run_is_read_from_its_ledger_as_its_summary_has_it(go: Go) -> None:
    result = go()
    record = record_of(result.paths)
    assert (record.state, record.stopped, record.told) == (State.FINISHED, "max_generations", 8)
    assert record.gain == Gain(pytest.approx(result.ratio), result.low, result.high)
    assert record.winner == result.source
    assert (record.lives, record.generations, record.outcomes) == (1, 2, {"ok": 8})
    assert record.best_s is not None
    assert record.target == "slow.py:f"
    assert json.loads(json.dumps(record.to_data()))["run"] == result.paths.id


def test_a_run_without_a_winner_has_no_gain(go: Go, script: Script) -> None:
    script.speed = lambda source, mode: 1.0
    record = record_of(go().paths)
    assert (record.state, record.gain, record.winner) == (State.FINISHED, None, "")


def test_a_run_that_was_killed_has_its_best_confirmed_program_so_far(go: Go) -> None:
    result = go()
    interrupted(result)
    record = record_of(result.paths)
    assert (record.state, record.stopped, record.winner) == (State.INTERRUPTED, "", "")
    assert record.gain is not None
    assert record.gain.low is None
    assert record.gain.ratio > 1


def test_a_run_in_another_process_is_running(go: Go) -> None:
    result = go()
    with Ledger.open(result.paths.ledger):
        assert record_of(result.paths).state is State.RUNNING
    assert record_of(result.paths).state is State.FINISHED


def test_lives_are_counted_and_the_last_selector_is_told(go: Go) -> None:
    go(max_generations=1)
    record = record_of(go({"resume": "last"}, selector="legacy", max_generations=2).paths)
    assert (record.lives, record.selector, record.state) == (2, "legacy", State.FINISHED)


def test_a_damaged_ledger_is_named_and_hides_no_other(go: Go, capsys: pytest.CaptureFixture[str]) -> None:
    result = go()
    for name, content in (("20200101-000000-bad", b"rubbish"), ("20200101-000001-empty", b"")):
        path = result.paths.root.parent / name / "ledger.arrow"
        path.parent.mkdir()
        path.write_bytes(content)
    with Ledger.create(result.paths.root.parent / "20200101-000000-bad" / "x", {"of": "no run"}) as foreign:
        foreign.path.rename(result.paths.root.parent / "20200101-000000-bad" / "ledger.arrow")
    found = all_runs()
    assert [type(each) is RunRecord for each in found] == [False, False, True]
    assert run(["runs", "list"]) == 0
    out = capsys.readouterr().out
    assert out.count("cannot be read: ") == 2
    assert "20200101-000001-empty" in out
    assert "slow.py:f" in out
    assert run(["runs", "list", "--json"]) == 0
    assert [each.get("state") for each in told(capsys)] == [None, None, "finished"]


def test_a_workspace_without_runs_says_so(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["runs", "list"]) == 0
    assert "no run under .peagen/runs yet" in capsys.readouterr().out
    assert run(["runs", "show", "last"]) == 2


def test_one_run_is_shown_in_words(go: Go, capsys: pytest.CaptureFixture[str]) -> None:
    result = go()
    assert run(["runs", "show", "last"]) == 0
    out = capsys.readouterr().out
    assert f"run {result.paths.id}, begun 20" in out
    assert "candidates: 8 in 2 generations of 4: 8 ok" in out
    assert "selector epsilon, mutator genetic, seed 1" in out
    assert "code: peagen-ray " in out
    assert "machine: " in out


def test_a_winner_that_measures_as_it_did_holds(
    go: Go, script: Script, again: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    result = go()
    before = len(list(read(result.paths.ledger)))
    again(script)
    script.tasks.clear()
    assert run(["runs", "verify", result.paths.id, "--times", "3", "--seconds", "40", "--json"]) == 0
    found = told(capsys)
    assert (found["holds"], found["overlap"], len(found["measured"])) == (True, True, 3)
    confirms = [task.payload for task in script.tasks if task.payload.get("mode") == "confirm"]
    assert {payload["source"] for payload in confirms} == {result.source}
    assert len({payload["seed"] for payload in confirms}) == 3, "each time on other inputs"
    assert all(payload["prepared"]["seed"] == 1 for payload in confirms)
    assert all(payload["most_s"] == 40.0 < payload["timeout"] / 4 for payload in confirms)
    assert len(list(read(result.paths.ledger))) == before, "nothing is written into the run"


@pytest.mark.parametrize(
    ("verdict", "said"),
    [
        (ok(1.05, "confirm"), "the intervals do not overlap"),
        (Verdict("incorrect", reason="input 3 differs"), "none: incorrect: input 3 differs"),
    ],
)
def test_a_winner_that_does_not_hold_is_an_exit_code(
    go: Go, again: Any, capsys: pytest.CaptureFixture[str], script: Script, verdict: Verdict, said: str
) -> None:
    go()
    script.speed = lambda source, mode: verdict
    again(script)
    assert run(["runs", "verify", "last"]) == 1
    assert said in capsys.readouterr().out


def test_what_a_verification_cannot_measure_is_the_error_that_it_was(
    go: Go, again: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    go()
    again(lambda task: failure(task, "no bwrap here"))
    assert run(["runs", "verify", "last"]) == 1
    assert "no bwrap here" in capsys.readouterr().err


def test_there_must_be_a_winner_to_verify(go: Go, script: Script, capsys: pytest.CaptureFixture[str]) -> None:
    result = go()
    interrupted(result)
    assert run(["runs", "verify", "last"]) == 2
    assert f"evolve run --resume --run {result.paths.id}" in capsys.readouterr().err
    script.speed = lambda source, mode: 1.0
    assert run(["runs", "verify", go().paths.id]) == 2
    assert "nothing to verify" in capsys.readouterr().err


def test_two_runs_are_compared_with_what_their_settings_differ_in(
    go: Go, script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    slower, faster = go(max_generations=1), go(max_generations=3, selector="legacy")
    names = [slower.paths.id, faster.paths.id]
    assert run(["runs", "compare", *names]) == 0
    out = capsys.readouterr().out
    assert f"{faster.paths.id} has the faster winner" in out
    assert run(["runs", "compare", *names, "--json"]) == 0
    found = told(capsys)
    assert found["settings"]["evolve.selector"] == ["epsilon", "legacy"]
    assert found["settings"]["evolve.stop.max_generations"] == [1, 3]
    assert run(["runs", "compare", names[0], names[0]]) == 0
    assert "the intervals overlap" in capsys.readouterr().out


def test_gains_of_different_programs_are_not_compared(
    go: Go, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = go()
    (here / "slow.py").write_text("def f(xs: list[int]) -> int:\n    return sum(list(xs))\n")
    assert run(["runs", "compare", first.paths.id, go().paths.id]) == 0
    assert "different programs" in capsys.readouterr().out


def scored(name: str, *scores: float) -> RunPaths:
    """A run that an evaluator scored: the original, and the candidates after it."""
    paths = RunPaths(Path(".peagen/runs") / name)
    paths.root.mkdir(parents=True)
    table = config().model_dump(mode="json")
    table["evaluate"]["evaluator"] = "module"
    recorded = {
        "run": name,
        "seed": 1,
        "subject": {"path": "p.py", "entry": "", "source": "x = 1\n"},
        "config": table,
        "mutator": "genetic",
        "versions": {"peagen-ray": "0.1.0", "python": "3.11"},
    }
    told = [
        Event(
            Kind.TELL,
            n,
            kind="mutate",
            outcome=Outcome.OK,
            fitness=score,
            confirmed=True,
            source=f"x = {n}\n",
        )
        for n, score in enumerate(scores[1:], 1)
    ]
    final = Event(Kind.FINAL, fitness=max(scores), confirmed=True, source="x = 9\n", reason="max_generations")
    with Ledger.create(paths.ledger, recorded) as ledger:
        ledger.append([Event(Kind.SEED, 0, fitness=scores[0], outcome=Outcome.OK), *told, final])
    return paths


def test_a_run_that_an_evaluator_scored_has_scores_and_no_gain(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    low, high = scored("20260101-000000-aaaa", -3.0, -9.0, -2.5), scored("20260101-000001-bbbb", -3.0, 0.25)
    assert record_of(low).gain == Scored(-3.0, -2.5)
    assert run(["runs", "list"]) == 0
    assert "score -3 to 0.25" in capsys.readouterr().out
    assert run(["runs", "compare", low.id, high.id]) == 0
    assert f"{high.id} has the winner with the higher score" in capsys.readouterr().out
    assert run(["runs", "verify", low.id]) == 2
    assert "does not say how its candidates were judged" in capsys.readouterr().err


def test_intervals_overlap_where_all_have_a_value_in_common() -> None:
    assert overlapping([Gain(2, 1.9, 2.1), Gain(2.05, 2.0, 2.1), Gain(2.1, 2.1, 2.2)])
    assert not overlapping([Gain(2, 1.9, 2.1), Gain(2.05, 2.0, 2.2), Gain(2.2, 2.11, 2.3)])
