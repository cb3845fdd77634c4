# tries: flees from its killer by forking on and on
# profile: tree
# screening: ok
# confirmation: ok
import os

if os.fork() == 0:
    os.setsid()
    for fd in range(64):
        try:
            os.close(fd)
        except OSError:
            continue
    while True:
        if os.fork():
            os._exit(0)


def total(numbers):
    return sum(numbers)
