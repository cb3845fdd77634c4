"""``mutate``: the diff on stdout, what a person reads on stderr, the program in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peagen_ray.cli.boundary import run
from peagen_ray.config.model import Config
from peagen_ray.errors import MutationRejected
from peagen_ray.evolution.diff import unified
from peagen_ray.runtime.mutating import Mutated

SLOW = "def f(xs):\n    return sum(xs)\n"
FAST = "def f(xs):\n    return fsum(xs)  # \x1b[2J\n"
TARGET = ("--target-file", "slow.py")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "slow.py").write_text(SLOW)
    return tmp_path


@pytest.fixture
def asked(here: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[Config, Path]]:
    """What was to be changed; the answer is always the same."""
    calls: list[tuple[Config, Path]] = []

    def mutate_once(config: Config, target: Path, say: Callable[[str], None]) -> Mutated:
        calls.append((config, target))
        return Mutated(FAST, "genetic/x\x1b[2J", unified(SLOW, FAST, "slow.py"))

    monkeypatch.setattr("peagen_ray.runtime.mutating.mutate_once", mutate_once)
    return calls


def test_the_program_is_written_beside_the_target_and_the_diff_shown(
    here: Path, asked: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["mutate", *TARGET, "--sync"]) == 0
    assert (here / "slow_mutated.py").read_text() == FAST
    captured = capsys.readouterr()
    assert captured.out == unified(SLOW, FAST, "slow.py").replace("\x1b", "\\x1b")
    assert captured.err == "operator: genetic/x\\x1b[2J\nwrote slow_mutated.py\n"


def test_flags_reach_the_mutator(here: Path, asked: list[tuple[Config, Path]]) -> None:
    flags = ["--entry-fn", "f", "--mutator", "mine", "--backend", "groq", "--seed", "4", "--goal", "be quick"]
    assert run(["mutate", *TARGET, *flags, "--output", "out.py"]) == 0
    ((config, target),) = asked
    mutate, evolve = config.mutate, config.evolve
    assert (mutate.entry_fn, mutate.mutator, mutate.backend) == ("f", "mine", "groq")
    assert (evolve.seed, evolve.goal, target) == (4, "be quick", Path("slow.py"))
    assert (here / "out.py").read_text() == FAST


def test_a_dry_run_shows_the_diff_and_writes_nothing(here: Path, asked: list[Any], capsys: Any) -> None:
    assert run(["mutate", *TARGET, "--dry-run"]) == 0
    assert "fsum" in capsys.readouterr().out
    assert [path.name for path in here.iterdir()] == ["slow.py"]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "mutate: which file?"),
        ([*TARGET, "--sync", "--queue"], "without a queue"),
        ([*TARGET, "--output", "no/such/place.py"], "cannot be written: No such file or directory"),
        ([*TARGET, "--output", "."], "cannot be written: Is a directory"),
    ],
)
def test_wrong_use_is_exit_2(
    asked: list[Any], capsys: pytest.CaptureFixture[str], args: list[str], message: str
) -> None:
    assert run(["mutate", *args]) == 2
    assert message in capsys.readouterr().err


def test_line_ends_are_written_as_they_are(
    here: Path, monkeypatch: pytest.MonkeyPatch, asked: list[Any]
) -> None:
    windows: Callable[..., Mutated] = lambda *_: Mutated("x = 1\r\n", "x", "")  # noqa: E731
    monkeypatch.setattr("peagen_ray.runtime.mutating.mutate_once", windows)
    run(["mutate", *TARGET])
    assert (here / "slow_mutated.py").read_bytes() == b"x = 1\r\n"


def test_a_mutator_without_an_idea_is_exit_1(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def reject(*_: Any) -> Mutated:
        raise MutationRejected("nothing", "left to try")

    monkeypatch.setattr("peagen_ray.runtime.mutating.mutate_once", reject)
    assert run(["mutate", *TARGET]) == 1
    assert capsys.readouterr().err == "Error: nothing: left to try\n"
    assert not (here / "slow_mutated.py").exists()
