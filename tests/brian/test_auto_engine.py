"""`engine="auto"`: the rule as a table, credit for repeated runs, the record of a model, and what a run says about its choice."""
# Imports internals: the rule and the records have no argument of their own, and compilers are replaced.

from __future__ import annotations

import json
import os
import shutil
import warnings
from pathlib import Path
from typing import Any

import pytest
from brian2 import Hz, ms, mV, second

import nsnn_neuro as nsnn
from nsnn_neuro.brian import auto_engine, compiler, engine, engine_choice, engine_history
from nsnn_neuro.brian.engine_choice import Work, build_seconds, decide
from nsnn_neuro.brian.run_settings import Output, Protocol
from nsnn_neuro.brian.simulate import _system
from nsnn_neuro.brian.single_run import Run
from nsnn_neuro.core import program_cache, run_notes

LIF = {"tau_m": 20 * ms, "v_rest": 0 * mV, "v_reset": 10 * mV, "v_thresh": 20 * mV, "tau_refrac": 2 * ms}
CELL = nsnn.LIF(**LIF)
PARTS = CELL, nsnn.WhiteNoise(3 * mV), nsnn.Constant(22 * mV)
SMALL = Work(steps=1000, noisy=1, noisy_members=10)
LARGE = Work(steps=100_000, noisy=1, noisy_members=1000)
# 1.7 s on NumPy, which counts 2.5 s; compiling in C++ takes 2 s
MIDDLE = Work(steps=15_000, noisy=1)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """A cache folder of this test's own, and no memory of earlier runs."""
    monkeypatch.setenv("NSNN_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(engine_history, "_memory", {})
    monkeypatch.setattr(auto_engine, "_said", set())
    return tmp_path / "cache"


def entry(cache, kind: str, key: str) -> None:
    """An entry of the cache, as far as `has` looks at it."""
    (cache / kind / key).mkdir(parents=True, exist_ok=True)
    (cache / kind / key / "program").touch()


@pytest.mark.parametrize(
    ("work", "given", "expected"),
    [
        (SMALL, {}, "numpy"),
        (LARGE, {"has_compiler": False}, "numpy"),
        (MIDDLE, {"ready": {"numpy"}}, "cpp"),
        (Work(steps=5000, noisy=1), {}, "numpy"),
        (Work(steps=30_000, silent=1), {}, "numpy"),  # without noise: 1.2 s
        (Work(steps=60_000, silent=1), {}, "cpp"),
        (Work(steps=5000, noisy=1), {"ready": {"cython"}}, "cython"),
        (Work(steps=5000, noisy=1), {"ready": {"cython", "cpp"}}, "cpp"),
        # cached Cython is 0.5 s slower than C++: less than a compilation
        (Work(steps=100_000, noisy=1), {"ready": {"cython"}}, "cython"),
        (Work(steps=1_000_000, noisy=1), {"ready": {"cython"}}, "cpp"),
        (SMALL, {"credit": {"cpp": 1.9}}, "cpp"),
        (SMALL, {"credit": {"cpp": 1.0}}, "numpy"),
        (SMALL, {"credit": {"cython": 100.0}}, "cython"),
        (Work(steps=LARGE.steps, noisy=1, noisy_members=1000, spikes=1e8), {}, "cython"),
        (Work(steps=SMALL.steps, noisy=1, noisy_members=10, spikes=1e8), {}, "numpy"),
    ],
)
def test_the_rule(work: Work, given: dict[str, Any], expected: str) -> None:
    choice = decide(work, **{"has_compiler": True} | given)
    assert choice.engine == expected
    assert choice.reason.startswith(f"{expected}: ")


def test_expected_seconds_are_the_sums_of_the_documented_costs() -> None:
    work = Work(10, noisy=2, silent=3, projections=4, noisy_members=500, silent_members=600, arrivals=700.0)
    per_step = 2 * 110 + 3 * 35 + 4 * 50 + 500 * 0.1 + 600 * 0.01 + 700 * 0.05  # us, as in docs/engine.md
    assert decide(work, has_compiler=True).seconds["numpy"] == pytest.approx(10e-6 * per_step)
    assert [build_seconds(name, work) for name in ("cpp", "cython")] == [
        1 + 5 * 1 + 4 * 1,
        11 + 5 * 4 + 4 * 2,
    ]


def test_repeated_short_runs_lose_at_most_one_compilation(cache) -> None:
    """Each run takes 0.1 s on NumPy: after some of them C++ is compiled, and what was lost until then is less than its 2 s."""
    history, lost, engines = engine_history.of({"type": "A"}, [], 1), 0.0, []
    for _ in range(30):
        ready = history.ready()
        choice = decide(SMALL, has_compiler=True, ready=ready | {"numpy"}, credit=history.credit())
        engines.append(choice.engine)
        keys = []
        if choice.engine == "cpp":
            entry(cache, "cpp", "abc")
            keys = ["abc"]
        else:
            lost += choice.seconds["numpy"] - choice.seconds["cpp"]
        history.add(choice.engine, keys, auto_engine._lost(choice, SMALL, ready))
    n = engines.count("numpy")
    assert engines == ["numpy"] * n + ["cpp"] * (30 - n)
    assert 10 < n < 20
    assert lost < build_seconds("cpp", SMALL)


def test_a_model_in_many_sizes_is_compiled_with_cython_in_the_end(cache) -> None:
    """Every run has a new size: C++ compiles each time until that has taken as long as Cython, which serves all sizes."""
    engines = []
    for size in range(15):
        history = engine_history.of({"type": "A"}, [], size)
        ready = history.ready()
        choice = decide(MIDDLE, has_compiler=True, ready=ready, credit=history.credit())
        engines.append(choice.engine)
        entry(cache, choice.engine, f"key{size}")
        history.add(choice.engine, [f"key{size}"], auto_engine._lost(choice, MIDDLE, ready))
    n = engines.count("cpp")
    assert engines == ["cpp"] * n + ["cython"] * (15 - n)
    assert 4 < n < 10


def test_a_record_counts_only_what_is_cached(cache) -> None:
    history = engine_history.of({"type": "A"}, [], 1)
    assert history.ready() == set()
    history.add("cython", ["a", "b"], {"cpp": 0.5, "cython": -1.0})
    entry(cache, "cython", "a")
    assert history.ready() == set()
    entry(cache, "cython", "b")
    assert history.ready() == {"cython"}
    assert engine_history.of({"type": "A"}, [], 2).ready() == {"cython"}  # any size
    assert history.credit() == {"cython": 0.0, "cpp": 0.5}
    assert engine_history.of({"type": "A"}, [], 2).credit() == {"cython": 0.0, "cpp": 0.0}
    entry(cache, "cpp", "c")
    history.add("cpp", ["c"], {"cython": 2.0})
    assert history.ready() == {"cython", "cpp"}
    engine_history._memory.clear()  # another process
    assert history.credit() == {"cython": 2.0, "cpp": 0.5}
    program_cache.clear()
    assert not list((cache / "runs").iterdir())


DAMAGED = [
    "{",
    "[]",
    '{"cython": ["../x"], "spent": 1, "programs": {}}',
    '{"cython": [], "spent": "1", "programs": {}}',
    '{"cython": [], "spent": 1, "programs": {"p": {"cpp": 1, "spent": 0}}}',
    "\x00",
    "[" * 60_000,
    f'{{"cython": [], "spent": {10**400}, "programs": {{}}}}',
    '{"cython": [], "spent": NaN, "programs": {}}',
    '{"cython": [], "spent": -1, "programs": {}}',
    f'{{"cython": ["{"a" * 5000}"], "spent": 1, "programs": {{}}}}',
    " " * 70_000 + '{"cython": [], "spent": 1, "programs": {}}',
]


def test_a_damaged_note_or_one_that_is_no_file_is_none(cache) -> None:
    """And is replaced. In particular, a FIFO is not waited for."""
    history = engine_history.of({"type": "A"}, [], 1)
    history.add("cython", [], {"cython": 0.5})
    note, aside = cache / "runs" / history.model, cache / "runs" / "aside"
    shutil.copy(note, aside)
    others = (
        os.mkfifo,
        Path.mkdir,
        lambda note: note.symlink_to("aside"),
        lambda note: note.symlink_to("/dev/zero"),
    )
    for make in (*(lambda _, text=text: run_notes.write(history.model, text) for text in DAMAGED), *others):
        note.unlink()
        make(note)
        engine_history._memory.clear()  # another process
        assert (history.ready(), history.credit()) == (set(), {"cython": 0.0, "cpp": 0.0})
        history.add("cpp", ["a"], {"cython": 0.25})
        assert history.credit() == {"cython": 0.25, "cpp": 0.0}
        if note.is_dir():
            note.rmdir()
            note.touch()


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no owners of files")
def test_notes_of_an_open_folder_are_not_read_and_old_ones_go(cache, monkeypatch) -> None:
    monkeypatch.setattr(run_notes, "_MOST", 3)
    for k in range(5):
        run_notes.write(f"n{k}", str(k))
        os.utime(cache / "runs" / f"n{k}", (k, k))
    assert sorted(p.name for p in (cache / "runs").iterdir()) == ["n2", "n3", "n4"]
    assert run_notes.read("n4") == "4"
    (cache / "runs").chmod(0o777)
    assert run_notes.read("n4") is None
    run_notes.write("n5", "5")
    assert not (cache / "runs" / "n5").exists()


def history_of(parts=PARTS, *, n_neurons=4, record_v=None, **changed: Any) -> engine_history.History:
    given = {"trials": 2, "duration": 100 * ms, "dt": None, "seed": 1, "bridge": True} | changed
    return auto_engine.history_of(Run(_system(*parts, n_neurons), Protocol(**given), Output(record_v)))


def test_a_record_is_of_the_equations_and_a_program_also_of_the_sizes() -> None:
    first = history_of()
    other = nsnn.LIF(**LIF | {"tau_m": 10 * ms}), nsnn.WhiteNoise(1 * mV), nsnn.Constant(5 * mV)
    assert history_of(other, seed=9, duration=1 * second) == first
    for changed in ({"n_neurons": 5}, {"trials": 3}, {"record_v": [0]}):
        new = history_of(**changed)
        assert (new.model == first.model) is (changed != {"record_v": [0]})
        assert new.program != first.program
    noises = nsnn.OUNoise(3 * mV, 5 * ms), nsnn.WhiteNoise(0 * mV), None
    models = [history_of((CELL, noise, PARTS[2])).model for noise in noises]
    models += [history_of(bridge=False).model, history_of(n_neurons=2000).model, first.model]
    models += [history_of((*PARTS[:2], nsnn.Sinusoid(20 * mV, 1 * mV, 5 * Hz))).model]
    per_neuron = nsnn.LIF(**LIF | {"v_thresh": [20, 19, 18, 17] * mV})
    models += [history_of((per_neuron, *PARTS[1:])).model]
    assert len(set(models)) == len(models)
    samples = *PARTS[:2], nsnn.FrozenNoise(14 * mV, 1 * mV, 6 * ms, 4)
    assert history_of(samples).program != history_of(samples, duration=200 * ms).program


def test_the_work_of_a_network() -> None:
    cells = nsnn.Population(40, CELL, noise=nsnn.WhiteNoise(3 * mV), name="cells")
    calm = nsnn.Population(10, CELL, name="calm")
    rules = [(cells, cells, nsnn.FixedProbability(0.2)), (cells, calm, nsnn.AllToAll())]
    net = nsnn.Network([cells, calm], [nsnn.Projection(*ends, rule=r, weight=1 * mV) for *ends, r in rules])
    run = Run(_system(net, None, None, 1), Protocol(3, 100 * ms, None, 1, True))
    synapses = [net.connections(p).pre.size for p in net.projections]
    assert synapses[1] == 400
    work = auto_engine.work(run)
    assert (work.steps, work.noisy, work.silent, work.projections) == (1000, 1, 1, 2)
    assert (work.noisy_members, work.silent_members, work.spikes) == (120, 30, 0.0)
    assert work.arrivals == pytest.approx(3 * sum(synapses) * 50 * 1e-4)


class Ran(Exception):
    """Stands for a run that a test is not interested in."""


def target_of(monkeypatch, *args: Any, **kwargs: Any) -> str:
    """The engine on which `simulate` would run."""

    def execute(self: Run, target: str, progress: Any) -> None:
        raise Ran(target)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "execute", execute)
        with pytest.raises(Ran) as ran:
            nsnn.simulate(*args, seed=1, **kwargs)
    return str(ran.value)


