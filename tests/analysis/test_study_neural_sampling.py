"""Inference by sampling: the enumeration by hand, the samplers against it, and that each claim can fail."""

from __future__ import annotations

import numpy as np
import pytest
from helpers.quick_runs import quick_table
from helpers.studies import assert_each_can_fail, changed

import nsnn_neuro as nsnn
from analysis import neural_sampling as study

# claim's words -> what is changed in the table: rows, and their values
BROKEN = {
    "the samples are those of the enumerated": ({"part": "limit", "name": "posterior"}, lambda v: v + 0.002),
    "the rate of each neuron": ({"part": "rate", "name": "posterior", "x": 3}, lambda v: v + 0.05),
    "is a Gibbs sampler": ({"part": "KL", "name": "tau 1", "x": 320}, lambda v: 1.5 * v),
    "sample more slowly": ({"part": "KL", "name": "network", "x": 640}, lambda v: 0.2 * v),
    "with another noise": ({"part": "limit", "name": "noise", "x": 2.0}, lambda v: 1.2 * v),
    "without noise": ({"part": "limit", "name": "no noise"}, lambda v: v + 1e-6),
    "updates in parallel": ({"part": "limit", "name": "parallel", "x": 8}, lambda v: v + 0.03),
}


@pytest.mark.slow
def test_claims_hold_in_a_quick_run_and_each_can_fail() -> None:
    table = quick_table(study)
    broken = {words: changed(table, "value", change, **rows) for words, (rows, change) in BROKEN.items()}
    assert_each_can_fail(study, table, broken)


def test_the_enumeration_by_hand() -> None:
    """Two neurons with weight 1: p ~ 1, e^b0, e^b1, e^(b0 + b1 + 1); without weights each is on with its sigmoid."""
    W, b = np.array([[0.0, 1.0], [1.0, 0.0]]), np.array([0.5, -0.2])
    weights = np.exp([0.0, 0.5, -0.2, 1.3])
    p = study.boltzmann(W, b)
    np.testing.assert_allclose(p, weights / weights.sum(), rtol=1e-14)
    given = study.boltzmann(W, b, {1: 1})
    np.testing.assert_allclose(given, [0, 0, *(weights[2:] / weights[2:].sum())], rtol=1e-14)
    biases = np.random.default_rng(1).normal(size=8)
    on = study.boltzmann(np.zeros((8, 8)), biases) @ study.states(8)
    np.testing.assert_allclose(on, 1 / (1 + np.exp(-biases)), rtol=1e-12)
    q = np.array([1, 0, 0, 3])
    expected = 0.25 * np.log(0.25 / p[0]) + 0.75 * np.log(0.75 / p[3])
    assert study.divergence(q, p) == pytest.approx(expected, rel=1e-12)
    assert study.divergence(q, given) == np.inf


def test_other_noise_has_the_spike_probabilities_of_the_predicted_distribution() -> None:
    """Logistic noise of scale s at u = b, threshold log tau: the odds are those of the changed bias."""
    b, s, tau = 0.3, 1.7, 10
    p = float(nsnn.Logistic(s).cdf(b - np.log(tau)))
    other = (b - np.log(tau)) / s + np.log(tau)
    assert p / (1 - p) == pytest.approx(np.exp(other) / tau, rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tau", "parallel", "clamped"),
    [(1, False, False), (3, False, False), (3, False, True), (30, True, False)],
)
def test_a_pair_of_neurons_samples_its_four_states(tau: int, parallel: bool, clamped: bool) -> None:
    config = study.Config(seed=4, neurons=2, weight_sd=1.5, networks=20, sweeps=1500)
    evidence = {1: 1} if clamped else None
    p = study.boltzmann(*study.parameters(config), evidence)
    chain = study.sampled(config, tau, nsnn.Logistic(1.0), evidence=evidence, parallel=parallel)[:, 200:]
    for state, chance in enumerate(p):
        share = (chain == state).mean(1)
        assert abs(share.mean() - chance) < 4 * share.std(ddof=1) / np.sqrt(share.size) + 1e-12
    if not parallel and tau == 1 and not clamped:
        gibbs = study.gibbs(config)[:, 200:]
        shares = [(gibbs == state).mean(1) for state in range(4)]
        z = [
            (v.mean() - chance) / v.std(ddof=1) * np.sqrt(v.size) for v, chance in zip(shares, p, strict=True)
        ]
        assert max(map(abs, z)) < 4
