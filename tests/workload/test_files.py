"""Several files as one text, and back."""

from __future__ import annotations

import pytest

from peagen_ray.errors import TargetError
from peagen_ray.workload.files import join, split

FILES = {"main.py": "import pkg.a\r\n", "pkg/a.py": "A = 1", "pkg/b.py": ""}


def test_files_come_back_as_they_were_but_for_a_missing_last_line_end() -> None:
    text = join(FILES)
    assert split(text, "main.py") == {"main.py": "import pkg.a\r\n", "pkg/a.py": "A = 1\n", "pkg/b.py": "\n"}
    assert join(split(text, "main.py")) == text
    compile(text, "all", "exec")


def test_one_file_is_itself() -> None:
    assert join({"x.py": "A = 1"}) == "A = 1"
    assert split("A = 1", "x.py") == {"x.py": "A = 1"}


@pytest.mark.parametrize(
    "text",
    [
        "# ---- file: ../x.py ----\nA = 1\n",
        "# ---- file: /x.py ----\nA = 1\n",
        "# ---- file: a.py ----\nA = 1\n# ---- file: a.py ----\nA = 2\n",
        "B = 2\n# ---- file: a.py ----\nA = 1\n",
    ],
)
def test_a_text_that_no_files_make_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        split(text, "a.py")


@pytest.mark.parametrize(
    "files", [{"a.py": "# ---- file: b.py ----\n"}, {"a\nb.py": "", "c.py": ""}, {"": "", "c.py": ""}]
)
def test_what_could_not_be_told_apart_again_is_refused(files: dict[str, str]) -> None:
    with pytest.raises(TargetError):
        join(files)
