"""The command line: ``peagen-ray``, and the same program as ``peagen``."""

from __future__ import annotations

import sys
from typing import NoReturn

__all__ = ["main"]


def main() -> NoReturn:
    """Run the program on the process's own arguments and leave with its exit code."""
    from peagen_ray.cli.boundary import run
    from peagen_ray.cli.script import scripts_directory, words_once

    said = words_once(scripts_directory())
    if said:
        sys.stderr.write(f"Note: {said}\n")
    sys.exit(run(sys.argv[1:]))
