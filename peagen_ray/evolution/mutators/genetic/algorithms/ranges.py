"""Sums and extremes of ranges, looked up rather than added up again in each round of an outer loop."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.algorithms.spans import (
    Loop,
    Span,
    ascends,
    bound_in,
    homes,
    is_fixed,
)
from peagen_ray.evolution.mutators.genetic.base import Draft, Operator
from peagen_ray.evolution.mutators.genetic.canonical.changes import is_changed
from peagen_ray.evolution.mutators.genetic.canonical.expressions import signed_terms, sum_of
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.normal import Forms
from peagen_ray.evolution.mutators.genetic.canonical.recipes import build
from peagen_ray.evolution.mutators.genetic.canonical.trees import clone, name, walk_block
from peagen_ray.evolution.mutators.genetic.canonical.unify import Value
from peagen_ray.evolution.mutators.genetic.nodes import equal, is_call, names_in
from peagen_ray.evolution.mutators.genetic.rewrite import Edit


@dataclass(frozen=True)
class Reduction:
    """An inner loop that only adds up a term of each index of a range, or finds the extreme one.

    Attributes:
        form: the function in normal form.
        loop: the inner loop.
        around: the outermost loop in which the terms stay the same.
        span: the range.
        kind: ``sum``, ``max`` or ``min``.
        result: the variable that holds the sum or the extreme.
        term: what is added or compared, an expression of the index.
    """

    form: Form
    loop: ast.For
    around: Loop
    span: Span
    kind: str
    result: ast.Name
    term: ast.expr


class RangeTable(Edit[Reduction]):
    """Answers what an inner loop works out about a range of indices from a table of prefixes.

    Before::

        for i in range(n):
            total = 0
            for j in range(i, i + width):
                total += items[j]

    After::

        sums = list(itertools.accumulate(items, initial=0))
        for i in range(n):
            total = 0
            if i < i + width:
                total += sums[i + width] - sums[i]

    So too for sums of other terms, and for ``max`` and ``min`` over ranges that begin or end at the same
    place (tables of prefixes and suffixes), that have the same width (a queue of candidates), or any others (a
    table of the extremes of all stretches whose length is a power of two). Where the items are not all known
    before the loop, a table is filled as far as is asked for.
    """

    NAME = "range-table"
    WEIGHT = 2.0

    def sites(self, draft: Draft) -> list[Reduction]:
        """Each such inner loop for which there is a table."""
        found = []
        for form in Forms.of(draft).editable():
            for statement in walk_block(form.body):
                made = _reduction(form, statement) if isinstance(statement, ast.For) else None
                if made is not None and _texts(made) is not None:
                    found.append(made)
        return found

    def edit(self, draft: Draft, site: Reduction) -> bool:
        """Make the table and look the result up."""
        texts = _texts(site)
        if texts is None:
            return False
        form = site.form
        bindings = _bindings(site)
        new = build(texts[1], bindings, form)
        form.inherit(new, [site.loop])
        form.put([site.loop], new)
        form.put_before(site.around, build(texts[0], bindings, form))
        form.commit()
        draft.touched()
        for module in ("collections", "itertools"):
            if f"{module}." in texts[0]:
                draft.ensure_import(f"import {module}")
        return True


def _reduction(form: Form, loop: ast.For) -> Reduction | None:
    body = form.solid(loop.body)
    if len(body) != 1 or not isinstance(loop.target, ast.Name) or not is_call(loop.iter, "range", 2):
        return None
    found = _reduced(body[0])
    if found is None:
        return None
    kind, result, term = found
    index = loop.target.id
    if index not in names_in(term) or result.id in names_in(term) | names_in(loop.iter):
        return None
    for outer, span in homes(form, loop):
        foreign = names_in(term) & (bound_in(outer) - {index})
        rising = span.grows and span.stop is not None and ascends(span.stop, outer)
        if not foreign and (rising or not is_changed(term, outer.body, {index})):
            return Reduction(form, loop, outer, span, kind, result, term)
    return None


def _reduced(statement: ast.stmt) -> tuple[str, ast.Name, ast.expr] | None:
    """The kind, the variable and the term of a statement that reduces."""
    if isinstance(statement, ast.If) and len(statement.body) == 1 and not statement.orelse:
        inner = _reduced(statement.body[0])
        if inner is None or inner[0] != "sum":
            return None
        nothing = ast.Constant(value=0)
        return "sum", inner[1], ast.IfExp(test=clone(statement.test), body=inner[2], orelse=nothing)
    if isinstance(statement, ast.AugAssign) and isinstance(statement.target, ast.Name):
        if isinstance(statement.op, ast.Add) and not isinstance(statement.value, ast.JoinedStr):
            return "sum", statement.target, clone(statement.value)
    if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
        to, value = statement.targets[0], statement.value
        for kind in ("max", "min"):
            if isinstance(value, ast.Call) and is_call(value, kind, 2):
                others = [a for a in value.args if not equal(a, to)]
                if len(others) == 1:
                    return kind, to, clone(others[0])
    return None


def _width(site: Reduction) -> ast.expr | None:
    """How many indices the range has, where that is the same in every round."""
    if site.span.start is None or site.span.stop is None:
        return None
    ends, starts = signed_terms(site.span.stop, 1), signed_terms(site.span.start, -1)
    width = sum_of([(s, clone(t)) for s, t in [*ends, *starts]])
    return None if names_in(width) & bound_in(site.around) else width


def _texts(site: Reduction) -> tuple[str, str] | None:
    """What is written before the outer loop, and in the place of the inner one."""
    if site.span.start is None and site.span.stop is None:
        return None
    if site.kind == "sum":
        return _WHOLE_TEXTS if _whole(site) is not None else _sum_texts(site)
    if site.span.start is None:
        fill = "for INDEX in range(BASE + len(TABLE), STOP):\n"
        fill += "    TABLE.append(KIND(TABLE[-1], TERM) if TABLE else TERM)\n"
        return "TABLE = []", f"{fill}if BASE < STOP:\n    RESULT = KIND(RESULT, TABLE[STOP - 1 - BASE])"
    if site.span.stop is None:
        before = "TABLE = list(itertools.accumulate((TERM for INDEX in range(STOP - 1, -1, -1)), KIND))"
        return before, "if START < STOP:\n    RESULT = KIND(RESULT, TABLE[STOP - 1 - START])"
    if _width(site) is not None:
        return _window_texts(site)
    return _LEVEL_TEXTS if _whole(site) is not None else None


def _whole(site: Reduction) -> ast.expr | None:
    """The sequence all of whose items are the terms, where that stays the same."""
    term, index = site.term, site.loop.target
    if not isinstance(term, ast.Subscript) or not equal(term.slice, index):
        return None
    return term.value if is_fixed(term.value, site.around) else None


_LEVEL_TEXTS = (
    """
