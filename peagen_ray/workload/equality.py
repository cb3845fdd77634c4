"""Equality: the one place that decides whether two encoded values, or two observed calls, are the same.

Value and type count: a tuple is no list, ``True`` is not ``1``, ``1`` is not ``1.0``. Floats agree within a
tolerance wherever they are, NaN is NaN, ``-0.0`` is ``0.0``. Dicts keep their order, sets and Counters have
none. Objects agree by class name and attributes, exceptions by type, iterators by what they yield (and never
with a list). Whether two equal parts are one object or two does not count.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

from peagen_ray.workload._compare import Comparison, TooEntangled
from peagen_ray.workload._decoder import materialise
from peagen_ray.workload._encoder import encode
from peagen_ray.workload._graph import Graph, parse
from peagen_ray.workload._numbers import Tolerance
from peagen_ray.workload._path import Path
from peagen_ray.workload._show import show, show_name
from peagen_ray.workload._values import MalformedValue
from peagen_ray.workload.target import Call

REL_TOL = 1e-9
ABS_TOL = 1e-12

_MARK = "observation"


def difference(
    expected: bytes, actual: bytes, *, rel_tol: float = REL_TOL, abs_tol: float = ABS_TOL
) -> str | None:
    """Where two encoded values, or two observations of a call, differ.

    Args:
        expected: from ``encode`` or ``observe``, on the original's output.
        actual: the same kind of bytes, from the candidate's process.
        rel_tol: floats agree when ``|e - a| <= max(rel_tol * max(|e|, |a|), abs_tol)`` (``math.isclose``);
            arrays of less precise types get the tolerance of their type when that is larger.
        abs_tol: see ``rel_tol``.

    Returns:
        None when they are equal, else one line such as ``result[3].name: expected 4, got 5``.

    Raises:
        MalformedValue: ``expected`` was not written by ``encode``; where ``actual`` was not, that is the
            difference.
    """
    if expected == actual:
        return None
    left = parse(expected)
    try:
        right = parse(actual)
    except MalformedValue as error:
        return f"result: cannot be read, {error}"
    comparison = Comparison(left, right, Tolerance(rel_tol, abs_tol))
    try:
        if _is_observation(left) and _is_observation(right):
            return _observed_difference(comparison, Observation(left), Observation(right))
        return comparison.run(left.root, right.root, Path("result"))
    except TooEntangled:
        return "result: too entangled to compare"


def observe(value: Any, call: Call, instance: Any = None, *, raised: bool = False, limit_bytes: int) -> bytes:
    """One message with everything a call did: its outcome, and its arguments as it left them.

    Args:
        value: what it returned (drained), or the exception that it raised.
        call: the arguments, after the call.
        instance: the object a method was called on, after the call.
        raised: ``value`` was raised.
        limit_bytes: longest message allowed.

    Raises:
        ValueTooLarge: the message would be longer.
    """
    outcome = "raised" if raised else "returned"
    message = (_MARK, outcome, value, list(call.args), call.kwargs, instance)
    return encode(message, limit_bytes=limit_bytes)


def raised(observation: bytes) -> str | None:
    """The name of the exception that an observed call raised, or None where it returned.

    Raises:
        MalformedValue: the bytes are no observation.
    """
    return Observation.read(observation).raised


@dataclass(frozen=True)
class Observation:
    """A call as observed: what ``observe`` wrote, parsed on the trusted side."""

    graph: Graph

    @classmethod
    def read(cls, data: bytes) -> Observation:
        """Parse the bytes of ``observe``.

        Raises:
            MalformedValue: they are something else.
        """
        graph = parse(data)
        if not _is_observation(graph):
            raise MalformedValue("not an observation of a call")
        return cls(graph)

    @property
    def outcome(self) -> Literal["returned", "raised"]:
        """How the call ended."""
        return "raised" if self.part(1) == "raised" else "returned"

    @property
    def raised(self) -> str | None:
        """The qualified name of the exception raised, without ``builtins.``; None where it returned."""
        if self.outcome == "returned":
            return None
        error = self.part(2)
        node = self.graph.row(error) if type(error) is list else ["", ""]
        return show_name(node[1]) if node[0] == "error" else "something that is no exception"

    @cached_property
    def value(self) -> Any:
        """What was returned, decoded; for ``raised`` an ``Opaque`` of the exception's type."""
        return self._decoded[2]

    @cached_property
    def args(self) -> list[Any]:
        """The positional arguments after the call, decoded."""
        return list(self._decoded[3])

    def summary(self) -> str:
        """A few words, such as ``returned [1, 2]`` or ``raised builtins.KeyError('x')``."""
        return f"{self.outcome} {show(self.graph, self.part(2))}"

    @cached_property
    def _decoded(self) -> tuple[Any, ...]:
        return tuple(materialise(self.graph))

    def part(self, index: int) -> Any:
        """One slot of the message; see ``observe``."""
        return self.graph.heap[self.graph.root[0]][1][index]


def _is_observation(graph: Graph) -> bool:
    if type(graph.root) is not list or len(graph.root) != 1:
        return False
    node = graph.heap[graph.root[0]]
    if node[0] != "tuple" or len(node[1]) != 6 or node[1][0] != _MARK:
        return False
    args, kwargs = node[1][3], node[1][4]
    return node[1][1] in ("returned", "raised") and _is(graph, args, "list") and _is(graph, kwargs, "dict")


def _is(graph: Graph, item: Any, tag: str) -> bool:
    if type(item) is not list or len(item) != 1:
        return False
    node = graph.heap[item[0]]
    return bool(tag == (node[1] if node[0] == "rows" else node[0]))


def _observed_difference(comparison: Comparison, expected: Observation, actual: Observation) -> str | None:
    if expected.outcome != actual.outcome:
        return f"expected a call that {expected.summary()}, got one that {actual.summary()}"
    parts = [(2, Path("result" if expected.outcome == "returned" else "raised"))]
    parts += [
        (index, Path(name, " after the call")) for index, name in ((3, "args"), (4, "kwargs"), (5, "self"))
    ]
    for index, path in parts:
        problem = comparison.run(expected.part(index), actual.part(index), path)
        if problem is not None:
            return problem
    return None
