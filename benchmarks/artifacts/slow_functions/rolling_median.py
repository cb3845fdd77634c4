"""The median of the most recent readings, after each new one."""

MEMORY = 15


def median(numbers: list[float]) -> float:
    ordered = sorted(numbers)
    half = len(ordered) // 2
    if len(ordered) % 2 == 1:
        return ordered[half]
    return (ordered[half - 1] + ordered[half]) / 2


def rolling_median(values: list[float]) -> list[float]:
    medians = []
    recent: list[float] = []
    for value in values:
        recent = recent + [value]
        if len(recent) > MEMORY:
            recent.pop(0)
        medians.append(median(recent))
    return medians
