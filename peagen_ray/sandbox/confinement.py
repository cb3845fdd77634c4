"""How the worker of the task that is being handled keeps untrusted code: what no task can change."""

from __future__ import annotations

from collections.abc import Collection

from peagen_ray.errors import ConfigError
from peagen_ray.handler import Confinement, current
from peagen_ray.launcher.jail.policy import Layer


def confinement_of(given: Confinement | None) -> Confinement:
    """What was given, else that of the worker; the strictest there is where there is none."""
    if given is not None:
        return given
    try:
        return current().confinement
    except LookupError:
        return Confinement()


def layers(names: Collection[str]) -> frozenset[Layer]:
    """The layers of those names; raises ConfigError."""
    known = {str(layer) for layer in Layer}
    for name in names:
        if name not in known:
            raise ConfigError(
                "is no layer of isolation",
                subject=f"[execute] require: {name}",
                hint=", ".join(sorted(known)),
            )
    return frozenset(map(Layer, names))
