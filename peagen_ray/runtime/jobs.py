"""A command as a job on a Ray cluster: submitted, followed to its end, and its files fetched, over HTTP alone."""

from __future__ import annotations

import secrets
import shlex
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from peagen_ray._version import __version__
from peagen_ray.errors import BrokerUnavailable, JobError
from peagen_ray.fabric.jobs import JobServer, JobState
from peagen_ray.runtime.packaging import Package
from peagen_ray.runtime.parcel import Parcel, Unwrapper

ENTRYPOINT: Final = "exec python -m peagen_ray.runtime.jobbing -- "

_LOOK_S: Final = 1.0
"""Seconds between two looks at a job."""

_RATE: Final = 64 << 10
"""Characters of a log that are read again in a second at most: it can only be had whole."""

_PATIENCE_S: Final = 300.0
"""Seconds that a job server may stay away before that is an error."""

_STRANGER: Final = "No module named"


class Jobs(Protocol):
    """What is needed of a job server, see :class:`peagen_ray.fabric.jobs.JobServer`."""

    url: str

    def submit(self, job_id: str, entrypoint: str, package: Path, version: str) -> None:
        """Upload the files and start a job."""

    def state(self, job_id: str) -> JobState:
        """What is known of a job."""

    def log(self, job_id: str) -> str:
        """All that it has printed."""

    def stop(self, job_id: str) -> bool:
        """Ask it to end itself."""


class Listener(Protocol):
    """Is told what happens."""

    def log(self, text: str) -> None:
        """Whole lines of the job's log."""

    def note(self, text: str) -> None:
        """Something about the job or the server."""


@dataclass(frozen=True)
class Ending:
    """How a job ended.

    Attributes:
        status: in Ray's word.
        exit_code: of the command; 1 where it has none.
        parcel: what it sent back; None if nothing came.
        problem: why its files did not come; empty if they did.
    """

    status: str
    exit_code: int
    parcel: Parcel | None
    problem: str = ""


def new_job_id() -> str:
    """A name for a job."""
    return f"peagen-{secrets.token_hex(6)}"


def entrypoint(command: list[str]) -> str:
    """The shell's command that runs one of ours as a job."""
    return ENTRYPOINT + shlex.join(command)


def command_of(state: JobState) -> list[str]:
    """Our command that a job runs; empty if it is no job of ours."""
    if not state.ours or not state.entrypoint.startswith(ENTRYPOINT):
        return []
    try:
        return shlex.split(state.entrypoint.removeprefix(ENTRYPOINT))
    except ValueError:
        return []


def connect(url: str) -> JobServer:
    """The job server at an address; raises BrokerUnavailable or ConfigError."""
    return JobServer(url)


def submit(server: Jobs, job_id: str, command: list[str], package: Package) -> None:
    """Upload the files and start a job that runs one of our commands.

    Raises:
        BrokerUnavailable: the server does not answer.
        JobError: it refuses.
    """
    with tempfile.TemporaryDirectory(prefix="peagen-submit-") as folder:
        archive = Path(folder) / "files.zip"
        package.write(archive)
        try:
            server.submit(job_id, entrypoint(command), archive, __version__)
        except BrokerUnavailable:  # perhaps only the answer was lost
            server.submit(job_id, entrypoint(command), archive, __version__)


