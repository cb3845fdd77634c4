"""Commands as jobs on a real head with its job server, which runs nothing but jobs."""

from __future__ import annotations

import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from jobs_bench import JobsHead, Line

from peagen_ray.errors import JobError
from peagen_ray.fabric.jobs import JobServer
from peagen_ray.runtime.jobs import Ending, Follower, entrypoint, new_job_id, submit
from peagen_ray.runtime.packaging import FOLDER, package

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SLOW = "def f(xs: list[int]) -> int:\n    total = 0\n    for x in xs:\n        total = total + x\n    return total\n"
EVOLVE = ["evolve", "run", "--sync", "--target-file", "slow.py", "--seed", "1", "--generation-size", "2"]
SHORT = [*EVOLVE, "--generations", "1"]
LONG = [*EVOLVE, "--generations", "100000", "--no-improve", "100000", "--run-timeout", "10m"]
MUTATE = ["mutate", "--sync", "--target-file", "slow.py", "--seed", "1"]


@pytest.fixture(scope="session")
def head() -> Iterator[JobsHead]:
    """Its jobs find our code, and the ``python`` of the tests."""
    running = JobsHead({})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{ROOT}:{ROOT / 'handlers'}")
        patch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
        running.start()
    try:
        yield running
    finally:
        running.stop()


@pytest.fixture
def server(head: JobsHead) -> JobServer:
    return JobServer(head.url)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    (place / "slow.py").write_text(SLOW)
    (place / ".peagen.toml").write_text("[evaluate]\nwinner_s = 0.5\n")
    return place


def call(head: JobsHead, *words: str) -> subprocess.Popen[str]:
    """The program, with no terminal."""
    return subprocess.Popen(
        [sys.executable, "-m", "peagen_ray", "submit", "--address", head.url, *words],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'handlers'}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Ear:
    """Keeps what it is told, and does something at a certain word of the log or of a note."""

    def __init__(self, **at: Callable[[], None]) -> None:
        self.seen, self.notes = "", list[str]()
        self._at = at

    def log(self, text: str) -> None:
        self.seen += text
        self._act(text)

    def note(self, text: str) -> None:
        self.notes.append(text)
        self._act(text)

    def _act(self, text: str) -> None:
        for word in [word for word in self._at if word in text]:
            self._at.pop(word)()


def followed(server: JobServer, job_id: str, ear: Ear) -> Ending:
    return Follower(server, job_id, ear, look_s=0.2).follow()


def submitted(server: JobServer, command: list[str], place: Path) -> str:
    job_id = new_job_id()
    submit(server, job_id, command, package(place))
    return job_id


def test_a_run_comes_back_with_its_files_and_its_log(head, here):
    (here / ".gitignore").write_text("*.log\n")
    (here / "noise.log").write_text("x")
    out, err = (process := call(head, "--json", "--output-dir", "got", "--", *SHORT)).communicate(timeout=240)
    assert process.returncode == 0, err
    said = json.loads(out)
    assert (said["status"], said["exit"], said["problem"], said["left_out"]) == ("SUCCEEDED", 0, "", [])
    (summary,) = (here / "got").glob(".peagen/runs/*/summary.json")
    assert json.loads(summary.read_text())["candidates"] >= 2
    assert str(summary.relative_to(here)) in said["files"]
    assert (here / "got/winner.py").exists() == json.loads(summary.read_text())["improved"]
    assert "3 files, " in err
    assert err.count("measuring the original: f in slow.py") == 1
    assert err.count(f"Running entrypoint for job {said['job']}") == 1
    assert "::peagen-ray::" not in err


@pytest.mark.nightly
def test_two_jobs_with_the_same_files_do_not_see_each_other(server, here):
    for _ in range(2):
        ending = followed(server, submitted(server, MUTATE, here), Ear())
        assert ending.exit_code == 0
        assert ending.parcel is not None
        assert set(ending.parcel.files) == {"slow_mutated.py"}


def test_wrong_use_within_the_job_is_exit_2(server, here):
    (here / "slow.py").write_text("def f(:\n")
    ear = Ear()
    ending = followed(server, submitted(server, MUTATE, here), ear)
    assert (ending.status, ending.exit_code, ending.problem) == ("FAILED", 2, "")
    assert "slow.py" in ear.seen


def test_hostile_names_reach_the_job_and_come_back_as_they_are(server, here):
    name = "a b\n'$(touch pwned)'\".py"
    (here / name).write_text(SLOW)
    ending = followed(server, submitted(server, [*MUTATE[:3], name, "--output", "é;x.py"], here), Ear())
    assert ending.exit_code == 0
    assert ending.parcel is not None
    assert set(ending.parcel.files) == {"é;x.py"}


def test_a_stop_lets_a_run_keep_its_best_although_ray_signals_every_process(server, here):
    job_id = submitted(server, LONG, here)
    ear = Ear(evolving=lambda: follower.stop())
    follower = Follower(server, job_id, ear, look_s=0.2)
    ending = follower.follow()
    assert (ending.status, ending.exit_code, ending.problem) == ("STOPPED", 0, ""), ear.seen
    assert "stopping: keeping the best" in ear.seen
    assert ending.parcel is not None
    assert any(name.endswith("/summary.json") for name in ending.parcel.files)


