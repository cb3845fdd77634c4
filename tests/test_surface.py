"""What importing and asking for help costs, and what the package shows of itself."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

import peagen_ray

HEAVY = {"ray", "pyarrow", "redis", "matplotlib", "hypothesis", "rich", "numpy"}
ROOT = Path(peagen_ray.__file__).parents[1]

_MODULES = "import json, sys; print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
_HELP = """
import contextlib, io, sys
from peagen_ray.cli import main
sys.argv = ["peagen-ray", *sys.argv[1:]]
said = io.StringIO()
try:
    with contextlib.redirect_stdout(said):
        main()
except SystemExit as leaving:
    assert leaving.code == 0, said.getvalue()
assert "Usage: peagen-ray" in said.getvalue()
"""


def loaded(code: str, cwd: Path, *args: str) -> set[str]:
    """The top-level modules that are loaded after ``code`` ran in a fresh interpreter."""
    command = [sys.executable, "-c", f"{code}\n{_MODULES}", *args]
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout))


def test_importing_the_package_loads_nothing_heavy(tmp_path: Path) -> None:
    found = loaded("import peagen_ray", tmp_path)
    assert "peagen_ray" in found
    assert not found & (HEAVY | {"pydantic", "typer", "tomlkit"})


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["evolve", "run"],
        ["evolve", "step"],
        ["mutate"],
        ["submit"],
        ["config", "show"],
        ["workload", "init"],
        ["caps"],
        ["report"],
    ],
)
def test_help_loads_nothing_heavy(args: list[str], tmp_path: Path) -> None:
    assert not loaded(_HELP, tmp_path, *args, "--help") & HEAVY


def test_our_containers_are_no_packages(tmp_path: Path) -> None:
    code = (
        "from importlib.util import find_spec\n"
        "names = 'handlers', 'tests', 'benchmarks', 'examples', 'peagen_handlers'\n"
        "print([list(spec.submodule_search_locations) if (spec := find_spec(n)) else [] for n in names])\n"
    )
    command = [sys.executable, "-c", code]
    installed = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=tmp_path, env=installed, capture_output=True, text=True, check=True, timeout=60
    )
    *containers, handlers = ast.literal_eval(done.stdout)
    assert not [place for places in containers for place in places if Path(place).is_relative_to(ROOT)]
    assert [Path(place).name for place in handlers] == ["peagen_handlers"]


def test_the_public_surface_is_this_list() -> None:
    assert peagen_ray.__all__ == [
        "Result",
        "Run",
        "RunResult",
        "Status",
        "Task",
        "TaskKind",
        "__version__",
        "evolve",
        "open_queue",
        "open_run",
        "submit",
    ]
    assert set(peagen_ray.__all__) <= set(dir(peagen_ray))
    assert all(hasattr(peagen_ray, name) for name in peagen_ray.__all__)


def test_both_names_of_the_program_are_the_same_one() -> None:
    scripts = entry_points(group="console_scripts")
    assert {scripts[name].value for name in ("peagen-ray", "peagen")} == {"peagen_ray.cli:main"}


def test_the_package_is_typed() -> None:
    assert (Path(peagen_ray.__file__).parent / "py.typed").exists()
