"""Grids and nested loops: neighbours by sums of rows, conditions that need not be asked in the inner loop."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.base import Draft, Operator, stored
from peagen_ray.evolution.mutators.genetic.canonical.expressions import conjunction, conjuncts
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.normal import Forms
from peagen_ray.evolution.mutators.genetic.canonical.recipes import Cookbook, Recipe
from peagen_ray.evolution.mutators.genetic.canonical.trees import walk_block
from peagen_ray.evolution.mutators.genetic.nodes import is_pure, mutated, names_in, overlap, places
from peagen_ray.evolution.mutators.genetic.rewrite import Edit

_TRIPLES = """
fresh_cells = [[{0} for fresh_cell in fresh_row] for fresh_row in G]
fresh_blank = [0] * len(G[0])
fresh_triples = [fresh_blank, *(
    [fresh_left + fresh_cell + fresh_right for fresh_left, fresh_cell, fresh_right in zip(
        [0, *fresh_row], fresh_row, [*fresh_row[1:], 0]
    )]
    for fresh_row in fresh_cells
), fresh_blank]
"""
_COUNT = """
COUNT += fresh_triples[R][C] + fresh_triples[R + 1][C] + fresh_triples[R + 2][C] - fresh_cells[R][C]
"""
_NUMBERS = _TRIPLES.format("fresh_cell")
_FLAGS = _TRIPLES.format("fresh_cell == ALIVE")
_INSIDE = "0 <= R + DR and R + DR < ROWS and 0 <= C + DC and C + DC < COLUMNS"
_AROUND = """
for DR in range(-1, 2):
    for DC in range(-1, 2):
        if {0}:
            {1}
"""
_APART = ("(DR != 0 or DC != 0)", "(DR, DC) != (0, 0)")
_SPANS = """
for A in range(R - 1, R + 2):
    for B in range(C - 1, C + 2):
        if {0}:
            {1}
"""


def _neighbours() -> tuple[Recipe, ...]:
    """The shapes of a loop that counts the cells around one."""
    recipes = []
    for cell, hoisted in (
        ("COUNT += {0}", _NUMBERS),
        ("if {0} == ALIVE:\n                COUNT += 1", _FLAGS),
    ):
        for apart in _APART:
            step = cell.format("G[R + DR][C + DC]")
            recipes.append(Recipe(_AROUND.format(f"{apart} and {_INSIDE}", step), _COUNT, hoisted=hoisted))
        other = cell.format("G[A][B]")
        inside = "0 <= A and A < ROWS and 0 <= B and B < COLUMNS"
        for apart in ("(A != R or B != C)", "(A, B) != (R, C)"):
            recipes.append(Recipe(_SPANS.format(f"{apart} and {inside}", other), _COUNT, hoisted=hoisted))
    return tuple(recipes)


class NeighbourSums(Cookbook):
    """Counts the cells around a cell from sums of three neighbours in a row.

    Before::

        for r in range(rows):
            for c in range(columns):
                count = 0
                for dr in (-1, 0, 1):
                    for dc in (-1, 0, 1):
                        if (dr, dc) != (0, 0) and 0 <= r + dr < rows and 0 <= c + dc < columns:
                            count += grid[r + dr][c + dc]

    After: ``triples`` is made once, with a blank row above and below, and then::

        for r in range(rows):
            for c in range(columns):
                count = 0
                count += triples[r][c] + triples[r + 1][c] + triples[r + 2][c] - cells[r][c]
    """

    NAME = "neighbour-sums"
    RECIPES = _neighbours()


class MatrixProduct(Cookbook):
    """Multiplies a row by a column at once, with the columns made before.

    Before::

        for k in range(n):
            total += a[i][k] * b[k][j]

    After::

        total += sum(map(operator.mul, a[i], columns[j]))

    with ``columns = list(zip(*b))`` before the loops around.
    """

    NAME = "matrix-product"
    RECIPES = tuple(
        Recipe(
            f"for K in range(N):\n    {result} += A[I][K] * B[K][J]",
            f"{result} += sum(map(operator.mul, A[I], fresh_columns[J]))",
            imports=("import operator",),
            hoisted="fresh_columns = list(zip(*B))\n",
        )
        for result in ("TOTAL", "OUT[P][Q]")
    )


@dataclass(frozen=True)
class Unswitched:
    """An inner loop of which conditions do not depend on its variable."""

    form: Form
    loop: ast.For
    outside: tuple[ast.expr, ...]
    inside: tuple[ast.expr, ...]


class Unswitch(Edit[Unswitched]):
    """Asks a condition before an inner loop, when it is the same in each of its rounds.

    Before::

        for j in range(n):
            if active[i] and weights[j] > 0:
                total += weights[j]

    After::

        if active[i]:
            for j in range(n):
                if weights[j] > 0:
                    total += weights[j]
    """

    NAME = "unswitch"

    def sites(self, draft: Draft) -> list[Unswitched]:
        """Each such inner loop, within a loop or not."""
        found = []
        for form in Forms.of(draft).editable():
            for statement in walk_block(form.body):
                made = _unswitched(form, statement) if isinstance(statement, ast.For) else None
                if made is not None:
                    found.append(made)
        return found

    def edit(self, draft: Draft, site: Unswitched) -> bool:
        """Put the loop under the condition."""
        form, loop = site.form, site.loop
        test = form.solid(loop.body)[0]
        assert isinstance(test, ast.If)
        inner: list[ast.stmt] = [s for s in loop.body if s in form.ghosts]
        if site.inside:
            inner.append(ast.If(test=conjunction(list(site.inside)), body=test.body, orelse=[]))
            form.inherit(inner[-1:], [test])
        else:
            inner.extend(test.body)
        made = ast.For(target=loop.target, iter=loop.iter, body=inner, orelse=[])
        form.inherit([made], [loop])
        form.put([loop], [ast.If(test=conjunction(list(site.outside)), body=[made], orelse=[])])
        form.commit()
        draft.touched()
        return True


def _unswitched(form: Form, loop: ast.For) -> Unswitched | None:
    body = form.solid(loop.body)
    if len(body) != 1 or not isinstance(body[0], ast.If) or body[0].orelse or loop.orelse:
        return None
    changed = stored(loop) | mutated(loop)
    conditions = conjuncts(body[0].test)
    outside = tuple(
        c
        for c in conditions
        if is_pure(c) and names_in(c) and not any(overlap(a, b) for a in places(c) for b in changed)
    )
    inside = tuple(c for c in conditions if c not in outside)
    return Unswitched(form, loop, outside, inside) if outside else None


OPERATORS: tuple[Operator, ...] = (NeighbourSums(), MatrixProduct(), Unswitch())
