"""Replay and resume: whatever of a run is on disk gives the engine that lived it."""

from __future__ import annotations

import functools
import json
import random
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peagen_ray.errors import ReplayDivergence
from peagen_ray.evolution.engine import Engine
from peagen_ray.evolution.events import Event, Kind
from peagen_ray.evolution.ledger import Ledger, Position, read
from peagen_ray.evolution.program import Outcome
from peagen_ray.evolution.questions import Mutate, Observation
from peagen_ray.evolution.replay import relive, replay, resume, save_checkpoint
from peagen_ray.evolution.selectors.choice import Choice
from peagen_ray.evolution.selectors.epsilon import EpsilonSelector
from peagen_ray.evolution.selectors.legacy import LegacySelector
from peagen_ray.evolution.settings import EngineSettings
from peagen_ray.evolution.stopping import StopReason, StopRules
from peagen_ray.testing.landscape import a_program, drive

RULES = StopRules(max_generations=9)


def fresh(*, ordered=False, seed=3, rules=RULES, selector=EpsilonSelector):
    return Engine(EngineSettings(seed, 10, ordered=ordered, look_ahead=5), selector(), rules)


def state_of(engine):
    return json.dumps(engine.state())


@dataclass
class Recording:
    """A run of three lives, with late answers; the engine's state at each position, and its checkpoint."""

    data: bytes
    states: dict[Position, str]
    checkpoints: list[bytes]
    engine: Engine


@functools.cache
def recording(ordered):
    with tempfile.TemporaryDirectory() as directory:
        path, checkpoint = Path(directory, "ledger.arrow"), Path(directory, "checkpoint.json")
        engine, rng = fresh(ordered=ordered), random.Random(11)
        with Ledger.create(path, {"run": "r"}) as ledger:
            states, checkpoints = {ledger.position: state_of(engine)}, []

            def keep(*, always=False):
                if always or rng.random() < 0.7:
                    states[ledger.append(engine.take_events())] = state_of(engine)
                    if always or rng.random() < 0.1:
                        save_checkpoint(checkpoint, engine, ledger.position, "r")
                        checkpoints.append(checkpoint.read_bytes())

            for level in range(3):
                engine.seed(a_program(level), 0.5)
            for life in range(3):
                live(engine, rng, life, keep)
            keep(always=True)
        return Recording(path.read_bytes(), states, checkpoints, engine)


def live(engine, rng, life, keep):
    keep(always=True)
    for n, _ in enumerate(drive(engine, rng, now=100.0 * life)):
        keep()
        if n == 30 and life < 2:
            engine.stop(StopReason.INTERRUPTED, 100.0 * life + 50)
    if life < 2:
        keep(always=True)
        late = engine.outstanding()
        engine.resume(100.0 * life + 60)
        for question in late[:2]:
            engine.tell(question.n, Observation(Outcome.ERROR, tokens=9), 1.0, epoch=question.epoch)


@pytest.fixture
def place(tmp_path):
    return tmp_path / "ledger.arrow", tmp_path / "checkpoint.json"


@pytest.mark.parametrize("ordered", [False, True])
def test_the_recorded_run_has_lived_all_that_the_tests_below_need(ordered):
    engine = recording(ordered).engine
    assert engine.done
    assert engine.epoch == 2
    assert engine.dropped >= 3
    assert engine.refuted > 0
    assert engine.counts[Outcome.DUPLICATE] > 0
    assert len(recording(ordered).checkpoints) > 5
    assert len(recording(ordered).states) > 60


@settings(max_examples=80, deadline=None)
@given(ordered=st.booleans(), data=st.data())
def test_every_prefix_of_a_runs_bytes_resumes_to_the_engine_that_lived_it(ordered, data, tmp_path_factory):
    """Also one cut in the middle of a record; and a checkpoint, if it is not too new, changes nothing."""
    run = recording(ordered)
    cut = data.draw(st.integers(min(run.states).offset, len(run.data)))
    saved = data.draw(st.none() | st.sampled_from(run.checkpoints))
    directory = tmp_path_factory.mktemp("cut")
    path, checkpoint = directory / "ledger.arrow", directory / "checkpoint.json"
    path.write_bytes(run.data[:cut])
    if saved is not None:
        checkpoint.write_bytes(saved)
    with Ledger.open(path) as ledger:
        engine = resume(ledger, checkpoint, "r", lambda: fresh(ordered=ordered))
        assert state_of(engine) == run.states[max(end for end in run.states if end.offset <= cut)]


