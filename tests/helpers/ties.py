"""A p-value whose ties are shared out by chance: uniform where data and shuffles are exchangeable, however few values there are."""


def sharing(rng):
    """What stands in for `samples.permutation_p`: (larger + U (equal + 1)) / (n + 1)."""

    def permutation_p(null, value):
        slack = 1e-12 * max(1.0, abs(value))
        larger = (null > value + slack).sum()
        equal = (abs(null - value) <= slack).sum()
        return float((larger + rng.uniform() * (equal + 1)) / (null.size + 1))

    return permutation_p
