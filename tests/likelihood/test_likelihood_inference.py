"""Tests of coefficients and filters: statsmodels, columns written out, and p values that are uniform where nothing is there."""

from __future__ import annotations

from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from helpers.fits import DT, analog, gaussian_signal, train
from numpy.testing import assert_allclose
from scipy.optimize import minimize_scalar
from scipy.stats import binomtest, chi2, gamma, kstest, nbinom, norm, poisson

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, fit_neuron, measures
from nsnn_neuro.likelihood import (
    Lags,
    NegativeBinomial,
    NeuronFit,
    NeuronModel,
    Poisson,
    RaisedCosines,
    cross_validate,
    fit_shared_gain,
)

N = 3000
MS = 1 * pq.ms


@pytest.fixture(scope="module")
def coupled() -> tuple[Any, Any, dict[str, Any]]:
    """Spikes of a logistic neuron, its signal, and options with two inputs and history."""
    rng = np.random.default_rng(0)
    inputs = nsnn.to_block(
        [[np.flatnonzero(rng.random(N) < 0.1) * DT for _ in range(2)]], t_stop=N * DT * pq.s
    )
    signal = gaussian_signal(N, 1, channels=2)
    options = {"stimulus": Lags(2), "coupling": Lags(2), "history": Lags(1), "family": nsnn.Logistic(1.0)}
    cell = NeuronModel(dt=MS, channels=2, n_inputs=2, **options)
    p = [-2.0, 0.5, 0.2, 0.0, 0.0, 0.8, 0.3, 0.0, 0.0, -0.5]
    return cell.simulate(p, signal, inputs=inputs, seed=1), signal, {"dt": MS, "inputs": inputs, **options}


def test_table_and_filter_tests_are_those_of_statsmodels(coupled):
    """z, p and intervals of the GLM on the same columns, and Wald's chi-square of the groups of columns."""
    generalized = pytest.importorskip("statsmodels.genmod.generalized_linear_model")
    families = pytest.importorskip("statsmodels.genmod.families")
    block, signal, options = coupled
    fit = fit_neuron(block, signal, **options)
    glm = generalized.GLM(fit._data.o, fit._data.design, family=families.Binomial()).fit(
        tol=1e-13, maxiter=100
    )
    assert_allclose(fit.table["z"], glm.tvalues, rtol=1e-5, atol=1e-6)
    assert_allclose(fit.table["p"], glm.pvalues, rtol=1e-4)
    assert_allclose(fit.table[["low", "high"]], glm.conf_int(), atol=1e-6)
    tests = fit.filter_tests()
    groups = {
        "stimulus": range(1, 5), "stimulus[0]": (1, 2), "stimulus[1]": (3, 4), "coupling": range(5, 9),
        "coupling[0]": (5, 6), "coupling[1]": (7, 8), "history": (9,),
    }  # fmt: skip
    assert set(tests.index) == set(groups)
    for name, own in groups.items():
        theirs = glm.wald_test(np.eye(10)[list(own)], use_f=False, scalar=True)
        assert_allclose(
            tests.loc[name, ["statistic", "p"]].astype(float), [theirs.statistic, theirs.pvalue], rtol=1e-4
        )
    assert tests.df.tolist() == [len(list(groups[name])) for name in tests.index]


def test_tests_of_products_and_of_a_single_input():
    """A quadratic response is one term; names of a single channel and input carry no number."""
    rng = np.random.default_rng(3)
    inputs = nsnn.to_block([[np.flatnonzero(rng.random(N) < 0.1) * DT]], t_stop=N * DT * pq.s)
    fit = fit_neuron(
        train(rng.random(N) < 0.2), gaussian_signal(N, 4), dt=MS, stimulus=2, inputs=inputs, coupling=1,
        products=[("stimulus", "stimulus"), ("stimulus", "coupling")],
    )  # fmt: skip
    tests = fit.filter_tests()
    assert dict(tests.df) == {"stimulus": 2, "coupling": 1, "stimulus*stimulus": 3, "stimulus*coupling": 2}
    assert tests.p["coupling"] == pytest.approx(fit.table.p["coupling[0]"], rel=1e-9)


