"""Bisection in the place of scans of what is in order, or can be kept in order."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.algorithms.spans import Loop, Span, ascends, bound_in, homes
from peagen_ray.evolution.mutators.genetic.base import Draft, Operator
from peagen_ray.evolution.mutators.genetic.canonical.changes import is_changed
from peagen_ray.evolution.mutators.genetic.canonical.expressions import conjuncts
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.normal import Forms
from peagen_ray.evolution.mutators.genetic.canonical.recipes import Cookbook, Found, Recipe, always, build
from peagen_ray.evolution.mutators.genetic.canonical.trees import clone, name, walk_block
from peagen_ray.evolution.mutators.genetic.canonical.unify import Abstraction, Value
from peagen_ray.evolution.mutators.genetic.nodes import is_constant, names_in, with_context
from peagen_ray.evolution.mutators.genetic.rewrite import Edit


@dataclass(frozen=True)
class OrderedCount:
    """An inner loop that counts the items whose key lies on one side of something, or between two things.

    Attributes:
        form: the function in normal form.
        loop: the inner loop.
        around: the outermost loop in which the keys stay the same.
        span: which items it goes through.
        key: the key, an expression of the inner loop's variables.
        limits: for each condition, what the key is compared with and how: ``<``, ``<=``, ``>`` or ``>=``.
        counter: what counts.
    """

    form: Form
    loop: ast.For
    around: Loop
    span: Span
    key: ast.expr
    limits: tuple[tuple[str, ast.expr], ...]
    counter: ast.expr


class CountByBisection(Edit[OrderedCount]):
    """Counts smaller or larger items by bisection of the keys in order.

    Before::

        for x in xs:
            smaller = 0
            for y in xs:
                if y < x:
                    smaller += 1
            ranks.append(smaller)

    After::

        ordered = sorted(y for y in xs)
        for x in xs:
            smaller = 0
            smaller += bisect.bisect_left(ordered, x)
            ranks.append(smaller)

    Where the inner loop goes through the items before the outer one's, those are inserted in order as they
    come; where it goes through the items after, the ones before are taken away from all.
    """

    NAME = "count-by-bisection"
    WEIGHT = 2.0

    def sites(self, draft: Draft) -> list[OrderedCount]:
        """Each inner loop that counts so."""
        found = []
        for form in Forms.of(draft).editable():
            for statement in walk_block(form.body):
                made = _ordered_count(form, statement) if isinstance(statement, ast.For) else None
                if made is not None:
                    found.append(made)
        return found

    def edit(self, draft: Draft, site: OrderedCount) -> bool:
        """Keep the keys in order, and bisect."""
        form = site.form
        bindings = _bindings(site)
        before, inside = _texts(site)
        new = build(inside, bindings, form)
        form.put([site.loop], new)
        form.put_before(site.around, build(before, bindings, form))
        form.commit()
        draft.touched()
        draft.ensure_import("import bisect")
        return True


def _ordered_count(form: Form, loop: ast.For) -> OrderedCount | None:
    body = form.solid(loop.body)
    if len(body) != 1 or not isinstance(body[0], ast.If) or body[0].orelse:
        return None
    inner = form.solid(body[0].body)
    if len(inner) != 1 or not isinstance(inner[0], ast.AugAssign) or not is_constant(inner[0].value, 1):
        return None
    own = names_in(loop.target)
    conditions = conjuncts(body[0].test)
    if not isinstance(inner[0].op, ast.Add) or own & names_in(inner[0].target) or len(conditions) > 2:
        return None
    for outer, span in homes(form, loop):
        sides = [s for c in conditions if (s := _side(c, own, outer)) is not None]
        if len(sides) != len(conditions) or len({ast.dump(key) for key, _, _ in sides}) != 1:
            continue
        limits = tuple((how, limit) for _, how, limit in sides)
        opposed = len(limits) == 1 or {how[0] for how, _ in limits} == {"<", ">"}
        later = span.start is not None
        follows = span.stop is None or (ascends(span.stop, outer) and not later)
        if opposed and follows and (span.grows or not is_changed(sides[0][0], outer.body, own)):
            return OrderedCount(form, loop, outer, span, sides[0][0], limits, inner[0].target)
    return None


def _side(condition: ast.expr, own: set[str], outer: Loop) -> tuple[ast.expr, str, ast.expr] | None:
    """The key, the comparison and the limit of a condition."""
    if not isinstance(condition, ast.Compare) or not isinstance(condition.ops[0], (ast.Lt, ast.LtE)):
        return None
    equal = "=" if isinstance(condition.ops[0], ast.LtE) else ""
    low, high = condition.left, condition.comparators[0]
    bound = bound_in(outer) - own
    for key, limit, how in ((low, high, "<"), (high, low, ">")):
        if names_in(key) & own and not names_in(limit) & own and not names_in(key) & bound:
            return clone(key), how + equal, clone(limit)
    return None


_COUNTS = {
    "<": "bisect.bisect_left({0}, {1})",
    "<=": "bisect.bisect_right({0}, {1})",
    ">": "len({0}) - bisect.bisect_right({0}, {1})",
    ">=": "len({0}) - bisect.bisect_left({0}, {1})",
}


def _count(site: OrderedCount, keys: str) -> str:
    """How many keys there are, as an expression."""
    limits = sorted(zip((how for how, _ in site.limits), ("LIMIT", "OTHER"), strict=False))
    if len(limits) == 1:
        return _COUNTS[limits[0][0]].format(keys, limits[0][1])
    (below, high), (above, low) = limits
    beyond = "bisect.bisect_right" if above == ">" else "bisect.bisect_left"
    return f"max(0, {_COUNTS[below].format(keys, high)} - {beyond}({keys}, {low}))"


def _texts(site: OrderedCount) -> tuple[str, str]:
    """What is written before the outer loop, and in the place of the inner one."""
    span = site.span
    fill = "for ITEM in {0}:\n    bisect.insort(KEYS, KEY)\nFILLED = max(FILLED, {1})\n"
    if not span.grows and span.start is None:
        return "KEYS = sorted(KEY for ITEM in SOURCE)", f"COUNTER += {_count(site, 'KEYS')}"
    if span.start is not None:
        before = "EVERY = sorted(KEY for ITEM in SOURCE)\nKEYS = []\nFILLED = BASE"
        less = f"COUNTER += {_count(site, 'EVERY')} - ({_count(site, 'KEYS')})"
        return before, fill.format("range(FILLED, START)", "START") + less
    if span.source is not None:
        return "KEYS = []\nFILLED = 0", fill.format("SOURCE[FILLED:]", "len(SOURCE)") + _added(site)
    return "KEYS = []\nFILLED = BASE", fill.format("range(FILLED, STOP)", "STOP") + _added(site)


def _added(site: OrderedCount) -> str:
    return f"COUNTER += {_count(site, 'KEYS')}"


def _bindings(site: OrderedCount) -> dict[str, Value]:
    fresh = site.form.names.fresh
    return {
        "KEYS": name(fresh("ordered")),
        "EVERY": name(fresh("every")),
        "FILLED": name(fresh("filled")),
        "ITEM": site.loop.target,
        "KEY": site.key,
        "LIMIT": site.limits[0][1],
        "OTHER": site.limits[-1][1],
        "SOURCE": site.span.items,
        "BASE": site.span.base,
        "START": site.span.start or site.span.base,
        "STOP": site.span.end,
        "COUNTER": with_context(clone(site.counter), ast.Load()),
    }


def _is_of_interval(found: Found) -> bool:
    """Whether both ends are something of the item."""
    ends = [found.bindings["BEGIN"], found.bindings["END"]]
    return all(isinstance(e, Abstraction) and set(e.parameters) <= names_in(e.body) for e in ends)


class CountIntervals(Cookbook):
    """Counts the intervals that hold a point by bisection of their beginnings and of their ends.

    Before::

        for point in points:
            count = 0
            for begin, end in intervals:
                if begin <= point < end:
                    count += 1

    After::

        begins = sorted(begin for begin, end in intervals)
        ends = sorted(end for begin, end in intervals)
        for point in points:
            count = 0
            count += bisect.bisect_right(begins, point) - bisect.bisect_right(ends, point)

    No interval is taken to end before it begins, nor where it begins if neither end counts.
    """

    NAME = "count-intervals"
    RECIPES = tuple(
        Recipe(
            f"""
