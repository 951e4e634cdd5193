"""Threads, processes and a user's own Brian2 script: identical spikes, and Brian2's state as it was."""

from __future__ import annotations

import importlib
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import brian2
import pytest
from brian2 import ms, mV

import nsnn_neuro as nsnn
from nsnn_neuro.brian import simulation_lock

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)


def spikes(seed: int, name: str = "numpy", **further: Any) -> list[list[float]]:
    """The spike times of ten neurons."""
    noise, drive = nsnn.OUNoise(3 * mV, 5 * ms), nsnn.Constant(40 * mV)
    block = nsnn.simulate(
        CELL, noise, drive, n_neurons=10, duration=30 * ms, seed=seed, engine=name, **further
    )
    return [train.magnitude.tolist() for train in block.segments[0].spiketrains]


def state() -> dict[str, Any]:
    """Brian2's preferences and device, and the working directory."""
    device = importlib.import_module("brian2.devices.device").active_device
    return {name: brian2.prefs[name] for name in brian2.prefs} | {"device": device, "folder": os.getcwd()}


@pytest.fixture(autouse=True)
def _unchanged(unoptimised) -> Iterator[None]:
    before = state()
    yield
    assert state() == before


@pytest.fixture(scope="module")
def expected() -> list[list[list[float]]]:
    found = [spikes(seed) for seed in range(16)]
    assert len({str(one) for one in found}) == 16
    assert all(sum(map(len, one)) > 3 for one in found)
    return found


@pytest.mark.slow
@pytest.mark.compile
def test_four_threads_with_four_calls_each(expected) -> None:
    """While another thread looks for a changed working directory."""
    folders, over = set(), threading.Event()

    def look() -> None:
        while not over.wait(0.0005):
            folders.add(os.getcwd())

    watch = threading.Thread(target=look)
    watch.start()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(spikes, range(16), ["numpy", "cpp", "cpp", "numpy"] * 4))
    over.set()
    watch.join()
    assert found == expected
    assert folders == {os.getcwd()}


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.parametrize("where", ["another thread", "this thread"])
def test_a_process_that_is_forked_in_the_middle_of_a_run(expected, where) -> None:
    """It has its own turn, the state that was before the run, and leaves the run of its parent alone."""
    before, inside, done = state(), threading.Event(), threading.Event()
    ends: list[int] = []

    def fork(_: float = 1.0) -> None:
        if ends:
            return
        ends.append(-1)
        child = os.fork()
        if child == 0:
            signal.alarm(60)
            right = where == "this thread" or state() == before
            right = right and spikes(5) == expected[5] and (where == "this thread" or state() == before)
            os._exit(0 if right else 1)
        ends[0] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def wait(_: float) -> None:
        inside.set()
        assert done.wait(60)

    with ThreadPoolExecutor(1) as pool:
        if where == "this thread":
            future = pool.submit(spikes, 3, progress=fork)
        else:
            future = pool.submit(spikes, 3, progress=wait)
            assert inside.wait(60)
            fork()
            done.set()
        assert future.result() == expected[3]
    assert ends == [0]


@pytest.mark.slow
@pytest.mark.compile
def test_a_call_in_the_run_of_the_users_own_network(expected) -> None:
    """The user's preferences count for the user's network, before, during and after."""
    target = brian2.prefs.codegen.target
    group = brian2.NeuronGroup(
        1, "dv/dt = (2 - v)/(10*ms) : 1", threshold="v > 1", reset="v = 0", method="exact"
    )
    monitor, found = brian2.SpikeMonitor(group), []

    @brian2.network_operation(dt=10 * ms)
    def call() -> None:
        if len(found) < 2:
            mine = state()
            found.append(spikes(len(found), ("numpy", "cpp")[len(found)]))
            assert state() == mine

    network = brian2.Network(group, monitor, call)
    try:
        brian2.prefs.codegen.target = "numpy"
        network.run(50 * ms, namespace={})
        assert brian2.prefs.codegen.target == "numpy"
    finally:
        brian2.prefs.codegen.target = target
    assert found == expected[:2]
    # v = 2 (1 - exp(-t / 10 ms)) exceeds 1 after 6.93 ms
    assert monitor.t[:] / ms == pytest.approx([7.0, 14.0, 21.0, 28.0, 35.0, 42.0, 49.0], abs=0.11 * 7)
    assert network.t == 50 * ms


def test_a_run_waits_for_its_turn(expected) -> None:
    started, found = threading.Event(), []

    def other() -> None:
        started.set()
        found.append(spikes(2))

    thread = threading.Thread(target=other)
    with simulation_lock():
        thread.start()
        assert started.wait(60)
        thread.join(0.3)
        assert found == []
        assert spikes(1) == expected[1]  # this thread may go on
    thread.join()
    assert found == [expected[2]]
