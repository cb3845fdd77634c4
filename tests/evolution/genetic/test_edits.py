from __future__ import annotations

import ast
import random
import textwrap
from pathlib import Path

import pytest

from peagen_ray.evolution.mutators.genetic.base import Draft, Operator
from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.edits import OPERATORS
from peagen_ray.evolution.mutators.genetic.render import render

BY_NAME = {operator.NAME: operator for operator in OPERATORS}
STDLIB = Path(textwrap.__file__).parent


def body(text: str) -> str:
    return "def f(a, b):\n" + textwrap.indent(textwrap.dedent(text).strip("\n"), "    ") + "\n"


def outcomes(
    name: str, source: str, inspirations: tuple[str, ...] = (), seeds: int = 12, entry: str = "f"
) -> set[str]:
    """Every program that an operator makes of ``source``, over its sites and some seeds."""
    operator, made = BY_NAME[name], set()
    count = len(operator.sites(Draft.parse(source, entry, inspirations)))
    for index in range(count):
        for seed in range(seeds):
            draft = Draft.parse(source, entry, inspirations)
            if operator.apply(draft, operator.sites(draft)[index], random.Random(seed)):
                draft.touched()
                made.add(render(draft))
    return made


FOUND = "for x in a:\n    if x:\n        b = 1"
NESTED = "for i in a:\n    for j in {}:\n        c()"
CASES: list[tuple[str, str, str]] = [
    ("delete-statement", "x = 1\nreturn a", "return a"),
    ("delete-statement", "if a:\n    x = 1\nreturn a", "if a:\n    pass\nreturn a"),
    ("duplicate-statement", "a += 1\nreturn a", "a += 1\na += 1\nreturn a"),
    ("swap-statements", "x = 1\ny = 2\nreturn a", "y = 2\nx = 1\nreturn a"),
    ("move-statement", "for x in a:\n    b()\nreturn a", "b()\nfor x in a:\n    pass\nreturn a"),
    ("leave-loop", "for x in a:\n    y = 1\n    b(y)\n", "y = 1\nfor x in a:\n    b(y)\n"),
    ("leave-loop", "for x in a:\n    y = 1\n    b(y)\n", "for x in a:\n    b(y)\ny = 1"),
    ("replace-statement", "x = 1\ny = 2\nreturn a", "y = 2\ny = 2\nreturn a"),
    ("unwrap-block", "if a:\n    b()\nelse:\n    c()", "b()"),
    ("unwrap-block", "if a:\n    b()\nelse:\n    c()", "c()"),
    ("negate-condition", "while a < b:\n    a += 1", "while a >= b:\n    a += 1"),
    ("negate-condition", "return 1 if a else 2", "return 1 if not a else 2"),
    ("drop-condition", "if a and b:\n    c()", "if b:\n    c()"),
    ("drop-condition", "return a or b or c", "return a or c"),
    ("swap-branches", "if a:\n    b()\nelse:\n    c()", "if a:\n    c()\nelse:\n    b()"),
    ("swap-branches", "return 1 if a else 2", "return 2 if a else 1"),
    ("drop-else", "for x in a:\n    b()\nelse:\n    c()", "for x in a:\n    b()"),
    ("early-exit", f"{FOUND}\nreturn b", f"{FOUND}\n        break\nreturn b"),
    ("early-exit", f"{FOUND}\nreturn b", f"{FOUND}\n        return b\nreturn b"),
    ("break-on-else", FOUND, f"{FOUND}\n    else:\n        break"),
    ("merge-ifs", "if a:\n    if b:\n        c()", "if a and b:\n    c()"),
    ("skip-rest", "if a:\n    b()\nc()", "if a:\n    b()\nelse:\n    c()"),
    ("shorten-range", "for i in range(b):\n    a()", "for i in range(1, b):\n    a()"),
    ("shorten-range", "for i in range(b - 1):\n    a()", "for i in range(b - 2):\n    a()"),
    ("shorten-range", "for i in range(1, b + 1):\n    a()", "for i in range(1, b):\n    a()"),
    ("shorten-range", "for i in range(-1, b, 2):\n    a()", "for i in range(-1 + 1, b, 2):\n    a()"),
    ("range-after-outer", NESTED.format("range(b)"), NESTED.format("range(i + 1, b)")),
    ("range-after-outer", NESTED.format("range(b)"), NESTED.format("range(b - i)")),
    ("range-after-outer", NESTED.format("range(b)"), NESTED.format("range(i)")),
    ("range-to-root", "for i in range(2, b):\n    a()", "for i in range(2, b // 2 + 1):\n    a()"),
    ("tweak-constant", "return a + 3", "return a + 6"),
    ("tweak-constant", "return True", "return False"),
    ("tweak-constant", "return 2.5", "return 1.5"),
    ("swap-comparison", "return a < b", "return a <= b"),
    ("swap-comparison", "return a == b", "return a is b"),
    ("swap-arithmetic", "return a / b", "return a // b"),
    ("swap-arithmetic", "a += b\nreturn a", "a -= b\nreturn a"),
    ("swap-boolean", "return a and b", "return a or b"),
    ("swap-boolean", "return a and b", "return b and a"),
    ("keep-operand", "return a * b", "return a"),
    ("unwrap-call", "return list(a)", "return a"),
    ("unwrap-call", "return a[:]", "return a"),
    ("unwrap-call", "return a.copy()", "return a"),
    ("unwrap-call", "return copy.deepcopy(a)", "return a"),
    ("drop-argument", "return a(1, 2)", "return a(1)"),
    ("drop-argument", "return sorted(a, key=b)", "return sorted(a)"),
    ("replace-expression", "x = a\nreturn b", "x = b\nreturn b"),
    ("hoist-expression", "for x in a:\n    b(len(a))", "len_value = len(a)\nfor x in a:\n    b(len_value)"),
    ("hoist-expression", "while a.size:\n    b()", "size = a.size\nwhile size:\n    b()"),
    ("hoist-expression", "while a[0]:\n    b()", "value = a[0]\nwhile value:\n    b()"),
    ("inline-variable", "x = a + 1\nreturn x", "return a + 1"),
    ("drop-dead-assignment", "x = a()\nx += 1\nreturn b", "x += 1\nreturn b"),
    ("reuse-variable", "x = len(a)\nreturn x + len(a)", "x = len(a)\nreturn x + x"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "before", "after"), CASES)
