"""``sort`` and ``sorted`` in the place of sorts written by hand, whatever their algorithm."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.base import (
    Draft,
    FunctionNode,
    Operator,
    parse_statements,
    statements,
)
from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.match import matches
from peagen_ray.evolution.mutators.genetic.nodes import own_blocks, place, places
from peagen_ray.evolution.mutators.genetic.ordering import (
    ITEM,
    Scope,
    compares,
    functions_of,
    loop_depth,
    moves_items,
    orderings,
)
from peagen_ray.evolution.mutators.genetic.rewrite import Edit, Rewrite, Rule
from peagen_ray.evolution.mutators.genetic.tidy import tidied


@dataclass(frozen=True)
class Sorting:
    """A piece of code that sorts.

    Attributes:
        node: the loop, or the function.
        names: the sequences that it is about.
        keywords: the arguments that ``sort`` needs to do the same.
    """

    node: ast.stmt
    names: tuple[str, ...]
    keywords: list[ast.keyword]


class _Sorts(Edit[Sorting]):
    """What operators have in common that put a call of ``sort`` in the place of code."""

    def _put(self, draft: Draft, site: Sorting, template: str) -> bool:
        """Replace the site's node; the calls of ``sort`` and ``sorted`` in the template get the arguments."""
        made = parse_statements(template)
        for statement in made:
            for node in ast.walk(statement):
                if isinstance(node, ast.Call) and _is_sort(node.func):
                    node.keywords = copy.deepcopy(site.keywords)
        draft.replace(site.node, *(tidied(statement, {}) for statement in made))
        if any(isinstance(n, ast.Name) and n.id == "functools" for k in site.keywords for n in ast.walk(k)):
            draft.ensure_import("import functools")
        return True


def _is_sort(func: ast.expr) -> bool:
    return (isinstance(func, ast.Name) and func.id == "sorted") or (
        isinstance(func, ast.Attribute) and func.attr == "sort"
    )


def _loops(draft: Draft) -> Iterator[tuple[FunctionNode, ast.For | ast.While]]:
    for function in draft.functions():
        for block in own_blocks(function):
            yield from ((function, each) for each in block if isinstance(each, (ast.For, ast.While)))


class SortLoop(_Sorts):
    """Nested loops that compare items of a list and move them about sort the list."""

    NAME = "sort-loop"
    WEIGHT = 3.0

    def sites(self, draft: Draft) -> list[Sorting]:
        """Each such loop, the sequence that it sorts, and each likely order."""
        functions = functions_of(draft)
        found: list[Sorting] = []
        for function, loop in _loops(draft):
            if loop_depth(loop, functions) < 2:
                continue
            for name in sorted(places(loop)):
                if not moves_items(loop, name, functions):
                    continue
                scope = Scope({name})
                scope.learn(function.body)
                if compares(loop, scope, functions):
                    found += [Sorting(loop, (name,), order) for order in orderings(loop, scope, functions)]
        return found

    def edit(self, draft: Draft, site: Sorting) -> bool:
        """Sort in place."""
        return self._put(draft, site, f"{site.names[0]}.sort()")


class SortedInsertion(_Sorts):
    """A loop that inserts each item where it belongs collects the items, and sorts them once."""

    NAME = "sorted-insertion"
    WEIGHT = 2.0

    def sites(self, draft: Draft) -> list[Sorting]:
        """Loops that insert their items into a list at a place found by comparing."""
        functions = functions_of(draft)
        found: list[Sorting] = []
        for function, loop in _loops(draft):
            if not isinstance(loop, ast.For) or loop_depth(loop, functions) < 2:
                continue
            for name in _inserted_into(loop):
                scope = Scope({name})
                scope.learn(function.body)
                for item in (n.id for n in ast.walk(loop.target) if isinstance(n, ast.Name)):
                    scope.items[item] = (ast.Name(id=ITEM, ctx=ast.Load()), item)
                found += [Sorting(loop, (name,), order) for order in orderings(loop, scope, functions)]
        return found

    def edit(self, draft: Draft, site: Sorting) -> bool:
        """Extend the list and sort it."""
        assert isinstance(site.node, ast.For)
        name = site.names[0]
        return self._put(draft, site, f"{name}.extend({ast.unparse(site.node.iter)})\n{name}.sort()")


def _inserted_into(loop: ast.For) -> list[str]:
    """The lists into which a loop inserts its own variable."""
    names: list[str] = []
    for each in statements(loop):
        found = matches("XS.insert(I, X)", each.value) if isinstance(each, ast.Expr) else None
        if found is not None and same_code(found["X"], loop.target) and isinstance(found["XS"], ast.expr):
            names.append(place(found["XS"]))
    return list(dict.fromkeys(filter(None, names)))


class ExtractionSort(_Sorts):
    """Taking the best item out of a list until it is empty yields its items sorted."""

    NAME = "extraction-sort"
    WEIGHT = 2.0

    def sites(self, draft: Draft) -> list[Sorting]:
        """Loops that take items out of one list and append them to another."""
        functions = functions_of(draft)
        found: list[Sorting] = []
        for function, loop in _loops(draft):
            for source in _taken_from(loop):
                scope = Scope({source})
                scope.learn(function.body)
                for target in _appended_to(loop):
                    if target != source:
                        orders = orderings(loop, scope, functions)
                        found += [Sorting(loop, (source, target), order) for order in orders]
        return found

    def edit(self, draft: Draft, site: Sorting) -> bool:
        """Append the sorted items, and empty the list that they came from."""
        source, target = site.names
        return self._put(draft, site, f"{target}.extend(sorted({source}))\n{source}.clear()")


