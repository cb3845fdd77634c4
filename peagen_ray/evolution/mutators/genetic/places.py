"""Containers that live in a variable or an attribute: where they are made, and what is done with them."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode
from peagen_ray.evolution.mutators.genetic.match import Match, kinds, matches
from peagen_ray.evolution.mutators.genetic.nodes import is_call, own_nodes, place


@dataclass(frozen=True)
class ListPlace:
    """A list that a function, or the methods of a class, make and use.

    Attributes:
        name: the variable or attribute, as a dotted name.
        starts: the assignments that make it, each with its function.
        nodes: every node of the functions that may use it, each with its function.
    """

    name: str
    starts: tuple[tuple[FunctionNode, ast.Assign | ast.AnnAssign], ...]
    nodes: tuple[tuple[FunctionNode, ast.AST], ...]

    def uses(self, *patterns: str) -> Iterator[tuple[int, Match]]:
        """Where it is used as a pattern says, in which it is ``XS``; with the index of the pattern.

        Patterns of an expression find expressions, wherever they stand.
        """
        fitting: dict[type[ast.AST], list[tuple[int, str]]] = {}
        for index, pattern in enumerate(patterns):
            for kind in kinds(pattern):
                fitting.setdefault(kind, []).append((index, pattern))
        for function, node in self.nodes:
            for index, pattern in fitting.get(type(node), ()):
                found = matches(pattern, node)
                sequence = found["XS"] if found is not None else None
                if found is None or not isinstance(sequence, (ast.Name, ast.Attribute)):
                    continue
                if place(sequence) == self.name:
                    statements = (node,) if isinstance(node, ast.stmt) else ()
                    expression = node if isinstance(node, ast.expr) else None
                    yield index, Match(found, function, statements, expression)
                    break


def list_places(draft: Draft) -> list[ListPlace]:
    """The lists that are made in editable functions, and those of classes with an editable method."""
    editable = draft.functions()
    classes = [n for n in ast.walk(draft.tree) if isinstance(n, ast.ClassDef)]
    methods = [[n for n in cls.body if isinstance(n, FunctionNode)] for cls in classes]
    found = [each for function in editable for each in _in_scope([function], attributes=False)]
    shared = [scope for scope in methods if any(method in editable for method in scope)]
    return found + [each for scope in shared for each in _in_scope(scope, attributes=True)]


def _in_scope(scope: list[FunctionNode], *, attributes: bool) -> Iterator[ListPlace]:
    nodes = tuple((function, node) for function in scope for node in own_nodes(function))
    starts: dict[str, list[tuple[FunctionNode, ast.Assign | ast.AnnAssign]]] = {}
    for function, node in nodes:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and _makes_list(node.value):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if isinstance(target, ast.Attribute if attributes else ast.Name):
                starts.setdefault(place(target), []).append((function, node))
    for name, made in starts.items():
        yield ListPlace(name, tuple(made), nodes)


def _makes_list(value: ast.expr | None) -> bool:
    copied = isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Slice)
    return (
        copied
        or isinstance(value, (ast.List, ast.ListComp))
        or is_call(value, "list")
        or is_call(value, "sorted")
    )
