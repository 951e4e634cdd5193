"""A run whose spikes wait on the disk gives the file and the Block of a run in one piece, in memory that doesn't grow with it."""
# Imports internals: windows and sorted runs are made small, so that a short run has many.

import errno
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import h5py
import numpy as np
import pytest
from brian2 import Hz, ms, mV
from helpers.roundtrip import assert_same, trains_of
from hypothesis import given, settings
from hypothesis import strategies as st

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.brian import streaming
from nsnn_neuro.brian.streaming import Spool

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)


def cells():
    return {"model": CELL, "noise": nsnn.WhiteNoise(5 * mV), "n_neurons": 7, "trials": 3, "duration": 300 * ms} | {
        "stimulus": nsnn.Sinusoid(19 * mV, 5 * mV, 8 * Hz), "seed": 3,
    }  # fmt: skip


def network():
    """Two populations with delays longer than a window and as long as it: spikes under way must survive its end."""
    drive = {"noise": nsnn.WhiteNoise(4 * mV), "stimulus": nsnn.Constant(21 * mV)}
    e, i = (nsnn.Population(n, CELL, **drive, name=name) for n, name in ((12, "e"), (5, "i")))
    some = nsnn.FixedProbability(0.4)
    net = nsnn.Network(
        [e, i],
        [
            nsnn.Projection(e, i, rule=some, weight=1.5 * mV, delay=1.5 * ms),
            nsnn.Projection(i, e, rule=some, weight=-2 * mV, delay=10 * ms),
        ],
    )
    return {"model": net, "trials": 2, "duration": 200 * ms, "seed": 4}


def discrete():
    net = nsnn.feedforward([4, 6, 3], noise=nsnn.EscapeNoise(nsnn.Gaussian(0.5)), seed=1)
    return {
        "model": net,
        "stimulus": nsnn.Constant(1.0),
        "trials": 4,
        "duration": 150 * ms,
        "dt": 1 * ms,
        "seed": 5,
    }


@pytest.fixture
def small(monkeypatch):
    """Windows of a few steps, runs of a few spikes."""
    monkeypatch.setattr(streaming, "MEMBER_STEPS", 2500)
    monkeypatch.setattr(streaming, "RUN", 40)


def identifier(path):
    with h5py.File(path) as file:
        return file["identifier"][()]


def run(case, **further):
    return nsnn.simulate(**case(), **further)


def n_spikes(block):
    return sum(len(s.spiketrains.multiplexed[0]) for s in block.segments)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("case", "target"),
    [
        *((case, "numpy") for case in (cells, network, discrete)),
        pytest.param(network, "cython", marks=pytest.mark.compile),
    ],
)
def test_same_as_a_run_in_one_piece(case, target, tmp_path, small, monkeypatch):
    """Block, its file, and what `load` gives; with windows and sorted runs that are many."""
    spools, write = [], streaming.write
    monkeypatch.setattr(
        streaming, "write", lambda block, spool: (spools.append(spool), write(block, spool))[1]
    )
    fractions = []
    streamed = run(case, engine=target, out=tmp_path / "a.nwb", progress=fractions.append)
    whole = run(case, engine=target)
    assert n_spikes(whole) > 100
    assert len(spools[0]._sizes) > 2
    assert_same(whole, streamed)
    assert_same(whole, nsnn.load(tmp_path / "a.nwb"))
    assert identifier(nsnn.save(whole, tmp_path / "b.nwb")) == identifier(tmp_path / "a.nwb")
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert len(fractions) > 4  # windows begin and end
    assert sorted(os.listdir(tmp_path)) == ["a.nwb", "b.nwb"]


@pytest.mark.slow
@pytest.mark.compile
def test_a_cpp_program_gives_the_same(tmp_path, small, monkeypatch):
    monkeypatch.setattr(streaming, "PIECE", 17)
    streamed = run(network, engine="cpp", out=tmp_path / "a.nwb")
    assert trains_of(run(network, engine="numpy")) == trains_of(streamed)
    assert n_spikes(streamed) > 100


