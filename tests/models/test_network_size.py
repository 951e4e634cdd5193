"""The size of a network: counts against the synapses that are drawn, memory against the peak of a process."""
# Imports an internal: how much memory is free is made known.

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from brian2 import ms, mV

import nsnn_neuro as nsnn
from nsnn_neuro import (
    LIF,
    AllToAll,
    DistanceDependent,
    FixedInDegree,
    FixedProbability,
    FixedTotalNumber,
    FromList,
    Network,
    Normal,
    OneToOne,
    Population,
    Projection,
)
from nsnn_neuro.models import network_size

ROOT = Path(__file__).resolve().parents[2]
CELL = LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)


def one(n, rule, **options):
    """One population with one projection to itself."""
    cells = Population(n, CELL, name="cells")
    return Network([cells], [Projection(cells, cells, rule=rule, **{"weight": 0.1 * mV, **options})])


RULES = [
    AllToAll(autapses=False), OneToOne(), FixedInDegree(7), FixedTotalNumber(123), FromList([0, 1], [1, 1]),
    DistanceDependent(0.5, 0.2), FixedProbability(0.2, autapses=True), FixedProbability(0.2),
]  # fmt: skip


def test_numbers_are_those_that_are_drawn():
    """A random number is the mean one: 80 x 80 pairs with probability 0.2 have 1,280 +- 32 synapses."""
    for rule in RULES:
        net = one(80, rule)
        size, drawn = net.size(), net.connections("cells->cells").pre.size
        assert size.neurons == 80
        spread = 4 * np.sqrt(80 * 80 * 0.2 * 0.8) if isinstance(rule, FixedProbability) else 0
        assert abs(size.synapses - drawn) <= spread, rule
        if isinstance(rule, FixedProbability):
            assert size.synapses == pytest.approx(0.2 * 80 * (80 if rule.autapses else 79))


def test_values_of_their_own_and_trials_take_memory():
    """Kept by the network once, taken by Brian2 in every trial."""
    weights, delays = Normal(0.1 * mV, 0.01 * mV), Normal(2 * ms, 1 * ms, low=0 * ms)
    sizes = [
        one(10, FixedTotalNumber(1000, multapses=True), **options).size(engine="numpy", trials=trials).memory
        / 1000
        for options in ({}, {"weight": weights}, {"delay": delays}, {"release": 0.5})
        for trials in (1, 11)
    ]
    plain, weight, delay, release = (np.array(sizes[k : k + 2]) - sizes[0] for k in range(0, 8, 2))
    assert weight[0] > delay[0] > 8
    assert plain[1] > 280
    for own, kept in ((weight, 8), (delay, 8), (release, 0)):
        per_trial = own[0] - kept
        assert own[1] - plain[1] == pytest.approx(kept + 11 * per_trial)
    large = one(10, FixedTotalNumber(10**6, multapses=True))
    assert large.size(engine="cpp").memory > 2 * large.size().memory


def test_a_network_that_does_not_fit_is_announced(monkeypatch):
    """Before its synapses are drawn; what has been drawn counts as there."""
    net = one(2000, FixedProbability(0.01))
    monkeypatch.setattr(network_size, "_LEAST", 0)
    need = net.size(engine="numpy").memory
    monkeypatch.setattr(network_size, "free_memory", lambda: 0.99 * need)
    with pytest.warns(
        UserWarning,
        match=r"2,000 neurons, 39,980 synapses, about .* GB of memory \(numpy\), but .* GB are free: take fewer",
    ):
        net.check_memory(engine="numpy")
    net.connections("cells->cells")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        net.check_memory(engine="numpy")
    monkeypatch.setattr(network_size, "free_memory", lambda: 0.1 * need)
    with pytest.warns(UserWarning, match="GB are free"):
        nsnn.simulate(net, duration=0.1 * ms, seed=1, engine="numpy", progress=False)


MEMORY = """
from brian2 import ms, mV
import nsnn_neuro as nsnn
cell = nsnn.LIF(tau_m=20*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
def network(n, k):
    cells = nsnn.Population(n, cell, name="cells")
    rule = nsnn.FixedTotalNumber(n * k, autapses=True, multapses=True)
    own = dict(weight=nsnn.Normal(0.1*mV, 0.01*mV), delay=nsnn.Between(1*ms, 2*ms))
    return nsnn.Network([cells], [nsnn.Projection(cells, cells, rule=rule, **own)])
def simulate(net):
    nsnn.simulate(net, duration=1*ms, seed=1, engine="numpy", progress=False)
def now(field):  # of this process: that of getrusage begins with what the process had that started it
    with open("/proc/self/status") as status:
        return 1024 * int(next(line for line in status if line.startswith(field)).split()[1])
simulate(network(100, 10))
before, large = now("VmRSS"), network(1500, 1000)
stated = large.size(engine="numpy").memory
simulate(large)
print((now("VmHWM") - before) / stated)
"""


@pytest.mark.slow
def test_the_stated_memory_is_that_of_a_process():
    """Within 30 %, for 1.5 million synapses with weights and delays of their own."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the peak is read from /proc")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", MEMORY], env=environment, capture_output=True, text=True, check=True
    )
    assert 0.7 < float(done.stdout) < 1.3
