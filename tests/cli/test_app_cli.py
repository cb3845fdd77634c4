"""The program as a whole: global options, help, errors as messages, exit codes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray import __version__
from peagen_ray.cli import app as app_module
from peagen_ray.cli import main
from peagen_ray.cli.boundary import hoist, run
from peagen_ray.cli.console import err, out, people, print_json, printable
from peagen_ray.cli.state import State, state
from peagen_ray.errors import BrokerUnavailable, ConfigError, EvolutionError

Command = Callable[[Callable[[State], None]], None]


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Register ``body`` as the command ``boom``, in a module of its own that is imported on use."""

    def register(body: Callable[[State], None]) -> None:
        module = ModuleType("boom_module")
        module.app = typer.Typer()  # type: ignore[attr-defined]

        @module.app.command()  # type: ignore[attr-defined, untyped-decorator]
        def boom(context: typer.Context) -> None:
            """Do what the test wants."""
            body(state(context))

        monkeypatch.setitem(sys.modules, "boom_module", module)
        monkeypatch.setitem(app_module._COMMANDS, "boom", ("boom_module", "A test's command."))

    return register


def raising(error: BaseException) -> Callable[[State], None]:
    def body(_: State) -> None:
        raise error

    return body


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"peagen-ray {__version__}\n"


@pytest.mark.parametrize("flag", ["-h", "--help"])
@pytest.mark.parametrize(
    "args", [[], ["config"], ["config", "show"], ["workload", "init"], ["evolve"], ["mutate"], ["worker"]]
)
def test_help_is_everywhere_under_both_names(
    args: list[str], flag: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*args, flag]) == 0
    said = capsys.readouterr()
    assert "Usage: " in said.out
    assert said.err == ""


