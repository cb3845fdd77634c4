"""What a project file of either form asks for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from peagen_ray.errors import ProjectError
from peagen_ray.rendering.data import read_data
from peagen_ray.rendering.payload import Payload, is_payload, read_payload
from peagen_ray.rendering.plan import plan_of
from peagen_ray.rendering.project import read_project
from peagen_ray.rendering.sets import set_finder


def read_job(path: Path, search_path: Iterable[Path] = ()) -> Payload:
    """The plans of a project file, and of a legacy payload what is to be generated too.

    Args:
        path: the file: TOML or JSON if its name says so, else YAML.
        search_path: directories with template sets, beside the file's own and the working directory.

    Raises:
        ProjectError: the file, its data, or where an output should go is wrong.
        RenderError: a template is wrong.
        PluginError: a wheel's template set cannot be used.
    """
    form = path.suffix.removeprefix(".").lower()
    document = read_data(path, form=form if form in {"toml", "json"} else "yaml")
    if is_payload(document):
        return read_payload(document, path, set_finder([*search_path, path.parent, Path.cwd()]))
    if not isinstance(document, dict):
        hint = "it needs outputs, and may have data and files"
        raise ProjectError("is no mapping of names to values", subject=str(path), hint=hint)
    return Payload((plan_of(read_project(document, path), path),))
