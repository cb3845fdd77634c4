import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from peagen_ray.launcher.client import Launcher

sys.path.insert(0, str(Path(__file__).parent))
os.environ["PEAGEN_PLANTED_KEY"] = "sk-planted"

from launcher_bench import Bench


@pytest.fixture(scope="session")
def shared_launcher() -> Iterator[Launcher]:
    with Launcher.start(["launcher_entries"]) as launcher:
        yield launcher


@pytest.fixture
def bench(shared_launcher: Launcher, tmp_path: Path) -> Iterator[Bench]:
    """A launcher that all tests share; at the end nothing of theirs may be left."""
    bench = Bench(shared_launcher, tmp_path)
    yield bench
    assert bench.settled()


@pytest.fixture
def own_bench(tmp_path: Path) -> Iterator[Bench]:
    """A launcher to be mistreated."""
    with Launcher.start(["launcher_entries"]) as launcher:
        yield Bench(launcher, tmp_path)
