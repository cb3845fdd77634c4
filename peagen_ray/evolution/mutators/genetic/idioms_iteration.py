"""Loops that go through the items themselves, not through their indices or keys."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.base import Draft, Operator, stored
from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.hoisting import Comprehension
from peagen_ray.evolution.mutators.genetic.match import matches
from peagen_ray.evolution.mutators.genetic.nodes import (
    is_call,
    is_constant,
    is_invariant,
    lengths,
    names_in,
    own_nodes,
)
from peagen_ray.evolution.mutators.genetic.rewrite import Edit
from peagen_ray.evolution.mutators.genetic.tidy import item_name, iterate_directly, ranged, replace_node


@dataclass(frozen=True)
class IndexedLoop:
    """A loop over indices.

    Attributes:
        loop: the statement.
        index: its variable.
        sequences: what is read at the index, each once.
        uses: the readings of each.
        is_counted: the index is used for something else, too.
        source: for one sequence, what of it the indices cover.
    """

    loop: ast.For
    index: str
    sequences: tuple[ast.expr, ...]
    uses: tuple[tuple[ast.Subscript, ...], ...]
    is_counted: bool
    sources: tuple[ast.expr, ...]


def index_loops(draft: Draft) -> list[IndexedLoop]:
    """Loops over ``range`` that read sequences at their variable and leave the sequences alone."""
    found: list[IndexedLoop] = []
    for function in draft.functions():
        known = lengths(function)
        for node in own_nodes(function):
            if (
                isinstance(node, ast.For)
                and isinstance(node.target, ast.Name)
                and is_call(node.iter, "range")
            ):
                found += _index_loop(node, node.target.id, known)
    return found


def _index_loop(loop: ast.For, index: str, known: dict[str, ast.Call]) -> Iterator[IndexedLoop]:
    body = ast.Module(body=loop.body, type_ignores=[])
    if index in stored(body):
        return
    groups: list[list[ast.Subscript]] = []
    for node in ast.walk(body):
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name) and node.slice.id == index:
            group = next((g for g in groups if same_code(g[0].value, node.value)), None)
            groups.append([node]) if group is None else group.append(node)
    fixed = [g for g in groups if _is_only_read(g, body, index)]
    assert isinstance(loop.iter, ast.Call)
    sources = [ranged(loop.iter, group[0].value, known) for group in fixed]
    if not fixed or any(source is None for source in sources):
        return
    mentions = sum(isinstance(n, ast.Name) and n.id == index for n in ast.walk(body))
    yield IndexedLoop(
        loop,
        index,
        tuple(group[0].value for group in fixed),
        tuple(tuple(group) for group in fixed),
        mentions != sum(map(len, fixed)),
        tuple(source for source in sources if source is not None),
    )


def _is_only_read(uses: Sequence[ast.Subscript], body: ast.Module, index: str) -> bool:
    sequence = uses[0].value
    if index in names_in(sequence) or not all(isinstance(use.ctx, ast.Load) for use in uses):
        return False
    return is_invariant(sequence, body)


class DirectIteration(Edit[IndexedLoop]):
    """A loop over the indices of a sequence goes through the items, numbered where the index is wanted."""

    NAME = "direct-iteration"

    def sites(self, draft: Draft) -> list[IndexedLoop]:
        """The loops."""
        return index_loops(draft)

    def edit(self, draft: Draft, site: IndexedLoop) -> bool:
        """Bind the items, by ``zip`` for several sequences and ``enumerate`` for the index."""
        taken = names_in(draft.enclosing(site.loop) or draft.tree)
        targets: list[ast.expr] = []
        for sequence, uses in zip(site.sequences, site.uses, strict=True):
            name = item_name(sequence, taken)
            taken.add(name)
            targets.append(ast.Name(id=name, ctx=ast.Store()))
            for use in uses:
                replace_node(site.loop, use, ast.Name(id=name, ctx=ast.Load()))
        source = site.sources[0] if len(site.sources) == 1 else _zipped(site)
        target = targets[0] if len(targets) == 1 else ast.Tuple(elts=targets, ctx=ast.Store())
        if site.is_counted:
            index = ast.Name(id=site.index, ctx=ast.Store())
            assert isinstance(site.loop.iter, ast.Call)
            start = site.loop.iter.args[0] if len(site.loop.iter.args) > 1 else ast.Constant(value=0)
            source = _call("enumerate", source, *([] if is_constant(start, 0) else [start]))
            target = ast.Tuple(elts=[index, target], ctx=ast.Store())
        site.loop.target, site.loop.iter = target, source
        draft.touched()
        return True


def _call(name: str, *args: ast.expr) -> ast.Call:
    return ast.Call(func=ast.Name(id=name, ctx=ast.Load()), args=list(args), keywords=[])


def _zipped(site: IndexedLoop) -> ast.Call:
    """``zip`` of what the indices cover; it ends with the shortest, so that one whole sequence is enough."""
    whole = any(same_code(*pair) for pair in zip(site.sequences, site.sources, strict=True))
    pairs = zip(site.sequences, site.sources, strict=True)
    return _call("zip", *(sequence if whole and _is_start(source) else source for sequence, source in pairs))


def _is_start(node: ast.expr) -> bool:
    """Whether it is ``xs[:n]``."""
    return isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice) and node.slice.lower is None


class DirectComprehension(Edit[ast.expr]):
    """A comprehension over the indices of a sequence goes through the items."""

    NAME = "direct-comprehension"

    def sites(self, draft: Draft) -> list[ast.expr]:
        """The comprehensions that can be changed so."""
        return [
            node
            for function in draft.functions()
            for node in own_nodes(function)
            if isinstance(node, Comprehension) and iterate_directly(copy.deepcopy(node), lengths(function))
        ]

    def edit(self, draft: Draft, site: ast.expr) -> bool:
        """Bind the items."""
        assert isinstance(site, Comprehension)
        function = draft.enclosing(site)
        iterate_directly(site, lengths(function) if function is not None else {})
        draft.touched()
        return True


@dataclass(frozen=True)
class NeighbourSite:
    """A loop over indices that reads one sequence at ``i`` and ``i + 1``, or ``i - 1`` and ``i``, only.

    Attributes:
        node: the loop, or the comprehension.
        clause: what binds the index in it.
        uses: the readings; 0 for the earlier item and 1 for the later one.
    """

    node: ast.For | ast.expr
    clause: ast.For | ast.comprehension
    uses: tuple[tuple[ast.Subscript, int], ...]


_NEIGHBOURS = (("range(len(XS) - 1)", 0), ("range(1, len(XS))", -1))
"""Ranges of indices that have a neighbour, and the offset of the earlier item."""


class Neighbours(Edit[NeighbourSite]):
    """A loop over neighbouring items goes through pairs of them."""

    NAME = "neighbours"

    def sites(self, draft: Draft) -> list[NeighbourSite]:
        """Loops and comprehensions over such ranges."""
        return [
            found
            for function in draft.functions()
            for node in own_nodes(function)
            if isinstance(node, (ast.For, Comprehension))
            for clause in ([node] if isinstance(node, ast.For) else node.generators)
            if (found := _neighbour_site(node, clause, lengths(function))) is not None
        ]

    def edit(self, draft: Draft, site: NeighbourSite) -> bool:
        """Bind both items, from ``zip(xs, xs[1:])``."""
        sequence = site.uses[0][0].value
        item = item_name(sequence, names_in(draft.enclosing(site.node) or draft.tree))
        names = (item, f"next_{item}")
        for use, later in site.uses:
            replace_node(site.node, use, ast.Name(id=names[later], ctx=ast.Load()))
        rest = ast.Subscript(
            value=copy.deepcopy(sequence), slice=ast.Slice(lower=ast.Constant(value=1)), ctx=ast.Load()
        )
        site.clause.iter = _call("zip", sequence, rest)
        targets: list[ast.expr] = [ast.Name(id=name, ctx=ast.Store()) for name in names]
        site.clause.target = ast.Tuple(elts=targets, ctx=ast.Store())
        draft.touched()
        return True


def _neighbour_site(
    node: ast.For | ast.expr, clause: ast.For | ast.comprehension, known: dict[str, ast.Call]
) -> NeighbourSite | None:
    if not isinstance(clause.target, ast.Name):
        return None
    for text, first in _NEIGHBOURS:
        found = matches(text, clause.iter, known)
        sequence = found["XS"] if found is not None else None
        if isinstance(sequence, ast.expr):
            uses = _readings(node, clause.target.id, sequence, first)
            mentions = sum(isinstance(n, ast.Name) and n.id == clause.target.id for n in ast.walk(node))
            if uses and mentions == len(uses) + 1:
                return NeighbourSite(node, clause, tuple(uses))
    return None


def _readings(node: ast.AST, index: str, sequence: ast.expr, first: int) -> list[tuple[ast.Subscript, int]]:
    """Where ``sequence`` is read at the index plus ``first``, as 0, and one after that, as 1."""
    found: list[tuple[ast.Subscript, int]] = []
    for each in ast.walk(node):
        if (
            isinstance(each, ast.Subscript)
            and same_code(each.value, sequence)
            and isinstance(each.ctx, ast.Load)
        ):
            offset = _offset(each.slice, index)
            if offset is not None and offset - first in (0, 1):
                found.append((each, offset - first))
    return found


def _offset(node: ast.expr, index: str) -> int | None:
    """``k`` of ``i + k`` and ``i - k``, 0 of ``i``."""
    if isinstance(node, ast.Name):
        return 0 if node.id == index else None
    for text, sign in (("I + K", 1), ("I - K", -1)):
        found = matches(text, node)
        if found is not None and isinstance(found["K"], ast.Constant) and isinstance(found["I"], ast.Name):
            value = found["K"].value
            return sign * value if found["I"].id == index and isinstance(value, int) else None
    return None


@dataclass(frozen=True)
class KeyLoop:
    """A loop over the keys of a dict that looks the values up."""

    loop: ast.For
    mapping: ast.expr
    uses: tuple[ast.Subscript, ...]


class DictItems(Edit[KeyLoop]):
    """A loop over keys that looks up each value goes through the items."""

    NAME = "dict-items"

    def sites(self, draft: Draft) -> list[KeyLoop]:
        """The loops."""
        found: list[KeyLoop] = []
        for function in draft.functions():
            for node in own_nodes(function):
                if isinstance(node, ast.For) and isinstance(node.target, ast.Name):
                    keyed = matches("D.keys()", node.iter)
                    mapping = keyed["D"] if keyed is not None else node.iter
                    if isinstance(mapping, (ast.Name, ast.Attribute)):
                        uses = _look_ups(node, node.target.id, mapping)
                        found += [KeyLoop(node, mapping, uses)] if uses else []
        return found

    def edit(self, draft: Draft, site: KeyLoop) -> bool:
        """Bind the value beside the key."""
        name = draft.fresh("value")
        for use in site.uses:
            replace_node(site.loop, use, ast.Name(id=name, ctx=ast.Load()))
        items = ast.Attribute(value=site.mapping, attr="items", ctx=ast.Load())
        site.loop.iter = ast.Call(func=items, args=[], keywords=[])
        site.loop.target = ast.Tuple(
            elts=[site.loop.target, ast.Name(id=name, ctx=ast.Store())], ctx=ast.Store()
        )
        draft.touched()
        return True


def _look_ups(loop: ast.For, key: str, mapping: ast.expr) -> tuple[ast.Subscript, ...]:
    body = ast.Module(body=loop.body, type_ignores=[])
    if not is_invariant(mapping, body) or key in stored(body):
        return ()
    items = (n for n in ast.walk(body) if isinstance(n, ast.Subscript) and same_code(n.value, mapping))
    return tuple(n for n in items if isinstance(n.slice, ast.Name) and n.slice.id == key)


OPERATORS: tuple[Operator, ...] = (DirectIteration(), DirectComprehension(), Neighbours(), DictItems())
