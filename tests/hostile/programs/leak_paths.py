# tries: finds a path of the workspace in what Python knows of itself
# screening: ok
# confirmation: ok
import sys

known = [*sys.argv, *map(str, sys.orig_argv)]
LEAKS = sum("@WORKSPACE@" in text for text in known)


def total(numbers):
    return sum(numbers) + LEAKS
