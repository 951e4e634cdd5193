"""C++ standalone: one compiled program serves every run of the same equations and sizes, with the results of a fresh build."""
# Imports internals: it counts and replaces compilations, which leave results as they are.

from __future__ import annotations

import contextlib
import errno
import gc
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import brian2
import pytest
from brian2 import Hz, ms, mV, prefs
from helpers.unoptimised import FLAGS as PLAIN_FLAGS

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.brian import FLAGS, compiler, standalone
from nsnn_neuro.brian.find_compiler import find_compiler
from nsnn_neuro.brian.program_progress import HEADER_TEXT
from nsnn_neuro.core import program_cache, temporary_folder

pytestmark = [pytest.mark.slow, pytest.mark.compile]

ROOT = Path(__file__).resolve().parents[2]


class Ran(Exception):
    """Stands for the run of a program that a test is not interested in."""


@pytest.fixture
def key(monkeypatch):
    """A function that gives the key under which a simulation's program is kept, without compiling it."""
    found = []

    def fetch(key, target):
        found.append(key)
        raise Ran

    def key(*args, **kwargs):
        with pytest.raises(Ran):
            nsnn.simulate(*args, **{"duration": 20 * ms, "seed": 1, "engine": "cpp"} | kwargs)
        return found[-1]

    monkeypatch.setattr(program_cache, "fetch", fetch)
    return key


def lif(**changed):
    values = {"tau_m": 20, "v_rest": 0, "v_reset": 10, "v_thresh": 20, "tau_refrac": 2} | changed
    return nsnn.LIF(**{name: x * (ms if name.startswith("tau") else mV) for name, x in values.items()})


def populations(change: int):
    """A network of each kind of noise and stimulus, with one set of values or another."""
    parts = [
        [(lif(), nsnn.OUNoise(3 * mV, 5 * ms, shared=0.5), nsnn.Step(15 * mV, 5 * ms, 10 * ms)),
         (lif(v_thresh=15), nsnn.OUNoise(2 * mV, 7 * ms, shared=0.2), nsnn.Step(12 * mV, 4 * ms, 11 * ms))],
        [(lif(), nsnn.WhiteNoise(3 * mV), nsnn.FrozenNoise(15 * mV, 2 * mV, 5 * ms, 3)),
         (lif(), nsnn.WhiteNoise(3 * mV), nsnn.FrozenNoise(14 * mV, 1 * mV, 6 * ms, 4))],
        [(nsnn.NSNNNeuron(beta=0.5), nsnn.EscapeNoise(nsnn.Logistic(0.4)), nsnn.Sinusoid(1, 3, 10 * Hz)),
         (nsnn.NSNNNeuron(beta=0.25, theta=2.0), nsnn.EscapeNoise(nsnn.Logistic(1.0)), nsnn.Sinusoid(1, 9, 30 * Hz, 0.5))],
        [(lif(), nsnn.PoissonNoise(1000 * Hz, 0.3 * mV, rate_inh=200 * Hz, weight_inh=0.2 * mV), None),
         (lif(), nsnn.PoissonNoise(900 * Hz, 1 * mV, rate_inh=20 * Hz, weight_inh=-0.1 * mV), None)],
    ]  # fmt: skip
    chosen = [both[change] for both in parts]
    return nsnn.Network(
        [nsnn.Population(2, cell, noise=noise, stimulus=drive, name=f"p{k}") for k, (cell, noise, drive) in enumerate(chosen)]
    )  # fmt: skip


def test_values_are_not_in_the_key(key):
    assert key(populations(0)) == key(populations(1), seed=2, dt=0.1 * ms)


def test_what_is_compiled_is_in_the_key(key, monkeypatch):
    model = (lif(), nsnn.WhiteNoise(3 * mV), nsnn.Constant(15 * mV))
    keys = [
        key(*model),
        key(*model, trials=2),
        key(*model, bridge=False),
        key(*model, record_v=True),
        key(lif(tau_m=[20]), *model[1:]),
    ]
    flags = prefs.codegen.cpp.extra_compile_args_gcc
    try:
        prefs.codegen.cpp.extra_compile_args_gcc = ["-O1"]
        keys.append(key(*model))
    finally:
        prefs.codegen.cpp.extra_compile_args_gcc = flags
    ask = compiler._ask
    monkeypatch.setattr(compiler, "_ask", lambda *args: (ask(*args)[0], "another compiler or processor"))
    keys.append(key(*model))
    monkeypatch.setattr(standalone, "version", lambda package: "another version")
    keys.append(key(*model))
    assert len(set(keys)) == len(keys)


