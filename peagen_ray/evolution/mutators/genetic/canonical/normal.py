"""Bringing functions into normal form, and finding the form of a function of a draft."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, every, stored
from peagen_ray.evolution.mutators.genetic.canonical.conditions import conditions
from peagen_ray.evolution.mutators.genetic.canonical.expressions import condition, normalised
from peagen_ray.evolution.mutators.genetic.canonical.form import Form, Names
from peagen_ray.evolution.mutators.genetic.canonical.inlining import Helpers, calls, inlined
from peagen_ray.evolution.mutators.genetic.canonical.loops import Follow, loops
from peagen_ray.evolution.mutators.genetic.canonical.lowering import lowered
from peagen_ray.evolution.mutators.genetic.canonical.simple import least_first, simple_statements
from peagen_ray.evolution.mutators.genetic.canonical.temporaries import inline_temporaries
from peagen_ray.evolution.mutators.genetic.canonical.trees import blocks, parameters, walk_block

_ROUNDS = 2
"""The second round finds what the values of temporaries bring to light."""


@dataclass
class Forms:
    """The forms of a draft's functions, made when they are asked for and kept while it is not edited."""

    draft: Draft
    names: Names
    constants: dict[str, ast.expr]
    functions: dict[str, FunctionNode]
    _plain: dict[FunctionNode, Form] = field(default_factory=dict)
    _made: dict[FunctionNode, Form] = field(default_factory=dict)
    _busy: set[FunctionNode] = field(default_factory=set)

    @classmethod
    def of(cls, draft: Draft) -> Forms:
        """The forms of a draft as it is now."""
        known = draft.derived.get("forms")
        if isinstance(known, Forms):
            return known
        functions = [n for n in every(draft.tree) if isinstance(n, FunctionNode)]
        counts = Counter(f.name for f in functions)
        once = {f.name: f for f in functions if counts[f.name] == 1}
        made = cls(draft, Names.of(draft.tree), _constants(draft.tree), once)
        draft.derived["forms"] = made
        return made

    def editable(self) -> list[Form]:
        """The forms of the functions that may be edited."""
        return [self.form(function) for function in self.draft.functions()]

    def form(self, function: FunctionNode) -> Form:
        """The form of one function."""
        if function not in self._made:
            self._busy.add(function)
            self._made[function] = normal_form(function, self.names.copy(), self.constants, self._helper)
            self._busy.discard(function)
        return self._made[function]

    def plain(self) -> list[Form]:
        """The forms of the functions that may be edited, with calls left as they are."""
        for function in self.draft.functions():
            if function not in self._plain:
                names = self.names.copy()
                self._plain[function] = normal_form(function, names, self.constants, lambda _: None)
        return [self._plain[function] for function in self.draft.functions()]

    def _helper(self, call: ast.Call) -> Form | None:
        """The form of a plain function of this file that a call calls."""
        name = ""
        if isinstance(call.func, ast.Name):
            name = call.func.id
        elif isinstance(call.func, ast.Attribute) and isinstance(call.func.value, ast.Name):
            name = call.func.attr if call.func.value.id == "self" else ""
        function = self.functions.get(name)
        if not isinstance(function, ast.FunctionDef) or function in self._busy or name in calls(function):
            return None
        if function.decorator_list:
            return None
        return self.form(function)


def normal_form(
    function: FunctionNode,
    names: Names,
    constants: dict[str, ast.expr],
    helpers: Helpers,
) -> Form:
    """The normal form of a function.

    Args:
        function: the function, which is not edited.
        names: the names that its module uses.
        constants: what module-level names stand for.
        helpers: finds the functions that may be written where they are called.
    """
    form = Form(function, names)
    form.body = form.adopt(function.body)
    local = stored(function) | set(parameters(function))
    known = {n: v for n, v in constants.items() if n not in local}
    for statement in walk_block(form.body):
        _normalise_expressions(statement, known)
    for _ in range(_ROUNDS):
        form.body[:] = _normal_block(form, form.body, (), False, helpers)
        if not inline_temporaries(form):
            break
    else:
        form.body[:] = _normal_block(form, form.body, (), False, helpers)
    return form


def _normal_block(
    form: Form, block: Sequence[ast.stmt], follow: Follow, in_loop: bool, helpers: Helpers
) -> list[ast.stmt]:
    out = lowered(form, least_first(form, inlined(form, block, helpers)))
    for index, statement in enumerate(out):
        loop = isinstance(statement, (ast.For, ast.While))
        after = [
            *([statement.body] if isinstance(statement, (ast.For, ast.While)) else []),
            out[index + 1 :],
            *follow,
        ]
        if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            continue
        for inner in blocks(statement):
            inner[:] = _normal_block(form, inner, after, loop and inner is _body(statement), helpers)
    out = loops(form, simple_statements(form, out), follow)
    return conditions(form, out, in_loop)


def _body(statement: ast.stmt) -> object:
    return statement.body if isinstance(statement, (ast.For, ast.While)) else None


def _normalise_expressions(statement: ast.stmt, constants: dict[str, ast.expr]) -> None:
    for name, value in ast.iter_fields(statement):
        if isinstance(value, ast.expr):
            made = normalised(value, constants)
            setattr(statement, name, condition(made) if name == "test" else made)
        elif isinstance(value, list):
            value[:] = [normalised(v, constants) if isinstance(v, ast.expr) else v for v in value]


def _constants(tree: ast.Module) -> dict[str, ast.expr]:
    """Module-level names that are assigned once, to a number, a string or infinity."""
    found: dict[str, ast.expr] = {}
    written: list[str] = []
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            value = normalised(statement.value, {}) if _is_infinity(statement.value) else statement.value
            written.append(statement.targets[0].id)
            if isinstance(value, ast.Constant) or _is_infinity(value):
                found[statement.targets[0].id] = value
    changed = {n for s in every(tree) if isinstance(s, ast.Global) for n in s.names}
    return {n: v for n, v in found.items() if written.count(n) == 1 and n not in changed}


def _is_infinity(node: ast.expr) -> bool:
    return ast.unparse(node) in {"float('inf')", "math.inf", "inf"}
