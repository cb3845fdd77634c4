"""The pattern language: what fits, what does not, and what a template makes of it."""

from __future__ import annotations

import ast
from textwrap import dedent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from peagen_ray.evolution.mutators.genetic.base import Draft
from peagen_ray.evolution.mutators.genetic.match import Match, find, matches, matches_block
from peagen_ray.evolution.mutators.genetic.nodes import own_nodes
from peagen_ray.evolution.mutators.genetic.rewrite import Rewrite, Rule, build, build_expression


def expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body


def statement(text: str) -> ast.stmt:
    return ast.parse(dedent(text)).body[0]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("A + B", "x + y"),
        ("A + A", "f(x) + f(x)"),
        ("X < K", "limit > item"),
        ("X == 0", "0 == x"),
        ("range(N)", "range(0, n)"),
        ("range(A, B)", "range(2, n, 1)"),
        ("f(1, A)", "f(1, 2)"),
        ("lambda X: X", "lambda item: item"),
        ("XS[A:]", "rows[1:]"),
        ("[V for X in XS if C]", "[a.b for a in c if d]"),
        ("1 + A", "a + 1"),
    ],
)
def test_expression_fits(pattern, text) -> None:
    assert matches(pattern, expression(text)) is not None


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("A - A", "x - y"),
        ("A - B", "x + y"),
        ("X == 0", "x == False"),
        ("X == 0", "x == 0.0"),
        ("X < K", "x <= k"),
        ("range(N)", "range(1, n)"),
        ("f(A)", "g(x)"),
        ("f(A)", "f(x, y)"),
        ("f(A)", "f(x, key=y)"),
        ("lambda X: X", "lambda a: b"),
        ("A is B", "x == y"),
    ],
)
def test_expression_does_not_fit(pattern, text) -> None:
    assert matches(pattern, expression(text)) is None


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("A += V", "total = total + x"),
        ("A += V", "total = x + total"),
        ("A -= V", "row[0] = row[0] - x"),
        ("A = V", "total: int = 0"),
        ("if C: A = B\nelse: A = D", "if not ok:\n    x = 1\nelse:\n    x = 2"),
        ("if C and D: A = B", "if a:\n    if b:\n        x = 1"),
        ("for X in XS:\n if C: BODY", "for x in xs:\n    if x:\n        continue\n    f(x)\n    g(x)"),
        ("while C:\n BODY\n I += 1", "while i < n:\n    f(i)\n    g(i)\n    i += 1"),
        ("for X in XS: BODY", "for k, v in items: print(k)"),
    ],
)
def test_statement_fits_in_any_way_to_write_it(pattern, text) -> None:
    assert matches(pattern, statement(text)) is not None


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("A += V", "total = x - total"),
        ("A += V", "a, b = b, a + b"),
        ("A = V", "x: int"),
        ("for X in XS: BODY", "for x in xs:\n    f(x)\nelse:\n    g()"),
        ("if C: A = B", "if c:\n    a = b\nelse:\n    d()"),
        ("while C:\n BODY\n I += 1", "while c:\n    i += 1\n    f(i)"),
    ],
)
def test_statement_does_not_fit(pattern, text) -> None:
    assert matches(pattern, statement(text)) is None


def test_metavariable_for_statements_takes_none_or_many() -> None:
    short = matches_block("BODY\nreturn A", ast.parse("return 1").body)
    assert short is not None
    assert short["BODY"] == []
    found = matches_block("BODY\nreturn A", ast.parse("a()\nb()\nreturn 1").body)
    assert found is not None
    assert len(found["BODY"]) == 2


FUNCTION = """
def f(xs):
    total = 0
    n = len(xs)
    {between}
    for i in range(n):
        total += xs[i]
    return total
"""
SUM = "ACC = 0\nfor I in range(len(XS)): ACC += XS[I]"


@pytest.mark.parametrize("between", ["pass", "other = n", "xs = sorted(xs)", "print(n)"])
def test_other_statements_may_stand_between_those_of_a_pattern(between) -> None:
    assert len(list(find(Draft.parse(FUNCTION.format(between=between), "f"), SUM))) == 1


@pytest.mark.parametrize(
    "between", ["total = 5", "print(total)", "other = total", "if n:\n        total = 2"]
)
def test_an_assignment_is_not_moved_past_what_touches_it(between) -> None:
    assert not list(find(Draft.parse(FUNCTION.format(between=between), "f"), SUM))


def test_a_call_is_not_moved() -> None:
    draft = Draft.parse("def f(xs):\n    a = next(xs)\n    b = next(xs)\n    return a\n", "f")
    assert not list(find(draft, "A = next(XS)\nreturn A"))


def test_the_length_is_known_by_the_name_it_was_given_once() -> None:
    once = "def f(xs):\n    n = len(xs)\n    return [xs[i] for i in range(n)]\n"
    twice = once.replace("    return", "    n = 3\n    return")
    pattern = "[V for I in range(len(XS))]"
    assert len(list(find(Draft.parse(once, "f"), pattern))) == 1
    assert not list(find(Draft.parse(twice, "f"), pattern))


def test_functions_that_are_not_reached_are_left_alone() -> None:
    draft = Draft.parse("def f(x):\n    return x + 1\n\ndef g(x):\n    return x + 1\n", "f")
    (found,) = find(draft, "A + 1")
    assert found.function.name == "f"


def test_a_function_within_a_function_is_looked_at_once() -> None:
    source = "def f(x):\n    def g(y):\n        return y + 1\n    return g(x)\n"
    assert [m.function.name for m in find(Draft.parse(source, "f"), "A + 1")] == ["g"]


