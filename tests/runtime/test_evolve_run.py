"""``evolve run`` from outside: what a person types, and what is there afterwards."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peagen_ray.cli.boundary import run
from peagen_ray.evolution.events import Kind
from peagen_ray.evolution.ledger import read
from peagen_ray.evolution.program import Outcome


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, made_workspace: Callable[[Path], Any]) -> Any:
    """A workspace in which one whole run has ended, and its summary."""
    workspace = made_workspace(tmp_path_factory.mktemp("ended"))
    return workspace, workspace.evolve("--generations", "8", "--seed", "1", "--concurrency", "2")


@pytest.fixture
def after(ended: Any, tmp_path: Path, made_workspace: Callable[[Path], Any]) -> Any:
    """A copy of that workspace, to do with as one likes."""
    shutil.copytree(ended[0].path, tmp_path, dirs_exist_ok=True)
    return made_workspace(tmp_path)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Generations of four, where their number is what is tested."""
    monkeypatch.setenv("PEAGEN__EVOLVE__GENERATION_SIZE", "4")


@pytest.mark.slow
def test_a_run_leaves_a_faster_program_its_diff_its_summary_and_its_ledger(ended: Any) -> None:
    workspace, summary = ended
    folder = workspace.runs()[0]
    assert summary["improved"]
    assert summary["ratio_low"] <= summary["ratio"] <= summary["ratio_high"]
    assert summary["fresh_inputs"] >= 1000
    assert summary["candidates"] == 80
    assert (workspace.path / "winner.py").read_text() == (folder / "winner.py").read_text()
    namespace: dict[str, Any] = {}
    exec((folder / "winner.py").read_text(), namespace)
    assert namespace["unique"]([3, 1, 3, 2, 1]) == [3, 1, 2]
    assert json.loads((folder / "summary.json").read_text()) == summary
    applied = subprocess.run(
        ["patch", "-p1", "--dry-run", "-i", folder / "winner.diff"], cwd=workspace.path, check=False
    )
    assert applied.returncode == 0
    events = list(read(folder / "ledger.arrow"))
    assert events[-1].event is Kind.FINAL
    assert sum(e.event is Kind.TELL and e.kind == "mutate" for e in events) == 80


@pytest.mark.slow
def test_every_candidate_is_in_the_ledger_with_its_lineage_and_its_reason(ended: Any) -> None:
    events = list(read(ended[0].runs()[0] / "ledger.arrow"))
    asked = {e.n: e for e in events if e.event is Kind.ASK}
    told = {e.n: e for e in events if e.event is Kind.TELL}
    assert set(told) == set(asked)
    for event in told.values():
        assert event.parents == asked[event.n].parents
        assert event.outcome is Outcome.OK or event.reason
        assert event.wall
    assert all(e.detail["cpu"]["guests"] > 0 for e in told.values() if e.outcome is Outcome.OK)


@pytest.mark.slow
def test_replay_asks_the_same_questions_and_makes_the_same_programs(after: Any) -> None:
    folder = after.runs()[0]
    done = after.run("evolve", "run", "--replay", folder.name, "--json")
    told = json.loads(done.stdout)
    recorded = [e for e in read(folder / "ledger.arrow") if e.source and e.event is not Kind.FINAL]
    assert told["programs"] == len(recorded)
    assert told["mutations"] == 80
    for event in recorded:
        assert (folder / "replay" / f"{event.n:06d}.py").read_bytes() == event.source.encode()


@pytest.mark.slow
def test_a_replay_of_a_ledger_that_was_tampered_with_is_refused(after: Any) -> None:
    from peagen_ray.evolution.ledger import Ledger, meta

    folder = after.runs()[0]
    forged = {**meta(folder / "ledger.arrow"), "seed": 2}
    events = list(read(folder / "ledger.arrow"))
    (folder / "ledger.arrow").unlink()
    with Ledger.create(folder / "ledger.arrow", forged) as ledger:
        ledger.append(events)
    done = after.run("evolve", "run", "--replay", folder.name, code=1)
    assert "recorded" in done.stderr


