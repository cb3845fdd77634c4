"""Loops that accumulate, in the shapes that a comprehension can take, and rules for them."""

from __future__ import annotations

import ast
from collections.abc import Callable
from textwrap import indent

from peagen_ray.evolution.mutators.genetic.base import FunctionNode
from peagen_ray.evolution.mutators.genetic.match import Match
from peagen_ray.evolution.mutators.genetic.nodes import names_in, own_nodes, root
from peagen_ray.evolution.mutators.genetic.rewrite import Rule, always


def _loop(lines: list[str]) -> str:
    text, depth = "", 0
    for line in lines:
        header = line.startswith(("for", "if"))
        text += f"{'    ' * depth}{line}{':' if header else ''}\n"
        depth += header
    return f"{text}{'    ' * depth}STEP"


def _clauses(lines: list[str]) -> str:
    return " ".join(t if t.startswith(("for", "if")) else f"for {t[0]} in [{t[-1]}]" for t in lines)


SHAPES: tuple[tuple[str, str], ...] = tuple(
    (_loop(lines), _clauses(lines))
    for lines in (
        ["for X in XS"],
        ["for X in XS", "if C"],
        ["for X in XS", "T = E"],
        ["for X in XS", "T = E", "if C"],
        ["for X in XS", "if C", "T = E"],
        ["for X in XS", "T = E", "U = F"],
        ["for X in XS", "T = E", "U = F", "if C"],
        ["for X in XS", "for Y in YS"],
        ["for X in XS", "for Y in YS", "if C"],
        ["for X in XS", "if C", "for Y in YS"],
        ["for X in XS", "if C", "for Y in YS", "if D"],
        ["for X in XS", "T = E", "for Y in YS"],
        ["for X in XS", "T = E", "for Y in YS", "if C"],
        ["for X in XS", "for Y in YS", "T = E"],
        ["for X in XS", "for Y in YS", "T = E", "if C"],
        ["for X in XS", "for Y in YS", "for Z in ZS"],
        ["for X in XS", "for Y in YS", "for Z in ZS", "if C"],
    )
)
"""Each a loop around a STEP, and the clauses of a comprehension that go through the same values."""


def looping(
    step: str,
    template: str,
    *,
    start: str = "",
    end: str = "",
    where: Callable[[Match], bool] = always,
    imports: tuple[str, ...] = (),
) -> tuple[Rule, ...]:
    """A rule for each shape of loop around ``step``.

    Args:
        step: what is done with each value; ``ACC`` is what it accumulates in, if it does.
        template: what to put in the place of the loop; ``CLAUSES`` stands for the comprehension's.
        start: the statement that must go before the loop, which the template replaces too.
        end: the same for after the loop.
        where: a condition beside :func:`apart`.
        imports: import statements that the template needs.
    """

    def fits(match: Match) -> bool:
        return apart(match) and where(match)

    return tuple(
        Rule(
            "\n".join(filter(None, (start, _around(loop, step), end))),
            template.replace("CLAUSES", clauses),
            fits,
            imports,
        )
        for loop, clauses in SHAPES
    )


def _around(loop: str, step: str) -> str:
    head, _, last = loop.rpartition("\n")
    return f"{head}\n{indent(step, last.removesuffix('STEP'))}"


def apart(match: Match) -> bool:
    """Whether ``ACC``, if there is one, is touched by the step alone and is one place in every round."""
    if "ACC" not in match.bindings:
        return True
    target = match["ACC"]
    name, inner = root(target), names_in(target)
    for variable, value in match.bindings.items():
        nodes = value if isinstance(value, list) else [value]
        mentions = set().union(*map(names_in, nodes))
        if variable != "ACC" and name in mentions:
            return False
        if variable in {"X", "Y", "Z", "T", "U"} and mentions & inner:
            return False
    return True


def values_of(function: FunctionNode, name: str) -> list[ast.expr]:
    """What is assigned to a variable by plain assignments in ``function``."""
    found: list[ast.expr] = []
    for node in own_nodes(function):
        targets = node.targets if isinstance(node, ast.Assign) else []
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        if any(isinstance(t, ast.Name) and t.id == name for t in targets):
            assert isinstance(node, (ast.Assign, ast.AnnAssign))
            found += [node.value] if node.value is not None else []
    return found


def is_number(match: Match) -> bool:
    """Whether nothing says that ``ACC`` is text or a container."""
    values = values_of(match.function, root(match["ACC"])) if isinstance(match["ACC"], ast.Name) else []
    return not any(map(_is_collection, values))


def _is_collection(value: ast.expr) -> bool:
    if isinstance(value, ast.Constant):
        return isinstance(value.value, (str, bytes))
    return isinstance(value, (ast.JoinedStr, ast.List, ast.Tuple, ast.Set, ast.Dict, ast.ListComp))
