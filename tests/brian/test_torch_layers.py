"""Layered networks on the engine "torch": the spikes are those of the engine "numpy", arrivals those of the delays."""
# One test uses internals of PyTorch: that steps do not wait for the device is not visible in results.

from __future__ import annotations

import dataclasses
import importlib
import itertools
from typing import Any, ClassVar

import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, ms, mV
from helpers import with_torch
from neo import AnalogSignal

import nsnn_neuro as nsnn
from nsnn_neuro import AllToAll, NsnnError, Population, Projection
from nsnn_neuro.io.spikes import Trains

torch = pytest.importorskip("torch")
own_noise = with_torch.own_noise

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
NOISES = {
    "none": None,
    "Gaussian": nsnn.EscapeNoise(nsnn.Gaussian(0.4)),
    "Logistic": nsnn.EscapeNoise(nsnn.Logistic(0.2)),
    "Uniform": nsnn.EscapeNoise(nsnn.Uniform(0.6)),
    "Triangular": nsnn.EscapeNoise(nsnn.Triangular(0.8)),
    "Cauchy": nsnn.EscapeNoise(nsnn.Cauchy(0.2)),
    "FastSigmoid": nsnn.EscapeNoise(nsnn.FastSigmoid(5.0)),
    "ExponentialHazard": nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(300 * Hz, 0.4)),
    "GaussianHazard": nsnn.EscapeNoise(hazard=nsnn.GaussianHazard(900 * Hz, 0.8)),
    "double": nsnn.DoubleNoise(0.3),
}
RUN = {"duration": 40 * ms, "dt": 1 * ms, "trials": 3, "seed": 4}


def values(n: int, steps: int = 40, dt: float = 1.0, seed: int = 3) -> Any:
    """A graded input of n channels, of both signs, of which a third is 0."""
    rng = np.random.default_rng(seed)
    x = rng.normal(0.4, 0.6, (steps, n)) * (rng.random((steps, n)) < 0.7)
    return nsnn.Recorded(AnalogSignal(x, units="dimensionless", sampling_period=dt * pq.ms))


def layer(n: int, noise: str, reset: str, name: str) -> Population:
    return Population(n, nsnn.NSNNNeuron(beta=0.7, reset=reset), noise=NOISES[noise], name=name)


def inputs(n: int = 6, name: str = "input", **options: Any) -> Population:
    return Population(n, nsnn.Relay(), stimulus=values(n, **options), name=name)


def weights(pre: Population, post: Population, seed: int = 5, mean: float = 0.2) -> np.ndarray:
    """Weights of both signs, no two of which are equal."""
    return np.random.default_rng(seed).normal(mean, 0.5, (pre.n, post.n))


def dense(pre: Population, post: Population, delay: int = 0, seed: int = 5, **options: Any) -> Projection:
    """All pairs, with a delay in steps of 1 ms."""
    given = {"rule": AllToAll(), "weight": weights(pre, post, seed), "delay": delay * ms} | options
    return Projection(pre, post, **given)


def chain(*layers: Population, **options: Any) -> list[Projection]:
    return [dense(a, b, seed=k, **options) for k, (a, b) in enumerate(itertools.pairwise(layers))]


def spikes(block: Any) -> list[list[float]]:
    trains = Trains.from_block(block)
    return [trains.trial.tolist(), trains.neuron.tolist(), trains.times.tolist()]


def shares(block: Any, net: Any, steps: int) -> np.ndarray:
    """The share of steps with a spike, of each population."""
    ends = np.cumsum([p.n for p in net.populations])
    population = np.searchsorted(ends, Trains.from_block(block).neuron, side="right")
    members = np.array([p.n for p in net.populations]) * len(block.segments)
    return np.bincount(population, minlength=len(ends)) / (members * steps)


def both(net: Any, least: float = 0.05, **options: Any) -> Any:
    """The Block of torch, after its spikes have been compared with those of NumPy; every population fires, not in every step."""
    options = RUN | options
    expected = nsnn.simulate(net, engine="numpy", **options)
    block = nsnn.simulate(net, engine="torch", device="cpu", **options)
    assert spikes(block) == spikes(expected)
    fired = shares(block, net, round(float(options["duration"] / options["dt"])))
    assert np.all((fired > least) & (fired < 0.95)), fired
    return block


def signals(block: Any) -> list[np.ndarray]:
    return [signal.magnitude for segment in block.segments for signal in segment.analogsignals]


