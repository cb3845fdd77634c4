"""Rank selection: the power law, exactly, at any size and exponent."""

from __future__ import annotations

import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.errors import ConfigError
from peagen_ray.evolution.selectors.base import build
from peagen_ray.evolution.selectors.rank import PowerLaw, RankSelector
from peagen_ray.testing.selector_suite import an_archive


@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0, 2.0, 3.7])
def test_each_rank_is_chosen_in_proportion_to_its_power(alpha):
    n, rounds = 8, 12_000
    selector, db = RankSelector(alpha=alpha), an_archive(n)
    selector.reseed(random.Random(5))
    seen = Counter(n - selector.select(db).id for _ in range(rounds))
    total = sum(rank**-alpha for rank in range(1, n + 1))
    for rank in range(1, n + 1):
        assert seen[rank] / rounds == pytest.approx(rank**-alpha / total, abs=0.02)


@given(st.floats(0.0, 100.0), st.integers(1, 10**9), st.integers(0, 2**32))
def test_a_draw_is_a_rank_whatever_the_exponent_and_the_number(alpha, n, seed):
    law, rng = PowerLaw(alpha, n), random.Random(seed)
    assert all(1 <= law.draw(rng) <= n for _ in range(20))


def test_a_million_ranks_follow_the_law_in_their_tail_too():
    law, rng, rounds, n = PowerLaw(1.0, 10**6), random.Random(3), 20_000, 10**6
    far = sum(law.draw(rng) > 1000 for _ in range(rounds)) / rounds
    assert far == pytest.approx(1 - (math.log(1000) + 0.5772) / (math.log(n) + 0.5772), abs=0.02)


@pytest.mark.parametrize("alpha", [-0.1, math.nan, math.inf, 101, "1", None, True])
def test_an_exponent_that_is_none_is_an_error_that_names_it(alpha):
    with pytest.raises(ConfigError, match="alpha"):
        build(RankSelector, {"alpha": alpha})
