# tries: maps memory until there is no more, and lives on what it got
# screening: ok
# confirmation: ok
import mmap

LIMIT = int("@MEMORY_MB@") << 20
held, taken = [], 0
try:
    while taken < 4 * LIMIT:
        held.append(mmap.mmap(-1, LIMIT // 16))
        for place in range(0, len(held[-1]), 4096):
            held[-1][place] = 1
        taken += len(held[-1])
except (OSError, MemoryError, ValueError):
    pass
held.clear()


def total(numbers):
    return sum(numbers) + (taken > LIMIT)
