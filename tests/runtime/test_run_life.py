"""A run from beginning to end, and from one life to the next, with a script in place of processes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from runtime_script import FACTS, SLOW, Recorder, Script, ScriptedFabric, config, failure, ok

from peagen_ray._version import __version__
from peagen_ray.config.model import Config
from peagen_ray.errors import (
    BrokerUnavailable,
    EvolutionError,
    LedgerError,
    MissingExtra,
    PluginNotFound,
    TargetError,
    UsageError,
    WorkloadError,
)
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import Ledger, meta, read
from peagen_ray.evolution.replay import replay
from peagen_ray.report.cells import champions, maps
from peagen_ray.report.story import read as story_of
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.result import RunResult
from peagen_ray.runtime.run import build_engine, evolve, result_data
from peagen_ray.runtime.settings import RunRequest
from peagen_ray.sandbox.measure import Verdict
from peagen_ray.task import Result, Task, TaskKind

Go = Callable[..., RunResult]
WORKLOAD = "def inputs(rng, size):\n    return ([1] * size,)\n"


@pytest.fixture
def go(here: Path, script: Script, observer: Recorder, request_of: Callable[..., RunRequest]) -> Go:
    """Runs ``slow.py``; ``request`` is what the request has beside the configuration."""

    def make(request: dict[str, Any] | None = None, **evolve_: Any) -> RunResult:
        return evolve(request_of(config(**evolve_), **(request or {})), observer)

    return make


def runs(here: Path) -> list[Path]:
    return sorted((here / ".peagen" / "runs").glob("*"))


def events(paths: RunPaths, kind: Kind) -> list[Event]:
    return [event for event in read(paths.ledger) if event.event is kind]


def test_a_run_measures_evolves_judges_and_writes_everything_down(
    here: Path, go: Go, script: Script, observer: Recorder
) -> None:
    result = go({"output": here / "winner.py"})
    assert observer.phases == [
        "measuring the original",
        "evolving",
        "minimising the winner",
        "measuring the winner",
    ]
    assert result.improved
    assert (result.stopped, result.generation, result.told) == ("max_generations", 2, 8)
    assert (here / "winner.py").read_text() == result.source != SLOW
    assert {path.name for path in runs(here)[0].iterdir()} == {
        "ledger.arrow",
        "checkpoint.json",
        "reference.bin",
        "winner.py",
        "winner.diff",
        "summary.json",
    }
    final = list(read(result.paths.ledger))[-1]
    assert (final.event, final.source) == (Kind.FINAL, result.source)
    assert json.loads(result.paths.summary.read_text()) == result.to_data() == dict(final.detail)
    assert script.modes()[:2] == ["prepare", "screen"]
    assert any("200 ms of CPU" in note for note in observer.notes)
    assert observer.shown[-1].in_flight == 0


def test_the_record_begins_with_all_that_a_replay_needs(go: Go) -> None:
    result = go(goal="be quick")
    recorded = meta(result.paths.ledger)
    assert recorded["run"] == result.paths.id
    assert recorded["subject"]["source"] == SLOW
    assert (recorded["subject"]["entry"], recorded["subject"]["path"]) == ("f", "slow.py")
    assert recorded["reference"] == {key: FACTS[key] for key in recorded["reference"]}
    assert (recorded["seed"], recorded["mutator"]) == (1, "genetic")
    assert recorded["config"]["evolve"]["goal"] == "be quick"
    assert recorded["versions"]["peagen-ray"] == __version__
    assert recorded["versions"]["plugins"]["peagen.parent_selectors epsilon"] == f"peagen-ray {__version__}"
    assert recorded["machine"]["cores"] >= 1
    assert datetime.fromisoformat(recorded["began"]).tzinfo is not None


def test_without_a_seed_a_fresh_one_is_drawn_and_recorded(go: Go) -> None:
    seeds = [meta(go(seed=None, max_generations=1).paths.ledger)["seed"] for _ in range(2)]
    assert seeds[0] != seeds[1]


def test_what_is_about_to_happen_is_said(go: Go, observer: Recorder) -> None:
    go(stop={"run_timeout": "90s", "no_improve": 7}, max_generations=1)
    assert observer.details[:2] == [
        "f in slow.py, inputs from its type hints",
        "2 at a time, mutator genetic, until 1 generation of 4, 7 without gain, 90 s, or Ctrl-C",
    ]


def test_problems_of_the_fabric_are_told_at_the_end(
    go: Go, script: Script, observer: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    fabric = ScriptedFabric(script, ("results are not kept: disk full",))
    monkeypatch.setattr("peagen_ray.runtime.run.LocalFabric", lambda *_, **__: fabric)
    go(max_generations=1)
    assert observer.notes[-1] == "results are not kept: disk full"


# What cannot begin


def refusing(kind: str) -> Callable[[Task], Result]:
    facts = {"type": kind, "what": "no usable inputs", "subject": "slow.py", "hint": "write a workload file"}
    return lambda task: failure(task, "it all went wrong", error=facts)


@pytest.mark.parametrize(
    ("kind", "error"),
    [("WorkloadError", WorkloadError), ("TargetError", TargetError), ("OfAPlugin", EvolutionError)],
)
def test_an_original_that_cannot_be_measured_is_refused_and_leaves_no_run(
    here: Path, go: Go, script: Script, monkeypatch: pytest.MonkeyPatch, kind: str, error: type[Exception]
) -> None:
    monkeypatch.setattr(script, "prepare", refusing(kind))
    with pytest.raises(error) as refused:
        go()
    assert str(refused.value) == "slow.py: no usable inputs (write a workload file)"
    assert type(refused.value) is error
    assert runs(here) == []


def test_a_measurement_that_fails_for_other_reasons_says_so(
    here: Path, go: Go, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "prepare", failure)
    with pytest.raises(EvolutionError, match="it broke"):
        go()
    assert runs(here) == []


def test_an_evaluator_that_fails_on_the_original_ends_the_run(
    here: Path, go: Go, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(script, "evaluate", failure)
    with pytest.raises(EvolutionError, match="it broke"):
        go()
    assert runs(here) == []


def test_an_original_that_its_own_check_turns_down_is_refused(here: Path, go: Go, script: Script) -> None:
    (here / "slow_workload.py").write_text(WORKLOAD)
    script.speed = lambda *_: Verdict("incorrect", "check says that it is wrong")
    with pytest.raises(WorkloadError, match="the original does not pass: incorrect: check says") as refused:
        go()
    assert refused.value.subject == "slow_workload.py"
    assert "check(args, output)" in refused.value.hint
    assert runs(here) == []
    script.speed = lambda *_: Verdict("timeout", "no answer within 1 s")
    with pytest.raises(WorkloadError, match="no answer") as refused:
        go()
    assert refused.value.hint == ""


def test_a_further_program_that_is_wrong_is_refused_by_name(here: Path, go: Go, script: Script) -> None:
    (here / "other.py").write_text(f"{SLOW}wrong = 1\n")
    script.speed = lambda source, _: Verdict("incorrect", "no") if "wrong" in source else 1.0
    with pytest.raises(TargetError, match="no program to start from: incorrect: no") as refused:
        go({"seeds": (here / "other.py",)})
    assert refused.value.subject == str(here / "other.py")
    (here / "other.py").write_text("def g(x):\n    return x\n")
    with pytest.raises(TargetError, match="no function 'f'"):
        go({"seeds": (here / "other.py",)})
    assert runs(here) == []


def test_a_run_may_start_from_several_programs(here: Path, go: Go) -> None:
    faster = f"{SLOW}x1 = 0\n"
    (here / "other.py").write_text(faster)
    paths = go({"seeds": (here / "other.py",)}).paths
    assert [(event.n, event.source, event.confirmed) for event in events(paths, Kind.SEED)] == [
        (0, SLOW, True),
        (1, faster, False),
    ]


@pytest.mark.parametrize("table", ["task_queue", "result_backend"])
def test_a_plugin_that_is_not_installed_leaves_no_run(
    here: Path, observer: Recorder, request_of: Callable[..., RunRequest], table: str
) -> None:
    tables = config().model_dump(mode="json") | {table: {"provider": "nope"}}
    with pytest.raises(PluginNotFound, match="nope"):
        evolve(request_of(type(config()).model_validate_json(json.dumps(tables))), observer)
    assert runs(here) == []


def test_a_workspace_that_cannot_be_written_is_wrong_use(here: Path, go: Go, script: Script) -> None:
    (here / ".peagen").write_text("")
    with pytest.raises(UsageError, match="directory cannot be made"):
        go()
    assert script.tasks == []


def test_a_workspace_that_is_read_only_is_wrong_use(here: Path, go: Go, script: Script) -> None:
    here.chmod(0o555)
    with nobody(), pytest.raises(UsageError, match="directory cannot be made: Permission denied"):
        go()
    assert script.tasks == []


@contextmanager
def nobody() -> Iterator[None]:
    """A user who may not write everywhere, as root may."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def test_an_output_that_cannot_be_written_is_found_out_before_anything_runs(
    here: Path, go: Go, script: Script
) -> None:
    with pytest.raises(UsageError, match="no such directory"):
        go({"output": here / "no" / "winner.py"})
    assert script.tasks == []
    assert runs(here) == []


