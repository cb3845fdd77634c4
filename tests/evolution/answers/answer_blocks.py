"""Corpus: SEARCH/REPLACE blocks."""

from __future__ import annotations

from answer_shape import BOX, EVOLVE, TOTAL, Shape, edited

from peagen_ray.evolution.answers import Reason

SUMMED = edited(TOTAL, ("result = result + weigh(value)", "result += weigh(value)"))
SEARCH = "        result = result + weigh(value)\n"
REPLACE = "        result += weigh(value)\n"
BLOCK = f"<<<<<<< SEARCH\n{SEARCH}=======\n{REPLACE}>>>>>>> REPLACE\n"
OTHER = (
    "<<<<<<< SEARCH\n    return math.floor(x) * 2\n=======\n    return 2 * math.floor(x)\n>>>>>>> REPLACE\n"
)
BOTH = edited(SUMMED, ("math.floor(x) * 2", "2 * math.floor(x)"))
NO = Reason.NOT_APPLICABLE

SHAPES = [
    Shape("a block", TOTAL, "total", BLOCK, SUMMED),
    Shape("in a fence", TOTAL, "total", f"```python\n{BLOCK}```\n", SUMMED),
    Shape("under a file name", TOTAL, "total", f"total.py\n```python\n{BLOCK}```\n", SUMMED, file="total.py"),
    Shape(
        "under the name of a file that we do not have",
        TOTAL,
        "total",
        f"**sums.py**\n{BLOCK}",
        SUMMED,
        file="total.py",
    ),
    Shape("in prose", TOTAL, "total", f"I add in place.\n\n{BLOCK}\nThat is all.\n", SUMMED),
    Shape(
        "longer markers",
        TOTAL,
        "total",
        f"<<<<<<<<<< SEARCH\n{SEARCH}==========\n{REPLACE}>>>>>>>>>> REPLACE\n",
        SUMMED,
    ),
    Shape("short markers", TOTAL, "total", f"<<< SEARCH\n{SEARCH}===\n{REPLACE}>>> REPLACE\n", SUMMED),
    Shape(
        "markers of different length",
        TOTAL,
        "total",
        f"<<<<<<< SEARCH\n{SEARCH}========\n{REPLACE}>>>>>> REPLACE\n",
        SUMMED,
    ),
    Shape(
        "markers in lower case with a colon",
        TOTAL,
        "total",
        f"<<<<<<< search:\n{SEARCH}=======\n{REPLACE}>>>>>>> replace\n",
        SUMMED,
    ),
    Shape("markers without words", TOTAL, "total", f"<<<<<<<\n{SEARCH}=======\n{REPLACE}>>>>>>>\n", SUMMED),
    Shape(
        "markers of git",
        TOTAL,
        "total",
        f"<<<<<<< ORIGINAL\n{SEARCH}=======\n{REPLACE}>>>>>>> UPDATED\n",
        SUMMED,
    ),
    Shape(
        "fences inside the block",
        TOTAL,
        "total",
        f"<<<<<<< SEARCH\n```python\n{SEARCH}```\n=======\n```python\n{REPLACE}```\n>>>>>>> REPLACE\n",
        SUMMED,
    ),
    Shape(
        "words in place of marks, each part in a fence",
        TOTAL,
        "total",
        f"SEARCH\n```python\n{SEARCH}```\nREPLACE\n```python\n{REPLACE}```\nThat is faster.\n",
        SUMMED,
    ),
    Shape(
        "words in place of marks, within a fence",
        TOTAL,
        "total",
        f"Here:\n```\nSEARCH\n{SEARCH}REPLACE\n{REPLACE}```\nThat is faster.\n",
        SUMMED,
    ),
    Shape(
        "words in place of marks, two blocks",
        TOTAL,
        "total",
        f"**SEARCH:**\n```\n{SEARCH}```\n**REPLACE:**\n```\n{REPLACE}```\n**SEARCH:**\n```\n    return math.floor(x) * 2\n```\n"
        "**REPLACE:**\n```\n    return 2 * math.floor(x)\n```\n",
        BOTH,
    ),
    Shape(
        "words in place of marks, a place that is there twice",
        TOTAL,
        "total",
        "```\nSEARCH\nfor value in values:\nREPLACE\nfor value in list(values):\n```\n",
        NO,
    ),
    Shape(
        "words in place of marks, and no telling where they end",
        TOTAL,
        "total",
        f"SEARCH\n{SEARCH}REPLACE\n{REPLACE}That is faster.\n",
        Reason.NO_DIFF,
    ),
    Shape("CRLF", TOTAL, "total", BLOCK.replace("\n", "\r\n"), SUMMED),
    Shape("two blocks", TOTAL, "total", BLOCK + OTHER, BOTH),
    Shape(
        "two blocks in fences of their own", TOTAL, "total", f"```\n{OTHER}```\nand\n```\n{BLOCK}```\n", BOTH
    ),
    Shape("one block twice", TOTAL, "total", BLOCK + OTHER + BLOCK, BOTH),
    Shape(
        "two alternatives",
        TOTAL,
        "total",
        BLOCK + "Better:\n" + BLOCK.replace("result +=", "result = 1 *"),
        edited(TOTAL, ("result = result + weigh(value)", "result = 1 * weigh(value)")),
    ),
    Shape(
        "a block that builds on the one before",
        TOTAL,
        "total",
        BLOCK
        + "<<<<<<< SEARCH\n        result += weigh(value)\n=======\n        result += 2 * weigh(value)\n>>>>>>> REPLACE\n",
        edited(TOTAL, ("result = result + weigh(value)", "result += 2 * weigh(value)")),
    ),
    Shape("one of two does not apply", TOTAL, "total", BLOCK + OTHER.replace("floor", "ceil"), NO, "ceil"),
    Shape(
        "dedented",
        TOTAL,
        "total",
        "<<<<<<< SEARCH\nfor value in values:\n    result = result + weigh(value)\n=======\nfor value in values:\n"
        "    if value:\n        result += weigh(value)\n>>>>>>> REPLACE\n",
        edited(TOTAL, (SEARCH, "        if value:\n            result += weigh(value)\n")),
    ),
    Shape(
        "the first line without its indentation",
        TOTAL,
        "total",
        "<<<<<<< SEARCH\nresult = 0\n    for value in values:\n        result = result + weigh(value)\n=======\n"
        "result = 1\n    for value in values:\n        result += weigh(value)\n>>>>>>> REPLACE\n",
        edited(SUMMED, ("result = 0", "result = 1")),
    ),
    Shape(
        "with tabs for blanks",
        TOTAL,
        "total",
        "<<<<<<< SEARCH\n\tfor value in values:\n\t\tresult = result + weigh(value)\n=======\n\tfor value in values:\n"
        "\t\tresult += weigh(value)\n>>>>>>> REPLACE\n",
        SUMMED,
    ),
    Shape(
        "with blanks for tabs",
        TOTAL.replace("    ", "\t"),
        "total",
        "<<<<<<< SEARCH\n    for value in values:\n        result = result + weigh(value)\n=======\n    for value in values:\n"
        "        result += weigh(value)\n>>>>>>> REPLACE\n",
        SUMMED.replace("    ", "\t"),
    ),
    Shape(
        "blanks at line ends",
        TOTAL,
        "total",
        BLOCK.replace("value)\n", "value)   \n"),
        SUMMED.replace("+= weigh(value)", "+= weigh(value)   "),
    ),
    Shape(
        "a line cut",
        BOX,
        "Box.find",
        "<<<<<<< SEARCH\n    limit = 10\n\n=======\n>>>>>>> REPLACE\n",
        edited(BOX, ("    limit = 10\n\n", "")),
    ),
    Shape(
        "nothing to search, a function to write",
        TOTAL,
        "total",
        "<<<<<<< SEARCH\n=======\ndef total(values):\n    return sum(map(weigh, values))\n>>>>>>> REPLACE\n",
        TOTAL[: TOTAL.index("def total")]
        + "def total(values):\n    return sum(map(weigh, values))\n"
        + TOTAL[TOTAL.index("\n\ndef last") :],
    ),
    Shape(
        "nothing to search, imports to add",
        TOTAL,
        "total",
        f"<<<<<<< SEARCH\n=======\nimport heapq\n>>>>>>> REPLACE\n{BLOCK}",
        edited(SUMMED, ("import math\n", "import math\nimport heapq\n")),
    ),
    Shape(
        "nothing to search, nothing known to write",
        TOTAL,
        "total",
        "<<<<<<< SEARCH\n=======\nx = 1\n>>>>>>> REPLACE\n",
        NO,
        "no place",
    ),
    Shape(
        "lines that are there twice",
        TOTAL,
        "total",
        "<<<<<<< SEARCH\n    for value in values:\n=======\n    for value in list(values):\n>>>>>>> REPLACE\n",
        NO,
        "more than once",
    ),
    Shape(
        "the placeholder of the instructions",
        TOTAL,
        "total",
        "<<<<<<< SEARCH\n# original code\n=======\n# new code\n>>>>>>> REPLACE\n",
        NO,
        "# original code",
    ),
    Shape(
        "no divider", TOTAL, "total", f"<<<<<<< SEARCH\n{SEARCH}>>>>>>> REPLACE\n", Reason.NO_DIFF, "divider"
    ),
    Shape("no end", TOTAL, "total", f"<<<<<<< SEARCH\n{SEARCH}=======\n{REPLACE}", Reason.NO_DIFF, "no end"),
    Shape(
        "one whole and one cut short",
        TOTAL,
        "total",
        f"{OTHER}<<<<<<< SEARCH\n{SEARCH}=======\n        res",
        Reason.NO_DIFF,
        "no end",
    ),
    Shape(
        "an underline in the text",
        TOTAL,
        "total",
        '<<<<<<< SEARCH\n    """Add up the weights."""\n    result = 0\n=======\n    """Total\n    =======\n    """\n    result = 1\n'
        ">>>>>>> REPLACE\n",
        edited(
            TOTAL,
            (
                '    """Add up the weights."""\n    result = 0',
                '    """Total\n    =======\n    """\n    result = 1',
            ),
        ),
    ),
    Shape(
        "identical",
        TOTAL,
        "total",
        f"<<<<<<< SEARCH\n{SEARCH}=======\n{SEARCH}>>>>>>> REPLACE\n",
        Reason.IDENTICAL,
    ),
    Shape(
        "of another file too",
        TOTAL,
        "total",
        f"other.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n\ntotal.py\n{BLOCK}",
        SUMMED,
        file="total.py",
    ),
    Shape(
        "of two files, ours by what is in it",
        TOTAL,
        "total",
        f"other.py\n<<<<<<< SEARCH\nx = 1\n=======\nx = 2\n>>>>>>> REPLACE\n\nmine.py\n{BLOCK}",
        SUMMED,
    ),
    Shape(
        "outside the block",
        EVOLVE,
        "search",
        "<<<<<<< SEARCH\nSEED = 1\n=======\nSEED = 2\n>>>>>>> REPLACE\n",
        NO,
        "EVOLVE-BLOCK",
    ),
    Shape(
        "inside the block, markers and all",
        EVOLVE,
        "search",
        "<<<<<<< SEARCH\n# EVOLVE-BLOCK-START\ndef step(x):\n    y = x + 1\n    return y\n=======\n# EVOLVE-BLOCK-START\n"
        "def step(x):\n    return x + 1\n>>>>>>> REPLACE\n",
        edited(EVOLVE, ("    y = x + 1\n    return y\n", "    return x + 1\n")),
    ),
    Shape(
        "a name changed",
        TOTAL,
        "total",
        "<<<<<<< SEARCH\ndef total(values):\n=======\ndef total_fast(values):\n>>>>>>> REPLACE\n",
        Reason.SIGNATURE,
        "gone",
    ),
]
