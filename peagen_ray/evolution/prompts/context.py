"""What a prompt may tell."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from peagen_ray.evolution.answers.tree import parsed
from peagen_ray.evolution.moves import Move


class Form(StrEnum):
    """The form in which a model is asked to answer."""

    DIFF = "unified diff"
    SEARCH_REPLACE = "search/replace"
    REWRITE = "whole rewrite"


@dataclass(frozen=True, slots=True)
class Score:
    """One value of the metric, and whose it is: ``generation 3``, ``the original``."""

    label: str
    value: float


@dataclass(frozen=True, slots=True)
class HotLine:
    """A line of the parent and its share of the run time, 0 to 1; lines count from 1."""

    line: int
    share: float


@dataclass(frozen=True, slots=True)
class Inspiration:
    """Another program, and its value of the metric if that is known."""

    source: str
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """A change of this parent that was tried.

    Attributes:
        change: what it was, such as a diff; "" if it is not known.
        outcome: what became of it, such as ``incorrect`` or ``slower``.
        error: what it printed or raised; written by the candidate, so it may say anything.
    """

    change: str
    outcome: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Failed:
    """What is to be repaired: an answer, or a candidate.

    Attributes:
        text: the answer, or the candidate's source.
        reason: why it failed, in a word or two.
        error: more of it; written by the candidate, so it may say anything.
    """

    text: str
    reason: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """What an evaluator said of the parent, under a name; it ran beside the candidate, so it may say anything."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class PromptContext:
    """All that templates know.

    Attributes:
        source: the parent's source text.
        entry: ``name``, ``Class.method``, or "" for the whole module.
        move: the way to change it.
        form: the form to answer in.
        metric: what is measured.
        is_lower_better: which way the metric is good.
        history: values of the metric, oldest first, the parent's last.
        profile: where the parent spends its time, hottest first.
        inspirations: other programs, the best first.
        attempts: what was tried from this parent, latest last.
        goal: a sentence of the person's own.
        partner: the second parent of a crossover.
        failed: what to repair.
        hint: a direction to look into.
        hidden: lines of the parent that are not shown.
        remarks: what the evaluator said of the parent.
    """

    source: str
    entry: str
    move: Move = Move.DIFF
    form: Form = Form.DIFF
    metric: str = "speed_ms"
    is_lower_better: bool = True
    history: tuple[Score, ...] = ()
    profile: tuple[HotLine, ...] = ()
    inspirations: tuple[Inspiration, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    goal: str = ""
    partner: Inspiration | None = None
    failed: Failed | None = None
    hint: str = ""
    hidden: int = 0
    remarks: tuple[Remark, ...] = ()

    @property
    def has_block(self) -> bool:
        """Whether only a part of the parent may be changed."""
        return "EVOLVE-BLOCK-START" in self.source

    @property
    def is_python(self) -> bool:
        """Whether the parent is a Python program; prompts and programs in other languages are text."""
        return not isinstance(parsed(self.source.removeprefix("\ufeff")), str)

    @property
    def hot(self) -> list[tuple[HotLine, str]]:
        """The hot lines with what stands there; those that the parent does not have are left out."""
        lines = self.source.split("\n")
        return [(each, lines[each.line - 1].strip()) for each in self.profile if 0 < each.line <= len(lines)]
