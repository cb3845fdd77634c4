"""What a run tells whoever watches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from peagen_ray.evolution.program import Outcome


@dataclass(frozen=True)
class Airborne:
    """A question on its way.

    Attributes:
        n: its number.
        stage: ``mutate``, ``execute`` or ``evaluate``; ``confirm`` for what is measured again; ``waiting`` for what is
            held back.
        parent: number of its first parent, or of the program that is confirmed.
        seconds: how long it has been in that stage.
    """

    n: int
    stage: str
    parent: int
    seconds: float


@dataclass(frozen=True)
class Aloft:
    """What is on its way at one moment.

    Attributes:
        questions: the oldest first.
        most: how many may be on their way at a time; 0 if that is not known.
        pending: tasks in the queue that no worker has taken, of all its users; None if nobody looks.
        claimed: tasks that workers have taken, of all its users; None if nobody looks.
    """

    questions: tuple[Airborne, ...] = ()
    most: int = 0
    pending: int | None = None
    claimed: int | None = None


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
        tokens: LLM tokens spent.
        usd: money spent on language models.
        aloft: what is on its way.
        paused: nothing new is asked.
        best_score: the best program's score; None in a run that measures speed.
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
    tokens: int = 0
    usd: float = 0.0
    aloft: Aloft = field(default_factory=Aloft)
    paused: bool = False
    best_score: float | None = None

    @property
    def best_words(self) -> str:
        """How good the best program is."""
        return f"{self.best_ratio:.2f}x" if self.best_score is None else f"{self.best_score:.6g}"

    @property
    def standing(self) -> str:
        """The same with what it is measured against, and with what waits to be confirmed."""
        if self.best_score is not None:
            return f"score {self.best_words}"
        words = f"{self.best_words} ({self.reference_ms:.0f} → {self.best_ms:.1f} ms)"
        if self.screened_ratio > self.best_ratio * 1.02:
            words += f", {self.screened_ratio:.2f}x waits for confirmation"
        return words


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
        score: what an evaluator gave it; None in a run that measures speed.
    """

    n: int
    kind: str
    parent: int | None
    operator: str
    outcome: Outcome
    reason: str
    ratio: float | None
    accepted: bool
    score: float | None = None


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


class Printer(Silent):
    """An observer that prints a line now and then, for notebooks and logs.

    Args:
        every: seconds between two lines of progress.
    """

    def __init__(self, every: float = 5.0) -> None:
        self._every = every
        self._due = every

    def phase(self, name: str, detail: str = "") -> None:
        """A line."""
        self.note(f"{name}: {detail}" if detail else name)

    def progress(self, progress: Progress) -> None:
        """A line, if the last one is long ago."""
        if progress.elapsed_s >= self._due:
            self._due = progress.elapsed_s + self._every
            found = ", ".join(f"{number} {outcome}" for outcome, number in progress.outcomes.items())
            self.note(
                f"{progress.elapsed_s:.0f} s, generation {progress.generation}, {progress.told} candidates "
                f"({progress.rate:.1f}/s), best {progress.best_words}: {found}"
            )

    def note(self, text: str) -> None:
        """A line."""
        print(text, flush=True)  # noqa: T201 - that is what it is for
