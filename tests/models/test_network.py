"""Populations, projections, networks: what the seed fixes, weights there and back, plain data, what mistakes say."""

from __future__ import annotations

import dataclasses
import hashlib
import json

import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, have_same_dimensions, ms, mV, nS
from hypothesis import given, settings
from hypothesis import strategies as st

import nsnn_neuro as nsnn
from nsnn_neuro import (
    LIF,
    AllToAll,
    AlphaSynapse,
    Between,
    ConductanceSynapse,
    ConnectionRule,
    Constant,
    DeltaSynapse,
    DistanceDependent,
    Distribution,
    EscapeNoise,
    ExponentialSynapse,
    FixedInDegree,
    FixedProbability,
    FixedTotalNumber,
    FromList,
    Gaussian,
    LogNormal,
    Network,
    Normal,
    NsnnError,
    NSNNNeuron,
    OneToOne,
    PoissonSource,
    Population,
    Projection,
    Relay,
    Synapse,
    WhiteNoise,
)

VOLTS = LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
PLAIN = LIF(tau_m=20 * ms, v_rest=0.0, v_reset=0.0, v_thresh=1.0, tau_refrac=2 * ms)
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


def test_the_seed_fixes_connections_weights_and_delays():
    one, two, three = everything(), everything(), everything(seed=2)
    assert all(same(one.connections(name), two.connections(name)) for name in NAMES)
    assert [same(one.connections(name), three.connections(name)) for name in NAMES] == [
        False, False, True, False, True, True,
    ]  # fmt: skip
    assert one.connections("in") is one.connections(one.projections[2])


def test_connections_weights_and_delays_have_streams_of_their_own():
    """Another law of weights leaves connections and delays as they were; so do projections at the end, and drawing order."""
    one, two = everything(), everything(weight=0.2 * mV)
    a, b = one.connections("cells->cells"), two.connections("cells->cells")
    assert np.array_equal(a.pre, b.pre)
    assert np.array_equal(a.post, b.post)
    assert np.array_equal(a.delay, b.delay)
    assert b.weight == pytest.approx(2e-4, rel=1e-15)
    shorter = Network(one.populations, one.projections[:1], seed=1)
    assert same(shorter.connections("cells->cells"), a)
    backwards = everything()
    drawn = {name: backwards.connections(name) for name in reversed(NAMES)}
    assert all(same(drawn[name], one.connections(name)) for name in NAMES)


def test_projections_of_one_kind_are_independent():
    a, b = (Population(200, NSNNNeuron(), name=name) for name in "ab")
    pair = [Projection(a, b, rule=FixedProbability(0.5), weight=Normal(0.0, 1.0)) for _ in range(2)]
    net = Network([a, b], pair, seed=3)
    made = np.zeros((2, 200, 200), dtype=bool)
    for k, name in enumerate(net.projection_names):
        c = net.connections(name)
        made[k, c.pre, c.post] = True
    both = np.sum(made[0] & made[1])
    assert abs(both - 10_000) < 4 * np.sqrt(40_000 * 3 / 16)
    w = [net.connections(name).weight[:19_000] for name in net.projection_names]
    assert abs(np.corrcoef(w)[0, 1]) < 4 / np.sqrt(19_000)


