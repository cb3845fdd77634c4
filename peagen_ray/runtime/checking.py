"""``plugin check``: the contract suite of an installed plugin's kind, run by pytest in a process of its own."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.etree import ElementTree as ET

from peagen_ray.errors import MissingExtra, PluginConflict, PluginError, PluginNotFound, UsageError
from peagen_ray.plugins import Registration, registrations
from peagen_ray.runtime.loading import PORTS, problems

_MODULE: Final = """\
import sys

sys.path[:] = {path!r}

from peagen_ray.testing.installed import suite

TestPlugin = suite({kind!r}, {name!r}, {url!r}, {tasks!r})
"""

_NAME: Final = "test_contract.py"
_REPORT: Final = "report.xml"

_PATIENCE_S: Final = 900.0
"""Seconds that a suite may take; the one of queues, with a real clock, is the longest."""


@dataclass(frozen=True)
class Checked:
    """What came of a check.

    Attributes:
        plugin: what was checked.
        passed: names of the tests that it passed.
        failed: those that it did not, with why.
        skipped: those that were not made, with why.
        said: all that pytest printed.
    """

    plugin: Registration
    passed: tuple[str, ...]
    failed: tuple[tuple[str, str], ...]
    skipped: tuple[tuple[str, str], ...]
    said: str

    @property
    def holds(self) -> bool:
        """Whether something was proved, and nothing refuted."""
        return bool(self.passed) and not self.failed


def find(name: str, kind: str | None = None) -> Registration:
    """The plugin of that name.

    Raises:
        PluginNotFound: no wheel registers it.
        PluginConflict: two wheels do.
        UsageError: there is one of each of several kinds.
    """
    found = [each for each in registrations() if each.name == name and kind in (None, each.kind)]
    kinds = sorted({each.kind for each in found})
    if not found:
        raise PluginNotFound(
            "no installed wheel registers it",
            subject=f"{kind or 'plugin'} {name!r}",
            hint="peagen-ray plugin list shows what is installed",
        )
    if len(kinds) > 1:
        hint = " or ".join(f"--kind {each}" for each in kinds)
        raise UsageError(f"is the name of a {' and of a '.join(kinds)}", subject=name, hint=hint)
    if len(found) > 1:
        wheels = " and by ".join(f"{each.wheel} {each.version}".strip() for each in found)
        raise PluginConflict(f"registered by {wheels}", subject=name, hint="uninstall all but one")
    return found[0]


def check(plugin: Registration, url: str = "", tasks: Path | None = None) -> Checked:
    """Run the suite of the plugin's kind over it.

    Args:
        plugin: what to check.
        url: where a queue or a result back-end keeps things.
        tasks: a file with tasks that a handler does well, in their wire form, one a line.

    Raises:
        PluginError: it does not load, or is no subclass of its port.
        UsageError: its kind has no suite, or what it is given is for another kind.
        MissingExtra: pytest is not installed.
    """
    _refuse_what_is_for_others(plugin, url, tasks)
    if importlib.util.find_spec("pytest") is None:
        raise MissingExtra("suites need pytest", subject="plugin check", hint="install peagen-ray[test]")
    (problem,) = problems([plugin])
    if problem:
        raise PluginError(
            problem, subject=f"{plugin.kind} {plugin.name!r} of {plugin.wheel} {plugin.version}".rstrip()
        )
    with tempfile.TemporaryDirectory(prefix="peagen-check-") as folder:
        root = Path(folder)
        given = "" if tasks is None else str(tasks.resolve())
        text = _MODULE.format(path=sys.path, kind=plugin.kind, name=plugin.name, url=url, tasks=given)
        (root / _NAME).write_text(text, encoding="utf-8")
        (root / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
        said = _run(root)
        report = root / _REPORT
        if not report.exists():
            raise PluginError(
                f"its suite did not come to its end: {said.strip()[-500:]}", subject=plugin.name
            )
        return _read(plugin, report, said)


def _run(root: Path) -> str:
    """Run the test module of a directory; what pytest printed."""
    command = [sys.executable, "-m", "pytest", "-q", "--tb=short", "-p", "no:cacheprovider", "--color=no"]
    command += ["--import-mode=importlib", f"--rootdir={root}", "-c", str(root / "pytest.ini")]
    command += [f"--junitxml={root / _REPORT}", str(root / _NAME)]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=_PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired as late:
        said = (late.stdout or b"").decode(errors="replace")
        raise PluginError(
            f"its suite takes longer than {_PATIENCE_S:g} s; the last of it: {said.strip()[-200:]}"
        ) from late
    return done.stdout.decode(errors="replace")


def _read(plugin: Registration, report: Path, said: str) -> Checked:
    passed: list[str] = []
    failed: list[tuple[str, str]] = []
    skipped: list[tuple[str, str]] = []
    for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
        name = case.get("name") or case.get("classname") or "the module"
        worst = [each for each in case if each.tag in {"failure", "error"}]
        if worst:
            failed.append((name, (worst[0].get("message") or "").strip().split("\n")[0]))
        elif (left := case.find("skipped")) is not None:
            skipped.append((name, left.get("message") or ""))
        else:
            passed.append(name)
    return Checked(plugin, tuple(passed), tuple(failed), tuple(skipped), said)


def _refuse_what_is_for_others(plugin: Registration, url: str, tasks: Path | None) -> None:
    if plugin.kind not in PORTS:
        raise UsageError(
            f"there is no contract suite for {plugin.kind}",
            subject=plugin.name,
            hint="peagen-ray plugin list says whether it loads",
        )
    if url and plugin.kind not in {"queue", "backend"}:
        raise UsageError("--url is for a queue or a backend", subject=f"{plugin.kind} {plugin.name}")
    if tasks is not None and plugin.kind != "handler":
        raise UsageError("--task is for a handler", subject=f"{plugin.kind} {plugin.name}")
    if tasks is not None and not tasks.is_file():
        raise UsageError("there is no such file", subject=str(tasks))
