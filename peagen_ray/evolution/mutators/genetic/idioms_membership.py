"""Membership tests that hash: literals, and lists that grow while they are searched."""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, Operator, parse_expression
from peagen_ray.evolution.mutators.genetic.match import Match, matches
from peagen_ray.evolution.mutators.genetic.nodes import is_call, own_nodes, place
from peagen_ray.evolution.mutators.genetic.rewrite import Edit, Rewrite, Rule, build
from peagen_ray.evolution.mutators.genetic.shapes import values_of

_GROWTH = (
    ("XS.append(V)", "SEEN.add(V)"),
    ("XS.insert(I, V)", "SEEN.add(V)"),
    ("XS.remove(V)", "SEEN.discard(V)"),
    ("XS.clear()", "SEEN.clear()"),
    ("XS += [V]", "SEEN.add(V)"),
    ("XS.extend(VS)", "SEEN.update(VS)"),
    ("XS += VS", "SEEN.update(VS)"),
)
"""How a list grows or shrinks, and what a set of its items does then."""


class LiteralSet(Rewrite):
    """Membership in a literal of constants asks a set, which the compiler makes once."""

    NAME = "literal-set"
    RULES = (
        Rule("K in XS", "K in SET", lambda match: bool(_constants(match["XS"]))),
        Rule("K not in XS", "K not in SET", lambda match: bool(_constants(match["XS"]))),
    )

    def edit(self, draft: Draft, site: tuple[Rule, Match]) -> bool:
        """Put a set in the place of the list or tuple."""
        rule, match = site
        return super().edit(draft, (rule, match.having(SET=ast.Set(elts=_constants(match["XS"])))))


def _constants(literal: ast.expr) -> list[ast.expr]:
    """The items of a list or tuple of constants, else nothing."""
    items = literal.elts if isinstance(literal, (ast.List, ast.Tuple)) else []
    return items if all(isinstance(each, ast.Constant) for each in items) else []


@dataclass(frozen=True)
class SearchedList:
    """A list that a function, or the methods of a class, make, let grow, and search.

    Attributes:
        place: the variable or attribute, as a dotted name.
        function: one of the functions that it lives in.
        starts: the assignments that make it.
        growth: statements that change it, each with what a set would do.
        searches: the comparisons ``x in xs``.
        keyed: its items are lists, which a set can only hold as tuples.
    """

    place: str
    function: FunctionNode
    starts: tuple[ast.Assign | ast.AnnAssign, ...]
    growth: tuple[tuple[Match, str], ...]
    searches: tuple[ast.Compare, ...]
    keyed: bool


def searched_lists(draft: Draft) -> list[SearchedList]:
    """Every list that is made in an editable function, or its class, and both grown and searched there."""
    editable = draft.functions()
    classes = [n for n in ast.walk(draft.tree) if isinstance(n, ast.ClassDef)]
    methods = [[n for n in cls.body if isinstance(n, FunctionNode)] for cls in classes]
    own = [found for function in editable for found in _in_scope([function], attributes=False)]
    shared = [scope for scope in methods if any(method in editable for method in scope)]
    return own + [found for scope in shared for found in _in_scope(scope, attributes=True)]


def _in_scope(scope: list[FunctionNode], *, attributes: bool) -> Iterator[SearchedList]:
    nodes = [(function, node) for function in scope for node in own_nodes(function)]
    searches = [node for _, node in nodes if isinstance(node, ast.Compare) and _searched(node)]
    for where in dict.fromkeys(map(_searched, searches)):
        starts = [n for _, n in nodes if isinstance(n, (ast.Assign, ast.AnnAssign)) and _makes_list(n, where)]
        growth = [found for function, node in nodes if (found := _growth(function, node, where)) is not None]
        asked = [search for search in searches if _searched(search) == where]
        if starts and growth and ("." in where) is attributes:
            values = [search.left for search in asked]
            values += [match["V"] for match, _ in growth if "V" in match.bindings]
            keyed = any(_is_list(value, scope[0]) for value in values)
            yield SearchedList(where, scope[0], tuple(starts), tuple(growth), tuple(asked), keyed)


def _searched(node: ast.Compare) -> str:
    """The place that a membership test searches, or "" for other comparisons."""
    within = node.comparators[0]
    if len(node.ops) != 1 or not isinstance(node.ops[0], (ast.In, ast.NotIn)):
        return ""
    return place(within) if isinstance(within, (ast.Name, ast.Attribute)) else ""


