"""Networks as simulated: layered NSNNs against a NumPy forward pass, synapses against exact convolutions and an ODE solver, delays,
release, and what one part of a network leaves alone in another."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, ms, mV
from helpers.refusals import assert_refused
from neo import AnalogSignal
from scipy.integrate import solve_ivp

import nsnn_neuro as nsnn
from nsnn_neuro.brian import philox

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
# never fires
DEAF = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=1000 * mV, tau_refrac=0 * ms)


def pulses(ticks, n_steps, dt=0.1):
    """A dimensionless signal that is 1 at these steps."""
    x = np.zeros((n_steps, 1))
    x[ticks] = 1
    return nsnn.Recorded(AnalogSignal(x, units="dimensionless", sampling_period=dt * pq.ms))


def times(block, neuron, trial=0):
    return 1e3 * np.asarray(block.segments[trial].spiketrains[neuron].rescale("s").magnitude)


def signal(block, name, trial=0):
    return next(s for s in block.segments[trial].analogsignals if s.name == name)


# ---------------------------------------------------------------------------------------------------------------- NSNN


def forward(weights, x, cdf, seed, trial, *, beta, reset, recurrent=()):
    """The network in NumPy: layer l at step t sees what layer l-1 emits at t; recurrent input is from t-1."""
    u = [np.zeros(w.shape[1]) for w in weights]
    o = [np.zeros(w.shape[1]) for w in weights]
    spikes, potentials = [], []
    for t, value in enumerate(x):
        below, before = value, [s.copy() for s in o]
        for layer, w in enumerate(weights):
            kept = u[layer] * (1 - o[layer]) if reset == "hard" else u[layer] - o[layer]
            u[layer] = beta * kept + below @ w
            if layer in dict(recurrent):
                u[layer] = u[layer] + before[layer] @ dict(recurrent)[layer]
            # populations 1, 2, ... of the network: the input is population 0
            key = philox.key(seed, layer + 1)
            draw = philox.uniform(t, np.arange(w.shape[1]), trial, 0, philox.Stream.ESCAPE, *key)
            o[layer] = (draw < cdf(u[layer] - 1.0)).astype(float)
            below = o[layer]
        spikes.append([s.copy() for s in o])
        potentials.append([v.copy() for v in u])
    return spikes, potentials


@pytest.mark.slow
@pytest.mark.parametrize("reset", ["hard", "subtract"])
def test_deep_nsnn_is_the_numpy_forward_pass(reset):
    """Four layers and a recurrent one, graded input, two trials: all spikes equal, all potentials to 1e-12."""
    rng = np.random.default_rng(3)
    sizes, family, n_steps, seed = [6, 9, 8, 7, 5], nsnn.Gaussian(0.4), 60, 11
    weights = [rng.normal(0.15, 0.5, size) for size in itertools.pairwise(sizes)]
    loop = rng.normal(0, 0.3, (8, 8))
    x = rng.random((n_steps, sizes[0])) * (rng.random((n_steps, sizes[0])) < 0.7)
    drive = nsnn.Recorded(AnalogSignal(x, units="dimensionless", sampling_period=1 * pq.ms))
    cell, noise = nsnn.NSNNNeuron(beta=0.7, reset=reset), nsnn.EscapeNoise(family)
    layers = [nsnn.Population(sizes[0], nsnn.Relay(), stimulus=drive, name="input")]
    layers += [nsnn.Population(n, cell, noise=noise, name=f"layer{k}") for k, n in enumerate(sizes[1:], 1)]
    wires = [
        nsnn.Projection(a, b, rule=nsnn.AllToAll(), weight=w)
        for a, b, w in zip(layers[:-1], layers[1:], weights, strict=True)
    ]
    wires.append(nsnn.Projection(layers[2], layers[2], rule=nsnn.AllToAll(), weight=loop))
    net = nsnn.Network(layers, wires)
    run = {"duration": n_steps * ms, "dt": 1 * ms, "trials": 2, "seed": seed, "engine": "numpy"}
    block = nsnn.simulate(net, **run, record_v=True)
    first = np.cumsum([0, *sizes])
    fired = 0
    for trial in range(2):
        spikes, potentials = forward(
            weights, x, family.cdf, seed, trial, beta=0.7, reset=reset, recurrent=[(1, loop)]
        )
        for layer in range(1, 5):
            u = signal(block, f"v of layer{layer}", trial).magnitude
            np.testing.assert_allclose(u, [p[layer - 1] for p in potentials], rtol=0, atol=1e-12)
            expected = np.array([s[layer - 1] for s in spikes])
            got = np.zeros_like(expected)
            for k in range(sizes[layer]):
                got[np.rint(times(block, first[layer] + k, trial)).astype(int), k] = 1
            np.testing.assert_array_equal(got, expected)
            assert 0.05 < expected.mean() < 0.95
            fired += expected.sum()
    assert fired > 500


# ------------------------------------------------------------------------------------------------------ delays, shapes


@pytest.mark.parametrize(("looks_back", "delay"), [(False, 0), (True, 0), (True, 15)])
def test_a_jump_arrives_after_its_delay(looks_back, delay):
    """A spike of step k is in V at the end of step k + d; backward, without delay, of step k + 1. It isn't there before."""
    source = nsnn.Population(1, nsnn.Relay(), stimulus=pulses([20, 24, 25], 60), name="source")
    target = nsnn.Population(2, DEAF, name="target")
    wire = nsnn.Projection(source, target, rule=nsnn.AllToAll(), weight=5 * mV, delay=delay * 0.1 * ms)
    net = nsnn.Network([target, source] if looks_back else [source, target], [wire])
    block = nsnn.simulate(net, duration=6 * ms, seed=1, engine="numpy", record_v={"target": True})
    v = signal(block, "v of target").rescale("mV").magnitude[:, 1]  # v[k] enters step k
    expected = np.zeros(60)
    for k in (20, 24, 25):
        arrives = k + max(delay, 1 if looks_back else 0) + 1
        expected[arrives:] += 5 * np.exp(-0.1 / 20 * np.arange(60 - arrives))
    np.testing.assert_allclose(v, expected, rtol=0, atol=1e-11)


