"""The Gaussian copula and KSG against closed forms, quadrature, brute force, and their own law."""

import numpy as np
import pytest
from helpers.gaussians import channel, channel_truth, gaussian, z_of_mean
from numpy.testing import assert_allclose
from scipy.special import digamma, ndtri
from scipy.stats import norm, rankdata

from nsnn_neuro.measures import gaussian_copula, gaussian_copula_classes, ksg


def test_copula_formula_written_out():
    """Normal scores, log determinants of numpy's covariance, the digamma terms of each entropy."""
    rng = np.random.default_rng(1)
    x, y = channel(rng, 80, rng.normal(size=(2, 3)))

    def entropy(z):
        z = ndtri(rankdata(z, axis=0) / (len(z) + 1))
        n, d = z.shape
        h = 0.5 * np.linalg.slogdet(2 * np.pi * np.e * np.cov(z.T).reshape(d, d))[1]
        bias = sum(digamma((n - i) / 2) for i in range(1, d + 1)) / 2 - d * np.log((n - 1) / 2) / 2
        return (h - bias) / np.log(2)

    expected = entropy(x) + entropy(y) - entropy(np.concatenate([x, y], axis=1))
    assert_allclose(gaussian_copula(x, y, n_shuffle=0).value, expected, atol=1e-10)


def test_copula_ignores_increasing_functions():
    x, y = gaussian(np.random.default_rng(2), 200, 0.7)
    e = gaussian_copula(x, y)
    assert gaussian_copula(np.exp(x), np.arctan(y) ** 3, seed=0) == e


@pytest.mark.slow
def test_copula_error_bar_of_a_copula_that_is_not_gaussian():
    """SD of 150 repeats within 4 / sqrt(300); without the change of ranks the se of the parabola is 1.25 times it."""
    rng, found = np.random.default_rng(4), []
    for _ in range(150):
        x, noise = rng.normal(size=(2, 1000))
        found.append(gaussian_copula(x, x + x**2 + 0.5 * noise, n_shuffle=0))
    values, se = np.array([f.value for f in found]), np.array([f.se for f in found])
    assert abs(np.log(np.sqrt((se**2).mean()) / values.std())) < 4 / np.sqrt(300)


def test_copula_shuffles_agree_with_permuting_the_data():
    rng = np.random.default_rng(5)
    x, y = channel(rng, 60, rng.normal(size=(2, 3)))
    e = gaussian_copula(x, y, n_shuffle=5, seed=9)
    generator = np.random.default_rng(9)
    orders = generator.permuted(np.tile(np.arange(60), (5, 1)), axis=1)
    null = [gaussian_copula(x, y[order], n_shuffle=0).value for order in orders]
    assert_allclose(e.null_mean, np.mean(null), atol=1e-10)


def population(n_neurons, strength, seed=1):
    """Weights of a stimulus of variance 1, covariance of the noise with two common sources, and the information in bits."""
    rng = np.random.default_rng(seed)
    weights = strength * rng.normal(size=n_neurons)
    mixing = rng.normal(0, 0.5, (n_neurons, 2))
    covariance = np.eye(n_neurons) + mixing @ mixing.T
    return weights, covariance, 0.5 * np.log2(1 + weights @ np.linalg.solve(covariance, weights))


def trials_of(rng, n, weights, covariance):
    x = rng.normal(size=(n, 1))
    return x, x * weights + rng.normal(size=(n, weights.size)) @ np.linalg.cholesky(covariance).T


def test_shrinkage_formula_written_out():
    """Regression by lstsq, numpy's correlations, the sums over pairs; the bias from the same shuffles."""
    rng = np.random.default_rng(2)
    x, y = trials_of(rng, 40, *population(6, 0.5)[:2])
    x = np.concatenate([x, rng.normal(size=(40, 1))], axis=1)

    def plain(x, y, a=None):
        scores = [ndtri(rankdata(part, axis=0) / 41) for part in (x, y)]
        x, y = (part - part.mean(axis=0) for part in scores)
        noise = y - x @ np.linalg.lstsq(x, y)[0]
        fitted = y - noise
        z = noise / noise.std(axis=0)
        r = np.corrcoef(noise.T)
        if a is None:
            pairs = [(i, j) for i in range(6) for j in range(6) if i != j]
            variance = sum((z[:, i] * z[:, j]).var() / 39 for i, j in pairs)
            a = min(1, variance / sum(r[i, j] ** 2 for i, j in pairs))
        size = noise.std(axis=0)
        shrunk = np.outer(size, size) * ((1 - a) * r + a * np.eye(6))
        signal = fitted.T @ fitted / 40
        return 0.5 * np.linalg.slogdet(np.eye(6) + np.linalg.solve(shrunk, signal))[1] / np.log(2)

    for shrinkage, a in (("auto", None), (0.3, 0.3), (0.0, 0.0)):
        e = gaussian_copula(x, y, shrinkage=shrinkage, n_shuffle=5, seed=7)
        generator = np.random.default_rng(7)
        null = [plain(generator.permutation(x), y, a) for _ in range(5)]
        assert_allclose(e.value, plain(x, y, a) - np.mean(null), rtol=1e-9)
        assert_allclose(e.null_mean, 0, atol=1e-12)
        assert e.p == (1 + (np.array(null) >= plain(x, y, a)).sum()) / 6


