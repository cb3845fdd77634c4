"""Rendering from beginning to end: as tasks in this process and through a queue, to files and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from peagen_ray.config.load import load
from peagen_ray.config.model import Config
from peagen_ray.queues.stub import StubQueue
from peagen_ray.rendering.environment import Problem
from peagen_ray.rendering.job import read_job
from peagen_ray.rendering.payload import Payload
from peagen_ray.rendering.tree import Change
from peagen_ray.rendering.work import Rendered
from peagen_ray.runtime.local import open_queue, open_results
from peagen_ray.runtime.rendering import RenderRequest, RenderSummary, render
from peagen_ray.runtime.serving import Serving
from peagen_ray.task import Result, Status
from peagen_ray.testing.servers import RedisServer, need

DATA = Path(__file__).parents[1] / "data" / "payloads"


class Told:
    """Remembers what it is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.steps: list[tuple[int, int]] = []

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, done: int, total: int) -> None:
        self.steps.append((done, total))


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_wheel: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("PEAGEN")]:
        monkeypatch.delenv(name)
    return tmp_path


def site(here: Path, rows: int = 50) -> Payload:
    (here / "rows.csv").write_text("id\n" + "".join(f"{n}\n" for n in range(rows)))
    (here / "all.j2").write_text("{{ rows | map(attribute='id') | join(',') }}\n")
    (here / "row.j2").write_text("row {{ row.id }} of {{ rows | length }}\n")
    (here / "static.bin").write_bytes(b"\xff\x00")
    (here / "site.yaml").write_text(
        "files: {rows: rows.csv}\noutputs:\n"
        "  - {template: all.j2, path: all.txt}\n"
        "  - {template: row.j2, each: rows, as: row, path: 'rows/{{ row.id }}.txt'}\n"
        "  - {template: static.bin, copy: true}\n"
    )
    return read_job(here / "site.yaml")


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in out.rglob("*") if path.is_file()}


def config(**flags: object) -> Config:
    return load(flags={key.replace("__", "."): value for key, value in flags.items()}).config


def rendered(job: Payload, out: Path, *, check: bool = False, told: Told | None = None) -> RenderSummary:
    return render(job, RenderRequest(config(), out, check, 2), told or Told())


def expected(rows: int = 50) -> dict[str, bytes]:
    found = {f"rows/{n}.txt": f"row {n} of {rows}\n".encode() for n in range(rows)}
    return {**found, "all.txt": ",".join(map(str, range(rows))).encode() + b"\n", "static.bin": b"\xff\x00"}


def test_every_output_is_written_and_a_second_time_nothing_is(here: Path) -> None:
    told = Told()
    summary = rendered(site(here), here / "out", told=told)
    assert not summary.failed
    assert contents(here / "out") == expected()
    assert told.steps[-1] == (52, 52)
    assert told.steps == sorted(told.steps)
    times = {path: path.stat().st_mtime_ns for path in (here / "out").rglob("*")}
    again = rendered(site(here), here / "out")
    assert len(again.changes[Change.UNCHANGED]) == 52
    assert {path: path.stat().st_mtime_ns for path in (here / "out").rglob("*")} == times


def test_checking_finds_what_would_change_and_writes_nothing(here: Path) -> None:
    rendered(site(here), here / "out")
    (here / "out/rows/3.txt").write_text("edited")
    (here / "out/rows/4.txt").unlink()
    before = contents(here / "out")
    summary = rendered(site(here), here / "out", check=True)
    assert summary.would_change == ["rows/3.txt", "rows/4.txt"]
    assert contents(here / "out") == before


def test_an_output_that_fails_leaves_its_file_and_the_others_alone(here: Path) -> None:
    rendered(site(here), here / "out")
    job = site(here)
    (here / "row.j2").write_text("changed\n{{ row.name if row.id == '7' else row.id }}")
    summary = rendered(read_job(Path("site.yaml")), here / "out")
    assert job.plans
    assert list(summary.failed) == ["rows/7.txt"]
    assert summary.failed["rows/7.txt"].startswith("row.j2:2: 'name' is missing")
    assert contents(here / "out")["rows/7.txt"] == b"row 7 of 50\n"
    assert contents(here / "out")["rows/8.txt"] == b"changed\n8"