def test_delays_and_weights_of_each_synapse_reach_their_own_neuron():
    """Explicit list: weights and delays by synapse, two trials, several synapses between the same two neurons."""
    source = nsnn.Population(2, nsnn.Relay(), stimulus=pulses([5], 60), name="source")
    target = nsnn.Population(3, DEAF, name="target")
    pre, post = [1, 0, 1, 0, 0], [0, 1, 1, 2, 2]
    weight, delay = np.array([1.0, 2.0, 4.0, 8.0, 16.0]), np.array([0, 3, 7, 20, 20.0])
    wire = nsnn.Projection(
        source, target, rule=nsnn.FromList(pre, post), weight=weight * mV, delay=0.1 * delay * ms
    )
    run = {"duration": 6 * ms, "trials": 2, "seed": 1, "engine": "numpy"}
    block = nsnn.simulate(nsnn.Network([source, target], [wire]), record_v={"target": True}, **run)
    expected = np.zeros((60, 3))
    for j, w, d in zip(post, weight, delay.astype(int), strict=True):
        expected[6 + d :, j] += w * np.exp(-0.1 / 20 * np.arange(54 - d))
    for trial in range(2):
        v = signal(block, "v of target", trial).rescale("mV").magnitude
        np.testing.assert_allclose(v, expected, rtol=0, atol=1e-11)


def response(wires, dt=0.1, drive=0.0, n=600, cell=DEAF):
    """V (mV) of one neuron that receives a spike in step 10, so at 1.1 ms for dt = .1; its times, from then on."""
    tick = round(1 / dt)
    source = nsnn.Population(1, nsnn.Relay(), stimulus=pulses([tick], n, dt), name="source")
    target = nsnn.Population(1, cell, stimulus=nsnn.Constant(drive * mV), name="target")
    each = [
        nsnn.Projection(source, target, rule=nsnn.OneToOne(), weight=w, synapse=synapse) for synapse, w in wires
    ]  # fmt: skip
    run = {"duration": n * dt * ms, "dt": dt * ms, "seed": 1, "engine": "numpy", "record_v": {"target": [0]}}
    block = nsnn.simulate(nsnn.Network([source, target], each), **run)
    v = signal(block, "v of target").rescale("mV").magnitude[:, 0]
    return v[tick + 1 :], dt * np.arange(n - tick - 1)


@pytest.mark.slow
def test_current_synapses_are_exact_on_a_linear_membrane():
    """Exponential: w ts/(tm - ts) (e^-t/tm - e^-t/ts); alpha: the integral of e w t/ts e^-t/ts against the membrane's kernel."""
    tm, ts, w = 20.0, 5.0, 3.0
    v, t = response([(nsnn.ExponentialSynapse(ts * ms), w * mV)])
    exact = w * ts / (tm - ts) * (np.exp(-t / tm) - np.exp(-t / ts))
    np.testing.assert_allclose(v, exact, rtol=0, atol=1e-12)
    v, t = response([(nsnn.AlphaSynapse(ts * ms), w * mV)])
    r = 1 / ts - 1 / tm
    exact = np.e * w / (ts * tm) * np.exp(-t / tm) * (1 - np.exp(-r * t) * (1 + r * t)) / r**2
    np.testing.assert_allclose(v, exact, rtol=0, atol=1e-12)


