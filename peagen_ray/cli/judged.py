"""The options of ``evolve run`` for programs that an evaluator scores, and what they stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from peagen_ray.errors import UsageError

if TYPE_CHECKING:
    from peagen_ray.runtime.settings import RunRequest

_WINNER = Path("winner.py")


@dataclass
class Judged:
    """What the options stand for.

    Attributes:
        flags: of the configuration.
        notes: what the person should know before the run.
        best: where the best program goes; None where nobody asked for a place beside the run's directory.
    """

    flags: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    best: Path | None = None


def judged_flags(
    programs: Sequence[Path],
    evaluator: str | None,
    config: Path | None,
    iterations: int | None,
    out: Path | None,
    generation_size: int | None,
) -> Judged:
    """Read what lies on disk, and say it in the words of our configuration.

    Raises:
        UsageError: options that do not go together, or a file that cannot be read.
        ConfigError: the configuration of the other engine is wrong.
    """
    from peagen_ray.config.load import Flag
    from peagen_ray.runtime.other_engine import OUTPUT, kind_of, limits_of, mapped, read_yaml

    found = Judged()
    file = None
    if evaluator is not None:
        file = Path(evaluator)
        if file.exists():
            kind = kind_of(file)
            found.flags["evaluate.evaluator"] = Flag("--evaluator", kind)
            if kind == "command":
                found.flags["evaluate.command"] = Flag("--evaluator", [f"./{file.name}"])
            found.flags["evaluate.file"] = Flag("--evaluator", str(file))
        elif file.suffix or len(file.parts) > 1:
            raise UsageError("there is no such evaluator", subject=evaluator)
        else:
            found.flags["evaluate.evaluator"] = Flag("--evaluator", evaluator)
    if config is not None:
        translated = mapped(read_yaml(config), file)
        found.flags |= {key: Flag(f"-c {config}", value) for key, value in translated.values.items()}
        if translated.unmapped:
            found.notes = [f"not taken over from {config}:", *(f"  {line}" for line in translated.unmapped)]
    if iterations is not None:
        limits = limits_of(iterations, generation_size or 10)
        found.flags |= {key: Flag("-i", value) for key, value in limits.items()}
    if programs:
        main, *others = programs
        found.flags["mutate.target_file"] = Flag("--program", str(main))
        if others:
            found.flags["evolve.files"] = Flag("--program", [str(path) for path in others])
        found.best = main.parent / OUTPUT / "best"
    if out is not None:
        found.best = out / "best"
    return found


def with_output(request: RunRequest, judged: Judged, output: Path | None) -> RunRequest:
    """The request, with the places where its best program goes.

    Raises:
        UsageError: a program is named, and nothing that scores it.
    """
    if judged.best is not None and not request.judged:
        raise UsageError(
            "--program and -o are for a program that an evaluator scores, and none is named",
            hint="add --evaluator FILE; a function that is to be made faster is --target-file FILE",
        )
    if judged.best is not None:
        return replace(request, best=judged.best, output=output)
    return replace(request, output=output or _WINNER)
