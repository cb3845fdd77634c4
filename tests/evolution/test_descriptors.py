"""Descriptors: which cell a program falls into, by whatever the configuration says."""

from __future__ import annotations

import json
import math

import pytest

from peagen_ray.evolution.archive import EvoDB
from peagen_ray.evolution.descriptors import UNKNOWN, Places
from peagen_ray.evolution.program import Binning, Program

ORIGINAL = "def f(items):\n    total = 0\n    for item in items:\n        total += item\n    return total\n"
RENAMED = "def g(things):\n    s = 0\n    for x in things:\n        s += x\n    return s\n"
OTHER = "def f(items):\n    return sum(items)\n"


def cell(binning, origin="", **fields):
    return Places(binning, origin).cell(Program(0, fields.pop("src", "x"), **fields))


def test_edges_are_fixed_and_an_edge_belongs_to_the_cell_that_it_begins():
    binning = Binning(descriptors=("accuracy",), edges={"accuracy": (0.0, 0.5, 0.9)})
    places = [cell(binning, metrics={"accuracy": value})[0] for value in (-1, 0, 0.49, 0.5, 0.89, 0.9, 7)]
    assert places == [0, 1, 1, 2, 2, 3, 3]


def test_a_width_makes_even_cells_on_both_sides_of_zero():
    binning = Binning(descriptors=("error",), widths={"error": 0.5})
    assert [cell(binning, metrics={"error": v})[0] for v in (-0.6, -0.1, 0.0, 0.4, 0.5)] == [-2, -1, 0, 0, 1]


def test_generation_size_and_age_are_descriptors_of_their_own():
    binning = Binning(descriptors=("generation", "age", "size"), edges={"generation": (3, 9)})
    assert cell(binning, gen=8, src="x" * 85) == (1, 2, 2)


def test_a_metric_that_is_named_like_a_built_in_descriptor_has_a_prefix():
    binning = Binning(descriptors=("metrics.size", "size"), widths={"metrics.size": 1.0})
    assert cell(binning, src="x" * 40, metrics={"size": 7}) == (7, 1)


@pytest.mark.parametrize(
    "value", [None, "0.7", [1], {"a": 1}, math.nan, math.inf, -math.inf, 10**400, 1j], ids=repr
)
def test_what_is_no_finite_number_has_a_place_of_its_own(value):
    for binning in (
        Binning(descriptors=("m",), edges={"m": (0.0,)}),
        Binning(descriptors=("m",), widths={"m": 0.1}),
    ):
        assert cell(binning, metrics={"m": value}) == (UNKNOWN,)
        assert cell(binning) == (UNKNOWN,)


def test_a_number_that_is_too_many_widths_away_has_no_place():
    assert cell(Binning(descriptors=("m",), widths={"m": 1e-9}), metrics={"m": 1e308}) == (UNKNOWN,)


def test_novelty_is_measured_against_the_original_and_names_do_not_count():
    places = Places(Binning(descriptors=("novelty",), edges={"novelty": (0.01, 0.5)}), ORIGINAL)
    assert [places.cell(Program(0, src)) for src in (ORIGINAL, RENAMED, OTHER)] == [(0,), (0,), (2,)]


def test_the_original_is_the_first_program_and_stays_so_in_a_checkpoint():
    db = EvoDB(Binning(descriptors=("novelty",), edges={"novelty": (0.01, 0.5)}))
    for n, src in enumerate((ORIGINAL, OTHER)):
        db.insert(Program(n, src, fitness=float(n)))
    again = EvoDB.from_state(json.loads(json.dumps(db.state())))
    assert again.state() == db.state()
    assert again.placed(Program(2, RENAMED)).bucket == (0,)
    assert again.placed(Program(3, OTHER)).bucket == (2,) == db.get(1).bucket
    assert db.emptied().placed(Program(3, OTHER)).bucket == (2,)
