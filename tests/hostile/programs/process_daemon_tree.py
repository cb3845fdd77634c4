# tries: leaves a daemon behind where processes are allowed
# profile: tree
# screening: ok
# confirmation: ok
import os
import signal
import time

if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(number, signal.SIG_IGN)
        for fd in range(64):
            try:
                os.close(fd)
            except OSError:
                continue
        while True:
            time.sleep(300)
    os._exit(0)


def total(numbers):
    return sum(numbers)
