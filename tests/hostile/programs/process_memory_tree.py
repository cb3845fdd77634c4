# tries: has several processes take the memory that each of them may have
# profile: tree
# screening: ok|memory|killed
# confirmation: ok|memory|killed
import os

SHARE, PROCESSES = (int("@MEMORY_MB@") << 20) // 2, 6
ends = []
for _ in range(PROCESSES):
    reading, writing = os.pipe()
    if os.fork() == 0:
        block = bytearray(SHARE)
        for place in range(0, SHARE, 4096):
            block[place] = 1
        os.write(writing, b"x")
        os.read(0, 1)
        while True:
            pass
    os.close(writing)
    ends.append(reading)
held = sum(os.read(end, 1) == b"x" for end in ends)


def total(numbers):
    return sum(numbers) + (held > 3)
