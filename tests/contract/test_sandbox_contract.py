"""The shipped sandbox suite over every sandbox."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox.base import Sandbox
from peagen_ray.sandbox.process import GUEST, ProcessSandbox
from peagen_ray.testing.sandbox_suite import SandboxSuite


class TestProcessSandbox(SandboxSuite):
    @pytest.fixture(scope="class")
    @classmethod
    def sandbox(cls) -> Iterator[Sandbox]:
        with Launcher.start([GUEST]) as launcher:
            yield ProcessSandbox(launcher)