@pytest.fixture(scope="module")
def cache(tmp_path_factory, unoptimised):
    """A cache folder, and a folder for temporary files, of this module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NSNN_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(program_cache, "_stand_ins", {})
        patch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("temporary")))
        yield Path(tempfile.tempdir)


@pytest.fixture
def compiled(cache, monkeypatch):
    """The list of what is compiled from here on."""
    calls, make = [], compiler.make
    monkeypatch.setattr(compiler, "make", lambda directory: (calls.append(directory), make(directory)))
    return calls


def spikes(*args, **kwargs):
    block = nsnn.simulate(*args, **kwargs)
    return [[t.magnitude.tolist() for t in segment.spiketrains] for segment in block.segments]


MODEL = {
    "model": lif(v_thresh=[20, 18, 22]),
    "noise": nsnn.WhiteNoise(3 * mV),
    "stimulus": nsnn.Sinusoid(20 * mV, 2 * mV, 10 * Hz),
    **{"n_neurons": 3, "trials": 2, "duration": 200 * ms, "seed": 1},
}
CHANGES = [
    {"seed": 2},
    {"noise": nsnn.WhiteNoise(1.5 * mV)},
    {"model": lif(v_thresh=[20, 18, 22], tau_m=10, tau_refrac=3.3)},
    {"model": lif(v_thresh=[21, 16, 19])},
    {"stimulus": nsnn.Sinusoid(21 * mV, 5 * mV, 30 * Hz)},
    {"duration": 300 * ms, "seed": 2**40},
    {"dt": 0.2 * ms},
]


def test_one_program_serves_new_values_and_gives_the_spikes_of_numpy(compiled, cache):
    """The oracle, Brian2's NumPy target, compiles nothing. A damaged program is not trusted but made again."""
    seen = []
    for change in [{}, *CHANGES]:
        found = spikes(**MODEL | change, engine="cpp")
        assert found == spikes(**MODEL | change, engine="numpy"), change
        seen.append(str(found))
    assert len(set(seen)) == len(seen)
    assert len(compiled) == 1
    (entry,) = program_cache.entries()
    program = program_cache.folder() / entry.key / "program"
    program.write_bytes(program.read_bytes()[:-100])
    for _ in range(2):
        assert spikes(**MODEL | change, engine="cpp") == found
        assert len(compiled) == 2
    assert list(cache.iterdir()) == []


def test_a_network_is_compiled_once(compiled, cache):
    net = {"g": 5, "eta": 2, "n_e": 40, "n_i": 10, "epsilon": 0.2, "J": 2 * mV}
    run = {"duration": 100 * ms, "trials": 2}
    for changed, seed in (({}, 1), ({"g": 3, "eta": 1.7, "J": 1.5 * mV, "delay": 0.7 * ms, "seed": 3}, 2)):
        found = spikes(nsnn.brunel(**net | changed), seed=seed, engine="cpp", **run)
        assert sum(len(t) for trial in found for t in trial) > 200
        assert found == spikes(nsnn.brunel(**net | changed), seed=seed, engine="numpy", **run)
    assert len(compiled) == 1
    assert list(cache.iterdir()) == []


PLAIN = f"""
from brian2 import ms, mV, prefs, second
import nsnn_neuro as nsnn
prefs.codegen.cpp.extra_compile_args_gcc = {PLAIN_FLAGS}
"""
SCRIPT = f"""{PLAIN}
cell = nsnn.LIF(tau_m=20*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
block = nsnn.simulate(cell, nsnn.OUNoise(3*mV, 5*ms), nsnn.Constant(22*mV), duration=50*ms, seed=1, engine="cpp")
print(len(block.segments[0].spiketrains[0]))
"""


