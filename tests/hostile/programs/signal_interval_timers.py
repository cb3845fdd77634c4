# tries: has timers interrupt whatever runs here
# screening: ok|killed|error
# confirmation: no-gain|killed|error
import signal


def nothing(*_):
    pass


for kind, number in (
    (signal.ITIMER_REAL, signal.SIGALRM),
    (signal.ITIMER_PROF, signal.SIGPROF),
    (signal.ITIMER_VIRTUAL, signal.SIGVTALRM),
):
    signal.signal(number, nothing)
    signal.setitimer(kind, 0.01, 0.01)


def total(numbers):
    result = 0
    for i in range(len(numbers)):
        for j in range(len(numbers)):
            if i == j:
                result = result + numbers[i]
    return result