EIF = nsnn.EIF(
    tau_m=20 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=15 * mV, delta_T=3 * mV, v_spike=60 * mV, tau_refrac=0 * ms
)  # fmt: skip
CONDUCTANCE, CURRENT = nsnn.ConductanceSynapse(5 * ms, 60 * mV), nsnn.ExponentialSynapse(3 * ms)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "drive", "wires", "slope"),
    [
        (DEAF, 8.0, [(CONDUCTANCE, 2.0)], lambda t, v: 8 - v + 2 * np.exp(-t / 5) * (60 - v)),
        (DEAF, 0.0, [(CURRENT, 6 * mV), (CONDUCTANCE, 0.5)],
         lambda t, v: -v + 6 * np.exp(-t / 3) + 0.5 * np.exp(-t / 5) * (60 - v)),
        (EIF, 0.0, [(CURRENT, 30 * mV)], lambda t, v: -v + 3 * np.exp((v - 15) / 3) + 30 * np.exp(-t / 3)),
    ],
    ids=["conductance", "current beside it", "nonlinear membrane"],
)  # fmt: skip
def test_synapses_are_the_ode_at_second_order(cell, drive, wires, slope):
    """Against solve_ivp of 20 ms dv/dt = slope; the error falls fourfold with half the step."""
    errors = []
    for dt in (0.2, 0.1, 0.05):
        v, t = response(wires, dt=dt, n=round(40 / dt), drive=drive, cell=cell)
        exact = solve_ivp(
            lambda t, v: slope(t, v) / 20, (0, t[-1]), [v[0]], t_eval=t, rtol=1e-11, atol=1e-11
        ).y[0]
        errors.append(np.abs(v - exact).max())
    assert v.max() > v[0] + 3
    assert errors[-1] < 1e-3
    assert np.divide(errors[:-1], errors[1:]) == pytest.approx(4, rel=0.1)


def test_a_refractory_neuron_takes_no_jumps():
    source = nsnn.Population(1, nsnn.Relay(), stimulus=pulses([10, 15, 40], 80), name="source")
    target = nsnn.Population(1, CELL, name="target")
    wire = nsnn.Projection(source, target, rule=nsnn.OneToOne(), weight=21 * mV)
    block = nsnn.simulate(nsnn.Network([source, target], [wire]), duration=8 * ms, seed=1, engine="numpy")
    # the spike of step 15 falls into the 2 ms after that of step 10
    np.testing.assert_allclose(times(block, 1), [1.0, 4.0])


# ------------------------------------------------------------------------------------------------- release, independence


def test_release_is_binomial():
    """400 synapses with p = .3 onto one neuron: the sum's mean and variance over 500 spikes, |z| < 4; private to each synapse."""
    n, p, w = 400, 0.3, 0.01
    ticks = np.arange(500)
    source = nsnn.Population(n, nsnn.Relay(), stimulus=pulses(ticks, 500, 1.0), name="source")
    target = nsnn.Population(2, nsnn.NSNNNeuron(beta=0.0, theta=1e9), name="target")
    wire = nsnn.Projection(source, target, rule=nsnn.AllToAll(), weight=w, release=p)
    run = {"duration": 500 * ms, "dt": 1 * ms, "seed": 4, "engine": "numpy"}
    block = nsnn.simulate(nsnn.Network([source, target], [wire]), record_v={"target": True}, **run)
    count = np.rint(signal(block, "v of target").magnitude / w)
    assert abs(count.mean() - n * p) / np.sqrt(n * p * (1 - p) / count.size) < 4
    variance = n * p * (1 - p)
    assert abs(count.var() - variance) / (variance * np.sqrt(2 / count.size)) < 4
    assert abs(np.corrcoef(count.T)[0, 1]) < 4 / np.sqrt(500)
    assert abs(np.corrcoef(count[:-1, 0], count[1:, 0])[0, 1]) < 4 / np.sqrt(500)


def spiking(net, **arguments):
    block = nsnn.simulate(net, **{"duration": 100 * ms, "seed": 5, "engine": "numpy", **arguments})
    return [[t.magnitude.tolist() for t in segment.spiketrains] for segment in block.segments]


