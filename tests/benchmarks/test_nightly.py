"""The comparison of benchmarks with their baseline: what is worse is named, what cannot be read is worse."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

FOLDER = Path(__file__).parents[2] / "benchmarks"


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("nightly", FOLDER / "nightly.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["nightly"] = module
    spec.loader.exec_module(module)
    return module


nightly = loaded()


def figure(value: float, better: str, noise: float) -> dict[str, Any]:
    return nightly.figures_of({"figures": {"a.b": {"value": value, "better": better, "noise": noise}}})


@pytest.mark.parametrize(
    ("better", "found", "passes"),
    [
        ("higher", 10, True),
        ("higher", 8.1, True),
        ("higher", 7.9, False),
        ("lower", 0, True),
        ("lower", 11.9, True),
        ("lower", 12.1, False),
        ("lower", True, True),
    ],
)
def test_a_figure_may_be_worse_by_its_noise_and_no_more(better: str, found: float, passes: bool) -> None:
    wrong = list(nightly.compared(json.dumps({"a": {"b": found}}), figure(10, better, 0.2)))
    assert (wrong == []) is passes
    assert all("a.b" in each for each in wrong)


@pytest.mark.parametrize(
    "line",
    [
        "",
        "nonsense",
        "[]",
        "3",
        "null",
        '{"a": 3}',
        '{"a": {"b": "10"}}',
        '{"a": {"b": NaN}}',
        '{"a": {"b": null}}',
        '{"a": {"b": Infinity}}',
        '{"a": {"b": 1' + "0" * 400 + "}}",
        '{"a": {"b": 1' + "0" * 5000 + "}}",
        '{"a":' * 100_000,
    ],
)
def test_what_a_benchmark_does_not_print_is_worse(line: str) -> None:
    assert len(list(nightly.compared(line, figure(10, "higher", 0.2)))) == 1


@pytest.mark.parametrize("line", ["nonsense", "", '{"a": {"b": 1}}'])
def test_a_run_names_what_is_worse_and_goes_on(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, said in {"one.py": line, "two.py": '{"a": {"b": 10}}'}.items():
        (tmp_path / name).write_text(f"print({said!r})")
    figures = {"a.b": {"value": 10, "better": "higher", "noise": 0.2}}
    baseline = {name: {"figures": figures} for name in ("one.py", "two.py")}
    (tmp_path / "baseline.json").write_text(json.dumps(baseline))
    monkeypatch.setattr(nightly, "HERE", tmp_path)
    monkeypatch.setattr(nightly, "BASELINE", tmp_path / "baseline.json")
    monkeypatch.setattr(sys, "argv", ["nightly.py"])
    assert nightly.main() == 1
    found = json.loads(capsys.readouterr().out)
    assert set(found["problems"]) == {"one.py"}
    assert found["printed"]["two.py"] == {"a.b": 10}


def test_a_script_may_have_entries_with_options_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "one.py").write_text("import json, sys; print(json.dumps({'words': len(sys.argv) - 1}))")

    def entry(words: int) -> dict[str, Any]:
        figures = {"words": {"value": words, "better": "higher", "noise": 0}}
        return {"options": ["--last"], "figures": figures}

    baseline = {"one.py": entry(1), "one.py --provider ray": entry(3), "none.py": entry(1)}
    (tmp_path / "baseline.json").write_text(json.dumps(baseline))
    monkeypatch.setattr(nightly, "HERE", tmp_path)
    monkeypatch.setattr(nightly, "BASELINE", tmp_path / "baseline.json")
    monkeypatch.setattr(sys, "argv", ["nightly.py"])
    assert nightly.main() == 0
    printed = json.loads(capsys.readouterr().out)["printed"]
    assert printed == {"one.py": {"words": 1}, "one.py --provider ray": {"words": 3}}


@given(
    st.recursive(
        st.none() | st.floats() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_compared(printed: Any) -> None:
    assert len(list(nightly.compared(json.dumps(printed), figure(10, "higher", 0.2)))) <= 1


@pytest.mark.parametrize(
    "fields", [{"value": 1, "better": "more", "noise": 0.1}, {"value": 1, "better": "lower", "noise": 2}]
)
def test_a_baseline_that_means_nothing_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"a\.b"):
        nightly.figures_of({"figures": {"a.b": fields}})


def test_every_benchmark_has_a_baseline_and_every_baseline_its_script() -> None:
    baseline = json.loads((FOLDER / "baseline.json").read_text())
    scripts = {script.name for script in FOLDER.glob("[a-z]*.py")} - nightly.OWN
    assert {nightly.script_of(name) for name in baseline} == scripts
    for entry in baseline.values():
        assert nightly.figures_of(entry)
