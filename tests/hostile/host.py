"""What the tests of the corpus stand on: a judge and the directory of everything that it needs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import scan
from judging import HONEST, Judge
from ordinary import RemoteJudge


@dataclass(frozen=True)
class Host:
    """A judge, and where everything lies that it needs."""

    judge: Judge | RemoteJudge
    workspace: Path

    def next_is_served(self) -> bool:
        """Whether an honest program gets its due."""
        return self.judge.verdict("screening", "total", "pure", HONEST).outcome == "ok"

    def traces(self) -> scan.Traces:
        return scan.traces(self.workspace)
