"""Corpus: unified diffs."""

from __future__ import annotations

from answer_shape import BOX, EVOLVE, TOTAL, Shape, edited

from peagen_ray.evolution.answers import Reason

SUMMED = edited(TOTAL, ("result = result + weigh(value)", "result += weigh(value)"))
NO, TRIED = Reason.NOT_APPLICABLE, Reason.TRIED
HUNK = """@@ -11,7 +11,7 @@
     \"\"\"Add up the weights.\"\"\"
     result = 0
     for value in values:
-        result = result + weigh(value)
+        result += weigh(value)
     return result


"""
PLAIN = f"--- a/total.py\n+++ b/total.py\n{HUNK}"

SHAPES = [
    Shape("a correct diff", TOTAL, "total", PLAIN, SUMMED),
    Shape("a diff in a fence", TOTAL, "total", f"```diff\n{PLAIN}```\n", SUMMED),
    Shape("a fence with another tag", TOTAL, "total", f"```python\n{PLAIN}```\n", SUMMED),
    Shape("a fence of five ticks", TOTAL, "total", f"`````patch\n{PLAIN}`````\n", SUMMED),
    Shape("a fence of tildes", TOTAL, "total", f"~~~diff\n{PLAIN}~~~\n", SUMMED),
    Shape("a fence that is never closed", TOTAL, "total", f"Here:\n```diff\n{PLAIN}", SUMMED),
    Shape("a fence that is only closed", TOTAL, "total", f"{PLAIN}```\n\nThis is faster.\n", SUMMED),
    Shape(
        "prose before and after",
        TOTAL,
        "total",
        f"Sure!\n\n{PLAIN}\nThis adds in place.\n- Less work.\n",
        SUMMED,
    ),
    Shape(
        "line numbers that are wrong", TOTAL, "total", PLAIN.replace("-11,7 +11,7", "-900,2 +3,99"), SUMMED
    ),
    Shape("no line numbers", TOTAL, "total", PLAIN.replace("@@ -11,7 +11,7 @@", "@@ ... @@"), SUMMED),
    Shape("no hunk header", TOTAL, "total", PLAIN.replace("@@ -11,7 +11,7 @@\n", ""), SUMMED),
    Shape("a section name", TOTAL, "total", PLAIN.replace("+11,7 @@", "+11,7 @@ def total(values):"), SUMMED),
    Shape("no file header", TOTAL, "total", f"```diff\n{HUNK}```", SUMMED),
    Shape(
        "no header at all in a diff fence",
        TOTAL,
        "total",
        "```diff\n-        result = result + weigh(value)\n+        result += weigh(value)\n```",
        SUMMED,
    ),
    Shape(
        "no header at all in a python fence",
        TOTAL,
        "total",
        "```python\n     for value in values:\n-        result = result + weigh(value)\n+        result += weigh(value)\n```",
        SUMMED,
    ),
    Shape("CRLF", TOTAL, "total", PLAIN.replace("\n", "\r\n"), SUMMED),
    Shape("CRLF in the program", TOTAL.replace("\n", "\r\n"), "total", PLAIN, SUMMED.replace("\n", "\r\n")),
    Shape("git's signature", TOTAL, "total", f"{PLAIN.rstrip()}\n-- \n2.39.2\n", SUMMED),
    Shape(
        "git's noise",
        TOTAL,
        "total",
        f"diff --git a/total.py b/total.py\nindex 3f9b12a..4d5e6a7 100644\n{PLAIN}",
        SUMMED,
    ),
    Shape(
        "a name that is not ours, alone",
        TOTAL,
        "total",
        PLAIN.replace("total.py", "src/sums.py"),
        SUMMED,
        file="total.py",
    ),
    Shape(
        "an invented date",
        TOTAL,
        "total",
        PLAIN.replace("a/total.py", "total.py\t2024-01-01 00:00:00"),
        SUMMED,
    ),
    Shape(
        "kept lines without their blank",
        TOTAL,
        "total",
        '```diff\n@@ -1 +1 @@\n def total(values):\n    """Add up the weights."""\n    result = 0\n'
        "    for value in values:\n-        result = result + weigh(value)\n+        result += weigh(value)\n```",
        SUMMED,
    ),
    Shape(
        "no context",
        TOTAL,
        "total",
        "@@ -14 +14 @@\n-        result = result + weigh(value)\n+        result += weigh(value)\n",
        SUMMED,
    ),
    Shape(
        "blank lines between that the program does not have",
        TOTAL,
        "total",
        "```diff\n@@ @@\n     result = 0\n\n     for value in values:\n-        result = result + weigh(value)\n"
        "+        result += weigh(value)\n```",
        SUMMED,
    ),
    Shape(
        "a blank line missing",
        TOTAL,
        "total",
        "```diff\n@@ @@\n import math\n def weigh(x):\n-    return math.floor(x) * 2\n+    return 2 * math.floor(x)\n```",
        edited(TOTAL, ("math.floor(x) * 2", "2 * math.floor(x)")),
    ),
    Shape(
        "everything one level out",
        TOTAL,
        "total",
        "```diff\n@@ @@\n for value in values:\n-    result = result + weigh(value)\n+    if value:\n"
        "+        result += weigh(value)\n return result\n```",
        edited(
            TOTAL,
            (
                "        result = result + weigh(value)\n",
                "        if value:\n            result += weigh(value)\n",
            ),
        ),
    ),
    Shape(
        "several hunks",
        TOTAL,
        "total",
        f"{PLAIN}@@ -3,3 +3,3 @@\n def weigh(x):\n-    return math.floor(x) * 2\n+    return 2 * math.floor(x)\n",
        edited(SUMMED, ("math.floor(x) * 2", "2 * math.floor(x)")),
    ),
    Shape(
        "hunks in fences of their own",
        TOTAL,
        "total",
        f"First:\n```diff\n{HUNK}```\nThen:\n```diff\n@@ -3 +3 @@\n def weigh(x):\n-    return math.floor(x) * 2\n"
        "+    return 2 * math.floor(x)\n```\n",
        edited(SUMMED, ("math.floor(x) * 2", "2 * math.floor(x)")),
    ),
    Shape("one diff twice", TOTAL, "total", f"```diff\n{PLAIN}```\nAgain:\n```diff\n{PLAIN}```\n", SUMMED),
    Shape(
        "two alternatives, of which the last counts",
        TOTAL,
        "total",
        f"```diff\n{PLAIN}```\nBetter:\n```diff\n{PLAIN.replace('+        result +=', '+        result = 1 *')}```\n",
        edited(TOTAL, ("result = result + weigh(value)", "result = 1 * weigh(value)")),
    ),
    Shape(
        "two alternatives, of which only the first applies",
        TOTAL,
        "total",
        f"```diff\n{PLAIN}```\nOr rewritten:\n```python\ndef total(values:\n    return 1\n```\n",
        SUMMED,
    ),
    Shape(
        "two diffs, of which the last does not apply",
        TOTAL,
        "total",
        f"```diff\n{PLAIN}```\nOr:\n```diff\n{PLAIN.replace('value in', 'item in')}```\n",
        SUMMED,
    ),
    Shape(
        "two diffs, of which the first does not apply",
        TOTAL,
        "total",
        f"```diff\n{PLAIN.replace('value in', 'item in')}```\nOr:\n```diff\n{PLAIN}```\n",
        SUMMED,
    ),
    Shape(
        "two diffs, of which the last is cut off",
        TOTAL,
        "total",
        f"```diff\n{PLAIN}```\nOr:\n```diff\n@@ @@\n def weigh(x):\n-    return math.floor(x) * 2",
        SUMMED,
        finished=False,
    ),
    Shape(
        "several files, ours by its name",
        TOTAL,
        "total",
        f"--- a/other.py\n+++ b/other.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n{PLAIN}",
        SUMMED,
        file="pkg/total.py",
    ),
    Shape(
        "several files, ours by what is in it",
        TOTAL,
        "total",
        f"--- a/other.py\n+++ b/other.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n{PLAIN}",
        SUMMED,
    ),
    Shape(
        "several files, none of them ours",
        TOTAL,
        "total",
        "--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n--- a/y.py\n+++ b/y.py\n@@ -1 +1 @@\n-y = 1\n+y = 2\n",
        NO,
        "several files",
    ),
    Shape(
        "an OpenAI patch",
        TOTAL,
        "total",
        "*** Begin Patch\n*** Update File: total.py\n@@ def total(values):\n     for value in values:\n"
        "-        result = result + weigh(value)\n+        result += weigh(value)\n*** End Patch\n",
        SUMMED,
    ),
    Shape(
        "a new import without context",
        TOTAL,
        "total",
        f"--- a/total.py\n+++ b/total.py\n@@ -1,0 +1,1 @@\n+from itertools import chain\n{HUNK}",
        edited(SUMMED, ("import math\n", "import math\nfrom itertools import chain\n")),
    ),
    Shape("new code without context", TOTAL, "total", "@@ -1,0 +1,2 @@\n+x = 1\n+y = 2\n", NO, "no place"),
    Shape(
        "the whole file as a new one",
        TOTAL,
        "total",
        "--- /dev/null\n+++ b/total.py\n@@ -0,0 +1,30 @@\n"
        + "".join(f"+{line}\n" for line in SUMMED.splitlines()),
        SUMMED,
    ),
    Shape(
        "the file deleted",
        TOTAL,
        "total",
        '--- a/total.py\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-"""Sums."""\n',
        NO,
        "deletes",
    ),
    Shape(
        "lines that are there twice",
        TOTAL,
        "total",
        "@@ -12,2 +12,2 @@\n     for value in values:\n+        pass\n",
        NO,
        "more than once",
    ),
    Shape(
        "lines that are not there",
        TOTAL,
        "total",
        PLAIN.replace("result = 0", "result = 1"),
        NO,
        "result = 1",
    ),
    Shape(
        "lines in another order",
        TOTAL,
        "total",
        "@@ @@\n     return result\n-        result = result + weigh(value)\n+        pass\n",
        NO,
        "do not follow",
    ),
    Shape(
        "nothing changed",
        TOTAL,
        "total",
        PLAIN.replace("+        result +=", "+        result = result +"),
        Reason.IDENTICAL,
    ),
    Shape(
        "only kept lines",
        TOTAL,
        "total",
        "```diff\n@@ -1,2 +1,2 @@\n     result = 0\n     for value in values:\n```",
        Reason.IDENTICAL,
    ),
    Shape(
        "only a comment",
        TOTAL,
        "total",
        "@@ @@\n     result = 0\n+    # the sum\n     for value in values:\n",
        Reason.IDENTICAL,
    ),
    Shape(
        "what comes of it is not Python",
        TOTAL,
        "total",
        PLAIN.replace("+        result +=", "+        result +=)"),
        Reason.SYNTAX,
        "line 14",
    ),
    Shape(
        "another parameter",
        TOTAL,
        "total",
        '@@ @@\n-def total(values):\n+def total(values, start):\n     """Add up the weights."""\n-    result = 0\n'
        "+    result = start\n",
        Reason.SIGNATURE,
        "total takes (values, start)",
    ),
    Shape("outside the block", EVOLVE, "search", "@@ @@\n-SEED = 1\n+SEED = 2\n \n", NO, "EVOLVE-BLOCK"),
    Shape(
        "inside the block",
        EVOLVE,
        "search",
        "@@ @@\n-    y = x + 1\n-    return y\n+    return x + 1\n",
        edited(EVOLVE, ("    y = x + 1\n    return y\n", "    return x + 1\n")),
    ),
    Shape("the marker cut", EVOLVE, "search", "@@ @@\n-# EVOLVE-BLOCK-END\n+x = 1\n", NO, "EVOLVE-BLOCK"),
    Shape(
        "a method",
        BOX,
        "Box.size",
        "@@ -3,9 +3,4 @@\n     def size(self):\n-        count = 0\n-        for _ in self.items:\n-            count += 1\n"
        "-        return count\n+        return len(self.items)\n",
        edited(
            BOX,
            (
                "        count = 0\n        for _ in self.items:\n            count += 1\n        return count\n",
                "        return len(self.items)\n",
            ),
        ),
    ),
    Shape(
        "no line end at the end",
        BOX.rstrip(),
        "Box.size",
        "@@ @@\n             count += 1\n-        return count\n+        return int(count)\n\\ No newline at end of file\n",
        edited(BOX, ("return count\n", "return int(count)")),
    ),
]
