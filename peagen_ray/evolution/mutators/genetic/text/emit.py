"""Emitting: statements as text at a given indentation, as they were written where that is known."""

from __future__ import annotations

import ast
from collections.abc import Sequence

from peagen_ray.evolution.mutators.genetic.base import blocks_of, statements
from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.text.align import SIMPLE
from peagen_ray.evolution.mutators.genetic.text.clauses import Clause, clauses, unparsed
from peagen_ray.evolution.mutators.genetic.text.layout import Layout

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


class Emitter:
    """Writes statements of an edited tree. One that the source has too is copied from there.

    Args:
        layout: of the source.
        tree: the source's unedited syntax tree.
        verbatim: whether to copy; else everything is unparsed.
    """

    def __init__(self, layout: Layout, tree: ast.Module, *, verbatim: bool = True) -> None:
        self._layout = layout
        self._tree = tree
        self._verbatim = verbatim
        self._index: dict[tuple[type, int, int], tuple[ast.stmt, Sequence[ast.stmt], int]] = {}

    def block(self, nodes: Sequence[ast.stmt], indent: str, *, documented: bool = False) -> str:
        """Statements as whole lines; where ``documented``, the first may be a docstring."""
        out: list[str] = []
        at = 0
        while at < len(nodes):
            text, count = self._copied(nodes, at, indent)
            if not count:
                count = 1
                docstring = documented and at == 0 and _is_text(nodes[0])
                text = "" if docstring else self._statement(nodes[at], indent)
                text = text or self._line(indent, _docstring(nodes[0]))
                if at and isinstance(nodes[at], _DEFINITIONS):
                    out.append(self._layout.newline)
            out.append(text)
            at += count
        return "".join(out)

    def inline(self, node: ast.stmt, *, documented: bool = False) -> str:
        """A simple statement, without indentation and line end; where ``documented``, maybe a docstring."""
        known = self._original(node)
        if known is not None:
            return self._layout.text[self._layout.start(known[0]) : self._layout.end(known[0])]
        return self._lines(_docstring(node) if documented and _is_text(node) else unparsed(node))

    def header(self, clause: Clause) -> str:
        """A header, without indentation and line end."""
        return self._lines(clause.header())

    def _statement(self, node: ast.stmt, indent: str, prefix: str = "") -> str:
        parts = clauses(node)
        if not parts:
            return self._line(indent, unparsed(node))
        out = [self._line(indent, f"@{unparsed(d)}") for d in getattr(node, "decorator_list", ())]
        for number, clause in enumerate(parts):
            depth = indent + self._layout.unit if clause.word == "case" else indent
            if clause.word == "else" and isinstance(node, ast.If) and _is_elif(clause.block):
                out.append(self._statement(clause.block[0], indent, "el"))
                continue
            out.append(self._line(depth, (prefix if number == 0 else "") + clause.header()))
            inner = depth + self._layout.unit
            out.append(self.block(clause.block, inner, documented=isinstance(node, _DEFINITIONS)))
        return "".join(out)

    def _copied(self, nodes: Sequence[ast.stmt], at: int, indent: str) -> tuple[str, int]:
        """The text of those statements from ``at`` on that stand together in the source; how many."""
        first = self._original(nodes[at])
        if first is None:
            return "", 0
        layout, (node, block, index) = self._layout, first
        count = 1
        while at + count < len(nodes) and index + count < len(block):
            known = self._original(nodes[at + count])
            if known is None or known[0] is not block[index + count]:
                break
            count += 1
        if layout.leads(node) and layout.trails(block[index + count - 1]):
            return self._region(block[index : index + count], indent, with_comments=index == 0), count
        if isinstance(node, SIMPLE):
            return f"{indent}{self.inline(nodes[at])}{layout.newline}", 1
        return "", 0

    def _region(self, nodes: Sequence[ast.stmt], indent: str, *, with_comments: bool) -> str:
        """The source's lines of statements that follow each other, comments between them included."""
        layout = self._layout
        line, last = layout.first_line(nodes[0]), nodes[-1].end_lineno or 0
        is_elif = layout.is_elif(nodes[0])
        if with_comments and not is_elif:
            line = layout.comments_above(line, 0)
        text = layout.moved(line, last, indent)
        text = text.replace("elif", "if", 1) if is_elif else text
        return text if text.endswith(("\n", "\r")) else text + layout.newline

    def _original(self, node: ast.stmt) -> tuple[ast.stmt, Sequence[ast.stmt], int] | None:
        """The source's statement that ``node`` still is, the block that it is in, and its index there."""
        if not self._verbatim or not hasattr(node, "lineno"):
            return None
        if not self._index:
            self._fill()
        known = self._index.get((type(node), node.lineno, node.col_offset))
        return known if known is not None and same_code(known[0], node) else None

    def _fill(self) -> None:
        for holder in (self._tree, *statements(self._tree)):
            for block in blocks_of(holder):
                for index, node in enumerate(block):
                    self._index[type(node), node.lineno, node.col_offset] = node, block, index

    def _line(self, indent: str, text: str) -> str:
        return f"{indent}{self._lines(text)}{self._layout.newline}"

    def _lines(self, text: str) -> str:
        return text.replace("\n", self._layout.newline)


def _is_elif(block: Sequence[ast.stmt]) -> bool:
    return len(block) == 1 and isinstance(block[0], ast.If)


def _docstring(node: ast.stmt) -> str:
    return ast.unparse(ast.Module(body=[node], type_ignores=[])).strip("\n")


def _is_text(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
