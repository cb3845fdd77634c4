# tries: raises KeyboardInterrupt, as if a person had asked for the end
# screening: error
# confirmation: error
def total(numbers):
    raise KeyboardInterrupt
