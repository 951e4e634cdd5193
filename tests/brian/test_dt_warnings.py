"""What is said of a step that is too coarse, of delays between steps, and of weights that a synapse cannot have."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from brian2 import Hz, ms, mV
from helpers.refusals import assert_refused

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError

LIF = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
GIF = nsnn.GIF(
    tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms, tau_w=30 * ms, b=1 * mV,
    tau_thresh=[0.2, 5] * ms, b_thresh=1 * mV,
)  # fmt: skip
OPEN = nsnn.ConductanceNoise(
    g_e=0.3, sigma_e=0.1, tau_e=0.25 * ms, e_rev_e=70 * mV, g_i=0.2, sigma_i=0.1, tau_i=10 * ms, e_rev_i=0 * mV
)  # fmt: skip
RUN = {"duration": 1 * ms, "seed": 1, "engine": "numpy"}


def pair(weight=1.0, delay=0 * ms, synapse="jump", rule=None, n=2):
    """A network of two populations with one projection."""
    source = nsnn.Population(n, nsnn.PoissonSource(100 * Hz), name="source")
    cells = nsnn.Population(n, LIF, name="cells")
    rule = nsnn.OneToOne() if rule is None else rule
    wire = nsnn.Projection(source, cells, rule=rule, weight=weight, delay=delay, synapse=synapse)
    return nsnn.Network([source, cells], [wire])


def said(model, noise=None, **given):
    """The warnings of a run, which all name this file."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        nsnn.simulate(model, noise, **{**RUN, **given})
    own = [w for w in caught if w.category is UserWarning]
    assert all(w.filename == __file__ for w in own)
    return [str(w.message) for w in own]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "noise", "given", "words"),
    [
        (GIF, None, {"n_neurons": 2}, "a third of tau_thresh = 0.2 ms: .* use dt of at most 0.06667 ms"),
        (LIF, OPEN, {}, "a third of tau_e = 0.25 ms"),
        (LIF, nsnn.PoissonInput(9 * Hz, 1 * mV, synapse=nsnn.AlphaSynapse(0.2 * ms)), {}, "a third of tau_syn = 0.2 ms"),
        (pair(1 * mV, synapse=nsnn.AlphaSynapse(0.2 * ms)), None, {}, "a third of tau_syn = 0.2 ms of 'cells'"),
        (nsnn.WangBuzsaki(), None, {}, "a third of the time constant of the fastest gate = 0.2 ms"),
        (dataclasses.replace(LIF, tau_m=0.4 * ms), None, {}, "a fifth of tau_m = 0.4 ms"),
    ],
)  # fmt: skip
def test_a_step_above_a_third_of_the_fastest_time_constant_is_warned_of(model, noise, given, words):
    """Once, with the time constant's name and the cure; nothing is said of a step that is short enough."""
    messages = said(model, noise, **given)
    assert len(messages) == 1
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(messages[0])
    assert said(model, noise, **given, dt=0.05 * ms) == []


def test_the_fastest_gate_is_found_for_each_neuron_and_not_where_there_is_none():
    """1 / (opening + closing), of h and n between the reversals, written out here once more."""
    v = np.linspace(-90, 55, 201)
    h = 5 * (0.07 * np.exp(-(v + 58) / 20) + 1 / (1 + np.exp(-(v + 28) / 10)))
    n = 5 * (-0.01 * (v + 34) / np.expm1(-(v + 34) / 10) + 0.125 * np.exp(-(v + 44) / 80))
    (message,) = said(nsnn.WangBuzsaki(phi=[2.5, 5.0]), n_neurons=2)
    assert f"the time constant of the fastest gate = {1 / max(h.max(), n.max()):.4g} ms" in message
    assert said(LIF, dt=3 * ms, duration=3 * ms) == []
    # a rate of more than v and parameters
    gates = {**nsnn.WangBuzsaki.gates, "h": ("(2 + sin(t / ms)) / ms", "1 / ms")}
    odd = type("Odd", (nsnn.WangBuzsaki,), {"gates": gates})
    assert said(odd()) == []


@pytest.mark.parametrize(
    ("delay", "words", "taken"),
    [
        (0.05 * ms, "delay = 0.05 ms of 'source->cells' is not a multiple of dt .* it is rounded to 0.1 ms", [1, 1]),
        ([0.3, 0.36] * ms, "1 of 2 delays of 'source->cells' are not multiples of dt .* by 0.04 ms", [3, 4]),
    ],
)  # fmt: skip
def test_delays_between_steps_are_rounded_with_a_warning(delay, words, taken):
    """The step in which the jump arrives, and what is said; a half step goes up."""
    net = pair(30 * mV, delay)
    sources = dataclasses.replace(net.populations[0], neuron=nsnn.PoissonSource(1e6 * Hz))
    wire = dataclasses.replace(net.projections[0], pre=sources)
    with pytest.warns(UserWarning, match=words):
        block = nsnn.simulate(nsnn.Network([sources, wire.post], [wire]), **RUN)
    first = [
        round(float(train[0].rescale("ms").magnitude) / 0.1) for train in block.segments[0].spiketrains[2:]
    ]
    assert first == taken


def test_delays_on_the_grid_and_drawn_ones_are_not_warned_of():
    for delay in (0 * ms, 1.5 * ms, [0.1, 7.7] * ms, nsnn.Between(0 * ms, 1 * ms)):
        assert said(pair(1 * mV, delay)) == []


CONDUCTANCE = nsnn.ConductanceSynapse(5 * ms, 0 * mV)


NEGATIVE = [
    (-0.5, "weight = -0.5 of 'source->cells'", "the weights of a ConductanceSynapse"),
    (-0.5, "weight = -0.5 of 'source->cells'", "inhibition comes from e_rev"),
    ([0.5, -0.25], "weight = -0.25 of", "ConductanceSynapse"),
    (nsnn.Normal(0.5, 0.1), "weight = Normal", "without negative values, e.g. with low=0"),
]


def test_negative_conductances_are_refused():
    assert_refused(
        (lambda weight=weight: pair(weight, synapse=CONDUCTANCE), *words) for weight, *words in NEGATIVE
    )
    assert pair(np.array([-0.5, 1.0]) * mV).get_weights()[0][0] == -0.5 * mV


def test_weights_set_later_keep_the_sign_of_a_conductance():
    net = pair([0.5, 0.25], synapse=CONDUCTANCE)
    with pytest.raises(NsnnError, match=r"weights\[0\] = -1 of 'source->cells'"):
        net.set_weights([np.array([-1.0, 1.0])])
    assert net.get_weights()[0].tolist() == [0.5, 0.25]
    assert pair(nsnn.Normal(0.5, 0.1, low=0), synapse=CONDUCTANCE).get_weights()[0].min() >= 0
