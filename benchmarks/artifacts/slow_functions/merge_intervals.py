"""Merge overlapping or touching intervals."""


def tidy(interval: tuple[int, int]) -> tuple[int, int]:
    # some sources give the end before the start
    return (min(interval), max(interval))


def touches(one: tuple[int, int], two: tuple[int, int]) -> bool:
    return max(one[0], two[0]) <= min(one[1], two[1])


def join(one: tuple[int, int], two: tuple[int, int]) -> tuple[int, int]:
    return (min(one[0], two[0]), max(one[1], two[1]))


def merge_intervals(intervals: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for interval in sorted([tidy(i) for i in intervals], key=lambda i: (i[0], i[1])):
        if len(merged) > 0 and touches(merged[-1], interval):
            merged[-1] = join(merged[-1], interval)
        else:
            merged.append(interval)
    return merged
