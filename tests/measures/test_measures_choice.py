"""Choice probability and neurometric function: against closed forms of normal variables, loops, and for coverage."""

import math
import warnings

import numpy as np
import pytest
import quantities as pq
from brian2 import mV
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.stats import norm

from nsnn_neuro import to_block
from nsnn_neuro.measures import SilentNeuronWarning, choice_probability, neurometric, roc_auc


def decisions(seed, rho, shifts, n):
    """n trials of each stimulus: response and decision variable are normal with correlation rho, the threshold is at -shift."""
    rng = np.random.default_rng(seed)
    decision = rng.normal(size=(len(shifts), n))
    x = rho * decision + math.sqrt(1 - rho**2) * rng.normal(size=decision.shape)
    stimulus = np.arange(len(shifts))[:, None]
    return (
        np.repeat(stimulus, n),
        (x + 10 * stimulus).ravel(),
        (decision + np.reshape(shifts, (-1, 1)) > 0).ravel(),
    )


@pytest.mark.slow
@pytest.mark.parametrize(("rho", "published"), [(0.1, 0.5450534), (0.3, 0.6360814), (0.6, 0.7789343)])
def test_choice_probability_of_normal_variables(rho, published):
    """Britten et al.'s setting, as published in closed form: 1/2 + 2/pi atan(rho/sqrt(2 - rho^2))."""
    assert_allclose(0.5 + 2 / math.pi * math.atan(rho / math.sqrt(2 - rho**2)), published, atol=6e-8)
    e = choice_probability(*decisions(1, rho, [0, 0, 0], 4000), n_shuffle=20)
    assert abs(e.value - published) < 4 * e.se < 0.04
    assert e.p == 1 / 21
    assert e.n == 12_000


def test_choice_probability_against_loops():
    """Z-scores by the formulas of Kang & Maunsell, and the fraction of pairs; stimuli with few trials of a choice do not count."""
    stimulus, x, choice = decisions(2, 0.5, [-0.8, 0.3, 2.6], 30)
    x = x + 3 * choice * (stimulus == 0)  # choices widen the counts of one stimulus alone
    few = int(min(choice[60:].sum(), 30 - choice[60:].sum()))
    assert few < 5
    z = [np.empty(0), np.empty(0)]
    for k in (0, 1):
        a, b = (x[(stimulus == k) & (choice == side)] for side in (False, True))
        m, v = (a.mean() + b.mean()) / 2, (a.var(ddof=1) + b.var(ddof=1)) / 2 + (a.mean() - b.mean()) ** 2 / 4
        z = [np.append(z[0], (a - m) / v**0.5), np.append(z[1], (b - m) / v**0.5)]
    e = choice_probability(stimulus, x, choice)
    assert_allclose(e.value, (z[1] > z[0][:, None]).mean(), rtol=1e-12)
    assert (e.n, e.correction) == (60, "balanced z-scores")
    assert e.warning == "1 of 3 stimuli have fewer than 5 trials of a choice: left out"
    plain = choice_probability(stimulus, x, choice, balanced=False)
    z = np.concatenate(
        [(x[stimulus == k] - x[stimulus == k].mean()) / x[stimulus == k].std(ddof=1) for k in (0, 1)]
    )
    side = choice[stimulus < 2]
    assert_allclose(plain.value, roc_auc(z[~side], z[side]).value, rtol=1e-12)


SHIFTS = [-0.8, -0.4, 0, 0.4, 0.8]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rho", "shifts", "n", "balanced"), [(0.1, SHIFTS, 40, False), (0.6, SHIFTS, 40, True)]
)
def test_two_standard_errors_cover_the_choice_probability(rho, shifts, n, balanced):
    """Against the value of 100,000 trials of each stimulus: pooled values have no closed form with unequal choices."""
    options = {"n_shuffle": 0, "balanced": balanced}
    truth = choice_probability(*decisions(98, rho, shifts, 100_000), n_resample=0, **options).value
    results = [choice_probability(*decisions(seed, rho, shifts, n), **options) for seed in range(100)]
    assert np.mean([abs(e.value - truth) <= 2 * e.se for e in results]) >= 0.9


