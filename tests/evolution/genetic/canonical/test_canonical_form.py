"""The normal form says what the program says, and forgets nothing of it."""

from __future__ import annotations

import ast
import copy
import importlib
import inspect
import random
from typing import Any

import pytest

from peagen_ray.evolution.mutators.genetic.base import Draft
from peagen_ray.evolution.mutators.genetic.canonical.expressions import condition, normalised
from peagen_ray.evolution.mutators.genetic.canonical.form import Form, Names
from peagen_ray.evolution.mutators.genetic.canonical.normal import Forms
from peagen_ray.evolution.mutators.genetic.canonical.trees import clone
from peagen_ray.evolution.mutators.genetic.render import render


def form_of(source: str) -> Form:
    draft = Draft.parse(source)
    return Forms.of(draft).form(draft.functions()[0])


def text_of(source: str) -> str:
    """A function's body in normal form, without ghosts."""
    form = form_of(source)

    def solid(block: list[ast.stmt]) -> list[ast.stmt]:
        for statement in block:
            for name in ("body", "orelse"):
                if isinstance(getattr(statement, name, None), list):
                    setattr(statement, name, solid(getattr(statement, name)))
        return form.solid(block)

    body = [ast.fix_missing_locations(s) for s in solid(form.body)]
    return "\n".join(ast.unparse(s) for s in body)


def body(text: str, parameters: str = "xs, n, v, d") -> str:
    lines = "\n".join("    " + line for line in text.splitlines())
    return f"def f({parameters}):\n{lines}\n"


SAME = [
    ["x = 0\nx = x + n\nreturn x", "x: int = 0\nx += n\nreturn x"],
    ["a, b = 0, 1\ng(a, b, a)", "a = 0\nb = 1\ng(a, b, a)"],
    ["t = xs[0]\nxs[0] = xs[1]\nxs[1] = t", "xs[0], xs[1] = xs[1], xs[0]"],
    ["xs += [n]", "xs.append(n)", "xs = xs + [n]", "xs.extend([n])"],
    ["if n > 1:\n    return True\nelse:\n    return False", "return 1 < n", "if n <= 1:\n    return False\nreturn True"],
    ["if n:\n    if v:\n        g()", "if n and v:\n    g()"],
    ["for x in xs:\n    if x < 3:\n        continue\n    g(x)", "for x in xs:\n    if not x < 3:\n        g(x)"],
    ["if v < n:\n    v = n\nreturn v", "v = n if n > v else v\nreturn v", "v = max(v, n)\nreturn v"],
    ["i = 0\nwhile i < n:\n    g(i)\n    i += 1", "for i in range(n):\n    g(i)", "for i in range(0, n, 1):\n    g(i)"],
    ["i = n\nwhile i >= 0:\n    g(i)\n    i -= 1", "for i in range(n, -1, -1):\n    g(i)"],
    ["i = 1\nwhile i <= n:\n    g(i)\n    i += 2", "for i in range(1, n + 1, 2):\n    g(i)"],
    ["while True:\n    if n > 3:\n        break\n    n = g(n)", "while n <= 3:\n    n = g(n)"],
    ["for i in range(len(xs)):\n    g(xs[i])", "for item in xs:\n    g(item)", "for i, item in enumerate(xs):\n    g(item)"],
    ["for i, x in enumerate(xs):\n    g(i, x)", "for i in range(len(xs)):\n    g(i, xs[i])"],
    ["for k, w in d.items():\n    g(k, w)", "for k in d:\n    g(k, d[k])", "for k in d.keys():\n    w = d[k]\n    g(k, w)"],
    ["out = [x * 2 for x in xs if x]\nreturn out", "out = []\nfor x in xs:\n    if x:\n        out.append(x * 2)\nreturn out"],
    ["t = sum(x for x in xs)\nreturn t", "t = 0\nfor x in xs:\n    t += x\nreturn t"],
    ["return any(x > n for x in xs)", "for x in xs:\n    if n < x:\n        return True\nreturn False"],
    ["c = xs.count(v)\nreturn c", "c = 0\nfor item in xs:\n    if item == v:\n        c += 1\nreturn c"],
    ["if v in d:\n    d[v] += 1\nelse:\n    d[v] = 1", "d[v] = d.get(v, 0) + 1", "if v not in d:\n    d[v] = 0\nd[v] += 1"],
    ["for x in xs:\n    if x == v:\n        break\nelse:\n    g()", "completed = True\nfor x in xs:\n    if x == v:\n        completed = False\n        break\nif completed:\n    g()"],
    ["found = False\nfor x in xs:\n    if x == v:\n        found = True\nreturn found", "found = False\nfor x in xs:\n    if x == v:\n        found = True\n        break\nreturn found"],
    ["m = len(xs)\nfor i in range(m):\n    g(i)", "for i in range(0, len(xs)):\n    g(i)"],
    ["for x in (-1, 0, 1):\n    g(x)", "for x in range(-1, 2):\n    g(x)"],
    ["for a, b in zip(xs, xs[1:]):\n    g(a, b)", "for index in range(len(xs) - 1):\n    g(xs[index], xs[index + 1])"],
    ["best = min(d, key=d.get)\nreturn best", "best = min(d, key=lambda k: d[k])\nreturn best"],
    ["if n == 0:\n    v = 1\nelse:\n    v = 2\nreturn v", "v = 2 if not n == 0 else 1\nreturn v"],
]  # fmt: skip


