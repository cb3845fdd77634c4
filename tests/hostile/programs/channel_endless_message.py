# tries: announces a message of four gigabytes
# screening: violation
# confirmation: violation
import os


def total(numbers):
    os.write(3, b"\xff\xff\xff\xff")
    return sum(numbers)
