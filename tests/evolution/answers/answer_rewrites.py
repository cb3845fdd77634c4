"""Corpus: whole functions, methods and files."""

from __future__ import annotations

from answer_shape import BOX, EVOLVE, TOTAL, Shape, edited

from peagen_ray.evolution.answers import Reason

NO = Reason.NOT_APPLICABLE
OLD = TOTAL[TOTAL.index("def total") : TOTAL.index("\n\ndef last")]
NEW = "def total(values):\n    return sum(weigh(value) for value in values)\n"
SUMMED = edited(TOTAL, (OLD, NEW))
FENCED = f"```python\n{NEW}```\n"
SIZE = BOX[BOX.index("        count = 0") :]
SIZED = edited(BOX, (SIZE, "        return len(self.items)\n"))
HEADED = f"#!/usr/bin/env python3\n# -*- coding: latin-1 -*-\n# Licence: of the owner\n{TOTAL}"
SCALED = TOTAL + "\n\nSCALE = 3\n"
ASYNC = "import asyncio\n\n\nasync def fetch(n):\n    return n\n\n\ndef total(n):\n    return asyncio.run(fetch(n)) + 1 + 1\n"
CACHED = "from functools import cache\n\n\n@cache\ndef fib(n):\n    return n if n < 2 else fib(n - 1) + fib(n - 2)\n"
IFFED = "import sys\n\nif sys.version_info > (3,):\n    def f(x):\n        y = x\n        return y\nelse:\n    g = 1\n"
TEXT = 'def text(x):\n    """Doc.\n\n    More.\n    """\n    return str(x) + ""\n\n\nclass A:\n    def text(self, x):\n        return str(x)\n'

PROPERTY = """class P:
    @property
    def x(self):
        return self._x

    @x.setter
    def x(self, x):
        self._x = x

    def f(self):
        return self._x + 0


P.limit = 3
"""
FENCE_INSIDE = 'def total(values):\n    """Sum.\n\n```python\ntotal([1])\n```\n    """\n    return sum(map(weigh, values))\n'

