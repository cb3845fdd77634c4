# tries: fills memory with files that have no name
# screening: ok
# confirmation: ok
import os

LIMIT = int("@MEMORY_MB@") << 20
held, written = [], 0
try:
    while written < 2 * LIMIT:
        held.append(os.memfd_create("bomb"))
        for _ in range(64):
            written += os.write(held[-1], bytes(1 << 20))
except OSError:
    pass
for fd in held:
    os.close(fd)


def total(numbers):
    return sum(numbers) + (written > LIMIT)