def test_likelihood_ratio_is_twice_the_difference(coupled):
    block, signal, options = coupled
    fit = fit_neuron(block, signal, **options)
    without = fit_neuron(block, signal, **options | {"history": None})
    alone = fit_neuron(block, signal, **{k: v for k, v in options.items() if k not in ("inputs", "coupling")})
    ratio = fit.likelihood_ratio(without)
    assert ratio.statistic == pytest.approx(2 * (fit.log_likelihood - without.log_likelihood))
    assert ratio.df == 1
    assert ratio.p == pytest.approx(fit.filter_tests().p["history"], rel=0.5)
    assert fit.likelihood_ratio(alone).df == 4
    assert fit.likelihood_ratio(alone).p < 1e-3


@pytest.mark.slow
def test_p_is_uniform_where_nothing_is_there():
    """200 recordings of a constant rate: Wald and likelihood ratio of a filter of three lags."""
    rng, signal, wald, ratios = np.random.default_rng(5), gaussian_signal(1000, 6), [], []
    for _ in range(200):
        spikes = train(rng.random(1000) < 0.15)
        fit = fit_neuron(spikes, signal, dt=MS, stimulus=3, history=1, family=nsnn.Logistic(1.0))
        wald.append(fit.filter_tests().p["stimulus"])
        less = fit_neuron(spikes, dt=MS, history=1, family=nsnn.Logistic(1.0))
        ratios.append(fit.likelihood_ratio(less).p)
    for p in (wald, ratios):
        assert kstest(p, "uniform").pvalue > 1e-3
        assert binomtest(int(np.sum(np.array(p) < 0.05)), 200, 0.05).pvalue > 1e-3


def test_what_has_no_p(coupled):
    """A penalty, other data, other regressors of the same names, a model that isn't contained."""
    block, signal, options = coupled
    fit = fit_neuron(block, signal, **options)
    shrunken = fit_neuron(block, signal, ridge=1.0, **options)
    assert shrunken.table.p.isna().all()
    assert shrunken.table.low.notna().all()
    other = analog(signal.magnitude[::-1])
    cases = [
        (lambda: shrunken.filter_tests(), "ridge=0"),
        (lambda: fit.likelihood_ratio(shrunken), "ridge=0"),
        (lambda: fit.likelihood_ratio(3), "smaller"),
        (lambda: fit.likelihood_ratio(fit), "fewer parameters"),
        (lambda: fit_neuron(block, signal, **options | {"history": None}).likelihood_ratio(fit), "contains"),
        (
            lambda: fit.likelihood_ratio(fit_neuron(block, signal, **options | {"family": Poisson()})),
            "family",
        ),
        (lambda: fit.likelihood_ratio(fit_neuron(block, other, **options | {"history": None})), "regressors"),
        (lambda: fit.likelihood_ratio(fit_neuron(block, signal, t_stop=2 * pq.s, **options)), "same data"),
    ]
    for call, cure in cases:
        with pytest.raises(NsnnError, match=cure):
            call()


# --- negative binomial counts ---

WIDE = 50 * pq.ms
COUNTED: dict[str, Any] = {"dt": WIDE, "stimulus": Lags(2), "history": Lags(1), "family": NegativeBinomial()}
TRUE = [0.2, 0.4, 0.2, -0.05, 0.6]


@pytest.fixture(scope="module")
def counted() -> tuple[Any, Any]:
    """Counts in 1,500 steps of 50 ms, 1.2 on average, and their signal."""
    signal = analog(np.random.default_rng(0).normal(size=1500), period=0.05)
    return NeuronModel(**COUNTED).simulate(TRUE, signal, seed=1), signal


@pytest.mark.parametrize(
    ("n", "mean", "d", "log_p"),
    [(3, 2.0, 2 / 3, -2.167035), (0, 0.3, 0.5, -0.279524), (9, 5.0, 0.2, -3.131778)],
)
def test_probability_of_a_count(n, mean, d, log_p):
    """Values that were computed elsewhere, SciPy's, and Poisson's in the limit."""
    spikes, span = [np.arange(n) * 1e-3], {"t_start": 0 * pq.s, "t_stop": WIDE}

    def log_likelihood(family: Any, *more: float) -> float:
        return NeuronModel(dt=WIDE, family=family).log_likelihood([np.log(mean), *more], spikes, **span)[0]

    value = log_likelihood(NegativeBinomial(d))
    assert value == pytest.approx(log_p, abs=2e-6)
    assert value == pytest.approx(nbinom.logpmf(n, 1 / d, 1 / (1 + d * mean)), rel=1e-12)
    assert log_likelihood(NegativeBinomial(), d) == pytest.approx(value, rel=1e-14)
    gradient = NeuronModel(dt=WIDE, family=NegativeBinomial()).log_likelihood(
        [np.log(mean), 0.0015], spikes, **span
    )[1]
    j, x = np.arange(n), 0.0015 * mean
    slope = np.sum(j / (1 + 0.0015 * j)) + np.log1p(x) / 0.0015**2 - (n + 1 / 0.0015) * mean / (1 + x)
    assert gradient[1] == pytest.approx(slope, rel=1e-8)
    assert log_likelihood(NegativeBinomial(1e-9)) == pytest.approx(poisson.logpmf(n, mean), rel=1e-6)
    assert log_likelihood(NegativeBinomial(0.0)) == pytest.approx(poisson.logpmf(n, mean), rel=1e-12)


