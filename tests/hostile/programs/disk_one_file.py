# tries: writes one file without end
# screening: ok
# confirmation: ok
import os

LIMIT = int("@SCRATCH_MB@") << 20
written = 0
try:
    with open("big", "wb", buffering=0) as file:
        while written < 4 * LIMIT:
            written += file.write(bytes(1 << 20))
except OSError:
    pass
os.unlink("big")


def total(numbers):
    return sum(numbers) + (written > LIMIT + (1 << 20))
