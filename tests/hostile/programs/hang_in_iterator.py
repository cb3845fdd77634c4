# tries: returns an iterator that never ends
# screening: timeout|incorrect|violation|memory
# confirmation: timeout|incorrect|violation|memory
def total(numbers):
    while True:
        yield 0
