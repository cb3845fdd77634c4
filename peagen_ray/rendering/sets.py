"""Template sets: directories by name, in the workspace or in an installed wheel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from peagen_ray.errors import ProjectError
from peagen_ray.plugins import Group, load, names, wheel
from peagen_ray.rendering.payload import PTREE


def set_finder(folders: Iterable[Path]) -> Callable[[str], Path]:
    """What finds the directory of a template set: ``<folder>/<name>``, else the wheel that registers the name.

    A wheel registers in ``peagen.template_sets`` a package or module, which stands for its directory, a path,
    or a function without arguments that returns one.

    Args:
        folders: where to look, the first one first.
    """
    places = tuple(folders)

    def find(name: str) -> Path:
        if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
            raise ProjectError("a template set has a name, not a path", subject=name)
        for folder in places:
            if (folder / name / PTREE).is_file():
                return folder / name
        if name in names(Group.TEMPLATE_SETS):
            return _installed(name)
        installed = ", ".join(names(Group.TEMPLATE_SETS)) or "none"
        looked = ", ".join(map(str, dict.fromkeys(places)))
        raise ProjectError(
            "there is no such template set", subject=name, hint=f"looked in {looked}; installed: {installed}"
        )

    return find


def _installed(name: str) -> Path:
    found: Any = load(Group.TEMPLATE_SETS, name)
    file = getattr(found, "__file__", None)
    if isinstance(found, str | Path):
        return Path(found)
    if hasattr(found, "__path__"):
        return Path(next(iter(found.__path__)))
    if isinstance(file, str):
        return Path(file).parent
    made = found() if callable(found) else None
    if isinstance(made, str | Path):
        return Path(made)
    what = "is neither a package, nor a path, nor a function that returns one"
    raise ProjectError(what, subject=f"template set {name!r}", hint=wheel(Group.TEMPLATE_SETS, name))
