"""Bias correction, bootstrap and coverage of transfer entropy: the parts and blocks of samples one by one, and many repeats."""

import numpy as np
import pytest
from helpers.channels import entropy_bits
from scipy import signal

from nsnn_neuro.measures import (
    active_information,
    conditional_information,
    transfer_entropy,
    transfer_entropy_matrix,
)
from nsnn_neuro.measures.information.transfer_estimators import Discrete, Gaussian

FLIP = 1 - entropy_bits(np.array([0.2, 0.8]))  # 0.2780719051
PLAIN = {"bias": "plugin", "n_shuffle": 0}


def driven_pair(rng, n):
    """x = .5 x' + e, y = .4 y' + .6 x' + n."""
    e = rng.normal(size=(2, n + 100))
    x = signal.lfilter([1], [1, -0.5], e[0])
    y = signal.lfilter([1], [1, -0.4], e[1] + 0.6 * np.append(0, x[:-1]))
    return x[100:], y[100:]


def test_quadratic_extrapolates_from_halves_and_quarters_of_the_samples():
    """Parts as the estimator drew them, each by `conditional_information`; and without a block."""
    rng = np.random.default_rng(18)
    context, x, y = rng.integers(0, 2, (3, 90))
    one = Discrete((y, 2), (context, 2), (x, 2), 1, "quadratic", rng)
    one.parts = one.parts[:2]

    def plain(keep):
        return conditional_information(x[keep], y[keep], context[keep], **PLAIN).value

    def extrapolated(kept):
        rows = []
        for part in one.parts:
            halves = [plain(kept & (part % 2 == i)) for i in range(2)]
            rows.append(
                (
                    8 * plain(kept)
                    - 6 * np.mean(halves)
                    + np.mean([plain(kept & (part == i)) for i in range(4)])
                )
                / 3
            )
        return np.mean(rows)

    every = np.ones(90, bool)
    assert all(np.bincount(part).tolist() == [23, 23, 22, 22] for part in one.parts)
    assert abs(one._of_samples([one.cells])[0] - extrapolated(every)) < 1e-12
    assert abs(one.without(np.array([0, 30, 90]))[0] - extrapolated(np.arange(90) >= 30)) < 1e-12
    order = rng.permutation(90)
    direct = Discrete((y, 2), (context, 2), (x[order], 2), 1, "quadratic", np.random.default_rng(0))
    direct.parts = one.parts
    assert abs(one.null([order])[0] - direct._of_samples([direct.cells])[0]) < 1e-12


@pytest.mark.slow
def test_quadratic_corrects_histories_of_many_words():
    """Truth 0.278 bit, of 300 bins with k = l = 3; mean over 12 repeats."""
    rng, corrected, plain = np.random.default_rng(19), [], []
    for seed in range(12):
        x = rng.integers(0, 2, 300)
        y = np.roll(x, 1) ^ (rng.random(300) < 0.2)
        options = {"k": 3, "l": 3, "n_shuffle": 0, "n_blocks": 2, "seed": seed}
        corrected.append(transfer_entropy(x, y, bias="quadratic", **options).value)
        plain.append(transfer_entropy(x, y, bias="plugin", **options).value)
    error = np.std(corrected) / np.sqrt(12)
    excess = np.mean(plain) - FLIP
    assert excess > 8 * np.std(plain) / np.sqrt(12)
    assert abs(np.mean(corrected) - FLIP) < 4 * error + 0.1 * excess
    assert excess > 6 * error
    shuffled = transfer_entropy(x, y, bias="quadratic", null="within_past", k=2, n_shuffle=20)
    assert (
        abs(shuffled.null_mean)
        < 0.3 * transfer_entropy(x, y, bias="plugin", null="within_past", k=2, n_shuffle=20).null_mean
    )
    assert shuffled.p == 1 / 21


@pytest.mark.parametrize("estimator", ["discrete", "gaussian", "ksg"])
def test_the_bootstrap_has_the_error_of_the_jackknife(estimator):
    """Both from the same 20 blocks; and the blocks are drawn as they are written down here."""
    x, y = driven_pair(np.random.default_rng(20), 1200 if estimator == "ksg" else 6000)
    if estimator == "discrete":
        x, y = (x > 0) + 0, (y > 0) + 0
    jackknife = transfer_entropy(x, y, estimator=estimator, n_shuffle=0)
    result = transfer_entropy(x, y, estimator=estimator, n_shuffle=0, n_resample=300)
    assert result.value == jackknife.value
    assert result.se_method == "bootstrap over blocks of time"
    assert abs(np.log(result.se / jackknife.se)) < 4 / np.sqrt(600) + 0.05
    again = transfer_entropy(x, y, estimator=estimator, n_shuffle=5, n_resample=300)
    assert again.null_mean == transfer_entropy(x, y, estimator=estimator, n_shuffle=5).null_mean


def test_the_matrix_and_active_information_take_the_bootstrap():
    x = np.random.default_rng(22).integers(0, 2, (3, 500))
    x[1] = np.roll(x[0], 1) ^ (x[2] & (x[1]))
    options = {"n_shuffle": 0, "progress": False}
    jackknife, again = (
        transfer_entropy_matrix(x, **options),
        transfer_entropy_matrix(x, n_resample=100, **options),
    )
    assert np.array_equal(jackknife.value, again.value, equal_nan=True)
    assert abs(np.log(again.se[0, 1] / jackknife.se[0, 1])) < 0.5
    assert again.se[0, 1] != jackknife.se[0, 1]
    trials = np.random.default_rng(23).integers(0, 2, (40, 20))
    assert (
        active_information(trials, n_shuffle=0, n_resample=20).se_method == "bootstrap over groups of trials"
    )


def test_blocks_drawn_again_are_longer_series():
    """Block 0 twice and block 1 once: the estimate of these samples side by side, by tables and by regressions."""
    rng = np.random.default_rng(21)
    context, x, y = rng.integers(0, 3, (3, 60))
    edges, times = np.array([0, 20, 60]), np.array([[2, 1]])
    rows = np.r_[0:20, 0:20, 20:60]
    one, both = (
        Discrete((y[i], 3), (context[i], 3), (x[i], 3), 1, "panzeri-treves", rng)
        for i in (np.arange(60), rows)
    )
    assert abs(one.resampled(edges, times)[0] - both.value) < 1e-12
    context, x, y = rng.normal(size=(3, 60, 2))
    one, both = (Gaussian(y[i, 0], context[i], x[i], "digamma") for i in (np.arange(60), rows))
    assert abs(one.resampled(edges, times)[0] - both.value) < 1e-9