def test_weights_are_independent_of_delays():
    a, b = (Population(100, NSNNNeuron(), name=name) for name in "ab")
    alike = Projection(
        a, b, rule=FixedProbability(0.5), weight=Between(0.0, 1.0), delay=Between(0 * ms, 1 * ms)
    )
    c = Network([a, b], [alike]).connections(alike)
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
    assert all(
        np.array_equal(b.weight, net.connections(name).weight)
        for b, name in zip(before[:5], NAMES, strict=False)
    )
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda w: w[:5],
            "weights has 5 entries: expected a list with one array for each of the 6 projections",
        ),
        (lambda w: w[0], "weights has Quantity: expected a list"),
        (
            lambda w: [*w[:2], w[2].T, *w[3:]],
            r"weights\[2\] of 'in' has shape \(3, 4\): .* \(n_pre, n_post\) = \(4, 3\)",
        ),
        (lambda w: [*w[:2], w[2].ravel(), *w[3:]], r"weights\[2\] of 'in' has shape \(12,\)"),
        (
            lambda w: [*w[:5], w[5][:4]],
            r"weights\[5\] of 'cells->cells#2' has shape \(4,\): .* \(n_synapses,\) = \(5,\)",
        ),
        (lambda w: [np.asarray(w[0]), *w[1:]], r"(?s)weights\[0\] = .* has no unit: expected a voltage"),
        (lambda w: [*w[:2], w[2] * mV, *w[3:]], r"(?s)weights\[2\] = .*: expected a plain number"),
        (lambda w: [*w[:5], w[5] / 0], r"weights\[5\] = .*: expected finite values"),
        (lambda w: [*w[:5], None], r"weights\[5\] = None"),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_wrong_weights_change_nothing(change, message):
    net = everything()
    weights = net.get_weights()
    with pytest.raises(NsnnError, match=message):
        net.set_weights(change([3 * w for w in weights]))
    assert all(np.array_equal(a, b) for a, b in zip(weights, net.get_weights(), strict=True))


def test_it_describes_itself_as_plain_data():
    net = everything()
    text = net.describe()
    assert json.loads(json.dumps(text)) == text
    assert text == everything().describe()
    assert [p["name"] for p in text["projections"]] == list(NAMES)
    assert [(p["name"], p["size"]) for p in text["populations"]] == [
        ("input", 4),
        ("poisson", 4),
        ("units", 3),
        ("cells", 5),
    ]
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
    for ask, message in (
        (lambda: net.population("cell"), "name = 'cell': expected one of input, poisson, units, cells"),
        (
            lambda: net.projection("in->units"),
            "name = 'in->units': expected one of cells->cells, poisson->cells, in,",
        ),
        (lambda: net.connections(3), "name = 3: expected one of"),
        (lambda: net.connections(project()), "projection 'input->units' is not in this network"),
        (lambda: Network([UNITS]).connections("x"), "the network has no projections"),
    ):
        with pytest.raises(NsnnError, match=message):
            ask()


def test_a_jump_may_be_named_by_text_and_is_in_the_unit_of_the_membrane():
    assert isinstance(project().synapse, DeltaSynapse)
    plain = Population(3, PLAIN, name="plain")
    assert project(post=plain).weight_unit == "1"
    assert project(post=CELLS, weight=0.5 * mV).weight_unit == "V"
    assert project(post=CELLS, weight=0.5 * pq.mV, delay=1.5 * pq.ms).weight_unit == "V"
    assert project(post=CELLS, weight=0.5, synapse=ConductanceSynapse(5 * ms, 0 * mV)).weight_unit == "1"


def test_weights_of_random_number_are_checked_when_drawn():
    net = Network([UNITS, INPUT], [project(rule=FixedProbability(0.5), weight=[0.1, 0.2, 0.3])])
    n = Network([UNITS, INPUT], [project(rule=FixedProbability(0.5))]).connections("input->units").pre.size
    assert n != 3
    with pytest.raises(NsnnError, match=rf"weight of 'input->units' has shape \(3,\): .* = \({n},\)"):
        net.connections("input->units")


def test_a_rule_of_ones_own_that_goes_astray_is_named():
    @dataclasses.dataclass(frozen=True, eq=False)
    class Off(ConnectionRule):
        def connect(self, pre, post, rng):
            return np.arange(pre.n), np.arange(pre.n)

    with pytest.raises(NsnnError, match=r"Off.connect gave post of shape \(4,\).*indices from 0 to 2"):
        Network([INPUT, UNITS], [project(rule=Off())]).connections("input->units")


