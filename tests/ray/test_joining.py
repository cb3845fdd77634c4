"""A process that is connected to Ray: its stdout is its own."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import ray
from ray._private import worker

from peagen_ray.queues.ray import joining
from peagen_ray.queues.ray.address import listening


def test_what_ray_says_of_its_cluster_goes_to_stderr(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given: list[dict[str, Any]] = []
    monkeypatch.setattr(ray, "init", lambda **options: given.append(options))
    monkeypatch.setattr(worker, "print_to_stdstream", worker.print_to_stdstream)
    joining.join("127.0.0.1:1", "peagen")
    assert given[0]["address"] == "127.0.0.1:1"
    assert not given[0]["log_to_driver"]
    # As the thread calls it that Ray has for this.
    worker.print_to_stdstream(
        {"lines": ["a worker died"], "pid": "raylet", "is_err": False}, ignore_prefix=False
    )
    said = capsys.readouterr()
    assert said.out == ""
    assert "a worker died" in said.err


def test_auto_is_handed_on_as_it_is_since_ray_takes_up_a_local_token_for_that_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as line:
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{line.getsockname()[1]}")
        assert listening("auto") == "auto"
    with pytest.raises(ConnectionError, match="nothing listens"):
        listening("auto")
