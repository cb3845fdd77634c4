"""Tournaments: the published distribution, and the options."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from peagen_ray.errors import ConfigError
from peagen_ray.evolution.selectors.base import build
from peagen_ray.evolution.selectors.tournament import TournamentSelector
from peagen_ray.testing.selector_suite import an_archive


@pytest.mark.parametrize("size", [1, 2, 5])
def test_each_rank_wins_as_often_as_goldberg_and_deb_say(size):
    n, rounds = 6, 12_000
    selector, db = TournamentSelector(size=size), an_archive(n)
    selector.reseed(random.Random(size))
    seen = Counter(n - selector.select(db).id for _ in range(rounds))
    for rank in range(1, n + 1):
        share = ((n - rank + 1) ** size - (n - rank) ** size) / n**size
        assert seen[rank] / rounds == pytest.approx(share, abs=0.02)


@pytest.mark.parametrize("size", [0, -1, 2.5, "4", None, True, 10**9])
def test_a_size_that_is_none_is_an_error_that_names_it(size):
    with pytest.raises(ConfigError, match="size"):
        build(TournamentSelector, {"size": size})
