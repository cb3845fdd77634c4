# tries: stops itself
# screening: timeout
# confirmation: timeout
import os
import signal


def total(numbers):
    os.kill(os.getpid(), signal.SIGSTOP)
    return sum(numbers)
