"""The mutator port: from a parent program to a proposed one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar


@dataclass(frozen=True)
class MutationRequest:
    """What a mutator is given.

    Attributes:
        source: the parent's whole source text.
        entry: the function to make faster: ``name``, ``Class.method``, or "" for the whole module.
        seed: seeds every random choice; the same request gives the same proposal.
        inspirations: source texts of other programs, best first.
        weights: how much each operator has paid off; a missing operator counts as 1.0.
        exclude: fingerprints (:func:`~peagen_ray.workload.fingerprint.fingerprint`) already judged.
        goal: a sentence of the person's own, for mutators that prompt.
        temperature: how far from the parent a mutator may go, 0 to 2.
    """

    source: str
    entry: str
    seed: int
    inspirations: tuple[str, ...] = ()
    weights: Mapping[str, float] = field(default_factory=dict)
    exclude: frozenset[str] = frozenset()
    goal: str = ""
    temperature: float = 0.7


@dataclass(frozen=True)
class Proposal:
    """What a mutator proposes.

    Attributes:
        source: the whole new source text; only what was edited differs from the parent's.
        operator: name of the operator, or of several joined by ``+``.
    """

    source: str
    operator: str


class Mutator(ABC):
    """Proposes a change to a program. Stateless and deterministic in its request where it can be."""

    NAME: ClassVar[str]

    @abstractmethod
    def propose(self, request: MutationRequest) -> Proposal:
        """A proposal.

        Raises:
            MutationRejected: there is nothing usable to propose; says why.
            TargetError: the source does not parse or has no such entry function.
        """
