"""The guide to migration: its commands, run as they stand from a clean environment, do what it says."""

from __future__ import annotations

import json
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from guides import ROOT, blocks, empty_directory, follow

from peagen_ray._version import __version__
from peagen_ray.testing.servers import need

GUIDE = ROOT / "docs" / "migration.md"


@pytest.fixture
def here() -> Iterator[Path]:
    with empty_directory() as path:
        yield path


def test_there_are_commands() -> None:
    assert len(blocks(GUIDE)) >= 8
    assert blocks(GUIDE)[0].startswith("python3 -m venv")


@pytest.mark.slow
def test_the_commands_of_the_guide_do_what_it_says(here: Path) -> None:
    need("valkey")
    check(here / "work", follow(GUIDE, here))


def check(work: Path, out: str) -> None:
    """What the guide says has come about."""
    assert f"peagen-ray {__version__}" in out
    assert "use: peagen-ray render --project projects_payload.yaml --out build" in out
    assert (work / "build/pkgs/cart/README.md").read_text() == "# cart, a part of shop"
    assert "the section is missing" in out
    assert '+provider = "stub"' in out
    steps = [json.loads(line) for line in out.splitlines() if line.startswith('{"run"')]
    assert [step["generations"] for step in steps] == [1, 2, 3, 4]
    assert [step["candidates"] for step in steps] == [3, 6, 9, 12]
    assert {step["stopped"] for step in steps} == {"max_generations"}
    assert not list(work.glob("winner*"))
    assert len({step["run"] for step in steps}) == 1
    assert "tasks go to the workers of the queue redis" in out
    (stats,) = [json.loads(line) for line in out.splitlines() if line.startswith("{") and '"waiting"' in line]
    assert stats["waiting"] == 0
    assert json.loads((work / "effective.json").read_text())["task_queue.provider"]["value"] == "redis"
    assert "PEAGEN_QUEUE: the queue is stub, although" in out
    config = (work / ".peagen.toml").read_text()
    assert config.startswith(
        '# Ours since the beginning.\n[evolve]\nentry_fn = "unique"     # the slow one\n'
    )
    assert tomllib.loads(config)["task_queue"] == {"provider": "stub"}
