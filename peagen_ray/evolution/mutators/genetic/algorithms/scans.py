"""Recognising the linear scan for the smallest: which item, by what, among which."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from peagen_ray.evolution.mutators.genetic.base import every, stored
from peagen_ray.evolution.mutators.genetic.canonical.expressions import conjuncts
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.recipes import form_blocks
from peagen_ray.evolution.mutators.genetic.canonical.trees import name, substituted, walk_block
from peagen_ray.evolution.mutators.genetic.nodes import equal, is_call, names_in, place


@dataclass(frozen=True)
class Better:
    """A condition that says that an item is better than the best so far.

    Attributes:
        key: what items are compared by, an expression of the item.
        sign: 1 where the smallest wins, -1 where the largest does.
        last: whether of equals the last wins.
        always: whether the first item is better whatever its key.
    """

    key: ast.expr
    sign: int
    last: bool
    always: bool


@dataclass(frozen=True)
class Scan:
    """A loop that finds the item of a domain whose key is smallest, run again and again by another loop.

    Attributes:
        form: the function in normal form.
        loop: the loop that scans.
        around: the loop that runs it.
        item: the loop's variable.
        domain: what it goes through.
        better: how items are compared.
        filters: conditions of an item that do not depend on the best so far.
        hit: what is done with an item that is better.
    """

    form: Form
    loop: ast.For
    around: ast.For | ast.While
    item: str
    domain: ast.expr
    better: Better
    filters: tuple[ast.expr, ...]
    hit: tuple[ast.stmt, ...]

    @property
    def table(self) -> ast.expr:
        """What the key is looked up in: ``d`` of ``d[item]``."""
        return key_table(self.better.key)

    def key_of(self, item: ast.expr) -> ast.expr:
        """The key of an item, negative where the largest wins."""
        value = substituted(self.better.key, {self.item: item})
        return value if self.better.sign > 0 else ast.UnaryOp(op=ast.USub(), operand=value)


def scans(form: Form) -> Iterator[Scan]:
    """The scans of a function that another of its loops runs."""
    for statement in list(walk_block(form.body)):
        if isinstance(statement, ast.For) and isinstance(statement.target, ast.Name):
            found = _scan(form, statement, statement.target.id)
            if found is not None:
                yield found


def key_table(key: ast.expr) -> ast.expr:
    """``d`` of ``d[x]`` and of ``d.get(x, …)``."""
    if isinstance(key, ast.Subscript):
        return key.value
    return cast("ast.Attribute", cast("ast.Call", key).func).value


def _scan(form: Form, loop: ast.For, item: str) -> Scan | None:
    around = next(iter(form.loops_around(loop)), None)
    body = form.solid(loop.body)
    if around is None or len(body) != 1 or loop.orelse:
        return None
    test, hit = _guarded(form, body[0])
    better = _found_better(test, hit, item)
    if better is None:
        better, gathered = _gathered(form, loop, hit, item), True
    else:
        gathered = False
    if better is None:
        return None
    filters = [c for c in test if gathered or not _is_better(c, hit, item)]
    domain, more = _domain(loop.iter, item)
    made = Scan(form, loop, around, item, domain, better, (*filters, *more), tuple(hit))
    return made if _is_steady(made) else None


def _guarded(form: Form, statement: ast.stmt) -> tuple[list[ast.expr], list[ast.stmt]]:
    """The conditions under which a loop's one statement does something, and what."""
    if isinstance(statement, ast.If) and not statement.orelse:
        return conjuncts(statement.test), form.solid(statement.body)
    return [], [statement]


def _found_better(test: list[ast.expr], hit: list[ast.stmt], item: str) -> Better | None:
    """How items are compared, where what is done is to note the item."""
    notes = [s for s in hit if isinstance(s, ast.Assign) and isinstance(s.targets[0], ast.Name)]
    if len(notes) != len(hit) or not any(equal(s.value, name(item)) for s in notes):
        return None
    found = [b for c in test if (b := _better(c, notes, item)) is not None]
    keys = [s.value for s in notes if not equal(s.value, name(item))]
    if len(found) != 1 or not all(equal(k, found[0].key) for k in keys):
        return None
    return found[0]


def _is_better(test: ast.expr, hit: list[ast.stmt], item: str) -> bool:
    notes = [s for s in hit if isinstance(s, ast.Assign)]
    return _better(test, notes, item) is not None


def _better(test: ast.expr, notes: list[ast.Assign], item: str) -> Better | None:
    """How items are compared by ``key(v) < best``, ``best is None or key(v) < key(best)``, and the like."""
    noted = {s.targets[0].id for s in notes if isinstance(s.targets[0], ast.Name)}
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        found = [b for v in test.values if (b := _better(v, notes, item)) is not None]
        others = [v for v in test.values if _better(v, notes, item) is None]
        if len(found) == 1 and all(names_in(v) & noted and item not in names_in(v) for v in others):
            return Better(found[0].key, found[0].sign, found[0].last, always=True)
        return None
    if not isinstance(test, ast.Compare) or not isinstance(test.ops[0], (ast.Lt, ast.LtE)):
        return None
    low, high = test.left, test.comparators[0]
    for key, other, sign in ((low, high, 1), (high, low, -1)):
        if _is_key(key, item) and _is_best(other, key, notes, item):
            return Better(key, sign, isinstance(test.ops[0], ast.LtE), always=False)
    return None


