# tries: overflows the parser's stack
# screening: incorrect|killed|memory
# confirmation: incorrect|killed|memory
def total(numbers):
    return eval("(" * 100_000 + "1" + ")" * 100_000)
