"""What sandboxes are made with in the tests: programs that have to be installed, and an image."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest

from peagen_ray.errors import SandboxError
from peagen_ray.sandbox.container import Container
from peagen_ray.sandbox.engine import Engine
from peagen_ray.testing.container_image import image


def missing(what: str) -> NoReturn:
    """Something to test against is not installed: a laptop goes without, CI does not."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"not installed: {what}")


def need(program: str) -> None:
    """Go on only if a program is installed."""
    if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin:/sbin") is None:
        missing(program)


@contextmanager
def made_container() -> Iterator[Container]:
    """What containers are made of in the tests: the interpreter that runs them."""
    try:
        engine = Engine.find()
    except SandboxError as error:
        missing(str(error))
    need("runc")
    _, most = resource.getrlimit(resource.RLIMIT_NPROC)
    processes = 4096 if most == resource.RLIM_INFINITY else min(4096, most)
    with image(engine) as name:
        # An engine's own default may be more than it is allowed to set.
        yield Container(name, engine_options=("--ulimit", f"nproc={processes}:{processes}"))