def test_shrinkage_takes_more_neurons_than_trials():
    x, y = trials_of(np.random.default_rng(4), 40, *population(60, 0.5)[:2])

    e = gaussian_copula(x, y, shrinkage="auto", n_shuffle=19)
    assert e.value > 0.3
    assert e.p == 0.05
    assert "fewer than 10 for each" in e.warning
    assert "shrunk by 0." in e.reason


@pytest.mark.slow
def test_shrinkage_covers_with_ten_samples_per_column_and_never_exceeds():
    """60 repeats, 30 neurons: 310 trials cover the closed form; the values of 60 trials are too low."""
    weights, covariance, truth = population(30, 0.3)

    def repeats(n):
        found = []
        for k in range(60):
            x, y = trials_of(np.random.default_rng([k, 2]), n, weights, covariance)
            found.append(gaussian_copula(x, y, shrinkage="auto", n_shuffle=20))
        return np.array([(e.value, e.se) for e in found]).T

    values, errors = repeats(310)
    assert (np.abs(values - truth) < 2 * errors).mean() >= 0.9
    assert 0.85 < np.sqrt((errors**2).mean()) / values.std() < 1.6
    assert z_of_mean(repeats(60)[0], truth) < -3


def shifted(rng, n, shifts, d=1):
    """n samples of each class, normal around its shift."""
    classes = np.repeat(np.arange(len(shifts)), n)
    return classes, rng.normal(size=(n * len(shifts), d)) + np.array(shifts)[classes][:, None]


def limit(shifts):
    """The value for very many samples, by quadrature: scores z = ndtri(F(x)), their variance in each class."""
    x = np.linspace(-9, 9 + max(shifts), 40001)
    z = ndtri(np.mean([norm.cdf(x, s) for s in shifts], axis=0))
    logs = []
    for s in shifts:
        weight = norm.pdf(x, s)
        inside = (weight > 1e-15) & np.isfinite(z)
        weight, score = weight[inside] / weight[inside].sum(), z[inside]
        logs.append(np.log2(weight @ score**2 - (weight @ score) ** 2))
    return -0.5 * np.mean(logs)


def test_classes_formula_written_out():
    rng = np.random.default_rng(1)
    classes, x = shifted(rng, 15, (0, 1, 2), d=2)
    x, classes = x[:40], classes[:40]
    z = ndtri(rankdata(x, axis=0) / 41)

    def entropy(z):
        n, d = z.shape
        bias = sum(digamma((n - i) / 2) for i in range(1, d + 1)) / 2 - d * np.log((n - 1) / 2) / 2
        return (0.5 * np.linalg.slogdet(np.cov(z.T))[1] - bias) / np.log(2)

    parts = [(classes == c).mean() * entropy(z[classes == c]) for c in range(3)]
    e = gaussian_copula_classes(classes, x, n_shuffle=0)
    assert_allclose(e.value, entropy(z) - sum(parts), atol=1e-10)
    assert gaussian_copula_classes(np.array(["a", "b", "c"])[classes], np.exp(x), n_shuffle=0) == e


@pytest.mark.slow
def test_classes_cover_the_limit():
    """100 repeats of 40 samples of each class, against the limit by quadrature."""
    shifts = (0.0, 1.0, 2.0)
    exact = limit(shifts)
    rng = np.random.default_rng(2)
    found = [gaussian_copula_classes(*shifted(rng, 40, shifts), n_shuffle=0) for _ in range(100)]
    values, se = np.array([f.value for f in found]), np.array([f.se for f in found])
    assert (np.abs(values - exact) < 2 * se).mean() >= 0.9
    assert 0.85 < np.sqrt((se**2).mean()) / values.std() < 1.2


def test_classes_p():
    classes, x = shifted(np.random.default_rng(3), 40, (0.0, 1.0))
    e = gaussian_copula_classes(classes, x, n_shuffle=9, seed=5)
    rng = np.random.default_rng(5)
    null = [gaussian_copula_classes(rng.permutation(classes), x, n_shuffle=0).value for _ in range(9)]
    assert_allclose(e.null_mean, np.mean(null), atol=1e-12)
    assert e.p == 0.1


def test_few_samples_are_told():
    x, y = np.random.default_rng(6).normal(size=(2, 30, 2))
    assert "fewer than 20 for each" in str(gaussian_copula(x, y, n_shuffle=0).warning)
    x, y = np.random.default_rng(0).normal(size=(2, 60))
    assert gaussian_copula(x, y, n_shuffle=0).warning is None
    warning = gaussian_copula_classes(np.arange(60) % 6, x, n_shuffle=0).warning
    assert warning == "10 samples of 1 columns in a class: fewer than 20 for each"


