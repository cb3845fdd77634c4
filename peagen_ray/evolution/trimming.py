"""Trimming: the single statements that a changed program could do without, each as a smaller program."""

from __future__ import annotations

import ast
import difflib
from collections.abc import Iterator, Sequence

from peagen_ray.evolution.diff import split_lines

_Function = ast.FunctionDef | ast.AsyncFunctionDef


def trimmed(original: str, changed: str) -> Iterator[str]:
    """Programs that are smaller than ``changed`` by one statement that is not in ``original``.

    First those in which ``a = b`` is gone and ``b`` stands for ``a``, then those in which a statement is just
    gone, the last one first. Whether they are still right is for the caller to judge.
    """
    lines = split_lines(changed)
    matcher = difflib.SequenceMatcher(None, split_lines(original), lines, autojunk=False)
    new = {
        line + 1
        for tag, _, _, low, high in matcher.get_opcodes()
        if tag != "equal"
        for line in range(low, high)
    }
    tree = ast.parse(changed)
    found = [
        (block, statement)
        for block in _blocks(tree)
        for statement in block
        if new.issuperset(range(statement.lineno, (statement.end_lineno or 0) + 1))
        and _alone(statement, lines)
    ]
    for block, statement in found:
        renamed = _without_alias(tree, statement, lines)
        if renamed is not None:
            yield _removed(block, statement, renamed)
    for block, statement in reversed(found):
        yield _removed(block, statement, lines)


def _blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
                yield block


def _alone(statement: ast.stmt, lines: Sequence[str]) -> bool:
    """Whether a statement has its lines for itself."""
    first, last = lines[statement.lineno - 1].encode(), lines[(statement.end_lineno or 1) - 1].encode()
    after = last[statement.end_col_offset or 0 :].strip()
    return not first[: statement.col_offset].strip() and (not after or after.startswith(b"#"))


def _removed(block: Sequence[ast.stmt], statement: ast.stmt, lines: Sequence[str]) -> str:
    start, end = statement.lineno - 1, statement.end_lineno or statement.lineno
    indent = lines[start][: len(lines[start]) - len(lines[start].lstrip())]
    rest = [f"{indent}pass\n"] if len(block) == 1 else []
    return "".join([*lines[:start], *rest, *lines[end:]])


def _without_alias(tree: ast.Module, statement: ast.stmt, lines: Sequence[str]) -> list[str] | None:
    """The lines with ``b`` for ``a`` in the function around ``a = b``; None where it is no such statement."""
    if not (isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Name)):
        return None
    (target, *more), value = statement.targets, statement.value
    around = [n for n in ast.walk(tree) if isinstance(n, _Function) and statement in list(ast.walk(n))]
    if more or not isinstance(target, ast.Name) or not around:
        return None
    uses = [
        n for n in ast.walk(around[-1]) if isinstance(n, ast.Name) and n.id == target.id and n is not target
    ]
    in_text = {
        id(n) for text in ast.walk(around[-1]) if isinstance(text, ast.JoinedStr) for n in ast.walk(text)
    }
    if any(isinstance(n.ctx, ast.Store) or id(n) in in_text for n in uses):
        return None
    edited = [line.encode() for line in lines]
    for use in sorted(uses, key=lambda n: (n.lineno, n.col_offset), reverse=True):
        row, column = use.lineno - 1, use.col_offset
        edited[row] = edited[row][:column] + value.id.encode() + edited[row][use.end_col_offset or 0 :]
    return [line.decode() for line in edited]
