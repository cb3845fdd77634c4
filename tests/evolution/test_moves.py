"""Moves are chosen by their shares, shifted to what pays per token, and alike whenever they are chosen again."""

from __future__ import annotations

import json
import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.errors import ConfigError
from peagen_ray.evolution.moves import PRIOR, Move, MoveMix

told = st.lists(st.tuples(st.sampled_from(Move), st.floats(0, 1), st.integers(0, 10**7)), max_size=60)


def mix(*observations: tuple[Move, float, int], prior: dict[Move, float] | None = None) -> MoveMix:
    made = MoveMix(PRIOR if prior is None else prior)
    for move, reward, tokens in observations:
        made.tell(move, reward=reward, tokens=tokens)
    return made


def test_before_anything_is_told_the_shares_are_the_prior_ones() -> None:
    assert MoveMix().weights() == pytest.approx(dict(PRIOR))


def test_choices_follow_the_shares() -> None:
    drawn = Counter(MoveMix().choose(seed) for seed in range(2000))
    assert all(abs(drawn[move] / 2000 - share) < 0.05 for move, share in PRIOR.items())


def test_a_move_that_earns_gains_on_the_others() -> None:
    after = mix(*[(Move.REWRITE, 0.9, 1000), (Move.DIFF, 0.0, 1000)] * 10).weights()
    assert after[Move.REWRITE] > 2 * PRIOR[Move.REWRITE]
    assert after[Move.DIFF] < PRIOR[Move.DIFF] / 2


def test_of_two_that_earn_alike_the_cheaper_one_gains() -> None:
    even = {Move.DIFF: 1.0, Move.REWRITE: 1.0}
    after = mix(*[(Move.REWRITE, 0.5, 4000), (Move.DIFF, 0.5, 500)] * 10, prior=even).weights()
    assert after[Move.DIFF] > 2 * after[Move.REWRITE]


def test_what_paid_long_ago_fades() -> None:
    once = mix(*[(Move.REWRITE, 1.0, 1000)] * 10)
    early = once.weights()[Move.REWRITE]
    for _ in range(300):
        once.tell(Move.REWRITE, reward=0.0, tokens=1000)
        once.tell(Move.DIFF, reward=0.3, tokens=1000)
    assert once.weights()[Move.REWRITE] < early / 2


@given(observations=told)
def test_no_move_with_a_share_is_given_up_and_none_takes_all(
    observations: list[tuple[Move, float, int]],
) -> None:
    weights = mix(*observations).weights()
    assert math.isclose(sum(weights.values()), 1.0)
    assert all(0.0005 < weights[move] < 1 for move, share in PRIOR.items() if share)


@given(observations=told, seed=st.integers(0, 2**63), later=told)
def test_a_restored_mix_goes_on_alike(
    observations: list[tuple[Move, float, int]], seed: int, later: list[tuple[Move, float, int]]
) -> None:
    first = mix(*observations)
    second = MoveMix()
    second.restore(json.loads(json.dumps(first.state())))
    for made in (first, second):
        for move, reward, tokens in later:
            made.tell(move, reward=reward, tokens=tokens)
    assert first.weights() == second.weights()
    assert first.choose(seed) is second.choose(seed)


def test_only_moves_that_are_possible_are_chosen() -> None:
    assert {MoveMix().choose(seed, (Move.DIFF, Move.REWRITE)) for seed in range(200)} == {
        Move.DIFF,
        Move.REWRITE,
    }
    assert MoveMix({Move.REPAIR: 1.0}).choose(1, (Move.REWRITE,)) is Move.DIFF


def test_a_move_without_a_share_is_never_made() -> None:
    only = mix((Move.CROSSOVER, 1.0, 10), prior={Move.REWRITE: 2.0, Move.DIFF: 1.0})
    assert {only.choose(seed) for seed in range(200)} == {Move.REWRITE, Move.DIFF}
    assert only.weights()[Move.CROSSOVER] == 0


@pytest.mark.parametrize(
    "shares", [{}, {Move.DIFF: 0.0}, {Move.DIFF: -1.0}, {Move.DIFF: math.nan}, {Move.DIFF: math.inf}]
)
def test_shares_that_are_none_are_refused(shares: dict[Move, float]) -> None:
    with pytest.raises(ConfigError):
        MoveMix(shares)


@pytest.mark.parametrize(("reward", "tokens"), [(-0.1, 1), (1.1, 1), (math.nan, 1), (0.5, -1)])
def test_payoffs_that_are_none_are_refused(reward: float, tokens: int) -> None:
    with pytest.raises(ValueError, match="no payoff"):
        MoveMix().tell(Move.DIFF, reward=reward, tokens=tokens)
