"""Engines: choice and fall-back, global state restored, progress, and the user's own Brian2 model left alone."""
# Imports internals: it replaces compilers and states of Brian2 that no argument sets.

from __future__ import annotations

import hashlib
import itertools
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import types

import brian2
import mpmath
import numpy as np
import pytest
from brian2 import NeuronGroup, SpikeMonitor, ms, mV, prefs, second
from helpers.unoptimised import FLAGS

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.brian import cython_build, cython_target, engine

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
HERE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
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


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.compile
def test_a_standalone_model_being_built_by_the_user_survives(monkeypatch):
    """The user's own C++ standalone project, half written, runs to its end after a simulate() in between."""
    monkeypatch.setitem(prefs, "codegen.cpp.extra_compile_args_gcc", FLAGS)
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
        block = nsnn.simulate(CELL, nsnn.WhiteNoise(3 * mV), nsnn.Constant(22 * mV), engine="cython", **RUN)
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


def compiled_by(call):
    """The texts that a call would compile with Cython; nothing is compiled, nothing happens."""
    found = set()

    def load(code, *args):
        found.add(code)
        return types.SimpleNamespace(main=lambda namespace: None)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cython_build, "load", load)
        call()
    return found


def modules(*args, **kwargs):
    return compiled_by(lambda: nsnn.simulate(*args, **RUN | {"engine": "cython"} | kwargs))


NET = {"g": 5, "eta": 2, "n_e": 40, "n_i": 10, "epsilon": 0.2, "J": 2 * mV}


@pytest.mark.slow
@pytest.mark.compile
def test_cython_compiles_no_new_value():
    """Parameters, seed, duration, step, and sizes too, are data of a Cython module."""
    cell = nsnn.LIF(tau_m=9 * ms, v_rest=-1 * mV, v_reset=0 * mV, v_thresh=19 * mV, tau_refrac=1.23 * ms)
    texts = modules(CELL, nsnn.WhiteNoise(3 * mV), nsnn.Sinusoid(22 * mV, 1 * mV, 5 * brian2.Hz))
    assert len(texts) >= 3
    changed = {"n_neurons": 5, "trials": 2, "duration": 50 * ms, "dt": 0.05 * ms, "seed": 2**40}
    stimulus = nsnn.Sinusoid(2 * mV, 3 * mV, 7 * brian2.Hz)
    assert modules(cell, nsnn.WhiteNoise(1 * mV), stimulus, **changed) == texts
    assert modules(CELL, nsnn.OUNoise(3 * mV, 5 * ms), stimulus) != texts
    # they read what they use, and conductances call no function of Python
    conductances = nsnn.ConductanceNoise(
        g_e=0.3, sigma_e=0.1, tau_e=3 * ms, e_rev_e=70 * mV, g_i=0.2, sigma_i=0.1, tau_i=10 * ms, e_rev_i=-10 * mV
    )  # fmt: skip
    for text in texts | (evaluating := modules(CELL, conductances)):
        assert not re.search(r"\] _buf_", text)
        assert not re.search(r"(?<!smooth_)exprel\(", text)
    assert any("nsnn_smooth_exprel(" in text for text in evaluating)
    other = NET | {"g": 6, "eta": 1.5, "J": 1 * mV, "delay": 1 * ms, "seed": 3, "n_e": 50}
    assert modules(nsnn.brunel(**NET), n_neurons=1) == modules(nsnn.brunel(**other), n_neurons=1, seed=2)
    # equal layers have the same texts
    noise = nsnn.EscapeNoise(nsnn.Gaussian(0.4))
    cells = [nsnn.Population(3, nsnn.NSNNNeuron(), noise=noise, name=f"layer{k}") for k in range(6)]
    wires = [nsnn.Projection(a, b, rule=nsnn.AllToAll(), weight=0.5) for a, b in itertools.pairwise(cells)]
    four, six = (modules(nsnn.Network(cells[:n], wires[: n - 1]), n_neurons=1) for n in (4, 6))
    assert four == six


def test_the_data_of_a_dynamic_array_have_its_number() -> None:
    """As Brian2 writes them from 2.10 on; unless they are an array that is read by itself."""
    text = "_namespace['_dynamic_array_b_capsule'] _dynamic_array_b_ptr _array_b[0]"
    assert (
        cython_target.with_numbered_arrays({"run": text})[0]["run"]
        == "_namespace['_dynamic_array_0'] _dynamic_array_0_ptr _array_0[0]"
    )
    both, _ = cython_target.with_numbered_arrays({"run": f"{text} _namespace['_array_b']"})
    assert both["run"].endswith("_array_1[0] _namespace['_array_1']")


@pytest.mark.slow
@pytest.mark.compile
def test_cython_compiles_the_same_text_in_every_process():
    """Whatever the order of their sets."""
    script = (
        "import hashlib, test_engine as t\n"
        "print(hashlib.sha256(''.join(sorted(t.modules(t.nsnn.brunel(**t.NET), n_neurons=1))).encode()).hexdigest())"
    )
    paths = [os.path.join(HERE, "brian"), HERE, os.path.dirname(HERE)]
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONPATH": os.pathsep.join(paths)}
    other = subprocess.check_output([sys.executable, "-c", script], env=environment, text=True)
    texts = modules(nsnn.brunel(**NET), n_neurons=1)
    assert len(texts) >= 8
    assert other.strip() == hashlib.sha256("".join(sorted(texts)).encode()).hexdigest()


