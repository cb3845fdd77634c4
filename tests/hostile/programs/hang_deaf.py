# tries: never returns and ignores every signal that can be ignored
# screening: timeout
# confirmation: timeout
import signal

for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())


def total(numbers):
    while True:
        try:
            while True:
                pass
        except BaseException:
            continue
