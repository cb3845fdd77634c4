"""Which runs go to Ray together as one of its tasks: brief ones, where more wait than the cluster has places."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Hashable
from typing import Final

BRIEF_S: Final = 0.05
"""Seconds that the runs of a bundle may take in all, going by those before them."""

MOST: Final = 32
"""Runs of one bundle at most."""

_SEEN: Final = 16
"""Runs by whose lengths those to come are judged; fewer tell nothing."""


class Lengths:
    """How long the last runs of each sort took. Any thread may use it.

    A task of Ray's costs it a few tenths of a millisecond of everybody's processors, which for a run that takes less is
    most of what there is to pay.
    """

    def __init__(self) -> None:
        self._seen: dict[Hashable, deque[float]] = {}

    def ran(self, sort: Hashable, seconds: float) -> None:
        """A run of that sort has taken so long."""
        self._seen.setdefault(sort, deque(maxlen=_SEEN)).append(seconds)

    def forget(self, sort: Hashable) -> None:
        """Judge that sort anew, by runs that are to come."""
        self._seen.pop(sort, None)

    def together(self, sort: Hashable, waiting: int, places: int) -> int:
        """How many runs of a sort are to go together.

        Args:
            sort: which.
            waiting: how many there are to go now.
            places: how many can run at a time; none is left empty for want of a bundle.
        """
        seen = tuple(self._seen.get(sort, ()))
        if len(seen) < _SEEN or not places:
            return 1
        brief = int(BRIEF_S / max(*seen, BRIEF_S / MOST))
        return max(1, min(brief, math.ceil(waiting / places)))
