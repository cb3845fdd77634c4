"""Back-ends of a scripted server."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint

import pytest

from peagen_ray import plugins
from peagen_ray.config.model import LLMBackend as BackendTable
from peagen_ray.llm.base import LLMBackend
from peagen_ray.llm.opening import open_backend
from peagen_ray.testing.llm_server import LLMServer

KEY = "sk-planted-0123456789abcdef"
OURS = {
    "openai": "peagen_ray.llm.openai:OpenAIBackend",
    "groq": "peagen_ray.llm.openai:GroqBackend",
    "local": "peagen_ray.llm.openai:LocalBackend",
    "anthropic": "peagen_ray.llm.anthropic:AnthropicBackend",
}


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The adapters are registered, whether or not the wheel that is installed says so."""
    ours = tuple(EntryPoint(name, value, "peagen.llm_backends") for name, value in OURS.items())
    real = plugins._installed
    monkeypatch.setattr(
        plugins,
        "_installed",
        lambda group, path: ours if group == "peagen.llm_backends" else real(group, path),
    )


@pytest.fixture(params=["openai", "anthropic"])
def protocol(request: pytest.FixtureRequest) -> str:
    """Each protocol."""
    return str(request.param)


Opener = Callable[..., LLMBackend]


@pytest.fixture
def opened() -> Opener:
    """Opens a back-end of a server, with a key."""

    def open_(server: LLMServer, protocol: str = "openai", **settings: object) -> LLMBackend:
        base = server.origin if protocol == "anthropic" else server.url
        table = BackendTable.model_validate(
            {"name": protocol, "model": "m-1", "base_url": base, "api_key_env": "A_KEY", **settings}
        )
        return open_backend(table, {"A_KEY": KEY}.get)

    return open_
