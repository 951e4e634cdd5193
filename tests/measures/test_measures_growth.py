"""Information against the number of neurons: refits by hand, exact Fisher information, coverage of the limit."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nsnn_neuro.measures import (
    PoissonMAP,
    decode,
    gaussian_copula,
    gaussian_fisher,
    information_growth,
    linear_fisher_information,
)
from nsnn_neuro.measures.information.fisher import HotellingLaw
from nsnn_neuro.measures.information.growth import fisher_curves, fit_growth


def population(n, eps, common=0, seed=5):
    """f' and covariance: private noise, `common` sources of noise of random weights, and noise along f'."""
    rng = np.random.default_rng(seed)
    slope = rng.normal(0, 0.3, n)
    mixing = rng.normal(0, 0.3, (n, common))
    return slope, np.diag(rng.uniform(0.5, 1.5, n)) + mixing @ mixing.T + eps * np.outer(slope, slope)


def experiment(rng, slope, covariance, trials, ds=1.0):
    stimulus = np.repeat([0.0, ds], trials)
    noise = rng.normal(size=(2 * trials, slope.size)) @ np.linalg.cholesky(covariance).T
    return stimulus, noise + stimulus[:, None] * slope


def small(seed=1, n=5, trials=(9, 12)):
    rng = np.random.default_rng(seed)
    return [rng.normal(k, 1, (t, n)) @ (np.eye(n) + 0.3) for k, t in enumerate(trials)]


def test_curves_are_the_fisher_information_of_each_sub_population():
    a, b = small()
    sizes = np.array([1, 3, 5])
    curves, _ = fisher_curves(a, b, 0.7, sizes, 4, np.random.default_rng(2))
    rng = np.random.default_rng(2)
    for curve in curves:
        order = rng.permutation(5)
        expected = [
            linear_fisher_information(a[:, order[:n]], b[:, order[:n]], 0.7, n_shuffle=0).value for n in sizes
        ]
        assert_allclose(curve, expected, rtol=1e-9)


def test_covariance_is_that_of_refits_without_each_trial():
    a, b = small()
    sizes = np.array([2, 4])
    curves, covariance = fisher_curves(a, b, 0.7, sizes, 3, np.random.default_rng(2))
    rng = np.random.default_rng(2)
    orders = [rng.permutation(5) for _ in range(3)]

    def mean(a, b):
        return np.mean(
            [
                [linear_fisher_information(a[:, o[:n]], b[:, o[:n]], 0.7, n_shuffle=0).value for n in sizes]
                for o in orders
            ],
            axis=0,
        )

    expected = np.cov(curves.T) / 3
    for part in (
        [mean(np.delete(a, i, 0), b) for i in range(9)],
        [mean(a, np.delete(b, i, 0)) for i in range(12)],
    ):
        expected += (len(part) - 1) ** 2 / len(part) * np.cov(np.array(part).T)
    assert_allclose(covariance, expected, rtol=1e-8)


@pytest.mark.parametrize("eps", [0.4, 0.0, -0.01])
def test_fit_finds_the_curve_that_it_was_given(eps):
    n = np.array([3, 6, 12, 24])
    covariance = 1e-4 * (0.5 + 0.5 * np.eye(4))
    fit = fit_growth(n, 0.2 * n / (1 + eps * 0.2 * n), covariance, HotellingLaw(60, 60, n, 1.0))
    assert_allclose([fit.epsilon, fit.initial], [eps, 0.2], rtol=1e-5, atol=1e-7)
    assert fit.p > 0.99
    assert fit.epsilon_se > 0
    assert fit_growth(n, 0.01 * n**1.5, 0.1 * covariance, HotellingLaw(60, 60, n, 1.0)).p < 1e-6


def test_one_experiment_with_a_limit():
    """eps = .5: exact information at 40 neurons from the covariance, and the limit 1/eps; scale and labels don't matter."""
    slope, covariance = population(40, 0.5, common=2)
    stimulus, r = experiment(np.random.default_rng(0), slope, covariance, 300)
    growth = information_growth(stimulus, r, n_subsets=16)
    exact = gaussian_fisher(slope, covariance)
    assert growth.sizes[-1] == 40
    assert abs(growth.information[-1] - exact) < 3 * growth.se[-1]
    low, high = growth.interval()
    assert low < 2.0 < high < np.inf
    assert growth.warning is None
    assert growth.predict([1e9]) == pytest.approx(growth.limit)
    assert growth.predict([growth.neurons_for(0.5)]) == pytest.approx(growth.limit / 2, rel=0.05)
    assert_allclose(growth.table.fitted, growth.information, atol=2 * growth.se.max())
    endless = replace(growth, epsilon=replace(growth.epsilon, value=-1.0))
    assert [endless.limit, *endless.predict([1e9]), endless.neurons_for(0.5)] == [np.inf] * 3
    assert "limit" in str(growth)

    # a stimulus in other units, responses in other units, labels
    other = information_growth(np.where(stimulus == 1, 20, 10), 3 * r + 1, n_subsets=16)
    assert_allclose(other.epsilon.value, 100 * growth.epsilon.value, rtol=1e-6)
    named = information_growth(np.where(stimulus == 1, "b", "a"), r, n_subsets=16, ds=1.0)
    assert named.epsilon == growth.epsilon


