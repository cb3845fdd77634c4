"""Repeated steps that one step can do: rotations, powers of a product, sums over all pairs, bins."""

from __future__ import annotations

import ast

from peagen_ray.evolution.mutators.genetic.base import Operator
from peagen_ray.evolution.mutators.genetic.canonical.recipes import Cookbook, Found, Recipe
from peagen_ray.evolution.mutators.genetic.canonical.trees import clone, name, rebuilt
from peagen_ray.evolution.mutators.genetic.canonical.unify import Abstraction
from peagen_ray.evolution.mutators.genetic.nodes import equal, names_in

_RIGHT = "XS[len(XS) - N % len(XS):] + XS[:len(XS) - N % len(XS)]"
_LEFT = "XS[N % len(XS):] + XS[:N % len(XS)]"


def _rotation(step: str, there: str, in_place: bool) -> Recipe:
    slot = "XS[:]" if in_place else "XS"
    return Recipe(f"for I in range(0, N):\n    {step}\n", f"if N > 0 and XS:\n    {slot} = {there}\n")


class RotateAtOnce(Cookbook):
    """Rotates a sequence by all its steps at once.

    Before::

        for _ in range(k):
            items.insert(0, items.pop())

    After::

        if k > 0 and items:
            items[:] = items[len(items) - k % len(items):] + items[:len(items) - k % len(items)]
    """

    NAME = "rotate-at-once"
    RECIPES = (
        _rotation("XS.insert(0, XS.pop())", _RIGHT, in_place=True),
        _rotation("XS.insert(0, XS.pop(-1))", _RIGHT, in_place=True),
        _rotation("LAST = XS.pop()\n    XS.insert(0, LAST)", _RIGHT, in_place=True),
        _rotation("XS = [XS[-1]] + XS[:-1]", _RIGHT, in_place=False),
        _rotation("XS = XS[-1:] + XS[:-1]", _RIGHT, in_place=False),
        _rotation("XS = XS[-1] + XS[:-1]", _RIGHT, in_place=False),
        _rotation("XS.append(XS.pop(0))", _LEFT, in_place=True),
        _rotation("FIRST = XS.pop(0)\n    XS.append(FIRST)", _LEFT, in_place=True),
        _rotation("XS = XS[1:] + [XS[0]]", _LEFT, in_place=False),
        _rotation("XS = XS[1:] + XS[:1]", _LEFT, in_place=False),
        _rotation("XS = XS[1:] + XS[0]", _LEFT, in_place=False),
        _rotation(
            "LAST = XS[-1]\n    for J in range(len(XS) - 1, 0, -1):\n        XS[J] = XS[J - 1]\n    XS[0] = LAST",
            _RIGHT,
            in_place=True,
        ),
        _rotation(
            "FIRST = XS[0]\n    for J in range(len(XS) - 1):\n        XS[J] = XS[J + 1]\n    XS[-1] = FIRST",
            _LEFT,
            in_place=True,
        ),
    )


def _factor(found: Found) -> ast.expr | None:
    """What the result is multiplied by in each step, if a step is a call or a product of two things."""
    step = found.bindings["STEP"]
    body = step.body if isinstance(step, Abstraction) else None
    if isinstance(body, ast.Call) and len(body.args) == 2 and not body.keywords:
        parts = body.args
    elif isinstance(body, ast.BinOp) and isinstance(body.op, (ast.MatMult, ast.Mult)):
        parts = [body.left, body.right]
    else:
        return None
    hole = step.parameters[0] if isinstance(step, Abstraction) else ""
    others = [p for p in parts if not equal(p, name(hole))]
    return others[0] if len(others) == 1 and hole not in names_in(others[0]) else None


def _product(found: Found) -> Abstraction:
    """The product, of the result and the factor."""
    step, factor = found.bindings["STEP"], _factor(found)
    assert isinstance(step, Abstraction)
    assert factor is not None
    body = rebuilt(
        step.body, lambda n: name("FACTOR") if isinstance(n, ast.expr) and equal(n, factor) else None
    )
    return Abstraction((*step.parameters, "FACTOR"), body)


