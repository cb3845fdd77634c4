# tries: registers work for the end of the process
# screening: ok
# confirmation: ok
import atexit
import threading


@atexit.register
def forever():
    while True:
        pass


threading._register_atexit(forever)


def total(numbers):
    return sum(numbers)
