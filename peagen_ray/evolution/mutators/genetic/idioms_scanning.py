"""Helpers that scan, called in loops: written out, and the scan answered by a table at once.

Writing a helper out pays little by itself; what pays is the table that only then can be made before the
loop. Done together, the step between them need not survive on its own.
"""

from __future__ import annotations

import random

from peagen_ray.evolution.mutators.genetic.base import Draft, Operator
from peagen_ray.evolution.mutators.genetic.hoisting import loops_around
from peagen_ray.evolution.mutators.genetic.idioms_builtins import MembershipLoop, PairMembershipLoop
from peagen_ray.evolution.mutators.genetic.idioms_inline import InlineBody, InlineExpression
from peagen_ray.evolution.mutators.genetic.idioms_join import HashJoin
from peagen_ray.evolution.mutators.genetic.idioms_membership import CompanionSet
from peagen_ray.evolution.mutators.genetic.idioms_tables import CountTable, MembershipTable, SetOfEach
from peagen_ray.evolution.mutators.genetic.inlining import Helper, as_expression, calls_of, helpers
from peagen_ray.evolution.mutators.genetic.rewrite import Rewrite

_FIRST: tuple[Rewrite, ...] = (MembershipLoop(), PairMembershipLoop())
"""What makes a scanning helper short enough to be an expression."""
_TABLES = (HashJoin(), MembershipTable(), SetOfEach(), CountTable(), CompanionSet())


class InlineScan(Operator):
    """A helper that scans is written out in the loops that call it, and its scan becomes a look-up."""

    NAME = "inline-scan"
    WEIGHT = 1.5

    def sites(self, draft: Draft) -> list[Helper]:
        """The helpers that are called in loops."""
        return [
            helper
            for helper in helpers(draft)
            if any(any(loops_around(draft, call)) for _, call in calls_of(draft, helper))
        ]

    def apply(self, draft: Draft, site: object, rng: random.Random) -> bool:
        """Shorten the helper if that can be done, write it out, and make one of the tables."""
        assert isinstance(site, Helper)
        _shorten(draft, site)
        inline = InlineBody() if as_expression(site.body) is None else InlineExpression()
        if not inline.edit(draft, site):
            return False
        draft.touched()
        choices = [(operator, found) for operator in _TABLES for found in operator.sites(draft)]
        if not choices:
            return False
        operator, found = rng.choice(choices)
        return operator.apply(draft, found, rng)


def _shorten(draft: Draft, helper: Helper) -> None:
    """Apply rules wherever they fit in a helper."""
    for operator in _FIRST:
        for site in operator.sites(draft):
            if site[1].function is helper.function:
                operator.edit(draft, site)
                draft.touched()


OPERATORS: tuple[Operator, ...] = (InlineScan(),)
