"""Memory and checks of a sweep. Not public: the estimate decides on chunks, and its inputs are files of the machine."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from brian2 import ms, mV

import nsnn_neuro as nsnn
from nsnn_neuro.core import memory

ROOT = Path(__file__).resolve().parents[2]
MEMORY = """
import json, os, sys
import numpy as np
from brian2 import ms
import nsnn_neuro as nsnn
from nsnn_neuro.measures import firing_rate
from nsnn_neuro.sweep import batching
batching.MEMBERS = 10**9
CELL = nsnn.LIF(tau_m=2 * ms, v_rest=0.0, v_reset=0.0, v_thresh=1.0, tau_refrac=0 * ms)
def run(points, neurons, steps, drive):
    return nsnn.sweep(CELL, {"stimulus.v": list(np.linspace(drive, drive + 0.1, points))}, noise=nsnn.OUNoise(0.1, 5 * ms),
        stimulus=nsnn.Constant(0.0), measures=firing_rate, n_neurons=neurons, duration=0.1 * steps * ms, dt=0.1 * ms, seed=1,
        engine="numpy", memory=1e12)
def peak():  # of this process, from what it had when it was forked
    with open("/proc/self/status") as status:
        return 1024 * int(next(line for line in status if line.startswith("VmHWM")).split()[1])
run(2, 2, 10, 0)
for points, neurons, steps, drive in json.loads(sys.argv[1]):
    child = os.fork()
    if child:
        assert os.waitpid(child, 0)[1] == 0
        continue
    before = peak()
    table = run(points, neurons, steps, drive)
    spikes = table["value"].sum() * steps * 1e-4
    print((peak() - before) / batching.memory(points * neurons, spikes), flush=True)
    os._exit(0)
"""


@pytest.mark.slow
def test_the_memory_of_a_chunk_is_that_of_the_formula() -> None:
    """A run of many neurons, and one of many spikes, each in a process of its own."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the peak is read from /proc")
    sizes = [(20, 10_000, 2, 0), (20, 50, 2000, 8)]
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, json.dumps(sizes)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    members, of_spikes = map(float, done.stdout.split())
    assert 0.45 < members < 2.2
    assert 0.45 < of_spikes < 2.2


def test_free_memory_counts_a_containers_limit_without_its_cached_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    files = {
        "/proc/meminfo": "MemTotal: 900 kB\nMemAvailable: 800 kB\n",
        "/sys/fs/cgroup/memory.max": "500000\n",
        "/sys/fs/cgroup/memory.current": "400000\n",
        "/sys/fs/cgroup/memory.stat": "anon 100000\ninactive_file 250000\n",
    }
    monkeypatch.setattr(Path, "read_text", lambda self, encoding: files[str(self)])
    assert memory.free_memory() == 350_000
    files["/sys/fs/cgroup/memory.max"] = "max\n"
    assert memory.free_memory() == 800 * 1024


def test_parts_of_points_are_made_once():
    """A function of the point is called once, in one process."""
    calls = []

    def noise(point):
        calls.append(point["s"])
        return nsnn.WhiteNoise(point["s"])

    cell = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
    table = nsnn.sweep(
        cell, {"s": [1 * mV, 2 * mV]}, noise=noise, stimulus=nsnn.Constant(15 * mV), measures=nsnn.measures.firing_rate,
        duration=10 * ms, seed=1, engine="numpy",
    )  # fmt: skip
    assert len(table) == len(calls) == 2
