"""The guide to rendering: its project file and its commands do what it says."""

from __future__ import annotations

import os
import re
import shlex
from pathlib import Path

import pytest

from peagen_ray.cli.boundary import run
from peagen_ray.rendering.project import DataFile, Output, Project

GUIDE = (Path(__file__).parents[2] / "docs" / "rendering.md").read_text(encoding="utf-8")
FILES = {
    "index.html.j2": "{{ title }} {{ settings.phone }}",
    "product.html.j2": "{{ index }} {{ product.name }}",
    "products.csv": "id,name\n7,Lamp\n",
    "s.conf": 'phone = "1"\n',
    "pages/about.html.j2": "about {{ template.stem }}",
    "mail/order.txt.j2": "order",
    "assets/logo.png": "not a template: {{",
}


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    return found


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_wheel: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PEAGEN")]:
        monkeypatch.delenv(name)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    (tmp_path / "site.yaml").write_text(block("yaml"))
    return tmp_path


def test_the_commands_of_the_guide_work_on_its_project(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan, write, check = (shlex.split(line, comments=True) for line in block("sh").splitlines())
    assert run(plan[1:]) == 0
    assert "products/7.html <- product.html.j2" in capsys.readouterr().out
    assert run(write[1:]) == 0
    found = {
        str(path.relative_to("build")): path.read_text()
        for path in Path("build").rglob("*")
        if path.is_file()
    }
    assert found == {
        "index.html": "Shop 1",
        "products/7.html": "1 Lamp",
        "pages/about.html": "about about",
        "order.txt": "order",
        "assets/logo.png": "not a template: {{",
    }
    assert run(check[1:]) == 0


@pytest.mark.parametrize("model", [Project, Output, DataFile])
def test_every_key_of_a_project_is_in_the_guide(model: type[Project]) -> None:
    keys = [field.alias or name for name, field in model.model_fields.items()]
    assert [key for key in keys if f"`{key}`" not in GUIDE and f"{key}:" not in GUIDE] == []
