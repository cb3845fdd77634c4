"""Turn a table of scores into a ranked leaderboard."""

from functools import cmp_to_key


def compare(a: tuple[str, int], b: tuple[str, int]) -> int:
    if a[1] > b[1]:
        return -1
    if a[1] < b[1]:
        return 1
    if a[0] < b[0]:
        return -1
    return 1 if a[0] > b[0] else 0


def leaderboard(scores: dict[str, int]) -> list[tuple[int, str, int]]:
    """Rows (rank, name, score); equal scores share a rank and go by name."""
    rows = []
    for name in scores.keys():
        rows.append((name, scores[name]))
    rows = sorted(rows, key=cmp_to_key(compare))
    board: list[tuple[int, str, int]] = []
    for i in range(len(rows)):
        rank = i + 1
        if i > 0 and rows[i - 1][1] == rows[i][1]:
            rank = board[i - 1][0]
        board.append((rank, rows[i][0], rows[i][1]))
    return board
