"""Verdict: what measuring a candidate came to; and the judge of its outputs."""

from __future__ import annotations

import pickle
from dataclasses import asdict, dataclass
from typing import Any

from peagen_ray.sandbox.statistics import Interval
from peagen_ray.workload.base import Workload
from peagen_ray.workload.codec import MalformedValue
from peagen_ray.workload.equality import difference


@dataclass(frozen=True)
class Verdict:
    """What measuring a candidate came to.

    Attributes:
        outcome: ``ok``, or why not: ``incorrect``, or one of :mod:`peagen_ray.sandbox.base`.
        reason: one line of why it is not ``ok``, or why no gain is claimed.
        speed: the ratio original / candidate; None unless ``ok``.
        peak_kb: peak memory of one timed call beyond the baseline, kB.
        inputs: calls on which its output was compared.
        confirmed: measured out of its reach and on fresh inputs, rather than screened.
        gain: a confirmed gain that may be claimed.
        noise: the ratio of the original to itself, measured beside it; None unless confirmed by the clock.
        families: the ratio in each interpreter that was executed for it.
        overhead: share of the candidate's bill that was the conversation itself and was subtracted.
        hidden: share of its bill that was work done while it took its inputs or gave its outputs.
        layers: the layers of isolation that were really active around it.
        hot: the lines on which it spent most of its time, and their shares, hottest first; a hint of its own.
    """

    outcome: str
    reason: str = ""
    speed: Interval | None = None
    peak_kb: int = 0
    inputs: int = 0
    confirmed: bool = False
    gain: bool = False
    noise: Interval | None = None
    families: tuple[float, ...] = ()
    overhead: float = 0.0
    hidden: float = 0.0
    layers: tuple[str, ...] = ()
    hot: tuple[tuple[int, float], ...] = ()

    def to_data(self) -> dict[str, Any]:
        """The form in which it travels in a Result."""
        lists = {
            "families": list(self.families),
            "layers": list(self.layers),
            "hot": [list(each) for each in self.hot],
        }
        return {**asdict(self), **lists}


@dataclass(frozen=True)
class Judge:
    """Decides whether an output is right: by the workload's own ``check``, or against the original's."""

    workload: Workload

    def fault(self, call: bytes, expected: bytes, actual: bytes) -> str | None:
        """One line of what is wrong with ``actual``; None when it is right."""
        if self.workload.has_check:
            return self.workload.check_observation(pickle.loads(call), actual)  # noqa: S301  (our own bytes)
        try:
            return difference(expected, actual)
        except MalformedValue as error:
            return f"result: cannot be read, {error}"
