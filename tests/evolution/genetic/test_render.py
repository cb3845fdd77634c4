from __future__ import annotations

import ast
import copy
import difflib
import random
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from peagen_ray.errors import TargetError
from peagen_ray.evolution.mutators.genetic import render as render_module
from peagen_ray.evolution.mutators.genetic.base import (
    Draft,
    FunctionNode,
    blocks_of,
    parse_expression,
    parse_statements,
    statements,
)
from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.render import render
from peagen_ray.evolution.mutators.genetic.text.layout import Inseparable, Layout
from peagen_ray.evolution.mutators.genetic.text.splice import Splicer

STDLIB = Path(textwrap.__file__).parent
MODULES = ("textwrap", "heapq", "bisect", "statistics", "copy", "shlex", "queue", "copyreg", "contextlib")
Editing = Callable[[Draft, FunctionNode], object]


def unparsed(tree: ast.Module) -> str:
    """What ast.unparse makes of a tree whose new nodes have no positions."""
    return ast.unparse(ast.fix_missing_locations(copy.deepcopy(tree)))


def changes(source: str, edit: Editing, function: str = "f") -> list[str]:
    """The lines that an edit of a function takes away (``-``) and puts there (``+``)."""
    draft = Draft.parse(source, function)
    node = draft.function(function)
    assert node is not None
    edit(draft, node)
    draft.touched()
    text = render(draft)
    assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(unparsed(draft.tree)))
    diff = difflib.unified_diff(source.splitlines(keepends=True), text.splitlines(keepends=True), n=0)
    return [f"{line[0]} {line[1:]}" for line in list(diff)[2:] if line[0] in "+-"]


def function(body: str) -> str:
    return "def f(a, b):\n" + textwrap.indent(textwrap.dedent(body), "    ")


def setting(path: str, value: object) -> Editing:
    """An edit that sets ``function.body[0].test`` and the like."""

    def edit(_: Draft, node: FunctionNode) -> None:
        exec(f"node.{path} = value", {"node": node, "value": value})

    return edit


def expression(text: str) -> ast.expr:
    return parse_expression(text)


# -- what is not edited stays as it was written ---------------------------------------------------


@pytest.mark.parametrize("name", MODULES)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_an_unedited_draft_renders_byte_for_byte(name: str, newline: str) -> None:
    source = (STDLIB / f"{name}.py").read_text().replace("\n", newline)
    assert render(Draft.parse(source)) == source


@pytest.mark.parametrize(
    "source", ["", "\n", "# only a comment", "\ufeff# bom\nx = 1\n", "x = 1;", "\x0cx = 1\n"]
)
def test_odd_files_render_byte_for_byte(source: str) -> None:
    assert render(Draft.parse(source)) == source


def test_a_simple_statement_is_replaced_alone_and_its_comments_stay() -> None:
    source = function(
        """
        # above
        x  =  [1,
               2]   # beside
        # below
        return  x
        """
    )
    made = changes(source, setting("body[0].value", expression("[3]")))
    assert made == ["-     x  =  [1,\n", "-            2]   # beside\n", "+     x = [3]   # beside\n"]


def test_only_the_header_of_a_compound_statement_is_replaced() -> None:
    source = function(
        """
        while (a  # why: because
               > b):  # loop
            a  -=  1  # step
        """
    )
    made = changes(source, setting("body[0].test", expression("a >= b")))
    assert made == [
        "-     while (a  # why: because\n",
        "-            > b):  # loop\n",
        "+     while a >= b:  # loop\n",
    ]


@pytest.mark.parametrize(
    ("header", "path", "value", "expected"),
    [
        ("for x  in a:", "iter", "b", "for x in b:"),
        ("with open( a ) as g, \\\n         g:", "items[0].context_expr", "b", "with b as g, g:"),
        (
            "async def g(q: int=1, *, r) -> {'k': 2}:",
            "name",
            None,
            "async def h(q: int=1, *, r) -> {'k': 2}:",
        ),
        ("class K(  A, metaclass=M ):", "bases", None, "class K(metaclass=M):"),
        ("if lambda: {1: 2}[1]:", "test", "b", "if b:"),
    ],
)
def test_headers_of_every_kind_are_replaced_alone(
    header: str, path: str, value: str | None, expected: str
) -> None:
    source = function(f"{header}\n    pass  # kept\n")
    new: object = expression(value) if value else ("h" if path == "name" else [])
    made = changes(source, setting(f"body[0].{path}", new))
    assert [line for line in made if line[0] == "+"] == [f"+     {expected}\n"]
    assert not any("kept" in line for line in made)


