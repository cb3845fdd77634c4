"""Each adapter over real HTTP: what is sent, what is understood, and what becomes of everything else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
import subprocess
import sys
import threading
from typing import Any

import pytest
import trustme

from peagen_ray import plugins
from peagen_ray.config.model import LLMBackend as BackendTable
from peagen_ray.errors import (
    BadAnswer,
    ConfigError,
    KeyRefused,
    LLMError,
    LLMUnavailable,
    MissingExtra,
    PluginError,
    PluginNotFound,
    PromptRefused,
    RateLimited,
    UnknownModel,
)
from peagen_ray.llm.base import Completion, FinishReason, LLMBackend, Prompt
from peagen_ray.llm.opening import key_variable, open_backend, price
from peagen_ray.testing.llm_server import LLMServer, Reply

PROMPT = Prompt("make it fast", system="be brief")
KEY = "sk-planted-0123456789abcdef"


def ask(backend: LLMBackend, prompt: Prompt = PROMPT, **options: Any) -> Completion:
    async def run() -> Completion:
        async with backend:
            return await backend.generate(prompt, **options)

    return asyncio.run(run())


def failing(backend: LLMBackend, **options: Any) -> LLMError:
    with pytest.raises(LLMError) as caught:
        ask(backend, **options)
    return caught.value


def test_an_answer_comes_with_its_usage(opened: Any, protocol: str) -> None:
    with LLMServer([Reply("def f(): ...", tokens_in=11, tokens_out=7)]) as server:
        answer = ask(opened(server, protocol), temperature=0.3, max_tokens=99)
    assert (answer.text, answer.tokens_in, answer.tokens_out) == ("def f(): ...", 11, 7)
    assert (answer.backend, answer.model, answer.finish_reason) == (protocol, "m-1", FinishReason.STOP)
    assert answer.latency_s > 0


def test_the_request_says_what_was_asked(opened: Any, protocol: str) -> None:
    with LLMServer() as server:
        ask(opened(server, protocol), model="m-2", temperature=0.3, max_tokens=99)
    (request,) = server.requests
    assert request.prompt == "be brief\nmake it fast"
    assert (request.body["model"], request.body["max_tokens"]) == ("m-2", 99)
    assert request.body.get("temperature") == (0.3 if protocol == "openai" else None)
    assert request.headers["authorization"] == f"Bearer {KEY}"


def test_nothing_of_the_environment_leaves_but_the_key_that_was_named(
    opened: Any, protocol: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in (
        "OPENAI_API_KEY", "OPENAI_ADMIN_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "ANTHROPIC_API_KEY",
        "ANTHROPIC_AUTH_TOKEN", "GROQ_API_KEY",
    ):  # fmt: skip
        monkeypatch.setenv(variable, "ambient-secret")
    for prefix in ("OPENAI", "ANTHROPIC"):
        monkeypatch.setenv(
            f"{prefix}_CUSTOM_HEADERS", "Authorization: ambient-secret\nX-Extra: ambient-secret"
        )
        monkeypatch.setenv(f"{prefix}_BASE_URL", "http://127.0.0.1:9/ambient-secret")
    with LLMServer() as server:
        ask(opened(server, protocol))
    (request,) = server.requests
    assert "ambient-secret" not in repr(request)
    assert KEY in request.headers["authorization"]
    known = {
        "host", "accept", "accept-encoding", "connection", "user-agent", "content-type", "content-length",
        "authorization", "anthropic-version", "x-stainless-raw-response",
    }  # fmt: skip
    assert set(request.headers) <= known


def test_a_local_server_gets_no_key_and_its_first_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "ambient-secret")
    with LLMServer(models=("qwen", "other")) as server:
        backend = open_backend(BackendTable(name="local", base_url=server.url))
        ask(backend)
        answer = ask(backend)
    assert answer.model == "qwen"
    for request in server.requests:
        assert request.body["model"] == "qwen"
        assert "authorization" not in request.headers


def test_a_local_server_that_lists_no_model_is_told_so() -> None:
    with LLMServer(models=()) as server:
        error = failing(open_backend(BackendTable(name="local", base_url=server.url)))
    assert isinstance(error, UnknownModel)
    assert "name one as model" in str(error)


def test_a_back_end_of_ones_own_name_says_its_adapter() -> None:
    with LLMServer() as server:
        table = BackendTable(name="cheap", adapter="local", model="m", base_url=server.url)
        assert ask(open_backend(table)).backend == "cheap"


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", FinishReason.STOP),
        ("length", FinishReason.LENGTH),
        ("content_filter", FinishReason.REFUSAL),
        ("tool_calls", FinishReason.OTHER),
    ],
)
def test_why_an_answer_ends_is_told(opened: Any, protocol: str, finish: str, reason: FinishReason) -> None:
    with LLMServer([Reply("half an ans", finish=finish)]) as server:
        answer = ask(opened(server, protocol))
    assert (answer.finish_reason, answer.text) == (reason, "half an ans")


def test_half_a_surrogate_in_a_prompt_can_be_sent(opened: Any, protocol: str) -> None:
    with LLMServer() as server:
        ask(opened(server, protocol), Prompt("a\ud800b", "\udfff"))
    assert server.requests[0].prompt == "?\na?b"


@pytest.mark.parametrize("value", [-1, 1.5, "7", True, None, [], 10**30])
def test_usage_that_cannot_be_is_not_known(opened: Any, protocol: str, value: object) -> None:
    usage = dict.fromkeys(("prompt_tokens", "completion_tokens", "input_tokens", "output_tokens"), value)
    message = {"choices": [{"message": {"content": "ok"}}], "content": [{"type": "text", "text": "ok"}]}
    with LLMServer([Reply(body=json.dumps({**message, "usage": usage}).encode())]) as server:
        answer = ask(opened(server, protocol))
    assert (answer.text, answer.tokens_in, answer.tokens_out) == ("ok", None, None)


def test_the_cached_part_of_a_prompt_counts(opened: Any) -> None:
    body = {
        "content": [
            {"type": "text", "text": "a"},
            {"type": "thinking", "thinking": "x"},
            {"type": "text", "text": "b"},
        ],
        "usage": {
            "input_tokens": 5,
            "cache_read_input_tokens": 100,
            "cache_creation_input_tokens": 20,
            "output_tokens": 1,
        },
    }
    with LLMServer([Reply(body=json.dumps(body).encode())]) as server:
        answer = ask(opened(server, "anthropic"))
    assert (answer.text, answer.tokens_in) == ("ab", 125)


@pytest.mark.parametrize(
    ("choices", "reason"),
    [
        ([], FinishReason.EMPTY),
        ([{}], FinishReason.EMPTY),
        ([None], FinishReason.EMPTY),
        ([{"message": {"content": None}, "finish_reason": "stop"}], FinishReason.EMPTY),
        ([{"message": {"content": ["a", 7]}, "finish_reason": "stop"}], FinishReason.EMPTY),
        (
            [{"message": {"content": None, "refusal": "I will not"}, "finish_reason": "stop"}],
            FinishReason.REFUSAL,
        ),
        ([{"message": {"content": ""}, "finish_reason": "length"}], FinishReason.LENGTH),
    ],
)
def test_an_answer_without_a_text_is_a_value(opened: Any, choices: object, reason: FinishReason) -> None:
    body = json.dumps({"choices": choices, "usage": {"prompt_tokens": 3, "completion_tokens": 0}}).encode()
    with LLMServer([Reply(body=body)]) as server:
        answer = ask(opened(server))
    assert (answer.text, answer.finish_reason, answer.tokens_in) == ("", reason, 3)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html><body>Bad gateway</body></html>",
        b"{",
        b"null",
        b"[]",
        b'"text"',
        b"{}",
        b'{"choices": "none", "content": 5}',
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b"data: {}\n\n",
    ],
)
@pytest.mark.parametrize("content_type", ["application/json", "text/html"])
def test_what_is_no_answer_of_the_protocol_is_an_error_that_may_have_cost_tokens(
    opened: Any, protocol: str, body: bytes, content_type: str
) -> None:
    with LLMServer([Reply(body=body, content_type=content_type)]) as server:
        error = failing(opened(server, protocol))
    assert isinstance(error, BadAnswer)
    assert error.retryable
    assert error.billed


def test_an_endless_answer_is_given_up(opened: Any, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("peagen_ray.llm._sdk.MOST_BYTES", 1000)
    with LLMServer([Reply(body=b" " * 1001), Reply(body=b" " * 1001, status=500)]) as server:
        for _ in range(2):
            assert "longer than 1000 bytes" in str(failing(opened(server, protocol)))


def test_half_a_surrogate_in_an_answer_can_be_written(opened: Any) -> None:
    body = b'{"choices": [{"message": {"content": "a\\ud800b"}}]}'
    with LLMServer([Reply(body=body)]) as server:
        assert ask(opened(server)).text == "a?b"


@pytest.mark.parametrize(
    ("status", "code", "error", "billed"),
    [
        (301, "", LLMUnavailable, False),
        (400, "", PromptRefused, False),
        (400, "model_not_found", UnknownModel, False),
        (401, "", KeyRefused, False),
        (402, "", KeyRefused, False),
        (403, "", KeyRefused, False),
        (404, "", UnknownModel, False),
        (408, "", LLMUnavailable, True),
        (409, "", LLMUnavailable, False),
        (413, "", PromptRefused, False),
        (422, "", PromptRefused, False),
        (429, "", RateLimited, False),
        (429, "insufficient_quota", KeyRefused, False),
        (500, "", LLMUnavailable, True),
        (502, "", LLMUnavailable, True),
        (503, "", LLMUnavailable, False),
        (504, "", LLMUnavailable, True),
        (529, "", LLMUnavailable, False),
    ],
)
def test_each_status_is_the_error_that_it_means_and_is_asked_once(
    opened: Any, protocol: str, status: int, code: str, error: type[LLMError], billed: bool
) -> None:
    with LLMServer([Reply("because", status=status, code=code)]) as server:
        found = failing(opened(server, protocol))
    assert (type(found), found.status, found.billed) == (error, status, billed)
    assert found.subject == f"LLM back-end {protocol}"
    assert "because" in str(found)
    assert len(server.requests) == 1
    assert found.__cause__ is None
    assert found.__context__ is None


def test_a_redirect_is_not_followed(opened: Any, protocol: str) -> None:
    with LLMServer() as elsewhere:
        target = {"Location": f"{elsewhere.url}/chat/completions"}
        with LLMServer([Reply(status=307, headers=target)]) as server:
            assert "check base_url" in str(failing(opened(server, protocol)))
    assert not elsewhere.requests


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "0.5"}, 0.5),
        ({"Retry-After": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"Retry-After": "Thu, 01 Jan 9999 00:00:00 GMT"}, 86_400.0),
        ({"Retry-After": "1e300"}, 86_400.0),
        ({"retry-after-ms": "1500", "Retry-After": "7"}, 1.5),
        ({"Retry-After": "-5"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "soon"}, None),
        ({}, None),
    ],
)
def test_how_long_to_wait_is_read(
    opened: Any, status: int, headers: dict[str, str], seconds: float | None
) -> None:
    with LLMServer([Reply(status=status, headers=headers)]) as server:
        error = failing(opened(server))
    assert isinstance(error, LLMUnavailable)
    assert error.retry_after == seconds


def test_a_page_of_html_is_not_repeated(opened: Any, protocol: str) -> None:
    page = Reply(status=502, body=b"<html>nginx</html>", content_type="text/html")
    with LLMServer([page]) as server:
        assert "nginx" not in str(failing(opened(server, protocol)))


def test_the_endpoint_s_own_words_are_one_short_line(opened: Any, protocol: str) -> None:
    with LLMServer([Reply("a\n\x1b[31mb " + "c" * 1000, status=400)]) as server:
        said = str(failing(opened(server, protocol)))
    assert "a [31mb ccc" in said
    assert len(said) < 400


@pytest.mark.parametrize("cut", [0, 1, 40])
def test_a_connection_that_breaks_in_the_middle_may_have_cost_tokens(
    opened: Any, protocol: str, cut: int
) -> None:
    with LLMServer([Reply(cut=cut)]) as server:
        error = failing(opened(server, protocol))
    assert type(error) is LLMUnavailable
    assert "the connection broke" in str(error)
    assert error.billed


def test_a_server_that_is_not_there_costs_nothing(protocol: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        error = failing(open_backend(BackendTable(name=protocol, model="m", base_url=url)))
    assert "no connection" in str(error)
    assert not error.billed


def test_a_body_that_does_not_unpack_is_an_error(opened: Any, protocol: str) -> None:
    with LLMServer([Reply(body=b"no gzip", headers={"Content-Encoding": "gzip"})]) as server:
        assert failing(opened(server, protocol)).billed


def test_a_parameter_that_the_model_does_not_take_is_sent_in_another_way(opened: Any) -> None:
    def picky(request: Any) -> Reply:
        for name in ("max_tokens", "temperature"):
            if name in request.body:
                return Reply("unsupported", status=400, param=name)
        return Reply("fine")

    async def run(backend: LLMBackend) -> list[Completion]:
        async with backend:
            return await asyncio.gather(*(backend.generate(PROMPT) for _ in range(3)))

    with LLMServer(picky) as server:
        answers = asyncio.run(run(opened(server)))
    assert [answer.text for answer in answers] == ["fine"] * 3
    assert server.requests[-1].body["max_completion_tokens"] == 4096


def test_a_server_that_objects_to_everything_is_asked_three_times_at_most(opened: Any) -> None:
    def never(request: Any) -> Reply:
        return Reply(
            "no", status=400, param=["max_tokens", "temperature", "max_completion_tokens"][request.number % 3]
        )

    with LLMServer(never) as server:
        assert isinstance(failing(opened(server)), PromptRefused)
    assert len(server.requests) == 3


@pytest.mark.parametrize("key", [None, "", "  ", "two words", "line\nbreak", "schlüssel", "nul\x00"])
@pytest.mark.parametrize("name", ["openai", "groq", "anthropic"])
def test_a_key_that_is_missing_or_is_none_is_refused_without_being_repeated(
    name: str, key: str | None
) -> None:
    with pytest.raises(KeyRefused) as caught:
        open_backend(BackendTable(name=name, model="m"), lambda variable: key)
    assert "_API_KEY" in str(caught.value)
    assert caught.value.exit_code == 2
    assert not key or key.strip() == "" or key not in str(caught.value)


def test_a_key_goes_to_its_own_address_only_unless_the_settings_say_so() -> None:
    assert key_variable(BackendTable(name="openai")) == "OPENAI_API_KEY"
    assert key_variable(BackendTable(name="groq")) == "GROQ_API_KEY"
    assert key_variable(BackendTable(name="anthropic")) == "ANTHROPIC_API_KEY"
    assert key_variable(BackendTable(name="local")) == ""
    assert key_variable(BackendTable(name="openai", base_url="http://other/v1")) == ""
    assert key_variable(BackendTable(name="openai", base_url="http://other/v1", api_key_env="MINE")) == "MINE"


def test_a_model_is_wanted_where_the_endpoint_finds_none() -> None:
    with pytest.raises(ConfigError, match="has no model"):
        open_backend(BackendTable(name="openai"))


def test_an_adapter_that_nobody_registers_is_named() -> None:
    with pytest.raises(PluginNotFound, match="openai"):
        open_backend(BackendTable(name="opanai", model="m"))


@pytest.mark.parametrize(
    ("name", "library"), [("openai", "openai"), ("local", "openai"), ("anthropic", "anthropic")]
)
def test_the_extra_is_named_where_an_sdk_is_missing(
    name: str, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtra, match=r"pip install 'peagen-ray\[llm\]'"):
        open_backend(BackendTable(name=name, model="m"), lambda variable: KEY)


def test_what_is_registered_and_is_no_back_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plugins, "load", lambda group, name: dict)
    with pytest.raises(PluginError, match="is no subclass"):
        open_backend(BackendTable(name="mine", model="m"))


def test_a_list_of_models_that_is_none_is_no_model() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            with listening.accept()[0] as connection:
                connection.recv(10_000)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>")

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        assert isinstance(failing(open_backend(BackendTable(name="local", base_url=url))), UnknownModel)
        thread.join()


def test_a_message_without_a_text_is_a_value(opened: Any) -> None:
    body = b'{"content": [{"type": "tool_use"}, null, 5], "stop_reason": "tool_use"}'
    with LLMServer([Reply(body=body)]) as server:
        answer = ask(opened(server, "anthropic"))
    assert (answer.text, answer.finish_reason, answer.tokens_in) == ("", FinishReason.EMPTY, None)


def test_prices_are_known_where_they_are_given_or_nothing_is_charged() -> None:
    assert price(BackendTable(name="openai", price_in=1, price_out=2)) == (1, 2)
    assert price(BackendTable(name="openai", price_in=1)) is None
    assert price(BackendTable(name="openai")) is None
    assert price(BackendTable(name="local")) == (0, 0)
    assert price(BackendTable(name="local", price_in=1, price_out=2)) == (1, 2)


def test_a_prompt_s_bound_is_above_what_it_has() -> None:
    assert Prompt("grün", "ab").token_bound == 5 + 2 + 512
    assert Prompt("\ud800").token_bound == 3 + 512


def test_prompts_that_differ_have_digests_that_differ() -> None:
    digests: set[str] = {
        Prompt(*pair).digest for pair in [("ab", "c"), ("a", "bc"), ("c", "ab"), ("ab1:c", "")]
    }
    assert len(digests) == 4


def test_a_server_that_cannot_prove_who_it_is_gets_no_request(protocol: str) -> None:
    own = trustme.CA().issue_cert("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    own.configure_cert(context)
    heard: list[bytes] = []

    def serve(listening: socket.socket) -> None:
        with (
            contextlib.suppress(OSError),
            listening.accept()[0] as plain,
            context.wrap_socket(plain, server_side=True) as connection,
        ):
            heard.append(connection.recv(1000))

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, args=(listening,))
        thread.start()
        url = f"https://127.0.0.1:{listening.getsockname()[1]}"
        table = BackendTable(name=protocol, model="m", base_url=url, api_key_env="A_KEY")
        error = failing(open_backend(table, lambda variable: KEY))
        thread.join()
    assert isinstance(error, LLMUnavailable)
    assert not error.billed
    assert not b"".join(heard)


def test_an_sdk_is_loaded_when_a_back_end_is_opened_and_not_before() -> None:
    code = (
        "import sys\n"
        "import peagen_ray.llm.calling, peagen_ray.llm.recording, peagen_ray.llm.openai, peagen_ray.llm.anthropic\n"
        "print({'openai', 'anthropic', 'httpx2', 'pyarrow', 'ray'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "set()"
