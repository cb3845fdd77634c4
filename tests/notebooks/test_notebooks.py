"""Every notebook runs from top to bottom in a fresh kernel, with a small budget."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat") if "CI" not in os.environ else __import__("nbformat")
nbclient = pytest.importorskip("nbclient") if "CI" not in os.environ else __import__("nbclient")

ROOT = Path(__file__).parents[2]
NOTEBOOKS = ROOT / "notebooks"


def execute(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **parameters: Any) -> Any:
    """The notebook as it is after all of it ran in a directory of its own, with other parameters."""
    monkeypatch.setenv(
        "PEAGEN__EVALUATE__WINNER_S", "1"
    )  # seconds of measuring, of which a notebook needs few
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    notebook = nbformat.read(NOTEBOOKS / name, as_version=4)
    (cell,) = [each for each in notebook.cells if "parameters" in each.metadata.get("tags", ())]
    for parameter, value in parameters.items():
        cell.source, found = re.subn(rf"(?m)^{parameter} = .*$", f"{parameter} = {value!r}", cell.source)
        assert found == 1, parameter
    client = nbclient.NotebookClient(notebook, timeout=200, resources={"metadata": {"path": str(tmp_path)}})
    client.execute()  # raises what a cell raises
    assert not [each for each in cells(notebook) if not each.execution_count and each.source]
    return notebook


def cells(notebook: Any) -> list[Any]:
    return [each for each in notebook.cells if each.cell_type == "code"]


def shown(notebook: Any, kind: str) -> list[str]:
    """What cells showed of a MIME type, or printed."""
    outputs = [output for cell in cells(notebook) for output in cell.outputs]
    return [
        output.get("data", {}).get(kind, output.get("text", "") if kind == "text/plain" else "")
        for output in outputs
    ]


def test_notebooks_are_kept_without_outputs() -> None:
    for path in NOTEBOOKS.glob("*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
        assert not [each for each in cells(notebook) if each.outputs or each.execution_count], path.name


@pytest.mark.slow
def test_the_quick_start_evolves_a_function_of_a_cell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notebook = execute("01_quick_start.ipynb", tmp_path, monkeypatch, BUDGET="4s")
    assert any("<svg" in text for text in shown(notebook, "text/html"))
    assert any(shown(notebook, "image/png"))
    assert len(list(tmp_path.glob(".peagen/runs/*/report.html"))) == 1
    assert "SMALLEST = 0" in (tmp_path / ".peagen" / "targets" / "in_order.py").read_text()


@pytest.mark.slow
def test_a_run_is_analysed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = execute("03_analysing_a_run.ipynb", tmp_path, monkeypatch, BUDGET="3s")
    assert any("confirmed_fitness" in text for text in shown(notebook, "text/html"))


@pytest.mark.slow
def test_the_benchmarks_are_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = execute(
        "bench_report.ipynb",
        tmp_path,
        monkeypatch,
        BENCHMARKS=str(ROOT / "benchmarks"),
        SCRIPTS=["startup.py"],
        QUICK={"startup.py": ["--rounds", "2"]},
    )
    assert any("startup.py" in text for text in shown(notebook, "text/html"))
    assert any(shown(notebook, "image/png"))


@pytest.mark.nightly
def test_a_function_is_evolved_on_ray(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notebook = execute("02_on_ray.ipynb", tmp_path, monkeypatch, BUDGET="10s")
    assert any("mutate_s" in text for text in shown(notebook, "text/html"))