def test_an_except_header_is_replaced_alone() -> None:
    source = function("try:\n    a  ()\nexcept (A, B) as e:  # which\n    b  ()\n")
    made = changes(source, setting("body[0].handlers[0].name", "error"))
    assert made == ["-     except (A, B) as e:  # which\n", "+     except (A, B) as error:  # which\n"]


def test_columns_count_bytes_and_text_does_not() -> None:
    source = function("x = 'é€𝄞'; y = a  # ü\nreturn  x, y\n")
    made = changes(source, setting("body[1].value", expression("b")))
    assert made == ["-     x = 'é€𝄞'; y = a  # ü\n", "+     x = 'é€𝄞'; y = b  # ü\n"]


def test_tabs_and_crlf_of_the_file_are_kept_and_used() -> None:
    source = "def f(a, b):\r\n\tif a:\r\n\t\treturn b\r\n\treturn a\r\n"
    new = parse_statements("while a:\n    if b:\n        a = 'x\\ny'")
    made = changes(source, lambda draft, node: draft.insert_before(node.body[1], *new))
    assert made == ["+ \twhile a:\r\n", "+ \t\tif b:\r\n", "+ \t\t\ta = 'x\\ny'\r\n"]


def test_an_encoding_comment_and_a_byte_order_mark_stay_above_an_import() -> None:
    source = "\ufeff#!/usr/bin/env python\n# -*- coding: utf-8 -*-\ndef f(a): pass\n"
    draft = Draft.parse(source, "f")
    draft.ensure_import("import heapq")
    assert render(draft) == source.replace("def", "import heapq\n\n\ndef")


# -- several statements on a line, one-line suites ------------------------------------------------


def test_one_of_several_statements_on_a_line_is_replaced_alone() -> None:
    made = changes(function("x = 1; y = 2 ; z = 3  # c\n"), setting("body[1].value", expression("b")))
    assert made == ["-     x = 1; y = 2 ; z = 3  # c\n", "+     x = 1; y = b ; z = 3  # c\n"]


@pytest.mark.parametrize("index", [0, 1, 2])
def test_taking_a_statement_from_a_line_spreads_the_others(index: int) -> None:
    source = function("x  = 1; y  = 2; z  = 3\n# below\nreturn\n")
    made = changes(source, lambda draft, node: draft.replace(node.body[index]))
    kept = [s for i, s in enumerate(["x  = 1", "y  = 2", "z  = 3"]) if i != index]
    assert made == ["-     x  = 1; y  = 2; z  = 3\n", *(f"+     {each}\n" for each in kept)]


def test_statements_joined_by_a_backslash_are_one_line() -> None:
    source = function("x = 1; \\\n  y = 2\nreturn\n")
    made = changes(source, lambda draft, node: draft.replace(node.body[0]))
    assert made == ["-     x = 1; \\\n", "-       y = 2\n", "+     y = 2\n"]


def test_a_one_line_suite_keeps_its_line_where_it_can() -> None:
    source = function("if a: x  = 1; y = 2\nelse: pass\n")
    made = changes(source, setting("body[0].body[1].value", expression("b")))
    assert made[0][0] == "-"
    assert made[-1] == "+     if a: x  = 1; y = b\n"


def test_a_one_line_suite_is_opened_where_it_must_be() -> None:
    source = function("if a: x  = 1\nreturn\n")
    made = changes(source, lambda draft, node: draft.insert_before(node.body[0].body[0], ast.Pass()))
    assert made == ["-     if a: x  = 1\n", "+     if a:\n", "+         pass\n", "+         x  = 1\n"]


# -- blocks that move -----------------------------------------------------------------------------


