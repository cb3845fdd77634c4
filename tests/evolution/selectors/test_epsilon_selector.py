"""Epsilon-greedy: its distribution, how ε adapts, and its options."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from peagen_ray.errors import ConfigError
from peagen_ray.evolution.selectors.base import build
from peagen_ray.evolution.selectors.epsilon import EpsilonSelector
from peagen_ray.testing.selector_suite import an_archive


def drawn(selector: EpsilonSelector, cells: int, rounds: int) -> Counter[int]:
    db = an_archive(cells)
    selector.reseed(random.Random(7))
    return Counter(selector.select(db).id for _ in range(rounds))


def test_it_takes_the_best_but_for_an_epsilon_spread_evenly_over_all_champions():
    rounds, cells = 20_000, 5
    seen = drawn(EpsilonSelector(eps_init=0.4), cells, rounds)
    for program in range(cells - 1):
        assert seen[program] / rounds == pytest.approx(0.4 / cells, abs=0.01)
    assert seen[cells - 1] / rounds == pytest.approx(0.6 + 0.4 / cells, abs=0.015)


def test_with_no_epsilon_it_takes_the_best_only():
    assert set(drawn(EpsilonSelector(eps_init=0.0, floor=0.0), 9, 300)) == {8}


def test_with_an_epsilon_of_one_every_champion_is_as_likely():
    seen = drawn(EpsilonSelector(eps_init=1.0, cap=1.0), 4, 8000)
    assert all(count / 8000 == pytest.approx(0.25, abs=0.02) for count in seen.values())


def test_epsilon_shrinks_after_a_gain_and_grows_after_none():
    selector = EpsilonSelector()
    assert selector.eps == 0.15
    selector.feedback(0.01)
    assert selector.eps == pytest.approx(0.15 * 0.96)
    selector.feedback(0.0)
    assert selector.eps == pytest.approx(0.15 * 0.96 * 1.05)


def test_epsilon_stays_between_its_floor_and_its_cap():
    selector = EpsilonSelector()
    for _ in range(500):
        selector.feedback(1.0)
    assert selector.eps == 0.02
    for _ in range(500):
        selector.feedback(0.0)
    assert selector.eps == 0.5


def test_its_options_are_the_keys_of_its_table():
    selector = build(EpsilonSelector, {"eps_init": 0.3, "decay": 0.9, "floor": 0.1, "growth": 2, "cap": 0.6})
    selector.feedback(1.0)
    assert selector.eps == pytest.approx(0.27)
    selector.feedback(0.0)
    assert selector.eps == pytest.approx(0.54)


def test_a_misspelt_option_is_an_error_that_names_the_nearest():
    with pytest.raises(
        ConfigError, match=r"\[selector\.epsilon\]: unknown option eps_int .*eps_init"
    ) as caught:
        build(EpsilonSelector, {"eps_int": 0.3})
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "options",
    [
        {"eps_init": "0.1"},
        {"eps_init": True},
        {"eps_init": 0.9},
        {"eps_init": 0.001},
        {"decay": 1.5},
        {"decay": float("nan")},
        {"growth": 0.5},
        {"cap": 0.01},
        {"floor": -1},
        {"floor": None},
    ],
)
def test_an_option_out_of_range_is_an_error_that_names_it(options):
    with pytest.raises(ConfigError, match=next(iter(options))):
        build(EpsilonSelector, options)
