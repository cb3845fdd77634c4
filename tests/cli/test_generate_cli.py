"""Files of a legacy payload that language models write, over real HTTP: order, retries, budgets, keys."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from peagen_handlers import talking
from peagen_ray.cli.boundary import run
from peagen_ray.testing.llm_server import LLMServer, Received, Reply

KEY = "sk-planted-0123456789abcdef"
WORDS = ["render", "--project", "p.yaml", "--sync"]
Capture = pytest.CaptureFixture[str]

LISTED = """
- {FILE_NAME: t.j2, RENDERED_FILE_NAME: data.txt}
- {FILE_NAME: t.j2, RENDERED_FILE_NAME: a.py, PROCESS_TYPE: GENERATE, AGENT_PROMPT_TEMPLATE: ask.j2}
- {FILE_NAME: t.j2, RENDERED_FILE_NAME: b.py, PROCESS_TYPE: GENERATE, AGENT_PROMPT_TEMPLATE: ask.j2,
   EXTRAS: {DEPENDENCIES: [a.py, data.txt]}}
- {FILE_NAME: t.j2, RENDERED_FILE_NAME: c.md, PROCESS_TYPE: GENERATE, AGENT_PROMPT_TEMPLATE: ask.j2,
   EXTRAS: {DEPENDENCIES: [b.py]}}
"""
ASK = "Write {{ FILE.RENDERED_FILE_NAME }}.\n{% for each in FILE.EXTRAS.DEPENDENCIES %}{% include each %}{% endfor %}"


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_wheel: Path) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PEAGEN")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("A_PLANTED_KEY", KEY)
    (tmp_path / "s").mkdir()
    (tmp_path / "s/ptree.yaml.j2").write_text(LISTED)
    (tmp_path / "s/ask.j2").write_text(ASK)
    (tmp_path / "s/t.j2").write_text("of {{ PROJ.NAME }}\n")
    (tmp_path / "p.yaml").write_text("PROJECTS: [{NAME: p, PACKAGES: [{NAME: k, TEMPLATE_SET: s}]}]")
    yield tmp_path
    talking.hang_up()


def configure(here: Path, server: LLMServer, more: str = "", **stop: Any) -> None:
    rules = "\n".join(f"{name} = {value}" for name, value in stop.items())
    (here / ".peagen.toml").write_text(
        f"""