def test_a_block_that_is_unwrapped_takes_its_comments_with_it() -> None:
    source = function(
        '''
        for x in a:
            # why
            b( x )  # what
            c = """one
              two"""
        return
        '''
    )
    made = changes(source, lambda draft, node: draft.replace(node.body[0], *node.body[0].body))
    assert [line for line in made if line[0] == "+"] == [
        "+     # why\n",
        "+     b( x )  # what\n",
        '+     c = """one\n',
    ]


def test_a_block_that_is_wrapped_keeps_its_strings() -> None:
    source = function("b( a )\nc = '''one\n two''' + f'''{a}\n three'''\n")

    def wrap(_: Draft, node: FunctionNode) -> None:
        node.body = [ast.If(test=expression("a"), body=node.body, orelse=[])]

    added = [line for line in changes(source, wrap) if line[0] == "+"]
    assert added == ["+     if a:\n", "+         b( a )\n", "+         c = '''one\n"]


def test_swapped_statements_are_copied_as_written() -> None:
    source = function("x  =  1  # one\nfor y  in  a:\n    pass\n")
    made = changes(source, lambda draft, node: node.body.reverse())
    assert made == ["-     x  =  1  # one\n", "+     x  =  1  # one\n"]


def test_an_elif_that_becomes_a_statement_of_its_own_is_an_if() -> None:
    source = function("if a:\n    pass\n# second\nelif b:\n    c( )\n")
    made = changes(source, lambda draft, node: draft.replace(node.body[0], *node.body[0].orelse))
    assert [line for line in made if line[0] == "+"] == ["+     if b:\n", "+         c( )\n"]


def test_a_name_that_begins_like_elif_is_copied_whole() -> None:
    source = function("if a:\n    elifant  = 1\n")
    made = changes(source, lambda draft, node: draft.replace(node.body[0], *node.body[0].body))
    assert [line for line in made if line[0] == "+"] == ["+     elifant  = 1\n"]


# -- clauses that come and go ---------------------------------------------------------------------

CHAIN = function(
    """
    if a:
        x( )
    # else what
    elif b:
        y( )
    else:  # last
        z( )
    return
    """
)
TRIED = function(
    """
    try:
        x( )
    except A:
        y( )
    else:
        z( )
    # always
    finally:
        w( )
    return
    """
)


def test_the_else_of_an_elif_goes_alone() -> None:
    made = changes(CHAIN, setting("body[0].orelse[0].orelse", []))
    assert made == ["-     else:  # last\n", "-         z( )\n"]


def test_an_elif_chain_goes_whole() -> None:
    made = changes(CHAIN, setting("body[0].orelse", []))
    assert made == ["-     elif b:\n", "-         y( )\n", "-     else:  # last\n", "-         z( )\n"]


def test_an_elif_that_is_no_condition_any_more_is_an_else() -> None:
    made = changes(CHAIN, setting("body[0].orelse", parse_statements("q()")))
    assert [line for line in made if line[0] == "+"] == ["+     else:\n", "+         q()\n"]


def test_the_test_of_an_elif_is_replaced_alone() -> None:
    made = changes(CHAIN, setting("body[0].orelse[0].test", expression("not b")))
    assert [line for line in made if line[0] in "+-"] == ["-     elif b:\n", "+     elif not b:\n"]


def test_a_chain_whose_elif_cannot_be_replaced_alone_is_redone_with_its_parts_as_written() -> None:
    source = CHAIN.replace("elif b:\n        y( )", "elif b: y( )")
    made = changes(source, setting("body[0].orelse[0].body", parse_statements("p()\nq()")))
    assert not any("z( )" in line or "x( )" in line for line in made if line[0] == "+")


@pytest.mark.parametrize(("field", "gone"), [("orelse", "z( )"), ("finalbody", "w( )")])
def test_a_clause_goes_with_its_header(field: str, gone: str) -> None:
    made = changes(TRIED, setting(f"body[0].{field}", []))
    header = "else" if field == "orelse" else "finally"
    assert made == [f"-     {header}:\n", f"-         {gone}\n"]


def test_a_clause_comes_after_the_one_before_it() -> None:
    made = changes(
        function("for x in a:\n    b( )\n# after\nreturn\n"), setting("body[0].orelse", [ast.Pass()])
    )
    assert made == ["+     else:\n", "+         pass\n"]


