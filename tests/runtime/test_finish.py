"""The end of a run: nothing is claimed that was not measured, and nothing that was measured is lost."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from runtime_script import SLOW, Recorder, Script, ScriptedFabric, config, failure, measured, ok

from peagen_ray.errors import PeagenError
from peagen_ray.evolution.events import Kind
from peagen_ray.evolution.program import Program
from peagen_ray.evolution.stopping import StopReason
from peagen_ray.runtime.finish import FAMILIES, PRECISION, Finish, final_event, write
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.result import RunResult
from peagen_ray.runtime.run import build_engine
from peagen_ray.runtime.tasks import TaskMaker
from peagen_ray.runtime.watch import Watch
from peagen_ray.sandbox.base import GuestLimits
from peagen_ray.sandbox.measure import Interval, Verdict
from peagen_ray.sandbox.reference import Subject
from peagen_ray.task import Result, Task

FAST = "fast = 1\n" + SLOW
CLUTTERED = "idle = 1\nfast = 1\n" + SLOW.replace("sum(xs)", "sum(xs) + 0") + "rest = 1\n"
WRONG = Verdict("incorrect", "result: expected 1, got 2", confirmed=True)


def only_fast_counts(source: str, mode: str) -> float | Verdict:
    return 3.0 if "fast = 1" in source else 1.0


class Ending:
    """A finish with a scripted fabric; the engine's best is given."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.observer = Recorder()
        self.watch = Watch(self.observer, 200.0)
        self.fabric = ScriptedFabric(script)
        self.engine = build_engine({"seed": 1, "config": config().model_dump(mode="json")})
        subject = Subject(SLOW, "f", path="dir/slow.py")
        tasks = TaskMaker(
            "run", subject, Path("reference"), GuestLimits(), "cpu", "pure", {}, "genetic", 0.7, ""
        )
        fabric: Any = self.fabric
        self.finish = Finish(self.engine, tasks, fabric, self.watch, lambda: 12.0, 3.5)

    def judge(self, best: str | None, fitness: float = 1.0) -> Any:
        program = None if best is None else Program(7, best, fitness=fitness)
        return self.finish.judge(SLOW, program, 50)


@pytest.fixture
def ending() -> Iterator[Callable[..., Ending]]:
    made: list[Ending] = []

    def make(script: Script | None = None) -> Ending:
        made.append(Ending(script or Script(only_fast_counts)))
        return made[-1]

    yield make
    for each in made:
        each.fabric.queue.close()


@pytest.mark.parametrize(("best", "fitness"), [(None, 1.0), (SLOW, 1.0), (FAST, 0.0), (FAST, -0.5)])
def test_without_a_faster_program_nothing_is_measured_and_nothing_claimed(
    ending: Callable[..., Ending], best: str | None, fitness: float
) -> None:
    end = ending()
    assert end.judge(best, fitness) == (None, (0, 0))
    assert end.script.tasks == []
    assert end.observer.phases == []


def test_changes_that_gain_nothing_are_taken_back_before_the_winner_is_measured(
    ending: Callable[..., Ending],
) -> None:
    end = ending()
    judged, changes = end.judge(CLUTTERED)
    assert judged.source == FAST
    assert judged.metrics["ratio"] == pytest.approx(3.0)
    assert changes == (3, 1)
    assert end.observer.phases == ["minimising the winner", "measuring the winner"]
    assert "50 fresh inputs" in end.observer.details[-1]
    (final,) = [task for task in end.script.tasks if task.payload.get("mode") == "confirm"]
    assert final.payload["source"] == FAST
    assert (final.payload["fresh"], final.payload["precision"]) == (50, PRECISION)
    assert (final.payload["most_s"], final.payload["families"]) == (3.5, FAMILIES)
    assert len({task.id for task in end.script.tasks}) == len(end.script.tasks)


