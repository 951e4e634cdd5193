"""`threads` of a sweep: the processes of each C++ program."""
# Imports internals: spikes are the same for any number of processes, which only the device shows.

from __future__ import annotations

import functools
from typing import Any

import pandas as pd
import pytest
from brian2 import ms, mV

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.brian import standalone

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
GRID = {"noise.sigma": [2 * mV, 4 * mV, 6 * mV]}
swept = functools.partial(
    nsnn.sweep, CELL, GRID, noise=nsnn.WhiteNoise(1 * mV), stimulus=nsnn.Constant(18 * mV),
    measures=nsnn.measures.firing_rate, trials=20, duration=200 * ms, seed=1, progress=False,
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.compile
def test_the_program_of_a_chunk_has_so_many_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    divide = standalone.Device._divide

    def spied(device: standalone.Device) -> None:
        divide(device)
        given.append(device.processes)

    monkeypatch.setattr(standalone.Device, "_divide", spied)
    expected = swept(engine="numpy")
    for threads, processes in ((None, [1, 1]), (3, [2, 1])):
        given.clear()
        pd.testing.assert_frame_equal(swept(engine="cpp", threads=threads, chunk=2), expected)
        assert given == processes  # each of them has 16 neurons or more


@pytest.mark.compile
def test_numbers_that_make_no_sense_are_refused() -> None:
    cells = nsnn.Population(2, nsnn.NSNNNeuron(), name="cells")

    def wired(point: dict[str, Any]) -> nsnn.Network:
        return nsnn.Network([cells], [nsnn.Projection(cells, cells, rule=nsnn.AllToAll(), weight=point["w"])])

    run = {"measures": nsnn.measures.firing_rate, "duration": 1 * ms, "dt": 1 * ms, "engine": "cpp"}
    for call, message in (
        (lambda: swept(engine="numpy", threads=2), '2: engine="numpy" uses one; expected engine="cpp", or 1'),
        (lambda: swept(engine="cpp", threads=0), "0: expected a whole number"),
        (lambda: swept(engine="cpp", threads=1.5), "1.5: expected a whole number"),
        (
            lambda: nsnn.sweep(wired, {"w": [0.1]}, threads=2, **run),
            "2: expected 1 for a network with projections",
        ),
    ):
        with pytest.raises(NsnnError, match=f"threads = {message}"):
            call()