def _makes_list(node: ast.Assign | ast.AnnAssign, where: str) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    made = isinstance(node.value, (ast.List, ast.ListComp)) or is_call(node.value, "list")
    return made and any(isinstance(t, (ast.Name, ast.Attribute)) and place(t) == where for t in targets)


def _growth(function: FunctionNode, node: ast.AST, where: str) -> tuple[Match, str] | None:
    if not isinstance(node, (ast.Expr, ast.AugAssign)):
        return None
    for pattern, answer in _GROWTH:
        found = matches(pattern, node.value if isinstance(node, ast.Expr) else node)
        grown = found["XS"] if found else None
        if found and isinstance(grown, (ast.Name, ast.Attribute)) and place(grown) == where:
            return Match(found, function, (node,)), answer
    return None


def _is_list(value: ast.expr, function: FunctionNode) -> bool:
    """Whether an item is a list, as far as this function says."""
    if isinstance(value, ast.Name):
        return any(_is_list(each, function) for each in values_of(function, value.id) if each is not value)
    return isinstance(value, (ast.List, ast.ListComp)) or is_call(value, "sorted") or is_call(value, "list")


class CompanionSet(Edit[SearchedList]):
    """A list that grows while it is searched gets a set of the same items beside it."""

    NAME = "companion-set"
    WEIGHT = 2.0

    def sites(self, draft: Draft) -> list[SearchedList]:
        """The lists."""
        return searched_lists(draft)

    def edit(self, draft: Draft, site: SearchedList) -> bool:
        """Make the set after the list, let it grow with the list, and search the set."""
        owner, _, leaf = site.place.rpartition(".")
        name = draft.fresh(f"{leaf.strip('_')}_set")
        known = {"XS": _place_node(site.place), "SEEN": _place_node(f"{owner}.{name}" if owner else name)}
        for start in site.starts:
            empty = isinstance(start.value, ast.List) and not start.value.elts
            source = "" if empty else "map(tuple, XS)" if site.keyed else "XS"
            _insert_after(draft, start, f"SEEN = set({source})", Match(dict(known), site.function))
        for match, answer in site.growth:
            _insert_after(draft, match.statements[0], answer, self._keyed(match, site).having(**known))
        for search in site.searches:
            search.left = _key(search.left, keyed=site.keyed)
            search.comparators = [copy.deepcopy(known["SEEN"])]
        draft.touched()
        return True

    def _keyed(self, match: Match, site: SearchedList) -> Match:
        return match.having(V=_key(match["V"], keyed=site.keyed)) if "V" in match.bindings else match


def _key(value: ast.expr, *, keyed: bool) -> ast.expr:
    """What stands for a value in a set: itself, or a tuple of its items."""
    if not keyed:
        return value
    if isinstance(value, ast.List):
        return ast.Tuple(elts=value.elts, ctx=ast.Load())
    return ast.Call(func=ast.Name(id="tuple", ctx=ast.Load()), args=[value], keywords=[])


def _place_node(dotted: str) -> ast.expr:
    return parse_expression(dotted)


def _insert_after(draft: Draft, statement: ast.stmt, template: str, match: Match) -> None:
    block, at = draft.block(statement)
    block[at + 1 : at + 1] = build(template, match, draft)
    draft.touched()


class ListToSet(Edit[SearchedList]):
    """A list that is only added to and searched is a set."""

    NAME = "list-to-set"
    WEIGHT = 1.5

    def sites(self, draft: Draft) -> list[SearchedList]:
        """The lists of which nothing else is asked."""
        return [each for each in searched_lists(draft) if not each.keyed and self._only_searched(each)]

    def edit(self, draft: Draft, site: SearchedList) -> bool:
        """Make it a set, and add where it appended."""
        for start in site.starts:
            assert isinstance(start.value, ast.List)
            items = start.value.elts
            start.value = ast.Set(elts=items) if items else parse_expression("set()")
        for match, answer in site.growth:
            new = build(answer.replace("SEEN", "XS"), match, draft)
            draft.replace(match.statements[0], *new)
        draft.touched()
        return True

    def _only_searched(self, site: SearchedList) -> bool:
        if "." in site.place or not all(isinstance(start.value, ast.List) for start in site.starts):
            return False
        mentions = sum(isinstance(n, ast.Name) and n.id == site.place for n in ast.walk(site.function))
        return mentions == len(site.starts) + len(site.growth) + len(site.searches)


OPERATORS: tuple[Operator, ...] = (LiteralSet(), CompanionSet(), ListToSet())