@pytest.mark.compile
def test_small_runs_are_numpys_large_ones_are_compiled_and_an_explicit_engine_stays(
    cache, monkeypatch
) -> None:
    assert target_of(monkeypatch, *PARTS, duration=10 * ms) == "numpy"
    assert target_of(monkeypatch, *PARTS, duration=10 * second) == "cpp"
    assert target_of(monkeypatch, *PARTS, n_neurons=10_000, duration=1 * second) == "cpp"
    for name, duration in (("numpy", 10 * second), ("cython", 1 * ms), ("cpp", 1 * ms)):
        assert target_of(monkeypatch, *PARTS, duration=duration, engine=name) == name


def test_without_a_compiler_numpy_runs_and_only_long_runs_are_warned_of(cache, monkeypatch) -> None:
    monkeypatch.setattr(engine, "has_compiler", lambda: False)
    with warnings.catch_warnings():
        warnings.simplefilter("error", engine.NoCompilerWarning)
        assert target_of(monkeypatch, *PARTS, duration=10 * ms) == "numpy"
    with pytest.warns(engine.NoCompilerWarning, match="install one"):
        assert target_of(monkeypatch, *PARTS, duration=100 * second) == "numpy"


def test_the_choice_is_in_the_block_and_on_stderr_once_where_bars_are_shown(cache, capsys) -> None:
    run = {"duration": 1 * ms, "seed": 1, "noise": None}
    block = nsnn.simulate(CELL, **run, progress=False)
    assert block.annotations["engine_choice"].startswith("numpy: about 0.1 s")
    assert block.annotations["parameters"]["engine"] == "numpy"
    assert "engine" not in capsys.readouterr().err
    auto_engine._said.clear()
    nsnn.simulate(CELL, **run, progress=True)
    assert f'engine="auto" has chosen {block.annotations["engine_choice"]}' in capsys.readouterr().err
    nsnn.simulate(CELL, **run, progress=True)
    assert 'engine="auto"' not in capsys.readouterr().err
    assert "engine_choice" not in nsnn.simulate(CELL, **run, engine="numpy").annotations


