"""Tuning curves, selectivity and fits: against loops, closed forms, SciPy, and for coverage."""

import warnings

import numpy as np
import pandas as pd
import pytest
import quantities as pq
from helpers.trains import one_silence
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import curve_fit, nnls
from scipy.stats import kstest
from scipy.stats import t as student

from nsnn_neuro import NsnnError, to_block
from nsnn_neuro.measures import firing_rate, spike_counts, tuning_curve

CIRCLE = np.arange(0, 360, 30.0)


def cosine(x, b=12.0, a=7.0, x0=40.0):
    return b + a * np.cos(np.deg2rad(x - x0))


def von_mises(x, b=5.0, a=20.0, x0=70.0, k=2.5):
    return b + a * np.exp(k * (np.cos(np.deg2rad(x - x0)) - 1))


def two_von_mises(x, b=4.0, a=16.0, second=8.0, x0=40.0, k=2.5):
    return von_mises(x, b, a, x0, k) + von_mises(x, 0.0, second, x0 + 180, k)


def gaussian(x, b=3.0, a=15.0, x0=4.4, w=1.3):
    return b + a * np.exp(-((x - x0) ** 2) / (2 * w**2))


MODELS = {
    "cosine": (cosine, CIRCLE, (12.0, 7.0, 40.0)),
    "von_mises": (von_mises, CIRCLE, (5.0, 20.0, 70.0, 2.5)),
    "two_von_mises": (two_von_mises, CIRCLE, (4.0, 16.0, 8.0, 40.0, 2.5)),
    "gaussian": (gaussian, np.arange(1.0, 9.0), (3.0, 15.0, 4.4, 1.3)),
}


def poisson_curve(seed, mean, stimuli=CIRCLE, n=10, n_neurons=1):
    """A tuning curve of independent neurons with Poisson counts of the same mean(stimulus)."""
    x = np.repeat(stimuli, n)
    return tuning_curve(x, np.random.default_rng(seed).poisson(mean(x), (n_neurons, x.size)).T)


def test_means_and_errors_against_pandas():
    """Unequal numbers of trials, in any order; a single trial has no error."""
    rng = np.random.default_rng(1)
    stimulus = rng.permutation(np.repeat([3.0, -1.0, 0.5, 7.0], [4, 2, 7, 1]))
    rates = rng.gamma(3, size=(14, 2))
    curve = tuning_curve(stimulus, rates)
    groups = pd.DataFrame(rates).groupby(stimulus)
    assert_array_equal(curve.values, [-1, 0.5, 3, 7])
    assert_array_equal(curve.n, [2, 7, 4, 1])
    assert_allclose(curve.mean.T, groups.mean(), rtol=1e-12)
    assert_allclose(curve.se.T, groups.sem(), rtol=1e-9)
    assert np.isnan(curve.se[:, 3]).all()
    assert_array_equal(curve.preferred, curve.values[curve.mean.argmax(axis=1)])


def test_rates_of_a_block_in_its_windows():
    rng = np.random.default_rng(2)
    trials = [[np.sort(rng.uniform(-0.5, 1, rng.poisson(20))) for _ in range(2)] for _ in range(6)]
    block = to_block(trials, t_start=-0.5 * pq.s, t_stop=1 * pq.s)
    label = ["b", "a", "b", "a", "b", "a"]
    for window, start, stop in [(None, -0.5, 1.0), ([100, 300] * pq.ms, 0.1, 0.3), (700 * pq.ms, -0.5, 0.2)]:
        curve = tuning_curve(label, block, window=window)
        rates = spike_counts(block, t_start=start * pq.s, t_stop=stop * pq.s) / (stop - start)
        assert_allclose(curve.mean.T, [rates[1::2].mean(axis=0), rates[::2].mean(axis=0)], rtol=1e-9)
        assert (curve.values.tolist(), curve.response_unit) == (["a", "b"], "Hz")
    assert_allclose(tuning_curve([0] * 6, block).mean[:, 0], firing_rate(block), rtol=1e-9)
    table = tuning_curve(label, spike_counts(block), window=1.5 * pq.s)
    assert_allclose(table.mean, tuning_curve(label, block).mean, rtol=1e-9)
    assert tuning_curve(label, spike_counts(block)).response_unit == "1"
    assert_allclose(tuning_curve(label, spike_counts(block) * pq.kHz).mean, 1500 * table.mean, rtol=1e-9)


