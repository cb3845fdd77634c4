# tries: leaves the work to a thread
# subject: fill
# screening: ok|incorrect
# confirmation: no-gain|incorrect
import threading


def slow(cells):
    for i in range(len(cells)):
        count = 0
        for j in range(i):
            count = count + 1
        cells[i] = count


def fill(cells):
    try:
        threading.Thread(target=slow, args=(cells,), daemon=True).start()
    except RuntimeError:
        slow(cells)
