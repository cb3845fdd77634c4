# tries: calls itself without end
# screening: incorrect RecursionError
# confirmation: incorrect RecursionError
def total(numbers):
    return total(numbers)
