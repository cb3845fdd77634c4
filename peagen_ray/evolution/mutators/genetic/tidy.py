"""Shortens what templates make clumsy: ``list(xs)`` for ``[x for x in xs]``, and the like."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import TypeVar, cast

from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.nodes import is_call, names_in, negated, shorter_range

_N = TypeVar("_N", bound=ast.AST)
Lengths = Mapping[str, ast.Call]
Comprehension = ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp


def tidied(node: _N, lengths: Lengths) -> _N:
    """``node`` with its new parts made short; what comes from the source stays as it is.

    Args:
        node: edited in place.
        lengths: names that are known to be the length of something.
    """
    return cast("_N", _Tidier(lengths).visit(node))


class _Tidier(ast.NodeTransformer):
    def __init__(self, lengths: Lengths) -> None:
        self._lengths = lengths

    def visit(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        return node if hasattr(node, "lineno") else _shortened(node, self._lengths)


def _shortened(node: ast.AST, lengths: Lengths) -> ast.AST:
    if isinstance(node, Comprehension):
        inline_single_uses(node)
        iterate_directly(node, lengths)
    if isinstance(node, (ast.ListComp, ast.SetComp)) and (source := _plain_source(node)) is not None:
        name = "list" if isinstance(node, ast.ListComp) else "set"
        return ast.Call(func=ast.Name(id=name, ctx=ast.Load()), args=[source], keywords=[])
    if isinstance(node, ast.Call) and len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp):
        source = _plain_source(node.args[0])
        return node if source is None else ast.Call(func=node.func, args=[source], keywords=node.keywords)
    if isinstance(node, ast.Lambda):
        return _as_function(node)
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Add, ast.Sub)):
        return _added_up(node)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        return negated(node.operand)
    if isinstance(node, ast.Call):
        return next(shorter_range(node), node)
    return node


def _as_function(node: ast.Lambda) -> ast.expr:
    """``f`` for ``lambda x: f(x)`` and ``xs.__getitem__`` for ``lambda i: xs[i]``; else the lambda."""
    body = node.body
    if len(node.args.args) != 1:
        return node
    name = node.args.args[0].arg
    if isinstance(body, ast.Subscript) and _reads(body.slice, name) and name not in names_in(body.value):
        return ast.Attribute(value=body.value, attr="__getitem__", ctx=ast.Load())
    if (
        isinstance(body, ast.Call)
        and not body.keywords
        and len(body.args) == 1
        and _reads(body.args[0], name)
    ):
        return node if name in names_in(body.func) else body.func
    return node


def _added_up(node: ast.BinOp) -> ast.expr:
    """``i`` for ``i + 1 - 1`` and for ``i - 1 + 1``."""
    inner = node.left
    opposite = isinstance(inner, ast.BinOp) and {type(inner.op), type(node.op)} == {ast.Add, ast.Sub}
    if isinstance(inner, ast.BinOp) and opposite and isinstance(node.right, ast.Constant):
        return inner.left if same_code(inner.right, node.right) else node
    return node


def _plain_source(node: ast.ListComp | ast.SetComp | ast.GeneratorExp) -> ast.expr | None:
    """``xs`` of ``x for x in xs``."""
    if len(node.generators) != 1:
        return None
    (clause,) = node.generators
    return clause.iter if not clause.ifs and same_code(clause.target, node.elt) else None


def inline_single_uses(node: Comprehension) -> None:
    """Put ``e`` in the place of ``t`` where a clause says ``for t in [e]`` and ``t`` is used once."""
    for clause in list(node.generators):
        if not isinstance(clause.iter, ast.List) or len(clause.iter.elts) != 1 or clause.ifs:
            continue
        name, value = clause.target, clause.iter.elts[0]
        if not isinstance(name, ast.Name) or clause is node.generators[0]:
            continue
        if sum(isinstance(n, ast.Name) and n.id == name.id for n in ast.walk(node)) == 2:
            node.generators.remove(clause)
            substitute(node, name.id, value)


def substitute(node: ast.AST, name: str, value: ast.expr) -> None:
    """Put ``value`` in the place of every reading of a name within ``node``."""
    for up in list(ast.walk(node)):
        for field, child in ast.iter_fields(up):
            if _reads(child, name):
                setattr(up, field, value)
            elif isinstance(child, list):
                child[:] = [value if _reads(item, name) else item for item in child]


def _reads(node: object, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load)


def iterate_directly(node: Comprehension, lengths: Lengths) -> bool:
    """Iterate over ``xs`` itself where an index over its range is only used as ``xs[i]``; says if so.

    ``range(len(xs))`` becomes ``xs`` and ``range(a, b)`` becomes ``xs[a:b]``.
    """
    done = [_iterate_clause(node, clause, lengths) for clause in node.generators]
    return any(done)


def _iterate_clause(node: Comprehension, clause: ast.comprehension, lengths: Lengths) -> bool:
    if not isinstance(clause.target, ast.Name) or not isinstance(clause.iter, ast.Call):
        return False
    index = clause.target.id
    uses = indexed_only(node, index, ignore=clause.target)
    if uses is None:
        return False
    source = ranged(clause.iter, uses[0].value, lengths)
    if source is None or index in names_in(uses[0].value):
        return False
    item = item_name(uses[0].value, names_in(node))
    for use in uses:
        replace_node(node, use, ast.Name(id=item, ctx=ast.Load()))
    clause.target, clause.iter = ast.Name(id=item, ctx=ast.Store()), source
    return True


def ranged(call: ast.Call, sequence: ast.expr, lengths: Lengths) -> ast.expr | None:
    """What of ``sequence`` a range of its indices covers: all of it or a slice; None for other ranges."""
    args = next(shorter_range(call), call).args
    if not is_call(call, "range") or not 1 <= len(args) <= 2:
        return None
    last = args[-1]
    known = lengths.get(last.id, last) if isinstance(last, ast.Name) else last
    upper = (
        None if is_call(known, "len", 1) and same_code(cast("ast.Call", known).args[0], sequence) else last
    )
    if len(args) == 1 and upper is None:
        return sequence
    return _sliced(sequence, args[0] if len(args) == 2 else None, upper)


def _sliced(sequence: ast.expr, lower: ast.expr | None, upper: ast.expr | None) -> ast.expr:
    return ast.Subscript(value=sequence, slice=ast.Slice(lower=lower, upper=upper), ctx=ast.Load())


def indexed_only(node: ast.AST, index: str, ignore: ast.AST | None = None) -> list[ast.Subscript] | None:
    """The readings ``xs[i]`` within ``node`` when ``i`` has no other use and ``xs`` is one; else None."""
    uses = [
        n
        for n in ast.walk(node)
        if isinstance(n, ast.Subscript) and isinstance(n.slice, ast.Name) and n.slice.id == index
    ]
    names = [n for n in ast.walk(node) if isinstance(n, ast.Name) and n.id == index and n is not ignore]
    fitting = uses and len(names) == len(uses) and all(isinstance(u.ctx, ast.Load) for u in uses)
    return uses if fitting and all(same_code(u.value, uses[0].value) for u in uses) else None


def item_name(sequence: ast.expr, taken: set[str]) -> str:
    """A name for an item of ``sequence``: ``item`` for ``items``, else ``value``."""
    name = sequence.id if isinstance(sequence, ast.Name) else ""
    stem = name[:-1] if len(name) > 1 and name.endswith("s") and not name.endswith("ss") else "value"
    names = [stem, "value", "item", *(f"{stem}_{i}" for i in range(2, len(taken) + 3))]
    return next(n for n in names if n not in taken)


def replace_node(within: ast.AST, old: ast.expr, new: ast.expr) -> None:
    """Put ``new`` in the place of the very node ``old``."""
    for up in ast.walk(within):
        for field, child in ast.iter_fields(up):
            if child is old:
                setattr(up, field, new)
            elif isinstance(child, list):
                child[:] = [new if item is old else item for item in child]
