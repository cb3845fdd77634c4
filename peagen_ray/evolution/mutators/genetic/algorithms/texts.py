"""Strings: windows that slide, palindromes that grow from their centre, searches by the built-in methods."""

from __future__ import annotations

import ast

from peagen_ray.evolution.mutators.genetic.base import Operator
from peagen_ray.evolution.mutators.genetic.canonical.recipes import Cookbook, Recipe
from peagen_ray.evolution.mutators.genetic.canonical.trees import leaves_loop

_EVERY_PART = (
    ("for I in range(len(S)):\n    for J in range(I, len(S)):", "S[I:J + 1]", "J - I + 1"),
    ("for I in range(len(S)):\n    for J in range(I + 1, len(S) + 1):", "S[I:J]", "J - I"),
)


def _without_repeats() -> tuple[Recipe, ...]:
    """The shapes of a search for the longest part without repeats, by its length."""
    grown = """
for I in range(len(S)):
    SEEN = {start}
    for J in range(I, len(S)):
        if S[J] in SEEN:
            break
        {add}
        {note}
"""
    after = """
for I in range(len(S)):
    SEEN = {start}
    for J in range(I, len(S)):
        if S[J] in SEEN:
            break
        {add}
    BEST = max(BEST, len(SEEN))
"""
    kinds = (("set()", "SEEN.add(S[J])"), ("[]", "SEEN.append(S[J])"), ('""', "SEEN += S[J]"))
    notes = ("BEST = max(BEST, J - I + 1)", "BEST = max(BEST, len(SEEN))")
    texts = [grown.format(start=s, add=a, note=n) for s, a in kinds for n in notes]
    texts += [after.format(start=s, add=a) for s, a in kinds]
    for loops, part, length in _EVERY_PART:
        for test in (f"len(set({part})) == len({part})", f"len(set({part})) == {length}"):
            texts += [
                f"{loops}\n        if {test}:\n            BEST = max(BEST, {size})"
                for size in (length, f"len({part})")
            ]
    return tuple(Recipe(text, _WINDOW) for text in texts)


_WINDOW = """
fresh_last = {}
fresh_start = 0
for fresh_place, fresh_item in enumerate(S):
    fresh_start = max(fresh_start, fresh_last.get(fresh_item, -1) + 1)
    fresh_last[fresh_item] = fresh_place
    BEST = max(BEST, fresh_place - fresh_start + 1)
"""


class DistinctWindow(Cookbook):
    """Finds the length of the longest part without repeats with a window that slides.

    Before::

        for i in range(len(s)):
            seen = set()
            for j in range(i, len(s)):
                if s[j] in seen:
                    break
                seen.add(s[j])
                best = max(best, j - i + 1)

    After::

        last = {}
        start = 0
        for place, item in enumerate(s):
            start = max(start, last.get(item, -1) + 1)
            last[item] = place
            best = max(best, place - start + 1)
    """

    NAME = "distinct-window"
    RECIPES = _without_repeats()


_GROW = """
for fresh_centre in range(2 * len(S) - 1):
    fresh_low = fresh_centre // 2
    fresh_high = fresh_low + fresh_centre % 2
    while fresh_low >= 0 and fresh_high < len(S) and S[fresh_low] == S[fresh_high]:
        {step}fresh_low -= 1
        fresh_high += 1
{after}"""


def _palindromes() -> tuple[Recipe, ...]:
    """The shapes of a search through all parts for palindromes."""
    recipes = []
    for loops, part, length in _EVERY_PART:
        test = f"{part} == {part}[::-1]"
        longest = _GROW.format(
            step="",
            after="    if fresh_high - fresh_low - 1 > len(BEST):\n        BEST = S[fresh_low + 1:fresh_high]",
        )
        for size in (f"len({part})", length):
            condition = f"{test} and {size} > len(BEST)"
            recipes.append(Recipe(f"{loops}\n        if {condition}:\n            BEST = {part}", longest))
            measured = _GROW.format(step="", after="    BEST = max(BEST, fresh_high - fresh_low - 1)")
            recipes.append(
                Recipe(f"{loops}\n        if {test}:\n            BEST = max(BEST, {size})", measured)
            )
        counted = _GROW.format(step="COUNT += 1\n        ", after="")
        recipes.append(Recipe(f"{loops}\n        if {test}:\n            COUNT += 1", counted))
    return tuple(recipes)


