"""The layout of a source text: where its statements, headers and comments lie."""

from __future__ import annotations

import ast
import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from peagen_ray.evolution.mutators.genetic.base import blocks_of, source_lines

MARKER = "EVOLVE-BLOCK-"

_BLANK = " \t\f"
_REST = re.compile(r"[ \t\f]*;?[ \t\f]*(?:#[^\r\n]*)?(?=[\r\n]|\Z)")
_COLON = re.compile(r"(?:[^#:]|#[^\r\n]*+)*+:")
_KEYWORD = re.compile(r"(?:[ \t\f\r\n;\\]|#[^\r\n]*+)*+(else|finally)\b")


class Inseparable(Exception):
    """What is asked for does not stand on lines of its own; the enclosing statement must be redone."""


class Layout:
    """Where the nodes of a syntax tree lie in the text that it was parsed from.

    Offsets count characters from the start of the text; line numbers count from 1, as the parser's do.

    Attributes:
        text: the source, without its byte order mark.
        bom: the byte order mark, or "".
        newline: how the text ends its first line.
        unit: one step of indentation.
    """

    def __init__(self, source: str, tree: ast.Module) -> None:
        """Lay out ``source``, whose unedited syntax tree is ``tree``."""
        self.text = source.removeprefix("\ufeff")
        self.bom = source[: len(source) - len(self.text)]
        self.lines = source_lines(self.text)
        self._starts = list(accumulate(map(len, self.lines), initial=0))
        self._tree = tree
        self._frozen: set[int] | None = None
        first = self.lines[0] if self.lines else ""
        self.newline = first[len(first.rstrip("\r\n")) :] or "\n"
        self.unit = self._unit()

    def offset(self, line: int, column: int) -> int:
        """The offset of a position; ``column`` counts bytes of UTF-8, as the parser does."""
        start = self._starts[line - 1]
        text = self.lines[line - 1] if line <= len(self.lines) else ""
        return start + (column if text.isascii() else len(text.encode()[:column].decode()))

    def start(self, node: ast.stmt | ast.ExceptHandler) -> int:
        """Where a statement starts, its decorators left out."""
        return self.offset(node.lineno, node.col_offset)

    def end(self, node: ast.AST) -> int:
        """Where a statement or expression ends."""
        return self.offset(node.end_lineno, node.end_col_offset)  # type: ignore[attr-defined]

    def first_line(self, node: ast.stmt) -> int:
        """The line that a statement starts on, its decorators counted in."""
        line = node.lineno
        for decorator in getattr(node, "decorator_list", ())[:1]:
            line = decorator.lineno
            while not self.lines[line - 1].lstrip(_BLANK).startswith("@"):
                line -= 1
        return line

    def line_start(self, line: int) -> int:
        """Where a line starts."""
        return self._starts[line - 1]

    def line_end(self, line: int) -> int:
        """Where the next line starts."""
        return self._starts[line]

    def line_at(self, offset: int) -> str:
        """The text of the line that starts at an offset; "" at the end."""
        line = bisect_right(self._starts, offset)
        return self.lines[line - 1] if line <= len(self.lines) else ""

    def indent(self, line: int) -> str:
        """What the parser takes for the indentation of a line."""
        text = self.lines[line - 1]
        return text[: len(text) - len(text.lstrip(_BLANK))].rpartition("\f")[2]

    def leads(self, node: ast.stmt) -> bool:
        """Whether nothing stands before a statement on its logical line."""
        line = self.first_line(node)
        column = self.start(node) if line == node.lineno else self._starts[line - 1]
        if self.text[self._starts[line - 1] : column].strip(_BLANK):
            return False
        before = self.lines[line - 2].strip() if line > 1 else ""
        return not before.endswith("\\") or before.startswith("#")

    def is_elif(self, node: ast.AST) -> bool:
        """Whether a statement is written as the ``elif`` of the one around it."""
        return isinstance(node, ast.If) and self.text.startswith("elif", self.start(node))

    def trails(self, node: ast.stmt) -> bool:
        """Whether at most a comment stands after a statement on its last line."""
        return _REST.match(self.text, self.end(node)) is not None

    def header_end(self, start: int, parts: Sequence[ast.AST | None]) -> int:
        """The offset after the colon of a header that starts at ``start`` and holds ``parts``."""
        ends = [self.end(node) for part in parts if part is not None for node in _placed(part)]
        colon = _COLON.match(self.text, max([start, *ends]))
        if colon is None:
            raise Inseparable
        return colon.end()

    def keyword_line(self, previous: ast.stmt) -> int:
        """The line of the ``else`` or ``finally`` that comes after a statement, alone on its line so far."""
        found = _KEYWORD.match(self.text, self.end(previous))
        if found is None:
            raise Inseparable
        line = bisect_right(self._starts, found.start(1))
        if self.text[self._starts[line - 1] : found.start(1)].strip(_BLANK):
            raise Inseparable
        return line

    def comments_above(self, line: int, floor: int) -> int:
        """The first line of the comments directly above a line and indented like it.

        Lines up to ``floor`` are not looked at, nor comments that mark an EVOLVE-BLOCK.
        """
        wanted = self.indent(line)
        while line - 1 > floor:
            above = self.lines[line - 2]
            if not above.lstrip(_BLANK).startswith("#") or self.indent(line - 1) != wanted or MARKER in above:
                break
            line -= 1
        return line

    def moved(self, first: int, last: int, indent: str) -> str:
        """Lines ``first`` to ``last`` as they are, indented by ``indent``; strings keep their content."""
        old = self.indent(first)
        lines = self.lines[first - 1 : last]
        if indent == old:
            return "".join(lines)
        frozen = self._strings()
        return "".join(
            line if number in frozen or not line.strip() else _reindented(line, old, indent)
            for number, line in enumerate(lines, first)
        )

    def _strings(self) -> set[int]:
        """The lines that start within a string."""
        if self._frozen is None:
            self._frozen = set()
            for node in ast.walk(self._tree):
                if isinstance(node, ast.JoinedStr) or (
                    isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes))
                ):
                    self._frozen.update(range(node.lineno + 1, (node.end_lineno or 0) + 1))
        return self._frozen

    def _unit(self) -> str:
        todo: list[ast.AST] = [self._tree]
        while todo:
            for block in blocks_of(todo.pop()):
                for node in block:
                    inner = next(blocks_of(node), None)
                    if inner is not None and self.leads(inner[0]):
                        outer = self.indent(self.first_line(node))
                        return self.indent(self.first_line(inner[0])).removeprefix(outer) or "    "
                    todo.append(node)
        return "    "


def _placed(node: ast.AST) -> Iterator[ast.AST]:
    """The outermost nodes of a subtree that have a position."""
    if hasattr(node, "end_lineno"):
        yield node
    else:
        for child in ast.iter_child_nodes(node):
            yield from _placed(child)


def _reindented(line: str, old: str, new: str) -> str:
    return new + (line.removeprefix(old) if line.startswith(old) else line.lstrip(_BLANK))
