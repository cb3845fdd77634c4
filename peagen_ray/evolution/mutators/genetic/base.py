"""The operator port, and the draft that operators edit in place."""

from __future__ import annotations

import ast
import random
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import ClassVar, TypeVar

from peagen_ray.errors import TargetError

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_N = TypeVar("_N", bound=ast.AST)
_BLOCKS = ("body", "orelse", "finalbody")
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")


@dataclass
class Draft:
    """A parsed program that may be edited in place, with what operators ask of it.

    Nodes that come from the source keep their positions (``lineno``); a node made by an operator has
    none. That is how the renderer knows what to take from the source as it was written.

    Attributes:
        source: the text that was parsed.
        tree: its syntax tree, edited in place.
        entry: the entry function, ``name``, ``Class.method`` or "".
        others: source texts of other programs, best first.
        derived: what operators worked out about the tree, by name; forgotten when it is edited.
        focus: names of the only functions to edit, where there are any; see :meth:`narrow`.
    """

    source: str
    tree: ast.Module
    entry: str = ""
    others: tuple[str, ...] = ()
    derived: dict[str, object] = field(default_factory=dict)
    focus: frozenset[str] = frozenset()
    _parents: dict[int, ast.AST] = field(default_factory=dict)
    _functions: list[FunctionNode] | None = None

    @classmethod
    def parse(cls, source: str, entry: str = "", inspirations: Sequence[str] = ()) -> Draft:
        """Parse; raises TargetError when the source has a syntax error or no such entry."""
        draft = cls(source, parse_module(source), entry, tuple(inspirations))
        if entry and draft.function(entry) is None:
            raise TargetError(f"has no function {entry!r}")
        return draft

    def restart(self) -> Draft:
        """A draft of the same source with nothing edited; what was worked out about the source is shared."""
        draft = Draft(self.source, parse_module(self.source), self.entry, self.others)
        draft.__dict__["pristine"] = self.pristine
        draft.__dict__["inspirations"] = self.inspirations
        return draft

    @cached_property
    def pristine(self) -> ast.Module:
        """The syntax tree of the source as it was parsed, never edited."""
        return parse_module(self.source)

    @cached_property
    def inspirations(self) -> tuple[ast.Module, ...]:
        """Syntax trees of the other programs that parse, best first, never edited."""
        return tuple(tree for text in self.others if (tree := _parse_or_none(text)) is not None)

    def function(self, path: str) -> FunctionNode | None:
        """The function ``name`` or ``Class.method``, or None."""
        body: Sequence[ast.stmt] = self.tree.body
        *classes, name = path.split(".")
        for cls in classes:
            inner = next((n for n in body if isinstance(n, ast.ClassDef) and n.name == cls), None)
            if inner is None:
                return None
            body = inner.body
        return next((n for n in body if isinstance(n, FunctionNode) and n.name == name), None)

    def functions(self) -> list[FunctionNode]:
        """The functions that may be edited: the entry and what it may call, or all of them.

        Found by name: a name or attribute that is mentioned in an editable function makes the
        functions and methods of that name in this file editable too. Where the source has
        ``EVOLVE-BLOCK-START`` and ``EVOLVE-BLOCK-END`` comments, only functions between them.
        """
        if self._functions is None:
            found = self._find_functions()
            self._functions = [n for n in found if n.name in self.focus] if self.focus else found
        return self._functions

    def narrow(self) -> None:
        """Edit only the functions that were edited already: one edit makes way for another."""
        self.focus = frozenset(n.name for n in self._find_functions() if _is_edited(n))
        self.touched()

    def _find_functions(self) -> list[FunctionNode]:
        everything = [n for n in every(self.tree) if isinstance(n, FunctionNode)]
        blocks = evolve_blocks(self.source)
        if blocks:
            return [n for n in everything if not hasattr(n, "lineno") or _is_within(n, blocks)]
        start = self.function(self.entry) if self.entry else None
        if start is None:
            return everything
        by_name: dict[str, list[FunctionNode]] = {}
        for node in everything:
            by_name.setdefault(node.name, []).append(node)
        found, todo = {id(start): start}, [start]
        while todo:
            for name in mentioned(todo.pop()):
                for node in by_name.get(name, ()):
                    if id(node) not in found:
                        found[id(node)] = node
                        todo.append(node)
        return [n for n in everything if id(n) in found]

    def parent(self, node: ast.AST) -> ast.AST | None:
        """The node that holds ``node``; None for the module itself."""
        if id(node) not in self._parents:
            self._parents = {id(child): up for up in every(self.tree) for child in children(up)}
        return self._parents.get(id(node))

    def enclosing(self, node: ast.AST) -> FunctionNode | None:
        """The innermost function around ``node``, not counting itself."""
        up = self.parent(node)
        while up is not None and not isinstance(up, FunctionNode):
            up = self.parent(up)
        return up

    def statement(self, node: ast.AST) -> ast.stmt | None:
        """The innermost statement that ``node`` is, or is part of."""
        here: ast.AST | None = node
        while here is not None and not isinstance(here, ast.stmt):
            here = self.parent(here)
        return here

    def block(self, statement: ast.stmt) -> tuple[list[ast.stmt], int]:
        """The list of statements that holds ``statement``, and its index there.

        Raises:
            LookupError: the statement is not in the tree.
        """
        up = self.parent(statement)
        for block in blocks_of(up) if up is not None else ():
            for index, each in enumerate(block):
                if each is statement:
                    return block, index
        raise LookupError(ast.dump(statement))

    def replace(self, statement: ast.stmt, *new: ast.stmt) -> None:
        """Put ``new`` statements in the place of one; none of them means ``pass`` where one is needed."""
        block, index = self.block(statement)
        block[index : index + 1] = new or ([ast.Pass()] if len(block) == 1 else [])
        self.touched()

    def insert_before(self, statement: ast.stmt, *new: ast.stmt) -> None:
        """Put ``new`` statements before one."""
        block, index = self.block(statement)
        block[index:index] = new
        self.touched()

    def replace_expression(self, old: ast.expr, new: ast.expr) -> None:
        """Put one expression in the place of another."""
        up = self.parent(old)
        if up is None:
            raise LookupError(ast.dump(old))
        for name, value in ast.iter_fields(up):
            if value is old:
                setattr(up, name, new)
            elif isinstance(value, list):
                value[:] = [new if item is old else item for item in value]
        self.touched()

    def touched(self) -> None:
        """Forget what was derived from the tree; call it after editing the tree by hand."""
        self._parents.clear()
        self._functions = None
        self.derived.clear()

    def ensure_import(self, text: str) -> None:
        """Make sure that an import statement such as ``import heapq`` is at the top of the module.

        Where there are EVOLVE-BLOCK comments, the top is that of the first block.
        """
        wanted = ast.parse(text).body[0]
        imports = [n for n in self.tree.body if isinstance(n, (ast.Import, ast.ImportFrom))]
        if not any(same(node, wanted) for node in imports):
            self.tree.body.insert(self._import_index(), _unplaced(wanted))
            self.touched()

    def _import_index(self) -> int:
        body, first = self.tree.body, 0
        blocks = evolve_blocks(self.source)
        if blocks:
            places = (at for at, n in enumerate(body) if getattr(n, "lineno", 0) > blocks[0][0])
            first = next(places, len(body))
        index = first
        for at, node in enumerate(body[first:], first):
            docstring = at == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            if not docstring and not isinstance(node, (ast.Import, ast.ImportFrom)):
                break
            index = at + 1
        return index

    def fresh(self, stem: str) -> str:
        """A name like ``stem`` that nothing in the module uses."""
        taken = {n.id for n in every(self.tree) if isinstance(n, ast.Name)}
        taken |= {n.arg for n in every(self.tree) if isinstance(n, ast.arg)}
        taken |= {n.name for n in every(self.tree) if isinstance(n, (FunctionNode, ast.ClassDef))}
        taken |= {n.asname or n.name for n in every(self.tree) if isinstance(n, ast.alias)}
        names = (stem if i == 0 else f"{stem}_{i}" for i in range(len(taken) + 1))
        return next(name for name in names if name not in taken)


