"""Splicing: the smallest replacements that turn a source text into that of an edited tree."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import NamedTuple

from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.text.align import SIMPLE, Step, align
from peagen_ray.evolution.mutators.genetic.text.clauses import Clause, clauses, unparsed
from peagen_ray.evolution.mutators.genetic.text.emit import Emitter
from peagen_ray.evolution.mutators.genetic.text.layout import MARKER, Inseparable, Layout

_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_DOCUMENTED = (ast.Module, *_DEFINITIONS)
_BLANK_LINES: dict[type[object], int] = {ast.Module: 2, ast.ClassDef: 1}
"""What sets definitions apart in the blocks of these."""
_IMPORTS = (ast.Import, ast.ImportFrom)
_Block = Sequence[ast.stmt]


class _Edit(NamedTuple):
    """Characters ``start`` to ``end`` of the source become ``text``."""

    start: int
    end: int
    text: str


class Splicer:
    """Compares an edited tree with the source's own, block by block, and replaces what differs.

    What cannot be replaced alone makes the statement around it be replaced: within, methods raise
    Inseparable.

    Args:
        layout: of the source.
        tree: the source's unedited syntax tree.
        verbatim: whether to look within compound statements and to copy from the source; else every
            statement of the module that differs is unparsed whole.
    """

    def __init__(self, layout: Layout, tree: ast.Module, *, verbatim: bool = True) -> None:
        self._layout = layout
        self._tree = tree
        self._verbatim = verbatim
        self._emitter = Emitter(layout, tree, verbatim=verbatim)

    def splice(self, edited: ast.Module) -> str:
        """The text of the edited tree; raises Inseparable when two replacements overlap."""
        text, done = self._layout.text, 0
        out: list[str] = []
        edits = self._block(self._tree.body, edited.body, self._tree)
        for start, end, new in sorted(edits, key=lambda edit: edit[:2]):
            if start < done:
                raise Inseparable
            out += text[done:start], new
            done = end
        result = "".join(out) + text[done:]
        if edits and text and not text.endswith(("\n", "\r")):
            result = result.removesuffix(self._layout.newline)
        return result

    # -- blocks -----------------------------------------------------------------------------------

    def _block(self, old: _Block, new: _Block, owner: ast.AST | None = None) -> list[_Edit]:
        """Edits for one block of the source; its ``owner`` counts where it is a definition or the module."""
        done: list[tuple[Step, list[_Edit] | None]] = []
        for step in align(old, new):
            edits = None
            if step.paired:
                documented = isinstance(owner, _DOCUMENTED) and step.j1 == 0
                edits = self._in_place(old[step.i1], new[step.j1], documented=documented)
            while done and (self._splits_line(old, step.i1) and (edits is None or done[-1][1] is None)):
                step, edits = done.pop()[0].joined(step), None
            done.append((step, edits))
        out: list[_Edit] = []
        for step, edits in done:
            out += self._lines(old, new, step, owner) if edits is None else edits
        return out

    def _splits_line(self, old: _Block, index: int) -> bool:
        """Whether the statement at ``index`` shares its line with the one before it."""
        return 0 < index < len(old) and not self._layout.leads(old[index])

    def _lines(self, old: _Block, new: _Block, step: Step, owner: ast.AST | None) -> list[_Edit]:
        """Whole lines for one step: of old statements taken away, of new ones put there."""
        if step.i1 == step.i2:
            return [self._insertion(old, new, step, owner)]
        first, last = old[step.i1], old[step.i2 - 1]
        self._demand(self._layout.leads(first) and self._layout.trails(last))
        line = self._layout.first_line(first)
        documented = isinstance(owner, _DOCUMENTED) and step.j1 == 0
        added = new[step.j1 : step.j2]
        text = self._emitter.block(added, self._layout.indent(line), documented=documented)
        return [_Edit(self._layout.line_start(line), self._after(last), text)]

    def _insertion(self, old: _Block, new: _Block, step: Step, owner: ast.AST | None) -> _Edit:
        layout, at, added = self._layout, step.i1, new[step.j1 : step.j2]
        documented = isinstance(owner, _DOCUMENTED) and step.j1 == 0
        if not old:
            text = self._emitter.block(added, "", documented=documented)
            return _Edit(len(layout.text), len(layout.text), text)
        self._demand(layout.leads(old[0]))
        blank_lines = _BLANK_LINES.get(type(owner), 0)
        text = self._emitter.block(added, layout.indent(layout.first_line(old[0])), documented=documented)
        above = old[at - 1] if at else None
        below = old[at] if at < len(old) else None
        if above is not None and (below is None or self._stays_above(above, below, added[0])):
            self._demand(layout.trails(above))
            offset = self._after(above)
        else:
            assert below is not None
            offset = layout.line_start(self._line_above(above, below, blank_lines))
        newline = layout.newline
        if above is not None and _stands_apart(above, added[0]):
            text = newline * (0 if self._is_blank_before(offset) else blank_lines) + text
        next_line = layout.line_at(offset)
        if below is not None and _stands_apart(added[-1], below) and MARKER not in next_line:
            text += newline * (blank_lines if next_line.strip() else 0)
        return self._inserted(offset, text)

    def _line_above(self, above: ast.stmt | None, below: ast.stmt, blank_lines: int) -> int:
        """The line before which to insert: that of ``below``, or of the comments that belong to it."""
        line = self._layout.first_line(below)
        if above is None and blank_lines:
            return line  # the comments at the top of a file belong to the file
        return self._layout.comments_above(line, (above.end_lineno or 0) if above is not None else 0)

    def _stays_above(self, above: ast.stmt, below: ast.stmt, added: ast.stmt) -> bool:
        """Whether a new statement goes right below the one above it, before comments that follow there."""
        layout = self._layout
        between = layout.text[self._after(above) : layout.line_start(layout.first_line(below))]
        if MARKER in between:
            return f"{MARKER}END" in between
        return isinstance(above, _IMPORTS) and isinstance(added, _IMPORTS)

    def _is_blank_before(self, offset: int) -> bool:
        return self._layout.text[:offset].endswith(("\n\n", "\r\r", "\n\r\n"))

    def _inserted(self, offset: int, text: str) -> _Edit:
        before = self._layout.text[:offset]
        if before and not before.endswith(("\n", "\r")):
            text = self._layout.newline + text  # the last line of the file has no end
        return _Edit(offset, offset, text)

    def _after(self, node: ast.stmt) -> int:
        """Where the line after a statement starts."""
        return self._layout.line_end(node.end_lineno or node.lineno)

    # -- statements -------------------------------------------------------------------------------

    def _in_place(self, old: ast.stmt, new: ast.stmt, *, documented: bool = False) -> list[_Edit] | None:
        """Edits that leave the lines of a statement where they are; None when there are no such."""
        if same_code(old, new):
            return []
        if isinstance(old, SIMPLE) and isinstance(new, SIMPLE):
            text = self._emitter.inline(new, documented=documented)
            return [_Edit(self._layout.start(old), self._layout.end(old), text)]
        if type(old) is not type(new) or not self._verbatim:
            return None
        try:
            return self._compound(old, new)
        except Inseparable:
            return None

    def _compound(self, old: ast.stmt, new: ast.stmt) -> list[_Edit]:
        olds, news = clauses(old), clauses(new)
        needed = [c for c in olds if not c.optional], [c for c in news if not c.optional]
        self._demand(bool(needed[0]) and len(needed[0]) == len(needed[1]))
        edits = self._decorators(old, new)
        for a, b in zip(*needed, strict=True):
            edits += self._header(a, b)
            edits += self._block(a.block, b.block, old)
        return edits + self._optional_clauses(old, olds, news)

    def _optional_clauses(self, old: ast.stmt, olds: Sequence[Clause], news: Sequence[Clause]) -> list[_Edit]:
        edits: list[_Edit] = []
        before, after = ({c.word: c for c in each if c.optional} for each in (olds, news))
        self._demand(len(before.keys() ^ after.keys()) < 2)
        for index, clause in enumerate(olds):
            if clause.optional:
                edits += self._optional_clause(clause, after.get(clause.word), olds[index - 1].block[-1])
        for word in after.keys() - before.keys():
            above = [c for c in olds if not c.optional or (c.word, word) == ("else", "finally")][-1].block[-1]
            self._demand(self._layout.trails(above))
            text = self._whole_clause(after[word], self._layout.indent(old.lineno))
            edits.append(self._inserted(self._after(above), text))
        return edits

    def _optional_clause(self, old: Clause, new: Clause | None, above: ast.stmt) -> list[_Edit]:
        layout, first, last = self._layout, old.block[0], old.block[-1]
        is_elif = layout.is_elif(first)
        stays_elif = is_elif and new is not None and len(new.block) == 1 and isinstance(new.block[0], ast.If)
        if new is not None and stays_elif:
            edits = self._in_place(first, new.block[0])
            self._demand(edits is not None)
            return edits or []
        if new is not None and not is_elif:
            return self._block(old.block, new.block)
        self._demand(layout.trails(last))
        line = first.lineno if is_elif else layout.keyword_line(above)
        text = self._whole_clause(new, layout.indent(line)) if new is not None else ""
        return [_Edit(layout.line_start(line), self._after(last), text)]

    def _whole_clause(self, clause: Clause, indent: str) -> str:
        header = f"{indent}{self._emitter.header(clause)}{self._layout.newline}"
        return header + self._emitter.block(clause.block, indent + self._layout.unit)

    def _header(self, old: Clause, new: Clause) -> list[_Edit]:
        if same_code(list(old.parts), list(new.parts)):
            return []
        node = old.node
        if not isinstance(node, (ast.stmt, ast.ExceptHandler)):
            raise Inseparable  # a case has no position
        start = self._layout.start(node)
        end = self._layout.header_end(start, [part for part in old.parts if isinstance(part, ast.AST)])
        elif_ = "el" if self._layout.is_elif(node) else ""
        return [_Edit(start, end, elif_ + self._emitter.header(new))]

    def _decorators(self, old: ast.stmt, new: ast.stmt) -> list[_Edit]:
        if not isinstance(old, _DEFINITIONS) or not isinstance(new, _DEFINITIONS):
            return []
        olds, news = old.decorator_list, new.decorator_list
        if same_code(olds, news):
            return []
        layout, line = self._layout, self._layout.first_line(old)
        kept = len(olds) if same_code(olds, news[len(news) - len(olds) :]) else 0
        start = end = layout.start(old)
        if olds:
            start = layout.text.index("@", layout.line_start(line))
            end = start if kept else end
        between = layout.newline + layout.indent(line)
        return [_Edit(start, end, "".join(f"@{unparsed(d)}{between}" for d in news[: len(news) - kept]))]

    def _demand(self, holds: bool) -> None:
        if not holds:
            raise Inseparable


def _stands_apart(one: ast.stmt, other: ast.stmt) -> bool:
    return isinstance(one, _DEFINITIONS) or isinstance(other, _DEFINITIONS)