def test_a_link_in_the_way_fails_its_output_alone(here: Path) -> None:
    (here / "elsewhere").mkdir()
    (here / "out").mkdir()
    (here / "out/rows").symlink_to(here / "elsewhere")
    summary = rendered(site(here, 3), here / "out")
    assert sorted(summary.failed) == ["rows/0.txt", "rows/1.txt", "rows/2.txt"]
    assert list((here / "elsewhere").iterdir()) == []
    assert (here / "out/all.txt").exists()


def test_a_template_without_end_costs_its_own_output(here: Path) -> None:
    job = site(here, 3)
    loop = "{% for a in range(99999) %}{% for b in range(99999) %}{% set x = b %}{% endfor %}{% endfor %}"
    (here / "all.j2").write_text(loop)
    text = (here / "site.yaml").read_text()
    (here / "site.yaml").write_text(f"timeout: 0.2\n{text}")
    summary = rendered(read_job(Path("site.yaml")), here / "out")
    assert job.plans
    assert "took longer than 0.2 s" in summary.failed["all.txt"]
    assert len(summary.changes[Change.NEW]) == 4


def test_more_than_one_result_can_carry_comes_in_follow_up_tasks(here: Path) -> None:
    job = site(here, 3)
    (here / "row.j2").write_text("{{ row.id * 5000000 }}")
    assert job.plans
    summary = rendered(read_job(Path("site.yaml")), here / "out")
    assert not summary.failed
    assert {name: len(data) for name, data in contents(here / "out").items() if "/" in name} == dict.fromkeys(
        ["rows/0.txt", "rows/1.txt", "rows/2.txt"], 5_000_000
    )


class Lying:
    """A fabric whose worker answers what it likes."""

    problems = ()

    def __init__(self, data: dict[str, object]) -> None:
        self.queue = StubQueue()
        self.data = data

    def __enter__(self) -> Lying:
        return self

    def __exit__(self, *_: object) -> None:
        self.queue.close()

    def wait(self, task_id: str) -> Result:
        return Result(task_id=task_id, status=Status.OK, data=self.data)


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"outputs": "no", "failed": []},
        Rendered(((-1, "evil"), (99, "evil"), (10**9, "evil")), ((-5, Problem("x", "t")),)).to_wire(),
    ],
)
def test_a_worker_that_answers_rubbish_fails_its_outputs_and_writes_nothing(
    here: Path, monkeypatch: pytest.MonkeyPatch, data: dict[str, object]
) -> None:
    job = site(here, 3)
    monkeypatch.setattr("peagen_ray.runtime.rendering.LocalFabric", lambda *_: Lying(data))
    summary = rendered(job, here / "out")
    assert sorted(summary.failed) == ["all.txt", "rows/0.txt", "rows/1.txt", "rows/2.txt"]
    assert contents(here / "out") == {"static.bin": b"\xff\x00"}


@pytest.mark.parametrize("payload", ["projects", "generated"])
def test_a_legacy_payload_renders_to_the_same_bytes_each_time(here: Path, payload: str) -> None:
    golden = contents(DATA / "golden" / payload)
    for out in ("one", "two"):
        job = read_job(DATA / f"{payload}.yaml", [DATA / "sets"])
        summary = rendered(job, here / out)
        assert not summary.failed
        assert contents(here / out) == golden
    assert set(summary.skipped) == {one.record.path for one in job.generated}


# ---- through a queue -------------------------------------------------------------------------------


@pytest.mark.parametrize("shared", [False, True])
def test_workers_of_a_queue_render_what_they_share_no_files_with(
    here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, shared: bool
) -> None:
    need("valkey")
    root = tmp_path_factory.mktemp("results")
    flags = {"task_queue__provider": "redis", "worker__defaults__warm_pool": 0}
    flags |= {"result_backend__root": str(root)} if shared else {}
    with RedisServer("valkey") as server:
        settings = config(**flags, task_queue__url=server.url)
        job = site(here, 2000)
        told = Told()
        elsewhere = tmp_path_factory.mktemp("worker")
        monkeypatch.chdir(elsewhere)
        with (
            open_queue(settings) as queue,
            Serving(
                settings, queue, open_results(settings), "there", 2, frozenset({"cpu"}), (elsewhere, root)
            ),
        ):
            summary = render(job, RenderRequest(settings, here / "out"), told)
    assert not summary.failed
    assert contents(here / "out") == expected(2000)
    assert any("tasks go to the workers of the queue redis" in note for note in told.notes)
    assert not list(root.glob(".parts/*"))
