"""Operators made of recipes: a pattern, matched modulo normal form, and what to write instead."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, every, parse_statements
from peagen_ray.evolution.mutators.genetic.canonical.changes import is_changed
from peagen_ray.evolution.mutators.genetic.canonical.expressions import normalised
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.normal import Forms
from peagen_ray.evolution.mutators.genetic.canonical.trees import blocks, clone, walk_block
from peagen_ray.evolution.mutators.genetic.canonical.unify import (
    Abstraction,
    Bindings,
    Value,
    fit_block,
    fit_function,
    pattern,
)
from peagen_ray.evolution.mutators.genetic.nodes import is_metavariable, names_in, position, with_context
from peagen_ray.evolution.mutators.genetic.rewrite import Edit


@dataclass(frozen=True)
class Found:
    """Code that a pattern found.

    Attributes:
        form: the function in normal form.
        bindings: what each metavariable stands for.
        statements: the statements of the form that were found, ghosts between them included; empty for a
            whole function.
    """

    form: Form
    bindings: Bindings
    statements: tuple[ast.stmt, ...] = ()

    def __getitem__(self, key: str) -> ast.expr:
        """The expression that a metavariable stands for."""
        value = self.bindings[key]
        if isinstance(value, (list, Abstraction)):
            raise KeyError(f"{key} stands for no expression")
        return value

    def body(self, key: str) -> list[ast.stmt]:
        """The statements that a metavariable stands for."""
        value = self.bindings[key]
        if not isinstance(value, list):
            raise KeyError(f"{key} stands for no statements")
        return value


def always(found: Found) -> bool:
    """The condition of a recipe that has none."""
    del found
    return True


@dataclass(frozen=True)
class Recipe:
    """What to look for, and what to write instead.

    Attributes:
        pattern: see :mod:`~peagen_ray.evolution.mutators.genetic.canonical.unify`.
        template: the statements that replace what was found; for the pattern of a whole function, the
            function of that name gives the new body and the other statements go before it.
        where: says of a match whether it counts.
        imports: import statements that the template needs.
        also: metavariables that are worked out rather than found.
        hoisted: statements that go before the outermost loop around in which nothing that they mention
            changes; where there is no such loop, the recipe does not apply.
    """

    pattern: str
    template: str
    where: Callable[[Found], bool] = always
    imports: tuple[str, ...] = ()
    also: Mapping[str, Callable[[Found], Value]] = field(default_factory=dict)
    hoisted: str = ""


RecipeSite = tuple[Recipe, Found]


class Cookbook(Edit[RecipeSite]):
    """An operator that is a list of recipes; of those that fit one place, the first is taken.

    Attributes:
        RECIPES: the recipes.
        INLINED: look at functions with their helpers written where they are called, rather than at calls.
    """

    WEIGHT = 2.0
    RECIPES: ClassVar[tuple[Recipe, ...]]
    INLINED: ClassVar[bool] = True

    def sites(self, draft: Draft) -> list[RecipeSite]:
        """The recipe and the match of each place."""
        found: dict[tuple[FunctionNode, ast.stmt | None], RecipeSite] = {}
        forms = Forms.of(draft)
        for form in forms.editable() if self.INLINED else forms.plain():
            for recipe in self.RECIPES:
                for match in find(form, recipe.pattern):
                    key = (form.function, match.statements[0] if match.statements else None)
                    if key not in found and recipe.where(match) and _is_applicable(recipe, match):
                        found[key] = (recipe, match)
        return sorted(found.values(), key=lambda site: position(site[1].form.function))

    def edit(self, draft: Draft, site: RecipeSite) -> bool:
        """Put the recipe's template in the place of the match."""
        recipe, match = site
        more = {key: make(match) for key, make in recipe.also.items()}
        bindings = {**match.bindings, **more}
        new = build(recipe.hoisted + recipe.template, bindings, match.form)
        hoisted = len(parse_statements(recipe.hoisted))
        if match.statements:
            replace(match, new[hoisted:], new[:hoisted], _home(recipe, match))
        elif not _replace_function(draft, match, new):
            return False
        draft.touched()
        for statement in recipe.imports:
            draft.ensure_import(statement)
        return True


def find(form: Form, text: str) -> Iterator[Found]:
    """Every place of a form where a pattern fits."""
    wanted = pattern(text)
    if wanted.parameters is not None:
        yield from (Found(form, b) for b in fit_function(wanted, form))
        return
    first = type(wanted.body[0])
    for block in form_blocks(form):
        for start, statement in enumerate(block):
            if type(statement) is first and statement not in form.ghosts:
                for bindings, end in fit_block(wanted, form, block, start):
                    yield Found(form, bindings, tuple(block[start:end]))
                    break


def form_blocks(form: Form) -> Iterator[list[ast.stmt]]:
    """Every list of statements of a form, from the outside in."""
    yield form.body
    for statement in walk_block(form.body):
        if not isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            yield from (block for block in blocks(statement) if block)


def replace(
    match: Found, new: list[ast.stmt], hoisted: Sequence[ast.stmt] = (), home: ast.stmt | None = None
) -> None:
    """Write new statements in the place of a match, and others before ``home``; write the function anew."""
    form = match.form
    kept = [s for s in match.statements if s in form.ghosts]
    form.inherit(new, match.statements)
    form.put(match.statements, [*kept, *new])
    if home is not None:
        form.put_before(home, hoisted)
    form.commit()


