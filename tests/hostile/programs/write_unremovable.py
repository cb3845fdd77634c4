# tries: leaves directories that are hard to remove
# screening: ok
# confirmation: ok
import os

os.makedirs("locked/within")
open("locked/within/file", "w").close()
os.chmod("locked/within", 0)
os.chmod("locked", 0)
here = os.getcwd()
try:
    for _ in range(300):
        os.mkdir("deep" * 50)
        os.chdir("deep" * 50)
except OSError:
    pass
os.chdir(here)
for name in (b"\xff\xfe", b"new\nline", b"-rf", b"\x1b[2J", b" "):
    open(name, "w").close()
try:
    os.mkfifo("pipe")
except OSError:
    pass


def total(numbers):
    return sum(numbers)
