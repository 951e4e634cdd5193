"""Populations, projections, networks: what the seed fixes, weights there and back, plain data, what mistakes say."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, have_same_dimensions, ms, mV
from helpers.refusals import assert_refused

from nsnn_neuro import (
    LIF,
    AllToAll,
    AlphaSynapse,
    Between,
    ConductanceSynapse,
    Constant,
    EscapeNoise,
    FixedInDegree,
    FixedProbability,
    FromList,
    Gaussian,
    LogNormal,
    Network,
    Normal,
    NSNNNeuron,
    OneToOne,
    PoissonSource,
    Population,
    Projection,
    Relay,
    WhiteNoise,
)

VOLTS = LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
INPUT = Population(4, Relay(), name="input")
POISSON = Population(4, PoissonSource(10 * Hz), name="poisson")
UNITS = Population(3, NSNNNeuron(), noise=EscapeNoise(Gaussian(0.4)), name="units")
CELLS = Population(5, VOLTS, noise=WhiteNoise(1 * mV), stimulus=Constant(15 * mV), name="cells")


def project(pre=INPUT, post=UNITS, **kwargs):
    return Projection(pre, post, **({"rule": AllToAll(), "weight": 0.5} | kwargs))


def everything(seed=1, weight=None):
    """A network with most kinds of projection."""
    weight = Normal(0.1 * mV, 0.05 * mV, low=0 * mV) if weight is None else weight
    fixed = {"rule": FixedProbability(0.6, autapses=True), "delay": Between(1 * ms, 3 * ms)}
    projections = [
        Projection(CELLS, CELLS, weight=weight, **fixed),
        Projection(
            POISSON,
            CELLS,
            rule=FixedInDegree(2),
            weight=LogNormal(1 * mV, 1 * mV),
            synapse=AlphaSynapse(3 * ms),
        ),
        Projection(INPUT, UNITS, rule=AllToAll(), weight=np.arange(12.0).reshape(4, 3), name="in"),
        Projection(UNITS, UNITS, rule=AllToAll(autapses=False), weight=Normal(0.0, 1.0), release=0.25),
        Projection(UNITS, CELLS, rule=FromList([2, 0], [4, 1]), weight=[1, 2] * mV, delay=[0, 1] * ms),
        Projection(CELLS, CELLS, rule=OneToOne(), weight=0.3, synapse=ConductanceSynapse(5 * ms, -80 * mV)),
    ]
    return Network([INPUT, POISSON, UNITS, CELLS], projections, seed=seed)


NAMES = ("cells->cells", "poisson->cells", "in", "units->units", "units->cells", "cells->cells#2")


def same(one, other):
    return all(np.array_equal(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(one))


def test_the_seed_fixes_connections_weights_and_delays_each_in_a_stream_of_its_own():
    """Another law of weights leaves connections and delays as they were; so do projections at the end, and drawing order."""
    one, two, three = everything(), everything(), everything(seed=2)
    drawn = {name: two.connections(name) for name in reversed(NAMES)}
    assert all(same(one.connections(name), drawn[name]) for name in NAMES)
    assert [same(one.connections(name), three.connections(name)) for name in NAMES] == [
        False, False, True, False, True, True,
    ]  # fmt: skip
    assert one.connections("in") is one.connections(one.projections[2])
    a, b = (net.connections("cells->cells") for net in (one, everything(weight=0.2 * mV)))
    assert all(np.array_equal(getattr(a, part), getattr(b, part)) for part in ("pre", "post", "delay"))
    assert b.weight == pytest.approx(2e-4, rel=1e-15)
    shorter = Network(one.populations, one.projections[:1], seed=1)
    assert same(shorter.connections("cells->cells"), a)


def test_projections_of_one_kind_are_independent_and_so_are_weights_of_delays():
    a, b = (Population(200, NSNNNeuron(), name=name) for name in "ab")
    laws = {"weight": Between(0.0, 1.0), "delay": Between(0 * ms, 1 * ms)}
    pair = [Projection(a, b, rule=FixedProbability(0.5), **laws) for _ in range(2)]
    net = Network([a, b], pair, seed=3)
    made = np.zeros((2, 200, 200), dtype=bool)
    for k, name in enumerate(net.projection_names):
        c = net.connections(name)
        made[k, c.pre, c.post] = True
    both = np.sum(made[0] & made[1])
    assert abs(both - 10_000) < 4 * np.sqrt(40_000 * 3 / 16)
    w = [net.connections(name).weight[:19_000] for name in net.projection_names]
    assert abs(np.corrcoef(w)[0, 1]) < 4 / np.sqrt(19_000)
    assert abs(np.corrcoef(c.weight, c.delay)[0, 1]) < 4 / np.sqrt(c.pre.size)


def test_connections_are_in_si_and_read_only():
    net = everything()
    c = net.connections("cells->cells")
    assert c.pre.dtype == c.post.dtype == np.int32
    assert c.weight.shape == c.delay.shape == c.pre.shape
    assert 0 <= c.weight.min() <= c.weight.max() < 1e-3
    assert 1e-3 <= c.delay.min() <= c.delay.max() < 3e-3
    assert net.connections("in").weight.tolist() == list(range(12))
    assert net.connections("in").delay == 0.0
    assert net.connections("units->cells").weight.tolist() == [1e-3, 2e-3]
    assert net.connections("units->cells").delay.tolist() == [0.0, 1e-3]
    assert net.connections("cells->cells#2").weight == 0.3
    for name in NAMES:
        for field in dataclasses.fields(c):
            array = getattr(net.connections(name), field.name)
            assert isinstance(array, float) or not array.flags.writeable


def test_weights_go_out_and_come_back():
    net = everything()
    before = [net.connections(name) for name in NAMES]
    weights = net.get_weights()
    assert [w.shape for w in weights] == [(before[0].pre.size,), (10,), (4, 3), (6,), (2,), (5,)]
    assert [have_same_dimensions(w, 1 * mV) for w in weights] == [True, True, False, False, True, False]
    assert type(weights[2]) is np.ndarray
    assert weights[5].tolist() == [0.3] * 5
    net.set_weights(weights)
    assert all(np.array_equal(before[k].weight, net.connections(NAMES[k]).weight) for k in range(5))
    weights[2][1, 2] = -7.0  # copies: nothing changes until they are set
    assert net.connections("in").weight[5] == 5.0
    changed = [2 * w for w in weights]
    net.set_weights(changed)
    changed[2][:] = np.nan
    assert net.connections("in").weight[5] == -14.0
    assert net.get_weights()[2][1, 2] == -14.0
    assert np.array_equal(net.connections("cells->cells").weight, 2 * before[0].weight)
    assert net.connections("cells->cells").pre is before[0].pre
    net.set_weights([0.1 * pq.mV, 0.2 * mV, 1, 2, 3 * mV, 4])
    assert net.connections("in").weight == 1.0
    assert (net.get_weights()[2] == 1.0).all()


def test_wrong_weights_change_nothing():
    net = everything()
    weights, w = net.get_weights(), [3 * one for one in net.get_weights()]
    rows = [
        (w[:5], "weights has 5 entries", "a list of 6 arrays"),
        (w[0], "weights has Quantity", "a list"),
        ([*w[:2], w[2].T, *w[3:]], "weights[2] of 'in' has shape (3, 4)", "(n_pre, n_post) = (4, 3)"),
        ([*w[:5], w[5][:4]], "weights[5] of 'cells->cells#2' has shape (4,)", "(n_synapses,) = (5,)"),
        ([np.asarray(w[0]), *w[1:]], "weights[0] = ", "has no unit: expected a voltage"),
        ([*w[:2], w[2] * mV, *w[3:]], "weights[2] = ", "a plain number"),
        ([*w[:5], w[5] * np.inf], "weights[5] = ", "finite values"),
    ]
    assert_refused((lambda given=given: net.set_weights(given), *told) for given, *told in rows)
    assert all(np.array_equal(a, b) for a, b in zip(weights, net.get_weights(), strict=True))


def test_it_describes_itself_as_plain_data():
    net = everything()
    text = net.describe()
    assert json.loads(json.dumps(text)) == text == everything().describe()
    assert [p["name"] for p in text["projections"]] == list(NAMES)
    assert [p["size"] for p in text["populations"]] == [4, 4, 3, 5]
    assert text["populations"][3]["noise"]["type"] == "WhiteNoise"
    assert text["populations"][3]["stimulus"] == {"type": "Constant", "v": {"value": 0.015, "unit": "V"}}
    first, _, third, fourth, _, last = text["projections"]
    assert first["weight"]["low"] == {"value": 0.0, "unit": "V"}
    assert first["delay"]["type"] == "Between"
    digest = hashlib.sha256(np.arange(12.0).tobytes()).hexdigest()
    assert third["weight"] == {"shape": [4, 3], "sha256": digest, "unit": "1"}
    assert third["delay"] == {"value": 0.0, "unit": "s"}
    assert fourth["release"] == 0.25
    assert last["weight"] == {"value": 0.3, "unit": "1"}
    assert last["synapse"]["e_rev"] == {"value": -0.08, "unit": "V"}
    assert last["synapse"]["type"] == "ConductanceSynapse"
    assert third["synapse"]["type"] == "Jump"  # names in files stay when classes get other names
    net.set_weights([2 * w for w in net.get_weights()])
    assert net.describe()["projections"][2]["weight"]["sha256"] != digest
    assert net.describe()["projections"][3]["weight"]["shape"] == [6]


def test_names_and_lookups():
    net = everything()
    assert net.projection_names == NAMES
    assert net.projection("units->cells") is net.projections[4]
    assert net.population("units") is UNITS
    assert repr(net).startswith("<Network input: 4, poisson: 4, units: 3, cells: 5; cells->cells,")
    taken = Network([INPUT, UNITS], [project(), project(name="input->units"), project()])
    assert taken.projection_names == ("input->units#2", "input->units", "input->units#3")
    assert project(post=CELLS, weight=0.5 * mV).weight_unit == "V"
