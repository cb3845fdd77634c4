"""Small questions that operators ask of syntax nodes."""

from __future__ import annotations

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from typing import TypeVar, cast

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, blocks_of, loaded, stored
from peagen_ray.evolution.mutators.genetic.compare import same_code

_N = TypeVar("_N", bound=ast.AST)

IGNORED_FIELDS = frozenset({"ctx", "type_comment", "kind", "type_ignores", "type_params"})
"""Fields that say nothing about what code does."""

_NEGATED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.Lt: ast.GtE,
    ast.Gt: ast.LtE,
    ast.LtE: ast.Gt,
    ast.GtE: ast.Lt,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}


def own_nodes(function: FunctionNode) -> Iterator[ast.AST]:
    """Every node of a function's body in the order of the source, those of functions within it left out."""
    todo: list[ast.AST] = list(reversed(function.body))
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            todo.extend(reversed(list(ast.iter_child_nodes(node))))


def own_blocks(function: FunctionNode) -> Iterator[list[ast.stmt]]:
    """Every list of statements of a function, those of functions within it left out."""
    todo: list[ast.AST] = [function]
    while todo:
        for block in blocks_of(todo.pop()):
            yield block
            todo.extend(s for s in block if not isinstance(s, (ast.FunctionDef, ast.AsyncFunctionDef)))


def lengths(function: FunctionNode) -> dict[str, ast.Call]:
    """``{"n": len(xs)}`` for each name that is bound once in ``function``, to the length of a variable."""
    bound = Counter(
        n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
    )
    found: dict[str, ast.Call] = {}
    for node in own_nodes(function):
        if isinstance(node, ast.Assign) and is_call(node.value, "len", 1):
            for target in node.targets:
                if isinstance(target, ast.Name) and bound[target.id] == 1:
                    found[target.id] = cast("ast.Call", node.value)
    return found


equal = same_code


def is_metavariable(name: str) -> bool:
    """Whether a name in a pattern stands for something else: it is in capitals."""
    return name.isupper()


def is_call(node: ast.AST | None, name: str, count: int | None = None) -> bool:
    """Whether ``node`` calls the function ``name``, with ``count`` positional arguments and no others."""
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == name
        and (count is None or (len(node.args) == count and not node.keywords))
    )


def is_constant(node: ast.AST | None, value: object) -> bool:
    """Whether ``node`` is this constant, of this type."""
    return isinstance(node, ast.Constant) and type(node.value) is type(value) and node.value == value


def root(node: ast.expr) -> str:
    """The name at the bottom of ``a.b[0].c``, or "" where there is none."""
    while isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""


def names_in(node: ast.AST) -> set[str]:
    """Every variable that ``node`` mentions, read or written."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def renamed(node: _N, old: str, new: str) -> _N:
    """A copy of ``node`` in which one variable has another name."""
    copied = copy.deepcopy(node)
    for each in ast.walk(copied):
        if isinstance(each, ast.Name) and each.id == old:
            each.id = new
    return copied


def negated(test: ast.expr) -> ast.expr:
    """The opposite of a condition, written shortly."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return test.operand
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        other = _NEGATED[type(test.ops[0])]
        return ast.Compare(left=test.left, ops=[other()], comparators=test.comparators)
    if isinstance(test, ast.Constant) and isinstance(test.value, bool):
        return ast.Constant(value=not test.value)
    return ast.UnaryOp(op=ast.Not(), operand=test)


def with_context(node: ast.expr, ctx: ast.expr_context) -> ast.expr:
    """``node``, set in place to be read or written to."""
    if hasattr(node, "ctx"):
        node.ctx = type(ctx)()
    for part in node.elts if isinstance(node, (ast.Tuple, ast.List)) else ():
        with_context(part, ctx)
    if isinstance(node, ast.Starred):
        with_context(node.value, ctx)
    return node