@pytest.mark.parametrize("ordered", [False, True])
def test_a_run_that_is_resumed_anywhere_loses_nothing_and_comes_to_its_end(place, ordered):
    run, rng = recording(ordered), random.Random(5)
    for cut in rng.sample(range(min(run.states).offset + 3000, len(run.data)), 20):
        place[0].write_bytes(run.data[:cut])
        with Ledger.open(place[0]) as ledger:
            told = [event.n for event in read(place[0]) if event.event is Kind.TELL]
            engine = resume(ledger, place[1], "r", lambda: fresh(ordered=ordered))
            engine.resume(500.0)
            list(drive(engine, rng, now=500.0))
            ledger.append(engine.take_events())
        answers = [event.n for event in read(place[0]) if event.event is Kind.TELL]
        assert answers[: len(told)] == told
        assert len(answers) == len(set(answers))
        assert engine.progress(0.0).told == 90
        assert engine.done


def test_the_programs_of_a_replay_are_those_of_the_run_in_the_same_order(place):
    run = recording(True)
    place[0].write_bytes(run.data)
    engine, questions = fresh(ordered=True), []
    for event in read(place[0]):
        question = relive(event, engine)
        if question is not None:
            questions.append((question.n, question.epoch))
    recorded = [event for event in read(place[0]) if event.event is Kind.ASK]
    assert questions == [(event.n, event.epoch) for event in recorded]
    assert engine.best == run.engine.best
    again = [event for event in engine.take_events() if event.event is Kind.TELL]
    assert [e.source for e in again] == [e.source for e in read(place[0]) if e.event is Kind.TELL]


def test_a_replay_makes_the_very_events_that_were_recorded(place):
    place[0].write_bytes(recording(False).data)
    engine = fresh()
    for event in read(place[0]):
        relive(event, engine)
    assert engine.take_events() == list(read(place[0]))


def test_the_stopping_rules_of_a_replay_do_not_matter(place):
    run = recording(False)
    place[0].write_bytes(run.data)
    engine = fresh(rules=StopRules(max_candidates=1, run_timeout=0.0))
    assert replay(read(place[0]), engine) == max(run.states).seq
    assert engine.best == run.engine.best


def test_a_run_goes_on_under_longer_rules(place):
    place[0].write_bytes(recording(False).data)
    with Ledger.open(place[0]) as ledger:
        engine = resume(ledger, place[1], "r", lambda: fresh(rules=StopRules(max_generations=12)))
    assert engine.stop_reason is StopReason.MAX_GENERATIONS
    engine.resume(500.0)
    list(drive(engine, random.Random(1), now=500.0))
    assert engine.generation == 12


@pytest.mark.parametrize("changes", [{"seed": 4}, {"selector": LegacySelector}])
def test_another_seed_or_selector_diverges_and_the_error_names_event_and_both(place, changes):
    place[0].write_bytes(recording(False).data)
    with pytest.raises(ReplayDivergence, match=r"event \d+ \(ask \d+\): .*recorded .*, replayed ") as caught:
        replay(read(place[0]), fresh(**changes))
    assert caught.value.hint


def lived():
    """A short run, as the list of its events."""
    engine = fresh(rules=StopRules(max_candidates=6))
    engine.seed(a_program(0), 0.0)
    for _ in drive(engine, random.Random(2)):
        pass
    return engine.take_events()


def first(events, kind):
    return next(at for at, event in enumerate(events) if event.event is kind)


@pytest.mark.parametrize(
    ("kind", "change", "match"),
    [
        (Kind.SEED, {"n": 1}, "seed program: recorded 1, replayed 0"),
        (Kind.ASK, {"n": 2}, "n: recorded 2, replayed 1"),
        (Kind.ASK, {"kind": "confirm"}, "kind: recorded 'confirm', replayed 'mutate'"),
        (Kind.ASK, {"seed": 1}, "seed: recorded 1"),
        (Kind.ASK, {"parents": (7,)}, r"parents: recorded \(7,\), replayed \(0,\)"),
        (Kind.ASK, {"detail": {}}, "digest: recorded None"),
        (Kind.TELL, {"epoch": 1}, "answer taken: recorded True, replayed False"),
        (Kind.TELL, {"event": Kind.DROP}, "answer taken: recorded False, replayed True"),
        (Kind.TELL, {"event": Kind.STOP, "reason": "bored"}, "stops: recorded 'bored'"),
        (Kind.TELL, {"event": Kind.RESUME, "epoch": 5}, "epoch: recorded 5, replayed 1"),
    ],
)
def test_a_recording_that_was_tampered_with_diverges_at_that_event(kind, change, match):
    events = lived()
    at = first(events, kind)
    events[at] = replace(events[at], **change)
    with pytest.raises(ReplayDivergence, match=match):
        replay(events, fresh())