@pytest.mark.parametrize("texts", SAME, ids=lambda texts: texts[0].splitlines()[0])
def test_spellings_of_one_thing_have_one_form(texts):
    forms = {text_of(body(text)) for text in texts}
    assert len(forms) == 1, "\n---\n".join(sorted(forms))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a > b", "b < a"),
        ("not a > b", "a <= b"),
        ("not (a and b <= c)", "not a or c < b"),
        ("a < b <= c", "a < b and b <= c"),
        ("i <= n - 1", "i < n"),
        ("i < n + 1", "i <= n"),
        ("1 + x - 1", "x"),
        ("n - 1 - i", "n - i - 1"),
        ("-x + 1", "1 - x"),
        ("2 * x", "x * 2"),
        ("x ** 2", "x * x"),
        ("xs[len(xs) - 1]", "xs[-1]"),
        ("xs[0:len(xs):1]", "xs[:]"),
        ("range(n)", "range(0, n)"),
        ("dict()", "{}"),
        ("list()", "[]"),
        ("x == None", "x is None"),
        ("3 == x", "x == 3"),
        ("x in list(d.keys())", "x in d"),
        ("math.inf", "float('inf')"),
        ("float('Infinity')", "float('inf')"),
        ("a if a < b else b", "min(b, a)"),
        ("True if a < b else False", "a < b"),
        ("pow(a, b)", "a ** b"),
    ],
)
def test_expressions_are_written_in_one_way(text, expected):
    made = normalised(clone(ast.parse(text, mode="eval").body))
    assert ast.unparse(ast.fix_missing_locations(made)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("len(xs) > 0", "xs"),
        ("len(xs) == 0", "not xs"),
        ("len(xs) != 0", "xs"),
        ("len(xs) < 1", "not xs"),
        ("1 <= len(xs)", "xs"),
        ("flag == True", "flag"),
        ("flag is False", "not flag"),
        ("n % d", "n % d != 0"),
        ("not n % d", "n % d == 0"),
        ("bool(x)", "x"),
        ("s == ''", "not s"),
        ("s != []", "s"),
        ("a and len(xs) > 0", "a and xs"),
    ],
)
def test_conditions_say_only_what_counts(text, expected):
    made = condition(normalised(clone(ast.parse(text, mode="eval").body)))
    assert ast.unparse(ast.fix_missing_locations(made)) == expected


KEPT = [
    "i = 0\nwhile i < n:\n    if v:\n        continue\n    i += 1",
    "i = 0\nwhile i < len(xs):\n    xs.pop()\n    i += 1",
    "i = 0\nwhile i < n:\n    n -= 1\n    i += 1",
    "i = 0\nwhile i < n:\n    i += 1\nreturn i",
    "while n > 0:\n    n -= v",
]


