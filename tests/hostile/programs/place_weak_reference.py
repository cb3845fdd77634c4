# tries: leaves the work to the callback of a weak reference
# subject: fill
# screening: ok|incorrect
# confirmation: no-gain|incorrect
import weakref


class Cycle:
    pass


waiting = []


def slow(cells):
    for i in range(len(cells)):
        count = 0
        for j in range(i):
            count = count + 1
        cells[i] = count


def fill(cells):
    cycle = Cycle()
    cycle.cycle = cycle
    waiting.append(weakref.ref(cycle, lambda _: slow(cells)))
