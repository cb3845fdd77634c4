"""The contract of every mutator, as a test suite.

Prove a mutator by subclassing::

    class TestMyMutator(MutatorSuite):
        @pytest.fixture
        def make_mutator(self):
            return MyMutator
"""
# ruff: noqa: D102 -- the names of the tests say what they prove

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Final

import pytest

from peagen_ray.errors import MutationRejected, TargetError
from peagen_ray.evolution.mutators.base import MutationRequest, Mutator, Proposal
from peagen_ray.workload.fingerprint import fingerprint

MakeMutator = Callable[[], Mutator]

SOURCE: Final = '''"""Two ways to be slow."""


def unique(xs: list[int]) -> list[int]:
    # keeps the first of each
    result: list[int] = []
    for x in xs:
        found = False
        for y in result:
            if y == x:
                found = True
        if not found:
            result = result + [x]
    return result


class Counter:
    def total(self, xs: list[int]) -> int:
        total = 0
        for i in range(len(xs)):
            total = total + xs[i]
        return total
'''

_NOT_PYTHON: Final = ["def f(:\n", "\x00", "ünï = (", "x = '", "class", "\ud800"]


class MutatorSuite:
    """Subclass it and give the fixture ``make_mutator``.

    Attributes:
        DETERMINISTIC: the same request gives the same proposal, as it should where that can be.
        SOURCE: a program that it finds something to change in.
        ENTRIES: functions of that program, ``Class.method`` and the whole module among them.
    """

    DETERMINISTIC: ClassVar[bool] = True
    SOURCE: ClassVar[str] = SOURCE
    ENTRIES: ClassVar[tuple[str, ...]] = ("unique", "Counter.total", "")

    @pytest.fixture
    def mutator(self, make_mutator: MakeMutator) -> Mutator:
        return make_mutator()

    def test_it_has_the_name_under_which_it_is_registered(self, mutator: Mutator) -> None:
        assert mutator.NAME
        assert mutator.NAME.lower() == mutator.NAME

    def test_it_proposes_a_change_that_is_python_and_keeps_the_entry(self, mutator: Mutator) -> None:
        proposals = [
            proposal
            for entry in self.ENTRIES
            for seed in range(6)
            if (proposal := _proposed(mutator, MutationRequest(self.SOURCE, entry, seed))) is not None
        ]
        assert proposals, "in all these requests there is something to change"
        before = _defined(self.SOURCE)
        for proposal in proposals:
            assert before <= _defined(proposal.source)
            assert proposal.operator
            assert proposal.source != self.SOURCE

    def test_what_was_judged_already_is_not_proposed(self, mutator: Mutator) -> None:
        excluded: frozenset[str] = frozenset({fingerprint(self.SOURCE)})
        for seed in range(8):
            request = MutationRequest(self.SOURCE, self.ENTRIES[0], seed, exclude=excluded)
            proposal = _proposed(mutator, request)
            if proposal is not None:
                assert fingerprint(proposal.source) not in excluded
                excluded |= {fingerprint(proposal.source)}

    def test_the_same_request_gives_the_same_proposal(self, make_mutator: MakeMutator) -> None:
        if not self.DETERMINISTIC:
            pytest.skip("it is not deterministic")
        for seed in range(3):
            request = MutationRequest(self.SOURCE, self.ENTRIES[0], seed, inspirations=(self.SOURCE,))
            assert _proposed(make_mutator(), request) == _proposed(make_mutator(), request)

    def test_a_function_that_is_not_there_is_named(self, mutator: Mutator) -> None:
        with pytest.raises((TargetError, MutationRejected)) as caught:
            mutator.propose(MutationRequest(self.SOURCE, "no_such_function", 1))
        assert isinstance(caught.value, MutationRejected) or "no_such_function" in str(caught.value)

    @pytest.mark.parametrize("source", _NOT_PYTHON, ids=ascii)
    def test_what_is_no_python_is_refused(self, mutator: Mutator, source: str) -> None:
        with pytest.raises((TargetError, MutationRejected)):
            mutator.propose(MutationRequest(source, "", 1))

    def test_odd_inspirations_and_weights_are_put_up_with(self, mutator: Mutator) -> None:
        request = MutationRequest(self.SOURCE, self.ENTRIES[0], 1)
        odd = replace(request, inspirations=("", *_NOT_PYTHON), weights={"no such operator": -1.0, "": 0.0})
        for temperature in (0.0, 2.0):
            _proposed(mutator, replace(odd, temperature=temperature, goal="\x00"))


def _proposed(mutator: Mutator, request: MutationRequest) -> Proposal | None:
    """What it proposes; None if that is nothing. Any other error fails the test."""
    try:
        return mutator.propose(request)
    except MutationRejected:
        return None


def _defined(source: str) -> set[str]:
    return {
        node.name
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }
