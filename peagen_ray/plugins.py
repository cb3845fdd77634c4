"""Plugins: what installed wheels register under our entry-point groups, imported only when asked for."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from peagen_ray.errors import PluginConflict, PluginError, PluginNotFound


class Group(StrEnum):
    """The entry-point groups that a wheel may register in."""

    TASK_HANDLERS = "peagen.task_handlers"
    TASK_QUEUES = "peagen.task_queues"
    RESULT_BACKENDS = "peagen.result_backends"
    PARENT_SELECTORS = "peagen.parent_selectors"
    MUTATORS = "peagen.mutators"
    LLM_BACKENDS = "peagen.llm_backends"
    SANDBOXES = "peagen.sandboxes"
    EVALUATORS = "peagen.evaluators"
    TEMPLATE_SETS = "peagen.template_sets"


KINDS: Final = {
    "handler": Group.TASK_HANDLERS,
    "queue": Group.TASK_QUEUES,
    "backend": Group.RESULT_BACKENDS,
    "selector": Group.PARENT_SELECTORS,
    "mutator": Group.MUTATORS,
    "evaluator": Group.EVALUATORS,
    "llm": Group.LLM_BACKENDS,
    "sandbox": Group.SANDBOXES,
    "templates": Group.TEMPLATE_SETS,
}
"""What people call the members of each group."""


@dataclass(frozen=True)
class Registration:
    """One line of a wheel's entry points.

    Attributes:
        kind: see :data:`KINDS`.
        name: under which it is registered.
        reference: ``module:attribute``.
        wheel: the name of the wheel, "" if it has none.
        version: of the wheel, "" if it has none.
    """

    kind: str
    name: str
    reference: str
    wheel: str
    version: str


def registrations() -> tuple[Registration, ...]:
    """All that installed wheels register in our groups, kind by kind; nothing is imported."""
    found = [
        Registration(kind, entry.name, entry.value, *_name_and_version(entry))
        for kind, group in KINDS.items()
        for entry in _installed(group, tuple(sys.path))
    ]
    kinds = list(KINDS)
    return tuple(sorted(found, key=lambda each: (kinds.index(each.kind), each.name, each.wheel)))


def names(group: Group | str) -> tuple[str, ...]:
    """The names that are registered in a group, sorted; nothing is imported."""
    return tuple(sorted({entry.name for entry in _installed(Group(group), tuple(sys.path))}))


def reference(group: Group | str, name: str) -> str:
    """The ``module:attribute`` that a name stands for; nothing is imported.

    Raises:
        PluginNotFound: no installed wheel registers the name; says which names there are.
        PluginConflict: two wheels register it; says which.
    """
    return _find(Group(group), name).value


def wheel(group: Group | str, name: str) -> str:
    """The wheel that registers a name, and its version: ``peagen-ray 1.0``. Raises like :func:`reference`."""
    return _wheel(_find(Group(group), name))


def load(group: Group | str, name: str) -> Any:
    """Import what a name stands for, and nothing else of its group.

    Raises:
        PluginNotFound: no installed wheel registers the name; says which names there are.
        PluginConflict: two wheels register it; says which.
        PluginError: its import fails; says which wheel's, and why (the cause is kept).
    """
    entry = _find(Group(group), name)
    try:
        return entry.load()
    except PluginError:
        raise  # such as MissingExtra: it says better what to do
    except (Exception, SystemExit) as error:  # foreign code may fail in any way
        raise PluginError(
            f"{entry.value!r} cannot be imported: {type(error).__name__}: {error}",
            subject=_title(Group(group), name),
            hint=f"it is registered by {_wheel(entry)}",
        ) from error


def _find(group: Group, name: str) -> EntryPoint:
    found = [entry for entry in _installed(group, tuple(sys.path)) if entry.name == name]
    if not found:
        raise PluginNotFound(
            "no installed wheel registers it", subject=_title(group, name), hint=_hint(group, name)
        )
    if len(found) > 1:
        raise PluginConflict(
            f"registered by {' and by '.join(sorted(map(_wheel, found)))}",
            subject=_title(group, name),
            hint="uninstall all but one",
        )
    return found[0]


@lru_cache(maxsize=64)
def _installed(group: Group, path: tuple[str, ...]) -> tuple[EntryPoint, ...]:  # noqa: ARG001 - a part of the key
    """Each registration once, whether a wheel repeats it or stands on ``path`` twice (editable and built)."""
    found = entry_points(group=group)
    return tuple({(_wheel(entry), entry.name, entry.value): entry for entry in found}.values())


def _wheel(entry: EntryPoint) -> str:
    if entry.dist is None:
        return "an unknown wheel"
    name, version = _name_and_version(entry)
    return f"{name or 'an unnamed wheel'} {version}".rstrip()


def _name_and_version(entry: EntryPoint) -> tuple[str, str]:
    if entry.dist is None:
        return "", ""
    about = entry.dist.metadata
    name, version = (about[key] if key in about else "" for key in ("Name", "Version"))  # noqa: SIM401 - 3.11 has no get
    return name, version


def _title(group: Group, name: str) -> str:
    return f"{group} {name!r}"


def _hint(group: Group, name: str) -> str:
    installed = names(group)
    if not installed:
        return "none is installed"
    same = [known for known in installed if known.lower() == name.lower()]
    near = same or get_close_matches(name, installed, n=1)
    guess = f"did you mean {near[0]!r}? " if near else ""
    return f"{guess}installed: {', '.join(installed)}"
