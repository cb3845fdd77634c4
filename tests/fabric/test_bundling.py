"""How many runs go to Ray together."""

import math

from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.fabric.bundling import BRIEF_S, MOST, Lengths

SEEN = 16
LENGTHS = st.lists(st.floats(0, 10), min_size=SEEN, max_size=3 * SEEN)


@given(LENGTHS, st.integers(1, 2000), st.integers(0, 500))
def test_a_bundle_is_brief_and_leaves_no_place_empty(seen, waiting, places):
    lengths = Lengths()
    for seconds in seen:
        lengths.ran("sort", seconds)
    size = lengths.together("sort", waiting, places)
    assert 1 <= size <= MOST
    assert size == 1 or size * max(seen[-SEEN:]) <= BRIEF_S
    assert size <= max(1, math.ceil(waiting / places) if places else 1)


@given(st.integers(0, SEEN - 1), st.integers(1, 2000))
def test_runs_of_which_little_is_known_go_one_by_one(number, waiting):
    lengths = Lengths()
    for _ in range(number):
        lengths.ran("sort", 0.0)
    assert lengths.together("sort", waiting, 1) == 1


def test_what_was_long_ago_counts_no_more_and_sorts_are_apart():
    lengths = Lengths()
    lengths.ran("sort", 5.0)
    for _ in range(SEEN):
        lengths.ran("sort", 0.001)
    assert lengths.together("sort", 1000, 2) == MOST
    assert lengths.together("other", 1000, 2) == 1
    lengths.forget("sort")
    assert lengths.together("sort", 1000, 2) == 1
