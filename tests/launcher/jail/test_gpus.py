"""Device nodes: those of the GPUs that are granted, and of no other."""

from __future__ import annotations

from pathlib import Path

import pytest

from peagen_ray.errors import LackingLayer
from peagen_ray.launcher.jail.gpus import device_nodes

COMMON = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools")


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    devices = tmp_path / "dev"
    devices.mkdir()
    for name in (*COMMON, "nvidia0", "nvidia1", "nvidia3", "nvidia10", "nvidia-modeset", "kfd"):
        (devices / name).touch()
    (devices / "dri").mkdir()
    return devices


@pytest.fixture
def driver(tmp_path: Path) -> Path:
    """GPU 0 has the minor number 3, GPU 1 has 0, GPU 2 has 1; what has 7 is not ours to open."""
    driver = tmp_path / "gpus"
    minors = {"0000:04:00.0": 3, "0000:18:00.0": 7, "0000:3b:00.0": 0, "0001:01:00.0": 1}
    for bus, minor in minors.items():
        (driver / bus).mkdir(parents=True)
        text = f"Model: \t\t NVIDIA H100\nGPU UUID: \t GPU-{minor}a\nBus Location: \t {bus}\nDevice Minor: \t {minor}\n"
        (driver / bus / "information").write_text(text)
    return driver


def nodes(gpus: tuple[str, ...] | None, devices: Path, driver: Path) -> list[str]:
    found = device_nodes(gpus, devices, driver)
    assert all(Path(path).parent == devices for path in found)
    return [Path(path).name for path in found if Path(path).name not in COMMON]


def test_without_a_restriction_it_is_every_node(devices: Path, driver: Path) -> None:
    found = {"nvidia0", "nvidia1", "nvidia3", "nvidia10", "dri", "kfd"}
    assert set(nodes(None, devices, driver)) == found


@pytest.mark.parametrize(
    ("gpus", "expected"),
    [
        (("0",), ["nvidia3"]),
        (("1",), ["nvidia0"]),
        (("2", "0"), ["nvidia1", "nvidia3"]),
        (("GPU-0a",), ["nvidia0"]),
        (("1", "GPU-0a"), ["nvidia0"]),
    ],
)
def test_the_driver_says_which_node_is_which_gpu(
    devices: Path, driver: Path, gpus: tuple[str, ...], expected: list[str]
) -> None:
    assert nodes(gpus, devices, driver) == expected
    assert {Path(path).name for path in device_nodes(gpus, devices, driver)} >= set(COMMON)


@pytest.mark.parametrize(("gpu", "expected"), [("0", "nvidia0"), ("2", "nvidia3"), ("3", "nvidia10")])
def test_where_no_driver_speaks_their_order_is_that_of_their_numbers(
    devices: Path, tmp_path: Path, gpu: str, expected: str
) -> None:
    assert nodes((gpu,), devices, tmp_path / "nothing") == [expected]


def test_no_gpus_are_no_nodes_at_all(devices: Path, driver: Path) -> None:
    assert device_nodes((), devices, driver) == ()


@pytest.mark.parametrize("gpu", ["3", "7", "GPU-7a", "GPU-", "MIG-0a", "", "../null", "ctl", "-1"])
def test_a_gpu_that_is_not_there_or_only_a_part_of_one_is_refused(
    devices: Path, driver: Path, gpu: str
) -> None:
    with pytest.raises(LackingLayer, match="no device node"):
        device_nodes(("0", gpu), devices, driver)


@pytest.mark.parametrize(
    "text", [b"", b"\xff\xfe", b"Device Minor:\n", b"Device Minor: ../mem\n", b"no colon"]
)
def test_a_driver_that_speaks_otherwise_leads_nowhere_else(
    devices: Path, tmp_path: Path, text: bytes
) -> None:
    place = tmp_path / "odd" / "0000:01:00.0"
    place.mkdir(parents=True)
    (place / "information").write_bytes(text)
    with pytest.raises(LackingLayer):
        device_nodes(("0",), devices, tmp_path / "odd")
