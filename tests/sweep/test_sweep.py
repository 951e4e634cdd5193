"""Sweeps: each point is a run of `simulate` with the noise of its number; names, failures, common noise, chunks."""
# Imports internals: where Blocks are made and the processes of programs, which leave tables as they are.

from __future__ import annotations

import dataclasses
import json
from functools import partial

import neo
import numpy as np
import pandas as pd
import pytest
import quantities as pq
from brian2 import Hz, ms, mV, second
from test_contract import EXAMPLES

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError
from nsnn_neuro.brian import simulate, standalone
from nsnn_neuro.measures import as_trains, cv, fano_factor, firing_rate

CELL = nsnn.LIF(tau_m=20 * ms, v_rest=0 * mV, v_reset=10 * mV, v_thresh=20 * mV, tau_refrac=2 * ms)
RUN = {"trials": 3, "duration": 200 * ms, "dt": 0.2 * ms, "engine": "numpy"}
NOISE, DRIVE = nsnn.WhiteNoise(3 * mV), nsnn.Constant(18 * mV)
GRID = {"noise.sigma": [2 * mV, 4 * mV], "stimulus.v": [15 * mV, 20 * mV]}


def swept(grid=GRID, model=CELL, noise=NOISE, stimulus=DRIVE, **options) -> pd.DataFrame:
    given = {"measures": [firing_rate], "seed": 1, **RUN, **options}
    return nsnn.sweep(model, grid, noise=noise, stimulus=stimulus, **given)


def expected(parts: list, points=None, seeds=(1,), measures=(firing_rate,), n_neurons=1) -> list[float]:
    """The values of a table, each from a run of its own."""
    values = []
    for k, (model, noise, stimulus) in enumerate(parts):
        for seed in seeds:
            size = {} if isinstance(model, nsnn.Network) else {"n_neurons": n_neurons}
            point = k if points is None else points[k]
            block = nsnn.simulate(model, noise, stimulus, **RUN, **size, seed=seed, point=point)
            values += [v for function in measures for v in function(block)]
    return values


@pytest.fixture(autouse=True)
def _no_reports_within_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """`chunk_sizes` reads the reports after each chunk; those within a chunk depend on the clock."""
    monkeypatch.setattr("nsnn_neuro.brian.engine.reporting", lambda report: {})


def chunk_sizes(fractions: list[float], n_points: int) -> list[int]:
    """The numbers of points of the chunks that ran, from the fractions reported after each."""
    ends = {round(f * n_points) for f in fractions if abs(f * n_points - round(f * n_points)) < 1e-9}
    return np.diff(sorted(ends | {0})).tolist()


def white(sigma, drive):
    return CELL, nsnn.WhiteNoise(sigma * mV), nsnn.Constant(drive * mV)


@pytest.mark.slow
def test_the_table_is_that_of_single_runs() -> None:
    table = swept(seed=[1, 7], n_neurons=2, measures=[firing_rate, fano_factor])
    parts = [white(s, v) for s in (2, 4) for v in (15, 20)]
    np.testing.assert_array_equal(
        table["value"], expected(parts, seeds=(1, 7), measures=(firing_rate, fano_factor), n_neurons=2)
    )
    assert table["value"].max() > 5
    assert list(table.columns) == [
        *("point", "noise.sigma", "stimulus.v", "seed"),
        *("population", "neuron", "measure", "value", "se", "n", "unit", "failed"),
    ]
    assert table.attrs["units"] == {"noise.sigma": "V", "stimulus.v": "V"}
    first = table.drop_duplicates("point")
    assert first["noise.sigma"].tolist() == [0.002, 0.002, 0.004, 0.004]
    assert first["stimulus.v"].tolist() == [0.015, 0.02, 0.015, 0.02]
    assert not table["failed"].any()
    block = nsnn.simulate(*parts[2], **RUN, n_neurons=2, seed=7, point=2)
    of_block = nsnn.tabulate(block, [firing_rate, fano_factor])
    mine = table[(table["point"] == 2) & (table["seed"] == 7)].reset_index(drop=True)
    columns = list(of_block.columns[1:])
    pd.testing.assert_frame_equal(mine[columns], of_block[columns], check_exact=True)


