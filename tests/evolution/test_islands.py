"""Islands: the ring, the dead, and runs that are lived again."""

from __future__ import annotations

import hashlib
import json
import random

import pytest

from peagen_ray.evolution.archipelago import Archipelago
from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.events import Kind
from peagen_ray.evolution.ledger import Ledger, read
from peagen_ray.evolution.program import Bucket, Program
from peagen_ray.evolution.replay import replay, resume, save_checkpoint
from peagen_ray.evolution.selectors.epsilon import EpsilonSelector
from peagen_ray.evolution.selectors.lexicase import LexicaseSelector
from peagen_ray.evolution.selectors.rank import RankSelector
from peagen_ray.evolution.selectors.thompson import ThompsonSelector
from peagen_ray.evolution.selectors.tournament import TournamentSelector
from peagen_ray.evolution.selectors.ucb import UcbSelector
from peagen_ray.evolution.settings import EngineSettings, Islands
from peagen_ray.evolution.stopping import StopReason, StopRules
from peagen_ray.testing.landscape import a_program, drive

SELECTORS = [
    EpsilonSelector,
    LexicaseSelector,
    RankSelector,
    ThompsonSelector,
    TournamentSelector,
    UcbSelector,
]
ISLANDS = Islands(3, migrate_every=7, migrants=2, reset_after=5)


def archipelago(**table):
    return Archipelago(EngineSettings(1, 10, islands=Islands(**table)))


def program(n, fitness, cell=None):
    return Program(n, f"x = {n}\n", fitness=fitness, bucket=Bucket(n if cell is None else cell, 0, 0, 0))


def ids(isles):
    return [sorted(champion.id for champion in island.champions()) for island in isles.islands]


def test_a_program_goes_to_one_island_and_is_found_on_any():
    isles = archipelago(count=3)
    isles.insert(program(0, 1.0), 0)
    isles.insert(program(1, 3.0), 2)
    assert ids(isles) == [[0], [], [1]]
    assert isles.best.id == 1
    assert (len(isles), 0 in isles, 1 in isles, 2 in isles) == (2, True, True, False)


def test_a_gain_is_the_islands_own_and_that_over_all_is_told_beside_it():
    isles = archipelago(count=2)
    isles.insert_everywhere(program(0, 1.0))
    assert isles.insert(program(1, 5.0), 0).gain == 4.0
    late = isles.insert(program(2, 3.0), 1)
    assert (late.insertion.gain, late.gain) == (2.0, 0.0)


def test_every_so_many_candidates_the_best_of_each_go_to_the_next_in_the_ring():
    isles = archipelago(count=3, migrate_every=2, migrants=1, reset_after=0)
    for at in range(3):
        isles.insert(program(10 * at, 1.0 + at), at)
        isles.insert(program(10 * at + 1, 0.5), at)
    assert not isles.turn(0, 1)
    assert ids(isles) == [[0, 1], [10, 11], [20, 21]]
    assert isles.turn(1, 2)
    assert ids(isles) == [[0, 1, 20], [0, 10, 11], [10, 20, 21]], "all leave before any arrives"


def test_migration_and_resets_can_be_turned_off():
    isles = archipelago(count=2, migrate_every=0, reset_after=0)
    isles.insert(program(0, 1.0), 0)
    assert not any(isles.turn(1, told) for told in range(1, 2000))
    assert ids(isles) == [[0], []]


