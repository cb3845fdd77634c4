"""The scripted server does what its script says, and can be started by hand."""

from __future__ import annotations

import http.client
import json
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from typing import Any

import pytest

from peagen_ray.testing.llm_server import LLMServer, Reply


def get(url: str, body: object = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


CHAT = {"model": "m", "messages": [{"role": "user", "content": "12345678"}]}


def test_it_lists_its_models_and_says_whether_it_is_ready() -> None:
    with LLMServer(models=("a", "b"), ready=False) as server:
        assert [each["id"] for each in get(f"{server.url}/models")[1]["data"]] == ["a", "b"]
        assert get(f"{server.origin}/health")[0] == 503
        server.ready = True
        assert get(f"{server.origin}/health") == (200, {"status": "ok"})
        assert get(f"{server.origin}/elsewhere")[0] == 404
        assert get(f"{server.origin}/elsewhere", CHAT)[0] == 404
        assert server.requests == []


def test_it_counts_requests_and_tokens_and_keeps_what_it_was_sent() -> None:
    with LLMServer(["four"]) as server:
        status, answer = get(f"{server.url}/chat/completions", CHAT)
        server.add("further")
        assert get(f"{server.url}/chat/completions", CHAT)[1]["choices"][0]["message"]["content"] == "further"
        assert get(f"{server.url}/chat/completions", CHAT)[1]["choices"][0]["message"]["content"] == "ok"
    assert (status, answer["usage"]) == (200, {"prompt_tokens": 2, "completion_tokens": 1, "total_tokens": 3})
    assert len(server.requests) == 3
    assert (server.tokens_in, server.tokens_out) == (6, 1 + 2 + 1)
    assert server.requests[0].body == CHAT
    assert server.requests[0].headers["content-type"]


def test_a_script_may_be_a_function() -> None:
    with LLMServer(lambda request: request.prompt[::-1]) as server:
        assert (
            get(f"{server.url}/chat/completions", CHAT)[1]["choices"][0]["message"]["content"] == "87654321"
        )


def test_a_body_that_is_no_json_is_refused() -> None:
    with LLMServer() as server:
        connection = http.client.HTTPConnection(server.origin.removeprefix("http://"), timeout=10)
        connection.request("POST", "/v1/chat/completions", b"{")
        assert connection.getresponse().status == 400
        connection.close()


def test_it_closes_connections_in_the_middle() -> None:
    with LLMServer([Reply(cut=5)]) as server, pytest.raises(http.client.IncompleteRead):
        get(f"{server.url}/chat/completions", CHAT)


def test_it_stops_while_a_client_hangs() -> None:
    with LLMServer([Reply(hang=True)]) as server:
        connection = http.client.HTTPConnection(server.origin.removeprefix("http://"), timeout=10)
        connection.request("POST", "/v1/chat/completions", json.dumps(CHAT))
        server.wait_for(1)
    with pytest.raises((http.client.HTTPException, OSError)):
        connection.getresponse()
    connection.close()


def test_a_person_starts_it_by_hand_and_stops_it_with_a_signal() -> None:
    command = [
        sys.executable,
        "-m",
        "peagen_ray.testing.llm_server",
        "--reply",
        "by hand",
        "--reply",
        "again",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            url = process.stdout.readline().strip()
            said = [
                get(f"{url}/chat/completions", CHAT)[1]["choices"][0]["message"]["content"] for _ in range(3)
            ]
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert said == ["by hand", "again", "by hand"]
