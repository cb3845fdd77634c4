"""The job's side of ``peagen-ray submit``: runs one command where Ray put its files, and sends back what it made.

``python -m peagen_ray.runtime.jobbing -- evolve run …`` works in a copy of the files, since Ray gives every job with
the same files the same directory. SIGTERM, with which Ray ends a job and all processes below it, becomes one SIGINT
for the command alone, so that it keeps its best.
"""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath
from types import FrameType
from typing import BinaryIO, Final

from peagen_ray.runtime.packaging import FOLDER
from peagen_ray.runtime.parcel import LIMIT, MOST_FILES, LeftOut, Parcel, escaped

_PIECE: Final = 1 << 16
"""Characters of a line that are passed on at once."""

_DRAIN_S: Final = 10.0
"""Seconds for the rest of the output, once the command has ended."""

_RUNS: Final = (".peagen", "runs")
_FIRST: Final = ("winner.py", "winner.diff", "summary.json")
"""What is sent first of a run's directory; the rest follows while there is room."""

_UNSENT: Final = frozenset({"__pycache__", "reference.bin"})

Stamps = Mapping[PurePosixPath, tuple[int, int, int]]
"""Of each file: its number, size and time of change."""


def main(words: Sequence[str]) -> int:
    """Run the command after ``--``; returns its exit code, 1 if a signal ended it."""
    with tempfile.TemporaryDirectory(prefix="peagen-job-", ignore_cleanup_errors=True) as folder:
        place = Path(folder) / FOLDER
        shutil.copytree(FOLDER, place)
        before = stamps(place)
        code = _Command([sys.executable, "-P", "-m", "peagen_ray", *words[1:]], place).run()
        for line in parcel(place, before, code).lines():
            say(line)
    return code


def say(line: str) -> None:
    """One whole line into the job's log, at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


class _Command:
    """The command, as a process of its own."""

    def __init__(self, command: list[str], place: Path) -> None:
        self._command = command
        self._place = place
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self) -> int:
        """Run it to its end."""
        signal.signal(signal.SIGTERM, self._stop)
        process = self._process = subprocess.Popen(
            self._command,
            cwd=self._place,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            preexec_fn=_take_sigint_only,
        )
        if self._stopped:
            process.send_signal(signal.SIGINT)
        reader = threading.Thread(target=relay, args=(process.stdout,), daemon=True)
        reader.start()
        code = process.wait()
        reader.join(_DRAIN_S)  # whatever outlives the command may hold its output open
        if code < 0:
            say(f"the command was ended by {signal.Signals(-code).name}")
        return code if code >= 0 else 1

    def _stop(self, _number: int, _frame: FrameType | None) -> None:
        self._stopped = True
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGINT)


def _take_sigint_only() -> None:
    """Ray sends SIGTERM to every process of a job, and has SIGINT blocked in all of them."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def relay(stream: BinaryIO) -> None:
    """Pass output on to the log: as UTF-8, and nothing in it taken for a parcel."""
    begins = True
    while piece := stream.readline(_PIECE):
        text = piece.decode("utf-8", "replace")
        sys.stdout.write(escaped(text) if begins else text)
        sys.stdout.flush()
        begins = text.endswith("\n")
    if not begins:
        say("")


# ---- what is sent back -----------------------------------------------------------------------------


def stamps(place: Path) -> dict[PurePosixPath, tuple[int, int, int]]:
    """The ordinary files of a directory, by their path in it."""
    found: dict[PurePosixPath, tuple[int, int, int]] = {}
    for path in place.rglob("*"):
        with suppress(OSError):
            if path.is_file() and not path.is_symlink():
                state = path.stat()
                found[PurePosixPath(path.relative_to(place))] = state.st_ino, state.st_size, state.st_mtime_ns
    return found


def parcel(place: Path, before: Stamps, exit_code: int, *, limit: int = LIMIT) -> Parcel:
    """The files that are new or changed, what matters most first, as many as there is room for."""
    files: dict[str, bytes] = {}
    left_out: list[LeftOut] = []
    room = limit
    after = stamps(place)
    for path in sorted((each for each in after if _made(each, before, after)), key=_rank):
        name, size = str(path), after[path][1]
        reason = _unfit(name, size, room, len(files))
        content = b"" if reason else _content(place / path)
        if content is None or len(content) > room:
            reason = "it changes or cannot be read"
        if reason:
            left_out.append(LeftOut(name.encode("utf-8", "replace").decode(), size, reason))
        elif content is not None:
            files[name] = content
            room -= len(content)
    return Parcel(exit_code, files, tuple(left_out))


def _made(path: PurePosixPath, before: Stamps, after: Stamps) -> bool:
    if _UNSENT & set(path.parts) or (path.parts[0] == _RUNS[0] and path.parts[:2] != _RUNS):
        return False
    return before.get(path) != after[path]


def _rank(path: PurePosixPath) -> tuple[int, str]:
    """A run's winner and what is said of it before all else, its record last."""
    if path.parts[:2] != _RUNS:
        return 1, str(path)
    return (0 if path.name in _FIRST else 2 if path.suffix in {".json", ".html"} else 3), str(path)


def _unfit(name: str, size: int, room: int, count: int) -> str:
    try:
        name.encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if count >= MOST_FILES:
        return f"there are more than {MOST_FILES} files"
    return f"the files of a job may have {LIMIT >> 20} MiB in all" if size > room else ""


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