@pytest.mark.nightly
def test_ctrl_c_without_a_terminal_leaves_the_job_and_it_can_be_followed_again(head, server, here):
    process = call(head, "--", *LONG)
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("evolving"):
            break
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    job_id = out.rpartition("--follow ")[2].split()[0]
    assert not server.state(job_id).ended
    again = call(head, "--follow", job_id)
    assert server.stop(job_id)
    out, err = again.communicate(timeout=120)
    assert again.returncode == 0, out + err
    assert "measuring the original" in out
    assert list(here.glob(".peagen/runs/*/summary.json"))


def test_ctrl_c_on_a_terminal_asks_and_a_stopped_job_hands_over_its_best(head, here):
    ours, theirs = os.openpty()
    settings = termios.tcgetattr(theirs)
    settings[3] |= (
        termios.NOFLSH
    )  # or the kernel, late on a busy machine, drops the question with what came before it
    termios.tcsetattr(theirs, termios.TCSANOW, settings)
    process = subprocess.Popen(
        [sys.executable, "-m", "peagen_ray", "submit", "--address", head.url, "--", *LONG],
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'handlers'}"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    try:
        _read_until(ours, b"evolving")
        os.write(ours, b"\x03")
        _read_until(ours, b"[g]o on following?")
        os.write(ours, b"s\n")
        said = _read_until(ours, None)
        assert process.wait(60) == 0, said
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert b"stopping the job: it keeps its best" in said
    assert list(here.glob(".peagen/runs/*/summary.json"))


def _read_until(terminal: int, word: bytes | None) -> bytes:
    """What comes from a terminal up to a word, or all of it."""
    said = b""
    while word is None or word not in said:
        assert select.select([terminal], [], [], 120)[0], said
        try:
            piece = os.read(terminal, 4096)
        except OSError:  # the other side is closed
            piece = b""
        if not piece:
            assert word is None, said
            break
        said += piece
    return said


def test_a_cut_line_is_mended_and_nothing_is_lost(head, server, here):
    with Line(urlsplit(head.url).port) as line:
        far = JobServer(line.url)
        job_id = submitted(far, SHORT, here)
        ear = Ear(**{"measuring the original": line.cut, "connection lost": line.mend})
        ending = followed(far, job_id, ear)
    assert ending.exit_code == 0, ear.seen
    assert ending.parcel is not None
    assert [note.partition(",")[0] for note in ear.notes if "job server" in note or "lost" in note] == [
        "connection lost",
        "the job server answers again",
    ]
    near = Ear()
    assert followed(server, job_id, near) == ending
    assert near.seen == ear.seen


@pytest.mark.nightly
def test_a_job_is_submitted_once_however_often_that_is_repeated(server, here, tmp_path):
    archive = tmp_path / "files.zip"
    package(here).write(archive)
    job_id = new_job_id()
    for _ in range(2):
        server.submit(job_id, entrypoint(MUTATE), archive, "1")
    ear = Ear()
    assert followed(server, job_id, ear).exit_code == 0
    assert ear.seen.count("Running entrypoint") == 1


def test_a_job_that_ray_cannot_start_says_why(server):
    environment = {"working_dir": "gcs://_ray_pkg_nowhere.zip"}
    job_id = server._client.submit_job(entrypoint="true", runtime_env=environment)
    with pytest.raises(JobError, match=r"could not be run: runtime_env setup failed.*Failed to download"):
        followed(server, job_id, Ear())


def test_a_job_that_waits_for_a_node_can_be_left_and_is_not_said_to_be_stopped(server):
    job_id = server._client.submit_job(entrypoint="true", entrypoint_resources={"nowhere": 1})

    def leave() -> None:
        raise KeyboardInterrupt

    ear = Ear(**{"it is stopped as soon as it has": leave})
    follower = Follower(server, job_id, ear, look_s=0.2)
    follower.stop()
    with pytest.raises(KeyboardInterrupt):
        follower.follow()
    assert server.state(job_id).pending


@pytest.mark.nightly
def test_a_job_whose_wrapper_is_killed_is_no_success(server, here):
    job_id = submitted(server, LONG, here)
    ear = Ear(evolving=lambda: _kill_job(job_id))
    ending = followed(server, job_id, ear)
    assert (ending.status, ending.exit_code != 0, ending.parcel) == ("FAILED", True, None)
    assert "before it could send them" in ending.problem


def test_an_unknown_job_is_said_to_be_one(server):
    with pytest.raises(JobError, match="knows no such job"):
        followed(server, "peagen-none", Ear())


def _kill_job(job_id: str) -> None:
    """Kill the first process of a job, and with it what hangs on it."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _is_wrapper_of(entry, job_id):
            os.kill(int(entry.name), signal.SIGKILL)


def _is_wrapper_of(entry: Path, job_id: str) -> bool:
    try:
        words, environ = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
    except OSError:
        return False
    return (
        b"peagen_ray.runtime.jobbing" in words and job_id.encode() in environ and FOLDER.encode() not in words
    )