def test_asking_where_the_engine_has_stopped_diverges():
    events = lived()
    at = first(events, Kind.ASK)
    with pytest.raises(ReplayDivergence, match="nothing is asked"):
        replay([*events[:at], Event(Kind.STOP, reason="interrupted"), *events[at:]], fresh())


def test_the_end_as_it_was_told_to_the_person_is_passed_over():
    events = lived()
    one, other = fresh(), fresh()
    replay(events, one)
    replay([*events, Event(Kind.FINAL, detail={"ratio": 9.0})], other)
    assert state_of(one) == state_of(other)


def resumed(place, run, checkpoint):
    place[0].write_bytes(run.data)
    place[1].write_bytes(checkpoint)
    with Ledger.open(place[0]) as ledger:
        return state_of(resume(ledger, place[1], "r", fresh))


@pytest.mark.parametrize(
    "change",
    [
        {"run": "another"},
        {"position": [10**9, 10**6]},
        {"position": [1, 2, 3]},
        {"position": ["a", "b"]},
        {"position": None},
        {"position": [4000, 2]},
        {"engine": {}},
        {"engine": None},
        {"format": 0},
    ],
)
def test_a_checkpoint_that_does_not_fit_is_done_without(place, change):
    run = recording(False)
    saved = json.loads(run.checkpoints[-1])
    assert resumed(place, run, json.dumps({**saved, **change}).encode()) == state_of(run.engine)


def test_a_checkpoint_of_another_moment_is_done_without(place):
    """Its position is right and its engine is not: what it cannot continue, the whole ledger can."""
    run = recording(False)
    early, late = json.loads(run.checkpoints[1]), json.loads(run.checkpoints[4])
    mixed = json.dumps({**early, "engine": late["engine"]}).encode()
    assert resumed(place, run, mixed) == state_of(run.engine)


def test_a_checkpoint_at_the_very_end_needs_no_event(place):
    run = recording(False)
    place[0].write_bytes(run.data)
    with Ledger.open(place[0]) as ledger:
        save_checkpoint(place[1], run.engine, ledger.position, "r")
        assert state_of(resume(ledger, place[1], "r", fresh)) == state_of(run.engine)
        save_checkpoint(place[1], run.engine, ledger.position._replace(seq=1), "r")
        assert state_of(resume(ledger, place[1], "r", fresh)) == state_of(run.engine)


def test_a_ledger_without_events_resumes_to_a_new_engine(place):
    with Ledger.create(place[0], {}) as ledger:
        assert state_of(resume(ledger, place[1], "r", fresh)) == state_of(fresh())


def test_what_was_asked_before_a_crash_is_asked_again_in_the_next_life(place):
    engine = fresh()
    engine.seed(a_program(0), 0.0)
    asked = [engine.ask(1.0) for _ in range(3)]
    with Ledger.create(place[0], {}) as ledger:
        ledger.append(engine.take_events())
    with Ledger.open(place[0]) as ledger:
        engine = resume(ledger, place[1], "r", fresh)
    engine.resume(9.0)
    again = [engine.ask(9.0) for _ in range(3)]
    assert [replace(question, epoch=0) for question in again] == asked
    assert all(isinstance(question, Mutate) for question in again)


def some(engine, seed, now, count=40):
    """Lets the engine ask so many questions and answers most of them."""
    for asked, _ in enumerate(drive(engine, random.Random(seed), now=now), 1):
        if asked == count:
            return


def test_a_selector_that_takes_over_in_a_later_life_is_lived_again(tmp_path):
    path, checkpoint = tmp_path / "ledger.arrow", tmp_path / "checkpoint.json"
    engine = fresh()
    engine.seed(a_program(0), 0.0)
    with Ledger.create(path, {"run": "r"}) as ledger:
        some(engine, 1, 0.0)
        engine.resume(50.0, Choice("legacy"))
        assert engine.choice == Choice("legacy")
        some(engine, 2, 50.0)
        engine.resume(90.0, Choice("epsilon", {"eps_init": 0.4}))
        some(engine, 3, 90.0, 10)
        save_checkpoint(checkpoint, engine, ledger.append(engine.take_events()), "r")
        some(engine, 4, 100.0, 10)
        ledger.append(engine.take_events())
        again = fresh()
        replay(read(path), again)
        for found in (again, resume(ledger, checkpoint, "r", fresh)):
            assert state_of(found) == state_of(engine)
    assert engine.choice == Choice("epsilon", {"eps_init": 0.4})


def test_a_later_life_keeps_the_selector_that_took_over():
    engine = fresh()
    engine.seed(a_program(0), 0.0)
    engine.resume(50.0, Choice("legacy"))
    engine.resume(60.0)
    assert engine.choice == Choice("legacy")
