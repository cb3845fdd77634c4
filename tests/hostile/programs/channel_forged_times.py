# tries: slips forged times between the answers while it is timed
# screening: error|incorrect|violation|ok
# confirmation: error|incorrect|violation|no-gain
import json
import os
import struct
import sys


def say(header):
    message = json.dumps(header).encode() + b"\n"
    os.write(3, struct.pack(">I", len(message)) + message)


def slow(numbers):
    result = 0
    for i in range(len(numbers)):
        for j in range(len(numbers)):
            if i == j:
                result = result + numbers[i]
    return result


def total(numbers):
    frame, names = sys._getframe(), set()
    while frame:
        names.add(frame.f_code.co_name)
        frame = frame.f_back
    if "do_pairs" in names:
        say({"pairs": [[10**9, 1]] * 4})
    if "do_go" in names:
        say({"ns": 1})
    return slow(numbers)
