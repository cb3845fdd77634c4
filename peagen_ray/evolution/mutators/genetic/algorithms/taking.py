"""Recognising lists from which a loop always takes the smallest item, or always the largest."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from peagen_ray.evolution.mutators.genetic.base import every
from peagen_ray.evolution.mutators.genetic.canonical.expressions import conjuncts, normalised
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.trees import (
    call,
    item,
    name,
    rebuilt,
    substituted,
    walk_block,
)
from peagen_ray.evolution.mutators.genetic.nodes import equal, is_call, is_constant, names_in

Loop = ast.For | ast.While
ITEM = "ITEM"
"""The name of an item in the expression of its key."""


@dataclass
class Queue:
    """A list from which a loop always takes the smallest item, or always the largest.

    Attributes:
        form: the function in normal form.
        around: the loop.
        queue: the name of the list.
        key: what items are compared by, an expression of ``ITEM``, negative where the largest is taken;
            None for the items themselves.
        dropped: statements that are no longer needed, such as the sorting.
        taken: statements that take the smallest item, with the variable that they put it into.
        pops: expressions whose value is the smallest item, which they take.
        added: statements that append, with what.
        asked: expressions that ask whether the list is empty, or for its length, or for its first item.
    """

    form: Form
    around: Loop
    queue: str
    key: ast.expr | None = None
    dropped: list[ast.stmt] = field(default_factory=list)
    taken: list[tuple[ast.stmt, str]] = field(default_factory=list)
    pops: list[tuple[ast.stmt, ast.expr]] = field(default_factory=list)
    added: list[tuple[ast.stmt, ast.expr]] = field(default_factory=list)
    asked: list[tuple[ast.stmt, ast.expr]] = field(default_factory=list)


def names_taken_from(loop: Loop) -> set[str]:
    """Names of the lists that a loop takes items from."""
    found: set[str] = set()
    for node in (n for s in loop.body for n in every(s)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in {"pop", "remove"} and isinstance(node.func.value, ast.Name):
                found.add(node.func.value.id)
        elif isinstance(node, ast.Delete):
            found |= {n for t in node.targets for n in names_in(t)}
    return found


def queue_of(form: Form, loop: Loop, queue: str) -> Queue | None:
    """How a loop uses a list, if it always takes the smallest item, or always the largest."""
    made = Queue(form, loop, queue)
    keys: list[tuple[ast.expr, bool]] = []
    statements = [s for s in walk_block(loop.body) if s not in form.ghosts]
    chain = form.chain(loop)
    after = [s for b, on in chain for s in walk_block(b[b.index(on) + 1 :]) if s not in form.ghosts]
    if not any(_orders(s, queue) is not None for s in statements):
        return None
    handled: set[ast.stmt] = set()
    users = [s for s in (loop, *statements, *after) if queue in _own_names(s)]
    for statement in users:
        _Steps(made, statement, keys, handled).scans()
    for statement in users:
        steps = _Steps(made, statement, keys, handled)
        if statement not in handled and not (steps.sorts() or steps.adds() or steps.asks()):
            return None
    ends = {_is_first(e) for _, e in [*made.pops, *made.asked]} - {None}
    if len({(ast.dump(k), up) for k, up in keys}) != 1 or not (made.taken or made.pops) or len(ends) > 1:
        return None
    key, rises = keys[0]
    smallest = rises if ends <= {True} else not rises
    if not smallest:
        key = ast.UnaryOp(op=ast.USub(), operand=key)
    made.key = None if equal(key, name(ITEM)) else key
    return made


def _is_first(node: ast.expr) -> bool | None:
    """Whether an expression means the first item of a list, or the last; None when it means neither."""
    if isinstance(node, ast.Subscript):
        return is_constant(node.slice, 0)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return bool(node.args) and is_constant(node.args[0], 0)
    return None


def _own_names(statement: ast.stmt) -> set[str]:
    """Names in a statement, those in its blocks left out."""
    parts = [v for _, v in ast.iter_fields(statement)]
    flat = [e for p in parts for e in (p if isinstance(p, list) else [p])]
    return {n for e in flat if isinstance(e, ast.expr) for n in names_in(e)}


def _orders(statement: ast.stmt, queue: str) -> tuple[ast.expr, bool] | None:
    """``ITEM``, or the key of it, of a statement that sorts a list or takes its minimum; whether that rises."""
    node = statement.value if isinstance(statement, (ast.Expr, ast.Assign)) else None
    if not isinstance(node, ast.Call):
        scan = _scan(statement, queue)
        return None if scan is None else (scan[1], scan[3])
    sorts = isinstance(node.func, ast.Attribute) and node.func.attr == "sort"
    if sorts:
        of: ast.expr | None = node.func.value if isinstance(node.func, ast.Attribute) else None
    else:
        known = any(is_call(node, n) for n in ("sorted", "min", "max"))
        of = node.args[0] if known and len(node.args) == 1 else None
    if of is None or not equal(of, name(queue)):
        return None
    given = {k.arg: k.value for k in node.keywords}
    falls = is_constant(given.pop("reverse", None), True) or is_call(node, "max")
    key = given.pop("key", None)
    if given:
        return None
    if key is None:
        return name(ITEM), not falls
    if isinstance(key, ast.Lambda) and len(key.args.args) == 1:
        return normalised(substituted(key.body, {key.args.args[0].arg: name(ITEM)})), not falls
    return (call(key.id, name(ITEM)), not falls) if isinstance(key, ast.Name) else None


def _scan(statement: ast.stmt, queue: str) -> tuple[str, ast.expr, bool, bool] | None:
    """The variable for what a loop finds, the key, whether it is an index, and whether the smallest wins."""
    if (
        not isinstance(statement, ast.For)
        or not isinstance(statement.target, ast.Name)
        or len(statement.body) != 1
    ):
        return None
    test = statement.body[0]
    if isinstance(test, ast.Assign) and equal(statement.iter, name(queue)):
        return _extreme(test, statement.target.id)
    if not isinstance(test, ast.If) or test.orelse or len(test.body) != 1 or len(conjuncts(test.test)) != 1:
        return None
    note, mine = test.body[0], statement.target.id
    if not isinstance(note, ast.Assign) or not equal(note.value, name(mine)):
        return None
    to = note.targets[0]
    values = test.test.values if isinstance(test.test, ast.BoolOp) else [test.test]
    compare = values[-1]
    by_index = is_call(statement.iter, "range", 2) and queue in names_in(statement)
    if not by_index and not equal(statement.iter, name(queue)):
        return None
    if (
        not isinstance(to, ast.Name)
        or not isinstance(compare, ast.Compare)
        or not isinstance(compare.ops[0], ast.Lt)
    ):
        return None
    low, high = compare.left, compare.comparators[0]
    for key, other in ((low, high), (high, low)):
        if mine in names_in(key) and equal(substituted(key, {mine: name(to.id)}), other):
            return to.id, _key_of(key, queue, mine, by_index), by_index, key is low
    return None


def _extreme(note: ast.Assign, mine: str) -> tuple[str, ast.expr, bool, bool] | None:
    """As :func:`_scan`, for ``x = max(x, item)``."""
    to, value = note.targets[0], note.value
    for kind in ("max", "min"):
        if isinstance(to, ast.Name) and isinstance(value, ast.Call) and is_call(value, kind, 2):
            if any(equal(a, to) for a in value.args) and any(equal(a, name(mine)) for a in value.args):
                return to.id, name(ITEM), False, kind == "min"
    return None


def _key_of(node: ast.expr, queue: str, variable: str, by_index: bool) -> ast.expr:
    wanted: ast.expr = item(name(queue), name(variable)) if by_index else name(variable)
    return rebuilt(node, lambda n: name(ITEM) if isinstance(n, ast.expr) and equal(n, wanted) else None)


class _Steps:
    """Says what one statement does with a queue, and notes it."""

    def __init__(
        self, made: Queue, statement: ast.stmt, keys: list[tuple[ast.expr, bool]], handled: set[ast.stmt]
    ) -> None:
        self._made = made
        self._statement = statement
        self._keys = keys
        self._handled = handled

    def sorts(self) -> bool:
        """Sorting: dropped."""
        node = getattr(self._statement, "value", None)
        key = _orders(self._statement, self._made.queue)
        if key is None or not isinstance(node, ast.Call) or is_call(node, "min") or is_call(node, "max"):
            return False
        target = self._statement.targets[0] if isinstance(self._statement, ast.Assign) else None
        if target is not None and not equal(target, name(self._made.queue)):
            return False
        self._made.dropped.append(self._statement)
        self._keys.append(key)
        return True

    def scans(self) -> bool:
        """Finding an extreme, by a call or a loop, and the statement that then takes it out."""
        queue, statement = self._made.queue, self._statement
        scan = _scan(statement, queue)
        variable, by_index = ("", False) if scan is None else (scan[0], scan[2])
        taken_by_call = isinstance(statement, ast.Assign) and (
            is_call(statement.value, "min") or is_call(statement.value, "max")
        )
        if isinstance(statement, ast.Assign) and taken_by_call:
            variable = statement.targets[0].id if isinstance(statement.targets[0], ast.Name) else ""
        key = _orders(statement, queue)
        if key is None or not variable:
            return False
        block = self._made.form.chain(statement)[-1][0]
        rest = self._made.form.solid(block[block.index(statement) + 1 :])
        taker = next((s for s in rest if queue in _own_names(s)), None)
        taken = self._takes(taker, variable, by_index) if taker is not None else None
        if taker is None or taken is None:
            return False
        start = self._start(block, statement, variable)
        self._handled.update([*walk_block([statement]), *start, *taken])
        if isinstance(taken[0], ast.Assign) and isinstance(taken[0].targets[0], ast.Name):
            variable = taken[0].targets[0].id
            taken, statement = [statement, *taken[1:]], taken[0]
        self._made.dropped.extend([*start, *taken])
        self._made.taken.append((statement, variable))
        self._keys.append(key)
        return True

    def _start(self, block: list[ast.stmt], scan: ast.stmt, variable: str) -> list[ast.stmt]:
        """What the variable is set to before the scan."""
        before = self._made.form.solid(block[: block.index(scan)])
        last = before[-1] if before else None
        fits = isinstance(last, ast.Assign) and equal(last.targets[0], name(variable))
        return [last] if last is not None and fits and isinstance(scan, ast.For) else []

    def _takes(self, taker: ast.stmt, variable: str, by_index: bool) -> list[ast.stmt] | None:
        """The statements that take out what was found; the first is where the heap is asked."""
        queue = self._made.queue
        node = taker.value if isinstance(taker, (ast.Expr, ast.Assign)) else None
        method = "pop" if by_index else "remove"
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == method:
            fits = len(node.args) == 1 and equal(node.args[0], name(variable))
            return [taker] if fits and equal(node.func.value, name(queue)) else None
        if (
            by_index
            and isinstance(taker, ast.Assign)
            and equal(taker.value, item(name(queue), name(variable)))
        ):
            block = self._made.form.chain(taker)[-1][0]
            rest = self._made.form.solid(block[block.index(taker) + 1 :])
            if rest and isinstance(rest[0], (ast.Delete, ast.Expr)) and queue in set(names_in(rest[0])):
                return [taker, rest[0]]
        return None

    def adds(self) -> bool:
        """Appending: a push."""
        node = self._statement.value if isinstance(self._statement, ast.Expr) else None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append":
            if equal(node.func.value, name(self._made.queue)) and self._made.queue not in names_in(
                node.args[0]
            ):
                self._made.added.append((self._statement, node.args[0]))
                return True
        return False

    def asks(self) -> bool:
        """``pop(0)``, ``len``, truth and ``[0]``, wherever they stand."""
        found = list(_uses(self._statement, self._made.queue))
        mentions = sum(
            isinstance(n, ast.Name) and n.id == self._made.queue
            for e in _own_expressions(self._statement)
            for n in every(e)
        )
        if len(found) != mentions:
            return False
        for use in found:
            pops = isinstance(use, ast.Call) and isinstance(use.func, ast.Attribute)
            (self._made.pops if pops else self._made.asked).append((self._statement, use))
        return True


def _own_expressions(statement: ast.stmt) -> list[ast.expr]:
    parts = [v for _, v in ast.iter_fields(statement)]
    flat = [e for p in parts for e in (p if isinstance(p, list) else [p])]
    return [e for e in flat if isinstance(e, ast.expr)]


def _uses(statement: ast.stmt, queue: str) -> Iterator[ast.expr]:
    """The expressions that only take or ask for the first item, the length or whether there is any."""
    for expression in _own_expressions(statement):
        test = isinstance(statement, (ast.While, ast.If)) and expression is statement.test
        for part in conjuncts(expression) if test else []:
            inner = part.operand if isinstance(part, ast.UnaryOp) else part
            if equal(inner, name(queue)):
                yield inner
        for node in every(expression):
            if isinstance(node, ast.Call) and is_call(node, "len", 1) and equal(node.args[0], name(queue)):
                yield node
            elif isinstance(node, ast.Subscript) and equal(node.value, name(queue)):
                if isinstance(node.ctx, ast.Load) and _is_end(node.slice):
                    yield node
            elif (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == "pop"
            ):
                if equal(node.func.value, name(queue)) and (not node.args or _is_end(node.args[0])):
                    yield node


def _is_end(index: ast.expr) -> bool:
    return is_constant(index, 0) or is_constant(index, -1)
