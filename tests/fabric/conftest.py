import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from peagen_ray.fabric.inline import InlineWorker
from peagen_ray.fabric.oneshot import PRELOAD, OneShotRunner
from peagen_ray.launcher.client import Launcher
from peagen_ray.queues.stub import StubQueue

sys.path.insert(0, str(Path(__file__).parent))

from fabric_bench import CPU, leftovers, registered


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    with Launcher.start([*PRELOAD, "fabric_handlers"]) as launcher:
        yield launcher


@pytest.fixture
def scratches(tmp_path: Path) -> Path:
    root = tmp_path / "scratches"
    root.mkdir()
    return root


@pytest.fixture
def runner(launcher: Launcher, scratches: Path) -> Iterator[OneShotRunner]:
    """A runner; at the end there is no process left, and nothing in any scratch directory."""
    yield OneShotRunner(launcher, "test-worker", CPU, scratches)
    assert [left for scratch in scratches.iterdir() for left in scratch.iterdir()] == []
    assert leftovers(launcher) == []


@pytest.fixture
def queue() -> Iterator[StubQueue]:
    with StubQueue(retry_delay=0.01, skip_delay=0.01) as queue:
        yield queue


@pytest.fixture
def work(queue: StubQueue, runner: OneShotRunner):
    """Makes workers and stops them."""
    made = []

    def make(*names: str, **options) -> InlineWorker:
        made.append(InlineWorker(queue, registered(*(names or ("Doer",))), runner, CPU, **options))
        made[-1].start()
        return made[-1]

    yield make
    for worker in made:
        worker.stop(drain=False)
