"""The legacy payload: ``PROJECTS`` with packages and modules, and template sets that say which files they have."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from peagen_ray.errors import ProjectError, RenderError
from peagen_ray.rendering.data import plain
from peagen_ray.rendering.environment import Settings, make_environment, problem_of
from peagen_ray.rendering.order import in_order
from peagen_ray.rendering.places import check_distinct, check_place
from peagen_ray.rendering.plan import Plan, Unit
from peagen_ray.rendering.templates import Library
from peagen_ray.rendering.work import limited, render

PTREE: Final = "ptree.yaml.j2"
"""The template of a set that renders to the list of its files."""

_SETTINGS: Final = Settings(keep_trailing_newline=False, lenient=True)
_PTREE_S: Final = 30.0

FindSet = Callable[[str], Path]
"""The directory of a template set by its name; raises ProjectError."""


@dataclass(frozen=True)
class Record:
    """One file that a template set has for a package.

    Attributes:
        path: where it goes, relative.
        template: its template's name in the set.
        prompt: name of the template of what a language model is asked for; empty for one that is copied.
        needs: paths of the files that it depends on.
        values: ``FILE``, and ``MOD`` for a file of a module.
        owner: who lists it, for messages.
        project: the project's place in the payload.
        package: name of its package, None for a file of the project.
        folder: the template set's directory.
    """

    path: str
    template: str
    prompt: str
    needs: tuple[str, ...]
    values: Mapping[str, Any]
    owner: str
    project: int
    package: str | None
    folder: Path


@dataclass(frozen=True)
class Generated:
    """A file that a language model writes.

    Attributes:
        record: what is known of it.
        data: what its prompt's template knows.
        library: where the template is.
    """

    record: Record
    data: Mapping[str, Any]
    library: Library


@dataclass(frozen=True)
class Payload:
    """What a legacy payload asks for.

    Attributes:
        plans: what is rendered.
        generated: what a language model writes, each after those that it depends on.
    """

    plans: tuple[Plan, ...]
    generated: tuple[Generated, ...] = field(default=())


def is_payload(document: object) -> bool:
    """Whether a project file is a legacy payload."""
    return isinstance(document, list) or (isinstance(document, dict) and "PROJECTS" in document)


def read_payload(document: Any, path: Path, find_set: FindSet) -> Payload:
    """What a legacy payload asks for, all of its template sets' lists rendered.

    Raises:
        ProjectError: names the key that is wrong; or files depend on each other in a circle, which is shown.
        RenderError: a list cannot be rendered.
    """
    reading = _Reading(path, find_set)
    entries = document if isinstance(document, list) else document["PROJECTS"]
    projects = [_with_extras(project) for project in _flat(entries, f"{path}: PROJECTS")]
    ordered: list[Record] = []
    for number, project in enumerate(projects):
        ordered += in_order(list(reading.records(number, project)))
    check_distinct((record.path, record.owner) for record in ordered)
    return reading.payload(projects, ordered)


class _Reading:
    def __init__(self, path: Path, find_set: FindSet) -> None:
        self._path = path
        self._find_set = find_set
        self._libraries: dict[Path, Library] = {}

    def records(self, number: int, project: Mapping[str, Any]) -> Iterator[Record]:
        """The files of all packages of a project."""
        for package in _list(project, "PACKAGES", self._owner(project)):
            owner = f"{self._owner(project)}.{_text(package, 'NAME', self._owner(project))}"
            chosen = [
                package.get("TEMPLATE_SET_OVERRIDE"),
                package.get("TEMPLATE_SET"),
                project.get("TEMPLATE_SET_OVERRIDE"),
                project.get("TEMPLATE_SET"),
            ]
            folder = self._find_set(str(next(filter(None, chosen), "default")))
            listed = self._listed(folder, {**project, "PKGS": [package]}, owner)
            for place, fields in enumerate(listed):
                yield self._record(fields, f"{owner}: record {place}", number, project, folder)

    def _owner(self, project: Mapping[str, Any]) -> str:
        return f"{self._path}: {project['NAME']}"

    def _library(self, folder: Path) -> Library:
        if folder not in self._libraries:
            self._libraries[folder] = Library(_SETTINGS, [folder, self._path.parent])
        return self._libraries[folder]

    def _listed(self, folder: Path, project: Mapping[str, Any], owner: str) -> list[Any]:
        """What the set's list says, with the project filled in."""
        file = folder / PTREE
        if not file.is_file():
            raise ProjectError(f"the template set has no {PTREE}", subject=str(folder), hint=owner)
        environment = make_environment(self._library(folder).get, _SETTINGS)
        try:
            with limited(_PTREE_S):
                text = render(environment, PTREE, {"PROJ": project})
        except ProjectError:
            raise
        except Exception as error:  # a template may raise anything
            raise RenderError(str(problem_of(error, PTREE)), subject=f"{owner}: {folder}") from error
        found = _yaml(text, f"{file} for {owner}")
        listed = found.get("FILES") if isinstance(found, dict) else found
        if listed is None:
            return []
        if not isinstance(listed, list):
            raise ProjectError("renders to no list of files", subject=f"{file} for {owner}")
        return listed

    def _record(
        self, fields: Any, owner: str, number: int, project: Mapping[str, Any], folder: Path
    ) -> Record:
        if not isinstance(fields, dict):
            raise ProjectError("is no mapping", subject=owner)
        fields = {**fields, "EXTRAS": fields.get("EXTRAS") or {}}
        path = check_place(_text(fields, "RENDERED_FILE_NAME", owner), owner)
        kind = str(fields.get("PROCESS_TYPE") or "COPY").upper()
        if kind not in {"COPY", "GENERATE"}:
            raise ProjectError(f"PROCESS_TYPE is {kind!r}, neither COPY nor GENERATE", subject=owner)
        package, module = fields.get("PACKAGE_NAME") or None, fields.get("MODULE_NAME") or None
        values: dict[str, Any] = {"FILE": fields}
        if module is not None and package is not None:
            values["MOD"] = _named(_package(project, package, owner), "MODULES", module, owner)
        if package is not None:
            _package(project, package, owner)
        return Record(
            path=path,
            template=_text(fields, "FILE_NAME", owner),
            prompt=_text(fields, "AGENT_PROMPT_TEMPLATE", owner) if kind == "GENERATE" else "",
            needs=_needs(fields["EXTRAS"], owner),
            values=values,
            owner=owner,
            project=number,
            package=package,
            folder=folder,
        )

    def payload(self, projects: Sequence[Mapping[str, Any]], ordered: Sequence[Record]) -> Payload:
        """Records with the same data and template set in one plan."""
        groups: dict[tuple[int, str | None, Path], list[Unit]] = {}
        data: dict[tuple[int, str | None, Path], dict[str, Any]] = {}
        generated = []
        for record in ordered:
            key = record.project, record.package, record.folder
            project = projects[record.project]
            known = data.setdefault(key, {"PROJ": project})
            if record.package is not None:
                known["PKG"] = _package(project, record.package, record.owner)
            library = self._library(record.folder)
            _check_there(record, library)
            if record.prompt:
                generated.append(Generated(record, known, library))
                continue
            library.needs(record.template)
            unit = Unit(record.path, record.template, record.values, record.owner)
            groups.setdefault(key, []).append(unit)
        plans = (Plan(tuple(units), self._library(key[2]), data[key]) for key, units in groups.items())
        return Payload(tuple(plans), tuple(generated))


