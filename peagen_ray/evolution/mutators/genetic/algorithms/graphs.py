"""Graphs: the first item that is ready, classes that are merged, all-pairs paths."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.algorithms.spans import Loop, is_fixed
from peagen_ray.evolution.mutators.genetic.base import Draft, Operator, stored
from peagen_ray.evolution.mutators.genetic.canonical.expressions import conjunction, conjuncts
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.normal import Forms
from peagen_ray.evolution.mutators.genetic.canonical.recipes import Cookbook, Recipe, build
from peagen_ray.evolution.mutators.genetic.canonical.trees import clone, ends, name, substituted, walk_block
from peagen_ray.evolution.mutators.genetic.nodes import equal, is_call, names_in, place
from peagen_ray.evolution.mutators.genetic.rewrite import Edit


@dataclass(frozen=True)
class Ready:
    """A search for the first item whose entry in a table has a wanted value, run again and again.

    Attributes:
        form: the function in normal form.
        loop: the loop that searches.
        around: the loop that runs it.
        entry: the entry, ``table[item]``.
        wanted: the value, a constant.
        filters: other conditions of the item.
        hit: what is done with the item, which leaves the loop.
        changes: the statements that change entries, with the items.
    """

    form: Form
    loop: ast.For
    around: Loop
    entry: ast.Subscript
    wanted: ast.expr
    filters: tuple[ast.expr, ...]
    hit: tuple[ast.stmt, ...]
    changes: tuple[tuple[ast.stmt, ast.expr], ...]

    @property
    def item(self) -> ast.Name:
        """The variable of the search."""
        assert isinstance(self.loop.target, ast.Name)
        return self.loop.target


class FirstReady(Edit[Ready]):
    """Keeps the items that are ready in a heap, by their place, rather than looking through all of them.

    Before::

        while len(order) < len(tasks):
            for task in tasks:
                if waiting[task] == 0 and task not in order:
                    order.append(task)
                    for other in needed_by[task]:
                        waiting[other] -= 1
                    break

    After::

        places = {task: rank for rank, task in enumerate(tasks)}
        ready = [(rank, task) for task, rank in places.items() if waiting[task] == 0]
        while len(order) < len(tasks):
            while ready:
                task = ready[0][1]
                if waiting[task] == 0 and task not in order:
                    order.append(task)
                    for other in needed_by[task]:
                        waiting[other] -= 1
                        if waiting[other] == 0:
                            heapq.heappush(ready, (places[other], other))
                    break
                heapq.heappop(ready)
    """

    NAME = "first-ready"
    WEIGHT = 2.0

    def sites(self, draft: Draft) -> list[Ready]:
        """Each such search."""
        found = []
        for form in Forms.of(draft).editable():
            for statement in walk_block(form.body):
                made = _ready(form, statement) if isinstance(statement, ast.For) else None
                if made is not None:
                    found.append(made)
        return found

    def edit(self, draft: Draft, site: Ready) -> bool:
        """Make the heap, ask it, and push to it what becomes ready."""
        form = site.form
        heap, places = form.names.fresh("ready"), form.names.fresh("places")
        rank = form.names.fresh("rank")
        bindings = {
            "HEAP": name(heap),
            "PLACES": name(places),
            "RANK": name(rank),
            "ITEM": site.item,
            "SOURCE": site.loop.iter,
            "READY": _is_wanted(site, site.item),
        }
        query = build("while HEAP:\n    ITEM = HEAP[0][1]\n    TEST\n    heapq.heappop(HEAP)", bindings, form)
        loop = query[0]
        assert isinstance(loop, ast.While)
        test = conjunction([_is_wanted(site, site.item), *map(clone, site.filters)])
        loop.body[1] = ast.If(test=test, body=list(site.hit), orelse=[])
        for statement, item in site.changes:
            push = "if READY:\n    heapq.heappush(HEAP, (PLACES[OTHER], OTHER))"
            known = {**bindings, "READY": _is_wanted(site, item), "OTHER": item}
            form.put_after(statement, build(push, known, form))
        form.inherit(query, [site.loop])
        form.put([site.loop], query)
        form.put_before(site.around, build(_MAKE_READY, bindings, form))
        form.commit()
        draft.touched()
        draft.ensure_import("import heapq")
        return True


_MAKE_READY = """
PLACES = {ITEM: RANK for RANK, ITEM in enumerate(SOURCE)}
HEAP = [(RANK, ITEM) for ITEM, RANK in PLACES.items() if READY]
"""


def _is_wanted(site: Ready, item: ast.expr) -> ast.expr:
    entry = substituted(site.entry, {site.item.id: item})
    return ast.Compare(left=entry, ops=[ast.Eq()], comparators=[clone(site.wanted)])


def _ready(form: Form, loop: ast.For) -> Ready | None:
    body = form.solid(loop.body)
    around = next(iter(form.loops_around(loop)), None)
    if around is None or len(body) != 1 or not isinstance(body[0], ast.If) or body[0].orelse or loop.orelse:
        return None
    hit = form.solid(body[0].body)
    if not isinstance(loop.target, ast.Name) or not ends(hit) or isinstance(hit[-1], ast.Continue):
        return None
    conditions = conjuncts(body[0].test)
    known = place(loop.iter) != "" or is_call(loop.iter, "range")
    bound = {n for s in around.body for n in stored(s)} - {loop.target.id}
    for condition in conditions:
        entry = _entry(condition, loop.target.id)
        if entry is None or not known or names_in(condition) & bound:
            continue
        changes = tuple(_changes(around, entry[0].value))
        others = tuple(c for c in conditions if c is not condition)
        if changes and is_fixed(loop.iter, around):
            return Ready(form, loop, around, *entry, others, tuple(body[0].body), changes)
    return None


def _entry(condition: ast.expr, item: str) -> tuple[ast.Subscript, ast.expr] | None:
    """``table[item]`` and the constant that it must equal."""
    if isinstance(condition, ast.Compare) and isinstance(condition.ops[0], ast.Eq):
        entry, wanted = condition.left, condition.comparators[0]
        if (
            isinstance(entry, ast.Subscript)
            and equal(entry.slice, name(item))
            and isinstance(wanted, ast.Constant)
        ):
            return (entry, wanted) if item not in names_in(entry.value) else None
    return None


def _changes(around: Loop, table: ast.expr) -> Iterator[tuple[ast.stmt, ast.expr]]:
    """The statements that change entries of a table, with the items whose they are."""
    for statement in walk_block(around.body):
        target = statement.target if isinstance(statement, ast.AugAssign) else None
        if isinstance(statement, ast.Assign):
            target = statement.targets[0]  # type: ignore[assignment]
        if isinstance(target, ast.Subscript) and equal(target.value, table):
            yield statement, clone(target.slice)


@dataclass(frozen=True)
class Merge:
    """A loop that gives all items of one class another class, run again and again."""

    form: Form
    loop: ast.For
    around: Loop
    entry: ast.Subscript
    old: ast.expr
    new: ast.expr


class MergeClasses(Edit[Merge]):
    """Keeps the members of each class, rather than looking for them when two classes are merged.

    Before::

        for a, b in edges:
            old, new = group[a], group[b]
            if old != new:
                for node in nodes:
                    if group[node] == old:
                        group[node] = new

    After::

        members = {}
        for node in nodes:
            members.setdefault(group[node], []).append(node)
        for a, b in edges:
            old, new = group[a], group[b]
            if old != new:
                moved = members.pop(old, [])
                members.setdefault(new, []).extend(moved)
                for node in moved:
                    group[node] = new
    """

    NAME = "merge-classes"

    def sites(self, draft: Draft) -> list[Merge]:
        """Each such loop."""
        found = []
        for form in Forms.of(draft).editable():
            for statement in walk_block(form.body):
                made = _merge(form, statement) if isinstance(statement, ast.For) else None
                if made is not None:
                    found.append(made)
        return found

    def edit(self, draft: Draft, site: Merge) -> bool:
        """Keep lists of members."""
        form = site.form
        bindings = {
            "MEMBERS": name(form.names.fresh("members")),
            "MOVED": name(form.names.fresh("moved")),
            "TARGET": name(form.names.fresh("target")),
            "ITEM": site.loop.target,
            "SOURCE": site.loop.iter,
            "ENTRY": site.entry,
            "OLD": site.old,
            "NEW": site.new,
        }
        form.put([site.loop], build(_MOVE, bindings, form))
        form.put_before(site.around, build(_MEMBERS, bindings, form))
        form.commit()
        draft.touched()
        return True


_MEMBERS = "MEMBERS = {}\nfor ITEM in SOURCE:\n    MEMBERS.setdefault(ENTRY, []).append(ITEM)"
_MOVE = """
TARGET = NEW
MOVED = MEMBERS.pop(OLD, [])
MEMBERS.setdefault(TARGET, []).extend(MOVED)
for ITEM in MOVED:
    ENTRY = TARGET
