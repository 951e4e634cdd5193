"""Errors and p-values of measures of recorded trains, where the files of the measures do not test them: 200 repeats or more.

Wanted: two standard errors contain the true value in 90 % or more, and p is uniform without an effect, p > 0.01 by Kolmogorov and
Smirnov. Where few trials give less, measures have limits: see test_few_trials.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import quantities as pq
from scipy.stats import poisson

from nsnn_neuro import measures, tabulate, to_block

pytestmark = pytest.mark.slow  # hundreds of repeats each, together under a minute


def covered(value: Any, truth: Any, se: Any) -> float:
    return float(np.mean(np.abs(np.asarray(value) - truth) <= 2 * np.asarray(se)))


def area(low: float, high: float) -> float:
    """P(count of mean `high` is larger) + half of ties."""
    k = np.arange(150)
    below = poisson.cdf(k, low) - poisson.pmf(k, low) / 2
    return float(poisson.pmf(k, high) @ below)


def test_areas_of_a_neurometric_function() -> None:
    """15 trials of each stimulus, areas of 0.70 to 0.96: DeLong's errors hold in 82 % of the last."""
    rng = np.random.default_rng(1)
    level = np.array([1.0, 2, 4, 8])
    mean = 6 + 12 * level / (level + 5)
    stimulus = np.repeat([0, *level], 15)
    curves = [
        measures.neurometric(stimulus, rng.poisson(np.repeat([6, *mean], 15)), 0, n_resample=0)
        for _ in range(200)
    ]
    for j, one in enumerate(mean):
        assert covered([c.auc[j] for c in curves], area(6, one), [c.se[j] for c in curves]) >= 0.9


def test_jackknife_of_bursts_and_of_the_fano_factor_by_stimulus() -> None:
    """20 trials: events of which 30 % are pairs of spikes 3 ms apart; gain variance of 0.1, three stimuli."""
    rng = np.random.default_rng(2)

    def bursts(n_trials: int) -> Any:
        trials = []
        for _ in range(n_trials):
            events = [rng.uniform(0, 2, rng.poisson(20)) for _ in range(200)]
            trials.append([np.sort(np.concatenate([e, e[rng.random(e.size) < 0.3] + 0.003])) for e in events])
        return to_block(trials, t_stop=2.1 * pq.s)

    truth = measures.burst_index(bursts(100)).mean()
    table = tabulate(bursts(20), measures.burst_index)
    assert covered(table["value"], truth, table["se"]) >= 0.9
    n_neurons = 600
    mean, stimulus = np.array([4.0, 10, 20]), np.repeat([0, 1, 2], 20)
    counts = rng.poisson(mean[stimulus][:, None] * rng.gamma(10, 0.1, (60, n_neurons)))
    block = to_block([[np.linspace(0.1, 0.9, c) for c in row] for row in counts], t_stop=1 * pq.s)
    table = tabulate(block, partial(measures.fano_factor, stimulus=stimulus), confidence=0.95)
    truth = 1 + 0.1 * (mean**2).sum() / mean.sum()
    assert 0.93 <= np.mean((table["lower"] <= truth) & (truth <= table["upper"])) <= 0.98
    assert covered(table["value"], truth, table["se"]) < 0.91  # a skewed value


def test_jackknife_of_the_population_coupling() -> None:
    """100 Blocks of 4 neurons and 30 trials whose gain has SD 0.4: c = 3 * 40 Hz * 0.16."""
    rng = np.random.default_rng(3)
    value, se = [], []
    for _ in range(100):
        gains = rng.gamma(6.25, 0.16, 30)
        trials = [[np.sort(rng.uniform(0, 0.25, rng.poisson(10 * g))) for _ in range(4)] for g in gains]
        table = tabulate(
            to_block(trials, t_stop=0.25 * pq.s), partial(measures.population_coupling, bin_width=5 * pq.ms)
        )
        value.append(table["value"])
        se.append(table["se"])
    assert covered(value, 19.2, se) >= 0.9


def test_bootstrap_of_the_intrinsic_timescale_of_few_trials() -> None:
    """50 trials of 1.5 s, 40 Hz, 200 neurons of tau = 100 ms."""
    rng = np.random.default_rng(5)
    tau, se = [], []
    decay = np.exp(-0.05)
    for _ in range(4):
        x = rng.normal(size=(50, 50, 300))
        for k in range(1, 300):
            x[..., k] = decay * x[..., k - 1] + np.sqrt(1 - decay**2) * x[..., k]
        counts = rng.poisson(0.2 * np.clip(1 + 0.5 * x, 0, None))
        bins = np.arange(300) * 0.005 + 0.0025
        block = to_block([[np.repeat(bins, c) for c in trial] for trial in counts], t_stop=1.5 * pq.s)
        result = measures.intrinsic_timescale(block, n_resample=100)
        tau.append(result.tau)
        se.append(result.se)
    assert np.isfinite(tau).mean() > 0.95
    assert covered(tau, 0.1, np.nan_to_num(se)) >= 0.9
