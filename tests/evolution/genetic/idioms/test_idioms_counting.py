"""Dictionaries that count and group: each rewrite, and that it changes nothing."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.mutators.genetic import idioms_counting as idioms

WORDS = [(["b", "a", "b", "c", "a"],), ([],)]

CASES = [
    *(
        pytest.param(
            idioms.CountingLoop(),
            f"def f(words):\n    counts = {{}}\n    for w in words:\n        {step}\n    return counts\n",
            """
            import collections


            def f(words):
                counts = dict(collections.Counter(words))
                return counts
            """,
            WORDS,
            id=name,
        )
        for name, step in (
            ("either-or", "if w in counts: counts[w] += 1\n        else: counts[w] = 1"),
            ("started-with-zero", "if w not in counts: counts[w] = 0\n        counts[w] = counts[w] + 1"),
            ("with-a-default", "counts[w] = counts.get(w, 0) + 1"),
            ("counted-each-time", "if w not in counts: counts[w] = words.count(w)"),
        )
    ),
    pytest.param(
        idioms.DictDefault(),
        """
        def f(words):
            groups = {}
            for w in words:
                if w not in groups:
                    groups[w] = []
                groups[w].append(w + w)
            return groups
        """,
        """
        def f(words):
            groups = {}
            for w in words:
                groups.setdefault(w, []).append(w + w)
            return groups
        """,
        WORDS,
        id="grouping-with-setdefault",
    ),
    pytest.param(
        idioms.DictDefault(),
        """
        def f(words, known={"a": 1}):
            out = []
            for w in words:
                try:
                    n = known[w]
                except KeyError:
                    n = 0
                out.append(n)
            return out
        """,
        """
        def f(words, known={"a": 1}):
            out = []
            for w in words:
                n = known.get(w, 0)
                out.append(n)
            return out
        """,
        WORDS,
        id="an-exception-is-a-default",
    ),
    pytest.param(
        idioms.Dedupe(),
        """
        def f(words):
            out = []
            for w in words:
                if w not in out:
                    out.append(w)
            return out
        """,
        """
        def f(words):
            out = list(dict.fromkeys(words))
            return out
        """,
        WORDS,
        id="dropping-repeats-in-order",
    ),
    pytest.param(
        idioms.HasDuplicates(),
        """
        def f(words):
            for i in range(len(words)):
                for j in range(i + 1, len(words)):
                    if words[i] == words[j]:
                        return True
            return False
        """,
        """
        def f(words):
            return len(words) != len(set(words))
        """,
        [*WORDS, (["a", "b"],)],
        id="any-two-alike",
    ),
    pytest.param(
        idioms.Anagram(),
        """
        def f(a, b):
            if len(a) != len(b):
                return False
            rest = list(b)
            for ch in a:
                if ch in rest:
                    rest.remove(ch)
                else:
                    return False
            return True
        """,
        """
        def f(a, b):
            if len(a) != len(b):
                return False
            return sorted(a) == sorted(b)
        """,
        [("abc", "cba"), ("ab", "aa"), ("", ""), ("a", "ab")],
        id="crossing-out-letters",
    ),
]


@pytest.mark.parametrize(("operator", "before", "after", "calls"), CASES)
def test_rewrite_uses_the_dict_and_keeps_result_type_and_order(check, operator, before, after, calls) -> None:
    check(operator, before, after, *calls)
