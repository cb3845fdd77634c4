"""Changes of what is no Python: a program in another language, or a prompt. Lines are all that is known of it."""

from __future__ import annotations

from peagen_ray.evolution.answers.edit import LIMIT, Edit, EditKind, Reason, Rejected
from peagen_ray.evolution.answers.places import Places
from peagen_ray.evolution.answers.source import Source, outside_of
from peagen_ray.evolution.answers.whole import OUTSIDE, into_blocks


def changed_text(edit: Edit, parent: Source) -> str | Rejected:
    """The text that an edit makes of another one, or why it makes none; outside of its blocks it stays."""
    made = _rewritten(edit, parent) if edit.kind is EditKind.REWRITE else _in_turn(edit, parent)
    if isinstance(made, Rejected):
        return made
    if parent.blocks and outside_of(made) != outside_of(parent.text):
        return Rejected(Reason.NOT_APPLICABLE, OUTSIDE)
    if len(made.encode(errors="replace")) > max(LIMIT, len(parent.text.encode(errors="replace"))):
        return Rejected(Reason.TOO_LARGE, f"the program would be longer than {LIMIT} bytes")
    return made


def _rewritten(edit: Edit, parent: Source) -> str | Rejected:
    """The whole text, or all that may be changed of it."""
    lines = Source(edit.text).lines
    if not parent.blocks:
        return parent.replaced(lines)
    whole = into_blocks(lines, parent)
    return Rejected(Reason.NOT_APPLICABLE, OUTSIDE) if whole is None else whole


def _in_turn(edit: Edit, parent: Source) -> str | Rejected:
    """The text after the hunks, each found in what the ones before it made."""
    text = parent
    for hunk in edit.hunks:
        if not hunk.is_anchored:
            return Rejected(Reason.NOT_APPLICABLE, "a change has no line of the program with it")
        found = Places(text.lines).find(hunk)
        if isinstance(found, str):
            return Rejected(Reason.NOT_APPLICABLE, found)
        text = Source(text.spliced(found))
    return text.text
