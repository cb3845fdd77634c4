"""A function in normal form, which remembers what each statement was made from."""

from __future__ import annotations

import ast
import builtins
import keyword
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from peagen_ray.evolution.mutators.genetic.base import FunctionNode, every
from peagen_ray.evolution.mutators.genetic.canonical.trees import assign, blocks, clone, walk_block
from peagen_ray.evolution.mutators.genetic.nodes import equal
from peagen_ray.evolution.mutators.genetic.tidy import tidied

_RESERVED = frozenset({*dir(builtins), *keyword.kwlist})
_MIRROR: dict[type[ast.cmpop], type[ast.cmpop]] = {ast.Lt: ast.Gt, ast.LtE: ast.GtE}
Cover = tuple[ast.stmt, ...]


@dataclass
class Names:
    """The names that a module uses; new ones are added as they are made."""

    taken: set[str]

    @classmethod
    def of(cls, tree: ast.AST) -> Names:
        """Every name, parameter, function, class and import of a syntax tree."""
        taken: set[str] = set()
        for node in every(tree):
            if isinstance(node, ast.Name):
                taken.add(node.id)
            elif isinstance(node, ast.arg):
                taken.add(node.arg)
            elif isinstance(node, ast.alias):
                taken.add(node.asname or node.name)
            elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                taken.add(node.name)
        return cls(taken)

    def copy(self) -> Names:
        """The same names, for one form alone: what others make of theirs changes nothing here."""
        return Names(set(self.taken))

    def fresh(self, stem: str) -> str:
        """A name like ``stem`` that was not taken and now is."""
        names = (stem if i == 0 else f"{stem}_{i}" for i in range(len(self.taken) + 1))
        made = next(n for n in names if n not in self.taken and n not in _RESERVED)
        self.taken.add(made)
        return made


