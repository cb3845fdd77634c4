"""Text: join in the place of ``+=``, and string methods in the place of loops over characters."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from peagen_ray.evolution.mutators.genetic.base import (
    Draft,
    Operator,
    parse_statements,
    statements,
)
from peagen_ray.evolution.mutators.genetic.match import Match, matches
from peagen_ray.evolution.mutators.genetic.nodes import names_in, own_blocks
from peagen_ray.evolution.mutators.genetic.rewrite import Edit, Rewrite, Rule
from peagen_ray.evolution.mutators.genetic.shapes import looping

_EITHER = "if P: ACC += V\nelse: ACC += W"


def _is_character(match: Match) -> bool:
    return isinstance(match["X"], ast.Name) and not names_in(match["X"]) & names_in(match["K"])


class JoinLoop(Rewrite):
    """Text built by ``+=`` in a loop is one ``join``."""

    NAME = "join-loop"
    RULES = (
        Rule("A = ''\nfor X in XS:\n if X != K: A += X", "A = XS.replace(K, '')", _is_character),
        Rule(
            "A = ''\nfor X in XS:\n if X == K: A += V\n else: A += X", "A = XS.replace(K, V)", _is_character
        ),
        *looping("ACC += V", "ACC = ''.join([V CLAUSES])", start="ACC = ''"),
        *looping(_EITHER, "ACC = ''.join([V if P else W CLAUSES])", start="ACC = ''"),
        *looping("ACC = V + ACC", "ACC = ''.join([V CLAUSES][::-1])", start="ACC = ''"),
        *looping("ACC += V", "ACC += ''.join([V CLAUSES])", where=lambda match: _is_text(match["V"])),
        *looping("ACC = ACC + V + S", "ACC = ''.join([V + S CLAUSES])", start="ACC = ''"),
        Rule("''.join(V for X in XS)", "''.join([V for X in XS])"),
        Rule("''.join([X for X in XS if X != K])", "XS.replace(K, '')", _is_character),
    )


def _is_text(value: ast.expr) -> bool:
    if isinstance(value, ast.JoinedStr) or (isinstance(value, ast.Constant) and isinstance(value.value, str)):
        return True
    return isinstance(value, ast.BinOp) and (_is_text(value.left) or _is_text(value.right))


class StringMethods(Rewrite):
    """What a string method or a comparison of slices says at once."""

    NAME = "string-methods"
    RULES = (
        Rule("S[:len(P)] == P", "S.startswith(P)"),
        Rule("S[0:len(P)] == P", "S.startswith(P)"),
        Rule("S[-len(P):] == P", "S.endswith(P)"),
        Rule("S.find(P) != -1", "P in S"),
        Rule("S.find(P) == -1", "P not in S"),
        Rule("S.find(P) >= 0", "P in S"),
        Rule(
            "A = True\nfor J in range(len(P)):\n if S[I + J] != P[J]: A = False; break",
            "A = S.startswith(P, I)",
        ),
        Rule("A = True\nfor J in range(len(P)):\n if S[I + J] != P[J]: A = False", "A = S.startswith(P, I)"),
        Rule("all(S[I + J] == P[J] for J in range(len(P)))", "S.startswith(P, I)"),
        Rule("S[I:I + len(P)] == P", "S.startswith(P, I)"),
        Rule(
            "J = 0\nwhile J < len(P) and S[I + J] == P[J]: J += 1\nif J == len(P): BODY",
            "if S.startswith(P, I): BODY",
        ),
        Rule("[C for C in S]", "list(S)"),
        Rule("A == ''", "not A"),
        Rule("sum(1 for C in S if C in K)", "sum(map(S.count, K))", lambda match: _distinct(match["K"])),
    )


def _distinct(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and len(set(node.value)) == len(node.value)
    )


class PartsList(Edit[tuple[ast.stmt, ast.stmt, str]]):
    """A text that grows in a loop too long for a comprehension: collect its parts and join them once."""

    NAME = "parts-list"

    def sites(self, draft: Draft) -> Sequence[tuple[ast.stmt, ast.stmt, str]]:
        """The start ``text = ''``, the loop after it, and the variable."""
        return [
            (start, loop, name)
            for function in draft.functions()
            for block in own_blocks(function)
            for at, start in enumerate(block)
            if (name := _starts_empty(start)) is not None
            for loop in block[at + 1 :]
            if isinstance(loop, (ast.For, ast.While)) and _only_grows(loop, name)
        ]

    def edit(self, draft: Draft, site: tuple[ast.stmt, ast.stmt, str]) -> bool:
        """Append to a list of parts in the loop, and join it after the loop."""
        start, loop, name = site
        parts = draft.fresh("parts")
        for each in [s for s in statements(loop) if _grown_by(s, name) is not None]:
            value = _grown_by(each, name)
            assert value is not None
            (appended,) = parse_statements(f"{parts}.append(None)")
            assert isinstance(appended, ast.Expr)
            assert isinstance(appended.value, ast.Call)
            appended.value.args[0] = value
            draft.replace(each, appended)
        block, at = draft.block(loop)
        block[at + 1 : at + 1] = parse_statements(f"{name} = ''.join({parts})")
        draft.touched()
        draft.replace(start, *parse_statements(f"{parts} = []"))
        return True


def _starts_empty(statement: ast.stmt) -> str | None:
    found = matches("A = ''", statement)
    target = found["A"] if found else None
    return target.id if isinstance(target, ast.Name) else None


def _grown_by(statement: ast.stmt, name: str) -> ast.expr | None:
    found = matches("A += V", statement)
    if found is None or not isinstance(found["A"], ast.Name) or found["A"].id != name:
        return None
    value = found["V"]
    return value if isinstance(value, ast.expr) else None


def _only_grows(loop: ast.stmt, name: str) -> bool:
    grown = [s for s in statements(loop) if _grown_by(s, name) is not None]
    mentions = sum(isinstance(n, ast.Name) and n.id == name for n in ast.walk(loop))
    return bool(grown) and mentions == sum(2 if isinstance(s, ast.Assign) else 1 for s in grown)


OPERATORS: tuple[Operator, ...] = (JoinLoop(), StringMethods(), PartsList())
