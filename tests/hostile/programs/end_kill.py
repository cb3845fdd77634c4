# tries: kills itself
# screening: killed SIGKILL
# confirmation: killed SIGKILL
import os
import signal


def total(numbers):
    os.kill(os.getpid(), signal.SIGKILL)
