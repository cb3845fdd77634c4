"""The order of files that depend on each other."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import PurePosixPath
from typing import Protocol, TypeVar

from peagen_ray.errors import ProjectError


class Ordered(Protocol):
    """What depends on others."""

    @property
    def path(self) -> str:
        """Its own path."""

    @property
    def needs(self) -> tuple[str, ...]:
        """The paths of those that it depends on; those that nobody has do not count."""

    @property
    def owner(self) -> str:
        """Who lists it, for messages."""


_O = TypeVar("_O", bound=Ordered)


def in_order(records: Sequence[_O]) -> list[_O]:
    """The records, each after those that it depends on, otherwise by path.

    Raises:
        ProjectError: they depend on each other in a circle; shows it.
    """
    known = {record.path: record for record in records}
    rest = [record for record in records if known[record.path] is not record]  # two of one path
    sorter: TopologicalSorter[str] = TopologicalSorter()
    for record in known.values():
        sorter.add(record.path, *sorted(known_needs(record.needs, known)))
    try:
        sorter.prepare()
    except CycleError as error:
        raise _circle(error.args[1], known) from error
    found: list[_O] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        found += [known[path] for path in ready]
        sorter.done(*ready)
    return [*found, *rest]


def known_needs(needs: Iterable[str], known: Container[str]) -> set[str]:
    """Those of the paths that somebody has, in their plain form."""
    return {path for path in map(_normal, needs) if path in known}


def _normal(path: str) -> str:
    return str(PurePosixPath(path))


def _circle(paths: list[str], known: dict[str, _O]) -> ProjectError:
    # graphlib names each before the one that needs it.
    words = " needs ".join(reversed(paths))
    hint = "take one of them out of EXTRAS.DEPENDENCIES"
    return ProjectError(f"a circle of dependencies: {words}", subject=known[paths[0]].owner, hint=hint)
