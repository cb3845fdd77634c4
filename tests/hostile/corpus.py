"""The corpus: programs that lie or do harm, each with the verdicts that it must get. See ``README.md``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from peagen_ray.sandbox.base import Profile
from peagen_ray.sandbox.measure import Verdict

PROGRAMS: Final = Path(__file__).parent / "programs"

NO_GAIN: Final = "no-gain"
"""The word for a confirmation that went well and found nothing gained."""

_GAIN: Final = 1.05
"""Every liar does the work of the original, so a ratio from here on is a lie that was believed."""

_OUTCOMES: Final = frozenset(
    ["ok", "error", "timeout", "memory", "killed", "violation", "incorrect", "refuted"]
) | {NO_GAIN}


@dataclass(frozen=True)
class Expected:
    """The verdicts that will do, in words, and what their reason has to say."""

    words: frozenset[str]
    reason: str

    @classmethod
    def read(cls, text: str) -> Expected:
        """From ``word|word reason``; ``ok`` covers ``no-gain``, not the other way round."""
        words, _, reason = text.partition(" ")
        found = frozenset(words.split("|"))
        assert found <= _OUTCOMES, f"{found - _OUTCOMES} are no outcomes"
        return cls(found | {NO_GAIN} if "ok" in found else found, reason)

    def met_by(self, verdict: Verdict) -> bool:
        """Whether that verdict is one of them; a reason is only asked for where it went wrong."""
        word = word_for(verdict)
        return word in self.words and (word in {"ok", NO_GAIN} or self.reason in verdict.reason)


def word_for(verdict: Verdict) -> str:
    """What a verdict comes to: its outcome, or ``no-gain`` where a confirmation found nothing gained."""
    if verdict.outcome != "ok" or not verdict.confirmed:
        return verdict.outcome
    gained = verdict.gain and verdict.speed is not None and verdict.speed.ratio >= _GAIN
    return "ok" if gained else NO_GAIN


@dataclass(frozen=True)
class Liar:
    """A program of the corpus.

    Attributes:
        name: of its file, topic first.
        tries: what it tries.
        subject: what it pretends to improve; see :mod:`judging`.
        profile: what it may do.
        screening: verdicts that it may get in screening.
        confirmation: verdicts that it may get in confirmation.
        source: its text, in which ``@NAME@`` stands for what an attacker might know of the host.
    """

    name: str
    tries: str
    subject: str
    profile: Profile
    screening: Expected
    confirmation: Expected
    source: str

    @property
    def topic(self) -> str:
        """The first word of its name."""
        return self.name.partition("_")[0]


def read(path: Path) -> Liar:
    """Read a program and the lines ``# key: value`` at its top."""
    source = path.read_text()
    head = re.match(r"(# \w+: .*\n)+", source)
    assert head, f"{path.name} begins with no keys"
    keys = dict(line[2:].split(": ", 1) for line in head[0].splitlines())
    screening, confirmation = (Expected.read(keys.pop(key)) for key in ("screening", "confirmation"))
    found = Liar(
        path.stem,
        keys.pop("tries"),
        keys.pop("subject", "total"),
        Profile(keys.pop("profile", "pure")),
        screening,
        confirmation,
        source,
    )
    assert not keys, f"{path.name} has keys that mean nothing: {', '.join(keys)}"
    return found


LIARS: Final = tuple(map(read, sorted(PROGRAMS.glob("*.py"))))
