# tries: prints without end, below Python and to standard error
# screening: violation printed more
# confirmation: violation printed more
import os


def total(numbers):
    while True:
        os.write(2, b"x" * 65_536)
