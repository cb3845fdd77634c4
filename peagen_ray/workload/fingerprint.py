"""Fingerprint: when two source texts are the same program."""

from __future__ import annotations

import ast
import hashlib


def fingerprint(source: str) -> str:
    """16 hexadecimal digits of the normalised syntax tree: comments, layout and docstrings do not count.

    Raises:
        SyntaxError: the source does not parse.
    """
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Module)):
            _drop_docstring(node)
    return hashlib.blake2b(ast.dump(tree).encode(), digest_size=8).hexdigest()


def _drop_docstring(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module) -> None:
    if ast.get_docstring(node, clean=False) is not None:
        node.body = node.body[1:] or [ast.Pass()]
