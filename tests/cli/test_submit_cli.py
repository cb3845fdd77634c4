"""``submit``: what is refused before anything is sent, what a person is told, and what Ctrl-C does."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from peagen_ray.cli.boundary import run
from peagen_ray.errors import BrokerUnavailable
from peagen_ray.fabric.jobs import JobState
from peagen_ray.runtime.jobs import entrypoint
from peagen_ray.runtime.parcel import LeftOut, Parcel

EVOLVE = ["evolve", "run", "--sync", "--target-file", "slow.py"]
RUN = {"winner.py": b"fast\n", ".peagen/runs/r/summary.json": b"{}"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for variable in ("RAY_ADDRESS", "RAY_API_SERVER_ADDRESS"):
        monkeypatch.delenv(variable, raising=False)
    (tmp_path / "slow.py").write_text("def f(xs):\n    return sum(xs)\n")
    return tmp_path


class Server:
    """A job server with one job."""

    url = "http://head:8265"

    def __init__(self) -> None:
        self.entrypoint = entrypoint(EVOLVE)
        self.status = "SUCCEEDED"
        self.parcel = Parcel(0, RUN)
        self.text = "hello\n"
        self.ours = True
        self.stopped = 0
        self.addresses: list[str] = []
        self.on_state: Callable[[], None] = lambda: None

    def submit(self, job_id: str, entrypoint: str, package: Path, version: str) -> None:
        self.entrypoint = entrypoint

    def state(self, job_id: str) -> JobState:
        self.on_state()
        return JobState(self.status, "", None, self.entrypoint, self.ours)

    def log(self, job_id: str) -> str:
        return self.text + "".join(f"{line}\n" for line in self.parcel.lines())

    def stop(self, job_id: str) -> bool:
        self.stopped += 1
        self.status = "STOPPED"
        return True


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Server:
    found = Server()

    def connect(url: str) -> Server:
        found.addresses.append(url)
        return found

    monkeypatch.setattr("peagen_ray.runtime.jobs.connect", connect)
    monkeypatch.setattr("peagen_ray.runtime.jobs.new_job_id", lambda: "job-1")
    monkeypatch.setattr("peagen_ray.runtime.jobs._LOOK_S", 0.0)
    return found


@pytest.fixture
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails if anybody connects."""

    def connect(url: str) -> Any:
        raise AssertionError(url)

    monkeypatch.setattr("peagen_ray.runtime.jobs.connect", connect)


def test_a_job_is_submitted_followed_and_its_files_are_fetched(here, server, capsys):
    assert run(["submit", "--address", "http://head:8265", "--", *EVOLVE]) == 0
    said = capsys.readouterr().out
    assert server.entrypoint == entrypoint(EVOLVE)
    assert "1 file, 30 B of " in said
    assert "job job-1 at http://head:8265" in said
    assert "hello\n" in said
    assert "peagen-ray::" not in said
    assert "fetched winner.py" in said
    assert (here / "winner.py").read_text() == "fast\n"
    assert (here / ".peagen/runs/r/summary.json").read_text() == "{}"


