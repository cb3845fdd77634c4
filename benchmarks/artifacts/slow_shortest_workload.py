"""What slow_shortest is measured on: road maps with about four roads from each place, some with dead ends."""


def inputs(rng, size):
    """The arguments of one call: the map and the place to start from.

    Some maps fall into two parts; in some, a place that roads lead to has no roads of its own.
    """
    count = max(2, size)
    border = count // 2 if rng.randrange(3) == 0 else 0
    roads = [{} for _ in range(count)]
    for i in range(1, count):
        if i != border:
            other = rng.randrange(border if i > border else 0, i)
            roads[i][other] = roads[other][i] = rng.randrange(1, 100)
    for _ in range(2 * count):
        a, b = rng.randrange(count), rng.randrange(count)
        if a != b and (a < border) == (b < border):
            roads[a][b] = rng.randrange(1, 100)
    dead_end = rng.randrange(count) if rng.randrange(3) == 0 else None
    named = {
        f"place-{a}": {f"place-{b}": length for b, length in row.items()}
        for a, row in enumerate(roads)
        if a != dead_end
    }
    return (named, f"place-{rng.randrange(count)}")