@pytest.mark.slow
def test_chunks_lists_and_order_of_values_change_nothing() -> None:
    table = swept(seed=1)
    for options in ({"chunk": 3}, {"memory": 1.0}):
        pd.testing.assert_frame_equal(swept(seed=1, **options), table, check_exact=True)
    listed = [{"stimulus.v": v, "noise.sigma": s} for s in GRID["noise.sigma"] for v in GRID["stimulus.v"]]
    again = swept(listed, seed=1)
    pd.testing.assert_frame_equal(again[table.columns], table, check_exact=True)


@pytest.mark.slow
@pytest.mark.compile
def test_compiled_chunks_change_nothing_and_give_the_spikes_of_the_numpy_target() -> None:
    table = swept(n_neurons=7, engine="cython")
    pd.testing.assert_frame_equal(swept(n_neurons=7, engine="cython", chunk=1), table, check_exact=True)
    pd.testing.assert_frame_equal(swept(n_neurons=7), table, check_exact=True)


@pytest.mark.slow
@pytest.mark.compile
def test_the_program_of_a_chunk_has_so_many_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """`threads` are those of each C++ program; the spikes are the same for any number of them."""
    given: list[int] = []
    divide = standalone.Device._divide

    def spied(device: standalone.Device) -> None:
        divide(device)
        given.append(device.processes)

    monkeypatch.setattr(standalone.Device, "_divide", spied)
    run = {"grid": {"noise.sigma": [2 * mV, 4 * mV, 6 * mV]}, "trials": 20}
    pd.testing.assert_frame_equal(swept(**run, engine="cpp", threads=3, chunk=2), swept(**run))
    assert given == [2, 1]  # each of them has 16 neurons or more


@pytest.mark.slow
def test_processes_change_nothing_even_with_a_function_made_here() -> None:
    drive = lambda point: nsnn.Constant(point["mu"] * mV)  # noqa: E731 - and uses the package
    grid = {"mu": [15.0, 18.0, 20.0], "noise.sigma": [2 * mV, 4 * mV]}
    table = swept(grid, stimulus=drive)
    fractions: list[float] = []
    both = swept(grid, stimulus=drive, n_jobs=2, progress=fractions.append)
    pd.testing.assert_frame_equal(both, table, check_exact=True)
    assert chunk_sizes(fractions, 6) == [3, 3]  # a share for each process
    assert table["value"].nunique() > 3


NEURON, NOISE_MODEL = nsnn.IntegrateAndFire.__base__, nsnn.WhiteNoise.__base__
NOISES = [one for kind, one in EXAMPLES.items() if issubclass(kind, NOISE_MODEL)]
NEURONS = [one for kind, one in EXAMPLES.items() if issubclass(kind, NEURON) and kind is not nsnn.Relay]
ESCAPING = nsnn.EscapeNoise(nsnn.Gaussian(0.3))
USUAL = {nsnn.PIF: ESCAPING, nsnn.NSNNNeuron: ESCAPING, nsnn.WangBuzsaki: None, nsnn.PoissonSource: None}
PAIRS = [
    *((EXAMPLES[nsnn.LIF], noise) for noise in NOISES if not isinstance(noise, nsnn.DoubleNoise)),
    *((neuron, USUAL.get(type(neuron), nsnn.WhiteNoise(0.3))) for neuron in NEURONS),
]


@pytest.mark.slow
@pytest.mark.parametrize(("neuron", "noise"), PAIRS, ids=lambda one: type(one).__name__)
def test_every_parameter_of_every_neuron_and_noise_can_be_swept(neuron, noise) -> None:
    """Two points that differ in all parameters that may be arrays run together, with the spikes of their own runs."""
    unit = 1 * mV if neuron.membrane_unit == "V" else 1.0
    drives = [
        nsnn.Sinusoid(0.9 * unit, 0.3 * unit, 20 * Hz),
        nsnn.Sinusoid(unit, 0.2 * unit, 25 * Hz, phase=0.5),
    ]
    if isinstance(neuron, nsnn.PoissonSource):
        drives = [None, None]
    given = {"trials": 2, "duration": 40 * ms, "dt": 0.2 * ms, "seed": 5, "engine": "numpy", "n_neurons": 2}
    parts = [(neuron, noise, drives[0]), (_scaled(neuron), _scaled(noise), drives[1])]
    alone = [nsnn.simulate(*part, point=k, **given) for k, part in enumerate(parts)]
    first, second = ({**_parameters(part)} for part in parts)
    names = [name for name in first if not np.array_equal(first[name], second[name])]
    blocks: dict[int, neo.Block] = {}
    fractions: list[float] = []

    def keep(block):
        # the first call of all is a trial without spikes, and later calls lack a trial, for the standard error
        point = block.annotations.get("point", 0)
        if point not in blocks or not as_trains(blocks[point]).times.size:
            blocks[point] = block
        return firing_rate(block)

    grid = [{name: values[name] for name in names} for values in (first, second)]
    run = {"measures": {"kept": keep}, "progress": fractions.append, **given}
    nsnn.sweep(neuron, grid, noise=noise, stimulus=drives[0], **run)
    assert chunk_sizes(fractions, 2) == [2]
    for block, other in zip(map(as_trains, blocks.values()), map(as_trains, alone), strict=True):
        np.testing.assert_array_equal(block.times, other.times)
        np.testing.assert_array_equal(block.neuron, other.neuron)
        np.testing.assert_array_equal(block.trial, other.trial)


