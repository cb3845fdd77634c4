"""What the engine's decisions depend on, beside what it is told."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from peagen_ray.evolution.program import Binning


@dataclass(frozen=True, slots=True)
class Islands:
    """Populations that evolve apart, from ``[evolve.islands]``.

    Attributes:
        count: how many.
        migrate_every: candidates told back, of all islands, between two migrations; 0 for none.
        migrants: champions that each island sends to the next one.
        reset_after: candidates told back to an island, since its best last rose, after which it is dead and
            starts anew; 0 for never.
    """

    count: int = 1
    migrate_every: int = 50
    migrants: int = 1
    reset_after: int = 500


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Settings of the engine; a run that is resumed or replayed needs the same ones.

    Attributes:
        seed: of every random choice.
        generation_size: candidates told back that make one generation.
        binning: widths of the archive's cells.
        islands: populations that evolve apart.
        inspirations: programs that accompany a parent.
        spread: half of these are unlike the others; else they are any champions.
        confirm_margin: fitness by which a screened program must exceed the confirmed best to be
            confirmed; 0.02 is 2 % of speed.
        ordered: apply observations in the order of asking, so that timing changes nothing.
        look_ahead: ordered: question n depends on the observations up to n - look_ahead and on no later
            one; so at most this many are in flight.
        moves: shares of the moves of :class:`~peagen_ray.evolution.moves.Move`; empty in a run that asks no model.
        metric: what models are told about: ``speed_ms``, or the name of an evaluator's score.
    """

    seed: int
    generation_size: int
    binning: Binning = field(default_factory=Binning)
    islands: Islands = field(default_factory=Islands)
    inspirations: int = 4
    spread: bool = True
    confirm_margin: float = 0.02
    ordered: bool = False
    look_ahead: int = 8
    moves: Mapping[str, float] = field(default_factory=dict)
    metric: str = "speed_ms"

    @property
    def scored(self) -> bool:
        """Whether fitness is an evaluator's own score, rather than a logarithm of speed."""
        return self.metric != "speed_ms"

    def to_data(self) -> dict[str, Any]:
        """Their JSON form."""
        data: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return data
