"""A wheel of somebody else's on a cluster: its mutator runs on the workers, its selector in the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ray_fabric_bench import example_wheel

import peagen_ray
from peagen_ray.evolution.ledger import meta, read
from peagen_ray.runtime.progress import Silent

SLOW = "def f(xs: list[int]) -> int:\n    n = 0\n    for x in xs:\n        n = n + x\n    return n\n"


@pytest.mark.slow
def test_a_run_on_the_cluster_uses_the_mutator_and_the_selector_of_another_wheel(
    connected: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for place in example_wheel(tmp_path / "example"):
        monkeypatch.syspath_prepend(str(place))
    (tmp_path / "t.py").write_text(SLOW)
    monkeypatch.setenv("PEAGEN__EVALUATE__WINNER_S", "0.5")
    chosen = {"mutator": "shortcut", "selector": "youngest", "generation_size": 2}
    result = peagen_ray.evolve("t.py", generations=1, seed=1, observer=Silent(), **chosen)
    proposed = [
        event for event in read(result.paths.ledger) if event.mutator == "shortcut" and event.operator
    ]
    assert proposed
    assert {event.operator for event in proposed} == {"sum"}
    plugins = meta(result.paths.ledger)["versions"]["plugins"]
    assert plugins["peagen.task_queues ray"].startswith("peagen-ray ")
    assert plugins["peagen.mutators shortcut"] == "peagen-shortcuts 1.0.0"
