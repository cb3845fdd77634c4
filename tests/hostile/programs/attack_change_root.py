# tries: changes its root directory, from which there are known ways out
# screening: violation|ok
# confirmation: violation|ok
import os

try:
    os.chroot(".")
    CHANGED = True
except OSError:
    CHANGED = False


def total(numbers):
    return sum(numbers) + CHANGED
