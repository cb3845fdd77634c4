"""What holds for all tests.

What is marked ``nightly`` is left out, unless it is asked for by ``-m "nightly or not nightly"`` or by the environment
variable ``PEAGEN_NIGHTLY``, as ``make nightly`` does.
"""

from __future__ import annotations

import os
import signal
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

from peagen_ray._version import __version__

settings.register_profile("untimed", settings(), deadline=None)
settings.load_profile("untimed")  # nothing timed is asserted in a test

pytest.register_assert_rewrite("peagen_ray.testing")

# A shell's background job and nohup have these ignored, which every process that a test starts would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)


_LONGEST = ("ray", "hostile", "runtime", "cli")
"""Directories whose tests come first: processes that share the tests then end together."""
_TOGETHER = ("ray", "hostile")
"""Directories whose tests one process runs: one cluster serves them all, or they look for what is left on the machine."""


def _room(nodeid: str) -> str:
    """The directory below this one that a test lies in; "" for one that lies elsewhere."""
    first, *rest = nodeid.partition("::")[0].split("/")
    return rest[0] if first == Path(__file__).parent.name and len(rest) > 1 else ""


def pytest_configure(config: pytest.Config) -> None:
    """At night the deselection that is the default does not hold; a person's own does."""
    if "PEAGEN_NIGHTLY" in os.environ and config.option.markexpr == "not nightly":
        config.option.markexpr = ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first."""
    items.sort(key=lambda item: [_room(item.nodeid) != name for name in _LONGEST])


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Which tests stay together where processes share them: those of a file, which share fixtures, or of a directory."""
    from xdist.scheduler import LoadScopeScheduling

    class Rooms(LoadScopeScheduling):  # type: ignore[misc]
        def _split_scope(self, nodeid: str) -> str:
            room = _room(nodeid)
            return room if room in _TOGETHER else nodeid.partition("::")[0]

    config.option.loadscopereorder = False
    return Rooms(config, log)


@pytest.fixture
def own_wheel(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Our wheel's metadata as ``pyproject.toml`` has it, found before that of an older install; its directory."""
    root = tmp_path_factory.mktemp("own-wheel")
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text())["project"]
    info = root / f"peagen_ray-{__version__}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: peagen-ray\nVersion: {__version__}\n")
    groups = [
        "\n".join([f"[{group}]", *(f"{name} = {value}" for name, value in entries.items())])
        for group, entries in project["entry-points"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(groups))
    monkeypatch.syspath_prepend(str(root))
    return root


@pytest.fixture
def wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Install a wheel in a directory of its own: metadata, entry points of one group, and its module."""

    def install(
        name: str,
        entries: str,
        *,
        version: str = "1.0",
        module: str = "",
        group: str = "peagen.parent_selectors",
        metadata: str | None = None,
    ) -> Path:
        root = tmp_path / f"{name}-{version}-{len(list(tmp_path.iterdir()))}"
        info = root / f"{name}-{version}.dist-info"
        info.mkdir(parents=True)
        text = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" if metadata is None else metadata
        (info / "METADATA").write_text(text)
        (info / "entry_points.txt").write_text(f"[{group}]\n{entries}\n")
        (root / f"{name}_module.py").write_text(module)
        monkeypatch.syspath_prepend(str(root))
        monkeypatch.delitem(sys.modules, f"{name}_module", raising=False)
        return root

    return install