def test_a_run_without_a_spike(tmp_path):
    quiet = {"stimulus": nsnn.Constant(5 * mV), "noise": None, "engine": "numpy"}
    streamed = run(lambda: cells() | quiet, out=tmp_path / "a.nwb")
    assert_same(run(lambda: cells() | quiet), streamed)
    assert n_spikes(streamed) == 0


@settings(max_examples=60, deadline=None)
@given(
    spikes=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 9)), unique=True, max_size=60),
    size=st.integers(1, 70),
    neurons=st.sampled_from([1, 4]),
)  # fmt: skip
def test_spool_sorts_by_neuron_trial_and_time(spikes, size, neurons):
    """Any windows, any length of runs, down to trains longer than a run; against sorting everything."""
    spikes = sorted({(i, j % neurons, k) for i, j, k in spikes}, key=lambda s: s[2])
    kept = streaming.RUN
    streaming.RUN = size
    try:
        spool = Spool("x.nwb", io.BytesIO(), n_neurons=neurons, n_trials=3, n_steps=10)
        for begin in range(0, 10, 3):
            window = [s for s in spikes if begin <= s[2] < begin + 3]
            if window:
                spool.add(*np.array(window).T)
        spool.finish()
        pieces = list(spool.pieces())
    finally:
        streaming.RUN = kept
    expected = sorted(spikes, key=lambda s: (s[1], s[0], s[2]))
    assert [k for piece in pieces for k in piece] == [s[2] for s in expected]
    for (j, i), count in np.ndenumerate(spool.counts):
        assert count == sum(s[:2] == (i, j) for s in spikes)
    longest = max([size, *spool.counts.ravel()])
    assert all(len(piece) <= longest for piece in pieces)


def test_what_is_wrong_is_told_before_anything_is_made(tmp_path, monkeypatch):
    monkeypatch.setattr("nsnn_neuro.brian.equations.network", lambda *a, **k: pytest.fail("assembled"))
    (tmp_path / "folder.nwb").mkdir()
    for out, further, words in [
        *(
            (tmp_path / name, {}, "expected the name of a file that ends in .nwb")
            for name in ("run.h5", ".", "folder.nwb")
        ),
        (tmp_path / "none" / "run.nwb", {}, "there is no folder"),
        (3, {}, "is a int: expected the name"),
        (tmp_path / "run.nwb", {"record_v": [0]}, "traces of record_v or record_w"),
    ]:
        with pytest.raises(NsnnError, match="^out .*" + words):
            run(cells, engine="numpy", out=out, **further)
    assert os.listdir(tmp_path) == ["folder.nwb"]

    def refuse(**_):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(NsnnError, match=r"out = .*a\.nwb: can't be written \(Permission denied\)"):
        run(cells, engine="numpy", out=tmp_path / "a.nwb")


def interrupt(fraction):
    if fraction > 0.5:
        raise KeyboardInterrupt


def at_most(size):
    """From the first report on no file may be longer, as on a disk that is full."""
    resource = pytest.importorskip("resource")
    return lambda fraction: resource.setrlimit(
        resource.RLIMIT_FSIZE, (size, resource.getrlimit(resource.RLIMIT_FSIZE)[1])
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("report", "error", "words"),
    [
        (lambda: at_most(300), NsnnError, r"out = .*a\.nwb: can't be written"),  # the spikes so far
        (lambda: at_most(20_000), NsnnError, r"out = .*a\.nwb: can't be written"),  # the NWB file
        (lambda: interrupt, KeyboardInterrupt, ""),
    ],
    ids=["full while it runs", "full at the end", "interrupted"],
)
def test_a_full_disk_or_an_interrupt_leaves_what_was_there(report, error, words, tmp_path, small):
    (tmp_path / "a.nwb").write_bytes(b"what was there")
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        with pytest.raises(error, match=words):
            run(cells, engine="numpy", out=tmp_path / "a.nwb", progress=report())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert os.listdir(tmp_path) == ["a.nwb"]
    assert (tmp_path / "a.nwb").read_bytes() == b"what was there"


