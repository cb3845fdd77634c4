# tries: returns lists within lists, deeper than any recursion
# screening: incorrect|violation
# confirmation: incorrect|violation
def total(numbers):
    value = []
    for _ in range(200_000):
        value = [value]
    return value
