"""Comprehensions and bulk methods in the place of loops that build containers item by item."""

from __future__ import annotations

import ast

from peagen_ray.evolution.mutators.genetic.base import Operator
from peagen_ray.evolution.mutators.genetic.match import Match
from peagen_ray.evolution.mutators.genetic.nodes import root
from peagen_ray.evolution.mutators.genetic.rewrite import Rewrite, Rule
from peagen_ray.evolution.mutators.genetic.shapes import looping, values_of

_CHAIN = ("import itertools",)
_EITHER = "if P: ACC.append(V)\nelse: ACC.append(W)"


class AppendLoop(Rewrite):
    """A loop that appends is a list comprehension."""

    NAME = "append-loop"
    WEIGHT = 1.5
    RULES = (
        *looping("ACC.append(V)", "ACC = [V CLAUSES]", start="ACC = []"),
        *looping("ACC.append(V)", "ACC = [V CLAUSES]", start="ACC = list()"),
        *looping("ACC += [V]", "ACC = [V CLAUSES]", start="ACC = []"),
        *looping(_EITHER, "ACC = [V if P else W CLAUSES]", start="ACC = []"),
        *looping("ACC.append(V)", "ACC.extend([V CLAUSES])"),
        *looping("ACC += [V]", "ACC.extend([V CLAUSES])"),
        *looping(_EITHER, "ACC.extend([V if P else W CLAUSES])"),
        *looping("yield V", "yield from (V CLAUSES)"),
    )


class AddLoop(Rewrite):
    """A loop that adds to a set is a set comprehension."""

    NAME = "add-loop"
    RULES = (
        *looping("ACC.add(V)", "ACC = {V CLAUSES}", start="ACC = set()"),
        *looping("ACC.add(V)", "ACC.update(V CLAUSES)"),
    )


class ItemLoop(Rewrite):
    """A loop that sets items is a dict comprehension."""

    NAME = "item-loop"
    RULES = (
        *looping("ACC[K] = V", "ACC = {K: V CLAUSES}", start="ACC = {}"),
        *looping("ACC[K] = V", "ACC = {K: V CLAUSES}", start="ACC = dict()"),
        Rule("dict([(K, V) for X in XS])", "{K: V for X in XS}"),
        Rule("dict((K, V) for X in XS)", "{K: V for X in XS}"),
        Rule("set([V for X in XS])", "{V for X in XS}"),
        Rule("set(V for X in XS)", "{V for X in XS}"),
    )


class Flatten(Rewrite):
    """Joining sequences end to end is ``itertools.chain``."""

    NAME = "flatten"
    RULES = (
        Rule(
            "OUT = []\nfor X in XS: OUT.extend(X)",
            "OUT = list(itertools.chain.from_iterable(XS))",
            imports=_CHAIN,
        ),
        Rule(
            "OUT = []\nfor X in XS: OUT += X", "OUT = list(itertools.chain.from_iterable(XS))", imports=_CHAIN
        ),
        Rule("sum(XS, [])", "list(itertools.chain.from_iterable(XS))", imports=_CHAIN),
        Rule("[Y for X in XS for Y in X]", "list(itertools.chain.from_iterable(XS))", imports=_CHAIN),
    )


def _is_list(match: Match) -> bool:
    """Whether ``A`` is a list that this function made."""
    values = values_of(match.function, root(match["A"]))
    return any(isinstance(value, (ast.List, ast.ListComp)) for value in values)


class GrowInPlace(Rewrite):
    """``xs = xs + [x]`` copies all of ``xs``; ``xs.append(x)`` does not."""

    NAME = "grow-in-place"
    RULES = (
        Rule("A += [V]", "A.append(V)"),
        Rule("A = [*A, V]", "A.append(V)"),
        Rule("A = [V] + A", "A.insert(0, V)"),
        Rule("A = A + B", "A.extend(B)", _is_list),
        Rule("A = A | {V}", "A.add(V)"),
        Rule("A = A.union({V})", "A.add(V)"),
        Rule("A = {**A, K: V}", "A[K] = V"),
    )


