"""Both keep the contract of their kind."""

import pytest
from peagen_shortcuts.mutator import ShortcutMutator
from peagen_shortcuts.selector import YoungestSelector

from peagen_ray.evolution.mutators.base import MutationRequest
from peagen_ray.testing.mutator_suite import MutatorSuite
from peagen_ray.testing.selector_suite import ParentSelectorSuite

SLOW = """\
def total(xs: list[int]) -> int:
    total = 7
    for x in xs:
        total += x * x  # squares
    return total
"""


class TestShortcutMutator(MutatorSuite):
    @pytest.fixture
    def make_mutator(self):
        return ShortcutMutator

    def test_a_loop_that_adds_up_becomes_a_sum_and_the_rest_stays(self, mutator):
        proposed = mutator.propose(MutationRequest(SLOW, "total", 1))
        assert proposed.source.splitlines() == [
            "def total(xs: list[int]) -> int:",
            "    total = 7 + sum(x * x for x in xs)",
            "    return total",
        ]


class TestYoungestSelector(ParentSelectorSuite):
    @pytest.fixture
    def make_selector(self):
        return YoungestSelector
