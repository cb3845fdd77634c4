"""Which GPUs a task may use, read from the variables that are set for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_OF_PROCESSES: Final = ("CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES")
_OF_CONTAINERS: Final = "NVIDIA_VISIBLE_DEVICES"

_NOTHING: Final = frozenset({"", "-1", "none", "void", "nodevfiles"})


def gpus_of(environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """The GPUs, by index or UUID; None if the variables restrict nothing.

    What a process is told counts before what its container sees. As CUDA does, whatever follows the
    first name of no GPU is passed over.
    """
    for name in _OF_PROCESSES:
        if name in environment:
            return _listed(environment[name])
    seen = environment.get(_OF_CONTAINERS, "all")
    return None if seen == "all" else _listed(seen)


def _listed(value: str) -> tuple[str, ...]:
    gpus: list[str] = []
    for gpu in map(str.strip, value.split(",")):
        if gpu.lower() in _NOTHING:
            break
        gpus.append(gpu)
    return tuple(dict.fromkeys(gpus))