@pytest.mark.slow
@pytest.mark.compile
def test_smooth_functions_are_those_that_they_are_named_after():
    x = np.concatenate([np.linspace(-37, 39, 4001), [-np.inf, np.inf, np.nan, -50.0, 0.0]])
    large = np.concatenate([np.linspace(-707, 708, 4001), [-np.inf, np.inf, np.nan, -800.0, 0.0]])
    small = np.concatenate(
        [np.linspace(-3, 3, 2001), np.geomspace(1e-300, 1, 1000), -np.geomspace(1e-300, 1, 1000)]
    )
    small = np.concatenate([small, np.linspace(-707, 707, 5)])
    with engine.running("cython"):
        group = NeuronGroup(
            len(x),
            "x : 1\nlarge : 1\ncdf : 1\npower : 1\nsmall : 1\nratio : 1\nratio_large : 1",
            namespace=engine.functions(),
            dt=1 * ms,
            name="smooth_functions",
        )
        group.x, group.large, group.small = x, large, small
        group.run_regularly(
            "cdf = smooth_normal_cdf(x)\npower = smooth_exp(large)\n"
            "ratio = smooth_exprel(small)\nratio_large = smooth_exprel(large)",
            name="smooth_functions_step",
        )
        brian2.Network(group).run(1 * ms, namespace={})
        cdf, power = np.array(group.cdf), np.array(group.power)
        ratio, ratio_large = np.array(group.ratio), np.array(group.ratio_large)
    with mpmath.workdps(40):
        exact = np.array([float(mpmath.erfc(-mpmath.mpf(v) / mpmath.sqrt(2)) / 2) for v in x[::10]])
        relative = np.array([float(mpmath.expm1(mpmath.mpf(v)) / mpmath.mpf(v)) if v else 1.0 for v in small])
    np.testing.assert_allclose(cdf[::10], exact, rtol=2e-15)
    np.testing.assert_array_equal(cdf[-5:], [0, 1, np.nan, 0, 0.5])
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(power, np.where(large < -708, 0, np.exp(large)), rtol=1e-15)
    np.testing.assert_allclose(ratio, relative, rtol=1e-15)
    np.testing.assert_array_equal(ratio_large[-5:], [0, np.inf, np.nan, 1 / 800, 1])


@pytest.mark.slow
def test_the_compiler_vectorises_the_loop_of_a_layer(tmp_path):
    """Fast learning stands on it: flags, header and text have to go together."""
    gcc = shutil.which("g++")
    if (
        gcc is None
        or "Free Software" not in subprocess.run([gcc, "--version"], capture_output=True, text=True).stdout
    ):
        pytest.skip("the message is that of GCC")
    net = nsnn.feedforward([3, 7], noise=nsnn.EscapeNoise(nsnn.Gaussian(0.4)), plasticity=nsnn.NDL(0.1))
    options = {"loss": nsnn.losses.rate_mse, "epochs": 1, "batch": 2, "validation": 0, "seed": 1}
    texts = compiled_by(lambda: nsnn.train(net, (np.eye(3), np.arange(3)), engine="cython", **options))
    source = tmp_path / "layer.cpp"
    (text,) = {text for text in texts if "] = carried" in text}
    cython_build.translate(text, source.with_suffix(".pyx"))
    lines = source.read_text().splitlines()
    loop = max(n for n, line in enumerate(lines, 1) if re.match(r"  for \(__pyx_t_\d+ = 0;", line))
    arguments = [*prefs.codegen.cpp.extra_compile_args_gcc, *engine.FLAGS]
    own = os.path.dirname(brian2.__file__)
    folders = ("synapses", "devices/cpp_standalone/brianlib")
    includes = [
        sysconfig.get_paths()["include"],
        np.get_include(),
        *(f"{own}/{folder}" for folder in folders),
    ]
    done = subprocess.run(
        [gcc, *arguments, *(f"-I{i}" for i in includes), "-fPIC", "-fno-strict-aliasing", "-fopt-info-vec",
         "-c", str(source), "-o", os.devnull],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    messages = [line for line in done.stderr.splitlines() if f"{source.name}:{loop}:" in line]
    assert any("loop vectorized" in line for line in messages), messages


@pytest.mark.compile
def test_compiled_modules_leave_subnormal_numbers_as_they_are() -> None:
    """A module linked with -ffast-math would make the whole thread round them to zero."""
    cell = nsnn.LIF(tau_m=10 * ms, v_rest=0.0, v_reset=0.0, v_thresh=1.0, tau_refrac=1 * ms)
    noise = nsnn.WhiteNoise(0.3)
    nsnn.simulate(cell, noise, nsnn.Constant(0.5), duration=2 * ms, dt=0.1 * ms, seed=1, engine="cython")
    smallest = np.finfo(float).tiny
    assert np.full(1, smallest)[0] / 2 > 0
