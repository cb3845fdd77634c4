"""What a task is about: the run, the candidate and the trace that it belongs to; its payload says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

KEY: Final = "about"
"""Of a payload. Handlers need not know it: follow-up tasks inherit it."""

_LONGEST: Final = 120


@dataclass(frozen=True)
class About:
    """What a task is about.

    Attributes:
        run: id of the run; "" for a task of none.
        candidate: number of the candidate that it is for; None for a task of the run itself.
        trace: the span that it happens within, in the form of the W3C's ``traceparent``; "" for none.
    """

    run: str = ""
    candidate: int | None = None
    trace: str = ""

    @classmethod
    def of(cls, payload: Mapping[str, Any]) -> Self:
        """What a payload says, which may be anybody's: what is no such thing is left out."""
        said = payload.get(KEY)
        said = said if isinstance(said, Mapping) else {}
        run, trace = (str(said[name])[:_LONGEST] if name in said else "" for name in ("run", "trace"))
        number = said.get("candidate")
        whole = isinstance(number, int) and not isinstance(number, bool)
        return cls(run, number if whole else None, trace)

    def to_data(self) -> dict[str, Any]:
        """Its JSON form, without what is not known."""
        known = {"run": self.run, "candidate": self.candidate, "trace": self.trace}
        return {name: value for name, value in known.items() if value not in ("", None)}


def inherited(payload: Mapping[str, Any], parent: Mapping[str, Any]) -> dict[str, Any]:
    """The payload of a follow-up task, which is about what its parent is about unless it says otherwise."""
    return dict(payload) if KEY not in parent or KEY in payload else {**payload, KEY: parent[KEY]}
