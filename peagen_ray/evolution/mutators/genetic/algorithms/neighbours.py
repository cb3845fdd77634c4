"""The nearest larger, or smaller, item on one side of each place, found for all places in one pass."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.algorithms.spans import Loop, is_fixed
from peagen_ray.evolution.mutators.genetic.base import Draft, Operator
from peagen_ray.evolution.mutators.genetic.canonical.expressions import conjuncts, negated, shifted
from peagen_ray.evolution.mutators.genetic.canonical.form import Form
from peagen_ray.evolution.mutators.genetic.canonical.normal import Forms
from peagen_ray.evolution.mutators.genetic.canonical.recipes import build
from peagen_ray.evolution.mutators.genetic.canonical.trees import call, clone, ends, item, name, walk_block
from peagen_ray.evolution.mutators.genetic.canonical.unify import Value
from peagen_ray.evolution.mutators.genetic.nodes import equal, is_call, is_constant, names_in, place
from peagen_ray.evolution.mutators.genetic.rewrite import Edit

_OPERATORS: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<="}


@dataclass(frozen=True)
class Nearest:
    """A search, from a place on, for the first item that compares in a wanted way with the item there.

    Attributes:
        form: the function in normal form.
        loop: the loop that searches.
        around: the outermost loop in which the items stay the same.
        items: the list.
        here: the place from which the search begins, not counting itself.
        there: the variable of the place that is looked at.
        forward: whether the search goes to the end rather than to the beginning.
        passed: an expression of two items, ``OLD`` and ``NEW``: whether ``NEW`` ends the search from ``OLD``.
        found: what is done at the first such item; None for a ``while`` loop, which only stops there.
    """

    form: Form
    loop: Loop
    around: Loop
    items: ast.expr
    here: ast.expr
    there: ast.Name
    forward: bool
    passed: str
    found: tuple[ast.stmt, ...] | None


class NearestByStack(Edit[Nearest]):
    """Finds the nearest larger or smaller item of every place with one stack.

    Before::

        for i in range(len(days)):
            for j in range(i + 1, len(days)):
                if days[j] > days[i]:
                    wait[i] = j - i
                    break

    After::

        following = [len(days)] * len(days)
        stack = []
        for j in range(len(days)):
            while stack and days[stack[-1]] < days[j]:
                following[stack.pop()] = j
            stack.append(j)
        for i in range(len(days)):
            j = following[i]
            if j < len(days):
                wait[i] = j - i

    So too to the left, for ``while j < n and days[j] <= days[i]: j += 1``, and for each comparison.
    """

    NAME = "nearest-by-stack"
    WEIGHT = 2.0

    def sites(self, draft: Draft) -> list[Nearest]:
        """Each such search that another loop runs."""
        found = []
        for form in Forms.of(draft).editable():
            for statement in walk_block(form.body):
                made = None
                if isinstance(statement, ast.For):
                    made = _by_for(form, statement)
                elif isinstance(statement, ast.While):
                    made = _by_while(form, statement)
                if made is not None:
                    found.append(made)
        return found

    def edit(self, draft: Draft, site: Nearest) -> bool:
        """Find all of them before the outer loop, and look each one up."""
        form = site.form
        bindings: dict[str, Value] = {
            "NEAREST": name(form.names.fresh("following" if site.forward else "preceding")),
            "STACK": name(form.names.fresh("stack")),
            "XS": site.items,
            "HERE": site.here,
            "J": site.there,
            "BODY": list(site.found or ()),
        }
        new = build(_lookup(site), bindings, form)
        form.inherit(new, [site.loop])
        form.put([site.loop], new)
        form.put_before(site.around, build(_passes(site), bindings, form))
        form.commit()
        draft.touched()
        return True


def _passes(site: Nearest) -> str:
    end = "len(XS)" if site.forward else "-1"
    span = "range(len(XS))" if site.forward else "range(len(XS) - 1, -1, -1)"
    test = site.passed.replace("OLD", "XS[STACK[-1]]").replace("NEW", "XS[J]")
    return f"""
NEAREST = [{end}] * len(XS)
STACK = []
for J in {span}:
    while STACK and {test}:
        NEAREST[STACK.pop()] = J
    STACK.append(J)
