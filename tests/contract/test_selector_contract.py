"""The shipped selector suite over every selector."""

from __future__ import annotations

import pytest

pytest.register_assert_rewrite("peagen_ray.testing.selector_suite")

from peagen_ray.evolution.selectors.epsilon import EpsilonSelector  # noqa: E402 - after the line above
from peagen_ray.evolution.selectors.legacy import LegacySelector  # noqa: E402
from peagen_ray.testing.selector_suite import MakeSelector, ParentSelectorSuite  # noqa: E402


class TestEpsilonSelector(ParentSelectorSuite):
    @pytest.fixture
    def make_selector(self) -> MakeSelector:
        return EpsilonSelector


class TestLegacySelector(ParentSelectorSuite):
    @pytest.fixture
    def make_selector(self) -> MakeSelector:
        return LegacySelector
