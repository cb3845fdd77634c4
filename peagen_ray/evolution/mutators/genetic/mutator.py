"""The offline mutator: genetic improvement on the syntax tree."""

from __future__ import annotations

import ast
import math
import random
import warnings
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

from peagen_ray.errors import MutationRejected
from peagen_ray.evolution.mutators.base import MutationRequest, Mutator, Proposal
from peagen_ray.evolution.mutators.genetic.base import Draft, Operator
from peagen_ray.evolution.mutators.genetic.catalogue import operators as catalogue
from peagen_ray.evolution.mutators.genetic.guards import Guard
from peagen_ray.evolution.mutators.genetic.render import rendered
from peagen_ray.workload.fingerprint import fingerprint_of

ATTEMPTS = 16
"""Edits that are tried before a request is refused."""
LONGEST_CHAIN = 4
"""Operators that one proposal may be made by."""
FOCUS = 0.8
"""How often a chain stays within the functions that its first operator edited."""
HIGHEST_WEIGHT = 1e6

_NO_SITE = "", -1
_REASONS = ("already tried", "identical", "forbidden", "syntax", "operator")
"""Why attempts come to nothing; the first that applies is the one that is told."""


class GeneticMutator(Mutator):
    """Edits the syntax tree with one operator, sometimes with a chain of them.

    Operators are drawn by what they have paid off, among those that have a site in the program. The same
    request gives the same proposal.

    Args:
        operators: what to draw from; the whole catalogue by default.
        strict: let an operator's exceptions through; otherwise it loses its turn.
    """

    NAME: ClassVar[str] = "genetic"

    def __init__(self, operators: Sequence[Operator] | None = None, *, strict: bool = False) -> None:
        self._operators = {each.NAME: each for each in (catalogue() if operators is None else operators)}
        self._strict = strict

    @property
    def operators(self) -> tuple[str, ...]:
        """The names of its operators."""
        return tuple(self._operators)

    def propose(self, request: MutationRequest) -> Proposal:
        """A program that differs from the request's, parses, compiles and keeps what others rely on.

        Raises:
            MutationRejected: ``already tried``, ``identical``, ``forbidden``, ``syntax`` or ``operator`` when
                every attempt came to that, ``no site`` when there is nothing to edit.
            TargetError: the source does not parse or has no such entry function.
        """
        return _Search(self._operators, request, strict=self._strict).run()


class _Search:
    """The attempts at one request."""

    def __init__(self, operators: Mapping[str, Operator], request: MutationRequest, *, strict: bool) -> None:
        self._operators = operators
        self._strict = strict
        self._request = request
        self._rng = random.Random(request.seed)
        self._draft = Draft.parse(request.source, request.entry, request.inspirations)
        self._guard = Guard(self._draft)
        self._parent = fingerprint_of(self._draft.pristine)
        weights = {name: _weight(each, request.weights) for name, each in operators.items()}
        self._weights = {name: weight for name, weight in weights.items() if weight > 0}
        self._pool = dict(self._weights)
        self._barren = _barren(request.source, request.entry)
        self._left: dict[str, list[int]] = {}
        self._site = _NO_SITE
        self._failures: dict[str, str] = {}

    def run(self) -> Proposal:
        """The first attempt that comes to something."""
        draft = self._draft
        for attempt in range(ATTEMPTS):
            names = self._edited(draft, self._chain_length(attempt))
            if not names and not self._pool:
                break
            text = self._text(draft) if names else None
            if text is not None:
                return Proposal(text, "+".join(names))
            self._give_up_site()
            draft = self._draft.restart()
        reason = next((each for each in _REASONS if each in self._failures), "no site")
        raise MutationRejected(reason, self._failures.get(reason, ""))

    def _chain_length(self, attempt: int) -> int:
        """How many operators to use: mostly one, more when it is hot and after attempts that failed."""
        temperature = min(max(self._request.temperature, 0.0), 2.0)
        chance = min(0.5 * temperature + 0.02 * attempt, 0.7) if temperature else 0.0
        length = 1
        while length < LONGEST_CHAIN and self._rng.random() < chance:
            length += 1
        return length

    def _give_up_site(self) -> None:
        """Do not start from the last attempt's site again, if that alone came to nothing."""
        name, index = self._site
        if index in self._left.get(name, ()):
            self._left[name].remove(index)

    def _edited(self, draft: Draft, length: int) -> list[str]:
        """Edit a draft; the names of the operators that did, none when one of them came to nothing."""
        names: list[str] = []
        while len(names) < length:
            pool = dict(self._weights) if names else self._pool
            name = self._edit_once(draft, pool, is_first=not names)
            if name is None:
                return []
            if not name:
                break
            names.append(name)
            if len(names) == 1 and self._rng.random() < FOCUS:
                draft.narrow()
        return names

    def _edit_once(self, draft: Draft, pool: dict[str, float], *, is_first: bool) -> str | None:
        """The operator that edited the draft; "" when none can, None when one failed."""
        while pool:
            (name,) = self._rng.choices(list(pool), list(pool.values()))
            try:
                done = self._apply(draft, name, is_first=is_first)
            except Exception as error:  # a broken operator costs its turn, not the proposal
                if self._strict:
                    raise
                self._failures["operator"] = f"{name}: {type(error).__name__}: {error}"
                self._pool.pop(name, None)
                self._weights.pop(name, None)
                return None
            if done is not None:
                draft.touched()
                return name if done else None
            del pool[name]
        return ""

    def _apply(self, draft: Draft, name: str, *, is_first: bool) -> bool | None:
        """Whether the operator edited the draft; None when it has no site there that was not tried yet."""
        operator = self._operators[name]
        if is_first and operator in self._barren:
            return None
        sites = operator.sites(draft)
        if is_first and not sites and not operator.LOOKS_AROUND:
            self._barren.add(operator)
        if not is_first:
            self._site = _NO_SITE
            return operator.apply(draft, self._rng.choice(sites), self._rng) if sites else None
        left = self._left.setdefault(name, list(range(len(sites))))
        if not left:
            return None
        self._site = name, self._rng.choice(left)
        return operator.apply(draft, sites[self._site[1]], self._rng)

    def _text(self, draft: Draft) -> str | None:
        """The source text of an edited draft; None when it is not one to propose."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ``x is 0`` is no worse than any other candidate
            try:
                made = rendered(draft)
                reason, detail = self._verdict(made.text, made.tree)
            except (SyntaxError, ValueError, RecursionError) as error:
                reason, detail = "syntax", str(error)
        if reason:
            self._failures[reason] = detail
            return None
        return made.text

    def _verdict(self, text: str, tree: ast.Module) -> tuple[str, str]:
        """Why a proposal is not to be made, and the detail; two empty texts when it is."""
        known = fingerprint_of(tree)
        if known == self._parent:
            return "identical", ""
        if known in self._request.exclude:
            return "already tried", ""
        objection = self._guard.objection(text, tree)
        if objection:
            return "forbidden", objection
        compile(tree, "<proposal>", "exec", dont_inherit=True)
        return "", ""


@lru_cache(maxsize=64)
def _barren(source: str, entry: str) -> set[Operator]:
    """The operators that are known to have no site in a program, to be added to.

    A champion is the parent of many requests. This spares them the look, and changes no outcome.
    """
    del source, entry
    return set()


def _weight(operator: Operator, weights: Mapping[str, float]) -> float:
    paid = weights.get(operator.NAME, 1.0)
    weight = operator.WEIGHT * paid
    return min(weight, HIGHEST_WEIGHT) if weight > 0 and not math.isnan(weight) else 0.0
