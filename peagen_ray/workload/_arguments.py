"""Arguments that fit together: a key beside its mapping, texts with something in common, one size for all."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from peagen_ray.workload import _plans as plans
from peagen_ray.workload._draw import Bulk, Drawing, word

_COUNTS = re.compile(r"n|v|num_?nodes|n_nodes|nodes|vertices|num_vertices")
_INDICES = re.compile(r"i|j|index|idx|pos|position|offset|start|src|source|root")
_PARTS = re.compile(
    r".*(pattern|needle|sub|prefix|suffix|sep|delimiter|word|char|letter|key|query|target|name).*"
)
_SQUARE = re.compile(r".*(det|inv|square|pow|eig|trace|lu|chol|rotat|solve|gauss|symm|mul|mat|dot).*")


@dataclass(frozen=True, eq=False)
class Argument:
    """One argument to draw.

    Attributes:
        slot: where it goes: ``args``, ``kwargs``, ``init`` or ``init_kwargs``; ``*args`` spreads a list.
        optional: it has a default, and is left out of every other call.
    """

    name: str
    plan: plans.Plan
    slot: str = "args"
    optional: bool = False


class Arguments:
    """All arguments of one call, those of the constructor included.

    Collections are drawn first, scalars then with an eye on them.
    """

    def __init__(self, arguments: list[Argument], entry: str) -> None:
        self.arguments = arguments
        matrices = [argument for argument in arguments if argument.plan.depth == 2]
        described = f"{entry} {matrices[0].name}".lower() if matrices else ""
        counts = [each for each in arguments if _COUNTS.fullmatch(each.name.lower())]
        edge_lists = [each for each in arguments if _is_edge_list(each.plan)]
        self._counted = counts[0] if counts and edge_lists and isinstance(counts[0].plan, plans.Int) else None
        self._may_be_oblong = len(matrices) == 1 and not _SQUARE.fullmatch(described)

    def draw(self, d: Drawing) -> dict[Argument, Any]:
        """A value for each argument that is given in this call."""
        if self._may_be_oblong and d.chance(3):
            d.columns = max(1, d.columns * 2)
            d.rows = round(d.size / d.columns)
        given = self._given(d)
        drawn: dict[Argument, Any] = {}
        for argument, plan in given.items():
            if not isinstance(plan, plans.Int | plans.Float | plans.Str):
                drawn[argument] = plan.draw(d, d.size)
                if self._counted and _is_edge_list(plan):
                    drawn[argument] = _between_nodes(drawn[argument], d.limit)
        texts: list[str] = []
        for argument, plan in given.items():
            if isinstance(plan, plans.Str):
                drawn[argument] = self._text(d, argument, given, drawn, texts)
        alone = not drawn
        for argument, plan in given.items():
            if isinstance(plan, plans.Int):
                drawn[argument] = self._integer(d, argument, given, drawn, alone=alone)
            elif isinstance(plan, plans.Float):
                drawn[argument] = self._float(d, given, drawn)
        return {argument: drawn[argument] for argument in given}

    def _given(self, d: Drawing) -> dict[Argument, plans.Plan]:
        """The arguments of this call; large calls have no None where there should be a collection."""
        given: dict[Argument, plans.Plan] = {}
        for argument in self.arguments:
            if argument.optional and d.chance(2):
                continue
            plan = argument.plan
            while isinstance(plan, plans.OneOf) and (isinstance(d, Bulk) or not plan.optional):
                if plan.recursive:
                    break
                plan = d.pick(plan.plans)
            given[argument] = plan
        return given

    def _text(
        self,
        d: Drawing,
        argument: Argument,
        given: dict[Argument, plans.Plan],
        drawn: dict[Argument, Any],
        texts: list[str],
    ) -> str:
        for other, value in drawn.items():
            known = _texts_in(given[other], value)
            if known:
                may_be_absent = not isinstance(d, Bulk) or isinstance(value, list | tuple)
                return d.word() if may_be_absent and d.chance(8) else d.pick(known)
        if not texts:
            texts.append(d.text(d.size))
            return texts[0]
        if _PARTS.fullmatch(argument.name.lower()):
            start = d.between(0, len(texts[0]))
            return texts[0][start : start + d.between(1, 6)]
        return _related(d, texts[0])

    def _integer(
        self,
        d: Drawing,
        argument: Argument,
        given: dict[Argument, plans.Plan],
        drawn: dict[Argument, Any],
        *,
        alone: bool,
    ) -> int:
        for other, value in drawn.items():
            plan = given[other]
            if isinstance(plan, plans.Dict) and isinstance(plan.key, plans.Int) and value:
                return int(d.pick(list(value)))
        name = argument.name.lower()
        if alone and not any(isinstance(given[other], plans.Int) for other in drawn):
            return d.size - d.between(0, d.size // 16)
        if argument is self._counted:
            return d.limit
        if _INDICES.fullmatch(name) and d.size:
            return d.between(0, d.size - 1)
        return d.scalar()

    def _float(self, d: Drawing, given: dict[Argument, plans.Plan], drawn: dict[Argument, Any]) -> float:
        for other, value in drawn.items():
            plan = given[other]
            if (
                isinstance(plan, plans.Sequence)
                and isinstance(plan.item, plans.Float)
                and value
                and d.chance(2)
            ):
                return float(d.pick(value))
        return d.real()


def _texts_in(plan: plans.Plan, value: Any) -> list[str]:
    """The texts that a lone text beside a collection is likely to be one of."""
    if not isinstance(value, list | tuple | set | frozenset | dict) or not value:
        return []
    if isinstance(plan, plans.Dict) and isinstance(plan.key, plans.Str):
        return list(value)
    if isinstance(plan, plans.Sequence) and isinstance(plan.item, plans.Rows):
        return list(next(iter(value)))
    if isinstance(plan, plans.Sequence | plans.Set) and isinstance(plan.item, plans.Str):
        return sorted(value)
    return []


def _is_edge_list(plan: plans.Plan) -> bool:
    """A sequence of tuples that begin with two integers."""
    if not isinstance(plan, plans.Sequence) or not isinstance(plan.item, plans.Tuple):
        return False
    return len(plan.item.items) >= 2 and all(isinstance(item, plans.Int) for item in plan.item.items[:2])


def _between_nodes(edges: Any, count: int) -> Any:
    """Edges whose ends are numbers of nodes, below ``count``."""
    made = [(edge[0] % count, edge[1] % count, *edge[2:]) for edge in edges]
    return made if isinstance(edges, list) else type(edges)(made)


def _related(d: Drawing, text: str) -> str:
    """Another text, of the same length or nearly: unrelated, equal, its characters mixed, or edited."""
    way = d.between(0, 4)
    if way == 0 or not text:
        return d.text(len(text))
    if way == 1:
        return text
    letters = list(text)
    if way == 2:
        return "".join(d.shuffled(letters))
    for _ in range(max(1, len(letters) // 10)):
        place = d.between(0, len(letters) - 1)
        letters[place] = "" if way == 3 else word(d.between(0, 15))[0]
    return "".join(letters)
