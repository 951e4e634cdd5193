"""NSB entropy against quadrature with SciPy's functions, exact cases and the literature's reference point."""

import numpy as np
import pytest
from scipy import integrate, special

from nsnn_neuro import NsnnError
from nsnn_neuro.measures import entropy
from nsnn_neuro.measures.information.entropy.estimators import plugin, profile
from nsnn_neuro.measures.information.entropy.nsb import nsb, nsb_moments, nsb_without_one


def by_quadrature(counts, k):
    """Posterior mean and SD (bits) by scipy.integrate.quad over ln b, with the moments of each Dirichlet as double sums."""
    counts = np.asarray(counts, dtype=float)
    seen, n = counts[counts > 0], counts.sum()

    def log_weight(t):
        b = np.exp(t)
        prior = k * special.polygamma(1, k * b + 1) - special.polygamma(1, b + 1)
        gammas = special.gammaln(seen + b) - special.gammaln(b)
        return np.log(prior) + t + special.gammaln(k * b) - special.gammaln(n + k * b) + gammas.sum()

    def moments(t):
        a = np.concatenate([seen, np.zeros(k - seen.size)]) + np.exp(t)
        total = a.sum()
        mean = special.digamma(total + 1) - (a * special.digamma(a + 1)).sum() / total
        u = special.digamma(a + 1) - special.digamma(total + 2)
        pairs = np.outer(a, a) * (np.outer(u, u) - special.polygamma(1, total + 2))
        same = (special.digamma(a + 2) - special.digamma(total + 2)) ** 2
        same = same + special.polygamma(1, a + 2) - special.polygamma(1, total + 2)
        return mean, (pairs.sum() - np.trace(pairs) + (a * (a + 1) * same).sum()) / (total * (total + 1))

    nodes = np.linspace(-np.log(k) - 36.0, 16.0, 2000)
    heights = np.array([log_weight(t) for t in nodes])
    peak, inside = heights.max(), nodes[heights > heights.max() - 36.0]

    def integral(f):
        options = {"epsabs": 0, "epsrel": 1e-10, "limit": 300, "points": [nodes[heights.argmax()]]}
        return integrate.quad(
            lambda t: np.exp(log_weight(t) - peak) * f(t), inside[0], inside[-1], **options
        )[0]

    mass = integral(lambda t: 1.0)
    mean, second = (integral(lambda t, i=i: moments(t)[i]) / mass for i in (0, 1))
    return mean / np.log(2), np.sqrt(second - mean**2) / np.log(2)


@pytest.mark.parametrize(
    ("counts", "k"),
    [([3, 1], 4), ([10, 5, 3, 1, 1], 20), ([50, 40], 2), ([2, 1, 1, 1], 60), ([30, 2, 1], 8)],
)
def test_moments_are_those_of_a_quadrature(counts, k):
    mean, sd = nsb_moments(profile(np.array([counts]), float(k)))
    expected_mean, expected_sd = by_quadrature(counts, k)
    # what lies beyond the ends of the quadrature, e^-16 of the prior, is 1e-7
    assert abs(mean[0] - expected_mean) < 1e-6
    assert abs(sd[0] - expected_sd) < 1e-6


def test_one_sample_leaves_the_prior_mean():
    # by symmetry one sample tells nothing about the entropy, and the prior is uniform in its expectation on [0, log2 K]
    for k in (2, 100, 10**4, 2**20, 2**60):
        mean, _ = nsb_moments(profile(np.array([[1]]), float(k)))
        assert abs(mean[0] - 0.5 * np.log2(k)) < 1e-6 * np.log2(k)


@pytest.mark.parametrize("n", [1, 2, 7, 100, 10**4, 10**5])
def test_finite_and_possible_for_all_sizes(n):
    rng = np.random.default_rng(n)
    for k in (2, 3, 100, 10**4, 2**20, 2**62):
        for spread in (min(k, n, 1000), 1):  # all over the alphabet, and all samples alike
            counts = np.bincount(rng.integers(0, spread, n))[None]
            mean, sd = nsb_moments(profile(counts, float(k)))
            assert 0.0 <= mean[0] <= np.log2(k) + 1e-9
            assert 0.0 < sd[0] < np.log2(k)


def test_known_symbol_and_no_samples_have_no_entropy():
    assert nsb(profile(np.array([[5]]), 1.0)).tolist() == [0.0]
    assert nsb(profile(np.array([[0, 0]]), 2.0)).tolist() == [0.0]


def test_reference_point_of_uniform_law():
    counts = np.random.default_rng(1).multinomial(100, np.full(100, 0.01), size=2000)
    rows = profile(counts, 100.0)
    value = nsb(rows)
    # published to the digits given: plug-in 5.822 (SD .08), NSB 6.54 (SD .05), truth 6.644
    assert abs(plugin(rows).mean() - 5.822) < 4 * 0.08 / np.sqrt(2000)
    assert abs(value.mean() - 6.54) < 0.005 + 4 * 0.05 / np.sqrt(2000)
    assert abs(plugin(rows).std() - 0.08) < 0.005
    assert abs(value.std() - 0.05) < 0.005


def test_values_without_one_sample_are_those_of_the_smaller_sample():
    rng = np.random.default_rng(2)
    counts = np.vstack([rng.multinomial(60, rng.dirichlet(np.full(30, a))) for a in (0.05, 0.3, 2.0)])
    rows = profile(counts, 30.0)
    here = rows.multiplicity > 0
    apart = np.abs(nsb_without_one(rows) - nsb(rows.without_one()))
    assert apart[here].max() < 1e-9


def test_posterior_holds_the_truth_of_laws_from_its_prior():
    """Laws from Dirichlet priors of all concentrations, as the prior has them: two SDs contain the entropy."""
    rng = np.random.default_rng(3)
    k, repeats = 50, 2000
    b = np.logspace(-4, 4, 4001)
    expected = special.digamma(k * b + 1) - special.digamma(b + 1)
    drawn = np.interp(rng.uniform(0, np.log(k), repeats), expected, b)
    gammas = rng.standard_gamma(drawn[:, None], (repeats, k)) + 1e-300
    law = gammas / gammas.sum(1, keepdims=True)
    truth = -special.xlogy(law, law).sum(1) / np.log(2)
    mean, sd = nsb_moments(profile(rng.multinomial(25, law), float(k)))
    z = (truth - mean) / sd
    # calibrated, so E z = 0 and E z^2 = 1 exactly
    assert abs(z.mean()) < 4 * z.std() / np.sqrt(repeats)
    assert abs((z**2).mean() - 1.0) < 4 * (z**2).std() / np.sqrt(repeats)


def test_alphabet_must_be_told_or_is_taken_with_a_warning():
    told = entropy([0, 1, 3, 1], method="nsb", n_symbols=4)
    taken = entropy([0, 1, 3, 1], method="nsb")
    assert told.value == taken.value
    assert told.warning is None
    assert "n_symbols not given: took 4, the range of the values in x" in taken.warning
    words = entropy([[0, 0], [1, 2], [0, 1]], method="nsb")
    assert "took 6, the product of the letters' ranges" in words.warning
    assert entropy([[0, 1]] * 3, method="nsb", n_symbols=2**62).value > 0
    with pytest.raises(NsnnError, match=r"n_symbols = 2: .*at least the 3 symbols that occur"):
        entropy([0, 1, 3, 1], method="nsb", n_symbols=2)
    with pytest.raises(NsnnError, match="give n_symbols"):
        entropy([[0] * 2000, [1] * 2000], method="nsb")
