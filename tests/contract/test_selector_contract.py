"""The shipped selector suite over every selector."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("peagen_ray.testing.selector_suite")

from peagen_ray.evolution.selectors.epsilon import EpsilonSelector  # noqa: E402 - after the line above
from peagen_ray.evolution.selectors.legacy import LegacySelector  # noqa: E402
from peagen_ray.evolution.selectors.lexicase import LexicaseSelector  # noqa: E402
from peagen_ray.evolution.selectors.rank import RankSelector  # noqa: E402
from peagen_ray.evolution.selectors.thompson import ThompsonSelector  # noqa: E402
from peagen_ray.evolution.selectors.tournament import TournamentSelector  # noqa: E402
from peagen_ray.evolution.selectors.ucb import UcbSelector  # noqa: E402
from peagen_ray.testing.selector_suite import MakeSelector, ParentSelectorSuite  # noqa: E402


class TestEpsilonSelector(ParentSelectorSuite):
    @pytest.fixture
    def make_selector(self) -> MakeSelector:
        return EpsilonSelector


class TestLegacySelector(ParentSelectorSuite):
    @pytest.fixture
    def make_selector(self) -> MakeSelector:
        return LegacySelector


class TestLexicaseSelector(ParentSelectorSuite):
    @pytest.fixture
    def make_selector(self) -> MakeSelector:
        return LexicaseSelector


class TestRankSelector(ParentSelectorSuite):
    @pytest.fixture
    def make_selector(self) -> MakeSelector:
        return RankSelector


class TestThompsonSelector(ParentSelectorSuite):
    @pytest.fixture
    def make_selector(self) -> MakeSelector:
        return ThompsonSelector


class TestTournamentSelector(ParentSelectorSuite):
    @pytest.fixture
    def make_selector(self) -> MakeSelector:
        return TournamentSelector


class TestUcbSelector(ParentSelectorSuite):
    @pytest.fixture
    def make_selector(self) -> MakeSelector:
        return UcbSelector


class TestUcbSelectorOfFewArms(ParentSelectorSuite):
    @pytest.fixture
    def make_selector(self) -> MakeSelector:
        return lambda: UcbSelector(arms=3)


class TestThompsonSelectorOfFewArms(ParentSelectorSuite):
    @pytest.fixture
    def make_selector(self) -> MakeSelector:
        return lambda: ThompsonSelector(arms=1)