def process(*, seed, **environment):
    """A process that runs the script, with hashes of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed, **environment}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def test_two_processes_at_once_make_one_entry(cache, tmp_path):
    """And agree on its key whatever the order of their sets and dicts."""
    places = {"NSNN_CACHE_DIR": str(tmp_path / "cache"), "TMPDIR": str(cache)}
    both = [process(seed=seed, **places) for seed in "12"]
    told = [p.communicate() for p in both]
    assert [p.returncode for p in both] == [0, 0], told
    assert told[0][0] == told[1][0]
    (entry,) = (tmp_path / "cache" / "cpp").iterdir()
    assert sorted(path.name for path in entry.iterdir()) == ["program", "sha256"]
    assert list(cache.iterdir()) == []


def wrapper(folder: Path, text: str) -> str:
    """A compiler that does something of its own before it compiles."""
    path = folder / "c++"
    path.write_text(f'#!/bin/sh\n{text}\nexec {" ".join(find_compiler())} "$@"\n')
    path.chmod(0o755)
    return str(path)


def goes_on(process: str) -> bool:
    """False of a process that has ended, also where its new parent has not asked for its exit code yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("name", ["cpp", "cython"])
def test_ctrl_c_ends_the_compiler_and_leaves_nothing(cache, tmp_path, monkeypatch, capfd, name):
    """A SIGINT to this process alone, from the compiler at its first file; nothing is said of Brian2's objects."""
    monkeypatch.setenv("TMPDIR", str(cache))
    text = f"""for a in "$@"; do if [ "$a" = -c ] || [ "$a" = -shared ]; then
    touch $TMPDIR/cc.s; echo $$ >> {tmp_path}/started; kill -INT {os.getpid()}; sleep 30; exit 1; fi; done"""
    monkeypatch.setenv("CXX", wrapper(tmp_path, text))
    before = program_cache.entries(name)
    with pytest.raises(KeyboardInterrupt):
        spikes(**MODEL, engine=name)
    for started in (tmp_path / "started").read_text().split():
        for _ in range(100):
            if not goes_on(started):
                break
            time.sleep(0.05)
        else:
            pytest.fail("the compiler goes on")
    assert program_cache.entries(name) == before
    assert list(cache.iterdir()) == []
    gc.collect()
    assert capfd.readouterr().err == ""


