"""Dictionaries in the place of lists from which items are removed by value."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, Operator, every, parse_expression
from peagen_ray.evolution.mutators.genetic.canonical.trees import LOAD, call, item, name, parameters
from peagen_ray.evolution.mutators.genetic.nodes import is_call, is_constant, own_nodes
from peagen_ray.evolution.mutators.genetic.rewrite import Edit


@dataclass(frozen=True)
class Ordered:
    """A list that is used like a set with an order.

    Attributes:
        function: where it lives.
        name: its name.
    """

    function: FunctionNode
    name: str


class OrderedSet(Edit[Ordered]):
    """Makes a dictionary of a list that is asked for members, and that items are removed from by value.

    Before::

        recent = []
        for key in requests:
            if key in recent:
                recent.remove(key)
            elif len(recent) >= size:
                recent.pop(0)
            recent.append(key)

    After::

        recent = {}
        for key in requests:
            if key in recent:
                del recent[key]
            elif len(recent) >= size:
                recent.pop(next(iter(recent)))
            recent[key] = None

    The items are taken to be different from each other.
    """

    NAME = "ordered-set"

    def sites(self, draft: Draft) -> list[Ordered]:
        """Local lists of which nothing else is asked."""
        found = []
        for function in draft.functions():
            removed = {_owner(n) for n in own_nodes(function) if _method(n) == "remove"} - {""}
            for identifier in sorted(removed - set(parameters(function))):
                if _fits(draft, function, identifier):
                    found.append(Ordered(function, identifier))
        return found

    def edit(self, draft: Draft, site: Ordered) -> bool:
        """Put the dictionary's ways in the place of the list's."""
        for node in list(own_nodes(site.function)):
            if isinstance(node, ast.Assign) and _names(node.targets[0], site.name):
                node.value = _as_dict(node.value)
            elif isinstance(node, ast.Call) and _owner(node) == site.name:
                _change(draft, site.name, node)
            elif isinstance(node, ast.Return) and node.value is not None and _names(node.value, site.name):
                node.value = call("list", node.value)
        draft.touched()
        return True


def _names(node: ast.AST | None, identifier: str) -> bool:
    return isinstance(node, ast.Name) and node.id == identifier


def _owner(node: ast.AST) -> str:
    """The name whose method is called."""
    if (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
    ):
        return node.func.value.id
    return ""


def _method(node: ast.AST) -> str:
    return node.func.attr if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else ""


def _as_dict(value: ast.expr) -> ast.expr:
    if isinstance(value, ast.List) and not value.elts:
        return ast.Dict(keys=[], values=[])
    keys = ast.Attribute(value=name("dict"), attr="fromkeys", ctx=LOAD)
    inner = value.args[0] if isinstance(value, ast.Call) and is_call(value, "list", 1) else value
    return ast.Call(func=keys, args=[inner], keywords=[])


def _change(draft: Draft, identifier: str, node: ast.Call) -> None:
    """Say with a dictionary what a method of the list does."""
    statement = draft.statement(node)
    if _method(node) == "pop":
        node.args = [call("next", call("iter", name(identifier)))]
    elif statement is not None:
        entry = ast.Subscript(value=name(identifier), slice=node.args[0], ctx=ast.Store())
        if _method(node) == "append":
            draft.replace(statement, ast.Assign(targets=[entry], value=ast.Constant(value=None)))
        else:
            entry.ctx = ast.Del()
            draft.replace(statement, ast.Delete(targets=[entry]))


def _fits(draft: Draft, function: FunctionNode, identifier: str) -> bool:
    """Whether every use of a local list is one that a dictionary can stand in for."""
    built = False
    for node in every(function):
        if isinstance(node, ast.Name) and node.id == identifier:
            up = draft.parent(node)
            if isinstance(up, ast.Assign) and up.targets == [node]:
                if not _is_list(up.value):
                    return False
                built = True
            elif not _is_plain_use(draft, node):
                return False
    return built


def _is_list(value: ast.expr) -> bool:
    made = isinstance(value, (ast.List, ast.ListComp)) or is_call(value, "list")
    return made or is_call(value, "range") or is_call(value, "sorted")


def _is_plain_use(draft: Draft, node: ast.Name) -> bool:
    up = draft.parent(node)
    if isinstance(up, ast.Compare):
        return up.comparators == [node] and isinstance(up.ops[0], (ast.In, ast.NotIn))
    if isinstance(up, (ast.While, ast.If)):
        return up.test is node
    if isinstance(up, (ast.For, ast.comprehension)):
        return up.iter is node
    if isinstance(up, (ast.Return, ast.UnaryOp, ast.BoolOp)):
        return True
    if isinstance(up, ast.Call):
        return isinstance(up.func, ast.Name) and up.func.id in {
            "len",
            "list",
            "sorted",
            "sum",
            "tuple",
            "set",
        }
    call_node = draft.parent(up) if isinstance(up, ast.Attribute) else None
    if not isinstance(call_node, ast.Call) or not isinstance(up, ast.Attribute):
        return False
    alone = isinstance(draft.parent(call_node), ast.Expr) and len(call_node.args) == 1
    if up.attr in {"append", "remove"}:
        return alone
    return up.attr == "pop" and len(call_node.args) == 1 and is_constant(call_node.args[0], 0)


class CountedItems(Edit[Ordered]):
    """Counts the items of a list that is only asked for members, and that items are removed from by value.

    Before::

        left = list(word)
        for letter in other:
            if letter in left:
                left.remove(letter)
                shared += 1

    After::

        left = collections.Counter(word)
        for letter in other:
            if left[letter] > 0:
                left[letter] -= 1
                shared += 1
    """

    NAME = "counted-items"

    def sites(self, draft: Draft) -> list[Ordered]:
        """Local lists of which nothing else is asked."""
        found = []
        for function in draft.functions():
            removed = {_owner(n) for n in own_nodes(function) if _method(n) == "remove"} - {""}
            for identifier in sorted(removed - set(parameters(function))):
                if _is_counted(draft, function, identifier):
                    found.append(Ordered(function, identifier))
        return found

    def edit(self, draft: Draft, site: Ordered) -> bool:
        """Put counts in the place of the items."""
        for node in list(own_nodes(site.function)):
            if isinstance(node, ast.Assign) and _names(node.targets[0], site.name):
                value = node.value
                copied = value.args[0] if isinstance(value, ast.Call) and is_call(value, "list", 1) else value
                node.value = ast.Call(
                    func=parse_expression("collections.Counter"), args=[copied], keywords=[]
                )
            elif isinstance(node, ast.Compare) and _names(node.comparators[-1], site.name):
                _ask_count(node)
            elif isinstance(node, ast.Call) and _owner(node) == site.name:
                statement = draft.statement(node)
                assert statement is not None
                entry = item(name(site.name), node.args[0])
                entry.ctx = ast.Store()
                op = ast.Add() if _method(node) == "append" else ast.Sub()
                one = ast.Constant(value=1)
                draft.replace(statement, ast.AugAssign(target=entry, op=op, value=one))
        draft.touched()
        draft.ensure_import("import collections")
        return True


def _ask_count(node: ast.Compare) -> None:
    """``xs[v] > 0`` for ``v in xs``."""
    node.left = item(node.comparators[0], node.left)
    node.ops = [ast.Gt() if isinstance(node.ops[0], ast.In) else ast.LtE()]
    node.comparators = [ast.Constant(value=0)]


def _is_counted(draft: Draft, function: FunctionNode, identifier: str) -> bool:
    """Whether a local list is only asked for members, appended to and removed from by value."""
    built = False
    for node in every(function):
        if isinstance(node, ast.Name) and node.id == identifier:
            up = draft.parent(node)
            if isinstance(up, ast.Assign) and up.targets == [node]:
                built = True
            elif (
                not isinstance(up, (ast.Compare, ast.Attribute))
                or not _is_plain_use(draft, node)
                or (isinstance(up, ast.Attribute) and up.attr not in {"append", "remove"})
            ):
                return False
    return built


OPERATORS: tuple[Operator, ...] = (OrderedSet(), CountedItems())
