"""List the prime numbers up to a limit."""

# the worksheet this is printed on has no room for more
BIGGEST = 5000


def is_prime(n: int) -> bool:
    if n < 2:
        return False
    for d in range(2, n):
        if n % d == 0:
            return False
    return True


def primes_up_to(limit: int) -> list[int]:
    if limit > BIGGEST:
        limit = BIGGEST
    found = []
    candidate = 2
    while candidate <= limit:
        if is_prime(candidate):
            found.append(candidate)
        candidate = candidate + 1
    return found
