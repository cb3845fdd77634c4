"""Whatever a model says, reading it ends with an edit or a reason, and soon."""

from __future__ import annotations

import ast
import random

import pytest
from answer_shape import BOX, EVOLVE, TOTAL
from hypothesis import example, given, settings
from hypothesis import strategies as st

from peagen_ray.evolution.answers import LIMIT, Changed, Reason, Rejected, read_answer

FULL = LIMIT - 100
PIECES = [
    "```", "````", "~~~", "```python\n", "```diff\n", "<think>", "</think>", "<<<<<<< SEARCH\n", "=======\n",
    ">>>>>>> REPLACE\n", "--- a/x.py\n+++ b/x.py\n", "@@ -1,3 +1,3 @@\n", "+", "-", " ", "\n", "\r\n", "\0", "\ud800",
    "def total(values):\n", "    return 0\n", "    result = 0\n", "# EVOLVE-BLOCK-START\n", "# EVOLVE-BLOCK-END\n", '"""', "'",
    "class Box:\n", "    def size(self):\n", "        return 1\n", "import math\n", "x = (", ")", "\\", "\f", "\u2028", "\ufeff",
    "*** Update File: x.py\n", "# ...\n", "async ", "@",
]  # fmt: skip


def filled(unit: str, head: str = "", tail: str = "") -> str:
    """As much of a text as an answer may hold."""
    return head + unit * ((FULL - len(head) - len(tail)) // len(unit)) + tail


GIANTS = {
    "opening fences": filled("```python\n"),
    "bare fences": filled("```\n"),
    "a fence as long as can be": filled("`"),
    "tildes and a backtick": filled("~", "", "`\n"),
    "fences in fences": "\n".join(f"{'`' * n}markdown" for n in range(3, 600)),
    "functions in fences": filled("```python\ndef total(values):\n    return 1\n```\n"),
    "broken functions in fences": filled("```python\ndef total(values):\n    return (\n```\n"),
    "reasoning": filled("<think>"),
    "reasoning that ends": filled("<think>\n</think>\n"),
    "ends of reasoning": filled("</think> "),
    "lines of ends of reasoning": filled("x </think>\n"),
    "openers": filled("<<<<<<< SEARCH\n"),
    "blocks": filled("<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACE\n"),
    "blocks that fit": filled("<<<<<<< SEARCH\n    return result\n=======\n    return 1\n>>>>>>> REPLACE\n"),
    "dividers": filled("=======\n", "<<<<<<< SEARCH\n", ">>>>>>> REPLACE\n"),
    "one long block": filled("    result = 0\n", "<<<<<<< SEARCH\n", "=======\n>>>>>>> REPLACE\n"),
    "hunks": filled("@@ @@\n-x\n+y\n"),
    "hunks that fit": filled("@@ @@\n-    result = 0\n+    result = 1\n"),
    "hunk headers": filled("@@"),
    "lines of hunk headers": filled("@@\n"),
    "files": filled("--- a/x\n+++ b/x\n@@ @@\n-x\n+y\n"),
    "files of many names": "".join(f"--- a/{n}\n+++ b/{n}\n@@ @@\n-x\n" for n in range(900)),
    "one long hunk": filled("     result = 0\n", "@@ @@\n", "-    return result\n"),
    "indentations": "@@ @@\n" + "".join(f"-{' ' * n}x\n+{' ' * n}y\n" for n in range(400)),
    "blank lines": filled("\n"),
    "blanks": filled(" "),
    "tabs and a tag": filled("\t", "", "<thin"),
    "carriage returns": filled("\r"),
    "null bytes": filled("\0"),
    "null bytes in code": "```python\ndef total(values):\n    return '\0'\n```",
    "surrogates": filled("\ud800"),
    "surrogates in code": "```python\ndef total(values):\n    return '\ud800'\n```",
    "parentheses": filled("(", "```python\ndef total(values):\n    return "),
    "minus signs": filled("-", "```python\ndef total(values):\n    return ", "1\n```"),
    "attributes": filled(".a", "```python\ndef total(values):\n    return values", "\n```"),
    "sums": filled("+1", "```python\ndef total(values):\n    return 1", "\n```"),
    "deep defaults": filled("-", "```python\ndef total(values, x=", "1):\n    return 1\n```"),
    "deep blocks": "```python\n" + "".join(f"{' ' * n}def total(values):\n" for n in range(90)) + f"{' ' * 90}pass\n```",
    "deep lists": filled("[", "```python\ndef total(values):\n    return ") + "\n```",
    "digits": filled("9", "```python\ndef total(values):\n    return ", "\n```"),
    "helpers": "```python\n" + "".join(f"def f{n}(x):\n    return f{n + 1}(x)\n" for n in range(4500))
    + "def total(values):\n    return f0(values)\n```",
    "statements": filled("x = 1\n", "```python\ndef total(values):\n    return x\n", "```"),
    "statements of many names": "```python\n" + "".join(f"x{n} = {n}\n" for n in range(10_000)) + "def total(values):\n    return 1\n```",
    "methods": "```python\nclass Box:\n" + "".join(f"    def f{n}(self):\n        return {n}\n" for n in range(4500)) + "```",
    "a long word": filled("a", "def total(values):\n"),
    "a long word and a sign": filled("a", "def total(values):\n    pass\n", " ="),
    "colons": filled(": ", "def total(values):\n    pass\nif ", "x\n"),
    "words of a list": filled("- item\n"),
    "comments": filled("#", "```python\ndef total(values):\n    ", "\n    return 1\n```"),
    "strings": filled('"""\n', "```python\ndef total(values):\n    return 1\n"),
    "markers": filled("# EVOLVE-BLOCK-START\n# EVOLVE-BLOCK-END\n", "```python\n", "```"),
    "files named above blocks": filled("x.py\n<<<<<<< SEARCH\na\n=======\n>>>>>>> REPLACE\n"),
}  # fmt: skip


SOURCES = {"methods": (BOX, "Box.size"), "markers": (EVOLVE, ""), "functions in fences": (TOTAL, "")}


@pytest.mark.timeout(60)
@pytest.mark.parametrize(("name", "answer"), GIANTS.items(), ids=GIANTS.keys())
def test_the_largest_answers_are_read(name: str, answer: str) -> None:
    source, entry = SOURCES.get(name, (TOTAL, "total"))
    assert len(answer.encode(errors="replace")) <= LIMIT
    check(read_answer(answer, source, entry), source)


@pytest.mark.parametrize("size", [LIMIT + 1, 50_000_000])
def test_larger_answers_are_not_read(size: int) -> None:
    said = read_answer("`" * size, TOTAL, "total")
    assert isinstance(said, Rejected)
    assert said.reason is Reason.TOO_LARGE


def test_an_edit_in_a_large_program_is_found() -> None:
    source = "".join(f"def f{n}(x):\n    y = x + {n}\n    return y\n\n\n" for n in range(4000))
    hunks = "".join(f"@@ @@\n-    y = x + {n}\n+    y = {n} + x\n" for n in range(0, 4000, 5))
    said = read_answer(f"```diff\n{hunks}```", source, "f0")
    assert isinstance(said, Changed), said
    assert said.source.count("+ x\n") == 800


def test_bytes_that_are_no_text_are_no_edit() -> None:
    noise = random.Random(1).randbytes(150_000)
    for text in (noise.decode("latin-1"), noise.decode("utf-16-le", errors="replace")):
        assert isinstance(read_answer(text[:60_000], TOTAL, "total"), Rejected)


@settings(max_examples=150, deadline=None)
@given(pieces=st.lists(st.sampled_from(PIECES), max_size=60))
@example(pieces=["```python\n", "def total(values):\n", "    return 0\n"])
def test_any_salad_of_markers_is_read(pieces: list[str]) -> None:
    for source, entry in ((TOTAL, "total"), (BOX, "Box.size"), (EVOLVE, "search")):
        check(read_answer("".join(pieces), source, entry), source)


@settings(max_examples=60, deadline=None)
@given(answer=st.text(), source=st.text())
def test_any_text_is_read(answer: str, source: str) -> None:
    check(read_answer(answer, source, ""), source)


def check(said: Changed | Rejected, source: str) -> None:
    """What is made is another program that parses; what is not has a reason."""
    if isinstance(said, Rejected):
        assert isinstance(said.reason, Reason)
        assert len(said.detail) < 1000
    else:
        assert said.source != source
        ast.parse(said.source.removeprefix("\ufeff"))
