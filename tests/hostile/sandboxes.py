"""The sandboxes that every liar is tried in: a name, and what makes one from a launcher. One more takes one more line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from engines import made_container

from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox.base import Sandbox
from peagen_ray.sandbox.bubblewrap import BubblewrapSandbox
from peagen_ray.sandbox.container import ContainerSandbox
from peagen_ray.sandbox.examination import Unconfined
from peagen_ray.sandbox.process import ProcessSandbox

Make = Callable[[Launcher], AbstractContextManager[Sandbox]]
"""Raises SandboxError where it is not to be had."""


@contextmanager
def _process(launcher: Launcher) -> Iterator[Sandbox]:
    yield ProcessSandbox(launcher)


@contextmanager
def _bubblewrap(launcher: Launcher) -> Iterator[Sandbox]:
    yield BubblewrapSandbox(launcher)


@contextmanager
def _container(launcher: Launcher) -> Iterator[Sandbox]:
    with made_container() as container:
        yield ContainerSandbox(launcher, container=container)


@contextmanager
def _none(launcher: Launcher) -> Iterator[Sandbox]:
    yield Unconfined(launcher)


SANDBOXES: Final[dict[str, Make]] = {
    "process": _process,
    "bubblewrap": _bubblewrap,
    "container": _container,
}

UNCONFINED: Final[dict[str, Make]] = {"none": _none}
"""No sandbox, to see that what the liars try can be done."""
