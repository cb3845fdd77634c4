"""Rewrites that stand for a whole file, or for all that may be edited of one."""

from __future__ import annotations

import ast

from peagen_ray.evolution.answers.edit import Reason, Rejected
from peagen_ray.evolution.answers.needs import bound
from peagen_ray.evolution.answers.rewrite import Rewrite
from peagen_ray.evolution.answers.source import Source, Splice, find_blocks, outside, squeezed
from peagen_ray.evolution.answers.tree import Definition, definitions, ellipses, end_of, first_line

OUTSIDE = "it changes what is outside the EVOLVE-BLOCK"


def into_blocks(rewritten: list[str], source: Source) -> str | Rejected | None:
    """A whole file, or the blocks alone; None if the rewrite is neither."""
    blocks = find_blocks(rewritten)
    ours = [squeezed(part) for part in outside(source.lines, source.blocks)]
    if blocks:
        theirs = [squeezed(part) for part in outside(rewritten, blocks)]
        bare = [*(part[-1:] for part in ours[:1]), *ours[1:-1], *(part[:1] for part in ours[-1:])]
        if len(blocks) != len(source.blocks) or theirs not in (ours, bare):
            return Rejected(Reason.NOT_APPLICABLE, OUTSIDE)
        inner = [rewritten[start:end] for start, end in blocks]
    else:
        found = _between(rewritten, ours)
        if found is None:
            return None
        inner = [found]
    pairs = zip(source.blocks, inner, strict=True)
    return source.spliced([Splice(start, end, tuple(lines)) for (start, end), lines in pairs])


def _between(lines: list[str], ours: list[list[str]]) -> list[str] | None:
    """What a whole file without markers has in the place of the only block."""
    if len(ours) != 2:
        return None
    head, tail = ours[0][:-1], ours[1][1:]
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if not (head or tail) or len(filled) < len(head) + len(tail):
        return None
    text = [lines[number].strip() for number in filled]
    if text[: len(head)] != head or text[len(text) - len(tail) :] != tail:
        return None
    middle = filled[len(head) : len(filled) - len(tail)]
    return lines[middle[0] : middle[-1] + 1] if middle else []


def is_whole(made: ast.Module, tree: ast.Module, entry: str) -> bool:
    """Whether a rewrite stands for the whole file."""
    names = {name for node in tree.body for name in bound(node)}
    if entry and not names - {entry.partition(".")[0]}:
        return False
    if not names <= {name for node in made.body for name in bound(node)}:
        return False
    if ellipses(made) > ellipses(tree):
        return False
    theirs = definitions(made.body)
    for name, node in definitions(tree.body).items():
        if isinstance(node, ast.ClassDef) and not _covers(theirs.get(name), node):
            return False
    effects = {ast.dump(node) for node in tree.body if isinstance(node, ast.Expr)}
    return all(ast.dump(node) in effects for node in made.body[1:] if isinstance(node, ast.Expr))


def _covers(made: Definition | None, node: ast.ClassDef) -> bool:
    """Whether a class has all the names that another one has."""
    if not isinstance(made, ast.ClassDef):
        return False
    theirs = {name for each in made.body for name in bound(each)}
    return {name for each in node.body for name in bound(each)} <= theirs


def header(made: Rewrite, source: Source, tree: ast.Module) -> list[str]:
    """The comments and the docstring that the program begins with, where a whole file comes without its own."""
    if not tree.body or made.lines[0].startswith("#") or ast.get_docstring(made.tree) is not None:
        return []
    documented = ast.get_docstring(tree) is not None
    following = tree.body[1:] if documented else tree.body
    return source.lines[: first_line(following[0]) - 1 if following else end_of(tree.body[0])]
