"""The GPUs of a guest: what the task that is being handled may use, and no more."""

from __future__ import annotations

import re
from typing import Final

from peagen_ray.errors import SandboxUnavailable
from peagen_ray.handler import current

_VISIBLE: Final = "CUDA_VISIBLE_DEVICES"
_PREFIX: Final = "CUDA_"
_COUNT = re.compile(r"(?:count=)?([0-9]+)")
_NAME = re.compile(r"[\w:.-]+")


def granted() -> tuple[str, ...] | None:
    """The GPUs that the task may use; None is no restriction, and so is having no task."""
    try:
        return current().gpus
    except LookupError:
        return None


def variables() -> dict[str, str]:
    """What a guest that sees the device nodes of those GPUs alone is told of them.

    CUDA counts what it can open, from 0: the numbers that the task was told are none of the guest's.
    """
    try:
        context = current()
    except LookupError:
        return {}
    told = {name: value for name, value in context.environment.items() if name.startswith(_PREFIX)}
    if context.gpus is not None:
        told[_VISIBLE] = ",".join(map(str, range(len(context.gpus))))
    return told


def options(wish: str, gpus: tuple[str, ...] | None, *, podman: bool) -> tuple[str, ...]:
    """The words of an engine's ``run`` that give GPUs to a container, which are counted from 0 there.

    Args:
        wish: what the task asks for, as the engine names it.
        gpus: what it may use; None is no restriction.
        podman: whether the engine is podman, else docker.

    Raises:
        SandboxUnavailable: it may use none of what it asks for.
    """
    if gpus is None:
        return ("--device", f"nvidia.com/gpu={wish}") if podman else ("--gpus", wish)
    names = narrowed(wish, gpus, counts=not podman)
    if podman:
        return tuple(word for name in names for word in ("--device", f"nvidia.com/gpu={name}"))
    devices = f"device={','.join(names)}"
    # Docker reads the value as a line of CSV, in which a comma would end the field.
    return ("--gpus", f'"{devices}"' if len(names) > 1 else devices)


def narrowed(wish: str, gpus: tuple[str, ...], *, counts: bool) -> tuple[str, ...]:
    """Those of the GPUs that a wish asks for: ``all``, names, ``device=`` and names, or how many.

    Args:
        wish: what is asked for.
        gpus: what may be used, by index or UUID.
        counts: whether a number is how many, as docker has it, and not a name.

    Raises:
        SandboxUnavailable: those are none, or fewer than so many, or the wish is of another form.
    """
    count = _COUNT.fullmatch(wish) if counts else None
    if wish == "all":
        chosen = gpus
    elif count:
        chosen = gpus[: int(count[1])] if int(count[1]) <= len(gpus) else ()
    else:
        names = wish.strip('"').removeprefix("device=").split(",")
        chosen = tuple(gpu for gpu in gpus if gpu in names)
    if not chosen or not all(map(_NAME.fullmatch, chosen)):
        raise SandboxUnavailable(
            f"the task may use the GPUs {', '.join(gpus) or 'none'}",
            subject=f"GPUs {wish!r}",
            hint='ask for "all", which is all of those: [execute.container] gpus',
        )
    return chosen