class MapFilter(Rewrite):
    """``map`` and ``filter`` with a lambda call a function each time; a comprehension does not."""

    NAME = "map-filter"
    RULES = (
        Rule("list(map(lambda X: V, XS))", "[V for X in XS]"),
        Rule("list(filter(lambda X: C, XS))", "[X for X in XS if C]"),
        Rule("set(map(lambda X: V, XS))", "{V for X in XS}"),
        Rule("sum(map(lambda X: V, XS))", "sum(V for X in XS)"),
        Rule("map(lambda X: V, XS)", "(V for X in XS)"),
        Rule("filter(lambda X: C, XS)", "(X for X in XS if C)"),
        Rule("[F(X) for X in XS]", "list(map(F, XS))", lambda match: isinstance(match["F"], ast.Name)),
    )


class NeedlessCopy(Rewrite):
    """A copy that is only read once is not needed."""

    NAME = "needless-copy"
    RULES = (
        *(
            Rule(f"{outer}(list(XS))", f"{outer}(XS)")
            for outer in ("sorted", "set", "sum", "tuple", "min", "max")
        ),
        *(Rule(f"{outer}(XS.keys())", f"{outer}(XS)") for outer in ("sorted", "set", "list", "len", "tuple")),
        Rule("list(sorted(XS))", "sorted(XS)"),
        Rule("list(list(XS))", "list(XS)"),
        Rule("list([V for X in XS])", "[V for X in XS]"),
        Rule("sorted([V for X in XS])", "sorted(V for X in XS)"),
        Rule("sorted(XS[:])", "sorted(XS)"),
        Rule("X in D.keys()", "X in D"),
        Rule("X not in D.keys()", "X not in D"),
        Rule("X in list(XS)", "X in XS"),
        Rule("for X in list(XS): BODY", "for X in XS: BODY"),
        Rule("for X in XS[:]: BODY", "for X in XS: BODY"),
        Rule("for X in XS.copy(): BODY", "for X in XS: BODY"),
        Rule("for X in D.keys(): BODY", "for X in D: BODY"),
        Rule("YS = XS[:]\nfor X in YS: BODY", "for X in XS: BODY"),
        Rule("YS = list(XS)\nfor X in YS: BODY", "for X in XS: BODY"),
    )


class ShallowRows(Rewrite):
    """A table of plain values is copied row by row; ``deepcopy`` looks at every value."""

    NAME = "shallow-rows"
    RULES = tuple(
        Rule(pattern, "[fresh_row[:] for fresh_row in XS]")
        for pattern in ("copy.deepcopy(XS)", "deepcopy(XS)")
    )


class ShallowCopy(Rewrite):
    """A container of values that do not change needs no deep copy."""

    NAME = "shallow-copy"
    RULES = (
        Rule("copy.deepcopy(XS)", "XS.copy()"),
        Rule("deepcopy(XS)", "XS.copy()"),
        Rule("copy.copy(XS)", "XS.copy()"),
    )


class Transpose(Rewrite):
    """Turning rows into columns is ``zip(*rows)``."""

    NAME = "transpose"
    RULES = (
        Rule(
            "[[M[R][C] for R in range(len(M))] for C in range(len(M[0]))]",
            "[list(fresh_column) for fresh_column in zip(*M)]",
        ),
        Rule(
            "[[R[C] for R in M] for C in range(len(M[0]))]",
            "[list(fresh_column) for fresh_column in zip(*M)]",
        ),
    )


OPERATORS: tuple[Operator, ...] = (
    AppendLoop(),
    AddLoop(),
    ItemLoop(),
    Flatten(),
    GrowInPlace(),
    MapFilter(),
    NeedlessCopy(),
    ShallowRows(),
    ShallowCopy(),
    Transpose(),
)