@pytest.mark.parametrize("d", [0.0, 1e-4, 0.02, 0.6])
def test_gradient_of_the_dispersion(counted, d):
    """Central differences, one-sided at 0; below a dispersion times mean of .01 a series is used."""
    model, p, h = NeuronModel(**COUNTED), np.array([*TRUE[:-1], d]), 1e-6
    at = [model.log_likelihood(p + step, *counted)[0] for step in h * np.outer([1, 2], np.eye(5)[-1])]
    here, gradient = model.log_likelihood(p, *counted)
    assert gradient[-1] == pytest.approx((4 * at[0] - at[1] - 3 * here) / (2 * h), rel=1e-4, abs=1e-2)


def test_a_dispersion_is_that_of_statsmodels(counted):
    """Values, likelihood and errors (observed information) of its NegativeBinomial; at a given dispersion those of its GLM."""
    discrete = pytest.importorskip("statsmodels.discrete.discrete_model")
    generalized = pytest.importorskip("statsmodels.genmod.generalized_linear_model")
    families = pytest.importorskip("statsmodels.genmod.families")
    fit = fit_neuron(*counted, **COUNTED)
    o, columns = fit._data.o, fit._data.design
    theirs = discrete.NegativeBinomial(o, columns).fit(disp=0, method="newton", tol=1e-12, start_params=TRUE)
    assert_allclose(fit.values, theirs.params, rtol=1e-6)
    assert_allclose(list(fit.se.values()), theirs.bse, rtol=1e-5)
    assert fit.log_likelihood == pytest.approx(theirs.llf, rel=1e-10)
    assert fit.table.p.tolist()[:-1] == pytest.approx(theirs.pvalues[:-1], rel=1e-3)
    assert np.isnan(fit.table.p["dispersion"])
    given = fit_neuron(*counted, **COUNTED | {"family": NegativeBinomial(0.3)})
    glm = generalized.GLM(o, columns, family=families.NegativeBinomial(alpha=0.3)).fit(tol=1e-13)
    assert_allclose(given.values, glm.params, rtol=1e-6)
    assert_allclose(list(given.se.values()), glm.bse, rtol=1e-5)
    low, high = fit.interval()["dispersion"]
    assert low * high == pytest.approx(fit.parameters["dispersion"] ** 2)
    assert np.log(high / low) == pytest.approx(
        2 * norm.ppf(0.975) * fit.se["dispersion"] / fit.parameters["dispersion"]
    )


def test_a_dispersion_without_a_block_of_time(counted):
    """Each fold of a cross-validation is statsmodels' fit to the steps of the others."""
    discrete = pytest.importorskip("statsmodels.discrete.discrete_model")
    options = {"dt": WIDE, "stimulus": 1}
    choice = cross_validate(
        *counted, [{"family": NegativeBinomial()}, {"family": Poisson()}], n_folds=3, **options
    )
    assert choice.best == {"family": NegativeBinomial()}
    data = choice.fit._data
    for k, values in enumerate(choice.values):
        o, x = data.o[choice.folds != k], data.design[choice.folds != k]
        theirs = discrete.NegativeBinomial(o, x).fit(
            disp=0, method="newton", tol=1e-12, start_params=[0.2, 0.4, 0.6]
        )
        assert_allclose(values, theirs.params, rtol=1e-6)


