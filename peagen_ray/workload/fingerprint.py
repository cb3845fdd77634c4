"""Fingerprint: when two source texts are the same program."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator

_Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module


def fingerprint(source: str) -> str:
    """16 hexadecimal digits of the normalised syntax tree: comments, layout and docstrings do not count.

    Raises:
        SyntaxError: the source does not parse.
    """
    return fingerprint_of(ast.parse(source.removeprefix("\ufeff")))


def fingerprint_of_any(source: str) -> str:
    """The same of a program in whatever language; where it is no Python, blanks at the ends of lines do not count."""
    try:
        return fingerprint(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        lines = [line.rstrip() for line in source.removeprefix("\ufeff").splitlines()]
        return hashlib.blake2b("\n".join(lines).strip().encode(), digest_size=8).hexdigest()


def fingerprint_of(tree: ast.Module) -> str:
    """The fingerprint of a source text that was parsed already; the tree is left as it is."""
    documented = [(node, node.body) for node in _documented(tree)]
    try:
        for node, body in documented:
            node.body = body[1:] or [ast.Pass()]
        return hashlib.blake2b(ast.dump(tree).encode(), digest_size=8).hexdigest()
    finally:
        for node, body in documented:
            node.body = body


def _documented(tree: ast.Module) -> Iterator[_Documented]:
    """Whatever begins with a docstring; only statements hold such, so expressions are not looked into."""
    todo: list[ast.AST] = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, _Documented) and node.body and _is_text(node.body[0]):
            yield node
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            block = getattr(node, name, None)
            if isinstance(block, list):
                todo += block


def _is_text(node: ast.stmt) -> bool:
    value = node.value if isinstance(node, ast.Expr) else None
    return isinstance(value, ast.Constant) and isinstance(value.value, str)
