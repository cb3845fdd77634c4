# tries: reads the workspace and the code that judges it
# screening: ok
# confirmation: ok
import os

LEAKS = 0
for path in (
    "@WORKSPACE@/secret.txt",
    "@WORKSPACE@",
    "@CHECKOUT@/pyproject.toml",
    "@CHECKOUT@/tests",
    "@CHECKOUT@/.git",
):
    LEAKS += os.path.exists(path)


def total(numbers):
    return sum(numbers) + LEAKS
