"""Minima and maxima: the builtins for hand-written scans, and no sorting where one item is wanted."""

from __future__ import annotations

import ast

from peagen_ray.evolution.mutators.genetic.base import Operator
from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.match import Match, matches
from peagen_ray.evolution.mutators.genetic.nodes import renamed, root
from peagen_ray.evolution.mutators.genetic.rewrite import Rewrite, Rule
from peagen_ray.evolution.mutators.genetic.shapes import looping

_HEAPQ = ("import heapq",)
_STEPS = (
    ("max", "if V > ACC: ACC = V"),
    ("max", "if V >= ACC: ACC = V"),
    ("max", "ACC = max(ACC, V)"),
    ("max", "ACC = max(V, ACC)"),
    ("max", "ACC = V if V > ACC else ACC"),
    ("min", "if V < ACC: ACC = V"),
    ("min", "if V <= ACC: ACC = V"),
    ("min", "ACC = min(ACC, V)"),
    ("min", "ACC = min(V, ACC)"),
    ("min", "ACC = V if V < ACC else ACC"),
)
_INFINITE = ("float('inf')", "math.inf", "inf", "float('-inf')", "-math.inf", "-float('inf')", "-inf")


def _from_infinity(match: Match) -> bool:
    return any(matches(text, match["S"]) is not None for text in _INFINITE)


class ExtremeLoop(Rewrite):
    """Keeping the largest or smallest value of a loop is ``max(…)`` or ``min(…)``."""

    NAME = "extreme-loop"
    RULES = (
        *(
            Rule(
                f"ACC = XS[0]\nfor {head}:\n if {item} {sign} ACC: ACC = {item}",
                f"ACC = {name}(XS)",
            )
            for name, sign in (("max", ">"), ("max", ">="), ("min", "<"), ("min", "<="))
            for head, item in (
                ("X in XS", "X"),
                ("X in XS[1:]", "X"),
                ("I in range(1, len(XS))", "XS[I]"),
                ("I in range(len(XS))", "XS[I]"),
            )
        ),
        *(
            rule
            for name, step in _STEPS
            for rule in looping(
                step, f"ACC = {name}((V CLAUSES), default=S)", start="ACC = S", where=_from_infinity
            )
        ),
        *(
            rule
            for name, step in _STEPS
            for rule in looping(step, f"ACC = {name}(ACC, {name}((V CLAUSES), default=ACC))")
        ),
    )


def _same_question(match: Match) -> bool:
    """Whether ``L`` asks of the best item so far what ``K`` asks of the present one."""
    item, best = match["X"], match["B"]
    if not isinstance(item, ast.Name) or not isinstance(best, ast.Name):
        return False
    return item.id != best.id and same_code(renamed(match["K"], item.id, best.id), match["L"])


def _from_its_start(match: Match) -> bool:
    return _same_question(match) and root(match["B"]) not in {root(match["S"]), root(match["E"])}


class BestItemLoop(Rewrite):
    """Keeping the item with the best key of a loop is ``min`` or ``max`` with that key."""

    NAME = "best-item-loop"
    RULES = (
        *(
            Rule(pattern.replace("<", sign), template.replace("min", name), where)
            for name, sign in (("min", "<"), ("max", ">"))
            for pattern, template, where in (
                (
                    "B = None\nfor X in XS:\n if B is None or K < L: B = X",
                    "B = min(XS, key=lambda X: K, default=None)",
                    _same_question,
                ),
                (
                    "B = None\nfor X in XS:\n if C:\n  if B is None or K < L: B = X",
                    "B = min((X for X in XS if C), key=lambda X: K, default=None)",
                    _same_question,
                ),
                (
                    "B = None\nfor X in XS:\n if C and (B is None or K < L): B = X",
                    "B = min((X for X in XS if C), key=lambda X: K, default=None)",
                    _same_question,
                ),
                (
                    "B = S\nfor X in range(S, E):\n if K < L: B = X",
                    "B = min(range(S, E), key=lambda X: K, default=S)",
                    _from_its_start,
                ),
                (
                    "B = S\nfor X in range(S + 1, E):\n if K < L: B = X",
                    "B = min(range(S, E), key=lambda X: K)",
                    _from_its_start,
                ),
                (
                    "B = 0\nfor X in range(1, E):\n if K < L: B = X",
                    "B = min(range(E), key=lambda X: K)",
                    _same_question,
                ),
                (
                    "B = XS[0]\nfor X in XS:\n if K < L: B = X",
                    "B = min(XS, key=lambda X: K)",
                    _same_question,
                ),
                (
                    "B = XS[0]\nfor X in XS[1:]:\n if K < L: B = X",
                    "B = min(XS, key=lambda X: K)",
                    _same_question,
                ),
            )
        ),
        Rule("min(XS, key=lambda X: YS[X])", "min(XS, key=YS.__getitem__)"),
        Rule("max(XS, key=lambda X: YS[X])", "max(XS, key=YS.__getitem__)"),
    )


