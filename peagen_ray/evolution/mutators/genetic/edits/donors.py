"""Donors: code of this program and of its inspirations that may be put elsewhere."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, mentioned, stored
from peagen_ray.evolution.mutators.genetic.canonical.trees import clone
from peagen_ray.evolution.mutators.genetic.edits.base import DEFINITIONS, editable, expressions, is_text
from peagen_ray.evolution.mutators.genetic.nodes import own_blocks

_N = TypeVar("_N", bound=ast.AST)


def unplaced(node: _N) -> _N:
    """A copy without positions."""
    return clone(node)


def qualified(tree: ast.Module) -> dict[str, FunctionNode]:
    """Every function of a module and of its classes, by its path: ``name`` or ``Class.method``."""
    found: dict[str, FunctionNode] = {}
    todo: list[tuple[str, Sequence[ast.stmt]]] = [("", tree.body)]
    while todo:
        path, body = todo.pop()
        for node in body:
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                found[path + node.name] = node
            elif isinstance(node, ast.ClassDef):
                todo.append((f"{path}{node.name}.", node.body))
    return found


def counterparts(draft: Draft, name: str) -> Iterator[FunctionNode]:
    """The functions of the inspirations that have a name, whatever class they are in."""
    for tree in draft.inspirations:
        for path, function in qualified(tree).items():
            if path.rpartition(".")[2] == name:
                yield function


def statements_alike(draft: Draft, site: ast.stmt) -> list[ast.stmt]:
    """Statements that may stand in the place of one: of its function, here and in the inspirations."""
    function = draft.enclosing(site)
    found = [node for node in editable(draft) if draft.enclosing(node) is function]
    for other in counterparts(draft, function.name if function is not None else ""):
        every = (node for block in own_blocks(other) for node in block)
        found += [node for node in every if not isinstance(node, DEFINITIONS) and not is_text(node)]
    return found


def expressions_alike(draft: Draft, site: ast.expr) -> list[ast.expr]:
    """Expressions that may stand in the place of one: of its function, here and in the inspirations."""
    function = draft.enclosing(site)
    functions = [] if function is None else [function, *counterparts(draft, function.name)]
    return [found for each in functions for node in each.body for found in expressions(node)]


def adopt(draft: Draft, place: ast.stmt, other: ast.Module, *new: ast.AST) -> None:
    """Bring along what ``new`` code from another program mentions and this one lacks.

    Imports go to the top; functions, classes and constants before the module's statement around ``place``.
    """
    theirs, todo = definitions(other), list(new)
    needed: list[ast.stmt] = []
    while todo:
        ours = definitions(draft.tree)
        for name in sorted(set(mentioned(todo.pop())) & theirs.keys() - ours.keys()):
            node = theirs[name]
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                draft.ensure_import(ast.unparse(node))
            elif node not in needed:
                needed.insert(0, node)
                todo.append(node)
    while place not in draft.tree.body:
        up = draft.statement(draft.parent(place) or place)
        if up is None or up is place:
            return
        place = up
    draft.insert_before(place, *map(unplaced, needed))


def definitions(tree: ast.Module) -> Mapping[str, ast.stmt]:
    """What a module's own statements define, by name."""
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        names = {node.name} if isinstance(node, DEFINITIONS) else set()
        if isinstance(node, (ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom)):
            names = stored(node)
        found.update(dict.fromkeys(names, node))
    return found
