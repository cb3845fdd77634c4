"""Caesar cipher."""

LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def shift_letter(letter: str, shift: int) -> str:
    if letter in LOWER:
        alphabet = LOWER
    elif letter in UPPER:
        alphabet = UPPER
    else:
        return letter
    position = alphabet.index(letter)
    position = (position + shift) % len(alphabet)
    return alphabet[position]


def caesar_shift(text: str, shift: int) -> str:
    secret = ""
    for letter in text:
        secret = secret + shift_letter(letter, shift)
    return secret
