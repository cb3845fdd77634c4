from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "sandbox"))
sys.path.insert(0, str(Path(__file__).parent))

import scan
from host import Host
from judging import CHECKOUT, judging
from ordinary import judging_as_another

from peagen_ray.errors import SandboxError


@contextmanager
def hosting(name: str) -> Iterator[Host]:
    """The host that is named ``sandbox-user``: ours, or root's ordinary user."""
    sandbox, _, user = name.rpartition("-")
    # Not under /tmp, which is covered anyway.
    workspace = Path(tempfile.mkdtemp(prefix=".hostile-", dir=CHECKOUT))
    workspace.chmod(0o755)
    try:
        start = judging_as_another if user == "ordinary" else judging
        with start(sandbox, workspace) as judge:
            yield Host(name, judge, workspace)
    finally:
        shutil.rmtree(workspace)


@pytest.fixture(scope="session")
def host_named() -> Iterator[Callable[[str], Host]]:
    """Hosts by name; one lives until another is asked for."""
    os.environ[scan.MARK] = str(os.getpid())
    with ExitStack() as stack:
        stack.callback(os.environ.pop, scan.MARK)
        living = stack.enter_context(ExitStack())
        known: dict[str, Host | str] = {}

        def find(name: str) -> Host:
            if name not in known:
                living.close()
                known.clear()
                try:
                    known[name] = living.enter_context(hosting(name))
                except SandboxError as error:
                    known[name] = str(error)
            found = known[name]
            if isinstance(found, Host):
                return found
            assert "CI" not in os.environ, found
            pytest.skip(found)

        yield find


@pytest.fixture
def host(request: pytest.FixtureRequest, host_named: Callable[[str], Host]) -> Host:
    """The host that is the test's parameter."""
    return host_named(request.param)
