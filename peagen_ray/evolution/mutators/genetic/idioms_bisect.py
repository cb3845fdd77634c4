"""Binary search in the place of counting by comparison."""

from __future__ import annotations

from peagen_ray.evolution.mutators.genetic.base import Operator
from peagen_ray.evolution.mutators.genetic.idioms_tables import Lookup, TableOperator
from peagen_ray.evolution.mutators.genetic.match import Match
from peagen_ray.evolution.mutators.genetic.nodes import names_in
from peagen_ray.evolution.mutators.genetic.rewrite import Rewrite, Rule

_BELOW = "bisect.bisect_left(TABLE, K)"
_UP_TO = "bisect.bisect_right(TABLE, K)"
_COUNTS = (
    ("X < K", _BELOW),
    ("X <= K", _UP_TO),
    ("X > K", f"len(TABLE) - {_UP_TO}"),
    ("X >= K", f"len(TABLE) - {_BELOW}"),
    ("X >= K and X < L", f"{_BELOW.replace('K', 'L')} - {_BELOW}"),
    ("X >= K and X <= L", f"{_UP_TO.replace('K', 'L')} - {_BELOW}"),
    ("X > K and X <= L", f"{_UP_TO.replace('K', 'L')} - {_UP_TO}"),
    ("X > K and X < L", f"{_BELOW.replace('K', 'L')} - {_UP_TO}"),
    ("K <= X < L", f"{_BELOW.replace('K', 'L')} - {_BELOW}"),
    ("K <= X <= L", f"{_UP_TO.replace('K', 'L')} - {_BELOW}"),
)
"""Conditions on an item, and how many items of a sorted list fulfil them."""


class SortedCounts(TableOperator):
    """Counting the items below or above a value, in a loop, asks a sorted copy."""

    NAME = "sorted-counts"
    WEIGHT = 1.5
    STEM = "ordered"
    LOOKUPS = tuple(
        Lookup(scan, "sorted(XS)", answer)
        for test, count in _COUNTS
        for scan, answer in (
            (f"A = 0\nfor X in XS:\n if {test}: A += 1", f"A = {count}"),
            (f"for X in XS:\n if {test}: A += 1", f"A += {count}"),
            (
                f"A = 0\nfor I in range(len(XS)):\n if {test.replace('X', 'XS[I]')}: A += 1",
                f"A = {count}",
            ),
            (f"sum(1 for X in XS if {test})", count),
            (f"len([X for X in XS if {test}])", count),
        )
    )
    IMPORTS = ("import bisect",)

    def fits(self, match: Match) -> bool:
        """Where the bounds do not depend on the item."""
        own = names_in(match["X" if "X" in match.bindings else "I"])
        bounds = [match[name] for name in ("K", "L") if name in match.bindings]
        return super().fits(match) and not any(own & names_in(bound) for bound in bounds)


class OrderedPairs(Rewrite):
    """Pairs that are in or out of order are counted against the earlier items, kept sorted."""

    NAME = "ordered-pairs"
    RULES = tuple(
        Rule(
            f"for I in range(N):\n for J in range({span}):\n  if XS[{one}] {sign} XS[{other}]: A += 1",
            "fresh_earlier = []\n"
            "for fresh_value in XS:\n"
            f" A += {count}\n"
            " bisect.insort(fresh_earlier, fresh_value)",
            imports=("import bisect",),
        )
        for span, one, other in (("I + 1, N", "I", "J"), ("I + 1, len(XS)", "I", "J"), ("I", "J", "I"))
        for sign, count in (
            (">", "len(fresh_earlier) - bisect.bisect_right(fresh_earlier, fresh_value)"),
            (">=", "len(fresh_earlier) - bisect.bisect_left(fresh_earlier, fresh_value)"),
            ("<", "bisect.bisect_left(fresh_earlier, fresh_value)"),
            ("<=", "bisect.bisect_right(fresh_earlier, fresh_value)"),
        )
    )


OPERATORS: tuple[Operator, ...] = (SortedCounts(), OrderedPairs())
