"""Tables made once before a loop, in the place of scans that the loop makes again and again."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import ClassVar

from peagen_ray.evolution.mutators.genetic.base import Draft, Operator, loaded
from peagen_ray.evolution.mutators.genetic.compare import same_code
from peagen_ray.evolution.mutators.genetic.hoisting import hoist_point
from peagen_ray.evolution.mutators.genetic.match import Match, find_any
from peagen_ray.evolution.mutators.genetic.nodes import is_pure, names_in, position
from peagen_ray.evolution.mutators.genetic.rewrite import Edit, Rewrite, Rule, build, put
from peagen_ray.evolution.mutators.genetic.shapes import values_of


@dataclass(frozen=True)
class Lookup:
    """A scan of ``XS``, the table that answers it, and how ``TABLE`` does."""

    scan: str
    table: str
    answer: str


@dataclass(frozen=True)
class TableSite:
    """Where a table can be made, and a scan that it answers."""

    lookup: Lookup
    match: Match
    before: ast.stmt


class TableOperator(Edit[TableSite]):
    """Makes a table of ``XS`` before the loop, and answers every scan of ``XS`` in the loop from it.

    Attributes:
        STEM: what the table is called, after the name of ``XS``.
        LOOKUPS: the scans; all that have the same table share it.
        IMPORTS: import statements that the tables need.
    """

    STEM: ClassVar[str]
    LOOKUPS: ClassVar[tuple[Lookup, ...]]
    IMPORTS: ClassVar[tuple[str, ...]] = ()

    def sites(self, draft: Draft) -> list[TableSite]:
        """A site for each sequence that is scanned and each place where its table can be made."""
        found: list[TableSite] = []
        for site in self._scans(draft):
            if not any(_shares(site, other) for other in found):
                found.append(site)
        return sorted(found, key=lambda site: position(site.match.anchor))

    def edit(self, draft: Draft, site: TableSite) -> bool:
        """Make the table and use it."""
        scans = [other for other in self._scans(draft) if _shares(site, other)]
        table = ast.Name(id=self._name(draft, site.match["XS"]), ctx=ast.Load())
        made = build(f"TABLE = {site.lookup.table}", site.match.having(TABLE=table), draft)
        draft.insert_before(site.before, *made)
        for scan in scans:
            put(draft, scan.match.having(TABLE=table), scan.lookup.answer)
        for statement in self.IMPORTS:
            draft.ensure_import(statement)
        return True

    def _name(self, draft: Draft, sequence: ast.expr) -> str:
        words = sorted(loaded(sequence)) if not isinstance(sequence, ast.Attribute) else [sequence.attr]
        return draft.fresh("_".join([*words[:1], self.STEM]))

    def _scans(self, draft: Draft) -> list[TableSite]:
        found: dict[int, TableSite] = {}
        for index, match in find_any(draft, tuple(lookup.scan for lookup in self.LOOKUPS)):
            sequence = match["XS"]
            if id(match.anchor) in found or not self.fits(match) or not is_pure(sequence):
                continue
            before = hoist_point(draft, match.anchor, sequence)
            if before is not None:
                found[id(match.anchor)] = TableSite(self.LOOKUPS[index], match, before)
        return list(found.values())

    def fits(self, match: Match) -> bool:
        """Whether a scan is worth a table."""
        return not isinstance(match["XS"], (ast.Constant, ast.List, ast.Tuple, ast.Set, ast.Slice, ast.Dict))


def _shares(one: TableSite, other: TableSite) -> bool:
    """Whether two scans can be answered from one table."""
    return (
        one.before is other.before
        and one.lookup.table == other.lookup.table
        and same_code(one.match["XS"], other.match["XS"])
    )


def is_hashed(match: Match) -> bool:
    """Whether this function says that ``XS`` is a set or a dict."""
    sequence = match["XS"]
    values = values_of(match.function, sequence.id) if isinstance(sequence, ast.Name) else [sequence]
    return any(map(_makes_hashed, values))


def _makes_hashed(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        name = value.func.id if isinstance(value.func, ast.Name) else ""
        return name in {"set", "dict", "frozenset", "Counter", "defaultdict"}
    return isinstance(value, (ast.Set, ast.SetComp, ast.Dict, ast.DictComp))


class MembershipTable(TableOperator):
    """``x in xs`` in a loop asks a set of ``xs``."""

    NAME = "membership-table"
    WEIGHT = 2.0
    STEM = "set"
    LOOKUPS = (
        Lookup("K in XS", "set(XS)", "K in TABLE"),
        Lookup("K not in XS", "set(XS)", "K not in TABLE"),
    )

    def fits(self, match: Match) -> bool:
        """Not where ``xs`` is text or a set already."""
        return super().fits(match) and not is_hashed(match) and not is_range(match["XS"])


_ROW_SETS = "[set(fresh_row) for fresh_row in XS]"


class RowSets(TableOperator):
    """``x in rows[i]`` in a loop asks sets of all rows."""

    NAME = "row-sets"
    STEM = "sets"
    LOOKUPS = (
        Lookup("K in XS[I]", _ROW_SETS, "K in TABLE[I]"),
        Lookup("K not in XS[I]", _ROW_SETS, "K not in TABLE[I]"),
    )

    def fits(self, match: Match) -> bool:
        """Not for slices."""
        return super().fits(match) and not isinstance(match["I"], ast.Slice)


class ValueSets(TableOperator):
    """``x in mapping[key]`` in a loop asks sets of all values."""

    NAME = "value-sets"
    STEM = "sets"
    LOOKUPS = tuple(
        Lookup(scan, "{fresh_key: set(fresh_row) for fresh_key, fresh_row in XS.items()}", answer)
        for scan, answer in (("K in XS[I]", "K in TABLE[I]"), ("K not in XS[I]", "K not in TABLE[I]"))
    )

    def fits(self, match: Match) -> bool:
        """Not for slices."""
        return super().fits(match) and not isinstance(match["I"], ast.Slice)


class SetOfEach(TableOperator):
    """``x in row`` for every row of a table, in a loop, asks sets of all rows."""

    NAME = "set-of-each"
    STEM = "sets"
    LOOKUPS = tuple(
        Lookup(scan.replace("ROWS", "XS"), _ROW_SETS, scan.replace("ROWS", "TABLE"))
        for scan in (
            "for R in ROWS:\n if K in R: BODY",
            "for R in ROWS:\n if K not in R: BODY",
            "for R in ROWS:\n if K in R: BODY\nelse: REST",
            "for R in ROWS:\n if K not in R: BODY\nelse: REST",
            "all(K in R for R in ROWS)",
            "any(K in R for R in ROWS)",
            "sum(1 for R in ROWS if K in R)",
        )
    )

    def fits(self, match: Match) -> bool:
        """Where the rows are only searched."""
        body = match.bindings.get("BODY", [])
        nodes = body if isinstance(body, list) else []
        return super().fits(match) and not any(names_in(match["R"]) & names_in(node) for node in nodes)


def is_range(node: ast.expr) -> bool:
    """Whether it is a call of ``range``, in which membership is cheap."""
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "range"


class CountTable(TableOperator):
    """``xs.count(x)`` in a loop asks a Counter of ``xs``."""

    NAME = "count-table"
    WEIGHT = 2.0
    STEM = "counts"
    LOOKUPS = (Lookup("XS.count(K)", "collections.Counter(XS)", "TABLE[K]"),)
    IMPORTS = ("import collections",)


_FIRST = "{fresh_value: fresh_at for fresh_at, fresh_value in reversed(list(enumerate(XS)))}"
_LAST = "{fresh_value: fresh_at for fresh_at, fresh_value in enumerate(XS)}"


class PositionTable(TableOperator):
    """``xs.index(x)`` and ``x in xs[:i]`` in a loop ask a dict of first positions."""

    NAME = "position-table"
    STEM = "positions"
    LOOKUPS = (
        Lookup("XS.index(K)", _FIRST, "TABLE[K]"),
        Lookup("K in XS[:I]", _FIRST, "TABLE.get(K, I) < I"),
        Lookup("K not in XS[:I]", _FIRST, "TABLE.get(K, I) >= I"),
        Lookup("K in XS[I:]", _LAST, "TABLE.get(K, -1) >= I"),
        Lookup("K not in XS[I:]", _LAST, "TABLE.get(K, -1) < I"),
    )


_SUMS = "[0, *itertools.accumulate(XS)]"


class PrefixSums(TableOperator):
    """``sum(xs[a:b])`` in a loop is the difference of two prefix sums."""

    NAME = "prefix-sums"
    WEIGHT = 1.5
    STEM = "totals"
    LOOKUPS = (
        Lookup("A = 0\nfor I in range(S, E): A += XS[I]", _SUMS, "A = TABLE[E] - TABLE[S]"),
        Lookup("A = 0\nfor I in range(E): A += XS[I]", _SUMS, "A = TABLE[E]"),
        Lookup("A = 0\nfor X in XS[S:E]: A += X", _SUMS, "A = TABLE[E] - TABLE[S]"),
        Lookup("A = 0\nfor X in XS[:E]: A += X", _SUMS, "A = TABLE[E]"),
        Lookup("sum(XS[:B])", _SUMS, "TABLE[B]"),
        Lookup("sum(XS[A:])", _SUMS, "TABLE[-1] - TABLE[A]"),
        Lookup("sum(XS[A:B])", _SUMS, "TABLE[B] - TABLE[A]"),
        Lookup("sum(XS[I] for I in range(A, B))", _SUMS, "TABLE[B] - TABLE[A]"),
        Lookup("sum(XS[I] for I in range(B))", _SUMS, "TABLE[B]"),
    )
    IMPORTS = ("import itertools",)


_PEAKS = "list(itertools.accumulate(XS, max))"
_LATER_PEAKS = "list(itertools.accumulate(reversed(XS), max))[::-1]"


class PrefixExtremes(TableOperator):
    """``max(xs[:b])`` in a loop is an item of the running maximum."""

    NAME = "prefix-extremes"
    STEM = "peaks"
    LOOKUPS = tuple(
        Lookup(scan.replace("max", name).replace(">", sign), table.replace("max", name), answer)
        for name, sign in (("max", ">"), ("min", "<"))
        for scan, table, answer in (
            ("max(XS[:B])", _PEAKS, "TABLE[B - 1]"),
            ("max(XS[A:])", _LATER_PEAKS, "TABLE[A]"),
            ("M = XS[0]\nfor I in range(E):\n if XS[I] > M: M = XS[I]", _PEAKS, "M = TABLE[E - 1]"),
            ("M = XS[0]\nfor I in range(1, E):\n if XS[I] > M: M = XS[I]", _PEAKS, "M = TABLE[E - 1]"),
            ("M = XS[0]\nfor X in XS[:E]:\n if X > M: M = X", _PEAKS, "M = TABLE[E - 1]"),
            (
                "M = XS[B]\nfor I in range(B, len(XS)):\n if XS[I] > M: M = XS[I]",
                _LATER_PEAKS,
                "M = TABLE[B]",
            ),
            (
                "M = XS[B]\nfor I in range(B + 1, len(XS)):\n if XS[I] > M: M = XS[I]",
                _LATER_PEAKS,
                "M = TABLE[B]",
            ),
        )
    )
    IMPORTS = ("import itertools",)


_COLUMNS = "list(zip(*XS))"
_PRODUCT = "sum(map(operator.mul, P, TABLE[J]))"


class MatrixColumns(TableOperator):
    """The inner products of a matrix multiplication go through columns that are made once."""

    NAME = "matrix-columns"
    WEIGHT = 1.5
    STEM = "columns"
    LOOKUPS = (
        Lookup("A = 0\nfor K in range(N): A += P[K] * XS[K][J]", _COLUMNS, f"A = {_PRODUCT}"),
        Lookup("A = 0.0\nfor K in range(N): A += P[K] * XS[K][J]", _COLUMNS, f"A = 0.0 + {_PRODUCT}"),
        Lookup("for K in range(N): A += P[K] * XS[K][J]", _COLUMNS, f"A += {_PRODUCT}"),
        Lookup("sum(P[K] * XS[K][J] for K in range(N))", _COLUMNS, _PRODUCT),
        Lookup("[R[J] for R in XS]", "[list(fresh_column) for fresh_column in zip(*XS)]", "TABLE[J]"),
        Lookup("sum(R[J] for R in XS)", "list(map(sum, zip(*XS)))", "TABLE[J]"),
    )
    IMPORTS = ("import operator",)


class DotProduct(Rewrite):
    """The inner product of two vectors is a sum over ``map``."""

    NAME = "dot-product"
    RULES = tuple(
        Rule(scan, "A = sum(map(operator.mul, P, Q))", imports=("import operator",))
        for scan in (
            "A = 0\nfor K in range(N): A += P[K] * Q[K]",
            "A = 0\nfor (B, C) in zip(P, Q): A += B * C",
        )
    ) + tuple(
        Rule(scan, "sum(map(operator.mul, P, Q))", imports=("import operator",))
        for scan in (
            "sum(P[K] * Q[K] for K in range(N))",
            "sum([P[K] * Q[K] for K in range(N)])",
            "sum(A * B for (A, B) in zip(P, Q))",
        )
    )


OPERATORS: tuple[Operator, ...] = (
    MembershipTable(),
    RowSets(),
    ValueSets(),
    SetOfEach(),
    CountTable(),
    PositionTable(),
    PrefixSums(),
    PrefixExtremes(),
    MatrixColumns(),
    DotProduct(),
)
