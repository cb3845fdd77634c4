"""The shipped suite over every LLM back-end."""

from __future__ import annotations

import pytest

from peagen_ray.config.model import LLMBackend as BackendTable
from peagen_ray.llm.anthropic import AnthropicBackend
from peagen_ray.llm.base import LLMBackend
from peagen_ray.llm.openai import GroqBackend, LocalBackend, OpenAIBackend
from peagen_ray.testing.llm_server import LLMServer
from peagen_ray.testing.llm_suite import KEY, LLMBackendSuite, MakeBackend


class _OfOpenAI(LLMBackendSuite):
    kind: type[LLMBackend]

    @pytest.fixture
    def make_backend(self) -> MakeBackend:
        def make(server: LLMServer) -> LLMBackend:
            return self.kind(BackendTable(name="it", model="m-1", base_url=server.url), KEY)

        return make


class TestOpenAI(_OfOpenAI):
    kind = OpenAIBackend


class TestGroq(_OfOpenAI):
    kind = GroqBackend


class TestLocal(_OfOpenAI):
    kind = LocalBackend


class TestAnthropic(LLMBackendSuite):
    @pytest.fixture
    def make_backend(self) -> MakeBackend:
        def make(server: LLMServer) -> LLMBackend:
            return AnthropicBackend(BackendTable(name="it", model="m-1", base_url=server.origin), KEY)

        return make
