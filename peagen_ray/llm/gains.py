"""Which back-ends gain most per dollar, and how that shifts their weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

_PRIOR_CALLS: Final = 8.0
_DECAY: Final = 0.99
_FLOOR: Final = 0.1
_CEILING: Final = 10.0
_SMALLEST_GAIN: Final = 1e-3
"""Fitness per call that the average is taken to have at least, so that a first gain does not decide everything."""


class Gains:
    """Gain per dollar of each back-end, fading by a hundredth with each candidate of any of them.

    A back-end's ratio is shrunk towards that of all by a prior of eight average candidates, so that one never
    asked weighs as much as the average, and so that one that costs nothing has a ratio too. Where nothing costs
    anything, each candidate counts as one dollar.

    Args:
        names: the back-ends.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._sums = dict.fromkeys(names, (0.0, 0.0, 0.0))

    def credit(self, name: str, gain: float, usd: float) -> None:
        """Note what a candidate of that back-end gained over its parent (a loss counts as none), and its price."""
        for each, (count, gained, spent) in self._sums.items():
            ours = each == name
            self._sums[each] = (
                _DECAY * count + ours,
                _DECAY * gained + ours * max(0.0, gain),
                _DECAY * spent + ours * max(0.0, usd),
            )

    def factors(self) -> dict[str, float]:
        """What each weight is to be multiplied by: 0.1 to 10, and 1 for the average."""
        count, gained, spent = (sum(column) for column in zip(*self._sums.values(), strict=True))
        if count == 0:
            return dict.fromkeys(self._sums, 1.0)
        gain = max(gained / count, _SMALLEST_GAIN)
        cost = spent / count or 1.0
        return {name: self._factor(sums, gain, cost, free=spent == 0) for name, sums in self._sums.items()}

    def _factor(self, sums: tuple[float, float, float], gain: float, cost: float, *, free: bool) -> float:
        count, gained, spent = sums
        paid = count if free else spent
        ratio = (gained + _PRIOR_CALLS * gain) / (paid + _PRIOR_CALLS * cost)
        return min(_CEILING, max(_FLOOR, ratio * cost / gain))