def _home(recipe: Recipe, match: Found) -> ast.For | ast.While | None:
    """The outermost loop around a match in which what is hoisted stays the same."""
    if not recipe.hoisted:
        return None
    words = {n.id for s in parse_statements(recipe.hoisted) for n in every(s) if isinstance(n, ast.Name)}
    words -= pattern(recipe.pattern).variables
    values = [v for k, v in match.bindings.items() if k in words and not isinstance(v, list)]
    read = [v.body if isinstance(v, Abstraction) else v for v in values]
    for loop in reversed(match.form.loops_around(match.statements[0])):
        bound = {n for s in [loop] for n in _stored(s)}
        if not any(names_in(e) & bound or is_changed(e, loop.body) for e in read):
            return loop
    return None


def _is_applicable(recipe: Recipe, match: Found) -> bool:
    if recipe.hoisted and _home(recipe, match) is None:
        return False
    return _is_self_contained(recipe, match)


def _stored(node: ast.AST) -> set[str]:
    return {n.id for n in every(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _is_self_contained(recipe: Recipe, match: Found) -> bool:
    """Whether nothing else in the function reads what the new statements no longer assign."""
    if not match.statements:
        return True
    template = {n.id for s in parse_statements(recipe.template) for n in every(s) if isinstance(n, ast.Name)}
    kept = {n.id for k, n in match.bindings.items() if k in template and isinstance(n, ast.Name)}
    inside = Counter(_reads(match.statements))
    written = {n for s in match.statements if s not in match.form.ghosts for n in _stored(s)} - kept
    for key, value in match.bindings.items():
        if key in template and isinstance(value, list):
            written -= {n for s in value for n in _stored(s)}
    if not written:
        return True
    everywhere = Counter(_reads(match.form.body))
    outside = set(walk_block(match.form.body)) - set(walk_block(match.statements))
    elsewhere = {n for s in outside for n in _own_stores(s)}
    return all(everywhere[n] == inside[n] or n in elsewhere for n in written)


def _own_stores(statement: ast.stmt) -> set[str]:
    """Names that the header of a statement, or a simple statement, binds."""
    found: set[str] = set()
    for _, value in ast.iter_fields(statement):
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.expr):
                found |= _stored(part)
    return found


def _reads(statements: Sequence[ast.stmt]) -> Iterator[str]:
    for statement in statements:
        for node in every(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                yield node.id


def _replace_function(draft: Draft, match: Found, new: list[ast.stmt]) -> bool:
    """Give a function the body of the template's function of its name; put the rest before it."""
    function = match.form.function
    main = next((s for s in new if isinstance(s, ast.FunctionDef) and s.name == function.name), None)
    if main is None:
        return False
    documented = [
        s for s in function.body[:1] if isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)
    ]
    form = match.form
    form.body[:] = main.body
    function.body[:] = [*documented, *form.emitted()]
    draft.insert_before(function, *(s for s in new if s is not main))
    function.decorator_list[:0] = main.decorator_list
    return True


def build(template: str, bindings: Bindings, form: Form) -> list[ast.stmt]:
    """Statements as a template says: metavariables filled in, ``fresh_`` names chosen."""
    statements = parse_statements(template)
    words = {n.id for s in statements for n in every(s) if isinstance(n, ast.Name)}
    words |= {n.arg for s in statements for n in every(s) if isinstance(n, ast.arg)}
    words |= {n.name for s in statements for n in every(s) if isinstance(n, ast.FunctionDef)}
    fresh = {w: form.names.fresh(w.removeprefix("fresh_")) for w in sorted(words) if w.startswith("fresh_")}
    filler = _Filler(bindings, fresh)
    filled: list[ast.stmt] = []
    for statement in statements:
        made = filler.visit(statement)
        filled.extend(made if isinstance(made, list) else [made])
    return filled


class _Filler(ast.NodeTransformer):
    """Fills metavariables into a template; statements are put in as they are the first time, then copied."""

    def __init__(self, bindings: Bindings, fresh: Mapping[str, str]) -> None:
        self._bindings = bindings
        self._fresh = fresh
        self._used: set[str] = set()

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id in self._fresh:
            return ast.Name(id=self._fresh[node.id], ctx=node.ctx)
        value = self._bindings.get(node.id) if is_metavariable(node.id) else None
        if isinstance(value, ast.expr):
            return with_context(clone(value), node.ctx)
        return node

    def visit_Call(self, node: ast.Call) -> ast.expr:
        value = self._bindings.get(node.func.id) if isinstance(node.func, ast.Name) else None
        args = [self.visit(a) for a in node.args]
        if isinstance(value, Abstraction):
            return normalised(value.applied(args))
        keywords = [ast.keyword(arg=k.arg, value=self.visit(k.value)) for k in node.keywords]
        return ast.Call(func=self.visit(node.func), args=args, keywords=keywords)

    def visit_arg(self, node: ast.arg) -> ast.arg:
        value = self._bindings.get(node.arg)
        known = value.id if isinstance(value, ast.Name) else self._fresh.get(node.arg, node.arg)
        return ast.arg(arg=known)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        value = self._bindings.get(node.name)
        self.generic_visit(node)
        node.name = value.id if isinstance(value, ast.Name) else self._fresh.get(node.name, node.name)
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.stmt | list[ast.stmt]:
        key = node.value.id if isinstance(node.value, ast.Name) else ""
        value = self._bindings.get(key)
        if isinstance(value, list):
            again = key in self._used
            self._used.add(key)
            return [clone(s) for s in value] if again else list(value)
        node.value = self.visit(node.value)
        return node