def _parameters(parts) -> dict:
    """The parameters with a unit of model, noise and stimulus, by their names in a grid."""
    named = {}

    def walk(part, prefix: str) -> None:
        for field in dataclasses.fields(part) if part is not None else ():
            value = getattr(part, field.name)
            if "units" in field.metadata:
                named[f"{prefix}.{field.name}"] = value
            elif dataclasses.is_dataclass(value):
                walk(value, f"{prefix}.{field.name}")

    for part, prefix in zip(parts, ("model", "noise", "stimulus"), strict=True):
        walk(part, prefix)
    return named


def _scaled(part):
    """The model with most of its parameters a little larger."""
    if part is None:
        return None
    kept = ("shared", "v_thresh", "v_reset", "v_rest", "beta")
    changed = {}
    for field in dataclasses.fields(part):
        value = getattr(part, field.name)
        if "units" in field.metadata and field.name not in kept:
            changed[field.name] = value * 1.03
        elif isinstance(value, nsnn.Family | nsnn.Hazard):
            changed[field.name] = _scaled(value)
    return dataclasses.replace(part, **changed)


@pytest.mark.slow
def test_what_cannot_be_an_array_runs_in_groups_and_gives_the_same_table() -> None:
    """A text, a whole number, a fraction that must be one number, noise that vanishes."""
    grid = {"noise.shared": [0.0, 0.5], "noise.sigma": [0 * mV, 3 * mV], "stimulus.seed": [1, 2]}
    drive = nsnn.FrozenNoise(18 * mV, 2 * mV, 5 * ms, seed=0)
    fractions: list[float] = []
    table = swept(grid, stimulus=drive, n_neurons=2, progress=fractions.append)
    parts = [
        (CELL, nsnn.WhiteNoise(s * mV, shared=c), nsnn.FrozenNoise(18 * mV, 2 * mV, 5 * ms, seed=k))
        for c in (0.0, 0.5)
        for s in (0, 3)
        for k in (1, 2)
    ]
    np.testing.assert_array_equal(table["value"], expected(parts, n_neurons=2))
    assert sorted(chunk_sizes(fractions, 8)) == [1, 1, 1, 1, 2, 2]
    fractions.clear()
    swept(GRID | {"noise.shared": [0.0, 0.5]}, progress=fractions.append)
    assert chunk_sizes(fractions, 8) == [4, 4]


@pytest.mark.slow
def test_arrays_of_the_neurons_of_a_point_stay_theirs() -> None:
    """A drive that differs between the neurons is repeated for each point; a swept parameter is each neuron's."""
    drive = nsnn.Constant(np.array([12.0, 22.0]) * mV)
    fractions: list[float] = []
    given = {"stimulus": drive, "n_neurons": 2, "progress": fractions.append}
    table = swept({"noise.sigma": [1 * mV, 4 * mV]}, **given)
    parts = [(CELL, nsnn.WhiteNoise(s * mV), drive) for s in (1, 4)]
    np.testing.assert_array_equal(table["value"], expected(parts, n_neurons=2))
    assert (table["value"][1::2].to_numpy() > table["value"][::2].to_numpy()).all()
    assert chunk_sizes(fractions, 2) == [2]