class SortedExtreme(Rewrite):
    """Sorting to take one end is ``min``, ``max``, ``heapq.nsmallest`` or ``heapq.nlargest``."""

    NAME = "sorted-extreme"
    RULES = (
        Rule("sorted(XS)[0]", "min(XS)"),
        Rule("sorted(XS)[-1]", "max(XS)"),
        Rule("sorted(XS, reverse=True)[0]", "max(XS)"),
        Rule("sorted(XS, reverse=True)[-1]", "min(XS)"),
        Rule("sorted(XS, key=K)[0]", "min(XS, key=K)"),
        Rule("sorted(XS, key=K)[-1]", "max(XS, key=K)"),
        Rule("sorted(XS, key=K, reverse=True)[0]", "max(XS, key=K)"),
        Rule("sorted(XS)[:N]", "heapq.nsmallest(N, XS)", imports=_HEAPQ),
        Rule("sorted(XS, key=K)[:N]", "heapq.nsmallest(N, XS, key=K)", imports=_HEAPQ),
        Rule("sorted(XS, reverse=True)[:N]", "heapq.nlargest(N, XS)", imports=_HEAPQ),
        Rule("sorted(XS, key=K, reverse=True)[:N]", "heapq.nlargest(N, XS, key=K)", imports=_HEAPQ),
        Rule("YS = sorted(XS)\nreturn YS[0]", "return min(XS)"),
        Rule("YS = sorted(XS)\nreturn YS[-1]", "return max(XS)"),
        Rule("YS = sorted(XS)\nreturn YS[:N]", "return heapq.nsmallest(N, XS)", imports=_HEAPQ),
        Rule(
            "YS = sorted(XS, reverse=True)\nreturn YS[:N]",
            "return heapq.nlargest(N, XS)",
            imports=_HEAPQ,
        ),
    )


_SHORT = (ast.Name, ast.Constant, ast.Attribute, ast.Subscript, ast.BinOp, ast.operator, ast.expr_context)


def _are_short(match: Match) -> bool:
    """Whether evaluating the operands twice costs less than a call."""
    values = [value for value in match.bindings.values() if isinstance(value, ast.expr)]
    nodes = [n for value in values for n in ast.walk(value)]
    allowed = (
        ast.Name,
        ast.Constant,
        ast.Attribute,
        ast.Subscript,
        ast.BinOp,
        ast.operator,
        ast.expr_context,
    )
    return all(isinstance(n, allowed) for n in nodes) and sum(isinstance(n, ast.BinOp) for n in nodes) <= 2


class ShortExtreme(Rewrite):
    """Of two values, the larger or smaller by a conditional expression, without a call."""

    NAME = "short-extreme"
    RULES = (
        Rule("max(A, B)", "A if A >= B else B", _are_short),
        Rule("min(A, B)", "A if A <= B else B", _are_short),
        Rule("abs(A)", "A if A >= 0 else -A", _are_short),
    )


OPERATORS: tuple[Operator, ...] = (ExtremeLoop(), BestItemLoop(), SortedExtreme(), ShortExtreme())
