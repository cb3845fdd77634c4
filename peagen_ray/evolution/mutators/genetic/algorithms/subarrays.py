"""One pass in the place of two or three loops over all parts of a sequence."""

from __future__ import annotations

from peagen_ray.evolution.mutators.genetic.base import Operator
from peagen_ray.evolution.mutators.genetic.canonical.recipes import Cookbook, Recipe

_TWO_LOOPS = """
for I in range(len(XS)):
    SUM = 0
    for J in range(I, len(XS)):
        SUM += XS[J]
        {0}
"""
_THREE_LOOPS = """
for I in range(len(XS)):
    for J in range(I, len(XS)):
        SUM = 0
        for K in range(I, J + 1):
            SUM += XS[K]
        {0}
"""
_TO_THE_END = """
for I in range(len(XS)):
    for J in range(I + 1, len(XS) + 1):
        SUM = 0
        for K in range(I, J):
            SUM += XS[K]
        {0}
"""
_SHAPES = (_TWO_LOOPS, _THREE_LOOPS, _TO_THE_END)


def each_shape(
    shapes: tuple[str, ...], steps: tuple[str, ...], template: str, imports: tuple[str, ...] = ()
) -> tuple[Recipe, ...]:
    """A recipe for each shape around each step."""
    return tuple(Recipe(shape.format(step), template, imports=imports) for step in steps for shape in shapes)


class BestSubarray(Cookbook):
    """Finds the best sum of neighbouring items in one pass (Kadane).

    Before::

        for i in range(len(xs)):
            total = 0
            for j in range(i, len(xs)):
                total += xs[j]
                best = max(best, total)

    After::

        running = 0
        for value in xs:
            running = max(running, 0) + value
            best = max(best, running)
    """

    NAME = "best-subarray"
    RECIPES = tuple(
        recipe
        for kind in ("max", "min")
        for recipe in each_shape(
            _SHAPES,
            (f"BEST = {kind}(BEST, SUM)",),
            f"""
fresh_running = 0
for fresh_value in XS:
    fresh_running = {kind}(fresh_running, 0) + fresh_value
    BEST = {kind}(BEST, fresh_running)
""",
        )
    ) + each_shape(
        _SHAPES,
        ("if BEST is None or BEST < SUM:\n            BEST = SUM",),
        """
fresh_running = 0
for fresh_value in XS:
    fresh_running = max(fresh_running, 0) + fresh_value
    if BEST is None or BEST < fresh_running:
        BEST = fresh_running
""",
    )


class SubarraySums(Cookbook):
    """Counts, or finds, neighbouring items with a wanted sum by remembering the sums of prefixes.

    Before::

        for i in range(len(xs)):
            total = 0
            for j in range(i, len(xs)):
                total += xs[j]
                if total == wanted:
                    count += 1

    After::

        running = 0
        seen = {0: 1}
        for value in xs:
            running += value
            count += seen.get(running - wanted, 0)
            seen[running] = seen.get(running, 0) + 1
    """

    NAME = "subarray-sums"
    RECIPES = (
        *each_shape(
            _SHAPES,
            ("if SUM == WANTED:\n            COUNT += 1",),
            """
fresh_running = 0
fresh_seen = {0: 1}
for fresh_value in XS:
    fresh_running += fresh_value
    COUNT += fresh_seen.get(fresh_running - WANTED, 0)
    fresh_seen[fresh_running] = fresh_seen.get(fresh_running, 0) + 1
""",
        ),
        *each_shape(
            _SHAPES,
            ("if SUM % BY == 0:\n            COUNT += 1",),
            """
fresh_running = 0
fresh_seen = {0: 1}
for fresh_value in XS:
    fresh_running = (fresh_running + fresh_value) % BY
    COUNT += fresh_seen.get(fresh_running, 0)
    fresh_seen[fresh_running] = fresh_seen.get(fresh_running, 0) + 1
""",
        ),
        *each_shape(
            _SHAPES,
            ("if SUM == WANTED:\n            return RESULT",),
            """
fresh_running = 0
fresh_seen = {0}
for fresh_value in XS:
    fresh_running += fresh_value
    if fresh_running - WANTED in fresh_seen:
        return RESULT
    fresh_seen.add(fresh_running)
""",
        ),
        *each_shape(
            (_TWO_LOOPS, _THREE_LOOPS),
            ("if SUM == WANTED:\n            BEST = max(BEST, J - I + 1)",),
            """
fresh_running = 0
fresh_first = {0: 0}
for fresh_end, fresh_value in enumerate(XS, 1):
    fresh_running += fresh_value
    if fresh_running - WANTED in fresh_first:
        BEST = max(BEST, fresh_end - fresh_first[fresh_running - WANTED])
    fresh_first.setdefault(fresh_running, fresh_end)
""",
        ),
    )


