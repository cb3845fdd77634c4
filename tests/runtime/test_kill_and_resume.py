"""``kill -9`` at random moments: nothing that was completed is lost, and the best stays the best."""

from __future__ import annotations

import random
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import read
from peagen_ray.evolution.program import Outcome


def told(ledger: Path) -> dict[int, Event]:
    return {event.n: event for event in read(ledger) if event.event is Kind.TELL}


def best(events: dict[int, Event]) -> float:
    confirmed = [e.fitness for e in events.values() if e.kind == "confirm" and e.outcome is Outcome.OK]
    return max((fitness for fitness in confirmed if fitness is not None), default=0.0)


@pytest.mark.slow
@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.nightly)])
def test_a_run_that_is_killed_at_random_moments_goes_on_with_nothing_lost(
    workspace: Any, kills: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEAGEN__EVOLVE__GENERATION_SIZE", "4")
    rng = random.Random(7)
    command = [
        "evolve",
        "run",
        "--sync",
        "--target-file",
        "slow.py",
        "--entry-fn",
        "unique",
        "--generations",
        "100",
    ]
    kept: dict[int, Event] = {}
    for kill in range(kills):
        resume = ["--resume"] if kill else ["--seed", "7"]
        _kill_after(workspace.start(*command, "-v", *resume), rng.randint(1, 12))
        ledger = workspace.runs()[0] / "ledger.arrow"
        if not ledger.exists():
            pytest.fail("killed before there was a ledger")
        now = told(ledger)
        assert {n: now[n] for n in kept} == kept
        assert best(now) >= best(kept)
        kept = now
    summary = workspace.evolve("--generations", str(len(kept) // 4 + 2), "--resume")
    final = told(ledger)
    assert {n: final[n] for n in kept} == kept
    asked = {event.n for event in read(ledger) if event.event is Kind.ASK}
    assert asked == set(final), "every question was answered exactly once"
    assert len(workspace.runs()) == 1
    assert summary["candidates"] == sum(event.kind == "mutate" for event in final.values())


def _kill_after(process: subprocess.Popen[str], lines: int) -> None:
    """Kill -9 once the program has shown so many candidates: a moment that no clock chooses."""
    assert process.stdout is not None
    for line in process.stdout:
        lines -= line.startswith(("+ mutate", "  mutate", "+ confirm", "  confirm"))
        if lines <= 0:
            break
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
