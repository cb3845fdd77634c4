"""A scripted language model behind real HTTP, in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


@contextmanager
def scripted(answers: Iterable[str], delay_s: float) -> Iterator[str]:
    """The address of a server that gives these answers in turn, each after so many seconds."""
    replies = [word for text in answers for word in ("--reply", text)]
    command = [sys.executable, "-m", "peagen_ray.testing.llm_server", "--delay", str(delay_s), *replies]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        found = re.search(r"http://\S+/v1", server.stdout.readline())
        assert found is not None
        yield found[0]
    finally:
        server.terminate()
        server.wait()
