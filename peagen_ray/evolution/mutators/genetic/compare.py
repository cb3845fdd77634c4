"""Comparing syntax trees."""

from __future__ import annotations

import ast

_EMPTY = (list, type(None))
_SILENT = frozenset({"ctx", "type_comment", "type_ignores"})


class _Fields(dict[type[ast.AST], tuple[str, ...]]):
    def __missing__(self, cls: type[ast.AST]) -> tuple[str, ...]:
        self[cls] = tuple(name for name in cls._fields if name not in _SILENT)
        return self[cls]


_FIELDS = _Fields()


def same_code(one: object, other: object) -> bool:
    """Whether two nodes, or lists of them, are written alike; as comparing dumps, but ten times as fast.

    Positions and contexts do not count; a missing field is an empty one.
    """
    todo: list[tuple[object, object]] = [(one, other)]
    while todo:
        a, b = todo.pop()
        if a.__class__ is not b.__class__:
            if a or b or not (isinstance(a, _EMPTY) and isinstance(b, _EMPTY)):
                return False
        elif isinstance(a, ast.AST):
            for name in _FIELDS[a.__class__]:
                u, v = getattr(a, name, None), getattr(b, name, None)
                if u is not v:
                    if u.__class__ is str and v.__class__ is str:
                        if u != v:
                            return False
                    else:
                        todo.append((u, v))
        elif isinstance(a, list):
            if len(a) != len(b):  # type: ignore[arg-type]
                return False
            todo.extend(zip(a, b, strict=True))  # type: ignore[call-overload]
        elif a != b if isinstance(a, (int, str, bytes)) else repr(a) != repr(b):
            return False
    return True
