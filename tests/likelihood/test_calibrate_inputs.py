"""`calibrate(..., inputs=...)`: recorded spikes that reach the fitted neuron through synapses.

Probabilities at given parameters are those of `probabilities`, as a fit would move the parameters.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, ms, mV, second
from helpers.refusals import assert_refused
from numpy.testing import assert_allclose, assert_array_equal

import nsnn_neuro as nsnn
from nsnn_neuro import SynapticInput, TsodyksMarkram
from nsnn_neuro.core.parameters import parameter
from nsnn_neuro.likelihood.calibration.free_parameters import PARTS, read_free
from nsnn_neuro.likelihood.continuous.cells import Grid
from nsnn_neuro.likelihood.continuous.conditional import _free, log_likelihoods, probabilities
from nsnn_neuro.likelihood.continuous.escape import paths
from nsnn_neuro.likelihood.continuous.synaptic import arrivals
from nsnn_neuro.likelihood.continuous.trials import Trial, read_recordings, read_trials
from nsnn_neuro.likelihood.synaptic_input import named_inputs, with_inputs

DT = 1e-4
CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=10 * mV, tau_refrac=2 * ms)
GIF = nsnn.GIF(
    tau_m=15 * ms, v_rest=0 * mV, v_reset=2 * mV, v_thresh=10 * mV, tau_refrac=1 * ms, tau_w=60 * ms, b=1 * mV,
    tau_thresh=30 * ms, b_thresh=1.5 * mV,
)  # fmt: skip
ESCAPE = nsnn.EscapeNoise(hazard=nsnn.ExponentialHazard(100 * Hz, 1.5 * mV))
DRIVE = nsnn.Constant(6 * mV)


@dataclass(frozen=True, eq=False)
class Difference(nsnn.Synapse):
    """A synapse of one's own."""

    tau_rise: Any = parameter("s", bound="positive")
    tau_decay: Any = parameter("s", bound="positive")
    states: ClassVar[dict[str, str]] = {"x": "-x / tau_decay", "y": "-y / tau_rise"}
    on_arrival: ClassVar[dict[str, str]] = {"x": "2 * weight", "y": "2 * weight"}
    current = "x - y"


SYNAPSES: dict[str, tuple[Any, Any]] = {
    "jump": (nsnn.DeltaSynapse(), 2 * mV),
    "exponential": (nsnn.ExponentialSynapse(4 * ms), 12 * mV),
    "alpha": (nsnn.AlphaSynapse(3 * ms), 8 * mV),
    "conductance": (nsnn.ConductanceSynapse(5 * ms, 40 * mV), 0.3),
    "own": (Difference(1 * ms, 5 * ms), 6 * mV),
    "inhibition": (nsnn.ConductanceSynapse(8 * ms, -5 * mV), 0.5),
}


def recording(
    cell: Any,
    noise: Any,
    projections: dict[str, dict[str, Any]],
    seconds: float,
    seed: int = 1,
    **options: Any,
):
    """A simulated network of sources and a cell: the trains of each source, those of the cell, and the Block."""
    post = nsnn.Population(1, cell, noise=noise, stimulus=DRIVE, name="cell")
    pre = [nsnn.Population(1, nsnn.PoissonSource(40 * Hz), name=name) for name in projections]
    wired = [
        nsnn.Projection(one, post, rule=nsnn.AllToAll(), **given)
        for one, given in zip(pre, projections.values(), strict=True)
    ]
    net = nsnn.Network([*pre, post], wired)
    block = nsnn.simulate(net, duration=seconds * second, seed=seed, engine="numpy", **options)
    trains = [[segment.spiketrains[k] for segment in block.segments] for k in range(len(pre) + 1)]
    return dict(zip(projections, trains, strict=False)), trains[-1], block


def trials_of(trains: Any, **inputs: SynapticInput) -> list[Trial]:
    return with_inputs(read_trials(trains, DT), inputs, None, DT)


def given(name: str, **more: Any) -> dict[str, Any]:
    synapse, weight = SYNAPSES[name]
    return {"synapse": synapse, "weight": weight, **more}


