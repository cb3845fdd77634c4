"""The archive: what enters, what is best, what is drawn; against a naive model."""

from __future__ import annotations

import json
import math
import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peagen_ray.errors import EvolutionError
from peagen_ray.evolution.archive import HISTORY, EvoDB
from peagen_ray.evolution.program import Binning, Bucket, Outcome, Program


def program(n, fitness=1.0, cell=0, **changes):
    return Program(n, f"x = {n}\n", fitness=fitness, bucket=Bucket(cell, 0, 0, 0), **changes)


def filled(*fitnesses):
    db = EvoDB()
    for n, fitness in enumerate(fitnesses):
        db.insert(program(n, fitness, cell=n))
    return db


def test_the_first_program_takes_its_cell_and_is_the_best():
    db = EvoDB()
    insertion = db.insert(program(3, 0.5))
    assert (insertion.accepted, insertion.new_cell, insertion.new_best) == (True, True, True)
    assert insertion.gain == 0.0
    assert db.best.id == 3
    assert len(db) == 1
    assert 3 in db


def test_only_a_fitter_program_replaces_a_champion_and_the_former_one_is_remembered():
    db = EvoDB()
    db.insert(program(0, 1.0))
    assert not db.insert(program(1, 1.0)).accepted
    insertion = db.insert(program(2, 1.5))
    assert (insertion.accepted, insertion.new_cell, insertion.new_best) == (True, False, True)
    assert insertion.gain == 0.5
    assert [member.id for member in db.grid[Bucket(0, 0, 0, 0)].members()] == [2, 0]
    assert 1 not in db


def test_history_is_short_and_what_falls_off_is_named():
    db = EvoDB()
    dropped = [db.insert(program(n, float(n))).dropped for n in range(HISTORY + 3)]
    assert dropped == [None] * (HISTORY + 1) + [0, 1]
    assert db.get(0) is None
    assert db.get(2).id == 2


@pytest.mark.parametrize("fitness", [None, math.nan, math.inf, -math.inf])
def test_no_fitness_that_is_not_a_finite_number_enters(fitness):
    db = EvoDB()
    assert not db.insert(program(0, fitness)).accepted
    assert db.best is None
    assert len(db) == 0


@pytest.mark.parametrize("outcome", [outcome for outcome in Outcome if outcome is not Outcome.OK])
def test_a_failed_candidate_never_enters_whatever_fitness_it_claims(outcome):
    assert not EvoDB().insert(program(0, 99.0, outcome=outcome)).accepted


def test_a_fitness_below_zero_is_as_good_as_any():
    db = filled(-5.0, -3.0)
    assert db.best.id == 1


def test_a_program_without_a_bucket_is_put_where_its_measurements_belong():
    db = EvoDB(Binning(speed_bin_ms=10, mem_bin_kb=100, size_bin_ch=4))
    db.insert(Program(0, "x = 12345\n", gen=7, fitness=1.0, speed_ms=25.0, peak_kb=350.0))
    assert list(db.grid) == [Bucket(2, 3, 2, 1)]
    assert db.best.bucket == Bucket(2, 3, 2, 1)


def test_a_program_that_was_not_timed_is_put_into_the_first_cells():
    db = EvoDB()
    db.insert(Program(0, "", fitness=1.0))
    assert list(db.grid) == [Bucket(0, 0, 0, 0)]


def test_a_program_inserted_again_is_measured_anew():
    db = filled(1.0, 2.0, 3.0)
    insertion = db.insert(program(2, 1.5, cell=7, confirmed=True))
    assert insertion.accepted
    assert db.best.id == 1
    assert db.get(2).confirmed
    assert len(db) == 3


def test_a_program_measured_anew_that_loses_its_cell_is_gone():
    db = EvoDB()
    for n in range(2):
        db.insert(program(n, float(n)))
    assert db.insert(program(1, -1.0)).dropped == 1
    assert db.best.id == 0
    assert 1 not in db


def test_an_evicted_champion_is_followed_by_the_one_before_it():
    db = EvoDB()
    for n in range(3):
        db.insert(program(n, float(n)))
    assert db.evict(2)
    assert db.best.id == 1
    assert db.evict(0)
    assert [member.id for member in db.grid[Bucket(0, 0, 0, 0)].members()] == [1]
    assert db.evict(1)
    assert len(db) == 0
    assert db.best is None
    assert not db.evict(1)


def test_of_equals_the_older_is_the_best():
    assert filled(1.0, 2.0, 2.0).best.id == 1


def test_leaders_come_in_order_and_are_no_more_than_there_are():
    db = filled(*[float(n % 7) for n in range(40)])
    assert [p.fitness for p in db.leaders(6)] == [6.0] * 5 + [5.0]
    assert len(db.leaders(100)) == 40
    assert db.leaders(0) == []


def test_leaders_stay_right_while_leader_after_leader_is_evicted():
    db = filled(*[float(n) for n in range(60)])
    for n in reversed(range(60)):
        assert db.best.id == n
        db.evict(n)
    assert db.best is None