class Follower:
    """Follows one job.

    Its log is append-only, and is read from the place where the last look ended: nothing is shown twice and nothing
    is lost, whatever happens to the connection.

    Args:
        server: is asked.
        job_id: the job.
        listener: is told.
        patience_s: seconds that the server may stay away.
        look_s: seconds between two looks.
    """

    def __init__(
        self,
        server: Jobs,
        job_id: str,
        listener: Listener,
        *,
        patience_s: float = _PATIENCE_S,
        look_s: float | None = None,
    ) -> None:
        self._server = server
        self._id = job_id
        self._listener = listener
        self._patience = patience_s
        self._look = _LOOK_S if look_s is None else look_s
        self._unwrapper = Unwrapper()
        self._seen = 0
        self._due = 0.0
        self._away_since: float | None = None
        self._stopping = False
        self._asked: set[str] = set()
        self._state: JobState | None = None

    def follow(self) -> Ending:
        """Follow it to its end; can be called again after KeyboardInterrupt, and goes on.

        Raises:
            BrokerUnavailable: the server stays away too long.
            JobError: it knows no such job, or the job could not be started.
        """
        pause = threading.Event()
        with _remembered() as pressed:
            while not pressed:
                state = self._insist(lambda: self._server.state(self._id))
                if state is not None:
                    self._tell(state)
                    if self._stopping:
                        self._ask_to_stop(state)
                    if (state.ended or time.monotonic() >= self._due) and self._read() and state.ended:
                        return self._end(state)
                pause.wait(self._look)
        raise KeyboardInterrupt

    def stop(self) -> None:
        """Have it stopped, from the next look on."""
        self._stopping = True

    def _tell(self, state: JobState) -> None:
        before, self._state = self._state, state
        if state.pending and before is None:
            self._listener.note("the job waits to begin")

    def _ask_to_stop(self, state: JobState) -> None:
        """Ray takes no notice of a request for a job that has not begun: it is asked again when it has."""
        if state.ended or state.status in self._asked:
            return
        if self._insist(lambda: self._server.stop(self._id)) is None:
            return
        self._asked.add(state.status)
        self._listener.note(
            "the job has not begun; it is stopped as soon as it has"
            if state.pending
            else "stopping the job: it keeps its best, which takes a moment"
        )

    def _read(self) -> bool:
        """Show what is new in the log; False if it could not be read."""
        log = self._insist(lambda: self._server.log(self._id))
        if log is None:
            return False
        self._due = time.monotonic() + len(log) / _RATE
        if len(log) > self._seen:
            with _undisturbed():
                shown = self._unwrapper.feed(log[self._seen :])
                self._seen = len(log)
                if shown:
                    self._listener.log(shown)
        return True

    def _insist(self, ask: Callable[[], Any]) -> Any:
        """The answer; None if there is none yet. Raises BrokerUnavailable when that lasts too long."""
        try:
            answer = ask()
        except BrokerUnavailable as error:
            self._lost(error)
            return None
        if self._away_since is not None:
            self._away_since = None
            self._listener.note("the job server answers again")
        return answer

    def _lost(self, error: BrokerUnavailable) -> None:
        now = time.monotonic()
        if self._away_since is None:
            self._away_since = now
            self._listener.note(f"connection lost, the job goes on; trying again: {error.what}")
        elif now - self._away_since > self._patience:
            raise error

    def _end(self, state: JobState) -> Ending:
        rest = self._unwrapper.finish()
        if rest:
            self._listener.log(rest)
        parcel, problem = self._unwrapper.parcel, self._unwrapper.problem
        if parcel is not None:
            return Ending(state.status, parcel.exit_code, parcel, problem)
        if state.status == "FAILED" and state.exit_code is None:
            raise JobError(f"the job could not be run: {gist(state.message)}", subject=self._id)
        code = state.exit_code if state.exit_code is not None else 1
        return Ending(state.status, code or 1, None, problem or _why_none(state))


@contextmanager
def _remembered() -> Iterator[list[int]]:
    """The signals of Ctrl-C within the block: one whose exception falls into a finaliser is raised to nobody."""
    pressed: list[int] = []
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored or threading.current_thread() is not threading.main_thread():
        yield pressed
        return

    def interrupt(number: int, _: object) -> None:
        pressed.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Within the block Ctrl-C waits, so that it falls between two pieces of the log and not into one."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    caught: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: caught.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if caught:
        raise KeyboardInterrupt


def gist(message: str) -> str:
    """What Ray says of a job, without the traceback in the middle."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    return "; ".join(lines if len(lines) < 4 else [lines[0], lines[-1]]) or "it does not say why"


def _why_none(state: JobState) -> str:
    if _STRANGER in state.message and "peagen_ray" in state.message:
        return "the cluster has no peagen-ray: install the same version on its nodes"
    if state.status == "STOPPED":
        return "it was ended before it could send them"
    last = state.message.strip().partition("\n")[0]
    return f"it was ended before it could send them: {last}" if last else "it sent none"
