"""The programs of a run as one Arrow table, a row each, for notebooks and for whatever reads Arrow."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from peagen_ray.evolution import ledger
from peagen_ray.evolution.events import Kind
from peagen_ray.evolution.questions import GUESTS, Confirm

_STAGES: Final = ("mutate", "execute", "evaluate")
_KEPT: Final = (
    "parents",
    "mutator",
    "operator",
    "seed",
    "outcome",
    "reason",
    "fitness",
    "speed_ms",
    "peak_kb",
)
_SPENT: Final = ("tokens", "usd")


def frame(path: Path) -> pa.Table:
    """One row for each program that was told back, in that order; the original comes first.

    Columns: ``n`` (its number), ``time_s`` (seconds since the run's start), ``parents``, ``mutator``, ``operator``,
    ``seed``, ``outcome``, ``reason``, ``fitness`` (higher is better; null where it failed), ``speed_ms``,
    ``peak_kb``, ``confirmed_fitness`` (null where it was not confirmed), ``tokens``, ``usd``; ``mutate_s``,
    ``execute_s`` and ``evaluate_s`` (seconds of wall clock); ``mutate_cpu_s``, ``execute_cpu_s`` and
    ``evaluate_cpu_s`` (CPU seconds of the handlers) and ``guests_cpu_s`` (those of the candidate, and of the
    original beside it; all null where unknown); ``metrics`` (JSON) and ``source`` ("" for a duplicate, or where
    nothing ran). A confirmation is no row of its own: it fills ``confirmed_fitness`` of its program.

    Args:
        path: the run's ledger; the run may go on meanwhile.

    Raises:
        LedgerError: there is none, or it cannot be read.
    """
    events = ledger.table(path).combine_chunks()
    confirms = pc.equal(events["kind"], Confirm.KIND)
    told = pc.and_(pc.equal(events["event"], Kind.TELL), pc.invert(confirms))
    rows = events.filter(pc.or_(told, pc.equal(events["event"], Kind.SEED)))
    walls = [dict(wall or ()) for wall in rows["wall"].to_pylist()]
    cpus = [json.loads(detail).get("cpu", {}) for detail in rows["detail"].to_pylist()]
    stages = {f"{stage}_s": _column(walls, stage) for stage in _STAGES}
    stages |= {f"{stage}_cpu_s": _column(cpus, stage) for stage in (*_STAGES, GUESTS)}
    return pa.table(
        {
            "n": rows["n"],
            "time_s": rows["time_s"],
            **{name: rows[name] for name in _KEPT},
            "confirmed_fitness": _confirmed(events.filter(confirms), rows),
            **{name: rows[name] for name in _SPENT},
            **stages,
            "metrics": rows["metrics"],
            "source": rows["source"],
        }
    )


def _column(found: Sequence[Mapping[str, float]], stage: str) -> pa.Array:
    return pa.array([each.get(stage) for each in found], pa.float64())


def _confirmed(confirms: pa.Table, rows: pa.Table) -> pa.Array:
    """By row, the fitness that was confirmed."""
    found = {
        parents[0]: fitness
        for parents, fitness in zip(
            confirms["parents"].to_pylist(), confirms["fitness"].to_pylist(), strict=True
        )
        if fitness is not None
    }
    own = zip(*(rows[name].to_pylist() for name in ("n", "confirmed", "fitness")), strict=True)
    values = [found.get(n, fitness if confirmed else None) for n, confirmed, fitness in own]
    return pa.array(values, pa.float64())