def test_an_empty_archive_has_nothing_to_sample():
    with pytest.raises(EvolutionError, match="empty"):
        EvoDB().sample()


def test_sampling_draws_every_champion_evenly_also_after_evictions():
    db = filled(*[float(n) for n in range(12)])
    for n in (0, 5, 11, 3):
        db.evict(n)
    rng = random.Random(1)
    seen = Counter(db.sample(rng).id for _ in range(8000))
    assert set(seen) == set(db_ids(db))
    assert all(count / 8000 == pytest.approx(1 / 8, abs=0.02) for count in seen.values())


def test_sampling_without_a_generator_draws_from_the_archives_own():
    db = filled(*[float(n) for n in range(50)])
    db.rng = random.Random(4)
    first = [db.sample().id for _ in range(5)]
    db.rng = random.Random(4)
    assert [db.sample().id for _ in range(5)] == first


def db_ids(db):
    return [champion.id for champion in db.champions()]


def test_inspirations_are_the_best_and_some_of_the_rest():
    db = filled(*[float(n) for n in range(50)])
    rng = random.Random(2)
    others = set()
    for _ in range(40):
        chosen = [p.id for p in db.inspirations(4, rng)]
        assert chosen == sorted(chosen, reverse=True)
        assert len(set(chosen)) == 4
        assert chosen[:2] == [49, 48]
        others |= set(chosen[2:])
    assert len(others) > 20


def test_inspirations_of_a_small_archive_are_all_there_is():
    assert sorted(p.id for p in filled(1.0, 2.0, 3.0).inspirations(10)) == [0, 1, 2]
    assert filled(1.0).inspirations(0) == []


def test_a_program_is_found_by_its_source_as_long_as_it_is_remembered():
    db = filled(1.0, 2.0)
    assert db.id_of("x = 1\n") == 1
    db.evict(1)
    assert db.id_of("x = 1\n") is None


def test_two_programs_of_one_source_do_not_confuse_it():
    db = EvoDB()
    for n in range(2):
        db.insert(Program(n, "same", fitness=1.0, bucket=Bucket(n, 0, 0, 0)))
    db.evict(0)
    assert db.id_of("same") == 1


def test_a_checkpoint_is_the_same_archive(tmp_path):
    db = filled(1.0, 5.0, 3.0)
    db.insert(program(9, 7.0, cell=1, metrics={"ratio": 2.5}, parents=(0, 1), fingerprint="f" * 16))
    db.save_checkpoint(tmp_path / "archive.json")
    loaded = EvoDB.load(tmp_path / "archive.json")
    assert loaded.state() == db.state()
    assert loaded.get(9) == db.get(9)
    assert [loaded.sample(random.Random(n)) for n in range(9)] == [
        db.sample(random.Random(n)) for n in range(9)
    ]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"format": 1}', '{"format": 1, "archive": {"cells": 3}}']
)
def test_a_file_that_holds_no_archive_is_an_error_that_names_it(tmp_path, content):
    (tmp_path / "archive.json").write_text(content)
    with pytest.raises(EvolutionError, match=r"archive\.json"):
        EvoDB.load(tmp_path / "archive.json")


cells = st.integers(0, 5)
steps = st.one_of(
    st.tuples(st.just("insert"), st.integers(0, 30), st.integers(-4, 12), cells),
    st.tuples(st.just("evict"), st.integers(0, 30), st.just(0), st.just(0)),
    st.tuples(st.just("reload"), st.just(0), st.just(0), st.just(0)),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=80))
def test_it_agrees_with_a_naive_archive(history):
    """The model keeps lists and scans them: cell -> members, the champion last."""
    db, model = EvoDB(), {}
    for what, n, fitness, cell in history:
        if what == "reload":
            db = EvoDB.from_state(json.loads(json.dumps(db.state())))
            continue
        for members in model.values():
            members[:] = [p for p in members if p.id != n]
        if what == "evict":
            db.evict(n)
        else:
            new = program(n, float(fitness), cell)
            members = model.setdefault(cell, [])
            assert db.insert(new).accepted == (not members or fitness > members[-1].fitness)
            if not members or fitness > members[-1].fitness:
                members.append(new)
                del members[: -HISTORY - 1]
        model = {cell: members for cell, members in model.items() if members}
        check(db, model)


def check(db, model):
    champions = [members[-1] for members in model.values()]
    assert {p.id for p in db.champions()} == {p.id for p in champions}
    assert len(db) == len(champions)
    ranked = sorted(champions, key=lambda p: (-p.fitness, p.id))
    assert db.leaders(3) == ranked[:3]
    assert db.best == (ranked[0] if ranked else None)
    known = {p.id for members in model.values() for p in members}
    assert known == {n for n in range(31) if n in db}
    for place, island in enumerate(db._cells):
        bucket = island.champion.bucket
        assert db.grid[bucket] is island
        assert island.place == place
        assert [p.id for p in island.former] == [p.id for p in model[bucket.speed][:-1]]
