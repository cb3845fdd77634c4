"""Arithmetic: closed forms, and the functions of ``math``, in the place of loops."""

from __future__ import annotations

import ast

from peagen_ray.evolution.mutators.genetic.base import Operator
from peagen_ray.evolution.mutators.genetic.match import Match
from peagen_ray.evolution.mutators.genetic.rewrite import Rewrite, Rule

_MATH = ("import math",)


class Gcd(Rewrite):
    """Greatest common divisors and least common multiples are in ``math``."""

    NAME = "gcd"
    RULES = tuple(
        Rule(pattern, template, imports=_MATH)
        for pattern, template in (
            *(
                (f"while {test}:\n {step}", "A, B = math.gcd(A, B), 0")
                for test in ("B", "B != 0", "B > 0")
                for step in (
                    "A, B = B, A % B",
                    "T = B; B = A % B; A = T",
                    "T = A % B; A = B; B = T",
                    "T = A; A = B; B = T % B",
                )
            ),
            *(
                (f"while A != B:\n if A {sign} B: A -= B\n else: B -= A", "A = B = math.gcd(A, B)")
                for sign in (">", ">=")
            ),
            *(
                (f"if {test}: return A\nreturn F(B, A % B)", "return math.gcd(A, B)")
                for test in ("B == 0", "not B", "B <= 0")
            ),
            *(
                (f"for I in range({first}, {last} + 1):\n if {test}: G = I", "G = math.gcd(A, B)")
                for first in (1, 2)
                for last in ("min(A, B)", "A", "B")
                for test in ("A % I == 0 and B % I == 0", "B % I == 0 and A % I == 0")
            ),
            *(
                (f"for I in range({last}, 0, -1):\n if {test}: return I", "return math.gcd(A, B)")
                for last in ("min(A, B)", "A", "B")
                for test in ("A % I == 0 and B % I == 0", "B % I == 0 and A % I == 0")
            ),
            *(
                (f"while True:\n if {test}: return M\n M += {step}", "return math.lcm(A, B)")
                for test in ("M % A == 0 and M % B == 0", "M % B == 0 and M % A == 0")
                for step in ("1", "A", "B", "max(A, B)")
            ),
            ("A * B // F(A, B)", "math.lcm(A, B)"),
        )
    )


class Factorial(Rewrite):
    """Factorials and binomials are in ``math``."""

    NAME = "factorial"
    RULES = tuple(
        Rule(pattern, template, imports=_MATH)
        for pattern, template in (
            ("for I in range(1, N + 1): A *= I", "A *= math.factorial(N)"),
            ("for I in range(2, N + 1): A *= I", "A *= math.factorial(N)"),
            ("math.prod(range(1, N + 1))", "math.factorial(N)"),
            ("math.prod(range(2, N + 1))", "math.factorial(N)"),
            ("I = 1\nwhile I <= N:\n A *= I; I += 1", "A *= math.factorial(N)"),
            ("while N > 1:\n A *= N; N -= 1", "A *= math.factorial(N)"),
            ("while N > 0:\n A *= N; N -= 1", "A *= math.factorial(N)"),
            ("return N * F(N - 1)", "return math.factorial(N)"),
            ("F(N) // (F(K) * F(N - K))", "math.comb(N, K)"),
            ("math.factorial(N) // (math.factorial(K) * math.factorial(N - K))", "math.comb(N, K)"),
            ("math.factorial(N) // math.factorial(N - K)", "math.perm(N, K)"),
            ("return F(N - 1, K - 1) + F(N - 1, K)", "return math.comb(N, K)"),
        )
    )


class Power(Rewrite):
    """Repeated multiplication is ``**``, and with a modulus ``pow(b, e, m)``."""

    NAME = "power"
    RULES = (
        Rule("for I in range(E): R = R * B % M", "R = R * pow(B, E, M) % M"),
        Rule("for I in range(E):\n R *= B; R %= M", "R = R * pow(B, E, M) % M"),
        Rule("for I in range(E): R *= B", "R *= B ** E", lambda match: _unused(match, "I", "B")),
        Rule("B ** E % M", "pow(B, E, M)"),
        Rule("pow(B, E) % M", "pow(B, E, M)"),
        Rule("return B * F(B, E - 1)", "return B ** E"),
        Rule(
            "while E > 0:\n if E % 2 == 1: R = R * B % M\n E = E // 2\n B = B * B % M",
            "R = R * pow(B, E, M) % M",
        ),
    )


def _unused(match: Match, variable: str, within: str) -> bool:
    names = {n.id for n in ast.walk(match[variable]) if isinstance(n, ast.Name)}
    return not names & {n.id for n in ast.walk(match[within]) if isinstance(n, ast.Name)}


