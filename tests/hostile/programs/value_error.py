# tries: raises an error whose text and type are traps
# screening: incorrect|error
# confirmation: incorrect|error
class Trap(Exception):
    def __str__(self):
        return str(self)

    __repr__ = __str__

    @property
    def args(self):
        raise KeyboardInterrupt


def total(numbers):
    raise Trap
