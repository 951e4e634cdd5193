"""The number of trials that a pilot asks for: its formula, and the spread of estimates that it comes to."""

import math

import numpy as np
import pytest
from helpers.channels import binary_words, poisson_counts

from nsnn_neuro import NsnnError
from nsnn_neuro.measures import mutual_information, plan_trials
from nsnn_neuro.measures.information.entropy.contingency import contingency, panzeri_treves_bias
from nsnn_neuro.measures.information.entropy.entropy import SYMMETRIC
from nsnn_neuro.measures.information.limits import zero_spread
from nsnn_neuro.measures.information.mutual_information import information_of_tables
from nsnn_neuro.measures.information.symbols import as_symbols

CHANNELS = {
    "words": binary_words(4, 4, 0.05, 0.5),
    "counts": poisson_counts(np.random.default_rng(0).uniform(0.5, 8.0, 6), 12),
}


def pilot_of(channel, n, seed):
    """n samples with the stimulus drawn anew for each."""
    n_s, n_r = channel.law.shape
    table = np.random.default_rng(seed).multinomial(n, (channel.law / n_s).ravel()).reshape(n_s, n_r)
    return channel.samples(table)


@pytest.mark.parametrize("name", sorted(CHANNELS))
def test_estimates_spread_by_the_precision_at_the_planned_number(name):
    channel = CHANNELS[name]
    n_s, n_r = channel.law.shape
    # of one pilot the error bar itself is uncertain: the mean number over pilots is what is tested
    plans = [plan_trials(pilot_of(channel, 1200, seed), precision=0.02) for seed in range(40)]
    numbers = np.array([int(p) for p in plans])
    n = round(numbers.mean())
    tables = np.random.default_rng(1).multinomial(n, (channel.law / n_s).ravel(), size=1000)
    values = information_of_tables(tables.reshape(-1, n_s, n_r), SYMMETRIC["panzeri-treves"], np.float64(n_r))
    sd = values.std()
    uncertain = 0.02 * np.hypot(0.5 * numbers.std() / numbers.mean() / np.sqrt(40), 1 / np.sqrt(2000))
    assert abs(sd - 0.02) < 4 * uncertain
    assert abs(values.mean() - channel.information) < 0.02
    assert numbers.std() / numbers.mean() < 0.25


def needed(channel, precision):
    """Trials after which the root mean squared error of Panzeri and Treves' estimate over 400 repeats is the precision."""
    n_s, n_r = channel.law.shape

    def error(n):
        tables = np.random.default_rng(1).multinomial(n, (channel.law / n_s).ravel(), size=400)
        values = information_of_tables(tables.reshape(-1, n_s, n_r), SYMMETRIC["panzeri-treves"], float(n_r))
        return math.hypot(values.std(), values.mean() - channel.information)

    low, high = 8, 16
    while error(high) > precision:
        low, high = high, 2 * high
    while high - low > high // 50:
        middle = (low + high) // 2
        low, high = (middle, high) if error(middle) > precision else (low, middle)
    return high


@pytest.mark.parametrize(
    ("name", "precision", "pilot"),
    [
        ("words", 0.05, 100),
        ("words", 0.02, 100),
        ("words", 0.02, 50),
        ("counts", 0.02, 100),
        ("counts", 0.05, 200),
    ],
)
def test_short_pilots_ask_for_about_the_trials_that_are_needed(name, precision, pilot):
    """Their jackknife counts the spread at zero information twice: with its square root law 1.5 to 2.7 times as many."""
    channel = CHANNELS[name]
    plans = [int(plan_trials(pilot_of(channel, pilot, seed), precision=precision)) for seed in range(30)]
    assert 1 / 1.3 < np.median(plans) / needed(channel, precision) < 1.3


@pytest.mark.parametrize("bias", ["panzeri-treves", "plugin"])
def test_number_is_the_smallest_of_the_formula(bias):
    s, r = pilot_of(CHANNELS["words"], 400, 2)
    pilot = mutual_information(s, r, bias=bias, n_shuffle=0)
    (a, n_s), (b, n_r) = as_symbols(s, "s"), as_symbols(r, "r")
    first = panzeri_treves_bias(contingency(a, b, n_s, n_r))

    zero = zero_spread(contingency(a, b, n_s, n_r)) ** 2
    variance = (
        pilot.se**2 - 2 * zero
    )  # 400 trials of 4 x 16: six for each, so that the prediction's error plays no part

    def parts(n):
        share = 1.0 if bias == "plugin" else min(1.0, n_s * n_r / (3 * n))
        return math.sqrt(variance * 400 / n + zero * (400 / n) ** 2), first * 400 / n * share

    for precision in (0.01, 0.05, 0.2):
        plan = plan_trials((s, r), precision=precision, bias=bias)
        assert math.hypot(*parts(plan.n_trials)) <= precision < math.hypot(*parts(plan.n_trials - 1))
        assert (plan.se, plan.bias_left) == pytest.approx(parts(plan.n_trials), rel=1e-12)
        assert plan.per_stimulus == plan.n_trials / 4
        assert plan.pilot == pilot


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"precision": 0}, "precision = 0: expected a positive number of bits"),
        ({"precision": -0.1}, "precision = -0.1"),
        ({"precision": math.nan}, "precision = nan"),
        ({"precision": "small"}, "precision = 'small'"),
        ({"bias": "other"}, "bias = 'other': expected one of"),
        ({"pilot": np.zeros((4, 2))}, "pilot = ndarray object: expected the pair"),
        ({"pilot": ([0, 1], [0, 1], [0, 1])}, "pilot = tuple object: expected the pair"),
        ({"pilot": ([0, 1] * 9, [0, 0] * 9)}, "take a longer one, in which responses vary"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    pilot = arguments.pop("pilot", pilot_of(CHANNELS["words"], 100, 3))
    with pytest.raises(NsnnError, match=message):
        plan_trials(pilot, **arguments)