def test_two_clauses_that_change_at_once_are_right_too() -> None:
    def edit(_: Draft, node: FunctionNode) -> None:
        node.body[0].orelse, node.body[0].finalbody = [], []

    assert changes(TRIED, edit)


def test_a_handler_that_goes_leaves_the_others_as_written() -> None:
    source = function("try:\n    x( )\nexcept A:\n    y( )\nexcept B:\n    z( )\n")
    made = changes(source, lambda _, node: node.body[0].handlers.pop())
    assert made == ["-     except B:\n", "-         z( )\n"]


@pytest.mark.parametrize("word", ["except", "except*"])
def test_handlers_of_both_kinds_are_emitted(word: str) -> None:
    source = function(f"try:\n    x( )\n{word} A:\n    y( )\n{word} B: z( )\n")
    made = changes(source, setting("body[0].handlers[1].body", parse_statements("p()\nq()")))
    assert f"+     {word} B:\n" in made


def test_a_changed_case_is_replaced_with_its_match() -> None:
    source = function("match a:\n    case (1): return  2\n    case {'x': b, **r} if r:\n        c( )\n")
    body = changes(source, setting("body[0].cases[1].body[0].value", expression("d()")))
    assert [line for line in body if line[0] == "+"] == ["+             d()\n"]
    guard = changes(source, setting("body[0].cases[1].guard", expression("b")))
    assert "+         case {'x': b, **r} if b:\n" in guard


# -- insertions -----------------------------------------------------------------------------------


def test_a_new_statement_goes_above_the_comments_of_the_next() -> None:
    source = function("'''Doc.'''\n# about y\n# and z\ny = 1\n")
    made = changes(source, lambda draft, node: draft.insert_before(node.body[1], *parse_statements("x = 0")))
    text = source.replace("    # about", "    x = 0\n    # about")
    draft = Draft.parse(source, "f")
    draft.insert_before(draft.tree.body[0].body[1], *parse_statements("x = 0"))  # type: ignore[attr-defined]
    assert made == ["+     x = 0\n"]
    assert render(draft) == text


def test_a_new_definition_is_set_apart_and_inside_its_evolve_block() -> None:
    source = "import os\n\n# EVOLVE-BLOCK-START\ndef f(a):\n    pass\n# EVOLVE-BLOCK-END\nf(1)\n"
    draft = Draft.parse(source, "f")
    draft.ensure_import("import heapq")
    draft.tree.body[3:3] = parse_statements("def g():\n    '''Doc\n    two.'''\n    return 1")
    draft.touched()
    assert render(draft) == source.replace("def f", "import heapq\n\n\ndef f").replace(
        "# EVOLVE-BLOCK-END", '\n\ndef g():\n    """Doc\n    two."""\n    return 1\n# EVOLVE-BLOCK-END'
    )


def test_an_import_goes_below_the_imports_and_above_the_next_comment() -> None:
    source = "'''Doc.'''\nimport os  # os\n# about f\ndef f(): pass\n"
    draft = Draft.parse(source, "f")
    draft.ensure_import("import heapq")
    assert render(draft) == source.replace("# os\n", "# os\nimport heapq\n\n\n")


def test_a_new_method_is_set_apart_by_one_line() -> None:
    source = "class K:\n  def f(self):\n    pass\n"
    draft = Draft.parse(source, "K.f")
    draft.tree.body[0].body += parse_statements("def g(self):\n    pass")  # type: ignore[attr-defined]
    assert render(draft) == source + "\n  def g(self):\n    pass\n"


@pytest.mark.parametrize("end", ["\n", ""])
def test_the_end_of_the_file_keeps_or_lacks_its_newline(end: str) -> None:
    for edit in (
        lambda tree: tree.body.append(ast.Pass()),
        lambda tree: tree.body.pop(),
        lambda tree: tree.body[-1:] and tree.body.__setitem__(-1, parse_statements("if a: b")[0]),
        lambda tree: tree.body.insert(0, tree.body[-1]),
    ):
        draft = Draft.parse("x = 1\ny = 2" + end)
        edit(draft.tree)
        text = render(draft)
        assert text.endswith("\n") == bool(end)
        assert ast.dump(ast.parse(text)) == ast.dump(ast.parse(unparsed(draft.tree)))


