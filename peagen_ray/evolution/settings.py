"""What the engine's decisions depend on, beside what it is told."""

from __future__ import annotations

from dataclasses import dataclass, field

from peagen_ray.evolution.program import Binning


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """Settings of the engine; a run that is resumed or replayed needs the same ones.

    Attributes:
        seed: of every random choice.
        generation_size: candidates told back that make one generation.
        binning: widths of the archive's cells.
        inspirations: programs that accompany a parent.
        confirm_margin: fitness by which a screened program must exceed the confirmed best to be
            confirmed; 0.02 is 2 % of speed.
        ordered: apply observations in the order of asking, so that timing changes nothing.
        look_ahead: ordered: question n depends on the observations up to n - look_ahead and on no later
            one; so at most this many are in flight.
    """

    seed: int
    generation_size: int
    binning: Binning = field(default_factory=Binning)
    inspirations: int = 4
    confirm_margin: float = 0.02
    ordered: bool = False
    look_ahead: int = 8