MUTATING_METHODS = frozenset(
    {
        "add", "append", "appendleft", "clear", "difference_update", "discard", "extend", "extendleft",
        "insert", "intersection_update", "pop", "popitem", "popleft", "remove", "reverse", "rotate",
        "setdefault", "sort", "symmetric_difference_update", "update",
    }
)  # fmt: skip
PURE_FUNCTIONS = frozenset(
    {
        "abs", "all", "any", "ascii", "bin", "bool", "bytes", "chr", "complex", "dict", "divmod",
        "enumerate", "filter", "float", "format", "frozenset", "hash", "hex", "int", "isinstance", "len",
        "list", "map", "max", "min", "oct", "ord", "pow", "range", "repr", "reversed", "round", "set",
        "sorted", "str", "sum", "tuple", "type", "zip",
    }
)  # fmt: skip
PURE_METHODS = frozenset(
    {
        "capitalize", "casefold", "copy", "count", "difference", "endswith", "find", "format", "get",
        "index", "intersection", "isalnum", "isalpha", "isdigit", "isdisjoint", "islower", "isspace",
        "issubset", "issuperset", "istitle", "isupper", "items", "join", "keys", "lower", "lstrip",
        "partition", "replace", "rfind", "rindex", "rsplit", "rstrip", "split", "splitlines",
        "startswith", "strip", "swapcase", "title", "translate", "union", "upper", "values", "zfill",
    }
)  # fmt: skip


def place(node: ast.expr) -> str:
    """``a.b`` for ``a.b`` and for anything that is reached from it by items or calls; "" for neither."""
    while isinstance(node, (ast.Subscript, ast.Starred)):
        node = node.value
    if isinstance(node, ast.Attribute):
        up = place(node.value)
        return f"{up}.{node.attr}" if up and not isinstance(node.value, ast.Subscript) else up
    return node.id if isinstance(node, ast.Name) else ""


def places(node: ast.AST) -> set[str]:
    """The longest dotted names that ``node`` reads: ``self.items`` and not ``self``."""
    inner = {id(n.value) for n in ast.walk(node) if isinstance(n, ast.Attribute)}
    parts = (n for n in ast.walk(node) if isinstance(n, (ast.Name, ast.Attribute)) and id(n) not in inner)
    return {found for n in parts if isinstance(n.ctx, ast.Load) and (found := place(n))}


def mutated(node: ast.AST) -> set[str]:
    """Places that ``node`` changes: by item, attribute, ``+=``, ``del`` or a known method."""
    found: set[str] = set()
    for each in ast.walk(node):
        if isinstance(each, (ast.Subscript, ast.Attribute)) and isinstance(each.ctx, (ast.Store, ast.Del)):
            found.add(place(each))
        elif isinstance(each, ast.AugAssign):
            found.add(place(each.target))
        elif isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute):
            found |= {place(each.func.value)} if each.func.attr in MUTATING_METHODS else set()
    return found - {""}


def is_pure(expression: ast.AST, known: frozenset[str] = frozenset()) -> bool:
    """Whether evaluating it does nothing but compute, as far as names tell.

    Args:
        expression: any node.
        known: functions that are pure, beside the builtins and those of ``math``.
    """
    for node in ast.walk(expression):
        if isinstance(node, (ast.Await, ast.Yield, ast.YieldFrom, ast.NamedExpr)):
            return False
        if isinstance(node, ast.Call) and not _is_pure_call(node, known):
            return False
    return True


def _is_pure_call(node: ast.Call, known: frozenset[str]) -> bool:
    func = node.func
    if isinstance(func, ast.Name):
        return func.id in PURE_FUNCTIONS or func.id in known
    if isinstance(func, ast.Attribute):
        return func.attr in PURE_METHODS or (isinstance(func.value, ast.Name) and func.value.id == "math")
    return False


