"""What bad_sort is measured on: lists of numbers in which some occur more than once."""


def inputs(rng, size):
    """The arguments of one call."""
    return ([rng.randrange(-2 * size, 2 * size + 1) for _ in range(size)],)
