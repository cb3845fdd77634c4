"""Minimising a winner: the smallest part of its changes that keeps the gain."""

from __future__ import annotations

import difflib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from peagen_ray.evolution.diff import split_lines
from peagen_ray.evolution.trimming import trimmed
from peagen_ray.workload.fingerprint import fingerprint


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines ``start`` to ``stop`` of the original, and what stands in their place in the winner."""

    start: int
    stop: int
    lines: tuple[str, ...]


def hunks(original: str, winner: str) -> list[Hunk]:
    """The changes from one source to the other, in order, each as small as makes sense on its own.

    A run of changed lines is split at the statements of its outermost level if only added or only taken
    away, and line by line if as many lines replace as were replaced.
    """
    before, after = _ended(original), _ended(winner)
    matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
    found: list[Hunk] = []
    for tag, start, stop, low, high in matcher.get_opcodes():
        if tag == "insert":
            parts = _statements(after[low:high])
            found += [Hunk(start, start, tuple(after[low + a : low + b])) for a, b in parts]
        elif tag == "delete":
            found += [Hunk(start + a, start + b, ()) for a, b in _statements(before[start:stop])]
        elif tag == "replace" and stop - start == high - low:
            pairs = zip(range(start, stop), after[low:high], strict=True)
            found += [Hunk(line, line + 1, (text,)) for line, text in pairs]
        elif tag == "replace":
            found.append(Hunk(start, stop, tuple(after[low:high])))
    return found


def apply(original: str, chosen: Sequence[Hunk]) -> str:
    """The original with those of its hunks, given in order; its last line is ended."""
    lines = _ended(original)
    out: list[str] = []
    at = 0
    for hunk in chosen:
        out += lines[at : hunk.start]
        out += hunk.lines
        at = hunk.stop
    return "".join([*out, *lines[at:]])


def minimise(original: str, winner: str, *, limit: int = 120) -> Generator[str, bool, str]:
    """Delta debugging of the changes from one source to the other.

    It is ddmin of Zeller & Hildebrandt 2002, "Simplifying and isolating failure-inducing input".
    What is left is then trimmed, statement by statement. A coroutine: it yields source texts to be judged,
    is sent whether each keeps the gain, and returns the smallest that does, from which nothing can be taken
    back (unless ``limit`` cut it short). What does not parse, or is the same program as one that was judged,
    is not asked about.

    Args:
        original: where the changes start from; it is taken not to have the gain.
        winner: a program that has it; both parse.
        limit: questions at most.
    """
    judge = _Judge(original, winner, limit)
    chosen = hunks(original, winner)
    grain = 2
    while len(chosen) > 1:
        smaller = None
        for part, rest in _parts(chosen, grain):
            if (yield from judge.keeps(part)):
                smaller, grain = part, 2
            elif grain > 2 and (yield from judge.keeps(rest)):
                smaller, grain = rest, grain - 1
            if smaller is not None:
                break
        if smaller is not None:
            chosen = smaller
        elif grain < len(chosen):
            grain = min(len(chosen), 2 * grain)
        else:
            break
        grain = max(2, min(grain, len(chosen)))
    return (yield from _trim(judge, original, apply(original, chosen)))


def _trim(judge: _Judge, original: str, source: str) -> Generator[str, bool, str]:
    """The source without the statements of its changes that contribute nothing."""
    smaller: str | None = source
    while smaller is not None:
        source, smaller = smaller, None
        for candidate in trimmed(original, source):
            if len(candidate) < len(source) and (yield from judge.accepts(candidate)):
                smaller = candidate
                break
    return source


class _Judge:
    """Asks about each program once, and about no more than ``limit``."""

    def __init__(self, original: str, winner: str, limit: int) -> None:
        self._original = original
        self._left = limit
        self._known = {fingerprint(winner): True, fingerprint(original): False}

    def keeps(self, chosen: Sequence[Hunk]) -> Generator[str, bool, bool]:
        """Whether the original with those hunks keeps the gain; False once no question is left."""
        return (yield from self.accepts(apply(self._original, chosen)))

    def accepts(self, source: str) -> Generator[str, bool, bool]:
        """Whether a program keeps the gain; False once no question is left."""
        try:
            found = fingerprint(source)
        except (SyntaxError, ValueError, RecursionError):
            return False
        if found not in self._known:
            if self._left <= 0:
                return False
            self._left -= 1
            self._known[found] = yield source
        return self._known[found]


def _parts(chosen: Sequence[Hunk], grain: int) -> list[tuple[list[Hunk], list[Hunk]]]:
    """``grain`` even parts, each with the rest."""
    edges = [len(chosen) * number // grain for number in range(grain + 1)]
    return [(list(chosen[low:high]), [*chosen[:low], *chosen[high:]]) for low, high in pairwise(edges)]


def _ended(text: str) -> list[str]:
    return split_lines(text if text.endswith("\n") or not text else f"{text}\n")


def _statements(lines: Sequence[str]) -> list[tuple[int, int]]:
    """Where a block of lines splits into what its least indented lines begin."""
    depths = [len(line) - len(line.lstrip()) for line in lines if line.strip()]
    if not depths:
        return [(0, len(lines))]
    starts = [
        number
        for number, line in enumerate(lines)
        if line.strip() and len(line) - len(line.lstrip()) == min(depths)
    ]
    edges = [0, *starts[1:], len(lines)]
    return list(pairwise(edges))
