"""What answers of web servers that are no job servers, or not ours to use, mean; the real one is in tests/ray."""

from __future__ import annotations

import json
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

os.environ["RAY_AUTH_MODE"] = "disabled"

from peagen_ray.errors import BrokerUnavailable, ConfigError, JobError, PeagenError, UsageError
from peagen_ray.fabric.jobs import JobServer, JobState

VERSION = {"/api/version": (200, json.dumps({"ray_version": "2.60.0"}))}


@contextmanager
def web(answers: dict[str, tuple[int, str]], default: tuple[int, str] = (404, "no")) -> Iterator[str]:
    """A web server's address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, body = answers.get(self.path, default)
            self.send_response(code)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_where_nobody_listens_is_exit_3_with_advice():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(BrokerUnavailable) as caught:
            JobServer(f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert caught.value.exit_code == 3
    assert "is its port forwarded?" in caught.value.hint


def test_a_server_that_says_nothing_is_not_waited_for_without_end():
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(BrokerUnavailable):
        JobServer(f"http://127.0.0.1:{silent.getsockname()[1]}", reply_s=0.1)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((404, "nothing here"), BrokerUnavailable),
        ((200, "<html>welcome</html>"), BrokerUnavailable),
        ((503, "not yet"), BrokerUnavailable),
        ((401, "Unauthorized: Missing authentication token"), ConfigError),
        ((403, "Forbidden: Invalid authentication token"), ConfigError),
    ],
)
def test_a_server_that_is_no_job_server_or_lets_us_not_in(answer, kind):
    with web({}, answer) as url, pytest.raises(PeagenError) as caught:
        JobServer(url)
    assert type(caught.value) is kind
    assert caught.value.subject == url
    assert caught.value.hint


@pytest.mark.parametrize(
    ("answer", "kind", "what"),
    [
        ((404, "Job job does not exist"), JobError, "knows no such job"),
        ((502, "bad gateway"), BrokerUnavailable, "502"),
        ((200, "<html>a proxy's page</html>"), BrokerUnavailable, "no job server answers"),
        ((413, "Maximum request body size exceeded"), UsageError, "more than the job server takes"),
        ((500, "Traceback: it broke"), JobError, "it broke"),
    ],
)
def test_answers_about_a_job_that_are_none(answer, kind, what):
    with web(VERSION, answer) as url:
        server = JobServer(url)
        for ask in (server.state, server.log, server.stop):
            with pytest.raises(kind, match=what):
                ask("job")


def test_rays_variables_do_not_lead_elsewhere(monkeypatch):
    with web(VERSION) as url:
        monkeypatch.setenv("RAY_ADDRESS", "http://127.0.0.1:1")
        monkeypatch.setenv("RAY_API_SERVER_ADDRESS", "http://127.0.0.1:1")
        assert JobServer(url).url == url


def test_what_a_state_means():
    states = {name: JobState(name, "", None, "", ours=True) for name in ("PENDING", "RUNNING", "STOPPED")}
    assert [state.pending for state in states.values()] == [True, False, False]
    assert [state.ended for state in states.values()] == [False, False, True]
