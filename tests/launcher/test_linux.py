import os
import signal
from pathlib import Path

import pytest

from peagen_ray.launcher import linux


@pytest.fixture
def family():
    """A child with two children of its own, named so that reading their status is not trivial."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        for _ in range(2):
            if os.fork() == 0:
                Path("/proc/self/comm").write_text("a) R 1 (b")
                os.write(writing, b".")
                signal.pause()
        signal.pause()
    os.close(writing)
    said = b""
    while len(said) < 2:
        said += os.read(reading, 2)
    os.close(reading)
    yield pid
    for process in (*linux.descendants(pid), pid):
        os.kill(process, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_children_are_found_by_list_and_by_scan_alike(family):
    listed = linux.children(family)
    assert len(listed) == 2
    assert sorted(linux._children_by_scan(family)) == sorted(linux._children_listed(family)) == sorted(listed)
    assert family in linux.own_children()()


def test_descendants_are_found_at_any_depth(family):
    assert set(linux.descendants(os.getpid())) >= {family, *linux.children(family)}


def test_a_process_that_is_gone_has_no_children():
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    assert linux._children_listed(pid) == linux._children_by_scan(pid) == linux.children(pid) == []


def test_a_kernel_that_lists_no_children_is_served_by_scanning(monkeypatch, family):
    monkeypatch.setattr(linux, "_HAS_CHILDREN", False)
    assert family in linux.own_children()()
    assert len(linux.children(family)) == 2


def test_a_refused_mount_says_where():
    with pytest.raises(OSError, match="mount /nowhere"):
        linux.mount("none", "/nowhere", "tmpfs")
