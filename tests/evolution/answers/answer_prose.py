"""Corpus: reasoning, alternatives, answers that are none."""

from __future__ import annotations

from answer_shape import TOTAL, Shape, edited

from peagen_ray.evolution.answers import Reason

OLD = TOTAL[TOTAL.index("def total") : TOTAL.index("\n\ndef last")]
NEW = "def total(values):\n    return sum(weigh(value) for value in values)\n"
BAD = "def total(values):\n    return 0\n"
SUMMED = edited(TOTAL, (OLD, NEW))
ZERO = edited(TOTAL, (OLD, BAD))
BLOCK = "<<<<<<< SEARCH\n        result = result + weigh(value)\n=======\n        result += weigh(value)\n>>>>>>> REPLACE\n"
BLOCKED = edited(TOTAL, ("result = result + weigh(value)", "result += weigh(value)"))


def fenced(text: str) -> str:
    """A python fence."""
    return f"```python\n{text}```\n"


SHAPES = [
    Shape(
        "reasoning with a draft",
        TOTAL,
        "total",
        f"<think>\nMaybe\n{fenced(BAD)}no.\n</think>\n{fenced(NEW)}",
        SUMMED,
    ),
    Shape(
        "reasoning after the answer", TOTAL, "total", f"{fenced(NEW)}<think>\n{fenced(BAD)}</think>\n", SUMMED
    ),
    Shape("reasoning on the line of the answer", TOTAL, "total", f"<think>Hm.</think>{fenced(NEW)}", SUMMED),
    Shape(
        "reasoning with half a fence",
        TOTAL,
        "total",
        f"<think>\n```python\n{BAD}</think>\n{fenced(NEW)}",
        SUMMED,
    ),
    Shape(
        "reasoning that was opened in the prompt",
        TOTAL,
        "total",
        f"Maybe\n{fenced(BAD)}no.\n</think>\n\n{fenced(NEW)}",
        SUMMED,
    ),
    Shape(
        "reasoning by another name",
        TOTAL,
        "total",
        f"<Thinking>\n{fenced(BAD)}</Thinking>\n{fenced(NEW)}",
        SUMMED,
    ),
    Shape("reasoning that never ends", TOTAL, "total", f"<think>\nMaybe\n{fenced(BAD)}", Reason.NO_DIFF),
    Shape(
        "an answer before reasoning that never ends",
        TOTAL,
        "total",
        f"{fenced(NEW)}\n<think>\nor\n{fenced(BAD)}",
        SUMMED,
    ),
    Shape(
        "a tag in a string of the code",
        TOTAL,
        "total",
        fenced('def total(values):\n    return "<think>"\n'),
        edited(TOTAL, (OLD, 'def total(values):\n    return "<think>"\n')),
    ),
    Shape("the original first", TOTAL, "total", f"You have\n{fenced(OLD)}I propose\n{fenced(NEW)}", SUMMED),
    Shape("the original last", TOTAL, "total", f"I propose\n{fenced(NEW)}in place of\n{fenced(OLD)}", SUMMED),
    Shape("two alternatives", TOTAL, "total", f"Option 1\n{fenced(BAD)}Option 2\n{fenced(NEW)}", SUMMED),
    Shape(
        "a block, then an example of use",
        TOTAL,
        "total",
        f"{BLOCK}\nUse it:\n```python\nprint(total([1, 2]))\n```\n",
        BLOCKED,
    ),
    Shape(
        "the function, then another one of the program",
        TOTAL,
        "total",
        f"{fenced(NEW)}For example:\n" + fenced("def last(values):\n    return print(total(values))\n"),
        SUMMED,
    ),
    Shape("a block, then the whole function", TOTAL, "total", f"{BLOCK}\nor\n{fenced(NEW)}", SUMMED),
    Shape("the whole function, then a block", TOTAL, "total", f"{fenced(BAD)}no:\n{BLOCK}", BLOCKED),
    Shape(
        "the last does not apply",
        TOTAL,
        "total",
        f"{fenced(NEW)}\n{BLOCK.replace('weigh', 'weight')}",
        SUMMED,
    ),
    Shape(
        "the last has another signature",
        TOTAL,
        "total",
        fenced(NEW) + "or\n" + fenced("def total(values, start):\n    return 1\n"),
        SUMMED,
    ),
    Shape(
        "none of them applies",
        TOTAL,
        "total",
        fenced("def total(values, start):\n    return 1\n") + BLOCK.replace("weigh", "weight"),
        Reason.NOT_APPLICABLE,
        "weight",
    ),
    Shape(
        "an answer cut off in the last fence",
        TOTAL,
        "total",
        f"```python\n{BAD}",
        Reason.NO_DIFF,
        "cut off",
        finished=False,
    ),
    Shape(
        "an answer cut off after a fence",
        TOTAL,
        "total",
        f"{fenced(NEW)}This is because",
        SUMMED,
        finished=False,
    ),
    Shape(
        "an answer cut off in a diff",
        TOTAL,
        "total",
        "```diff\n@@ @@\n-        result = result + weigh(value)\n+        result +=",
        Reason.NO_DIFF,
        "cut off",
        finished=False,
    ),
    Shape("nothing", TOTAL, "total", "", Reason.NO_DIFF),
    Shape("blank", TOTAL, "total", " \n\n\t\n", Reason.NO_DIFF),
    Shape("a refusal", TOTAL, "total", "I'm sorry, but I cannot help with that.", Reason.NO_DIFF),
    Shape(
        "only praise",
        TOTAL,
        "total",
        "The function `total` is already optimal.\n\n- It is linear.\n+ It is clean.\n",
        Reason.NO_DIFF,
    ),
    Shape("only an example of use", TOTAL, "total", "```python\nprint(total([1]))\n```", Reason.NO_DIFF),
    Shape("a shell command", TOTAL, "total", "```bash\npip install numpy\n```", Reason.NO_DIFF),
    Shape("too large", TOTAL, "total", fenced(NEW) + "x" * 200_001, Reason.TOO_LARGE),
    Shape("too large in bytes", TOTAL, "total", fenced(NEW) + "\u20ac" * 70_000, Reason.TOO_LARGE),
]