def population(n=3, neuron=PLAIN, **kwargs):
    return Population(n, neuron, **({"name": "p"} | kwargs))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: population(0), "n = 0: expected a whole number from 1"),
        (lambda: population(2.0), "n = 2.0: expected a whole number"),
        (lambda: population(True), "n = True"),
        (lambda: population(neuron=LIF), "neuron = <class .*LIF'>: expected a neuron model"),
        (lambda: population(noise=0.3), "noise = 0.3: expected a noise model"),
        (lambda: population(stimulus=0.3), "stimulus = 0.3: expected a stimulus"),
        (lambda: population(name="3rd"), "name = '3rd': expected a text"),
        (lambda: population(name="a b"), "name = 'a b': expected a text"),
        (lambda: population(name="a\n"), "expected a text"),
        (lambda: population(name=""), "name = '': expected a text"),
        (lambda: population(name=None), "name = None: expected a text"),
        (
            lambda: population(neuron=Relay(), noise=WhiteNoise(0.1)),
            "a Relay has no membrane and takes no noise",
        ),
        (
            lambda: population(neuron=PoissonSource(1 * Hz), noise=WhiteNoise(0.1)),
            "a PoissonSource has no membrane and takes no noise",
        ),
        (
            lambda: population(neuron=PoissonSource(1 * Hz), stimulus=Constant(0.1)),
            "a PoissonSource takes no stimulus",
        ),
        (lambda: population(neuron=NSNNNeuron(), noise=WhiteNoise(0.1)), "an NSNNNeuron takes escape noise"),
        (
            lambda: population(neuron=NSNNNeuron(theta=[1.0, 2.0])),
            "theta of NSNNNeuron has 2 values: expected one, or n = 3",
        ),
        (
            lambda: population(noise=WhiteNoise([0.1, 0.2])),
            "sigma of WhiteNoise has 2 values: expected one, or n = 3",
        ),
        (
            lambda: population(noise=EscapeNoise(Gaussian([0.1, 0.2]))),
            "sigma of Gaussian has 2 values: .* population 'p'",
        ),
        (
            lambda: population(stimulus=Constant([0.1] * 4)),
            "v of Constant has 4 values: expected one, or n = 3",
        ),
        (lambda: population(neuron=PoissonSource([1, 2] * Hz)), "rate of PoissonSource has 2 values"),
        (lambda: PoissonSource(-1 * Hz), "rate = -1. Hz: expected zero or a positive value"),
        (lambda: population(positions=[0.0, 1.0]), r"positions has shape \(2,\): expected .* n = 3"),
        (lambda: population(positions=[0.0, 1.0, np.inf]), "positions has shape"),
        (lambda: population(positions=[0, 1, 2] * mV), "positions = .*: expected a plain number"),
    ],
)
def test_mistakes_in_a_population_are_named(make, message):
    with pytest.raises(NsnnError, match=message):
        make()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pre": "input"}, "pre = 'input': expected a Population"),
        ({"post": INPUT}, "post = 'input': a Relay takes no input"),
        ({"post": POISSON}, "post = 'poisson': a PoissonSource takes no input"),
        ({"rule": "all"}, "rule = 'all': expected a connection rule"),
        ({"rule": AllToAll}, "rule = <class .*: expected a connection rule"),
        ({"rule": OneToOne()}, "populations of 4 and 3 neurons"),
        ({"rule": FixedInDegree(5)}, "k = 5: expected at most 4"),
        ({"weight": 0.5 * mV}, "weight = 0.5 mV: expected a plain number"),
        ({"post": CELLS}, "weight = 0.5 has no unit: expected a voltage"),
        ({"weight": Normal(0 * mV, 1 * mV)}, "weight = Normal.*: expected parameters with the unit of a plain number"),
        ({"weight": np.inf}, "weight = inf: expected finite values"),
        ({"weight": np.nan}, "weight = nan: NaN"),
        ({"weight": None}, "weight = None: NaN|weight = None"),
        ({"weight": np.ones((3, 4))}, r"weight of 'input->units' has shape \(3, 4\): .*\(n_pre, n_post\) = \(4, 3\)"),
        ({"weight": np.ones(12)}, r"weight of 'input->units' has shape \(12,\)"),
        ({"rule": FixedInDegree(2), "weight": np.ones(5)}, r"has shape \(5,\): .*\(n_synapses,\) = \(6,\)"),
        ({"delay": 1.5}, "delay = 1.5 has no unit: expected a time"),
        ({"delay": -1 * ms}, "delay = -1. ms: expected no negative times$"),
        ({"delay": [1, 2] * ms}, r"delay of 'input->units' has shape \(2,\): .* = \(12,\)"),
        ({"delay": np.arange(11, -1, -1) * ms - 1 * ms}, "(?s)delay = .*: expected no negative times$"),
        ({"delay": Normal(1 * ms, 1 * ms)}, "delay = Normal.*: expected no negative times, e.g. with low=0"),
        ({"delay": Normal(0.0, 1.0)}, "delay = Normal.*: expected parameters with the unit of a time"),
        ({"synapse": "jmp"}, "synapse = 'jmp': expected \"jump\" or a synapse"),
        ({"synapse": DeltaSynapse}, "synapse = <class"),
        ({"synapse": ExponentialSynapse(5 * ms)}, "an NSNNNeuron only takes jumps"),
        ({"post": CELLS, "synapse": ConductanceSynapse(5 * ms, 0.0)}, "e_rev = 0.0 of ConductanceSynapse has no unit: .* LIF"),
        ({"post": CELLS, "synapse": AlphaSynapse([1, 2] * ms)}, "tau_syn of AlphaSynapse has 2 values: .* n = 5"),
        ({"release": 1.5}, "release = 1.5: expected a number from 0 to 1"),
        ({"release": [0.5, 0.5]}, "release = .*: expected a number from 0 to 1"),
        ({"plasticity": "stdp"}, "plasticity = 'stdp': expected a learning rule such as NDL"),
        ({"name": "1st"}, "name = '1st': expected a text for the projection"),
        ({"rule": DistanceDependent(0.5, 0.1), "pre": population(positions=np.eye(3))}, "on 3 dimension.* and ring"),
    ],
)  # fmt: skip
def test_mistakes_in_a_projection_are_named(change, message):
    with pytest.raises(NsnnError, match=message):
        project(**change)


