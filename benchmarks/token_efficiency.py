"""PT-4: LLM tokens for each 1 % of speed that ``bad_sort`` gains; at most 25 000.

With ``--base-url`` a real model is asked, over OpenAI's protocol. Without it a scripted server answers, and what is
proved is the counting: the tokens of the ledger are those that the server counted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from peagen_ray.config.model import Config
from peagen_ray.evolution.events import Kind
from peagen_ray.evolution.ledger import read
from peagen_ray.runtime.result import RunResult
from peagen_ray.runtime.run import evolve
from peagen_ray.runtime.settings import RunRequest
from peagen_ray.testing.llm_server import LLMServer, Received

BAR = 25_000
ARTIFACTS = Path(__file__).resolve().parent / "artifacts"
ANSWERS = (
    "Let me think about it.",
    "```python\ndef bad_sort(items):\n    return items\n```",
    "```python\ndef bad_sort(items):\n    k = {n}\n    return sorted(items)\n```",
)


class Silent:
    """An observer that is told and tells nobody."""

    def __getattr__(self, _: str) -> Any:
        return lambda *_: None


def script(request: Received) -> str:
    """Two of three answers are of no use, as with a small model."""
    return ANSWERS[request.number % len(ANSWERS)].format(n=request.number)


def run(backend: dict[str, Any], candidates: int, form: str) -> RunResult:
    config = Config.model_validate(
        {
            "evolve": {
                "entry_fn": "bad_sort",
                "generation_size": candidates,
                "stop": {"max_generations": 1},
            },
            "mutate": {"form": form, "max_tokens": 1024},
            "llm": {"backends": [backend]},
        }
    )
    return evolve(RunRequest(config, ARTIFACTS / "bad_sort.py", concurrency=2), Silent())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", default="", help="of a real model, such as http://127.0.0.1:8080/v1")
    parser.add_argument("--model", default="", help="its name; by default the server's first one")
    parser.add_argument("--api-key-env", default="", help="the variable that holds its key")
    parser.add_argument("--timeout-ms", type=int, default=120_000, help="of one call")
    parser.add_argument("--form", default="search/replace", help="the form that is asked for")
    parser.add_argument("--candidates", type=int, default=12)
    options = parser.parse_args()
    with ExitStack() as stack:
        server = None if options.base_url else stack.enter_context(LLMServer(script))
        backend = {
            "name": "model",
            "adapter": "local",
            "model": options.model,
            "base_url": options.base_url or (server.url if server else ""),
            "api_key_env": options.api_key_env,
            "timeout_ms": options.timeout_ms,
        }
        result = run(backend, options.candidates, options.form)
        counted = None if server is None else server.tokens_in + server.tokens_out
    events = list(read(result.paths.ledger))
    tokens = sum(event.tokens for event in events)
    percent = 100 * (result.ratio - 1)
    per_percent = tokens / percent if percent > 0 else None
    outcomes = {str(event.outcome) for event in events if event.event is Kind.TELL}
    ok = per_percent is not None and per_percent <= BAR and counted in (None, tokens)
    found = {
        "benchmark": "token_efficiency",
        "id": "PT-4",
        "model": "scripted" if server else options.model or options.base_url,
        "tokens": tokens,
        "server_tokens": counted,
        "ratio": round(result.ratio, 2),
        "tokens_per_percent": None if per_percent is None else round(per_percent, 1),
        "bar": BAR,
        "candidates": result.told,
        "outcomes": sorted(outcomes),
        "ok": ok,
    }
    print(json.dumps(found))
    return 0 if ok else 1


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        sys.exit(main())
