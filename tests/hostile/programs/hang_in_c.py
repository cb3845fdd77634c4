# tries: never comes back from a single call into the interpreter
# screening: timeout
# confirmation: timeout
def total(numbers):
    return sum(range(10**15))
