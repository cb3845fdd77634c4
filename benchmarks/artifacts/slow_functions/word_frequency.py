"""Count how often each word occurs in a text."""


def split_words(text: str) -> list[str]:
    words = []
    current = ""
    for i in range(len(text)):
        c = text[i].lower()
        if c.isalnum() or c == "'":
            current += c
        else:
            if current != "":
                words.append(current)
            current = ""
    if current != "":
        words.append(current)
    return words


def word_frequency(text: str) -> list[tuple[str, int]]:
    """Words with their counts, most frequent first, ties in alphabetical order."""
    words = split_words(text)
    seen = []
    result = []
    for w in words:
        if w not in seen:
            seen.append(w)
            result.append((w, words.count(w)))
    n = len(result)
    for i in range(n):
        for j in range(0, n - i - 1):
            a = result[j]
            b = result[j + 1]
            if a[1] < b[1] or (a[1] == b[1] and a[0] > b[0]):
                result[j] = b
                result[j + 1] = a
    return result