@pytest.mark.parametrize("cell", [CELL, GIF], ids=["LIF", "GIF"])
def test_membrane_is_that_of_the_simulated_network(cell):
    """Step by step, with all kinds of synapses at once, delays, and short-term plasticity; spikes of the cell are given."""
    law = TsodyksMarkram(U=0.4, tau_rec=100 * ms, tau_facil=50 * ms)
    wired = {name: given(name, delay=k * ms) for k, name in enumerate(SYNAPSES)}
    wired["alpha"]["short_term"] = law
    record = {"record_v": {"cell": [0]}}
    sources, trains, block = recording(cell, ESCAPE, wired, 0.2, **record)
    inputs = {name: SynapticInput(sources[name], **wired[name]) for name in wired}
    (trial,) = trials_of(trains, **inputs)
    path, free = _free((cell, ESCAPE, DRIVE, *inputs.values()), trial, DT, 1)
    steps = free.first, free.n_steps, free.length, free.start, path.drive
    before, _, length = paths(*steps, path.tau / DT, path.leaky, path.load, path.kick)
    (signal,) = block.segments[0].analogsignals
    v = np.asarray(signal.rescale("V").magnitude)[:, 0]
    inside = (length == 1.0) & (np.arange(len(v)) < len(before))
    assert len(trains[0]) > 3
    # exact but for a moving threshold, which the likelihood takes as straight within a step: second order in dt / tau_thresh
    second_order = path.lift.max() * (DT / 30e-3) ** 2
    assert_allclose((before + path.lift[:-1])[inside], v[inside], rtol=0, atol=1e-12 + second_order)


@pytest.mark.parametrize("name", ["exponential", "alpha"])
@pytest.mark.parametrize("noise", [ESCAPE, nsnn.WhiteNoise(3 * mV)], ids=["escape", "white"])
def test_currents_are_a_known_drive(name, noise):
    """Against the drive written out in a `Recorded` stimulus: mean over each step of a current that begins after its step."""
    n, where = 3000, np.array([100, 700, 705, 2000])
    synapse, weight = SYNAPSES[name]
    tau, w = float(synapse.si("tau_syn")), float(weight)
    edge = np.clip(np.arange(n + 1)[None] - (where[:, None] + 13 + 1), 0, None) * DT / tau
    area = -np.expm1(-edge) if name == "exponential" else np.e * (1 - (1 + edge) * np.exp(-edge))
    drive = 6e-3 + w * tau * np.diff(area, axis=1).sum(axis=0) / DT
    recorded = nsnn.Recorded(neo.AnalogSignal(drive, units="V", sampling_period=DT * pq.s))
    one = SynapticInput([where * DT], synapse, weight=weight, delay=1.3 * ms)
    (trial,) = trials_of(nsnn.to_block([[np.array([0.05, 0.12, 0.21])]], t_stop=n * DT * pq.s), input=one)
    mine = probabilities((CELL, noise, DRIVE, one), trial, DT, Grid(96, 1))
    theirs = probabilities((CELL, noise, recorded), trial, DT, Grid(96, 1))
    assert_allclose(mine, theirs, rtol=1e-7, atol=1e-15)


@pytest.mark.parametrize("noise", [ESCAPE, nsnn.WhiteNoise(4 * mV)], ids=["escape", "white"])
def test_constant_conductance_is_a_faster_membrane(noise):
    """g does not decay: tau_m / (1 + g), drive (mu + g e_rev) / (1 + g), and sigma / sqrt(1 + g) of white noise."""
    g, e = 0.6, 12e-3
    one = SynapticInput([[-DT]], nsnn.ConductanceSynapse(1e6 * second, e * 1e3 * mV), weight=g)
    (trial,) = trials_of(nsnn.to_block([[np.array([0.05, 0.12])]], t_stop=0.2 * pq.s), input=one)
    fast = replace(CELL, tau_m=20 / (1 + g) * ms)
    drive = nsnn.Constant((6e-3 + g * e) / (1 + g) * 1e3 * mV)
    mine = probabilities((CELL, noise, DRIVE, one), trial, DT, Grid(400, 1))
    if noise is not ESCAPE:
        noise = nsnn.WhiteNoise(4 / np.sqrt(1 + g) * mV)
    theirs = probabilities((fast, noise, drive), trial, DT, Grid(400, 1))
    assert_allclose(mine, theirs, rtol=1e-3, atol=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["jump", "conductance", "inhibition"])
