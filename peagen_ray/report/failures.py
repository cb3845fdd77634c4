"""Why candidates failed: by outcome, and within each by reason, the commonest first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from peagen_ray.evolution.program import Outcome
from peagen_ray.report.story import Told
from peagen_ray.report.text import alike, shown

MEANINGS: Final[dict[str, str]] = {
    Outcome.OK: "ran, was correct, and was measured",
    Outcome.INCORRECT: "its output differs from the original's",
    Outcome.ERROR: "does not load, raised, or ended itself",
    Outcome.KILLED: "a signal ended its process",
    Outcome.TIMEOUT: "took longer than it may",
    Outcome.MEMORY: "took more memory than it may",
    Outcome.VIOLATION: "did what its sandbox forbids, or returned too much",
    Outcome.REJECTED: "the mutator had no usable change; nothing ran",
    Outcome.DUPLICATE: "the same program was judged before; nothing ran",
    Outcome.REFUTED: "screening ranked it high, confirmation did not agree",
    Outcome.LOST: "our own machinery failed on it",
}

_SHOWN: Final = 12


@dataclass(frozen=True)
class Reason:
    """Reasons that differ in numbers and quotations alone.

    Attributes:
        words: the reason without them.
        count: candidates.
        example: one of them, whole.
        n: whose that was.
    """

    words: str
    count: int
    example: str
    n: int


@dataclass(frozen=True)
class Ending:
    """An outcome.

    Attributes:
        outcome: its name.
        meaning: in words.
        count: candidates.
        share: of all candidates, 0 to 1.
        reasons: the commonest.
        others: candidates whose reasons are not among them.
    """

    outcome: str
    meaning: str
    count: int
    share: float
    reasons: tuple[Reason, ...]
    others: int


def endings(programs: Iterable[Told]) -> list[Ending]:
    """The outcomes of candidates, the commonest first; seeds are no candidates."""
    counts: Counter[str] = Counter()
    reasons: dict[str, Counter[str]] = {}
    examples: dict[tuple[str, str], Told] = {}
    for program in programs:
        if not program.parents:
            continue
        counts[program.outcome] += 1
        if program.outcome in {Outcome.OK, Outcome.DUPLICATE}:
            continue
        words = alike(program.reason) or "no reason was recorded"
        reasons.setdefault(program.outcome, Counter())[words] += 1
        examples.setdefault((program.outcome, words), program)
    total = sum(counts.values())
    found = []
    for outcome, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        listed = [
            Reason(
                shown(words, 300),
                number,
                shown(examples[outcome, words].reason, 500),
                examples[outcome, words].n,
            )
            for words, number in reasons.get(outcome, Counter()).most_common(_SHOWN)
        ]
        others = sum(reasons.get(outcome, Counter()).values()) - sum(each.count for each in listed)
        meaning = MEANINGS.get(outcome, "")
        found.append(Ending(shown(outcome, 40), meaning, count, count / total, tuple(listed), others))
    return found
