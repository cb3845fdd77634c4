"""The guide to logs: its commands, run as they stand in one shell, show what it says."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

GUIDE = Path(__file__).parents[2] / "docs" / "logs.md"
TARGET = """
def unique(xs: list[int]) -> list[int]:
    result = []
    for x in xs:
        if x not in result:
            result = result + [x]
    return result
"""


@pytest.mark.slow
def test_the_commands_of_the_guide_show_what_it_says(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(TARGET)
    blocks = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    program = f'peagen-ray() {{ "{sys.executable}" -m peagen_ray "$@"; }}\n'
    script = "set -euo pipefail\n" + program + "echo '###'\n".join(blocks)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PEAGEN_")}
    environment |= {
        "COLUMNS": "200",
        "PEAGEN__EVALUATE__WINNER_S": "0.1",
        "PEAGEN__EVOLVE__GENERATION_SIZE": "3",
    }
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [json.loads(line) for line in (tmp_path / "run.log").read_text().splitlines()]
    ended = [line for line in lines if line.get("status") == "ok" and "candidate" in line]
    assert {line["kind"] for line in ended} >= {"mutate", "execute", "evaluate"}
    assert all(line["run"] and line["task"] and line["worker"] for line in ended)
    assert re.search(r"INFO runtime\.keeping: \w+ task ended: ok \(run \S+, task \w+", done.stderr)
    assert "candidate: 1\n" in done.stdout.rpartition("###")[2]
