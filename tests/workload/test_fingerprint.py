"""Fingerprints see the program, not its layout."""

from __future__ import annotations

import pytest

from peagen_ray.workload.fingerprint import fingerprint

BASE = 'def f(a):\n    """Doc."""\n    return a + 1\n'


@pytest.mark.parametrize(
    "same",
    [
        "def f(a):\n    # a comment\n    return (a + 1)\n",
        'def f( a ):\n\n  "another docstring"\n  return a+1',
        '"""A module."""\n' + BASE,
    ],
)
def test_comments_layout_and_docstrings_do_not_count(same):
    assert fingerprint(same) == fingerprint(BASE)


@pytest.mark.parametrize("other", ["def f(a):\n    return a + 2\n", "def f(b):\n    return b + 1\n"])
def test_any_change_of_the_tree_counts(other):
    assert fingerprint(other) != fingerprint(BASE)


def test_a_body_of_nothing_but_a_docstring_is_an_empty_body():
    assert fingerprint('def f():\n    """Doc."""') == fingerprint("def f():\n    pass")


def test_a_text_that_is_no_docstring_counts():
    assert fingerprint("def f():\n    x = 'a'") != fingerprint("def f():\n    x = 'b'")


def test_a_syntax_error_is_raised():
    with pytest.raises(SyntaxError):
        fingerprint("def f(:")