class PalindromeCentres(Cookbook):
    """Finds palindromes by growing them from each centre.

    Before::

        for i in range(len(s)):
            for j in range(i, len(s)):
                part = s[i:j + 1]
                if part == part[::-1] and len(part) > len(best):
                    best = part

    After::

        for centre in range(2 * len(s) - 1):
            low = centre // 2
            high = low + centre % 2
            while low >= 0 and high < len(s) and s[low] == s[high]:
                low -= 1
                high += 1
            if high - low - 1 > len(best):
                best = s[low + 1:high]

    So too for the length of the longest, and for how many there are.
    """

    NAME = "palindrome-centres"
    WEIGHT = 2.0
    RECIPES = _palindromes()


class FindOccurrences(Cookbook):
    """Finds occurrences with slices, and then with the method for it.

    Before::

        for i in range(len(text) - len(word) + 1):
            same = True
            for j in range(len(word)):
                if text[i + j] != word[j]:
                    same = False
                    break
            if same:
                places.append(i)

    After::

        for i in range(len(text) - len(word) + 1):
            if text[i:i + len(word)] == word:
                places.append(i)

    and at a second site::

        i = text.find(word)
        while i != -1:
            places.append(i)
            i = text.find(word, i + 1)
    """

    NAME = "find-occurrences"
    RECIPES = (
        *(
            Recipe(
                f"""
for I in {span}:
    SAME = True
    for J in range(len(P)):
        if S[I + J] != P[J]:
            SAME = False
            break
    if SAME:
        BODY
""",
                f"""
for I in {span}:
    if S[I:I + len(P)] == P:
        BODY
""",
            )
            for span in ("range(len(S) - len(P) + 1)", "range(STOP)")
        ),
        Recipe(
            """
for I in range(len(S) - len(P) + 1):
    if S[I:I + len(P)] == P:
        BODY
""",
            """
I = S.find(P)
while I != -1:
    BODY
    I = S.find(P, I + 1)
""",
            where=lambda found: not leaves_loop(found.body("BODY"), ast.Continue),
        ),
        Recipe(
            """
I = 0
while I + len(P) <= len(S):
    if S[I:I + len(P)] == P:
        COUNT += 1
        I += len(P)
    else:
        I += 1
""",
            "COUNT += S.count(P)",
        ),
    )


_SLIDE = """
fresh_open = collections.Counter(S[:len(P)])
fresh_open.subtract(P)
fresh_wrong = sum(map(bool, fresh_open.values()))
for I in range(STOP):
    if I:
        for fresh_item, fresh_step in ((S[I - 1], -1), (S[I + len(P) - 1], 1)):
            fresh_wrong += not fresh_open[fresh_item]
            fresh_open[fresh_item] += fresh_step
            fresh_wrong -= not fresh_open[fresh_item]
    if not fresh_wrong:
        BODY
"""


class AnagramWindow(Cookbook):
    """Keeps the letters of a window counted while it slides, rather than sorting each window.

    Before::

        for i in range(len(text) - len(word) + 1):
            if sorted(text[i:i + len(word)]) == sorted(word):
                places.append(i)

    After: counts of what the window has more or less than the word, changed by what enters and leaves.
    """

    NAME = "anagram-window"
    RECIPES = tuple(
        Recipe(
            f"for I in range(STOP):\n    if {how}(S[I:I + len(P)]) == {how}(P):\n        BODY\n",
            _SLIDE,
            imports=("import collections",),
        )
        for how in ("sorted", "Counter", "collections.Counter")
    )


class CommonRun(Cookbook):
    """Measures the longest run that two sequences share, with one row of lengths.

    Before::

        for i in range(len(a)):
            for j in range(len(b)):
                k = 0
                while i + k < len(a) and j + k < len(b) and a[i + k] == b[j + k]:
                    k += 1
                best = max(best, k)

    After::

        row = [0] * (len(b) + 1)
        for left in a:
            above = 0
            for place, right in enumerate(b, 1):
                above, row[place] = row[place], above + 1 if left == right else 0
                best = max(best, row[place])
    """

    NAME = "common-run"
    RECIPES = (
        Recipe(
            """
for I in range(len(A)):
    for J in range(len(B)):
        K = 0
        while I + K < len(A) and J + K < len(B) and A[I + K] == B[J + K]:
            K += 1
        BEST = max(BEST, K)
""",
            """
fresh_row = [0] * (len(B) + 1)
for fresh_left in A:
    fresh_above = 0
    for fresh_place, fresh_right in enumerate(B, 1):
        fresh_above, fresh_row[fresh_place] = (
            fresh_row[fresh_place], fresh_above + 1 if fresh_left == fresh_right else 0
        )
        BEST = max(BEST, fresh_row[fresh_place])
""",
        ),
    )


OPERATORS: tuple[Operator, ...] = (
    DistinctWindow(),
    PalindromeCentres(),
    FindOccurrences(),
    AnagramWindow(),
    CommonRun(),
)