class Operator(ABC):
    """One kind of edit. Stateless; deterministic in the draft and the random generator it is given.

    ``sites`` finds where it applies without editing; ``apply`` edits the draft at one of them. A
    rewrite need not be provably safe: wrong ones cost an evaluation, missing ones cost the gain.

    Attributes:
        NAME: what the engine knows it by; kebab-case.
        WEIGHT: how likely it is to be tried before anything is known, 1.0 being usual.
        LOOKS_AROUND: where it applies depends on the inspirations, not on the program alone.
    """

    NAME: ClassVar[str]
    WEIGHT: ClassVar[float] = 1.0
    LOOKS_AROUND: ClassVar[bool] = False

    @abstractmethod
    def sites(self, draft: Draft) -> Sequence[object]:
        """Where it applies: values that mean something to ``apply`` only, in the order of the source."""

    @abstractmethod
    def apply(self, draft: Draft, site: object, rng: random.Random) -> bool:
        """Edit the draft in place at ``site``; False when nothing came of it (the draft is thrown away)."""


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes that ``node`` holds directly, in the order of its fields."""
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if value.__class__ is list:
            found += [each for each in value if isinstance(each, ast.AST)]
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def every(node: ast.AST) -> list[ast.AST]:
    """``node`` and every node within it: as ``ast.walk``, in its order, in a third of its time."""
    found = [node]
    for each in found:
        for name in each._fields:
            value = getattr(each, name, None)
            if value.__class__ is list:
                found.extend([item for item in value if isinstance(item, ast.AST)])
            elif isinstance(value, ast.AST):
                found.append(value)
    return found


def _is_edited(function: FunctionNode) -> bool:
    """Whether an operator made any of its statements or expressions."""
    return any(isinstance(n, ast.stmt | ast.expr) and not hasattr(n, "lineno") for n in every(function))


def mentioned(node: ast.AST) -> Iterator[str]:
    """Every name and attribute that is mentioned within ``node``."""
    for each in every(node):
        if isinstance(each, ast.Name):
            yield each.id
        elif isinstance(each, ast.Attribute):
            yield each.attr


def blocks_of(node: ast.AST) -> Iterator[list[ast.stmt]]:
    """The lists of statements that ``node`` holds directly."""
    for name in _BLOCKS:
        block = getattr(node, name, None)
        if isinstance(block, list) and block and isinstance(block[0], ast.stmt):
            yield block
    for part in [*getattr(node, "handlers", ()), *getattr(node, "cases", ())]:
        yield from blocks_of(part)


def statements(node: ast.AST) -> Iterator[ast.stmt]:
    """Every statement within ``node``, itself left out, in the order of the source."""
    for block in blocks_of(node):
        for each in block:
            yield each
            yield from statements(each)


def stored(node: ast.AST) -> set[str]:
    """Names that ``node`` binds (assignment, loop variable, walrus, import, with, except)."""
    names = {n.id for n in every(node) if isinstance(n, ast.Name) and isinstance(n.ctx, (ast.Store, ast.Del))}
    names |= {(a.asname or a.name).split(".")[0] for a in every(node) if isinstance(a, ast.alias)}
    return names | {n.name for n in every(node) if isinstance(n, ast.ExceptHandler) and n.name}


def loaded(node: ast.AST) -> set[str]:
    """Names that ``node`` reads."""
    return {n.id for n in every(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def same(a: ast.AST, b: ast.AST) -> bool:
    """Whether two nodes are the same code."""
    return type(a) is type(b) and ast.dump(a) == ast.dump(b)


def parse_statements(text: str) -> list[ast.stmt]:
    """Statements made from text, without positions, ready to be put into a draft."""
    return [_unplaced(node) for node in ast.parse(text).body]


def parse_expression(text: str) -> ast.expr:
    """An expression made from text, without positions."""
    return _unplaced(ast.parse(text, mode="eval").body)


def parse_module(source: str) -> ast.Module:
    """The syntax tree of a source text, which may begin with a byte order mark.

    Raises:
        TargetError: it does not parse.
    """
    try:
        return ast.parse(source.removeprefix("\ufeff"))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise TargetError(f"does not parse: {str(error) or type(error).__name__}") from error


def source_lines(source: str) -> list[str]:
    """The lines of a source text with their ends, split where the parser splits them and nowhere else."""
    return _LINE.findall(source)


def evolve_blocks(source: str) -> list[tuple[int, int]]:
    """The line numbers of each EVOLVE-BLOCK-START and its END comment, from 1."""
    found: list[tuple[int, int]] = []
    start = 0
    if "EVOLVE-BLOCK-START" not in source:
        return found
    for number, line in enumerate(source_lines(source), 1):
        if "EVOLVE-BLOCK-START" in line:
            start = number
        elif "EVOLVE-BLOCK-END" in line and start:
            found.append((start, number))
            start = 0
    return found


def _is_within(node: FunctionNode, blocks: Sequence[tuple[int, int]]) -> bool:
    return any(a < node.lineno and (node.end_lineno or 0) < b for a, b in blocks)


def _parse_or_none(source: str) -> ast.Module | None:
    try:
        return parse_module(source)
    except TargetError:
        return None


def _unplaced(node: _N) -> _N:
    for each in every(node):
        for name in ("lineno", "end_lineno", "col_offset", "end_col_offset"):
            if hasattr(each, name):
                delattr(each, name)
    return node
