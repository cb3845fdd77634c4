"""Following a job on a scripted server: no line twice, none lost, outages survived, a stop asked for when it counts."""

from __future__ import annotations

import shlex
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.errors import BrokerUnavailable, JobError
from peagen_ray.fabric.jobs import JobState
from peagen_ray.runtime.jobs import (
    Follower,
    command_of,
    entrypoint,
    new_job_id,
    submit,
)
from peagen_ray.runtime.packaging import package
from peagen_ray.runtime.parcel import Parcel

AWAY = BrokerUnavailable("gone for a moment")
PARCEL = Parcel(0, {"winner.py": b"w"})


def state(status: str, message: str = "", code: int | None = None, *, ours: bool = True) -> JobState:
    return JobState(status, message, code, entrypoint(["evolve", "run"]), ours)


class Server:
    """Answers with what the script says; the last state is the answer from then on."""

    url = "http://server"

    def __init__(self, states: list[Any], logs: list[Any]) -> None:
        self._states, self._logs = states, logs
        self.stops: list[str] = []
        self.submitted: list[tuple[str, str, set[str]]] = []
        self.failures = 0
        self.now = ""

    def state(self, job_id: str) -> JobState:
        return self._said(self._states)

    def log(self, job_id: str) -> str:
        return self._said(self._logs)

    def stop(self, job_id: str) -> bool:
        self.stops.append(self.now)
        return True

    def submit(self, job_id: str, entrypoint: str, package: Path, version: str) -> None:
        self.submitted.append((job_id, entrypoint, {version}))
        assert package.is_file()
        if self.failures:
            self.failures -= 1
            raise AWAY

    def _said(self, script: list[Any]) -> Any:
        said = script.pop(0) if len(script) > 1 else script[0]
        if isinstance(said, BaseException):
            raise said
        if isinstance(said, JobState):
            self.now = said.status
        return said


class Unfinished(Server):
    """Has ended only when its log has been told."""

    def state(self, job_id: str) -> JobState:
        return super().state(job_id) if len(self._logs) == 1 or len(self._states) > 1 else state("RUNNING")


class Ear:
    """Keeps what it is told."""

    def __init__(self, on_log: Callable[[], None] = lambda: None) -> None:
        self.seen = ""
        self.notes: list[str] = []
        self._on_log = on_log

    def log(self, text: str) -> None:
        self.seen += text
        self._on_log()

    def note(self, text: str) -> None:
        self.notes.append(text)


def follower(server: Server, ear: Ear, **options: Any) -> Follower:
    return Follower(server, "job", ear, **{"look_s": 0, "patience_s": 60, **options})


def whole(text: str, parcel: Parcel = PARCEL) -> str:
    return text + "".join(f"{line}\n" for line in parcel.lines())


@given(st.lists(st.integers(0, 10_000), max_size=6), st.lists(st.booleans(), max_size=8))
def test_no_line_is_shown_twice_or_lost_however_the_log_grows_and_the_connection_fails(cuts, failures):
    log = whole("one\ntwo\n\nthree\n")
    grown: list[Any] = [log[: cut % len(log)] for cut in sorted(cut % len(log) for cut in cuts)]
    for place, failed in enumerate(failures):
        if failed:
            grown.insert(place, AWAY)
    running = [AWAY if failed else state("RUNNING") for failed in failures]
    ear, server = Ear(), Unfinished([*running, state("SUCCEEDED")], [*grown, log])
    ending = follower(server, ear).follow()
    assert ear.seen == "one\ntwo\n\nthree\n"
    assert ending.parcel == PARCEL


def test_an_outage_is_said_once_and_its_end_too():
    ear = Ear()
    server = Server([state("RUNNING"), AWAY, AWAY, state("SUCCEEDED")], [whole("")])
    assert follower(server, ear).follow().exit_code == 0
    assert [note.partition(":")[0] for note in ear.notes] == [
        "connection lost, the job goes on; trying again",
        "the job server answers again",
    ]


def test_a_server_that_stays_away_is_an_error_in_the_end():
    with pytest.raises(BrokerUnavailable):
        follower(Server([state("RUNNING"), AWAY], [""]), Ear(), patience_s=0).follow()