@pytest.mark.parametrize("text", KEPT)
def test_loops_that_do_not_just_count_stay(text):
    assert "while" in text_of(body(text))


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("t = xs[0]\nxs[0] = 3\nreturn t", "t = xs[0]"),
        ("t = xs.pop()\nreturn t + t", "t = xs.pop()"),
        ("t = sorted(xs)\nfor x in xs:\n    g(t[x])", "t = sorted(xs)"),
        ("t = n\nn = 3\nreturn t", "t = n"),
        ("t = xs[n]\nfor x in xs:\n    g(t)\n    xs[n] = x", "t = xs[n]"),
        ("t = n\ndef g():\n    return t\nreturn g", "t = n"),
        ("if v:\n    t = n\nreturn t", "t = n"),
    ],
)
def test_values_that_change_keep_their_names(text, kept):
    assert kept in text_of(body(text))


def test_helpers_are_written_where_they_are_called():
    source = """
def main(xs, k):
    total = 0
    for x in xs:
        if positive(x):
            total += double(x)
    bump(xs, k)
    where = find(xs, k)
    return total, where

def positive(a):
    if a > 0:
        return True
    return False

def double(a, by=2):
    return a * by

def bump(items, k):
    for i in range(len(items)):
        items[i] += k

def find(items, wanted):
    for i in range(len(items)):
        if items[i] == wanted:
            return i
    return -1
"""
    text = text_of(source)
    for part in ("if 0 < x:", "total += x * 2", "xs[i] += k", "where = -1", "if xs[i] == k"):
        assert part in text, text
    assert not any(f"{name}(" in text for name in ("positive", "double", "bump", "find"))


@pytest.mark.parametrize(
    "helper",
    [
        "def g(a):\n    return g(a)",
        "def g(*a):\n    return a",
        "@cache\ndef g(a):\n    return a + 1",
        "def g(a):\n    yield a",
        "def g(a):\n    global q\n    q = a\n    return q",
        "def g(a):\n    for x in a:\n        for y in x:\n            if y:\n                return y\n    return 0",
        "def g(a):\n    for x in a:\n        return x\n    h(a)\n    return 0",
        "def g(a, b):\n    return a",
        "async def g(a):\n    return a",
    ],
)
def test_other_helpers_stay_calls(helper):
    assert "g(n)" in text_of(f"def f(n):\n    x = g(n)\n    return x\n\n{helper}\n")


def test_module_constants_are_known():
    source = "def f(n):\n    return n < FAR, n < NEAR\nFAR = float('inf')\nNEAR = 3\nNEAR = 4\n"
    assert text_of(source) == "return (n < float('inf'), n < NEAR)"


@pytest.mark.parametrize("module", ["bisect", "graphlib", "heapq", "textwrap", "fnmatch", "shlex"])
def test_what_is_not_edited_is_written_back_as_it_was(module):
    source = inspect.getsource(importlib.import_module(module))
    draft = Draft.parse(source)
    for form in Forms.of(draft).editable():
        form.commit()
    assert ast.dump(draft.tree) == ast.dump(ast.parse(source))
    assert render(draft) == source


PROGRAMS = """
def words(text):
    counts = {}
    order = []
    for word in text.split():
        if word not in counts:
            counts[word] = 0
            order.append(word)
        counts[word] += 1
    return [(w, counts[w]) for w in order if counts[w] > 1], max(counts, key=counts.get, default=None)

def table(rows):
    out = []
    for i, row in enumerate(rows):
        for j, (a, b) in enumerate(zip(row, row[1:])):
            if a > b:
                continue
            elif a == b:
                out.append((i, j))
            else:
                out += [(j, i)]
    while len(out) > 3:
        last = out.pop()
        if last[0] == 0:
            break
    return out, any(x == y for x, y in out), sum(len(r) for r in rows)

def scan(rows):
    best, where, k = None, None, 0
    while k < len(rows):
        row = rows[k]
        total = sum(row[:2]) if row else -1
        if best is None or total > best:
            best = total
            where = k
        k += 1
    for row in rows:
        for x in row:
            if x < 0:
                break
        else:
            where = (where, row)
    low = 0
    for x in rows[0][1:]:
        low = x if x < low else low
    return best, where, low, smallest(rows), total

def smallest(rows):
    result = 10
    for row in rows:
        for x in row:
            if x < result:
                result = x
    return result
"""


