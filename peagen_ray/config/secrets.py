"""Secrets: they come from the environment, when they are needed, and are kept nowhere."""

from __future__ import annotations

import os


def secret(variable: str) -> str | None:
    """What the environment variable holds; None if it is not set or empty."""
    return os.environ.get(variable) or None
