import gc
import os
import shutil
import socket

import pytest

from peagen_ray.launcher.scratch import ScratchPool, remove_tree, scratch_directory


def test_a_scratch_directory_is_empty_private_and_gone_afterwards(tmp_path):
    with scratch_directory(tmp_path, "some-") as scratch:
        assert scratch.parent == tmp_path
        assert scratch.name.startswith("some-")
        assert list(scratch.iterdir()) == []
        assert scratch.stat().st_mode & 0o777 == 0o700
        (scratch / "left").write_text("behind")
    assert list(tmp_path.iterdir()) == []


def test_two_scratch_directories_differ(tmp_path):
    with scratch_directory(tmp_path) as one, scratch_directory(tmp_path) as two:
        assert one != two


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_it_is_removed_whatever_ends_the_block(tmp_path, error):
    with pytest.raises(error), scratch_directory(tmp_path):
        raise error
    assert list(tmp_path.iterdir()) == []


def test_directories_without_permissions_are_removed(tmp_path):
    root = tmp_path / "root"
    inner = root / "a" / "b"
    inner.mkdir(parents=True)
    (inner / "file").touch(0o000)
    for directory in (inner, root / "a", root):
        directory.chmod(0o000)
    remove_tree(root)
    assert not root.exists()


def test_directories_deeper_than_any_path_may_be_long_are_removed(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    here = os.open(root, os.O_RDONLY)
    for _ in range(1200):
        os.mkdir("directory", dir_fd=here)
        deeper = os.open("directory", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(here)
    remove_tree(root)
    assert not root.exists()


def test_links_are_removed_and_not_followed(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    root = tmp_path / "root"
    (root / "sub").mkdir(parents=True)
    (root / "link").symlink_to(outside)
    (root / "sub" / "link").symlink_to(outside)
    (root / "dangling").symlink_to("nowhere")
    remove_tree(root)
    assert not root.exists()
    assert (outside / "kept").exists()


def test_what_is_no_file_is_removed_too(tmp_path):
    root = tmp_path / "root"
    root.mkdir()
    os.mkfifo(root / "fifo")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(root / "socket"))
    remove_tree(root)
    assert not root.exists()


def test_what_is_gone_already_is_no_error(tmp_path):
    remove_tree(tmp_path / "never")
    with scratch_directory(tmp_path) as scratch:
        scratch.rmdir()


def test_what_cannot_be_removed_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "file").touch()

    def refuse(path):
        raise PermissionError(1, "immutable")

    monkeypatch.setattr(type(tmp_path), "unlink", refuse)
    with pytest.raises(PermissionError):
        remove_tree(tmp_path)


def test_a_directory_that_is_empty_again_is_handed_out_once_more(tmp_path):
    pool = ScratchPool(tmp_path)
    with pool.directory() as one, pool.directory() as two:
        assert one != two
        assert one.stat().st_mode & 0o777 == 0o700
    with pool.directory() as again:
        assert again in (one, two)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "spoil",
    [
        lambda scratch: (scratch / "left").write_text("behind"),
        lambda scratch: (scratch / "left").symlink_to("/etc"),
        lambda scratch: scratch.chmod(0o755),
        lambda scratch: scratch.rmdir(),
        lambda scratch: (scratch.rmdir(), scratch.symlink_to("/etc")),
        lambda scratch: (scratch.rmdir(), scratch.write_text("a file")),
    ],
)
def test_nobody_is_given_what_another_has_left(tmp_path, spoil):
    pool = ScratchPool(tmp_path)
    with pool.directory() as spoilt:
        spoil(spoilt)
    assert list(tmp_path.iterdir()) == []
    with pool.directory() as fresh:
        assert list(fresh.iterdir()) == []
        assert fresh.stat().st_mode & 0o777 == 0o700


def test_the_directories_of_a_pool_go_with_it(tmp_path):
    pool = ScratchPool(tmp_path)
    with pool.directory():
        pass
    del pool
    gc.collect()
    assert list(tmp_path.iterdir()) == []


def test_a_pool_whose_root_is_gone_says_so(tmp_path):
    pool = ScratchPool(tmp_path / "root")
    with pytest.raises(OSError), pool.directory():
        pytest.fail("there is no directory")
    (tmp_path / "root").mkdir()
    with pool.directory() as scratch:
        shutil.rmtree(tmp_path / "root")
    assert not scratch.exists()
