# tries: has a watchdog end the process later
# screening: ok
# confirmation: ok
import faulthandler

try:
    faulthandler.dump_traceback_later(0.5, exit=True)
except RuntimeError:
    pass
faulthandler.cancel_dump_traceback_later()


def total(numbers):
    return sum(numbers)
