"""What a run tells whoever watches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from peagen_ray.evolution.program import Outcome


@dataclass(frozen=True)
class Progress:
    """A run at one moment.

    Attributes:
        elapsed_s: seconds since the run started, over all its parts.
        generation: generations finished.
        told: candidates told back, rejected ones and duplicates included.
        in_flight: candidates being worked on.
        accepted: candidates that entered the archive.
        outcomes: candidates by outcome.
        cells: cells of the archive that are taken.
        best_ratio: speed of the best confirmed program, as a multiple of the original's.
        screened_ratio: the same of the best screened one, confirmed or not.
        best_ms: ``speed_ms`` of the best confirmed program.
        reference_ms: ``speed_ms`` of the original.
        rate: candidates told back per second, lately.
        remaining: what is left to each stopping rule, in words, by rule.
    """

    elapsed_s: float
    generation: int
    told: int
    in_flight: int
    accepted: int
    cells: int
    best_ratio: float
    screened_ratio: float
    best_ms: float
    reference_ms: float
    rate: float
    outcomes: Mapping[str, int] = field(default_factory=dict)
    remaining: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Told:
    """A candidate that was told back.

    Attributes:
        n: its number.
        kind: ``mutate`` or ``confirm``.
        parent: number of its first parent, or of the program that was confirmed.
        operator: what made it.
        ratio: its speed as a multiple of the original's, if it was measured.
        accepted: it entered the archive; of a confirmation: the gain was real.
    """

    n: int
    kind: str
    parent: int | None
    operator: str
    outcome: Outcome
    reason: str
    ratio: float | None
    accepted: bool


class Observer(Protocol):
    """Watches a run. Every method must return quickly; only :meth:`note` is called from other threads too."""

    def phase(self, name: str, detail: str = "") -> None:
        """The run begins another phase, such as ``measuring the original``."""

    def progress(self, progress: Progress) -> None:
        """Where the run is; several times a second at most."""

    def candidate(self, told: Told) -> None:
        """A candidate was told back."""

    def note(self, text: str) -> None:
        """Something that a person should know."""


class Silent:
    """An observer that looks away."""

    def phase(self, name: str, detail: str = "") -> None:
        """Nothing."""

    def progress(self, progress: Progress) -> None:
        """Nothing."""

    def candidate(self, told: Told) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""
