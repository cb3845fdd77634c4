# tries: forks as often as it can where processes are allowed
# profile: tree
# screening: ok|memory
# confirmation: ok
import os
import time

LIMIT = int("@PROCESSES@")
born = 0
try:
    for _ in range(4 * LIMIT):
        if os.fork() == 0:
            os.setsid()
            time.sleep(30)
            os._exit(0)
        born += 1
except OSError:
    pass


def total(numbers):
    return sum(numbers) + (born > LIMIT)