@dataclass
class Form:
    """A function's body in normal form.

    Statements of the normal form are copies; those of the program are never edited here. When a part
    of the normal form was replaced, :meth:`emitted` writes the body anew: program statements wherever
    nothing changed, normal form where it did.

    Attributes:
        function: the function as it stands in the program.
        names: the names that its module uses.
        body: the statements in normal form.
        ghosts: statements of ``body`` that say nothing to a matcher (docstrings, ``pass``, temporaries
            whose value was put where they are read).
        binds: for a loop, what the names mean that its header bound in the program and no longer does.
        lost: for a loop, names that its header bound and that mean nothing in normal form.
        faithful: for a compound statement, the one of the program that has the same blocks and a header
            that means the same.
        made: index variables that loops of the normal form have and those of the program have not.
        known: the names that the function mentions in the program.
    """

    function: FunctionNode
    names: Names
    body: list[ast.stmt] = field(default_factory=list)
    ghosts: set[ast.stmt] = field(default_factory=set)
    binds: dict[ast.stmt, dict[str, ast.expr]] = field(default_factory=dict)
    lost: dict[ast.stmt, set[str]] = field(default_factory=dict)
    faithful: dict[ast.stmt, ast.stmt] = field(default_factory=dict)
    made: dict[ast.stmt, set[str]] = field(default_factory=dict)
    known: set[str] = field(default_factory=set)
    _covers: dict[ast.stmt, list[Cover]] = field(default_factory=dict)
    _expansion: dict[Cover, list[ast.stmt]] = field(default_factory=dict)
    _edited: set[ast.stmt] = field(default_factory=set)

    def adopt(self, block: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Copies of program statements, remembered as such."""
        copies = [clone(statement) for statement in block]
        self.known = set().union(*(_names(statement) for statement in block))
        for original, copy in zip(block, copies, strict=True):
            self._remember(original, copy)
        return copies

    def _remember(self, original: ast.stmt, copy: ast.stmt) -> None:
        self._covers[copy] = [(original,)]
        self._expansion[(original,)] = [copy]
        self.faithful[copy] = original
        for olds, news in zip(blocks(original), blocks(copy), strict=True):
            for old, new in zip(olds, news, strict=True):
                self._remember(old, new)

    def derive(self, old: Sequence[ast.stmt], new: Sequence[ast.stmt]) -> list[ast.stmt]:
        """Say that consecutive statements ``old`` of the normal form became ``new``, and return those."""
        if len(old) == 1:
            self._derive_one(old[0], new)
        else:
            self._derive_many(old, new)
        return list(new)

    def _derive_one(self, old: ast.stmt, new: Sequence[ast.stmt]) -> None:
        covers = self._covers.get(old, [])
        for cover in covers:
            group = self._expansion[cover]
            at = group.index(old)
            group[at : at + 1] = new
        for statement in new:
            if statement is not old:
                own = self._covers.get(statement, [])
                self._covers[statement] = [*covers, *(c for c in own if c not in covers)]

    def _derive_many(self, old: Sequence[ast.stmt], new: Sequence[ast.stmt]) -> None:
        whole: list[ast.stmt] = []
        group: list[ast.stmt] = []
        for statement in old:
            for cover in self._covers.get(statement, [])[:1]:
                whole.extend(o for o in cover if o not in whole)
                group.extend(s for s in self._expansion[cover] if s not in group)
        if not whole:
            return
        cover = tuple(whole)
        at = next(i for i, s in enumerate(group) if s in old)
        group = [s for s in group if s not in old]
        group[at:at] = new
        self._expansion[cover] = group
        for statement in group:
            kept = self._covers.get(statement, [])
            self._covers[statement] = [cover, *(c for c in kept if c != cover)]

    def solid(self, block: Iterable[ast.stmt]) -> list[ast.stmt]:
        """The statements of a block that say something."""
        return [s for s in block if s not in self.ghosts]

    def meanings(self, statements: Iterable[ast.stmt]) -> dict[str, ast.expr]:
        """What the names mean that headers and temporaries within statements bound in the program."""
        found: dict[str, ast.expr] = {}
        for statement in walk_block(list(statements)):
            found |= self.binds.get(statement, {})
            if statement in self.ghosts and isinstance(statement, ast.Assign):
                to = statement.targets[0]
                if isinstance(to, ast.Name):
                    found[to.id] = statement.value
        return found

    def inherit(self, new: Iterable[ast.stmt], old: Sequence[ast.stmt]) -> None:
        """Say that new compound statements hold parts of old ones, whose names may be read there."""
        means = self.meanings(old)
        gone = set().union(*(self.lost.get(s, set()) for s in walk_block(old)))
        for statement in new:
            still = _written(statement)
            self.binds[statement] = {n: v for n, v in means.items() if n not in still}
            self.lost[statement] = gone - still

    def chain(self, statement: ast.stmt) -> list[tuple[list[ast.stmt], ast.stmt]]:
        """The blocks from ``body`` down to a statement, each with the statement of it on the way."""
        found = _chain(self.body, statement)
        if found is None:
            raise LookupError(ast.dump(statement))
        return found

    def loops_around(self, statement: ast.stmt) -> list[ast.For | ast.While]:
        """The loops that hold a statement, innermost first."""
        way = [s for _, s in self.chain(statement)[:-1]]
        return [s for s in reversed(way) if isinstance(s, (ast.For, ast.While))]

    def put(self, old: Sequence[ast.stmt], new: Sequence[ast.stmt]) -> None:
        """Put ``new`` in the place of consecutive statements; ``new`` may hold some of them again."""
        chain = self.chain(old[0])
        block = chain[-1][0]
        first, last = block.index(old[0]), block.index(old[-1])
        block[first : last + 1] = list(new)
        self._edited.update(s for _, s in chain[:-1])
        self._edited.update(s for s in new if s not in self._covers)

    def put_before(self, statement: ast.stmt, new: Sequence[ast.stmt]) -> None:
        """Put ``new`` before a statement."""
        self.put([statement], [*new, statement])

    def put_after(self, statement: ast.stmt, new: Sequence[ast.stmt]) -> None:
        """Put ``new`` after a statement."""
        self.put([statement], [statement, *new])

    def change(self, statement: ast.stmt) -> None:
        """Say that an expression of a statement was edited in place."""
        self._edited.update(s for _, s in self.chain(statement))
        self.faithful.pop(statement, None)

    def emitted(self) -> list[ast.stmt]:
        """The body to write into the program."""
        made = _Emitter(self, self._covers, self._expansion, self._edited).block(self.body, {}, set())
        return [readable(statement) for statement in made]

    def commit(self) -> None:
        """Write the body into the program's function; the form is used up."""
        self.function.body[:] = self.emitted() or [ast.Pass()]


class _Emitter:
    def __init__(
        self,
        form: Form,
        covers: dict[ast.stmt, list[Cover]],
        expansion: dict[Cover, list[ast.stmt]],
        edited: set[ast.stmt],
    ) -> None:
        self._form = form
        self._covers = covers
        self._expansion = expansion
        self._edited = edited
        self._used: set[ast.stmt] = set()

    def block(self, block: Sequence[ast.stmt], binds: dict[str, ast.expr], lost: set[str]) -> list[ast.stmt]:
        """Program statements where they can stand, normal form elsewhere.

        Args:
            block: statements in normal form.
            binds: names that program statements may read and no longer have, with what they mean.
            lost: names that they must not read.
        """
        out: list[ast.stmt] = []
        needed: set[str] = set()
        index = 0
        while index < len(block):
            cover = self._cover(block, index, lost)
            if cover is None:
                out.extend(self._normal(block[index], binds, lost))
                index += 1
                continue
            index += len(self._expansion[cover])
            self._used.update(cover)
            out.extend(cover)
            needed |= {n for o in cover for n in _read(o) if n in binds}
        return [assign(n, clone(binds[n])) for n in sorted(needed)] + out

    def _cover(self, block: Sequence[ast.stmt], index: int, lost: set[str]) -> Cover | None:
        for cover in self._covers.get(block[index], ()):
            group = self._expansion[cover]
            there = block[index : index + len(group)]
            whole = len(there) == len(group) and all(a is b for a, b in zip(there, group, strict=True))
            if not whole or any(self._is_edited(s) for s in group) or self._used & set(cover):
                continue
            if not any(_read(o) & lost for o in cover):
                return cover
        return None

    def _is_edited(self, statement: ast.stmt) -> bool:
        return statement in self._edited

    def _normal(self, node: ast.stmt, binds: dict[str, ast.expr], lost: set[str]) -> list[ast.stmt]:
        original = self._form.faithful.get(node)
        if original is not None and node in self._edited and original not in self._used:
            made = self._with_old_header(node, original, binds, lost)
            if made is not None:
                return [made]
        if isinstance(node, ast.Assign) and self._is_idle(node):
            return []
        inner = {**binds, **self._form.binds.get(node, {})}
        gone = lost | self._form.lost.get(node, set())
        copy = _shallow(node)
        for mine, source in zip(blocks(copy), blocks(node), strict=True):
            made_block = self.block(source, inner, gone)
            mine[:] = made_block or ([ast.Pass()] if source else [])
        return [copy]

    def _is_idle(self, node: ast.Assign) -> bool:
        """``x = x``, or a temporary that the program knows nothing of."""
        to = node.targets[0]
        unknown = isinstance(to, ast.Name) and to.id not in self._form.known
        return equal(to, node.value) or (node in self._form.ghosts and unknown)

    def _with_old_header(
        self, node: ast.stmt, original: ast.stmt, binds: dict[str, ast.expr], lost: set[str]
    ) -> ast.stmt | None:
        """The program's own statement with its blocks written anew, where its header still fits."""
        header = set().union(*(_names(e) for e in _header(original)))
        if header & (lost | set(binds)):
            return None
        made = self._form.made.get(node, set())
        if made and any(_names(s) & made for b in blocks(node) for s in b if self._is_new(s)):
            return None
        self._used.add(original)
        for mine, source in zip(blocks(original), blocks(node), strict=True):
            written = self.block(source, binds, lost)
            mine[:] = written or ([ast.Pass()] if source else [])
        return original

    def _is_new(self, statement: ast.stmt) -> bool:
        return statement not in self._covers or statement in self._edited


def readable(node: ast.stmt) -> ast.stmt:
    """A statement, edited in place, with its new parts written as a person would: ``n > 0`` for ``0 < n``."""
    for each in every(node):
        if isinstance(each, ast.Compare) and not hasattr(each, "lineno") and len(each.ops) == 1:
            mirror = _MIRROR.get(type(each.ops[0]))
            if isinstance(each.left, ast.Constant) and mirror is not None:
                each.left, each.ops, each.comparators = each.comparators[0], [mirror()], [each.left]
    return tidied(node, {})


def _shallow(node: ast.stmt) -> ast.stmt:
    """A copy whose blocks are empty lists of its own; expressions are shared."""
    fields: dict[str, object] = {}
    for field_name in node._fields:
        value = getattr(node, field_name, None)
        if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
            value = []
        elif isinstance(value, list) and value and isinstance(value[0], (ast.ExceptHandler, ast.match_case)):
            value = [_shallow_part(part) for part in value]
        if value is not None or field_name == "value":
            fields[field_name] = value
    kind: Any = type(node)
    made: ast.stmt = kind(**fields)
    return made


def _shallow_part(part: ast.ExceptHandler | ast.match_case) -> ast.ExceptHandler | ast.match_case:
    if isinstance(part, ast.ExceptHandler):
        return ast.ExceptHandler(type=part.type, name=part.name, body=[])
    return ast.match_case(pattern=part.pattern, guard=part.guard, body=[])


def _header(statement: ast.stmt) -> Iterator[ast.AST]:
    for _, value in ast.iter_fields(statement):
        if isinstance(value, ast.AST):
            yield value
        elif isinstance(value, list):
            yield from (v for v in value if isinstance(v, ast.AST) and not isinstance(v, ast.stmt))


def _names(node: ast.AST) -> set[str]:
    return {n.id for n in every(node) if isinstance(n, ast.Name)}


def _written(statement: ast.stmt) -> set[str]:
    return {n.id for n in every(statement) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}


def _read(statement: ast.stmt) -> set[str]:
    return {n.id for n in every(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}


def _chain(block: list[ast.stmt], wanted: ast.stmt) -> list[tuple[list[ast.stmt], ast.stmt]] | None:
    for statement in block:
        if statement is wanted:
            return [(block, statement)]
        for inner in blocks(statement):
            found = _chain(inner, wanted)
            if found is not None:
                return [(block, statement), *found]
    return None
