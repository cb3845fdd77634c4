"""What a guest gets of the GPUs that its task may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from peagen_ray.errors import SandboxUnavailable
from peagen_ray.handler import HandlerContext, handling
from peagen_ray.sandbox import gpus


@pytest.mark.parametrize(
    ("wish", "granted", "docker", "podman"),
    [
        ("all", None, ["all"], ["nvidia.com/gpu=all"]),
        ("all", ("1",), ["device=1"], ["nvidia.com/gpu=1"]),
        ("all", ("1", "3"), ['"device=1,3"'], ["nvidia.com/gpu=1", "nvidia.com/gpu=3"]),
        ("all", ("GPU-8f",), ["device=GPU-8f"], ["nvidia.com/gpu=GPU-8f"]),
        ("device=3", ("1", "3"), ["device=3"], ["nvidia.com/gpu=3"]),
        ('"device=0,3"', ("1", "3"), ["device=3"], ["nvidia.com/gpu=3"]),
        ("3,1", ("1", "3"), ['"device=1,3"'], ["nvidia.com/gpu=1", "nvidia.com/gpu=3"]),
        ("1", ("3", "1"), ["device=3"], ["nvidia.com/gpu=1"]),
        ("count=2", ("5", "6", "7"), ['"device=5,6"'], None),
        ("device=0", ("1",), None, None),
        ("2", ("1",), None, None),
        ("0", ("1",), None, None),
        ("all", (), None, None),
        ("", ("1",), None, None),
        ("device=1,capabilities=all", ("0",), None, None),
        ("all", ("1 --privileged",), None, None),
        ("-1", ("1",), None, None),
    ],
)
def test_a_wish_can_only_narrow_what_is_granted(
    wish: str, granted: tuple[str, ...] | None, docker: list[str] | None, podman: list[str] | None
) -> None:
    for expected, is_podman, word in ((docker, False, "--gpus"), (podman, True, "--device")):
        if expected is None:
            with pytest.raises(SandboxUnavailable, match="may use the GPUs"):
                gpus.options(wish, granted, podman=is_podman)
        else:
            words = gpus.options(wish, granted, podman=is_podman)
            assert list(words[::2]) == [word] * len(expected)
            assert list(words[1::2]) == expected


def test_without_a_task_nothing_is_restricted_and_nothing_told() -> None:
    assert gpus.granted() is None
    assert gpus.variables() == {}


def test_a_guest_is_told_of_its_own_gpus_by_the_numbers_that_they_have_there(tmp_path: Path) -> None:
    told = {"CUDA_VISIBLE_DEVICES": "5,7", "CUDA_DEVICE_ORDER": "PCI_BUS_ID", "PLANTED_KEY": "sk-1"}
    with handling(HandlerContext(tmp_path, environment=told, gpus=("5", "7"))):
        assert gpus.granted() == ("5", "7")
        assert gpus.variables() == {"CUDA_VISIBLE_DEVICES": "0,1", "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    with handling(HandlerContext(tmp_path, environment=told, gpus=())):
        assert gpus.variables()["CUDA_VISIBLE_DEVICES"] == ""