"""


def _merge(form: Form, loop: ast.For) -> Merge | None:
    body = form.solid(loop.body)
    around = next(iter(form.loops_around(loop)), None)
    if around is None or len(body) != 1 or not isinstance(body[0], ast.If) or body[0].orelse:
        return None
    inner, test = form.solid(body[0].body), body[0].test
    if len(inner) != 1 or not isinstance(inner[0], ast.Assign) or not isinstance(loop.target, ast.Name):
        return None
    entry, new = inner[0].targets[0], inner[0].value
    if not isinstance(entry, ast.Subscript) or not equal(entry.slice, loop.target):
        return None
    if (
        not isinstance(test, ast.Compare)
        or not isinstance(test.ops[0], ast.Eq)
        or not equal(test.left, entry)
    ):
        return None
    old = test.comparators[0]
    if loop.target.id in names_in(old) | names_in(new) or not is_fixed(loop.iter, around):
        return None
    read = clone(entry)
    read.ctx = ast.Load()
    return Merge(form, loop, around, read, clone(old), clone(new))


_FASTER = """
for K in range(N):
    fresh_through = D[K]
    for I in range(N):
        fresh_row = D[I]
        fresh_first = fresh_row[K]
        if fresh_first != float("inf"):
            for J, fresh_second in enumerate(fresh_through):
                if fresh_first + fresh_second < fresh_row[J]:
                    fresh_row[J] = fresh_first + fresh_second
