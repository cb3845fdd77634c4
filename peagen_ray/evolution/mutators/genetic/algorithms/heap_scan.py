"""A heap in the place of a scan for the smallest that a loop makes again and again (Dijkstra, Prim, …)."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from peagen_ray.evolution.mutators.genetic.algorithms.scans import Scan, scans
from peagen_ray.evolution.mutators.genetic.base import (
    Draft,
    Operator,
    every,
    loaded,
    parse_expression,
    parse_statements,
)
from peagen_ray.evolution.mutators.genetic.canonical.expressions import conjunction
from peagen_ray.evolution.mutators.genetic.canonical.normal import Forms
from peagen_ray.evolution.mutators.genetic.canonical.trees import (
    clone,
    name,
    parameters,
    substituted,
    walk_block,
)
from peagen_ray.evolution.mutators.genetic.nodes import equal, is_call, place
from peagen_ray.evolution.mutators.genetic.rewrite import Edit

_REMOVING = frozenset({"remove", "discard", "pop"})
_ADDING = frozenset({"append", "add", "insert"})


class HeapScan(Edit[Scan]):
    """Keeps the keys in a heap, rather than looking for the smallest key in each round.

    Before::

        while True:
            nearest = None
            for node in distance:
                if node not in done and (nearest is None or distance[node] < distance[nearest]):
                    nearest = node
            if nearest is None:
                break
            done.add(nearest)
            for other, length in graph[nearest].items():
                if distance[nearest] + length < distance[other]:
                    distance[other] = distance[nearest] + length

    After::

        order = {node: rank for rank, node in enumerate(distance)}
        heap = [(distance[node], rank, node) for node, rank in order.items() if node not in done]
        heapq.heapify(heap)
        while True:
            nearest = None
            while heap:
                node = heap[0][-1]
                if heap[0][0] == distance[node] and node not in done:
                    nearest = node
                    break
                heapq.heappop(heap)
            if nearest is None:
                break
            done.add(nearest)
            for other, length in graph[nearest].items():
                if distance[nearest] + length < distance[other]:
                    distance[other] = distance[nearest] + length
                    heapq.heappush(heap, (distance[other], order.setdefault(other, len(order)), other))

    An entry is good while its key is the item's key; others are dropped when they come to the top. Ranks
    break ties as the scan did. The rest of the loop stays as it was, whatever it does: early exits,
    unreachable items, predecessors. Scans in a function of their own are written where they are called.
    """

    NAME = "heap-scan"
    WEIGHT = 4.0

    def sites(self, draft: Draft) -> list[Scan]:
        """Each scan that another loop runs, of keys that the loop changes one at a time."""
        return [s for form in Forms.of(draft).editable() for s in scans(form) if _changes(s) is not None]

    def edit(self, draft: Draft, site: Scan) -> bool:
        """Make the heap, query it, and push to it where keys change."""
        changes = _changes(site)
        if changes is None:
            return False
        form = site.form
        heap = form.names.fresh("heap")
        order = "" if is_call(site.domain, "range") else form.names.fresh("order")
        prelude = _prelude(site, heap, order)
        for statement, items in changes:
            form.put_after(statement, [_push(site, heap, order, item) for item in items])
        query = _query(site, heap)
        form.inherit([query], [site.loop])
        form.put([site.loop], [query])
        form.put_before(site.around, prelude)
        form.commit()
        draft.touched()
        draft.ensure_import("import heapq")
        return True


def _changes(scan: Scan) -> list[tuple[ast.stmt, list[ast.expr]]] | None:
    """The statements of the loop around that give items a key or put them into the domain.

    None when the loop changes keys in a way that a heap cannot follow, or changes none.
    """
    found: list[tuple[ast.stmt, list[ast.expr]]] = []
    keyed = False
    inside = set(walk_block([scan.loop]))
    for statement in list(walk_block(scan.around.body)):
        if statement in inside or statement in scan.form.ghosts:
            continue
        items = [i for t in _targets(statement) for i in _keys_in(t, scan.table)]
        keyed = keyed or bool(items)
        items.extend(_added(statement, scan))
        if items:
            found.append((statement, items))
        elif _is_replaced(statement, scan.table):
            return None
    return found if keyed or _is_shrinking(scan) else None


def _targets(statement: ast.stmt) -> list[ast.expr]:
    if isinstance(statement, ast.Assign):
        return statement.targets
    return [statement.target] if isinstance(statement, ast.AugAssign) else []


def _keys_in(target: ast.expr, table: ast.expr) -> Iterator[ast.expr]:
    """``x`` of the target ``d[x]``."""
    if isinstance(target, (ast.Tuple, ast.List)):
        for element in target.elts:
            yield from _keys_in(element, table)
    elif isinstance(target, ast.Subscript) and equal(target.value, table):
        yield clone(target.slice)


def _added(statement: ast.stmt, scan: Scan) -> list[ast.expr]:
    """What a statement puts into the domain."""
    node = _method_call(statement, scan.domain)
    if node is None or place(scan.domain) == place(scan.table):
        return []
    return [clone(node.args[-1])] if _name_of(node) in _ADDING and node.args else []


def _method_call(statement: ast.stmt, owner: ast.expr) -> ast.Call | None:
    node = statement.value if isinstance(statement, (ast.Expr, ast.Assign)) else None
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and equal(node.func.value, owner):
        return node
    return None


def _name_of(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _is_replaced(statement: ast.stmt, table: ast.expr) -> bool:
    """Whether many keys change at once."""
    node = _method_call(statement, table)
    return node is not None and _name_of(node) in {"update", "clear", "sort", "reverse", "append", "insert"}


def _removes(statement: ast.stmt, owner: ast.expr) -> bool:
    node = _method_call(statement, owner)
    if node is not None:
        return _name_of(node) in _REMOVING
    if isinstance(statement, ast.Delete):
        return any(isinstance(t, ast.Subscript) and equal(t.value, owner) for t in statement.targets)
    return False


def _is_shrinking(scan: Scan) -> bool:
    """Whether the loop around takes items out of the domain or of the table."""
    return any(_removes(s, scan.domain) or _removes(s, scan.table) for s in walk_block(scan.around.body))


def _alive(scan: Scan) -> list[ast.expr]:
    """The conditions under which an item may still be chosen."""
    inside = list(walk_block(scan.around.body))
    alive: list[ast.expr] = []
    for owner in [scan.table] if equal(scan.table, scan.domain) else [scan.table, scan.domain]:
        if any(_removes(s, owner) for s in inside):
            alive.append(ast.Compare(left=name(scan.item), ops=[ast.In()], comparators=[clone(owner)]))
    return alive


def _push(scan: Scan, heap: str, order: str, item: ast.expr) -> ast.stmt:
    (made,) = parse_statements(f"heapq.heappush({heap}, ())")
    assert isinstance(made, ast.Expr)
    assert isinstance(made.value, ast.Call)
    made.value.args[1] = _entry(scan, order, item, f"{order}.setdefault(ITEM, len({order}))")
    return made


def _entry(scan: Scan, order: str, item: ast.expr, rank: str) -> ast.expr:
    """``(key, rank, item)``, or ``(key, item)`` where the items rank themselves."""
    parts = [scan.key_of(item)]
    if order:
        ranked = substituted(parse_expression(rank), {"ITEM": item})
        parts.append(ast.UnaryOp(op=ast.USub(), operand=ranked) if scan.better.last else ranked)
    elif scan.better.last:
        parts.append(ast.UnaryOp(op=ast.USub(), operand=clone(item)))
    parts.append(clone(item))
    return ast.Tuple(elts=parts, ctx=ast.Load())


def _query(scan: Scan, heap: str) -> ast.While:
    """The loop that looks at the top of the heap until it finds a good entry."""
    (made,) = parse_statements(
        f"""
