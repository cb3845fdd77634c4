"""Processes that stand ready are turned off in the middle of a run, on nodes that are always there, and on again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import peagen_ray
from peagen_ray.runtime.progress import Silent

SOURCE = (
    "def f(xs: list[int]) -> list[int]:\n    r = []\n    for x in xs:\n        r = r + [x]\n    return r\n"
)


@pytest.mark.nightly
def test_an_always_on_pool_takes_the_place_of_the_warm_one_and_hands_back(
    connected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import ray

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PEAGEN__EVALUATE__WINNER_S", "0.5")
    (tmp_path / "t.py").write_text(SOURCE)
    nodes = {node["NodeID"] for node in ray.nodes() if node["Alive"]}
    lives = []
    for size, pool in enumerate((2, 0, 2), 1):
        (tmp_path / ".peagen.toml").write_text(f"[worker.defaults]\nwarm_pool = {pool}\n")
        resume = None if size == 1 else "last"
        settings = {"generation_size": 3, "seed": 1, "generations": size}
        lives.append(peagen_ray.evolve("t.py", resume=resume, observer=Silent(), **settings))
    assert len({life.paths.id for life in lives}) == 1
    assert [life.told for life in lives] == [3, 6, 9]
    assert {node["NodeID"] for node in ray.nodes() if node["Alive"]} == nodes
