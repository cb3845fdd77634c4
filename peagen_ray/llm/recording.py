"""What a run asked its models and what they answered, on disk; and its answers once more, for a replay.

One line of JSON for each asking, in UTF-8, ended by a line feed: ``{"v": 1, "task": …, "round": …, "prompt": digest,
"exchanges": […]}``. A line is on disk before the run acts on it. What an interrupted write leaves at the end has no
line feed, and is cut off when the file is opened again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from peagen_ray.errors import LedgerError, ReplayDivergence
from peagen_ray.llm.base import Prompt
from peagen_ray.llm.calling import Asked
from peagen_ray.llm.exchange import Exchange
from peagen_ray.storage import lock_alone, sync_directory, write_at

FORMAT: Final = 1
"""Version of the lines."""

_BLOCK: Final = 1 << 16


class Round(NamedTuple):
    """One asking of a task: the first is 0, each repair one more.

    Attributes:
        task: the task's id.
        number: which round of it.
        prompt: the prompt's digest.
        asked: what came of it.
    """

    task: str
    number: int
    prompt: str
    asked: Asked


class Recording:
    """A recording that is being written, by this process alone and one thread at a time.

    Args:
        path: the file; made if there is none.

    Attributes:
        cut: bytes that an interrupted write had left at the end, and that were cut off.

    Raises:
        LedgerError: another process writes it, or the disk refuses.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._broken = False
        self._unsynced = False
        self._file = _locked(path)
        try:
            size = os.fstat(self._file).st_size
            self._size = _whole(self._file, size)
            self.cut = size - self._size
            if self.cut:
                os.ftruncate(self._file, self._size)
            os.fsync(self._file)
            sync_directory(path.parent)
        except OSError as error:
            os.close(self._file)
            raise LedgerError(f"cannot be opened: {error.strerror}", subject=str(path)) from error

    def append(self, asking: Round, *, sync: bool = True) -> None:
        """Write one asking; it is on disk when this returns, or else when :meth:`sync` does.

        Raises:
            LedgerError: the disk refuses, or did before. The file is as it was.
        """
        if self._broken:
            raise LedgerError("an earlier write failed", subject=str(self.path), hint="resume the run")
        self._broken = True
        written = write_at(self._file, self._size, _line(asking), self.path, sync=sync)
        self._broken = False
        self._size += written
        self._unsynced = not sync

    def sync(self) -> None:
        """Return when all that was written is on disk; raises LedgerError."""
        if not self._unsynced:
            return
        try:
            os.fdatasync(self._file)
        except OSError as error:
            self._broken = True
            raise LedgerError(f"cannot be written: {error.strerror}", subject=str(self.path)) from error
        self._unsynced = False

    def close(self) -> None:
        """Let another process write it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read(path: Path) -> Iterator[Round]:
    """Every asking of a recording; what a write in progress has left at the end is not among them.

    Raises:
        LedgerError: there is none, a line is damaged, or it is of a newer version.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if line.endswith(b"\n"):
                    yield _round(line, f"{path}:{number}")
    except OSError as error:
        raise LedgerError(f"cannot be read: {error.strerror}", subject=str(path)) from error


class Player:
    """Answers from a recording, asking nobody.

    Args:
        path: the recording.

    Raises:
        LedgerError: it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rounds = {(each.task, each.number): each for each in read(path)}

    def knows(self, task: str, number: int) -> bool:
        """Whether that asking was recorded."""
        return (task, number) in self._rounds

    def ask(self, task: str, number: int, prompt: Prompt) -> Asked:
        """What came of that asking when it was recorded; of one that was made twice, the later.

        Raises:
            ReplayDivergence: it was not recorded, or with another prompt.
        """
        found = self._rounds.get((task, number))
        subject = f"round {number} of task {task}"
        if found is None:
            raise ReplayDivergence("was not recorded", subject=subject, hint=str(self._path))
        if found.prompt != prompt.digest:
            raise ReplayDivergence("was asked something else", subject=subject, hint=str(self._path))
        return found.asked


def _line(asking: Round) -> bytes:
    fields = {
        "v": FORMAT,
        "task": asking.task,
        "round": asking.number,
        "prompt": asking.prompt,
        "exchanges": [each.to_wire() for each in asking.asked.exchanges],
    }
    return json.dumps(fields, separators=(",", ":")).encode() + b"\n"


def _round(line: bytes, where: str) -> Round:
    try:
        fields: dict[str, Any] = json.loads(line)
        version = fields["v"]
        if version != FORMAT:
            raise LedgerError(
                f"is of version {version}, this program speaks {FORMAT}",
                subject=where,
                hint="use the version of peagen-ray that wrote it",
            )
        exchanges = tuple(Exchange.from_wire(each) for each in fields["exchanges"])
        kept = next((each for each in exchanges if each.kept), None)
        return Round(str(fields["task"]), int(fields["round"]), str(fields["prompt"]), Asked(kept, exchanges))
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError) as error:
        raise LedgerError(f"is damaged: {type(error).__name__}", subject=where) from error


def _locked(path: Path) -> int:
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LedgerError(f"cannot be opened: {error.strerror}", subject=str(path)) from error
    lock_alone(file, path)
    return file


def _whole(file: int, size: int) -> int:
    """Where the last line feed ends; read from the end."""
    end = size
    while end > 0:
        begin = max(0, end - _BLOCK)
        found = os.pread(file, end - begin, begin).rfind(b"\n")
        if found >= 0:
            return begin + found + 1
        end = begin
    return 0
