"""Where the best program comes from: its ancestors, and what each of them changed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from peagen_ray.evolution.diff import unified
from peagen_ray.evolution.events import printable
from peagen_ray.report.story import Story, Told
from peagen_ray.report.text import shown

_DIFF: Final = 30_000
"""Characters of one step's diff that are shown."""

_DIFFS: Final = 1_200_000
"""Characters of all diffs together."""

_LINE: Final = 1_000
"""Characters of one line of a diff."""

_SMALL: Final = 400_000
"""Characters of a text up to which it is compared here."""


@dataclass(frozen=True)
class Step:
    """One ancestor, or the best program itself.

    Attributes:
        program: as it was told.
        value: see :meth:`Story.value`.
        on_line: it is on the line of first parents from the best program to a seed.
        lines: of the diff from its first parent: a class of ``add``, ``del``, ``hunk``, ``same``, and the text.
        left_out: why the diff is not whole; "" if it is.
    """

    program: Told
    value: float | None
    on_line: bool
    lines: tuple[tuple[str, str], ...]
    left_out: str


def steps(story: Story) -> list[Step]:
    """The ancestors of the best program and itself, the oldest first; [] if there is none."""
    best = story.best
    if best is None:
        return []
    line = _line(story, best)
    room, found = _DIFFS, []
    ancestors = sorted(_ancestors(story, best), key=lambda each: (each.n not in line, -each.n))
    for program in ancestors:  # where there is no room for all diffs, the latest on the line are shown
        text = story.text(program.row, "diff")
        lines, left_out = diff_lines(text, min(_DIFF, room))
        room -= sum(len(content) for _, content in lines)
        found.append(Step(program, story.value(program.fitness), program.n in line, lines, left_out))
    return sorted(found, key=lambda step: step.program.n)


def last_step(story: Story) -> tuple[tuple[tuple[str, str], ...], str]:
    """What was taken back of the best program in the end, as a diff; nothing if that was nothing."""
    best, source = story.best, winner_source(story)
    before = "" if best is None else story.text(best.row)
    if not source or not before or source == before:
        return (), ""
    return _compared(before, source)


def whole_diff(story: Story) -> tuple[tuple[tuple[str, str], ...], str]:
    """From the original to the winner, or to the best program so far."""
    best = story.best
    if best is None:
        return (), ""
    return _compared(printable(story.meta["subject"]["source"]), winner_source(story) or story.text(best.row))


def winner_source(story: Story) -> str:
    """The source of a winner that was measured at the end; "" without one."""
    return "" if story.final is None else story.text(story.final["row"])


def _compared(before: str, after: str) -> tuple[tuple[tuple[str, str], ...], str]:
    if len(before) + len(after) > _SMALL:
        return (), "the programs are too long to be compared here; the run's directory has winner.diff"
    return diff_lines(unified(before, after, "program.py"), _DIFF)


def diff_lines(text: str, most: int) -> tuple[tuple[tuple[str, str], ...], str]:
    """A diff's lines, each with its class, up to ``most`` characters; and why there are no more of them."""
    found: list[tuple[str, str]] = []
    size = 0
    lines = text.split("\n")[2:] if text.startswith("--- ") else text.split("\n")
    for number, line in enumerate(lines):
        content = shown(line, _LINE)
        size += len(content)
        if size > most:
            return tuple(found), f"{len(lines) - number} more lines are in the run's ledger"
        found.append((_CLASSES.get(line[:1], "same"), content))
    while found and not found[-1][1]:
        found.pop()
    return tuple(found), ""


_CLASSES: Final = {"+": "add", "-": "del", "@": "hunk"}


def _line(story: Story, best: Told) -> set[int]:
    found = {best.n}
    while best.parents and best.parents[0] in story.programs and best.parents[0] not in found:
        best = story.programs[best.parents[0]]
        found.add(best.n)
    return found


def _ancestors(story: Story, best: Told) -> list[Told]:
    found, open_ = {best.n: best}, [best]
    while open_:
        for parent in open_.pop().parents:
            if parent not in found and parent in story.programs:
                found[parent] = story.programs[parent]
                open_.append(found[parent])
    return list(found.values())