def test_a_smaller_change_that_fails_the_final_check_gives_way_to_the_whole_winner(
    ending: Callable[..., Ending],
) -> None:
    def speed(source: str, mode: str) -> float | Verdict:
        return WRONG if mode == "confirm" and "idle" not in source else only_fast_counts(source, mode)

    end = ending(Script(speed))
    judged, changes = end.judge(CLUTTERED)
    assert (judged.source, changes) == (CLUTTERED, (3, 3))
    assert end.observer.notes == ["turned down: incorrect: result: expected 1, got 2"]


@pytest.mark.parametrize(
    "final",
    [
        1.0,
        1.02,
        WRONG,
        Verdict("ok", "no gain in 1 of 3 interpreters", speed=Interval(2.0, 1.9, 2.1, 9), confirmed=True),
        Verdict("timeout", "no answer"),
    ],
)
def test_a_gain_that_the_final_measurement_does_not_bear_out_is_not_claimed(
    ending: Callable[..., Ending], final: float | Verdict
) -> None:
    end = ending(Script(lambda source, mode: final if mode == "confirm" else only_fast_counts(source, mode)))
    assert end.judge(CLUTTERED) == (None, (3, 0))


def test_a_person_in_a_hurry_waits_for_no_minimising(ending: Callable[..., Ending]) -> None:
    end = ending()
    end.watch.control.stopped = True
    judged, changes = end.judge(CLUTTERED)
    assert (judged.source, changes) == (CLUTTERED, (3, 3))
    assert end.script.modes() == ["confirm", "evaluate"]


def test_a_person_who_gets_impatient_ends_the_minimising_with_the_smallest_so_far(
    ending: Callable[..., Ending],
) -> None:
    class Impatient(Script):
        watch: Watch

        def execute(self, task: Task) -> Result | None:
            if len(self.tasks) > 2:
                self.watch.control.stopped = True
            return super().execute(task)

    script = Impatient(only_fast_counts)
    end = ending(script)
    script.watch = end.watch
    judged, _ = end.judge(CLUTTERED)
    assert judged is not None
    assert script.modes().count("screen") == 2
    assert "fast = 1" in judged.source


def test_a_winner_that_can_no_longer_be_ranked_is_not_minimised(ending: Callable[..., Ending]) -> None:
    class Unlucky(Script):
        def execute(self, task: Task) -> Result | None:
            if task.payload["mode"] == "screen":
                return failure(task, "no process could be started")
            return super().execute(task)

    end = ending(Unlucky(only_fast_counts))
    judged, changes = end.judge(CLUTTERED)
    assert (judged.source, changes) == (CLUTTERED, (3, 3))
    assert end.observer.notes == ["could not be measured: no process could be started"]
    assert end.observer.phases == ["measuring the winner"]


def test_a_measurement_that_cannot_be_scored_counts_as_none(ending: Callable[..., Ending]) -> None:
    class Broken(Script):
        def evaluate(self, task: Task) -> Result | None:
            return failure(task, "the evaluator broke")

    assert ending(Broken(only_fast_counts)).judge(CLUTTERED)[0] is None


def result(end: Ending, best: str | None) -> RunResult:
    judged, changes = end.judge(best)
    end.engine.stop(StopReason.MAX_GENERATIONS, 1.0)
    return end.finish.result(RunPaths(Path("run-1")), 200.0, judged, changes)


def test_the_result_of_a_gain(ending: Callable[..., Ending]) -> None:
    end = ending()
    end.watch.best_s = 3.21987
    found = result(end, CLUTTERED)
    assert found.improved
    assert (found.source, found.stopped, found.hunks) == (FAST, "max_generations", (3, 1))
    assert found.diff.startswith("--- a/slow.py\n+++ b/slow.py\n")
    assert found.speed_ms == pytest.approx(200.0 / 3.0)
    data = found.to_data()
    assert json.loads(json.dumps(data)) == data
    assert (data["ratio"], data["ratio_low"], data["ratio_high"]) == (3.0, 2.97, 3.03)
    assert (data["best_s"], data["first_10x_s"]) == (3.22, None)
    assert (data["winner"], data["run"]) == (str(Path("run-1/winner.py")), "run-1")


