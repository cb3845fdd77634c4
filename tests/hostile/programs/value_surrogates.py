# tries: returns text that is no Unicode, and control characters for the terminal
# screening: incorrect result
# confirmation: incorrect result
def total(numbers):
    return "\ud800\udfff\x1b]0;owned\x07\x1b[2J\u202e\0"