def test_selectivity_of_cosines_in_closed_form():
    """r = b + a cos(t - 60) + c cos 2(t - 20): the vector sums are a/2b and c/2b, at 60 and at 20 degrees."""
    t = np.deg2rad(CIRCLE)
    rates = 10 + 4 * np.cos(t - np.pi / 3) + 3 * np.cos(2 * (t - np.pi / 9))
    for stimulus, degrees in [(CIRCLE, 1), (t * pq.rad, np.pi / 180)]:
        curve = tuning_curve(stimulus, rates)
        assert_allclose([curve.dsi[0], curve.osi[0]], [0.2, 0.15], rtol=1e-9)
        assert_allclose([curve.direction[0], curve.orientation[0]], [60 * degrees, 20 * degrees], rtol=1e-9)
    peak = int(rates.argmax())
    null, orthogonal = rates[(peak + 6) % 12], (rates[(peak + 3) % 12] + rates[(peak - 3) % 12]) / 2
    assert_allclose(curve.dsi_peak, (rates[peak] - null) / (rates[peak] + null), rtol=1e-9)
    assert_allclose(curve.osi_peak, (rates[peak] - orthogonal) / (rates[peak] + orthogonal), rtol=1e-9)
    half = tuning_curve(CIRCLE[:6], 10 + 3 * np.cos(2 * (t[:6] - np.pi / 9)))
    assert_allclose([half.osi[0], half.orientation[0]], [0.15, 20], rtol=1e-9)  # over 180 degrees


@pytest.mark.parametrize("name", ["direction", "dsi_peak"])
def test_bootstrap_intervals_cover(name):
    """200 independent neurons of the same tuning, 20 trials; 95 % intervals, at least 90 % of them have to cover."""
    truth = getattr(tuning_curve(CIRCLE, cosine(CIRCLE)), name)[0]
    curve = poisson_curve(5, cosine, n=20, n_neurons=200)
    lower, upper = curve.interval(name, n_resample=400)
    assert np.mean((lower <= truth) & (truth <= upper)) >= 0.9
    assert (lower <= getattr(curve, name)).all()


@pytest.mark.parametrize(("depth", "name"), [(0.0, "osi"), (0.2, "sparseness")])
def test_intervals_of_weak_selectivity_cover(depth, name):
    """Ten trials of eight directions. Plain quantiles of resamples cover a sparseness of 0.02 in 70 %, no selectivity never."""
    mean = 10 * (1 + depth * np.cos(2 * np.arange(8) * np.pi / 4))
    rng = np.random.default_rng(4)
    counts = rng.poisson(np.repeat(mean, 10)[:, None], (80, 300))
    angles = np.arange(8) * 45.0
    lower, upper = tuning_curve(np.repeat(angles, 10), counts).interval(name, n_resample=200)
    truth = getattr(tuning_curve(angles, mean[:, None]), name)
    assert np.mean((lower <= truth) & (truth <= upper)) >= 0.92
    assert (lower >= 0).all()
    assert (lower > 0).mean() < 0.06 if depth == 0 else (lower > 0).mean() > 0.1


def test_p_is_uniform_without_tuning():
    curve = poisson_curve(8, lambda x: np.full_like(x, 6.0), n_neurons=400)
    p = curve.p("osi_peak", n_shuffle=99)
    p = p - np.random.default_rng(1).random(400) / 100  # between the steps of 1/100
    assert kstest(p, "uniform").pvalue > 1e-3
    assert poisson_curve(9, von_mises).p("dsi", n_shuffle=99)[0] == 0.01