LOOP = project(pre=UNITS)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Network([], []), "populations is empty"),
        (lambda: Network(UNITS, []), "populations = Population.*: expected a list of Population objects"),
        (lambda: Network([UNITS], LOOP), "projections = Projection.*: expected a list"),
        (lambda: Network([UNITS, LOOP], []), r"populations\[1\] = .*: expected a Population"),
        (lambda: Network([UNITS, UNITS]), r"populations\[1\] is in the list twice"),
        (lambda: Network([UNITS, population(name="units")]), "populations has the name 'units' twice"),
        (lambda: Network([UNITS], [LOOP, LOOP]), r"projections\[1\] is in the list twice"),
        (
            lambda: Network([UNITS], [project()]),
            r"projections\[0\], 'input->units': its pre population is not in",
        ),
        (
            lambda: Network([INPUT], [project()]),
            r"projections\[0\], 'input->units': its post population is not in",
        ),
        (
            lambda: Network([UNITS], [project(UNITS, name="a"), project(UNITS, name="a")]),
            "the name 'a' twice",
        ),
        (lambda: Network([UNITS], seed=-1), "seed = -1: expected None or an integer"),
        (lambda: Network([UNITS], seed=1.0), "seed = 1.0: expected None or an integer"),
    ],
)
def test_mistakes_in_a_network_are_named(make, message):
    with pytest.raises(NsnnError, match=message):
        make()


