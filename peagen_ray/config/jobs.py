"""Where Ray's job server is: a flag, then Ray's own environment variables, then this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from peagen_ray.errors import ConfigError

API: Final = "RAY_API_SERVER_ADDRESS"
CLUSTER: Final = "RAY_ADDRESS"
DEFAULT: Final = "http://127.0.0.1:8265"

_PORT: Final = 8265
_HINT: Final = "write http://HOST:8265, the address of the cluster's dashboard"


@dataclass(frozen=True)
class JobServerAddress:
    """An address, and who said so.

    Attributes:
        url: ``http://HOST:PORT`` or ``https://…``, without a slash at the end.
        origin: ``--address``, the name of a variable, or ``default``.
    """

    url: str
    origin: str


def job_server_address(flag: str | None, environ: Mapping[str, str] | None = None) -> JobServerAddress:
    """The job server's address.

    ``RAY_ADDRESS`` may be the address of the cluster itself, which Ray gives to its drivers: the job server is then
    looked for on that host, at port 8265.

    Raises:
        ConfigError: it is no address of a web server.
    """
    environ = os.environ if environ is None else environ
    if flag:
        return JobServerAddress(_url(flag, "--address"), "--address")
    if api := environ.get(API):
        return JobServerAddress(_url(api, API), API)
    cluster = environ.get(CLUSTER, "")
    if cluster in {"", "auto", "local"}:
        return JobServerAddress(DEFAULT, "default")
    if cluster.startswith(("http://", "https://")):
        return JobServerAddress(_url(cluster, CLUSTER), CLUSTER)
    host = _split(cluster if "://" in cluster else f"ray://{cluster}", CLUSTER)[0]
    return JobServerAddress(f"http://{host}:{_PORT}", CLUSTER)


@contextmanager
def only_address(url: str) -> Iterator[None]:
    """Within the block Ray's variables name that server: Ray puts them above what it is called with."""
    before = os.environ.get(API)
    os.environ[API] = url
    try:
        yield
    finally:
        if before is None:
            del os.environ[API]
        else:
            os.environ[API] = before


def _url(text: str, origin: str) -> str:
    whole = text if "://" in text else f"http://{text}"
    _split(whole, origin)
    if not whole.startswith(("http://", "https://")):
        raise ConfigError("the job server speaks HTTP only", subject=f"{origin} {text}", hint=_HINT)
    return whole.rstrip("/")


def _split(url: str, origin: str) -> tuple[str, int | None]:
    """Host and port; raises ConfigError."""
    try:
        parts = urlsplit(url)
        host, port, user = parts.hostname, parts.port, parts.username
    except ValueError as error:
        raise ConfigError(f"is no address: {error}", subject=f"{origin} {url}", hint=_HINT) from error
    if user is not None:
        raise ConfigError(
            "has a user or a password in it",
            subject=origin,
            hint="give Ray its token with RAY_AUTH_MODE=token and RAY_AUTH_TOKEN",
        )
    if not host:
        raise ConfigError("names no host", subject=f"{origin} {url}", hint=_HINT)
    return f"[{host}]" if ":" in host else host, port
