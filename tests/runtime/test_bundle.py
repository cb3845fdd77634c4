"""What an evaluator brings along, and what is kept of what it leaves."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from peagen_ray.errors import UsageError
from peagen_ray.runtime import bundle
from peagen_ray.runtime.bundle import pack
from peagen_ray.runtime.keepsakes import Keepsakes, told_metrics


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "task"
    for name in (
        "evaluator.py",
        "data/a.csv",
        "data/b.csv",
        ".env",
        ".git/config",
        "__pycache__/x.pyc",
        "run.sh",
    ):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    (root / "run.sh").chmod(0o755)
    (tmp_path / "secret").write_text("s")
    (root / "leak").symlink_to(tmp_path / "secret")
    (root / "same.csv").symlink_to("data/a.csv")
    return root


def names(content: bytes) -> list[str]:
    return zipfile.ZipFile(io.BytesIO(content)).namelist()


def test_all_but_hidden_files_caches_and_what_lies_elsewhere_comes_along(root: Path) -> None:
    content = pack(root)
    assert sorted(names(content)) == ["data/a.csv", "data/b.csv", "evaluator.py", "run.sh", "same.csv"]
    assert zipfile.ZipFile(io.BytesIO(content)).getinfo("run.sh").external_attr >> 16 == 0o755
    (root / "evaluator.py").touch()
    assert pack(root) == content


def test_patterns_say_what_is_needed_and_what_is_held_back(root: Path) -> None:
    assert sorted(names(pack(root, ["*.py", "data/"]))) == ["data/a.csv", "data/b.csv", "evaluator.py"]
    assert "data/b.csv" not in names(pack(root, (), ["data/b.csv"]))


def test_too_much_is_refused_with_the_largest_named(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MOST_BYTES", 1 << 20)
    (root / "data" / "huge.bin").write_bytes(bytes((1 << 20) + 1))
    with pytest.raises(UsageError, match=r"1 MiB, 5000 files\), such as data/huge\.bin"):
        pack(root)


def test_artifacts_are_kept_under_names_that_lead_nowhere_else(tmp_path: Path) -> None:
    said = {
        "../../etc/passwd": {"text": "x"},
        ".hidden": {"text": "ü\ud800"},
        "plot.png": {"base64": "UE5H"},
        "broken.png": {"base64": "a"},
        "big": {"left_out": "too big"},
    }
    Keepsakes(tmp_path / "artifacts").keep(7, said)
    found = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert found == {f"artifacts/000007/{name}" for name in ("_.._etc_passwd", "hidden.txt", "plot.png")}
    assert (tmp_path / "artifacts/000007/plot.png").read_bytes() == b"PNG"


def test_models_are_told_the_beginning_of_texts_alone() -> None:
    data = {"artifacts": {"log": {"text": "abcdef\ud800"}, "plot": {"base64": "UE5H"}}}
    assert told_metrics({"a": 1}, data, 4) == {"a": 1, "artifacts": {"log": "abcd"}}
    assert told_metrics({"a": 1}, data, 0) == {"a": 1}
