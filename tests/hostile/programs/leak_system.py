# tries: reads the machine's files
# screening: ok
# confirmation: ok
import os
import sys

NAMES = """/etc/passwd /etc/shadow /etc/hosts /etc/resolv.conf /etc/machine-id /etc/ssh /root/.ssh /home /var/log /var/lib
/var/run /run /srv /opt /mnt /boot /sys/kernel /sys/class/net /sys/fs/cgroup /proc/net/unix /proc/net/tcp /proc/cmdline
/proc/kallsyms /proc/sysrq-trigger /proc/keys /proc/self/mountinfo""".split()

# Python's own, and the mark, an empty file, by which an engine's containers are known.
own = {
    part for path in (sys.base_prefix, sys.prefix, "/opt/peagen", ".containerenv") for part in path.split("/")
}
LEAKS = 0
for name in NAMES:
    try:
        LEAKS += bool(set(os.listdir(name)) - own) if os.path.isdir(name) else bool(open(name, "rb").read(1))
    except OSError:
        continue


def total(numbers):
    return sum(numbers) + LEAKS
