"""Shortest paths in a road map (Dijkstra), with a linear scan for the nearest place at every step."""

INFINITY = float("inf")


def nearest(distances, done):
    """The place that is nearest to the start and not yet done; None when none can be reached."""
    best = None
    for place in distances:
        if place in done:
            continue
        if best is None or distances[place] < distances[best]:
            best = place
    if best is not None and distances[best] == INFINITY:
        return None
    return best


def slow_shortest(roads: dict[str, dict[str, int]], start: str) -> dict[str, float]:
    """Distance from ``start`` to every place, infinity where there is no way.

    ``roads[a][b]`` is the length of the road from a to b.
    """
    distances = {}
    for place in roads:
        distances[place] = INFINITY
    for place in roads:
        for neighbour in roads[place]:
            if neighbour not in list(distances.keys()):
                distances[neighbour] = INFINITY
    distances[start] = 0
    done = []
    while True:
        place = nearest(distances, done)
        if place is None:
            break
        done.append(place)
        if place not in roads:
            continue
        for neighbour in roads[place]:
            length = roads[place][neighbour]
            candidate = distances[place] + length
            if candidate < distances[neighbour]:
                distances[neighbour] = candidate
    return distances
