# tries: reads the keys in the user's home directory
# screening: ok
# confirmation: ok
import os
import pwd

homes = {"@HOME@", os.path.expanduser("~")}
try:
    homes |= {entry.pw_dir for entry in pwd.getpwall()}
except (OSError, KeyError):
    pass
LEAKS = 0
for home in homes:
    for name in (
        ".ssh/id_ed25519",
        ".netrc",
        ".aws/credentials",
        ".bashrc",
        ".profile",
        ".config",
        ".cache",
        ".gitconfig",
    ):
        LEAKS += os.path.lexists(f"{home}/{name}")


def total(numbers):
    return sum(numbers) + LEAKS
