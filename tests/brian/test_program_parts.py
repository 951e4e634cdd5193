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
from brian2 import Hz, NeuronGroup, SpikeMonitor, ms, mV, prefs
from brian2 import Network as BrianNetwork
from numpy.testing import assert_array_equal

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.brian import child_process, engine, program_parts, program_progress, standalone
from nsnn_neuro.brian.find_compiler import find_compiler

pytestmark = [pytest.mark.slow, pytest.mark.compile, pytest.mark.usefixtures("unoptimised")]

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


def spikes(block: neo.Block) -> list[np.ndarray]:
    trains = nsnn.measures.as_trains(block)
    return [trains.trial, trains.neuron, trains.times]


def same(a: neo.Block, b: neo.Block) -> None:
    for one, other in zip(spikes(a), spikes(b), strict=True):
        assert_array_equal(one, other)


def test_spikes_are_the_same_for_any_number_of_processes_and_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of thousands of neurons with adaptation and shared noise; a run that another engine began, and goes on with, too."""
    parts = GIF, nsnn.OUNoise(4 * mV, 5 * ms, shared=0.3), nsnn.Constant(12 * mV)
    given = {"n_neurons": 1100, "trials": 2, "return_state": True}

    def run(steps: int, target: str = "cpp", **options: Any) -> tuple[neo.Block, nsnn.SimulationState]:
        return nsnn.simulate(
            *parts, duration=steps * 0.1 * ms, engine=target, **given | {"seed": 3} | options
        )

    block, state = run(500)
    assert spikes(block)[0].size > 20
    begun, middle = run(150, "numpy")
    pieces = [begun]
    found = [run(500, threads=3)]
    monkeypatch.setattr(program_parts, "PIECE", 500)
    found += [run(500), run(500, threads=2)]
    for other, its_state in found:
        same(block, other)
        for variable in ("v", "w", "lift"):
            assert_array_equal(its_state.values(variable), state.values(variable))
    for steps, target, threads in ((200, "cpp", 3), (150, "numpy", None)):
        more, middle = run(steps, target, threads=threads, initial=middle, seed=None)
        pieces.append(more)
    trains = [nsnn.measures.as_trains(piece) for piece in pieces]
    columns = [
        np.concatenate([getattr(one, name) for one in trains]) for name in ("trial", "neuron", "times")
    ]
    order = np.lexsort(columns[::-1])
    for one, expected in zip(columns, spikes(block), strict=True):
        np.testing.assert_allclose(one[order], expected, atol=1e-9)


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


@dataclasses.dataclass(frozen=True, eq=False)
class Ramp(nsnn.Constant):
    """A drive that grows from neuron to neuron; its text has the number of neurons, and a neuron's index."""

    text: ClassVar[str] = "v * (1 + 0.25 * i / N)"


def test_several_populations_in_parts_have_the_spikes_of_numpy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of neurons in a text is that of all."""
    monkeypatch.setattr(program_parts, "PIECE", 40)
    kinds = [
        (90, CELL, WHITE, nsnn.Constant(17 * mV)),
        (1, GIF, WHITE, nsnn.Constant(14 * mV)),
        (33, nsnn.PoissonSource(40 * Hz), None, None),
        (N, CELL, nsnn.PoissonNoise(2000 * Hz, 0.5 * mV), CHANNELS),
        (N, CELL, WHITE, Ramp(16 * mV)),
    ]
    net = nsnn.Network(
        [nsnn.Population(n, cell, noise=noise, stimulus=drive, name=f"p{k}") for k, (n, cell, noise, drive) in enumerate(kinds)]
    )  # fmt: skip
    options = {"duration": 100 * ms, "trials": 2, "seed": 5}
    expected = nsnn.simulate(net, **options, engine="numpy")
    fired = np.bincount(np.searchsorted([89, 90, 123, 123 + N], spikes(expected)[1]), minlength=5)
    assert fired.min() > 0
    for threads in (None, 2):
        same(expected, nsnn.simulate(net, **options, engine="cpp", threads=threads))


def test_progress_is_that_of_all_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """With reports in each sixteenth step, so that a run may be short."""
    monkeypatch.setattr(program_parts, "PIECE", 1000)
    monkeypatch.setattr(child_process, "PERIOD", 0.01)
    text = program_progress.HEADER_TEXT
    eager = text.replace("NSNN_PERIOD * CLOCKS", "0 * CLOCKS")
    assert eager != text
    monkeypatch.setattr(program_progress, "HEADER_TEXT", eager)
    seen: list[float] = []
    nsnn.simulate(
        CELL, WHITE, nsnn.Constant(17 * mV), n_neurons=6000, duration=400 * ms, seed=1, engine="cpp", threads=2,
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


def test_the_program_takes_the_class_of_clocks_of_later_versions_of_brian2(tmp_path: Path) -> None:
    """Brian2 2.10 and later schedule objects by a `BaseClock*`, earlier versions by a `Clock*`."""
    (tmp_path / "network.h").write_text(
        """#include <utility>
        struct BaseClock { double* t; void tick(); bool running(); void set_interval(double, double); };
        struct Clock : BaseClock {};
        struct Network {
            std::vector<std::pair<BaseClock*, void (*)()>> objects;
            double t;
            static double _last_run_time, _last_run_completed_fraction;
            static bool _globally_stopped, _globally_running;
        };
        namespace brian { Network network; std::string results_dir; }"""
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
