"""Edits of expressions: constants, comparisons, arithmetic, calls."""

from __future__ import annotations

import ast
import random
from typing import ClassVar

from peagen_ray.evolution.mutators.genetic.base import Draft, Operator
from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.edits.base import GeneralEdit, contains, editable, readable
from peagen_ray.evolution.mutators.genetic.edits.donors import expressions_alike, unplaced

_COMPARISONS: dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]] = {
    ast.Lt: (ast.LtE, ast.Gt, ast.NotEq),
    ast.LtE: (ast.Lt, ast.GtE, ast.Eq),
    ast.Gt: (ast.GtE, ast.Lt, ast.NotEq),
    ast.GtE: (ast.Gt, ast.LtE, ast.Eq),
    ast.Eq: (ast.Is, ast.LtE, ast.GtE),
    ast.NotEq: (ast.IsNot, ast.Lt, ast.Gt),
    ast.Is: (ast.Eq,),
    ast.IsNot: (ast.NotEq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
}
_ARITHMETIC: dict[type[ast.operator], tuple[type[ast.operator], ...]] = {
    ast.Add: (ast.Sub, ast.BitOr),
    ast.Sub: (ast.Add, ast.FloorDiv),
    ast.Mult: (ast.Add, ast.FloorDiv),
    ast.Div: (ast.FloorDiv, ast.Mult),
    ast.FloorDiv: (ast.Div, ast.RShift, ast.Mod),
    ast.Mod: (ast.FloorDiv, ast.BitAnd),
    ast.Pow: (ast.Mult,),
    ast.LShift: (ast.Mult, ast.RShift),
    ast.RShift: (ast.FloorDiv, ast.LShift),
    ast.BitAnd: (ast.BitOr, ast.Mod),
    ast.BitOr: (ast.BitAnd, ast.BitXor),
    ast.BitXor: (ast.BitOr,),
}
_WRAPPERS = frozenset(
    {"list", "tuple", "set", "dict", "sorted", "reversed", "iter", "str", "int", "float", "bool", "abs"}
)
_COPYING = frozenset({"copy", "deepcopy"})


class TweakConstant(GeneralEdit[ast.Constant]):
    """A number becomes another one."""

    NAME = "tweak-constant"

    def sites(self, draft: Draft) -> list[ast.Constant]:
        """Numbers and truth values."""
        found = (node for node in readable(draft) if isinstance(node, ast.Constant))
        return [node for node in found if isinstance(node.value, (int, float))]

    def edit(self, draft: Draft, site: ast.Constant, rng: random.Random) -> bool:
        """One more or less, twice or half, 0 or 1; the opposite of a truth value."""
        value = site.value
        assert isinstance(value, (int, float))
        if isinstance(value, bool):
            others: list[float] = [not value]
        else:
            wanted = (value - 1, value + 1, value * 2, value // 2, 0, 1)
            others = [type(value)(other) for other in wanted if other != value]
        draft.replace_expression(site, ast.Constant(value=rng.choice(others)))
        return True


class SwapComparison(GeneralEdit[tuple[ast.Compare, int]]):
    """A comparison becomes a similar one."""

    NAME = "swap-comparison"
    WEIGHT: ClassVar[float] = 0.2

    def sites(self, draft: Draft) -> list[tuple[ast.Compare, int]]:
        """Each comparison of each chain."""
        found = (node for node in readable(draft) if isinstance(node, ast.Compare))
        return [(node, index) for node in found for index in range(len(node.ops))]

    def edit(self, draft: Draft, site: tuple[ast.Compare, int], rng: random.Random) -> bool:
        """Replace its operator."""
        node, index = site
        node.ops[index] = rng.choice(_COMPARISONS[type(node.ops[index])])()
        draft.touched()
        return True


class SwapArithmetic(GeneralEdit["ast.BinOp | ast.AugAssign"]):
    """An arithmetic operator becomes another one."""

    NAME = "swap-arithmetic"
    WEIGHT: ClassVar[float] = 0.2

    def sites(self, draft: Draft) -> list[ast.BinOp | ast.AugAssign]:
        """Every binary operation, assignments such as ``+=`` included."""
        operations = [n for n in readable(draft) if isinstance(n, ast.BinOp) and type(n.op) in _ARITHMETIC]
        updates = [n for n in editable(draft) if isinstance(n, ast.AugAssign) and type(n.op) in _ARITHMETIC]
        return [*operations, *updates]

    def edit(self, draft: Draft, site: ast.BinOp | ast.AugAssign, rng: random.Random) -> bool:
        """Replace the operator."""
        site.op = rng.choice(_ARITHMETIC[type(site.op)])()
        draft.touched()
        return True


class SwapBoolean(GeneralEdit[ast.BoolOp]):
    """``and`` becomes ``or``, and the other way round; or the operands are asked in another order."""

    NAME = "swap-boolean"
    WEIGHT: ClassVar[float] = 0.2

    def sites(self, draft: Draft) -> list[ast.BoolOp]:
        """Every ``and`` and ``or``."""
        return [node for node in readable(draft) if isinstance(node, ast.BoolOp)]

    def edit(self, draft: Draft, site: ast.BoolOp, rng: random.Random) -> bool:
        """Replace the operator, or reverse the operands."""
        if rng.random() < 0.5:
            site.op = ast.Or() if isinstance(site.op, ast.And) else ast.And()
        else:
            site.values.reverse()
        draft.touched()
        return True


class KeepOperand(GeneralEdit[ast.BinOp]):
    """An operation gives way to one of its operands."""

    NAME = "keep-operand"
    WEIGHT: ClassVar[float] = 0.2

    def sites(self, draft: Draft) -> list[ast.BinOp]:
        """Every binary operation."""
        return [node for node in readable(draft) if isinstance(node, ast.BinOp)]

    def edit(self, draft: Draft, site: ast.BinOp, rng: random.Random) -> bool:
        """Keep one, mostly the first."""
        draft.replace_expression(site, site.left if rng.random() < 0.7 else site.right)
        return True


class UnwrapCall(GeneralEdit[tuple[ast.expr, ast.expr]]):
    """A copy or conversion is left out: ``list(x)``, ``sorted(x)``, ``x[:]``, ``x.copy()`` become ``x``."""

    NAME = "unwrap-call"
    WEIGHT: ClassVar[float] = 0.4

    def sites(self, draft: Draft) -> list[tuple[ast.expr, ast.expr]]:
        """Each, with what it copies."""
        return [(node, inner) for node in readable(draft) if (inner := _wrapped(node)) is not None]

    def edit(self, draft: Draft, site: tuple[ast.expr, ast.expr], rng: random.Random) -> bool:
        """Use the original."""
        del rng
        draft.replace_expression(*site)
        return True


class DropArgument(GeneralEdit[tuple[ast.Call, int]]):
    """A call gets one argument fewer."""

    NAME = "drop-argument"
    WEIGHT: ClassVar[float] = 0.2

    def sites(self, draft: Draft) -> list[tuple[ast.Call, int]]:
        """Each named argument, and the last of several without a name."""
        found: list[tuple[ast.Call, int]] = []
        for node in readable(draft):
            if isinstance(node, ast.Call):
                found += [(node, index) for index in range(len(node.keywords))]
                found += [(node, -1)] if len(node.args) > 1 else []
        return found

    def edit(self, draft: Draft, site: tuple[ast.Call, int], rng: random.Random) -> bool:
        """Drop it."""
        del rng
        node, index = site
        if index < 0:
            node.args.pop()
        else:
            del node.keywords[index]
        draft.touched()
        return True


class ReplaceExpression(GeneralEdit[ast.expr]):
    """An expression gives way to another one of its function, here or in an inspiration."""

    NAME = "replace-expression"
    WEIGHT: ClassVar[float] = 0.2

    def sites(self, draft: Draft) -> list[ast.expr]:
        """Every expression but those that are called."""
        called = {id(node.func) for node in readable(draft) if isinstance(node, ast.Call)}
        return [node for node in readable(draft) if id(node) not in called]

    def edit(self, draft: Draft, site: ast.expr, rng: random.Random) -> bool:
        """Put one, mostly of the same kind, in its place."""
        donors = [d for d in expressions_alike(draft, site) if not (same_code(d, site) or contains(d, site))]
        kin = [donor for donor in donors if type(donor) is type(site)]
        if not donors:
            return False
        draft.replace_expression(site, unplaced(rng.choice(kin if kin and rng.random() < 0.7 else donors)))
        return True


def _wrapped(node: ast.expr) -> ast.expr | None:
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice):
        part = node.slice
        return None if part.lower or part.upper or part.step else node.value
    if not isinstance(node, ast.Call) or node.keywords:
        return None
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if len(node.args) == 1 and not isinstance(node.args[0], ast.Starred):
        plain = isinstance(node.func, ast.Name) and name in _WRAPPERS
        return node.args[0] if plain or name in _COPYING else None
    return node.func.value if isinstance(node.func, ast.Attribute) and name == "copy" else None


OPERATORS: tuple[Operator, ...] = (
    TweakConstant(),
    SwapComparison(),
    SwapArithmetic(),
    SwapBoolean(),
    KeepOperand(),
    UnwrapCall(),
    DropArgument(),
    ReplaceExpression(),
)
