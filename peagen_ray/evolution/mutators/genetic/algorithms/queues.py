"""A heap in the place of a list that is sorted, or searched for an extreme item, again and again."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from peagen_ray.evolution.mutators.genetic.algorithms.taking import ITEM, Queue, names_taken_from, queue_of
from peagen_ray.evolution.mutators.genetic.base import (
    Draft,
    Operator,
    every,
    parse_expression,
    parse_statements,
)
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.normal import Forms
from peagen_ray.evolution.mutators.genetic.canonical.trees import (
    assign,
    call,
    clone,
    name,
    substituted,
    walk_block,
)
from peagen_ray.evolution.mutators.genetic.rewrite import Edit

Loop = ast.For | ast.While


class HeapQueue(Edit[Queue]):
    """Makes a heap of a list that a loop sorts, or scans, to take out its smallest or largest item.

    Before::

        while len(nodes) > 1:
            nodes.sort(key=lambda node: node[0])
            first = nodes.pop(0)
            second = nodes.pop(0)
            nodes.append((first[0] + second[0], [first, second]))

    After::

        heap = [(node[0], rank, node) for rank, node in enumerate(nodes)]
        heapq.heapify(heap)
        ticks = itertools.count(len(nodes))
        while len(heap) > 1:
            first = heapq.heappop(heap)[-1]
            second = heapq.heappop(heap)[-1]
            entry = (first[0] + second[0], [first, second])
            heapq.heappush(heap, (entry[0], next(ticks), entry))

    Without a key, the list itself becomes the heap. Ticks keep the order of equal keys, as sorting does.
    """

    NAME = "heap-queue"
    WEIGHT = 2.0

    def sites(self, draft: Draft) -> list[Queue]:
        """Each such list and loop."""
        found = []
        for form in Forms.of(draft).editable():
            for statement in walk_block(form.body):
                if isinstance(statement, (ast.For, ast.While)):
                    for queue in sorted(names_taken_from(statement)):
                        made = queue_of(form, statement, queue)
                        if made is not None:
                            found.append(made)
        return found

    def edit(self, draft: Draft, site: Queue) -> bool:
        """Make the heap, push to it and pop from it."""
        form = site.form
        if site.key is None:
            heap, ticks = site.queue, ""
            before: Sequence[ast.stmt]
            before = parse_statements(f"heapq.heapify({heap})")
        else:
            heap, ticks = form.names.fresh("heap"), form.names.fresh("ticks")
            before = _wrapped(site, heap, ticks)
            draft.ensure_import("import itertools")
        for statement, asked in site.asked:
            _replace(form, statement, asked, _asked(asked, heap, site.key is not None))
        for statement, pop in site.pops:
            _replace(form, statement, pop, _pop(heap, site.key is not None))
        for statement, variable in site.taken:
            form.put([statement], [assign(variable, _pop(heap, site.key is not None))])
        for statement, element in site.added:
            form.put([statement], _push(site, heap, ticks, element))
        for statement in site.dropped:
            form.put([statement], [])
        form.put_before(site.around, before)
        form.commit()
        draft.touched()
        draft.ensure_import("import heapq")
        return True


def _replace(form: Form, statement: ast.stmt, old: ast.expr, new: ast.expr) -> None:
    if ast.unparse(old) == ast.unparse(new):
        return
    for field_name, value in ast.iter_fields(statement):
        if isinstance(value, ast.expr):
            setattr(statement, field_name, rebuilt_once(value, old, new))
    form.change(statement)


def rebuilt_once(value: ast.expr, old: ast.expr, new: ast.expr) -> ast.expr:
    """``value`` with one node in the place of another; the others stay the same nodes."""
    if value is old:
        return new
    for up in every(value):
        for field_name, child in ast.iter_fields(up):
            if child is old:
                setattr(up, field_name, new)
            elif isinstance(child, list):
                child[:] = [new if each is old else each for each in child]
    return value


def _pop(heap: str, wrapped: bool) -> ast.expr:
    return parse_expression(f"heapq.heappop({heap})" + ("[-1]" if wrapped else ""))


def _asked(node: ast.expr, heap: str, wrapped: bool) -> ast.expr:
    if isinstance(node, ast.Call):
        return call("len", name(heap))
    if isinstance(node, ast.Subscript):
        return parse_expression(f"{heap}[0][-1]" if wrapped else f"{heap}[0]")
    return name(heap)


def _push(site: Queue, heap: str, ticks: str, element: ast.expr) -> list[ast.stmt]:
    """The statements that push an item."""
    if site.key is None:
        text, entry = f"heapq.heappush({heap}, ELEMENT)", element
        return [substituted(s, {"ELEMENT": entry}) for s in parse_statements(text)]
    before: list[ast.stmt] = []
    entry = clone(element)
    if not isinstance(element, ast.Name):
        entry = name(site.form.names.fresh("entry"))
        before = [assign(entry.id, clone(element))]
    key = substituted(site.key, {ITEM: entry})
    push = parse_statements(f"heapq.heappush({heap}, (KEY, next({ticks}), ENTRY))")
    return [*before, *(substituted(s, {"KEY": key, "ENTRY": entry}) for s in push)]


def _wrapped(site: Queue, heap: str, ticks: str) -> Sequence[ast.stmt]:
    """The statements that make a heap of entries that begin with the key."""
    rank, each = site.form.names.fresh("rank"), site.form.names.fresh("item")
    assert site.key is not None
    text = f"""
{heap} = [(KEY, {rank}, {each}) for {rank}, {each} in enumerate({site.queue})]
heapq.heapify({heap})
{ticks} = itertools.count(len({site.queue}))
"""
    return [
        substituted(s, {"KEY": substituted(site.key, {ITEM: name(each)})}) for s in parse_statements(text)
    ]


OPERATORS: tuple[Operator, ...] = (HeapQueue(),)
