# tries: makes links to what lies outside, for a later clean-up to follow
# screening: ok
# confirmation: ok
import os

ESCAPES = 0
for number, path in enumerate(
    ("/", "/etc/passwd", "@WORKSPACE@", "@WORKSPACE@/secret.txt", "@HOME@", "../../..")
):
    os.symlink(path, f"soft{number}")
    try:
        os.link(path, f"hard{number}")
        ESCAPES += 1
    except OSError:
        pass
    try:
        with open(f"soft{number}", "a"):
            ESCAPES += 1
    except OSError:
        continue


def total(numbers):
    return sum(numbers) + ESCAPES
