"""The text of a fence that holds whole definitions."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from peagen_ray.evolution.answers.edit import Reason, Rejected
from peagen_ray.evolution.answers.source import Source, indent_of, shifted
from peagen_ray.evolution.answers.tree import Definition, end_of, first_line, parsed


@dataclass(frozen=True)
class Rewrite:
    """The text of a fence.

    Attributes:
        lines: as they stand there, the whole moved to the left margin.
        tree: what they parse to.
    """

    lines: list[str]
    tree: ast.Module

    def text_of(self, node: ast.stmt, indent: str) -> list[str]:
        """The lines of a statement, indented by ``indent``; what is inside strings stays, but for docstrings."""
        first = first_line(node)
        lines = self.lines[first - 1 : end_of(node)]
        old = indent_of(lines[0])
        inside = _inside_strings(node)
        return [
            line if number in inside else shifted(line, old, indent)
            for number, line in enumerate(lines, first)
        ]

    def with_comments(self, node: Definition) -> list[str]:
        """The lines of a definition, and the comments that its body ends with, which are not of its tree."""
        first, end = first_line(node), end_of(node)
        margin = len(indent_of(self.lines[first - 1]))
        after = end
        for number in range(end, len(self.lines)):
            text = self.lines[number].strip()
            if text and not (text.startswith("#") and len(indent_of(self.lines[number])) > margin):
                break
            after = number + 1 if text else after
        return self.lines[first - 1 : after]


def read_rewrite(text: str) -> Rewrite | Rejected:
    """A text moved to the left margin and parsed, or what is wrong with it."""
    lines = Source(text).lines
    while lines and not lines[-1].strip():
        lines.pop()
    margin = indent_of(next((line for line in lines if line.strip()), ""))
    lines = [line.removeprefix(margin) for line in lines]
    tree = parsed("\n".join(lines) + "\n")
    return Rejected(Reason.SYNTAX, tree) if isinstance(tree, str) else Rewrite(lines, tree)


def _inside_strings(node: ast.stmt) -> set[int]:
    """The lines that begin inside a string, docstrings aside."""
    documented = {id(each) for each in _docstrings(node)}
    return {
        line
        for each in ast.walk(node)
        if isinstance(each, ast.JoinedStr | ast.Constant) and id(each) not in documented
        if isinstance(each, ast.JoinedStr) or isinstance(each.value, str | bytes)
        for line in range(each.lineno + 1, end_of(each) + 1)
    }


def _docstrings(node: ast.stmt) -> Iterator[ast.expr]:
    for each in ast.walk(node):
        if isinstance(each, Definition) and isinstance(each.body[0], ast.Expr):
            yield each.body[0].value
