# tries: asks for more than there is
# screening: incorrect|memory MemoryError
# confirmation: incorrect|memory MemoryError
def total(numbers):
    return len(bytearray(1 << 40))
