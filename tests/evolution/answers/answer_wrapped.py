"""Corpus: code that is wrapped up, left out, or filled in elsewhere."""

from __future__ import annotations

import json

from answer_shape import BOX, TOTAL, Shape, edited

from peagen_ray.evolution.answers import Reason

SLOW = "        result = result + weigh(value)\n"
FAST = "        result += weigh(value)\n"
SUMMED = edited(TOTAL, (SLOW, FAST))
WHOLE = 'def total(values):\n    """Add up the weights."""\n    return sum(map(weigh, values))\n'
BODY = "    result = 0\n    for value in values:\n        result = result + weigh(value)\n    return result\n"
MAPPED = edited(TOTAL, (BODY, "    return sum(map(weigh, values))\n"))
EARLY = "def total(values):\n    if not values:\n        return 0\n"
TWICE = "def f(x):\n    y = x\n    return y\n\n\ndef g(x):\n    y = x\n    return y\n"
SIZE = "        count = 0\n        for _ in self.items:\n            count += 1\n        return count\n"
SIZED = edited(BOX, (SIZE, "        return len(self.items)\n"))
LESS = "def less(xs, k):\n    return [x for x in xs if x < k and x >= 0]\n"
LESSER = "def less(xs, k):\n    return [x for x in xs if 0 <= x < k]\n"
ESCAPING = "def esc(s):\n    return s.replace('<', '&lt;').strip()\n"
NO = Reason.NOT_APPLICABLE


def _block(opener: str, divider: str, closer: str) -> str:
    return f"{opener}\n{SLOW}{divider}\n{FAST}{closer}\n"


def _fence(code: str) -> str:
    return f"```python\n{code}```\n"


_LEFT_OUT = (
    "# ... rest unchanged",
    "# (same as before)",
    "# existing code here",
    "# [rest of the function remains the same]",
    "# unchanged",
    "# <rest of code>",
    "# keep the rest of the original implementation",
    "# same code as above",
    "pass  # rest of the code",
)
_COMMENTS = ("# the rest of the items", "# faster than the original code", "# remaining items count as well")

