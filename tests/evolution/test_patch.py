"""The mutator patch without its model: prompts out, proposals in."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peagen_ray.errors import ConfigError, MutationRejected
from peagen_ray.evolution.answers import Reason, Rejected
from peagen_ray.evolution.moves import Move
from peagen_ray.evolution.mutators.base import Proposal
from peagen_ray.evolution.mutators.patch import (
    HINTS,
    PatchRequest,
    PatchSettings,
    can_repair,
    diverse,
    prompt,
    read,
    repair,
    repair_prompt,
)
from peagen_ray.evolution.prompts import Attempt, Failed, Form, HotLine, Inspiration, Score
from peagen_ray.workload.fingerprint import fingerprint

PARENT = "def f(x):\n    y = 0\n    for i in x:\n        y = y + i\n    return y\n"
BETTER = "def f(x):\n    return sum(x)\n"
LIKE = Inspiration(PARENT.replace("y = y + i", "y += i"), 1.1)
OTHER = Inspiration(BETTER, 3.0)
THIRD = Inspiration(
    "def f(x):\n    from functools import reduce\n    return reduce(lambda a, b: a + b, x, 0)\n", 0.5
)
REQUEST = PatchRequest(parent=PARENT, entry="f", seed=3)


@pytest.mark.parametrize("form", Form)
def test_the_move_diff_asks_for_the_form_that_is_set(form: Form) -> None:
    text = prompt(replace(REQUEST, settings=PatchSettings(form=form)))
    marks = {Form.DIFF: "```diff", Form.SEARCH_REPLACE: "<<<<<<< SEARCH", Form.REWRITE: "whole new `f`"}
    assert [each for each, mark in marks.items() if mark in text] == [form]


@pytest.mark.parametrize("move", [Move.REWRITE, Move.CROSSOVER, Move.REPAIR])
def test_the_other_moves_ask_for_the_whole_function(move: Move) -> None:
    request = replace(REQUEST, move=move, inspirations=(OTHER,), failed=Failed("text", "syntax"))
    assert "whole new `f`" in prompt(request)


def test_a_crossover_shows_two_parents() -> None:
    text = prompt(replace(REQUEST, move=Move.CROSSOVER, partner=THIRD, inspirations=(OTHER, THIRD)))
    assert (
        text.index("second parent")
        < text.index("reduce(")
        < text.index("Other programs")
        < text.index("sum(x)")
    )
    assert text.count("reduce(") == 1


def test_a_crossover_takes_the_best_other_program_where_no_partner_is_named() -> None:
    text = prompt(replace(REQUEST, move=Move.CROSSOVER, inspirations=(Inspiration(PARENT), OTHER)))
    assert text.index("second parent") < text.index("sum(x)")


@pytest.mark.parametrize(
    "request_",
    [
        replace(REQUEST, move=Move.CROSSOVER),
        replace(REQUEST, move=Move.CROSSOVER, inspirations=(Inspiration(PARENT),)),
        replace(REQUEST, move=Move.REPAIR),
    ],
    ids=["no other program", "none that differs", "nothing failed"],
)
def test_a_move_that_lacks_what_it_is_about_is_rejected(request_: PatchRequest) -> None:
    with pytest.raises(MutationRejected) as caught:
        prompt(request_)
    assert caught.value.reason == "no site"


def test_what_failed_is_told_only_where_it_is_to_be_repaired() -> None:
    failed = Failed("broken text", "incorrect", "got 3")
    assert "broken text" not in prompt(replace(REQUEST, failed=failed))
    text = prompt(replace(REQUEST, move=Move.REPAIR, failed=failed))
    assert "broken text" in text
    assert "| got 3" in text


def test_a_prompt_outside_a_run_tells_of_nothing_but_the_parent() -> None:
    told = replace(
        REQUEST,
        inspirations=(OTHER,),
        history=(Score("the original", 7.0),),
        attempts=(Attempt("", "slower"),),
    )
    text = prompt(replace(told, in_run=False))
    assert PARENT in text
    assert "sum(x)" not in text
    assert "sum(x)" in prompt(told)


def test_the_same_request_makes_the_same_prompt_and_seeds_differ() -> None:
    request = replace(REQUEST, inspirations=(OTHER, THIRD, LIKE), profile=(HotLine(4, 0.9),))
    assert prompt(request) == prompt(request)
    hints = {
        next(hint for hint in HINTS if hint in prompt(replace(request, seed=seed))) for seed in range(60)
    }
    assert hints == set(HINTS)


def test_templates_of_the_person_are_used(tmp_path: Path) -> None:
    (tmp_path / "agent_evolve.j2").write_text("{{ metric }} of {{ entry }}")
    settings_ = PatchSettings(search_path=(tmp_path,))
    assert prompt(replace(REQUEST, settings=settings_, metric="instructions")) == "instructions of f\n"
    (tmp_path / "agent_evolve.j2").write_text("{{ nothing }}")
    with pytest.raises(ConfigError, match="line 1"):
        prompt(replace(REQUEST, settings=settings_))


def test_a_prompt_has_no_more_characters_than_it_may() -> None:
    request = replace(REQUEST, inspirations=(OTHER, THIRD), settings=PatchSettings(max_chars=1600))
    assert len(prompt(request)) <= 1600 < len(prompt(replace(request, settings=PatchSettings())))
    with pytest.raises(MutationRejected, match="too large"):
        prompt(replace(request, settings=PatchSettings(max_chars=100)))


def test_no_more_programs_are_shown_than_are_set() -> None:
    many = tuple(Inspiration(f"def f(x):\n    return sum(x, {n}) - {n}\n") for n in range(1, 9))
    for count in (0, 1, 3):
        text = prompt(replace(REQUEST, inspirations=many, settings=PatchSettings(inspirations=count)))
        assert text.count("return sum(x, ") == count


def test_the_best_program_comes_first_then_what_is_least_like_it() -> None:
    best, twin, odd = OTHER, Inspiration(BETTER + "# a\n"), THIRD
    assert diverse(PARENT, (best, twin, odd), 2) == (best, odd)
    assert diverse(PARENT, (best, twin, odd), 3) == (best, odd, twin)


def test_programs_that_are_shown_already_are_left_out() -> None:
    assert diverse(PARENT, (Inspiration(PARENT), OTHER, Inspiration(BETTER, 9.0)), 5) == (OTHER,)
    assert diverse(PARENT, (), 5) == ()


@settings(max_examples=50, deadline=None)
@given(texts=st.lists(st.text(alphabet="ab\n", max_size=12), max_size=8), count=st.integers(0, 5))
def test_chosen_programs_are_of_those_offered_each_once(texts: list[str], count: int) -> None:
    programs = tuple(Inspiration(text) for text in texts)
    chosen = diverse(PARENT, programs, count)
    assert len(chosen) <= count
    assert all(each in programs for each in chosen)
    assert len({each.source for each in chosen}) == len(chosen)


def test_an_answer_becomes_a_proposal_named_for_its_move() -> None:
    said = read(f"```python\n{BETTER}```", replace(REQUEST, move=Move.REWRITE))
    assert said == Proposal(BETTER, "rewrite")


def test_a_program_that_was_judged_before_is_no_proposal() -> None:
    said = read(f"```python\n{BETTER}```", REQUEST, tried={fingerprint(BETTER)})
    assert isinstance(said, Rejected)
    assert said.reason is Reason.TRIED
    assert not can_repair(said)


def test_an_answer_cut_off_is_no_proposal() -> None:
    said = read(f"```python\n{BETTER}", REQUEST, finished=False)
    assert isinstance(said, Rejected)
    assert said.reason is Reason.NO_DIFF
    assert can_repair(said)


def test_a_rejected_answer_is_mended_in_one_more_round() -> None:
    answer = "```diff\n@@ @@\n-    z = 0\n+    z = 1\n```"
    said = read(answer, REQUEST)
    assert isinstance(said, Rejected)
    assert can_repair(said)
    text = repair_prompt(REQUEST, answer, said)
    assert "-    z = 0" in text
    assert "does not apply" in text
    assert "| the program has no line 'z = 0'" in text
    mended = read(f"```python\n{BETTER}```", repair(REQUEST, answer, said))
    assert mended == Proposal(BETTER, "repair")


@pytest.mark.parametrize("reason", Reason)
def test_only_faults_are_worth_another_round(reason: Reason) -> None:
    worth = {Reason.NO_DIFF, Reason.NOT_APPLICABLE, Reason.SYNTAX, Reason.SIGNATURE}
    assert can_repair(Rejected(reason)) is (reason in worth)


def test_the_whole_way_with_every_form_of_answer() -> None:
    answers = {
        Form.DIFF: "```diff\n@@ -1,5 +1,2 @@\n def f(x):\n-    y = 0\n-    for i in x:\n-        y = y + i\n-    return y\n"
        "+    return sum(x)\n```",
        Form.SEARCH_REPLACE: "<<<<<<< SEARCH\n    y = 0\n    for i in x:\n        y = y + i\n    return y\n=======\n"
        "    return sum(x)\n>>>>>>> REPLACE",
        Form.REWRITE: f"```python\n{BETTER}```",
    }
    for form, answer in answers.items():
        request = replace(REQUEST, settings=PatchSettings(form=form))
        assert read(answer, request) == Proposal(BETTER, "diff")


def test_reading_answers_loads_nothing_heavy(tmp_path: Path) -> None:
    code = "import json, sys, peagen_ray.evolution.mutators.patch; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    assert not loaded & {"ray", "pyarrow", "redis", "hypothesis", "jinja2", "typer", "openai", "numpy"}


def test_the_templates_are_part_of_the_package() -> None:
    found = {each.name for each in (files("peagen_ray.evolution.prompts") / "templates").iterdir()}
    assert {
        "agent_mutate.j2",
        "agent_evolve.j2",
        "_task.j2",
        "_failed.j2",
        "_form.j2",
        "_program.j2",
    } <= found