KILLED = """
import sys, time
sys.path[:0] = [sys.argv[2], sys.argv[2] + "/io"]
import test_streaming
test_streaming.streaming.MEMBER_STEPS, test_streaming.streaming.RUN = 700, 40
def told(fraction):
    print(fraction, flush=True)
    if fraction > 0.5:
        time.sleep(60)
test_streaming.run(test_streaming.cells, engine="numpy", out=sys.argv[1], progress=told)
"""


@pytest.mark.slow
def test_a_killed_run_leaves_the_old_file_and_no_other(tmp_path):
    """SIGKILL, with spikes on the disk: the file they wait in has no name, so the system takes it back."""
    here = Path(__file__).resolve().parents[1]
    (tmp_path / "a.nwb").write_bytes(b"what was there")
    child = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "a.nwb"), str(here)],
        env=os.environ | {"PYTHONPATH": str(here.parent)},
        stdout=subprocess.PIPE,
    )
    watchdog = threading.Timer(90, child.kill)
    watchdog.start()
    try:
        while float(child.stdout.readline()) <= 0.5:
            pass
        held = Path(f"/proc/{child.pid}/fd")
        if held.exists():  # Linux tells how long the file without a name is
            sizes = [os.stat(f).st_size for f in held.iterdir() if str(tmp_path) in os.readlink(f)]
            assert sizes
            assert max(sizes) > 8 * 40
    finally:
        watchdog.cancel()
        child.kill()
        child.wait()
        child.stdout.close()
    assert child.returncode == -signal.SIGKILL
    assert os.listdir(tmp_path) == ["a.nwb"]
    assert (tmp_path / "a.nwb").read_bytes() == b"what was there"


PEAKS = """
import functools, json, resource, sys
from pathlib import Path
from brian2 import ms
import nsnn_neuro as nsnn
from nsnn_neuro import measures
from nsnn_neuro.brian import streaming
from nsnn_neuro.io import save_load

def peak():
    # the mark of this program alone; what getrusage tells begins with that of the process that started it
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().split("VmHWM:")[1].split()[0])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

def told(path, **how):
    peaks.append(peak())
    return load(path, **how)

streaming.MEMBER_STEPS, streaming.RUN = 2**18, 2**17  # as a larger run would have: several windows, both times
peaks, load, save_load.load = [], save_load.load, told
cell = nsnn.NSNNNeuron(beta=0.5)
block = nsnn.simulate(cell, nsnn.EscapeNoise(nsnn.Gaussian(0.5)), nsnn.Constant(0.8), n_neurons=20_000,
    duration=int(sys.argv[2]) * ms, dt=1 * ms, seed=1, engine="numpy", out=sys.argv[1])
peaks.append(peak())
nsnn.save(block, sys.argv[1])
nsnn.tabulate(block, [measures.cv, functools.partial(measures.fano_factor, window=20 * ms)])
peaks.append(peak())
print(json.dumps([measures.as_trains(block).times.size, *peaks]))
"""


@pytest.mark.slow
def test_memory_per_spike(tmp_path):
    """Peaks of two runs of which one has four times the spikes: none of them in memory until they are loaded.

    A spike of a Block has 16 bytes; loading, saving and measuring it may take as much again a few times.
    """
    here = Path(__file__).resolve().parents[1]
    told = []
    for steps in (150, 1000):  # so many that the allocator, some megabytes, matters little
        out = subprocess.run(
            [sys.executable, "-c", PEAKS, str(tmp_path / "a.nwb"), str(steps)],
            env=os.environ | {"PYTHONPATH": str(here.parent)},
            capture_output=True,
            text=True,
            check=True,
        )
        told.append(json.loads(out.stdout.splitlines()[-1]))
    spikes, run, loaded, measured = np.diff(told, axis=0)[0]
    assert told[0][0] > 4 * 2**17  # sorted runs
    assert spikes > 2e6
    assert run < 4 * spikes
    assert loaded < 60 * spikes
    assert measured < 110 * spikes
