"""Connection rules against their laws: exact degrees, enumerated patterns, binomial counts, the law of distance."""
# Imports an internal: chunks of pairs are made small, so that few pairs have many.

from __future__ import annotations

import itertools
import tracemalloc

import numpy as np
import pytest
from scipy import stats

from nsnn_neuro import (
    AllToAll,
    DistanceDependent,
    FixedInDegree,
    FixedProbability,
    FixedTotalNumber,
    FromList,
    NSNNNeuron,
    OneToOne,
    Population,
)
from nsnn_neuro.models import pair_sampling

RARE = 6e-5  # two-sided |z| = 4


def cells(n, name="cells", **kwargs):
    return Population(n, NSNNNeuron(), name=name, **kwargs)


def rng(seed=1):
    return np.random.default_rng(seed)


def chi_square(observed, expected, variance=None, constraints=0):
    """Fail when sum (o - e)^2 / variance is out of the law it has, on either side (variance None: e, Pearson's statistic)."""
    observed, expected = np.ravel(observed), np.ravel(expected)
    variance = expected if variance is None else np.ravel(variance)
    assert variance.min() >= 5
    p = stats.chi2.sf(np.sum((observed - expected) ** 2 / variance), observed.size - constraints)
    assert RARE < p < 1 - RARE


RULES = [
    (AllToAll(autapses=False), True),
    (OneToOne(), False),
    (FixedProbability(0.3), True),
    (FixedProbability(1.0), False),
    (FixedInDegree(5, autapses=True), True),
    (FixedInDegree(39), True),
    (FixedInDegree(60, multapses=True), False),
    (FixedTotalNumber(300), True),
    (FixedTotalNumber(1100), False),
    (FixedTotalNumber(2000, autapses=True, multapses=True), True),
    (DistanceDependent(0.8, 0.1), True),
    (DistanceDependent(1.0, 0.3, profile="exponential", autapses=True), True),
]


def test_every_rule(monkeypatch):
    """int32, sorted by pre and then post, in range, repeatable, as many as announced, autapses and multapses only if asked for."""
    monkeypatch.setattr(pair_sampling, "CHUNK", 100)
    for rule, same in RULES:
        pre = cells(40)
        post = pre if same else cells(40, "others")
        rule.check(pre, post)
        i, j = rule.connect(pre, post, rng())
        assert i.dtype == j.dtype == np.int32
        assert min(i.min(), j.min()) >= 0
        assert max(i.max(), j.max()) < 40
        order = i.astype(int) * 40 + j
        assert (np.diff(order) >= (0 if getattr(rule, "multapses", False) else 1)).all(), rule
        assert rule.n_synapses(pre, post) in (None, i.size)
        assert (i == j).any() == (not same or getattr(rule, "autapses", True)), rule
        again = rule.connect(pre, post, rng())
        assert np.array_equal([i, j], again)


def test_all_to_all_and_one_to_one_are_what_they_say():
    a, b = cells(3), cells(2, "b")
    assert np.transpose(AllToAll().connect(a, b, rng())).tolist() == [
        list(p) for p in itertools.product(range(3), range(2))
    ]
    assert np.transpose(AllToAll(autapses=False).connect(b, b, rng())).tolist() == [[0, 1], [1, 0]]
    assert np.transpose(OneToOne().connect(a, a, rng())).tolist() == [[0, 0], [1, 1], [2, 2]]


@pytest.mark.slow
@pytest.mark.parametrize(("p", "chunk"), [(0.4, 4), (0.6, 1 << 20)])
def test_fixed_probability_gives_each_of_all_patterns_its_probability(p, chunk, monkeypatch):
    """Six pairs, 64 patterns: so pairs are independent with probability p, across the borders of chunks too."""
    monkeypatch.setattr(pair_sampling, "CHUNK", chunk)
    a, b, r, n = cells(3), cells(2, "b"), rng(2), 2_000
    rule, counts = FixedProbability(p), np.zeros(64, dtype=int)
    for _ in range(n):
        i, j = rule.connect(a, b, r)
        counts[np.sum(1 << (2 * i + j))] += 1
    ones = np.array([bin(k).count("1") for k in range(64)])
    chi_square(counts, n * p**ones * (1 - p) ** (6 - ones), constraints=1)


