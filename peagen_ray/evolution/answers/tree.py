"""Definitions in a syntax tree: found by entry, compared by how they are called."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Sequence
from typing import Final

FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
Definition = FunctionNode | ast.ClassDef
BLOCKS: Final = ("body", "orelse", "handlers", "finalbody", "cases")
BINDING: Final = frozenset({"staticmethod", "classmethod", "property", "abstractmethod"})
"""Decorators that say how a method is called."""


def parsed(text: str) -> ast.Module | str:
    """The syntax tree of a program that compiles, or what is wrong with it."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ``x is 0`` is no worse than any other candidate
            tree = ast.parse(text)
            compile(tree, "<candidate>", "exec", dont_inherit=True)
    except SyntaxError as error:
        return f"line {error.lineno}: {error.msg}" if error.lineno else str(error.msg)
    except (ValueError, OverflowError) as error:
        return str(error)
    except (RecursionError, MemoryError):
        return "nested too deeply"
    return tree


def definitions(body: Sequence[ast.stmt]) -> dict[str, Definition]:
    """Functions and classes of one scope, also those under ``if`` or ``try``; the last of a name counts."""
    return {name: nodes[-1] for name, nodes in homonyms(body).items()}


def homonyms(body: Sequence[ast.stmt]) -> dict[str, list[Definition]]:
    """The same with all of a name, as a property and its setter are."""
    found: dict[str, list[Definition]] = {}
    for node in statements(body):
        if isinstance(node, Definition):
            found.setdefault(node.name, []).append(node)
    return found


def is_text(node: ast.stmt) -> bool:
    """Whether a statement is nothing but a string."""
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def is_stub(node: Definition) -> bool:
    """Whether a definition has no body but ``...``."""
    rest = [each for each in node.body if not is_text(each)]
    return bool(rest) and all(_is_ellipsis(each) for each in rest)


def ellipses(node: ast.AST) -> int:
    """How many statements ``...`` there are."""
    return sum(_is_ellipsis(each) for each in ast.walk(node))


def _is_ellipsis(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and node.value.value is ...


def statements(body: Sequence[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of one scope, in order; those inside functions and classes are not of it."""
    todo: list[ast.AST] = list(reversed(body))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.stmt):
            yield node
        if not isinstance(node, Definition):
            inner = [each for name in BLOCKS for each in getattr(node, name, ())]
            todo += reversed(inner)


def find(tree: ast.Module, entry: str) -> Definition | None:
    """What ``name`` or ``Class.method`` is defined by."""
    body: Sequence[ast.stmt] = tree.body
    node: Definition | None = None
    for part in entry.split("."):
        node = definitions(body).get(part)
        if node is None:
            return None
        body = node.body
    return node


def start_of(node: Definition) -> int:
    """The number of its first line, decorators included, from 1."""
    return min([node.lineno, *(each.lineno for each in node.decorator_list)])


def first_line(node: ast.stmt) -> int:
    """The number of a statement's first line, decorators included, from 1."""
    return start_of(node) if isinstance(node, Definition) else node.lineno


def end_of(node: ast.AST) -> int:
    """The number of its last line, from 1."""
    return int(getattr(node, "end_lineno", 0))


def objection(before: ast.Module, after: ast.Module, entry: str) -> str:
    """How a program differs for those who call it; "" if it does not.

    The entry, and ``__init__`` of its class, keep name, kind (plain, asynchronous, generator aside; static, class or
    instance method) and parameters: their names, order and kinds. Annotations are free. A default may be
    another one or be added, and may not be taken away. Of a whole module this holds for each public function and
    method, and no public class may vanish.
    """
    if not entry:
        return next((text for name in _public(before.body) if (text := _changed(before, after, name))), "")
    if find(before, entry) is None:
        return f"the parent has no {entry}"
    owner = entry.rpartition(".")[0]
    return _changed(before, after, entry) or (_changed(before, after, f"{owner}.__init__") if owner else "")


def _public(body: Sequence[ast.stmt], prefix: str = "") -> Iterator[str]:
    for name, node in definitions(body).items():
        if name.startswith("_") and name != "__init__":
            continue
        yield prefix + name
        if isinstance(node, ast.ClassDef):
            yield from _public(node.body, f"{prefix}{name}.")


def _changed(before: ast.Module, after: ast.Module, entry: str) -> str:
    old, new = find(before, entry), find(after, entry)
    if old is None:
        return f"{entry} is new" if new is not None and entry.endswith("__init__") and _takes(new) else ""
    if new is None:
        return f"{entry} is gone"
    if type(old) is not type(new) or _binding(old) != _binding(new):
        return f"{entry} is another kind of function"
    if isinstance(old, ast.ClassDef) or isinstance(new, ast.ClassDef):
        return ""
    if parameters(old) != parameters(new):
        return f"{entry} takes ({ast.unparse(new.args)}), it took ({ast.unparse(old.args)})"
    missing = _optional(old) - _optional(new)
    return f"{entry} needs {sorted(missing)[0]!r}, which had a default" if missing else ""


def _takes(node: Definition) -> bool:
    """Whether a method cannot be called with nothing but its object."""
    if isinstance(node, ast.ClassDef):
        return False
    required = {arg.arg for arg in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)}
    return len(required - _optional(node)) > 1


def _binding(node: Definition) -> set[str]:
    names = {ast.unparse(each).rpartition(".")[2] for each in node.decorator_list}
    return names & BINDING


def is_method(node: FunctionNode) -> bool:
    """Whether a function looks like one of a class: by its first parameter or its decorators."""
    first = next((arg.arg for arg in (*node.args.posonlyargs, *node.args.args)), "")
    return first in ("self", "cls") or bool(_binding(node))


def parameters(node: FunctionNode) -> list[list[str]]:
    """The names of the parameters, by kind."""
    args = node.args
    single = [[each.arg] if each else [] for each in (args.vararg, args.kwarg)]
    return [*([arg.arg for arg in many] for many in (args.posonlyargs, args.args, args.kwonlyargs)), *single]


def _optional(node: FunctionNode) -> set[str]:
    args = node.args
    positional = [*args.posonlyargs, *args.args]
    named = [arg.arg for arg in positional[len(positional) - len(args.defaults) :]]
    return {
        *named,
        *(arg.arg for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True) if default),
    }
