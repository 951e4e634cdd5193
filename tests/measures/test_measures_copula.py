"""The Gaussian copula against closed forms, quadrature, and its own law."""

import numpy as np
import pytest
from helpers.gaussians import channel, channel_truth, gaussian, z_of_mean
from numpy.testing import assert_allclose
from scipy.special import digamma, ndtri
from scipy.stats import norm, rankdata

from nsnn_neuro.measures import gaussian_copula, gaussian_copula_classes


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
@pytest.mark.parametrize(
    ("d", "e", "size", "n"),
    [(1, 1, 2.0, 200), (3, 2, 0.0, 100), (3, 2, 0.6, 300)],
)
def test_copula_covers_the_truth(d, e, size, n):
    """100 repeats; at independence the error bar is too wide, never too narrow."""
    rng = np.random.default_rng(3)
    mixing = size * np.eye(d, e) + 0.3 * size
    found = [gaussian_copula(*channel(rng, n, mixing), n_shuffle=0) for _ in range(100)]
    values, se = np.array([f.value for f in found]), np.array([f.se for f in found])
    exact = channel_truth(mixing)
    assert exact < 1.5
    assert (np.abs(values - exact) < 2 * se).mean() >= 0.9
    assert 0.85 < np.sqrt((se**2).mean()) / values.std() < (1.25 if size else 2.5)


def parabola(rng, n):
    x, noise = rng.normal(size=(2, n))
    return x, x + x**2 + 0.5 * noise


@pytest.mark.slow
def test_copula_error_bar_of_a_copula_that_is_not_gaussian():
    """SD of 300 repeats within 4 / sqrt(600); without the change of ranks the se of the parabola is 1.25 times it."""
    rng = np.random.default_rng(4)
    found = [gaussian_copula(*parabola(rng, 2000), n_shuffle=0) for _ in range(300)]
    values, se = np.array([f.value for f in found]), np.array([f.se for f in found])
    assert abs(np.log(np.sqrt((se**2).mean()) / values.std())) < 4 / np.sqrt(600)


def test_copula_shuffles_agree_with_permuting_the_data():
    rng = np.random.default_rng(5)
    x, y = channel(rng, 60, rng.normal(size=(2, 3)))
    e = gaussian_copula(x, y, n_shuffle=5, seed=9)
    generator = np.random.default_rng(9)
    orders = generator.permuted(np.tile(np.arange(60), (5, 1)), axis=1)
    null = [gaussian_copula(x, y[order], n_shuffle=0).value for order in orders]
    assert_allclose(e.null_mean, np.mean(null), atol=1e-10)


def test_copula_tells_of_few_samples():
    x, y = np.random.default_rng(6).normal(size=(2, 30, 2))
    assert "fewer than 20 for each" in str(gaussian_copula(x, y, n_shuffle=0).warning)
    assert gaussian_copula(*np.random.default_rng(0).normal(size=(2, 60)), n_shuffle=0).warning is None


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


def test_without_shrinkage_the_bias_of_shuffles_is_the_closed_one():
    x, y = trials_of(np.random.default_rng(3), 100, *population(5, 0.3)[:2])
    shuffled = gaussian_copula(x, y, shrinkage=0.0, n_shuffle=400)
    closed = gaussian_copula(x, y)
    assert abs(shuffled.value - closed.value) < 4 * np.sqrt(5 / 2) / (100 * np.log(2)) / 20


def test_shrinkage_takes_more_neurons_than_trials():
    x, y = trials_of(np.random.default_rng(4), 40, *population(60, 0.5)[:2])

    e = gaussian_copula(x, y, shrinkage="auto", n_shuffle=19)
    assert e.value > 0.3
    assert e.p == 0.05
    assert "fewer than 10 for each" in e.warning
    assert "shrunk by 0." in e.reason