class PowerBySquaring(Cookbook):
    """Applies an associative product many times by squaring.

    Before::

        for _ in range(n):
            result = multiply(result, matrix)

    After::

        base, left = matrix, n
        while left > 0:
            if left & 1:
                result = multiply(result, base)
            base = multiply(base, base)
            left >>= 1
    """

    NAME = "power-by-squaring"
    INLINED = False
    RECIPES = (
        Recipe(
            "for I in range(FROM, N):\n    R = STEP(R)",
            """
fresh_base, fresh_left = M, N - FROM
while fresh_left > 0:
    if fresh_left & 1:
        R = PRODUCT(R, fresh_base)
    fresh_left >>= 1
    if fresh_left:
        fresh_base = PRODUCT(fresh_base, fresh_base)
""",
            where=lambda found: _factor(found) is not None,
            also={"M": lambda found: clone(_factor(found) or found["N"]), "PRODUCT": _product},
        ),
    )


_PAIRS = (
    "for I in range(len(XS)):\n    for J in range(I + 1, len(XS)):\n        {0}\n",
    "for I in range(len(XS) - 1):\n    for J in range(I + 1, len(XS)):\n        {0}\n",
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


class Horner(Cookbook):
    """Evaluates a polynomial without powers.

    Before::

        for i in range(len(coefficients)):
            total += coefficients[i] * x ** i

    After::

        value = 0
        for coefficient in reversed(coefficients):
            value = value * x + coefficient
        total += value
    """

    NAME = "horner"
    RECIPES = (
        Recipe(
            """
for I in range(len(CS)):
    TOTAL += CS[I] * X ** I
""",
            """
fresh_value = 0
for fresh_coefficient in reversed(CS):
    fresh_value = fresh_value * X + fresh_coefficient
TOTAL += fresh_value
""",
        ),
        Recipe(
            """
for I in range(len(CS)):
    TERM = CS[I]
    for J in range(0, I):
        TERM *= X
    TOTAL += TERM
""",
            """
fresh_value = 0
for fresh_coefficient in reversed(CS):
    fresh_value = fresh_value * X + fresh_coefficient
TOTAL += fresh_value
""",
        ),
        Recipe(
            """
for I in range(len(CS)):
    POWER = 1
    for J in range(0, I):
        POWER *= X
    TOTAL += CS[I] * POWER
""",
            """
fresh_value = 0
for fresh_coefficient in reversed(CS):
    fresh_value = fresh_value * X + fresh_coefficient
TOTAL += fresh_value
""",
        ),
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


_BIN = """
fresh_guess = int((V{minus}) // W)
for B in range(max(0, fresh_guess - 1), min(N, fresh_guess + 2)):
    if {test}:
        BODY
"""


class BinByDivision(Cookbook):
    """Finds the bin of a value by division.

    Before::

        for b in range(bins):
            if low + b * width <= value < low + (b + 1) * width:
                counts[b] += 1
                break

    After::

        guess = int((value - low) // width)
        for b in range(max(0, guess - 1), min(bins, guess + 2)):
            if low + b * width <= value < low + (b + 1) * width:
                counts[b] += 1
                break
    """

    NAME = "bin-by-division"
    RECIPES = tuple(
        Recipe(f"for B in range(N):\n    if {test}:\n        BODY\n", _BIN.format(minus=minus, test=test))
        for minus, tests in (
            (
                " - LOW",
                ("LOW + B * W <= V and V < LOW + (B + 1) * W", "LOW + B * W <= V and V <= LOW + (B + 1) * W"),
            ),
            ("", ("B * W <= V and V < (B + 1) * W", "B * W <= V and V <= (B + 1) * W")),
        )
        for test in tests
    )


OPERATORS: tuple[Operator, ...] = (
    RotateAtOnce(),
    PowerBySquaring(),
    SumOverPairs(),
    PairsApart(),
    Horner(),
    ClosestPair(),
    BinByDivision(),
)
