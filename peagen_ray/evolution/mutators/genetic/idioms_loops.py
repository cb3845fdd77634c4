"""Loops that are made once, and left as soon as nothing more can come."""

from __future__ import annotations

import ast
import itertools

from peagen_ray.evolution.mutators.genetic.base import Draft, Operator, stored
from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.match import Match
from peagen_ray.evolution.mutators.genetic.nodes import (
    is_invariant,
    mutated,
    names_in,
    overlap,
    own_blocks,
    renamed,
)
from peagen_ray.evolution.mutators.genetic.rewrite import Edit, Rewrite, Rule


def _counts_rounds(match: Match) -> bool:
    """Whether the body leaves the counter and its end alone, and never skips the counting."""
    body = ast.Module(body=match.body("BODY"), type_ignores=[])
    skips = any(isinstance(n, ast.Continue) for n in ast.walk(body))
    ends = [match[name] for name in ("N", "K") if name in match.bindings]
    counter = match["I"]
    return (
        not skips
        and isinstance(counter, ast.Name)
        and counter.id not in stored(body)
        and all(is_invariant(end, body) for end in ends)
    )


class WhileToFor(Rewrite):
    """A ``while`` that counts is a ``for`` over a range."""

    NAME = "while-to-for"
    RULES = tuple(
        Rule(f"I = S\nwhile {test}:\n BODY\n {step}", f"for I in range({span}): BODY", _counts_rounds)
        for test, step, span in (
            ("I < N", "I += 1", "S, N"),
            ("I <= N", "I += 1", "S, N + 1"),
            ("I != N", "I += 1", "S, N"),
            ("I > N", "I -= 1", "S, N, -1"),
            ("I >= N", "I -= 1", "S, N - 1, -1"),
            ("I < N", "I += K", "S, N, K"),
            ("I <= N", "I += K", "S, N + 1, K"),
        )
    )


def _leaves_source(match: Match) -> bool:
    body = ast.Module(body=match.body("BODY"), type_ignores=[])
    return not names_in(match["XS"]) & names_in(body)


class DrainToFor(Rewrite):
    """Taking items from the front of a list until it is empty is going through it."""

    NAME = "drain-to-for"
    RULES = tuple(
        Rule(f"while {test}:\n {take}\n BODY", template, _leaves_source)
        for test in ("XS", "len(XS) > 0", "len(XS) != 0")
        for take, template in (
            ("X = XS.pop(0)", "for X in XS: BODY\nXS = []"),
            ("X = XS[0]; XS = XS[1:]", "for X in XS: BODY\nXS = []"),
            ("X = XS[0]; del XS[0]", "for X in XS: BODY\nXS = []"),
            ("X = XS.pop()", "for X in reversed(XS): BODY\nXS = []"),
        )
    )


def _is_flag(match: Match) -> bool:
    return isinstance(match["K"], ast.Constant) and isinstance(match["A"], ast.Name)


class EarlyBreak(Rewrite):
    """A loop that only sets a flag is left as soon as the flag is set."""

    NAME = "early-break"
    RULES = tuple(
        Rule(f"for X in XS:\n{body}", f"for X in XS:\n{body}; break", _is_flag)
        for body in (" if C: A = K", " T = E\n if C: A = K")
    )


class LoopFusion(Edit[tuple[ast.For, ast.For]]):
    """Two loops over the same, one after the other, become one."""

    NAME = "loop-fusion"

    def sites(self, draft: Draft) -> list[tuple[ast.For, ast.For]]:
        """Pairs of loops of which the second does not wait for what the first leaves."""
        return [
            (one, other)
            for function in draft.functions()
            for block in own_blocks(function)
            for one, other in itertools.pairwise(block)
            if isinstance(one, ast.For) and isinstance(other, ast.For) and _fuse(one, other)
        ]

    def edit(self, draft: Draft, site: tuple[ast.For, ast.For]) -> bool:
        """Append the body of the second to the first."""
        one, other = site
        body = other.body
        if isinstance(one.target, ast.Name) and isinstance(other.target, ast.Name):
            body = [renamed(statement, other.target.id, one.target.id) for statement in body]
        one.body = [*one.body, *body]
        draft.replace(other)
        return True


def _fuse(one: ast.For, other: ast.For) -> bool:
    plain = isinstance(one.target, ast.Name) and isinstance(other.target, ast.Name)
    if not same_code(one.iter, other.iter) or not (plain or same_code(one.target, other.target)):
        return False
    leaves = any(
        isinstance(n, (ast.Break, ast.Continue, ast.Return)) for each in (one, other) for n in ast.walk(each)
    )
    changed = (stored(one) | mutated(one)) - stored(one.target)
    return not leaves and not any(overlap(a, b) for a in changed for b in names_in(other))


class SwapTuple(Rewrite):
    """Exchanging two values needs no third variable."""

    NAME = "swap-tuple"
    WEIGHT = 0.5
    RULES = (Rule("T = A\nA = B\nB = T", "A, B = B, A"),)


class ShortTests(Rewrite):
    """Tests that ask no more than needed: truth for emptiness, chained comparisons."""

    NAME = "short-tests"
    WEIGHT = 0.5
    RULES = (
        Rule("len(XS) == 0", "not XS"),
        Rule("len(XS) < 1", "not XS"),
        Rule("A >= B and A < C", "B <= A < C"),
        Rule("A >= B and A <= C", "B <= A <= C"),
        Rule("A > B and A < C", "B < A < C"),
        Rule("A < B or A > C", "not B <= A <= C"),
        Rule("A == B or A == C", "A in (B, C)"),
        Rule("while len(XS) > 0: BODY", "while XS: BODY"),
        Rule("if len(XS) > 0: BODY", "if XS: BODY"),
    )


OPERATORS: tuple[Operator, ...] = (
    WhileToFor(),
    DrainToFor(),
    EarlyBreak(),
    LoopFusion(),
    SwapTuple(),
    ShortTests(),
)
