"""The contract of every LLM back-end, as a test suite over real HTTP.

Prove an adapter that speaks OpenAI's or Anthropic's protocol by subclassing::

    class TestMyBackend(LLMBackendSuite):
        @pytest.fixture
        def make_backend(self):
            return lambda server: MyBackend(BackendTable(name="mine", model="m", base_url=server.url), KEY)

One of another protocol overrides ``serve`` as well, with a server that takes the same script.
"""
# ruff: noqa: D102 -- the names of the tests say what they prove

from __future__ import annotations

import asyncio
import pickle
import traceback
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final, TypeVar

import pytest

from peagen_ray.errors import (
    BadAnswer,
    KeyRefused,
    LLMError,
    LLMTimeout,
    LLMUnavailable,
    PromptRefused,
    RateLimited,
    UnknownModel,
)
from peagen_ray.llm.base import Completion, FinishReason, LLMBackend, Prompt
from peagen_ray.testing.llm_server import LLMServer, Received, Reply

KEY: Final = "sk-planted-0123456789abcdef"
"""The key to open a back-end with."""

T = TypeVar("T")
MakeBackend = Callable[[LLMServer], LLMBackend]

_STATUSES: Final[dict[int, type[LLMError]]] = {
    400: PromptRefused,
    401: KeyRefused,
    403: KeyRefused,
    404: UnknownModel,
    429: RateLimited,
    500: LLMUnavailable,
    503: LLMUnavailable,
}


class LLMBackendSuite:
    """Guarantees of every back-end; ``make_backend(server)`` opens one at the server, with :data:`KEY`."""

    def serve(self, script: Iterable[Reply | str] | Callable[[Received], Reply | str]) -> LLMServer:
        """A server with that script, not started."""
        return LLMServer(script)

    def asked(
        self, make_backend: MakeBackend, server: LLMServer, work: Callable[[LLMBackend], Awaitable[T]]
    ) -> T:
        """What comes of working with a back-end of that server, in an event loop of its own."""

        async def run() -> T:
            async with make_backend(server) as backend:
                return await work(backend)

        return asyncio.run(run())

    def answer(self, make_backend: MakeBackend, *script: Reply | str, **options: Any) -> Completion:
        """The answer of a server with that script."""
        with self.serve(script) as server:
            return self.asked(make_backend, server, lambda it: it.generate(Prompt("faster"), **options))

    def failure(self, make_backend: MakeBackend, *script: Reply | str, **options: Any) -> LLMError:
        """The error of a server with that script."""
        with pytest.raises(LLMError) as caught:
            self.answer(make_backend, *script, **options)
        return caught.value

    def test_an_answer_comes_with_what_it_took(self, make_backend: MakeBackend) -> None:
        found = self.answer(make_backend, Reply("def f(): ...", tokens_in=11, tokens_out=7))
        assert (found.text, found.tokens_in, found.tokens_out) == ("def f(): ...", 11, 7)
        assert found.finish_reason is FinishReason.STOP
        assert found.latency_s > 0
        assert found.model
        assert found.backend

    def test_what_it_took_is_none_where_nobody_says(self, make_backend: MakeBackend) -> None:
        found = self.answer(make_backend, Reply(usage=False))
        assert (found.text, found.tokens_in, found.tokens_out) == ("ok", None, None)

    def test_both_texts_and_the_limit_arrive(self, make_backend: MakeBackend) -> None:
        with self.serve(["x" * 100]) as server:
            prompt = Prompt("fäster 🐇", "be brief")
            found = self.asked(
                make_backend, server, lambda it: it.generate(prompt, model="m-9", max_tokens=5)
            )
        (request,) = server.requests
        assert request.prompt == "be brief\nfäster 🐇"
        assert request.body["model"] == "m-9"
        assert (found.text, found.finish_reason) == ("x" * 20, FinishReason.LENGTH)

    @pytest.mark.parametrize("status", sorted(_STATUSES))
    def test_a_status_is_the_error_that_it_means_and_is_asked_once(
        self, make_backend: MakeBackend, status: int
    ) -> None:
        with (
            self.serve([Reply("because", status=status)]) as server,
            pytest.raises(_STATUSES[status]) as caught,
        ):
            self.asked(make_backend, server, lambda it: it.generate(Prompt("faster")))
        assert caught.value.status == status
        assert caught.value.retryable == (status in (429, 500, 503))
        assert len(server.requests) == 1

    def test_the_time_to_wait_is_told(self, make_backend: MakeBackend) -> None:
        error = self.failure(make_backend, Reply(status=429, retry_after=7))
        assert isinstance(error, RateLimited)
        assert error.retry_after == 7.0

    @pytest.mark.parametrize("body", [b"", b"<html></html>", b"{}", b"null", b"\xff"])
    def test_what_is_no_answer_is_an_error_that_may_have_cost_tokens(
        self, make_backend: MakeBackend, body: bytes
    ) -> None:
        error = self.failure(make_backend, Reply(body=body))
        assert isinstance(error, BadAnswer)
        assert error.billed

    def test_a_connection_that_breaks_may_have_cost_tokens(self, make_backend: MakeBackend) -> None:
        error = self.failure(make_backend, Reply(cut=10))
        assert isinstance(error, LLMUnavailable)
        assert error.billed

    def test_a_server_that_is_away_costs_nothing(self, make_backend: MakeBackend) -> None:
        with self.serve([]) as server:
            pass
        with pytest.raises(LLMUnavailable) as caught:
            self.asked(make_backend, server, lambda it: it.generate(Prompt("faster")))
        assert not caught.value.billed

    @pytest.mark.parametrize("reply", [Reply(hang=True), Reply(drip=True)], ids=["hang", "drip"])
    def test_the_time_is_kept_to_whatever_the_server_does(
        self, make_backend: MakeBackend, reply: Reply
    ) -> None:
        error = self.failure(make_backend, reply, timeout=0.3)
        assert isinstance(error, LLMTimeout)
        assert error.billed

    def test_cancelling_a_call_closes_its_connection(self, make_backend: MakeBackend) -> None:
        with self.serve([Reply(hang=True)]) as server:

            async def cancelled(backend: LLMBackend) -> None:
                call = asyncio.ensure_future(backend.generate(Prompt("faster")))
                await asyncio.to_thread(server.wait_for, 1)
                call.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await call

            self.asked(make_backend, server, cancelled)
            server.wait_abandoned(1)

    def test_many_calls_run_at_a_time(self, make_backend: MakeBackend) -> None:
        async def many(backend: LLMBackend) -> list[Completion]:
            return await asyncio.gather(*(backend.generate(Prompt(str(n))) for n in range(20)))

        with self.serve(lambda request: Reply(request.prompt)) as server:
            found = self.asked(make_backend, server, many)
        assert [each.text for each in found] == [str(n) for n in range(20)]

    def test_the_key_is_in_no_error_and_no_representation(self, make_backend: MakeBackend) -> None:
        said = f"you sent {KEY}"
        for reply in (Reply(said, status=401), Reply(said, status=500), Reply(body=said.encode())):
            error = self.failure(make_backend, reply)
            texts = [str(error), repr(error), repr(vars(error)), *traceback.format_exception(error)]
            texts += [repr(error.__cause__), repr(error.__context__), pickle.dumps(error).decode("latin-1")]
            assert KEY not in "\n".join(texts)
        assert KEY not in repr(self.answer(make_backend, said))

    def test_a_back_end_shows_no_key_and_cannot_be_pickled(self, make_backend: MakeBackend) -> None:
        with self.serve([]) as server:
            backend = make_backend(server)
        assert KEY not in repr(backend)
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(backend)
