"""A key that is planted comes out nowhere: not in errors, logs, representations, pickles, answers or recordings."""

from __future__ import annotations

import asyncio
import json
import logging
import pickle
import traceback
from pathlib import Path
from typing import Any

import pytest

from peagen_ray.errors import LLMError
from peagen_ray.llm.base import Prompt
from peagen_ray.llm.budget import Purse
from peagen_ray.llm.calling import Asked, Terms, World, ask
from peagen_ray.llm.recording import Recording, Round
from peagen_ray.testing.llm_server import LLMServer, Received, Reply

KEY = "sk-planted-0123456789abcdef"
PROMPT = Prompt("make it fast")


def parrot(request: Received) -> Reply:
    """An endpoint that repeats the key wherever it can."""
    said = f"you sent {request.headers['authorization']}"
    body = {
        "model": said,
        "choices": [{"message": {"content": said}, "finish_reason": said}],
        "content": [{"type": "text", "text": said}],
        "stop_reason": said,
        "usage": {"prompt_tokens": said},
    }
    replies = [
        Reply(said, status=400, code=said, param=said),
        Reply(said, status=401),
        Reply(said, status=429, retry_after=said),
        Reply(said, status=500),
        Reply(body=said.encode(), status=500),
        Reply(body=said.encode()),
        Reply(body=json.dumps({"error": said}).encode(), status=404),
        Reply(body=json.dumps(said).encode()),
        Reply(status=302, headers={"Location": f"http://127.0.0.1:9/{KEY}"}),
        Reply(cut=3),
        Reply(hang=True),
        Reply(body=json.dumps(body).encode()),
    ]
    return replies[request.number % len(replies)]


COUNT = 12


@pytest.fixture
def said(opened: Any, protocol: str, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> list[str]:
    """Everything that surfaces while the parrot is asked."""
    texts: list[str] = []
    caplog.set_level(logging.DEBUG)
    for name in ("openai", "anthropic", "httpx", "httpx2", "httpcore", "httpcore2"):
        caplog.set_level(logging.DEBUG, logger=name)

    async def fails(backend: Any) -> None:
        try:
            texts.append(repr(await backend.generate(PROMPT, timeout=0.3)))
        except LLMError as error:
            texts.extend(
                [str(error), repr(error), repr(vars(error)), "".join(traceback.format_exception(error))]
            )
            texts.append(pickle.dumps(error).decode("latin-1"))
            texts.append(repr((error.__cause__, error.__context__, error.args)))

    async def run(backend: Any) -> Asked:
        async with backend:
            for _ in range(COUNT):
                await fails(backend)
            texts.extend([repr(backend), str(backend)])
            terms, world = Terms(retries=COUNT), World(sleep=lambda seconds: asyncio.sleep(0))
            asked = [
                await ask([backend], PROMPT, terms, purse=Purse(None, {}), world=world) for _ in range(4)
            ]
            return Asked(None, tuple(each for one in asked for each in one.exchanges))

    with LLMServer(parrot) as server:
        asked = asyncio.run(run(opened(server, protocol, timeout_ms=300)))
        assert all(KEY in request.headers["authorization"] for request in server.requests)
        assert len(server.requests) >= 2 * COUNT
    with Recording(tmp_path / "exchanges.jsonl") as recording:
        recording.append(Round("t", 0, PROMPT.digest, asked))
    texts.extend([repr(asked), (tmp_path / "exchanges.jsonl").read_text()])
    texts.extend(record.getMessage() for record in caplog.records)
    texts.extend(repr(record.args) for record in caplog.records)
    texts.append(caplog.text)
    return texts


def test_a_planted_key_surfaces_nowhere(said: list[str]) -> None:
    everything = "\n".join(said)
    assert "Sending HTTP Request" in everything  # the logs are there
    assert "[key]" in everything  # and the parrot was heard
    assert KEY not in everything
    assert KEY[3:] not in everything
