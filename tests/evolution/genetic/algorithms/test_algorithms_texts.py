"""Sliding windows and growing palindromes find what trying every part finds."""

from __future__ import annotations

import random

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.texts import (
    AnagramWindow,
    CommonRun,
    DistinctWindow,
    FindOccurrences,
    PalindromeCentres,
)

RNG = random.Random(51)
TEXTS = [("".join(RNG.choices("abcd", k=n)),) for n in range(14)]
PAIRS = [
    ("".join(RNG.choices("ab", k=n)), "".join(RNG.choices("ab", k=RNG.randint(1, 3)))) for n in range(14)
]


@pytest.mark.parametrize(
    "body",
    [
        "for i in range(len(s)):\n        seen = set()\n        for j in range(i, len(s)):\n            if s[j] in seen:\n"
        "                break\n            seen.add(s[j])\n            best = max(best, j - i + 1)",
        "for i in range(len(s)):\n        seen = []\n        for c in s[i:]:\n            if c in seen:\n"
        "                break\n            seen.append(c)\n        if len(seen) > best:\n            best = len(seen)",
        "for i in range(len(s)):\n        for j in range(i + 1, len(s) + 1):\n            part = s[i:j]\n"
        "            if len(set(part)) == len(part):\n                best = max(best, len(part))",
        "n = len(s)\n    for i in range(n):\n        for j in range(i, n):\n"
        "            if len(set(s[i:j + 1])) == j - i + 1 and j - i + 1 > best:\n                best = j - i + 1",
    ],
)
def test_the_longest_part_without_repeats_is_a_window(improve, body):
    improve(
        DistinctWindow(),
        f"def f(s):\n    best = 0\n    {body}\n    return best\n",
        "f",
        TEXTS,
        contains=["last"],
    )


@pytest.mark.parametrize(
    "step",
    [
        "if part == part[::-1] and len(part) > len(best):\n                best = part",
        "if part == part[::-1]:\n                if len(part) > len(best):\n                    best = part",
        "if is_palindrome(part) and j - i > len(best):\n                best = part",
        "if part == part[::-1]:\n                count += 1",
        "if part[::-1] == part:\n                length = max(length, j - i)",
    ],
)
def test_palindromes_grow_from_their_centres(improve, step):
    source = f"""
def is_palindrome(text):
    return text == text[::-1]

def f(s):
    best, count, length = "", 0, 0
    for i in range(len(s)):
        for j in range(i + 1, len(s) + 1):
            part = s[i:j]
            {step}
    return best, count, length
"""
    improve(PalindromeCentres(), source, "f", TEXTS, contains=["centre"])


@pytest.mark.parametrize("leave", ["", "\n            break"])
def test_occurrences_are_found_by_slices_and_then_by_find(improve, leave):
    source = f"""
def f(text, word):
    places = []
    for i in range(len(text) - len(word) + 1):
        match = True
        for j in range(len(word)):
            if text[i + j] != word[j]:
                match = False
                break
        if match:
            places.append(i){leave}
    return places
"""
    once = improve(FindOccurrences(), source, "f", PAIRS, contains=["text[i:i + len(word)] == word"])
    improve(FindOccurrences(), once, "f", PAIRS, contains=["text.find(word"])


def test_occurrences_apart_are_counted(improve):
    source = """
def f(text, word):
    count = 0
    i = 0
    while i <= len(text) - len(word):
        if text[i:i + len(word)] == word:
            count += 1
            i += len(word)
        else:
            i += 1
    return count
"""
    source = source.replace("i <= len(text) - len(word)", "i + len(word) <= len(text)")
    improve(FindOccurrences(), source, "f", PAIRS, contains=["text.count(word)"])


def test_windows_are_compared_by_their_counts(improve):
    source = """
def f(text, word):
    places = []
    target = sorted(word)
    for i in range(len(text) - len(word) + 1):
        if sorted(text[i:i + len(word)]) == sorted(word):
            places.append(i)
    return places
"""
    improve(AnagramWindow(), source, "f", PAIRS, contains=["collections.Counter(text[:len(word)])"])


def test_shared_runs_are_measured_row_by_row(improve):
    source = """
def f(a, b):
    best = 0
    for i in range(len(a)):
        for j in range(len(b)):
            k = 0
            while i + k < len(a) and j + k < len(b) and a[i + k] == b[j + k]:
                k += 1
            best = max(best, k)
    return best
"""
    improve(CommonRun(), source, "f", PAIRS, contains=["row"])
