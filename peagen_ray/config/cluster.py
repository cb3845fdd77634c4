"""Where a Ray cluster is: what counts as its address."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from peagen_ray.errors import ConfigError

NAMESPACE: Final = "peagen"
"""Of every actor of ours."""

AUTO: Final = "auto"
"""The cluster of this machine, or of ``RAY_ADDRESS``."""

_CLIENT: Final = "ray"


def address_of(url: str) -> str:
    """What ``ray.init`` takes: ``auto``, ``HOST:PORT``, or ``ray://HOST:PORT`` for a Ray client server.

    Args:
        url: one of these, or "" or ``ray://`` for ``auto``.

    Raises:
        ConfigError: it is none of these.
    """
    parts = urlsplit(url if "://" in url else f"//{url}")
    if url in ("", "ray", AUTO) or (parts.scheme == _CLIENT and parts.netloc in ("", AUTO)):
        return AUTO
    try:
        known = parts.scheme in ("", _CLIENT) and parts.hostname and parts.port
    except ValueError:
        known = False
    if not known or parts.path.strip("/"):
        hint = "write ray://HOST:10001, HOST:6379, or auto"
        raise ConfigError("is no address of a Ray cluster", subject=url, hint=hint)
    return url
