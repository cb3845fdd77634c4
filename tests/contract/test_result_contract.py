"""The shipped result suite over every back-end, and over storages that it may stand on."""

from __future__ import annotations

from pathlib import Path

import pytest

from peagen_ray.results.fs import FsResultBackend
from peagen_ray.testing.result_suite import MakeBackend, ResultBackendSuite


class TestFsOnDisk(ResultBackendSuite):
    @pytest.fixture
    def make_backend(self, tmp_path: Path) -> MakeBackend:
        return lambda compress: FsResultBackend(tmp_path / "deep" / "results", compress=compress)


class TestFsOnAnObjectStore(ResultBackendSuite):
    """Arrow's in-memory storage stands in: no rename, no sync, no directories made by us."""

    @pytest.fixture
    def make_backend(self) -> MakeBackend:
        first = FsResultBackend("mock:///bucket/prefix/", compress=True)

        def make(compress: bool) -> FsResultBackend:
            backend = FsResultBackend("mock:///bucket/prefix/", compress=compress)
            backend._fs = first._fs
            return backend

        return make
