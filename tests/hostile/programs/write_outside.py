# tries: writes wherever somebody later might read
# screening: ok
# confirmation: ok
import os
import sys

ESCAPES = 0
for directory in (
    "/",
    "/etc",
    "/usr",
    "/usr/lib",
    "/root",
    "/home",
    "/run",
    "/opt",
    "/sys",
    "/proc",
    "/dev",
    sys.prefix,
    sys.base_prefix,
    os.path.dirname(os.__file__),
    "@WORKSPACE@",
    "@CHECKOUT@",
    "@HOME@",
):
    try:
        with open(f"{directory}/left-behind", "x"):
            ESCAPES += 1
        os.unlink(f"{directory}/left-behind")
    except OSError:
        continue


def total(numbers):
    return sum(numbers) + ESCAPES