TABLE = [list(WHOLE)]
while 2 ** len(TABLE) <= len(WHOLE):
    TABLE.append(list(map(KIND, TABLE[-1], TABLE[-1][2 ** (len(TABLE) - 1):])))
""",
    """
if START < STOP:
    VALUE = (STOP - START).bit_length() - 1
    RESULT = KIND(RESULT, TABLE[VALUE][START], TABLE[VALUE][STOP - 2 ** VALUE])
""",
)
_WHOLE_TEXTS = (
    "TABLE = list(itertools.accumulate(WHOLE, initial=0))",
    "if START < STOP:\n    RESULT += TABLE[STOP] - TABLE[START]",
)


def _sum_texts(site: Reduction) -> tuple[str, str]:
    last = "BASE + len(TABLE) - 1"
    fill = f"for INDEX in range({last}, STOP):\n    TABLE.append(TABLE[-1] + TERM)\n"
    take = "TABLE[STOP - BASE]" if site.span.start is None else "TABLE[STOP - BASE] - TABLE[START - BASE]"
    return "TABLE = [0]", f"{fill}if START < STOP:\n    RESULT += {take}"


def _window_texts(site: Reduction) -> tuple[str, str]:
    worse = "<=" if site.kind == "max" else ">="
    return (
        "TABLE = []\nQUEUE = collections.deque()",
        f"""
for INDEX in range(len(TABLE), STOP):
    VALUE = TERM
    while QUEUE and QUEUE[-1][1] {worse} VALUE:
        QUEUE.pop()
    QUEUE.append((INDEX, VALUE))
    if QUEUE[0][0] <= INDEX - WIDTH:
        QUEUE.popleft()
    TABLE.append(QUEUE[0][1])
if START < STOP:
    RESULT = KIND(RESULT, TABLE[STOP - 1])
""",
    )


def _bindings(site: Reduction) -> dict[str, Value]:
    fresh = site.form.names.fresh
    stems = {"sum": "sums", "max": "highest", "min": "lowest"}
    width = _width(site)
    return {
        "TABLE": name(fresh(stems[site.kind])),
        "QUEUE": name(fresh("window")),
        "VALUE": name(fresh("value" if width is not None else "level")),
        "KIND": name(site.kind),
        "INDEX": site.loop.target,
        "RESULT": site.result,
        "TERM": site.term,
        "WHOLE": _whole(site) or site.term,
        "BASE": site.span.base,
        "START": site.span.start or site.span.base,
        "STOP": site.span.end,
        "WIDTH": site.span.base if width is None else width,
    }


OPERATORS: tuple[Operator, ...] = (RangeTable(),)
