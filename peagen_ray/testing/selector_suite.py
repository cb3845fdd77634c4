"""The contract of every parent selector, as a test suite.

Prove a selector by subclassing::

    class TestMySelector(ParentSelectorSuite):
        @pytest.fixture
        def make_selector(self):
            return MySelector            # or a function that makes one with the options to be proved
"""
# ruff: noqa: D102 -- the names of the tests say what they prove

from __future__ import annotations

import json
import random
from collections.abc import Callable

import pytest

from peagen_ray.errors import ConfigError, EvolutionError
from peagen_ray.evolution.archive import EvoDB
from peagen_ray.evolution.program import Bucket, Outcome, Program
from peagen_ray.evolution.selectors.base import ParentSelector, build

MakeSelector = Callable[[], ParentSelector]


def an_archive(cells: int) -> EvoDB:
    """An archive of so many cells; program ``n`` has fitness ``n`` and the source ``x = n``."""
    db = EvoDB()
    for n in range(cells):
        db.insert(Program(n, f"x = {n}\n", fitness=float(n), speed_ms=1.0, bucket=Bucket(n, 0, 0, 0)))
    return db


class ParentSelectorSuite:
    """Subclass it and give the fixture ``make_selector``."""

    @pytest.fixture
    def selector(self, make_selector: MakeSelector) -> ParentSelector:
        selector = make_selector()
        selector.reseed(random.Random(0))
        return selector

    def test_it_has_the_name_under_which_it_is_registered(self, selector: ParentSelector) -> None:
        assert selector.NAME
        assert selector.NAME.lower() == selector.NAME

    def test_it_selects_champions_of_the_archive(self, selector: ParentSelector) -> None:
        db = an_archive(7)
        champions = list(db.champions())
        assert all(selector.select(db) in champions for _ in range(200))

    def test_it_selects_the_only_program_there_is(self, selector: ParentSelector) -> None:
        assert selector.select(an_archive(1)).id == 0

    def test_an_empty_archive_is_an_error_that_says_so(self, selector: ParentSelector) -> None:
        with pytest.raises(EvolutionError, match="empty"):
            selector.select(an_archive(0))

    def test_inspirations_are_different_programs_of_the_archive(self, selector: ParentSelector) -> None:
        db = an_archive(9)
        known = {program.src for program in db.champions()}
        for k in range(12):
            chosen = selector.sample_inspirations(db, k)
            assert len(chosen) == len(set(chosen)) <= k
            assert set(chosen) <= known

    def test_an_empty_archive_inspires_nothing(self, selector: ParentSelector) -> None:
        assert selector.sample_inspirations(an_archive(0), 3) == []

    def test_it_leaves_the_archive_as_it_was(self, selector: ParentSelector) -> None:
        db = an_archive(5)
        before = json.dumps(db.state())
        for gain in (0.0, 0.5, 0.0):
            selector.select(db)
            selector.sample_inspirations(db, 3)
            selector.learn(db.ranked(0), _child(gain), gain)
        assert json.dumps(db.state()) == before

    def test_it_learns_from_children_that_failed_and_of_parents_that_are_gone(
        self, selector: ParentSelector
    ) -> None:
        db = an_archive(6)
        failed = Program(99, "", outcome=Outcome.ERROR)
        for gone in range(5):
            selector.learn(selector.select(db), failed, 0.0)
            selector.learn(Program(1000 + gone, "", fitness=9.0), _child(0.5), 0.5)
            db.evict(gone)
            assert selector.select(db).id in db

    def test_fitness_may_be_of_any_sign_and_size(self, selector: ParentSelector) -> None:
        db = EvoDB()
        for n, fitness in enumerate((-1e308, -3.0, 0.0, 5e-324, 1e308)):
            db.insert(Program(n, f"x = {n}\n", fitness=fitness, bucket=Bucket(n, 0, 0, 0)))
            for _ in range(9):
                parent = selector.select(db)
                assert parent.id in db
                selector.learn(parent, _child(fitness), 0.0)

    def test_the_same_randomness_gives_the_same_choices(self, make_selector: MakeSelector) -> None:
        assert _choices(make_selector(), 50) == _choices(make_selector(), 50)

    def test_a_question_asked_again_is_the_same_question(self, selector: ParentSelector) -> None:
        db, state = an_archive(20), selector.state()
        selector.reseed(random.Random("a question"))
        first = selector.select(db).id, selector.sample_inspirations(db, 4)
        selector.restore(state)
        selector.reseed(random.Random("a question"))
        assert (selector.select(db).id, selector.sample_inspirations(db, 4)) == first

    def test_what_it_learnt_survives_as_json(self, make_selector: MakeSelector) -> None:
        taught, restored = make_selector(), make_selector()
        _choices(taught, 30)
        restored.restore(json.loads(json.dumps(taught.state())))
        assert restored.state() == taught.state()
        assert _choices(restored, 30) == _choices(taught, 30)

    def test_an_unknown_option_is_an_error_that_names_it(self, make_selector: MakeSelector) -> None:
        with pytest.raises(ConfigError, match="no_such_option"):
            build(type(make_selector()), {"no_such_option": 1})


def _choices(selector: ParentSelector, rounds: int) -> list[tuple[int, list[str]]]:
    """What it chooses when now and then there is a gain."""
    db, chosen = an_archive(20), []
    for n in range(rounds):
        rng = random.Random(n)
        selector.reseed(rng)
        db.rng = rng
        parent = selector.select(db)
        chosen.append((parent.id, selector.sample_inspirations(db, 3)))
        gain = 0.1 if n % 5 == 0 else 0.0
        selector.learn(parent, _child((parent.fitness or 0.0) + gain), gain)
    return chosen


def _child(fitness: float) -> Program:
    return Program(10_000, "child = True\n", fitness=fitness)
