"""Edits of whole statements: delete, duplicate, swap, move, replace, unwrap."""

from __future__ import annotations

import ast
import copy
import random
from collections.abc import Iterator
from typing import ClassVar

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, Operator, blocks_of
from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.edits.base import (
    LOOPS,
    GeneralEdit,
    contains,
    editable,
    editable_blocks,
    has_blocks,
    loops,
)
from peagen_ray.evolution.mutators.genetic.edits.donors import statements_alike, unplaced

_ACTING = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr)


class DeleteStatement(GeneralEdit[ast.stmt]):
    """A statement is taken away."""

    NAME = "delete-statement"

    def sites(self, draft: Draft) -> list[ast.stmt]:
        """Every statement that is not ``pass``."""
        return [node for node in editable(draft) if not isinstance(node, ast.Pass)]

    def edit(self, draft: Draft, site: ast.stmt, rng: random.Random) -> bool:
        """Take it away."""
        del rng
        draft.replace(site)
        return True


class DuplicateStatement(GeneralEdit[ast.stmt]):
    """A statement that does something does it twice."""

    NAME = "duplicate-statement"
    WEIGHT: ClassVar[float] = 0.1

    def sites(self, draft: Draft) -> list[ast.stmt]:
        """Assignments and calls."""
        return [node for node in editable(draft) if isinstance(node, _ACTING)]

    def edit(self, draft: Draft, site: ast.stmt, rng: random.Random) -> bool:
        """Put a copy before it."""
        del rng
        draft.insert_before(site, copy.deepcopy(site))
        return True


class SwapStatements(GeneralEdit[ast.stmt]):
    """Two statements of one block change places."""

    NAME = "swap-statements"
    WEIGHT: ClassVar[float] = 0.2

    def sites(self, draft: Draft) -> list[ast.stmt]:
        """Statements that are not alone in their block."""
        return [node for group in editable_blocks(draft) if len(group) > 1 for node in group]

    def edit(self, draft: Draft, site: ast.stmt, rng: random.Random) -> bool:
        """Exchange it with another one, mostly a neighbour."""
        block, here = draft.block(site)
        siblings = next(group for group in editable_blocks(draft) if site in group)
        place = siblings.index(site)
        near = siblings[max(0, place - 1) : place] + siblings[place + 1 : place + 2]
        others = [node for node in near * 2 + siblings if not same_code(node, site)]
        if not others:
            return False
        _, there = draft.block(rng.choice(others))
        block[here], block[there] = block[there], block[here]
        draft.touched()
        return True


class MoveStatement(GeneralEdit[ast.stmt]):
    """A statement moves to another place in its function."""

    NAME = "move-statement"
    WEIGHT: ClassVar[float] = 0.2

    def sites(self, draft: Draft) -> list[ast.stmt]:
        """Every statement."""
        return editable(draft)

    def edit(self, draft: Draft, site: ast.stmt, rng: random.Random) -> bool:
        """Take it away and put it before or after another one."""
        targets = list(_elsewhere(draft, site))
        if not targets:
            return False
        block, index = draft.block(site)
        target, after = rng.choice(targets), rng.random() < 0.5
        if index + 1 < len(block) and target is block[index + 1]:
            after = True  # before it is where the statement is already
        elif index and target is block[index - 1]:
            after = False
        draft.replace(site)
        _put(draft, site, target, after=after)
        return True


class LeaveLoop(GeneralEdit[tuple[ast.stmt, ast.stmt]]):
    """A statement of a loop is done once, before the loop or after it."""

    NAME = "leave-loop"
    WEIGHT: ClassVar[float] = 0.4

    def sites(self, draft: Draft) -> list[tuple[ast.stmt, ast.stmt]]:
        """Each statement that does something, with the loop whose body it is in."""
        return [
            (node, loop)
            for loop in loops(draft)
            for node in loop.body
            if isinstance(node, (*_ACTING, *LOOPS, ast.If))
        ]

    def edit(self, draft: Draft, site: tuple[ast.stmt, ast.stmt], rng: random.Random) -> bool:
        """Move it out."""
        node, loop = site
        draft.replace(node)
        _put(draft, node, loop, after=rng.random() < 0.4)
        return True


class ReplaceStatement(GeneralEdit[ast.stmt]):
    """A statement gives way to another one, of this program or of an inspiration."""

    NAME = "replace-statement"
    WEIGHT: ClassVar[float] = 0.2

    def sites(self, draft: Draft) -> list[ast.stmt]:
        """Every statement."""
        return editable(draft)

    def edit(self, draft: Draft, site: ast.stmt, rng: random.Random) -> bool:
        """Put a copy of one that is mostly of the same kind in its place."""
        donors = [
            donor
            for donor in statements_alike(draft, site)
            if not (contains(donor, site) or contains(site, donor) or same_code(donor, site))
        ]
        kin = [donor for donor in donors if type(donor) is type(site)]
        if not donors:
            return False
        draft.replace(site, unplaced(rng.choice(kin if kin and rng.random() < 0.7 else donors)))
        return True


class UnwrapBlock(GeneralEdit[ast.stmt]):
    """A compound statement gives way to one of its blocks."""

    NAME = "unwrap-block"

    def sites(self, draft: Draft) -> list[ast.stmt]:
        """Every ``if``, loop, ``with`` and ``try``."""
        return [node for node in editable(draft) if has_blocks(node)]

    def edit(self, draft: Draft, site: ast.stmt, rng: random.Random) -> bool:
        """Keep a block, mostly the first."""
        first, *others = blocks_of(site)
        draft.replace(site, *(rng.choice([first, *others]) if rng.random() < 0.5 else first))
        return True


def _elsewhere(draft: Draft, node: ast.stmt) -> Iterator[ast.stmt]:
    function: FunctionNode | None = draft.enclosing(node)
    within = {id(each) for each in ast.walk(node)}
    for other in editable(draft):
        if id(other) not in within and draft.enclosing(other) is function:
            yield other


def _put(draft: Draft, node: ast.stmt, target: ast.stmt, *, after: bool) -> None:
    block, index = draft.block(target)
    block.insert(index + after, node)
    draft.touched()


OPERATORS: tuple[Operator, ...] = (
    DeleteStatement(),
    DuplicateStatement(),
    SwapStatements(),
    MoveStatement(),
    LeaveLoop(),
    ReplaceStatement(),
    UnwrapBlock(),
)