def test_spikes_in_white_noise_are_as_frequent_as_expected(name):
    """Also in the steps of the jumps and in the 3 ms after arrivals, where the density is moved."""
    noise = nsnn.WhiteNoise(3 * mV)
    wired = given(name, delay=1 * ms)
    sources, trains, _ = recording(CELL, noise, {name: wired}, 0.5, seed=3, trials=60)
    one = SynapticInput(sources[name], **wired)
    o, q, arrived = [], [], []
    for trial in trials_of(trains, input=one):
        o.append(trial.o)
        q.append(probabilities((CELL, noise, DRIVE, one), trial, DT, Grid(240, 1)))
        place = np.round(trial.inputs[0][0] / DT).astype(int) + 10
        arrived.append(np.bincount(place[place < len(trial.o)], minlength=len(trial.o)))
    o, q, arrived = np.array(o), np.array(q), np.array(arrived) > 0
    after = np.array([np.convolve(one, np.ones(30))[: len(one)] > 0 for one in arrived])
    for some in (np.ones_like(after), arrived, after):
        variance = np.sum(q[some] * (1 - q[some]))
        assert abs(np.sum(o[some] - q[some])) < 4 * np.sqrt(variance)
    assert np.sum(q[after]) > 10


def test_weight_is_shared_by_two_steps():
    """A delay between steps keeps the weight and its mean time, and the likelihood is continuous in it."""
    values = arrivals(np.array([2.25, 7.0, -0.5]), np.array([1.0, 2.0, 1.0]), 0, 10)
    assert_array_equal(values, [0.5, 0, 0.75, 0.25, 0, 0, 0, 2, 0, 0])
    one = SynapticInput([[0.02, 0.05]], *SYNAPSES["jump"][:1], weight=4 * mV)
    trials = trials_of(nsnn.to_block([[np.array([0.0213, 0.09])]], t_stop=0.1 * pq.s), input=one)
    rows = [(CELL, ESCAPE, DRIVE, replace(one, delay=d * ms)) for d in (1.2999999, 1.3, 1.3000001, 1.35, 1.4)]
    logs = log_likelihoods(rows, trials, DT, Grid()).sum(axis=1)
    assert_allclose(logs[[0, 2]], logs[1], atol=1e-5)
    assert abs(logs[4] - logs[1]) > 0.01


def test_spikes_before_the_trial_count():
    """As in a trial that began earlier; the spikes of the cell begin in the later part."""
    one = SynapticInput([[0.01, 0.08, 0.13]], nsnn.AlphaSynapse(20 * ms), weight=5 * mV)
    late = [neo.SpikeTrain([0.14], units="s", t_start=0.1, t_stop=0.2)]
    (trial,) = trials_of(late, input=one)
    (whole,) = trials_of([neo.SpikeTrain([0.14], units="s", t_stop=0.2)], input=one)
    parts = CELL, ESCAPE, DRIVE, one
    assert_allclose(
        _free(parts, trial, DT, 1)[0].drive, _free(parts, whole, DT, 1)[0].drive[1000:], rtol=1e-9
    )


@pytest.fixture(scope="module")
def fitted():
    law = TsodyksMarkram(U=0.5, tau_rec=200 * ms)
    wired = {"pre": given("jump", delay=1.5 * ms) | {"weight": 16 * mV, "short_term": law}}
    sources, trains, _ = recording(CELL, ESCAPE, wired, 0.8, trials=5)
    start = SynapticInput(sources["pre"], **wired["pre"] | {"weight": 5 * mV, "delay": 1 * ms})
    free = {"input.weight": (1 * mV, 50 * mV), "input.delay": (0 * ms, 4 * ms), "input.U": (0.1, 1.0)}
    fit = nsnn.calibrate(CELL, free, noise=ESCAPE, stimulus=DRIVE, trains=trains, inputs=start)
    return fit, sources["pre"], trains, wired["pre"]


def test_recovers_weight_delay_and_release(fitted):
    fit = fitted[0]
    for name, true in {"input.weight": 16e-3, "input.delay": 1.5e-3, "input.U": 0.5}.items():
        assert abs(fit.parameters[name] - true) < 4 * fit.se[name]
        assert fit.se[name] < 0.3 * true
    assert fit.inputs["input"].si("weight") == pytest.approx(fit.parameters["input.weight"])
    assert fit.inputs["input"].short_term.si("U") == pytest.approx(fit.parameters["input.U"])


