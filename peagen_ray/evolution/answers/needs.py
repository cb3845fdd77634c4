"""Names that code mentions and statements that bind them: what a rewrite needs of the text around it."""

from __future__ import annotations

import ast
import dis
import warnings
from collections.abc import Iterable, Iterator, Sequence
from types import CodeType

from peagen_ray.evolution.answers.tree import Definition

_Simple = ast.Import | ast.ImportFrom | ast.Assign | ast.AnnAssign | ast.AugAssign
_Compound = ast.If | ast.Try | ast.With
_READING = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"})


def mentioned(node: ast.stmt) -> set[str]:
    """The names of the module that a statement reads, in whatever functions it defines; locals are none."""
    names: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        todo = [compile(ast.Module([node], []), "<part>", "exec", dont_inherit=True)]
    while todo:
        code = todo.pop()
        todo += [each for each in code.co_consts if isinstance(each, CodeType)]
        names.update(each.argval for each in dis.get_instructions(code) if each.opname in _READING)
    return names


def bound(statement: ast.stmt) -> set[str]:
    """The names that a statement of a module binds there."""
    if isinstance(statement, Definition):
        return {statement.name}
    names: set[str] = set()
    todo: list[ast.AST] = [statement]
    while todo:
        node = todo.pop()
        if isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, Definition):
            names.add(node.name)
            continue
        todo += ast.iter_child_nodes(node)
    return names


def needed(
    roots: Iterable[ast.stmt], body: Sequence[ast.stmt], spare: Sequence[ast.stmt], most: int
) -> list[ast.stmt] | None:
    """The statements of ``body`` that the roots need, directly or through others, in the order written.

    Names that ``body`` does not bind are looked for in ``spare``. Statements that fill what is needed are needed
    as well; those that only do something, such as tests and examples of use, are not. None if there would be more
    than ``most``.
    """
    homes = _homes(spare) | _homes(body)
    chosen: dict[int, ast.stmt] = {}
    puts = [(node, put_into(node)) for node in body if not isinstance(node, Definition)]
    todo = list(roots)
    while todo:
        for name in sorted(mentioned(todo.pop())):
            for statement in homes.get(name, ()):
                if id(statement) not in chosen:
                    chosen[id(statement)] = statement
                    todo.append(statement)
                    if len(chosen) > most:
                        return None
        if not todo:
            todo = [node for node in _filling(puts, chosen.values()) if id(node) not in chosen]
            chosen.update((id(node), node) for node in todo)
    stars = [node for node in body if isinstance(node, ast.ImportFrom) and node.names[0].name == "*"]
    chosen.update((id(node), node) for node in stars)
    return [node for node in (*spare, *body) if id(node) in chosen]


def _filling(puts: Iterable[tuple[ast.stmt, set[str]]], chosen: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that put something into what chosen ones bind, as a loop that fills a table does."""
    names = {name for node in chosen if isinstance(node, ast.Assign | ast.AnnAssign) for name in bound(node)}
    return (node for node, into in puts if into & names and not is_main_guard(node))


def put_into(statement: ast.stmt) -> set[str]:
    """The names of what a statement stores an item or an attribute in, or calls a method of for no value."""
    names: set[str] = set()
    for node in ast.walk(statement):
        at: ast.AST | None = None
        if isinstance(node, ast.Subscript | ast.Attribute) and isinstance(node.ctx, ast.Store):
            at = node
        elif isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
            at = node.value.func if isinstance(node.value.func, ast.Attribute) else None
        while isinstance(at, ast.Subscript | ast.Attribute):
            at = at.value
        if isinstance(at, ast.Name):
            names.add(at.id)
    return names


def is_import(statement: ast.stmt) -> bool:
    """Whether a statement imports."""
    return isinstance(statement, ast.Import | ast.ImportFrom)


def imports_already(body: Sequence[ast.stmt], statement: ast.stmt) -> bool:
    """Whether all that an import binds is imported in the same way there."""
    return set(_imported([statement])) <= set(_imported(body))


def _imported(body: Sequence[ast.stmt]) -> Iterator[tuple[str, int, str, str | None]]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (("", 0, each.name, each.asname) for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.module or "", node.level, each.name, each.asname) for each in node.names)


def _homes(body: Sequence[ast.stmt]) -> dict[str, list[ast.stmt]]:
    homes: dict[str, list[ast.stmt]] = {}
    for statement in body:
        if isinstance(statement, Definition | _Simple | _Compound) and not is_main_guard(statement):
            for name in bound(statement):
                homes.setdefault(name, []).append(statement)
    return homes


def is_main_guard(statement: ast.stmt) -> bool:
    """Whether it is ``if __name__ == "__main__"``."""
    return isinstance(statement, ast.If) and any(
        isinstance(each, ast.Name) and each.id == "__name__" for each in ast.walk(statement.test)
    )
