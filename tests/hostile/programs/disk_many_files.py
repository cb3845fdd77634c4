# tries: writes one file after the other
# screening: ok
# confirmation: ok
LIMIT = int("@SCRATCH_MB@") << 20
written = 0
try:
    for number in range(64):
        with open(f"part{number}", "wb", buffering=0) as file:
            written += file.write(bytes(LIMIT // 8))
except OSError:
    pass


def total(numbers):
    return sum(numbers) + (written > 2 * LIMIT)
