# tries: ends the process from a thread
# profile: threads
# screening: error|ok
# confirmation: error|ok
import os
import sys
import threading

threading.Thread(target=sys.exit).start()
threading.Thread(target=os._exit, args=(0,)).start()


def total(numbers):
    return sum(numbers)