@pytest.mark.parametrize(
    "args",
    [
        [],
        ["config", "show"],
        ["config", "upgrade"],
        ["workload", "init"],
        ["evolve", "run"],
        ["evolve", "step"],
        ["import"],
        ["worker", "start"],
        ["queue"],
        ["queue", "stats"],
        ["queue", "list"],
        ["queue", "peek"],
        ["queue", "dlq"],
        ["queue", "dlq", "list"],
        ["queue", "dlq", "inspect"],
        ["queue", "dlq", "retry"],
        ["queue", "dlq", "export"],
        ["queue", "dlq", "purge"],
    ],
)
def test_help_teaches_by_an_example(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    run([*args, "--help"])
    words = " ".join(capsys.readouterr().out.split())
    assert "Example: " in words
    assert f"peagen-ray {' '.join(args)}".strip() in words.partition("Example: ")[2]


def test_completion_is_offered_once_at_the_top(capsys: pytest.CaptureFixture[str]) -> None:
    run(["--help"])
    assert "--show-completion" in capsys.readouterr().out
    run(["config", "--help"])
    assert "completion" not in capsys.readouterr().out


def test_every_command_is_listed_with_a_line_that_says_what_for(capsys: pytest.CaptureFixture[str]) -> None:
    run(["--help"])
    listed = capsys.readouterr().out.partition("Commands:")[2]
    for name, (_, summary) in app_module._COMMANDS.items():
        assert f"  {name}" in listed
        assert summary in listed


def test_no_command_shows_the_help_as_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 2
    said = capsys.readouterr()
    assert "Commands:" in said.out + said.err


@pytest.mark.parametrize(
    "args", [["confg"], ["config", "shw"], ["--no-such"], ["config", "show", "--no-such"]]
)
def test_wrong_use_is_exit_2_on_stderr(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(args) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert "Error: No such" in said.err


def test_a_misspelt_command_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    run(["evolv"])
    assert "Did you mean 'evolve'?" in capsys.readouterr().err


@pytest.mark.parametrize(("kind", "code"), [(EvolutionError, 1), (ConfigError, 2), (BrokerUnavailable, 3)])
def test_an_error_is_one_message_and_its_exit_code(
    command: Command,
    capsys: pytest.CaptureFixture[str],
    kind: type[EvolutionError | ConfigError | BrokerUnavailable],
    code: int,
) -> None:
    command(raising(kind("it broke", subject="the thing", hint="mend it")))
    assert run(["boom"]) == code
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "Error: the thing: it broke\nHint: mend it\n"


def test_an_error_without_subject_or_hint_is_one_line(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    command(raising(EvolutionError("it broke")))
    run(["boom"])
    assert capsys.readouterr().err == "Error: it broke\n"


def test_what_an_error_says_is_neither_markup_nor_a_terminal_command(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    command(raising(EvolutionError("[red]x[/nope] :smile: \x1b[2J " + "long " * 100)))
    assert run(["boom"]) == 1
    said = capsys.readouterr().err
    assert "[red]x[/nope] :smile: \\x1b[2J " in said
    assert said.count("\n") == 1


def test_verbose_shows_how_it_came_to_it(command: Command, capsys: pytest.CaptureFixture[str]) -> None:
    command(raising(EvolutionError("it broke")))
    assert run(["boom", "-v"]) == 1
    said = capsys.readouterr().err
    assert "Traceback (most recent call last)" in said
    assert said.endswith("Error: it broke\n")


def test_the_unexpected_is_short_and_says_how_to_learn_more(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    command(raising(ZeroDivisionError("division by zero")))
    assert run(["boom"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("Error: unexpected ZeroDivisionError: division by zero\n")
    assert "-v shows the traceback" in said
    assert "Traceback" not in said
    assert run(["-v", "boom"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_exit_130(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    command(raising(KeyboardInterrupt()))
    assert run(["boom"]) == 130
    monkeypatch.setattr("peagen_ray.cli.boundary.app", lambda **_: raising(KeyboardInterrupt())(State()))
    assert run(["boom"]) == 130


@pytest.mark.parametrize(("given_", "code"), [(SystemExit(), 0), (SystemExit(3), 3), (SystemExit("text"), 1)])
def test_leaving_keeps_its_code(command: Command, given_: SystemExit, code: int) -> None:
    command(raising(given_))
    assert run(["boom"]) == code


def test_what_returns_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peagen_ray.cli.boundary.app", lambda **_: None)
    assert run([]) == 0


@pytest.mark.parametrize(
    "args",
    [
        ["--config", "x.toml", "-v", "--dry-run", "boom"],
        ["boom", "--config", "x.toml", "-v", "--dry-run"],
        ["--dry-run", "boom", "--config=x.toml", "--verbose"],
    ],
)
def test_global_options_reach_a_command_from_anywhere(command: Command, args: list[str]) -> None:
    seen: list[State] = []
    command(seen.append)
    assert run(args) == 0
    assert [(s.config_path, s.verbose, s.dry_run) for s in seen] == [(Path("x.toml"), True, True)]


def test_what_follows_a_double_dash_is_left_alone() -> None:
    assert hoist(["a", "--", "-v", "--config"]) == ["a", "--", "-v", "--config"]


def test_config_without_a_file_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["config", "show", "--config"]) == 2
    assert capsys.readouterr().err == "Error: --config: names no file\nHint: write --config PATH\n"


@given(st.lists(st.sampled_from(["a", "b", "--x", "-v", "--verbose", "--dry-run", "--config=f", "--"])))
def test_hoisting_loses_nothing_and_keeps_the_order_of_the_rest(args: list[str]) -> None:
    def rest(words: list[str]) -> list[str]:
        return [word for word in words if word in {"a", "b", "--x", "--"}]

    hoisted = hoist(args)
    assert sorted(hoisted) == sorted(args)
    assert rest(hoisted) == rest(args)
    assert hoist(hoisted) == hoisted


def test_a_warning_of_the_configuration_is_said_once(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PEAGEN_QUEUE", "stub")
    shared = State()
    for _ in range(2):
        assert shared.load({"task_queue.provider": "redis"}).config.task_queue.provider == "stub"
    assert (
        capsys.readouterr().err
        == "Warning: PEAGEN_QUEUE: the queue is stub, although flag --provider says redis\n"
    )


def test_people_read_stderr_where_stdout_carries_json(capsys: pytest.CaptureFixture[str]) -> None:
    people(stdout_is_json=True).print("to a person")
    people(stdout_is_json=False).print("[b]also[/b]")
    print_json({"a": "é"})
    said = capsys.readouterr()
    assert said.err == "to a person\n"
    assert said.out == '[b]also[/b]\n{"a": "\\u00e9"}\n'


def test_no_colour_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    out().print("plain", style="red")
    err().print("plain", style="red")
    assert capsys.readouterr() == ("plain\n", "plain\n")


def test_no_color_is_obeyed_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    out().print("text", style="red")
    assert "\x1b[31m" in capsys.readouterr().out
    monkeypatch.setenv("NO_COLOR", "1")
    out().print("text", style="red")
    assert capsys.readouterr().out == "text\n"


def test_json_is_indented_for_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_json({"a": 1})
    assert capsys.readouterr().out == '{\n  "a": 1\n}\n'


def test_printable_spells_out_control_characters() -> None:
    assert printable("a\tb\nc\x1b[0m\x07\u202e\u00e9") == "a\tb\nc\\x1b[0m\\x07\\u202e\u00e9"


def test_main_leaves_with_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["peagen-ray", "--version"])
    with pytest.raises(SystemExit) as leaving:
        main()
    assert leaving.value.code == 0


def test_python_m_is_the_same_program(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "peagen_ray", "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == f"peagen-ray {__version__}\n"


def test_a_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    command = f"{sys.executable} -m peagen_ray config show | head -n 1"
    done = subprocess.run(
        ["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.startswith("key")
    assert "Traceback" not in done.stderr
