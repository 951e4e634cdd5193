"""`plotting`: what is drawn, held against arrays computed here, and what a figure must not do to its surroundings."""

from __future__ import annotations

import ast
import io
import warnings
from functools import cache, partial
from pathlib import Path

import matplotlib as mpl
import neo
import numpy as np
import pandas as pd
import pytest
import quantities as pq
from matplotlib import pyplot
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from scipy.stats import chi2

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, likelihood, measures, plotting

# [trial][neuron] s
TIMES = [[[0.1, 0.3, 0.35], [0.2], []], [[0.25], [], [0.05, 0.45]]]


def example() -> neo.Block:
    return nsnn.to_block(TIMES, t_stop=0.5 * pq.s)


def new_ax(projection=None):
    return Figure(figsize=(4, 3)).subplots(subplot_kw={"projection": projection})


def with_signal(n_channels: int = 2, height: float = 5.0) -> neo.Block:
    block = example()
    for k, segment in enumerate(block.segments):
        values = np.linspace(0.0, height, 50 * n_channels).reshape(50, n_channels) + k
        signal = neo.AnalogSignal(values, units="mV", sampling_rate=100 * pq.Hz, name="v")
        signal.array_annotate(neuron=np.array([0, 2][:n_channels]))
        segment.analogsignals.append(signal)
    return block


def table(**columns) -> pd.DataFrame:
    base = {"x": [3.0, 1.0, 2.0], "value": [30.0, 10.0, 20.0], "se": [3.0, 1.0, np.nan]}
    return pd.DataFrame(base | {"measure": "firing_rate", "unit": "Hz"} | columns)


def poisson(rate: float, duration: float = 1.0) -> neo.Block:
    times = np.random.default_rng(0).uniform(0, duration, (3, 2, round(rate * duration)))
    return nsnn.to_block(np.sort(times).tolist(), t_stop=duration * pq.s)


CODES = pd.DataFrame(
    {"code": ["count", "words"], "resolution": [0.1, 0.01], "information": [0.1, 0.3], "se": [0.01, 0.02]}
)
HISTORY = pd.DataFrame({"epoch": [1, 2, 3], "loss": [0.9, 0.5, 0.3], "val_loss": [0.8, 0.6, 0.7]})


@cache
def fitted() -> likelihood.NeuronFit:
    signal = neo.AnalogSignal(np.random.default_rng(0).normal(size=500), units="mV", sampling_rate=1 * pq.kHz)
    true = likelihood.NeuronModel(dt=1 * pq.ms, family=nsnn.Gaussian(1.0), stimulus=likelihood.Lags(3))
    block = true.simulate([-1.5, 0.8, 0.4, 0.0], signal)
    return likelihood.fit_neuron(block, signal, dt=1 * pq.ms, stimulus=3, history=2)


def with_states() -> tuple[likelihood.StatesFit, neo.Block]:
    cell = likelihood.StatesModel(dt=5 * pq.ms, family=nsnn.Logistic(1.0), n_states=2)
    block = cell.simulate([-4.0, -1.5, -4.0, -4.0, 0.0], duration=5 * pq.s)
    return likelihood.fit_states(
        block, dt=5 * pq.ms, family=nsnn.Logistic(1.0), n_states=2, n_starts=1
    ), block


