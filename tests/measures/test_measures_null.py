"""p of tests by shuffling is uniform where there is nothing to find: one experiment a line.

Decoding, metric space and trial drift, whose statistics have ties, and transfer of series with memory have tests of their own.
"""

import numpy as np
import pytest
import quantities as pq
from scipy.stats import kstest

from nsnn_neuro import measures as m

EVEN = np.arange(60) % 2
RATE = {"bin_width": 10 * pq.ms, "t_start": 0 * pq.s, "t_stop": 0.6 * pq.s}


def trains(rng, n=8):
    return [(np.flatnonzero(row) + 0.5) / 100 for row in rng.random((n, 60)) < 0.3]


def chosen(rng, **options):
    """Choices and counts depend on the stimulus: only permutations within a stimulus leave that alone."""
    s = np.repeat([0, 1, 2], 20)
    return m.choice_probability(s, rng.poisson(5 + 5 * s), rng.random(60) < 0.3 + 0.2 * s, min_trials=3, **options)  # fmt: skip


CASES = {
    "mutual": lambda rng, **o: m.mutual_information(rng.integers(0, 4, 60), rng.poisson(6, 60), **o),
    "shuffle": lambda rng, **o: m.mutual_information(
        rng.integers(0, 4, 60), rng.integers(0, 2, (60, 4)), bias="shuffle", **o
    ),
    "active": lambda rng, **o: m.active_information(rng.integers(0, 2, 300), **o),
    "divergence": lambda rng, **o: m.kullback_leibler(rng.poisson(2, 40), rng.poisson(2, 60), **o),
    "redundant": lambda rng, **o: m.partial_information(EVEN, *rng.integers(0, 3, (2, 60)), bias="none", **o)[
        "redundant"
    ],
    "intersection": lambda rng, **o: m.intersection_information(
        EVEN, rng.integers(0, 3, 60), EVEN ^ (rng.random(60) < 0.2), bias="none", **o
    ),
    "copula": lambda rng, **o: m.gaussian_copula(*rng.normal(size=(2, 30, 2)), **o),
    "copula of classes": lambda rng, **o: m.gaussian_copula_classes(EVEN, rng.normal(size=60), **o),
    "ksg": lambda rng, **o: m.ksg(*rng.normal(size=(2, 40)), **o),
    "rate": lambda rng, **o: m.direct_information_rate(
        trains(rng), word_lengths=[1, 2], bias="miller-madow", **RATE, **o
    ),
    "per spike": lambda rng, **o: m.information_per_spike(trains(rng), **RATE, **o),
    "skaggs": lambda rng, **o: m.skaggs_information(
        np.cumsum(rng.random(600) < 0.2) % 6, rng.poisson(0.3, 600), **o
    ),
    "choice": chosen,
    "roc": lambda rng, **o: m.roc_auc(*rng.normal(size=(2, 30)), **o),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_p_is_uniform_where_there_is_nothing(name):
    """60 repeats; p has 20 values."""
    rng = np.random.default_rng(5)
    p = [CASES[name](rng, n_shuffle=19, seed=k).p - rng.random() / 20 for k in range(60)]
    assert kstest(p, "uniform").pvalue > 1e-3
