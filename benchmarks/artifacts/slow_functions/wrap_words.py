"""Break a text into lines of limited width."""


def wrap_words(text: str, width: int) -> list[str]:
    """Greedy wrapping; a word longer than the width gets a line of its own."""
    if width < 20:
        width = 20
    if width > 100:
        width = 100
    words = [w.strip() for w in text.split()]
    lines = []
    line: list[str] = []
    i = 0
    while i < len(words):
        word = words[i]
        if len(line) == 0:
            line = [word]
        elif len(" ".join(line + [word])) <= width:
            line = line + [word]
        else:
            lines.append(" ".join(line))
            line = [word]
        i += 1
    if len(line) > 0:
        lines.append(" ".join(line))
    return lines
