"""The mutator ``shortcut``: loops that only add up become a call of ``sum``."""

from __future__ import annotations

import ast
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

from peagen_ray.errors import MutationRejected
from peagen_ray.evolution.mutators.base import MutationRequest, Mutator, Proposal
from peagen_ray.workload.fingerprint import fingerprint
from peagen_ray.workload.target import inspect_source


class ShortcutMutator(Mutator):
    """Proposes ``total = start + sum(value for item in items)`` for a loop that adds ``value`` to ``total``."""

    NAME: ClassVar[str] = "shortcut"

    def propose(self, request: MutationRequest) -> Proposal:
        """One loop written anew, chosen by the request's seed.

        Raises:
            MutationRejected: no such loop is left that was not judged before.
            TargetError: the source does not parse, or has no such entry.
        """
        inspect_source(request.source, request.entry)
        found = list(_sums(ast.parse(request.source)))
        random.Random(request.seed).shuffle(found)
        for each in found:
            source = each.written(request.source)
            if fingerprint(source) not in request.exclude:
                return Proposal(source, "sum")
        raise MutationRejected("nothing to propose", "no loop is left that only adds up")


@dataclass(frozen=True)
class _Sum:
    """``total = start``, and the loop after it that adds to ``total``."""

    start: ast.Assign | ast.AnnAssign
    loop: ast.For
    value: ast.expr

    def written(self, source: str) -> str:
        """The source with both statements replaced by one; every other line stays as it is."""
        assert self.start.value is not None
        assert self.loop.end_lineno is not None
        item, items, value = map(ast.unparse, (self.loop.target, self.loop.iter, self.value))
        terms = items if item == value else f"{value} for {item} in {items}"
        start = ast.unparse(self.start.value)
        total = f"sum({terms})" if start == "0" else f"{start} + sum({terms})"
        lines = source.splitlines(keepends=True)
        end = "\n" if lines[self.loop.end_lineno - 1].endswith("\n") else ""
        line = " " * self.start.col_offset + f"{_name(self.start)} = {total}{end}"
        return "".join([*lines[: self.start.lineno - 1], line, *lines[self.loop.end_lineno :]])


def _sums(tree: ast.AST) -> Iterator[_Sum]:
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            for start, loop in pairwise(body):
                value = _added(start, loop)
                if value is not None:
                    yield _Sum(start, loop, value)


def _added(start: ast.stmt, loop: ast.stmt) -> ast.expr | None:
    """What the loop adds, if it does nothing else, to what was set just before; else None."""
    name = _name(start)
    if name is None or not isinstance(loop, ast.For) or loop.orelse or len(loop.body) != 1:
        return None
    if start.end_lineno != start.lineno or loop.lineno <= start.lineno or loop.col_offset != start.col_offset:
        return None
    match loop.body[0]:
        case ast.AugAssign(target=ast.Name(id=same), op=ast.Add(), value=value) if same == name:
            pass
        case ast.Assign(
            targets=[ast.Name(id=same)], value=ast.BinOp(left=ast.Name(id=again), op=ast.Add(), right=value)
        ) if same == again == name:
            pass
        case _:
            return None
    used = {
        each.id
        for part in (value, loop.iter, loop.target)
        for each in ast.walk(part)
        if isinstance(each, ast.Name)
    }
    return None if name in used else value


def _name(node: ast.stmt) -> str | None:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Constant(value=int())):
            return name
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.Constant(value=int())):
            return name
    return None