def test_own_nodes_leave_out_inner_functions() -> None:
    function = statement("def f(x):\n    def g(y):\n        return y\n    return x\n")
    assert isinstance(function, ast.FunctionDef)
    assert {n.id for n in own_nodes(function) if isinstance(n, ast.Name)} == {"x"}


def test_a_match_tells_expressions_from_statements() -> None:
    function = statement("def f(x):\n    return x\n")
    assert isinstance(function, ast.FunctionDef)
    match = Match({"A": expression("x"), "BODY": [ast.Pass()]}, function)
    assert isinstance(match["A"], ast.Name)
    assert len(match.body("BODY")) == 1
    with pytest.raises(KeyError):
        match["BODY"]
    with pytest.raises(KeyError):
        match.body("A")


def built(template: str, source: str = "def f(xs, total):\n    return xs\n", **bindings: str) -> str:
    draft = Draft.parse(source, "f")
    function = draft.function("f")
    assert function is not None
    known = {name: expression(text) for name, text in bindings.items()}
    module = ast.Module(body=build(template, Match(dict(known), function), draft), type_ignores=[])
    return ast.unparse(ast.fix_missing_locations(module))


def test_fresh_names_are_new_ones() -> None:
    assert built("fresh_total = sum(A)", A="xs") == "total_1 = sum(xs)"
    assert built("lambda fresh_total: fresh_total") == "lambda total_1: total_1"


@pytest.mark.parametrize(
    ("template", "bindings", "made"),
    [
        ("sum(V for X in XS)", {"V": "x", "X": "x", "XS": "xs"}, "sum(xs)"),
        ("[V for X in XS]", {"V": "x", "X": "x", "XS": "xs"}, "list(xs)"),
        ("{V for X in XS}", {"V": "x", "X": "x", "XS": "xs"}, "set(xs)"),
        ("not C", {"C": "a < b"}, "a >= b"),
        ("not C", {"C": "not a"}, "a"),
        ("not C", {"C": "True"}, "False"),
        ("not C", {"C": "a and b"}, "not (a and b)"),
        ("range(0, N)", {"N": "n"}, "range(n)"),
        ("lambda X: K", {"X": "i", "K": "xs[i]"}, "xs.__getitem__"),
        ("lambda X: K", {"X": "i", "K": "len(i)"}, "len"),
        ("lambda X: K", {"X": "i", "K": "i + 1"}, "lambda i: i + 1"),
        ("A - 1", {"A": "i + 1"}, "i"),
        (
            "[V for I in range(len(XS))]",
            {"V": "rows[i] + 1", "I": "i", "XS": "rows"},
            "[row + 1 for row in rows]",
        ),
        ("[V for I in range(A, B)]", {"V": "xs[i]", "I": "i", "A": "a", "B": "b"}, "list(xs[a:b])"),
        ("[V for I in range(A, len(XS))]", {"V": "xs[i]", "I": "i", "A": "a", "XS": "xs"}, "list(xs[a:])"),
        (
            "[V for I in range(0, B, 2)]",
            {"V": "xs[i]", "I": "i", "B": "b"},
            "[xs[i] for i in range(0, b, 2)]",
        ),
        (
            "[V for X in XS for T in [E]]",
            {"V": "t", "X": "x", "XS": "xs", "T": "t", "E": "x + 1"},
            "[x + 1 for x in xs]",
        ),
    ],
)
def test_templates_are_made_short(template, bindings, made) -> None:
    assert built(template, **bindings) == made


def test_statements_fill_statements_only() -> None:
    draft = Draft.parse("def f(x):\n    g(x)\n    return x\n", "f")
    function = draft.function("f")
    assert function is not None
    match = Match({"BODY": list(function.body)}, function)
    assert len(build("BODY\nBODY", match, draft)) == 4
    with pytest.raises(KeyError):
        build("A = BODY", match, draft)


def test_an_expression_is_built_by_itself() -> None:
    draft = Draft.parse("def f(x):\n    return x\n", "f")
    function = draft.function("f")
    assert function is not None
    made = build_expression("A + fresh_x", Match({"A": expression("x")}, function), draft)
    assert ast.unparse(made) == "x + x_1"


class _FirstRuleWins(Rewrite):
    NAME = "test-rule"
    RULES = (
        Rule("A + 1", "A", lambda match: isinstance(match["A"], ast.Constant)),
        Rule("A + 1", "A + 2"),
        Rule("A + 1", "A + 3"),
    )


def test_of_the_rules_that_fit_the_first_is_taken() -> None:
    draft = Draft.parse("def f(x):\n    return (x + 1, 5 + 1)\n", "f")
    operator = _FirstRuleWins()
    for site in operator.sites(draft):
        operator.edit(draft, site)
    assert ast.unparse(draft.tree.body[0]).endswith("return (x + 2, 5)")


def test_an_annotation_survives() -> None:
    class Zero(Rewrite):
        NAME = "test-zero"
        RULES = (Rule("A = 0\nA += 1", "A = 1"),)

    draft = Draft.parse("def f():\n    n: int = 0\n    n += 1\n    return n\n", "f")
    (site,) = Zero().sites(draft)
    Zero().edit(draft, site)
    assert "n: int = 1" in ast.unparse(draft.tree)


@given(st.lists(st.sampled_from(["a = 0", "b = a", "a += b", "print(a)", "a = a + 1"]), max_size=6))
def test_finding_never_edits_and_never_fails(lines) -> None:
    source = "def f(b):\n    a = 1\n" + "".join(f"    {line}\n" for line in lines) + "    return a\n"
    draft = Draft.parse(source, "f")
    before = ast.dump(draft.tree)
    for pattern in ("A = 0\nB = A", "A += B", "BODY\nreturn A", "A = V\nBODY\nreturn A"):
        list(find(draft, pattern))
    assert ast.dump(draft.tree) == before
