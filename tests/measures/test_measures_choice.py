"""Area under the ROC curve, d', choice probability, neurometric function: against SciPy, exact sums, closed forms, coverage."""

import math
import warnings

import numpy as np
import pytest
import quantities as pq
from brian2 import mV
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize
from scipy.stats import mannwhitneyu, norm, poisson, ttest_ind
from sklearn.metrics import roc_auc_score

from nsnn_neuro import NsnnError, to_block
from nsnn_neuro.measures import (
    SilentNeuronWarning,
    choice_probability,
    d_prime,
    neurometric,
    psychometric,
    roc_auc,
)


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
def test_choice_probability_of_normal_variables():
    """Britten et al.'s setting, as published in closed form: 1/2 + 2/pi atan(rho/sqrt(2 - rho^2))."""
    rho, published = 0.3, 0.6360814
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


def test_stimuli_whose_counts_never_vary_are_left_out():
    """A silent stimulus has no choice probability: it changes neither value nor error, and the warning names it."""
    stimulus, x, choice = decisions(8, 0.6, [0, 0], 40)
    alone = choice_probability(stimulus, x, choice, n_resample=50, n_shuffle=50)
    silent = np.concatenate([stimulus, np.full(60, 7), np.full(60, 9)])
    also = (np.append(x, np.repeat([0.0, 3.0], 60)), np.append(choice, np.tile([True, False], 60)))
    e = choice_probability(silent, *also, n_resample=50, n_shuffle=50)
    assert (e.value, e.se, e.p, e.n) == (alone.value, alone.se, alone.p, 80)
    assert alone.warning is None
    assert e.warning == "counts of the stimuli 7, 9 never vary: left out"


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


CURVES = {"weibull": lambda d: 1 - 0.5 * np.exp(-((d / 0.2) ** 1.4)), "gaussian": lambda d: norm.cdf(d / 0.2)}


@pytest.mark.slow
def test_neurometric_recovers_its_curve():
    stimulus, x = responses(1, CURVES["gaussian"], LEVELS, 3000, signed=True)
    curve = neurometric(stimulus, x, model="gaussian", n_resample=50)
    assert_array_equal(curve.stimulus, LEVELS)
    assert (np.abs(curve.auc - CURVES["gaussian"](LEVELS)) < 4 * curve.se).all()
    assert abs(curve.threshold.value - 0.2) < 4 * curve.threshold.se < 0.03
    assert curve.threshold.lower < 0.2 < curve.threshold.upper
    assert 3 < (curve.threshold.upper - curve.threshold.lower) / curve.threshold.se < 5
    assert abs(curve.parameters["slope"] - 5.0) < 4 * curve.parameters_se["slope"]
    assert_allclose(curve.predict([0.0]), [0.5])
    assert_allclose(curve.predict(curve.threshold.value), norm.cdf(1), rtol=1e-9)


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
    brian = neurometric(level * mV, counts, 1 * mV, n_resample=20)
    assert_allclose(brian.threshold.value, 0.001 * plain.threshold.value, rtol=1e-6)
    falling = neurometric(level, -counts, 1, model="gaussian", n_resample=0)
    rising = neurometric(level, counts, 1, model="gaussian", n_resample=0)
    assert_allclose(-falling.parameters["slope"], rising.parameters["slope"], rtol=1e-4)
    below = neurometric(level, -counts, 1)
    assert math.isnan(below.threshold.value)
    assert "falls with the stimulus" in below.threshold.warning


def test_flat_responses_have_no_threshold():
    stimulus, _ = responses(5, CURVES["weibull"], LEVELS, 4)
    flat = neurometric(stimulus, np.tile([1.0, 2.0, 3.0, 4.0], 6), 0)
    assert math.isnan(flat.threshold.value)
    assert "do not determine" in flat.threshold.warning


def counts(seed, n_a=50, n_b=50, means=(8.0, 12.0)):
    rng = np.random.default_rng(seed)
    return rng.poisson(means[0], n_a), rng.poisson(means[1], n_b)