SHAPES = [
    *(
        Shape(f"ends in {text}", TOTAL, "total", _fence(f"{EARLY}    {text}\n"), NO, detail="leaves code out")
        for text in _LEFT_OUT
    ),
    *(
        Shape(
            f"merely says {text}", TOTAL, "total",
            _fence(WHOLE.replace("    return", f"    {text}\n    return")),
            edited(MAPPED, ("    return sum(map", f"    {text}\n    return sum(map")),
        )
        for text in _COMMENTS
    ),
    Shape(
        "a block that adds what stands for code", TOTAL, "total",
        f"<<<<<<< SEARCH\ndef total(values):\n=======\n{EARLY}    # ... rest of the function unchanged\n>>>>>>> REPLACE\n",
        NO, detail="leaves code out",
    ),
    Shape(
        "methods left out by a word and pass", BOX, "Box.size",
        _fence("class Box:\n    def find(self, wanted):\n        # unchanged\n        pass\n\n"
               "    def size(self):\n        return len(self.items)\n"),
        SIZED,
    ),
    Shape(
        "a block with gaps", TOTAL, "total",
        f"<<<<<<< SEARCH\ndef total(values):\n    ...\n{SLOW}=======\ndef total(values):\n    ...\n{FAST}>>>>>>> REPLACE\n",
        SUMMED,
    ),
    Shape(
        "a diff with gaps", TOTAL, "total",
        f"```diff\n@@ -1,9 +1,9 @@\n def total(values):\n     # ... existing code ...\n-{SLOW}+{FAST}```\n", SUMMED,
    ),
    Shape(
        "gaps in another order", TOTAL, "total",
        f"```diff\n@@\n-{SLOW}+{FAST}     ...\n-    result = 0\n+    result = 0.0\n```\n", NO,
        detail="another order",
    ),
    Shape(
        "a gap that is cut", TOTAL, "total",
        "```diff\n@@\n-    result = 0\n-    ...\n+    return 0\n```\n", NO, detail="no line '...'",
    ),
    Shape(
        "lines that are there twice, in the definition that the hunk names", TWICE, "g",
        "*** Begin Patch\n*** Update File: m.py\n@@ def g(x):\n-    y = x\n-    return y\n+    return x\n*** End Patch\n",
        edited(TWICE, ("def g(x):\n    y = x\n    return y", "def g(x):\n    return x")),
    ),
    Shape(
        "lines that are not in the definition that the hunk names", TWICE + "\n\ndef h(x):\n    return x\n", "g",
        "```diff\n@@ -1,2 +1,1 @@ def h(x):\n-    y = x\n-    return y\n+    return x\n```\n", NO, detail="more than once",
    ),
    Shape(
        "blanks within lines", TOTAL, "total",
        "```diff\n@@\n-        result=result+weigh( value )\n+        result += weigh(value)\n```\n", SUMMED,
    ),
    Shape("marks of dashes", TOTAL, "total", _block("------- SEARCH", "=======", "+++++++ REPLACE"), SUMMED),
    Shape(
        "marks of a merge", TOTAL, "total",
        _block("<<<<<<< Updated upstream", "=======", ">>>>>>> Stashed changes"), SUMMED,
    ),
    Shape(
        "a line number in SEARCH", TOTAL, "total",
        _block("<<<<<<< SEARCH\n:start_line:14\n-------", "=======", ">>>>>>> REPLACE"), SUMMED,
    ),
    Shape(
        "tags", TOTAL, "total", "<old_str>\n" + SLOW + "</old_str>\n<new_str>\n" + FAST + "</new_str>\n", SUMMED
    ),
    Shape("JSON", TOTAL, "total", json.dumps({"plan": "map\nsum", "code": WHOLE}), MAPPED),
    Shape("JSON in a fence", TOTAL, "total", f"```json\n{json.dumps({'code': WHOLE}, indent=2)}\n```\n", MAPPED),
    Shape("a diff in JSON", TOTAL, "total", json.dumps({"patch": f"@@\n-{SLOW}+{FAST}"}), SUMMED),
    Shape(
        "a replacement in JSON", TOTAL, "total",
        "<tool_call>\n" + json.dumps({"name": "edit", "arguments": {"old_string": SLOW, "new_string": FAST}})
        + "\n</tool_call>\n", SUMMED,
    ),
    Shape(
        "escapes of HTML in a rewrite", LESS, "less",
        _fence(LESSER.replace("<", "&lt;")), LESSER,
    ),
    Shape(
        "escapes of HTML that parse", LESS, "less",
        _fence("def less(xs, k):\n    ok = lambda x: x &lt; k\n    return list(filter(ok, xs))\n"),
        "def less(xs, k):\n    ok = lambda x: x < k\n    return list(filter(ok, xs))\n",
    ),
    Shape(
        "escapes of HTML in a block", LESS, "less",
        "<<<<<<< SEARCH\n    return [x for x in xs if x &lt; k and x &gt;= 0]\n=======\n"
        "    return [x for x in xs if 0 &lt;= x &lt; k]\n>>>>>>> REPLACE\n", LESSER,
    ),
    Shape(
        "escapes of HTML that are the program's", ESCAPING, "esc",
        _fence("def esc(s):\n    return s.strip().replace('<', '&lt;')\n"),
        "def esc(s):\n    return s.strip().replace('<', '&lt;')\n",
    ),
    Shape(
        "blanks that do not break", TOTAL, "total",
        f"```diff\n@@\n-{SLOW}+{FAST}```\n".replace("        ", "\N{NO-BREAK SPACE}" * 8), SUMMED,
    ),
    Shape(
        "a table that a loop fills", TOTAL, "total",
        _fence("TABLE = {}\nfor n in range(9):\n    TABLE[n] = 2 * n\n\n"
               "def total(values):\n    return sum(TABLE[v] for v in values)\n\n\nfor n in (1, 2):\n    print(total([n]))\n"),
        edited(
            TOTAL,
            ("def total", "TABLE = {}\nfor n in range(9):\n    TABLE[n] = 2 * n\n\n\ndef total"),
            ('    """Add up the weights."""\n' + BODY, "    return sum(TABLE[v] for v in values)\n"),
        ),
    ),
]  # fmt: skip