class IntegerRoot(Rewrite):
    """The integer square root is ``math.isqrt``."""

    NAME = "integer-root"
    RULES = tuple(
        Rule(pattern, template, imports=_MATH)
        for pattern, template in (
            ("int(math.sqrt(N))", "math.isqrt(N)"),
            ("int(N ** 0.5)", "math.isqrt(N)"),
            ("int(sqrt(N))", "math.isqrt(N)"),
            ("math.floor(math.sqrt(N))", "math.isqrt(N)"),
            ("while (I + 1) * (I + 1) <= N: I += 1", "I = math.isqrt(N)"),
            ("while (I + 1) ** 2 <= N: I += 1", "I = math.isqrt(N)"),
            ("while I * I <= N: I += 1", "I = math.isqrt(N) + 1"),
            ("while I ** 2 <= N: I += 1", "I = math.isqrt(N) + 1"),
            ("while I * I < N: I += 1", "I = math.isqrt(N - 1) + 1 if N > 0 else I"),
            ("while I ** 2 < N: I += 1", "I = math.isqrt(N - 1) + 1 if N > 0 else I"),
            (
                "for I in range(N + 1):\n if I * I == N: return True\nreturn False",
                "return math.isqrt(N) ** 2 == N",
            ),
        )
    )


class SeriesSum(Rewrite):
    """Sums of consecutive integers, squares and cubes have closed forms (Faulhaber's)."""

    NAME = "series-sum"
    RULES = (
        Rule("for I in range(1, N + 1): A += I", "A += N * (N + 1) // 2"),
        Rule("for I in range(N): A += I", "A += N * (N - 1) // 2"),
        Rule("I = 1\nwhile I <= N:\n A += I; I += 1", "A += N * (N + 1) // 2"),
        Rule("for I in range(1, N + 1): A += I * I", "A += N * (N + 1) * (2 * N + 1) // 6"),
        Rule("for I in range(1, N + 1): A += I ** 2", "A += N * (N + 1) * (2 * N + 1) // 6"),
        Rule("for I in range(1, N + 1): A += I ** 3", "A += (N * (N + 1) // 2) ** 2"),
        Rule("sum(range(1, N + 1))", "N * (N + 1) // 2"),
        Rule("sum(range(N + 1))", "N * (N + 1) // 2"),
        Rule("sum(range(N))", "N * (N - 1) // 2"),
        Rule("sum(I * I for I in range(1, N + 1))", "N * (N + 1) * (2 * N + 1) // 6"),
        Rule("sum(I ** 2 for I in range(1, N + 1))", "N * (N + 1) * (2 * N + 1) // 6"),
        Rule("sum(I for I in range(N) if I % K == 0)", "sum(range(0, N, K))"),
        Rule("sum(I for I in range(1, N) if I % K == 0)", "sum(range(K, N, K))"),
        Rule("sum(1 for I in range(1, N + 1) if I % K == 0)", "N // K"),
        Rule("if N <= 0: return 0\nreturn N + F(N - 1)", "return N * (N + 1) // 2 if N > 0 else 0"),
        Rule("if N == 0: return 0\nreturn N + F(N - 1)", "return N * (N + 1) // 2"),
        Rule("for I in range(N):\n if I % K == 0: BODY", "for I in range(0, N, K): BODY"),
        Rule("for I in range(1, N):\n if I % K == 0: BODY", "for I in range(K, N, K): BODY"),
    )


class Digits(Rewrite):
    """Digits taken from the text of a number, by C code."""

    NAME = "digits"
    RULES = (
        *(
            Rule(f"while {test}:\n A += N % 10\n N //= 10", "A += sum(map(int, str(N))); N = 0")
            for test in ("N > 0", "N", "N != 0")
        ),
        *(
            Rule(f"while {test}:\n A += 1\n N //= 10", "A += len(str(N)) if N else 0; N = 0")
            for test in ("N > 0", "N", "N != 0")
        ),
        *(
            Rule(f"A = 0\nwhile {test}:\n A = A * 10 + N % 10\n N //= 10", "A = int(str(N)[::-1]); N = 0")
            for test in ("N > 0", "N", "N != 0")
        ),
        Rule("sum(int(C) for C in str(N))", "sum(map(int, str(N)))"),
        Rule("sum([int(C) for C in str(N)])", "sum(map(int, str(N)))"),
        Rule("A = N // K; B = N % K", "A, B = divmod(N, K)"),
        Rule("A = N % K; B = N // K", "B, A = divmod(N, K)"),
        Rule("bin(N).count('1')", "N.bit_count()"),
        Rule("while N > 0:\n A += N & 1\n N >>= 1", "A += N.bit_count(); N = 0"),
        Rule("while N:\n A += N & 1\n N >>= 1", "A += N.bit_count(); N = 0"),
        Rule("while N > 0:\n A += N % 2\n N //= 2", "A += N.bit_count(); N = 0"),
        Rule("while N:\n A += N % 2\n N //= 2", "A += N.bit_count(); N = 0"),
    )