SHAPES = [
    Shape("a function", TOTAL, "total", FENCED, SUMMED),
    Shape("no tag", TOTAL, "total", f"```\n{NEW}```\n", SUMMED),
    Shape("no fence", TOTAL, "total", NEW, SUMMED),
    Shape(
        "no fence, in prose",
        TOTAL,
        "total",
        f"Here is the improved function:\n\n{NEW}\nIt uses a generator.\n",
        SUMMED,
    ),
    Shape("fence opened only", TOTAL, "total", f"```python\n{NEW}", SUMMED),
    Shape(
        "fence opened only, and prose",
        TOTAL,
        "total",
        f"```python\n{NEW}\nThis is faster because it sums.\n",
        SUMMED,
    ),
    Shape("fence closed only", TOTAL, "total", f"{NEW}```\n", SUMMED),
    Shape(
        "fence at the end of a sentence", TOTAL, "total", f"Here it is:```python\n{NEW.rstrip()}```\n", SUMMED
    ),
    Shape(
        "fence in a list",
        TOTAL,
        "total",
        "1. Use sum:\n\n   ```python\n   def total(values):\n       return sum(weigh(value) for value in values)\n   ```\n",
        SUMMED,
    ),
    Shape("fence in a fence", TOTAL, "total", f"````markdown\n```python\n{NEW}```\n````\n", SUMMED),
    Shape(
        "a fence in a docstring",
        TOTAL,
        "total",
        f"```python\n{FENCE_INSIDE}```\nDone.\n",
        edited(TOTAL, (OLD, FENCE_INSIDE)),
    ),
    Shape(
        "indented as a whole",
        TOTAL,
        "total",
        "```\n" + "".join(f"    {line}\n" for line in NEW.splitlines()) + "```",
        SUMMED,
    ),
    Shape("CRLF", TOTAL, "total", FENCED.replace("\n", "\r\n"), SUMMED),
    Shape("CRLF in the program", TOTAL.replace("\n", "\r\n"), "total", FENCED, SUMMED.replace("\n", "\r\n")),
    Shape(
        "examples of use are not taken",
        TOTAL,
        "total",
        f"```python\n{NEW}\n# Example\nvalues = [1, 2]\nprint(total(values))\n```",
        SUMMED,
    ),
    Shape(
        "a test is not taken",
        TOTAL,
        "total",
        f"```python\nimport time\n\n{NEW}\ndef test_total():\n    assert total([1]) == 2\n\ntest_total()\n```",
        SUMMED,
    ),
    Shape(
        "a main guard is not taken",
        TOTAL,
        "total",
        f"```python\n{NEW}\nif __name__ == '__main__':\n    values = [1]\n    print(total(values))\n```",
        SUMMED,
    ),
    Shape(
        "an import that it needs",
        TOTAL,
        "total",
        "```python\nfrom itertools import accumulate\nimport os\n\ndef total(values):\n    return list(accumulate(values))[-1]\n```",
        edited(
            TOTAL,
            ("import math\n", "import math\nfrom itertools import accumulate\n"),
            (OLD, "def total(values):\n    return list(accumulate(values))[-1]\n"),
        ),
    ),
    Shape("an import that is there", TOTAL, "total", f"```python\nimport math\n\n{NEW}```", SUMMED),
    Shape(
        "a helper that it needs, and what that needs",
        TOTAL,
        "total",
        "```python\n_FACTOR = 2\n\ndef _one(x):\n    return x * _FACTOR\n\ndef unused():\n    pass\n\n"
        "def total(values):\n    return sum(map(_one, values))\n```",
        edited(
            TOTAL,
            (
                OLD,
                "_FACTOR = 2\n\n\ndef _one(x):\n    return x * _FACTOR\n\n\n"
                "def total(values):\n    return sum(map(_one, values))\n",
            ),
        ),
    ),
    Shape(
        "a helper from another fence",
        TOTAL,
        "total",
        "First a helper:\n```python\nimport heapq\n\ndef _one(x):\n    return heapq.nsmallest(1, [x])[0]\n```\nThen:\n"
        "```python\ndef total(values):\n    return sum(map(_one, values))\n```",
        edited(
            TOTAL,
            ("import math\n", "import math\nimport heapq\n"),
            (
                OLD,
                "def _one(x):\n    return heapq.nsmallest(1, [x])[0]\n\n\n"
                "def total(values):\n    return sum(map(_one, values))\n",
            ),
        ),
    ),
    Shape(
        "a helper of the program rewritten too",
        TOTAL,
        "total",
        f"```python\ndef weigh(x):\n    return 2 * math.floor(x)\n\n{NEW}```",
        edited(SUMMED, ("    return math.floor(x) * 2", "    return 2 * math.floor(x)")),
    ),
    Shape(
        "only a helper of the program",
        TOTAL,
        "total",
        "```python\ndef weigh(x):\n    return 2 * math.floor(x)\n```",
        edited(TOTAL, ("    return math.floor(x) * 2", "    return 2 * math.floor(x)")),
    ),
    Shape("the whole file", TOTAL, "total", f"```python\n{SUMMED}```", SUMMED),
    Shape(
        "the whole file, and something run on import",
        TOTAL,
        "total",
        f"```python\n{SUMMED}\nprint(total([1]))\n```",
        SUMMED,
    ),
    Shape(
        "the whole file with code left out",
        TOTAL,
        "total",
        f"```python\nimport math\n\ndef weigh(x):\n    # ... unchanged ...\n    return math.floor(x) * 2\n\n{NEW}\n\n"
        "def last(values):\n    # ... rest of the code ...\n    pass\n```",
        SUMMED,
    ),
    Shape(
        "the other functions left out as dots",
        TOTAL,
        "total",
        f"```python\nimport math\n\ndef weigh(x): ...\n\n{NEW}\ndef last(values):\n    ...\n```",
        SUMMED,
    ),
    Shape(
        "a helper changed and left out in part",
        TOTAL,
        "total",
        f"```python\ndef weigh(x):\n    # ... existing code ...\n    return 2\n\n{NEW}```",
        NO,
        "leaves code out",
    ),
    Shape(
        "the function left out as dots",
        TOTAL,
        "total",
        "```python\ndef total(values):\n    ...\n```",
        NO,
        "leaves code out",
    ),
    Shape(
        "dots in the function",
        TOTAL,
        "total",
        "```python\ndef total(values):\n    result = 1\n    ...\n    return result\n```",
        NO,
        "leaves code out",
    ),
    Shape(
        "the constructor left out as dots",
        BOX,
        "Box.size",
        "```python\nclass Box:\n    def __init__(self, items=()): ...\n\n    def size(self):\n        return len(self.items)\n```",
        SIZED,
    ),
    Shape(
        "a property with its setter",
        PROPERTY,
        "P.f",
        "```python\nclass P:\n    @property\n    def x(self):\n        return self._x * 1\n\n    @x.setter\n"
        "    def x(self, x):\n        self._x = x\n\n    def f(self):\n        return self._x\n```",
        edited(
            PROPERTY, ("return self._x\n\n    @x", "return self._x * 1\n\n    @x"), ("self._x + 0", "self._x")
        ),
    ),
    Shape(
        "a class with another base",
        BOX,
        "Box.size",
        "```python\nclass Box(dict):\n    def size(self):\n        return len(self.items)\n```",
        edited(SIZED, ("class Box:", "class Box(dict):")),
    ),
    Shape(
        "a class without its base",
        BOX.replace("class Box:", "class Box(dict):"),
        "Box.size",
        "```python\nclass Box:\n    def size(self):\n        return len(self.items)\n```",
        edited(SIZED, ("class Box:", "class Box(dict):")),
    ),
    Shape(
        "the whole file keeps its head",
        HEADED,
        "total",
        f"```python\n{SUMMED.partition('import')[1]}{SUMMED.partition('import')[2]}```",
        HEADED.replace(OLD, NEW),
    ),
    Shape(
        "code left out in the function",
        TOTAL,
        "total",
        "```python\ndef total(values):\n    # ... existing code ...\n    return result\n```",
        NO,
        "leaves code out",
    ),
    Shape(
        "a constant of the program changed",
        SCALED,
        "total",
        "```python\nSCALE = 4\n\ndef total(values):\n    return SCALE * sum(values)\n```",
        edited(
            SCALED, (OLD, "def total(values):\n    return SCALE * sum(values)\n"), ("SCALE = 3", "SCALE = 4")
        ),
    ),
    Shape(
        "annotations and another default",
        "def f(a, b=1):\n    return a\n\n\nx = 1\n",
        "f",
        "```python\ndef f(a: int, b: int = 2) -> int:\n    return +a\n```",
        "def f(a: int, b: int = 2) -> int:\n    return +a\n\n\nx = 1\n",
    ),
    Shape(
        "a default taken away",
        "def f(a, b=1):\n    return a\n",
        "f",
        "```python\ndef f(a, b):\n    return +a\n```",
        Reason.SIGNATURE,
        "had a default",
    ),
    Shape(
        "a parameter more",
        "def f(a):\n    return a\n",
        "f",
        "```python\ndef f(a, memo=None):\n    return +a\n```",
        Reason.SIGNATURE,
        "it took (a)",
    ),
    Shape(
        "another name",
        TOTAL,
        "total",
        "```python\ndef fast_total(values):\n    return sum(values)\n```",
        Reason.SIGNATURE,
        "fast_total",
    ),
    Shape(
        "made asynchronous",
        TOTAL,
        "total",
        "```python\nasync def total(values):\n    return sum(values)\n```",
        Reason.SIGNATURE,
        "another kind",
    ),
    Shape(
        "an asynchronous helper",
        ASYNC,
        "total",
        "```python\nasync def fetch(n):\n    return n + 0\n\ndef total(n):\n    return asyncio.run(fetch(n)) + 2\n```",
        edited(ASYNC, ("    return n\n", "    return n + 0\n"), ("+ 1 + 1", "+ 2")),
    ),
    Shape(
        "decorators come along",
        TOTAL,
        "total",
        "```python\nimport functools\n\n@functools.cache\ndef total(values):\n    return sum(values)\n```",
        edited(
            TOTAL,
            ("import math\n", "import math\nimport functools\n"),
            (OLD, "@functools.cache\ndef total(values):\n    return sum(values)\n"),
        ),
    ),
    Shape(
        "decorators go",
        CACHED,
        "fib",
        "```python\ndef fib(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n```",
        CACHED[: CACHED.index("@cache")]
        + "def fib(n):\n    a, b = 0, 1\n    for _ in range(n):\n        a, b = b, a + b\n    return a\n",
    ),
    Shape(
        "a function under an if",
        IFFED,
        "f",
        "```python\ndef f(x):\n    return x\n```",
        edited(IFFED, ("        y = x\n        return y\n", "        return x\n")),
    ),
    Shape(
        "a method in its class",
        BOX,
        "Box.size",
        "```python\nclass Box:\n    def size(self):\n        return len(self.items)\n```",
        SIZED,
    ),
    Shape(
        "a method in a class with code left out",
        BOX,
        "Box.size",
        "```python\nclass Box:\n    # ... existing code ...\n\n    def size(self):\n        return len(self.items)\n```",
        SIZED,
    ),
    Shape(
        "a method without its class",
        BOX,
        "Box.size",
        "```python\ndef size(self):\n    return len(self.items)\n```",
        SIZED,
    ),
    Shape(
        "a method without its class, indented",
        BOX,
        "Box.size",
        "```python\n    def size(self):\n        return len(self.items)\n```",
        SIZED,
    ),
    Shape(
        "a static method without its decorator",
        BOX,
        "Box.double",
        "```python\ndef double(x):\n    return 2 * x\n```",
        edited(BOX, ("return x + x", "return 2 * x")),
    ),
    Shape(
        "a class without the class around it",
        "class A:\n    class B:\n        def m(self):\n            return 1\n",
        "A.B.m",
        "```python\nclass B:\n    def m(self):\n        return 2\n```",
        "class A:\n    class B:\n        def m(self):\n            return 2\n",
    ),
    Shape(
        "an entry that the program does not have", TOTAL, "sum_up", FENCED, Reason.SIGNATURE, "has no sum_up"
    ),
    Shape("the whole class", BOX, "Box.size", f"```python\n{SIZED}```", SIZED),
    Shape(
        "a method that is new",
        BOX,
        "Box.size",
        "```python\nclass Box:\n    def size(self):\n        return self._count()\n\n    def _count(self):\n        return len(self.items)\n```",
        edited(
            BOX,
            (SIZE, "        return self._count()\n\n    def _count(self):\n        return len(self.items)\n"),
        ),
    ),
    Shape(
        "an attribute that is new",
        BOX,
        "Box.size",
        "```python\nclass Box:\n    extra = 0\n    def size(self):\n        return len(self.items) + self.extra\n```",
        edited(
            BOX,
            ("    limit = 10\n", "    limit = 10\n    extra = 0\n"),
            (SIZE, "        return len(self.items) + self.extra\n"),
        ),
    ),
    Shape(
        "another constructor",
        BOX,
        "Box.size",
        "```python\nclass Box:\n    def __init__(self, items, count):\n        self.items = list(items)\n\n    def size(self):\n        return len(self.items)\n```",
        Reason.SIGNATURE,
        "__init__",
    ),
    Shape(
        "a static method made an instance's",
        BOX,
        "Box.double",
        "```python\nclass Box:\n    def double(self, x):\n        return 2 * x\n```",
        Reason.SIGNATURE,
        "another kind",
    ),
    Shape(
        "the function in a class of the model's own",
        TOTAL,
        "total",
        "```python\nclass Solution:\n    def total(self, values):\n        return sum(values)\n```",
        Reason.SIGNATURE,
    ),
    Shape(
        "strings keep what is in them",
        TEXT,
        "A.text",
        '```python\ndef text(self, x):\n    """Doc.\n\n    More.\n    """\n    y = """\n  two\n"""\n    return y\n```',
        TEXT[: TEXT.index("    def text(self")]
        + '    def text(self, x):\n        """Doc.\n\n        More.\n        """\n        y = """\n  two\n"""\n        return y\n',
    ),
    Shape("the same", TOTAL, "total", f"```python\n{OLD}```", Reason.IDENTICAL),
    Shape(
        "the same with another docstring and comments",
        TOTAL,
        "total",
        "```python\n# new\ndef total(values):\n    '''Sum.'''\n    result = 0  # start\n    for value in values:\n"
        "        result = result + weigh(value)\n    return result\n```",
        Reason.IDENTICAL,
    ),
    Shape(
        "not Python",
        TOTAL,
        "total",
        "```python\ndef total(values):\n    return sum(values\n```",
        Reason.SYNTAX,
    ),
    Shape(
        "not Python at compile time",
        TOTAL,
        "total",
        "```python\ndef total(values):\n    break\n```",
        Reason.SYNTAX,
    ),
    Shape("only statements", TOTAL, "total", "```python\nreturn sum(values)\n```", Reason.NO_DIFF),
    Shape(
        "a function of the block",
        EVOLVE,
        "search",
        "```python\ndef step(x):\n    return x + 1\n```",
        edited(EVOLVE, ("    y = x + 1\n    return y\n", "    return x + 1\n")),
    ),
    Shape(
        "the whole file around the block",
        EVOLVE,
        "search",
        "```python\n" + edited(EVOLVE, ("    y = x + 1\n    return y\n", "    return x + 1\n")) + "```",
        edited(EVOLVE, ("    y = x + 1\n    return y\n", "    return x + 1\n")),
    ),
    Shape(
        "the whole file, laid out otherwise around the block",
        EVOLVE,
        "search",
        "```python\n"
        + edited(
            EVOLVE,
            ("    y = x + 1\n    return y\n", "    return x + 1\n"),
            ("SEED = 1\n\n\n", "SEED = 1  \n"),
        )
        + "```",
        edited(EVOLVE, ("    y = x + 1\n    return y\n", "    return x + 1\n")),
    ),
    Shape(
        "the whole file, edited around the block",
        EVOLVE,
        "search",
        "```python\n"
        + edited(EVOLVE, ("    y = x + 1\n    return y\n", "    return x + 1\n"), ("SEED = 1", "SEED = 2"))
        + "```",
        NO,
        "EVOLVE-BLOCK",
    ),
    Shape(
        "the block alone, with its markers",
        EVOLVE,
        "search",
        "```python\n# EVOLVE-BLOCK-START\ndef search(n):\n    return n\n# EVOLVE-BLOCK-END\n```",
        EVOLVE[: EVOLVE.index("def step")]
        + "def search(n):\n    return n\n"
        + EVOLVE[EVOLVE.index("# EVOLVE-BLOCK-END") :],
    ),
    Shape(
        "the whole file without the markers",
        EVOLVE,
        "search",
        "```python\n"
        + edited(
            EVOLVE,
            ("    y = x + 1\n    return y\n", "    return x + 1\n"),
            ("# EVOLVE-BLOCK-START\n", ""),
            ("# EVOLVE-BLOCK-END\n", ""),
        )
        + "```",
        edited(EVOLVE, ("    y = x + 1\n    return y\n", "    return x + 1\n")),
    ),
    Shape(
        "an import goes into the block",
        EVOLVE,
        "search",
        "```python\nimport heapq\n\ndef search(n):\n    return heapq.nlargest(1, [n])[0]\n```",
        edited(
            EVOLVE,
            ("# EVOLVE-BLOCK-START\n", "# EVOLVE-BLOCK-START\nimport heapq\n\n\n"),
            (
                EVOLVE[EVOLVE.index("    best = 0") : EVOLVE.index("# EVOLVE-BLOCK-END")],
                "    return heapq.nlargest(1, [n])[0]\n",
            ),
        ),
    ),
    Shape("a whole module", TOTAL, "", f"```python\n{SUMMED}```", SUMMED),
    Shape("a part of a whole module", TOTAL, "", FENCED, SUMMED),
    Shape(
        "a whole module whose function takes other arguments",
        TOTAL,
        "",
        "```python\ndef total(values, start):\n    return sum(values, start)\n```",
        Reason.SIGNATURE,
    ),
]
