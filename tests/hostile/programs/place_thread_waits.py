# tries: does the work in a thread, since the clock might be that of one thread alone
# profile: threads
# screening: ok
# confirmation: no-gain
import threading


def slow(numbers):
    result = 0
    for i in range(len(numbers)):
        for j in range(len(numbers)):
            if i == j:
                result = result + numbers[i]
    return result


def total(numbers):
    result = []
    thread = threading.Thread(target=lambda: result.append(slow(numbers)))
    thread.start()
    thread.join()
    return result[0]
