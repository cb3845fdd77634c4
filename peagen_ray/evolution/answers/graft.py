"""A rewritten function, class or file, put into the program that it is to change."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from peagen_ray.evolution.answers.edit import Reason, Rejected
from peagen_ray.evolution.answers.elision import elided
from peagen_ray.evolution.answers.needs import bound, imports_already, is_import, needed, put_into
from peagen_ray.evolution.answers.rewrite import Rewrite, read_rewrite
from peagen_ray.evolution.answers.source import Source, Splice, indent_of, squeezed
from peagen_ray.evolution.answers.tree import (
    BINDING,
    Definition,
    FunctionNode,
    definitions,
    ellipses,
    end_of,
    find,
    first_line,
    homonyms,
    is_method,
    is_stub,
    is_text,
    parameters,
    start_of,
)
from peagen_ray.evolution.answers.whole import header, into_blocks, is_whole

COMPANY: Final = 200
"""Imports, helpers and constants that a rewrite may bring along."""


@dataclass
class _Plan:
    """What a graft changes, collected before anything is."""

    splices: list[Splice] = field(default_factory=list)
    roots: list[ast.stmt] = field(default_factory=list)


def graft(
    text: str, source: Source, tree: ast.Module, entry: str, spare: Sequence[str] = ()
) -> str | Rejected:
    """The program with what a rewrite defines in the place of what the program has.

    A rewrite that binds every name of the program is taken as a whole file, unless it leaves code out or does
    something when it is imported that the program does not do. Otherwise functions, methods and assignments that
    the program has are replaced where they stand, imports, helpers and constants that they need are added, and
    nothing else is taken; functions beside the entry that are left out (``...``) stay. Of a program with
    EVOLVE-BLOCKs only what is inside them may come out different.

    Args:
        text: of the fence.
        source: the program.
        tree: its syntax tree.
        entry: ``name``, ``Class.method`` or "".
        spare: further texts that may define what the rewrite needs.
    """
    made = read_rewrite(text)
    if isinstance(made, Rejected):
        return made
    if source.blocks:
        whole = into_blocks(made.lines, source)
        if whole is not None:
            return whole
    elif is_whole(made.tree, tree, entry) and not elided(made.lines, squeezed(source.lines)):
        return source.replaced([*header(made, source, tree), *made.lines])
    return _Graft(made, source, tree, entry, _spare(spare)).run()


def _spare(texts: Sequence[str]) -> list[Rewrite]:
    return [each for text in texts if isinstance(each := read_rewrite(text), Rewrite)]


class _Graft:
    """One graft."""

    def __init__(
        self, made: Rewrite, source: Source, tree: ast.Module, entry: str, spare: list[Rewrite]
    ) -> None:
        self._made = made
        self._source = source
        self._tree = tree
        self._entry = entry
        self._spare = spare
        self._plan = _Plan()
        self._is_met = False
        self._gap = ""
        self._target = find(tree, entry) if entry else None
        self._loose: set[ast.stmt] = set()
        self._known = frozenset(squeezed(source.lines))
        self._homes = {id(node): each for each in (*spare, made) for node in each.tree.body}

    def run(self) -> str | Rejected:
        """The program that comes of it."""
        self._loose_parts()
        self._definitions(self._made.tree.body, self._tree.body)
        if not self._is_met:
            what = self._entry or "anything that the program defines"
            return Rejected(Reason.SIGNATURE, f"it does not define {what}")
        gap = self._elided() or self._gap
        if gap:
            return Rejected(Reason.NOT_APPLICABLE, f"it leaves code out: {gap}")
        if self._plan.roots and not self._company():
            return Rejected(Reason.TOO_LARGE, f"it brings along more than {COMPANY} definitions")
        return self._source.spliced(self._plan.splices)

    def _definitions(self, made: Sequence[ast.stmt], body: Sequence[ast.stmt]) -> None:
        """Replace the functions of one scope; those of classes that both have one by one."""
        ours = homonyms(body)
        for name, nodes in homonyms(made).items():
            olds = ours.get(name, [])
            if len(olds) != len(nodes):
                olds, nodes = olds[-1:], nodes[-1:]
            for old, node in zip(olds, nodes, strict=False):
                if node in self._loose:
                    continue
                if isinstance(node, ast.ClassDef) and isinstance(old, ast.ClassDef) and _is_open(old):
                    self._merge(node, old)
                else:
                    self._replace(old, node)

    def _merge(self, made: ast.ClassDef, old: ast.ClassDef) -> None:
        """Put the parts of a class into the program's; its head only if it is no shorter."""
        self._definitions(made.body, old.body)
        self._class_rest(made, old)
        theirs, ours = _head(made), _head(old)
        if theirs != ours and len(theirs) >= len(ours) and _is_open(made):
            first, end = start_of(old) - 1, first_line(old.body[0]) - 1
            lines = self._made.text_of(made, indent_of(self._source.lines[first]))
            lines = lines[: first_line(made.body[0]) - start_of(made)]
            self._plan.splices.append(Splice(first, end, tuple(lines)))
            self._plan.roots.append(made)

    def _replace(self, old: Definition, new: Definition) -> None:
        self._is_met = True
        if ast.dump(old) == ast.dump(new) or (self._is_left_out(old, new) and old is not self._target):
            return
        first = start_of(old)
        indent = indent_of(self._source.lines[first - 1])
        lines = self._made.text_of(new, indent)
        self._plan.splices.append(Splice(first - 1, end_of(old), tuple(lines)))
        self._plan.roots.append(new)
        if ellipses(new) > ellipses(old):
            self._gap = self._gap or f"... in {new.name}"
        self._gap = self._gap or elided(self._made.with_comments(new), self._known)

    def _is_left_out(self, old: Definition, new: Definition) -> bool:
        """Whether a definition has nothing but what stands for code that the program keeps."""
        if is_stub(new) and not is_stub(old):
            return True
        lines = self._made.with_comments(new)
        rest = [node for node in new.body if not isinstance(node, ast.Pass) and not is_text(node)]
        return not rest and bool(elided(lines, ()))

    def _class_rest(self, made: ast.ClassDef, old: ast.ClassDef) -> None:
        """Add the methods and attributes that a class does not have; replace attributes that it has."""
        ours = {name: node for node in old.body for name in bound(node)}
        indent = indent_of(self._source.lines[first_line(old.body[0]) - 1])
        for node in made.body:
            names = bound(node)
            known = [ours[name] for name in sorted(names) if name in ours]
            if not names or (known and isinstance(node, Definition)):
                continue
            lines = self._made.text_of(node, indent)
            if not known:
                self._add_to_class(node, old, lines)
            elif ast.dump(known[0]) != ast.dump(node) and not isinstance(known[0], Definition):
                place = Splice(first_line(known[0]) - 1, end_of(known[0]), tuple(lines))
                self._plan.splices.append(place)
                self._plan.roots.append(node)

    def _add_to_class(self, node: ast.stmt, old: ast.ClassDef, lines: list[str]) -> None:
        is_method = isinstance(node, Definition)
        anchor = old.body[-1] if is_method else _before_first_method(old)
        at = end_of(anchor) if anchor is not None else first_line(old.body[0]) - 1
        self._plan.splices.append(Splice(at, at, ("", *lines) if is_method else tuple(lines)))
        self._plan.roots.append(node)

    def _loose_parts(self) -> None:
        """The entry's class without the classes around it, and methods of it without the class."""
        owner = find(self._tree, self._entry.rpartition(".")[0]) if "." in self._entry else None
        if not isinstance(owner, ast.ClassDef):
            return
        ours, taken = definitions(owner.body), definitions(self._tree.body)
        for name, node in definitions(self._made.tree.body).items():
            if (
                isinstance(node, ast.ClassDef)
                and name == owner.name
                and name not in taken
                and _is_open(owner)
            ):
                self._merge(node, owner)
            if not isinstance(node, FunctionNode) or (name in taken and not is_method(node)):
                continue
            old = ours.get(name)
            if isinstance(old, FunctionNode) and (is_method(node) or parameters(node) == parameters(old)):
                self._replace_loose(old, node)
            elif old is None and is_method(node) and name not in taken:
                indent = indent_of(self._source.lines[first_line(owner.body[0]) - 1])
                self._add_to_class(node, owner, self._made.text_of(node, indent))
            else:
                continue
            self._loose.add(node)

    def _replace_loose(self, old: FunctionNode, new: FunctionNode) -> None:
        """A method without its class: decorators that say how it is called are the program's, unless it has any."""
        self._replace(old, new)
        if new.decorator_list or not self._plan.splices or self._plan.roots[-1] is not new:
            return
        kept = [node for node in old.decorator_list if ast.unparse(node).rpartition(".")[2] in BINDING]
        splice = self._plan.splices[-1]
        lines = [line for node in kept for line in self._source.lines[node.lineno - 1 : end_of(node)]]
        self._plan.splices[-1] = splice._replace(lines=(*lines, *splice.lines))

    def _company(self) -> bool:
        """Add the imports, helpers and constants that what was replaced needs, and replace those that differ.

        False if that is too much.
        """
        ours = {name: node for node in self._tree.body for name in bound(node)}
        taken = {*ours, *(name for node in self._made.tree.body for name in bound(node))}
        spare = [node for each in self._spare for node in each.tree.body if not bound(node) & taken]
        found = needed(self._plan.roots, self._made.tree.body, spare, COMPANY)
        filled = {name for node in self._tree.body for name in put_into(node)}
        imports: list[str] = []
        helpers: list[str] = []
        for node in found or ():
            known = next((ours[name] for name in sorted(bound(node)) if name in ours), None)
            puts = set() if isinstance(node, Definition) else put_into(node)
            if puts:
                helpers += [] if puts & filled else self._text_of(node)
            elif is_import(node):
                imports += [] if imports_already(self._tree.body, node) else self._text_of(node)
            elif known is None and node not in self._loose:
                helpers += (
                    ["", "", *self._text_of(node)] if isinstance(node, Definition) else self._text_of(node)
                )
            elif known is not None and not isinstance(known, Definition) and not isinstance(node, Definition):
                self._replace_plain(known, node)
        self._insert(imports, helpers)
        return found is not None

    def _replace_plain(self, known: ast.stmt, node: ast.stmt) -> None:
        """Replace a statement that is no definition, unless it is the same."""
        if ast.dump(known) != ast.dump(node):
            splice = Splice(first_line(known) - 1, end_of(known), tuple(self._text_of(node)))
            self._plan.splices.append(splice)

    def _insert(self, imports: list[str], helpers: list[str]) -> None:
        place = import_place(self._source, self._tree)
        first = min((each.start for each in self._plan.splices), default=0)
        top = self._top_level(first)
        if imports:
            late = [line for line in imports if not line.startswith("from __future__ ")]
            early = [line for line in imports if line.startswith("from __future__ ")]
            at = _after_docstring(self._tree)
            self._plan.splices += [Splice(at, at, tuple(early))] if early else []
            gap = ["", ""] if self._is_tight(place) else []
            self._plan.splices += [Splice(place, place, (*late, *gap))] if late else []
        if helpers:
            while helpers and not helpers[0]:
                helpers.pop(0)
            at = max(top, place)
            self._plan.splices.append(Splice(at, at, (*helpers, "", "")))

    def _is_tight(self, place: int) -> bool:
        """Whether a definition follows at once."""
        return any(isinstance(node, Definition) and start_of(node) - 1 == place for node in self._tree.body)

    def _top_level(self, line: int) -> int:
        """The first line of the statement of the module that a line, from 0, is in."""
        starts = [first_line(node) - 1 for node in self._tree.body]
        return max((start for start in starts if start <= line), default=line)

    def _text_of(self, node: ast.stmt) -> list[str]:
        return self._homes[id(node)].text_of(node, "")

    def _elided(self) -> str:
        return next((gap for each in self._plan.splices if (gap := elided(each.lines, self._known))), "")


def import_place(source: Source, tree: ast.Module) -> int:
    """The number of lines before the place where an import is added: after the last one of the head, in the block."""
    start, end = source.blocks[0] if source.blocks else (0, len(source.lines))
    place = max(_after_docstring(tree), start)
    for node in tree.body:
        if is_import(node) and first_line(node) > start and end_of(node) <= end:
            place = max(place, end_of(node))
        elif isinstance(node, Definition):
            break
    return place


def _after_docstring(tree: ast.Module) -> int:
    if ast.get_docstring(tree) is not None:
        return end_of(tree.body[0])
    return first_line(tree.body[0]) - 1 if tree.body else 0


def _head(node: ast.ClassDef) -> list[str]:
    """What a class is made with: decorators, bases and keywords."""
    return [ast.dump(each) for each in (*node.decorator_list, *node.bases, *node.keywords)]


def _is_open(node: ast.ClassDef) -> bool:
    """Whether its body stands on lines of its own."""
    return node.body[0].lineno > node.lineno


def _before_first_method(node: ast.ClassDef) -> ast.stmt | None:
    """The last statement before the first method, None if the class begins with one."""
    found: ast.stmt | None = None
    for each in node.body:
        if isinstance(each, Definition):
            break
        found = each
    return found