@pytest.mark.slow
def test_shrinkage_covers_with_ten_samples_per_column_and_never_exceeds():
    """60 repeats, 30 neurons: 310 trials cover the closed form; 60 trials scatter less than unshrunk, and are too low."""
    weights, covariance, truth = population(30, 0.3)

    def repeats(n, **options):
        found = [
            gaussian_copula(*trials_of(np.random.default_rng([k, 2]), n, weights, covariance), **options)
            for k in range(60)
        ]
        return np.array([(e.value, e.se) for e in found]).T

    values, errors = repeats(310, shrinkage="auto", n_shuffle=20)
    assert (np.abs(values - truth) < 2 * errors).mean() >= 0.9
    assert 0.85 < np.sqrt((errors**2).mean()) / values.std() < 1.6
    shrunk, plain = repeats(60, shrinkage="auto", n_shuffle=20)[0], repeats(60, n_shuffle=0)[0]
    assert shrunk.std() < 0.85 * plain.std()
    assert shrunk.mean() < truth - 3 * shrunk.std() / np.sqrt(60)
    assert abs(z_of_mean(plain, truth)) < 4


def shifted(rng, n, shifts, d=1):
    """n samples of each class, normal around its shift."""
    classes = np.repeat(np.arange(len(shifts)), n)
    return rng.normal(size=(n * len(shifts), d)) + np.array(shifts)[classes][:, None], classes


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
    x, classes = shifted(rng, 15, (0, 1, 2), d=2)
    x, classes = x[:40], classes[:40]
    z = ndtri(rankdata(x, axis=0) / 41)

    def entropy(z):
        n, d = z.shape
        bias = sum(digamma((n - i) / 2) for i in range(1, d + 1)) / 2 - d * np.log((n - 1) / 2) / 2
        return (0.5 * np.linalg.slogdet(np.cov(z.T))[1] - bias) / np.log(2)

    parts = [(classes == c).mean() * entropy(z[classes == c]) for c in range(3)]
    e = gaussian_copula_classes(x, classes, n_shuffle=0)
    assert_allclose(e.value, entropy(z) - sum(parts), atol=1e-10)
    assert gaussian_copula_classes(np.exp(x), np.array(["a", "b", "c"])[classes], n_shuffle=0) == e


@pytest.mark.slow
@pytest.mark.parametrize("shifts", [(0.0, 0.0), (0.0, 1.0, 2.0)])
def test_classes_cover_the_limit(shifts):
    """150 repeats of 40 samples of each class; a lower bound of the information by quadrature."""
    exact = limit(shifts)
    x = np.linspace(-9, 11, 20001)
    p = np.array([norm.pdf(x, s) for s in shifts])
    whole = p.mean(axis=0)
    information = (p * np.log2(p / whole)).mean(axis=0).sum() * (x[1] - x[0])
    assert exact <= information + 1e-6
    rng = np.random.default_rng(2)
    found = [gaussian_copula_classes(*shifted(rng, 40, shifts), n_shuffle=0) for _ in range(150)]
    values, se = np.array([f.value for f in found]), np.array([f.se for f in found])
    assert (np.abs(values - exact) < 2 * se).mean() >= 0.9
    assert 0.85 < np.sqrt((se**2).mean()) / values.std() < (1.2 if any(shifts) else 2.5)


def test_classes_p():
    x, classes = shifted(np.random.default_rng(3), 40, (0.0, 1.0))
    e = gaussian_copula_classes(x, classes, n_shuffle=9, seed=5)
    rng = np.random.default_rng(5)
    null = [gaussian_copula_classes(x, rng.permutation(classes), n_shuffle=0).value for _ in range(9)]
    assert_allclose(e.null_mean, np.mean(null), atol=1e-12)
    assert e.p == 0.1


def test_small_classes_are_told():
    x = np.random.default_rng(0).normal(size=60)
    warning = gaussian_copula_classes(x, np.arange(60) % 6, n_shuffle=0).warning
    assert warning == "10 samples of 1 columns in a class: fewer than 20 for each"