# -------------------------------------------------------------------------------------------------------------- layers


@pytest.mark.slow
def test_layers_of_four_families_with_both_resets() -> None:
    """Feedforward without delay: a spike passes all layers in its step. Also potentials, which weights of both signs decide."""
    layers = [inputs(), layer(9, "Gaussian", "hard", "a"), layer(8, "Logistic", "subtract", "b")]
    layers += [layer(7, "Cauchy", "hard", "c"), layer(5, "Uniform", "subtract", "d")]
    net = nsnn.Network(layers, chain(*layers))
    block = both(net, record_v=True)
    expected = nsnn.simulate(net, engine="numpy", record_v=True, **RUN)
    assert len(signals(block)) == 18  # 3 trials of 5 potentials and a stimulus
    for one, other in zip(signals(block), signals(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-12)


@pytest.mark.slow
def test_every_other_escape_noise() -> None:
    """A layer of each, with a loop in one."""
    kinds = {"none": "hard", "Triangular": "subtract", "FastSigmoid": "hard", "ExponentialHazard": "subtract"}
    kinds |= {"GaussianHazard": "hard", "double": "subtract"}
    layers = [inputs(), *(layer(9, noise, reset, noise) for noise, reset in kinds.items())]
    loop = dense(layers[2], layers[2], weight=weights(layers[2], layers[2], mean=-0.1))
    both(nsnn.Network(layers, [*chain(*layers), loop]), least=0.02)


def test_spikes_of_a_poisson_source_and_large_layers_which_draw_for_four_steps_at_once() -> None:
    source = Population(30, nsnn.PoissonSource(400 * Hz), name="source")
    hidden = layer(700, "Gaussian", "hard", "hidden")
    out = layer(10, "FastSigmoid", "hard", "out")
    wires = [
        dense(source, hidden, weight=nsnn.Normal(0.1, 0.2)),
        dense(hidden, out, weight=nsnn.Normal(0.0, 0.05)),
    ]
    both(nsnn.Network([source, hidden, out], wires, seed=3), duration=15 * ms)


@pytest.mark.slow
def test_recurrent_and_backward_projections() -> None:
    """Without delay they act in the next step, as with a delay of one step."""
    layers = [inputs(), layer(9, "Gaussian", "hard", "a"), layer(8, "Uniform", "subtract", "b")]
    pairs = [(layers[1], layers[1]), (layers[2], layers[1]), (layers[1], layers[2])]
    wires = [dense(*ends, delay, seed=7 + k + delay) for k, ends in enumerate(pairs) for delay in (0, 3)]
    both(nsnn.Network(layers, [dense(layers[0], layers[1], seed=1), *wires]))


def test_graded_inputs_keep_their_value_until_they_arrive() -> None:
    """Values of a Relay, before and behind its targets in the list, at once and later; two projections between two layers."""
    early, late = layer(7, "Gaussian", "hard", "early"), layer(8, "Logistic", "subtract", "late")
    relay = inputs()
    wires = [
        dense(relay, end, delay, seed=10 * k + delay)
        for k, end in enumerate((early, late))
        for delay in (0, 4)
    ]
    both(nsnn.Network([early, relay, late], wires))


# -------------------------------------------------------------------------------------------------------------- wiring


def test_rules_with_autapses_multapses_and_weights_of_each_synapse() -> None:
    a, b = layer(12, "Gaussian", "hard", "a"), layer(9, "Logistic", "hard", "b")
    source = Population(10, nsnn.PoissonSource(300 * Hz), name="source")
    drawn = nsnn.Normal(0.3, 0.5)
    several = nsnn.FromList([0, 0, 0, 5, 5, 11, 3], [1, 1, 2, 8, 8, 0, 4])
    wires = [
        Projection(source, a, rule=nsnn.FixedProbability(0.4), weight=drawn),
        Projection(source, a, rule=nsnn.FixedTotalNumber(40, multapses=True), weight=0.3, delay=2 * ms),
        Projection(a, a, rule=nsnn.FixedInDegree(9, autapses=True, multapses=True), weight=drawn),
        Projection(a, a, rule=nsnn.OneToOne(), weight=-0.4, delay=3 * ms),
        Projection(a, a, rule=AllToAll(autapses=False), weight=nsnn.Normal(0.0, 0.2)),
        Projection(a, b, rule=several, weight=[0.8, 0.7, -0.5, 0.9, 0.4, -2.0, 1.5]),
        Projection(a, b, rule=nsnn.FixedProbability(0.0), weight=9.0),
    ]
    net = nsnn.Network([source, a, b], wires, seed=2)
    pre, post = (getattr(net.connections("a->a"), end) for end in ("pre", "post"))
    assert np.any(pre == post)
    assert len(set(zip(pre.tolist(), post.tolist(), strict=True))) < pre.size
    both(net)


@pytest.mark.slow
def test_new_weights_are_used_also_of_convolutions_and_learning_rules_do_nothing() -> None:
    """`simulate` changes no weights, whatever the plasticity."""
    kinds = [nsnn.Convolution(3, 3, padding=1), nsnn.AveragePooling(2), 5]
    both(
        nsnn.convolutional((1, 6, 6), kinds, noise=NOISES["Gaussian"], seed=1),
        stimulus=values(36),
        least=0.01,
    )
    net = nsnn.feedforward([6, 9, 5], noise=NOISES["Gaussian"], plasticity=nsnn.NDL(0.01), seed=1)
    before = both(net, stimulus=values(6), least=0.01)
    net.set_weights([2 * w for w in net.get_weights()])
    assert spikes(both(net, stimulus=values(6), least=0.01)) != spikes(before)


# ------------------------------------------------------------------------------------------- membranes, files and states


MEMBRANE = {"duration": 60 * ms, "dt": 0.1 * ms, "trials": 2, "seed": 3, "least": 0.001}
SYNAPSES: list[Any] = [
    ("jump", nsnn.Normal(1 * mV, 0.5 * mV), nsnn.WhiteNoise(3 * mV)),
    (nsnn.ExponentialSynapse(5 * ms), 3 * mV, nsnn.PoissonNoise(900 * Hz, 0.5 * mV)),
    (nsnn.ConductanceSynapse(5 * ms, 60 * mV), 0.05, nsnn.PoissonNoise(900 * Hz, 0.5 * mV)),
    (nsnn.AlphaSynapse([2, 3, 4, 5, 6, 7, 8, 9] * ms), 3 * mV, None),
]


@pytest.mark.slow
def test_membranes_with_jumps_currents_and_conductances() -> None:
    """Sources excite LIF neurons, which inhibit each other."""
    source = Population(20, nsnn.PoissonSource(250 * Hz), name="source")
    cells, wires = [], []
    for k, (synapse, weight, noise) in enumerate(SYNAPSES):
        cells.append(Population(8, CELL, noise=noise, stimulus=nsnn.Constant(12 * mV), name=f"lif{k}"))
        wires += [
            Projection(cells[k], cells[k], rule=AllToAll(autapses=False), weight=-2 * mV, delay=1.5 * ms),
            Projection(source, cells[k], rule=AllToAll(), weight=weight, synapse=synapse, delay=0.7 * ms),
        ]
    both(nsnn.Network([source, *cells], wires, seed=1), **MEMBRANE)


@pytest.mark.slow
def test_a_synapse_of_ones_own_that_is_not_linear_in_the_weight() -> None:
    """With a parameter for each target."""

    @dataclasses.dataclass(frozen=True, eq=False)
    class Squared(nsnn.Synapse):
        gain: Any = nsnn.parameter("1")
        on_arrival: ClassVar[dict[str, str]] = {"v": "gain * weight * weight"}

    source = Population(20, nsnn.PoissonSource(250 * Hz), name="source")
    out = Population(
        8, nsnn.LIF(tau_m=20 * ms, v_rest=0, v_reset=0, v_thresh=1, tau_refrac=2 * ms), name="out"
    )
    squared = Squared(np.linspace(0.5, 1.5, 8))
    wire = Projection(source, out, rule=AllToAll(), weight=nsnn.Normal(0.3, 0.1), synapse=squared)
    both(nsnn.Network([source, out], [wire], seed=1), **MEMBRANE)
    relay = inputs()
    graded = Projection(relay, out, rule=AllToAll(), weight=0.3, synapse=squared, name="graded")
    refused(
        "projection 'graded'.*Squared.*value of a Relay.*engine=\"cpp\"", nsnn.Network([relay, out], [graded])
    )


@pytest.mark.slow
def test_a_run_continues_another_one() -> None:
    """With spikes and graded values in transit, some of them for longer than the second of three runs."""
    layers = [inputs(), layer(9, "Gaussian", "hard", "a"), layer(8, "Logistic", "subtract", "b")]
    wires = [
        dense(layers[0], layers[1], 0, seed=1),
        dense(layers[0], layers[1], 6, seed=2),
        Projection(
            layers[1], layers[2], rule=nsnn.FixedInDegree(12, multapses=True), weight=0.3, delay=7 * ms
        ),
        dense(layers[1], layers[2], 0, seed=3),
        dense(layers[2], layers[1], 0, seed=4),
        dense(layers[2], layers[1], 5, seed=6),
    ]
    net = nsnn.Network(layers, wires, seed=2)
    everything = spikes(both(net))
    pieces, state = [], None
    for engine, duration in (("torch", 14), ("numpy", 3), ("torch", 23)):
        options = RUN | {"duration": duration * ms, "engine": engine, "initial": state}
        block, state = nsnn.simulate(net, return_state=True, **options)
        pieces.append(np.array(spikes(block)))
    assert sorted(np.concatenate(pieces, axis=1).T.tolist()) == sorted(np.array(everything).T.tolist())


def test_steps_do_not_wait_for_the_device() -> None:
    """As many values are read from the device, and as many sizes depend on values, in 30 steps as in 60."""
    mode: Any = importlib.import_module("torch.utils._python_dispatch").TorchDispatchMode
    waits = ("item", "is_nonzero", "_local_scalar_dense", "nonzero", "masked_select", "equal", "unique")

    class Count(mode):
        number = 0
        products = 0

        def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            name = function.overloadpacket.__name__
            self.number += name in waits
            self.products += name in ("mm", "matmul")
            return function(*args, **(kwargs or {}))

    source = Population(5, nsnn.PoissonSource(300 * Hz), name="source")
    layers = [source, layer(9, "Gaussian", "hard", "a"), layer(8, "Logistic", "subtract", "b")]
    net = nsnn.Network(layers, [*chain(*layers), dense(layers[2], layers[1], 2)])
    counts = []
    for steps in (30, 60):
        with Count() as count:
            nsnn.simulate(net, engine="torch", device="cpu", **RUN | {"duration": steps * ms})
        counts.append((count.number, count.products))
    assert [products for _, products in counts] == [3 * 30, 3 * 60]
    assert counts[0][0] == counts[1][0] > 0


# ------------------------------------------------------------------------------------------------------------ refusals


def refused(match: str, net: Any, **options: Any) -> None:
    with pytest.raises(NsnnError, match=match):
        nsnn.simulate(
            net, **({"duration": 5 * ms, "dt": 1 * ms, "engine": "torch", "device": "cpu"} | options)
        )


def test_projections_that_are_no_dense_layers_are_refused_by_name() -> None:
    source = Population(3, nsnn.PoissonSource(300 * Hz), name="source")
    out = layer(4, "Gaussian", "hard", "out")

    def net(**options: Any) -> Any:
        given = {"rule": AllToAll(), "weight": 0.5, "name": "second"} | options
        return nsnn.Network([source, out], [dense(source, out), Projection(source, out, **given)])

    cure = '.*use engine="cpp" or "cython"'
    refused(f"projection 'second': release = 0.5: expected 1{cure}", net(release=0.5))
    depressing = nsnn.TsodyksMarkram(U=0.5, tau_rec=800 * ms)
    refused(
        f"projection 'second': short_term = TsodyksMarkram.*expected None{cure}", net(short_term=depressing)
    )
    refused(f"projection 'second': delays from 0 to 3 ms: expected one{cure}", net(delay=[0, 1, 3] * 4 * ms))
    refused(
        f"projection 'second': delays from 1 to .*expected one{cure}", net(delay=nsnn.Between(1 * ms, 9 * ms))
    )
    refused(f"record_w.*'second'.*expected None{cure}", net(), record_w={"second": True})


def test_matrices_that_do_not_fit_into_memory_are_refused() -> None:
    """Before synapses are drawn."""
    source = Population(3_000_000, nsnn.PoissonSource(1 * Hz), name="source")
    out = Population(2_000_000, nsnn.NSNNNeuron(), name="out")
    wire = Projection(source, out, rule=AllToAll(), weight=0.5, name="huge")
    small = Population(2, nsnn.NSNNNeuron(), name="small")
    net = nsnn.Network([source, out, small], [wire, dense(small, small)])
    refused(
        'projection \'huge\'.*3,000,000 times 2,000,000.*48,000.0 GB.*free.*use engine="cpp" or "cython"', net
    )
