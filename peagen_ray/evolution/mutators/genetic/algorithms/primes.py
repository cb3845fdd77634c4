"""Primes: sieves, and division by the primes found so far."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, Operator, every, parse_statements
from peagen_ray.evolution.mutators.genetic.canonical.recipes import Cookbook, Recipe
from peagen_ray.evolution.mutators.genetic.canonical.trees import (
    call,
    clone,
    item,
    name,
    parameters,
    substituted,
)
from peagen_ray.evolution.mutators.genetic.nodes import is_call, names_in
from peagen_ray.evolution.mutators.genetic.rewrite import Edit

_SIEVE = """
fresh_sieve = bytearray([1]) * max(HIGH, 2)
fresh_sieve[:2] = bytes(2)
for fresh_step in range(2, math.isqrt(len(fresh_sieve) - 1) + 1):
    if fresh_sieve[fresh_step]:
        fresh_sieve[fresh_step * fresh_step::fresh_step] = bytes(
            len(range(fresh_step * fresh_step, len(fresh_sieve), fresh_step))
        )
"""
_TRIES = (
    """
    FLAG = {yes}
    for D in {divisors}:
        if P % D == 0:
            FLAG = {no}
            break
    if {prime}:
        BODY
""",
    """
    FLAG = {yes}
    for D in {divisors}:
        if P % D == 0:
            FLAG = {no}
    if {prime}:
        BODY
""",
    """
    if {small}:
        FLAG = {no}
    else:
        FLAG = {yes}
        for D in {divisors}:
            if P % D == 0:
                FLAG = {no}
                break
    if {prime}:
        BODY
""",
)
_TESTS = (
    *dict.fromkeys(
        test.format(yes=yes, no=not yes, prime="FLAG" if yes else "not FLAG", divisors=divisors, small=small)
        for test in _TRIES
        for yes in (True, False)
        for divisors in ("range(2, STOP(P))", "PS")
        for small in ("P < 2", "P <= 1")
    ),
    """
    COUNT = 0
    for D in range(1, P + 1):
        if P % D == 0:
            COUNT += 1
    if COUNT == 2:
        BODY
""",
)


class Sieve(Cookbook):
    """Finds the primes of a range with the sieve of Eratosthenes, rather than by dividing each number.

    Before::

        for n in range(2, limit):
            prime = True
            for d in range(2, n):
                if n % d == 0:
                    prime = False
                    break
            if prime:
                primes.append(n)

    After::

        sieve = bytearray([1]) * max(limit, 2)
        sieve[:2] = bytes(2)
        for step in range(2, math.isqrt(len(sieve) - 1) + 1):
            if sieve[step]:
                sieve[step * step::step] = bytes(len(range(step * step, len(sieve), step)))
        for n in range(2, limit):
            if sieve[n]:
                primes.append(n)
    """

    NAME = "sieve"
    WEIGHT = 3.0
    RECIPES = tuple(
        Recipe(
            f"for P in range(LOW, HIGH):{test}",
            f"{_SIEVE}\nfor P in range(LOW, HIGH):\n    if fresh_sieve[P]:\n        BODY\n",
            imports=("import math",),
        )
        for test in _TESTS
    )


class DivideByPrimes(Cookbook):
    """Divides a candidate only by the primes found so far, up to its square root.

    Before::

        while len(primes) < n:
            prime = True
            for d in range(2, candidate):
                if candidate % d == 0:
                    prime = False
                    break
            if prime:
                primes.append(candidate)
            candidate += 1

    After: the inner loop is ``for d in primes``, and ends when ``d * d > candidate``.
    """

    NAME = "divide-by-primes"
    RECIPES = tuple(
        Recipe(
            f"while {test}:{tries}    AFTER\n",
            f"""
while {test}:
    FLAG = True
    for D in PS:
        if D * D > P:
            break
        if P % D == 0:
            FLAG = False
            break
    if FLAG:
        PS.append(P)
        BODY
    AFTER