def test_the_end_of_a_file_that_ends_with_a_clause_is_kept() -> None:
    assert changes("def f():\n    if a:\n        b", setting("body[0].orelse", [ast.Pass()]))


def test_an_empty_file_can_be_filled() -> None:
    draft = Draft.parse("# nothing yet\n")
    draft.tree.body += parse_statements("import heapq")
    assert render(draft) == "# nothing yet\nimport heapq\n"


def test_a_docstring_is_written_as_one() -> None:
    made = changes(function("return a\n"), setting("body", parse_statements('"""One.\n    Two."""\nx()')))
    assert made == ["-     return a\n", '+     """One.\n', '+     Two."""\n', "+     x()\n"]
    alone = changes(function("return a\n"), setting("body", parse_statements('"One."')))
    assert alone == ["-     return a\n", '+     """One."""\n']


# -- decorators -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (
            lambda f: f.decorator_list.insert(0, expression("new(1)")),
            "@new(1)\n@ old  # why\ndef f(a): pass\n",
        ),
        (lambda f: f.decorator_list.append(expression("new")), "@old\n@new\ndef f(a): pass\n"),
        (lambda f: f.decorator_list.clear(), "def f(a): pass\n"),
        (lambda f: setattr(f, "name", "g"), "@ old  # why\ndef g(a): pass\n"),
    ],
)
def test_decorators_come_and_go_alone(edit: Callable[[ast.FunctionDef], object], expected: str) -> None:
    draft = Draft.parse("@ old  # why\ndef f(a): pass\n")
    edit(draft.tree.body[0])  # type: ignore[arg-type]
    assert render(draft) == expected


def test_the_first_decorator_may_stand_on_a_line_before_its_expression() -> None:
    source = "x = 1\n@(\n  old)\ndef f(a):\n    return a\n"
    draft = Draft.parse(source)
    draft.tree.body.reverse()
    assert render(draft) == "@(\n  old)\ndef f(a):\n    return a\n\n\nx = 1\n"


def test_a_new_decorator_goes_right_above_a_function_without_one() -> None:
    draft = Draft.parse("x = 1\ndef f(a): pass\n", "f")
    draft.tree.body[1].decorator_list.append(expression("cache"))  # type: ignore[attr-defined]
    draft.tree.body.insert(1, parse_statements("y = 2")[0])
    assert render(draft) == "x = 1\ny = 2\n\n\n@cache\ndef f(a): pass\n"


# -- never wrong ----------------------------------------------------------------------------------


def _random_edit(tree: ast.Module, rng: random.Random) -> None:
    inside = list(statements(tree))
    blocks = [block for holder in (tree, *inside) for block in blocks_of(holder)]
    block = rng.choice(blocks)
    at = rng.randrange(len(block))
    kind = rng.randrange(9)
    if kind == 0 and len(block) > 1:
        del block[at]
    elif kind == 1:
        block.insert(rng.randrange(len(block) + 1), copy.deepcopy(rng.choice(block)))
    elif kind == 2:
        other = rng.randrange(len(block))
        block[at], block[other] = block[other], block[at]
    elif kind == 3:
        block[at:at] = parse_statements("x = 1\nif x:\n    '''a\nb'''\nelif y:\n    pass\nelse:\n    z")
    elif kind == 4:
        block[at] = copy.deepcopy(rng.choice(inside))
    elif kind == 5:
        numbers = [n for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, int)]
        for node in numbers[:1]:
            node.value = rng.choice([7, -3, 1.5, "é\n"])
    elif kind == 6:
        node = rng.choice([n for n in inside if isinstance(n, (ast.If, ast.For, ast.While))])
        node.orelse = rng.choice([[], [ast.Pass()]]) if node.orelse else parse_statements("z = 3")
    elif kind == 7:
        block[at] = ast.If(test=ast.Name("c", ast.Load()), body=[block[at]], orelse=[])
    else:
        block[at : at + 1] = next(blocks_of(block[at]), [ast.Pass()])


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    name=st.sampled_from(MODULES),
    seed=st.integers(0, 2**32),
    edits=st.integers(1, 4),
    newline=st.sampled_from(["\n", "\r\n"]),
)
@example(name="copyreg", seed=2, edits=4, newline="\n")
def test_any_edit_renders_to_the_program_that_unparsing_gives(
    name: str, seed: int, edits: int, newline: str
) -> None:
    source = (STDLIB / f"{name}.py").read_text().replace("\n", newline)
    draft, rng = Draft.parse(source), random.Random(seed)
    for _ in range(edits):
        _random_edit(draft.tree, rng)
    try:
        wanted = ast.parse(unparsed(draft.tree))
    except SyntaxError:
        return  # such as a ``return`` moved before ``from __future__``
    text = Splicer(Layout(source, draft.pristine), draft.pristine).splice(draft.tree)
    assert ast.dump(ast.parse(text)) == ast.dump(wanted), "the fallback would have been needed"
    assert render(draft) == text


