"""What a killed render leaves behind is removed by the next one of the same output, and nothing else is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from peagen_ray.cli.boundary import run
from peagen_ray.config.load import load
from peagen_ray.queues.stub import StubQueue
from peagen_ray.runtime.leftovers import cancel_left, remembered, sweep, tasks_remembered
from peagen_ray.runtime.local import open_queue
from peagen_ray.task import Result, Task, TaskKind
from peagen_ray.testing.servers import RedisServer, need

OUT = Path("build")
RUN = "render-00ff"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_wheel: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PEAGEN")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def said() -> list[str]:
    return []


def made(root: Path) -> str:
    root.mkdir(parents=True)
    (root / "part").write_text("data")
    return str(root)


def killed(root: str) -> Iterator[Path]:
    """The note of a render whose process is gone."""
    with remembered(OUT, RUN, root):
        (note,) = Path(".peagen/renders").glob("*/*")
        text = note.read_text()
    note.write_text(text)
    yield note


def test_parts_of_a_render_that_is_gone_are_removed(here: Path, said: list[str]) -> None:
    (note,) = killed(made(here / f"results/.parts/{RUN}"))
    sweep(OUT, said.append)
    assert not note.exists()
    assert list((here / "results/.parts").iterdir()) == []
    sweep(OUT, said.append)
    assert said == []


def test_those_of_one_that_goes_on_or_has_another_output_stay(here: Path, said: list[str]) -> None:
    root = here / f"results/.parts/{RUN}"
    with remembered(OUT, RUN, made(root)):
        sweep(OUT, said.append)
    (note,) = killed(str(root))
    sweep(Path("other"), said.append)
    assert (root / "part").exists()
    assert note.exists()


@pytest.mark.parametrize("root", ["precious", f".parts/{RUN}/../../precious", "", "/"])
def test_nothing_is_removed_that_does_not_look_like_parts(here: Path, said: list[str], root: str) -> None:
    made(here / "precious")
    (note,) = killed(root)
    sweep(OUT, said.append)
    assert (here / "precious/part").exists()
    assert not note.exists()


def test_what_cannot_be_removed_is_said_and_tried_again(here: Path, said: list[str]) -> None:
    (note,) = killed(f"nowhere://bucket/.parts/{RUN}")
    sweep(OUT, said.append)
    assert "left by a render that was killed, cannot be removed" in said[0]
    assert note.exists()


def test_tasks_that_a_killed_render_left_are_cancelled_with_what_they_spawned_in_their_own_queue_only() -> (
    None
):
    rest = Task(kind=TaskKind.RENDER, id="ef" * 16, payload={})
    waiting, began = (Task(kind=TaskKind.RENDER, id=digit * 32, payload={}) for digit in "ab")
    with tasks_remembered(OUT, RUN, "ours") as sent:
        for task in (waiting, began):
            sent(task.id)
        (note,) = Path(".peagen/renders").glob("*/*")
        text = note.read_text()
        with StubQueue() as queue:
            assert cancel_left(OUT, queue, "ours") == 0, "its process goes on"
    note.write_text(text)
    with StubQueue() as queue:
        queue.enqueue(began)
        queue.pop(block=False)
        queue.push_result(Result.success(began, {"rest": rest.id}))
        queue.enqueue(rest)
        queue.enqueue(waiting)
        assert cancel_left(OUT, queue, "another") == 0
        assert queue.pending_count() == 2
        assert cancel_left(OUT, queue, "ours") == 2
        assert queue.pending_count() == 0
        assert not note.exists()
        assert cancel_left(OUT, queue, "ours") == 0


@pytest.mark.slow
def test_kill_9_in_the_middle_of_a_render_leaves_nothing_that_the_next_one_does_not_remove(
    here: Path,
) -> None:
    need("valkey")
    (here / "page.j2").write_text("{{ rows | length }}")
    (here / "rows.csv").write_text("id\n" + "".join(f"{hash(str(n))}\n" for n in range(20_000)))
    (here / "site.yaml").write_text("files: {rows: rows.csv}\noutputs: [{template: page.j2}]\n")
    words = ["render", "--project", "site.yaml"]
    with RedisServer("valkey") as server, server.client() as client:
        environ = {**os.environ, "PEAGEN_QUEUE": server.url, "PEAGEN__RESULT_BACKEND__ROOT": str(here / "r")}
        process = subprocess.Popen(
            [sys.executable, "-m", "peagen_ray", *words], cwd=here, env=environ, stderr=subprocess.DEVNULL
        )
        try:
            assert client.xread({"peagen.tasks": "0"}, block=60_000), "no task came"
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        (note,) = (here / ".peagen/renders").glob("*/tasks-*")
        with open_queue(load(flags={"task_queue.provider": server.url}).config) as queue:
            assert queue.pending_count() == 1
            assert cancel_left(OUT, queue, note.read_text().splitlines()[0]) == 1
            assert queue.pending_count() == 0
    (left,) = (here / "r/.parts").iterdir()
    assert list(left.iterdir())
    assert run([*words, "--sync"]) == 0
    assert list((here / "r/.parts").iterdir()) == []
    assert list((here / ".peagen/renders").glob("*/*")) == []
    assert (here / "build/page").read_text() == "20000"
