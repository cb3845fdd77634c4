# tries: never returns
# screening: timeout
# confirmation: timeout
def total(numbers):
    while True:
        pass
