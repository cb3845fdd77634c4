"""What general edits share: their base class, and what in a draft they may touch."""

from __future__ import annotations

import ast
import random
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar, Generic, TypeVar, cast

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, Operator, blocks_of
from peagen_ray.evolution.mutators.genetic.nodes import own_blocks, own_nodes

_S = TypeVar("_S")
_N = TypeVar("_N", bound=ast.AST)

LOOPS = (ast.For, ast.AsyncFor, ast.While)
DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_FIXED = (*DEFINITIONS, ast.Global, ast.Nonlocal, ast.Import, ast.ImportFrom)
_UNREAD_FIELDS = frozenset({"annotation", "returns", "pattern", "type_params", "targets", "target"})
_UNREAD = (ast.Slice, ast.Starred, ast.expr_context)


class GeneralEdit(Operator, Generic[_S]):
    """An operator whose sites are of one type, and that may choose at random what to do at a site."""

    WEIGHT: ClassVar[float] = 0.3

    @abstractmethod
    def sites(self, draft: Draft) -> Sequence[_S]:
        """Where it applies, in the order of the source."""

    @abstractmethod
    def edit(self, draft: Draft, site: _S, rng: random.Random) -> bool:
        """Edit the draft in place at ``site``; False when nothing came of it."""

    def apply(self, draft: Draft, site: object, rng: random.Random) -> bool:
        """As :meth:`edit`."""
        return self.edit(draft, cast("_S", site), rng)


def editable(draft: Draft) -> list[ast.stmt]:
    """The statements that may be edited, each once; docstrings, definitions and declarations left out."""
    return [node for group in editable_blocks(draft) for node in group]


def editable_blocks(draft: Draft) -> list[list[ast.stmt]]:
    """The same, those of one block together."""
    known = draft.derived.get("edits.blocks")
    if known is None:
        known = draft.derived["edits.blocks"] = list(_editable_blocks(draft.functions()))
    return cast("list[list[ast.stmt]]", known)


def _editable_blocks(functions: Iterable[FunctionNode]) -> Iterator[list[ast.stmt]]:
    for function in functions:
        first = function.body[0]
        for block in own_blocks(function):
            yield [n for n in block if not isinstance(n, _FIXED) and not (n is first and is_text(n))]


def readable(draft: Draft) -> list[ast.expr]:
    """The expressions that may be edited: whatever is computed; annotations, targets and patterns are not."""
    known = draft.derived.get("edits.expressions")
    if known is None:
        found = [e for function in draft.functions() for s in function.body for e in expressions(s)]
        known = draft.derived["edits.expressions"] = found
    return cast("list[ast.expr]", known)


def expressions(node: ast.AST) -> Iterator[ast.expr]:
    """Whatever is computed within ``node``, functions within it left out, in the order of the source."""
    if isinstance(node, DEFINITIONS) or (isinstance(node, ast.stmt) and is_text(node)):
        return
    if isinstance(node, ast.expr) and not isinstance(node, _UNREAD):
        yield node
    if isinstance(node, ast.JoinedStr):
        return  # what it holds is not free to be anything
    for name in node._fields:
        if name not in _UNREAD_FIELDS:
            value = getattr(node, name, None)
            for child in value if isinstance(value, list) else [value]:
                if isinstance(child, ast.AST) and not isinstance(child, ast.expr_context):
                    yield from expressions(child)


def loops(draft: Draft) -> Iterator[ast.For | ast.AsyncFor | ast.While]:
    """The loops that may be edited."""
    for node in editable(draft):
        if isinstance(node, LOOPS):
            yield node


def own(draft: Draft, kind: type[_N]) -> list[_N]:
    """The nodes of one type in the editable functions."""
    return [n for function in draft.functions() for n in own_nodes(function) if isinstance(n, kind)]


def is_text(node: ast.stmt) -> bool:
    """Whether a statement is nothing but a string, as docstrings are."""
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)


def contains(outer: ast.AST, inner: ast.AST) -> bool:
    """Whether ``inner`` is a part of ``outer``, or the same node."""
    return any(node is inner for node in ast.walk(outer))


def leaves(block: Sequence[ast.stmt]) -> bool:
    """Whether a block ends by going somewhere else."""
    return bool(block) and isinstance(block[-1], (ast.Return, ast.Raise, ast.Break, ast.Continue))


def has_blocks(node: ast.stmt) -> bool:
    """Whether a statement is compound."""
    return next(blocks_of(node), None) is not None
