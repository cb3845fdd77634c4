"""Questions and observations as values: their JSON form, and what the digest covers."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from peagen_ray.evolution.program import Bucket, Outcome, Program
from peagen_ray.evolution.questions import (
    Confirm,
    Mutate,
    Observation,
    question_from_data,
    question_to_data,
)

PARENT = Program(
    4,
    "x = 1\n",
    gen=2,
    parents=(0, 1),
    fitness=0.5,
    speed_ms=9.0,
    bucket=Bucket(1, 2, 3, 4),
    metrics={"a": [1]},
)
MUTATE = Mutate(7, 1, (PARENT,), ("y = 1\n", "z = 1\n"), 99, {"swap": 1.5}, ("aa", "bb"))
CONFIRM = Confirm(8, 1, PARENT, 2, 5)


def through_json(data):
    return json.loads(json.dumps(data))


@pytest.mark.parametrize("question", [MUTATE, CONFIRM])
def test_a_question_comes_back_from_json_as_it_was(question):
    again = question_from_data(through_json(question_to_data(question)))
    assert again == question
    assert again.digest() == question.digest()


def test_an_observation_comes_back_from_json_as_it_was():
    seen = Observation(
        Outcome.OK, "", 0.5, 1.0, 2.0, True, {"a": 1}, "x = 1\n", "m", "o", "f", 3, 0.5, {"w": 1.0}
    )
    assert Observation.from_data(through_json(seen.to_data())) == seen


def test_the_epoch_is_no_part_of_the_digest():
    assert replace(MUTATE, epoch=2).digest() == MUTATE.digest()
    assert replace(CONFIRM, epoch=2).digest() == CONFIRM.digest()


@pytest.mark.parametrize(
    "change",
    [
        {"n": 8},
        {"seed": 1},
        {"parents": (PARENT.with_(src="x = 2\n"),)},
        {"parents": (PARENT.with_(id=5),)},
        {"parents": (PARENT, PARENT)},
        {"inspirations": ("z = 1\n", "y = 1\n")},
        {"weights": {"swap": 1.6}},
        {"exclude": ("bb", "aa")},
    ],
)
def test_everything_else_of_a_mutation_is(change):
    assert replace(MUTATE, **change).digest() != MUTATE.digest()


@pytest.mark.parametrize("change", [{"n": 9}, {"attempt": 1}, {"seed": 6}, {"program": PARENT.with_(src="")}])
def test_everything_else_of_a_confirmation_is(change):
    assert replace(CONFIRM, **change).digest() != CONFIRM.digest()


def test_the_order_of_the_weights_is_no_part_of_the_digest():
    forward = replace(MUTATE, weights={"a": 1.0, "b": 2.0})
    backward = replace(MUTATE, weights={"b": 2.0, "a": 1.0})
    assert forward.digest() == backward.digest()


def test_a_failure_has_no_measurements():
    seen = Observation(Outcome.OK, fitness=1.0, speed_ms=2.0, peak_kb=3.0, tokens=4)
    failed = seen.failed(Outcome.ERROR, "it crashed")
    assert (failed.fitness, failed.speed_ms, failed.peak_kb) == (None, None, None)
    assert (failed.outcome, failed.reason, failed.tokens) == (Outcome.ERROR, "it crashed", 4)
