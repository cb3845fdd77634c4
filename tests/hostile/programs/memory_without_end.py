# tries: takes memory until it is stopped
# screening: incorrect|memory|killed
# confirmation: incorrect|memory|killed
def total(numbers):
    held = []
    while True:
        held.append([0] * 1_000_000)