@pytest.mark.slow
def test_networks_and_kinds_of_noise_come_from_a_function_of_the_point() -> None:
    def net(point):
        cells = nsnn.Population(2, CELL, noise=nsnn.WhiteNoise(point["sigma"]), stimulus=DRIVE, name="E")
        wire = nsnn.Projection(cells, cells, rule=nsnn.AllToAll(), weight=point["J"], delay=1 * ms)
        return nsnn.Network([cells], [wire])

    grid = {"sigma": [2 * mV, 4 * mV], "J": [0 * mV, 5 * mV]}
    table = swept(grid, net, None, None, measures={"rate": firing_rate}, by="population")
    parts = [(net({"sigma": s * mV, "J": j * mV}), None, None) for s in (2, 4) for j in (0, 5)]
    each = [np.mean(expected([part], [k])) for k, part in enumerate(parts)]
    np.testing.assert_array_equal(table["value"], each)
    assert table["population"].tolist() == ["E"] * 4
    assert table.attrs["units"] == {"sigma": "V", "J": "V"}

    def kind(point):
        return nsnn.OUNoise(3 * mV, 5 * ms) if point["coloured"] else nsnn.WhiteNoise(3 * mV)

    table = swept({"coloured": [False, True], "stimulus.v": [15 * mV, 20 * mV]}, noise=kind)
    parts = [(CELL, kind({"coloured": c}), nsnn.Constant(v * mV)) for c in (False, True) for v in (15, 20)]
    np.testing.assert_array_equal(table["value"], expected(parts))


@pytest.mark.slow
def test_common_noise_gives_every_point_the_noise_of_point_0() -> None:
    table = swept(common_noise=True, seed=3)
    parts = [white(s, v) for s in (2, 4) for v in (15, 20)]
    np.testing.assert_array_equal(table["value"], expected(parts, [0] * 4, seeds=(3,)))
    own = swept(seed=3)
    assert table["value"][0] == own["value"][0]
    assert table["value"].tolist() != own["value"].tolist()


@pytest.mark.slow
def test_the_seeds_and_points_are_independent_replicates() -> None:
    """With noise of their own, points of equal parameters have uncorrelated counts."""
    grid = [{"noise.sigma": 3 * mV}] * 2
    table = swept(grid, n_neurons=400, trials=1, seed=[1, 2], duration=0.5 * second)
    columns = [table[(table["point"] == k) & (table["seed"] == s)]["value"] for k in (0, 1) for s in (1, 2)]
    r = np.corrcoef(columns)[np.triu_indices(4, 1)]
    assert np.abs(r).max() < 4 / np.sqrt(400)


ESCAPE, JUMPS = nsnn.EscapeNoise(nsnn.Gaussian(1 * mV)), nsnn.PoissonNoise(1 * Hz, 1 * mV)
CELLS = nsnn.Population(1, CELL, name="E")
NET = nsnn.Network([CELLS])
WIRED = nsnn.Network([CELLS], [nsnn.Projection(CELLS, CELLS, rule=nsnn.AllToAll(), weight=1 * mV)])
JUST = {"noise": None, "stimulus": None, "grid": {"w": [1]}}
REFUSED = [
    ({"grid": {"noise.sgma": [1 * mV]}}, "no parameter 'sgma'; did you mean 'sigma'"),
    ({"grid": {"sigma": [1 * mV]}}, "expected one of model.tau_m"),
    ({"grid": {"mu": [1 * mV]}}, "the mean input of a Constant is 'stimulus.v'"),
    ({"grid": {"noise.sigma": [1 * ms]}}, r"grid\[0\] .*sigma.*expected a voltage"),
    ({"grid": {"noise.sigma": [1 * mV, -1 * mV]}}, r"grid\[1\] \(noise.sigma = -1. mV\)"),
    ({"grid": {"noise.sigma": [1 * mV, 1.0]}}, "one unit"),
    ({"grid": {"noise.sigma": 1 * mV}}, "expected a list of values"),
    ({"grid": {"noise.sigma": []}}, "is empty"),
    ({"grid": {}}, "has no values"),
    ({"grid": 3}, "expected a dict such as"),
    ({"grid": [{"noise.sigma": 1 * mV}, {"stimulus.v": 1 * mV}]}, r"grid\[1\] has the names"),
    ({"grid": {"noise.sigma": [np.array([1, 2]) * mV]}}, "expected one number"),
    ({"grid": {"noise.sigma": [float("nan")]}}, "NaN"),
    ({"grid": {"noise.family.sigma": [1.0]}}, "no parameter 'family'"),
    ({"noise": ESCAPE, "grid": {"noise.family": [1.0]}}, "one of its parameters, sigma"),
    ({"noise": None}, "noise is None"),
    ({"model": nsnn.LIF}, "expected a neuron model"),
    ({"model": lambda point: None, "grid": {"x": [1]}}, "expected a neuron model"),
    ({"model": lambda point: CELL[point["y"]], "grid": {"x": [1]}}, "raised KeyError"),
    (
        {"model": NET, **JUST, "grid": {"model.tau_m": [20 * ms]}},
        "model=lambda point",
    ),
    ({"grid": {"model.v_reset": [25 * mV]}}, "v_reset = 25. mV: expected a value below"),
    ({"noise": JUMPS, "grid": {"noise.rate": [1 * Hz, 1e9 * Hz]}}, r"grid\[1\].*500 jumps"),
    ({"duration": 0.3 * ms}, "whole number of steps"),
    ({"n_jobs": 0}, "n_jobs = 0"),
    ({"seed": [1, 1]}, "every seed once"),
    ({"seed": []}, "seed ="),
    ({"memory": -1}, "memory = -1"),
    ({"chunk": 0}, "chunk = 0"),
    ({"by": "cell"}, "by = 'cell'"),
    ({"threads": 2}, '2: engine="numpy" uses one; expected engine="cpp", or 1'),
    ({"measures": []}, "measures"),
    ({"common_noise": 1}, "common_noise = 1"),
    ({"out": __file__}, "that is a file"),
    ({"measures": [cv, partial(firing_rate, t_start=0.05)]}, "measure firing_rate: t_start = 0.05 has no"),
    ({"measures": [cv, partial(firing_rate, t_start=500 * ms)]}, "measure firing_rate: t_start = 0.5 s"),
    ({"measures": partial(nsnn.measures.fano_curve, windows=[10, 20] * ms)}, "fano_curve returned a tuple"),
]


