"""Quoting: how programs and their output stand in a prompt without being taken for a part of it."""

from __future__ import annotations

import re
from typing import Final

SHORT: Final = 600
"""Characters of a candidate's output that are told."""
_CONTROL: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff]"
)
_TICKS: Final = re.compile(r"`{3,}")


def fenced(text: str, info: str = "python") -> str:
    """A text in a fence that nothing in it can close."""
    ticks = "`" * max([3, *(len(run) + 1 for run in _TICKS.findall(text))])
    return f"{ticks}{info}\n{text if text.endswith(chr(10)) or not text else text + chr(10)}{ticks}"


def quoted(text: str, most: int = SHORT) -> str:
    """Output of a program as data: no control characters, shortened, each line behind a bar, in a fence.

    No line of it begins like a heading, a fence or a role of a conversation, and ``<|`` is broken up, which begins
    the special tokens of chat models.
    """
    clean = _CONTROL.sub("\ufffd", shortened(text.replace("\r\n", "\n").replace("\r", "\n"), most))
    clean = clean.replace("<|", "< |").replace("|>", "| >")
    return fenced("".join(f"| {line}\n" for line in clean.strip("\n").split("\n")), "text")


def plain(text: str, most: int = 80) -> str:
    """A short text on one line, with nothing in it that could end the line or begin a special token."""
    line = " ".join(_CONTROL.sub(" ", text[: 4 * most]).split()).replace("<|", "< |").replace("`", "'")
    return line if len(line) <= most else f"{line[: most - 3]}..."


def shortened(text: str, most: int = SHORT) -> str:
    """The head and the tail of a long text; errors say what they are in their last line."""
    if len(text) <= most:
        return text
    head = most // 3
    return f"{text[:head]}\n[... {len(text) - most} characters left out ...]\n{text[head - most :]}"
