"""The selection of old: always the best."""

from __future__ import annotations

import random

import pytest

from peagen_ray.errors import ConfigError
from peagen_ray.evolution.selectors.base import build
from peagen_ray.evolution.selectors.legacy import LegacySelector
from peagen_ray.testing.selector_suite import an_archive


def test_it_always_takes_the_best_whatever_the_randomness():
    selector, db = LegacySelector(), an_archive(30)
    for seed in range(50):
        selector.reseed(random.Random(seed))
        selector.feedback(0.0)
        assert selector.select(db).id == 29


def test_it_has_no_options_and_says_so():
    with pytest.raises(ConfigError, match="no options"):
        build(LegacySelector, {"eps": 1})