def test_the_result_without_a_gain_is_the_original(ending: Callable[..., Ending]) -> None:
    found = result(ending(), None)
    assert not found.improved
    assert (found.source, found.diff, found.ratio, found.speed_ms) == (SLOW, "", 1.0, 200.0)
    assert found.to_data()["winner"] is None


def test_the_ledgers_last_word_says_what_the_person_was_told(ending: Callable[..., Ending]) -> None:
    end = ending()
    judged, _ = end.judge(CLUTTERED)
    found = result(end, CLUTTERED)
    event = final_event(found, judged, 9.0, 2)
    assert (event.event, event.epoch, event.time_s, event.reason) == (Kind.FINAL, 2, 9.0, "max_generations")
    assert event.fitness == pytest.approx(math.log(3.0))
    assert (event.confirmed, event.source) == (True, FAST)
    assert event.metrics["inputs"] == 9
    assert event.detail == found.to_data()
    nothing = final_event(result(ending(), None), None, 9.0, 0)
    assert (nothing.confirmed, nothing.source, nothing.fitness, nothing.metrics) == (False, "", 0.0, {})


@pytest.fixture
def written(here: Path, ending: Callable[..., Ending]) -> RunResult:
    (here / "run-1").mkdir()
    return result(ending(), CLUTTERED)


def test_the_winner_its_diff_and_the_summary_are_written(here: Path, written: RunResult) -> None:
    write(written, here / "winner.py")
    files = {path.name: path.read_text() for path in (here / "run-1").iterdir()}
    assert files.keys() == {"winner.py", "winner.diff", "summary.json"}
    assert files["winner.py"] == (here / "winner.py").read_text() == FAST
    assert files["winner.diff"] == written.diff
    assert json.loads(files["summary.json"]) == written.to_data()


def test_where_nothing_was_gained_only_the_summary_is_written(
    here: Path, ending: Callable[..., Ending]
) -> None:
    (here / "run-1").mkdir()
    write(result(ending(), None), here / "winner.py")
    assert [path.name for path in (here / "run-1").iterdir()] == ["summary.json"]
    assert not (here / "winner.py").exists()


def test_line_ends_are_written_as_they_are(here: Path, ending: Callable[..., Ending]) -> None:
    (here / "run-1").mkdir()
    found = result(ending(), FAST.replace("\n", "\r\n"))
    write(found, here / "winner.py")
    assert (here / "winner.py").read_bytes() == found.source.encode()
    assert b"\r\n" in (here / "winner.py").read_bytes()


@pytest.mark.parametrize("output", ["gone/winner.py", "taken"])
def test_an_output_that_cannot_be_written_at_last_says_where_the_winner_is(
    here: Path, written: RunResult, output: str
) -> None:
    (here / "taken").mkdir()
    with pytest.raises(PeagenError, match="cannot be written") as refused:
        write(written, here / output)
    assert refused.value.subject == str(here / output)
    assert refused.value.hint == f"the best program is in {Path('run-1/winner.py')}"
    assert (here / "run-1" / "summary.json").exists()
    assert (here / "run-1" / "winner.py").read_text() == FAST
    assert not list(here.glob(".*.part"))


def test_a_run_directory_that_is_gone_is_told_too(written: RunResult) -> None:
    written.paths.root.rmdir()
    with pytest.raises(PeagenError, match="cannot be written") as refused:
        write(written, None)
    assert "ledger" in refused.value.hint


def test_the_script_measures_as_the_handlers_do() -> None:
    """Guards the script itself: an Evaluate task follows an Execute task under the same id every time."""
    task = Task(kind="execute")
    assert measured(task, ok(2.0)).data["evaluate"] == measured(task, ok(3.0)).data["evaluate"]
