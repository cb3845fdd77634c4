# tries: announces a message and never ends it
# screening: timeout|error
# confirmation: timeout|error
import os
import time


def total(numbers):
    os.write(3, b"\x00\x00\x01\x00{")
    while True:
        time.sleep(1)
