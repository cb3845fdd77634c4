"""Builtins in the place of loops written by hand: sum, prod, any, all, len, count, index, reversed."""

from __future__ import annotations

import ast

from peagen_ray.evolution.mutators.genetic.base import Operator, stored
from peagen_ray.evolution.mutators.genetic.match import Match
from peagen_ray.evolution.mutators.genetic.nodes import names_in
from peagen_ray.evolution.mutators.genetic.rewrite import Rewrite, Rule
from peagen_ray.evolution.mutators.genetic.shapes import is_number, looping


class SumLoop(Rewrite):
    """``total += v`` in a loop is ``sum(…)``."""

    NAME = "sum-loop"
    RULES = (
        *looping("ACC += V", "ACC = sum(V CLAUSES)", start="ACC = 0"),
        *looping("ACC += V", "ACC = sum((V CLAUSES), 0.0)", start="ACC = 0.0"),
        *looping("ACC += V", "ACC += sum(V CLAUSES)", where=is_number),
        *looping("ACC -= V", "ACC -= sum(V CLAUSES)", where=is_number),
    )


class ProductLoop(Rewrite):
    """``product *= v`` in a loop is ``math.prod(…)``."""

    NAME = "product-loop"
    RULES = (
        *looping("ACC *= V", "ACC = math.prod(V CLAUSES)", start="ACC = 1", imports=("import math",)),
        *looping("ACC *= V", "ACC *= math.prod(V CLAUSES)", where=is_number, imports=("import math",)),
    )


def fixed_key(match: Match) -> bool:
    """Whether ``K``, which the loop variable is compared with, does not depend on the loop."""
    return not stored(match["X"]) & names_in(match["K"]) and isinstance(match["X"], ast.Name)


class CountLoop(Rewrite):
    """Counting what is equal to a value is ``xs.count(value)``; counting everything is ``len(xs)``."""

    NAME = "count-loop"
    RULES = (
        Rule("N = 0\nfor X in XS:\n if X == K: N += 1", "N = XS.count(K)", fixed_key),
        Rule("for X in XS:\n if X == K: N += 1", "N += XS.count(K)", fixed_key),
        Rule("N = 0\nfor X in XS:\n N += 1", "N = len(XS)"),
        Rule("sum(1 for X in XS if X == K)", "XS.count(K)", fixed_key),
        Rule("sum([1 for X in XS if X == K])", "XS.count(K)", fixed_key),
        Rule("sum(X == K for X in XS)", "XS.count(K)", fixed_key),
        Rule("len([X for X in XS if X == K])", "XS.count(K)", fixed_key),
        Rule("sum(1 for X in XS)", "len(XS)"),
        Rule("len([V for X in XS])", "len(XS)"),
        Rule("len(list(XS))", "len(XS)"),
        Rule("len([V for X in XS if C])", "sum(1 for X in XS if C)"),
    )


class MembershipLoop(Rewrite):
    """A loop that looks for a value is ``in``."""

    NAME = "membership-loop"
    RULES = tuple(
        Rule(pattern, template, fixed_key)
        for pattern, template in (
            ("for X in XS:\n if X == K: return True\nreturn False", "return K in XS"),
            ("for X in XS:\n if X == K: return False\nreturn True", "return K not in XS"),
            ("A = False\nfor X in XS:\n if X == K: A = True", "A = K in XS"),
            ("A = False\nfor X in XS:\n if X == K: A = True; break", "A = K in XS"),
            ("A = True\nfor X in XS:\n if X == K: A = False", "A = K not in XS"),
            ("A = True\nfor X in XS:\n if X == K: A = False; break", "A = K not in XS"),
            ("any(X == K for X in XS)", "K in XS"),
            ("any([X == K for X in XS])", "K in XS"),
            ("all(X != K for X in XS)", "K not in XS"),
            ("XS.count(K) > 0", "K in XS"),
            ("XS.count(K) == 0", "K not in XS"),
        )
    )


_PAIRS = (
    ("E[0] == A and E[1] == B", "(A, B) in XS"),
    ("(E[0] == A and E[1] == B) or (E[0] == C and E[1] == D)", "(A, B) in XS or (C, D) in XS"),
)
_PARTS = (
    ("P == A and Q == B", "(A, B) in XS"),
    ("(P == A and Q == B) or (P == C and Q == D)", "(A, B) in XS or (C, D) in XS"),
)


class PairMembershipLoop(Rewrite):
    """A loop that looks for a pair is ``in``."""

    NAME = "pair-membership-loop"
    RULES = tuple(
        Rule(pattern, template)
        for target, cases in (("E", _PAIRS), ("(P, Q)", _PARTS))
        for test, found in cases
        for pattern, template in (
            (f"for {target} in XS:\n if {test}: return True\nreturn False", f"return {found}"),
            (f"R = False\nfor {target} in XS:\n if {test}: R = True", f"R = {found}"),
            (f"R = False\nfor {target} in XS:\n if {test}: R = True; break", f"R = {found}"),
            (f"any({test} for {target} in XS)", found),
        )
    )