@pytest.mark.parametrize("model", MODELS)
def test_fits_against_scipy(model):
    """Least squares over trials of unequal numbers for each stimulus."""
    function, x, truth = MODELS[model]
    stimulus = np.repeat(x, np.arange(x.size) % 3 + 4)
    rates = np.random.default_rng(10).poisson(function(stimulus)).astype(float)
    curve = tuning_curve(stimulus, rates)
    fit = curve.fit(model)
    best, _ = curve_fit(function, stimulus, rates, p0=truth, xtol=1e-12, ftol=1e-12)
    assert_allclose([p[0] for p in fit.parameters.values()], best, rtol=2e-4)
    assert_allclose(fit.predict(x)[0], function(x, *best), rtol=2e-4)
    residual = rates - function(stimulus, *best)
    steps = [np.eye(len(truth))[k] * 1e-5 for k in range(len(truth))]
    jacobian = np.stack(
        [(function(stimulus, *(best + d)) - function(stimulus, *(best - d))) / 2e-5 for d in steps], axis=1
    )
    inverse = np.linalg.inv(jacobian.T @ jacobian)
    white = inverse @ (jacobian.T * residual**2) @ jacobian @ inverse * rates.size / (rates.size - len(truth))
    assert_allclose([s[0] for s in fit.se.values()], np.sqrt(np.diag(white)), rtol=5e-3)
    centred = curve.mean[0] - np.average(curve.mean[0], weights=curve.n)
    off = curve.mean[0] - function(x, *best)
    assert_allclose(fit.r2, 1 - (curve.n * off**2).sum() / (curve.n * centred**2).sum(), rtol=1e-5)
    variance = (residual**2).mean()
    normal = -0.5 * (np.log(2 * np.pi * variance) + residual**2 / variance).sum()
    assert_allclose(fit.log_likelihood, normal, rtol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_limits_of_fits_against_profiles_of_scipy(model):
    """Best fits with one parameter held at its limits leave t^2 v more squares, v as in the docstring; +- t se for little noise."""
    function, x, _ = MODELS[model]
    stimulus, n = np.repeat(x, 6), 6 * x.size
    noise = np.random.default_rng(24).normal(size=n)
    fit = tuning_curve(stimulus, function(stimulus) + noise).fit(model, n_shuffle=0)
    close = tuning_curve(stimulus, function(stimulus) + 1e-3 * noise).fit(model, n_shuffle=0)
    p = np.array([value[0] for value in fit.parameters.values()])
    e = function(stimulus) + noise - function(stimulus, *p)
    slopes = np.stack(
        [(function(stimulus, *(p + d)) - function(stimulus, *(p - d))) / 2e-5 for d in 1e-5 * np.eye(p.size)]
    )
    quantile = student.ppf(0.95, n - p.size)
    for k, name in enumerate(fit.parameters):
        others = np.delete(slopes, k, axis=0).T
        z = slopes[k] - others @ np.linalg.lstsq(others, slopes[k], rcond=None)[0]
        most = quantile**2 * n / (n - p.size) * (z**2 @ e**2) / (z @ z)
        for limit, side in zip(fit.interval(name, level=0.9), (-1, 1), strict=True):
            start, held = (
                np.delete(p, k),
                lambda _, *rest, k=k, at=limit[0]: function(stimulus, *np.insert(rest, k, at)),
            )
            rest, _ = curve_fit(held, stimulus, e + function(stimulus, *p), p0=start, xtol=1e-12, ftol=1e-12)
            left = e + function(stimulus, *p) - held(None, *rest)
            assert_allclose(left @ left - e @ e, most, rtol=2e-3)
            assert side * (limit[0] - p[k]) > 0
        lower, upper = close.interval(name, level=0.9)
        assert_allclose(
            [close.parameters[name] - lower, upper - close.parameters[name]],
            [quantile * close.se[name]] * 2,
            rtol=0.02,
        )


def test_limits_of_fits_that_determine_little():
    """A baseline ends at 0; large concentrations fit a sharp peak alike; exact responses have no error, single trials no limit."""
    x = np.repeat(CIRCLE, 2)
    noise = np.tile([-0.1, 0.1], 12)
    lower, upper = poisson_curve(5, lambda x: cosine(x, 8.0, 6.0), n=5).fit(n_shuffle=0).interval("baseline")
    assert lower == 0 < upper
    sharp = tuning_curve(x, np.where(x == 60, 9.0, 1.0) + noise)
    with pytest.warns(UserWarning, match="standard error is NaN"):
        sharp = sharp.fit(n_shuffle=0)
    with pytest.warns(UserWarning, match="1 of 1 neurons do not limit concentration"):
        lower, upper = sharp.interval("concentration")
    assert lower > 5
    assert np.isnan(upper)
    untuned = tuning_curve(x, np.random.default_rng(1).normal(9, 1, 24)).fit("cosine", n_shuffle=0)
    with pytest.warns(UserWarning, match="do not limit preferred"):
        assert np.isnan(untuned.interval("preferred")).all()
    exact = tuning_curve(x, von_mises(x)).fit(n_shuffle=0)
    assert_allclose(exact.interval("preferred"), [[70], [70]], rtol=1e-6)
    with pytest.warns(UserWarning, match="no more trials"):
        few = tuning_curve([0, 90, 180, 270], [5.0, 3.5, 1.0, 3.0]).fit("von_mises", n_shuffle=0)
    with pytest.warns(UserWarning, match="do not limit"):
        assert np.isnan(few.interval("baseline")).all()
    with pytest.raises(NsnnError, match="name"):
        exact.interval("width")


def test_p_of_a_fit_by_loops():
    """Cosine by regression; the best of all von Mises curves, of any grid, for a peak that a permutation rarely beats."""
    curve = poisson_curve(22, cosine, n=3)
    t = np.deg2rad(np.repeat(CIRCLE, 3))
    design = np.stack([np.ones(36), np.cos(t), np.sin(t)], axis=1)

    def left(y):
        return np.linalg.lstsq(design, y, rcond=None)[1][0]

    rng = np.random.default_rng(5)
    null = []
    for _ in range(99):
        label = rng.permutation(curve.label)
        null.append(left(curve.responses[np.argsort(label, kind="stable"), 0]))
    reached = 1 + np.sum(np.array(null) <= left(curve.responses[:, 0]) + 1e-9)
    assert curve.fit("cosine", n_shuffle=99, seed=5).p[0] == pytest.approx(reached / 100)
    tuned = poisson_curve(23, von_mises)
    assert tuned.fit("von_mises", n_shuffle=99).p[0] == 0.01
    assert np.isnan(tuned.fit("von_mises", n_shuffle=0).p).all()


def test_fits_in_radians_and_of_orientations():
    rates = np.random.default_rng(12).poisson(von_mises(np.repeat(CIRCLE, 8)))
    degrees = tuning_curve(np.repeat(CIRCLE, 8) * pq.deg, rates).fit("von_mises")
    radians = tuning_curve(np.repeat(np.deg2rad(CIRCLE), 8) * pq.rad, rates).fit("von_mises")
    for name, factor in [("preferred", np.pi / 180), ("concentration", 1), ("amplitude", 1)]:
        assert_allclose(radians.parameters[name], factor * degrees.parameters[name], rtol=1e-3)
        assert_allclose(radians.se[name], factor * degrees.se[name], rtol=1e-2)
    assert_allclose(degrees.predict(np.pi / 3 * pq.rad), degrees.predict(60), rtol=1e-9)
    orientation = np.repeat(np.arange(0, 180, 22.5), 8)
    fit = tuning_curve(orientation, von_mises(2 * orientation)).fit("von_mises", period=180)
    assert_allclose(fit.parameters["preferred"], [35], rtol=1e-4)
    assert_allclose(fit.parameters["concentration"], [2.5], rtol=1e-3)
    assert_allclose(fit.predict([10, 190])[0], von_mises(np.array([20.0, 20.0])), rtol=1e-3)


def test_fits_that_determine_no_parameter():
    rates = np.stack([np.full(24, 5.0), von_mises(np.repeat(CIRCLE, 2))], axis=1)
    with one_silence():
        fit = tuning_curve(np.repeat(CIRCLE, 2), rates).fit("von_mises")
    assert np.isnan(fit.parameters["preferred"][0])
    assert np.isfinite(fit.se["preferred"][1])
    sharp = np.where(np.repeat(CIRCLE, 2) == 60, 9.0, 1.0) + np.tile([-0.1, 0.1], 12)  # one point: no width
    with pytest.warns(UserWarning, match="1 of 1 neurons do not determine a parameter of von_mises"):
        fit = tuning_curve(np.repeat(CIRCLE, 2), sharp).fit("von_mises")
    assert np.isnan(fit.se["concentration"]).all()
    assert "concentration" in fit.reason[0]
    assert_allclose(fit.predict(60), [9.0], rtol=1e-3)


def test_least_squares_under_the_constraint():
    """A broad curve, by a search over a grid of places and widths with SciPy's non-negative least squares."""
    curve = poisson_curve(5, lambda x: cosine(x, 8.0, 6.0), n=5)
    fit = curve.fit("von_mises", n_shuffle=0)
    best = min(
        nnls(np.stack([np.ones(12), von_mises(CIRCLE, 0.0, 1.0, place, k)], axis=1), curve.mean[0])[1]
        for place in np.arange(0.0, 90.0, 1.0)
        for k in np.geomspace(0.05, 5, 100)
    )
    left = np.linalg.norm(curve.mean[0] - fit.predict(CIRCLE)[0])
    assert best * (1 - 1e-3) < left < best * (1 + 1e-9)
    assert fit.parameters["baseline"][0] == 0
    assert np.isfinite([se[0] for se in fit.se.values()]).all()  # those without the constraint


def test_responses_below_zero_have_a_free_baseline():
    rates = von_mises(np.repeat(CIRCLE, 2), -9.0) + np.tile([-0.1, 0.1], 12)
    fit = tuning_curve(np.repeat(CIRCLE, 2), rates).fit("von_mises", n_shuffle=0)
    assert_allclose([p[0] for p in fit.parameters.values()], [-9, 20, 70, 2.5], rtol=1e-3)


def test_a_second_peak_is_warned_of_and_fitted():
    curve = poisson_curve(2, two_von_mises, n=10, n_neurons=2)
    with pytest.warns(UserWarning, match="2 of 2 neurons have a second peak.*two_von_mises"):
        single = curve.fit("von_mises", n_shuffle=99)
    both = curve.fit("two_von_mises", n_shuffle=99)
    assert (both.r2 > single.r2 + 0.1).all()
    assert (both.p == 0.01).all()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        poisson_curve(2, von_mises, n=10, n_neurons=20).fit("von_mises", n_shuffle=0)


@pytest.mark.slow
def test_errors_of_two_peaks_cover_at_unequally_spaced_directions():
    """Intervals of 2 standard errors in 200 simulated neurons; the baseline, skewed by its limit at 0, in 91 %.

    Profile limits of 95 % cover in 90 to 98 % of 100 neurons, those of 85 % in fewer.
    """
    uneven = np.array([0, 20, 45, 80, 90, 130, 150, 185, 200, 240, 275, 290, 335.0])
    fit = poisson_curve(3, two_von_mises, uneven, n_neurons=200).fit("two_von_mises", n_shuffle=0)
    truth = np.array(MODELS["two_von_mises"][2])[:, None]
    best, se = np.array(list(fit.parameters.values())), np.array(list(fit.se.values()))
    covered = np.mean(np.abs(best - truth) <= 2 * se, axis=1)
    assert (covered[1:] > 0.9).all()
    assert covered[0] > 0.85
    assert_allclose(np.median(best, axis=1), truth[:, 0], rtol=0.1)
    few = poisson_curve(3, two_von_mises, uneven, n_neurons=100).fit("two_von_mises", n_shuffle=0)
    for name, true in (("baseline", 4.0), ("second_amplitude", 8.0)):
        lower, upper = few.interval(name)
        assert 0.9 <= np.mean((lower <= true) & (true <= upper)) <= 0.98


def test_errors_of_weak_cells_are_finite_or_have_a_reason():
    """A rate of 1 spike in 3 trials: parameters not below 0, one warning."""
    weak = poisson_curve(4, lambda x: two_von_mises(x, 0.05, 1.0, 0.6), n=3, n_neurons=8)
    with pytest.warns(UserWarning, match="whose standard error is NaN") as caught:
        fit = weak.fit("two_von_mises", n_shuffle=0)
    assert len(caught) == 1
    se, known = np.array(list(fit.se.values())), ~np.isnan(fit.r2)
    assert not np.isinf(se).any()
    assert_array_equal(np.isnan(se).any(axis=0)[known], fit.reason[known] != "")
    assert (np.array(list(fit.parameters.values()))[:3] >= 0).all()


def test_interval_of_a_preferred_angle_on_the_circle():
    """Responses of largest mean at 0 degrees are often largest at 330 degrees in a resample: a few steps, not the whole circle."""
    plain, turn = poisson_curve(6, lambda x: cosine(x, x0=0), n_neurons=100), 2 * np.pi
    curve = tuning_curve(np.deg2rad(np.repeat(CIRCLE, 10)) * pq.rad, plain.responses)
    lower, upper = curve.interval("preferred", n_resample=200)
    around = (curve.preferred == 0) & (lower < 0)
    assert around.sum() > 10
    assert ((lower <= curve.preferred) & (curve.preferred <= upper)).all()
    assert np.median(upper - lower) < turn / 3
    lower_sum, upper_sum = curve.interval("direction", n_resample=200)
    assert (upper_sum - lower_sum < turn / 4).all()
    assert ((lower_sum <= curve.direction) & (curve.direction <= upper_sum)).all()
    # the true preferred angle, 0, lies in the interval or in one that is a turn away
    covered = [(lower <= k * turn + 1e-9) & (k * turn - 1e-9 <= upper) for k in (-1, 0, 1)]
    assert np.any(covered, axis=0).mean() >= 0.9


def test_which_preferred_stimuli_lie_on_a_circle():
    """Orientations over 180 degrees have this period; plain numbers on a line and stimuli of other units have none."""
    rng = np.random.default_rng(3)

    def reach(stimuli, mean):
        x = np.repeat(np.arange(len(stimuli)), 12)
        curve = tuning_curve(stimuli[x], rng.poisson(mean[x], (60, x.size)).T)
        lower, upper = curve.interval("preferred", n_resample=100)
        return lower.min(), upper.max()

    ends = np.array([10.0, 4, 4, 4, 4, 10.0])  # largest at both ends of the six stimuli
    half = np.arange(0, 180, 30.0)
    for circular in (half, CIRCLE[::2], np.arange(-90, 90, 30.0) * pq.deg):
        low, high = reach(circular, ends)
        assert low < float(circular.min())
        assert high > float(circular.max())
    for line in (np.arange(0, 60, 10.0), half * pq.mm):
        assert reach(line, ends) == (float(line.min()), float(line.max()))


def test_which_angles_are_equally_spaced():
    """Of pairs of opposite angles the vectors add up to 0, so that a bias of the grid would show as a preferred direction."""
    for angles in ([30, 150, 270], [0, 90, 180, -90]):
        curve = tuning_curve(angles, np.ones(len(angles)))
        assert_allclose([curve.dsi[0], curve.osi[0]], [0, 0], atol=1e-12)
    assert_allclose(tuning_curve([10, 130, 70], np.ones(3)).osi, [0], atol=1e-12)
    assert_allclose(tuning_curve([0, 180], [1.0, 3.0]).dsi, [0.5], rtol=1e-12)
    neither = [0, 50, 90, 140], [0, 90, 180, 270, 360], [40], [0, 10, 180, 190]
    for name, some in (("osi", ([0, 180], *neither)), ("dsi", (CIRCLE[:6], *neither))):
        for angles in some:
            with pytest.raises(NsnnError, match=f"{name} needs angles .* equally spaced"):
                getattr(tuning_curve(angles, np.ones(len(angles))), name)


def test_a_printed_curve_shows_at_most_seven_neurons_and_says_how_many_more():
    rates = np.arange(36.0).reshape(4, 9)
    lines = str(tuning_curve(["a", "a", "b", "b"], rates)).splitlines()
    assert len(lines) == 1 + 7 + 1
    assert "9 neurons" in lines[0]
    assert "2 more" in lines[-1]
    assert lines[7].startswith("neuron 6: 28.5 ± 4.5 at b, 10.5 ± 4.5 at a")
    few = tuning_curve(["a", "a", "b", "b"], rates[:, :7])
    assert len(str(few).splitlines()) == 8