def test_fixed_probability_in_the_large():
    """Number of synapses, in-degrees and out-degrees are binomial."""
    a, b, p = cells(1500), cells(900, "b"), 0.07
    i, j = FixedProbability(p).connect(a, b, rng(3))
    pairs = a.n * b.n
    assert abs(i.size - pairs * p) < 4 * np.sqrt(pairs * p * (1 - p))
    for index, n, other in ((i, a.n, b.n), (j, b.n, a.n)):
        degree = np.bincount(index, minlength=n)
        chi_square(degree, np.full(n, other * p), np.full(n, other * p * (1 - p)))
    for none in (0.0, 1e-300):
        assert FixedProbability(none).connect(a, b, rng())[0].size == 0


def test_every_set_of_partners_is_equally_likely(monkeypatch):
    """Two of five, in blocks of a few neurons each: ten sets, and with neurons that leave themselves out six."""
    monkeypatch.setattr(pair_sampling, "CHUNK", 64)
    two = np.array([bin(k).count("1") == 2 for k in range(32)])
    a, b, r = cells(5), cells(20_000, "b"), rng(4)
    i, j = FixedInDegree(2).connect(a, b, r)
    chosen = np.zeros(b.n, dtype=int)
    np.add.at(chosen, j, 1 << i)
    counts = np.bincount(chosen, minlength=32)
    assert counts[~two].sum() == 0
    chi_square(counts[two], np.full(10, b.n / 10), constraints=1)
    n, counts = 1_000, np.zeros((5, 32), dtype=int)
    for _ in range(n):
        i, j = FixedInDegree(2).connect(a, a, r)
        chosen = np.zeros(5, dtype=int)
        np.add.at(chosen, j, 1 << i)
        counts[np.arange(5), chosen] += 1
    valid = np.array([two & (np.arange(32) >> cell & 1 == 0) for cell in range(5)])
    assert counts[~valid].sum() == 0
    chi_square(counts[valid], np.full(30, n / 6), constraints=5)


def test_partners_are_uniform_over_the_presynaptic_neurons():
    """Out-degrees are sums over independent neurons, each with the variance of its own draw of k from 400."""
    a, b, k = cells(400), cells(5000, "b"), 40
    for rule, factor in ((FixedInDegree(k), 1 - k / a.n), (FixedInDegree(k, multapses=True), 1 - 1 / a.n)):
        i, _ = rule.connect(a, b, rng(6))
        out = np.bincount(i, minlength=a.n)
        mean = b.n * k / a.n
        # sum over i of (out - mean)^2 / (mean factor a.n / (a.n - 1)) ~ chi-square with a.n - 1 degrees of freedom
        chi_square(out, np.full(a.n, mean), np.full(a.n, mean * factor * a.n / (a.n - 1)), constraints=1)


@pytest.mark.slow
def test_every_set_of_pairs_is_equally_likely():
    """Two or four of the six pairs of three neurons: few are drawn until all differ, of many those that are missing."""
    a, r, n = cells(3), rng(8), 1_500
    for size in (2, 4):
        counts = np.zeros(2**9, dtype=int)
        for _ in range(n):
            i, j = FixedTotalNumber(size).connect(a, a, r)
            counts[np.sum(1 << (3 * i + j))] += 1
        valid = [bin(k).count("1") == size and not k & 0b100010001 for k in range(2**9)]
        assert counts[np.logical_not(valid)].sum() == 0
        chi_square(counts[valid], np.full(15, n / 15), constraints=1)


