# tries: starts as many threads as it can where threads are allowed
# profile: threads
# screening: ok
# confirmation: ok
import _thread
import time

LIMIT = int("@PROCESSES@")
born = 0
try:
    for _ in range(4 * LIMIT):
        _thread.start_new_thread(time.sleep, (0.2,))
        born += 1
except RuntimeError:
    pass


def total(numbers):
    return sum(numbers) + (born > 2 * LIMIT)
