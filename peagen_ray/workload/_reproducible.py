"""A back-end of hypothesis whose examples depend on the seed only; loaded by hypothesis, by its name."""

from __future__ import annotations

from typing import Any

from hypothesis.internal.conjecture.providers import HypothesisProvider


class Reproducible(HypothesisProvider):
    """Like hypothesis' own, but for the constants that it collects from the source of loaded modules.

    Those would make examples depend on what else the process has imported.
    """

    def _maybe_draw_constant(self, *_args: Any, **_kwargs: Any) -> None:
        return None
