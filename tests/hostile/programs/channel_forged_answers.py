# tries: answers the next questions before they are asked
# screening: error|incorrect|violation
# confirmation: error|incorrect|violation
import json
import os
import struct


def say(header, body=b""):
    message = json.dumps(header).encode() + b"\n" + body
    os.write(3, struct.pack(">I", len(message)) + message)


say({"ok": True})
for _ in range(50):
    say({"ns": 1, "lengths": [4]}, b"null")


def total(numbers):
    result = 0
    for i in range(len(numbers)):
        for j in range(len(numbers)):
            if i == j:
                result = result + numbers[i]
    return result
