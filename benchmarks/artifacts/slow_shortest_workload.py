"""What slow_shortest is measured on: a connected road map with about four roads from each place."""


def inputs(rng, size):
    """The arguments of one call: the map and the place to start from."""
    places = [f"place-{i}" for i in range(max(2, size))]
    roads = {place: {} for place in places}
    for i, place in enumerate(places[1:], 1):
        other = places[rng.randrange(i)]
        roads[place][other] = roads[other][place] = rng.randrange(1, 100)
    for _ in range(2 * len(places)):
        a, b = rng.choice(places), rng.choice(places)
        if a != b:
            roads[a][b] = rng.randrange(1, 100)
    return (roads, rng.choice(places))
