"""Indices kept beside lists that grow while they are searched for an item with some key."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, Operator, parse_expression, stored
from peagen_ray.evolution.mutators.genetic.filters import look_up, narrowed, tests_of
from peagen_ray.evolution.mutators.genetic.hoisting import loops_around
from peagen_ray.evolution.mutators.genetic.match import Match, matches
from peagen_ray.evolution.mutators.genetic.nodes import PURE_FUNCTIONS, place, places
from peagen_ray.evolution.mutators.genetic.places import ListPlace, list_places
from peagen_ray.evolution.mutators.genetic.rewrite import Edit, insert_after
from peagen_ray.evolution.mutators.genetic.terms import isolated
from peagen_ray.evolution.mutators.genetic.tidy import substitute

_OTHER_CHANGES = (
    "XS.pop()", "XS.pop(I)", "XS.remove(V)", "XS.insert(I, V)", "XS.clear()", "XS.sort()", "XS.reverse()",
    "XS.extend(V)", "XS += V",
)  # fmt: skip
"""Changes after which an index that only grows would be wrong."""


@dataclass(frozen=True)
class KeySearch:
    """A loop that looks for the items of a growing list with some key.

    Attributes:
        source: the list.
        function: the function that the loop is in.
        loop: the loop.
        bound: what the loop binds, in terms of the list's last item.
        inner: the key of an item.
        outer: the key that is looked for.
        rest: the other conditions.
    """

    source: ListPlace
    function: FunctionNode
    loop: ast.For
    bound: str
    inner: ast.expr
    outer: ast.expr
    rest: tuple[ast.expr, ...]


_SEARCHES = (
    ("XS", "XS[-1]"),
    ("range(len(XS))", "len(XS) - 1"),
    ("enumerate(XS)", "(len(XS) - 1, XS[-1])"),
)
"""What a search goes through, and what its variable is for the last item."""


class KeyIndex(Edit[KeySearch]):
    """A growing list that is searched by a key gets a dict from keys to items beside it."""

    NAME = "key-index"
    WEIGHT = 2.0

    def sites(self, draft: Draft) -> list[KeySearch]:
        """The searches, in loops or in methods, of lists that only grow by single items."""
        return [found for each in list_places(draft) for found in _searches(draft, each)]

    def edit(self, draft: Draft, site: KeySearch) -> bool:
        """Make the index with the list, let it grow with the list, and search it."""
        owner, _, leaf = site.source.name.rpartition(".")
        name = draft.fresh(f"{leaf.strip('_')}_by_key")
        index = f"{owner}.{name}" if owner else name
        sequence = parse_expression(site.source.name)
        last = parse_expression(site.bound.replace("XS", site.source.name))
        key = _at_last(site, sequence)
        known = {"INDEX": parse_expression(index), "KEY": key, "LAST": last}
        for _, match in list(site.source.uses("XS.append(V)")):
            statement = draft.statement(match.anchor)
            assert statement is not None
            template = "INDEX.setdefault(KEY, []).append(LAST)"
            insert_after(draft, statement, template, match.having(**copy.deepcopy(known)))
        for function, start in site.source.starts:
            insert_after(draft, start, "INDEX = {}", Match(copy.deepcopy({**known}), function))
        site.loop.iter = look_up(index, site.outer)
        site.loop.body = narrowed(site.loop, site.rest)
        draft.touched()
        return True


def _at_last(site: KeySearch, sequence: ast.expr) -> ast.expr:
    """The key of the list's last item."""
    target = site.loop.target
    item = ast.Subscript(value=sequence, slice=parse_expression("-1"), ctx=ast.Load())
    holder = ast.Expr(value=copy.deepcopy(site.inner))
    if isinstance(target, ast.Tuple):
        values: list[ast.expr] = [parse_expression("-1"), item]
        if site.bound == "XS[-1]":
            values = [
                ast.Subscript(value=item, slice=ast.Constant(value=i), ctx=ast.Load())
                for i in range(len(target.elts))
            ]
        for part, value in zip(target.elts, values, strict=True):
            if isinstance(part, ast.Name):
                substitute(holder, part.id, value)
    elif isinstance(target, ast.Name):
        substitute(holder, target.id, item if site.bound == "XS[-1]" else parse_expression("-1"))
    return holder.value


def _searches(draft: Draft, source: ListPlace) -> Iterator[KeySearch]:
    empty = all(isinstance(start.value, ast.List) and not start.value.elts for _, start in source.starts)
    if not empty or any(source.uses(*_OTHER_CHANGES)) or not any(source.uses("XS.append(V)")):
        return
    for function, node in source.nodes:
        if not isinstance(node, ast.For) or not ("." in source.name or any(loops_around(draft, node))):
            continue
        for pattern, bound in _SEARCHES:
            found = matches(pattern, node.iter)
            sequence = found["XS"] if found is not None else None
            if isinstance(sequence, (ast.Name, ast.Attribute)) and place(sequence) == source.name:
                yield from _search(source, function, node, bound)


def _search(source: ListPlace, function: FunctionNode, loop: ast.For, bound: str) -> Iterator[KeySearch]:
    tests = tests_of(loop)
    names = stored(loop.target)
    for test in tests:
        keys = isolated(test, names)
        if keys is not None and all(_is_own(each, names, source.name) for each in places(keys[0])):
            rest = tuple(each for each in tests if each is not test)
            yield KeySearch(source, function, loop, bound, keys[0], keys[1], rest)
            return


def _is_own(name: str, bound: set[str], source: str) -> bool:
    """Whether a part of a key comes from the item, or from the list at the item's index."""
    return name == source or name.split(".")[0] in bound or name in PURE_FUNCTIONS


OPERATORS: tuple[Operator, ...] = (KeyIndex(),)
