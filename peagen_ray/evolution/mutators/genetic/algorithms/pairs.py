"""One pass, or a sorted list, in the place of two loops over all pairs of a sequence."""

from __future__ import annotations

import ast

from peagen_ray.evolution.mutators.genetic.algorithms.subarrays import each_shape
from peagen_ray.evolution.mutators.genetic.base import Operator
from peagen_ray.evolution.mutators.genetic.canonical.recipes import Cookbook, Found, Recipe
from peagen_ray.evolution.mutators.genetic.canonical.unify import Abstraction

_PAIRS = (
    "for I in range(len(XS)):\n    for J in range(I + 1, len(XS)):\n        {0}\n",
    "for I in range(len(XS) - 1):\n    for J in range(I + 1, len(XS)):\n        {0}\n",
)


class BestPair(Cookbook):
    """Finds the best pair in one pass, or after sorting.

    Before::

        for i in range(len(prices)):
            for j in range(i + 1, len(prices)):
                best = max(best, prices[j] - prices[i])

    After::

        lowest = None
        for value in prices:
            if lowest is not None:
                best = max(best, value - lowest)
            if lowest is None or value < lowest:
                lowest = value
    """

    NAME = "best-pair"
    RECIPES = (
        *each_shape(
            _PAIRS,
            ("BEST = max(BEST, XS[J] - XS[I])",),
            """
fresh_lowest = None
for fresh_value in XS:
    if fresh_lowest is not None:
        BEST = max(BEST, fresh_value - fresh_lowest)
    if fresh_lowest is None or fresh_value < fresh_lowest:
        fresh_lowest = fresh_value
""",
        ),
        *each_shape(
            _PAIRS,
            ("BEST = min(BEST, abs(XS[I] - XS[J]))", "BEST = min(BEST, abs(XS[J] - XS[I]))"),
            """
fresh_ordered = sorted(XS)
for fresh_low, fresh_high in zip(fresh_ordered, fresh_ordered[1:]):
    BEST = min(BEST, fresh_high - fresh_low)
""",
        ),
        *each_shape(
            _PAIRS,
            ("BEST = max(BEST, abs(XS[I] - XS[J]))", "BEST = max(BEST, abs(XS[J] - XS[I]))"),
            """
if len(XS) > 1:
    BEST = max(BEST, max(XS) - min(XS))
""",
        ),
        *each_shape(
            _PAIRS,
            ("BEST = max(BEST, XS[I] * XS[J])",),
            """
if len(XS) > 1:
    fresh_ordered = sorted(XS)
    BEST = max(BEST, fresh_ordered[0] * fresh_ordered[1], fresh_ordered[-1] * fresh_ordered[-2])
""",
        ),
        *each_shape(
            _PAIRS,
            ("BEST = max(BEST, XS[I] + XS[J])",),
            """
if len(XS) > 1:
    BEST = max(BEST, sum(sorted(XS)[-2:]))
""",
        ),
    )


_CONTAINER = (
    "BEST = max(BEST, min(XS[I], XS[J]) * (J - I))",
    "BEST = max(BEST, (J - I) * min(XS[I], XS[J]))",
)


class FirstBestPair(Cookbook):
    """Finds the best pair in one pass, or after sorting, where there is no best before the first.

    Before::

        for i in range(len(xs)):
            for j in range(i + 1, len(xs)):
                if best is None or abs(xs[i] - xs[j]) < best:
                    best = abs(xs[i] - xs[j])

    After::

        ordered = sorted(xs)
        for low, high in zip(ordered, ordered[1:]):
            if best is None or high - low < best:
                best = high - low
    """

    NAME = "first-best-pair"
    RECIPES = (
        *each_shape(
            _PAIRS,
            ("if BEST is None or XS[J] - XS[I] > BEST:\n            BEST = XS[J] - XS[I]",),
            """
fresh_lowest = None
for fresh_value in XS:
    if fresh_lowest is not None and (BEST is None or fresh_value - fresh_lowest > BEST):
        BEST = fresh_value - fresh_lowest
    if fresh_lowest is None or fresh_value < fresh_lowest:
        fresh_lowest = fresh_value
""",
        ),
        *each_shape(
            _PAIRS,
            ("if BEST is None or abs(XS[I] - XS[J]) < BEST:\n            BEST = abs(XS[I] - XS[J])",),
            """
fresh_ordered = sorted(XS)
for fresh_low, fresh_high in zip(fresh_ordered, fresh_ordered[1:]):
    if BEST is None or fresh_high - fresh_low < BEST:
        BEST = fresh_high - fresh_low
""",
        ),
    )


class TwoPointers(Cookbook):
    """Moves two positions towards each other, where all pairs were tried.

    Before::

        for i in range(len(heights)):
            for j in range(i + 1, len(heights)):
                best = max(best, min(heights[i], heights[j]) * (j - i))

    After: the same maximum, giving up the lower side in each step.
    """

    NAME = "two-pointers"
    RECIPES = each_shape(
        _PAIRS,
        _CONTAINER,
        """
fresh_low, fresh_high = 0, len(XS) - 1
while fresh_low < fresh_high:
    BEST = max(BEST, min(XS[fresh_low], XS[fresh_high]) * (fresh_high - fresh_low))
    if XS[fresh_low] < XS[fresh_high]:
        fresh_low += 1
    else:
        fresh_high -= 1
""",
    )


