# tries: fills every other directory that can be written to
# screening: ok
# confirmation: ok
LIMIT = int("@SCRATCH_MB@") << 20
written = 0
for place, directory in enumerate(("/tmp", "/var/tmp", "/dev/shm", "/run", "/dev/mqueue", "/")):
    try:
        for number in range(64):
            with open(f"{directory}/left-behind{place}-{number}", "wb", buffering=0) as file:
                written += file.write(bytes(LIMIT // 8))
    except OSError:
        continue


def total(numbers):
    return sum(numbers) + (written > 2 * LIMIT)
