"""peagen-ray: improve programs by evolution, on a laptop or on Ray."""

from importlib import import_module
from typing import Any, Final

from peagen_ray._version import __version__

_HOMES: Final = {
    "Result": "peagen_ray.task",
    "Run": "peagen_ray.runtime.recorded",
    "RunResult": "peagen_ray.runtime.result",
    "Status": "peagen_ray.task",
    "Task": "peagen_ray.task",
    "TaskKind": "peagen_ray.task",
    "evolve": "peagen_ray.runtime.embedding",
    "open_queue": "peagen_ray.runtime.embedding",
    "open_run": "peagen_ray.runtime.embedding",
    "submit": "peagen_ray.runtime.embedding",
}

__all__ = [
    "Result",
    "Run",
    "RunResult",
    "Status",
    "Task",
    "TaskKind",
    "__version__",
    "evolve",
    "open_queue",
    "open_run",
    "submit",
]


def __getattr__(name: str) -> Any:
    """What is asked for is imported then, so that importing the package costs next to nothing."""
    if name not in _HOMES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
