from __future__ import annotations

from collections.abc import Iterator

import pytest

from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox.base import GuestLimits
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
def sandbox() -> Iterator[ProcessSandbox]:
    with Launcher.start(["peagen_ray.sandbox.guest"]) as launcher:
        yield ProcessSandbox(launcher)


@pytest.fixture(scope="session")
def subject() -> Subject:
    return Subject(SLOW_SUM, "total", WORKLOAD)


@pytest.fixture(scope="session")
def reference(sandbox: ProcessSandbox, subject: Subject) -> Reference:
    return prepare(subject, sandbox, LIMITS, seed=7)
