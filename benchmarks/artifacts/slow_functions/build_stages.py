"""Put build targets into stages, so that each comes after what it needs."""

from typing import Optional


def all_targets(needs: dict[str, list[str]]) -> list[str]:
    targets = set(needs.keys())
    for name in needs.keys():
        for other in needs[name]:
            targets.add(other)
    return list(targets)


def missing_needs(target: str, needs: dict[str, list[str]], built: set[str]) -> list[str]:
    missing = []
    if target in needs.keys():
        for other in needs[target]:
            if other not in built:
                missing.append(other)
    return sorted(missing)


def build_stages(needs: dict[str, list[str]]) -> Optional[list[list[str]]]:
    """Stages in order, each sorted by name; None if there is a cycle."""
    waiting = sorted(all_targets(needs))
    built: set[str] = set()
    stages = []
    while len(waiting) > 0:
        ready = []
        for target in waiting:
            if len(missing_needs(target, needs, built)) == 0:
                ready.append(target)
        if len(ready) == 0:
            return None
        built = built.union(set(ready))
        waiting = sorted([target for target in waiting if target not in built])
        stages.append(ready)
    return stages
