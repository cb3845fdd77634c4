"""What evaluators import of the engines that they were written for, for machines where these are not installed.

The directory goes to the end of an evaluation's path, so that the real packages come first where they are.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Final

PACKAGES: Final = ("openevolve", "shinka")
_HERE: Final = str(Path(__file__).parent)


def offer() -> None:
    """Let this process import them."""
    if _HERE not in sys.path:
        sys.path.append(_HERE)


def places() -> list[str]:
    """What goes on the path of another process, whose own packages come behind it: nothing if one is installed."""
    installed = [name for name in PACKAGES if importlib.util.find_spec(name) is not None]
    return [] if installed else [_HERE]
