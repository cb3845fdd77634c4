"""What a run was made with: versions of the code and of what it stands on, and the machine."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Final

from peagen_ray._version import __version__
from peagen_ray.config.model import Config
from peagen_ray.errors import PluginError
from peagen_ray.plugins import Group, wheel

_PACKAGES: Final = ("hypothesis", "jinja2", "numpy", "pyarrow", "pydantic", "ray", "ribs", "sortedcontainers")
"""Packages whose version may change what a run does: they make inputs, prompts, cells and records."""

_PATIENCE_S: Final = 5.0


def made_with(config: Config, mutator: str) -> dict[str, dict[str, Any]]:
    """What a run in this process and working directory is made with.

    Args:
        config: the run's configuration.
        mutator: the mutator's name, ``auto`` resolved.

    Returns:
        ``versions``: ``peagen-ray``, ``python``, ``plugins`` (the wheel of each one in use), ``packages``, and the
        ``commit`` of the working directory, which ends in ``+`` where a file that git knows was changed, None without
        git; and ``machine``: ``architecture``, ``cpu``, ``cores`` that it may use, ``os``, ``kernel``.
    """
    versions = {
        "peagen-ray": __version__,
        "python": platform.python_version(),
        "plugins": dict(_plugins(config, mutator)),
        "packages": dict(_installed(_PACKAGES)),
        "commit": _commit(Path.cwd()),
    }
    machine = {
        "architecture": platform.machine(),
        "cpu": _cpu(),
        "cores": len(os.sched_getaffinity(0)),
        "os": _system(),
        "kernel": platform.release(),
    }
    return {"versions": versions, "machine": machine}


def changes(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs from what was recorded, as ``python 3.11.4, now 3.12.1``; what only one of them has is left out."""
    found = []
    for name, value in recorded.items():
        if isinstance(value, Mapping):
            found += changes(value, now.get(name, {}))
        elif name in now and value != now[name]:
            found.append(f"{name} {_word(value)}, now {_word(now[name])}")
    return found


def _word(value: object) -> str:
    return "none" if value is None else str(value)


def _plugins(config: Config, mutator: str) -> Iterator[tuple[str, str]]:
    chosen = [
        (Group.PARENT_SELECTORS, config.evolve.selector),
        (Group.MUTATORS, mutator),
        (Group.TASK_QUEUES, config.task_queue.provider),
        (Group.RESULT_BACKENDS, config.result_backend.provider),
        (Group.SANDBOXES, config.evolve.backend),
        *((Group.LLM_BACKENDS, each.adapter or each.name) for each in config.llm.backends),
    ]
    for group, name in chosen:
        with suppress(PluginError):  # such as the mutator patch, which is none
            yield f"{group} {name}", wheel(group, name)


def _installed(packages: Iterable[str]) -> Iterator[tuple[str, str]]:
    for name in packages:
        with suppress(PackageNotFoundError):
            yield name, version(name)


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return platform.system()


def _cpu() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() in {"model name", "Model"}:
                return value.strip()
    return platform.processor() or "unknown"


def _commit(workspace: Path) -> str | None:
    """The commit that is checked out there; None where there is none, or no git."""
    try:
        commit = _git(workspace, "rev-parse", "HEAD")
        changed = _git(workspace, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}+" if changed else commit


def _git(workspace: Path, *words: str) -> str:
    command = ["git", "--no-optional-locks", "-C", str(workspace), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=_PATIENCE_S)
    return done.stdout.strip()
