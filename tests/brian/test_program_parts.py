"""C++ programs in parts: the spikes and states of one process, for any number of processes and pieces."""
# Imports internals: the size of a piece, which no argument sets, and the places of results, which a failing process lacks.

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, ClassVar

import neo
import numpy as np
import pytest
import quantities as pq
from brian2 import Hz, NeuronGroup, SpikeMonitor, ms, mV, prefs, second
from brian2 import Network as BrianNetwork
from numpy.testing import assert_array_equal

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.brian import engine, program_parts, program_progress, standalone
from nsnn_neuro.brian.find_compiler import find_compiler

pytestmark = [pytest.mark.slow, pytest.mark.compile]

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
GIF = nsnn.GIF(
    tau_m=10 * ms, v_rest=0 * mV, v_reset=0 * mV, v_thresh=10 * mV, tau_refrac=2 * ms, tau_w=30 * ms, b=1 * mV,
    tau_thresh=50 * ms, b_thresh=2 * mV,
)  # fmt: skip
N = 70
WHITE, DRIVE = nsnn.WhiteNoise(4 * mV), nsnn.Constant(np.linspace(16, 20, N) * mV)
# a drive of its own for each neuron
CHANNELS = nsnn.Recorded(
    neo.AnalogSignal(
        18 + 4 * np.random.default_rng(1).normal(size=(1000, N)), units="mV", sampling_period=0.1 * pq.ms
    )
)
RUNS: dict[str, tuple[Any, Any, Any, dict[str, Any]]] = {
    "thousands, three trials": (CELL, WHITE, nsnn.Constant(17 * mV), {"n_neurons": 1100, "trials": 3}),
    "adaptation, shared noise": (GIF, nsnn.OUNoise(4 * mV, 5 * ms, shared=0.3), nsnn.Constant(12 * mV), {}),
    "jumps, a drive for each neuron": (CELL, nsnn.PoissonNoise(2000 * Hz, 0.5 * mV), CHANNELS, {"trials": 2}),
}


def spikes(block: neo.Block) -> list[np.ndarray]:
    trains = nsnn.measures.as_trains(block)
    return [trains.trial, trains.neuron, trains.times]


def same(a: neo.Block, b: neo.Block) -> None:
    for one, other in zip(spikes(a), spikes(b), strict=True):
        assert_array_equal(one, other)


