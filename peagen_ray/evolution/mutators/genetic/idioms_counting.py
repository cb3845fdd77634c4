"""Dictionaries that count, group and remember: Counter, get, setdefault, fromkeys."""

from __future__ import annotations

from peagen_ray.evolution.mutators.genetic.base import Operator
from peagen_ray.evolution.mutators.genetic.rewrite import Rewrite, Rule
from peagen_ray.evolution.mutators.genetic.shapes import looping

_COLLECTIONS = ("import collections",)
_COUNT_STEPS = (
    "if V in ACC: ACC[V] += 1\nelse: ACC[V] = 1",
    "if V in ACC.keys(): ACC[V] += 1\nelse: ACC[V] = 1",
    "if V not in ACC: ACC[V] = 0\nACC[V] += 1",
    "ACC[V] = ACC.get(V, 0) + 1",
    "ACC.setdefault(V, 0)\nACC[V] += 1",
)
_EMPTY = ("ACC = {}", "ACC = dict()")


class CountingLoop(Rewrite):
    """Counting into a dict is ``Counter``; the result is made a plain dict again."""

    NAME = "counting-loop"
    RULES = (
        *(
            rule
            for start in _EMPTY
            for step in _COUNT_STEPS
            for rule in looping(
                step, "ACC = dict(collections.Counter(V CLAUSES))", start=start, imports=_COLLECTIONS
            )
        ),
        *looping(
            "if V not in ACC: ACC[V] = XS.count(V)",
            "ACC = dict(collections.Counter(V CLAUSES))",
            start="ACC = {}",
            imports=_COLLECTIONS,
        ),
        *looping(
            "ACC[V] = XS.count(V)",
            "ACC = dict(collections.Counter(V CLAUSES))",
            start="ACC = {}",
            imports=_COLLECTIONS,
        ),
        Rule("{X: XS.count(X) for X in XS}", "dict(collections.Counter(XS))", imports=_COLLECTIONS),
    )


class DictDefault(Rewrite):
    """One look-up with a default in the place of a test and two look-ups."""

    NAME = "dict-default"
    RULES = (
        Rule("if K in D: D[K] += V\nelse: D[K] = V", "D[K] = D.get(K, 0) + V"),
        Rule("if K not in D: D[K] = 0\nD[K] += V", "D[K] = D.get(K, 0) + V"),
        Rule("if K not in D: D[K] = []\nD[K].append(V)", "D.setdefault(K, []).append(V)"),
        Rule("if K in D: D[K].append(V)\nelse: D[K] = [V]", "D.setdefault(K, []).append(V)"),
        Rule("if K not in D: D[K] = set()\nD[K].add(V)", "D.setdefault(K, set()).add(V)"),
        Rule("if K in D: D[K].add(V)\nelse: D[K] = {V}", "D.setdefault(K, set()).add(V)"),
        Rule("if K in D: A = D[K]\nelse: A = V", "A = D.get(K, V)"),
        Rule("A = V\nif K in D: A = D[K]", "A = D.get(K, V)"),
        Rule("if K in D: return D[K]\nreturn V", "return D.get(K, V)"),
        Rule("D[K] if K in D else V", "D.get(K, V)"),
        Rule("try: A = D[K]\nexcept KeyError: A = V", "A = D.get(K, V)"),
    )


class Dedupe(Rewrite):
    """Dropping repeats and keeping the order is ``dict.fromkeys``."""

    NAME = "dedupe"
    WEIGHT = 1.5
    RULES = (
        *looping("if V not in ACC: ACC.append(V)", "ACC = list(dict.fromkeys(V CLAUSES))", start="ACC = []"),
        *looping(
            "if C and V not in ACC: ACC.append(V)",
            "ACC = list(dict.fromkeys(V CLAUSES if C))",
            start="ACC = []",
        ),
        *looping(
            "if V not in ACC and C: ACC.append(V)",
            "ACC = list(dict.fromkeys(V CLAUSES if C))",
            start="ACC = []",
        ),
        Rule("len([X for (I, X) in enumerate(XS) if X not in XS[:I]])", "len(set(XS))"),
        Rule("[X for (I, X) in enumerate(XS) if X not in XS[:I]]", "list(dict.fromkeys(XS))"),
        Rule("len(list(dict.fromkeys(XS)))", "len(set(XS))"),
    )


_EACH = "for I in range(len(XS)):"


class HasDuplicates(Rewrite):
    """Whether anything repeats: compare the length with the set's."""

    NAME = "has-duplicates"
    RULES = tuple(
        Rule(f"{loop}\nreturn {last}", f"return len(XS) {sign} len(set(XS))")
        for found, last, sign in (("True", "False", "!="), ("False", "True", "=="))
        for loop in (
            f"{_EACH}\n for J in range(I + 1, len(XS)):\n  if XS[I] == XS[J]: return {found}",
            f"{_EACH}\n for J in range(len(XS)):\n  if I != J and XS[I] == XS[J]: return {found}",
            f"{_EACH}\n if XS[I] in XS[I + 1:]: return {found}",
            f"for X in XS:\n if XS.count(X) > 1: return {found}",
            f"A = []\nfor X in XS:\n if X in A: return {found}\n A.append(X)",
            f"A = set()\nfor X in XS:\n if X in A: return {found}\n A.add(X)",
        )
    )


class Anagram(Rewrite):
    """Whether two sequences hold the same items: compare them sorted."""

    NAME = "anagram"
    RULES = (
        *(
            Rule(
                f"{copied}\nfor X in AS:\n if X in BS: BS.remove(X)\n else: return False\nreturn {last}",
                "return sorted(AS) == sorted(CS)",
            )
            for copied in ("BS = list(CS)", "BS = CS[:]", "BS = [*CS]", "BS = CS.copy()")
            for last in ("len(BS) == 0", "not BS", "True")
        ),
        Rule(
            "for X in AS:\n if AS.count(X) != BS.count(X): return False\nreturn True",
            "return sorted(AS) == sorted(BS)",
        ),
    )


OPERATORS: tuple[Operator, ...] = (CountingLoop(), DictDefault(), Dedupe(), HasDuplicates(), Anagram())
