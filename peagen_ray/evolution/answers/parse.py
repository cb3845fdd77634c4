"""Reading an answer: every edit that it holds, in the order written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from peagen_ray.evolution.answers.blocks import Block, take_blocks
from peagen_ray.evolution.answers.code import code_among
from peagen_ray.evolution.answers.diffs import DIFF_TAGS, has_marks, looks_like_diff, read_diff
from peagen_ray.evolution.answers.edit import LIMIT, Edit, EditKind, Hunk, Reason, Rejected, rewrite
from peagen_ray.evolution.answers.places import Places
from peagen_ray.evolution.answers.prose import Segment, lines_of, segments, without_reasoning
from peagen_ray.evolution.answers.source import Source, Splice
from peagen_ray.evolution.answers.tree import parsed
from peagen_ray.evolution.answers.wrapping import unwrapped

HUNKS: Final = 1000
"""Changes that an answer may hold."""
SPARE: Final = 16
"""Fences of an answer in which a rewrite looks for what it lacks."""
_DEFINED: Final = re.compile(r"[ \t]*(?:async[ \t]+def|def|class)[ \t]+(\w+)")


@dataclass(frozen=True, slots=True)
class _Piece:
    """What stands in one place of an answer.

    Attributes:
        hunks: none if the piece cannot be used.
        at: number of its last line.
        file: the file that it names, or "".
        why: what is wrong with one that has no hunks.
        is_weak: it may be no edit of the program at all; it counts where nothing else does.
    """

    kind: EditKind
    hunks: tuple[Hunk, ...]
    at: int
    file: str = ""
    why: Rejected | None = None
    is_weak: bool = False


def parse(
    answer: str, source: str, entry: str = "", *, name: str = "", finished: bool = True
) -> tuple[Edit | Rejected, ...]:
    """The edits of an answer, in the order in which they end; in the place of one that is cut short, why.

    All blocks of an answer are one edit, wherever they stand, and so are all diffs of one file, though each of
    several diffs is an edit of its own too, before that; what changes a place that the edit changes already begins
    the next edit. Each fence that defines the entry is an edit of its own; where there is no edit so far, each that
    defines anything that the program defines.

    Args:
        answer: what the model said.
        source: the program that it was asked to change.
        entry: ``name``, ``Class.method`` or "".
        name: the file name of the program, where the model was told one.
        finished: False if the model was stopped before its end; then what reaches to the end is cut short.

    Returns:
        At least one; a Rejected alone (``too large``, ``no diff``) if there is no edit.
    """
    if len(answer) > LIMIT or len(answer.encode(errors="replace")) > LIMIT:
        return (Rejected(Reason.TOO_LARGE, f"the answer is longer than {LIMIT} bytes"),)
    found = _Reader(source, entry, name, finished=finished).read(answer)
    return found or (Rejected(Reason.NO_DIFF, "there is no edit in the answer"),)


class _Reader:
    """Reads the answers to one question."""

    def __init__(self, source: str, entry: str, name: str, *, finished: bool) -> None:
        self._source = Source(source)
        self._places = Places(self._source.lines)
        self._known = {line.strip() for line in self._source.lines}
        self._names = {match[1] for line in self._source.lines if (match := _DEFINED.match(line))}
        self._name = name.replace("\\", "/").rpartition("/")[2]
        self._main = entry.rpartition(".")[2]
        self._finished = finished

    def read(self, answer: str) -> tuple[Edit | Rejected, ...]:
        """See :func:`parse`."""
        lines = unwrapped(without_reasoning(lines_of(answer)))
        blocks, rest = take_blocks(lines)
        pieces = [self._block(block) for block in blocks]
        parts = segments(rest)
        spare = tuple("\n".join(part.lines) for part in parts if part.fenced)[:SPARE]
        for part in parts:
            pieces += self._pieces(part)
        if sum(len(piece.hunks) for piece in pieces) > HUNKS:
            return (Rejected(Reason.TOO_LARGE, f"the answer has more than {HUNKS} changes"),)
        strong = [piece for piece in pieces if not piece.is_weak]
        pieces = strong or pieces
        edits = [self._with_spare(at, edit, spare) for at, edit in self._edits(pieces)]
        return tuple(edit for _, edit in sorted(edits, key=lambda each: each[0]))

    def _block(self, block: Block) -> _Piece:
        if block.hunk is None:
            return _Piece(EditKind.BLOCKS, (), block.at, block.file, Rejected(Reason.NO_DIFF, block.why))
        kind = EditKind.REWRITE if self._is_rewrite((block.hunk,)) else EditKind.BLOCKS
        return _Piece(kind, (block.hunk,), block.at, block.file)

    def _is_rewrite(self, hunks: Sequence[Hunk]) -> bool:
        """Whether all of a change is one addition, of what the program has already."""
        if len(hunks) != 1 or hunks[0].is_anchored:
            return False
        return any(match[1] in self._names for text in hunks[0].after if (match := _DEFINED.match(text)))

    def _with_spare(
        self, at: int, edit: Edit | Rejected, spare: tuple[str, ...]
    ) -> tuple[int, Edit | Rejected]:
        if isinstance(edit, Rejected) or edit.kind is not EditKind.REWRITE:
            return at, edit
        own = edit.text.rstrip("\n")
        others = tuple(text for text in spare if text.rstrip("\n") != own)
        return at, Edit(edit.kind, edit.hunks, others)

    @cached_property
    def _is_python(self) -> bool:
        return not isinstance(parsed(self._source.text.removeprefix("\ufeff")), str)

    def _pieces(self, part: Segment) -> Iterator[_Piece]:
        """What a segment holds: a diff, or code."""
        is_diff = looks_like_diff(part.lines) or (
            part.fenced and has_marks(part.lines) and self._is_bare_diff(part)
        )
        yield from self._diff(part) if is_diff else self._code(part)

    def _is_bare_diff(self, part: Segment) -> bool:
        """Whether lines without any header are a diff: their tag says so, or they cut lines of the program."""
        if part.info in DIFF_TAGS:
            return True
        cut = (line[1:].strip() for line in part.lines if line.startswith("-"))
        return any(text and text in self._known for text in cut) and isinstance(
            parsed("\n".join(part.lines)), str
        )

    def _diff(self, part: Segment) -> Iterator[_Piece]:
        cut = self._is_cut(part)
        for file in read_diff(part.lines, self._known, fenced=part.fenced):
            if file.file == "/dev/null":
                why = Rejected(Reason.NOT_APPLICABLE, "it deletes the file")
                yield _Piece(EditKind.DIFF, (), part.at, "", why)
            elif cut:
                yield _Piece(EditKind.DIFF, (), part.at, file.file, cut)
            elif file.hunks:
                kind = EditKind.REWRITE if self._is_rewrite(file.hunks) else EditKind.DIFF
                yield _Piece(kind, tuple(file.hunks), part.at, file.file)

    def _code(self, part: Segment) -> Iterator[_Piece]:
        lines = code_among(part.lines, fenced=part.fenced and part.closed)
        defined = {match[1] for line in lines if (match := _DEFINED.match(line))}
        if defined & self._names:
            cut = self._is_cut(part)
            hunks = () if cut else (rewrite(lines),)
            is_weak = bool(self._main) and self._main not in defined
            yield _Piece(EditKind.REWRITE, hunks, part.at, "", cut, is_weak)
        elif part.fenced and lines and not self._is_python:
            cut = self._is_cut(part)
            yield _Piece(EditKind.REWRITE, () if cut else (rewrite(lines),), part.at, "", cut)
        elif defined and part.fenced and not self._is_cut(part):
            what = f"it defines {sorted(defined)[0]}, which the program does not"
            yield _Piece(EditKind.REWRITE, (), part.at, "", Rejected(Reason.SIGNATURE, what), is_weak=True)

    def _is_cut(self, part: Segment) -> Rejected | None:
        """Why a segment is not whole, if it is not."""
        if self._finished or part.closed or not part.last:
            return None
        return Rejected(Reason.NO_DIFF, "the answer was cut off within the edit")

    def _edits(self, pieces: Sequence[_Piece]) -> Iterator[tuple[int, Edit | Rejected]]:
        for kind in (EditKind.BLOCKS, EditKind.DIFF):
            some = [piece for piece in pieces if piece.kind is kind]
            ours = self._ours(some)
            if isinstance(ours, Rejected):
                yield some[-1].at, ours
            else:
                yield from self._joined(kind, ours)
        for piece in pieces:
            if piece.kind is EditKind.REWRITE:
                yield piece.at, piece.why or Edit(piece.kind, piece.hunks)

    def _ours(self, pieces: Sequence[_Piece]) -> list[_Piece] | Rejected:
        """The pieces about our file: by its name, else by what the hunks want to find."""
        files: dict[str, list[_Piece]] = {}
        file = ""
        for piece in pieces:
            file = piece.file or file
            files.setdefault(file.replace("\\", "/").rpartition("/")[2], []).append(piece)
        if self._name and self._name in files:
            return [piece for piece in pieces if piece in files[self._name] or piece in files.get("", [])]
        if len(files) <= 1:
            return list(pieces)
        fitting = [some for some in files.values() if all(self._fits(piece) for piece in some)]
        if len(fitting) != 1:
            what = (
                "it changes several files, and more than one"
                if fitting
                else "it changes several files, and none"
            )
            return Rejected(Reason.NOT_APPLICABLE, f"{what} is like the program")
        return fitting[0]

    def _fits(self, piece: _Piece) -> bool:
        return bool(piece.hunks) and all(isinstance(self._places.find(hunk), list) for hunk in piece.hunks)

    def _joined(self, kind: EditKind, pieces: Sequence[_Piece]) -> Iterator[tuple[int, Edit | Rejected]]:
        """The edits that the pieces of one kind make together."""
        for group in self._groups(pieces):
            places = list(dict.fromkeys(piece.at for piece in group))
            if kind is EditKind.DIFF and len(places) > 1:
                for at in places:
                    yield at, self._edit(kind, [piece for piece in group if piece.at == at])
            yield places[-1], self._edit(kind, group)

    @staticmethod
    def _edit(kind: EditKind, pieces: Sequence[_Piece]) -> Edit | Rejected:
        why = next((piece.why for piece in pieces if piece.why), None)
        hunks = dict.fromkeys(hunk for piece in pieces for hunk in piece.hunks)
        return why or Edit(kind, tuple(hunks))

    def _groups(self, pieces: Sequence[_Piece]) -> Iterator[list[_Piece]]:
        """Pieces that do not change the same place, unless in the same way."""
        group: list[_Piece] = []
        known: set[Hunk] = set()
        splices: list[Splice] = []
        for piece in pieces:
            places = [splice for hunk in piece.hunks if hunk not in known for splice in self._splices(hunk)]
            if any(new.collides(old) for new in places for old in splices):
                yield group
                group, known, splices = [], set(), []
                places = [splice for hunk in piece.hunks for splice in self._splices(hunk)]
            group.append(piece)
            known.update(piece.hunks)
            splices += places
        if group:
            yield group

    def _splices(self, hunk: Hunk) -> list[Splice]:
        found = self._places.find(hunk)
        return [] if isinstance(found, str) else found