@pytest.mark.parametrize("name", RUNS)
def test_spikes_are_the_same_for_any_number_of_processes_and_pieces(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, noise, drive, given = RUNS[name]
    options = {
        "n_neurons": N,
        "duration": 100 * ms,
        "seed": 3,
        "engine": "cpp",
        "return_state": True,
        **given,
    }

    def run(threads: int | None) -> tuple[neo.Block, nsnn.SimulationState]:
        return nsnn.simulate(model, noise, drive, threads=threads, **options)

    block, state = run(None)
    assert spikes(block)[0].size > 20
    found = [run(3)]
    monkeypatch.setattr(program_parts, "PIECE", 16)
    found += [run(None), run(2)]
    for other, its_state in found:
        same(block, other)
        for variable in ("v", "w", "lift") if model is GIF else (model.state,):
            assert_array_equal(its_state.values(variable), state.values(variable))


class Divided(Exception):
    """Stands for a program that a test is not interested in."""


@pytest.mark.parametrize(
    ("options", "processes", "pieces"),
    [
        ({"threads": 1024}, 4, 1),  # of 70 neurons, each with 16 or more
        ({"threads": 2, "piece": 16}, 2, 2),
        ({"threads": 2, "record_v": [0]}, 1, 1),
    ],
)
def test_neurons_are_divided_into_processes_and_pieces(
    options: dict[str, Any], processes: int, pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Looked up in the device: nothing else shows it, as spikes are the same."""
    divide = standalone.Device._divide

    def spied(device: standalone.Device) -> None:
        divide(device)
        raise Divided(device.processes, device._pieces)

    monkeypatch.setattr(standalone.Device, "_divide", spied)
    options = dict(options)
    monkeypatch.setattr(program_parts, "PIECE", options.pop("piece", program_parts.PIECE))
    with pytest.raises(Divided) as divided:
        nsnn.simulate(CELL, WHITE, DRIVE, n_neurons=N, duration=5 * ms, seed=1, engine="cpp", **options)
    assert divided.value.args == (processes, pieces)


def test_several_populations_and_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_parts, "PIECE", 40)
    many = nsnn.Population(90, CELL, noise=WHITE, stimulus=nsnn.Constant(17 * mV), name="many")
    net = nsnn.Network(
        [
            many,
            nsnn.Population(1, GIF, noise=WHITE, stimulus=nsnn.Constant(14 * mV), name="one"),
            nsnn.Population(33, nsnn.PoissonSource(40 * Hz), name="source"),
        ]
    )
    options = {"duration": 200 * ms, "trials": 2, "seed": 5}
    expected = nsnn.simulate(net, **options, engine="numpy")
    assert len(np.unique(spikes(expected)[1])) > 100
    for threads in (None, 2):
        same(expected, nsnn.simulate(net, **options, engine="cpp", threads=threads))
    # membranes are recorded in one process
    alone = nsnn.Network([many])
    traced = [
        nsnn.simulate(alone, **options, record_v={"many": [0, 80]}, engine=name, threads=threads)
        for name, threads in (("numpy", None), ("cpp", 2))
    ]
    same(*traced)
    voltages = [block.segments[1].analogsignals[-1].rescale("mV").magnitude for block in traced]
    np.testing.assert_allclose(*voltages, rtol=1e-9, atol=1e-9)


def test_a_continued_run_and_a_file(tmp_path: Any) -> None:
    """The state that a program in parts begins with is another engine's, and its own is continued by that."""
    blocks, state = [], None
    for steps, name, threads in ((300, "numpy", None), (400, "cpp", 3), (300, "numpy", None)):
        block, state = nsnn.simulate(
            CELL, WHITE, DRIVE, n_neurons=N, duration=steps * 0.1 * ms, seed=3 if state is None else None, initial=state,
            return_state=True, engine=name, threads=threads,
        )  # fmt: skip
        blocks.append(block)
    path = tmp_path / "run.nwb"
    options = {"n_neurons": N, "seed": 3, "engine": "cpp", "threads": 3}
    long = nsnn.simulate(CELL, WHITE, DRIVE, duration=100 * ms, out=path, **options)
    parts = [nsnn.measures.as_trains(block) for block in blocks]
    of_file = nsnn.measures.as_trains(long)
    times = np.concatenate([part.times for part in parts])
    order = np.lexsort((times, np.concatenate([part.neuron for part in parts])))
    np.testing.assert_allclose(
        of_file.times[np.lexsort((of_file.times, of_file.neuron))], times[order], atol=1e-9
    )
    same(long, nsnn.simulate(CELL, WHITE, DRIVE, duration=100 * ms, **{**options, "threads": 1}))


def test_progress_is_that_of_all_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a run of a second and more, which tells fractions twice a second."""
    monkeypatch.setattr(program_parts, "PIECE", 1000)
    seen: list[float] = []
    nsnn.simulate(
        CELL, WHITE, nsnn.Constant(17 * mV), n_neurons=6000, duration=8 * second, seed=1, engine="cpp", threads=2,
        progress=seen.append,
    )  # fmt: skip
    assert seen == sorted(seen)
    assert seen[-1] == 1.0
    assert any(1 / 3 < fraction < 1 for fraction in seen)  # after the first of three pieces


def test_a_process_that_fails_is_not_overlooked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its folder the second process cannot write its results."""
    monkeypatch.setattr(program_parts, "folders", lambda results, processes: [])
    with pytest.raises(NsnnError, match="disk is full"):
        nsnn.simulate(CELL, WHITE, DRIVE, n_neurons=N, duration=10 * ms, seed=1, engine="cpp", threads=2)


@dataclasses.dataclass(frozen=True, eq=False)
class Ramp(nsnn.Constant):
    """A drive that grows from neuron to neuron; its text has the number of neurons, and a neuron's index."""

    text: ClassVar[str] = "v * (1 + 0.25 * i / N)"


def test_the_number_of_neurons_in_a_text_is_that_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_parts, "PIECE", 20)
    options = {"n_neurons": N, "duration": 100 * ms, "seed": 2}
    expected = nsnn.simulate(CELL, WHITE, Ramp(16 * mV), **options, engine="numpy")
    same(expected, nsnn.simulate(CELL, WHITE, Ramp(16 * mV), **options, engine="cpp", threads=2))


def test_what_brian2_users_run_themselves_is_not_divided(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their monitors are in order of time, and their preference for OpenMP is theirs."""
    monkeypatch.setattr(program_parts, "PIECE", 20)
    before = prefs.devices.cpp_standalone.openmp_threads
    with engine.running("cpp", 2) as device:
        group = NeuronGroup(
            N, "dv/dt = (1.5 - v) / (10*ms) : 1", threshold="v > 1", reset="v = 0", method="exact", name="users", dt=0.1 * ms,
            namespace={"ms": ms},
        )  # fmt: skip
        group.v = np.linspace(0, 0.9, N)
        monitor = SpikeMonitor(group, name="users_spikes")
        engine.run(BrianNetwork(group, monitor), 50e-3, device, progress=False)
        times = np.array(monitor.t[:])
    assert times.size > 2 * N
    assert_array_equal(times, np.sort(times))
    assert prefs.devices.cpp_standalone.openmp_threads == before


@pytest.mark.parametrize("clock", ["Clock", "BaseClock"])
def test_the_program_takes_brian2s_class_of_clocks_whatever_its_name(clock: str, tmp_path: Path) -> None:
    """Brian2 2.10 and later schedule objects by a `BaseClock*`, earlier versions by a `Clock*`."""
    kinds = "struct Clock {};" if clock == "Clock" else "struct BaseClock {}; struct Clock : BaseClock {};"
    kinds = kinds.replace(
        "{}", "{ double* t; void tick(); bool running(); void set_interval(double, double); }", 1
    )
    (tmp_path / "network.h").write_text(
        f"""#include <utility>
        {kinds}
        struct Network {{
            std::vector<std::pair<{clock}*, void (*)()>> objects;
            double t;
            static double _last_run_time, _last_run_completed_fraction;
            static bool _globally_stopped, _globally_running;
        }};
        namespace brian {{ Network network; std::string results_dir; }}"""
    )
    (tmp_path / "objects.h").touch()
    (tmp_path / program_progress.HEADER).write_text(program_progress.HEADER_TEXT)
    with engine.running("cpp") as device:
        (tmp_path / "parts.cpp").write_text(program_parts.text(device, [], "network"))
    source = str(tmp_path / "parts.cpp")
    assert standalone.call([*find_compiler(), "-std=c++11", "-fsyntax-only", source], str(tmp_path)) == (
        0,
        "",
    )