def test_a_fixed_total_number_of_multapses_is_multinomial():
    """Counts of the pairs, with and without autapses."""
    a, b, n = cells(6), cells(5, "b"), 30_000
    for pre, post, autapses in ((a, b, False), (a, a, True), (a, a, False)):
        i, j = FixedTotalNumber(n, autapses=autapses, multapses=True).connect(pre, post, rng(9))
        counts = np.bincount(i * post.n + j, minlength=pre.n * post.n).reshape(pre.n, post.n)
        allowed = np.ones_like(counts, dtype=bool) if autapses or post is b else ~np.eye(6, dtype=bool)
        assert counts.sum() == n
        assert not counts[~allowed].any()
        chi_square(counts[allowed], np.full(allowed.sum(), n / allowed.sum()), constraints=1)


def distances(a, b, positions):
    if positions is None:
        d = np.abs(np.arange(a)[:, None] / a - np.arange(b) / b)
        return np.where(d > 0.5, 1 - d, d)
    return np.linalg.norm(positions[0].reshape(a, 1, -1) - positions[1].reshape(1, b, -1), axis=2)


@pytest.mark.parametrize(
    ("profile", "space"), [("gaussian", "ring"), ("exponential", "line"), ("gaussian", "plane")]
)
def test_the_law_of_distance(profile, space, monkeypatch):
    """In bins of distance, the number of synapses minus the sum of p over pairs, by its own variance, is chi-square."""
    monkeypatch.setattr(pair_sampling, "CHUNK", 10_000)
    n, m, scale, p_max = 400, 300, 0.15, 0.6
    positions = {"ring": None, "line": (rng(1).random(n), rng(2).random(m))}.get(
        space, (rng(1).random((n, 2)), rng(2).random((m, 2)))
    )
    a = cells(n, positions=None if positions is None else positions[0])
    b = cells(m, "b", positions=None if positions is None else positions[1])
    i, j = DistanceDependent(p_max, scale, profile=profile).connect(a, b, rng(8))
    d = distances(n, m, positions)
    p = p_max * np.exp(-(d**2) / (2 * scale**2) if profile == "gaussian" else -d / scale)
    made = np.zeros((n, m))
    made[i, j] = 1
    edges = np.quantile(d, np.linspace(0, 0.9, 13))
    which = np.digitize(d, edges)
    parts = [[x[which == k].sum() for k in range(1, 14)] for x in (made, p, p * (1 - p))]
    kept = np.array(parts[2]) >= 5
    assert kept.sum() >= 6
    chi_square(*(np.array(x)[kept] for x in parts))


def test_a_list_keeps_its_order_and_cannot_be_changed_later():
    given = np.array([2, 0, 2])
    rule = FromList(given, [1, 1, 1])
    given[0] = 0
    i, j = rule.connect(cells(3), cells(2, "b"), rng())
    assert (i.tolist(), j.tolist()) == ([2, 0, 2], [1, 1, 1])
    i[0] = 1
    assert rule.connect(None, None, rng())[0].tolist() == [2, 0, 2]
    assert rule.describe()["pre"]["sha256"] != FromList([2, 1, 2], [1, 1, 1]).describe()["pre"]["sha256"]
    assert FromList([10**6], [0]).pre.tolist() == [10**6]
    empty = FromList([], [])
    assert empty.connect(None, None, rng())[0].size == 0
    assert empty.describe()["pre"]["shape"] == [0]


@pytest.mark.slow
def test_a_synapse_takes_less_than_70_bytes_while_it_is_drawn():
    a, rule = cells(5_000), DistanceDependent(0.5, 0.08)
    tracemalloc.start()
    try:
        i, j = rule.connect(a, a, rng(9))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 70 * i.size
    d = np.minimum(np.arange(1, a.n), a.n - np.arange(1, a.n)) / a.n  # on the ring, without d = 0
    p = 0.5 * np.exp(-(d**2) / (2 * 0.08**2))
    assert abs(i.size - a.n * p.sum()) < 4 * np.sqrt(a.n * (p * (1 - p)).sum())
    assert (i != j).all()
    assert (np.diff(i.astype(np.int64) * a.n + j) > 0).all()
