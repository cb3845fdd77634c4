"""Sort a list of numbers, written the way one writes it the first time: correct, and quadratic everywhere."""


def copy_items(items):
    """Return a copy, so that the caller's list is left alone."""
    result = []
    for i in range(len(items)):
        result = result + [items[i]]
    return result


def is_greater(a, b):
    """Whether a belongs behind b."""
    if a > b:
        return True
    else:
        return False


def swap(items, i, j):
    """Exchange two items in place."""
    temp = items[i]
    items[i] = items[j]
    items[j] = temp


def is_sorted(items):
    """Whether nothing is left to do."""
    sorted_so_far = True
    for i in range(len(items) - 1):
        if is_greater(items[i], items[i + 1]):
            sorted_so_far = False
    return sorted_so_far


def bubble(items):
    """Carry the largest items to the end, one pass after another, until a pass finds nothing to do."""
    n = len(items)
    for round_number in range(n):
        for i in range(n - 1):
            if is_greater(items[i], items[i + 1]):
                swap(items, i, i + 1)
        if is_sorted(items):
            break
    return items


def distinct(items):
    """The different values, in the order in which they first appear."""
    seen = []
    for item in items:
        if item not in seen:
            seen.append(item)
    return seen


def count_of(items, value):
    """How often a value occurs."""
    count = 0
    for item in items:
        if item == value:
            count = count + 1
    return count


def occurrences(items):
    """How often each value occurs, as a list of (value, count) pairs."""
    pairs = []
    for value in distinct(items):
        pairs.append((value, count_of(items, value)))
    return pairs


def spread(pairs, values):
    """Write each value as often as it occurs, in the order of values."""
    result = []
    for value in values:
        for pair in pairs:
            if pair[0] == value:
                for _ in range(pair[1]):
                    result.append(value)
    return result


def bad_sort(items: list[int]) -> list[int]:
    """Return a new list with the items in ascending order.

    The different values are sorted first and then written as often as they occur: "that must be
    faster, since there are fewer of them".
    """
    working_copy = copy_items(items)
    pairs = occurrences(working_copy)
    values = bubble(distinct(working_copy))
    result = spread(pairs, values)
    if not is_sorted(result):
        result = bubble(result)
    return result


if __name__ == "__main__":
    import random

    numbers = [random.randrange(1000) for _ in range(300)]
    print(bad_sort(numbers) == sorted(numbers))
