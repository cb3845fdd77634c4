"""Crossover: parts of an inspiration in the place of the parent's."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import ClassVar

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, Operator
from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.edits.base import GeneralEdit
from peagen_ray.evolution.mutators.genetic.edits.donors import adopt, qualified, unplaced


@dataclass(frozen=True)
class Pair:
    """A function of the parent, and another program's version of it.

    Attributes:
        ours: the parent's.
        theirs: the other's.
        other: the other program.
    """

    ours: FunctionNode
    theirs: FunctionNode
    other: ast.Module


@dataclass(frozen=True)
class Difference:
    """Statements ``i1:i2`` of the parent's version are ``j1:j2`` in the other's."""

    pair: Pair
    i1: int
    i2: int
    j1: int
    j2: int


class TransplantFunction(GeneralEdit[Pair]):
    """A function of an inspiration takes the place of the parent's."""

    NAME = "crossover"
    WEIGHT: ClassVar[float] = 1.0
    LOOKS_AROUND: ClassVar[bool] = True

    def sites(self, draft: Draft) -> list[Pair]:
        """Functions that differ, with the same parameters."""
        return list(_pairs(draft))

    def edit(self, draft: Draft, site: Pair, rng: random.Random) -> bool:
        """Take the body and the decorators, and what they need."""
        del rng
        site.ours.body = [unplaced(node) for node in site.theirs.body]
        site.ours.decorator_list = [unplaced(node) for node in site.theirs.decorator_list]
        draft.touched()
        adopt(draft, site.ours, site.other, *site.theirs.body, *site.theirs.decorator_list)
        return True


class TransplantStatements(GeneralEdit[Difference]):
    """One of the differences to an inspiration's version of a function is taken over."""

    NAME = "crossover-statements"
    WEIGHT: ClassVar[float] = 0.5
    LOOKS_AROUND: ClassVar[bool] = True

    def sites(self, draft: Draft) -> list[Difference]:
        """The differences of each function, those of its body's own statements."""
        return [difference for pair in _pairs(draft) for difference in _differences(pair)]

    def edit(self, draft: Draft, site: Difference, rng: random.Random) -> bool:
        """Take one over."""
        del rng
        new = [unplaced(node) for node in site.pair.theirs.body[site.j1 : site.j2]]
        body = site.pair.ours.body
        body[site.i1 : site.i2] = new
        if not body:
            return False
        draft.touched()
        adopt(draft, site.pair.ours, site.pair.other, *new)
        return True


def _pairs(draft: Draft) -> Iterator[Pair]:
    editable = {id(function) for function in draft.functions()}
    for path, ours in qualified(draft.tree).items():
        for other in draft.inspirations if id(ours) in editable else ():
            theirs = qualified(other).get(path)
            if theirs is not None and _may_replace(ours, theirs):
                yield Pair(ours, theirs, other)


def _may_replace(ours: FunctionNode, theirs: FunctionNode) -> bool:
    """Whether two versions of a function are called alike and are not the same code."""
    if type(theirs) is not type(ours) or not same_code(ours.args, theirs.args):
        return False
    return not same_code([ours.body, ours.decorator_list], [theirs.body, theirs.decorator_list])


def _differences(pair: Pair) -> Iterator[Difference]:
    old, new = ([ast.dump(node) for node in f.body] for f in (pair.ours, pair.theirs))
    for tag, i1, i2, j1, j2 in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag != "equal":
            yield Difference(pair, i1, i2, j1, j2)


OPERATORS: tuple[Operator, ...] = (TransplantFunction(), TransplantStatements())
