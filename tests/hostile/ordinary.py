"""An ordinary user for root's tests: a process of a user id that owns nothing, judging on our behalf.

Run as a program, as root: make what Python needs reachable for everybody, become that user, and judge.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from peagen_ray.errors import SandboxError
from peagen_ray.launcher import linux
from peagen_ray.sandbox.measure import Interval, Verdict

UID: Final = 54_321


class RemoteJudge:
    """A judge in a process of another user; answers as :class:`judging.Judge` does."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.layers = frozenset(self._read()["layers"])

    def verdict(self, mode: str, subject: str, profile: str, source: str) -> Verdict:
        """See :meth:`judging.Judge.verdict`."""
        assert self._process.stdin is not None
        request = {"mode": mode, "subject": subject, "profile": profile, "source": source}
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        fields = self._read()
        told = {name: fields[name] for name in ("outcome", "reason", "inputs", "confirmed", "gain")}
        return Verdict(**told, speed=Interval(**fields["speed"]) if fields["speed"] else None)

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the judge of the ordinary user died"
        answer: dict[str, Any] = json.loads(line)
        if "unavailable" in answer:
            raise SandboxError(answer["unavailable"])
        return answer


@contextmanager
def judging_as_another(name: str, workspace: Path) -> Iterator[RemoteJudge]:
    """A judge that is another user, with ``workspace`` as its own directory."""
    os.chown(workspace, UID, UID)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, filter(None, sys.path)))}
    with subprocess.Popen(
        [sys.executable, __file__, name, str(workspace)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        try:
            yield RemoteJudge(process)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(60)


def _closed(path: Path) -> Path | None:
    """The outermost directory above ``path`` that others may not pass through."""
    for directory in reversed(path.parents):
        if not directory.stat().st_mode & stat.S_IXOTH:
            return directory
    return None


def open_up(paths: Iterable[Path]) -> None:
    """Let everybody reach those paths: a closed directory above one is covered, for us alone, by one that shows only them."""
    linux.unshare_mounts()
    below: dict[Path, list[tuple[Path, int]]] = {}
    for path in sorted({path.resolve() for path in paths if path.exists()}):
        if closed := _closed(path):
            below.setdefault(closed, []).append((path, os.open(path, os.O_PATH)))
    for closed, kept in below.items():
        linux.mount("tmpfs", str(closed), "tmpfs", linux.MS_NOSUID | linux.MS_NODEV, "mode=755")
        for path, fd in kept:
            if not path.exists():
                path.mkdir(parents=True)
                linux.mount(f"/proc/self/fd/{fd}", str(path), flags=linux.MS_BIND | linux.MS_REC)
            os.close(fd)


def _become() -> None:
    prefixes = (sys.base_prefix, sys.prefix, *sys.path, str(Path(sys.executable).resolve().parents[1]))
    open_up([Path(prefix) for prefix in prefixes if prefix and Path(prefix).is_dir()])
    os.setgroups([])
    os.setresgid(UID, UID, UID)
    os.setresuid(UID, UID, UID)
    os.environ["HOME"] = sys.argv[2]
    os.umask(0o022)
    os.execv(sys.executable, [sys.executable, str(Path(__file__).with_name("judging.py")), *sys.argv[1:]])


if __name__ == "__main__":
    _become()
