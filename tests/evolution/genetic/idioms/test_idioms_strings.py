"""Text: each rewrite, and that it changes nothing."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.mutators.genetic import idioms_strings as idioms

TEXTS = [("a b  c",), ("",), ("   ",)]

CASES = [
    pytest.param(
        idioms.JoinLoop(),
        """
        def f(s):
            out = ""
            for ch in s:
                if ch == " ":
                    out += "_"
                else:
                    out += ch
            return out
        """,
        """
        def f(s):
            out = s.replace(" ", "_")
            return out
        """,
        TEXTS,
        id="one-character-for-another",
    ),
    pytest.param(
        idioms.JoinLoop(),
        """
        def f(s):
            out = ""
            for i in range(len(s)):
                if s[i].isalpha():
                    out = out + s[i].upper()
            return out
        """,
        """
        def f(s):
            out = "".join([value.upper() for value in s if value.isalpha()])
            return out
        """,
        TEXTS,
        id="filtered-and-joined",
    ),
    pytest.param(
        idioms.StringMethods(),
        """
        def f(s, p="b"):
            places = []
            for i in range(len(s) - len(p) + 1):
                match = True
                for j in range(len(p)):
                    if s[i + j] != p[j]:
                        match = False
                        break
                if match:
                    places.append(i)
            return places
        """,
        """
        def f(s, p="b"):
            places = []
            for i in range(len(s) - len(p) + 1):
                match = s.startswith(p, i)
                if match:
                    places.append(i)
            return places
        """,
        TEXTS,
        id="comparing-letter-by-letter",
    ),
    pytest.param(
        idioms.StringMethods(),
        """
        def f(s):
            return sum(1 for c in s if c in "ac")
        """,
        """
        def f(s):
            return sum(map(s.count, "ac"))
        """,
        TEXTS,
        id="counting-each-letter-of-a-few",
    ),
    pytest.param(
        idioms.PartsList(),
        """
        def f(s):
            out = ""
            i = 0
            while i < len(s):
                if s[i] == " ":
                    out += "-"
                    i += 2
                else:
                    out = out + s[i]
                    i += 1
            return out
        """,
        """
        def f(s):
            parts = []
            i = 0
            while i < len(s):
                if s[i] == " ":
                    parts.append("-")
                    i += 2
                else:
                    parts.append(s[i])
                    i += 1
            out = "".join(parts)
            return out
        """,
        TEXTS,
        id="parts-collected-in-a-list",
    ),
]


@pytest.mark.parametrize(("operator", "before", "after", "calls"), CASES)
def test_rewrite_makes_the_same_text(check, operator, before, after, calls) -> None:
    check(operator, before, after, *calls)


@pytest.mark.parametrize(
    "loop",
    [
        "for ch in s:\n        out += ch\n        n = len(out)",
        "for ch in s:\n        n += 1",
        "for ch in s:\n        out = ch",
    ],
)
def test_text_that_the_loop_reads_is_not_kept_in_parts(sites, loop) -> None:
    source = f"def f(s):\n    n = 0\n    out = ''\n    {loop}\n    return out, n\n"
    assert sites(idioms.PartsList(), source) == 0


def test_numbers_are_not_joined(sites) -> None:
    assert sites(idioms.JoinLoop(), "def f(xs, n):\n    for x in xs:\n        n += x\n    return n\n") == 0
    assert (
        sites(idioms.JoinLoop(), "def f(xs, n):\n    for x in xs:\n        n += f'{x}'\n    return n\n") == 1
    )
