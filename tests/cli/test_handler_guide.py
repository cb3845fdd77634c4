"""The guide to a handler of one's own: its commands, run as they stand from a clean environment, do what it says."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from guides import ROOT, empty_directory, follow

from peagen_ray.testing.servers import need

GUIDE = ROOT / "docs" / "handler-in-ten-minutes.md"


@pytest.fixture
def here() -> Iterator[Path]:
    with empty_directory() as path:
        yield path


@pytest.mark.slow
def test_whoever_follows_the_guide_has_a_handler_that_works(here: Path) -> None:
    need("valkey")
    if find_spec("hatchling") is None and "CI" not in os.environ:
        pytest.skip("hatchling, which builds its wheel, is not installed")
    out = follow(GUIDE, here)
    made, proved, checked, worked, told = (
        out.split(f"### {n}\n")[1].split("###")[0] for n in (0, 2, 3, 5, 6)
    )
    assert "wrote peagen-word-count-handler/pyproject.toml" in made
    assert "5 passed" in made
    assert "5 passed" in proved
    assert "peagen-word-count-handler" in checked
    assert "keeps its contract: 5 of 5 tests passed\n" in checked
    assert "Error" not in worked
    assert told.splitlines() == [
        "ok {'a': 2, 'rose': 2, 'is': 1}",
        "ok {'row': 3, 'your': 1, 'boat': 1}",
        "ok {'oh': 1}",
    ]