for {target} in XS:
    if {low.format(begin)} and {high.format(end)}:
        COUNT += 1
""",
            f"COUNT += bisect.bisect_{after}(fresh_begins, POINT) - bisect.bisect_{before}(fresh_ends, POINT)",
            imports=("import bisect",),
            hoisted=f"""
fresh_begins = sorted({begin} for {target} in XS)
fresh_ends = sorted({end} for {target} in XS)
""",
            where=_is_of_interval if target == "X" else always,
        )
        for target, begin, end in (("A, B", "A", "B"), ("X", "BEGIN(X)", "END(X)"))
        for low, after in (("{0} <= POINT", "right"), ("{0} < POINT", "left"))
        for high, before in (("POINT < {0}", "right"), ("POINT <= {0}", "left"))
    )


class SortedSearch(Cookbook):
    """Finds a place in an ordered list by bisection.

    Before::

        for i in range(len(items)):
            if items[i] >= value:
                return i
        return len(items)

    After::

        return bisect.bisect_left(items, value)

    So too for the position found by ``while i < len(items) and items[i] < value``, for the interval that
    holds a value, and for binary search by hand. That the list is in order is not known; the evaluation
    tells.
    """

    NAME = "sorted-search"
    RECIPES = (
        Recipe(
            """
for I in range(len(XS)):
    if V <= XS[I]:
        return I