def test_an_edit_makes_what_it_says(name: str, before: str, after: str) -> None:
    assert body(after) in outcomes(name, body(before))


def test_a_range_to_the_root_brings_the_import_it_needs() -> None:
    made = outcomes("range-to-root", body("for i in range(2, b - 1 + 1):\n    a()"))
    assert "import math\n\n\n" + body("for i in range(2, math.isqrt(b - 1) + 1):\n    a()") in made


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("delete-statement", "'''Doc.'''\npass"),
        ("swap-statements", "return a"),
        ("move-statement", "return a"),
        ("replace-statement", "return a"),
        ("replace-expression", "return a"),
        ("early-exit", "for x in a:\n    for y in b:\n        pass"),
        ("drop-argument", "return a(1)"),
        ("unwrap-call", "return a[1:] + list() + sorted(a, key=b) + list(*a) + a.b.c(1)"),
        ("inline-variable", "x = 1\nx = 2\nreturn x"),
        ("inline-variable", "x += 1\nreturn x"),
        ("inline-variable", "x: int\nreturn x"),
        ("drop-dead-assignment", "global x\nx = 1"),
        ("drop-dead-assignment", "x = 1\ndef g():\n    return x\nreturn g"),
        ("hoist-expression", "for x in a:\n    b(x + 1)"),
        ("merge-ifs", "if a:\n    if b:\n        c()\nelse:\n    d()"),
        ("range-after-outer", "for i in a:\n    pass\nfor j in range(b):\n    c()"),
        ("tweak-constant", "return 'a', f'{1}', None"),
    ],
)
def test_an_edit_has_nothing_to_do_where_it_makes_no_sense(name: str, text: str) -> None:
    assert outcomes(name, body(text)) == set()


def test_annotations_targets_and_patterns_are_not_read() -> None:
    source = body("x: 1 = a\nx[2] = a\nmatch a:\n    case 3:\n        pass\nreturn [4 for x in a]")
    made = outcomes("tweak-constant", source)
    assert made
    assert all(all(part in text for part in ("x: 1", "x[2]", "case 3")) for text in made)


# -- crossover ------------------------------------------------------------------------------------