""",
        )
        for test in ("len(PS) < N",)
        for tries in (
            t.replace("        BODY", "        PS.append(P)\n        BODY").replace("STOP(P)", "STOP")
            for t in _TESTS
            if "in PS" not in t
        )
        if "FLAG" in tries
    )


@dataclass(frozen=True)
class SieveSite:
    """A loop over a range in which a function says of each number whether it is prime.

    Attributes:
        before: the statement that the loop is, or is part of.
        calls: the calls for the loop's variable.
        high: where the range ends.
    """

    before: ast.stmt
    calls: tuple[ast.Call, ...]
    high: ast.expr


class SieveCalls(Edit[SieveSite]):
    """Asks a sieve, where each number of a range is given to a function that tests it by dividing.

    Before::

        return [n for n in range(2, limit) if is_prime(n)]

    After::

        sieve = bytearray([1]) * max(limit, 2)
        ...
        return [n for n in range(2, limit) if sieve[n]]
    """

    NAME = "sieve-calls"
    WEIGHT = 3.0

    def sites(self, draft: Draft) -> list[SieveSite]:
        """Loops and comprehensions over ranges with such calls."""
        testers = {f.name for f in draft.functions() if _divides(f)}
        found = []
        for function in draft.functions():
            for node in every(function):
                site = _sieve_site(draft, node, testers) if function.name not in testers else None
                if site is not None:
                    found.append(site)
        return found

    def edit(self, draft: Draft, site: SieveSite) -> bool:
        """Make the sieve, and ask it."""
        sieve, step = draft.fresh("sieve"), draft.fresh("step")
        text = _SIEVE.replace("fresh_sieve", sieve).replace("fresh_step", step)
        for each in site.calls:
            flag = item(name(sieve), each.args[0])
            draft.replace_expression(each, flag if _is_asked(draft, each) else call("bool", flag))
        draft.insert_before(
            site.before, *(substituted(s, {"HIGH": site.high}) for s in parse_statements(text))
        )
        draft.ensure_import("import math")
        return True


def _divides(function: FunctionNode) -> bool:
    """Whether a function looks like a test for primes: one number, remainders in a loop, yes or no."""
    names = parameters(function)
    if len(names) != 1 or not isinstance(function, ast.FunctionDef) or function.decorator_list:
        return False
    loops = [n for n in every(function) if isinstance(n, (ast.For, ast.While, ast.comprehension))]
    remainders = any(
        isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mod) and names[0] in names_in(n.left)
        for n in every(function)
    )
    returns = [n.value for n in every(function) if isinstance(n, ast.Return)]
    flags = {
        n.targets[0].id
        for n in every(function)
        if isinstance(n, ast.Assign) and isinstance(n.targets[0], ast.Name) and _is_flag(n.value, frozenset())
    }
    return bool(loops) and remainders and bool(returns) and all(_is_flag(v, flags) for v in returns)


def _is_flag(value: ast.expr | None, flags: Set[str]) -> bool:
    """Whether an expression is a yes or no, or a name that holds one."""
    if isinstance(value, ast.Name):
        return value.id in flags
    if isinstance(value, ast.Constant):
        return isinstance(value.value, bool)
    if isinstance(value, ast.Call):
        return any(is_call(value, n) for n in ("all", "any", "bool"))
    return isinstance(value, (ast.Compare, ast.BoolOp)) or (
        isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not)
    )


def _sieve_site(draft: Draft, node: ast.AST, testers: set[str]) -> SieveSite | None:
    parts: list[ast.AST] = []
    if isinstance(node, ast.For):
        parts = [*node.body]
    elif isinstance(node, ast.comprehension):
        up = draft.parent(node)
        parts = [up] if up is not None else []
    if not isinstance(node, (ast.For, ast.comprehension)) or not isinstance(node.target, ast.Name):
        return None
    if not is_call(node.iter, "range") or not isinstance(node.iter, ast.Call) or not node.iter.args:
        return None
    high = node.iter.args[1] if len(node.iter.args) > 1 else node.iter.args[0]
    calls = tuple(c for part in parts for c in _calls_for(part, testers, node.target.id))
    before = draft.statement(node)
    return SieveSite(before, calls, clone(high)) if calls and before is not None else None


def _calls_for(part: ast.AST, testers: set[str], variable: str) -> Iterator[ast.Call]:
    for node in every(part):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in testers:
            if len(node.args) == 1 and isinstance(node.args[0], ast.Name) and node.args[0].id == variable:
                yield node


def _is_asked(draft: Draft, node: ast.expr) -> bool:
    """Whether only the truth of an expression counts."""
    up = draft.parent(node)
    if isinstance(up, (ast.If, ast.While, ast.IfExp)):
        return up.test is node
    if isinstance(up, ast.comprehension):
        return any(test is node for test in up.ifs)
    return isinstance(up, ast.UnaryOp) and isinstance(up.op, ast.Not)


OPERATORS: tuple[Operator, ...] = (Sieve(), SieveCalls(), DivideByPrimes())