POWER = {"sampling_rate": 100 * pq.Hz, "nperseg": 20, "noverlap": 10}
UNIFORM = likelihood.Rescaled(np.linspace(0.1, 0.9, 20), 0.1, 0.9)
BINS, WAVE = {"bin_width": 100 * pq.ms}, np.arange(4) / 4
GROWING = {
    "raster": lambda k, ax: plotting.raster(poisson(9, k), neurons=range(k), ax=ax),
    "psth": lambda k, ax: plotting.psth(poisson(9 * k, k), **BINS, ax=ax),
    "isi_histogram": lambda k, ax: plotting.isi_histogram(poisson(9 * k * k), ax=ax),
    "correlogram": lambda k, ax: plotting.correlogram(poisson(9 * k), show="counts", **BINS, max_lag=k * 100 * pq.ms, ax=ax),
    "cv_against_rate": lambda k, ax: plotting.cv_against_rate(poisson(9 * k), ax=ax),
    "tuning_curve": lambda k, ax: plotting.tuning_curve(WAVE, 9 * k + WAVE, ax=ax),
    "spectrum": lambda k, ax: plotting.spectrum(measures.power_spectrum(poisson(9 * k), **(POWER | {"nperseg": 20 * k})), ax=ax),
    "coherence": lambda k, ax: plotting.coherence((9 * k * WAVE, k / 2 * WAVE), ax=ax),
    "phase_histogram": lambda k, ax: plotting.phase_histogram(1 * pq.Hz, poisson(9), n_bins=4 * k, ax=ax),
    "membrane": lambda k, ax: plotting.membrane(with_signal(height=5.0 * k), ax=ax),
}  # fmt: skip
DRAWINGS = {
    **{name: partial(draw, 1) for name, draw in GROWING.items()},
    "measure_against": lambda ax: plotting.measure_against(table(), "x", ax=ax),
    "heatmap": lambda ax: plotting.heatmap(table(y=[1.0, 1.0, 2.0]), "x", "y", ax=ax),
    "rate_map": lambda ax: plotting.rate_map(example(), bin_width=100 * pq.ms, ax=ax),
    "confusion": lambda ax: plotting.confusion([[3, 1], [0, 4]], ax=ax),
    "information_against_resolution": lambda ax: plotting.information_against_resolution(CODES, ax=ax),
    "training_history": lambda ax: plotting.training_history(HISTORY, ax=ax),
    "filters": lambda ax: plotting.filters(fitted(), ax=ax),
    "rescaling": lambda ax: plotting.rescaling(UNIFORM, ax=ax),
    "hidden_states": lambda ax: plotting.hidden_states(*with_states(), ax=ax),
    "misfit": lambda ax: plotting.misfit(fitted().misfit(), ax=ax),
    "network_graph": lambda ax: plotting.network_graph(nsnn.brunel(g=5, eta=2, n_e=80, n_i=20), ax=ax),
}
WITH_COLOUR_BAR = {"heatmap", "rate_map", "confusion"}
POLAR = {"phase_histogram"}


def test_every_function_is_among_the_drawings_below() -> None:
    assert set(DRAWINGS) == set(plotting.__all__) - {"COLOURS"}


@pytest.mark.parametrize("name", DRAWINGS)
def test_a_drawing_stays_on_its_axes_and_is_a_figure_without_them(name: str) -> None:
    before, ax = dict(mpl.rcParams), new_ax("polar" if name in POLAR else None)
    assert DRAWINGS[name](ax) is ax
    ax.figure.savefig(io.BytesIO())
    assert dict(mpl.rcParams) == before
    assert pyplot.get_fignums() == []
    assert len(ax.figure.axes) == 1 + (name in WITH_COLOUR_BAR)
    assert ax.axison == (name != "network_graph")
    if ax.axison and name not in POLAR:
        assert ax.get_xlabel()
        assert ax.get_ylabel()
        assert not ax.spines["top"].get_visible()
        assert not ax.spines["right"].get_visible()
    alone = DRAWINGS[name](None)
    try:
        assert pyplot.get_fignums() == [alone.figure.number]
        assert alone.figure.axes[0] is alone
    finally:
        pyplot.close(alone.figure)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
@pytest.mark.parametrize("name", GROWING)
def test_curves_of_several_calls_on_the_same_axes_are_seen_whole(name: str, order: tuple[int, int]) -> None:
    ax = new_ax("polar" if name in POLAR else None)
    bottoms = [GROWING[name](k, ax).get_ylim()[0] for k in order]
    others = [GROWING[name](k, new_ax("polar" if name in POLAR else None)) for k in order]
    for other in others:
        assert (ax.viewLim.min <= other.dataLim.min).all()
        assert (other.dataLim.max <= ax.viewLim.max).all()
    if name not in ("raster", "tuning_curve", "membrane"):
        assert bottoms == [0, 0]


