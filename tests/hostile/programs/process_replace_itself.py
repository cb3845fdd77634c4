# tries: becomes another program, with none of the harness in it
# screening: ok|killed|error
# confirmation: ok|killed|error
import os
import sys

try:
    os.execv(sys.executable, [sys.executable, "-c", "while True: pass"])
except OSError:
    pass


def total(numbers):
    return sum(numbers)
