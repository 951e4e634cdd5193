"""States: a run in parts is one long run, on every engine; start values; what is refused."""

from __future__ import annotations

from typing import Any

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, ms, mV, second
from helpers.refusals import assert_refused
from numpy.testing import assert_allclose, assert_array_equal

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
GIF = nsnn.GIF(
    tau_m=10 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=10 * mV, tau_refrac=2 * ms, tau_w=30 * ms, b=1 * mV,
    tau_thresh=50 * ms, b_thresh=2 * mV,
)  # fmt: skip
DEAF = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=1000 * mV, tau_refrac=0 * ms)
WHITE, DRIVE = nsnn.WhiteNoise(3 * mV), nsnn.Constant(17 * mV)
RECORDED = nsnn.Recorded(
    neo.AnalogSignal(
        17 + 5 * np.random.default_rng(1).normal(size=200), units="mV", sampling_period=1 * pq.ms
    )
)
RUNS: dict[str, tuple[Any, Any, Any, dict[str, Any]]] = {
    "white noise, two trials": (CELL, WHITE, nsnn.Sinusoid(17 * mV, 5 * mV, 10 * Hz), {"trials": 2}),
    "2,100 neurons, a drive in samples": (CELL, WHITE, RECORDED, {"n_neurons": 2100}),
    "current noise": (CELL, nsnn.OUNoise(4 * mV, 0.3 * ms), DRIVE, {}),
    "noisy threshold": (CELL, nsnn.ThresholdNoise(1.4 * mV), nsnn.Constant(30 * mV), {}),
    "jumps": (CELL, nsnn.PoissonNoise(2000 * Hz, 0.5 * mV), nsnn.Constant(10 * mV), {}),
    "Poisson input": (CELL, nsnn.PoissonInput(20 * Hz, 2 * mV, synapse=nsnn.AlphaSynapse(2 * ms), n=50), DRIVE, {}),
    "adaptation that sees the drive": (
        nsnn.AdEx(
            tau_m=10 * ms, v_rest=-65 * mV, v_reset=-68 * mV, v_thresh=-60 * mV, delta_T=3 * mV, v_spike=-30 * mV,
            tau_refrac=2 * ms, tau_w=50 * ms, a=0.5, b=0.5 * mV,
        ), WHITE, nsnn.Constant(15 * mV), {}),
    "channels": (nsnn.WangBuzsaki(), nsnn.WhiteNoise(2 * mV), nsnn.Constant(15 * mV), {"n_neurons": 3, "dt": 0.02 * ms}),
    "discrete": (nsnn.NSNNNeuron(), nsnn.EscapeNoise(nsnn.Gaussian(0.4)), nsnn.Constant(0.5), {}),
    "adaptation": (GIF, WHITE, nsnn.Constant(12 * mV), {}),
}  # fmt: skip


def trains(*blocks: neo.Block) -> list[list[int]]:
    """The steps of the spikes of each train, of blocks one after the other."""
    out: list[list[int]] = []
    for block in blocks:
        dt = block.annotations["dt"]
        each = [
            np.rint(train.rescale("s").magnitude / dt).astype(int).tolist()
            for segment in block.segments
            for train in segment.spiketrains
        ]
        out = [a + b for a, b in zip(out, each, strict=True)] if out else each
    return out


def network(seed: int = 2) -> nsnn.Network:
    """Sources and neurons, with several delays, short-term plasticity and a slow synapse."""
    sources = nsnn.Population(20, nsnn.PoissonSource(50 * Hz), name="sources")
    cells = nsnn.Population(60, CELL, noise=WHITE, stimulus=DRIVE, name="cells")
    some = nsnn.FixedProbability(0.2)
    memory = nsnn.TsodyksMarkram(0.5, 100 * ms, 50 * ms)
    return nsnn.Network(
        [sources, cells],
        [
            nsnn.Projection(sources, cells, rule=some, weight=1 * mV, delay=3.3 * ms, short_term=memory),
            nsnn.Projection(
                cells,
                cells,
                rule=some,
                weight=0.4 * mV,
                delay=1.5 * ms,
                synapse=nsnn.ExponentialSynapse(5 * ms),
            ),
            nsnn.Projection(cells, cells, rule=some, weight=0.2 * mV),
        ],
        seed=seed,
    )


