"""Modulated Poisson model: values computed elsewhere, scipy's distributions and optimizer, and what its errors promise."""

import tracemalloc

import numpy as np
import pytest
from helpers.trains import block_of_counts, one_silence
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from scipy.optimize import minimize_scalar
from scipy.special import polygamma

from nsnn_neuro.measures import modulated_poisson

# An internal: the public function has no arguments at which published values can be asked for.
from nsnn_neuro.measures.spiketrain.modulated_poisson import fisher_information


def draw(rng, rates, n, s2, neurons):
    stimulus = np.repeat(np.arange(len(rates)), n)
    gain = rng.gamma(1 / s2, s2, (stimulus.size, neurons)) if s2 else 1.0
    return stimulus, rng.poisson(np.array(rates)[stimulus][:, None] * gain * np.ones((1, neurons)))


def test_errors_are_those_of_the_fisher_information_at_the_fit():
    stimulus, x = draw(np.random.default_rng(1), [10.0], 200, 0.25, 1)
    fit = modulated_poisson(stimulus, x[:, 0])
    s2, f = fit.gain_variance, x.mean()
    assert_allclose(fit.rate, [f], rtol=1e-12)
    assert_allclose(fit.rate_se, np.sqrt((f + s2 * f * f) / 200), rtol=1e-12)
    n = np.arange(2000)
    r, p = 1 / s2, 1 / (1 + s2 * f)
    step = 1e-5 * s2
    up, down = (stats.nbinom.logpmf(n, 1 / a, 1 / (1 + a * f)) for a in (s2 + step, s2 - step))
    j = stats.nbinom.pmf(n, r, p) @ ((up - down) / (2 * step)) ** 2
    assert_allclose(fit.se, 1 / np.sqrt(199 * j), rtol=1e-6)  # one of the trials went into the mean
    assert_allclose(fit.share, s2 * f * f / (f + s2 * f * f), rtol=1e-12)


@pytest.mark.parametrize(("s2", "bias"), [(0.0, "cox-reid"), (0.02, None), (3.0, "cox-reid")])
def test_fit_is_the_maximum_of_the_likelihood(s2, bias):
    """Scipy's negative binomial, maximised by scipy; three stimuli of unequal numbers, log likelihood ratio included.

    The adjusted likelihood has half the log determinant of the information about the means taken off, n / (f + a f^2) each.
    """
    rng = np.random.default_rng(2)
    stimulus = np.repeat([0, 1, 2], [5, 12, 30])
    for _ in range(4):
        gain = rng.gamma(1 / s2, s2, 47) if s2 else 1.0
        x = rng.poisson(np.array([2.0, 7.0, 20.0])[stimulus] * gain)
        means = np.array([x[stimulus == k].mean() for k in range(3)])
        f = means[stimulus]

        def cost(log_a, x=x, f=f, means=means):
            a = np.exp(log_a)
            information = np.log(np.bincount(stimulus) / (means + a * means**2)).sum() if bias else 0.0
            return -stats.nbinom.logpmf(x, 1 / a, 1 / (1 + a * f)).sum() + information / 2

        best = minimize_scalar(cost, bounds=(-12, 5), method="bounded", options={"xatol": 1e-9})
        poisson = stats.poisson.logpmf(x, f).sum()
        poisson -= np.log(np.bincount(stimulus) / means).sum() / 2 if bias else 0.0
        fit = modulated_poisson(stimulus, x, bias=bias)
        least = -fit.log_likelihood_ratio - poisson + stats.chi2.isf(0.05, 1) / 2
        for limit in (fit.lower, fit.upper):
            # where the likelihood at 0 is near its maximum, 0 is inside
            assert (limit == 0 and -poisson < least) or abs(cost(np.log(limit)) - least) < 1e-6
        assert fit.lower <= fit.gain_variance < fit.upper
        if fit.gain_variance == 0:
            assert -best.fun < poisson + 1e-6
            assert fit.p == 1.0
            assert fit.log_likelihood_ratio == 0.0
        else:
            assert_allclose(fit.gain_variance, np.exp(best.x), rtol=1e-4)
            assert_allclose(fit.log_likelihood_ratio, -best.fun - poisson, rtol=1e-6, atol=1e-8)
            assert_allclose(fit.p, stats.chi2.sf(2 * fit.log_likelihood_ratio, 1) / 2, rtol=1e-10)


@pytest.mark.parametrize("side", ["gain", "Poisson"])
def test_of_two_maxima_the_higher_is_the_fit(side):
    """Equal counts of 44 against variable small ones: maxima at a = 0 and above. The oracle is a grid of a with SciPy's pmf."""
    equal = [44] * (3 if side == "gain" else 12)
    counts = [[0, 0, 1, 7, 1, 0], [0, 7, 7], equal, [2, 1, 1, 6, 5, 0], [1, 0, 0, 2, 4], [4, 5, 1, 1]]
    x = np.concatenate(counts)
    number = np.array([len(c) for c in counts])
    means = np.array([np.mean(c) for c in counts])
    stimulus = np.repeat(np.arange(6), number)
    fit = modulated_poisson(stimulus, x)
    a, f = np.geomspace(1e-4, 1e3, 3000)[:, None], means[stimulus]
    above = stats.nbinom.logpmf(x, 1 / a, 1 / (1 + a * f)).sum(axis=1) + np.log1p(a * means).sum(axis=1) / 2
    above -= stats.poisson.logpmf(x, f).sum()
    assert above[1] < above[0] < 0  # the score at 0 is negative
    best = max(above.max(), 0.0)
    inside = a[above > best - stats.chi2.isf(0.05, 1) / 2, 0]
    assert_allclose(fit.log_likelihood_ratio, best, rtol=1e-4)
    assert_allclose(fit.gain_variance, a[above.argmax(), 0] if above.max() > 0 else 0.0, rtol=0.01)
    assert_allclose(fit.upper, inside[-1], rtol=0.01)
    assert_allclose(fit.lower, inside[0] if best > 1.92 else 0.0, rtol=0.01)
    if side == "gain":
        assert_allclose([fit.gain_variance, 2 * fit.log_likelihood_ratio], [0.8533, 9.299], rtol=1e-3)
        assert fit.p < 0.002
    else:
        assert fit.p == 1


