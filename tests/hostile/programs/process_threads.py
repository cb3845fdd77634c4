# tries: starts as many threads as it can
# screening: ok
# confirmation: ok
import _thread
import time

born = 0
try:
    for _ in range(100):
        _thread.start_new_thread(time.sleep, (5,))
        born += 1
except RuntimeError:
    pass


def total(numbers):
    return sum(numbers) + born
