"""What a render that is killed leaves behind, and the next one of the same output removes."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from peagen_ray.errors import ConfigError
from peagen_ray.runtime.paths import WORKSPACE
from peagen_ray.storage import open_storage

PREFIX: Final = "peagen-parts-"
"""Of the names of directories for parts that only this machine's processes read."""

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
    folder = _folder(out)
    folder.mkdir(parents=True, exist_ok=True)
    note, draft = folder / run_id, folder / f".{run_id}"
    with draft.open("w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(root)
        file.flush()
        draft.rename(note)  # nobody sees it unlocked
        try:
            yield
        finally:
            note.unlink(missing_ok=True)


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
