"""Clauses: a compound statement as headers and the blocks below them, and the text of each header."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_BLOCKS = {
    "body": [ast.Pass()],
    "orelse": [],
    "finalbody": [],
    "handlers": [],
    "cases": [],
    "decorator_list": [],
}


@dataclass(frozen=True)
class Clause:
    """One header and its block.

    Attributes:
        word: what the header begins with; ``else`` and ``finally`` may be missing from a statement.
        block: the statements below it; none below ``match``.
        parts: what the header says, in the order of the source.
        node: what the header belongs to; None where there is nothing but the word.
    """

    word: str
    block: Sequence[ast.stmt]
    parts: Sequence[object] = ()
    node: ast.stmt | ast.ExceptHandler | ast.match_case | None = field(default=None)

    @property
    def optional(self) -> bool:
        """Whether a statement may do without it."""
        return self.word in {"else", "finally"}

    def header(self) -> str:
        """The header as text, its colon included, decorators left out."""
        if self.node is None:
            return f"{self.word}:"
        bare = copy.copy(self.node)
        bare.__dict__.update((name, value) for name, value in _BLOCKS.items() if name in bare._fields)
        text = unparsed(bare).removesuffix("pass").rstrip()
        return text.replace("except", self.word, 1) if self.word == "except*" else text


def clauses(node: ast.stmt) -> list[Clause]:
    """The clauses of a compound statement, in the order of the source; none for a simple statement."""
    return [clause for clause in _clauses(node) if clause.block or clause.node is not None]


def _clauses(node: ast.stmt) -> Iterator[Clause]:
    match node:
        case ast.If() | ast.While():
            yield Clause("if" if isinstance(node, ast.If) else "while", node.body, [node.test], node)
            yield Clause("else", node.orelse)
        case ast.For() | ast.AsyncFor():
            yield Clause("for", node.body, [node.target, node.iter], node)
            yield Clause("else", node.orelse)
        case ast.With() | ast.AsyncWith():
            yield Clause("with", node.body, node.items, node)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            parts = [node.name, *_type_params(node), node.args, node.returns]
            yield Clause("def", node.body, parts, node)
        case ast.ClassDef():
            parts = [node.name, *_type_params(node), *node.bases, *node.keywords]
            yield Clause("class", node.body, parts, node)
        case ast.Try() | ast.TryStar():
            yield from _of_try(node)
        case ast.Match():
            yield Clause("match", (), [node.subject], node)
            for each in node.cases:
                yield Clause("case", each.body, [each.pattern, each.guard], each)


def _of_try(node: ast.Try | ast.TryStar) -> Iterator[Clause]:
    yield Clause("try", node.body)
    for handler in node.handlers:
        word = "except" if isinstance(node, ast.Try) else "except*"
        yield Clause(word, handler.body, [handler.type, handler.name], handler)
    yield Clause("else", node.orelse)
    yield Clause("finally", node.finalbody)


def _type_params(node: ast.stmt) -> list[ast.AST]:
    return list(node.__dict__.get("type_params", ()))  # since Python 3.12


def unparsed(node: ast.AST) -> str:
    """The text of one node, which need not have a position."""
    if isinstance(node, ast.stmt) and not hasattr(node, "lineno"):
        node = copy.copy(node)
        node.lineno = 0  # the unparser looks for a type comment there
    return ast.unparse(node).strip("\n")
