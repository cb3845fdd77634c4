"""The plan: every output of a project, from which template, with which values; nothing is rendered yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from peagen_ray.errors import ProjectError, RenderError
from peagen_ray.rendering.environment import Settings, make_environment, problem_of
from peagen_ray.rendering.places import check_distinct, check_place
from peagen_ray.rendering.project import Output, Project, load_data
from peagen_ray.rendering.templates import Found, Library, find


@dataclass(frozen=True)
class Unit:
    """One output that is rendered.

    Attributes:
        path: where it goes, relative.
        template: the name of its template.
        values: what the template is given beside the plan's data.
        owner: who asked for it, for messages.
    """

    path: str
    template: str
    values: Mapping[str, Any]
    owner: str


@dataclass(frozen=True)
class Copied:
    """One output that is a file as it is."""

    path: str
    file: Path
    owner: str


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        units: what is rendered, in order.
        copies: what is copied.
        data: what templates know by name; each needs some of it.
        library: the templates.
        timeout: seconds that one output may take.
    """

    units: tuple[Unit, ...]
    library: Library
    data: Mapping[str, Any] = field(default_factory=dict)
    copies: tuple[Copied, ...] = ()
    timeout: float = 30.0

    def lines(self) -> Iterator[str]:
        """The plan for a person, an output a line."""
        for unit in self.units:
            yield f"{unit.path} <- {unit.template}"
        for copy in self.copies:
            yield f"{copy.path} <- {copy.file} (copied)"


def plan_of(project: Project, path: Path) -> Plan:
    """The plan of a project that was read from ``path``.

    Raises:
        ProjectError: its data or a path is wrong.
        RenderError: a template, or the template of a path, is wrong.
    """
    folder = path.parent
    data = load_data(project, folder)
    settings = Settings(
        project.autoescape, project.trim_blocks, project.lstrip_blocks, project.keep_trailing_newline
    )
    library = Library(settings, [folder, *(folder / each for each in project.search_path)])
    units: list[Unit] = []
    copies: list[Copied] = []
    for number, rule in enumerate(project.outputs):
        owner = f"{path}: outputs[{number}]"
        for found in find(rule.template, folder, f"{owner}.template"):
            places = _Places(rule, found, data, owner)
            if rule.copied:
                copies += [Copied(place, found.file, owner) for place, _ in places]
                continue
            library.add(found.name, found.file)
            library.needs(found.name)
            units += [Unit(place, found.name, values, owner) for place, values in places]
    every: list[Unit | Copied] = [*units, *copies]
    check_distinct((each.path, each.owner) for each in every)
    return Plan(tuple(units), library, data, tuple(copies), project.timeout)


class _Places:
    """The paths and values of one template's outputs."""

    def __init__(self, rule: Output, found: Found, data: Mapping[str, Any], owner: str) -> None:
        self._rule = rule
        self._data = data
        self._owner = owner
        self._template = {"template": found.facts()}
        self._path = path_maker(rule.path, f"{owner}.path")

    def __iter__(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for values in self._values():
            text = self._path({**self._data, **values})
            yield check_place(text, f"{self._owner}.path"), values

    def _values(self) -> Iterator[dict[str, Any]]:
        if not self._rule.each:
            yield self._template
            return
        if self._rule.as_ in self._data:
            raise ProjectError(f"{self._rule.as_!r} is a name of the data", subject=f"{self._owner}.as")
        items = items_of(self._rule.each, self._data, f"{self._owner}.each")
        for number, item in enumerate(items, 1):
            yield {**self._template, self._rule.as_: item, "index": number}


def path_maker(text: str, subject: str) -> Callable[[Mapping[str, Any]], str]:
    """What makes the path of an output from its values; RenderError if its template is wrong."""
    if "{" not in text:
        return lambda _: text

    def failure(error: BaseException) -> RenderError:
        return RenderError(problem_of(error, subject).what, subject=subject)

    try:
        template = make_environment({}, Settings()).from_string(text)
    except Exception as error:
        raise failure(error) from error

    def make(values: Mapping[str, Any]) -> str:
        try:
            return template.render(values)
        except Exception as error:  # a template may raise anything
            raise failure(error) from error

    return make


def items_of(dotted: str, data: Mapping[str, Any], subject: str) -> list[Any]:
    """The items of a list, or ``key`` and ``value`` of a mapping; ProjectError if it is neither."""
    found: Any = data
    for part in dotted.split("."):
        if not isinstance(found, dict) or part not in found:
            known = ", ".join(map(str, list(found)[:8])) if isinstance(found, dict) else ""
            hint = f"there are {known}" if known else ""
            raise ProjectError(f"there is no {part!r} in the data: {dotted}", subject=subject, hint=hint)
        found = found[part]
    if isinstance(found, list):
        return found
    if isinstance(found, dict):
        return [{"key": key, "value": value} for key, value in found.items()]
    raise ProjectError(f"{dotted} is no list and no mapping", subject=subject)
