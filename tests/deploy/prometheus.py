"""A real Prometheus that scrapes every second, and what dashboards would ask it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import pytest
import yaml
from manifests import ROOT

from peagen_ray.launcher.linux import die_with_parent

BOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))
_PATIENCE_S = 120.0


def program(name: str) -> str:
    """Where ``prometheus`` or ``promtool`` is."""
    found = shutil.which(name)
    assert found, f"{name} is not installed: apt-get install prometheus"
    return found


def need_prometheus() -> None:
    """Skip the test that calls this where Prometheus is not installed; in CI that is a failure."""
    if shutil.which("promtool") is None and "CI" not in os.environ:
        pytest.skip("prometheus is not installed: apt-get install prometheus")


def expressions(board: Path) -> Iterator[str]:
    """What the panels of a dashboard ask."""
    for panel in json.loads(board.read_text())["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]


def names_in(expression: str) -> set[str]:
    """The metrics that an expression reads, by their names in the catalogue."""
    bare = re.sub(r"\{[^}]*\}|by \([^)]*\)|\[[^]]*\]", "", expression)
    names = re.findall(r"\b(?:queue|worker|handler|llm|warm|result|evo)_\w+", bare)
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}


class Prometheus:
    """A server in a folder of its own, with our alerts, which dies with this process.

    Args:
        folder: where it keeps everything.
        targets: host and port of what it scrapes.
    """

    def __init__(self, folder: Path, targets: Sequence[str]) -> None:
        jobs = [{"job_name": "peagen", "static_configs": [{"targets": list(targets)}]}]
        times = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
        rules = [str(ROOT / "deploy" / "prometheus" / "alerts.yaml")]
        config = folder / "prometheus.yaml"
        config.write_text(yaml.safe_dump({"global": times, "rule_files": rules, "scrape_configs": jobs}))
        self._folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._words = [
            program("prometheus"),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{self._port}",
        ]

    def __enter__(self) -> Self:
        us = os.getpid()
        self._log = (self._folder / "log").open("w")
        self._process = subprocess.Popen(
            self._words, stderr=self._log, preexec_fn=lambda: die_with_parent(signal.SIGKILL, us)
        )
        self.until(lambda: self._ready(), "a server that answers")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)
        self._log.close()

    def query(self, expression: str) -> list[dict[str, Any]]:
        """The series that an expression has now; raises where it is none."""
        words = urllib.parse.urlencode({"query": expression})
        found: list[dict[str, Any]] = self._get(f"/api/v1/query?{words}")["result"]
        return found

    def firing(self) -> set[str]:
        """The alerts that fire."""
        return {
            each["labels"]["alertname"]
            for each in self._get("/api/v1/alerts")["alerts"]
            if each["state"] == "firing"
        }

    def until(self, reached: Callable[[], Any], what: object) -> None:
        """Look until it is so."""
        end = time.monotonic() + _PATIENCE_S
        while not reached():
            assert time.monotonic() < end, f"no {what}: {(self._folder / 'log').read_text()[-2000:]}"
            assert self._process.poll() is None, (self._folder / "log").read_text()[-2000:]
            time.sleep(0.2)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self._port}/-/ready", timeout=5):
                return True
        except OSError:
            return False

    def _get(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}", timeout=10) as answer:
            data: dict[str, Any] = json.load(answer)["data"]
        return data
