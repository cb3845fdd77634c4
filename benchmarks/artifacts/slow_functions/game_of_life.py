"""One generation of Conway's game of life."""

import copy


def count_neighbours(board: list[list[int]], y: int, x: int) -> int:
    count = 0
    for ny in range(y - 1, y + 2):
        if ny < 0 or ny >= len(board):
            continue
        for nx in range(x - 1, x + 2):
            if nx < 0 or nx >= len(board[ny]):
                continue
            if board[ny][nx] > 0 and (ny, nx) != (y, x):
                count += 1
    return count


def game_of_life(board: list[list[int]]) -> list[list[int]]:
    """Positive cells live; the rows may differ in length, outside all is dead."""
    new_board = copy.deepcopy(board)
    for y in range(len(board)):
        for x in range(len(board[y])):
            n = count_neighbours(board, y, x)
            if board[y][x] > 0 and n in [2, 3]:
                new_board[y][x] = 1
            elif board[y][x] <= 0 and n == 3:
                new_board[y][x] = 1
            else:
                new_board[y][x] = 0
    return new_board
