"""Grouping by key finds the same matches, in the same order, as comparing every pair."""

from __future__ import annotations

import random

import pytest

from peagen_ray.evolution.mutators.genetic.algorithms.joins import HashJoin

RNG = random.Random(5)
NUMBERS = [([RNG.randint(-4, 9) for _ in range(n)], RNG.randint(-2, 9)) for n in range(14)]
PAIRS = [
    (
        [(RNG.randint(0, 4), RNG.randint(0, 3)) for _ in range(n)],
        [(RNG.randint(0, 4), RNG.randint(0, 3)) for _ in range(12 - n)],
    )
    for n in range(12)
]
WORDS = [(["".join(RNG.choices("abc", k=RNG.randint(1, 3))) for _ in range(n)],) for n in range(12)]


def test_two_tables_are_joined_through_groups(improve):
    source = """
def join(orders, users):
    result = []
    for order in orders:
        for user in users:
            # same customer
            if user[0] == order[0]:
                result.append((user[1], order[1]))
    return result
"""
    after = improve(HashJoin(), source, "join", PAIRS)
    assert "groups.setdefault(user[0], []).append(user)" in after
    assert "for user in groups.get(order[0], ()):" in after


def test_unpacked_items_and_several_keys_are_joined(improve):
    source = """
def join(a, b):
    out = []
    for x, y in a:
        for u, v in b:
            if u == x and v == y:
                out.append((x, y, u, v))
    return out
"""
    improve(HashJoin(), source, "join", PAIRS, contains=["groups.get((x, y), ())"])


@pytest.mark.parametrize(
    "loops",
    [
        "for i in range(len(nums)):\n        for j in range(i + 1, len(nums)):\n"
        "            if nums[i] + nums[j] == target:\n                return [i, j]",
        "n = len(nums)\n    i = 0\n    while i < n:\n        j = i + 1\n        while j < n:\n"
        "            total = nums[i] + nums[j]\n            if target == total:\n                return [i, j]\n"
        "            j += 1\n        i += 1",
        "for i, a in enumerate(nums):\n        for j, b in enumerate(nums):\n"
        "            if i == j:\n                continue\n            if a == target - b:\n                return [i, j]",
        "for i, a in enumerate(nums):\n        for j in range(i):\n"
        "            if a + nums[j] == target:\n                return [j, i]",
        "for i, a in enumerate(nums):\n        for b in nums[i + 1:]:\n"
        "            if a + b == target:\n                return (a, b)",
        "for a in nums:\n        need = target - a\n        for k in range(len(nums)):\n"
        "            if nums[k] == need:\n                return a, k",
    ],
)
def test_the_first_pair_with_a_sum_stays_the_same(improve, loops):
    source = f"def two_sum(nums, target):\n    {loops}\n    return None\n"
    improve(HashJoin(), source, "two_sum", NUMBERS, contains=[".get("])


@pytest.mark.parametrize(
    ("condition", "contains"),
    [
        ("a[i] == a[j]", "len(rows[bisect.bisect_left(rows, i + 1):])"),
        ("a[j] - a[i] == k", "groups.get(a[i] + k, ())"),
        ("(a[i] + a[j]) % 3 == 0", "groups.setdefault(a[j] % 3, [])"),
        ("a[i] + i == a[j] + j", "groups.setdefault(a[j] + j, [])"),
    ],
)
def test_pairs_are_counted_by_looking_up_how_many_there_are(improve, condition, contains):
    source = f"""
def count(a, k):
    total = 0
    for i in range(len(a)):
        for j in range(i + 1, len(a)):
            if {condition}:
                total += 1
    return total
"""
    after = improve(HashJoin(), source, "count", NUMBERS)
    assert contains in after.replace(" :", ":"), after


def test_three_loops_lose_the_innermost(improve):
    source = """
def triples(xs, target):
    found = []
    n = len(xs)
    for i in range(n):
        for j in range(i + 1, n):
            for k in range(j + 1, n):
                if xs[i] + xs[j] + xs[k] == target:
                    found.append((i, j, k))
    return found
"""
    improve(HashJoin(), source, "triples", NUMBERS, contains=["bisect.bisect_left(rows, j + 1)"])


