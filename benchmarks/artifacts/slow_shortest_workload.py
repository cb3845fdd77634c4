"""What slow_shortest is measured on: road maps with about four roads from each place, some with dead ends."""


def inputs(rng, size):
    """The arguments of one call: the map and the place to start from.

    Some maps fall into two parts; in some, places that roads lead to have no roads of their own.
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
    dead_ends = rng.sample(range(count), min(count - 1, rng.randrange(1, 4))) if rng.randrange(3) == 0 else []
    named = {
        f"place-{a}": {f"place-{b}": length for b, length in row.items()}
        for a, row in enumerate(roads)
        if a not in dead_ends
    }
    return (named, f"place-{rng.randrange(count)}")
