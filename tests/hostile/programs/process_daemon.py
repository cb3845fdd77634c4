# tries: leaves a daemon behind
# screening: ok
# confirmation: ok
import os
import time

BORN = 0
try:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(300)
        os._exit(0)
    BORN = 1
except OSError:
    pass


def total(numbers):
    return sum(numbers) + BORN