def _taken_from(loop: ast.For | ast.While) -> list[str]:
    names: list[str] = []
    for each in ast.walk(loop):
        if isinstance(each, ast.Delete) and isinstance(each.targets[0], ast.Subscript):
            names.append(place(each.targets[0]))
        elif isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and len(each.args) == 1:
            constant = isinstance(each.args[0], ast.Constant)
            if each.func.attr in {"remove", "pop"} and not constant:
                names.append(place(each.func.value))
    return list(dict.fromkeys(filter(None, names)))


def _appended_to(loop: ast.For | ast.While) -> list[str]:
    calls = (n for n in ast.walk(loop) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute))
    names = [
        place(n.func.value) for n in calls if isinstance(n.func, ast.Attribute) and n.func.attr == "append"
    ]
    return list(dict.fromkeys(filter(None, names)))


class RecursiveSort(_Sorts):
    """A function that orders a list by calling itself on parts of it is ``sorted``."""

    NAME = "recursive-sort"
    WEIGHT = 2.0

    def sites(self, draft: Draft) -> list[Sorting]:
        """Functions that call themselves, have a list of at most one item as their base case, and compare."""
        functions = functions_of(draft)
        found: list[Sorting] = []
        for function in draft.functions():
            names = tuple(argument.arg for argument in function.args.args if argument.arg != "self")
            if not names or len(names) == 2 or _self_calls(function) < 2:
                continue
            scope = Scope({names[0]})
            scope.learn(function.body)
            if compares(function, scope, functions):
                orders = orderings(function, scope, functions)
                found += [Sorting(function, names, order) for order in orders]
        return found

    def edit(self, draft: Draft, site: Sorting) -> bool:
        """Let the function return its list sorted, or sort it between two bounds."""
        assert isinstance(site.node, FunctionNode)
        names = site.names
        part = f"{names[0]}[{names[1]}:{names[2]} + 1]" if len(names) > 2 else ""
        body = f"{part} = sorted({part})" if part else f"return sorted({names[0]})"
        old = [s for s in site.node.body if not _is_docstring(s)]
        for statement in old[1:]:
            draft.replace(statement)
        return self._put(draft, Sorting(old[0], names, site.keywords), body)


def _self_calls(function: FunctionNode) -> int:
    calls = (n for n in ast.walk(function) if isinstance(n, ast.Call))
    names = [n.func.attr if isinstance(n.func, ast.Attribute) else getattr(n.func, "id", "") for n in calls]
    return names.count(function.name)


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


class MergeSorted(_Sorts):
    """Merging two sorted lists is ``sorted``, which finds the runs that are in order already."""

    NAME = "merge-sorted"

    def sites(self, draft: Draft) -> list[Sorting]:
        """Functions that compare items of two lists and append them to a third."""
        functions = functions_of(draft)
        found: list[Sorting] = []
        for function in draft.functions():
            names = tuple(argument.arg for argument in function.args.args if argument.arg != "self")
            loops = [n for n in ast.walk(function) if isinstance(n, ast.While)]
            if len(names) != 2 or not loops or not _appended_to(loops[0]):
                continue
            scope = Scope(set(names))
            scope.learn(function.body)
            if compares(function, scope, functions):
                orders = orderings(function, scope, functions)
                found += [Sorting(function, names, order) for order in orders]
        return found

    def edit(self, draft: Draft, site: Sorting) -> bool:
        """Let the function return both lists sorted together."""
        assert isinstance(site.node, FunctionNode)
        old = [s for s in site.node.body if not _is_docstring(s)]
        for statement in old[1:]:
            draft.replace(statement)
        one, other = site.names
        return self._put(draft, Sorting(old[0], site.names, site.keywords), f"return sorted({one} + {other})")


class SortInLoop(Rewrite):
    """A list that is sorted after each append: insert where it belongs instead."""

    NAME = "sort-in-loop"
    RULES = (
        Rule("XS.append(V)\nXS.sort()", "bisect.insort(XS, V)", imports=("import bisect",)),
        Rule("XS.append(V)\nXS = sorted(XS)", "bisect.insort(XS, V)", imports=("import bisect",)),
        Rule("XS = sorted(XS + [V])", "bisect.insort(XS, V)", imports=("import bisect",)),
    )


class SortAfterLoop(Rewrite):
    """A list that is sorted in every round of a loop that only appends: sort it once, after the loop."""

    NAME = "sort-after-loop"
    RULES = (
        Rule("for X in YS:\n BODY\n XS.sort()", "for X in YS: BODY\nXS.sort()"),
        Rule("while C:\n BODY\n XS.sort()", "while C: BODY\nXS.sort()"),
        Rule("for X in YS:\n BODY\n XS = sorted(XS)", "for X in YS: BODY\nXS.sort()"),
    )


OPERATORS: tuple[Operator, ...] = (
    SortLoop(),
    SortedInsertion(),
    ExtractionSort(),
    RecursiveSort(),
    MergeSorted(),
    SortInLoop(),
    SortAfterLoop(),
)
