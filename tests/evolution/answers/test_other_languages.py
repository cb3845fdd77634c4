"""Answers that change what is no Python: a program in another language, or a prompt."""

from __future__ import annotations

import pytest

from peagen_ray.evolution.answers import Changed, read_answer
from peagen_ray.workload.fingerprint import fingerprint, fingerprint_of_any

RUST = """use std::io;
// EVOLVE-BLOCK-START
fn square(x: i64) -> i64 {
    x * x
}
// EVOLVE-BLOCK-END
fn main() { println!("{}", square(3)); }
"""
FASTER = RUST.replace("x * x", "x.pow(2)")
PROMPT = "Classify the text: {text}\nAnswer with one word.\n"
BLOCK = "<<<<<<< SEARCH\n    x * x\n=======\n    x.pow(2)\n>>>>>>> REPLACE\n"
DIFF = "```diff\n@@ -3,3 +3,3 @@\n fn square(x: i64) -> i64 {\n-    x * x\n+    x.pow(2)\n }\n```\n"


@pytest.mark.parametrize(
    ("parent", "answer", "made"),
    [
        (RUST, BLOCK, FASTER),
        (RUST, DIFF, FASTER),
        (RUST, f"So:\n```rust\n{FASTER}```\nThat is all.\n", FASTER),
        (PROMPT, "```text\nIs it good or bad? {text}\n```\n", "Is it good or bad? {text}\n"),
        (
            PROMPT,
            "<<<<<<< SEARCH\nAnswer with one word.\n=======\nAnswer.\n>>>>>>> REPLACE\n",
            PROMPT.replace("Answer with one word.", "Answer."),
        ),
    ],
)
def test_its_lines_are_changed_as_the_answer_says(parent: str, answer: str, made: str) -> None:
    changed = read_answer(answer, parent)
    assert isinstance(changed, Changed), changed
    assert (changed.source, changed.fingerprint) == (made, fingerprint_of_any(made))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (BLOCK.replace("x * x", 'fn main() { println!("{}", square(3)); }'), "it changes what is outside"),
        (f"```rust\n{FASTER.replace('square(3)', '9')}```\n", "it changes what is outside"),
        (f"```rust\n{RUST}```\n", "it changes nothing"),
        ("```diff\n@@ -1 +1 @@\n+// fast\n```\n", "has no line of the program"),
        ("I would rather not.", "there is no edit"),
    ],
)
def test_what_changes_another_part_or_nothing_is_refused(answer: str, reason: str) -> None:
    refused = read_answer(answer.replace("    x.pow(2)\n>>", "fn main() {}\n>>"), RUST)
    assert not isinstance(refused, Changed)
    assert reason in refused.detail


def test_blanks_at_the_ends_of_lines_make_no_other_program() -> None:
    assert fingerprint_of_any(PROMPT) == fingerprint_of_any(PROMPT.replace("\n", "  \r\n"))
    assert fingerprint_of_any(PROMPT) != fingerprint_of_any(PROMPT.replace("one", "two"))
    assert fingerprint_of_any("x = 1 # one\n") == fingerprint("x = 1\n")