@pytest.mark.nightly  # test_llm_cli.py interrupts a run too; below, one is interrupted twice
def test_an_interrupted_run_keeps_the_best_and_says_so_with_exit_code_0(workspace: Any) -> None:
    process = workspace.start(
        "evolve",
        "run",
        "--sync",
        "--target-file",
        "slow.py",
        "--entry-fn",
        "unique",
        "--seed",
        "1",
        "--json",
        "-v",
    )
    seen = _read_until(process, "confirm")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, seen + err
    assert json.loads(out)["stopped"] == "interrupted"
    assert (workspace.runs()[0] / "summary.json").exists()


@pytest.mark.slow
def test_two_interrupts_leave_at_once_with_the_ledger_intact_and_the_run_can_be_resumed(
    workspace: Any, small: None
) -> None:
    process = workspace.start(
        "evolve", "run", "--sync", "--target-file", "slow.py", "--entry-fn", "unique", "--seed", "1", "-v"
    )
    _read_until(process, "confirm", stream="stdout")
    process.send_signal(signal.SIGINT)
    _read_until(process, "stopping", stream="stdout")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    before = [e for e in read(workspace.runs()[0] / "ledger.arrow") if e.event is Kind.TELL]
    workspace.evolve("--generations", str(len(before) // 4 + 1), "--resume")
    after = [e for e in read(workspace.runs()[0] / "ledger.arrow") if e.event is Kind.TELL]
    assert after[: len(before)] == before
    assert len(after) > len(before)


def _read_until(process: subprocess.Popen[str], word: str, stream: str = "stderr") -> str:
    lines = getattr(process, stream)
    seen = ""
    for line in lines:
        seen += line
        if word in line:
            return seen
    pytest.fail(f"{word!r} never came: {seen}")


@pytest.mark.nightly  # the guide to migration takes four steps, one after the other, in every run
def test_a_step_is_one_generation_and_the_next_step_goes_on(workspace: Any, small: None) -> None:
    args = ("evolve", "step", "--sync", "--target-file", "slow.py", "--entry-fn", "unique")
    first = json.loads(workspace.run(*args, "--seed", "3").stdout)
    assert (first["generations"], first["candidates"], first["stopped"]) == (1, 4, "max_generations")
    second = json.loads(workspace.run(*args, "--resume").stdout)
    assert (second["generations"], second["candidates"]) == (2, 8)
    assert second["run"] == first["run"]
    assert not (workspace.path / "winner.py").exists()


BEST = """def unique(xs: list[int]) -> list[int]:
    first = dict.fromkeys(xs)
    result = list(first)
    return result
"""


@pytest.mark.slow
def test_ordered_runs_of_one_seed_ask_the_same_first_questions_whatever_the_concurrency(
    workspace: Any,
) -> None:
    workspace.target.write_text(BEST)  # with a winner there would be more to do, and no more questions
    for concurrency in ("1", "2"):
        workspace.evolve("--generations", "1", "--seed", "5", "--ordered", "--concurrency", concurrency)
    one, two = (
        [e for e in read(run / "ledger.arrow") if e.event is Kind.ASK and e.kind == "mutate"][:8]
        for run in workspace.runs()
    )
    assert [(e.n, e.seed, e.parents) for e in one] == [(e.n, e.seed, e.parents) for e in two]


@pytest.mark.slow
def test_a_method_is_improved_in_its_class(make_workspace: Callable[[str, str], Any], small: None) -> None:
    source = (
        "class Bag:\n    def __init__(self, items: list[int]) -> None:\n        self.items = items\n\n"
        "    def common(self, others: list[int]) -> list[int]:\n        found = []\n        for x in self.items:\n"
        "            if x in others:\n                found.append(x)\n        return found\n"
    )
    workspace = make_workspace("bag.py", source)
    args = ("evolve", "run", "--sync", "--json", "--target-file", "bag.py", "--entry-fn", "Bag.common")
    summary = json.loads(workspace.run(*args, "--generations", "2", "--seed", "1").stdout)
    assert summary["candidates"] == 8


@pytest.mark.slow
def test_a_whole_module_is_improved_through_the_workloads_call(
    make_workspace: Callable[[str, str], Any],
) -> None:
    workspace = make_workspace(
        "mod.py",
        "def total(xs):\n    s = 0\n    for x in xs:\n        s = s + x\n    return s\n\n\ndef main(n):\n    return total(range(n))\n",
    )
    (workspace.path / "mod_workload.py").write_text(
        "def inputs(rng, size):\n    return (size,)\n\n\ndef call(module, n):\n    return module.main(n)\n"
    )
    args = ("evolve", "run", "--sync", "--json", "--target-file", "mod.py")
    summary = json.loads(workspace.run(*args, "--generations", "3", "--seed", "1").stdout)
    assert summary["improved"]


@pytest.mark.nightly  # test_hostile_targets.py gives every run a further program, test_evolve_cli.py the flag
def test_a_run_may_start_from_several_programs(workspace: Any, small: None) -> None:
    faster = workspace.target.read_text().replace("result = result + [x]", "result.append(x)")
    (workspace.path / "faster.py").write_text(faster)
    workspace.evolve("--generations", "1", "--seed", "1", "--seed-program", "faster.py")
    seeds = [e for e in read(workspace.runs()[0] / "ledger.arrow") if e.event is Kind.SEED]
    assert [e.source for e in seeds] == [workspace.target.read_text(), faster]


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (["--target-file", "none.py"], 2, "none.py"),
        (["--target-file", "slow.py", "--entry-fn", "uniqe"], 2, "unique"),
        (["--target-file", "slow.py"], 2, "--entry-fn"),
        (["--target-file", "slow.py", "--entry-fn", "helper"], 2, "def inputs(rng, size)"),
        (["--target-file", "slow.py", "--entry-fn", "unique", "--selector", "nope"], 2, "nope"),
        (["--target-file", "slow.py", "--entry-fn", "unique", "--mutator", "patch"], 2, "genetic"),
        (["--target-file", "slow.py", "--entry-fn", "unique", "--provider", "nope"], 2, "stub"),
        (["--target-file", "slow.py", "--entry-fn", "unique", "--resume"], 2, "no run"),
        (["--target-file", "slow.py", "--entry-fn", "unique", "--run-timeout", "soon"], 2, "run-timeout"),
        (["--target-file", "broken.py", "--entry-fn", "f"], 2, "line 1"),
        ([], 2, "--target-file"),
    ],
)
def test_wrong_use_is_refused_before_anything_runs(
    workspace: Any,
    args: list[str],
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(workspace.path)
    Path("broken.py").write_text("def f(:\n")
    sync = [] if "--provider" in args else ["--sync"]
    assert run(["evolve", "run", *sync, *args]) == code
    said = capsys.readouterr().err
    assert message in said
    assert "Traceback" not in said


def test_a_dry_run_says_what_would_be_done_and_does_nothing(workspace: Any) -> None:
    done = workspace.run(
        "evolve", "run", "--sync", "--dry-run", "--target-file", "slow.py", "--entry-fn", "unique"
    )
    assert "would evolve unique" in done.stdout
    assert "token" in done.stdout
    assert sorted(path.name for path in workspace.path.iterdir()) == ["slow.py"]


def test_mutate_writes_one_proposal_and_shows_its_diff(workspace: Any) -> None:
    args = ("mutate", "--sync", "--target-file", "slow.py", "--entry-fn", "unique", "--seed", "4")
    done = workspace.run(*args)
    proposed = (workspace.path / "slow_mutated.py").read_text()
    assert proposed != workspace.target.read_text()
    assert "# keeps the first of each" in proposed
    assert done.stdout.startswith("--- a/slow.py")
    workspace.run(*args, "--output", "again.py")
    assert (workspace.path / "again.py").read_text() == proposed