def exact_auc(low=8.0, high=12.0):
    """Sum over the probabilities of all pairs of counts, and the probability of a tie."""
    k = np.arange(120)
    p, q = poisson.pmf(k, low), poisson.pmf(k, high)
    below = np.cumsum(p) - p
    return (q * (below + p / 2)).sum(), (p * q).sum()


def test_auc_and_p_are_those_of_scikit_learn_and_scipy():
    a, b = counts(0, 30, 45)
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
    results = [(roc_auc(*counts(seed)), d_prime(*counts(seed))) for seed in range(200)]
    values = np.array([e.value for e, _ in results])
    assert abs(values.mean() - auc) < 4 * 0.0419557 / math.sqrt(200)
    assert abs(values.std(ddof=1) / 0.0419557 - 1) < 4 / math.sqrt(2 * 200)
    assert (
        abs(
            np.mean([e.se for e, _ in results]) / math.hypot(0.041904, (auc - 0.5) / math.sqrt(50**2 - 1)) - 1
        )
        < 0.01
    )
    assert np.mean([abs(e.value - auc) <= 2 * e.se for e, _ in results]) >= 0.9
    assert np.mean([abs(e.value - 1.2632011) <= 2 * e.se for _, e in results]) >= 0.9
    d = np.array([e.value for _, e in results])
    # a convex function of the AUC: mean above by half its second derivative times the variance
    z = norm.ppf(auc)
    bias = 0.5 * math.sqrt(2) * z / norm.pdf(z) ** 2 * 0.0419557**2
    assert abs(d.mean() - 1.2632011 - bias) < 4 * d.std() / math.sqrt(200)


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
def test_two_standard_errors_cover_an_area_near_1():
    """Poisson counts of mean 3 and 10: 0.977; DeLong's covers in 58 % with 10 values, where a third do not overlap."""
    truth = exact_auc(3.0, 10.0)[0]
    results = [roc_auc(*counts(seed, 10, 10, (3.0, 10.0))) for seed in range(100)]
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


def observer(seed, x, at=0.0, width=2.0, lapse=0.04, guess=0.5):
    """Choices of an observer with a cumulative Gaussian, whose width is from 5 to 95 %."""
    p = guess + (1 - guess - lapse) * norm.cdf((x - at) / width * 2 * norm.ppf(0.95))
    return np.random.default_rng(seed).random(x.size) < p


@pytest.mark.parametrize("model", ["gaussian", "logistic"])
def test_psychometric_curve_and_limits_are_those_of_a_plain_search(model):
    x = np.repeat([-3.0, -1.5, -0.5, 0.5, 1.5, 3.0], 30)
    right = observer(3, x, at=0.3, width=3.0, guess=0.0)
    curve = psychometric(x * mV, right, model=model)
    law = norm.cdf if model == "gaussian" else lambda z: 1 / (1 + np.exp(-z))
    scale = 2 * norm.ppf(0.95) if model == "gaussian" else 2 * math.log(19)

    def loss(threshold, log_width, lapse):
        p = np.clip((1 - lapse) * law((x - threshold) / math.exp(log_width) * scale), 1e-12, 1 - 1e-12)
        return -np.log(np.where(right, p, 1 - p)).sum() + 1e9 * max(0, -lapse, lapse - 0.1)

    def searched(threshold):
        return minimize(
            lambda q: loss(threshold, *q), [1.0, 0.02], method="Nelder-Mead", options={"fatol": 1e-9}
        ).fun

    best = minimize(lambda q: loss(*q), [0.0, 1.0, 0.02], method="Nelder-Mead", options={"fatol": 1e-9})
    assert_allclose(-curve.log_likelihood, best.fun, atol=1e-3)
    t = curve.threshold
    assert_allclose(1e3 * t.value, best.x[0], atol=0.03)
    assert t.unit == "V"
    assert [searched(1e3 * t.lower), searched(1e3 * t.upper)] == pytest.approx(
        [best.fun + 1.92] * 2, abs=0.03
    )
    assert_allclose(curve.predict([t.value]), (1 - curve.parameters["lapse"]) / 2)
    assert_allclose(curve.fraction, right.reshape(6, 30).mean(axis=1))
    assert curve.parameters["guess"] == 0
    higher = psychometric(x, right, model=model, at=0.8)
    assert_allclose(higher.predict([higher.threshold.value]), 0.8)
    assert_allclose(higher.log_likelihood, curve.log_likelihood, atol=1e-3)