def test_simulates_with_the_same_input_spikes(fitted):
    """The network with sources of the same place in it has the same noise: with the true parameters, spikes are identical."""
    fit, pre, trains, true = fitted
    one = replace(fit, inputs={"input": SynapticInput(pre, **true)})
    first = replace(one, _trials=one._trials[:1])
    block = first.simulate(trials=2, seed=1, engine="numpy")
    assert_allclose(block.segments[0].spiketrains[0].magnitude, trains[0].magnitude, atol=1e-9)
    assert [len(segment.spiketrains) for segment in block.segments] == [1, 1]
    # trial k has the input of trial k; other trains for a simulation
    strong = replace(one, inputs={"input": replace(one.inputs["input"], weight=80 * mV, short_term=None)})
    silent = strong.simulate(
        inputs=[[0.1], [0.3]], trials=2, duration=0.4 * second, seed=2, engine="numpy"
    ).segments
    for segment, arrival in zip(silent, (0.1015, 0.3015), strict=True):
        assert np.abs(segment.spiketrains[0].magnitude - arrival).min() < 2e-4


def test_scores_other_data_with_other_inputs(fitted):
    fit, pre, trains, _ = fitted
    some = fit.per_step(trains[3:], inputs=pre[3:]).log_likelihood
    assert_allclose(some, fit.per_step(trains).log_likelihood[-len(some) :])
    score = fit.score(trains[3:], inputs={"input": pre[3:]}).value
    other = SynapticInput(pre[3:], nsnn.DeltaSynapse(), weight=1 * mV)
    assert fit.score(trains[3:], inputs=other).value == pytest.approx(score)
    assert fit.rescaled(trains[3:], inputs=pre[3:]).p > 1e-3
    assert fit.score(trains[3:], inputs=pre[:-3]).value < score - 0.3


def test_neurons_of_a_block_and_several_recordings():
    """Two neurons of a Block are two inputs; recordings have trains of their own."""
    a, b = np.array([0.02, 0.06]), np.array([0.03])
    cell = nsnn.to_block([[np.array([0.05])]], t_stop=0.1 * pq.s)
    kind = {
        "synapse": nsnn.ExponentialSynapse(5 * ms),
        "weight": 5 * mV,
        "short_term": TsodyksMarkram(0.5, 300 * ms),
    }
    together = SynapticInput(nsnn.to_block([[a, b]], t_stop=0.1 * pq.s), **kind)
    apart = {"first": SynapticInput([a], **kind), "second": SynapticInput([b], **kind)}
    probability = [
        probabilities((CELL, ESCAPE, DRIVE, *some.values()), trials_of(cell, **some)[0], DT)
        for some in ({"both": together}, apart)
    ]
    assert_allclose(*probability)
    two = {"input": SynapticInput([[a], [b]], **kind)}
    trials = with_inputs(read_recordings([cell, cell], (DRIVE, DRIVE), DT), two, 2, DT)
    assert [trial.inputs[0][0].tolist() for trial in trials] == [a.tolist(), b.tolist()]


def test_names_of_several_inputs():
    """Of a list and of a dict, with the parameters of the synapse and of short-term plasticity."""
    law = TsodyksMarkram(0.5, 300 * ms)
    one, two = (
        SynapticInput([[0.1]], nsnn.AlphaSynapse(k * ms), weight=k * mV, short_term=law) for k in (3, 4)
    )
    for inputs, names in (([one, two], ("input0", "input1")), ({"a": one, "b": two}, ("a", "b"))):
        named = named_inputs(inputs)
        first, second_name = names
        free = {
            f"{first}.weight": (1 * mV, 9 * mV),
            f"{second_name}.tau_syn": (1 * ms, 9 * ms),
            f"{second_name}.U": (0.1, 1),
        }
        read = read_free(free, (CELL, ESCAPE, None, *named.values()), (*PARTS, *named))
        assert read.names == tuple(free)
        changed = read.models(np.array([2e-3, 6e-3, 0.7]))[3:]
        assert [one.si("weight") for one in changed] == [2e-3, 4e-3]
        assert [one.synapse.si("tau_syn") for one in changed] == [3e-3, 6e-3]
        assert [one.short_term.si("U") for one in changed] == [0.5, 0.7]


