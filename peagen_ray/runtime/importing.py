"""A directory with a task of another engine becomes a workspace: a ``.peagen.toml`` says what lies in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import tomlkit

from peagen_ray.config.load import load
from peagen_ray.config.text import FILE_NAME
from peagen_ray.errors import UsageError
from peagen_ray.runtime.other_engine import kind_of, mapped, read_yaml

_PROGRAMS: Final = ("initial_program.py", "initial.py", "program.py", "main.py")
_IN_OTHER_LANGUAGES: Final = ("initial_program.*", "initial.*", "initial_prompt.*", "initial_content.*")
_EVALUATORS: Final = ("evaluator.py", "evaluate.py", "tests", "test.py")
_MARKER: Final = "EVOLVE-BLOCK-START"
_HEAD: Final = "Made of the files in this directory by `peagen-ray import`; run `peagen-ray evolve run` here."


@dataclass(frozen=True)
class Imported:
    """A workspace.

    Attributes:
        path: its file, written.
        program: the program's main file.
        files: its further ones, that have markers too.
        evaluator: the evaluator's file.
        kind: its convention.
        config: the configuration that was read; None if there is none.
        unmapped: what that says that means nothing here.
    """

    path: Path
    program: Path
    files: tuple[Path, ...]
    evaluator: Path
    kind: str
    config: Path | None
    unmapped: tuple[str, ...]


def import_task(directory: Path, *, force: bool = False, write: bool = True) -> Imported:
    """Find a task's files, and write a ``.peagen.toml`` beside them, unless it is only to be seen what there is.

    Raises:
        UsageError: there is no program or no evaluator in it, or there is such a file already.
        ConfigError: the task's configuration is wrong, or means what ours refuses.
    """
    if not directory.is_dir():
        raise UsageError("there is no such directory", subject=str(directory))
    target = directory / FILE_NAME
    if target.exists() and not force:
        raise UsageError("is there already", subject=str(target), hint="--force writes it anew")
    evaluator = _evaluator(directory)
    program, *others = _programs(directory, evaluator)
    config = _config(directory)
    translated = mapped(read_yaml(config) if config else {}, evaluator)
    kind = kind_of(evaluator)
    values: dict[str, Any] = {
        "mutate.target_file": program.name,
        "evaluate.evaluator": kind,
        "evaluate.file": evaluator.name,
        **({"evolve.files": [str(path.relative_to(directory)) for path in others]} if others else {}),
        **translated.values,
    }
    if write:
        _write(target, _text(values))
    return Imported(target, program, tuple(others), evaluator, kind, config, tuple(translated.unmapped))


def _write(target: Path, text: str) -> None:
    """Write the file, unless what it says would be refused; raises ConfigError or UsageError."""
    part = target.with_name(f"{FILE_NAME}.part")
    try:
        part.write_text(text, encoding="utf-8")
        load(part, environ={})
        part.replace(target)
    except OSError as error:
        raise UsageError(f"cannot be written: {error.strerror}", subject=str(target)) from error
    finally:
        part.unlink(missing_ok=True)


def _evaluator(directory: Path) -> Path:
    found = next((path for name in _EVALUATORS if (path := directory / name).exists()), None)
    if found is not None:
        return found
    raise UsageError(
        "has no evaluator",
        subject=str(directory),
        hint=f"looked for {', '.join(_EVALUATORS)}; name another one with evolve run --evaluator FILE",
    )


def _programs(directory: Path, evaluator: Path) -> Sequence[Path]:
    """The program's files, the main one first: a known name, else a file that has markers, else what is no Python."""
    marked = [path for path in _python(directory) if path != evaluator and _is_marked(path)]
    known = [directory / name for name in _PROGRAMS if (directory / name).is_file()]
    main = next((path for path in known if path in marked), known[0] if known else None)
    if main is None and marked:
        main = next((path for path in marked if path.parent == directory), None)
    if main is None:
        others = (path for name in _IN_OTHER_LANGUAGES for path in sorted(directory.glob(name)))
        main = next((path for path in others if path.is_file()), None)
    if main is None:
        names = ", ".join((*_PROGRAMS, *_IN_OTHER_LANGUAGES))
        raise UsageError(
            f"has no program: none of {names}, and no file there with {_MARKER}",
            subject=str(directory),
            hint="name it with evolve run --program FILE",
        )
    return [main, *(path for path in marked if path != main)]


def _python(directory: Path) -> Iterable[Path]:
    return sorted(path for path in directory.rglob("*.py") if not _is_output(path.relative_to(directory)))


def _is_output(path: Path) -> bool:
    """Whether a run wrote it, or it is hidden."""
    return any(part.startswith((".", "openevolve_output", "results")) for part in path.parts)


def _is_marked(path: Path) -> bool:
    try:
        return _MARKER in path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False


def _config(directory: Path) -> Path | None:
    named = [directory / "config.yaml", directory / "config.yml"]
    others = sorted([*directory.glob("*.yaml"), *directory.glob("*.yml")])
    return next((path for path in named if path.is_file()), others[0] if len(others) == 1 else None)


def _text(values: Mapping[str, Any]) -> str:
    """TOML: in each table what is no table comes first."""
    root: dict[str, Any] = {}
    for key, value in values.items():
        *path, name = key.split(".")
        table = root
        for part in path:
            table = table.setdefault(part, {})
        table[name] = value
    return f"# {_HEAD}\n\n{tomlkit.dumps(_ordered(root))}"


def _ordered(table: Mapping[str, Any]) -> dict[str, Any]:
    def is_table(value: Any) -> bool:
        return isinstance(value, dict) or (
            isinstance(value, list) and bool(value) and isinstance(value[0], dict)
        )

    ordered = sorted(table.items(), key=lambda item: is_table(item[1]))
    return {name: _ordered(value) if isinstance(value, dict) else value for name, value in ordered}