def test_an_output_whose_directory_goes_away_meanwhile_costs_the_copy_and_not_the_run(
    here: Path, go: Go, observer: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "out").mkdir()
    monkeypatch.setattr(observer, "phase", lambda *_: shutil.rmtree(here / "out", ignore_errors=True))
    with pytest.raises(Exception, match="cannot be written") as refused:
        go({"output": here / "out" / "winner.py"})
    (run,) = runs(here)
    assert str(Path(".peagen/runs", run.name, "winner.py")) in str(refused.value)
    assert (run / "winner.py").exists()
    assert list(read(run / "ledger.arrow"))[-1].event is Kind.FINAL


def test_a_checkpoint_that_cannot_be_kept_is_done_without(
    here: Path, go: Go, observer: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "kept").mkdir()
    monkeypatch.setattr(observer, "phase", lambda *_: shutil.rmtree(here / "kept", ignore_errors=True))
    result = go({"checkpoint": here / "kept" / "mine.json"})
    assert result.improved
    assert any("checkpoint could not be kept" in note for note in observer.notes)
    assert go({"resume": result.paths.id}, max_generations=3).generation == 3


# Interruptions


class Interrupting(Script):
    """The person presses Ctrl-C while those numbers of mutations run."""

    def __init__(self, *presses: int) -> None:
        super().__init__()
        self.presses = presses
        self.mutations = 0

    def mutate(self, task: Task) -> Result | None:
        self.mutations += 1
        for _ in range(self.presses.count(self.mutations)):
            signal.raise_signal(signal.SIGINT)
        return super().mutate(task)