EXP = nsnn.ExponentialSynapse(5 * ms)
TRAINS = nsnn.to_block([[np.array([0.1, 0.2])], [np.array([0.15, 0.3])]], t_stop=0.5 * pq.s)
INPUT: dict[str, Any] = {"trains": [[0.1], [0.2]], "synapse": EXP, "weight": 3 * mV}
REFUSED: list[tuple[dict[str, Any], str, str]] = [
    ({"synapse": "exponential"}, "synapse", "ExponentialSynapse"),
    ({"synapse": nsnn.ExponentialSynapse([5, 6] * ms)}, "tau_syn", "one number"),
    ({"weight": 3}, "weight of input", "voltage"),
    ({"synapse": nsnn.ConductanceSynapse(5 * ms, 0 * mV)}, "weight of input", "leak"),
    ({"synapse": nsnn.ConductanceSynapse(5 * ms, 0 * mV), "weight": -0.1}, "weight", "e_rev"),
    ({"synapse": nsnn.ConductanceSynapse(5 * ms, 0.5), "weight": 0.1}, "e_rev", "voltage"),
    ({"delay": -1 * ms}, "delay", "positive"),
    ({"short_term": 0.5}, "short_term", "TsodyksMarkram"),
    ({"trains": [[0.1]]}, "input has 1 trials, trains 2", "each trial"),
    ({"trains": [[], []]}, "input has no spikes", "at least one"),
    ({"trains": [[0.9], [0.7]]}, "input has no spikes", "at least one"),
    ({"trains": nsnn.to_block([[np.array([0.1])]] * 2, t_stop=0.3 * pq.s)}, "0.3 s", "t_stop"),
]


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"inputs": [[0.1]]}, "inputs", "SynapticInput"),
    ({"inputs": {"noise": SynapticInput(**INPUT)}}, "noise", "expected a name"),
    ({"free": {"input.tau": (1 * ms, 2 * ms)}}, "input.tau", "input.tau_syn"),
    ({"free": {"input.weight": (1 * ms, 2 * ms)}}, "input.weight", "voltage"),
    ({"free": {"input0.weight": (1 * mV, 2 * mV)}}, "input0.weight", "input.weight"),
    ({"method": "simulation"}, "inputs", "method='likelihood'"),
    (
        {"noise": nsnn.EscapeNoise(hazard=nsnn.PlesserGerstner(3 * mV, tau_m=20 * ms))},
        "PlesserGerstner",
        "ExponentialHazard",
    ),
    (
        {"noise": nsnn.OUNoise(3 * mV, 5 * ms), "inputs": SynapticInput(**INPUT | {"synapse": "jump"})},
        "OUNoise",
        "ExponentialSynapse",
    ),
]


def call(**changed: Any) -> Any:
    options = {"free": {"input.weight": (1 * mV, 20 * mV)}, "noise": ESCAPE, "inputs": SynapticInput(**INPUT)}
    return lambda: nsnn.calibrate(CELL, trains=TRAINS, **options | changed)


def test_refuses_wrong_inputs_and_calls(fitted):
    fit, pre, trains, _ = fitted
    rows = [
        (
            lambda more=more: call(inputs=SynapticInput(**INPUT | more), free={"tau_m": (1 * ms, 50 * ms)})(),
            *words,
        )
        for more, *words in REFUSED
    ]
    rows += [(call(**changed), *words) for changed, *words in WRONG]
    rows += [
        (lambda: fit.score(trains, inputs={"other": pre}), "inputs", "by name"),
        (lambda: fit.rescaled(inputs=pre), "inputs", "trains"),
    ]
    assert_refused(rows)


def test_the_page_says_what_the_benchmark_counted():
    """Covered by profile intervals, by number of spikes."""
    folder = Path(__file__).parents[2] / "docs"
    page = " ".join((folder / "likelihood.md").read_text(encoding="utf-8").split())
    for size, row in json.loads((folder / "synaptic_inputs.json").read_text(encoding="utf-8")).items():
        weight, tau, delay = row["covered"]["profile"].values()
        assert f"{weight}, {tau} and {delay} of {row['n']} of {int(size):,}" in page.replace(
            "recordings of", "of"
        )
