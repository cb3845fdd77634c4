"""How unlike programs are, and the choice of those that are most so."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.evolution.archive import EvoDB
from peagen_ray.evolution.diversity import Likeness, distance, unlike
from peagen_ray.evolution.program import Program


def at(n, *cell):
    return Program(n, f"x = {n}\n", fitness=-float(n), bucket=cell)


def test_the_farthest_is_taken_first_and_then_what_is_far_from_it_too():
    pool = [at(1, 0, 1), at(2, 9, 0), at(3, 9, 1), at(4, 0, 9), at(0, 0, 0)]
    assert [program.id for program in unlike([at(0, 0, 0)], pool, 2)] == [3, 4]


def test_none_is_taken_twice_and_no_more_than_there_are():
    pool = [at(1, 1), at(2, 2), at(1, 1)]
    assert sorted(program.id for program in unlike([at(0, 0)], pool, 9)) == [1, 2]
    assert unlike([at(0, 0)], pool, 0) == []
    assert [program.id for program in unlike([], pool, 1)] == [1]


cells = st.tuples(st.integers(-(2**31), 2**31), st.integers(-5, 5), st.integers(0, 9))


@given(cells, cells)
def test_a_distance_is_none_to_oneself_and_the_same_from_both_sides(one, other):
    assert distance(one, one) == 0.0
    assert distance(one, other) == distance(other, one)
    assert 0.0 <= distance(one, other) <= 3.0


def apart(spread):
    """How far the two diverse ones of four inspirations lie from the best and from each other, on average."""
    db, rng = EvoDB(spread=spread), random.Random(5)
    for n in range(200):
        db.insert(at(n, *(rng.randrange(3) for _ in range(3)), n))
    total = 0.0
    for seed in range(40):
        chosen = db.inspirations(4, random.Random(seed))
        assert [program.id for program in chosen[:2]] == [0, 1]
        total += sum(
            distance(chosen[i].bucket, chosen[j].bucket) for i in range(4) for j in range(max(i, 1) + 1, 4)
        )
    return total


def test_inspirations_are_the_best_and_some_that_are_unlike_them_and_one_another():
    assert apart(spread=True) > 1.1 * apart(spread=False)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x = 1\n", "y = (\n"),
        ("fn main() { let x = 1; }", "fn main() { loop { } }"),
        ("", "\0"),
        ("x = 1\n", "(" * 100_000),
        ("\ud800", "x = '\ud800'"),
        ("x = 1\n", "x = " + "-" * 20_000 + "1\n"),
        ("", ""),
    ],
)
def test_any_two_texts_can_be_compared(one, other):
    assert 0.0 <= Likeness(one).novelty(other) <= 1.0
    assert Likeness(one).novelty(one) == 0.0


def test_what_is_no_python_is_compared_by_its_words():
    original = Likeness("fn main() { let x = 1; }")
    assert 0.0 < original.novelty("fn main() { let y = 1; }") < original.novelty("loop { break; }") <= 1.0
