"""The device nodes that lead to GPUs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from peagen_ray.errors import LackingLayer

_EVERY: Final = ("nvidia[0-9]*", "nvidiactl", "nvidia-uvm*", "dri", "kfd")
_OF_ALL: Final = ("nvidiactl", "nvidia-uvm*")
"""What a process needs for any of NVIDIA's GPUs, and what gives it none."""

_DEVICES: Final = Path("/dev")
_DRIVER: Final = Path("/proc/driver/nvidia/gpus")


def device_nodes(
    gpus: tuple[str, ...] | None, devices: Path = _DEVICES, driver: Path = _DRIVER
) -> tuple[str, ...]:
    """The paths of what a process has to open to use GPUs.

    Args:
        gpus: which ones, by index (in the order of their PCI bus ids) or UUID; None is all there are.
        devices: where device nodes are.
        driver: where the driver says which GPU is which; without it their numbers are their order.

    Raises:
        LackingLayer: a GPU is not there, or cannot be told from others, such as a part of one.
    """
    if gpus is None:
        return _glob(devices, _EVERY)
    if not gpus:
        return ()
    nodes = _nodes(devices, driver)
    if missing := [gpu for gpu in gpus if gpu not in nodes]:
        raise LackingLayer(
            f"no device node is known that leads to GPU {', '.join(missing)} and to no other",
            hint=f"known here: {', '.join(nodes) or 'none'}; whole GPUs of NVIDIA's, by index or UUID",
        )
    return (*dict.fromkeys(nodes[gpu] for gpu in gpus), *_glob(devices, _OF_ALL))


def _glob(devices: Path, patterns: Iterable[str]) -> tuple[str, ...]:
    return tuple(str(path) for pattern in patterns for path in sorted(devices.glob(pattern)))


def _nodes(devices: Path, driver: Path) -> dict[str, str]:
    """The node of each GPU that has one, by its index among those and by its UUID."""
    told = [_facts(path) for path in sorted(driver.glob("*/information"))]
    there = [facts for facts in told if (devices / f"nvidia{facts.get('Device Minor')}").exists()]
    if told:
        minors = [facts["Device Minor"] for facts in there]
    else:
        numbers = (path.name.removeprefix("nvidia") for path in devices.glob("nvidia[0-9]*"))
        minors = sorted(filter(str.isdecimal, numbers), key=int)
    nodes = {str(index): str(devices / f"nvidia{minor}") for index, minor in enumerate(minors)}
    uuids = {
        facts["GPU UUID"]: str(devices / f"nvidia{facts['Device Minor']}")
        for facts in there
        if "GPU UUID" in facts
    }
    return nodes | uuids


def _facts(information: Path) -> dict[str, str]:
    """Such as ``GPU UUID: 	 GPU-8f…``, one a line."""
    lines = (line.partition(":") for line in information.read_text(errors="replace").splitlines())
    return {name.strip(): value.strip() for name, _, value in lines}