@pytest.mark.parametrize("code", [0, 1, 2, 3, 130])
def test_the_exit_code_is_the_commands_even_if_the_job_was_stopped(code):
    for status in ("SUCCEEDED", "FAILED", "STOPPED"):
        ending = follower(Server([state(status)], [whole("", Parcel(code))]), Ear()).follow()
        assert ending.exit_code == code


def test_a_job_that_could_not_be_run_says_why():
    server = Server(
        [state("PENDING"), state("FAILED", "no such runtime_env\n")], ["Runtime env is setting up.\n"]
    )
    with pytest.raises(JobError, match="could not be run: no such runtime_env"):
        follower(server, Ear()).follow()


def test_a_cluster_without_us_is_told_apart():
    message = "failed with exit code 1 …\npython: No module named peagen_ray\n"
    ending = follower(Server([state("FAILED", message, 1)], ["No module named peagen_ray"]), Ear()).follow()
    assert (ending.exit_code, ending.parcel) == (1, None)
    assert "install the same version" in ending.problem


def test_a_job_that_was_killed_is_no_success_and_says_that_files_are_missing():
    ear = Ear()
    ending = follower(Server([state("STOPPED")], ["half a line"]), ear).follow()
    assert (ending.exit_code, ending.parcel, ear.seen) == (1, None, "half a line\n")
    assert "before it could send" in ending.problem


def test_files_that_came_broken_are_a_problem():
    broken = whole("").replace('"sha256": "', '"sha256": "0')
    ending = follower(Server([state("SUCCEEDED", code=0)], [broken]), Ear()).follow()
    assert (ending.exit_code, ending.parcel) == (1, None)
    assert "bytes" in ending.problem


def test_a_stop_of_a_job_that_has_not_begun_is_asked_for_again_when_it_has():
    states = [state("PENDING"), state("PENDING"), state("RUNNING"), state("RUNNING"), state("STOPPED")]
    ear, server = Ear(), Server(states, ["", whole("")])
    following = follower(server, ear)
    following.stop()
    following.follow()
    assert server.stops == ["PENDING", "RUNNING"]
    assert any("as soon as it has" in note for note in ear.notes)
    assert any("keeps its best" in note for note in ear.notes)


def test_ctrl_c_within_a_piece_of_the_log_loses_and_repeats_nothing():
    ear = Ear(on_log=lambda: signal.raise_signal(signal.SIGINT))
    server = Server(
        [state("RUNNING"), state("RUNNING"), state("SUCCEEDED")], ["a\n", "a\nb\n", whole("a\nb\n")]
    )
    following, interrupts = follower(server, ear), 0
    while True:
        try:
            ending = following.follow()
            break
        except KeyboardInterrupt:
            interrupts += 1
    assert (ear.seen, interrupts, ending.parcel) == ("a\nb\n", 2, PARCEL)


def test_a_submission_whose_answer_was_lost_is_repeated_under_the_same_name(tmp_path):
    server = Server([], [])
    server.failures = 1
    submit(server, "job-1", ["evolve", "run"], package(tmp_path))
    assert [job_id for job_id, *_ in server.submitted] == ["job-1", "job-1"]
    server.failures = 2
    with pytest.raises(BrokerUnavailable):
        submit(server, "job-2", ["evolve", "run"], package(tmp_path))


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1))
def test_the_command_survives_the_shell_and_can_be_read_back(words):
    said = entrypoint(words)
    assert shlex.split(said)[-len(words) :] == words
    assert command_of(JobState("RUNNING", "", None, said, ours=True)) == words


@pytest.mark.parametrize("said", ["", "python x.py", "exec python -m peagen_ray.runtime.jobbing -- 'half"])
def test_a_job_of_somebody_else_has_no_command_of_ours(said):
    assert command_of(JobState("RUNNING", "", None, said, ours=True)) == []
    assert command_of(state("RUNNING", ours=False)) == []


def test_job_names_differ():
    assert new_job_id() != new_job_id()
