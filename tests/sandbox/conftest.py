from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from engines import made_container, need

from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox.base import GuestLimits, Sandbox
from peagen_ray.sandbox.bubblewrap import BubblewrapSandbox
from peagen_ray.sandbox.container import Container, ContainerSandbox
from peagen_ray.sandbox.process import ProcessSandbox
from peagen_ray.sandbox.reference import Reference, Subject, prepare

SLOW_SUM = """
def total(numbers: list[int]) -> int:
    result = 0
    for i in range(len(numbers)):
        for j in range(len(numbers)):
            if i == j:
                result = result + numbers[i]
    return result
"""

WORKLOAD = """
def inputs(rng, size):
    return ([rng.randrange(1000) for _ in range(size)],)
"""

LIMITS = GuestLimits(wall_s=3.0, cpu_s=20.0, memory_mb=512, output_kb=256, scratch_mb=4)


@pytest.fixture(scope="session")
def launcher() -> Iterator[Launcher]:
    with Launcher.start(["peagen_ray.sandbox.guest"]) as launcher:
        yield launcher


@pytest.fixture(scope="session")
def sandbox(launcher: Launcher) -> ProcessSandbox:
    return ProcessSandbox(launcher)


@pytest.fixture(scope="session")
def bubblewrap(launcher: Launcher) -> BubblewrapSandbox:
    need("bwrap")
    return BubblewrapSandbox(launcher)


@pytest.fixture(scope="session")
def container() -> Iterator[Container]:
    with made_container() as container:
        yield container


@pytest.fixture(scope="session")
def containers(launcher: Launcher, container: Container) -> ContainerSandbox:
    return ContainerSandbox(launcher, container=container)


@pytest.fixture(scope="session", params=["bubblewrap", "containers"])
def enclosure(request: pytest.FixtureRequest) -> Sandbox:
    """Each of the sandboxes that execute their guests in a world made by another program."""
    found: Sandbox = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """A virtual environment with one package in it."""
    packages = tmp_path / "venv" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "grown.py").write_text("WEIGHT = 7\n")
    for directory in (packages, *packages.parents[:3]):
        directory.chmod(0o755)
    return tmp_path / "venv"


@pytest.fixture(scope="session")
def subject() -> Subject:
    return Subject(SLOW_SUM, "total", WORKLOAD)


@pytest.fixture(scope="session")
def reference(sandbox: ProcessSandbox, subject: Subject) -> Reference:
    return prepare(subject, sandbox, LIMITS, seed=7)