"""


class RowsOfPaths(Cookbook):
    """Looks up the rows of a matrix of distances once for each row (Floyd, Warshall).

    Before::

        for k in range(n):
            for i in range(n):
                for j in range(n):
                    if d[i][k] + d[k][j] < d[i][j]:
                        d[i][j] = d[i][k] + d[k][j]

    After::

        for k in range(n):
            through = d[k]
            for i in range(n):
                row = d[i]
                first = row[k]
                if first != float("inf"):
                    for j, second in enumerate(through):
                        if first + second < row[j]:
                            row[j] = first + second
    """

    NAME = "rows-of-paths"
    RECIPES = (
        Recipe(
            """
for K in range(N):
    for I in range(N):
        for J in range(N):
            if D[I][K] + D[K][J] < D[I][J]:
                D[I][J] = D[I][K] + D[K][J]
""",
            _FASTER,
        ),
        Recipe(
            """
for K in range(N):
    for I in range(N):
        for J in range(N):
            D[I][J] = min(D[I][J], D[I][K] + D[K][J])
""",
            _FASTER,
        ),
        Recipe(
            """
for K in range(N):
    for I in range(N):
        for J in range(N):
            if R[I][K] and R[K][J]:
                R[I][J] = YES
""",
            """
for K in range(N):
    fresh_through = [J for J in range(N) if R[K][J]]
    for I in range(N):
        fresh_row = R[I]
        if fresh_row[K]:
            for J in fresh_through:
                fresh_row[J] = YES
""",
        ),
        Recipe(
            """
for K in NODES:
    for I in NODES:
        for J in NODES:
            if D[I][K] + D[K][J] < D[I][J]:
                D[I][J] = D[I][K] + D[K][J]
""",
            """
for K in NODES:
    fresh_through = D[K]
    for I in NODES:
        fresh_row = D[I]
        fresh_first = fresh_row[K]
        if fresh_first != float("inf"):
            for J in NODES:
                if fresh_first + fresh_through[J] < fresh_row[J]:
                    fresh_row[J] = fresh_first + fresh_through[J]
""",
        ),
    )


OPERATORS: tuple[Operator, ...] = (FirstReady(), MergeClasses(), RowsOfPaths())
