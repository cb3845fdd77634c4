# tries: sends a header that is nested a hundred thousand times
# screening: error|violation
# confirmation: error|violation
import os
import struct

message = b"[" * 60_000
os.write(3, struct.pack(">I", len(message)) + message)


def total(numbers):
    return sum(numbers)
