# tries: returns a generator, whose work begins when it is read
# screening: incorrect result
# confirmation: incorrect result
def total(numbers):
    yield sum(numbers)