@pytest.mark.parametrize("name", RUNS)
def test_a_run_in_three_parts_is_one_run(name: str) -> None:
    model, noise, drive, more = RUNS[name]
    options = {"n_neurons": 5, "engine": "numpy"} | more
    dt = options.setdefault("dt", 0.1 * ms)
    whole = nsnn.simulate(model, noise, drive, duration=1000 * dt, seed=3, **options)
    parts, state = [], None
    for steps in (333, 334, 333):
        block, state = nsnn.simulate(
            model, noise, drive, duration=steps * dt, seed=3 if state is None else None, initial=state,
            return_state=True, **options,
        )  # fmt: skip
        parts.append(block)
    assert sum(map(len, trains(whole))) > 1
    assert trains(*parts) == trains(whole)
    last = parts[-1].segments[0]
    assert float(last.t_start) == pytest.approx(667 * float(dt))
    assert float(last.t_stop) == float(whole.segments[0].t_stop)
    assert parts[-1].annotations["seed"] == 3
    for signal in last.analogsignals:  # the stimulus
        assert float(signal.t_start) == pytest.approx(667 * float(dt))
        assert_array_equal(signal.magnitude, whole.segments[0].analogsignals[0].magnitude[667:])


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.usefixtures("unoptimised")
def test_a_program_continues_the_run_of_another_engine_and_that_continues_its_own() -> None:
    model, noise, drive, _ = RUNS["adaptation that sees the drive"]
    options: dict[str, Any] = {"n_neurons": 5, "record_v": [1, 4]}
    whole = nsnn.simulate(model, noise, drive, duration=100 * ms, seed=3, engine="numpy", **options)
    parts, state = [], None
    for steps, target in ((333, "numpy"), (334, "cpp"), (333, "numpy")):
        block, state = nsnn.simulate(
            model, noise, drive, duration=steps * 0.1 * ms, seed=3 if state is None else None, initial=state, engine=target,
            return_state=True, **options,
        )  # fmt: skip
        parts.append(block)
    assert all(sum(map(len, trains(part))) for part in parts)
    assert trains(*parts) == trains(whole)
    v = [np.asarray(block.segments[0].analogsignals[-1].rescale("mV").magnitude) for block in (*parts, whole)]
    assert_allclose(np.concatenate(v[:3]), v[3], rtol=1e-9, atol=1e-9)


@pytest.mark.slow
def test_a_network_continues_with_the_spikes_on_their_way() -> None:
    options: dict[str, Any] = {"trials": 2, "record_v": {"cells": [0, 3]}, "engine": "numpy"}
    whole = nsnn.simulate(network(), duration=120 * ms, seed=3, **options)
    a, state = nsnn.simulate(network(), duration=51.7 * ms, seed=3, return_state=True, **options)
    for _ in range(2):  # a state can be used again
        b = nsnn.simulate(network(), duration=68.3 * ms, initial=state, **options)
        assert trains(a, b) == trains(whole)
    for k in range(2):
        v = [block.segments[k].analogsignals[-1].magnitude for block in (a, b, whole)]
        assert_array_equal(np.concatenate(v[:2]), v[2])
    # it matters: without them the second part is another one
    arriving = state._saved.arriving
    assert all(pathways[0].shape[1] > 0 for pathways in list(arriving.values())[:2])
    for name, pathways in arriving.items():
        arriving[name] = [waiting[:, :0] for waiting in pathways]
    assert trains(a, nsnn.simulate(network(), duration=68.3 * ms, initial=state, **options)) != trains(whole)


