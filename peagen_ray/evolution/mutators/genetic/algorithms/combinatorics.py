"""Arrangements from itertools, subsets without recursion, determinants by elimination."""

from __future__ import annotations

from peagen_ray.evolution.mutators.genetic.base import Operator
from peagen_ray.evolution.mutators.genetic.canonical.recipes import Cookbook, Recipe

_BASES = (
    "if len(XS) <= 1:\n        return [XS]",
    "if len(XS) == 0:\n        return [{0}]",
    "if not XS:\n        return [{0}]",
)
_LOOP = """
    OUT = []
    for I in range(len(XS)):
        {before}
        for P in F({rest}):
            OUT.append({whole})
    return OUT
"""


def _permutations(one: str, empty: str, template: str) -> tuple[Recipe, ...]:
    """The shapes of a recursion that gives all orders of the items of a list, or of a string."""
    bases = {*(base.format(empty) for base in _BASES), "if len(XS) == 1:\n        return [XS]"}
    rest = "XS[:I] + XS[I + 1:]"
    return tuple(
        Recipe(
            f"def F(XS):\n    {base}{_LOOP.format(before='', rest=rest, whole=f'{one} + P')}",
            f"def F(XS):\n    return {template}",
            imports=("import itertools",),
        )
        for base in sorted(bases)
    )


class Permutations(Cookbook):
    """Takes all orders of some items from itertools.

    Before::

        def orders(items):
            if len(items) <= 1:
                return [items]
            result = []
            for i in range(len(items)):
                for rest in orders(items[:i] + items[i + 1:]):
                    result.append([items[i]] + rest)
            return result

    After::

        def orders(items):
            return [list(order) for order in itertools.permutations(items)]
    """

    NAME = "permutations"
    RECIPES = (
        *_permutations("[XS[I]]", "[]", "[list(fresh_order) for fresh_order in itertools.permutations(XS)]"),
        *_permutations("XS[I]", '""', '["".join(fresh_order) for fresh_order in itertools.permutations(XS)]'),
    )


_ELIMINATION = """
def F(M):
    fresh_rows = [list(fresh_row) for fresh_row in M]
    fresh_sign, fresh_last = 1, 1
    for fresh_step in range(len(fresh_rows) - 1):
        if fresh_rows[fresh_step][fresh_step] == 0:
            for fresh_other in range(fresh_step + 1, len(fresh_rows)):
                if fresh_rows[fresh_other][fresh_step] != 0:
                    fresh_rows[fresh_step], fresh_rows[fresh_other] = (
                        fresh_rows[fresh_other], fresh_rows[fresh_step]
                    )
                    fresh_sign = -fresh_sign
                    break
            else:
                return 0
        fresh_pivot = fresh_rows[fresh_step]
        for fresh_row in fresh_rows[fresh_step + 1:]:
            for fresh_place in range(fresh_step + 1, len(fresh_rows)):
                fresh_row[fresh_place] = (
                    fresh_row[fresh_place] * fresh_pivot[fresh_step]
                    - fresh_row[fresh_step] * fresh_pivot[fresh_place]
                ) // fresh_last
        fresh_last = fresh_pivot[fresh_step]
    return fresh_sign * fresh_rows[-1][-1]
"""
_MINORS = (
    """
        MINOR = []
        for R in range(1, len(M)):
            MINOR.append(M[R][:C] + M[R][C + 1:])
""",
    """
        MINOR = []
        for ROW in M[1:]:
            MINOR.append(ROW[:C] + ROW[C + 1:])
""",
    """
        MINOR = []
        for R in range(1, len(M)):
            ROW = []
            for K in range(len(M)):
                if K != C:
                    ROW.append(M[R][K])
            MINOR.append(ROW)
""",
)
_SIGNED = (
    "(-1) ** C * M[0][C] * F(MINOR)",
    "M[0][C] * (-1) ** C * F(MINOR)",
    "M[0][C] * F(MINOR) * (-1) ** C",
)


class Determinant(Cookbook):
    """Computes a determinant by elimination without fractions (Bareiss) rather than by minors.

    Before::

        def determinant(m):
            if len(m) == 1:
                return m[0][0]
            total = 0
            for c in range(len(m)):
                minor = [row[:c] + row[c + 1:] for row in m[1:]]
                total += (-1) ** c * m[0][c] * determinant(minor)
            return total

    After: elimination in which every division of whole numbers leaves no remainder.
    """

    NAME = "determinant"
    RECIPES = tuple(
        Recipe(
            f"""
def F(M):
    if len(M) == 1:
        return M[0][0]
    {second}
    TOTAL = 0
    for C in range(len(M)):{minor}        TOTAL += {term}
    return TOTAL
""",
            _ELIMINATION,
        )
        for second in ("", "if len(M) == 2:\n        BODY")
        for minor in _MINORS
        for term in _SIGNED
    )


OPERATORS: tuple[Operator, ...] = (Permutations(), Determinant())
