"""Engines: choice and fall-back, global state restored, progress, and the user's own Brian2 model left alone."""

from __future__ import annotations

import os
import signal

import brian2
import numpy as np
import pytest
from brian2 import NeuronGroup, SpikeMonitor, ms, mV, prefs, second

import nsnn_neuro as nsnn
from nsnn_neuro import engine
from nsnn_neuro.errors import NsnnError

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
RUN = {"n_neurons": 4, "duration": 100 * ms, "seed": 1}


def state():
    return (
        brian2.get_device(),
        prefs.codegen.target,
        prefs.core.stop_on_keyboard_interrupt,
        float(brian2.defaultclock.dt),
        tuple(np.random.get_state()[1]),  # noqa: NPY002 - the legacy state is what must stay
        list(engine.brian_device.previous_devices),
    )


def go(name):
    block = nsnn.simulate(CELL, nsnn.WhiteNoise(3 * mV), nsnn.Constant(22 * mV), engine=name, **RUN)
    return [t.magnitude.tolist() for t in block.segments[0].spiketrains]


@pytest.mark.compile
def test_alternating_engines_leave_no_trace():
    brian2.defaultclock.dt = 0.25 * ms
    prefs.codegen.target = "numpy"
    try:
        before = state()
        runs = []
        for name in ("numpy", "cpp", "cython", "numpy", "cpp"):
            runs.append(go(name))
            assert state() == before, name
        assert all(run == runs[0] for run in runs)
    finally:
        brian2.defaultclock.dt = 0.1 * ms
        prefs.codegen.target = "auto"


@pytest.mark.parametrize("name", ["numpy", pytest.param("cpp", marks=pytest.mark.compile)])
def test_an_exception_leaves_no_trace(name, monkeypatch):
    before = state()

    def broken(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "run", broken)
    with pytest.raises(KeyboardInterrupt):
        go(name)
    assert state() == before


@pytest.mark.compile
def test_a_standalone_model_being_built_by_the_user_survives():
    """The user's own C++ standalone project, half written, runs to its end after a simulate() in between."""
    brian2.set_device("cpp_standalone", build_on_run=False)
    try:
        group = NeuronGroup(
            3, "dv/dt = 90*Hz : 1", threshold="v > 1", reset="v = 0", method="euler", name="mine"
        )
        monitor = SpikeMonitor(group, name="mine_spikes")
        network = brian2.Network(group, monitor)
        between = go("numpy")
        network.run(50 * ms, namespace={})
        brian2.device.build(compile=True, run=True, with_output=False, directory=None)
        assert monitor.num_spikes == 3 * 4
    finally:
        brian2.device.delete(force=True)
        brian2.device.reinit()
        engine.brian_device.reset_device("runtime")
        engine.brian_device.previous_devices.clear()
    assert between == go("numpy")


def test_ctrl_c_raises_and_leaves_no_half_block():
    """One real SIGINT in the middle of a run: KeyboardInterrupt, not a Block of the first part.

    One only: Brian2's handler, which would end the run quietly, gives way to a second.
    """
    before, sent = state(), []

    def interrupt(fraction):
        if 0 < fraction < 1 and not sent:
            sent.append(fraction)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        nsnn.simulate(CELL, duration=20 * second, engine="numpy", progress=interrupt)
    assert len(sent) == 1
    assert state() == before


def test_numpy_seed_and_other_randomness_do_not_matter():
    first = go("numpy")
    saved = np.random.get_state()  # noqa: NPY002
    try:
        np.random.seed(5)  # noqa: NPY002
        brian2.seed(77)
        assert go("numpy") == first
    finally:
        np.random.set_state(saved)  # noqa: NPY002


def test_without_a_compiler_numpy_runs_with_one_warning(monkeypatch):
    monkeypatch.setattr(engine, "has_compiler", lambda: False)
    with pytest.warns(engine.NoCompilerWarning, match="install one") as record:
        block = nsnn.simulate(CELL, nsnn.WhiteNoise(3 * mV), nsnn.Constant(22 * mV), **RUN)
    assert sum(w.category is engine.NoCompilerWarning for w in record) == 1
    assert block.annotations["parameters"]["engine"] == "numpy"
    with pytest.raises(NsnnError, match="needs a C\\+\\+ compiler"):
        engine.choose("cpp")


def test_has_compiler_looks_at_the_path(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    assert not engine.has_compiler()
    fake = tmp_path / "clang++"
    fake.write_text("#!/bin/sh\n")
    fake.chmod(0o755)
    assert engine.has_compiler()


def test_progress_reports_fractions_up_to_one():
    seen = []
    nsnn.simulate(CELL, duration=300 * ms, engine="numpy", progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_progress_is_silent_unless_asked(capfd):
    nsnn.simulate(CELL, duration=100 * ms, engine="numpy")
    assert capfd.readouterr() == ("", "")
