"""Sandbox bubblewrap: what it shows of the host, for root and for others, and what it says when it cannot start."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import pytest
from engines import need
from programs import EVALUATE, LIMITS, load, value

from peagen_ray.errors import LaunchError, SandboxError
from peagen_ray.handler import Confinement
from peagen_ray.launcher.client import Launcher
from peagen_ray.sandbox.base import Profile
from peagen_ray.sandbox.bubblewrap import BubblewrapSandbox
from peagen_ray.sandbox.interpreter import Interpreter, site_packages
from peagen_ray.sandbox.layers import ENCLOSED


def test_an_ordinary_user_has_the_same(launcher: Launcher) -> None:
    need("bwrap")
    if os.geteuid() != 0:
        pytest.skip("every other test here is that of an ordinary user already")
    script = Path(__file__).with_name("ordinary_user.py")
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=120, env=environment
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["ids"] == [65534] * 6
    assert set(told["layers"]) >= ENCLOSED
    assert told["made"] == 32 << 20
    assert 30_000 < told["peak_kb"] < 40_000
    assert told["cpu_ns"] > 0


@pytest.mark.skipif(os.geteuid() != 0, reason="another user is nobody in there")
def test_guests_of_root_are_users_that_do_not_exist_each_another_one(bubblewrap: BubblewrapSandbox) -> None:
    with load(bubblewrap, EVALUATE) as one, load(bubblewrap, EVALUATE) as other:
        users = {value(guest, "os.getresuid()") for guest in (one, other)}
    assert len(users) == 2
    assert all(len(set(user)) == 1 and user[0] > 0x7000_0000 for user in users)


def test_nothing_is_to_be_seen_but_pythons_own_libraries(bubblewrap: BubblewrapSandbox) -> None:
    standard = sysconfig.get_path("stdlib")
    with load(bubblewrap, EVALUATE) as guest:
        assert value(guest, f"os.path.exists({standard + '/os.py'!r})")
        assert value(guest, "os.path.exists('/proc')") is False
        assert value(guest, "os.path.exists('/etc')") is False
        for device in ("mem", "kmsg", "tty", "ptmx", "shm", "sda", "fd", "stdin"):
            assert value(guest, f"os.path.lexists('/dev/{device}')") is False
        for place in Interpreter.running().hidden:
            assert value(guest, f"os.listdir({str(place)!r})") == []


def test_packages_of_a_virtual_environment_can_be_imported_and_not_changed(
    launcher: Launcher, bubblewrap: BubblewrapSandbox, venv: Path
) -> None:
    with load(BubblewrapSandbox(launcher, confinement=Confinement(venv=str(venv))), EVALUATE) as guest:
        assert value(guest, "__import__('grown').WEIGHT") == 7
        assert value(guest, f"os.access({site_packages(venv)[0]!r}, os.W_OK)") is False
    with load(bubblewrap, EVALUATE) as guest:
        assert value(guest, "__import__('importlib.util').util.find_spec('grown')") is None


def test_a_directory_that_is_no_virtual_environment_is_refused(launcher: Launcher, tmp_path: Path) -> None:
    need("bwrap")
    with pytest.raises(SandboxError, match="is no virtual environment"):
        BubblewrapSandbox(launcher, confinement=Confinement(venv=str(tmp_path))).start(LIMITS)


def test_it_has_no_way_to_a_gpu(bubblewrap: BubblewrapSandbox) -> None:
    with pytest.raises(SandboxError, match="no way to a GPU"):
        bubblewrap.start(LIMITS, Profile.GPU)


def test_where_it_is_not_installed_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(SandboxError, match="bwrap is not installed") as refused:
        BubblewrapSandbox()
    assert "apt-get install bubblewrap" in refused.value.hint


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("echo 'bwrap: No permissions to create new namespace' >&2; exit 1", "No permissions to create"),
        ("exit 7", "exit 7"),
        ("printf '\\017no room in /tmp\\n' >&2; exit 1", "no guest was started: no room in /tmp"),
        ("printf '\\377\\377\\377\\377' >&3; sleep 600", "is the limit"),
        ("printf '\\0\\0\\0\\3abc' >&3; sleep 600", "Expecting value"),
    ],
)
def test_when_no_guest_comes_of_it_it_says_why_and_leaves_nothing(
    launcher: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/usr/bin/bwrap")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    sandbox = BubblewrapSandbox(launcher)
    monkeypatch.setattr(sandbox, "_command", lambda *_: ("/bin/sh", "-c", script))
    with pytest.raises(SandboxError, match="no guest was started") as failed:
        sandbox.start(LIMITS)
    assert reason in failed.value.what
    assert list(tmp_path.iterdir()) == []


def test_a_guest_that_is_not_shut_in_is_ended(
    launcher: Launcher, bubblewrap: BubblewrapSandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def bare(pid: int) -> frozenset[str]:
        seen.append(pid)
        return frozenset(ENCLOSED - {"seccomp"})

    monkeypatch.setattr("peagen_ray.sandbox.bubblewrap.observe", bare)
    with pytest.raises(SandboxError, match="not run without seccomp"):
        bubblewrap.start(LIMITS)
    assert not Path(f"/proc/{seen[0]}").exists()


def test_without_a_launcher_nothing_starts_and_nothing_is_left(
    bubblewrap: BubblewrapSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Gone:
        def spawn(self, _: Any) -> Any:
            raise LaunchError("the launcher is gone", hint="start another")

    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    launcher: Any = Gone()
    with pytest.raises(SandboxError, match="the launcher is gone"):
        BubblewrapSandbox(launcher).start(LIMITS)
    assert list(tmp_path.iterdir()) == []