def _is_key(node: ast.expr, item: str) -> bool:
    """``d[item]`` or ``d.get(item, …)``."""
    if isinstance(node, ast.Subscript):
        return equal(node.slice, name(item)) and place(node.value) != "" and item not in names_in(node.value)
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
        return bool(node.args) and equal(node.args[0], name(item)) and item not in names_in(node.func.value)
    return False


def _is_best(node: ast.expr, key: ast.expr, notes: list[ast.Assign], item: str) -> bool:
    """Whether an expression is the key of the best so far."""
    for note in notes:
        to = note.targets[0]
        if equal(note.value, key) and equal(node, to):
            return True
        if equal(note.value, name(item)) and equal(node, substituted(key, {item: to})):
            return True
    return False


def _gathered(form: Form, loop: ast.For, hit: list[ast.stmt], item: str) -> Better | None:
    """How items are compared that are gathered in a list, of which the smallest is then taken."""
    if len(hit) != 1 or not isinstance(hit[0], ast.Expr) or not isinstance(hit[0].value, ast.Call):
        return None
    call = hit[0].value
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in {"append", "add"}:
        return None
    gathered, element = call.func.value, call.args[0] if call.args else None
    if not isinstance(gathered, ast.Name) or element is None:
        return None
    block = next(b for b in form_blocks(form) if loop in b)
    after = form.solid(block[block.index(loop) + 1 :])
    if equal(element, name(item)):
        return _chosen_later(after, gathered.id, item)
    if isinstance(element, ast.Tuple) and len(element.elts) == 2 and _is_key(element.elts[0], item):
        if equal(element.elts[1], name(item)) and _takes_least(after, gathered.id):
            return Better(element.elts[0], 1, last=False, always=True)
    return None


def _chosen_later(after: list[ast.stmt], gathered: str, item: str) -> Better | None:
    """The comparison of a scan of the gathered items themselves, where they are used for nothing else."""
    found: Better | None = None
    for statement in after:
        if isinstance(statement, ast.For) and equal(statement.iter, name(gathered)) and found is None:
            if isinstance(statement.target, ast.Name) and len(statement.body) == 1:
                body = statement.body[0]
                test = conjuncts(body.test) if isinstance(body, ast.If) else []
                hit = body.body if isinstance(body, ast.If) else []
                inner = _found_better(test, hit, statement.target.id)
                if inner is not None and len(test) == 1:
                    key = substituted(inner.key, {statement.target.id: name(item)})
                    found = Better(key, inner.sign, inner.last, always=True)
                    continue
        if not _only_asks_if_empty(statement, gathered):
            return None
    return found


def _only_asks_if_empty(statement: ast.stmt, gathered: str) -> bool:
    """Whether a statement does not mention a list but for its truth, in its condition."""
    test = statement.test if isinstance(statement, ast.If) else None
    inner = test.operand if isinstance(test, ast.UnaryOp) else test
    asked = isinstance(inner, ast.Name) and inner.id == gathered
    return _mentions([statement], gathered) == int(asked)


def _mentions(block: list[ast.stmt], gathered: str) -> int:
    return sum(isinstance(n, ast.Name) and n.id == gathered for s in block for n in every(s))


def _takes_least(after: list[ast.stmt], gathered: str) -> bool:
    """Whether of gathered pairs only the smallest is used."""
    users = [s for s in after if not _only_asks_if_empty(s, gathered)]
    calls = [n for s in users for n in every(s) if isinstance(n, ast.Call) and is_call(n, "min", 1)]
    least = [c for c in calls if equal(c.args[0], name(gathered))]
    return len(least) == 1 and _mentions(users, gathered) == 1


def _domain(source: ast.expr, item: str) -> tuple[ast.expr, list[ast.expr]]:
    """What a loop goes through, without a copy; of ``a - b`` the filter ``item not in b``."""
    if isinstance(source, ast.BinOp) and isinstance(source.op, ast.Sub):
        domain, more = _domain(source.left, item)
        out = ast.Compare(left=name(item), ops=[ast.NotIn()], comparators=[source.right])
        return domain, [*more, out]
    if isinstance(source, ast.Call) and isinstance(source.func, ast.Name) and len(source.args) == 1:
        if source.func.id in {"list", "set", "tuple"} and place(source.args[0]):
            return source.args[0], []
    if isinstance(source, ast.Call) and isinstance(source.func, ast.Attribute) and source.func.attr == "keys":
        return source.func.value, []
    return source, []


def _is_steady(scan: Scan) -> bool:
    """Whether the loop around leaves alone what the scan asks: no name that it reads is bound anew."""
    bound = {n for s in scan.around.body for n in stored(s)}
    read = names_in(scan.better.key) | names_in(scan.domain)
    for condition in scan.filters:
        read |= names_in(condition)
    known = place(scan.domain) != "" or is_call(scan.domain, "range")
    return known and not (read - {scan.item}) & bound
