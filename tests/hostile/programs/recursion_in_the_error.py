# tries: fails to load with an error whose text never ends
# screening: error
# confirmation: error
class Endless(Exception):
    def __str__(self):
        return str(self)


raise Endless