def inputs_of(name: str) -> list[tuple[Any, ...]]:
    rng = random.Random(name)
    if name == "words":
        return [(" ".join(rng.choices(["ab", "cd", "x"], k=n)),) for n in range(8)]
    return [
        ([[rng.randint(-3, 5) for _ in range(rng.randint(1, 4))] for _ in range(n)],) for n in range(1, 9)
    ]


@pytest.mark.parametrize("name", ["words", "table", "scan"])
def test_the_normal_form_runs_like_the_program(name):
    tree = ast.parse(PROGRAMS)
    plain: dict[str, Any] = {}
    exec(compile(tree, "program", "exec"), plain)
    draft = Draft.parse(PROGRAMS)
    form = next(f for f in Forms.of(draft).editable() if f.function.name == name)
    normal = ast.parse(PROGRAMS)
    function = next(f for f in normal.body if isinstance(f, ast.FunctionDef) and f.name == name)
    function.body = form.body
    made: dict[str, Any] = {}
    exec(compile(ast.parse(ast.unparse(ast.fix_missing_locations(normal))), "normal", "exec"), made)
    for args in inputs_of(name):
        one, other = copy.deepcopy(args), copy.deepcopy(args)
        assert made[name](*one) == plain[name](*other)
        assert one == other


def test_an_edit_is_written_where_it_is_and_nowhere_else():
    source = '''
def f(xs):
    """Says."""
    total = 0  # a note
    for i, x in enumerate(xs):
        double = x * 2
        if double < 0:
            continue
        total += double
    return total
'''
    draft = Draft.parse(source)
    form = Forms.of(draft).form(draft.functions()[0])
    loop = next(s for s in form.body if isinstance(s, ast.For))
    branch = form.solid(loop.body)[0]
    assert isinstance(branch, ast.If)
    form.put_after(branch.body[0], ast.parse("print(total)").body)
    form.commit()
    draft.touched()
    text = render(draft)
    assert "total = 0  # a note" in text
    assert "for i, x in enumerate(xs):" in text
    assert "double = x * 2" in text
    assert "total += double" in text
    space: dict[str, Any] = {}
    exec(text, space)
    assert space["f"]([1, -2, 3]) == 8


def test_names_that_a_new_header_no_longer_binds_are_bound_again():
    source = "def f(xs):\n    out = []\n    for i, x in enumerate(xs):\n        out.append((i, x))\n    return out\n"
    draft = Draft.parse(source)
    form = Forms.of(draft).form(draft.functions()[0])
    loop = next(s for s in form.body if isinstance(s, ast.For))
    new = ast.For(
        target=loop.target,
        iter=ast.parse("range(len(xs) - 1, -1, -1)", mode="eval").body,
        body=loop.body,
        orelse=[],
    )
    form.inherit([new], [loop])
    form.put([loop], [new])
    form.commit()
    draft.touched()
    text = render(draft)
    assert "x = xs[i]" in text
    space: dict[str, Any] = {}
    exec(text, space)
    assert space["f"]("ab") == [(1, "b"), (0, "a")]


def test_fresh_names_are_neither_taken_nor_reserved():
    names = Names.of(ast.parse("import os as system\ndef f(a, *b):\n    c = 1\nclass D: pass\n"))
    assert names.taken == {"system", "f", "a", "b", "c", "D"}
    assert [names.fresh(stem) for stem in ("c", "c", "next", "for", "new")] == [
        "c_1",
        "c_2",
        "next_1",
        "for_1",
        "new",
    ]


def test_a_statement_that_is_not_in_the_form_has_no_place():
    with pytest.raises(LookupError):
        form_of("def f():\n    return 1\n").chain(ast.Pass())
