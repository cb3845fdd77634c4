# tries: makes one of the calls of a slice and leaves the others out
# screening: ok|incorrect|error
# confirmation: no-gain|incorrect
import sys

guest = sys.modules["peagen_ray.sandbox.guest"]
make, state = guest._Made.make, {"calls": 0}


def skipping(made):
    state["calls"] += 1
    if state["calls"] % 2:
        make(made)
    else:
        made.value = state.get("last")
    state["last"] = made.value


guest._Made.make = skipping


def total(numbers):
    result = 0
    for i in range(len(numbers)):
        for j in range(len(numbers)):
            if i == j:
                result = result + numbers[i]
    return result
