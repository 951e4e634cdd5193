"""PSTH correlation over its ceiling: the formula written out, unbiased for few trials, what it needs."""

from __future__ import annotations

import numpy as np
import pytest
import quantities as pq
from helpers.trains import one_silence

from nsnn_neuro.measures import Trains, psth_correlation

WIDTH = 10e-3
OPTIONS = {"bin_width": 10 * pq.ms}


def trains_of(counts: np.ndarray) -> Trains:
    """Trains with these counts (n_trials, n_bins), spikes in the middle of their bins."""
    n, m = counts.shape
    trial = np.repeat(np.repeat(np.arange(n), m), counts.ravel())
    times = (np.repeat(np.tile(np.arange(m), n), counts.ravel()) + 0.5) * WIDTH
    edges = np.tile([0.0, m * WIDTH], (n, 1))
    return Trains.from_arrays(times, np.zeros(len(times), int), trial, 1, edges)


def test_it_is_the_formula_of_signal_powers():
    x, y = (np.random.default_rng(k).poisson(1.5, (n, 30)) for k, n in ((1, 4), (2, 3)))
    y[:, :15] += 2
    x[:, 5:20] += 1

    def power(counts: np.ndarray) -> float:  # the mean covariance of two different trials
        c = np.cov(counts, bias=True)
        return float(c[~np.eye(len(c), dtype=bool)].mean())

    covariance = np.cov(x.mean(axis=0), y.mean(axis=0), bias=True)
    expected = covariance[0, 1] / np.sqrt(power(x) * power(y))
    assert psth_correlation(trains_of(x), trains_of(y), **OPTIONS) == pytest.approx(expected, rel=1e-12)
    plain = np.corrcoef(x.mean(axis=0), y.mean(axis=0))[0, 1]
    assert psth_correlation(trains_of(x), trains_of(y), normalised=False, **OPTIONS) == pytest.approx(plain)


def test_few_trials_do_not_lower_it():
    """60 sets of five Poisson trials each of two rates whose correlation is known; the plain correlation is far below."""
    rng = np.random.default_rng(3)
    t = np.linspace(0, 6 * np.pi, 100)
    rates = 1.0 + 0.6 * np.sin(t), 1.0 + 0.6 * np.sin(t + 0.9)
    true = np.corrcoef(rates)[0, 1]
    values = np.array(
        [
            [psth_correlation(*both, normalised=n, **OPTIONS) for n in (True, False)]
            for both in ([trains_of(rng.poisson(r, (5, 100))) for r in rates] for _ in range(60))
        ]
    )
    error = values.std(axis=0, ddof=1) / np.sqrt(60)
    assert abs(values[:, 0].mean() - true) < 4 * error[0] + 0.01  # a ratio has a bias of order 1/bins
    assert values[:, 1].mean() < true - 10 * error[1]


def test_a_constant_psth_has_no_signal_power():
    x = trains_of(np.random.default_rng(4).poisson(1.0, (2, 20)))
    with one_silence("without signal power"):
        assert np.isnan(psth_correlation(x, trains_of(np.ones((2, 20), int)), **OPTIONS))
