# tries: raises GeneratorExit out of an iterator that it returns
# screening: error|incorrect
# confirmation: error|incorrect
class Iterator:
    def __iter__(self):
        return self

    def __next__(self):
        raise GeneratorExit


def total(numbers):
    return Iterator()