class SumOverPairs(Cookbook):
    """Adds up over all pairs in one pass.

    Before::

        for i in range(len(xs)):
            for j in range(i + 1, len(xs)):
                total += abs(xs[i] - xs[j])

    After::

        before = 0
        for place, value in enumerate(sorted(xs)):
            total += value * place - before
            before += value
    """

    NAME = "sum-over-pairs"
    RECIPES = tuple(
        Recipe(shape.format(step), template)
        for shape in _PAIRS
        for steps, template in (
            (
                ("TOTAL += abs(XS[I] - XS[J])", "TOTAL += abs(XS[J] - XS[I])"),
                """
fresh_before = 0
for fresh_place, fresh_value in enumerate(sorted(XS)):
    TOTAL += fresh_value * fresh_place - fresh_before
    fresh_before += fresh_value
""",
            ),
            (
                ("TOTAL += XS[I] * XS[J]",),
                """
fresh_before = 0
for fresh_value in XS:
    TOTAL += fresh_value * fresh_before
    fresh_before += fresh_value
""",
            ),
            (
                ("TOTAL += XS[I] + XS[J]",),
                """
for fresh_value in XS:
    TOTAL += fresh_value * (len(XS) - 1)
""",
            ),
            (
                ("TOTAL += min(XS[I], XS[J])",),
                """
for fresh_place, fresh_value in enumerate(sorted(XS, reverse=True)):
    TOTAL += fresh_value * fresh_place
""",
            ),
            (
                ("TOTAL += max(XS[I], XS[J])",),
                """
for fresh_place, fresh_value in enumerate(sorted(XS)):
    TOTAL += fresh_value * fresh_place
""",
            ),
        )
        for step in steps
    )


def _compares_first(found: Found) -> bool:
    """Whether the distance is made of the differences of coordinates that include the first."""
    distance = found.bindings["DISTANCE"]
    return isinstance(distance, Abstraction) and "[0]" in ast.unparse(distance.body)


_CLOSEST = """
fresh_ordered = sorted(XS, key=lambda fresh_point: fresh_point[0])
for fresh_place, fresh_one in enumerate(fresh_ordered):
    for fresh_next in range(fresh_place + 1, len(fresh_ordered)):
        fresh_other = fresh_ordered[fresh_next]
        fresh_gap = fresh_other[0] - fresh_one[0]
        if {known}{gap} > BEST:
            break
        fresh_distance = DISTANCE(fresh_one, fresh_other)
        if {first}fresh_distance < BEST:
            BEST = fresh_distance
"""
_NEARER = (
    ("BEST = min(BEST, DISTANCE(XS[I], XS[J]))", "", ""),
    (
        "if BEST is None or DISTANCE(XS[I], XS[J]) < BEST:\n            BEST = DISTANCE(XS[I], XS[J])",
        "BEST is not None and ",
        "BEST is None or ",
    ),
)


def _is_rooted(found: Found) -> bool:
    """Whether the distance is a length rather than the square of one."""
    distance = found.bindings["DISTANCE"]
    text = ast.unparse(distance.body) if isinstance(distance, Abstraction) else ""
    return any(word in text for word in ("sqrt", "hypot", "dist", "** 0.5", "abs("))


class PairsApart(Cookbook):
    """Counts the pairs whose difference has a wanted size by looking up how often each other item came.

    Before::

        for i in range(len(xs)):
            for j in range(i + 1, len(xs)):
                if abs(xs[i] - xs[j]) == k:
                    count += 1

    After::

        seen = {}
        for value in xs:
            if k > 0:
                count += seen.get(value - k, 0) + seen.get(value + k, 0)
            elif k == 0:
                count += seen.get(value, 0)
            seen[value] = seen.get(value, 0) + 1
    """

    NAME = "pairs-apart"
    RECIPES = tuple(
        Recipe(
            shape.format(f"if {size} == SIZE:\n            COUNT += 1"),
            """
fresh_seen = {}
for fresh_value in XS:
    if SIZE > 0:
        COUNT += fresh_seen.get(fresh_value - SIZE, 0) + fresh_seen.get(fresh_value + SIZE, 0)
    elif SIZE == 0:
        COUNT += fresh_seen.get(fresh_value, 0)
    fresh_seen[fresh_value] = fresh_seen.get(fresh_value, 0) + 1
""",
        )
        for shape in _PAIRS
        for size in ("abs(XS[I] - XS[J])", "abs(XS[J] - XS[I])")
    )


class ClosestPair(Cookbook):
    """Compares only points that are near each other in their first coordinate.

    Before::

        for i in range(len(points)):
            for j in range(i + 1, len(points)):
                best = min(best, distance(points[i], points[j]))

    After: the same over the points sorted by their first coordinate, up to the first that is farther away
    than the best so far.
    """

    NAME = "closest-pair"
    RECIPES = tuple(
        Recipe(
            shape.format(step),
            _CLOSEST.format(gap=gap, known=known, first=first),
            where=where,
        )
        for shape in _PAIRS
        for step, known, first in _NEARER
        for gap, where in (
            ("fresh_gap", lambda found: _compares_first(found) and _is_rooted(found)),
            ("fresh_gap * fresh_gap", _compares_first),
        )
    )


OPERATORS: tuple[Operator, ...] = (
    BestPair(),
    FirstBestPair(),
    TwoPointers(),
    SumOverPairs(),
    PairsApart(),
    ClosestPair(),
)