@settings(max_examples=100, deadline=None)
@given(name=st.sampled_from(MODULES), seed=st.integers(0, 2**32))
def test_lines_outside_an_edited_statement_are_unchanged(name: str, seed: int) -> None:
    source = (STDLIB / f"{name}.py").read_text()
    draft, rng = Draft.parse(source), random.Random(seed)
    node = rng.choice([n for n in statements(draft.tree) if not isinstance(n, (ast.If, ast.Try))])
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
    last = node.end_lineno or 0
    draft.replace(node, *parse_statements("made = 1\nif made:\n    pass"))
    text, lines = render(draft), source.splitlines(keepends=True)
    assert text.startswith("".join(lines[: first - 1]))
    assert text.endswith("".join(lines[last:]))


def test_what_an_operator_builds_may_be_unusual() -> None:
    made = changes(function("return 1\n"), setting("body[0].value", ast.Constant(value=-1)))
    assert made == ["-     return 1\n", "+     return -1\n"]


def test_one_node_may_stand_in_two_places() -> None:
    def edit(_: Draft, node: FunctionNode) -> None:
        node.body = [node.body[0], node.body[0]]

    assert changes(function("a  =  1\n"), edit) == ["+     a  =  1\n"]


def test_nodes_of_another_source_do_not_mislead() -> None:
    other = Draft.parse(function("return b\n")).tree.body[0]
    made = changes(function("return a\n"), setting("body", other.body))  # type: ignore[attr-defined]
    assert made == ["-     return a\n", "+     return b\n"]


def test_a_tree_that_is_no_program_is_a_syntax_error() -> None:
    draft = Draft.parse(function("return a\n"), "f")
    draft.tree.body[0].body = []  # type: ignore[attr-defined]
    with pytest.raises(SyntaxError):
        render(draft)


@pytest.mark.parametrize("fails", [1, 2])
def test_a_splice_that_goes_wrong_is_found_out(monkeypatch: pytest.MonkeyPatch, fails: int) -> None:
    source = "x = 1  # one\n\n" + function("return  a\n")
    splice, calls = Splicer.splice, []

    def broken(self: Splicer, tree: ast.Module) -> str:
        calls.append(tree)
        if len(calls) == 1:
            return "return = 1"
        if len(calls) <= fails:
            raise Inseparable
        return splice(self, tree)

    monkeypatch.setattr(render_module.Splicer, "splice", broken)
    draft = Draft.parse(source, "f")
    draft.function("f").body[0].value.id = "b"  # type: ignore[union-attr]
    text = render(draft)
    assert same_code(ast.parse(text), draft.tree)
    assert text.startswith("x = 1  # one" if fails == 1 else "x = 1\n")
    assert "return b" in text


# -- drafts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["def f(:", "x = '\0'", "a" + "+a" * 60_000, "(" * 300])
def test_a_source_that_does_not_parse_is_a_target_error(source: str) -> None:
    with pytest.raises(TargetError):
        Draft.parse(source, "f")


def test_a_restarted_draft_has_none_of_the_edits() -> None:
    draft = Draft.parse(function("return a\n"), "f", inspirations=["def f(): pass", "def f(:"])
    draft.replace(draft.tree.body[0].body[0])  # type: ignore[attr-defined]
    again = draft.restart()
    assert render(again) == again.source
    assert again.pristine is draft.pristine
    assert len(again.inspirations) == 1
