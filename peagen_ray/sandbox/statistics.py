"""Statistics of paired measurements: the interval of one series, and of several families together.

Everything is about logarithms of ratios original / candidate, so that 2 and 1/2 lie equally far from 1.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_TRIMMED: Final = 0.2
"""Share of the values that is left out at each end."""

_NORMAL: Final = 1.959964
"""The standard normal distribution's quantile of 97.5 %."""


@dataclass(frozen=True)
class Interval:
    """A ratio original / candidate (above 1: the candidate is faster), with its 95 % interval."""

    ratio: float
    low: float
    high: float
    samples: int

    @classmethod
    def of_logs(cls, middle: float, half: float, samples: int) -> Interval:
        """The interval whose logarithm is ``middle`` ± ``half``."""
        return cls(math.exp(middle), math.exp(middle - half), math.exp(middle + half), samples)

    @property
    def half_width(self) -> float:
        """Half of the interval, relative to the ratio."""
        return (self.high - self.low) / 2 / self.ratio


def interval(log_ratios: Sequence[float]) -> Interval:
    """Median and 95 % interval of paired ratios, given their logarithms.

    The half-width is that of a notched box plot, 1.57 * IQR / sqrt(n) (McGill, Tukey & Larsen 1978,
    "Variations of Box Plots").
    """
    middle = statistics.median(log_ratios)
    low, _, high = (
        statistics.quantiles(log_ratios, n=4, method="inclusive") if len(log_ratios) > 1 else [0, 0, 9]
    )
    return Interval.of_logs(middle, 1.57 * (high - low) / math.sqrt(len(log_ratios)), len(log_ratios))


def pooled(families: Sequence[Sequence[float]]) -> Interval:
    """One ratio and its 95 % interval from several families, each of equally many logarithms of ratios.

    A processor may be slow for one process for as long as it lives, so a few values may be far off. The ratio is
    the trimmed mean of all values, and the noise that of Tukey & McLaughlin (1963, "Less vulnerable
    confidence and significance procedures for location"): the winsorised deviation over (1 - 2 * 0.2) *
    sqrt(n). What the families' medians differ by beyond the noise of such a median (the moment estimator
    of Hedges & Olkin 1985, "Statistical Methods for Meta-Analysis") is added in quadrature, with
    Student's quantile for so few families.
    """
    values = [value for family in families for value in family]
    middle, deviation = _trimmed(values)
    kept = len(values) - 2 * _cut(len(values))
    within = student(kept - 1) * deviation / math.sqrt(len(values))
    between = student(len(families) - 1) * _apart(families) / math.sqrt(len(families))
    return Interval.of_logs(middle, math.hypot(within, between), len(values))


def _apart(families: Sequence[Sequence[float]]) -> float:
    """Standard deviation of the families' true medians: what is seen of it, less the noise of a median."""
    if len(families) < 2 or len(families[0]) < 2:
        return 0.0  # each value is a family of its own, so that the noise within covers what is between
    medians = [statistics.median(family) for family in families]
    rests = [value - median for family, median in zip(families, medians, strict=True) for value in family]
    noise = math.pi / 2 * _trimmed(rests)[1] ** 2 / (len(families[0]) - 1)
    return math.sqrt(max(0.0, statistics.variance(medians) - noise))


def student(freedom: int) -> float:
    """Student's quantile of 97.5 %, within 1 % from two degrees of freedom on.

    Abramowitz & Stegun 1964, "Handbook of Mathematical Functions", 26.7.5.
    """
    z, n = _NORMAL, max(freedom, 1)
    terms: tuple[float, ...] = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return math.fsum(term / n**power for power, term in enumerate(terms))


def _cut(count: int) -> int:
    return int(_TRIMMED * count)


def _trimmed(values: Sequence[float]) -> tuple[float, float]:
    """Trimmed mean, and the standard deviation where what was cut off counts as the last value kept."""
    count, cut = len(values), _cut(len(values))
    kept = sorted(values)[cut : count - cut]
    winsorised = [kept[0]] * cut + kept + [kept[-1]] * cut
    deviation = statistics.stdev(winsorised) if count > 1 else math.inf
    return statistics.fmean(kept), deviation / (1 - 2 * cut / count)