class AnyLoop(Rewrite):
    """A loop that looks for a value with some property is ``any(…)`` or ``all(…)``."""

    NAME = "any-loop"
    RULES = (
        *looping("if P: return True", "return any(P CLAUSES)", end="return False"),
        *looping("if P: return False", "return all(not P CLAUSES)", end="return True"),
        *looping("if P: ACC = True", "ACC = any(P CLAUSES)", start="ACC = False"),
        *looping("if P: ACC = True; break", "ACC = any(P CLAUSES)", start="ACC = False"),
        *looping("if P: ACC = False", "ACC = all(not P CLAUSES)", start="ACC = True"),
        *looping("if P: ACC = False; break", "ACC = all(not P CLAUSES)", start="ACC = True"),
        Rule("any([P for X in XS])", "any(P for X in XS)"),
        Rule("all([P for X in XS])", "all(P for X in XS)"),
        Rule("len([V for X in XS if C]) > 0", "any(C for X in XS)"),
        Rule("len([V for X in XS if C]) == 0", "not any(C for X in XS)"),
    )


def _first_by_index(match: Match) -> bool:
    return isinstance(match["I"], ast.Name) and not names_in(match["I"]) & names_in(match["K"])


class IndexLoop(Rewrite):
    """The loop that looks for the first index of a value is ``xs.index(value)``."""

    NAME = "index-loop"
    RULES = tuple(
        Rule(f"for {head}:\n if {item} == K: {step}{end}", template, _first_by_index)
        for head, item in (("I in range(len(XS))", "XS[I]"), ("(I, X) in enumerate(XS)", "X"))
        for step, end, template in (
            ("return I", "\nreturn R", "return XS.index(K) if K in XS else R"),
            ("return I", "", "if K in XS: return XS.index(K)"),
            ("P = I; break", "", "if K in XS: P = XS.index(K)"),
        )
    )


class ReverseLoop(Rewrite):
    """Reversing by hand is a slice with step -1."""

    NAME = "reverse-loop"
    RULES = (
        Rule("OUT = []\nfor I in range(len(XS) - 1, -1, -1):\n OUT.append(XS[I])", "OUT = XS[::-1]"),
        Rule("for I in range(len(XS) - 1, -1, -1):\n OUT.append(XS[I])", "OUT.extend(reversed(XS))"),
        Rule("OUT = []\nfor X in XS:\n OUT.insert(0, X)", "OUT = list(reversed(XS))"),
        Rule("OUT = []\nfor X in XS:\n OUT = [X] + OUT", "OUT = list(reversed(XS))"),
        Rule("OUT = ''\nfor X in XS:\n OUT = X + OUT", "OUT = ''.join(reversed(XS))"),
        Rule("OUT = ''\nfor I in range(len(XS) - 1, -1, -1):\n OUT += XS[I]", "OUT = XS[::-1]"),
        Rule("OUT = ''\nfor X in reversed(XS):\n OUT += X", "OUT = ''.join(reversed(XS))"),
        Rule("list(reversed(XS))", "XS[::-1]"),
        Rule("''.join(reversed(XS))", "XS[::-1]"),
    )


class PalindromeLoop(Rewrite):
    """Comparing both ends of a sequence step by step is comparing it with its reverse."""

    NAME = "palindrome-loop"
    RULES = (
        *(
            Rule(
                f"for I in range({end}):\n if XS[I] != XS[{other}]: return False\nreturn True",
                "return XS == XS[::-1]",
            )
            for end in ("len(XS) // 2", "len(XS)")
            for other in ("len(XS) - 1 - I", "len(XS) - I - 1", "-1 - I", "-(I + 1)", "-I - 1", "~I")
        ),
        Rule(
            "I = 0\nJ = len(XS) - 1\n"
            "while I < J:\n if XS[I] != XS[J]: return False\n I += 1\n J -= 1\n"
            "return True",
            "return XS == XS[::-1]",
        ),
        *(
            Rule(
                f"if {short}: return True\nif XS[0] != XS[-1]: return False\nreturn F(XS[1:-1])",
                "return XS == XS[::-1]",
            )
            for short in ("len(XS) <= 1", "len(XS) < 2")
        ),
    )


OPERATORS: tuple[Operator, ...] = (
    SumLoop(),
    ProductLoop(),
    CountLoop(),
    MembershipLoop(),
    PairMembershipLoop(),
    AnyLoop(),
    IndexLoop(),
    ReverseLoop(),
    PalindromeLoop(),
)
