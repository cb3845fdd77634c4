"""What real models answered is read as they meant it."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from answer_shape import edited

from peagen_ray.evolution.answers import Changed, EditKind, Reason, Rejected, read_answer

DATA = Path(__file__).parents[2] / "data" / "llm_answers"
PARENT = (DATA / "parent.py").read_text()
ANSWERS: list[dict[str, Any]] = [
    json.loads(line) for line in (DATA / "answers.jsonl").read_text().splitlines()
]

LOOPS = PARENT[PARENT.index("    for i in") : PARENT.index("    return result")]
BODY = PARENT[PARENT.index("    result = list") :]
COUNT = "    n = len(result)\n"
ALL = PARENT[PARENT.index('    """Return') :]
SORTED = "    return sorted(items)\n"

EDITS = {
    23: [(LOOPS[LOOPS.index("        for j") :] + "    return result\n", "        result.sort()\n")],
    26: [(ALL, SORTED)],
    28: [(ALL, f"    # Sort the list using the built-in sort function\n{SORTED}")],
    40: [(COUNT, ""), (BODY[: BODY.index(COUNT)], SORTED), (LOOPS, "")],
    41: [(LOOPS, """    for i in range(n - 1):
        for j in range(i + 1, n):  # Start from i+1 to avoid unnecessary comparisons
            if result[j] < result[i]:  # Check if the current element is smaller than the previous element
                result[i], result[j] = result[j], result[i]  # Swap the elements
    return result
""")],
    42: [(LOOPS, """    # Start from the last element and move towards the first
    for i in range(n - 1, 0, -1):
        for j in range(i):
            if result[j] > result[j + 1]:
                result[j], result[j + 1] = result[j + 1], result[j]  # Swap elements
""")],
    43: [(COUNT + LOOPS, """    for i in range(n - 1):
        for j in range(i + 1, n):
            if result[j] < result[i]:
                result[i], result[j] = result[j], result[i]
""")],
    44: [("list(items)", "items[:]")],
    50: [(LOOPS + "    return result\n", SORTED)],
    51: [(BODY, SORTED)],
    53: [(BODY, """    result = list(items)
    for i in range(len(result) - 1):
        for j in range(len(result) - i - 1):
            if result[j] > result[j + 1]:
                result[j], result[j + 1] = result[j + 1], result[j]
    return result
""")],
    54: [(LOOPS + "    return result\n", SORTED)],
    56: [(ALL, SORTED)],
    57: [(ALL, SORTED)],
    58: [(BODY, SORTED)],
}  # fmt: skip
"""Diffs and blocks, and what they change of the parent."""

REWRITES = [8, *range(15, 20), *range(30, 35), *range(45, 50), *range(60, 65), 67]
"""Whole functions."""

REASONS = {
    Reason.IDENTICAL: [0, 1, 2, 3, 4, 5, 6, 10, 11, 13, 14, 25, 35, 38, 39],
    Reason.NO_DIFF: [7, 9, 66],
    Reason.NOT_APPLICABLE: [12, 20, 21, 22, 24, 27, 29, 36, 37, 55, 59, 65, 68, 69],
    Reason.SYNTAX: [52],
}


def read(number: int) -> Changed | Rejected:
    """One of the answers."""
    answer = ANSWERS[number]
    return read_answer(answer["answer"], PARENT, "bubble_sort", finished=answer["finish"] == "stop")


def test_every_answer_has_a_verdict_here() -> None:
    numbers = [*EDITS, *REWRITES, *(number for some in REASONS.values() for number in some)]
    assert sorted(numbers) == list(range(len(ANSWERS))) == list(range(70))


@pytest.mark.parametrize("number", EDITS)
def test_an_edit_changes_what_it_names(number: int) -> None:
    said = read(number)
    assert isinstance(said, Changed), said
    assert said.source == edited(PARENT, *EDITS[number])
    assert said.edit.kind is not EditKind.REWRITE


@pytest.mark.parametrize("number", REWRITES)
def test_a_rewrite_becomes_the_function(number: int) -> None:
    said = read(number)
    assert isinstance(said, Changed), said
    text = ANSWERS[number]["answer"].rpartition("```python\n")[2].partition("```")[0]
    assert function(said.source) == function(text)
    assert "print(bubble_sort" not in said.source
    assert "\nitems = [" not in said.source


@pytest.mark.parametrize(
    ("reason", "number"), [(why, number) for why, some in REASONS.items() for number in some]
)
def test_what_cannot_be_used_has_its_reason(reason: Reason, number: int) -> None:
    said = read(number)
    assert isinstance(said, Rejected), said
    assert said.reason is reason


def test_whatever_a_simpler_reader_could_apply_is_read_too() -> None:
    for number, answer in enumerate(ANSWERS):
        graded = answer["graded"]
        if graded["applies_by_content"] and graded["syntax"]:
            said = read(number)
            assert isinstance(said, Changed) or said.reason is Reason.IDENTICAL, number


def function(text: str) -> str:
    """The function's syntax tree."""
    found = [
        node
        for node in ast.parse(text).body
        if isinstance(node, ast.FunctionDef) and node.name == "bubble_sort"
    ]
    return ast.dump(found[-1])