def small(release=1.0, weight=0.5):
    noise = nsnn.WhiteNoise(4 * mV, shared=0.3)
    e = nsnn.Population(8, CELL, noise=noise, stimulus=nsnn.Constant(17 * mV), name="E")
    i = nsnn.Population(
        4, CELL, noise=nsnn.PoissonNoise(8000 * Hz, 0.1 * mV), stimulus=nsnn.Constant(4 * mV), name="I"
    )
    between = {"rule": nsnn.FixedProbability(0.5), "delay": 1.5 * ms}
    wires = [
        nsnn.Projection(e, i, weight=weight * mV, release=release, **between),
        nsnn.Projection(i, e, weight=-1 * mV, synapse=nsnn.ExponentialSynapse(5 * ms), **between),
        nsnn.Projection(e, e, weight=nsnn.Normal(0.3 * mV, 0.1 * mV), **between),
    ]
    return nsnn.Network([e, i], wires, seed=2)


def beside_it(kinds):
    """The small network with failing release, and beside it pairs of neurons of other kinds."""
    e, i = (net := small(release=0.6)).populations
    more = [
        nsnn.Population(2, cell, noise=noise, stimulus=drive, name=name.replace(" ", "_"))
        for name, (cell, noise, drive) in kinds.items()
    ]
    return nsnn.Network([e, i, *more], net.projections, seed=2)


GIF = nsnn.GIF(
    tau_m=15 * ms, v_rest=-70 * mV, v_reset=-60 * mV, v_thresh=-50 * mV, tau_refrac=3 * ms, tau_w=80 * ms, b=1.5 * mV,
    w_start=2 * mV, tau_thresh=40 * ms, b_thresh=3 * mV, lift_start=1 * mV,
)  # fmt: skip
ADEX = nsnn.AdEx(
    tau_m=9.4 * ms, v_rest=-70.6 * mV, v_reset=-65 * mV, v_thresh=-50.4 * mV, delta_T=2 * mV, v_spike=-46 * mV,
    tau_refrac=2 * ms, tau_w=100 * ms, a=0.5, b=3 * mV, w_start=2 * mV,
)  # fmt: skip
CONDUCTANCES = nsnn.ConductanceNoise(
    g_e=0.3, sigma_e=0.1, tau_e=3 * ms, e_rev_e=70 * mV, g_i=0.2, sigma_i=0.1, tau_i=10 * ms, e_rev_i=-10 * mV
)  # fmt: skip
# those that call functions which no other test calls in Cython
OWN_FUNCTIONS = {
    "short OU": (CELL, nsnn.OUNoise(5 * mV, 0.1 * ms, shared=1), nsnn.Constant(22 * mV)),
    "conductances": (CELL, CONDUCTANCES, nsnn.Constant(12 * mV)),
}
KINDS = OWN_FUNCTIONS | {
    "GIF": (GIF, nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(50 * Hz, 2 * mV)), nsnn.Constant(40 * mV)),
    "NSNN": (nsnn.NSNNNeuron(), nsnn.EscapeNoise(nsnn.Gaussian(0.4)), nsnn.Constant(0.5)),
    "no noise": (CELL, None, nsnn.Constant(30 * mV)),
    "white": (CELL, nsnn.WhiteNoise(3 * mV), nsnn.FrozenNoise(22 * mV, 4 * mV, 5 * ms, seed=2)),
    "OU": (CELL, nsnn.OUNoise([2, 3] * mV, 5 * ms, shared=0.5), nsnn.Step(25 * mV, 5 * ms, 140 * ms)),
    "escape": (CELL, nsnn.EscapeNoise(nsnn.Triangular(4 * mV)), nsnn.Sinusoid(18 * mV, 4 * mV, 10 * Hz)),
    "AdEx": (ADEX, nsnn.WhiteNoise(3 * mV), nsnn.Constant(40 * mV)),
    "channels": (nsnn.WangBuzsaki(), nsnn.WhiteNoise(2 * mV), nsnn.Constant(12 * mV)),
    "mapped hazard": (CELL, nsnn.EscapeNoise(hazard=nsnn.PlesserGerstner(3 * mV, tau_m=20 * ms)), nsnn.Constant(25 * mV)),
}  # fmt: skip


@pytest.mark.compile
@pytest.mark.slow
@pytest.mark.parametrize(
    ("kinds", "engine"), [(KINDS, "cpp"), (OWN_FUNCTIONS, "cython")], ids=["cpp", "cython"]
)
@pytest.mark.filterwarnings("ignore:.*fastest gate")  # 0.1 ms, for all neurons, is long for it
def test_compiled_engines_give_the_same_spikes_of_every_kind(kinds, engine, monkeypatch):
    """Also jumps, currents, random weights, failing release: one program in C++, as many modules as there are texts in Cython."""
    run = {"trials": 2, "duration": 150 * ms}
    expected = spiking(beside_it(kinds), engine="numpy", **run)
    # so that the larger population of Cython draws for four steps at once
    monkeypatch.setattr("nsnn_neuro.brian.equations.group_text.MANY", 10)
    found = spiking(beside_it(kinds), engine=engine, **run)
    assert sum(map(len, expected[0][:12])) > 20
    assert all(expected[0][12:])
    assert expected[0][12] == expected[0][13]  # all of their short noise is shared
    assert found == expected