def brute_ksg(x, y, k, variant):
    """The two formulas with every distance written out; columns in units of their SD."""
    x, y = (v.reshape(len(v), -1) for v in (x, y))
    dx, dy = (np.abs(v[:, None] - v[None]).max(axis=2) for v in (x / x.std(axis=0), y / y.std(axis=0)))
    both = np.maximum(dx, dy)
    n = len(x)
    np.fill_diagonal(both, np.inf)
    total = 0.0
    for i in range(n):
        nearest = np.argsort(both[i])[:k]
        others = np.arange(n) != i
        if variant == 1:
            reach = both[i, nearest[-1]]
            total += sum(digamma((d[i, others] < reach).sum() + 1) for d in (dx, dy))
        else:
            total += sum(digamma((d[i, others] <= d[i, nearest].max()).sum()) for d in (dx, dy))
    return (digamma(k) - (variant == 2) / k + digamma(n) - total / n) / np.log(2)


@pytest.mark.parametrize(("variant", "k", "d", "e"), [(1, 8, 2, 1), (1, 1, 1, 3), (2, 3, 2, 2)])
def test_ksg_against_all_distances(variant, k, d, e):
    rng = np.random.default_rng(10 * d + e)
    x, y = channel(rng, 120, rng.normal(size=(d, e)))
    expected = brute_ksg(x, y, k, variant)
    assert_allclose(ksg(x, y, k=k, variant=variant, n_shuffle=0).value, expected, atol=1e-12)


@pytest.mark.parametrize(("variant", "n"), [(2, 23), (1, 24), (2, 25)])
def test_ksg_in_small_samples_and_heavy_tails(variant, n):
    """Strips of 8 points: one short of a full strip, just full, one more; clustered and far points."""
    rng = np.random.default_rng(n)
    x, y = rng.standard_cauchy(n), np.concatenate([rng.normal(size=n - 3), [50.0, 51.0, -90.0]])
    expected = brute_ksg(x, y, 3, variant)
    assert_allclose(ksg(x, y, variant=variant, n_shuffle=0).value, expected, atol=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "d", "e", "size"), [(2, 1, 1, 2.0), (1, 1, 2, 0.7071)])
def test_ksg_covers_the_truth_of_channels(variant, d, e, size):
    rng, mixing = np.random.default_rng(3), np.full((d, e), size)
    found = [ksg(*channel(rng, 600, mixing), variant=variant, n_shuffle=0) for _ in range(60)]
    assert np.mean([abs(f.value - channel_truth(mixing)) < 2 * f.se for f in found]) >= 0.9


@pytest.mark.slow
def test_ksg_error_bar_knows_that_neighbours_share_samples():
    """400 repeats of independent variables: SD against se within 4 / sqrt(800); the local terms alone give 0.8."""
    rng = np.random.default_rng(4)
    found = [ksg(*gaussian(rng, 500, 0.0), n_shuffle=0) for _ in range(400)]
    values, se = np.array([e.value for e in found]), np.array([e.se for e in found])
    assert abs(z_of_mean(values, 0.0)) < 4
    assert abs(np.log(np.sqrt((se**2).mean()) / values.std())) < 4 / np.sqrt(800)


def test_ksg_under_transforms():
    """Scale and shift: the same; increasing functions: the same with normal scores, else within 4 SE."""
    x, y = gaussian(np.random.default_rng(6), 2000, 0.5)
    e = ksg(x, y, n_shuffle=0)
    assert_allclose(ksg(1e6 * x + 3, -1e-3 * y, n_shuffle=0).value, e.value, atol=1e-3)
    scored = ksg(x, y, normal_scores=True, n_shuffle=0)
    assert ksg(np.exp(x), y**3, normal_scores=True, n_shuffle=0).value == scored.value
    assert abs(scored.value - e.value) < 4 * e.se


def test_ties_of_rounding_are_broken_by_the_seed():
    x, y = gaussian(np.random.default_rng(7), 500, 0.5)
    rounded = np.round(x, 3)
    assert np.unique(rounded).size < 500
    e = ksg(rounded, y, n_shuffle=0)
    assert e.value == ksg(rounded, y, n_shuffle=0).value
    assert abs(e.value - ksg(x, y, n_shuffle=0).value) < e.se
    assert ksg(x, y, n_shuffle=0, seed=1).value == ksg(x, y, n_shuffle=0, seed=2).value  # nothing to break


def test_null():
    e = ksg(*gaussian(np.random.default_rng(8), 300, 0.6), n_shuffle=99)
    assert e.p == 0.01
    assert abs(e.null_mean) < 0.02


def test_ksg_warns_where_samples_cannot_tell():
    x = np.random.default_rng(9).normal(size=50)
    assert "hardly more than 5.6 bit" in str(ksg(x, x + 1e-9 * np.arange(50), n_shuffle=0).warning)
    assert ksg(*gaussian(np.random.default_rng(9), 50, 0.5), n_shuffle=0).warning is None
