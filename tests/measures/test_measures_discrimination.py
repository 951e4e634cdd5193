"""Area under the ROC curve and d': against scikit-learn, SciPy and sums over Poisson probabilities."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.stats import mannwhitneyu, norm, poisson, ttest_ind
from sklearn.metrics import roc_auc_score

from nsnn_neuro.measures import d_prime, roc_auc


def counts(seed, n_a=50, n_b=50, means=(8.0, 12.0)):
    rng = np.random.default_rng(seed)
    return rng.poisson(means[0], n_a), rng.poisson(means[1], n_b)


def exact_auc(low=8.0, high=12.0):
    """Sum over the probabilities of all pairs of counts, and the probability of a tie."""
    k = np.arange(120)
    p, q = poisson.pmf(k, low), poisson.pmf(k, high)
    below = np.cumsum(p) - p
    return (q * (below + p / 2)).sum(), (p * q).sum()


@pytest.mark.parametrize("seed", range(2))
def test_auc_and_p_are_those_of_scikit_learn_and_scipy(seed):
    a, b = counts(seed, 30, 45)
    e = roc_auc(a, b)
    assert_allclose(e.value, roc_auc_score([0] * 30 + [1] * 45, np.concatenate([a, b])), rtol=0, atol=1e-12)
    test = mannwhitneyu(b, a, alternative="two-sided", method="asymptotic")
    assert_allclose([e.value, e.p], [test.statistic / (30 * 45), test.pvalue], rtol=1e-9)
    assert e.n == 75
    pairs = (b > a[:, None]) + 0.5 * (b == a[:, None])  # DeLong's variance from all pairs
    variance = pairs.mean(axis=0).var(ddof=1) / 45 + pairs.mean(axis=1).var(ddof=1) / 30
    unseen = (e.value - 0.5) ** 2 / 2 * (1 / (30**2 - 1) + 1 / (45**2 - 1))
    assert_allclose(e.se, np.sqrt(variance + unseen), rtol=1e-9)
    slope = norm.pdf(norm.ppf(e.value)) / math.sqrt(2)
    assert_allclose(d_prime(a, b).se, np.sqrt(variance) / slope, rtol=1e-9)


def test_p_of_few_values_is_exact():
    """Two of 3 + 3 values: all 20 divisions; the observed one and its mirror reach the AUC of 1."""
    e = roc_auc([0.1, 0.2, 0.3], [0.4, 0.5, 0.6])
    assert_allclose(e.p, 2 / 20, rtol=1e-12)
    assert_allclose(e.se, 0.25 / math.sqrt(2), rtol=1e-12)
    assert "do not overlap" in e.warning
    shuffled = roc_auc([0.1, 0.2, 0.3], [0.4, 0.5, 0.6], n_shuffle=4000, seed=1)
    assert abs(shuffled.p - 0.1) < 4 * math.sqrt(0.1 * 0.9 / 4000)


@pytest.mark.slow
def test_oracle_of_poisson_counts():
    """Counts of mean 8 and 12: AUC .8141298, d' 1.2632011, ties .0605594, standard error of 50 + 50 trials .0419557."""
    auc, tie = exact_auc()
    assert_allclose([auc, tie, math.sqrt(2) * norm.ppf(auc)], [0.8141298, 0.0605594, 1.2632011], atol=6e-8)
    results = [(roc_auc(*counts(seed)), d_prime(*counts(seed))) for seed in range(500)]
    values = np.array([e.value for e, _ in results])
    assert abs(values.mean() - auc) < 4 * 0.0419557 / math.sqrt(500)
    assert abs(values.std(ddof=1) / 0.0419557 - 1) < 4 / math.sqrt(2 * 500)
    assert (
        abs(
            np.mean([e.se for e, _ in results]) / math.hypot(0.041904, (auc - 0.5) / math.sqrt(50**2 - 1)) - 1
        )
        < 0.01
    )
    d = np.array([e.value for _, e in results])
    # a convex function of the AUC: mean above by half its second derivative times the variance
    z = norm.ppf(auc)
    bias = 0.5 * math.sqrt(2) * z / norm.pdf(z) ** 2 * 0.0419557**2
    assert abs(d.mean() - 1.2632011 - bias) < 4 * d.std() / math.sqrt(500)


def test_d_prime_of_large_samples_is_that_of_the_means():
    """Normal responses of one variance: both forms estimate (12 - 8)/3."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(8, 3, 40_000), rng.normal(12, 3, 40_000)
    for method in ("auc", "moments"):
        e = d_prime(a, b, method=method)
        assert abs(e.value - 4 / 3) < 4 * e.se
    assert_allclose(d_prime(b, a).value, -d_prime(a, b).value, rtol=1e-9)


def test_d_prime_of_moments_against_loops():
    a, b = counts(7, 12, 9)

    def value(x, y):
        return (y.mean() - x.mean()) / math.sqrt((x.var(ddof=1) + y.var(ddof=1)) / 2)

    e = d_prime(a, b, method="moments")
    assert_allclose(e.value, value(a, b), rtol=1e-12)
    parts = []
    for x, other in ((a, lambda left: value(left, b)), (b, lambda left: value(a, left))):
        left = np.array([other(np.delete(x, i)) for i in range(x.size)])
        parts.append((x.size - 1) / x.size * ((left - left.mean()) ** 2).sum())
    assert_allclose(e.se, math.sqrt(sum(parts)), rtol=1e-9)
    assert_allclose(e.p, ttest_ind(b, a, equal_var=False).pvalue, rtol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("function", "truth"),
    [
        (roc_auc, 0.8141298),
        (d_prime, 1.2632011),
        (lambda a, b: d_prime(a, b, method="moments"), 4 / math.sqrt(10)),
    ],
    ids=["auc", "d' of the AUC", "d' of moments"],
)
def test_two_standard_errors_cover_the_value(function, truth):
    results = [function(*counts(seed, 20, 20)) for seed in range(200)]
    covered = [abs(e.value - truth) <= 2 * e.se for e in results]
    assert np.mean(covered) >= 0.9


@pytest.mark.slow
def test_two_standard_errors_cover_an_area_near_1():
    """Poisson counts of mean 3 and 10: 0.977; DeLong's covers in 58 % with 10 values, where a third do not overlap."""
    truth = exact_auc(3.0, 10.0)[0]
    results = [roc_auc(*counts(seed, 10, 10, (3.0, 10.0))) for seed in range(200)]
    assert np.mean([abs(e.value - truth) <= 2 * e.se for e in results]) >= 0.9


def test_samples_at_their_limits():
    single = roc_auc([1.0], [2.0, 3.0])
    assert single.value == 1
    assert math.isnan(single.se)
    assert "single value" in single.warning
    equal = roc_auc([2, 2], [2, 2, 2])
    assert (equal.value, equal.se, equal.p) == (0.5, 0, 1)
    apart = d_prime([1, 2], [3, 4])
    assert apart.value == math.inf
    assert math.isnan(apart.se)
    assert "infinite" in apart.warning
    constant = d_prime([2, 2], [2, 2], method="moments")
    assert math.isnan(constant.value)
    assert "varies" in constant.warning