def test_undetermined_psychometric_threshold():
    x = np.repeat([1.0, 2.0], 20)
    threshold = psychometric(x, np.ones(40, bool), lapse=0.0).threshold
    assert threshold.lower == -math.inf
    assert math.isnan(threshold.se)
    assert threshold.warning


def test_folded_data_without_a_guess_rate_are_warned_of():
    x = np.repeat([0.0, 0.5, 1, 2, 4], 40)
    correct = observer(5, x, at=1.5, width=3.0)
    with pytest.warns(UserWarning, match=r"guess=0\.5"):
        psychometric(x, correct)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        psychometric(x, correct, guess=0.5)
        psychometric(x, observer(5, x, at=1.5, width=3.0, guess=0.0))  # seen or not
        both = np.concatenate([-x, x])
        psychometric(both, observer(6, both, guess=0.0))  # a side


def test_ratio_of_an_observer_who_sees_one_neuron_is_one():
    """Choices are which of two counts is larger, so that both thresholds are of one law."""
    rng = np.random.default_rng(4)
    x = np.repeat([0.0, 0.5, 1, 2, 3, 4], 120)
    mean = np.where(x > 0, 20 + 4 * x, 20)
    counts, others = rng.normal(mean, 4), rng.normal(20, 4, x.size)
    curve = neurometric(x, counts, 0)
    shown = x > 0
    mind = psychometric(x[shown], (counts > others)[shown], guess=0.5, lapse=0.0, at=0.816)
    ratio = mind.ratio(curve)
    assert ratio.value == curve.threshold.value / mind.threshold.value
    assert ratio.lower < 1 < ratio.upper
    assert 0.02 < ratio.se < 0.3
    with pytest.raises(NsnnError):
        psychometric(x, counts > others, guess=0.5).ratio(curve)


def test_a_weibull_has_no_bias_for_correct_choices_from_zero_on_and_a_free_middle_has():
    rng, x = np.random.default_rng(8), np.repeat([0, 3.2, 6.4, 12.8, 25.6, 51.2], 60)
    fits = {"weibull": [], "gaussian": []}
    for _ in range(30):
        correct = rng.random(x.size) < 0.5 + 0.5 * -np.expm1(-((x / 12) ** 1.2))
        for model, thresholds in fits.items():
            fit = psychometric(x, correct, model=model, guess=0.5, lapse=0.0, at=1 - math.exp(-1) / 2)
            thresholds.append([fit.threshold.value, fit.threshold.lower < 12 < fit.threshold.upper])
    mean, sd = np.mean(fits["weibull"], axis=0), np.std(fits["weibull"], axis=0)
    assert abs(mean[0] - 12) < 4 * sd[0] / math.sqrt(30)
    assert mean[1] > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 30)
    gaussian = np.array(fits["gaussian"])[:, 0]
    assert (gaussian.mean() - 12) / gaussian.std() * math.sqrt(30) > 3
    assert fit.predict([0.0, 12.0]).tolist() == pytest.approx([0.5, 0.84], abs=0.1)
    with pytest.raises(NsnnError, match=r"-2 .*Weibull"):
        psychometric([-2, 1, 2, 3], [0, 0, 1, 1], model="weibull")


@pytest.mark.slow
def test_limits_of_the_psychometric_threshold_cover():
    x = np.repeat([0.5, 1.0, 2, 3, 4, 6], 40)
    fits = [psychometric(x, observer(seed, x, 2.0, 3.3), guess=0.5).threshold for seed in range(100)]
    inside = [one.lower <= 2.0 <= one.upper for one in fits]
    assert np.mean(inside) > 0.95 - 3 * math.sqrt(0.95 * 0.05 / 100)
    values, errors = np.array([(one.value, one.se) for one in fits]).T
    assert abs(values.mean() - 2) < 0.15
    assert abs(np.nanmean(errors) / values.std() - 1) < 0.3