def test_without_limiting_noise_unlimited_growth_is_possible():
    slope, covariance = population(40, 0.0, common=2)
    growth = information_growth(*experiment(np.random.default_rng(1), slope, covariance, 300), n_subsets=10)
    assert growth.interval()[1] == np.inf
    assert growth.limit > 3 * growth.information[-1]


def test_without_information_there_is_no_fit_but_a_warning():
    rng = np.random.default_rng(5)
    growth = information_growth(np.repeat([0, 1], 50), rng.normal(size=(100, 20)), n_subsets=5)
    assert growth.information[-1] < 0
    assert "within two errors of 0" in growth.warning
    assert np.isnan(
        [growth.limit, *growth.interval(), *growth.predict([3, 4]), growth.neurons_for(0.5)]
    ).all()


def test_sizes_by_default_leave_four_trials_per_neuron():
    rng = np.random.default_rng(0)
    stimulus, r = np.repeat([0, 1], 40), rng.normal(size=(80, 60))
    assert information_growth(stimulus, r, n_subsets=2).sizes.tolist() == [2, 3, 5, 6, 8, 11, 15, 20]
    chosen = information_growth(stimulus, r, n_subsets=2, sizes=[40, 10, 20, 10])
    assert chosen.sizes.tolist() == [10, 20, 40]
    assert "fewer than 4" in chosen.warning


def test_bits_of_all_neurons_are_those_of_decode_and_of_the_copula():
    rng = np.random.default_rng(2)
    stimulus = np.repeat([0, 1, 2], 20)
    counts = rng.poisson(2 + 2 * stimulus[:, None] * rng.random(4))
    result = decode(stimulus, counts, decoder=PoissonMAP(), n_folds=4, n_shuffle=0, seed=3)
    options = {"decoder": PoissonMAP(), "n_folds": 4, "n_subsets": 3, "sizes": [2, 4], "seed": 3}
    for method, expected in (
        ("confusion", result.information),
        ("posterior", result.cross_entropy_information),
    ):
        growth = information_growth(stimulus, counts, method=method, **options)
        assert growth.information[-1] == expected.value
        assert growth.se[-1] == pytest.approx(expected.se)
        assert growth.spread[-1] == 0
        assert growth.spread[0] > 0
        assert growth.unit == "bit"
        assert growth.epsilon is None
        assert np.isnan(
            [growth.limit, *growth.interval(), *growth.predict([3]), growth.neurons_for(0.5)]
        ).all()
    growth = information_growth(stimulus, counts, method="copula", **options)
    expected = gaussian_copula(stimulus, counts, shrinkage="auto", n_shuffle=20, seed=3)
    assert growth.information[-1] == expected.value
    assert "limit" not in str(growth)


@pytest.mark.slow
@pytest.mark.parametrize("eps", [0.5, 0.0])
def test_interval_covers_the_limit(eps):
    """40 experiments: true limit inside the 95 % interval in 36, and the mean of eps within 4 errors and a tenth of it."""
    slope, covariance = population(40, eps, common=2)
    inside, values = [], []
    for k in range(40):
        data = experiment(np.random.default_rng([k, 7]), slope, covariance, 200)
        growth = information_growth(*data, n_subsets=15, seed=k)
        low, high = growth.interval()
        inside.append(low <= (np.inf if eps == 0 else 1 / eps) <= high)
        values.append((growth.epsilon.value, growth.epsilon.se))
    values, errors = np.array(values).T
    assert np.mean(inside) >= 0.9
    assert abs(np.median(values) - eps) < 0.15 * eps + 4 * 1.25 * values.std() / np.sqrt(40)
    assert 0.8 < np.sqrt((errors**2).mean()) / values.std() < 1.5
