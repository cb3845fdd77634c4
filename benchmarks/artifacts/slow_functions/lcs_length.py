"""Length of the longest common subsequence of two strings."""


def lcs_length(left: str, right: str) -> int:
    above = [0] * (len(right) + 1)
    for i in range(len(left)):
        row = [0] * (len(right) + 1)
        for j in range(len(right)):
            if left[i] == right[j]:
                row[j + 1] = above[j] + 1
            else:
                row[j + 1] = max(above[j + 1], row[j])
        above = row
    return above[len(right)]