def test_json_is_alone_on_stdout(server, capsys):
    server.parcel = Parcel(0, RUN, (LeftOut("big", 9, "too large"),))
    assert run(["submit", "--json", "--", *EVOLVE]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {
        "job": "job-1",
        "address": "http://127.0.0.1:8265",
        "status": "SUCCEEDED",
        "exit": 0,
        "problem": "",
        "files": ["winner.py", ".peagen/runs/r/summary.json"],
        "left_out": [{"name": "big", "size": 9, "reason": "too large"}],
    }
    assert "hello" in captured.err
    assert "left out: big, 9 B: too large" in captured.err


@pytest.mark.parametrize("code", [1, 2, 3])
def test_the_exit_code_is_the_commands(server, code):
    server.status, server.parcel = "FAILED", Parcel(code)
    assert run(["submit", "--", *EVOLVE]) == code


def test_files_that_did_not_come_are_no_success(server, capsys):
    server.status = "STOPPED"
    server.parcel = Parcel(0)
    server.log = lambda job_id: "hello\n"  # type: ignore[method-assign]
    assert run(["submit", "--", *EVOLVE]) == 1
    assert "files of the job are missing" in capsys.readouterr().out


def test_what_a_job_prints_cannot_drive_the_terminal(server, capsys):
    server.text = "\x1b[2J\n"
    server.parcel = Parcel(0, {"\x1b[2J": b""})
    assert run(["submit", "--", *EVOLVE]) == 0
    assert "\x1b" not in capsys.readouterr().out


def test_no_wait_says_how_to_follow_it(here, server, capsys):
    assert run(["submit", "--address", "head:8265", "--no-wait", "--json", "--", *EVOLVE]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["job"] == "job-1"
    assert "peagen-ray submit --address http://head:8265 --follow job-1" in captured.err
    assert not (here / "winner.py").exists()


def test_follow_fetches_the_files_of_a_job_into_another_directory(here, server, monkeypatch):
    monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://other:1")
    server.entrypoint = entrypoint([*EVOLVE, "--output", "sub/best.py"])
    server.parcel = Parcel(0, {"sub/best.py": b"new", "slow.py": b"evil"})
    for _ in range(2):
        assert run(["submit", "--follow", "job-1", "--output-dir", "got"]) == 0
    assert server.addresses == ["http://other:1"] * 2
    assert (here / "got/sub/best.py").read_text() == "new"
    assert (here / "slow.py").read_text().startswith("def f")


def test_a_job_of_somebody_else_is_not_followed(server, capsys):
    server.ours = False
    assert run(["submit", "--follow", "raysubmit_1"]) == 2
    assert "is no job of peagen-ray submit" in capsys.readouterr().err


def test_dry_run_lists_and_connects_nowhere(no_server, here, capsys):
    (here / ".gitignore").write_text("*.log\n")
    (here / "big.log").write_text("x")
    (here / ".env").write_text("KEY=1")
    assert run(["--dry-run", "submit", "--json", "--", *EVOLVE]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out) == {
        "address": "http://127.0.0.1:8265",
        "files": [{"path": ".gitignore", "size": 6}, {"path": "slow.py", "size": 30}],
        "left_out": {".env": "it may hold secrets; give those to the nodes of the cluster"},
    }
    assert "would be uploaded to http://127.0.0.1:8265 (default)" in captured.err


@pytest.mark.parametrize(
    ("words", "what"),
    [
        ([], "which command?"),
        (["evolve"], "which command of it?"),
        (["rm", "-rf", "/"], "No such command 'rm'"),
        (["evolve", "run", "--generation", "3"], "No such option: --generation"),
        (["evolve", "run", "--generations", "many"], "many"),
        (["evolve", "run", "--sync"], "which file?"),
        (["evolve", "run", "--config"], "names no file"),
        (["submit", "--", *EVOLVE], "a job cannot submit a job"),
        ([*EVOLVE, "--resume"], "old runs are not uploaded"),
        ([*EVOLVE, "--replay", "last"], "old runs are not uploaded"),
        ([*EVOLVE[:-1], "../slow.py"], "lies outside of the working directory"),
        ([*EVOLVE[:-1], "a/../../slow.py"], "lies outside of the working directory"),
        ([*EVOLVE[:-1], "/etc/passwd"], "only the working directory is uploaded"),
        ([*EVOLVE[:-1], "gone.py"], "--target-file gone.py: is not there"),
        ([*EVOLVE[:-1], "secret.log"], "is not uploaded: .gitignore"),
        ([*EVOLVE[:-1], "linked.py"], "lies outside of the working directory"),
        ([*EVOLVE, "--workload", "../w.py"], "lies outside"),
        ([*EVOLVE, "--seed-program", "gone.py"], "--seed-program gone.py: is not there"),
        ([*EVOLVE, "--output", "/tmp/w.py"], "only the working directory"),
        ([*EVOLVE, "--checkpoint", "../c.json"], "lies outside"),
        ([*EVOLVE[:2], "--provider", "redis://me:hunter2@h:1", *EVOLVE[3:]], "a password in it"),
    ],
)
def test_a_wrong_command_is_refused_before_anything_is_sent(no_server, here, capsys, words, what):
    (here / ".gitignore").write_text("*.log\n")
    (here / "secret.log").write_text("x")
    (here / "linked.py").symlink_to("/etc/passwd")
    assert run(["submit", "--", *words]) == 2
    said = capsys.readouterr().err
    assert what in said
    assert "hunter2" not in said


def test_a_target_of_the_configuration_file_has_to_be_there_too(no_server, here, capsys):
    (here / ".peagen.toml").write_text('[mutate]\ntarget_file = "../other.py"\n')
    assert run(["submit", "--", "evolve", "run"]) == 2
    assert "lies outside" in capsys.readouterr().err


def test_a_wrong_configuration_file_is_found_here_and_not_on_the_cluster(no_server, here, capsys):
    (here / ".peagen.toml").write_text("[evolve]\nsede = 1\n")
    assert run(["submit", "--", *EVOLVE]) == 2
    assert "sede" in capsys.readouterr().err


def test_a_server_that_does_not_answer_is_exit_3(monkeypatch, capsys):
    def connect(url: str) -> Any:
        raise BrokerUnavailable("no job server answers", subject=url, hint="is its port forwarded?")

    monkeypatch.setattr("peagen_ray.runtime.jobs.connect", connect)
    assert run(["submit", "--", *EVOLVE]) == 3
    assert "Hint: is its port forwarded?" in capsys.readouterr().err


def test_a_submission_without_an_answer_says_how_to_find_out(server, capsys):
    def submit(*_: object) -> None:
        raise BrokerUnavailable("gone")

    server.submit = submit  # type: ignore[method-assign]
    assert run(["submit", "--", *EVOLVE]) == 3
    assert "if it did: peagen-ray submit --follow job-1" in capsys.readouterr().out


def interrupting(server: Server, *, times: int = 1) -> None:
    """Ctrl-C at the first looks at the running job; it ends at the look after those."""
    server.status = "RUNNING"
    left = iter(range(times))

    def on_state() -> None:
        if next(left, None) is not None:
            raise KeyboardInterrupt
        server.status = "SUCCEEDED"

    server.on_state = on_state


def answering(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    given = iter(answers)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda: next(given))


def test_ctrl_c_without_a_terminal_leaves_the_job_running_and_says_so(server, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False, raising=False)
    interrupting(server)
    assert run(["submit", "--", *EVOLVE]) == 130
    assert server.stopped == 0
    assert "the job goes on; follow it again: peagen-ray submit --follow job-1" in capsys.readouterr().out


def test_ctrl_c_asks_until_it_gets_an_answer_and_can_go_on(here, server, monkeypatch, capsys):
    answering(monkeypatch, "what?", "", "g", "Go on")
    interrupting(server, times=2)
    assert run(["submit", "--", *EVOLVE]) == 0
    assert server.stopped == 0
    assert capsys.readouterr().out.count("[s]top the job") == 4
    assert (here / "winner.py").exists()


def test_ctrl_c_that_falls_into_a_finaliser_is_not_lost(server, monkeypatch):
    class Dropped:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    def on_state() -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sys, "unraisablehook", lambda _: None)
            Dropped()

    answering(monkeypatch, "l")
    server.status, server.on_state = "RUNNING", on_state
    assert run(["submit", "--", *EVOLVE]) == 130


def test_ctrl_c_can_leave_the_job(server, monkeypatch):
    answering(monkeypatch, "l")
    interrupting(server)
    assert run(["submit", "--", *EVOLVE]) == 130
    assert server.stopped == 0


def test_ctrl_c_can_stop_the_job_and_still_fetches_its_best(here, server, monkeypatch, capsys):
    answering(monkeypatch, "s")
    server.status = "RUNNING"
    looks = iter([True])

    def on_state() -> None:
        if next(looks, False):
            raise KeyboardInterrupt

    server.on_state = on_state
    assert run(["submit", "--", *EVOLVE]) == 0
    assert server.stopped == 1
    assert (here / "winner.py").read_text() == "fast\n"
    assert "keeps its best" in capsys.readouterr().out


def test_the_end_of_input_at_the_question_leaves_the_job(server, monkeypatch):
    def ended() -> str:
        raise EOFError

    answering(monkeypatch)
    monkeypatch.setattr("builtins.input", ended)
    interrupting(server)
    assert run(["submit", "--", *EVOLVE]) == 130
