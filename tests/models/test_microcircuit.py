"""The cortical microcircuit: tables, wiring and input against the paper's, rates and synchrony against those of NEST."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from brian2 import ms
from scipy import stats

import nsnn_neuro as nsnn
from nsnn_neuro import microcircuit
from nsnn_neuro.io.spikes import Trains

NAMES = ["L23E", "L23I", "L4E", "L4I", "L5E", "L5I", "L6E", "L6I"]
FULL = np.array([20683, 5834, 21915, 5479, 4850, 1065, 14395, 2948])
# percent, from the source in the column to the target in the row
PERCENT = """
10.09 16.89 4.37  8.18 3.23  0     0.76  0
13.46 13.71 3.16  5.15 7.55  0     0.42  0
0.77  0.59  4.97 13.50 0.67  0.03  4.53  0
6.91  0.29  7.94 15.97 0.33  0    10.57  0
10.04 6.22  5.05  0.57 8.31 37.26  2.04  0
5.48  2.69  2.57  0.22 6.00 31.58  0.86  0
1.56  0.66  2.11  1.66 5.72  1.97  3.96 22.52
3.64  0.10  0.34  0.05 2.77  0.80  6.58 14.43
"""
PROBABILITY = np.array(PERCENT.split(), dtype=float).reshape(8, 8) / 100
# Hz: NEST's implementation of the full model, one run
RATES = np.array([0.903, 2.965, 4.414, 5.876, 7.569, 8.633, 1.105, 7.829])
RESISTANCE, TAU_M, TAU_SYN = 40e6, 0.010, 0.0005  # ohm, s


def of_pairs(net, value):
    """value(projection, name) for each pair of populations, to the row from the column; 0 where there are no synapses."""
    out = np.zeros((8, 8))
    for p, name in zip(net.projections, net.projection_names, strict=True):
        out[NAMES.index(p.post.name), NAMES.index(p.pre.name)] = value(p, name)
    return out


def test_the_full_model_has_the_published_neurons_and_synapses():
    """C = 1 - (1 - 1 / (N N'))^K is the probability of at least one of K synapses, to the digits of the paper's table."""
    net = microcircuit(scale=1)
    assert [(p.name, p.n) for p in net.populations] == list(zip(NAMES, FULL, strict=True))
    assert sum(p.n for p in net.populations) == 77_169
    number = of_pairs(net, lambda p, name: p.rule.n)
    assert number.sum() == pytest.approx(2.99e8, rel=0.002)
    assert 1 - np.exp(number * np.log1p(-1 / np.outer(FULL, FULL))) == pytest.approx(PROBABILITY, abs=1e-6)
    assert number[2, 3] / FULL[2] == pytest.approx(795, abs=0.5)  # doi 10.3389/fninf.2022.835657, table A1
    assert all(p.rule.multapses and p.rule.autapses for p in net.projections)
    cell = net.populations[0].neuron
    parameters = [cell.si(name) for name in ("tau_m", "v_rest", "v_reset", "v_thresh", "tau_refrac")]
    assert parameters == pytest.approx([0.01, -0.065, -0.065, -0.05, 0.002], rel=1e-12)
    assert all(p.neuron is cell for p in net.populations)


def test_synapses_are_those_of_the_model():
    """In-degrees, weights and delays, each by its own statistics."""
    scale, k = 0.01, 0.05
    net = microcircuit(scale=scale, in_degree_scale=k, seed=4)
    sizes = np.array([p.n for p in net.populations])
    assert sizes == pytest.approx(scale * FULL, abs=0.5)
    number = np.log1p(-PROBABILITY) / np.log1p(-1 / np.outer(FULL, FULL))
    drawn = of_pairs(net, lambda p, name: net.connections(name).pre.size)
    assert drawn == pytest.approx(scale * k * number, abs=0.5)
    scores = {"in-degree": [], "out-degree": [], "weight": [], "spread": [], "delay": []}
    for p, name in zip(net.projections, net.projection_names, strict=True):
        c = net.connections(name)
        n = c.pre.size
        if n < 500:
            continue
        for what, ends, size in (("in-degree", c.post, p.post.n), ("out-degree", c.pre, p.pre.n)):
            degrees = np.bincount(ends, minlength=size)
            square = np.sum((degrees - n / size) ** 2) / (n / size)  # of a multinomial
            scores[what].append((square - (size - 1)) / np.sqrt(2 * (size - 1) * (1 - 1 / n)))
        excitatory = p.pre.name.endswith("E")
        mean = 87.8e-12 * (1 if excitatory else -4) * (2 if name == "L4E->L23E" else 1)
        sd = 8.78e-12 * (1 if excitatory else 4)
        current = c.weight / RESISTANCE * np.sqrt(k)
        scores["weight"].append((current.mean() - mean) / (sd / np.sqrt(n)))
        scores["spread"].append((current.std() / sd - 1) * np.sqrt(2 * n))
        average, deviation = (1.5e-3, 0.75e-3) if excitatory else (0.8e-3, 0.4e-3)
        law = stats.truncnorm((1e-4 - average) / deviation, np.inf, average, deviation)
        assert c.delay.min() >= 1e-4
        scores["delay"].append((c.delay.mean() - law.mean()) / (law.std() / np.sqrt(n)))
    for what, z in scores.items():
        assert len(z) > 20
        assert np.abs(z).max() < 4.5, what  # of about 50
        assert abs(np.mean(z)) * np.sqrt(len(z)) < 4, what


def input_of(net, rates):
    """Mean (V) and variance (V^2) of the free membrane, by Campbell's theorem, from the network as it is.

    A spike with a current x exp(-t / tau_syn), in the membrane's unit, has a response of area x tau_syn, whose square has the area
    x^2 tau_syn^2 / (2 (tau_m + tau_syn)).
    """
    mean = np.array([p.stimulus.si("v") for p in net.populations])
    variance = np.array([p.noise.si("sigma") ** 2 for p in net.populations])
    for p in net.projections:
        i, j = NAMES.index(p.post.name), NAMES.index(p.pre.name)
        spikes = p.rule.n / p.post.n * rates[j]
        w, sd = p.weight.si("mean"), p.weight.si("sd")
        mean[i] += w * TAU_SYN * spikes
        variance[i] += (w**2 + sd**2) * TAU_SYN**2 / (2 * (TAU_M + TAU_SYN)) * spikes
    return mean, variance


def test_the_background_is_that_of_poisson_trains():
    """1,600 trains of 8 Hz and 87.8 pA in L2/3E, 2,900 in L6E."""
    net = microcircuit(scale=1)
    mean, variance = input_of(net, np.zeros(8))
    for name, trains in {"L23E": 1600, "L23I": 1500, "L4I": 1900, "L5E": 2000, "L6E": 2900}.items():
        k, jump = NAMES.index(name), 87.8e-12 * RESISTANCE
        assert mean[k] == pytest.approx(trains * 8 * jump * TAU_SYN, rel=1e-9)
        t = np.linspace(0, 0.3, 300_001)
        response = jump * TAU_SYN / (TAU_M - TAU_SYN) * (np.exp(-t / TAU_M) - np.exp(-t / TAU_SYN))
        assert response.max() == pytest.approx(0.15e-3, rel=2e-4)  # the paper's 0.15 mV
        assert variance[k] == pytest.approx(trains * 8 * np.sum(response**2) * t[1], rel=1e-5)
        assert net.populations[k].noise.si("tau_noise") == pytest.approx(TAU_SYN, rel=1e-12)


def test_scaling_keeps_mean_and_variance_of_the_input():
    full = input_of(microcircuit(scale=1), RATES)
    for scale, in_degree_scale in ((0.1, None), (0.5, 0.05)):
        mean, variance = input_of(microcircuit(scale=scale, in_degree_scale=in_degree_scale), RATES)
        # numbers of neurons are rounded: 106 in place of 106.5 in L5I
        assert np.abs(mean - full[0]).max() < 0.3e-3
        assert variance == pytest.approx(full[1], rel=0.006)


# Rates at a tenth: relative to those of the full model, means of three runs of 1 s (docs/microcircuit.md), with the relative SD of
# 0.2 s within these runs; in Hz, of inhibitory neurons in the reference run that NEST's example has at this scale
AT_A_TENTH = np.array([0.516, 0.686, 0.891, 0.844, 0.878, 0.901, 0.739, 0.888])
SPREAD = np.array([0.130, 0.054, 0.036, 0.023, 0.069, 0.026, 0.068, 0.014])
NEST_AT_A_TENTH = {"L23I": 1.76, "L4I": 4.71, "L5I": 7.62, "L6I": 6.74}


@pytest.mark.slow
def test_rates_and_synchrony_of_a_tenth():
    """Thresholds are tested at grid points, as in NEST; 0.2 s.

    Rates of NEST are those of one run of 1 s, three of the four from 200 of the neurons: that of L23I has a standard error of about
    10 %.
    """
    net = microcircuit(scale=0.1, seed=2)
    block = nsnn.simulate(net, duration=300 * ms, seed=102, engine="numpy", bridge=False, progress=False)
    spikes = Trains.from_block(block)
    first = np.cumsum([0, *(p.n for p in net.populations)])
    kept = spikes.times > 0.1
    counts = np.histogram(spikes.neuron[kept], first)[0]
    rates = counts / np.diff(first) / 0.2
    assert (np.abs(rates / (RATES * AT_A_TENTH) - 1) < 4 * SPREAD).all()
    for name, rate in NEST_AT_A_TENTH.items():
        assert rates[NAMES.index(name)] == pytest.approx(rate, rel=0.4 if name == "L23I" else 0.15)
    for a, b in itertools.pairwise(first):
        own = kept & (spikes.neuron >= a) & (spikes.neuron < b)
        together = np.histogram(spikes.times[own], np.arange(0.1, 0.3, 0.003))[0]
        assert 0.5 < together.var() / together.mean() < 15  # Poisson: 1; all at once: hundreds
