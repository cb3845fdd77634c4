"""Comprehensions, and calls that loop, written as loops.

``total = sum(e for x in xs if c)`` → ``total = 0``, ``for x in xs: if c: total += e``; so too ``any``, ``all``,
``max``, ``min`` (also with ``key``), ``len([…])``, ``xs.count(v)`` and every comprehension.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

from peagen_ray.evolution.mutators.genetic.base import every
from peagen_ray.evolution.mutators.genetic.canonical.expressions import (
    condition,
    conjunction,
    negated,
    normalised,
    shifted,
)
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.trees import (
    assign,
    call,
    clone,
    item,
    name,
    rebuilt,
    renamed,
    substituted,
    target,
)
from peagen_ray.evolution.mutators.genetic.nodes import names_in

_Comprehension = (ast.ListComp, ast.SetComp, ast.GeneratorExp, ast.DictComp)
_Leaf = Callable[[ast.Name], list[ast.stmt]]


@dataclass
class _Loop:
    """What an expression becomes: an initial value, and a loop that changes it.

    Attributes:
        start: the value before the loop.
        generators: the ``for`` and ``if`` clauses.
        leaf: the statements within, given the variable that holds the value.
        decides: for ``any`` and ``all``, the test that ends the loop.
    """

    start: ast.expr
    generators: Sequence[ast.comprehension]
    leaf: _Leaf
    decides: ast.expr | None = None


def lowered(form: Form, block: Sequence[ast.stmt]) -> list[ast.stmt]:
    """A block without comprehensions and looping calls, where they are evaluated first and always."""
    out: list[ast.stmt] = []
    for statement in block:
        if isinstance(statement, (ast.Assign, ast.AugAssign, ast.Return, ast.Expr, ast.If)):
            out.extend(_lower(form, statement))
        else:
            out.append(statement)
    return out


def _lower(form: Form, statement: ast.stmt) -> list[ast.stmt]:
    prelude: list[ast.stmt] = []
    while True:
        found = next(_candidates(form, statement), None)
        if found is None:
            break
        node, loop = found
        whole = isinstance(statement, (ast.Assign, ast.Return)) and statement.value is node
        if whole and isinstance(statement, ast.Assign):
            to = statement.targets[0]
            if isinstance(to, ast.Name) and to.id not in names_in(node):
                made = [*prelude, *_loops(loop, to.id)]
                return form.derive([statement], made)
        if whole and isinstance(statement, ast.Return) and loop.decides is not None:
            return form.derive([statement], [*prelude, *_deciding(loop, loop.decides)])
        result = form.names.fresh("result" if whole else _stem(node))
        prelude.extend(_loops(loop, result))
        _replace(statement, node, name(result))
    return form.derive([statement], [*prelude, statement]) if prelude else [statement]


def _stem(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        function = node.func.id if isinstance(node.func, ast.Name) else "count"
        return {"sum": "total", "any": "found", "all": "holds", "len": "count"}.get(function, "result")
    return "result"


def _candidates(form: Form, statement: ast.stmt) -> Iterator[tuple[ast.expr, _Loop]]:
    """The expressions to replace, innermost first, among those that are evaluated whatever happens."""
    root = statement.test if isinstance(statement, ast.If) else getattr(statement, "value", None)
    if isinstance(root, ast.expr):
        for node in _always(root):
            loop = _loop(form, node)
            if loop is not None:
                yield node, loop


def _always(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.Lambda):
        return
    if isinstance(node, _Comprehension):
        yield node
        return
    children: list[ast.AST] = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.BoolOp):
        children = [node.values[0]]
    elif isinstance(node, ast.IfExp):
        children = [node.test]
    elif isinstance(node, ast.Call) and node.args and isinstance(node.args[0], _Comprehension):
        if isinstance(node.func, ast.Name) and node.func.id in _CALLS:
            yield node
            return
    for child in children:
        if isinstance(child, ast.expr):
            yield from _always(child)
        elif isinstance(child, ast.keyword):
            yield from _always(child.value)
    yield node


_CALLS = frozenset({"sum", "any", "all", "max", "min", "len", "list", "set"})


def _replace(statement: ast.stmt, old: ast.expr, new: ast.expr) -> None:
    for field, value in ast.iter_fields(statement):
        if isinstance(value, ast.expr):
            setattr(statement, field, rebuilt(value, lambda n: new if n is old else None))


def _loop(form: Form, node: ast.expr) -> _Loop | None:
    if isinstance(node, (ast.ListComp, ast.SetComp, ast.DictComp)):
        return _collected(form, node)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
        return _called(form, node, node.func.id)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return _counting(form, node)
    return None


def _collected(
    form: Form, node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
) -> _Loop | None:
    if any(g.is_async for g in node.generators):
        return None
    own = _own_names(form, node)
    if isinstance(own, ast.DictComp):
        key, value = own.key, own.value

        def put(result: ast.Name) -> list[ast.stmt]:
            to = ast.Subscript(value=result, slice=key, ctx=ast.Store())
            return [ast.Assign(targets=[to], value=value)]

        return _Loop(ast.Dict(keys=[], values=[]), own.generators, put)
    element = own.elt
    method = "add" if isinstance(own, ast.SetComp) else "append"
    start: ast.expr = call("set") if isinstance(own, ast.SetComp) else ast.List(elts=[], ctx=ast.Load())

    def add(result: ast.Name) -> list[ast.stmt]:
        function = ast.Attribute(value=result, attr=method, ctx=ast.Load())
        return [ast.Expr(value=ast.Call(func=function, args=[element], keywords=[]))]

    return _Loop(start, own.generators, add)


def _own_names(form: Form, node: ast.expr) -> ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp:
    """A copy whose variables are called like nothing else in the function."""
    own = {n.id for n in every(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    outside = [n for n in every(form.function) if isinstance(n, ast.Name) and n.id in own]
    inside = [n for n in every(node) if isinstance(n, ast.Name) and n.id in own]
    taken = {n.id for n in outside} if len(outside) > len(inside) else set()
    copy = renamed(node, {n: form.names.fresh(n) for n in sorted(taken)})
    return cast("ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp", copy)


def _called(form: Form, node: ast.Call, function: str) -> _Loop | None:
    if function not in _CALLS or not node.args or isinstance(node.args[0], ast.Starred):
        return None
    source = node.args[0]
    if function in {"max", "min"}:
        return _extreme(form, node, function)
    if function == "sum" and not node.keywords and len(node.args) <= 2:
        return _summed(form, node)
    if node.keywords or len(node.args) != 1 or not isinstance(source, (ast.GeneratorExp, ast.ListComp)):
        return None
    own = _own_names(form, source)
    assert not isinstance(own, ast.DictComp)
    if function in {"any", "all"}:
        return _tested(own, function == "any")
    if function == "len":
        return _Loop(
            ast.Constant(value=0), own.generators, lambda result: [_add(result, ast.Constant(value=1))]
        )
    kind = ast.SetComp if function == "set" else ast.ListComp
    return _collected(form, kind(elt=own.elt, generators=own.generators))


def _generators(form: Form, source: ast.expr, stem: str) -> tuple[ast.expr, Sequence[ast.comprehension]]:
    """What a source yields, as an expression, and the clauses around it."""
    if isinstance(source, (ast.GeneratorExp, ast.ListComp)):
        own = _own_names(form, source)
        assert not isinstance(own, ast.DictComp)
        return own.elt, own.generators
    made = form.names.fresh(stem)
    clause = ast.comprehension(target=target(made), iter=clone(source), ifs=[], is_async=0)
    return name(made), [clause]


def _summed(form: Form, node: ast.Call) -> _Loop:
    element, generators = _generators(form, node.args[0], "item")
    start = node.args[1] if len(node.args) == 2 else ast.Constant(value=0)
    return _Loop(start, generators, lambda result: [_add(result, element)])


def _add(result: ast.Name, value: ast.expr) -> ast.AugAssign:
    return ast.AugAssign(target=target(result.id), op=ast.Add(), value=value)


def _tested(own: ast.ListComp | ast.SetComp | ast.GeneratorExp, wanted: bool) -> _Loop:
    """``any`` and ``all``: a flag, and a ``break`` when it is decided."""
    test = condition(own.elt)
    test = test if wanted else negated(test)

    def leaf(result: ast.Name) -> list[ast.stmt]:
        decided = assign(result.id, ast.Constant(value=wanted))
        return [ast.If(test=test, body=[decided, ast.Break()], orelse=[])]

    return _Loop(ast.Constant(value=not wanted), own.generators, leaf, test)


def _extreme(form: Form, node: ast.Call, function: str) -> _Loop | None:
    """``max`` and ``min`` of one iterable, with or without ``key``."""
    given = {k.arg: k.value for k in node.keywords}
    if len(node.args) != 1 or set(given) - {"key", "default"}:
        return None
    if "key" not in given:
        if not given and isinstance(node.args[0], ast.Subscript):
            return _extreme_of_slice(form, node.args[0], function)
        if not isinstance(node.args[0], (ast.GeneratorExp, ast.ListComp)) or given:
            return None
        element, generators = _generators(form, node.args[0], "item")
        infinite = call("float", ast.Constant(value="-inf" if function == "max" else "inf"))

        def leaf(result: ast.Name) -> list[ast.stmt]:
            return [assign(result.id, call(function, name(result.id), element))]

        return _Loop(infinite, generators, leaf)
    element, generators = _generators(form, node.args[0], "item")
    key = _keyed(given["key"])
    if not isinstance(element, ast.Name) or key is None:
        return None

    def scan(result: ast.Name) -> list[ast.stmt]:
        mine, best = key(name(element.id)), key(name(result.id))
        low, high = (best, mine) if function == "max" else (mine, best)
        better = ast.Compare(left=low, ops=[ast.Lt()], comparators=[high])
        first = ast.Compare(left=name(result.id), ops=[ast.Is()], comparators=[ast.Constant(value=None)])
        test = ast.BoolOp(op=ast.Or(), values=[first, better])
        return [ast.If(test=test, body=[assign(result.id, name(element.id))], orelse=[])]

    return _Loop(given.get("default", ast.Constant(value=None)), generators, scan)


def _extreme_of_slice(form: Form, source: ast.Subscript, function: str) -> _Loop | None:
    """``max(xs[a:b])``: the first item, and a loop over the others."""
    if not isinstance(source.slice, ast.Slice) or source.slice.step is not None:
        return None
    lower = source.slice.lower or ast.Constant(value=0)
    if isinstance(lower, ast.Constant) and isinstance(lower.value, int) and lower.value < 0:
        return None
    rest = ast.Slice(lower=shifted(clone(lower), 1), upper=source.slice.upper)
    made = form.names.fresh("item")
    others = ast.Subscript(value=source.value, slice=rest, ctx=ast.Load())
    clause = ast.comprehension(target=target(made), iter=clone(others), ifs=[], is_async=0)

    def leaf(result: ast.Name) -> list[ast.stmt]:
        return [assign(result.id, call(function, name(result.id), name(made)))]

    return _Loop(item(clone(source.value), clone(lower)), [clause], leaf)


def _keyed(key: ast.expr) -> Callable[[ast.expr], ast.expr] | None:
    """What a ``key`` argument makes of an item: the body of a lambda, ``d[x]`` for ``d.get``, ``f(x)``."""
    if isinstance(key, ast.Lambda) and len(key.args.args) == 1:
        parameter, body = key.args.args[0].arg, key.body
        return lambda value: normalised(substituted(body, {parameter: value}))
    if isinstance(key, ast.Attribute) and key.attr in {"get", "__getitem__"}:
        return lambda value: item(clone(key.value), value)
    if isinstance(key, ast.Name):
        return lambda value: call(key.id, value)
    return None


def _counting(form: Form, node: ast.Call) -> _Loop | None:
    """``xs.count(v)``."""
    func = cast("ast.Attribute", node.func)
    if func.attr != "count" or len(node.args) != 1 or node.keywords or isinstance(func.value, ast.Constant):
        return None
    made = form.names.fresh("item")
    clause = ast.comprehension(target=target(made), iter=clone(func.value), ifs=[], is_async=0)
    test = ast.Compare(left=name(made), ops=[ast.Eq()], comparators=[clone(node.args[0])])

    def leaf(result: ast.Name) -> list[ast.stmt]:
        return [ast.If(test=test, body=[_add(result, ast.Constant(value=1))], orelse=[])]

    return _Loop(ast.Constant(value=0), [clause], leaf)


def _loops(loop: _Loop, result: str) -> list[ast.stmt]:
    return [assign(result, loop.start), *_nested(loop, loop.leaf(name(result)))]


def _deciding(loop: _Loop, test: ast.expr) -> list[ast.stmt]:
    """``return`` as soon as ``any`` or ``all`` is decided."""
    start = cast("ast.Constant", loop.start)
    leave = ast.If(test=test, body=[ast.Return(value=ast.Constant(value=not start.value))], orelse=[])
    return [*_nested(loop, [leave]), ast.Return(value=start)]


def _nested(loop: _Loop, body: list[ast.stmt]) -> list[ast.stmt]:
    for clause in reversed(loop.generators):
        if clause.ifs:
            body = [ast.If(test=condition(conjunction(list(clause.ifs))), body=body, orelse=[])]
        body = [ast.For(target=clause.target, iter=clause.iter, body=body, orelse=[])]
    return body
