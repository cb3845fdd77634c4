"""What a model is told of a parent's hot lines."""

from __future__ import annotations

from typing import Any

import pytest

from peagen_ray.evolution.briefing import Briefing, Story
from peagen_ray.evolution.moves import Move
from peagen_ray.evolution.mutators.patch import PatchSettings, prompt
from peagen_ray.evolution.mutators.rounds import request_of
from peagen_ray.evolution.program import Outcome, Program
from peagen_ray.evolution.prompts import HotLine
from peagen_ray.evolution.questions import Mutate

SOURCE = "def f(x):\n    y = sorted(x)\n    return y\n"


def parent(**metrics: Any) -> Program:
    return Program(id=1, src=SOURCE, outcome=Outcome.OK, fitness=0.0, speed_ms=200.0, metrics=metrics)


def brief(program: Program) -> Briefing:
    return Story({"diff": 1.0}).brief(program, (), seed=1)


def test_the_prompt_of_a_question_names_the_hot_lines_that_were_measured() -> None:
    program = parent(hot=[[2, 0.9], [3, 0.05]])
    briefing = Briefing.from_data(brief(program).to_data())
    assert briefing.profile == (HotLine(2, 0.9), HotLine(3, 0.05))
    question = Mutate(1, 0, (program,), (), 5, {}, (), briefing)
    text = prompt(request_of(question, "f", "", PatchSettings()))
    assert "- 90 % in line 2: y = sorted(x)" in text


@pytest.mark.parametrize("hot", [None, 3, "x", [1], [[1]], [["a", "b"]], [[1, 2, 3]], {"a": 1}])
def test_a_metric_of_another_evaluator_by_that_name_is_no_profile(hot: object) -> None:
    assert brief(parent(hot=hot)).profile == ()


def test_without_hot_lines_it_is_recorded_as_before_there_were_any() -> None:
    data = brief(parent()).to_data()
    assert "profile" not in data
    assert Briefing.from_data(data) == Briefing(Move.DIFF, history=brief(parent()).history)
