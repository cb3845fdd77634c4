"""Summarise bookings by account class."""


class Account:
    def __init__(self, code: str) -> None:
        self.code = code
        self.amounts: list[int] = []

    def add(self, amount: int) -> None:
        self.amounts.append(amount)

    def smallest(self) -> int:
        low = self.amounts[0]
        for amount in self.amounts:
            if amount < low:
                low = amount
        return low

    def total(self) -> int:
        result = 0
        for amount in self.amounts:
            result = result + amount
        return result


def account_summary(bookings: list[tuple[str, int]]) -> dict[str, tuple[int, int, int]]:
    """For each class (first letter of the code): entries, total and smallest."""
    accounts: dict[str, Account] = {}
    for booking in bookings:
        code = booking[0].strip().upper()
        if len(code) == 0:
            code = "?"
        kind = code[0]
        if kind not in list(accounts.keys()):
            accounts[kind] = Account(kind)
        accounts[kind].add(booking[1])
    summary = {}
    for kind in sorted(accounts.keys()):
        acc = accounts[kind]
        summary[kind] = (len(acc.amounts), acc.total(), acc.smallest())
    return summary