return len(XS)
""",
            "return bisect.bisect_left(XS, V)",
            imports=("import bisect",),
        ),
        Recipe(
            """
for I in range(len(XS)):
    if V < XS[I]:
        return I
return len(XS)
""",
            "return bisect.bisect_right(XS, V)",
            imports=("import bisect",),
        ),
        Recipe(
            """
while I < len(XS) and XS[I] < V:
    I += 1
""",
            "I = bisect.bisect_left(XS, V, I)",
            imports=("import bisect",),
        ),
        Recipe(
            """
while I < len(XS) and XS[I] <= V:
    I += 1
""",
            "I = bisect.bisect_right(XS, V, I)",
            imports=("import bisect",),
        ),
        Recipe(
            """
for I in range(len(XS) - 1):
    if XS[I] <= V and V < XS[I + 1]:
        BODY
""",
            """
I = bisect.bisect_right(XS, V) - 1
if 0 <= I < len(XS) - 1:
    for I in (I,):
        BODY
""",
            imports=("import bisect",),
        ),
        Recipe(
            """
while LOW < HIGH:
    MID = (LOW + HIGH) // 2
    if XS[MID] < V:
        LOW = MID + 1
    else:
        HIGH = MID
""",
            "LOW = HIGH = bisect.bisect_left(XS, V, LOW, HIGH)",
            imports=("import bisect",),
        ),
        Recipe(
            """
while LOW <= HIGH:
    MID = (LOW + HIGH) // 2
    if XS[MID] == V:
        return RESULT((LOW + HIGH) // 2)
    if XS[MID] < V:
        LOW = MID + 1
    else:
        HIGH = MID - 1
""",
            """
fresh_place = bisect.bisect_left(XS, V, LOW, HIGH + 1)
if fresh_place <= HIGH and XS[fresh_place] == V:
    return RESULT(fresh_place)
LOW, HIGH = fresh_place, fresh_place - 1
""",
            imports=("import bisect",),
        ),
    )


class KeepSorted(Cookbook):
    """Inserts into a list in order, rather than appending and sorting again.

    Before::

        seen.append(value)
        seen.sort()

    After::

        bisect.insort(seen, value)
    """

    NAME = "keep-sorted"
    RECIPES = (
        Recipe(
            """
XS.append(V)
XS.sort()
""",
            "bisect.insort(XS, V)",
            imports=("import bisect",),
        ),
        Recipe(
            """
XS.append(V)
XS = sorted(XS)
""",
            "bisect.insort(XS, V)",
            imports=("import bisect",),
        ),
        Recipe("XS = sorted(XS + [V])", "bisect.insort(XS, V)", imports=("import bisect",)),
    )


OPERATORS: tuple[Operator, ...] = (
    CountByBisection(),
    CountIntervals(),
    SortedSearch(),
    KeepSorted(),
)