_DIVISORS = (
    "{fresh_part for fresh_low in range(1, math.isqrt(N) + 1) if N % fresh_low == 0"
    " for fresh_part in (fresh_low, N // fresh_low)}"
)


def _runs_through(match: Match) -> bool:
    """Whether the loop sees every divisor: nothing in its body leaves it."""
    body = match.body("BODY") if "BODY" in match.bindings else []
    return not any(isinstance(n, (ast.Break, ast.Return)) for each in body for n in ast.walk(each))


class Divisors(Rewrite):
    """Divisors come in pairs: it is enough to look up to the square root."""

    NAME = "divisors"
    RULES = (
        *(
            Rule(pattern, template, _runs_through, _MATH)
            for span, divisors in (
                ("1, N + 1", _DIVISORS),
                ("1, N", f"{_DIVISORS} - {{N}}"),
                ("1, N // 2 + 1", f"{_DIVISORS} - {{N}}"),
                ("2, N", f"{_DIVISORS} - {{1, N}}"),
                ("2, N // 2 + 1", f"{_DIVISORS} - {{1, N}}"),
                ("2, N + 1", f"{_DIVISORS} - {{1}}"),
            )
            for pattern, template in (
                (f"for D in range({span}):\n if N % D == 0: A += D", f"A += sum({divisors})"),
                (f"for D in range({span}):\n if N % D == 0: A += 1", f"A += len({divisors})"),
                (f"sum(D for D in range({span}) if N % D == 0)", f"sum({divisors})"),
                (f"sum(1 for D in range({span}) if N % D == 0)", f"len({divisors})"),
                (f"[D for D in range({span}) if N % D == 0]", f"sorted({divisors})"),
                (f"for D in range({span}):\n if N % D == 0: BODY", f"for D in sorted({divisors}): BODY"),
            )
        ),
    )


class TrialDivision(Rewrite):
    """A number without a divisor up to its square root has none but itself."""

    NAME = "trial-division"
    WEIGHT = 1.5
    RULES = (
        *(
            Rule(
                f"for D in range({first}, {last}):\n if N % D == 0: {found}",
                f"for D in range({first}, math.isqrt(N) + 1):\n if N % D == 0: {found}",
                imports=_MATH,
            )
            for first in ("2", "3", "S")
            for last in ("N", "N // 2 + 1", "N // 2", "N + 1", "int(N / 2) + 1")
            for found in ("return V", "A = V; break", "A = V", "break")
        ),
        *(
            Rule(
                f"for D in range(S, {last}, 2):\n if N % D == 0: {found}",
                f"for D in range(S, math.isqrt(N) + 1, 2):\n if N % D == 0: {found}",
                imports=_MATH,
            )
            for last in ("N", "N // 2 + 1", "N // 2")
            for found in ("return V", "A = V; break")
        ),
        *(
            Rule(
                f"{kind}(N % D {sign} 0 for D in range(2, {last}))",
                f"{kind}(N % D {sign} 0 for D in range(2, math.isqrt(N) + 1))",
                imports=_MATH,
            )
            for kind, sign in (("all", "!="), ("any", "=="))
            for last in ("N", "N // 2 + 1", "N // 2")
        ),
        *(
            Rule(
                f"while D < {last}:\n if N % D == 0: {found}\n D += 1",
                f"while D * D <= N:\n if N % D == 0: {found}\n D += 1",
            )
            for last in ("N", "N // 2 + 1", "N // 2")
            for found in ("return V", "A = V; break")
        ),
        Rule(
            "while D <= N:\n if N % D == 0: BODY\n D += 1", "while D * D <= N:\n if N % D == 0: BODY\n D += 1"
        ),
    )


class CheapPower(Rewrite):
    """Small powers and roots written as products."""

    NAME = "cheap-power"
    RULES = (
        Rule("X ** 2", "X * X", lambda match: isinstance(match["X"], ast.Name)),
        Rule("pow(X, 2)", "X * X", lambda match: isinstance(match["X"], ast.Name)),
        Rule("math.pow(X, 2)", "float(X * X)", lambda match: isinstance(match["X"], ast.Name)),
        Rule("X ** 0.5", "math.sqrt(X)", imports=_MATH),
        Rule("math.sqrt((A - B) ** 2 + (C - D) ** 2)", "math.hypot(A - B, C - D)", imports=_MATH),
        Rule("((A - B) ** 2 + (C - D) ** 2) ** 0.5", "math.hypot(A - B, C - D)", imports=_MATH),
        Rule("(A - B) ** 2", "(A - B) * (A - B)"),
    )


OPERATORS: tuple[Operator, ...] = (
    Gcd(),
    Factorial(),
    Power(),
    IntegerRoot(),
    SeriesSum(),
    Digits(),
    Divisors(),
    TrialDivision(),
    CheapPower(),
)
