"""``plugin list``, ``check`` and ``new``: what is installed, whether it holds, and a wheel to begin with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peagen_ray.cli.boundary import run
from peagen_ray.plugins import Registration
from peagen_ray.runtime.loading import problems
from peagen_ray.runtime.scaffold import SCAFFOLDS, plan

Wheel = Callable[..., Path]

GREEDY = """
from peagen_ray.evolution.selectors.base import ParentSelector
class Greedy(ParentSelector):
    NAME = "greedy"
    def select(self, db):
        return db.ranked(0)
"""
DEAF = GREEDY.replace("db.ranked(0)", "None")


def listed(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, dict[str, Any]]:
    capsys.readouterr()
    assert run(["plugin", "list", "--json", *words]) == 0
    return {f"{each['wheel']}:{each['name']}": each for each in json.loads(capsys.readouterr().out)}


def test_ours_load_and_say_which_wheel_they_are_of(
    own_wheel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = listed(capsys)
    assert {each["kind"] for each in found.values()} >= {"handler", "queue", "selector", "mutator", "llm"}
    ours = {name: each["why"] for name, each in found.items() if each["wheel"] == "peagen-ray"}
    assert ours["peagen-ray:epsilon"] == ours["peagen-ray:redis"] == ""
    assert run(["plugin", "list", "--kind", "selector"]) == 0
    out = capsys.readouterr().out
    assert "epsilon" in out
    assert "redis" not in out


def test_a_plugin_that_fails_however_it_may_hides_no_other(
    wheel: Wheel, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel("raising", "a = raising_module:A", module="raise RuntimeError('no licence')")
    wheel("ending", "b = ending_module:B", module="import os\nprint('rubbish')\nos._exit(7)")
    wheel("greedy", "c = greedy_module:Greedy", module=GREEDY)
    wheel("odd", "d = odd_module:Odd", module="Odd = 3")
    wheel("left", "e = left_module:L", module="L = 1")
    wheel("right", "e = right_module:R", version="2.0", module="R = 1")
    found = listed(capsys, "--kind", "selector")
    why = {name: each["why"] for name, each in found.items()}
    assert "RuntimeError: no licence" in why["raising:a"]
    assert why["ending:b"] == "importing it ends the process (exit 7)"
    assert why["greedy:c"] == ""
    assert "is no subclass of peagen_ray.evolution.selectors.base.ParentSelector" in why["odd:d"]
    assert (
        why["left:e"] == why["right:e"] == "registered by left 1.0 and by right 2.0 (uninstall all but one)"
    )
    assert run(["plugin", "list", "--kind", "selector"]) == 0
    assert "selector a: " in capsys.readouterr().out


def test_a_plugin_that_never_ends_loading_is_named() -> None:
    stuck = Registration("selector", "epsilon", "", "", "")
    assert problems([stuck], patience_s=0.001) == ["importing it takes longer than 0.001 s"]


def test_a_plugin_that_breaks_its_contract_is_told_by_the_tests_that_it_fails(
    wheel: Wheel, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel("deaf", "greedy = deaf_module:Greedy", module=DEAF)
    assert run(["plugin", "check", "greedy", "--json"]) == 1
    out, err = capsys.readouterr()
    assert "selector greedy of deaf 1.0 does not keep its contract" in err
    found = json.loads(out)
    assert (found["kind"], found["wheel"], found["holds"]) == ("selector", "deaf", False)
    assert "test_it_selects_champions_of_the_archive" in {each["test"] for each in found["failed"]}
    assert "test_it_has_the_name_under_which_it_is_registered" in found["passed"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nobody"], "no installed wheel registers it"),
        (["same"], "registered by left 1.0 and by right 1.0"),
        (["both"], "is the name of a mutator and of a selector"),
        (["raising"], "RuntimeError: no licence"),
        (["texts"], "there is no contract suite for templates"),
        (["epsilon", "--url", "x://"], "--url is for a queue or a backend"),
        (["epsilon", "--task", "x"], "--task is for a handler"),
        (["RenderHandler", "--task", "not-there"], "there is no such file"),
        (["epsilon", "--kind", "selectors"], "there is no such kind"),
    ],
)
def test_what_cannot_be_checked_is_said(
    wheel: Wheel, own_wheel: Path, capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    wheel("left", "same = left_module:L")
    wheel("right", "same = right_module:R")
    wheel("one", "both = one_module:One")
    wheel("two", "both = two_module:Two", group="peagen.mutators")
    wheel("raising", "raising = raising_module:A", module="raise RuntimeError('no licence')")
    wheel("texts", "texts = texts_module", group="peagen.template_sets")
    assert run(["plugin", "check", *words]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.slow
def test_a_new_wheel_of_each_kind_passes_its_own_test_as_it_was_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for kind in SCAFFOLDS:
        assert run(["plugin", "new", kind, "of_mine"]) == 0
    wheels = sorted(tmp_path.iterdir())
    assert [each.name for each in wheels] == [f"peagen-of-mine-{kind}" for kind in sorted(SCAFFOLDS)]
    for folder in wheels:
        tables = tomllib.loads((folder / "pyproject.toml").read_text())
        ((group, entries),) = tables["project"]["entry-points"].items()
        ((name, reference),) = entries.items()
        assert group.startswith("peagen.")
        assert f"{name}`" in (folder / "README.md").read_text() or name in (folder / "README.md").read_text()
        assert (folder / f"{reference.partition(':')[0]}.py").is_file()
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--import-mode=importlib"]
    path = os.pathsep.join([*map(str, wheels), *sys.path])
    tests = [str(folder / "tests") for folder in wheels]
    done = subprocess.run(
        [*command, f"--rootdir={tmp_path}", "-c", os.devnull, *tests],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    assert "skipped" not in done.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("Greedy", "such as greedy"),
        ("my-own", "such as my_own"),
        ("7th", "such as th"),
        ("class", "such as class_one"),
        ("", "such as my_own"),
        ("../../etc", "such as etc"),
        ("a" * 50, "such as " + "a" * 40),
        ("gier\n", "such as gier"),
    ],
)
def test_a_name_that_is_no_identifier_is_refused_with_one_that_is(
    here: Path, capsys: pytest.CaptureFixture[str], name: str, hint: str
) -> None:
    assert run(["plugin", "new", "selector", name]) == 2
    assert hint in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_a_name_that_is_taken_is_refused_with_whose_it_is(
    here: Path, own_wheel: Path, wheel: Wheel, capsys: pytest.CaptureFixture[str]
) -> None:
    wheel("foreign", "MineHandler = foreign_module:M", group="peagen.task_handlers")
    assert run(["plugin", "new", "selector", "epsilon"]) == 2
    assert "is taken: peagen-ray " in capsys.readouterr().err
    assert run(["plugin", "new", "handler", "mine"]) == 2
    assert "is taken: foreign 1.0" in capsys.readouterr().err
    assert run(["plugin", "new", "sandbox", "mine"]) == 2
    assert "there is no scaffold for 'sandbox'" in capsys.readouterr().err


def test_a_directory_that_is_there_is_left_alone(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for directory in ("empty", "file", "dangling"):
        (here / directory).mkdir() if directory == "empty" else None
        (here / directory).write_text("mine") if directory == "file" else None
        (here / directory).symlink_to("nowhere") if directory == "dangling" else None
        assert run(["plugin", "new", "selector", "mine", "--out", directory]) == 2
        assert f"{directory}: exists already" in capsys.readouterr().err
    assert (here / "file").read_text() == "mine"
    assert run(["plugin", "new", "selector", "mine", "--out", "no/such/directory"]) == 2
    assert sorted(path.name for path in here.iterdir()) == ["dangling", "empty", "file"], "no part is left"


def test_a_dry_run_writes_nothing(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plugin", "new", "queue", "mine", "--dry-run"]) == 0
    assert "would write peagen-mine-queue/peagen_mine_queue.py" in capsys.readouterr().out
    assert list(here.iterdir()) == []


def test_a_name_that_ends_in_its_kind_does_not_say_it_twice() -> None:
    wheel, made = plan("selector", "thrifty_selector")
    assert (wheel.distribution, wheel.cls) == ("peagen-thrifty-selector", "ThriftySelector")
    assert 'thrifty_selector = "peagen_thrifty_selector:ThriftySelector"' in made["pyproject.toml"]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    empty = tmp_path / "here"
    empty.mkdir()
    monkeypatch.chdir(empty)
    return empty
