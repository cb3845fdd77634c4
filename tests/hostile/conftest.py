from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import scan
from host import Host
from judging import CHECKOUT, judging
from ordinary import judging_as_another

from peagen_ray.errors import SandboxError


@pytest.fixture(scope="session")
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    """The judge that is named ``sandbox-user``: ours, or root's ordinary user."""
    sandbox, _, user = request.param.rpartition("-")
    os.environ[scan.MARK] = str(os.getpid())
    # Not under /tmp, which is covered anyway.
    workspace = Path(tempfile.mkdtemp(prefix=".hostile-", dir=CHECKOUT))
    workspace.chmod(0o755)
    with ExitStack() as stack:
        stack.callback(os.environ.pop, scan.MARK)
        stack.callback(shutil.rmtree, workspace)
        start = judging_as_another if user == "ordinary" else judging
        try:
            judge = stack.enter_context(start(sandbox, workspace))
        except SandboxError as error:
            if "CI" in os.environ:
                raise
            pytest.skip(str(error))
        yield Host(judge, workspace)