def test_error_bars_cover():
    """400 neurons, three stimuli of 10 trials each; 91 % is documented, 81 % without the adjustment."""
    stimulus, x = draw(np.random.default_rng(3), [4.0, 10.0, 25.0], 10, 0.25, 400)
    fit = modulated_poisson(stimulus, x)
    assert np.mean(abs(fit.gain_variance - 0.25) < 2 * fit.se) >= 0.87
    assert np.mean((fit.lower < 0.25) & (fit.upper > 0.25)) >= 0.92
    truth = np.array([[4.0], [10.0], [25.0]])
    assert np.mean(abs(fit.rate - truth) < 2 * fit.rate_se) >= 0.88
    assert fit.rate.shape == fit.rate_se.shape == (3, 400)


def test_bias_at_few_trials_is_as_documented():
    """Maximum likelihood is too low by (s2 + 1/f) / n, to a tenth of s2; the adjusted likelihood by nothing, |z| < 4."""
    stimulus, x = draw(np.random.default_rng(4), [10.0] * 8, 5, 0.25, 300)
    bias = modulated_poisson(stimulus, x, bias=None).gain_variance.mean() - 0.25
    assert abs(bias + 0.35 / 5) < 0.025
    adjusted = modulated_poisson(stimulus, x).gain_variance
    assert abs(adjusted.mean() - 0.25) < 4 * adjusted.std() / np.sqrt(300)


def test_p_is_uniform_below_a_half_for_poisson_counts():
    """Half of the neurons have a gain variance of 0 and p = 1; those are spread over the upper half by chance."""
    rng = np.random.default_rng(5)
    stimulus, x = draw(rng, [5.0, 20.0, 60.0], 60, 0.0, 800)
    fit = modulated_poisson(stimulus, x)
    p = np.where(fit.gain_variance > 0, fit.p, 1.0)
    none = (p == 1.0).mean()
    assert abs(none - 0.5) < 4 * np.sqrt(0.25 / 800) + 0.02  # the score is skewed, so somewhat above a half
    assert np.mean(p < 0.05) < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 800)
    assert stats.kstest(p[p < 1] / p[p < 1].max(), "uniform").pvalue > 1e-3


def test_shapes_labels_and_blocks():
    stimulus, x = draw(np.random.default_rng(7), [3.0, 9.0], 10, 0.2, 2)
    names = np.array(["left", "right"])[stimulus]
    both, one = modulated_poisson(names, x), modulated_poisson(names, x[:, 1])
    assert one.gain_variance == both.gain_variance[1]
    assert one.rate.shape == (2,)
    assert both.labels.tolist() == ["left", "right"]
    assert both.n.tolist() == [10, 10]
    assert_array_equal(modulated_poisson(names, block_of_counts(x)).gain_variance, both.gain_variance)
    order = np.random.default_rng(0).permutation(20)
    assert_allclose(modulated_poisson(names[order], x[order]).se, both.se, rtol=1e-12)


@pytest.mark.slow
def test_fisher_information_at_the_largest_counts():
    """trigamma(k) - E trigamma(N + k) - f / (k (k + f)), by scipy's distribution on a grid, in less than 10 MB.

    Arrays of all counts would take 40 MB.
    """
    fisher_information(np.array([2.0]), 0.5)  # compiles
    f, a, k = 1e4, 2.0, 0.5
    tracemalloc.start()
    value = fisher_information(np.array([f]), a)[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * 2**20
    n = np.arange(int(60 * a * f) + 1)
    inverse = stats.nbinom.pmf(n, k, 1 / (1 + a * f)) @ polygamma(1, n + k)
    assert_allclose(value, (polygamma(1, k) - inverse - f / (k * (k + f))) * k**4, rtol=1e-6)


def test_silent_neurons_are_nan_with_one_warning():
    with one_silence("1 of 2 neurons have no spikes"):
        fit = modulated_poisson([0, 0, 1, 1], [[0, 1], [0, 3], [0, 2], [0, 8]])
    for name in ("gain_variance", "se", "lower", "upper", "share", "p", "log_likelihood_ratio"):
        assert_array_equal(np.isnan(getattr(fit, name)), [True, False])
    assert_array_equal(fit.rate[:, 0], [0, 0])
    one = modulated_poisson(np.zeros(10, int), np.eye(10)[0])  # an adjusted score of exactly 0
    assert (one.gain_variance, one.lower, one.p) == (0, 0, 1)
    fit = modulated_poisson([0, 0, 1, 1], [0, 0, 5, 9])  # one silent stimulus is no harm
    assert np.isfinite([fit.gain_variance, fit.se]).all()