def test_counts_that_are_drawn_have_the_variance(counted):
    """Standardised residuals of 20 simulated trials, and SciPy's probability of each count."""
    fit = fit_neuron(*counted, **COUNTED)
    assert np.all(np.abs((fit.values - TRUE) / list(fit.se.values())) < 4)
    block = fit.simulate(counted[1], trials=20, seed=2)
    data = fit.model.data(block, counted[1])
    mean = np.exp(data.design @ fit.values[:-1])
    z = (data.o - mean) / np.sqrt(NegativeBinomial(fit.parameters["dispersion"]).variance(np.log(mean)))
    assert abs(z.mean()) < 4 / np.sqrt(z.size)
    assert abs((z**2).mean() - 1) < 4 * (z**2).std() / np.sqrt(z.size)
    logs = fit.per_step(block, counted[1]).log_likelihood
    r, d = 1 / fit.parameters["dispersion"], fit.parameters["dispersion"]
    assert_allclose(logs, nbinom.logpmf(data.o, r, 1 / (1 + d * mean)), rtol=1e-8)
    assert fit.score(block, counted[1]).value > 0


@pytest.mark.slow
def test_the_dispersion_of_poisson_counts():
    """It is 0 in about half of 150 recordings, and p follows the mean of the laws with 0 and 1 degree of freedom."""
    rng, p = np.random.default_rng(8), []
    options = {"dt": WIDE, "history": 1, "t_start": 0 * pq.s, "t_stop": 10 * pq.s}
    for _ in range(150):
        spikes = [np.sort(rng.random(rng.poisson(300)) * 10)]
        fit = fit_neuron(spikes, family=NegativeBinomial(), **options)
        p.append(fit.likelihood_ratio(fit_neuron(spikes, family=Poisson(), **options)).p)
        assert (p[-1] == 1) == (fit.parameters["dispersion"] == 0)
        if p[-1] == 1:
            mean = np.exp(fit._data.design @ fit.values[:-1])
            assert fit.se["dispersion"] == pytest.approx((0.5 * mean @ mean) ** -0.5)
            assert fit.interval()["dispersion"] == (0.0, pytest.approx(1.96 * fit.se["dispersion"], rel=1e-3))
    below = np.array([one for one in p if one < 1])
    assert binomtest(len(below), 150, 0.45).pvalue > 1e-3  # of 200 steps: less than half
    assert kstest(2 * below, "uniform").pvalue > 1e-3


def test_a_population_of_negative_binomial_neurons():
    """Coupled neurons draw from their dispersions; a ridge that is chosen; time rescaling with one spike in a step at most."""
    rng = np.random.default_rng(9)
    gain = rng.gamma(2, 1 / 2, (2, 400))
    counts = rng.poisson(2 * gain)
    times = [np.sort(np.repeat(np.arange(400), one) * 0.05 + rng.random(one.sum()) * 0.05) for one in counts]
    block = nsnn.to_block([times], t_stop=20 * pq.s)
    fit = nsnn.fit_population(block, dt=WIDE, coupling=1, family=NegativeBinomial())
    drawn = fit.simulate(duration=500 * pq.s, seed=1)
    for k, one in enumerate(fit.fits):
        d, se = one.parameters["dispersion"], one.se["dispersion"]
        assert abs(d - 0.5) < 4 * se
        x = np.bincount(
            (drawn.segments[0].spiketrains[k].magnitude / 0.05 + 1e-6).astype(int), minlength=10_000
        )
        assert (x.var() - x.mean()) / x.mean() ** 2 == pytest.approx(d, rel=0.15)
    one = block.segments[0].spiketrains[0]
    assert fit_neuron(one, dt=WIDE, history=1, family=NegativeBinomial(), ridge="cv").ridges
    alone = train(np.bincount(np.unique((one.magnitude * 1000).astype(int)), minlength=20_000))
    fine = fit_neuron(alone, dt=MS, history=1, family=NegativeBinomial())
    assert fine.rescaled().n == len(alone)


def test_what_is_no_dispersion(counted):
    cases = [
        (lambda: NegativeBinomial(-1.0), "dispersion"),
        (lambda: fit_neuron(*counted, **COUNTED | {"family": NegativeBinomial}), "NegativeBinomial()"),
        (lambda: fit_neuron(*counted, beta=0.5, **COUNTED), "leave beta out"),
        (lambda: NeuronModel(**COUNTED).simulate([*TRUE[:-1], -0.1], counted[1]), "dispersion"),
        (lambda: fit_neuron(*counted, **COUNTED | {"history": None}).to_neuron(counted[1]), "counts"),
    ]
    for call, cure in cases:
        with pytest.raises(NsnnError, match=cure):
            call()