PARENT = """
import os

def helper(x):
    return slow(x)


class K:
    def f(self): return 0


def f(a, b):
    '''Doc.'''
    # how
    c = helper(a)
    d = 1
    return c + d
"""
OTHER = """
import bisect
from heapq import heapify

LIMIT = 10
TABLE = {LIMIT: 1}


def quick(x):
    return TABLE[x]


def helper(x):
    return quick(x)


class K:
    def f(self): return 1


def f(a, b):
    '''Doc.'''
    c = helper(a)
    d = bisect.bisect(a, 2)
    return c + d
"""


def test_a_function_is_taken_over_with_what_it_needs() -> None:
    made = outcomes("crossover", PARENT, (OTHER,), seeds=1)
    (text,) = [each for each in made if "quick" in each]
    tree = ast.parse(text)
    names = [getattr(node, "name", ast.unparse(node)) for node in tree.body]
    assert names == ["import os", "LIMIT = 10", "TABLE = {LIMIT: 1}", "quick", "helper", "K", "f"]
    assert "# how" in text


def test_a_method_is_only_replaced_by_the_same_method() -> None:
    made = outcomes("crossover", PARENT, (OTHER,), seeds=1, entry="")
    assert any("def f(self): return 1" in text or "        return 1" in text for text in made)
    assert len(made) == 3


def test_one_difference_is_taken_over_alone() -> None:
    made = outcomes("crossover-statements", PARENT, (OTHER,), seeds=1)
    (text,) = [each for each in made if "bisect(a, 2)" in each]
    assert text.count("import bisect") == 1
    assert "slow(x)" in text
    assert "# how\n    c = helper(a)\n    d = bisect.bisect(a, 2)\n    return c + d" in text


def test_a_version_that_takes_other_arguments_is_none() -> None:
    others = (
        "def f(a): return 1",
        "async def f(a, b): return 1",
        "def g(a, b): return 1",
        "def f(a, b:",
    )
    assert outcomes("crossover", body("return 0"), others) == set()


def test_a_difference_that_would_leave_nothing_is_given_up() -> None:
    other = "def f(a, b):\n    return a"
    source = "def f(a, b):\n    pass\n    return a"
    assert outcomes("crossover-statements", source, (other,)) == {"def f(a, b):\n    return a"}


def test_statements_and_expressions_come_from_inspirations_too() -> None:
    other = body("'''Doc.'''\nreturn sorted(a)")
    assert body("return sorted(a)") in outcomes("replace-statement", body("return a"), (other,))
    assert body("return sorted(a)") in outcomes("replace-expression", body("return a"), (other,), seeds=40)
    assert not any("Doc" in text for text in outcomes("replace-statement", body("return a"), (other,)))


# -- all of them ----------------------------------------------------------------------------------


def test_names_are_kebab_case_and_used_once() -> None:
    assert len(BY_NAME) == len(OPERATORS)
    assert all(name == name.lower().replace(" ", "-").replace("_", "-") for name in BY_NAME)


def test_general_edits_weigh_less_than_idioms_and_crossover_as_much() -> None:
    weights = {name: operator.WEIGHT for name, operator in BY_NAME.items()}
    assert weights.pop("crossover") == 1.0
    assert all(0 < weight <= 0.5 for weight in weights.values())


@pytest.mark.parametrize("operator", OPERATORS, ids=lambda operator: operator.NAME)
@pytest.mark.parametrize("module", ["shlex", "copy"])
def test_an_edit_works_on_any_program(operator: Operator, module: str) -> None:
    source = (STDLIB / f"{module}.py").read_text()
    other = source.replace("1", "2").replace("break", "pass")
    first = Draft.parse(source, inspirations=[other])
    count = len(operator.sites(first))
    assert same_code(first.tree, first.pristine), "finding sites edits nothing"
    rng = random.Random(operator.NAME)
    for index in rng.sample(range(count), min(count, 6)):
        texts = []
        for _ in range(2):
            draft = Draft.parse(source, inspirations=[other])
            applied = operator.apply(draft, operator.sites(draft)[index], random.Random(index))
            draft.touched()
            try:
                texts.append(render(draft) if applied else "")
            except SyntaxError:
                texts.append("no program")
        assert texts[0] == texts[1], "the same site and seed make the same program"
        assert texts[0] != source
