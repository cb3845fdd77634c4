"""In how many ways can an amount be paid in coins?"""

COINS = [200, 100, 50, 20, 10, 5, 2, 1]
MOST = 110


def _ways(amount: int, first: int) -> int:
    if amount == 0:
        return 1
    if amount < 0 or first == len(COINS):
        return 0
    return _ways(amount - COINS[first], first) + _ways(amount, first + 1)


def change_ways(amount: int) -> int:
    """Number of different sets of coins worth `amount` cents.

    A purse holds no more than MOST cents; larger amounts count as a full purse.
    """
    if amount < 0:
        return 0
    if amount > MOST:
        amount = MOST
    return _ways(amount, 0)
