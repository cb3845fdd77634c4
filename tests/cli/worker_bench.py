"""A wheel of handlers that wait to be released, and worker processes that the tests start."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

from peagen_ray.task import Task, TaskKind

SECONDS = 60

HANDLERS = '''
from pathlib import Path

from peagen_ray.handler import TaskHandler
from peagen_ray.task import Result, TaskKind


class Wait(TaskHandler):
    """Says that it runs by opening one FIFO, and waits to be released at another."""

    KIND = TaskKind.RENDER

    def handle(self, task):
        if "started" in task.payload:
            Path(task.payload["started"]).write_text("")
        if "release" in task.payload:
            Path(task.payload["release"]).read_text()
        return Result.success(task, {"said": "hello"})
'''


class Bench:
    """A directory to work in, a queue's address, and processes of ours there; none is left at the end."""

    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        self.url = url
        self.here = self._directory("worker")
        self._wheel()
        self._processes: list[Process] = []

    def _directory(self, name: str) -> Path:
        path = self.root / name
        path.mkdir()
        return path

    def _wheel(self) -> None:
        info = self._directory("wheel") / "waiting-1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: waiting\nVersion: 1\n")
        (info / "entry_points.txt").write_text("[peagen.task_handlers]\nWait = waiting_handlers:Wait\n")
        (info.parent / "waiting_handlers.py").write_text(HANDLERS)

    def fifo(self, name: str) -> Path:
        """A FIFO that tasks of the worker see."""
        os.mkfifo(self.here / name)
        return self.here / name

    def task(self, **fifos: Path) -> Task:
        return Task(kind=TaskKind.RENDER, payload={name: str(path) for name, path in fifos.items()})

    def start(self, *args: str, here: Path | None = None, **environ: str) -> Process:
        paths = [str(self.root / "wheel"), *filter(None, sys.path)]
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("PEAGEN", "WORKER"))
        }
        process = Process(
            [sys.executable, "-m", "peagen_ray", *args],
            here or self.here,
            {**kept, "PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "200", **environ},
        )
        self._processes.append(process)
        return process

    def worker(self, *args: str, **environ: str) -> Process:
        """A worker that serves."""
        process = self.start("worker", "start", "--provider", self.url, *args, **environ)
        process.read_until(" serves ")
        return process

    def close(self) -> None:
        for process in self._processes:
            process.end()


class Process:
    """A process of ours; what it says is kept."""

    def __init__(self, command: list[str], here: Path, environ: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            command, cwd=here, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self._said: list[str] = []
        self._ended = False
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def said(self) -> str:
        return "".join(self._said)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self._said.append(line)
                self._news.notify_all()
        with self._news:
            self._ended = True
            self._news.notify_all()

    def read_until(self, words: str) -> None:
        """Return once it said that."""
        with self._news:
            assert self._news.wait_for(lambda: words in self.said or self._ended, SECONDS), self.said
        assert words in self.said, self.said

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        """Its exit code, once it ended."""
        code = self._process.wait(SECONDS)
        self._reader.join(SECONDS)
        return code

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join()
