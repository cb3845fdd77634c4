"""``render`` and ``process``: what is written, what is said, and with which exit code."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from peagen_ray.cli import render as module
from peagen_ray.cli.boundary import run
from peagen_ray.cli.console import err, people
from peagen_ray.cli.render import Watching

DATA = Path(__file__).parents[1] / "data" / "payloads"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_wheel: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PEAGEN")]:
        monkeypatch.delenv(name)
    (tmp_path / "page.j2").write_text("{{ title }}\n")
    (tmp_path / "site.yaml").write_text("data: {title: T}\noutputs: [{template: page.j2, path: a/b.txt}]\n")
    return tmp_path


def test_render_writes_and_says_what(here: Path, capsys: Capture) -> None:
    assert run(["render", "--project", "site.yaml", "--sync"]) == 0
    assert (here / "build/a/b.txt").read_text() == "T\n"
    said = capsys.readouterr()
    assert "new: a/b.txt" in said.err
    assert "build: 1 new" in said.err
    assert said.out == ""


def test_json_goes_to_stdout_alone(capsys: Capture) -> None:
    assert run(["render", "--project", "site.yaml", "--sync", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told == {"new": ["a/b.txt"], "changed": [], "unchanged": [], "failed": {}, "skipped": {}}


def test_check_exits_with_1_as_long_as_something_would_change(here: Path, capsys: Capture) -> None:
    words = ["render", "--project", "site.yaml", "--sync", "--check", "--out", "out"]
    assert run(words) == 1
    assert "would be new: a/b.txt" in capsys.readouterr().err
    assert not (here / "out").exists()
    assert run([word for word in words if word != "--check"]) == 0
    assert run(words) == 0
    (here / "page.j2").write_text("other {{ title }}\n")
    assert run(words) == 1
    assert "would be changed: a/b.txt" in capsys.readouterr().err


def test_dry_run_prints_the_plan_and_does_nothing(here: Path, capsys: Capture) -> None:
    assert run(["render", "--project", "site.yaml", "--dry-run"]) == 0
    assert capsys.readouterr().out == "a/b.txt <- page.j2\n"
    assert sorted(path.name for path in here.iterdir()) == ["page.j2", "site.yaml"]


def test_a_missing_variable_exits_with_1_and_its_place(here: Path, capsys: Capture) -> None:
    (here / "page.j2").write_text("\n{{ tilte }}")
    assert run(["render", "--project", "site.yaml", "--sync"]) == 1
    assert "failed: a/b.txt: page.j2:2: 'tilte' is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--project", "gone.yaml"], "gone.yaml: cannot be read"),
        (["--project", "page.j2"], "page.j2"),
        (["--project", "site.yaml", "--sync", "--provider", "redis"], "--sync works in this process"),
        (["--project", "site.yaml", "--concurrency", "0"], "concurrency"),
        ([], "--project"),
    ],
)
def test_wrong_use_exits_with_2(words: list[str], message: str, capsys: Capture) -> None:
    assert run(["render", *words]) == 2
    assert message in capsys.readouterr().err


def test_process_does_what_render_does_and_names_it_once(here: Path, capsys: Capture) -> None:
    assert run(["process", "--project", "site.yaml", "--workers", "2", "--sync"]) == 0
    said = capsys.readouterr().err
    assert said.count("Warning") == 1
    assert "use: peagen-ray render --project site.yaml --out build --concurrency 2 --sync\n" in said
    assert "0.4.0" in said
    assert (here / "build/a/b.txt").read_text() == "T\n"


def test_the_command_that_process_names_is_understood(capsys: Capture) -> None:
    assert run(["process", "--project", "site.yaml", "--workers", "2", "--check", "--json", "--dry-run"]) == 0
    command = capsys.readouterr().err.partition("use: ")[2].splitlines()[0]
    assert run(command.split()[1:]) == 0
    assert capsys.readouterr().out == "a/b.txt <- page.j2\n"


def test_workers_are_the_concurrency_of_the_stub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def note(job: object, request: object, observer: object) -> None:
        asked.append(request.concurrency)  # type: ignore[attr-defined]
        raise SystemExit(0)

    monkeypatch.setattr("peagen_ray.runtime.rendering.render", note)
    for words in (["process", "--workers", "3"], ["render", "--concurrency", "4"]):
        run([*words, "--project", "site.yaml", "--sync"])
    assert asked == [3, 4]


def test_a_legacy_payload_renders_and_what_a_model_would_write_is_skipped(
    here: Path, capsys: Capture
) -> None:
    (here / ".peagen.toml").write_text(f'[templates]\nsearch_path = ["{DATA / "sets"}"]\n')
    assert run(["process", "--project", str(DATA / "projects.yaml"), "--out", "one", "--sync"]) == 0
    assert run(["render", "--project", str(DATA / "generated.yaml"), "--out", "two", "--sync"]) == 1
    said = capsys.readouterr().err
    assert "skipped: pkgs/cart/tests/test_items.py: no language model back-end is configured" in said
    assert "two: 4 new, 2 skipped" in said
    assert said.index("tokens for 2 files") < said.index("skipped: ")
    assert run(["render", "--project", str(DATA / "generated.yaml"), "--out", "two", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "pkgs/cart/tests/test_items.py <- agent_default.j2 (by a language model)" in said
    assert "at most" in said


def test_a_circle_exits_with_2_and_is_shown(here: Path, capsys: Capture) -> None:
    (here / "s").mkdir()
    (here / "s/t.j2").write_text("")
    (here / "s/ptree.yaml.j2").write_text(
        "- {FILE_NAME: t.j2, RENDERED_FILE_NAME: a, EXTRAS: {DEPENDENCIES: [b]}}\n"
        "- {FILE_NAME: t.j2, RENDERED_FILE_NAME: b, EXTRAS: {DEPENDENCIES: [a]}}\n"
    )
    (here / "p.yaml").write_text("PROJECTS: [{NAME: p, PACKAGES: [{NAME: k, TEMPLATE_SET: s}]}]")
    assert run(["render", "--project", "p.yaml", "--sync"]) == 2
    said = capsys.readouterr().err
    assert "a needs b needs a" in said or "b needs a needs b" in said


def test_a_long_render_says_how_far_it_is(monkeypatch: pytest.MonkeyPatch, capsys: Capture) -> None:
    now = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: now[0])
    with Watching(err()) as watching:
        for done in range(1, 13):
            now[0] += 1.0
            watching.progress(done, 12)
    assert capsys.readouterr().err.splitlines() == ["5 of 12 outputs", "10 of 12 outputs"]


def test_process_has_every_option_of_render(capsys: Capture) -> None:
    told = []
    for name in ("render", "process"):
        assert run([name, "--help"]) == 0
        told.append(capsys.readouterr().out.partition("Options:")[2])
    assert told[0] == told[1]
    assert "--broker-timeout" in told[0]


def test_sigterm_ends_a_render_as_ctrl_c_does() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), Watching(people(stdout_is_json=True)):
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
