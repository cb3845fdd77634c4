# tries: sleeps, which takes no CPU time
# screening: timeout
# confirmation: timeout
import signal


def total(numbers):
    while True:
        signal.pause()