@pytest.mark.slow
def test_trials_and_populations_have_noise_of_their_own_and_weights_can_be_set():
    net = small(release=0.6)
    one, three = spiking(net), spiking(net, trials=3)
    assert one[0] == three[0] != three[1]
    net.set_weights([0 * mV, 0 * mV, 0 * mV])
    assert spiking(net) == spiking(nsnn.Network(net.populations)) != one
    net.set_weights(small().get_weights())
    assert spiking(net) == one
    noise, drive = nsnn.WhiteNoise(4 * mV, shared=1.0), nsnn.Constant(18 * mV)
    a, b = (nsnn.Population(2, CELL, noise=noise, stimulus=drive, name=name) for name in "ab")
    ((a0, a1, b0, b1),) = spiking(nsnn.Network([a, b]), duration=300 * ms)
    assert a0 == a1 != b0 == b1
    assert len(a0) > 1
    # a population alone is the plain simulation
    block = nsnn.simulate(CELL, noise, drive, n_neurons=2, duration=300 * ms, seed=5, engine="numpy")
    assert [a0, a1] == [train.magnitude.tolist() for train in block.segments[0].spiketrains]


# ------------------------------------------------------------------------------------------------------ blocks, errors


@pytest.mark.slow
def test_block_has_populations_signals_and_survives_a_file(tmp_path):
    net = small()
    recorded = {"record_v": {"E": [0, 3]}, "record_w": {"E->I": [0, 2], "E->E": True}}
    block = nsnn.simulate(net, duration=50 * ms, seed=5, engine="numpy", **recorded)
    assert block.annotations["populations"] == [{"name": "E", "size": 8}, {"name": "I", "size": 4}]
    assert len(block.segments[0].spiketrains) == 12
    assert block.annotations["parameters"]["model"] == net.describe()
    v = signal(block, "v of E")
    assert v.shape == (500, 2)
    assert v.array_annotations["neuron"].tolist() == [0, 3]
    w = signal(block, "weight of E->E")
    np.testing.assert_allclose(w.rescale("V").magnitude[-1], net.connections("E->E").weight)
    assert signal(block, "weight of E->I").shape == (50, 2)
    again = nsnn.load(nsnn.save(block, tmp_path / "net.nwb"))
    assert again.annotations["parameters"] == block.annotations["parameters"]
    table = nsnn.tabulate(again, [nsnn.measures.firing_rate], by="population")
    assert table["population"].tolist() == ["E", "I"]
    assert [t.magnitude.tolist() for t in again.segments[0].spiketrains] == [
        t.magnitude.tolist() for t in block.segments[0].spiketrains
    ]


MISTAKES = [
    ({"noise": nsnn.WhiteNoise(1 * mV)}, "noise = WhiteNoise", "the populations of a Network have noise and sizes"),
    ({"threads": 2}, "threads = 2", "expected 1 for a network with projections"),
    ({"n_neurons": 3}, "n_neurons = 3", "leave out both"),
    ({"record_v": [0]}, "record_v = [0]", "for a network expected True or a dict such as"),
    ({"record_v": {"E": [8]}}, "record_v['E']", "expected neuron indices from 0 to 7"),
    ({"record_v": {"EE": [0]}}, "record_v = 'EE'", "expected one of 'E', 'I'"),
    ({"record_v": "lift"}, "record_v = 'lift'", "a dict such as"),
    ({"record_v": {"E": "lift"}}, "record_v['E'] = 'lift'", "the membrane alone is recorded"),
    ({"record_w": {"E->X": True}}, "E->X", "expected"),
    ({"record_w": True}, "record_w = True", "expected"),
    ({"record_w": {"E->I": [10**6]}}, "record_w['E->I']", "expected"),
    ({"stimulus": nsnn.Constant(0.5)}, "population 'E': v = 0.5 of Constant has no unit", "expected a voltage"),
]  # fmt: skip


def test_typical_mistakes_are_named():
    run = {"duration": 10 * ms, "engine": "numpy"}
    assert_refused(
        (lambda change=change: nsnn.simulate(small(), **run | change), *words) for change, *words in MISTAKES
    )