def pure_functions(draft: Draft) -> frozenset[str]:
    """The functions of the module that only compute: they change nothing that they did not make."""
    functions = {n.name: n for n in draft.tree.body if isinstance(n, ast.FunctionDef)}
    pure = frozenset(name for name, function in functions.items() if not _changes_others(function))
    while True:
        left = frozenset(name for name in pure if _calls_pure(functions[name], pure))
        if left == pure:
            return pure
        pure = left


def _changes_others(function: ast.FunctionDef) -> bool:
    own = stored(function) - {argument.arg for argument in function.args.args}
    outside = any(isinstance(n, (ast.Global, ast.Nonlocal)) for n in ast.walk(function))
    return outside or any(changed.split(".")[0] not in own for changed in mutated(function))


def _calls_pure(function: ast.FunctionDef, known: frozenset[str]) -> bool:
    """Whether all that a function calls is pure, or changes what the function made itself."""
    for node in ast.walk(function):
        if isinstance(node, (ast.Yield, ast.YieldFrom, ast.Await)):
            return False
        if isinstance(node, ast.Call) and not _is_pure_call(node, known):
            changes_own = isinstance(node.func, ast.Attribute) and node.func.attr in MUTATING_METHODS
            if not changes_own:
                return False
    return True


def is_invariant(expression: ast.AST, within: ast.AST) -> bool:
    """Whether nothing that ``expression`` mentions is bound or changed in place within the other node."""
    changed = stored(within) | mutated(within)
    return not any(overlap(a, b) for a in places(expression) for b in changed)


def overlap(a: str, b: str) -> bool:
    """Whether one of two dotted names is the other or a part of it."""
    return f"{a}.".startswith(f"{b}.") or f"{b}.".startswith(f"{a}.")


def position(node: ast.AST) -> tuple[int, int]:
    """Line and column of a node that comes from the source, else (0, 0)."""
    if isinstance(node, (ast.stmt, ast.expr)) and hasattr(node, "lineno"):
        return node.lineno, node.col_offset
    return 0, 0


def movable(statement: ast.stmt, past: ast.stmt) -> bool:
    """Whether an assignment of something simple could as well stand after the statement ``past``."""
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)):
        return False
    acts = any(isinstance(n, (ast.Call, ast.Yield, ast.YieldFrom, ast.Await)) for n in ast.walk(statement))
    if acts and not _builds_empty(statement.value):
        return False
    leaves = any(isinstance(n, (ast.Return, ast.Raise, ast.Break, ast.Continue)) for n in ast.walk(past))
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    written = {root(target) for target in targets}
    read = (loaded(statement) - written) if not leaves else loaded(statement)
    if written & (loaded(past) | stored(past)):
        return False
    return not any(overlap(a, b) for a in read for b in stored(past) | mutated(past))


def _builds_empty(value: ast.expr | None) -> bool:
    return (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Name)
        and value.func.id in {"list", "dict", "set", "len"}
        and not any(isinstance(a, ast.Call) for a in value.args)
    )


def shorter_range(node: ast.Call) -> Iterator[ast.Call]:
    """``range(n)`` for ``range(0, n)`` and ``range(a, b)`` for ``range(a, b, 1)``; else nothing."""
    args = node.args
    if is_call(node, "range") and len(args) == 3 and is_constant(args[2], 1):
        args = args[:2]
    if is_call(node, "range") and len(args) == 2 and is_constant(args[0], 0):
        args = args[1:]
    if len(args) < len(node.args):
        yield ast.Call(func=node.func, args=args, keywords=[])


def conjuncts(test: ast.expr) -> list[ast.expr]:
    """The parts of ``a and b``, or the condition alone."""
    return test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.And) else [test]


def without_guard(block: list[ast.stmt]) -> list[ast.stmt]:
    """The body of a loop with ``if …: continue`` before the rest turned into an ``if`` around the rest."""
    first = block[0] if len(block) > 1 else None
    if not isinstance(first, ast.If) or first.orelse or not isinstance(first.body[0], ast.Continue):
        return block
    return [ast.If(test=negated(first.test), body=without_guard(block[1:]), orelse=[])]
