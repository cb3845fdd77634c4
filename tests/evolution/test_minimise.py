"""Minimising: only the changes that the gain needs remain."""

from __future__ import annotations

import ast
import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from peagen_ray.evolution.minimise import apply, hunks, minimise

ORIGINAL = '''\
"""A module."""

LIMIT = 10


def helper(x):
    y = x + 1
    return y


def slow(items):
    out = []
    for item in items:
        if item not in out:
            out.append(item)
    total = 0
    for item in out:
        total = total + item
    return total
'''


def edited(*pairs):
    text = ORIGINAL
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return text


NEEDED = ("    total = 0\n    for item in out:\n        total = total + item\n", "    total = sum(out)\n")
LIMIT = ("LIMIT = 10", "LIMIT = 11")
INLINE = ("    y = x + 1\n    return y\n", "    return x + 1\n")
DEAD = ("    out = []\n", "    out = []\n    unused = 1\n    also = 2\n")


def run(winner, keeps, **options):
    """Answer a minimisation; the result and what was asked."""
    search, asked, answer = minimise(ORIGINAL, winner, **options), [], None
    while True:
        try:
            source = search.send(answer)
        except StopIteration as end:
            return end.value, asked
        asked.append(source)
        answer = keeps(source)


def test_changes_that_do_not_contribute_are_taken_back():
    result, _ = run(edited(NEEDED, LIMIT, INLINE, DEAD), lambda source: "sum(out)" in source)
    assert result == edited(NEEDED)


def test_two_changes_that_need_each_other_both_remain():
    result, _ = run(
        edited(NEEDED, LIMIT, INLINE, DEAD),
        lambda source: "sum(out)" in source and "LIMIT = 11" in source,
    )
    assert result == edited(NEEDED, LIMIT)


def test_a_winner_all_of_whose_changes_are_needed_stays_as_it_is():
    winner = edited(NEEDED, LIMIT, INLINE)
    result, asked = run(winner, lambda source: source == winner)
    assert result == winner
    assert len(asked) == len(set(asked))


def test_of_a_single_change_only_less_of_it_is_asked_about():
    smallest, asked = run(edited(NEEDED), lambda _: False)
    assert smallest == edited(NEEDED)
    assert all(len(source) < len(smallest) for source in asked)


def test_comments_layout_and_docstrings_are_taken_back_without_asking():
    winner = edited(
        NEEDED, ("LIMIT = 10\n", "LIMIT   =  10  # ten\n"), ('"""A module."""', '"""The module."""')
    )
    smallest, asked = run(winner, lambda _: False)
    assert smallest == edited(NEEDED)
    assert all("ten" not in source for source in asked)


def test_what_does_not_parse_is_not_asked_about():
    wrapped = edited(
        NEEDED,
        LIMIT,
        ("    for item in items:\n        if", "    if items:\n      for item in items:\n        if"),
    )
    _, asked = run(wrapped, lambda source: "sum(out)" in source)
    for source in asked:
        ast.parse(source)


def test_neither_the_original_nor_the_winner_is_asked_about():
    winner = edited(NEEDED, LIMIT, INLINE, DEAD)
    _, asked = run(winner, lambda _: False)
    assert ORIGINAL not in asked
    assert winner not in asked


def test_no_more_is_asked_than_the_limit_and_the_smallest_so_far_is_kept():
    winner = edited(NEEDED, LIMIT, INLINE, DEAD)
    for limit in range(8):
        result, asked = run(winner, lambda source: "sum(out)" in source, limit=limit)
        assert len(asked) <= limit
        assert "sum(out)" in result
    assert run(winner, lambda _: True, limit=0) == (winner, [])


def test_statements_that_were_only_added_or_only_taken_away_are_separate_changes():
    added = edited(DEAD)
    assert [hunk.lines for hunk in hunks(ORIGINAL, added)] == [("    unused = 1\n",), ("    also = 2\n",)]
    assert [(hunk.stop - hunk.start, hunk.lines) for hunk in hunks(added, ORIGINAL)] == [(1, ()), (1, ())]


def test_an_added_block_stays_whole():
    block = "def extra(x):\n    if x:\n        return 1\n\n    return 2\n\n\ndef more():\n    pass\n\n\n"
    winner = ORIGINAL.replace("def slow", f"{block}def slow")
    added = ["".join(hunk.lines).strip() for hunk in hunks(ORIGINAL, winner)]
    assert added == [part.strip() for part in block.split("\n\n\n") if part]


def test_as_many_lines_as_were_replaced_are_separate_changes():
    winner = edited(("    y = x + 1\n    return y\n", "    z = x + 1\n    return z\n"))
    assert [(hunk.stop - hunk.start, hunk.lines) for hunk in hunks(ORIGINAL, winner)] == [
        (1, ("    z = x + 1\n",)),
        (1, ("    return z\n",)),
    ]


def test_blank_lines_alone_are_a_change_like_any_other():
    assert apply(ORIGINAL, hunks(ORIGINAL, ORIGINAL.replace("def slow", "\n\ndef slow"))) == ORIGINAL.replace(
        "def slow", "\n\ndef slow"
    )


def test_a_file_whose_last_line_is_not_ended_keeps_its_lines_apart():
    original, winner = "a = 1\nb = 2", "a = 1\nb = 2\nc = 3\nd = 4"
    assert apply(original, hunks(original, winner)[:1]) == "a = 1\nb = 2\nc = 3\n"


lines = st.lists(
    st.sampled_from(["a = 1\n", "b = 2\n", "if a:\n", "    c = 3\n", "\n", "d = (4)\n"]), max_size=12
)


@given(lines, lines)
def test_all_hunks_make_the_winner_and_none_make_the_original(before, after):
    original, winner = "".join(before), "".join(after)
    found = hunks(original, winner)
    assert apply(original, found) == winner
    assert apply(original, []) == original
    assert all(one.stop <= other.start for one, other in itertools.pairwise(found))


@settings(max_examples=60)
@given(st.sets(st.integers(0, 11), min_size=1, max_size=5))
def test_exactly_the_needed_changes_remain_of_a_dozen(needed):
    original = "".join(f"v{n} = {n}\n\n" for n in range(12))
    winner = "".join(f"v{n} = -{n + 1}\n\n" for n in range(12))

    def keeps(source):
        return all(f"v{n} = -" in source for n in needed)

    search, answer, asked = minimise(original, winner, limit=500), None, 0
    while True:
        try:
            answer = keeps(search.send(answer))
        except StopIteration as end:
            result = end.value
            break
        asked += 1
    assert keeps(result)
    assert sum(" = -" in line for line in result.splitlines()) == len(needed)
    assert asked <= 150