while {heap}:
    {scan.item} = {heap}[0][-1]
    if CONDITION:
        break
    heapq.heappop({heap})
"""
    )
    assert isinstance(made, ast.While)
    test = made.body[1]
    assert isinstance(test, ast.If)
    fresh = ast.Compare(
        left=parse_expression(f"{heap}[0][0]"), ops=[ast.Eq()], comparators=[scan.key_of(name(scan.item))]
    )
    test.test = conjunction([*_alive(scan), fresh, *map(clone, scan.filters)])
    hit = list(scan.hit)
    if not scan.better.always:
        guard = scan.form.solid(scan.loop.body)[0]
        assert isinstance(guard, ast.If)
        hit = [ast.If(test=clone(guard.test), body=hit, orelse=[])]
    test.body[:0] = hit
    return made


def _prelude(scan: Scan, heap: str, order: str) -> list[ast.stmt]:
    """The statements that make the heap of what is there before the loop begins."""
    rank = scan.form.names.fresh("rank") if order else ""
    item = name(scan.item)
    if order:
        source, heads = f"{order}.items()", f"{scan.item}, {rank}"
    else:
        source, heads = "DOMAIN", scan.item
    text = f"{heap} = [ENTRY for {heads} in {source}]\nheapq.heapify({heap})"
    if order:
        text = f"{order} = {{{scan.item}: {rank} for {rank}, {scan.item} in enumerate(DOMAIN)}}\n{text}"
    entry = _entry(scan, order, item, rank)
    made = [substituted(s, {"DOMAIN": scan.domain, "ENTRY": entry}) for s in parse_statements(text)]
    build = made[-2]
    assert isinstance(build, ast.Assign)
    assert isinstance(build.value, ast.ListComp)
    if scan.filters:
        build.value.generators[0].ifs = [conjunction([clone(c) for c in scan.filters])]
    return [*made, *_as_set(scan)]


def _as_set(scan: Scan) -> list[ast.stmt]:
    """``unvisited = set(unvisited)`` where a list is only asked for members and shrunk."""
    domain = scan.domain
    if not isinstance(domain, ast.Name) or not _is_shrinking(scan) or equal(domain, scan.table):
        return []
    if domain.id in parameters(scan.form.function):
        return []
    plain = 0
    for statement in walk_block([scan.around]):
        node = _method_call(statement, domain)
        plain += node is not None and _name_of(node) in {"remove", "discard", "add"}
        for each in every(statement) if not isinstance(statement, (ast.For, ast.While, ast.If)) else ():
            if isinstance(each, ast.Compare) and isinstance(each.ops[0], (ast.In, ast.NotIn)):
                plain += equal(each.comparators[0], domain)
        test = statement.test if isinstance(statement, (ast.While, ast.If)) else None
        if test is not None:
            asked = sum(isinstance(n, ast.Name) and n.id == domain.id for n in every(test))
            plain += asked
    plain += 1
    used = sum(isinstance(n, ast.Name) and n.id == domain.id for n in every(scan.around))
    after = _after(scan)
    if used != plain or any(domain.id in loaded(s) for s in after):
        return []
    return parse_statements(f"{domain.id} = set({domain.id})")


def _after(scan: Scan) -> list[ast.stmt]:
    """The statements that run after the loop around, in the blocks that hold it."""
    found: list[ast.stmt] = []
    for block, statement in scan.form.chain(scan.around):
        found.extend(block[block.index(statement) + 1 :])
    return found


OPERATORS: tuple[Operator, ...] = (HeapScan(),)