"""


def _lookup(site: Nearest) -> str:
    if site.found is None:
        return "J = NEAREST[HERE]"
    inside = "J < len(XS)" if site.forward else "J >= 0"
    return f"J = NEAREST[HERE]\nif {inside}:\n    BODY"


def _by_for(form: Form, loop: ast.For) -> Nearest | None:
    """``for j in range(i + 1, n): if xs[j] > xs[i]: …; break``."""
    body = form.solid(loop.body)
    if len(body) != 1 or not isinstance(body[0], ast.If) or body[0].orelse or loop.orelse:
        return None
    if (
        not isinstance(loop.target, ast.Name)
        or not isinstance(loop.iter, ast.Call)
        or not is_call(loop.iter, "range")
    ):
        return None
    inner = form.solid(body[0].body)
    if not ends(inner) or isinstance(inner[-1], ast.Continue):
        return None
    args, there = loop.iter.args, loop.target
    forward = len(args) == 2 and is_call(args[1], "len", 1)
    backward = len(args) == 3 and is_constant(args[1], -1) and is_constant(args[2], -1)
    if not forward and not backward:
        return None
    here = shifted(clone(args[0]), -1 if forward else 1)
    compared = _compared(body[0].test, there, here)
    if compared is None or (forward and not equal(args[1], call("len", compared[0]))):
        return None
    found = tuple(inner[:-1]) if isinstance(inner[-1], ast.Break) else tuple(inner)
    return _made(form, loop, compared, here, there, forward, found)


def _by_while(form: Form, loop: ast.While) -> Nearest | None:
    """``while j < n and xs[j] <= xs[i]: j += 1``."""
    body, tests = form.solid(loop.body), conjuncts(loop.test)
    if len(body) != 1 or len(tests) != 2 or not isinstance(body[0], ast.AugAssign) or loop.orelse:
        return None
    step, inside = body[0], tests[0]
    if (
        not isinstance(step.target, ast.Name)
        or not is_constant(step.value, 1)
        or not isinstance(inside, ast.Compare)
    ):
        return None
    there = step.target
    low, high = inside.left, inside.comparators[0]
    forward = isinstance(step.op, ast.Add) and isinstance(inside.ops[0], ast.Lt) and equal(low, there)
    backward = isinstance(step.op, ast.Sub) and isinstance(inside.ops[0], ast.LtE) and equal(high, there)
    start = _start_of(form, loop, there.id)
    if start is None or not (forward or (backward and is_constant(low, 0))):
        return None
    here = shifted(clone(start), -1 if forward else 1)
    compared = _compared(negated(clone(tests[1])), there, here)
    if compared is None or (forward and not equal(high, call("len", compared[0]))):
        return None
    return _made(form, loop, compared, here, there, forward, None)


def _start_of(form: Form, loop: ast.While, variable: str) -> ast.expr | None:
    """What the variable is set to in the statement before the loop."""
    block = form.chain(loop)[-1][0]
    before = form.solid(block[: block.index(loop)])
    last = before[-1] if before else None
    if isinstance(last, ast.Assign) and equal(last.targets[0], name(variable)):
        return last.value
    return None


def _compared(test: ast.expr, there: ast.Name, here: ast.expr) -> tuple[ast.expr, str] | None:
    """The list, and the comparison of ``OLD`` with ``NEW``, for a comparison of two of its items."""
    if not isinstance(test, ast.Compare) or type(test.ops[0]) not in _OPERATORS:
        return None
    low, high = test.left, test.comparators[0]
    how = _OPERATORS[type(test.ops[0])]
    for new, old, text in ((high, low, f"OLD {how} NEW"), (low, high, f"NEW {how} OLD")):
        if isinstance(new, ast.Subscript) and equal(new.slice, there) and place(new.value):
            if equal(old, item(new.value, here)):
                return new.value, text
    return None


def _made(
    form: Form,
    loop: Loop,
    compared: tuple[ast.expr, str],
    here: ast.expr,
    there: ast.Name,
    forward: bool,
    found: tuple[ast.stmt, ...] | None,
) -> Nearest | None:
    items, passed = compared
    if there.id in names_in(here):
        return None
    for outer in reversed(form.loops_around(loop)):
        if is_fixed(items, outer):
            return Nearest(form, loop, outer, clone(items), here, there, forward, passed, found)
    return None


OPERATORS: tuple[Operator, ...] = (NearestByStack(),)