def _check_there(record: Record, library: Library) -> None:
    name = record.prompt or record.template
    if library.get(name) is None:
        what = f"there is no template {name!r} in the template set"
        raise ProjectError(what, subject=record.owner, hint=f"looked in {record.folder}")


# ---- reading what may be anything --------------------------------------------------------------------


def _flat(entries: Any, subject: str) -> Iterator[dict[str, Any]]:
    """The projects of a list; an entry may be a group of projects itself."""
    if not isinstance(entries, list):
        raise ProjectError("is no list", subject=subject)
    for number, entry in enumerate(entries):
        where = f"{subject}[{number}]"
        if not isinstance(entry, dict):
            raise ProjectError("is no mapping", subject=where)
        if "PROJECTS" in entry:
            yield from _flat(entry["PROJECTS"], f"{where}.PROJECTS")
            continue
        _text(entry, "NAME", where)
        for package in _list(entry, "PACKAGES", where):
            _text(package, "NAME", f"{where}.PACKAGES")
            for module in _list(package, "MODULES", f"{where}.{package['NAME']}"):
                _text(module, "NAME", f"{where}.{package['NAME']}.MODULES")
        yield entry


def _with_extras(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The project, its packages and modules, each with ``EXTRAS``."""
    made = {**entry, "EXTRAS": entry.get("EXTRAS") or {}}
    for below in ("PACKAGES", "MODULES"):
        if made.get(below):
            made[below] = [_with_extras(each) for each in made[below]]
    return made


def _list(fields: Mapping[str, Any], key: str, subject: str) -> list[dict[str, Any]]:
    found = fields.get(key) or []
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise ProjectError("is no list of mappings", subject=f"{subject}.{key}")
    return found


def _text(fields: Mapping[str, Any], key: str, subject: str) -> str:
    found = fields.get(key)
    if not isinstance(found, str) or not found:
        raise ProjectError(f"{key} is missing, or no text", subject=subject)
    return found


def _needs(extras: Any, subject: str) -> tuple[str, ...]:
    found = (extras.get("DEPENDENCIES") or []) if isinstance(extras, dict) else None
    if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
        raise ProjectError("EXTRAS.DEPENDENCIES is no list of paths", subject=subject)
    return tuple(found)


def _package(project: Mapping[str, Any], name: Any, subject: str) -> dict[str, Any]:
    return _named(project, "PACKAGES", name, subject)


def _named(fields: Mapping[str, Any], key: str, name: Any, subject: str) -> dict[str, Any]:
    found = next((each for each in _list(fields, key, subject) if each["NAME"] == name), None)
    if found is None:
        raise ProjectError(f"there is no {name!r} among {key}", subject=subject)
    return found


def _yaml(text: str, subject: str) -> Any:
    import yaml

    try:
        return plain(yaml.safe_load(text), subject)
    except RecursionError as error:
        raise ProjectError("is nested too deeply", subject=subject) from error
    except (yaml.YAMLError, ValueError) as error:
        raise ProjectError(f"renders to no YAML: {error}", subject=subject) from error