def test_occurrences_are_counted_once(improve):
    source = """
def frequencies(words):
    table = {}
    for word in words:
        count = 0
        for other in words:
            if word == other:
                count += 1
        table[word] = count
    return table
"""
    improve(
        HashJoin(), source, "frequencies", WORDS, contains=["collections.Counter(", "count += counts[word]"]
    )


def test_a_count_in_a_comprehension_is_found_too(improve):
    source = """
def frequencies(words):
    table = {}
    for word in words:
        table[word] = len([w for w in words if w == word]) + words.count(word)
    return table
"""
    improve(HashJoin(), source, "frequencies", WORDS, contains=["collections.Counter("])


def test_a_helper_that_searches_is_written_where_it_is_called(improve):
    source = """
def find(users, key):
    for user in users:
        if user[0] == key:
            return user
    return None

def names(orders, users):
    out = []
    for order in orders:
        user = find(users, order[0])
        if user is not None:
            out.append(user[1])
        else:
            out.append(-1)
    return out
"""
    improve(HashJoin(), source, "names", PAIRS, contains=["groups.get(order[0], ())"])


def test_anagrams_are_compared_by_their_sorted_letters(improve):
    source = """
def anagrams(words):
    pairs = []
    for i in range(len(words)):
        for j in range(i + 1, len(words)):
            if sorted(words[i]) == sorted(words[j]):
                pairs.append((words[i], words[j]))
    return pairs
"""
    improve(HashJoin(), source, "anagrams", WORDS, contains=["tuple(sorted(words[j]))"])


def test_a_list_of_groups_that_grows_is_indexed_as_it_grows(improve):
    source = """
def group(words):
    groups = []
    for word in words:
        found = False
        for entry in groups:
            if entry[0] == len(word):
                entry[1].append(word)
                found = True
                break
        if not found:
            groups.append([len(word), [word]])
    return groups
"""
    improve(HashJoin(), source, "group", WORDS, contains=["filled = len(groups)"])


def test_parallel_lists_that_grow_are_indexed_too(improve):
    source = """
def count(words):
    keys, counts = [], []
    for w in words:
        for i in range(len(keys)):
            if keys[i] == w:
                counts[i] += 1
                break
        else:
            keys.append(w)
            counts.append(1)
    return keys, counts
"""
    improve(HashJoin(), source, "count", WORDS, contains=["filled = max(filled, len(keys))"])


def test_a_loop_over_earlier_positions_is_indexed_as_far_as_it_goes(improve):
    source = """
def previous(a, k):
    last = []
    for i in range(len(a)):
        best = -1
        for j in range(i):
            if a[j] == a[i] + k:
                best = j
        last.append(best)
    for i in range(len(a)):
        for m in range(3):
            for j in range(i):
                if a[j] == m:
                    last.append(j)
    return last
"""
    improve(HashJoin(), source, "previous", NUMBERS, contains=["for j in rows:"])
    improve(HashJoin(), source, "previous", NUMBERS, site=1)


@pytest.mark.parametrize(
    "inner",
    [
        "for b in (1, 2):\n            if a == b:\n                out.append(b)",
        "for b in xs:\n            if a < b:\n                out.append(b)",
        "for b in xs:\n            if a == b:\n                out.append(b)\n        xs = xs[1:]",
        "for b in xs:\n            if a == b:\n                out.append(b)\n        xs.pop()",
        "for b in xs:\n            if a == b:\n                out.append(b)\n            else:\n                out.append(0)",
        "for j in range(len(xs)):\n            if xs[j] == a:\n                out.append(j)\n        xs[0] = a",
        "for j in range(0, len(xs), 2):\n            if xs[j] == a:\n                out.append(j)",
    ],
)
def test_other_inner_loops_are_left_alone(applies, inner):
    assert not applies(
        HashJoin(), f"def f(ys, xs):\n    out = []\n    for a in ys:\n        {inner}\n    return out\n"
    )


def test_a_loop_that_nothing_repeats_is_left_alone(applies):
    assert not applies(
        HashJoin(), "def f(xs, k):\n    for x in xs:\n        if x == k:\n            return x\n"
    )
