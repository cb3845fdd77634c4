"""Whole files out of answers."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.answers.file import file_of

CODE = "def f() -> int:\n    return 1\n"
DOCUMENTED = '"""Use it so:\n\n```python\nf()\n```\n"""\n\n\ndef f() -> int:\n    return 1\n'
GUIDE = "# Title\n\n```sh\nrun\n```\n\nText.\n"


@pytest.mark.parametrize(
    ("answer", "path", "expected"),
    [
        (CODE, "a.py", CODE),
        (f"```python\n{CODE}```", "a.py", CODE),
        (f"Sure! Here it is:\n\n```\n{CODE}```\nIt returns 1.", "a.py", CODE),
        (f"<think>\n```python\nwrong\n```\n</think>\n```py\n{CODE}```", "a.py", CODE),
        (f"```python\n{CODE}", "a.py", CODE),
        (f"First `f`:\n```python\n{CODE}```\nRun it:\n```sh\npython a.py\n```", "a.py", CODE),
        (DOCUMENTED, "a.py", DOCUMENTED),
        (f"```python\n{DOCUMENTED}```", "a.py", DOCUMENTED),
        ("```js\nlet a = 1;\n```", "a.js", "let a = 1;\n"),
        ("let a = 1;", "a.js", "let a = 1;\n"),
        ("```dockerfile\nFROM x\n```", "Dockerfile", "FROM x\n"),
        (GUIDE, "a.md", GUIDE),
        (f"```markdown\n{GUIDE}```", "README.MD", GUIDE),
        ("```sh\nrun\n```\nText.\n```sh\nrun\n```", "a.md", "```sh\nrun\n```\nText.\n```sh\nrun\n```\n"),
        ("```sh\nrun\n```", "a.md", "```sh\nrun\n```\n"),
        ("a\r\nb\r\n", "a.txt", "a\nb\n"),
    ],
)
def test_an_answer_becomes_the_text_of_its_file(answer: str, path: str, expected: str) -> None:
    assert file_of(answer, path) == expected
