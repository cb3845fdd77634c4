"""The shipped sandbox suite over every sandbox."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator

import pytest

from peagen_ray.errors import SandboxError
from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox.base import Sandbox
from peagen_ray.sandbox.bubblewrap import BubblewrapSandbox
from peagen_ray.sandbox.container import Container, ContainerSandbox
from peagen_ray.sandbox.engine import Engine
from peagen_ray.sandbox.process import GUEST, ProcessSandbox
from peagen_ray.testing.container_image import image
from peagen_ray.testing.sandbox_suite import SandboxSuite


@pytest.fixture(scope="module")
def launcher() -> Iterator[Launcher]:
    with Launcher.start([GUEST]) as launcher:
        yield launcher


def absent(error: SandboxError) -> None:
    """Skip on a laptop, fail in CI."""
    assert "CI" not in os.environ, error
    pytest.skip(str(error))


class TestProcessSandbox(SandboxSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def sandbox(cls, launcher: Launcher) -> Sandbox:
        return ProcessSandbox(launcher)


class TestBubblewrapSandbox(SandboxSuite):
    GRANTED = frozenset({"files"})  # bwrap bounds the size of a file system, not the number of its files

    @pytest.fixture(scope="class")
    @classmethod
    def sandbox(cls, launcher: Launcher) -> Sandbox:
        try:
            return BubblewrapSandbox(launcher)
        except SandboxError as error:
            absent(error)
            raise


@pytest.mark.slow
class TestContainerSandbox(SandboxSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def sandbox(cls, launcher: Launcher) -> Iterator[Sandbox]:
        processes = min(4096, resource.getrlimit(resource.RLIMIT_NPROC)[1] % (1 << 63))
        try:
            engine = Engine.find()
        except SandboxError as error:
            absent(error)
            raise
        with image(engine) as name:
            # An engine's own default may be more than it is allowed to set.
            options = ("--ulimit", f"nproc={processes}:{processes}")
            yield ContainerSandbox(launcher, container=Container(name, engine_options=options))
