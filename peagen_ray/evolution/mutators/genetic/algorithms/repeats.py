"""Repeated steps that one step can do: rotations, powers of a product, polynomials, bins."""

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


OPERATORS: tuple[Operator, ...] = (RotateAtOnce(), PowerBySquaring(), Horner(), BinByDivision())
