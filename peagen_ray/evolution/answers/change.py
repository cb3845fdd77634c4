"""The way from an answer to a changed program, with every check on the way."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from peagen_ray.evolution.answers.edit import LIMIT, Edit, EditKind, Hunk, Mark, Reason, Rejected
from peagen_ray.evolution.answers.elision import elided, is_dots
from peagen_ray.evolution.answers.graft import graft, import_place
from peagen_ray.evolution.answers.needs import is_import
from peagen_ray.evolution.answers.parse import parse
from peagen_ray.evolution.answers.places import Places
from peagen_ray.evolution.answers.source import Source, Splice, outside_of, squeezed
from peagen_ray.evolution.answers.texts import changed_text
from peagen_ray.evolution.answers.tree import objection, parsed
from peagen_ray.evolution.answers.wrapping import is_escaped, unescaped
from peagen_ray.workload.fingerprint import fingerprint_of, fingerprint_of_any

CANDIDATES: Final = 16
"""Edits of one answer that are tried."""


@dataclass(frozen=True, slots=True)
class Changed:
    """A program that an answer makes.

    Attributes:
        source: its whole text; only what was edited differs from the parent's.
        edit: the edit that made it.
        fingerprint: of its source.
    """

    source: str
    edit: Edit
    fingerprint: str


def read_answer(
    answer: str,
    source: str,
    entry: str = "",
    *,
    tried: Collection[str] = frozenset(),
    name: str = "",
    finished: bool = True,
) -> Changed | Rejected:
    """The program that an answer makes of another one.

    Of the last few edits in one answer the last one counts that is complete, applies, and makes another program that
    parses and is called alike. Where none does, the last one that would change something says why. An answer that makes
    none because it is escaped for HTML is read without the escapes.

    Args:
        answer: what the model said.
        source: the program that it was asked to change.
        entry: ``name``, ``Class.method`` or "" for the whole module.
        tried: fingerprints of programs that were judged already; if the edit that counts makes one of them, the
            answer is rejected.
        name: the file name of the program, where the model was told one.
        finished: False if the model was stopped before its end.
    """
    made = _read(answer, source, entry, tried, name, finished=finished)
    if not is_escaped(answer) or (isinstance(made, Changed) and not is_escaped(made.source, code=True)):
        return made
    other = _read(unescaped(answer), source, entry, tried, name, finished=finished)
    return made if isinstance(made, Rejected) and isinstance(other, Rejected) else other


def _read(
    answer: str, source: str, entry: str, tried: Collection[str], name: str, *, finished: bool
) -> Changed | Rejected:
    found = parse(answer, source, entry, name=name, finished=finished)
    failures: list[Rejected] = []
    for edit in reversed(found[-CANDIDATES:]):
        made = edit if isinstance(edit, Rejected) else apply_edit(edit, source, entry)
        if isinstance(made, Changed):
            known = made.fingerprint in tried
            return Rejected(Reason.TRIED, "it makes a program that was judged before") if known else made
        failures.append(made)
    telling = [each for each in failures if each.reason is not Reason.IDENTICAL]
    return (telling or failures)[0]


def apply_edit(edit: Edit, source: str, entry: str = "") -> Changed | Rejected:
    """The program that an edit makes of another one, or why it makes none; see :func:`read_answer`."""
    parent = Source(source)
    before = parsed(source.removeprefix("\ufeff"))
    if isinstance(before, str):
        return _changed_text(edit, parent)
    try:
        made = _made(edit, parent, before, entry)
        return made if isinstance(made, Rejected) else _checked(made, edit, parent, before, entry)
    except (RecursionError, MemoryError):
        return Rejected(Reason.SYNTAX, "nested too deeply")


def _changed_text(edit: Edit, parent: Source) -> Changed | Rejected:
    """The same of a parent that is no Python."""
    made = changed_text(edit, parent)
    if isinstance(made, Rejected):
        return made
    known = fingerprint_of_any(made)
    if known == fingerprint_of_any(parent.text):
        return Rejected(Reason.IDENTICAL, "it changes nothing")
    return Changed(made, edit, known)


def _made(edit: Edit, parent: Source, tree: ast.Module, entry: str) -> str | Rejected:
    if edit.kind is EditKind.REWRITE:
        return graft(edit.text, parent, tree, entry, edit.spare)
    gap = _left_out(edit.hunks, parent)
    if gap:
        return Rejected(Reason.NOT_APPLICABLE, f"it leaves code out: {gap}")
    splices = _together(edit.hunks, parent, tree)
    if isinstance(splices, str):
        in_turn = _in_turn(edit.hunks, parent)
        return Rejected(Reason.NOT_APPLICABLE, splices) if in_turn is None else in_turn
    return parent.spliced(splices)


def _left_out(hunks: Sequence[Hunk], parent: Source) -> str:
    """The first line added that only stands for code, "" if there is none."""
    known = set(squeezed(parent.lines))
    for hunk in hunks:
        kept = {line.text.strip() for line in hunk.lines if line.mark is Mark.KEEP}
        gap = elided(hunk.after, known | kept)
        dots = (line.text.strip() for line in hunk.lines if line.mark is Mark.ADD and is_dots(line.text))
        if gap or (gap := next((text for text in dots if text not in known), "")):
            return gap
    return ""


def _together(hunks: Sequence[Hunk], parent: Source, tree: ast.Module) -> list[Splice] | str:
    """What the hunks change, each found in the parent itself; or why not."""
    places = Places(parent.lines)
    found: list[Splice] = []
    for hunk in hunks:
        here = places.find(hunk) if hunk.is_anchored else _imports(hunk, parent, tree)
        if isinstance(here, str):
            return here
        if any(new.collides(old) for new in here for old in found):
            return "two of its changes are of the same lines"
        found += here
    return found


def _imports(hunk: Hunk, parent: Source, tree: ast.Module) -> list[Splice] | str:
    """The only addition that has a place without saying so: imports."""
    added = parsed("\n".join(hunk.after) + "\n")
    if isinstance(added, str) or not added.body or not all(is_import(node) for node in added.body):
        return "a change has no line of the program with it, so it has no place"
    at = import_place(parent, tree)
    return [Splice(at, at, tuple(line for line in hunk.after if line.strip()))]


def _in_turn(hunks: Sequence[Hunk], parent: Source) -> str | None:
    """The program after the hunks, each found in what the ones before it made; None if one is not."""
    if len(hunks) < 2 or not all(hunk.is_anchored for hunk in hunks):
        return None
    text = parent
    for hunk in hunks:
        here = Places(text.lines).find(hunk)
        if isinstance(here, str):
            return None
        text = Source(text.spliced(here))
    return text.text


def _checked(made: str, edit: Edit, parent: Source, before: ast.Module, entry: str) -> Changed | Rejected:
    if parent.blocks and outside_of(made) != outside_of(parent.text):
        return Rejected(Reason.NOT_APPLICABLE, "it changes what is outside the EVOLVE-BLOCK")
    if len(made.encode(errors="replace")) > max(LIMIT, len(parent.text.encode(errors="replace"))):
        return Rejected(Reason.TOO_LARGE, f"the program would be longer than {LIMIT} bytes")
    tree = parsed(made.removeprefix("\ufeff"))
    if isinstance(tree, str):
        return Rejected(Reason.SYNTAX, tree)
    known = fingerprint_of(tree)
    if known == fingerprint_of(before):
        return Rejected(Reason.IDENTICAL, "it changes nothing that runs")
    other = objection(before, tree, entry)
    return Rejected(Reason.SIGNATURE, other) if other else Changed(made, edit, known)
