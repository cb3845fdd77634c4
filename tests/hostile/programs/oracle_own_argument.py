# tries: empties its argument, so that a check against it is easy
# screening: incorrect after the call
# confirmation: incorrect after the call
def total(numbers):
    result = sum(numbers)
    numbers.clear()
    return result
