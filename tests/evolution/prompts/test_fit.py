"""Prompts are never longer than they may be, and what is left out goes in the order that is stated."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from peagen_ray.errors import MutationRejected
from peagen_ray.evolution.prompts import (
    EVOLVE,
    ORDER,
    Attempt,
    Failed,
    HotLine,
    Inspiration,
    PromptContext,
    Score,
    Templates,
    fitted,
)
from peagen_ray.evolution.prompts.fit import outlined

PARENT = (
    "import math\nimport os\n\n\ndef helper(x):\n"
    + "    x += 1\n" * 40
    + "    return x\n\n\ndef f(x):\n    return helper(x)\n\n\nLAST = 1\n"
)
CONTEXT = PromptContext(
    source=PARENT,
    entry="f",
    history=tuple(Score(f"score {n}", n) for n in range(4)),
    profile=(HotLine(6, 0.5), HotLine(7, 0.2)),
    inspirations=tuple(Inspiration(f"def f(x):\n    return inspiration_{n}\n") for n in range(3)),
    attempts=tuple(Attempt(f"+attempt_{n}", "incorrect") for n in range(3)),
    goal="the goal",
    partner=Inspiration("def other():\n    return in_partner\n\n\ndef f(x):\n    return kept_partner\n"),
    failed=Failed("failed_start " + "x" * 3000 + " failed_end", "syntax"),
)
GONE = [
    "inspiration_2", "inspiration_1", "attempt_0", "attempt_1", "score 0", "score 2", "in line 7", "in line 6", "inspiration_0",
    "attempt_2", "failed_end", "in_partner", "x += 1",
]  # fmt: skip
"""What is left out, in order."""


TEMPLATES = Templates()


def drawn(context: PromptContext) -> str:
    return TEMPLATES.render(EVOLVE, context)


def shortest() -> str:
    """The shortest prompt that can be made of the context."""
    limit = len(drawn(CONTEXT))
    text = ""
    with contextlib.suppress(MutationRejected):
        while True:
            text = fitted(CONTEXT, limit, drawn)
            limit = len(text) - 1
    return text


def test_things_are_left_out_in_the_stated_order() -> None:
    counts = []
    for limit in range(len(drawn(CONTEXT)), len(shortest()) - 1, -50):
        text = fitted(CONTEXT, limit, drawn)
        missing = [each not in text for each in GONE]
        counts.append(missing.count(True))
        assert missing == [True] * counts[-1] + [False] * (len(GONE) - counts[-1])
    assert counts == sorted(counts)
    assert not [each for each in GONE if each in shortest()]


def test_the_order_is_stated() -> None:
    assert len(ORDER) == 10
    assert ORDER[0].startswith("inspirations but the best")
    assert ORDER[-1].startswith("what the parent has")


def test_what_a_model_cannot_do_without_stays() -> None:
    text = shortest()
    assert "def f(x):\n    return helper(x)" in text
    assert "import math\nimport os" in text
    assert "the goal" in text
    assert "this would be an answer:" in text
    assert "kept_partner" in text
    assert "failed_start" in text
    assert "43 lines of it are not shown" in text


def test_nothing_is_left_out_of_what_fits() -> None:
    full = drawn(CONTEXT)
    assert fitted(CONTEXT, len(full), drawn) == full


def test_what_does_not_fit_is_rejected() -> None:
    with pytest.raises(MutationRejected) as caught:
        fitted(CONTEXT, 500, drawn)
    assert caught.value.reason == "too large"


@settings(max_examples=30, deadline=None)
@given(limit=st.integers(0, 12_000), sizes=st.lists(st.integers(0, 4000), min_size=4, max_size=4))
def test_no_prompt_is_longer_than_it_may_be(limit: int, sizes: list[int]) -> None:
    context = PromptContext(
        source=PARENT + "# " + "y" * sizes[0] + "\n",
        entry="f",
        inspirations=(Inspiration("z" * sizes[1]),) * 3,
        attempts=(Attempt("d" * sizes[2], "error", "e" * sizes[3]),) * 5,
    )
    try:
        assert len(fitted(context, limit, drawn)) <= limit
    except MutationRejected:
        assert limit < 4000


def test_an_outline_keeps_the_lines_of_the_entry_as_they_are() -> None:
    source = "import os\n\nX = 1\nY = 2\n\n\nclass A:\n    '''Doc.'''\n\n    def g(self):\n        return X\n\n\ndef last():\n    pass\n"
    text, hidden = outlined(source, "A.g")
    assert hidden == 4
    assert "class A:\n    '''Doc.'''\n\n    def g(self):\n        return X\n" in text
    assert "X = 1" not in text
    assert "def last" not in text
    assert text.count("# [2 lines that are not shown") == 2


@pytest.mark.parametrize(("source", "entry"), [("x = 1\n", ""), ("def (", "f"), ("", "f")])
def test_what_has_no_outline_is_shown_whole(source: str, entry: str) -> None:
    assert outlined(source, entry) == (source, 0) or not source
