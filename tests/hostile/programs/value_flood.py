# tries: returns far more than anybody can read
# screening: violation
# confirmation: violation
def total(numbers):
    return ["x" * 1000] * 1_000_000