def test_choice_probability_of_a_block_and_of_other_choices():
    rng = np.random.default_rng(5)
    counts, choice = rng.integers(1, 9, 40), rng.random(40) < 0.5
    stimulus = np.repeat(["left", "right"], 20)
    block = to_block([[np.linspace(0.1, 0.9, n)] for n in counts], t_stop=1 * pq.s)
    expected = choice_probability(stimulus, counts, choice)
    for x, c in [
        (block, choice),
        (counts[:, None], choice.astype(int) * 5 - 2),
        (counts * pq.Hz, choice.tolist()),
    ]:
        e = choice_probability(stimulus, x, c)
        assert (e.value, e.se, e.p) == (expected.value, expected.se, expected.p)
    turned = choice_probability(stimulus, counts, ~choice)
    assert_allclose([turned.value, turned.p], [1 - expected.value, expected.p], rtol=0.2)
    assert_allclose(turned.value, 1 - expected.value, rtol=1e-12)


@pytest.mark.parametrize("balanced", [True, False])
def test_stimuli_whose_counts_never_vary_are_left_out(balanced):
    """A silent stimulus has no choice probability: it changes neither value nor error, and the warning names it."""
    stimulus, x, choice = decisions(8, 0.6, [0, 0], 40)
    alone = choice_probability(stimulus, x, choice, balanced=balanced, n_resample=50, n_shuffle=50)
    silent = np.concatenate([stimulus, np.full(60, 7), np.full(60, 9)])
    also = (np.append(x, np.repeat([0.0, 3.0], 60)), np.append(choice, np.tile([True, False], 60)))
    e = choice_probability(silent, *also, balanced=balanced, n_resample=50, n_shuffle=50)
    assert (e.value, e.se, e.p, e.n) == (alone.value, alone.se, alone.p, 80)
    assert alone.warning is None
    assert e.warning == "counts of the stimuli 7, 9 never vary: left out"
    few = choice_probability(
        np.append(silent, [11] * 4),
        np.append(also[0], [1, 2, 3, 4]),
        np.append(also[1], [True, False] * 2),
        n_shuffle=0,
    )
    assert few.warning == (
        "1 of 5 stimuli have fewer than 5 trials of a choice: left out; counts of the stimuli 7, 9 never vary: left out"
    )


def test_counts_that_never_vary_have_no_choice_probability():
    stimulus, _, choice = decisions(6, 0.3, [0, 0], 20)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        e = choice_probability(stimulus, np.full(40, 3), choice)
    assert [w.category for w in caught] == [SilentNeuronWarning]
    assert math.isnan(e.value)
    assert "do not vary" in e.warning


LEVELS = np.array([0.05, 0.1, 0.2, 0.4, 0.8])


def responses(seed, fraction, levels, n, signed=False):
    """Normal responses of variance 1 whose fraction correct against the reference (or -level) is fraction(level)."""
    rng = np.random.default_rng(seed)
    shift = math.sqrt(2) * norm.ppf(fraction(levels))
    if signed:
        stimulus, mean = np.concatenate([-levels, levels]), np.concatenate([-shift / 2, shift / 2])
    else:
        stimulus, mean = np.append(0.0, levels), np.append(0.0, shift)
    return np.repeat(stimulus, n), rng.normal(size=(stimulus.size, n)).ravel() + np.repeat(mean, n)


CURVES = {
    "weibull": lambda d: 1 - 0.5 * np.exp(-((d / 0.2) ** 1.4)),
    "gaussian": lambda d: norm.cdf(d / 0.2),
}


@pytest.mark.slow
@pytest.mark.parametrize(("model", "signed"), [*zip(CURVES, [False, True], strict=True)])
def test_neurometric_recovers_its_curve(model, signed):
    stimulus, x = responses(1, CURVES[model], LEVELS, 3000, signed)
    curve = neurometric(stimulus, x, None if signed else 0, model=model, n_resample=50)
    assert_array_equal(curve.stimulus, LEVELS)
    assert (np.abs(curve.auc - CURVES[model](LEVELS)) < 4 * curve.se).all()
    assert abs(curve.threshold.value - 0.2) < 4 * curve.threshold.se < 0.03
    other = {"weibull": ("shape", 1.4), "gaussian": ("slope", 5.0)}[model]
    assert abs(curve.parameters[other[0]] - other[1]) < 4 * curve.parameters_se[other[0]]
    assert_allclose(curve.predict([0.0]), [0.5])
    assert_allclose(
        curve.predict(curve.threshold.value),
        1 - 0.5 / math.e if model == "weibull" else norm.cdf(1),
        rtol=1e-9,
    )


