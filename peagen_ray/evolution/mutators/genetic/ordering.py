"""How a piece of code orders the items of a sequence: what it compares, and which way."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, parse_expression
from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.nodes import PURE_FUNCTIONS, place

ITEM = "item"
"""What an item is called in the keys that are found."""

_SIGNS: dict[type[ast.cmpop], int] = {ast.Gt: 1, ast.GtE: 1, ast.Lt: -1, ast.LtE: -1}


@dataclass
class Scope:
    """What is known of the names of one function.

    Attributes:
        sequences: names of the sequence that is ordered.
        items: for a name that was computed from one item, the expression in ``item``, and which item.
    """

    sequences: set[str]
    items: dict[str, tuple[ast.expr, str]] = field(default_factory=dict)

    def in_item(self, node: ast.expr) -> tuple[ast.expr, list[str]]:
        """``node`` written in terms of ``item``, and which items it was that it mentioned."""
        filler = _ItemFinder(self)
        return filler.visit(copy.deepcopy(node)), filler.found

    def learn(self, body: Iterable[ast.AST]) -> None:
        """Take in what assignments and loops say of names."""
        for root in body:
            for node in ast.walk(root):
                if isinstance(node, ast.Assign) and len(node.targets) == 1:
                    self._assigned(node.targets[0], node.value)
                elif isinstance(node, (ast.For, ast.comprehension)):
                    self._looped(node.target, node.iter)

    def _assigned(self, target: ast.expr, value: ast.expr) -> None:
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            for one, other in zip(target.elts, value.elts, strict=False):
                self._assigned(one, other)
        elif isinstance(target, ast.Name):
            if self.is_part(value) and not isinstance(value, ast.Name):
                self.sequences.add(target.id)
                return
            key, found = self.in_item(value)
            if len(found) == 1:
                self.items[target.id] = (key, found[0])

    def is_part(self, node: ast.expr) -> bool:
        """Whether it is the sequence, a part of it, or some of its items in another order."""
        if isinstance(node, (ast.Name, ast.Attribute)):
            return place(node) in self.sequences
        if isinstance(node, ast.Subscript):
            return isinstance(node.slice, ast.Slice) and self.is_part(node.value)
        if isinstance(node, ast.ListComp):
            return self.is_part(node.generators[0].iter)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
            return node.func.id not in PURE_FUNCTIONS - {"list", "sorted"} and self.is_part(node.args[0])
        return False

    def _looped(self, target: ast.expr, iterable: ast.expr) -> None:
        if isinstance(iterable, ast.Call) and iterable.args and isinstance(target, ast.Tuple):
            target, iterable = target.elts[-1], iterable.args[0]
        source = iterable.value if isinstance(iterable, ast.Subscript) else iterable
        if isinstance(target, ast.Name) and place(source) in self.sequences:
            self.items[target.id] = (ast.Name(id=ITEM, ctx=ast.Load()), target.id)


class _ItemFinder(ast.NodeTransformer):
    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.found: list[str] = []

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        direct = isinstance(node.value, (ast.Name, ast.Attribute))
        if direct and place(node.value) in self._scope.sequences and not isinstance(node.slice, ast.Slice):
            self.found.append(ast.unparse(node))
            return ast.Name(id=ITEM, ctx=ast.Load())
        return self.generic_visit(node)

    def visit_Name(self, node: ast.Name) -> ast.AST:
        known = self._scope.items.get(node.id)
        if known is None:
            return node
        self.found.append(known[1])
        return copy.deepcopy(known[0])


@dataclass(frozen=True)
class Comparison:
    """Two items compared by a key.

    Attributes:
        key: an expression in ``item``.
        first: which item stands on the left.
        sign: 1 for ``>`` and ``>=``, -1 for ``<`` and ``<=``.
    """

    key: ast.expr
    first: str
    sign: int


def functions_of(draft: Draft) -> dict[str, FunctionNode]:
    """The functions at the top of the module, by name."""
    return {node.name: node for node in draft.tree.body if isinstance(node, FunctionNode)}


def comparisons(
    node: ast.AST, scope: Scope, functions: Mapping[str, FunctionNode], depth: int = 3
) -> Iterator[Comparison]:
    """The comparisons of items within ``node``, and within the functions that it calls with items."""
    for each in ast.walk(node):
        if isinstance(each, ast.Compare) and len(each.ops) == 1 and type(each.ops[0]) in _SIGNS:
            left, lefts = scope.in_item(each.left)
            right, rights = scope.in_item(each.comparators[0])
            if len(lefts) == len(rights) == 1 and same_code(left, right):
                yield Comparison(left, lefts[0], _SIGNS[type(each.ops[0])])
        elif isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and depth:
            callee = functions.get(each.func.id)
            inner = _called(callee, each, scope) if callee is not None else None
            if callee is not None and inner is not None:
                inner.learn(callee.body)
                for statement in callee.body:
                    yield from comparisons(statement, inner, functions, depth - 1)


def _called(callee: FunctionNode, call: ast.Call, scope: Scope) -> Scope | None:
    """What a called function knows of the items that it is given; None where it is given none."""
    inner = Scope(set())
    for parameter, argument in zip(callee.args.args, call.args, strict=False):
        if scope.is_part(argument):
            inner.sequences.add(parameter.arg)
            continue
        key, found = scope.in_item(argument)
        if len(found) == 1:
            inner.items[parameter.arg] = (key, parameter.arg)
    return inner if inner.sequences or inner.items else None


def comparators(
    node: ast.AST, scope: Scope, functions: Mapping[str, FunctionNode]
) -> Iterator[tuple[str, bool]]:
    """Functions of the module that compare two items, and whether they answer with a number."""
    numeric = {id(n.left) for n in ast.walk(node) if isinstance(n, ast.Compare)}
    for each in ast.walk(node):
        if not isinstance(each, ast.Call) or not isinstance(each.func, ast.Name) or len(each.args) != 2:
            continue
        plain = [scope.in_item(argument) for argument in each.args]
        items = all(isinstance(key, ast.Name) and key.id == ITEM and len(found) == 1 for key, found in plain)
        if items and each.func.id in functions:
            yield each.func.id, id(each) in numeric


def orderings(node: ast.AST, scope: Scope, functions: Mapping[str, FunctionNode]) -> list[list[ast.keyword]]:
    """The likely arguments of a ``sort`` that does what ``node`` does, most likely first."""
    found = list(comparisons(node, scope, functions))
    keys: list[tuple[ast.expr, int]] = []
    for each in found:
        sign = each.sign if each.first == found[0].first else -each.sign
        if not any(same_code(each.key, key) for key, _ in keys):
            keys.append((each.key, sign * found[0].sign))
    made = [_by_keys(keys, falling=falling) for falling in (False, True)]
    for name, numeric in dict.fromkeys(comparators(node, scope, functions)):
        made += _by_function(name, numeric=numeric)
    return made


def compares(node: ast.AST, scope: Scope, functions: Mapping[str, FunctionNode]) -> bool:
    """Whether ``node`` compares items in any way that is understood."""
    return any(comparisons(node, scope, functions)) or any(comparators(node, scope, functions))


def _by_keys(keys: Sequence[tuple[ast.expr, int]], *, falling: bool) -> list[ast.keyword]:
    """A key and a direction; keys that go different ways are negated, which numbers bear."""
    same_way = all(sign > 0 for _, sign in keys)
    way = -1 if falling and not same_way else 1
    parts = [key if sign == way else ast.UnaryOp(op=ast.USub(), operand=key) for key, sign in keys]
    made = [ast.keyword(arg="reverse", value=ast.Constant(value=True))] if falling and same_way else []
    if not parts or (same_way and len(parts) == 1 and isinstance(parts[0], ast.Name)):
        return made
    body = parts[0] if len(parts) == 1 else ast.Tuple(elts=parts, ctx=ast.Load())
    key = parse_expression(f"lambda {ITEM}: None")
    assert isinstance(key, ast.Lambda)
    key.body = copy.deepcopy(body)
    return [ast.keyword(arg="key", value=key), *made]


def _by_function(name: str, *, numeric: bool) -> list[list[ast.keyword]]:
    compare = name if numeric else f"lambda one, other: {name}(one, other) - {name}(other, one)"
    key = f"functools.cmp_to_key({compare})"
    rising = [ast.keyword(arg="key", value=parse_expression(key))]
    return [rising, [*copy.deepcopy(rising), ast.keyword(arg="reverse", value=ast.Constant(value=True))]]


def moves_items(node: ast.AST, name: str, functions: Mapping[str, FunctionNode], depth: int = 3) -> bool:
    """Whether ``node``, or a function that it calls, puts items of a sequence in the places of others."""
    for each in ast.walk(node):
        if (
            isinstance(each, ast.Assign)
            and _is_item(each.targets[0], name)
            and _mentions_item(each.value, name)
        ):
            return True
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Name) and depth:
            callee = functions.get(each.func.id)
            if callee is not None and _moves_argument(callee, each, name, functions, depth - 1):
                return True
    return False


def _moves_argument(
    callee: FunctionNode, call: ast.Call, name: str, functions: Mapping[str, FunctionNode], depth: int
) -> bool:
    for parameter, argument in zip(callee.args.args, call.args, strict=False):
        if not isinstance(argument, (ast.Name, ast.Attribute)) or place(argument) != name:
            continue
        if any(moves_items(statement, parameter.arg, functions, depth) for statement in callee.body):
            return True
    return False


def _is_item(node: ast.expr, name: str) -> bool:
    if isinstance(node, ast.Tuple):
        return all(_is_item(each, name) for each in node.elts)
    return isinstance(node, ast.Subscript) and place(node) == name


def _mentions_item(node: ast.expr, name: str) -> bool:
    return any(isinstance(each, ast.Subscript) and place(each) == name for each in ast.walk(node))


def loop_depth(node: ast.AST, functions: Mapping[str, FunctionNode], depth: int = 3) -> int:
    """How many loops run within one another in ``node``, those of functions that it calls included."""
    below = max((loop_depth(child, functions, depth) for child in ast.iter_child_nodes(node)), default=0)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and depth:
        callee = functions.get(node.func.id)
        within = callee.body if callee is not None else []
        below = max([below, *(loop_depth(statement, functions, depth - 1) for statement in within)])
    return below + isinstance(node, (ast.For, ast.While, ast.comprehension))
