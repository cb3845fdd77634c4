# tries: sends numbers that are too long to be read
# screening: error|violation
# confirmation: error|violation
import os
import struct


def total(numbers):
    message = b'{"ns": ' + b"9" * 60_000 + b', "lengths": [1e400]}\n'
    os.write(3, struct.pack(">I", len(message)) + message)
    return sum(numbers)