# --- a gain that neurons share ---

RATES = np.array([[2.0, 3.0, 1.0, 4.0], [1.0, 6.0, 4.0, 2.0]])


def shared_counts(
    n: int, variance: float, seed: int, follows: Any = 1.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Stimuli, gains and counts of four neurons in n trials; `follows`: exponents of the gain."""
    rng = np.random.default_rng(seed)
    stimulus, gain = np.arange(n) % 2, rng.gamma(1 / variance, variance, n)
    return stimulus, gain, rng.poisson(RATES[stimulus] * gain[:, None] ** np.broadcast_to(follows, 4))


def test_a_shared_gain_is_that_of_the_marginal_likelihood_by_quadrature():
    """Its maximum, its ends 1.92 nats below, the mean and SD of each trial's gain: integrals over the gain, of all counts."""
    stimulus, _, x = shared_counts(12, 0.5, 1)
    rates = RATES[stimulus]
    node, weight = np.polynomial.legendre.leggauss(400)
    g = 4 * (node + 1)  # from 0 to 8
    given = np.exp(poisson.logpmf(x[:, None], rates[:, None] * g[:, None]).sum(axis=2)) * 4 * weight

    def marginal(s2: float) -> float:
        return float(np.log(given @ gamma(1 / s2, scale=s2).pdf(g)).sum())

    fit = fit_shared_gain(None, x, expected=rates)
    best = minimize_scalar(
        lambda s2: -marginal(s2), bounds=(0.05, 5), method="bounded", options={"xatol": 1e-9}
    )
    assert fit.gain_variance == pytest.approx(best.x, rel=1e-5)
    for end in (fit.lower, fit.upper):
        assert marginal(end) == pytest.approx(-best.fun - chi2.isf(0.05, 1) / 2, abs=1e-5)
    curvature = -np.diff([marginal(best.x + h) for h in (-1e-3, 0, 1e-3)], 2)[0] / 1e-6
    assert fit.se == pytest.approx(curvature**-0.5, rel=1e-3)
    posterior = given * gamma(1 / best.x, scale=best.x).pdf(g)
    posterior /= posterior.sum(axis=1)[:, None]
    assert_allclose(fit.gain, posterior @ g, rtol=1e-5)
    assert_allclose(fit.gain_sd**2, posterior @ g**2 - (posterior @ g) ** 2, rtol=1e-4)
    none = poisson.logpmf(x, rates).sum()
    assert fit.p == pytest.approx(0.5 * chi2.sf(2 * (-best.fun - none), 1), rel=1e-6)


def test_means_of_stimuli_are_fitted_with_the_gain():
    """Without the adjustment the maximum is that at the mean counts; with it the fit of the summed counts."""
    stimulus, gain, x = shared_counts(300, 0.2, 2)
    fit = fit_shared_gain(stimulus, x, bias=None)
    means = np.array([x[stimulus == k].mean(axis=0) for k in (0, 1)])[stimulus]
    assert fit.gain_variance == pytest.approx(
        fit_shared_gain(None, x, expected=means).gain_variance, rel=1e-6
    )
    adjusted = fit_shared_gain(stimulus, x)
    alone = measures.modulated_poisson(stimulus, x.sum(axis=1))
    assert (adjusted.gain_variance, adjusted.lower, adjusted.p) == (alone.gain_variance, alone.lower, alone.p)
    assert adjusted.lower < 0.2 < adjusted.upper
    z = (gain - adjusted.gain) / adjusted.gain_sd
    assert abs(z.mean()) < 4 / np.sqrt(300)
    assert 0.8 < z.std() < 1.2
    assert np.all(np.abs(adjusted.coupling - 1) < 4 * adjusted.coupling_se)


def test_coupling_of_a_neuron_that_does_not_follow():
    one = shared_counts(20, 0.5, 5)[2]
    fit, others = fit_shared_gain(None, one), one.sum(axis=1)[:, None] - one
    covariance = [np.cov(one[:, j], others[:, j])[0, 1] for j in range(4)]
    assert_allclose(fit.coupling, covariance / (one.mean(axis=0) * others.mean(axis=0) * fit.gain_variance))
    stimulus, _, x = shared_counts(600, 0.3, 3, follows=[1.0, 1.0, 1.0, 0.0])
    fit = fit_shared_gain(stimulus, x)
    assert abs(fit.coupling[3]) < 4 * fit.coupling_se[3]
    assert np.all(fit.coupling[:3] > 0.7)


def test_a_gain_in_windows_of_a_block():
    """Each window of each trial has a gain, and means of its own; the counts are those of the windows."""
    rng = np.random.default_rng(4)
    gain = rng.gamma(4, 1 / 4, (30, 2))
    counts = rng.poisson(5 * gain[:, :, None], (30, 2, 3))
    times = [
        [np.sort(np.repeat([0.0, 1.0], one) + rng.random(one.sum())) for one in trial.T] for trial in counts
    ]
    fit = fit_shared_gain(None, nsnn.to_block(times, t_stop=2 * pq.s), window=1 * pq.s)
    flat = fit_shared_gain(np.tile([0, 1], 30), counts.reshape(60, 3))
    assert fit.gain.shape == (30, 2)
    assert_allclose(fit.gain.ravel(), flat.gain)
    assert fit.gain_variance == flat.gain_variance


def gain_recording(
    n_trials: int, variance: float, seed: int, steps: int = 40
) -> tuple[list[list[np.ndarray]], list[neo.AnalogSignal]]:
    """Times of three neurons in each trial, whose gain is shared, and the signals."""
    rng = np.random.default_rng(seed)
    gain, x = rng.gamma(1 / variance, variance, n_trials), rng.normal(size=(n_trials, steps))
    rate = gain[:, None, None] * np.exp(-1.5 + np.array([0.5, -0.4, 0.3]) * x[:, :, None])
    o = rng.poisson(rate)
    times = [[np.repeat(np.arange(steps), o[i, :, j]) * 0.01 for j in range(3)] for i in range(n_trials)]
    signals = [neo.AnalogSignal(one, units="dimensionless", sampling_period=10 * pq.ms) for one in x]
    return times, signals


def gain_fits(
    times: list[list[np.ndarray]], signals: list[neo.AnalogSignal], **options: Any
) -> list[NeuronFit]:
    given = {
        "dt": 10 * pq.ms,
        "t_start": 0 * pq.s,
        "t_stop": 0.4 * pq.s,
        "family": Poisson(),
        "stimulus": 1,
        "history": 1,
    }
    return [
        fit_neuron([trial[j] for trial in times], signals, **given | options) for j in range(len(times[0]))
    ]


@pytest.mark.parametrize("window", [None, 200 * pq.ms], ids=str)
def test_filters_and_gain_are_those_of_the_joint_marginal_likelihood(window):
    """Its slope is 0 there, and its curvature gives the errors; the gain is that of the fitted rates."""
    fits = gain_fits(*gain_recording(30, 0.4, 3))
    fit = fit_shared_gain(None, None, expected=fits, window=window)
    s2, m, data = fit.gain_variance, fit.gain.size, [one._data for one in fits]
    number = sum(one.o for one in data).reshape(m, -1).sum(axis=1)

    def marginal(p: np.ndarray) -> float:
        a = [
            np.column_stack([np.ones(len(one.o)), one.drive, one.history]) @ q
            for one, q in zip(data, p.reshape(3, 3), strict=True)
        ]
        rate = sum(np.exp(one) for one in a).reshape(m, -1).sum(axis=1)
        total = sum(float(one @ each.o) for one, each in zip(a, data, strict=True))
        return total - float(((number + 1 / s2) * np.log1p(s2 * rate)).sum())

    p, se = (
        np.concatenate([list(getattr(one, name).values()) for one in fit.fits])
        for name in ("parameters", "se")
    )
    h = 0.05 * se
    step = np.diag(h)
    slope = np.array([marginal(p + one) - marginal(p - one) for one in step]) / (2 * h)
    assert np.abs(slope * se).max() < 0.01
    curvature = np.array(
        [[marginal(p + a + b) - marginal(p + a - b) - marginal(p - a + b) + marginal(p - a - b) for a in step] for b in step]
    ) / (4 * np.outer(h, h))  # fmt: skip
    assert_allclose(np.sqrt(np.diag(np.linalg.inv(-curvature))), se, rtol=5e-3)
    rates = np.stack(
        [
            np.exp(one.model.evaluate(one.values, each).potential)
            for one, each in zip(fit.fits, data, strict=True)
        ]
    )
    rate = rates.sum(axis=0).reshape(m, -1).sum(axis=1)
    assert_allclose(fit.gain.ravel(), (s2 * number + 1) / (s2 * rate + 1), rtol=1e-3)
    assert "fits: 3" in str(fit)
    assert fit.fits[0].log_likelihood <= fits[0].log_likelihood


def test_history_does_not_take_the_share_of_the_gain():
    """Without the gain, history fits its slow changes, so that a gain after it is too small."""
    times, signals = gain_recording(60, 0.4, 5)
    alone = gain_fits(times, signals, history=RaisedCosines(2, 200 * pq.ms, start=10 * pq.ms))
    joint = fit_shared_gain(None, None, expected=alone)
    z = [
        [one.parameters[f"history[{k}]"] / one.se[f"history[{k}]"] for k in (0, 1)]
        for one in (*alone, *joint.fits)
    ]
    assert np.max(z[:3]) > 4 > np.abs(z[3:]).max()
    assert joint.lower < 0.4 < joint.upper
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("nsnn_neuro.likelihood.shared_gain._MOST_TURNS", 2)
        with pytest.warns(UserWarning, match="still changed after 2 turns"):
            fit_shared_gain(None, None, expected=alone)


def test_no_shared_gain():
    """Half of the fits are 0, and have gains of 1; known rates and fitted ones."""
    ends = []
    for seed in range(60):
        x = np.random.default_rng(seed).poisson(RATES[[0] * 40])
        fit = fit_shared_gain(None, x, expected=RATES[[0] * 40])
        ends.append(fit.p < 1)
        if fit.p == 1:
            assert (fit.gain_variance, fit.lower, fit.gain_sd.max()) == (0, 0, 0)
            assert np.isnan(fit.coupling).all()
    assert binomtest(sum(ends), 60, 0.5).pvalue > 1e-3


def test_what_is_no_shared_gain():
    x = np.array([[1, 2], [3, 4], [2, 2]])
    times, signals = gain_recording(6, 0.3, 1)
    fits = gain_fits(times, signals)
    shorter = gain_fits(times[:4], signals[:4])[0]
    counted = gain_fits(times, signals, family=NegativeBinomial(0.5))[0]
    cases = [
        (lambda: fit_shared_gain(None, x[:, :1]), "two or more"),
        (lambda: fit_shared_gain([0, 1, 1], x), "at least two"),
        (lambda: fit_shared_gain([0, 0, 0], x, expected=x), "other None"),
        (lambda: fit_shared_gain(None, x, expected=x[:2]), "above 0"),
        (lambda: fit_shared_gain(None, x, expected=x - 1), "above 0"),
        (lambda: fit_shared_gain(None, x - 2), "whole numbers"),
        (lambda: fit_shared_gain(None, x - 2, expected=x), "whole numbers"),
        (lambda: fit_shared_gain(x, [0, 1, 1]), "swapped"),
        (lambda: fit_shared_gain(None, x, expected=fits), "counts = None"),
        (lambda: fit_shared_gain(None, None, expected=[*fits[:1], 2]), "family=Poisson"),
        (lambda: fit_shared_gain(None, None, expected=fits, window=130 * pq.ms), "window"),
        (lambda: fit_shared_gain(None, None, expected=[fits[0], shorter]), "other trials"),
        (lambda: fit_shared_gain(None, None, expected=[fits[0], counted]), "family=Poisson"),
    ]
    for call, cure in cases:
        with pytest.raises(NsnnError, match=cure):
            call()


# --- recordings that don't fit into memory ---


def test_regressors_in_a_file_give_the_same_fit(coupled, monkeypatch, tmp_path):
    """All kinds of regressors, to the last bit; nothing is left in the folder, and a full disk is an error with a cure."""
    block, signal, options = coupled
    options = options | {"products": [("stimulus", "coupling")]}
    within = fit_neuron(block, signal, **options)
    monkeypatch.setattr("nsnn_neuro.likelihood.data.free_memory", lambda: 0)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    fit = fit_neuron(block, signal, **options)
    assert isinstance(fit._data.design.base, np.memmap)
    assert fit.parameters == within.parameters
    assert (fit.log_likelihood, fit.se) == (within.log_likelihood, within.se)
    assert not list(tmp_path.iterdir())

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with pytest.raises(NsnnError, match="TMPDIR"):
        fit_neuron(block, signal, **options)