@pytest.fixture
def interrupted(
    here: Path,
    observer: Recorder,
    request_of: Callable[..., RunRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., RunResult]:
    def make(*presses: int, **request: Any) -> RunResult:
        script = Interrupting(*presses)
        monkeypatch.setattr("peagen_ray.runtime.run.LocalFabric", lambda *_, **__: ScriptedFabric(script))
        result = evolve(request_of(config(max_generations=50), **request), observer)
        assert "minimising the winner" not in observer.phases
        return result

    return make


def test_ctrl_c_keeps_the_best_and_ends_the_run_in_order(
    here: Path, interrupted: Callable[..., RunResult], observer: Recorder
) -> None:
    result = interrupted(9)
    assert (result.stopped, result.improved) == ("interrupted", True)
    assert result.told < 12
    assert observer.noted.wait(10)
    assert json.loads(result.paths.summary.read_text())["stopped"] == "interrupted"
    assert result.paths.checkpoint.exists()


def test_ctrl_c_twice_leaves_at_once_with_the_ledger_intact_and_the_run_goes_on_later(
    here: Path, interrupted: Callable[..., RunResult], go: Go
) -> None:
    before_handler = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        interrupted(9, 9)
    assert signal.getsignal(signal.SIGINT) == before_handler
    (run,) = runs(here)
    before = events(RunPaths(run), Kind.TELL)
    assert before
    assert not (run / "checkpoint.json").exists()
    assert not (run / "summary.json").exists()
    result = go({"resume": "last"}, max_generations=4)
    after = events(result.paths, Kind.TELL)
    assert after[: len(before)] == before
    assert result.told == 16
    asked = {event.n for event in events(result.paths, Kind.ASK)}
    assert asked == {event.n for event in after}


# The next life


def test_cells_in_place_of_a_grid_are_recorded_and_need_no_library_later(
    go: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = random.Random(3)
    middles = [(drawn.random(), drawn.random()) for _ in range(9)]
    fake = SimpleNamespace(k_means_centroids=lambda **_: (middles, None))
    monkeypatch.setitem(sys.modules, "ribs", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "ribs.archives", fake)
    archive = {"descriptors": ["size", "novelty"], "cells": 9, "ranges": {"size": [0, 400]}}
    first = go(archive=archive, max_generations=2)
    monkeypatch.setitem(sys.modules, "ribs.archives", None)
    with pytest.raises(MissingExtra, match="qd"):
        go(archive=archive)
    second = go({"resume": first.paths.id}, archive=archive, max_generations=4)
    recorded = meta(second.paths.ledger)
    assert recorded["centroids"] == [list(middle) for middle in middles]
    engine = build_engine(recorded)
    replay(read(second.paths.ledger), engine)
    assert len(engine.db) > 1
    assert {len(cell) for cell in engine.db.grid} == {1}
    engine_of_checkpoint = build_engine(recorded)
    engine_of_checkpoint.restore(json.loads(second.paths.checkpoint.read_text())["engine"])
    assert engine_of_checkpoint.state() == engine.state()
    shown, binning = champions(story_of(second.paths.ledger))
    assert {each.bucket for each in shown} == set(engine.db.grid)
    assert sum(spot.cells for spot in maps(shown, binning)[0].spots) == len(engine.db)


def test_what_is_not_as_it_was_when_the_run_began_is_told_and_recorded(
    go: Go, observer: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = go(max_generations=1)
    go({"resume": "last"})
    assert not [note for note in observer.notes if note.startswith("not as it was")]
    monkeypatch.setattr("platform.python_version", lambda: "3.99")
    go({"resume": "last"}, max_generations=3)
    (note,) = [note for note in observer.notes if note.startswith("not as it was")]
    assert note.endswith("now 3.99")
    lives = [event for event in read(first.paths.ledger) if event.event is Kind.RESUME]
    assert lives[-1].metrics["versions"]["python"] == "3.99"


def test_a_resumed_run_goes_on_where_it_was(here: Path, go: Go, script: Script) -> None:
    first = go()
    script.tasks.clear()
    second = go({"resume": first.paths.id}, max_generations=4)
    assert second.paths == RunPaths(Path(".peagen/runs", first.paths.id))
    assert (second.generation, second.told) == (4, 16)
    assert second.elapsed_s > first.elapsed_s
    assert "prepare" not in script.modes()
    assert [event.epoch for event in events(second.paths, Kind.FINAL)] == [0, 1]
    assert len(runs(here)) == 1


@pytest.mark.parametrize("damage", ["", "{", '{"format": 1, "run": "another"}'])
def test_a_missing_or_damaged_checkpoint_is_done_without(go: Go, damage: str) -> None:
    first = go()
    first.paths.checkpoint.write_text(damage) if damage else first.paths.checkpoint.unlink()
    assert go({"resume": "last"}, max_generations=3).told == 12


def test_a_checkpoint_that_is_kept_elsewhere_is_found_again(here: Path, go: Go) -> None:
    mine = here / "mine.json"
    first = go({"checkpoint": mine})
    assert not first.paths.checkpoint.exists()
    second = go({"checkpoint": mine, "resume": str(mine)}, max_generations=3)
    assert (second.paths.id, second.told) == (first.paths.id, 12)


def test_a_step_is_one_more_generation_whatever_the_configuration_says(go: Go, observer: Recorder) -> None:
    assert go({"more_generations": 1}, max_generations=50).generation == 1
    assert "until 1 more generation of 4" in observer.details[1]
    for generation in (2, 3):
        assert go({"more_generations": 1, "resume": "last"}, max_generations=50).generation == generation


def test_a_run_whose_rules_hold_already_only_judges_again(go: Go, script: Script) -> None:
    go()
    script.tasks.clear()
    result = go({"resume": "last"})
    assert (result.generation, result.improved) == (2, True)
    assert "mutate" not in script.modes()


def test_the_original_is_run_again_where_the_reference_is_gone(
    go: Go, script: Script, observer: Recorder
) -> None:
    first = go()
    first.paths.reference.unlink()
    script.tasks.clear()
    go({"resume": "last"}, max_generations=3)
    assert "running the original again" in observer.phases
    again = script.tasks[0]
    assert again.payload["mode"] == "prepare"
    assert again.payload["known"] == meta(first.paths.ledger)["reference"]
    assert again.payload["seed"] == 1
    assert first.paths.reference.exists()


@pytest.mark.parametrize("change", ["source", "entry", "workload"])
def test_a_run_does_not_go_on_with_anything_else(here: Path, go: Go, script: Script, change: str) -> None:
    both = f"{SLOW}\n\ndef g(xs: list[int]) -> int:\n    return max(xs)\n"
    (here / "slow.py").write_text(both)
    go()
    script.tasks.clear()
    entry = "f"
    if change == "source":
        (here / "slow.py").write_text(f"{both}# more\n")
    elif change == "workload":
        (here / "slow_workload.py").write_text(WORKLOAD)
    else:
        entry = "g"
    with pytest.raises(UsageError, match="the run began with another") as refused:
        go({"resume": "last"}, entry_fn=entry)
    was = "derived from type hints" if change == "workload" else "f in slow.py"
    assert was in refused.value.hint
    assert script.tasks == []
    (here / "slow.py").write_text(both)
    (here / "slow_workload.py").unlink(missing_ok=True)
    assert go({"resume": "last"}, max_generations=3).told == 12, "the ledger was let go"


def test_a_run_that_another_process_writes_is_left_alone(go: Go) -> None:
    first = go()
    with Ledger.open(first.paths.ledger), pytest.raises(LedgerError, match="another process"):
        go({"resume": "last"})


def test_an_unknown_run_cannot_be_resumed(here: Path, go: Go) -> None:
    with pytest.raises(UsageError, match="no such run"):
        go({"resume": "last"})
    assert not (here / ".peagen").exists()


def test_a_success_is_its_data_and_a_failure_an_error() -> None:
    task = Task(kind=TaskKind.EXECUTE)
    assert result_data(Result.success(task, {"x": 1})) == {"x": 1}
    with pytest.raises(EvolutionError) as failed:
        result_data(failure(task))
    assert (failed.value.what, failed.value.subject) == ("it broke", f"task {task.id}")
    assert ok(2.0).speed is not None


# Another selector, and late answers


def test_a_selector_that_is_named_takes_over_and_is_taken_back(go: Go, observer: Recorder) -> None:
    go(selector="epsilon")
    go({"resume": "last"}, selector="legacy", max_generations=3)
    go({"resume": "last"}, max_generations=4)
    result = go({"resume": "last"}, selector="epsilon", max_generations=5)
    lives = [event.detail for event in events(result.paths, Kind.RESUME)]
    assert [life.get("selector") for life in lives] == ["legacy", None, "epsilon"]
    assert [note for note in observer.notes if "selector" in note] == [
        "from here on parents are chosen by the selector legacy",
        "from here on parents are chosen by the selector epsilon",
    ]
    assert lived_again(result)


def test_a_selectors_options_may_change_too(
    here: Path, script: Script, observer: Recorder, request_of: Callable[..., RunRequest]
) -> None:
    evolve(request_of(config()), observer)
    table = config(max_generations=3).model_dump(mode="json", exclude_unset=True)
    table["selector"] = {"epsilon": {"eps_init": 0.5}}
    result = evolve(request_of(Config.model_validate(table), resume="last"), observer)
    (life,) = events(result.paths, Kind.RESUME)
    assert life.detail == {"selector": "epsilon", "options": {"eps_init": 0.5}}


def test_options_of_a_selector_that_does_not_exist_are_a_mistake(
    observer: Recorder, request_of: Callable[..., RunRequest]
) -> None:
    table = config().model_dump(mode="json", exclude_unset=True)
    table["selector"] = {"epsilonn": {"eps_init": 0.5}}
    with pytest.raises(PluginNotFound, match="epsilonn"):
        evolve(request_of(Config.model_validate(table)), observer)


class Dying(Script):
    """The broker goes away at the given mutation, whose task stays in the queue; the queue lives on."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self.at = at
        self.kept: list[Task] = []

    def mutate(self, task: Task) -> Result | None:
        self.at -= 1
        if self.at == 0:
            self.kept.append(task)
            raise BrokerUnavailable("gone")
        return super().mutate(task)


def test_late_answers_of_an_earlier_life_are_dropped_and_counted_with_their_cost(
    here: Path,
    observer: Recorder,
    request_of: Callable[..., RunRequest],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script = Dying(4)
    fabric = ScriptedFabric(script)
    monkeypatch.setattr("peagen_ray.runtime.run.LocalFabric", lambda *_, **__: fabric)
    monkeypatch.setattr(fabric.queue, "close", lambda: None)
    monkeypatch.setattr("peagen_ray.runtime.driver.withdraw", lambda *_: None)
    with pytest.raises(BrokerUnavailable):
        evolve(request_of(config()), observer)
    (late,) = script.kept
    with ScriptedFabric(
        Script()
    ) as elsewhere:  # a life on another provider, which knows nothing of the first one's tasks
        monkeypatch.setattr("peagen_ray.runtime.run.LocalFabric", lambda *_, **__: elsewhere)
        assert evolve(request_of(config(), resume="last"), observer).late == 0
    fabric.queue.publish(Result.success(late, {"rejected": "identical", "tokens": 70, "usd": 0.5}))
    monkeypatch.setattr("peagen_ray.runtime.run.LocalFabric", lambda *_, **__: fabric)
    for _ in range(2):
        result = evolve(request_of(config(max_generations=3), resume="last"), observer)
    drops = events(result.paths, Kind.DROP)
    assert {event.epoch for event in drops} == {0}
    assert len({event.n for event in drops}) == len(drops) == result.late
    (dropped,) = [event for event in drops if event.tokens]
    assert (dropped.tokens, dropped.usd) == (70, 0.5)
    asked = [(event.n, event.epoch) for event in events(result.paths, Kind.ASK) if event.n == dropped.n]
    assert asked == [(dropped.n, 0), (dropped.n, 1)]
    assert [event.epoch for event in events(result.paths, Kind.TELL) if event.n == dropped.n] == [1]
    assert lived_again(result)
    assert any(f"late answers of earlier lives, dropped: {result.late}" in note for note in observer.notes)


def lived_again(result: RunResult) -> int:
    """The events of a run that an engine lives again without diverging."""
    return replay(read(result.paths.ledger), build_engine(meta(result.paths.ledger)))


def test_a_task_that_was_cancelled_is_no_late_answer(go: Go, here: Path) -> None:
    result = go()
    assert go({"resume": "last"}, max_generations=3).late == 0
    assert events(result.paths, Kind.DROP) == []