@pytest.mark.slow
@pytest.mark.compile
@pytest.mark.usefixtures("unoptimised")
def test_runs_that_change_the_engine_keep_their_spikes_and_programs_last(cache, monkeypatch) -> None:
    """NumPy first; with the credit of earlier runs C++, then the cached program, also for other parameters."""
    made: list[str] = []
    make = compiler.make
    monkeypatch.setattr(compiler, "make", lambda folder: (made.append(folder), make(folder)))
    monkeypatch.setitem(engine_choice.BUILD, "cpp", (1.0, 0.0, 0.0))
    monkeypatch.setattr(engine_choice, "_NUMBA", 0.0)

    def run(**changed: Any) -> tuple[str, list]:
        block = nsnn.simulate(*PARTS, **{"n_neurons": 3, "duration": 120 * ms, "seed": 1} | changed)
        trains = [train.magnitude.tolist() for train in block.segments[0].spiketrains]
        return block.annotations["parameters"]["engine"], trains

    runs = [run() for _ in range(12)]
    engines = [name for name, _ in runs]
    n = engines.count("numpy")
    assert 0 < n < 12
    assert engines == ["numpy"] * n + ["cpp"] * (12 - n)
    assert all(trains == runs[0][1] for _, trains in runs)
    assert sum(map(len, runs[0][1])) > 3
    assert run(seed=2)[0] == "cpp"
    assert len(made) == 1
    stored = json.loads(next((cache / "runs").iterdir()).read_text())
    (program,) = stored["programs"].values()
    assert [entry.key for entry in program_cache.entries("cpp")] == program["cpp"]
