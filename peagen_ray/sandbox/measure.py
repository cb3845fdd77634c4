"""Honest measurement: screening ranks, confirmation decides.

The parent owns the inputs, the oracle and the clock. *Screening* times original and candidate alternately
inside one guest. It is quick and only ranks, since the candidate shares that process. *Confirmation* puts them
into guests that take turns, sends fresh inputs every round, checks every output, and reads the guests' CPU
clocks from outside.
"""

from __future__ import annotations

from peagen_ray.sandbox.confirmation import FAMILIES, confirm
from peagen_ray.sandbox.screening import screen
from peagen_ray.sandbox.statistics import Interval, interval
from peagen_ray.sandbox.verdict import Judge, Verdict

__all__ = ["FAMILIES", "Interval", "Judge", "Verdict", "confirm", "interval", "screen"]
