"""What a render that is killed leaves behind, and the next one of the same output removes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

from peagen_ray.errors import ConfigError, ResultExpired
from peagen_ray.queues.base import TaskQueue
from peagen_ray.runtime.paths import WORKSPACE
from peagen_ray.storage import open_storage

PREFIX: Final = "peagen-parts-"
"""Of the names of directories for parts that only this machine's processes read."""

_TASKS: Final = "tasks-"

_FOLDER: Final = WORKSPACE / "renders"
_OURS: Final = re.compile(rf"(?:.*/)?(?:\.parts/render-[0-9a-f]+|{PREFIX}[^/]+)")


@contextmanager
def remembered(out: Path, run_id: str, root: str) -> Iterator[None]:
    """Remember in the workspace, as long as the block runs, that a render keeps its parts at ``root``.

    Args:
        out: the directory of its outputs.
        run_id: the render.
        root: a directory or an address.
    """
    with _note(out, run_id, root):
        yield


@contextmanager
def tasks_remembered(out: Path, run_id: str, queue: str) -> Iterator[Callable[[str], None]]:
    """Remember the tasks of a render, as long as the block runs; each id is told before its task is enqueued.

    Args:
        out: the directory of its outputs.
        run_id: the render.
        queue: what the queue is called.
    """
    with _note(out, f"{_TASKS}{run_id}", f"{queue}\n") as file:

        def sent(task_id: str) -> None:
            file.write(f"{task_id}\n")
            file.flush()

        yield sent


@contextmanager
def _note(out: Path, name: str, text: str) -> Iterator[TextIO]:
    """A locked file in the workspace, as long as the block runs."""
    folder = _folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    note, draft = folder / name, folder / f".{name}"
    with draft.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(text)
        file.flush()
        draft.rename(note)  # nobody sees it unlocked
        try:
            yield file
        finally:
            note.unlink(missing_ok=True)


def cancel_left(out: Path, queue: TaskQueue, name: str) -> int:
    """Cancel the tasks that renders of this output, whose process is gone, left in a queue.

    Args:
        out: the directory of the outputs.
        queue: the queue.
        name: what it is called; tasks in another one are left for a render that uses that.

    Returns:
        How many there were.
    """
    cancelled = 0
    for note in sorted(_folder(out).glob(f"{_TASKS}*")):
        with suppress(FileNotFoundError, BlockingIOError), note.open("r", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # whoever goes on with it has it locked
            where, *task_ids = file.read().splitlines()
            if where == name:
                cancelled += sum(_cancelled(queue, task_id) for task_id in task_ids)
                note.unlink(missing_ok=True)
    return cancelled


def _cancelled(queue: TaskQueue, task_id: str) -> bool:
    """Cancel a task, or the one that has the rest of what it began."""
    following: str | None = task_id
    while following is not None:
        if queue.cancel(following):
            return True
        result = None
        with suppress(ResultExpired):
            result = queue.wait_for_result(following, 0)
        following = result.data.get("rest") if result is not None else None
    return False


def sweep(out: Path, say: Callable[[str], None]) -> None:
    """Remove the parts of renders of this output whose process is gone.

    Args:
        out: the directory of the outputs.
        say: told of parts that cannot be removed now; a later render tries again.
    """
    folder = _folder(out)
    if not folder.is_dir():
        return
    for note in sorted(folder.glob("render-*")):
        with suppress(FileNotFoundError, BlockingIOError), note.open("r", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)  # whoever goes on with it has it locked
            root = file.read()
            try:
                if _OURS.fullmatch(root):
                    _remove(root)
                note.unlink(missing_ok=True)
            except (OSError, ConfigError) as error:
                say(f"{root}, left by a render that was killed, cannot be removed: {error}")


def _remove(root: str) -> None:
    filesystem, path = open_storage(root)
    try:
        filesystem.delete_dir(path)
    except FileNotFoundError:
        return


def _folder(out: Path) -> Path:
    digest = hashlib.blake2b(os.fsencode(out.resolve()), digest_size=8).hexdigest()
    return _FOLDER / digest
