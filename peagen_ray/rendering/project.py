"""The project file: which templates are rendered with what data, and where each output goes."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from peagen_ray.errors import ProjectError
from peagen_ray.rendering.data import read_data

RESERVED: Final = frozenset({"template", "index"})
"""Names that every template is given."""

_DEFAULT_LIMIT_S: Final = 30.0
_UNKNOWN: Final = "extra_forbidden"
_OF_KEYS: Final = "[key]"


def _name(text: str) -> str:
    if not text.isidentifier() or text in RESERVED:
        msg = f"{text!r} is no name that a template can use"
        raise ValueError(msg)
    return text


Name = Annotated[str, AfterValidator(_name)]
"""What a template calls something."""


def _path_alone(value: object) -> object:
    return {"path": value} if isinstance(value, str) else value


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class DataFile(_Part):
    """A file with data.

    Attributes:
        path: relative to the project file.
        format: yaml, json, toml, csv or tsv; by default what the name ends with.
        encoding: of its text.
        delimiter: between the fields of a CSV file.
    """

    path: str = Field(min_length=1)
    format: str = ""
    encoding: str = "utf-8-sig"
    delimiter: str = Field(default="", max_length=1)


class Output(_Part):
    """What becomes of one template, or of each of several.

    Attributes:
        template: a file, a directory (all files in it) or a glob, relative to the project file.
        path: a template of the output's path; by default the template's own without ``.j2``.
        each: the name of a list or mapping of the data, dotted where it lies deeper: one output for each item.
        as_: what templates call the item.
        copied: take files as they are, in place of rendering them.
    """

    template: str = Field(min_length=1)
    path: str = "{{ template.path }}"
    each: str = ""
    as_: Name = Field(default="item", alias="as")
    copied: bool = Field(default=False, alias="copy")


class Project(_Part):
    """A project file.

    Attributes:
        data: inline data, by name.
        files: data files, by name.
        outputs: what is rendered.
        search_path: directories, beside the project's own, that templates may include from.
        autoescape: escape what is printed for HTML.
        trim_blocks: remove the first newline after a block.
        lstrip_blocks: remove blanks before a block.
        keep_trailing_newline: keep the newline at a template's end.
        timeout: seconds that one output may take.
    """

    outputs: Annotated[list[Output], Field(min_length=1)]
    data: dict[Name, Any] = Field(default_factory=dict)
    files: dict[Name, Annotated[DataFile, BeforeValidator(_path_alone)]] = Field(default_factory=dict)
    search_path: list[str] = Field(default_factory=list)
    autoescape: bool = False
    trim_blocks: bool = False
    lstrip_blocks: bool = False
    keep_trailing_newline: bool = True
    timeout: Annotated[float, Field(gt=0, le=3600, strict=False)] = _DEFAULT_LIMIT_S


def read_project(document: Mapping[str, Any], path: Path) -> Project:
    """The project that a document describes.

    Raises:
        ProjectError: names the key, and the nearest valid one.
    """
    try:
        project = Project.model_validate(document)
    except ValidationError as error:
        raise _wrong(error, path) from error
    double = sorted(set(project.data) & set(project.files))
    if double:
        raise ProjectError("is in data and in files", subject=f"{path}: {double[0]}")
    return project


def _wrong(error: ValidationError, path: Path) -> ProjectError:
    found = error.errors(include_url=False, include_input=False)
    first = next((each for each in found if each["type"] == _UNKNOWN), found[0])
    where = _dotted(first["loc"])
    if first["type"] != _UNKNOWN:
        return ProjectError(first["msg"].removeprefix("Value error, "), subject=f"{path}: {where}")
    keys = _keys_beside(first["loc"])
    near = get_close_matches(str(first["loc"][-1]), keys, n=1)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(keys)}"
    return ProjectError("there is no such key", subject=f"{path}: {where}", hint=hint)


def _dotted(place: tuple[int | str, ...]) -> str:
    return "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in place if part != _OF_KEYS
    ).lstrip(".")


def _keys_beside(place: tuple[int | str, ...]) -> list[str]:
    models: dict[object, type[BaseModel]] = {"outputs": Output, "files": DataFile}
    model = models.get(place[0], Project) if len(place) > 1 else Project
    return [field.alias or name for name, field in model.model_fields.items()]


def load_data(project: Project, folder: Path) -> dict[str, Any]:
    """All data of a project, by name; each file is read once."""
    found = dict(project.data)
    for name, file in project.files.items():
        found[name] = read_data(
            folder / file.path, form=file.format, encoding=file.encoding, delimiter=file.delimiter
        )
    return found
