"""``evolve run`` and ``evolve step``: flags become a request, and what came of it is told where it belongs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peagen_ray.cli.boundary import run
from peagen_ray.errors import ReplayDivergence, WorkloadError
from peagen_ray.runtime.control import Control
from peagen_ray.runtime.paths import RunPaths
from peagen_ray.runtime.progress import Observer
from peagen_ray.runtime.result import RunResult
from peagen_ray.runtime.settings import RunRequest, cores
from peagen_ray.testing.pretended import Pretence, record

SLOW = "def f(xs: list[int]) -> int:\n    return sum(xs)\n"
TARGET = ("--target-file", "slow.py")

RESULT = RunResult(
    paths=RunPaths(Path(".peagen/runs/one")),
    stopped="max_generations",
    improved=False,
    source=SLOW,
    diff="",
    ratio=1.0,
    low=1.0,
    high=1.0,
    reference_ms=200.0,
    speed_ms=200.0,
    inputs=0,
    first_10x_s=None,
    best_s=None,
    elapsed_s=1.0,
    generation=1,
    told=10,
    outcomes={"ok": 10},
    hunks=(0, 0),
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PEAGEN_QUEUE", raising=False)
    (tmp_path / "slow.py").write_text(SLOW)
    return tmp_path


@pytest.fixture
def asked(here: Path, monkeypatch: pytest.MonkeyPatch) -> list[RunRequest]:
    """The requests that commands made; none of them is carried out."""
    requests: list[RunRequest] = []

    def evolve(request: RunRequest, observer: Observer, control: Control) -> RunResult:
        requests.append(request)
        observer.phase("evolving", "quickly")
        return RESULT

    monkeypatch.setattr("peagen_ray.runtime.run.evolve", evolve)
    return requests


def evolve_run(*more: str) -> int:
    return run(["evolve", "run", *TARGET, *more])


def test_flags_reach_the_run(here: Path, asked: list[RunRequest]) -> None:
    flags = {
        "--entry-fn": "f",
        "--workload": "w.py",
        "--generations": "7",
        "--target-ms": "12.5",
        "--no-improve": "3",
        "--run-timeout": "90s",
        "--selector": "legacy",
        "--mutator": "genetic",
        "--backend": "cpu",
        "--generation-size": "4",
        "--seed": "11",
        "--goal": "be quick",
        "--concurrency": "3",
        "--checkpoint": "c.json",
        "--output": "best.py",
    }
    repeated = ["--seed-program", "a.py", "--seed-program", "b.py", "--ordered", "--sync", "--unsafe"]
    assert evolve_run(*(word for pair in flags.items() for word in pair), *repeated) == 0
    (request,) = asked
    evolve, stop = request.config.evolve, request.config.evolve.stop
    assert (evolve.entry_fn, evolve.selector, evolve.mutator, evolve.backend) == (
        "f",
        "legacy",
        "genetic",
        "cpu",
    )
    assert (evolve.generation_size, evolve.seed, evolve.goal, evolve.ordered) == (4, 11, "be quick", True)
    assert (stop.max_generations, stop.target_ms, stop.no_improve) == (7, 12.5, 3)
    assert stop.run_timeout is not None
    assert stop.run_timeout.total_seconds() == 90
    assert request.config.task_queue.provider == "stub"
    assert request.config.execute.unsafe
    assert (request.target, request.workload) == (Path("slow.py"), Path("w.py"))
    assert request.seeds == (Path("a.py"), Path("b.py"))
    assert (request.checkpoint, request.output) == (Path("c.json"), Path("best.py"))
    assert (request.concurrency, request.resume, request.more_generations) == (3, None, None)


def test_without_flags_the_defaults_of_the_configuration_hold(here: Path, asked: list[RunRequest]) -> None:
    assert evolve_run() == 0
    assert asked[0].config.evolve.ordered is False
    assert asked[0].concurrency == cores()
    assert asked[0].output == Path("winner.py")
    (here / ".peagen.toml").write_text(
        '[task_queue]\nprovider = "stub"\n[worker.defaults]\nconcurrency = 5\n[mutate]\ntarget_file = "slow.py"\n'
    )
    assert run(["evolve", "run"]) == 0
    assert (asked[1].concurrency, asked[1].target) == (5, Path("slow.py"))


def test_workers_is_another_name_for_concurrency(asked: list[RunRequest]) -> None:
    evolve_run("--workers", "6")
    assert asked[0].concurrency == 6


def test_a_step_is_one_generation_whose_summary_is_json_on_stdout(
    asked: list[RunRequest], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evolve", "step", *TARGET, "--seed", "3", "--workload", "w.py", "--sync"]) == 0
    (request,) = asked
    assert (request.more_generations, request.output, request.workload) == (1, None, Path("w.py"))
    captured = capsys.readouterr()
    assert json.loads(captured.out) == RESULT.to_data()
    assert "evolving: quickly" in captured.err
    assert "no faster program was found" in captured.err


def test_a_run_tells_a_person_on_stdout_and_a_program_on_demand(
    asked: list[RunRequest], capsys: pytest.CaptureFixture[str]
) -> None:
    evolve_run()
    captured = capsys.readouterr()
    assert captured.out.startswith("evolving: quickly\nno faster program was found")
    assert captured.err == ""
    evolve_run("--json")
    captured = capsys.readouterr()
    assert json.loads(captured.out) == RESULT.to_data()
    assert "no faster program was found" in captured.err


@pytest.mark.parametrize(
    ("more", "resume"),
    [
        (["--resume"], "last"),
        (["--resume", "--run", "one"], "one"),
        (["--resume", "--checkpoint", "c.json"], "c.json"),
        (["--resume", "--checkpoint", "c.json", "--run", "one"], "one"),
        (["--checkpoint", "c.json"], None),
    ],
)
@pytest.mark.parametrize("command", ["run", "step"])
def test_a_run_is_resumed_by_name_by_checkpoint_or_the_last_one(
    asked: list[RunRequest], command: str, more: list[str], resume: str | None
) -> None:
    assert run(["evolve", command, *TARGET, *more]) == 0
    assert asked[0].resume == resume


@pytest.mark.parametrize("command", ["run", "step"])
def test_a_run_that_goes_on_need_not_be_told_again_what_it_improves(
    asked: list[RunRequest], here: Path, command: str
) -> None:
    ledger = here / ".peagen/runs/20260301-120000-ab12/ledger.arrow"
    ledger.parent.mkdir(parents=True)
    record(ledger, Pretence(candidates=2))
    assert run(["evolve", command, "--resume", "--run", "20260301-120000-ab12"]) == 0
    assert (str(asked[0].target), asked[0].config.evolve.entry_fn) == ("slow.py", "slow")


@pytest.mark.parametrize("command", ["run", "step"])
@pytest.mark.parametrize(
    ("args", "message", "hint"),
    [
        (["--run", "one", *TARGET], "--run names a run to go on with", "add --resume"),
        ([], "evolve: which file?", "--target-file FILE"),
        (["--sync", "--queue", *TARGET], "without a queue", "drop --sync"),
        (["--sync", "--provider", "redis", *TARGET], "without a queue", "drop --sync"),
        (["--seed", "-1", *TARGET], "--seed", ""),
        (["--concurrency", "0", *TARGET], "--concurrency", ""),
        (["--concurrency", "many", *TARGET], "--concurrency", ""),
    ],
)
def test_wrong_use_is_exit_2(
    asked: list[RunRequest],
    capsys: pytest.CaptureFixture[str],
    command: str,
    args: list[str],
    message: str,
    hint: str,
) -> None:
    assert run(["evolve", command, *args]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert message in captured.err
    assert hint in captured.err
    assert asked == []


def test_a_dry_run_shows_the_plan_and_carries_out_nothing(
    here: Path, asked: list[RunRequest], capsys: pytest.CaptureFixture[str]
) -> None:
    assert evolve_run("--dry-run", "--generations", "2") == 0
    captured = capsys.readouterr()
    assert "would evolve f in slow.py" in captured.out
    assert "at most 20 candidates" in captured.out
    assert run(["evolve", "step", *TARGET, "--dry-run"]) == 0
    captured = capsys.readouterr()
    assert captured.out == "", "stdout is for JSON"
    assert "at most 10 candidates" in captured.err
    assert asked == []
    assert [path.name for path in here.iterdir()] == ["slow.py"]


@pytest.mark.parametrize(
    ("error", "code"), [(WorkloadError("no inputs", subject="slow.py", hint="write some"), 2)]
)
def test_what_goes_wrong_is_told_on_stderr_with_its_exit_code(
    asked: list[RunRequest],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    code: int,
) -> None:
    def fail(*_: Any) -> RunResult:
        raise error

    monkeypatch.setattr("peagen_ray.runtime.run.evolve", fail)
    assert evolve_run("--json") == code
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "Error: slow.py: no inputs\nHint: write some\n")


def test_verbose_shows_candidates(
    asked: list[RunRequest], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from peagen_ray.evolution.program import Outcome
    from peagen_ray.runtime.progress import Told

    def evolve(_: RunRequest, observer: Observer, control: Control) -> RunResult:
        observer.candidate(Told(1, "mutate", 0, "genetic/x", Outcome.ERROR, "exit 3", None, accepted=False))
        return RESULT

    monkeypatch.setattr("peagen_ray.runtime.run.evolve", evolve)
    evolve_run()
    assert "exit 3" not in capsys.readouterr().out
    evolve_run("-v")
    assert "error  genetic/x  exit 3" in capsys.readouterr().out


# --replay

REPLAYED = {"run": "one", "questions": 12, "mutations": 10, "programs": 9, "best": 3, "directory": "d"}


@pytest.fixture
def recorded(here: Path, monkeypatch: pytest.MonkeyPatch) -> list[RunPaths]:
    """The runs that were replayed, of which there is one called ``one``."""
    replayed: list[RunPaths] = []

    def replay(paths: RunPaths) -> dict[str, Any]:
        replayed.append(paths)
        return REPLAYED

    (here / ".peagen" / "runs" / "one").mkdir(parents=True)
    (here / ".peagen" / "runs" / "one" / "ledger.arrow").write_bytes(b"")
    monkeypatch.setattr("peagen_ray.runtime.replaying.replay", replay)
    return replayed


def test_a_replay_needs_no_target_and_says_what_was_the_same(
    recorded: list[RunPaths], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evolve", "run", "--replay", "last"]) == 0
    assert [paths.id for paths in recorded] == ["one"]
    said = capsys.readouterr().out
    assert said == (
        "replayed one: 12 questions asked again, 9 programs byte-identical and in the same order, "
        "10 mutations made again\n"
    )
    assert run(["evolve", "run", "--replay", "one", "--json"]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == REPLAYED
    assert captured.err == said


def test_a_dry_replay_replays_nothing(recorded: list[RunPaths], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evolve", "run", "--replay", "one", "--dry-run"]) == 0
    assert capsys.readouterr().out == "would replay .peagen/runs/one\n"
    assert recorded == []


@pytest.fixture
def fails(monkeypatch: pytest.MonkeyPatch) -> Callable[[Exception], None]:
    def install(error: Exception) -> None:
        def replay(_: RunPaths) -> dict[str, Any]:
            raise error

        monkeypatch.setattr("peagen_ray.runtime.replaying.replay", replay)

    return install


def test_a_replay_that_diverges_failed(
    recorded: list[RunPaths], fails: Callable[[Exception], None], capsys: pytest.CaptureFixture[str]
) -> None:
    fails(ReplayDivergence("seed: recorded 1, replayed 2", subject="event 3 (ask 1)"))
    assert run(["evolve", "run", "--replay", "one"]) == 1
    assert capsys.readouterr().err == "Error: event 3 (ask 1): seed: recorded 1, replayed 2\n"


def test_a_replay_of_no_run_is_wrong_use(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["evolve", "run", "--replay", "nope"]) == 2
    assert "nope: no such run" in capsys.readouterr().err


def test_a_dashboard_without_a_terminal_is_done_without_and_that_is_said(
    asked: list[RunRequest], capsys: pytest.CaptureFixture[str]
) -> None:
    assert evolve_run("--dashboard") == 0
    told = capsys.readouterr().out.splitlines()
    assert told[:2] == [
        "--dashboard needs a terminal that can be drawn on; the progress comes in lines",
        "evolving: quickly",
    ]
