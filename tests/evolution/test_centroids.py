"""Cells in place of a grid: fixed when a run begins, recorded, and the same ever after."""

from __future__ import annotations

import json
import math
import sys

import pytest

from peagen_ray.errors import MissingExtra
from peagen_ray.evolution.archive import EvoDB
from peagen_ray.evolution.centroids import centroids
from peagen_ray.evolution.descriptors import UNKNOWN, Places
from peagen_ray.evolution.program import Binning, Program

SQUARE = Binning(
    descriptors=("accuracy", "size"),
    ranges={"accuracy": (0.0, 10.0), "size": (0.0, 1000.0)},
    centroids=((0.25, 0.25), (0.25, 0.75), (0.75, 0.25), (0.75, 0.75)),
)


def cell(accuracy, size):
    return Places(SQUARE).cell(Program(0, "x" * size, metrics={"accuracy": accuracy}))


def test_a_program_is_in_the_cell_whose_middle_is_the_nearest_in_its_ranges():
    assert [cell(*at) for at in ((1, 100), (1, 900), (9, 100), (9, 900))] == [(0,), (1,), (2,), (3,)]


def test_of_middles_that_are_equally_near_it_is_the_first():
    assert cell(5, 500) == (0,)


def test_what_lies_beyond_a_range_is_at_its_end():
    assert cell(-1e300, 100_000) == cell(0, 1000) == (1,)


@pytest.mark.parametrize("value", [None, "0.7", math.nan, 10**400], ids=repr)
def test_what_is_no_finite_number_has_a_place_of_its_own(value):
    assert cell(value, 100) == (UNKNOWN,)


def test_novelty_and_age_have_ranges_by_themselves():
    binning = Binning(descriptors=("novelty", "age"), centroids=((0.0, 0.0), (0.0, 1.0)))
    places = Places(binning, "x = 1\n")
    assert [places.cell(Program(0, "x = 1\n", gen=gen)) for gen in (0, 5)] == [(0,), (1,)]


def test_an_archive_of_such_cells_survives_a_checkpoint():
    db = EvoDB(SQUARE)
    for n in range(40):
        db.insert(Program(n, "x" * (n * 25), fitness=float(n), metrics={"accuracy": n % 10}))
    again = EvoDB.from_state(json.loads(json.dumps(db.state())))
    assert again.state() == db.state()
    assert set(again.grid) == set(db.grid) == {(0,), (1,), (2,), (3,)}
    assert again.placed(Program(99, "x", metrics={"accuracy": 9})).bucket == (2,)


def test_without_pyribs_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ribs.archives", None)
    with pytest.raises(MissingExtra, match=r"install peagen-ray\[qd\]"):
        centroids(4, 2, 1)


@pytest.mark.nightly  # pyribs, of the extra qd, is half a gigabyte, which `make nightly` installs
def test_pyribs_spreads_them_evenly_and_by_the_seed():
    found = centroids(16, 2, 7)
    assert found == centroids(16, 2, 7)
    assert found != centroids(16, 2, 8)
    assert all(0 < x < 1 for point in found for x in point)
    nearest = [min(math.dist(a, b) for b in found if a != b) for a in found]
    assert min(nearest) > 0.1, "no two are close"