def test_a_wrong_argument_is_refused_before_anything_runs() -> None:
    ran: list[float] = []
    for options, message in REFUSED:
        with pytest.raises(NsnnError, match=message):
            swept(**options, progress=ran.append)
    assert ran == []


@pytest.mark.compile
def test_threads_that_a_program_cannot_have_are_refused() -> None:
    with pytest.raises(NsnnError, match=r"threads = 1\.5: expected a whole number"):
        swept(engine="cpp", threads=1.5)
    with pytest.raises(NsnnError, match="threads = 2: expected 1 for a network with projections"):
        swept(engine="cpp", threads=2, model=lambda point: WIRED, **JUST)


def bad_at_point_2(block):
    if block.annotations.get("point") == 2:
        raise ZeroDivisionError("no")
    return firing_rate(block)


@pytest.mark.slow
def test_a_point_that_fails_is_reported_and_the_others_run(tmp_path) -> None:
    """A membrane with noise of 1e200 overflows, which fails its chunk."""
    noise = nsnn.MultiplicativeNoise(0.1, -10 * mV, calculus="ito")
    grid, fine = {"noise.sigma": [0.2, 1e200, 0.3]}, {"noise.sigma": [0.2, 0.25, 0.3]}
    given = {"noise": noise}
    with pytest.warns(nsnn.FailedPoints, match="1 of 3 points failed") as warned, np.errstate(all="ignore"):
        table = swept(grid, **given, out=tmp_path / "out")
    assert "errors.json" in str(warned[-1].message)
    assert table["failed"].tolist() == [False, True, False]
    assert np.isnan(table["value"][1])
    good = swept(fine, **given)
    assert table["value"][[0, 2]].tolist() == good["value"][[0, 2]].tolist()
    (error,) = json.loads((tmp_path / "out" / "errors.json").read_text())
    assert error["point"] == 1
    assert error["parameters"] == {"noise.sigma": "1e+200"}
    assert "is not finite" in error["error"]
    assert "Traceback" in error["traceback"]


@pytest.mark.slow
def test_a_measure_that_fails_leaves_the_others(tmp_path) -> None:
    with pytest.warns(nsnn.FailedPoints, match="1 of 4 points"):
        table = swept(measures=[bad_at_point_2, cv], out=tmp_path / "out")
    assert table["failed"].tolist() == [False] * 4 + [True] + [False] * 3
    assert table["value"].isna()[4]
    fine = swept(measures=[firing_rate, cv])["value"]
    np.testing.assert_array_equal(table["value"].drop(4), fine.drop(4))
    errors = json.loads((tmp_path / "out" / "errors.json").read_text())
    assert {error["measure"] for error in errors} == {"bad_at_point_2"}


