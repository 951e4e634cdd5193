"""KSG against Gaussian closed forms, brute force, scikit-learn and its own law."""

import numpy as np
import pytest
from helpers.gaussians import channel, channel_truth, gaussian, z_of_mean
from numpy.testing import assert_allclose
from scipy.special import digamma
from sklearn.feature_selection import mutual_info_regression

from nsnn_neuro.measures import gaussian_copula, ksg


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


@pytest.mark.parametrize(("variant", "k", "d", "e"), [(2, 1, 1, 1), (1, 8, 2, 1), (1, 1, 1, 3), (2, 3, 2, 2)])
def test_ksg_against_all_distances(variant, k, d, e):
    rng = np.random.default_rng(10 * d + e)
    x, y = channel(rng, 120, rng.normal(size=(d, e)))
    expected = brute_ksg(x, y, k, variant)
    assert_allclose(ksg(x, y, k=k, variant=variant, n_shuffle=0).value, expected, atol=1e-12)


@pytest.mark.parametrize(("variant", "n"), [(1, 10), (2, 23), (1, 24), (2, 25), (2, 64)])
def test_ksg_in_small_samples_and_heavy_tails(variant, n):
    """Strips of 8 points: one short of a full strip, just full, one more; clustered and far points."""
    rng = np.random.default_rng(n)
    x, y = rng.standard_cauchy(n), np.concatenate([rng.normal(size=n - 3), [50.0, 51.0, -90.0]])
    expected = brute_ksg(x, y, 3, variant)
    assert_allclose(ksg(x, y, variant=variant, n_shuffle=0).value, expected, atol=1e-12)


def test_ksg_equals_scikit_learn():
    """Variant 1; scikit-learn's gives nats and adds noise of 1e-10 to the samples."""
    x, y = gaussian(np.random.default_rng(1), 3000, 0.6)
    theirs = mutual_info_regression(x[:, None], y, n_neighbors=3, random_state=0)[0] / np.log(2)
    assert_allclose(ksg(x, y, n_shuffle=0).value, theirs, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize(("variant", "d", "e", "size"), [(1, 1, 1, 0.75), (2, 1, 1, 2.0), (1, 1, 2, 0.7071)])
def test_ksg_covers_the_truth_of_channels(variant, d, e, size):
    rng, mixing = np.random.default_rng(3), np.full((d, e), size)
    found = [ksg(*channel(rng, 600, mixing), variant=variant, n_shuffle=0) for _ in range(150)]
    values, se = np.array([f.value for f in found]), np.array([f.se for f in found])
    assert (np.abs(values - channel_truth(mixing)) < 2 * se).mean() >= 0.9
    # SD of 150: 6 %; SHARED: 15 % of the variance
    assert abs(np.sqrt((se**2).mean()) / values.std() - 1) < 0.2


@pytest.mark.slow
def test_ksg_error_bar_knows_that_neighbours_share_samples():
    """600 repeats of independent variables: SD against se within 4 / sqrt(1200); the local terms alone give 0.8."""
    rng = np.random.default_rng(4)
    found = [ksg(*gaussian(rng, 500, 0.0), n_shuffle=0) for _ in range(600)]
    values, se = np.array([e.value for e in found]), np.array([e.se for e in found])
    assert abs(z_of_mean(values, 0.0)) < 4
    assert abs(np.log(np.sqrt((se**2).mean()) / values.std())) < 4 / np.sqrt(1200)


@pytest.mark.slow
def test_ksg_finds_what_has_no_correlation():
    """y = x^2 + noise: the copula's Gaussian sees none of it, neighbours do (against quadrature)."""
    rng = np.random.default_rng(5)
    x, noise = rng.normal(size=(2, 2000))
    y = x**2 + 0.5 * noise
    grid = np.linspace(-6, 40, 20001)
    at = np.linspace(-8, 8, 4001)
    weight = np.exp(-(at**2) / 2)
    density = np.array([(weight * np.exp(-2 * (g - at**2) ** 2)).sum() for g in grid])
    density /= density.sum() * (grid[1] - grid[0])
    inside = density > 0
    entropy = -(density[inside] * np.log2(density[inside])).sum() * (grid[1] - grid[0])
    exact = entropy - 0.5 * np.log2(2 * np.pi * np.e * 0.25)
    e = ksg(x, y, normal_scores=True, n_shuffle=0)
    assert abs(e.value - exact) < 4 * e.se
    assert exact > 1
    assert abs(gaussian_copula(x, y, n_shuffle=0).value) < 0.05


def test_ksg_under_transforms():
    """Scale and shift: the same; increasing functions: the same with normal scores, else within 4 SE."""
    x, y = gaussian(np.random.default_rng(6), 2000, 0.5)
    e = ksg(x, y, n_shuffle=0)
    assert_allclose(ksg(1e6 * x + 3, -1e-3 * y, n_shuffle=0).value, e.value, atol=1e-3)
    scored = ksg(x, y, normal_scores=True, n_shuffle=0)
    assert ksg(np.exp(x), y**3, normal_scores=True, n_shuffle=0).value == scored.value
    assert abs(scored.value - e.value) < 4 * e.se
    mild = ksg(np.exp(x / 2), np.arctan(y), n_shuffle=0)
    assert abs(mild.value - e.value) < 4 * e.se


def test_ties_of_rounding_are_broken_by_the_seed():
    x, y = gaussian(np.random.default_rng(7), 500, 0.5)
    rounded = np.round(x, 3)
    assert np.unique(rounded).size < 500
    e = ksg(rounded, y, n_shuffle=0)
    assert e.value == ksg(rounded, y, n_shuffle=0).value
    assert abs(e.value - ksg(x, y, n_shuffle=0).value) < e.se
    assert ksg(x, y, n_shuffle=0, seed=1).value == ksg(x, y, n_shuffle=0, seed=2).value  # nothing to break


@pytest.mark.parametrize("estimator", [ksg, gaussian_copula])
def test_null(estimator):
    """A dependence is found; permuting y by hand gives about the null's mean."""
    x, y = gaussian(np.random.default_rng(8), 300, 0.6)
    e = estimator(x, y, n_shuffle=99)
    assert e.p == 0.01
    assert abs(e.null_mean) < 0.02
    assert estimator(x, y, n_shuffle=99).null_mean == e.null_mean
    assert estimator(x, y, n_shuffle=99, seed=1).null_mean != e.null_mean
    assert estimator(x, y, n_shuffle=0).p is None


def test_ksg_warns_where_samples_cannot_tell():
    x = np.random.default_rng(9).normal(size=50)
    assert "hardly more than 5.6 bit" in str(ksg(x, x + 1e-9 * np.arange(50), n_shuffle=0).warning)
    assert ksg(*gaussian(np.random.default_rng(9), 50, 0.5), n_shuffle=0).warning is None