@pytest.mark.slow
def test_noise_begins_after_a_run_without_and_points_and_seeds_go_on() -> None:
    """With 2,100 neurons random numbers are drawn for four steps at once, also where a run begins between them."""
    options: dict[str, Any] = {"n_neurons": 2100, "engine": "numpy", "stimulus": DRIVE}
    _, quiet = nsnn.simulate(CELL, duration=3.3 * ms, seed=3, return_state=True, **options)
    found = [
        nsnn.simulate(CELL, WHITE, duration=1 * ms, initial=quiet, seed=seed, return_state=True, **options)[1].values("v")
        for seed in (3, 4, 3)
    ]  # fmt: skip
    assert_array_equal(found[0], found[2])
    assert abs(np.corrcoef(found[0].magnitude.ravel(), found[1].magnitude.ravel())[0, 1]) < 0.1
    _, state = nsnn.simulate(CELL, WHITE, duration=3.3 * ms, seed=3, point=5, return_state=True, **options)
    later = nsnn.simulate(CELL, WHITE, duration=26.7 * ms, initial=state, **options)
    assert later.annotations["point"] == 5
    whole = nsnn.simulate(CELL, WHITE, duration=30 * ms, seed=3, point=5, **options)
    assert [[k for k in train if k >= 33] for train in trains(whole)] == trains(later)
    assert later.annotations["parameters"]["initial"] == {"step": 33, "seed": 3}


def test_the_clock_continues_and_a_step_before_it_has_no_effect() -> None:
    _, state = nsnn.simulate(CELL, duration=10 * ms, seed=3, engine="numpy", return_state=True)
    step = nsnn.Step(5 * mV, 2 * ms, 5 * ms)
    with pytest.warns(UserWarning, match=r"t_off = 5 ms of the Step is not after the beginning of the run"):
        nsnn.simulate(CELL, stimulus=step, duration=10 * ms, initial=state, engine="numpy")


# --- start values ----------------------------------------------------------------------------------------------------------------


def test_membranes_relax_from_their_start_values() -> None:
    options: dict[str, Any] = {"n_neurons": 3, "trials": 2, "engine": "numpy", "return_state": True}
    each = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
    for value in (5.0, each[0], each):
        block, state = nsnn.simulate(
            DEAF, duration=10 * ms, record_v=True, seed=1, initial={"v": value * mV}, **options
        )
        expected = np.broadcast_to(value, (2, 3))
        v = np.stack([s.analogsignals[0].rescale("mV").magnitude for s in block.segments])
        assert_allclose(v[:, 0], expected, rtol=1e-12)
        found = state.values("v").rescale("mV").magnitude
        assert_allclose(found, expected * np.exp(-10 / 20), rtol=1e-9)


def test_slow_variables_gates_and_nsnn_neurons_have_start_values() -> None:
    _, state = nsnn.simulate(
        GIF, duration=10 * ms, initial={"w": 3 * mV, "v": -2 * mV}, seed=1, engine="numpy", return_state=True
    )
    # w is that of half a step before
    name = next(iter(GIF.slow))
    assert_allclose(state.values(name).rescale("mV").magnitude, 3 * np.exp(-(10 - 0.05) / 30), rtol=1e-9)
    _, state = nsnn.simulate(
        nsnn.NSNNNeuron(), nsnn.EscapeNoise(nsnn.Gaussian(0.01)), duration=2 * ms, dt=1 * ms, initial={"u": 0.8}, seed=1,
        engine="numpy", return_state=True,
    )  # fmt: skip
    assert_allclose(state.values("u").magnitude, 0.8 * 0.5**2)
    _, state = nsnn.simulate(
        nsnn.WangBuzsaki(), duration=0.02 * ms, dt=0.02 * ms, initial={"h": 0.25}, seed=1, engine="numpy", return_state=True
    )  # fmt: skip
    assert abs(float(state.values("h").magnitude[0, 0]) - 0.25) < 0.01
    with pytest.raises(NsnnError, match="variable = 'm': expected one of 'v', "):
        state.values("m")