def test_a_measure_that_needs_spikes_is_not_refused_for_the_trial_without() -> None:
    def of_spikes(block):
        if not as_trains(block).times.size:
            raise NsnnError("no spikes")
        return firing_rate(block)

    assert not swept({"stimulus.v": [25 * mV]}, measures=of_spikes)["failed"].any()


def test_a_measure_that_the_first_point_alone_cannot_have_fails_there_alone() -> None:
    def driven(block):
        if block.annotations["parameters"]["stimulus"]["v"]["value"] == 0:
            raise NsnnError("no drive")
        return firing_rate(block)

    with pytest.warns(UserWarning, match="1 of 2 points failed"):
        table = swept({"stimulus.v": [0 * mV, 25 * mV]}, measures=driven)
    assert table["failed"].tolist() == [True, False]


def test_all_points_failing_for_one_reason_is_an_error(tmp_path) -> None:
    def unfinished(block):
        raise ZeroDivisionError("no")

    with pytest.raises(
        NsnnError, match=r"every point failed with 'ZeroDivisionError: no'.*errors.json"
    ) as raised:
        swept(measures=unfinished, out=tmp_path / "out")
    assert "in unfinished" in raised.value.__notes__[0]


@pytest.mark.slow
def test_a_measure_with_options_and_a_recorded_stimulus() -> None:
    """The Block of a point carries its own stimulus."""
    seen = []

    def mean_drive(block):
        seen.append(float(block.segments[0].analogsignals[0].rescale("mV").magnitude.mean()))
        return firing_rate(block, t_start=50 * pq.ms)

    drive = nsnn.Step(1 * mV, 0 * ms, 100 * ms)
    swept({"stimulus.v": [15 * mV, 25 * mV]}, stimulus=drive, measures={"late": mean_drive}, trials=1)
    # the first is the trial on a Block without spikes
    np.testing.assert_allclose(seen, [7.5, 7.5, 12.5], rtol=1e-12)
    table = swept(measures={"late": partial(firing_rate, t_start=50 * pq.ms)})
    block = nsnn.simulate(*white(4, 20), **RUN, seed=1, point=3)
    assert table["value"][3] == firing_rate(block, t_start=50 * pq.ms)[0]


@pytest.mark.slow
def test_a_chunk_is_no_larger_than_memory_and_20000_neurons_allow() -> None:
    """400 bytes for each neuron of each trial, 120 for each spike, 50 spikes expected in a second."""

    def chunks(n_points: int, **given) -> list[int]:
        fractions: list[float] = []
        grid = {"stimulus.v": [15 * mV] * n_points}
        swept(grid, **{"trials": 10, "duration": 20 * ms, **given}, progress=fractions.append)
        return chunk_sizes(fractions, n_points)

    one = 100 * (400 + 120 * 50 * 0.02)
    assert chunks(15, n_neurons=10, memory=7.5 * one) == [7, 7, 1]
    assert chunks(3, n_neurons=10, memory=0.5 * one) == [1, 1, 1]
    assert chunks(3, n_neurons=1000, memory=1e12, duration=2 * ms) == [2, 1]


def test_all_cores_are_those_that_the_process_may_use(monkeypatch) -> None:
    """A job of a cluster with one core of eight starts no process; the pool would fail here."""
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0}, raising=False)
    monkeypatch.setattr("joblib.Parallel", None)
    grid = {"noise.sigma": [2 * mV, 4 * mV]}
    assert len(swept(grid, n_jobs=-1, chunk=1, progress=False, duration=10 * ms)) == 2


def last_time(block: neo.Block) -> float:
    """A measure of its own, which reads a Block."""
    return float(max(segment.t_stop for segment in block.segments))


def test_blocks_are_made_only_for_measures_that_read_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """Making one takes longer than most measures."""
    made = []
    make = simulate._block_of
    monkeypatch.setattr(simulate, "_block_of", lambda *given: (made.append(given), make(*given))[1])
    swept(measures=[firing_rate, cv, partial(fano_factor, window=50 * ms)])
    assert not made
    table = swept(measures=[firing_rate, last_time])
    assert len(made) == 4  # one for each point
    np.testing.assert_allclose(table.loc[table["measure"] == "last_time", "value"], 0.2)
