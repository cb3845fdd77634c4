# tries: is wrong once in twenty calls
# screening: incorrect
# confirmation: incorrect|no-gain
calls = 0


def slow(numbers):
    result = 0
    for i in range(len(numbers)):
        for j in range(len(numbers)):
            if i == j:
                result = result + numbers[i]
    return result


def total(numbers):
    global calls
    calls += 1
    return slow(numbers) + (calls % 20 == 0)
