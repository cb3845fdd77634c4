"""Which devices the environment leaves to this process."""

from __future__ import annotations

import os
from typing import Final

_SAY: Final = (
    "CUDA_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
)


def devices_said() -> dict[str, str]:
    """The variables that restrict GPUs, as this process has them."""
    return {name: os.environ[name] for name in _SAY if name in os.environ}
