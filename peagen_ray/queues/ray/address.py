"""Whether a Ray cluster is where it should be."""

from __future__ import annotations

import socket
from typing import Final
from urllib.parse import urlsplit

from peagen_ray.config.cluster import AUTO

_PROBE_S: Final = 3.0


def listening(address: str) -> str:
    """The address, once something listens there: Ray itself asks for minutes, and then exits.

    ``auto`` stays what it is: Ray takes up the token of a cluster of this machine for that alone.

    Args:
        address: what :func:`peagen_ray.config.cluster.address_of` gave.

    Raises:
        ConnectionError: nothing listens, or ``auto`` names no cluster; with the reason.
    """
    where = _found() if address == AUTO else address
    parts = urlsplit(where if "://" in where else f"//{where}")
    try:
        with socket.create_connection((parts.hostname or "", parts.port or 0), _PROBE_S):
            return address
    except OSError as error:
        msg = f"nothing listens at {parts.netloc}: {error}"
        raise ConnectionError(msg) from error


def _found() -> str:
    from ray._private.services import get_ray_address_from_environment

    try:
        found: str = get_ray_address_from_environment(AUTO, None)
    except ConnectionError as error:
        msg = "no Ray cluster runs on this machine, and RAY_ADDRESS names none"
        raise ConnectionError(msg) from error
    return found
