"""The shipped sandbox suite over every sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from engines import made_container, need

from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox.base import Sandbox
from peagen_ray.sandbox.bubblewrap import BubblewrapSandbox
from peagen_ray.sandbox.container import ContainerSandbox
from peagen_ray.sandbox.process import GUEST, ProcessSandbox
from peagen_ray.testing.sandbox_suite import SandboxSuite


class TestProcessSandbox(SandboxSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def sandbox(cls) -> Iterator[Sandbox]:
        with Launcher.start([GUEST]) as launcher:
            yield ProcessSandbox(launcher)


class TestBubblewrapSandbox(SandboxSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def sandbox(cls) -> Iterator[Sandbox]:
        need("bwrap")
        with Launcher.start([GUEST]) as launcher:
            yield BubblewrapSandbox(launcher)


class TestContainerSandbox(SandboxSuite):
    HARMLESS = frozenset({"files"})  # engines bound no number of files; each counts as the container's memory

    @pytest.fixture(scope="class")
    @classmethod
    def sandbox(cls) -> Iterator[Sandbox]:
        with made_container() as container, Launcher.start([GUEST]) as launcher:
            yield ContainerSandbox(launcher, container=container)
