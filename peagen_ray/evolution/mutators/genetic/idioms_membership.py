"""Membership tests that hash: literals, and lists that grow while they are searched."""

from __future__ import annotations

import ast
from dataclasses import dataclass

from peagen_ray.evolution.mutators.genetic.base import Draft, FunctionNode, Operator, parse_expression
from peagen_ray.evolution.mutators.genetic.match import Match
from peagen_ray.evolution.mutators.genetic.nodes import is_call
from peagen_ray.evolution.mutators.genetic.places import ListPlace, list_places
from peagen_ray.evolution.mutators.genetic.rewrite import Edit, Rewrite, Rule, insert_after, put
from peagen_ray.evolution.mutators.genetic.shapes import values_of

_SEARCHES = (("K in XS", "KEY in SEEN"), ("K not in XS", "KEY not in SEEN"))
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


def _constants(literal: ast.expr) -> list[ast.expr]:
    """The items of a list or tuple of constants, else nothing."""
    items = literal.elts if isinstance(literal, (ast.List, ast.Tuple)) else []
    return items if all(isinstance(each, ast.Constant) for each in items) else []


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


@dataclass(frozen=True)
class SearchedList:
    """A list that both grows and is searched.

    Attributes:
        source: the list.
        growth: what changes it, each with the index of its pattern.
        searches: the tests ``x in xs``, each with the index of its pattern.
        keyed: its items are lists, which a set can only hold as tuples.
    """

    source: ListPlace
    growth: tuple[tuple[int, Match], ...]
    searches: tuple[tuple[int, Match], ...]
    keyed: bool


def searched_lists(draft: Draft) -> list[SearchedList]:
    """Every list that an editable function, or its class, makes, lets grow, and searches."""
    found: list[SearchedList] = []
    for source in list_places(draft):
        growth = tuple(source.uses(*(pattern for pattern, _ in _GROWTH)))
        searches = tuple(source.uses(*(pattern for pattern, _ in _SEARCHES)))
        values = [(m.function, m[n]) for _, m in (*growth, *searches) for n in ("V", "K") if n in m.bindings]
        keyed = any(_is_list(value, function) for function, value in values)
        if growth and searches:
            found.append(SearchedList(source, growth, searches, keyed))
    return found


def _is_list(value: ast.expr, function: FunctionNode) -> bool:
    """Whether an item is a list, as far as the function says."""
    if isinstance(value, ast.Name):
        made = [each for each in values_of(function, value.id) if not isinstance(each, ast.Name)]
        return any(_is_list(each, function) for each in made)
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
        owner, _, leaf = site.source.name.rpartition(".")
        name = draft.fresh(f"{leaf.strip('_')}_set")
        seen = parse_expression(f"{owner}.{name}" if owner else name)
        for index, match in site.searches:
            put(draft, match.having(SEEN=seen, KEY=_key(match["K"], keyed=site.keyed)), _SEARCHES[index][1])
        for index, match in site.growth:
            statement = draft.statement(match.anchor)
            assert statement is not None
            value = {"V": _key(match["V"], keyed=site.keyed)} if "V" in match.bindings else {}
            insert_after(draft, statement, _GROWTH[index][1], match.having(SEEN=seen, **value))
        for function, start in site.source.starts:
            empty = isinstance(start.value, ast.List) and not start.value.elts
            items = "" if empty else "map(tuple, XS)" if site.keyed else "XS"
            known = Match({"XS": parse_expression(site.source.name), "SEEN": seen}, function)
            insert_after(draft, start, f"SEEN = set({items})", known)
        return True


def _key(value: ast.expr, *, keyed: bool) -> ast.expr:
    """What stands for a value in a set: itself, or a tuple of its items."""
    if not keyed:
        return value
    if isinstance(value, ast.List):
        return ast.Tuple(elts=value.elts, ctx=ast.Load())
    return ast.Call(func=ast.Name(id="tuple", ctx=ast.Load()), args=[value], keywords=[])


class ListToSet(Edit[SearchedList]):
    """A list that is only added to and searched is a set."""

    NAME = "list-to-set"
    WEIGHT = 1.5

    def sites(self, draft: Draft) -> list[SearchedList]:
        """The lists of which nothing else is asked."""
        return [each for each in searched_lists(draft) if not each.keyed and _is_only_searched(each)]

    def edit(self, draft: Draft, site: SearchedList) -> bool:
        """Make it a set, and add where it appended."""
        for index, match in site.growth:
            put(draft, match.having(SEEN=match["XS"]), _GROWTH[index][1])
        for _, start in site.source.starts:
            assert isinstance(start.value, ast.List)
            items = start.value.elts
            start.value = ast.Set(elts=items) if items else parse_expression("set()")
        draft.touched()
        return True


def _is_only_searched(site: SearchedList) -> bool:
    source = site.source
    if "." in source.name or not all(isinstance(start.value, ast.List) for _, start in source.starts):
        return False
    mentions = sum(isinstance(node, ast.Name) and node.id == source.name for _, node in source.nodes)
    return mentions == len(source.starts) + len(site.growth) + len(site.searches)


OPERATORS: tuple[Operator, ...] = (LiteralSet(), CompanionSet(), ListToSet())