[mutate]
max_tokens = 100
[evolve.stop]
{rules}
[llm]
max_prompt_tokens = 2000
breaker_pause = "50ms"
{more}
[[llm.backends]]
name = "one"
adapter = "openai"
model = "m"
base_url = "{server.url}"
api_key_env = "A_PLANTED_KEY"
price_in = 1.0
price_out = 2.0
"""
    )


def answer(request: Received) -> str:
    path = request.prompt.partition("Write ")[2].split(".\n")[0]
    return f"Gladly:\n```python\n# {path}\n```\n" if path.endswith(".py") else f"# {path}\n"


def test_models_write_files_in_order_after_the_worst_case_and_the_key_is_nowhere(
    here: Path, capsys: Capture
) -> None:
    with LLMServer(answer) as server:
        configure(here, server)
        assert run(["--dry-run", *WORDS]) == 0
        planned = capsys.readouterr().out
        assert server.requests == []
        assert run(WORDS) == 0
        said = capsys.readouterr().err
    calls, retried = [len("Write a.py.\n") + 512 + 100, 2000 + 100, 2000 + 100], 3
    worst = f"worst-case token spend: {retried * sum(calls)} tokens, 0.02 USD, for 3 files"
    assert "c.md <- ask.j2 (by a language model)" in planned
    assert worst in planned
    assert worst in said
    assert [request.prompt for request in server.requests] == [
        "Write a.py.\n",
        "Write b.py.\n# a.pyof p",
        "Write c.md.\n# b.py",
    ]
    found = {path.name: path.read_text() for path in (here / "build").iterdir()}
    assert found == {"data.txt": "of p", "a.py": "# a.py\n", "b.py": "# b.py\n", "c.md": "# c.md\n"}
    assert f"language models took {server.tokens_in + server.tokens_out} tokens, 0.0" in said
    assert server.tokens_in + server.tokens_out < 3 * (512 + 100)
    assert [path for path in here.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()] == []
    assert KEY not in planned + said
    assert all(request.headers["authorization"] == f"Bearer {KEY}" for request in server.requests)


def test_a_back_end_that_is_out_of_order_for_a_while_is_asked_again(here: Path, capsys: Capture) -> None:
    away = Reply(status=503, retry_after=0)
    with LLMServer([away] * 4 + ["a = 1", away, "b = 1", "# c"]) as server:
        configure(here, server)
        assert run(WORDS) == 0
    assert (here / "build/b.py").read_text() == "b = 1\n"
    assert len(server.requests) == 8
    assert "waiting 0 s for one: " in capsys.readouterr().err


def test_a_back_end_that_stays_out_of_order_is_given_up_and_what_needs_it_is_not_asked_for(
    here: Path, capsys: Capture
) -> None:
    with LLMServer(lambda _: Reply(status=503, retry_after=0)) as server:
        configure(here, server, "retries = 0")
        assert run([*WORDS, "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["new"] == ["data.txt"]
    assert "no language model answered: " in told["failed"]["a.py"]
    assert told["failed"]["b.py"] == "needs a.py, which there is not"
    assert told["failed"]["c.md"] == "needs b.py, which there is not"
    assert len(server.requests) == 3


def test_a_budget_that_ends_half_way_keeps_what_is_done(here: Path, capsys: Capture) -> None:
    with LLMServer(answer) as server:
        configure(here, server, "retries = 0", budget_tokens=640)
        assert run([*WORDS, "--json"]) == 1
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told["new"] == ["a.py", "data.txt"]
    assert told["failed"]["b.py"].startswith("the budget is spent: ")
    assert "worst-case token spend: 640 tokens" in said.err
    assert len(server.requests) == 1
    assert (here / "build/a.py").read_text() == "# a.py\n"


def test_a_key_that_is_refused_is_said_once_and_shown_nowhere(here: Path, capsys: Capture) -> None:
    with LLMServer(lambda _: Reply(f"no such key: {KEY}", status=401)) as server:
        configure(here, server)
        assert run(WORDS) == 1
    said = capsys.readouterr()
    assert len(server.requests) == 1
    assert "failed: a.py: no language model can be asked: one: " in said.err
    assert KEY not in said.out + said.err
    assert [path for path in here.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()] == []


def test_without_a_key_nothing_is_rendered(
    here: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("A_PLANTED_KEY")
    with LLMServer() as server:
        configure(here, server)
        assert run(WORDS) != 0
    assert "A_PLANTED_KEY" in capsys.readouterr().err
    assert not (here / "build").exists()


def test_an_answer_that_is_of_no_use_fails_its_file_and_leaves_an_old_one(
    here: Path, capsys: Capture
) -> None:
    (here / "build").mkdir()
    (here / "build/a.py").write_text("old")
    with LLMServer([Reply("x = 1", finish="length")]) as server:
        configure(here, server)
        assert run([*WORDS, "--json"]) == 1
    assert "cut off at 100 tokens" in json.loads(capsys.readouterr().out)["failed"]["a.py"]
    assert (here / "build/a.py").read_text() == "old"
    assert len(server.requests) == 1


def test_a_prompt_beyond_the_limit_is_not_sent(here: Path, capsys: Capture) -> None:
    (here / "s/ask.j2").write_text("x" * 3000)
    with LLMServer() as server:
        configure(here, server)
        assert run(WORDS) == 1
    said = capsys.readouterr().err
    assert "a.py: cannot be asked for: the prompt may have 3512 tokens" in said
    assert "failed: a.py: the prompt may have 3512 tokens, and [llm] max_prompt_tokens is 2000" in said
    assert server.requests == []


def test_a_file_is_asked_for_again_only_when_something_that_it_was_made_of_has_changed(
    here: Path, capsys: Capture
) -> None:
    def asked(*more: str, code: int = 0) -> list[str]:
        before = len(server.requests)
        assert run([*WORDS, *more]) == code
        return [request.prompt.split(".\n")[0] for request in server.requests[before:]]

    every = ["Write a.py", "Write b.py", "Write c.md"]
    with LLMServer(answer) as server:
        configure(here, server)
        assert asked("--check", code=1) == []
        assert asked() == every
        times = {path: path.stat().st_mtime_ns for path in (here / "build").iterdir()}
        assert asked() == []
        assert {path: path.stat().st_mtime_ns for path in (here / "build").iterdir()} == times
        assert asked("--check") == []
        capsys.readouterr()
        assert run([*WORDS, "--dry-run"]) == 0
        assert "worst-case token spend: 0 tokens" in capsys.readouterr().out

        (here / "build/b.py").unlink()
        (here / "build/c.md").write_text("by hand")
        assert asked("--check", code=1) == []
        assert asked() == []
        assert (here / "build/b.py").read_text() == "# b.py\n"
        assert (here / "build/c.md").read_text() == "# c.md\n"

        (here / "s/t.j2").write_text(
            "other\n"
        )  # b.py includes what it renders to; b.py itself comes out the same
        assert asked("--check", code=1) == []
        assert asked() == ["Write b.py"]

        (here / ".peagen.toml").write_text((here / ".peagen.toml").read_text().replace('"m"', '"n"'))
        assert asked() == every
        assert asked("--regenerate") == every
        assert asked("--check") == []


def test_a_render_that_breaks_off_pays_for_what_it_has_once(here: Path) -> None:
    with LLMServer(["a = 1", Reply("no", status=400), "b = 1", "# c"]) as server:
        configure(here, server)
        assert run(WORDS) == 1
        assert run(WORDS) == 0
    assert [request.prompt.split(".\n")[0] for request in server.requests] == [
        "Write a.py",
        "Write b.py",
        "Write b.py",
        "Write c.md",
    ]


def test_a_prompt_may_include_no_file_of_a_model_that_its_own_does_not_depend_on(
    here: Path, capsys: Capture
) -> None:
    (here / "s/nosy.j2").write_text("Write c.md.\n{% include 'a.py' %}")
    (here / "s/ptree.yaml.j2").write_text(
        LISTED.replace(
            "c.md, PROCESS_TYPE: GENERATE, AGENT_PROMPT_TEMPLATE: ask.j2",
            "c.md, PROCESS_TYPE: GENERATE, AGENT_PROMPT_TEMPLATE: nosy.j2",
        )
    )
    with LLMServer(answer) as server:
        configure(here, server)
        assert run(WORDS) == 1
    assert "failed: c.md: nosy.j2:2: there is no template 'a.py' to include" in capsys.readouterr().err
