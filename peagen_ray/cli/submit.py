"""``submit``: run one of our own commands as a job on a Ray cluster."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from peagen_ray.cli.console import people, print_json, printable
from peagen_ray.cli.state import State, state
from peagen_ray.errors import BrokerUnavailable, UsageError

if TYPE_CHECKING:
    from rich.console import Console

    from peagen_ray.cli.command import Command
    from peagen_ray.config.jobs import JobServerAddress
    from peagen_ray.runtime.jobs import Ending, Jobs
    from peagen_ray.runtime.packaging import Package

app = typer.Typer()

_LISTED: Final = 50
_INTERRUPTED: Final = 130
_QUESTION: Final = "[s]top the job and fetch its best, [l]eave it running, or [g]o on following? "


@app.command()
def submit(
    context: typer.Context,
    command: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- COMMAND...", help="Words after peagen-ray.", show_default=False),
    ] = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="The cluster's dashboard, as http://HOST:8265; or RAY_API_SERVER_ADDRESS, or RAY_ADDRESS.",
            show_default="http://127.0.0.1:8265",
        ),
    ] = None,
    output_dir: Annotated[Path, typer.Option(help="Where to put the files that the job made.")] = Path(),
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Follow the job to its end.")] = True,
    follow: Annotated[
        str | None,
        typer.Option(help="Follow this job, submitted before, and fetch its files.", show_default=False),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print what came of it as JSON on stdout, the log on stderr.")
    ] = False,
) -> None:
    """Run a command of peagen-ray as a job on a Ray cluster, follow it, and fetch what it made.

    The working directory goes with it, without what .gitignore names, .git, .venv, caches and old runs. Nothing is
    needed of the cluster but its dashboard's port, and peagen-ray on its nodes. Keys of language models are never
    sent: they belong in the environment of the nodes. The exit code is the command's.

    Ctrl-C asks whether to stop the job, which keeps its best, or to leave it running: --follow JOB_ID goes on.

    Example: peagen-ray submit --address http://HOST:8265 -- evolve run --sync --target-file sort.py
    """
    from peagen_ray.config.jobs import job_server_address

    where = job_server_address(address)
    job = _Job(where, people(stdout_is_json=as_json), output_dir, as_json=as_json)
    if follow is not None:
        if command:
            raise UsageError("--follow takes no command: the job has one", subject=follow)
        code = job.again(follow, dry_run=state(context).dry_run)
    else:
        code = _submit(state(context), job, command or [], wait=wait)
    if code:
        raise typer.Exit(code)


def _submit(shared: State, job: _Job, words: list[str], *, wait: bool) -> int:
    from peagen_ray.cli.command import parsed
    from peagen_ray.runtime.packaging import package

    shared.load()
    command = parsed(words)
    _refuse(command)
    found = package(Path.cwd())
    outputs = _files(shared, command, found)
    job.plan(command, found)
    if shared.dry_run:
        job.would(found)
        return 0
    return job.begin(command, found, outputs, wait=wait)


def _refuse(command: Command) -> None:
    """Raises UsageError for what cannot be a job."""
    from peagen_ray.config.load import mask

    said = " ".join(command.words)
    if command.path[:1] == ("submit",):
        raise UsageError("a job cannot submit a job", subject=said)
    if command.resumes:
        raise UsageError(
            "goes on with a run of this directory, and old runs are not uploaded",
            subject=command.resumes,
            hint="run it here, or begin a new run",
        )
    if any(mask(word) != word for word in command.words):
        raise UsageError(
            "an address with a password in it could be read by everybody who sees the dashboard",
            subject=str(mask(said)),
            hint="set PEAGEN_QUEUE, or [task_queue] password_env, on the nodes of the cluster",
        )


def _files(shared: State, command: Command, found: Package) -> frozenset[PurePosixPath]:
    """The files that the command writes; raises UsageError if one that it reads would not be there."""
    from peagen_ray.cli.command import place_of

    reads = list(command.reads())
    config = State(config_path=command.values.get("config") or shared.config_path).load().config
    target = config.mutate.target_file
    if "target_file" in command.values and command.values["target_file"] is None:
        if target is None:
            raise UsageError(
                "which file?",
                subject=" ".join(command.path),
                hint="--target-file FILE, or [mutate] target_file",
            )
        reads.append(("target_file", target))
    for option, path in reads:
        if not found.has(place_of(path, option)):
            raise UsageError(
                "is not there"
                if not path.exists()
                else "is not uploaded: .gitignore or a rule of ours names it",
                subject=f"--{option.replace('_', '-')} {path}",
            )
    return command.outputs()


class _Job:
    """A job, and the person who waits for it.

    Args:
        where: the job server.
        console: for what a person reads.
        directory: where files go.
        as_json: print what came of it.
    """

    def __init__(self, where: JobServerAddress, console: Console, directory: Path, *, as_json: bool) -> None:
        self._where = where
        self._console = console
        self._directory = directory
        self._json = as_json

    def plan(self, command: Command, found: Package) -> None:
        """Say what is uploaded."""
        self.note(f"{found.words()} of {found.root}: peagen-ray {' '.join(command.words)}")
        for name, reason in found.odd[:_LISTED]:
            self.note(f"left out: {name}: {reason}")

    def would(self, found: Package) -> None:
        """Say what would be done."""
        for entry in found.files[:_LISTED]:
            self.note(f"  {entry.path}  {entry.size} B")
        if len(found.files) > _LISTED:
            self.note(f"  and {len(found.files) - _LISTED} more; largest: {found.largest()}")
        self.note(f"would be uploaded to {self._where.url} ({self._where.origin}) and run there as a job")
        if self._json:
            files = [{"path": str(entry.path), "size": entry.size} for entry in found.files]
            print_json({"address": self._where.url, "files": files, "left_out": dict(found.odd)})

    def begin(
        self, command: Command, found: Package, outputs: frozenset[PurePosixPath], *, wait: bool
    ) -> int:
        """Submit it, and follow it if that is wanted; returns the exit code."""
        from peagen_ray.runtime.jobs import connect, new_job_id, submit

        server, job_id = connect(self._where.url), new_job_id()
        try:
            submit(server, job_id, list(command.words), found)
        except (BrokerUnavailable, KeyboardInterrupt):
            self.note(f"whether the job began is not known; if it did: {self._again(job_id)}")
            raise
        self.note(f"job {job_id} at {self._where.url}")
        if wait:
            return self._follow(server, job_id, outputs)
        self.note(f"follow it: {self._again(job_id)}")
        if self._json:
            print_json({"job": job_id, "address": self._where.url, "status": "SUBMITTED"})
        return 0

    def again(self, job_id: str, *, dry_run: bool) -> int:
        """Follow a job that was submitted before; returns the exit code."""
        from peagen_ray.cli.command import parsed
        from peagen_ray.runtime.jobs import command_of, connect

        server = connect(self._where.url)
        words = command_of(server.state(job_id))
        if not words:
            raise UsageError(
                "is no job of peagen-ray submit", subject=job_id, hint=f"try: ray job logs --follow {job_id}"
            )
        command = parsed(words)
        if dry_run:
            self.note(f"would follow job {job_id} at {self._where.url}: peagen-ray {' '.join(words)}")
            return 0
        return self._follow(server, job_id, command.outputs())

    def log(self, text: str) -> None:
        """Whole lines of the job's log."""
        self._console.print(printable(text), end="", soft_wrap=True)

    def note(self, text: str) -> None:
        """Something of ours."""
        self._console.print(printable(text), style="dim", soft_wrap=True)

    def _follow(self, server: Jobs, job_id: str, outputs: frozenset[PurePosixPath]) -> int:
        from peagen_ray.runtime.jobs import Follower

        follower = Follower(server, job_id, self)
        while True:
            try:
                return self._ended(job_id, follower.follow(), outputs)
            except KeyboardInterrupt:
                wanted = self._asked()
                if wanted == "l":
                    self.note(f"the job goes on; follow it again: {self._again(job_id)}")
                    return _INTERRUPTED
                if wanted == "s":
                    follower.stop()
            except BrokerUnavailable:
                self.note(f"the job may go on; follow it again: {self._again(job_id)}")
                raise

    def _asked(self) -> str:
        """What a person who pressed Ctrl-C wants: ``s``, ``l`` or ``g``; where nobody can be asked, to leave."""
        if not sys.stdin.isatty():
            return "l"
        try:
            while True:
                self._console.print(f"\n{_QUESTION}", end="", soft_wrap=True)
                answer = input().strip().lower()[:1]
                if answer in {"s", "l", "g"}:
                    return answer
        except (EOFError, KeyboardInterrupt):
            return "l"

    def _ended(self, job_id: str, ending: Ending, outputs: frozenset[PurePosixPath]) -> int:
        """Write its files, and say what came of it."""
        from peagen_ray.runtime.parcel import Parcel
        from peagen_ray.runtime.unpacking import unpack

        came = unpack(ending.parcel or Parcel(ending.exit_code), self._directory, outputs)
        for path in came.written:
            self.note(f"fetched {path}")
        for each in came.left_out:
            self.note(f"left out: {each.name}, {each.size} B: {each.reason}")
        if ending.problem:
            self.note(f"files of the job are missing: {ending.problem}")
        self.note(f"job {job_id} has ended: {ending.status}, exit code {ending.exit_code}")
        if self._json:
            files: dict[str, Any] = {"files": [str(path) for path in came.written]}
            files["left_out"] = [asdict(each) for each in came.left_out]
            ended = {"status": ending.status, "exit": ending.exit_code, "problem": ending.problem}
            print_json({"job": job_id, "address": self._where.url, **ended, **files})
        return ending.exit_code or (1 if ending.problem else 0)

    def _again(self, job_id: str) -> str:
        given = "" if self._where.origin == "default" else f" --address {self._where.url}"
        return f"peagen-ray submit{given} --follow {job_id}"
