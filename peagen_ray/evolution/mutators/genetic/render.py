"""Rendering: an edited draft as text, in which only what was edited differs from the source."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.base import Draft
from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.text.emit import Emitter
from peagen_ray.evolution.mutators.genetic.text.layout import Inseparable, Layout
from peagen_ray.evolution.mutators.genetic.text.splice import Splicer


@dataclass(frozen=True)
class Rendered:
    """A draft as text.

    Attributes:
        text: the source text.
        tree: what it parses to.
    """

    text: str
    tree: ast.Module


def render(draft: Draft) -> str:
    """The draft's tree as text, with whatever was not edited as it was written.

    The text parses to the same tree as ``ast.unparse(draft.tree)`` would.

    Raises:
        SyntaxError: the edited tree is no program.
    """
    return rendered(draft).text


def rendered(draft: Draft) -> Rendered:
    """As :func:`render`, with the tree that the text parses to."""
    layout = Layout(draft.source, draft.pristine)
    for verbatim in (True, False):
        try:
            text = Splicer(layout, draft.pristine, verbatim=verbatim).splice(draft.tree)
        except Inseparable:
            continue
        tree = _parsed(text, draft.tree)
        if tree is not None:
            return Rendered(layout.bom + text, tree)
    text = _unparsed(draft.tree, layout)
    return Rendered(layout.bom + text, ast.parse(text))


def _parsed(text: str, tree: ast.Module) -> ast.Module | None:
    """What ``text`` parses to, if that is what ``tree`` says."""
    try:
        parsed = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    if same_code(parsed, tree):
        return parsed
    # An operator may build what the parser never would, such as a negative constant.
    return parsed if same_code(parsed, ast.parse(_unparsed(tree, Layout("", ast.Module([], []))))) else None


def _unparsed(tree: ast.Module, layout: Layout) -> str:
    return Emitter(layout, tree, verbatim=False).block(tree.body, "", documented=True)