def dead_ring():
    isles = archipelago(count=4, migrate_every=0, reset_after=8)
    for n in range(8):
        isles.insert(program(n, float(n)), n // 2)
    return isles


def test_the_dead_start_anew_one_by_one_the_worst_first_and_the_best_is_spared():
    isles, resets = dead_ring(), []
    for told in range(1, 4 * 8 * 3):
        before = [set(members) for members in ids(isles)]
        if isles.turn((told - 1) % 4, told):
            after = ids(isles)
            resets.append([at for at in range(4) if set(after[at]) != before[at]])
    assert resets[0] == [0]
    assert isles.resets >= 3
    assert all(len(changed) <= 1 for changed in resets)
    assert ids(isles)[3] == [6, 7]
    assert all(island.best.id != 0 for island in isles.islands[:1])


def test_an_island_whose_best_rises_lives():
    isles = archipelago(count=2, migrate_every=0, reset_after=5)
    isles.insert_everywhere(program(0, 50.0))
    for told in range(1, 100):
        isles.insert(program(told, told / 2, cell=0), 1) if told <= 2 else isles.insert(
            program(told, 50.0 + told), 1
        )
        isles.turn(1, told)
    assert isles.resets == 0


def test_an_island_that_lost_its_last_program_gets_the_best_one():
    isles = archipelago(count=3)
    isles.insert_everywhere(program(0, 1.0, cell=0))
    isles.insert(program(1, 9.0, cell=5), 0)
    isles.evict(0)
    assert ids(isles) == [[1], [1], [1]]
    isles.evict(1)
    assert ids(isles) == [[], [], []]


def test_a_program_measured_anew_changes_wherever_it_is_and_comes_back_if_it_was_gone():
    isles = archipelago(count=3)
    isles.insert_everywhere(program(0, 1.0))
    isles.insert(program(1, 9.0), 0)
    isles.insert(program(1, 9.0), 2)
    isles.remeasure(program(1, 5.0))
    assert [island.best.fitness for island in isles.islands] == [5.0, 1.0, 5.0]
    isles.remeasure(program(2, 7.0))
    assert [island.best.fitness for island in isles.islands] == [7.0, 7.0, 7.0]


def test_its_state_is_json_and_goes_on_as_if_nothing_had_happened():
    isles, again = dead_ring(), archipelago(count=4, migrate_every=0, reset_after=8)
    for told in range(1, 60):
        again.restore(json.loads(json.dumps(isles.state())))
        assert again.turn(told % 4, told) == isles.turn(told % 4, told)
        assert again.state() == isles.state()


# With the engine


def engine(selector=EpsilonSelector, *, ordered=False, islands=ISLANDS, **changes):
    rules = StopRules(max_generations=12)
    settings = EngineSettings(3, 10, ordered=ordered, look_ahead=5, islands=islands, **changes)
    return Engine(settings, selector(), rules)


def lived(made, path):
    """A run of two lives with a ledger and a checkpoint from the middle of each."""
    for level in range(3):
        made.seed(a_program(level), 0.5)
    with Ledger.create(path / "ledger.arrow", {"run": "r"}) as ledger:
        for life in range(2):
            for n, _ in enumerate(drive(made, random.Random(11), now=100.0 * life)):
                ledger.append(made.take_events())
                if n == 40:
                    save_checkpoint(path / f"{life}.json", made, ledger.position, "r")
                if n == 60 and life == 0:
                    made.stop(StopReason.INTERRUPTED, 50.0)
            if life == 0:
                made.resume(60.0)
        ledger.append(made.take_events())
    return made


@pytest.mark.parametrize("ordered", [False, True])
@pytest.mark.parametrize("selector", SELECTORS)
def test_a_run_on_islands_is_replayed_and_resumed_exactly_with_every_selector(selector, ordered, tmp_path):
    made = lived(engine(selector, ordered=ordered), tmp_path)
    assert made.islands.migrations > 5
    assert made.islands.resets > 0
    state = json.dumps(made.state())
    again = engine(selector, ordered=ordered)
    replay(read(tmp_path / "ledger.arrow"), again)
    assert json.dumps(again.state()) == state
    with Ledger.open(tmp_path / "ledger.arrow") as ledger:
        for life in range(2):
            back = resume(ledger, tmp_path / f"{life}.json", "r", lambda: engine(selector, ordered=ordered))
            assert json.dumps(back.state()) == state


def test_islands_take_turns_and_each_question_says_which_it_is_for(tmp_path):
    made = lived(engine(), tmp_path)
    asks = [
        e
        for e in read(tmp_path / "ledger.arrow")
        if e.event is Kind.ASK and e.kind == "mutate" and e.epoch == 0
    ]
    assert [event.detail.get("island", 0) for event in asks[:9]] == [0, 1, 2] * 3
    assert len({id(selector) for selector in made._selectors}) == 3


def test_the_engine_on_islands_still_knows_the_best_of_all(tmp_path):
    made = lived(engine(), tmp_path)
    assert made.screened_best.fitness == max(island.best.fitness for island in made.islands.islands)
    assert made.best.fitness > 0.5
    assert made.best.id in made.islands


@pytest.mark.parametrize(("ordered", "digest"), [(False, "dbc091961748dd27"), (True, "f9b66f09b1bdab1a")])
def test_one_island_that_is_inspired_by_any_asks_what_it_asked_before_there_were_islands(ordered, digest):
    made = engine(ordered=ordered, islands=Islands(), spread=False)
    for level in range(3):
        made.seed(a_program(level), 0.5)
    for _ in drive(made, random.Random(11)):
        pass
    asked = [event.detail["digest"] for event in made.take_events() if "digest" in event.detail]
    assert hashlib.blake2b(json.dumps(asked).encode(), digest_size=8).hexdigest() == digest