def _rising(test: str, side: str) -> tuple[Recipe, ...]:
    """The longest rising subsequence that ends at each place, for strict or weak order."""
    template = f"""
fresh_tails = []
for fresh_place, fresh_value in enumerate(XS):
    fresh_length = bisect.bisect_{side}(fresh_tails, fresh_value)
    fresh_tails[fresh_length:fresh_length + 1] = [fresh_value]
    LENGTHS[fresh_place] = fresh_length + 1
"""
    return tuple(
        Recipe(
            f"for I in range({first}, len(XS)):\n    for J in range({begin}I):\n        {step}\n",
            template,
            imports=("import bisect",),
        )
        for first in ("0", "1")
        for begin in ("", "0, ")
        for step in (
            f"if {test}:\n            LENGTHS[I] = max(LENGTHS[I], LENGTHS[J] + 1)",
            f"if {test} and LENGTHS[J] + 1 > LENGTHS[I]:\n            LENGTHS[I] = LENGTHS[J] + 1",
        )
    )


class RisingSubsequence(Cookbook):
    """Finds the longest rising subsequence that ends at each place by bisection (patience sorting).

    Before::

        for i in range(len(xs)):
            for j in range(i):
                if xs[j] < xs[i]:
                    lengths[i] = max(lengths[i], lengths[j] + 1)

    After::

        tails = []
        for place, value in enumerate(xs):
            length = bisect.bisect_left(tails, value)
            tails[length:length + 1] = [value]
            lengths[place] = length + 1

    The lengths are taken to begin at 1.
    """

    NAME = "rising-subsequence"
    RECIPES = (*_rising("XS[J] < XS[I]", "left"), *_rising("XS[J] <= XS[I]", "right"))


def _run_recipes() -> tuple[Recipe, ...]:
    """Runs that are followed with a variable of their own."""
    return tuple(
        Recipe(
            f"""
for X in XS:
    {first}
    {second}
    while Y + 1 in YS:
        Y += 1
        LENGTH += 1
    BEST = max(BEST, LENGTH)
""",
            """
fresh_present = set(YS)
for X in XS:
    if X - 1 not in fresh_present:
        Y = X
        while Y + 1 in fresh_present:
            Y += 1
        BEST = max(BEST, Y - X + 1)
""",
        )
        for first, second in (("Y = X", "LENGTH = 1"), ("LENGTH = 1", "Y = X"))
    )


class LongestRun(Cookbook):
    """Finds the longest run of consecutive numbers from its beginnings only.

    Before::

        for x in xs:
            length = 1
            while x + length in xs:
                length += 1
            best = max(best, length)

    After: the same with a set, for each ``x`` without an ``x - 1``.
    """

    NAME = "longest-run"
    RECIPES = (
        Recipe(
            """
for X in XS:
    LENGTH = 1
    while X + LENGTH in YS:
        LENGTH += 1
    BEST = max(BEST, LENGTH)
""",
            """
fresh_present = set(YS)
for X in XS:
    if X - 1 not in fresh_present:
        LENGTH = 1
        while X + LENGTH in fresh_present:
            LENGTH += 1
        BEST = max(BEST, LENGTH)
""",
        ),
        *_run_recipes(),
    )


class OtherProducts(Cookbook):
    """Multiplies all items but one from what comes before and after it.

    Before::

        for i in range(len(xs)):
            product = 1
            for j in range(len(xs)):
                if i != j:
                    product *= xs[j]
            result.append(product)

    After: the products before each place, times those after it.
    """

    NAME = "other-products"
    RECIPES = (
        Recipe(
            """
for I in range(len(XS)):
    PRODUCT = 1
    for J in range(len(XS)):
        if I != J:
            PRODUCT *= XS[J]
    OUT.append(PRODUCT)
""",
            """
fresh_before = list(itertools.accumulate(XS, operator.mul, initial=1))
fresh_after = list(itertools.accumulate(reversed(XS), operator.mul, initial=1))
for I in range(len(XS)):
    OUT.append(fresh_before[I] * fresh_after[len(XS) - 1 - I])
""",
            imports=("import itertools", "import operator"),
        ),
    )


OPERATORS: tuple[Operator, ...] = (
    BestSubarray(),
    SubarraySums(),
    RisingSubsequence(),
    LongestRun(),
    OtherProducts(),
)