def test_populations_have_start_values_by_name() -> None:
    block, state = nsnn.simulate(
        network(), duration=0.1 * ms, initial={"cells": {"v": 7 * mV}}, seed=1, engine="numpy", return_state=True,
        record_v={"cells": [5]},
    )  # fmt: skip
    assert float(block.segments[0].analogsignals[-1].rescale("mV").magnitude[0, 0]) == pytest.approx(7.0)
    assert repr(state) == "State at 0.0001 s of 80 neurons in sources, cells, 1 trial"
    assert float(state.t.rescale("ms")) == pytest.approx(0.1)
    assert state.values("v", "cells").shape == (1, 60)


# --- what is refused -------------------------------------------------------------------------------------------------------------


def test_auto_runs_networks_with_a_state_without_a_program() -> None:
    block, _ = nsnn.simulate(network(), duration=1 * ms, seed=1, return_state=True)
    assert block.annotations["parameters"]["engine"] in ("numpy", "cython")


OF_NETWORKS = {"model": network(), "noise": None, "stimulus": None, "n_neurons": 1}


REFUSED = [
    ({"n_neurons": 3}, "the state has populations = [('neurons', 2)]", "and this run has [('neurons', 3)]"),
    ({"trials": 2}, "the state has trials = 1", "and this run has 2: expected the same"),
    ({"dt": 0.05 * ms}, "the state has dt (ms) = 0.1", "and this run has 0.05: expected the same"),
    ({"bridge": False}, "the state has bridge = True", "and this run has False: expected the same"),
    ({"out": "spikes.nwb"}, "out = spikes.nwb", "expected None with return_state or a SimulationState"),
    ({"return_state": 1}, "return_state = 1", "expected True or False"),
    ({"duration": 214748.3645 * second}, "fewer than 2147483648 steps in all", "initial has 10"),
    ({"initial": 5 * mV}, "initial = 5. mV", "expected a SimulationState, or start values such as {'v': 5*mV}"),
    ({"initial": {"V": 5 * mV}}, "initial has 'V'", "expected variables among v; did you mean 'v'?"),
    ({"initial": {"v": 5}}, "initial['v'] = 5", "has no unit"),
    ({"initial": {"v": [1, 2, 3] * mV}}, "initial['v'] has shape (3,)", "expected a number, or shape (2,) or (1, 2)"),
    ({"initial": {"v": np.inf * mV}}, "initial['v']", "has values that are not finite"),
    ({"initial": {"cell": {"v": 5 * mV}}} | OF_NETWORKS, "initial", "such as {'cells': {'v': 5*mV}}; did you mean 'cells'?"),
    ({"engine": "cpp", "return_state": True, "initial": None} | OF_NETWORKS, 'engine = "cpp"', "the state of a network"),
]  # fmt: skip


def test_states_values_and_connections_that_do_not_fit_are_refused() -> None:
    options: dict[str, Any] = {
        "model": CELL,
        "noise": WHITE,
        "stimulus": DRIVE,
        "n_neurons": 2,
        "engine": "numpy",
    }
    options["duration"] = 1 * ms
    _, saved = nsnn.simulate(**options, seed=1, return_state=True)
    _, of_network = nsnn.simulate(network(), seed=3, return_state=True, duration=10 * ms, engine="numpy")
    assert_refused(
        [
            *((lambda new=new: nsnn.simulate(**options | {"initial": saved} | new), *words) for new, *words in REFUSED),
            (lambda: saved.values("w"), "variable = 'w'", "expected one of 'v'"),
            (lambda: saved.values("v", "cell"), "population = 'cell'", "expected one of 'neurons'"),
            (lambda: nsnn.simulate(network(seed=3), duration=10 * ms, engine="numpy", initial=of_network),
             "projection '", "of the state has other connections: expected the same"),
        ]
    )  # fmt: skip