def test_a_killed_process_leaves_no_entry(cache, tmp_path):
    text = f"""for a in "$@"; do if [ "$a" = -c ]; then touch {tmp_path}/started; sleep 2; fi; done"""
    places = {"NSNN_CACHE_DIR": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    killed = process(seed="0", CXX=wrapper(tmp_path, text), **places)
    while not (tmp_path / "started").exists():
        assert killed.poll() is None, killed.communicate()
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert list((tmp_path / "cache").rglob("*")) == []


LONG = f"""{PLAIN}
cell = nsnn.LIF(tau_m=20*ms, v_rest=0*mV, v_reset=10*mV, v_thresh=20*mV, tau_refrac=2*ms)
nsnn.simulate(cell, nsnn.WhiteNoise(1*mV), n_neurons=500, duration=10_000*second, seed=1, engine="cpp", threads=2)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/exe"), reason="no list of processes")
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
def test_a_program_ends_with_its_process_and_the_next_removes_its_folder(
    cache, tmp_path, monkeypatch, number
):
    def programs() -> list[str]:
        """The processes that run a program below the folder."""
        found = []
        for link in Path("/proc").glob("[0-9]*/exe"):
            with contextlib.suppress(OSError):
                if os.readlink(link).startswith(str(tmp_path)):
                    found.append(link.parent.name)
        return found

    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    process = subprocess.Popen([sys.executable, "-c", LONG], env=environment)
    while not list(tmp_path.glob("nsnn_*/results/progress")):
        assert process.poll() is None
        time.sleep(0.05)
    running = programs()
    assert len(running) == 2
    process.send_signal(number)
    assert process.wait() == -number
    end = time.monotonic() + 20
    while any(goes_on(program) for program in running):
        assert time.monotonic() < end, "the program goes on"
        time.sleep(0.05)
    assert len(list(tmp_path.glob("nsnn_*"))) == 1
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_folder.temporary_folder() as folder:
        assert list(tmp_path.glob("nsnn_*")) == [folder]


def test_without_prctl_a_program_notices_the_end_of_the_pipe(tmp_path):
    """As on macOS: the calls at its start and with each report."""
    source, program = tmp_path / "pipe.cpp", tmp_path / "pipe"
    source.write_text(f"{HEADER_TEXT}\nint main() {{ nsnn_end_without_parent(); return 7; }}")
    command = [*find_compiler(), "-U__linux__", "-xc++", str(source), "-o", str(program)]
    assert standalone.call(command, str(tmp_path)) == (0, "")
    assert standalone.call([str(program)], str(tmp_path)) == (7, "")
    assert standalone.call([str(program)], str(tmp_path), with_parent=True) == (7, "")
    ends = os.pipe()
    os.close(ends[1])
    assert subprocess.run([program], stdin=ends[0], check=False).returncode == 1
    os.close(ends[0])


def test_a_compiler_without_a_flag_does_without(tmp_path, monkeypatch):
    """One call when it takes all, one for each flag when it doesn't."""
    lacking = FLAGS[0].split("=")[1]
    text = f"""echo >> {tmp_path}/calls
    for a in "$@"; do case "$a" in *{lacking}*) echo unknown >&2; exit 1;; esac; done"""
    known = compiler.usable([*FLAGS, "-O2"])
    monkeypatch.setenv("CXX", wrapper(tmp_path, text))
    flags = compiler.usable([*FLAGS, "-O2"])
    assert flags == [flag for flag in known if lacking not in flag]
    assert "-O2" in flags
    calls = len((tmp_path / "calls").read_text())
    compiler.usable([*FLAGS, "-O2"])
    assert len((tmp_path / "calls").read_text()) == calls == 5


FAILING = (
    """for a in "$@"; do if [ "$a" = -c ] || [ "$a" = -shared ]; then echo bad luck >&2; exit 1; fi; done"""
)


@pytest.mark.parametrize(("name", "other"), [("cpp", "cython"), ("cython", "numpy")])
def test_compiling_is_announced_where_a_bar_is_shown_and_a_failing_compiler_is_quoted(
    cache, tmp_path, monkeypatch, capsys, name, other
):
    monkeypatch.setenv("CXX", wrapper(tmp_path, FAILING))
    for progress in (True, False):
        with pytest.raises(NsnnError, match=rf'engine = "{name}": (?s:.*)bad luck(?s:.*)engine="{other}"'):
            spikes(**MODEL, engine=name, progress=progress)
        assert capsys.readouterr().err.count(compiler.ANNOUNCEMENT) == progress
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("name", ["numpy", "cpp"])
def test_a_full_disk_is_named(cache, monkeypatch, name):
    """It stands for the device of a run that writes to it, and for an object of Brian2's, which wraps the error."""
    full = OSError(errno.ENOSPC, "No space left on device", "/somewhere/main.cpp")

    def write(*args, **kwargs):
        raise full

    monkeypatch.setattr(standalone.Device, "build", write)
    monkeypatch.setattr(brian2.NeuronGroup, "before_run", write)
    with pytest.raises(
        NsnnError, match=r"disk is full \(/somewhere/main.cpp\): free some space, or set TMPDIR"
    ):
        spikes(**MODEL, engine=name)
    assert list(cache.iterdir()) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is full")
def test_results_that_cannot_be_written_are_no_results(cache, monkeypatch):
    """Brian2's program would end as if all were well, with spikes missing."""
    call = standalone.call

    def on_a_full_disk(command, directory, *rest, **more):
        if "--results_dir" in command:
            text = (Path(directory) / "objects.cpp").read_text(encoding="utf-8")
            (name,) = set(re.findall(r'results_dir \+ "(\w*dynamic_array_spikes_0_i\w*)"', text))
            (Path(directory) / "results" / name).symlink_to("/dev/full")
        return call(command, directory, *rest, **more)

    monkeypatch.setattr(standalone, "call", on_a_full_disk)
    with pytest.raises(NsnnError, match=r"the disk is full \(.*results"):
        spikes(**MODEL, engine="cpp")
    assert list(cache.iterdir()) == []
