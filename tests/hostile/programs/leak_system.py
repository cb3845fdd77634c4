# tries: reads the machine's files
# screening: ok
# confirmation: ok
import os

NAMES = """/etc/passwd /etc/shadow /etc/hosts /etc/resolv.conf /etc/machine-id /etc/ssh /root/.ssh /home /var/log /var/lib
/var/run /run /srv /opt /mnt /boot /sys/kernel /sys/class/net /sys/fs/cgroup /proc/net/unix /proc/net/tcp /proc/cmdline
/proc/kallsyms /proc/sysrq-trigger /proc/keys /proc/self/mountinfo""".split()

LEAKS = 0
for name in NAMES:
    try:
        LEAKS += bool(os.listdir(name)) if os.path.isdir(name) else bool(open(name, "rb").read(1))
    except OSError:
        continue
own = "/opt /run /home /var/lib".split()  # Python itself may live there
LEAKS -= sum(os.path.isdir(name) and __import__("sys").base_prefix.startswith(name) for name in own)


def total(numbers):
    return sum(numbers) + LEAKS
