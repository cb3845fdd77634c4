"""Outputs are rendered by the workers of a Ray cluster, and written here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def own_cluster(own_wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A cluster whose nodes have our handlers and no others."""
    from ray.cluster_utils import Cluster

    folder = tempfile.mkdtemp(prefix="pr")  # sockets lie under it: its name must be short
    monkeypatch.setenv("RAY_TMPDIR", folder)
    monkeypatch.setenv("PYTHONPATH", str(own_wheel))  # without the handlers of the other tests on Ray
    running = Cluster()
    try:
        running.add_node(num_cpus=2, object_store_memory=80_000_000, include_dashboard=False)
        yield running
    finally:
        running.shutdown()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.slow
def test_a_project_is_rendered_on_a_cluster(own_cluster: Any, tmp_path: Path) -> None:
    (tmp_path / "row.j2").write_text(
        "{{ row.id }} of {{ rows | length }}: {{ row.gone if row.id == '3' else title }}"
    )
    (tmp_path / "rows.csv").write_text("id\n1\n2\n3\n")
    (tmp_path / "site.yaml").write_text(
        "data: {title: T}\nfiles: {rows: rows.csv}\n"
        "outputs: [{template: row.j2, each: rows, as: row, path: '{{ row.id }}.txt'}]\n"
    )
    words = ["render", "--project", "site.yaml", "--address", own_cluster.address, "--json"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PEAGEN")}
    ended = subprocess.run(
        [sys.executable, "-m", "peagen_ray", *words],
        cwd=tmp_path,
        env=kept,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert ended.stdout, ended.stderr
    told = json.loads(ended.stdout)
    assert told["new"] == ["1.txt", "2.txt"]
    assert told["failed"]["3.txt"].startswith("row.j2:1: 'gone' is missing")
    assert (tmp_path / "build/2.txt").read_text() == "2 of 3: T"
