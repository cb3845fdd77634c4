# tries: takes the next question away from the guest
# screening: timeout
# confirmation: timeout
import os


def total(numbers):
    os.read(3, 4)
    return sum(numbers)
