# tries: prints without end
# screening: violation printed more
# confirmation: violation printed more
def total(numbers):
    while True:
        print("x" * 65_536)
