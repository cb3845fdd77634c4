"""Loading plugins to see whether they load: in a process of its own, which a plugin may end or hold up as it likes.

Run as a module it is that process: it reads the registrations on standard input and writes a line for each.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any, Final

from peagen_ray.errors import PeagenError, PluginError
from peagen_ray.plugins import KINDS, Registration, load

PORTS: Final = {
    "handler": "peagen_ray.handler:TaskHandler",
    "queue": "peagen_ray.queues.base:TaskQueue",
    "backend": "peagen_ray.results.base:ResultBackend",
    "selector": "peagen_ray.evolution.selectors.base:ParentSelector",
    "mutator": "peagen_ray.evolution.mutators.base:Mutator",
    "evaluator": "peagen_ray.evolution.evaluator:Evaluator",
    "llm": "peagen_ray.llm.base:LLMBackend",
    "sandbox": "peagen_ray.sandbox.base:Sandbox",
}
"""By kind, the class that a plugin is to be a subclass of; a set of templates may be anything."""

PATIENCE_S: Final = 60.0
"""Seconds that plugins may take to load; one that takes them all is named, and the others get as many anew."""


def problems(registered: Sequence[Registration], patience_s: float = PATIENCE_S) -> list[str]:
    """For each registration why it cannot be used, "" where it can."""
    found: list[str] = []
    while len(found) < len(registered):
        rest = registered[len(found) :]
        told, ended = _attempt([(each.kind, each.name) for each in rest], patience_s)
        found += told
        if len(told) < len(rest):
            found.append(ended)
    return found


def port_of(kind: str, plugin: object) -> None:
    """Raises PluginError where a plugin is no subclass of its kind's port."""
    if kind not in PORTS:
        return
    module, _, name = PORTS[kind].partition(":")
    port = getattr(import_module(module), name)
    if not (isinstance(plugin, type) and issubclass(plugin, port)):
        raise PluginError(f"is no subclass of {module}.{name}", subject=f"{kind} {plugin!r}")


def _attempt(entries: list[tuple[str, str]], patience_s: float) -> tuple[list[str], str]:
    """What was told of each until the process ended, and how it ended."""
    asked = json.dumps({"path": sys.path, "entries": entries}).encode()
    command = [sys.executable, "-m", __name__]
    try:
        done = subprocess.run(
            command, input=asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=patience_s
        )
        said, ended = done.stdout, f"importing it ends the process (exit {done.returncode})"
    except subprocess.TimeoutExpired as late:
        said, ended = late.stdout or b"", f"importing it takes longer than {patience_s:g} s"
    return [json.loads(line) for line in said.splitlines()], ended


def _told(asked: dict[str, Any]) -> Iterator[str]:
    for kind, name in asked["entries"]:
        try:
            port_of(kind, load(KINDS[kind], name))
        except PeagenError as error:
            yield f"{error.what} ({error.hint})" if error.hint else error.what
        else:
            yield ""


def main() -> None:
    """Load what standard input names; whatever plugins print goes nowhere."""
    asked = json.load(sys.stdin)
    with os.fdopen(os.dup(1), "w") as told, open(os.devnull, "w") as nowhere:  # noqa: PTH123 - it is no file
        os.dup2(nowhere.fileno(), 1)
        sys.path[:] = asked["path"]
        for line in _told(asked):
            told.write(json.dumps(line) + "\n")
            told.flush()


if __name__ == "__main__":
    main()
