"""Edits of conditions, branches and the ways out of loops."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Iterator
from typing import ClassVar

from peagen_ray.evolution.mutators.genetic.base import Draft, Operator, statements
from peagen_ray.evolution.mutators.genetic.edits.base import (
    LOOPS,
    GeneralEdit,
    editable,
    editable_blocks,
    leaves,
    loops,
    readable,
)
from peagen_ray.evolution.mutators.genetic.nodes import negated

_Conditional = ast.If | ast.While | ast.IfExp


class NegateCondition(GeneralEdit[_Conditional]):
    """A condition turns into its opposite."""

    NAME = "negate-condition"
    WEIGHT: ClassVar[float] = 0.2

    def sites(self, draft: Draft) -> list[_Conditional]:
        """Whatever has a test."""
        return [*_ifs(draft), *_whiles(draft), *_choices(draft)]

    def edit(self, draft: Draft, site: _Conditional, rng: random.Random) -> bool:
        """Negate the test."""
        del rng
        site.test = negated(site.test)
        draft.touched()
        return True


class DropCondition(GeneralEdit[tuple[ast.BoolOp, int]]):
    """One of several conditions is not asked any more."""

    NAME = "drop-condition"

    def sites(self, draft: Draft) -> list[tuple[ast.BoolOp, int]]:
        """Each operand of each ``and`` and ``or``."""
        found = (node for node in readable(draft) if isinstance(node, ast.BoolOp))
        return [(node, index) for node in found for index in range(len(node.values))]

    def edit(self, draft: Draft, site: tuple[ast.BoolOp, int], rng: random.Random) -> bool:
        """Drop the operand."""
        del rng
        node, index = site
        rest = node.values[:index] + node.values[index + 1 :]
        if len(rest) == 1:
            draft.replace_expression(node, rest[0])
        else:
            node.values = rest
            draft.touched()
        return True


class SwapBranches(GeneralEdit["ast.If | ast.IfExp"]):
    """The two branches of a condition change places."""

    NAME = "swap-branches"
    WEIGHT: ClassVar[float] = 0.2

    def sites(self, draft: Draft) -> list[ast.If | ast.IfExp]:
        """Conditions with two branches."""
        return [*(node for node in _ifs(draft) if node.orelse), *_choices(draft)]

    def edit(self, draft: Draft, site: ast.If | ast.IfExp, rng: random.Random) -> bool:
        """Exchange them."""
        del rng
        if isinstance(site, ast.If):
            site.body, site.orelse = site.orelse, site.body
        else:
            site.body, site.orelse = site.orelse, site.body
        draft.touched()
        return True


class DropElse(GeneralEdit["ast.If | ast.For | ast.AsyncFor | ast.While | ast.Try"]):
    """An ``else`` is dropped."""

    NAME = "drop-else"
    WEIGHT: ClassVar[float] = 0.2

    def sites(self, draft: Draft) -> list[ast.If | ast.For | ast.AsyncFor | ast.While | ast.Try]:
        """Whatever has one."""
        kinds = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.Try)
        return [node for node in editable(draft) if isinstance(node, kinds) and node.orelse]

    def edit(
        self, draft: Draft, site: ast.If | ast.For | ast.AsyncFor | ast.While | ast.Try, rng: random.Random
    ) -> bool:
        """Drop it."""
        del rng
        site.orelse = []
        draft.touched()
        return True


class EarlyExit(GeneralEdit[tuple[ast.If, ast.stmt]]):
    """A loop ends as soon as a condition in it has led to an assignment."""

    NAME = "early-exit"
    WEIGHT: ClassVar[float] = 0.4

    def sites(self, draft: Draft) -> list[tuple[ast.If, ast.stmt]]:
        """Conditions in a loop that end in an assignment, with the loop."""
        return [
            (node, loop)
            for loop in loops(draft)
            for node in _of_one_round(loop)
            if isinstance(node, ast.If) and isinstance(node.body[-1], (ast.Assign, ast.AugAssign))
        ]

    def edit(self, draft: Draft, site: tuple[ast.If, ast.stmt], rng: random.Random) -> bool:
        """Leave the loop, or return what would be returned right after it."""
        node, loop = site
        block, index = draft.block(loop)
        after = block[index + 1] if index + 1 < len(block) else None
        exits: list[ast.stmt] = [ast.Break()]
        if isinstance(after, ast.Return):
            exits.append(copy.deepcopy(after))
        node.body.append(rng.choice(exits))
        draft.touched()
        return True


class BreakOnElse(GeneralEdit[tuple[ast.If, ast.stmt]]):
    """A loop ends as soon as a condition in it does not hold."""

    NAME = "break-on-else"
    WEIGHT: ClassVar[float] = 0.2

    def sites(self, draft: Draft) -> list[tuple[ast.If, ast.stmt]]:
        """Conditions without an ``else`` in a loop, with the loop."""
        return [
            (node, loop)
            for loop in loops(draft)
            for node in _of_one_round(loop)
            if isinstance(node, ast.If) and not node.orelse and not leaves(node.body)
        ]

    def edit(self, draft: Draft, site: tuple[ast.If, ast.stmt], rng: random.Random) -> bool:
        """Add ``else: break``."""
        del rng
        site[0].orelse = [ast.Break()]
        draft.touched()
        return True


class MergeIfs(GeneralEdit[ast.If]):
    """``if a: if b:`` becomes ``if a and b:``."""

    NAME = "merge-ifs"
    WEIGHT: ClassVar[float] = 0.2

    def sites(self, draft: Draft) -> list[ast.If]:
        """Conditions that hold nothing but a condition."""
        return [
            node
            for node in _ifs(draft)
            if not node.orelse
            and len(node.body) == 1
            and isinstance(node.body[0], ast.If)
            and not node.body[0].orelse
        ]

    def edit(self, draft: Draft, site: ast.If, rng: random.Random) -> bool:
        """Ask both at once."""
        del rng
        (inner,) = site.body
        assert isinstance(inner, ast.If)
        site.test = ast.BoolOp(op=ast.And(), values=[site.test, inner.test])
        site.body = inner.body
        draft.touched()
        return True


class SkipRest(GeneralEdit[ast.If]):
    """What follows a condition is done only where it does not hold."""

    NAME = "skip-rest"
    WEIGHT: ClassVar[float] = 0.2

    def sites(self, draft: Draft) -> list[ast.If]:
        """Conditions without an ``else`` that others follow in their block."""
        return [
            node
            for group in editable_blocks(draft)
            for node in group[:-1]
            if isinstance(node, ast.If) and not node.orelse and not leaves(node.body)
        ]

    def edit(self, draft: Draft, site: ast.If, rng: random.Random) -> bool:
        """Put the rest of the block into its ``else``."""
        del rng
        block, index = draft.block(site)
        site.orelse = block[index + 1 :]
        del block[index + 1 :]
        draft.touched()
        return True


def _ifs(draft: Draft) -> Iterator[ast.If]:
    return (node for node in editable(draft) if isinstance(node, ast.If))


def _whiles(draft: Draft) -> Iterator[ast.While]:
    return (node for node in editable(draft) if isinstance(node, ast.While))


def _choices(draft: Draft) -> Iterator[ast.IfExp]:
    return (node for node in readable(draft) if isinstance(node, ast.IfExp))


def _of_one_round(loop: ast.For | ast.AsyncFor | ast.While) -> Iterator[ast.stmt]:
    """Statements of a loop's body, those of loops within it left out."""
    for node in loop.body:
        if not isinstance(node, LOOPS):
            yield node
            yield from (inner for inner in statements(node) if isinstance(node, ast.If))


OPERATORS: tuple[Operator, ...] = (
    NegateCondition(),
    DropCondition(),
    SwapBranches(),
    DropElse(),
    EarlyExit(),
    BreakOnElse(),
    MergeIfs(),
    SkipRest(),
)
