# tries: changes a file of Python's own library, which the next candidate would load
# screening: ok
# confirmation: ok
import ctypes
import json
import os
import sys

ESCAPES = 0
for path in (
    os.__file__,
    json.__file__,
    json.__spec__.cached,
    ctypes.__file__,
    sys.executable,
    "/proc/self/exe",
):
    for act in (
        lambda path: open(path, "r+b").close(),
        lambda path: os.utime(path),
        lambda path: os.chmod(path, os.stat(path).st_mode & 0o7777),
    ):
        try:
            act(path)
            ESCAPES += 1
        except OSError:
            continue


def total(numbers):
    return sum(numbers) + ESCAPES