def test_matplotlib_is_imported_inside_functions_alone() -> None:
    files = list(Path(plotting.__file__).parent.glob("*.py"))
    body = [node for file in files for node in ast.parse(file.read_text(encoding="utf-8")).body]
    names = [ast.unparse(node) for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert len(names) > 5
    assert not [name for name in names if "matplotlib" in name or "pandas" in name]


def ticks(ax) -> list[tuple[float, float]]:
    """(time, row) of every tick, sorted."""
    segments = np.array(ax.collections[0].get_segments()).reshape(-1, 2, 2)
    assert (segments[:, 0, 0] == segments[:, 1, 0]).all()
    return sorted(
        zip(segments[:, 0, 0].tolist(), segments[:, :, 1].mean(axis=1).round(9).tolist(), strict=True)
    )


@pytest.mark.parametrize(("trials", "neurons"), [(None, None), ([1, 0], [2, 0]), (np.array([1]), range(2))])
def test_raster_has_a_row_for_each_trial_of_each_neuron(trials, neurons) -> None:
    ax = plotting.raster(example(), trials=trials, neurons=neurons, ax=new_ax())
    some_trials = [0, 1] if trials is None else np.atleast_1d(trials).tolist()
    some_neurons = [0, 1, 2] if neurons is None else np.atleast_1d(neurons).tolist()
    rows = [(j, k) for j in some_neurons for k in some_trials]
    expected = sorted((t, float(row)) for row, (j, k) in enumerate(rows) for t in TIMES[k][j])
    assert ticks(ax) == expected
    assert ax.get_xlim() == (0.0, 0.5)
    assert ax.get_ylim() == (-0.5, len(rows) - 0.5)


@pytest.mark.parametrize(
    ("options", "label", "row", "name"),
    [({"neurons": 1}, "trial", 1, "1"), ({"trials": 1, "neurons": [2, 0]}, "neuron", 0, "2"),
     ({}, "neuron (2 trials each)", 2.5, "1")],
)  # fmt: skip
def test_rows_are_named_after_trials_or_neurons(options, label, row, name) -> None:
    ax = plotting.raster(example(), ax=new_ax(), **options)
    assert ax.get_ylabel() == label
    assert ax.yaxis.get_major_formatter()(row, None) == name
    ax.figure.canvas.draw()
    assert name in [text.get_text() for text in ax.get_yticklabels()]


def test_populations_have_their_own_colours() -> None:
    block = example()
    block.annotations["populations"] = [{"name": "E", "size": 2}, {"name": "I", "size": 1}]
    ax = plotting.raster(block, trials=1, ax=new_ax())
    lines = ax.collections[0]
    rows = [round(float(s[:, 1].mean())) for s in lines.get_segments()]
    blue, red = (c.lower() for c in plotting.COLOURS[:2])
    assert dict(zip(rows, map(to_hex, lines.get_colors()), strict=True)) == {0: blue, 2: red}
    rates = plotting.psth(block, bin_width=500 * pq.ms, ax=new_ax())
    assert [p.get_data().values.tolist() for p in rates.patches] == [[5 / (2 * 2 * 0.5)], [2 / (2 * 0.5)]]
    for drawn in (ax, rates):
        assert [text.get_text() for text in drawn.get_legend().get_texts()] == ["E", "I"]


@pytest.mark.slow
def test_a_big_raster_is_one_picture_and_a_small_one_is_lines() -> None:
    rng = np.random.default_rng(1)
    block = nsnn.to_block([[rng.uniform(0, 1, 100) for _ in range(300)]], t_stop=1 * pq.s)
    ax = plotting.raster(block, ax=new_ax())
    assert len(ax.collections) == 1
    assert len(ax.collections[0].get_segments()) == 30_000
    file = io.BytesIO()
    ax.figure.savefig(file, format="svg")
    assert b"<image" in file.getvalue()
    assert len(file.getvalue()) < 1_000_000
    small = io.BytesIO()
    plotting.raster(example(), ax=new_ax()).figure.savefig(small, format="svg")
    assert b"<image" not in small.getvalue()


@pytest.mark.parametrize("neuron", [None, 2])
def test_psth_is_the_rate_with_garwoods_band(neuron) -> None:
    ax = plotting.psth(example(), bin_width=100 * pq.ms, neuron=neuron, ax=new_ax())
    chosen = range(3) if neuron is None else [neuron]
    # no spike lies on a border, up to the rounding that the bins allow for
    flat = np.array([t + 1e-6 for trial in TIMES for j in chosen for t in trial[j]])
    counts = np.histogram(flat, np.arange(6) * 0.1)[0]
    exposure = 2 * len(chosen) * 0.1
    stairs = ax.patches[0].get_data()
    np.testing.assert_allclose(stairs.values, counts / exposure, rtol=1e-12)
    np.testing.assert_allclose(stairs.edges, np.arange(6) * 0.1, rtol=1e-12)
    upper = chi2.ppf(0.975, 2 * counts + 2) / 2 / exposure
    corners = ax.collections[0].get_paths()[0].vertices
    for k in range(5):
        middle = corners[np.abs(corners[:, 0] - 0.1 * k) < 1e-9]
        assert np.min(np.abs(middle[:, 1] - upper[k])) < 1e-9
    assert ax.get_ylim()[0] == 0


def gamma_block(dt: float | None = None) -> tuple[neo.Block, np.ndarray]:
    """Three neurons of regular spiking, and all their intervals in ms."""
    rng = np.random.default_rng(2)
    times = np.cumsum(rng.gamma(4.0, 0.005, (3, 400)), axis=1)
    if dt:
        times = np.unique(np.rint(times / dt).astype(int), axis=1) * dt
    block = nsnn.to_block([list(times)], t_stop=20 * pq.s)
    if dt:
        block.annotations["dt"] = dt
    return block, 1e3 * np.diff(times, axis=1)


@pytest.mark.parametrize(("neuron", "log"), [(None, True), (1, False)])
def test_isi_histogram_is_the_density_of_the_intervals(neuron, log) -> None:
    block, intervals = gamma_block()
    chosen = intervals.ravel() if neuron is None else intervals[neuron]
    ax = plotting.isi_histogram(block, neuron=neuron, log=log, ax=new_ax())
    stairs = ax.patches[0].get_data()
    edges, values = (np.log10(x) if log else x for x in (stairs.edges, chosen))
    width = np.diff(edges)[0]
    counts = np.histogram(values, edges + 1e-9 * width * np.linspace(-1, 1, edges.size))[0]
    assert counts.sum() == chosen.size
    np.testing.assert_allclose(stairs.values, counts / chosen.size / np.diff(edges), rtol=1e-9)
    rule = 2 * np.subtract(*np.percentile(values, [75, 25])) / chosen.size ** (1 / 3)
    assert width == pytest.approx(rule, rel=1e-9)
    assert ax.get_xscale() == ("log" if log else "linear")
    assert ax.texts[0].get_text() == f"{chosen.size} intervals"


def test_bins_hold_as_many_grid_points_each() -> None:
    block, intervals = gamma_block(dt=1e-4)
    stairs = plotting.isi_histogram(block, ax=new_ax()).patches[0].get_data()
    ratio = np.diff(stairs.edges)[0] / 0.1
    assert abs(ratio - round(ratio)) < 1e-9
    index = np.rint(intervals.ravel() / 0.1).astype(int) // round(ratio)
    counts = np.bincount(index)
    np.testing.assert_allclose(stairs.values, counts / intervals.size / np.diff(stairs.edges), rtol=1e-9)


def test_few_or_equal_intervals_still_make_a_figure() -> None:
    for times, text in (
        ([0.1], "no intervals"),
        ([0.1, 0.2], "1 interval"),
        ([0.1, 0.1, 0.1], "2 intervals"),
    ):
        for log in (False, True):
            ax = plotting.isi_histogram(nsnn.to_block([[times]], t_stop=1 * pq.s), log=log, ax=new_ax())
            assert ax.texts[0].get_text() == text
        ax.figure.savefig(io.BytesIO())
    stairs = plotting.isi_histogram(example(), bin_width=50 * pq.ms, ax=new_ax()).patches[0].get_data()
    # 200, 50 and 400 ms
    np.testing.assert_allclose(stairs.values * 3 * 50, [0, 1, 0, 0, 1, 0, 0, 0, 1], rtol=1e-9)


def bars(container) -> list[list[float]]:
    """[x, low, high] of each error bar."""
    return [[s[0, 0], s[0, 1], s[1, 1]] for s in container[2][0].get_segments() if len(s) == 2]


def test_points_in_the_order_of_x_with_one_standard_error() -> None:
    ax = plotting.measure_against(table(), "x", ax=new_ax())
    (container,) = ax.containers
    assert container[0].get_xydata().tolist() == [[1.0, 10.0], [2.0, 20.0], [3.0, 30.0]]
    assert bars(container) == [[1.0, 9.0, 11.0], [3.0, 27.0, 33.0]]
    assert container[0].get_linestyle() == "-"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("x", "firing rate (Hz)")


def test_limits_of_a_table_are_drawn_in_place_of_errors() -> None:
    rows = table().assign(lower=[29.0, 5.0, np.nan], upper=[40.0, 11.0, np.nan])
    (container,) = plotting.measure_against(rows, "x", ax=new_ax()).containers
    assert bars(container) == [[1.0, 5.0, 11.0], [3.0, 29.0, 40.0]]
    (container,) = plotting.measure_against(rows, "x", se=None, ax=new_ax()).containers
    assert not container.has_yerr


def test_each_hue_is_a_colour_with_its_own_rows() -> None:
    rows = table(model=["LIF", "EIF", "LIF"])
    ax = plotting.measure_against(rows, "x", hue="model", se=None, ax=new_ax())
    lines = [c[0] for c in ax.containers]
    assert [line.get_xydata().tolist() for line in lines] == [[[2.0, 20.0], [3.0, 30.0]], [[1.0, 10.0]]]
    assert [to_hex(line.get_color()) for line in lines] == [c.lower() for c in plotting.COLOURS[:2]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["LIF", "EIF"]


@pytest.mark.parametrize("layout", [None, "constrained"])
@pytest.mark.parametrize("name", ["misfit", "rescaling", "hidden_states"])
def test_a_title_stands_above_the_legend_and_within_the_figure(name: str, layout: str | None) -> None:
    figure = Figure(figsize=(9, 3), layout=layout)
    for later, ax in zip((False, True), figure.subplots(1, 2), strict=True):
        if not later:
            ax.set_title("neuron 3")
        DRAWINGS[name](ax)
        if later:
            ax.set_title("neuron 3")
    figure.savefig(io.BytesIO())
    for ax in figure.axes:
        title, legend = ax.title.get_window_extent(), ax.get_legend().get_window_extent()
        assert title.y0 >= legend.y1 - 3  # its frame is not drawn
        assert title.y1 <= figure.bbox.y1


def test_many_hues_have_a_colour_each_and_a_short_legend() -> None:
    rows = table(x=range(3)).merge(pd.DataFrame({"neuron": range(30)}), how="cross")
    ax = plotting.measure_against(rows, "x", hue="neuron", ax=new_ax())
    assert len({to_hex(c[0].get_color()) for c in ax.containers}) == 30
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0", "5", "10", "15", "20", "25"]


def test_parameters_of_a_sweep_are_drawn_in_their_units() -> None:
    rows = table(x=[0.001, 0.002, 0.003], sigma=[0.004, 0.004, 0.005])
    rows.attrs["units"] = {"x": "V", "sigma": "V"}
    ax = plotting.measure_against(rows, "x", hue="sigma", ax=new_ax())
    np.testing.assert_allclose(ax.containers[0][0].get_xdata(), [1.0, 2.0])
    assert ax.get_xlabel() == "x (mV)"
    assert ax.get_legend().get_title().get_text() == "sigma (mV)"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["4", "5"]


def test_rows_of_one_x_and_categories_are_not_joined() -> None:
    ax = plotting.measure_against(table(x=[1.0, 1.0, 2.0]), "x", ax=new_ax())
    assert ax.containers[0][0].get_linestyle() == "None"
    ax = plotting.measure_against(table(x=["drug", "control", "drug"]), "x", ax=new_ax())
    assert ax.containers[0][0].get_linestyle() == "None"
    assert [label.get_text() for label in ax.get_xticklabels()] == ["drug", "control"]
    assert sorted(ax.containers[0][0].get_xydata().tolist()) == [[0.0, 20.0], [0.0, 30.0], [1.0, 10.0]]


def test_what_tabulate_gives_can_be_drawn() -> None:
    both = nsnn.tabulate(example(), [nsnn.measures.firing_rate, nsnn.measures.cv])
    ax = plotting.measure_against(both, "neuron", hue="measure", ax=new_ax())
    assert ax.get_ylabel() == "value"
    rates = [sum(len(TIMES[k][j]) for k in range(2)) / 1.0 for j in range(3)]
    np.testing.assert_allclose(ax.containers[0][0].get_ydata(), rates, rtol=1e-12)


def test_measure_against_names_a_parameter_that_looks_like_repeats() -> None:
    rows = table(x=[1.0, 1.0, 2.0]).assign(neuron=[0, 1, 0])
    rows.insert(0, "sigma", [2.0, 3.0, 2.0])
    with pytest.warns(UserWarning, match="rows of one 'x' have several values of 'sigma'.*hue='sigma'"):
        plotting.measure_against(rows, "x", ax=new_ax())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plotting.measure_against(rows, "x", hue="sigma", ax=new_ax())
        plotting.measure_against(rows.drop(columns="sigma"), "x", ax=new_ax())


def test_membrane_draws_the_traces_in_millivolts_and_the_spikes() -> None:
    ax = plotting.membrane(with_signal(), trial=1, ax=new_ax())
    expected = np.linspace(0.0, 5.0, 100).reshape(50, 2) + 1
    for k, j in enumerate((0, 2)):
        np.testing.assert_allclose(ax.lines[k].get_ydata(), expected[:, k], rtol=1e-12)
        np.testing.assert_allclose(ax.lines[k].get_xdata(), np.arange(50) / 100, rtol=0, atol=1e-12)
        assert [s[0, 0] for s in ax.collections[k].get_segments()] == TIMES[1][j]
        assert to_hex(ax.collections[k].get_color()[0]) == to_hex(ax.lines[k].get_color())
    lowest = min(s[:, 1].min() for c in ax.collections for s in c.get_segments())
    bottom, top = ax.get_ylim()
    assert (expected.max() - bottom) / (top - bottom) < lowest  # the ticks stand above the traces
    assert ax.get_ylabel() == "membrane (mV)"
    alone = plotting.membrane(with_signal(), neurons=2, ax=new_ax())
    np.testing.assert_allclose(alone.lines[0].get_ydata(), np.linspace(0.0, 5.0, 100)[1::2], rtol=1e-12)
    assert (len(alone.lines), alone.get_legend()) == (1, None)


def network_block() -> neo.Block:
    """Two populations of 2 and 3 neurons; membranes of neurons 0, 1 and of 1 (the Block's 3) are recorded."""
    block = nsnn.to_block([[[0.1], [0.2], [0.3], [0.4, 0.41], []]], t_stop=0.5 * pq.s)
    block.annotate(populations=[{"name": "E", "size": 2}, {"name": "I", "size": 3}])
    for name, neurons in (("E", [0, 1]), ("I", [1])):
        values = np.arange(50.0)[:, None] + 100 * np.array(neurons) + (1000 if name == "I" else 0)
        signal = neo.AnalogSignal(values, units="mV", sampling_rate=100 * pq.Hz, name=f"v of {name}")
        signal.array_annotate(neuron=np.array(neurons))
        block.segments[0].analogsignals.append(signal)
    return block


@pytest.mark.parametrize(
    ("chosen", "first_values", "spikes", "labels"),
    [
        ({"neurons": [3, 0]}, [1100, 0], [[0.4, 0.41], [0.1]], ["neuron 3", "neuron 0"]),
        ({"population": "E", "neurons": 1}, [100], [[0.2]], ["neuron 1"]),
    ],
)
def test_membrane_of_a_network(chosen, first_values, spikes, labels) -> None:
    ax = plotting.membrane(network_block(), ax=new_ax(), **chosen)
    assert [line.get_ydata()[0] for line in ax.lines] == pytest.approx(first_values)
    assert [[s[0, 0] for s in c.get_segments()] for c in ax.collections] == spikes
    assert [line.get_label() for line in ax.lines] == labels


def test_cv_against_rate_has_a_dot_and_errors_for_each_neuron() -> None:
    rng = np.random.default_rng(4)
    trials = [[np.sort(rng.uniform(0, 2, 9 + 5 * j)) for j in range(3)] for _ in range(4)]
    blocks = {n: nsnn.to_block(trials[:n], t_stop=2 * pq.s) for n in (1, 4)}
    for n, block in blocks.items():
        ax = plotting.cv_against_rate(block, ax=new_ax())
        line, dots = ax.lines[0], ax.lines[1]
        assert set(line.get_ydata()) == {1.0}
        np.testing.assert_array_equal(dots.get_xdata(), measures.firing_rate(block))
        np.testing.assert_array_equal(dots.get_ydata(), measures.cv(block))
        lengths = [
            np.ptp(segment[:, 1]) for segment in ax.collections[-1].get_segments() if len(segment) == 2
        ]
        expected = 2 * nsnn.tabulate(block, measures.cv)["se"].to_numpy() if n > 1 else []
        np.testing.assert_allclose(lengths, expected)
    ax = plotting.cv_against_rate(blocks, neurons=[2], t_stop=1 * pq.s, ax=new_ax())
    assert {text.get_text() for text in ax.get_legend().get_texts()} >= {"1", "4"}
    assert ax.lines[1].get_xdata() == measures.firing_rate(blocks[1], t_stop=1 * pq.s)[2]
    few = nsnn.to_block([[[0.1, 0.2, 0.4], [0.3]]], t_stop=1 * pq.s)
    ax = plotting.cv_against_rate(few, ax=new_ax())
    assert ax.texts[0].get_text().startswith("1 neuron")
    opened = [line.get_xdata().tolist() for line in ax.lines if line.get_markerfacecolor() == "none"]
    assert opened == [[3.0], []]  # the dot and its key
    assert "5 intervals" in ax.get_legend().get_texts()[1].get_text()
    with pytest.raises(NsnnError, match="more spikes"):
        plotting.cv_against_rate(nsnn.select(few, units=1), ax=new_ax())


def test_membranes_are_chosen_and_named_by_the_ids_of_units() -> None:
    block = with_signal()  # of neurons 0 and 2
    block.annotations["units"] = {"id": [17, 4, 9]}
    ax = plotting.membrane(block, neurons=["9", "17"], ax=new_ax())
    numbered = plotting.membrane(block, neurons=[2, 0], ax=new_ax())
    assert [line.get_label() for line in ax.lines] == ["unit 9", "unit 17"]
    for line, same in zip(ax.lines, numbered.lines, strict=True):
        np.testing.assert_array_equal(line.get_ydata(), same.get_ydata())
    with pytest.raises(NsnnError, match="not among the recorded neurons"):
        plotting.membrane(block, neurons="4", ax=new_ax())


def test_phases_are_shares_of_spikes_with_an_arrow_of_the_vector_strength_in_their_mean_direction() -> None:
    block = nsnn.to_block(
        [[[0.45], [0.02, 0.07, 0.12, 0.22]]], t_stop=0.5 * pq.s
    )  # 0.2, 0.7, 1.2, 2.2 cycles of 10 Hz
    row = measures.phase_locking(10 * pq.Hz, block).iloc[1]
    ax = plotting.phase_histogram(10 * pq.Hz, block, neuron=1, n_bins=4, ax=new_ax("polar"))
    assert [bar.get_height() for bar in ax.patches[:4]] == [0.75, 0, 0.25, 0]
    assert ax.patches[1].get_x() == pytest.approx(np.pi / 2)
    arrow = ax.texts[-1]
    angle, radius = ax.transData.inverted().transform(arrow.xycoords.transform(arrow.xy))
    assert angle == pytest.approx(row.direction % (2 * np.pi))
    assert radius / ax.get_ylim()[1] == pytest.approx(row.vector_strength)
    ax, start, stop = new_ax("polar"), 0.1 * pq.s, 0.3 * pq.s
    plotting.phase_histogram(10 * pq.Hz, block, neuron=1, n_bins=4, t_start=start, t_stop=stop, ax=ax)
    assert [bar.get_height() for bar in ax.patches[:4]] == [1, 0, 0, 0]


@pytest.mark.parametrize(("words", "slope"), [("condition of the stimulus", 30), ("", 0)])
def test_names_that_would_overlap_are_slanted(words: str, slope: float) -> None:
    names = [f"{words}{k}" for k in range(6)]
    data = pd.DataFrame({"x": names, "y": 0.0, "value": range(6)})
    for ax in (
        plotting.heatmap(data, "x", "y", ax=new_ax()),
        plotting.confusion(np.eye(6), labels=names, ax=new_ax()),
    ):
        assert {text.get_rotation() for text in ax.get_xticklabels()} == {slope}
