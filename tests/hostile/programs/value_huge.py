# tries: returns an integer of ten million digits
# screening: incorrect|violation
# confirmation: incorrect|violation
def total(numbers):
    return 1 << 33_000_000