@pytest.mark.parametrize("model", CURVES)
def test_neurometric_is_the_maximum_of_its_likelihood(model):
    """Areas by `roc_auc`, and SciPy's simplex on the likelihood written out."""
    stimulus, x = responses(2, CURVES[model], LEVELS, 25)
    curve = neurometric(stimulus, x, 0, model=model, n_resample=0)
    own = [roc_auc(x[stimulus == 0], x[stimulus == level]) for level in LEVELS]
    assert_allclose(curve.auc, [e.value for e in own], rtol=1e-12)
    assert_allclose(curve.se, [e.se for e in own], rtol=1e-12)

    def loss(log_p):
        p = np.exp(log_p)
        fraction = (
            norm.cdf(LEVELS / p[0]) if model == "gaussian" else 1 - 0.5 * np.exp(-((LEVELS / p[0]) ** p[1]))
        )
        fraction = np.clip(fraction, 1e-300, 1 - 1e-15)
        return -25 * (curve.auc * np.log(fraction) + (1 - curve.auc) * np.log1p(-fraction)).sum()

    best = minimize(loss, np.log([0.15, 1.0]), method="Nelder-Mead", options={"xatol": 1e-9, "fatol": 1e-12})
    assert_allclose(curve.threshold.value, np.exp(best.x[0]), rtol=1e-4)
    assert_allclose(curve.log_likelihood, -best.fun, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("model", "signed"), [*zip(CURVES, [True, False], strict=True)])
def test_two_standard_errors_cover_the_threshold(model, signed):
    results = []
    for seed in range(80):
        stimulus, x = responses(seed, CURVES[model], LEVELS, 30, signed)
        results.append(neurometric(stimulus, x, None if signed else 0, model=model, n_resample=60).threshold)
    known = [e for e in results if not math.isnan(e.se)]
    assert len(known) >= 77
    assert np.mean([abs(e.value - 0.2) <= 2 * e.se for e in known]) >= 0.9


@pytest.mark.slow
def test_neurometric_of_units_blocks_and_falling_responses():
    rng = np.random.default_rng(4)
    level = np.repeat([1.0, 2.0, 3.0, 5.0], 25)
    counts = rng.poisson(4 * level)
    plain = neurometric(level, counts, 1, n_resample=20)
    block = to_block([[np.linspace(0.1, 0.9, n)] for n in counts], t_stop=1 * pq.s)
    assert neurometric(level, block, 1, n_resample=20).threshold == plain.threshold
    own = neurometric(level[25:] - 1, counts[25:], counts[:25], n_resample=20)
    assert (plain.threshold.n, own.threshold.n) == (100, 100)  # a shared reference counts once
    signed = neurometric(
        np.repeat([-2.0, -1.0, 0.0, 1.0, 2.0], 20),
        rng.poisson(np.repeat([2, 4, 6, 9, 12], 20)),
        n_resample=20,
    )
    assert signed.threshold.n == 80  # trials of both signs, not those of 0
    assert_allclose(own.threshold.value, plain.threshold.value, rtol=1e-9)
    neo_unit = neurometric(level * pq.mV, counts, 0.001 * pq.V, n_resample=20)
    assert_allclose(neo_unit.threshold.value, plain.threshold.value, rtol=1e-6)
    assert neo_unit.threshold.unit == "mV"
    assert_allclose(neo_unit.predict([0.002, 0.003] * pq.V), plain.predict([2.0, 3.0]), rtol=1e-6)
    brian = neurometric(level * mV, counts, 1 * mV, n_resample=20)
    assert_allclose(brian.threshold.value, 0.001 * plain.threshold.value, rtol=1e-6)
    falling = neurometric(level, -counts, 1, model="gaussian", n_resample=20)
    rising = neurometric(level, counts, 1, model="gaussian", n_resample=20)
    assert falling.parameters["slope"] < 0
    assert_allclose(falling.threshold.value, rising.threshold.value, rtol=1e-4)
    below = neurometric(level, -counts, 1)
    assert math.isnan(below.threshold.value)
    assert "falls with the stimulus" in below.threshold.warning


def test_flat_responses_have_no_threshold():
    stimulus, _ = responses(5, CURVES["weibull"], LEVELS, 4)
    flat = neurometric(stimulus, np.tile([1.0, 2.0, 3.0, 4.0], 6), 0)
    assert math.isnan(flat.threshold.value)
    assert "do not determine" in flat.threshold.warning