EXAMPLES = [
    AllToAll(), OneToOne(), FixedProbability(0.1), FixedInDegree(3), FixedTotalNumber(3), FromList([0], [1]),
    DistanceDependent(0.5, 0.1),
    Normal(0.0, 1.0), LogNormal(1.0, 1.0), Between(0.0, 1.0), DeltaSynapse(), ExponentialSynapse(1 * ms), AlphaSynapse(1 * ms),
    ConductanceSynapse(1 * ms, 0.0), Relay(), PoissonSource(1 * Hz),
]  # fmt: skip
VALUES = st.one_of(
    st.floats(-1e3, 1e3), st.sampled_from([0.0, 1.0, 1e-300, 1e300, float("inf"), float("nan"), -0.0, 3, -1, True]), st.none(),
    st.text(max_size=3), st.lists(st.floats(-5, 5), max_size=3), st.just(3 * ms), st.just(2 * mV), st.just([1, 2, 3] * ms),
)  # fmt: skip


def test_every_record_is_among_the_examples():
    bases = (ConnectionRule, Distribution, Synapse)
    kinds = {
        c
        for c in (getattr(nsnn, name) for name in nsnn.__all__)
        if isinstance(c, type) and issubclass(c, bases)
    }
    elsewhere = {nsnn.AveragePooling, nsnn.Convolution}  # test_convolution.py
    assert kinds <= {type(example) for example in EXAMPLES} | elsewhere | {*bases}


@pytest.mark.slow
@settings(max_examples=300)
@given(example=st.sampled_from([e for e in EXAMPLES if dataclasses.fields(e)]), data=st.data())
def test_fuzzed_parameters_make_a_record_or_a_named_error(example, data):
    arguments = {f.name: getattr(example, f.name) for f in dataclasses.fields(example)}
    arguments[data.draw(st.sampled_from(list(arguments)))] = data.draw(VALUES)
    try:
        record = type(example)(**arguments)
    except NsnnError:
        return
    text = record.describe()
    assert json.loads(json.dumps(text)) == text
    assert set(text) >= set(arguments)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weight": np.ones(300) * nS, "synapse": ConductanceSynapse(5 * ms, 0 * mV)}, "1. 1...: expected a plain number"),
        ({"weight": 0.5}, 'weight = 0.5 has no unit: expected a voltage such as 15*mV; synapse is "jump"; for conductances give'),
        ({"weight": np.ones(3)}, 'for conductances give synapse=ConductanceSynapse'),
        ({"weight": nsnn.LogNormal(1.0, 1.0)}, 'synapse is "jump"; for conductances give synapse=ConductanceSynapse'),
        ({"weight": 0.5 * nS, "synapse": ConductanceSynapse(5 * ms, 0 * mV)},
         "weight = 0.5 nS: expected a plain number such as 0.5; divide it by the leak conductance"),
        ({"weight": np.ones((5, 5)), "synapse": ConductanceSynapse(5 * ms, 0 * mV)},
         "weight of 'cells->cells' has shape (5, 5), that of a matrix of all pairs: with FromList(pre, post) expected one weight "
         "for each synapse: give W[pre, post]"),
    ],
)  # fmt: skip
def test_weights_for_another_kind_of_synapse_are_told_which(changes, message):
    with pytest.raises(NsnnError) as caught:
        Projection(CELLS, CELLS, **{"rule": nsnn.FromList([0, 1, 2], [1, 2, 3]), **changes})
    assert message in str(caught.value)


def test_a_wrong_unit_has_no_advice_of_another_synapse():
    for weight in (0.5 * nS, [1 * nS, 2 * nS, 3 * nS]):
        with pytest.raises(NsnnError) as caught:
            Projection(CELLS, CELLS, rule=nsnn.FromList([0, 1, 2], [1, 2, 3]), weight=weight)
        assert "jump" not in str(caught.value)
