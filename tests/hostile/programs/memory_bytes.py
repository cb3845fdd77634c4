# tries: takes memory until there is no more, and lives on what it got
# screening: ok
# confirmation: ok
LIMIT = int("@MEMORY_MB@") << 20
held = []
try:
    while len(held) < 256:
        block = bytearray(LIMIT // 64)
        for place in range(0, len(block), 4096):
            block[place] = 1
        held.append(block)
except MemoryError:
    pass
taken = sum(map(len, held))
held.clear()


def total(numbers):
    return sum(numbers) + (taken > LIMIT)
