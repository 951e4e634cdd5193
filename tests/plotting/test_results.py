"""Figures of results and tables: what is drawn against the results and against arrays computed here."""

from __future__ import annotations

import types

import neo
import numpy as np
import pandas as pd
import pytest
import quantities as pq
from brian2 import mV
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.testing import assert_allclose
from scipy.stats import t

import nsnn_neuro as nsnn
from nsnn_neuro import likelihood, measures, plotting


def new_ax():
    return Figure(figsize=(4, 3)).subplots()


def poisson(n_trials: int = 3, n_neurons: int = 2, duration: float = 4.0) -> neo.Block:
    rng = np.random.default_rng(5)
    times = [
        [rng.uniform(0, duration, rng.poisson(60 + 20 * j)) for j in range(n_neurons)]
        for _ in range(n_trials)
    ]
    return nsnn.to_block(times, t_stop=duration * pq.s)


def texts(artists) -> list[str]:
    return [artist.get_text() for artist in artists]


def bars(container) -> np.ndarray:
    """(n, 2) ends of the error bars."""
    return np.array([s[:, 1] for s in container[2][0].get_segments()])


def sweep_table() -> pd.DataFrame:
    rows = [
        (v, s, seed, 1e4 * v + 100 * s + seed)
        for v in (0.01, 0.02, 0.03)
        for s in (1, 2, 4)
        for seed in (0, 1)
    ]
    table = pd.DataFrame(rows, columns=["stimulus.v", "s", "seed", "value"]).iloc[::-1]
    table = table.assign(measure="firing_rate", unit="Hz")
    table.attrs["units"] = {"stimulus.v": "V", "s": "1"}
    return table


def test_heatmap_draws_the_mean_of_each_cell_with_units() -> None:
    table = sweep_table()
    table.loc[(table.s == 2) & (table["stimulus.v"] == 0.02), "value"] = np.nan
    ax = plotting.heatmap(table, "stimulus.v", "s", ax=new_ax())
    drawn = ax.collections[0].get_array()
    expected = [[1e4 * v + 100 * s + 0.5 for v in (0.01, 0.02, 0.03)] for s in (1, 2, 4)]
    assert drawn.mask.tolist() == [[False] * 3, [False, True, False], [False] * 3]
    np.testing.assert_allclose(drawn.filled(0), np.where(drawn.mask, 0, expected))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("stimulus.v (mV)", "s")
    assert ax.figure.axes[1].get_ylabel() == "firing rate (Hz)"
    corners = ax.collections[0].get_coordinates()
    np.testing.assert_allclose(corners[0, :, 0], [5, 15, 25, 35])
    np.testing.assert_allclose(corners[:, 0, 1], np.sqrt([0.5, 2, 8, 32]))  # 1, 2, 4: a geometric series
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "log")
    named = pd.DataFrame({"x": ["b", "a"], "y": [1, 1], "value": [2.0, 3.0]})
    ax = plotting.heatmap(named, "x", "y", ax=new_ax())
    assert texts(ax.get_xticklabels()) == ["b", "a"]
    assert ax.collections[0].get_array().tolist() == [[2.0, 3.0]]


def test_confusion_of_a_decoding_has_its_counts_and_labels() -> None:
    stimulus = np.repeat([3, 7], 20)
    result = measures.decode(stimulus, np.random.default_rng(6).poisson(stimulus)[:, None], n_shuffle=0)
    ax = plotting.confusion(result, ax=new_ax())
    assert texts(ax.texts) == [f"{count:g}" for count in result.confusion.ravel()]
    np.testing.assert_allclose(ax.collections[0].get_array(), 100 * result.confusion / 20)
    assert ax.figure.axes[1].get_ylabel() == "% of row"
    assert texts(ax.get_xticklabels()) == texts(ax.get_yticklabels()) == ["3", "7"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("decoded stimulus", "stimulus")
    assert ax.get_ylim()[0] > ax.get_ylim()[1]  # the first row is above
    ax = plotting.confusion(result.confusion, labels=["low", "high"], show="percent", ax=new_ax())
    assert texts(ax.texts) == [f"{count / 20:.0%}".replace("%", " %") for count in result.confusion.ravel()]
    assert texts(ax.get_xticklabels()) == ["low", "high"]


def test_labels_sort_or_rename_the_confusion_matrix() -> None:
    """The result's own labels in another order sort it, a dict and other names rename."""
    matrix = [[7, 1, 2], [0, 9, 1], [3, 0, 7]]
    result = types.SimpleNamespace(confusion=matrix, labels=["16 kHz", "2 kHz", "4 kHz"])
    ax = plotting.confusion(result, labels=["2 kHz", "4 kHz", "16 kHz"], ax=new_ax())
    assert texts(ax.get_yticklabels()) == ["2 kHz", "4 kHz", "16 kHz"]
    assert texts(ax.texts) == ["9", "1", "0", "0", "7", "3", "1", "2", "7"]
    renamed = plotting.confusion(result, labels={"4 kHz": "high", "16 kHz": "top"}, ax=new_ax())
    assert texts(renamed.get_yticklabels()) == texts(renamed.get_xticklabels()) == ["top", "2 kHz", "high"]
    assert texts(renamed.texts) == [str(count) for row in matrix for count in row]
    numbered = plotting.confusion([[3, 1], [0, 4]], labels={1: "high"}, ax=new_ax())
    assert texts(numbered.get_yticklabels()) == ["0", "high"]


def test_tuning_curve_of_a_block_is_its_rate_by_stimulus() -> None:
    block = poisson(4)
    ax = plotting.tuning_curve([20, 10, 20, 10] * mV, block, ax=new_ax())
    rates = measures.as_trains(block).counts / 4.0
    for j, container in enumerate(ax.containers):
        groups = [rates[[1, 3], j], rates[[0, 2], j]]
        points = [(x, group.mean()) for x, group in zip((10, 20), groups, strict=True)]
        np.testing.assert_allclose(container[0].get_xydata(), points)
        half = [t.ppf(0.975, 1) * group.std(ddof=1) / np.sqrt(2) for group in groups]  # of two trials
        limits = [[max(g.mean() - h, 0), g.mean() + h] for g, h in zip(groups, half, strict=True)]
        np.testing.assert_allclose(bars(container), limits)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("stimulus (mV)", "firing rate (Hz), 95 % limits")
    assert texts(ax.get_legend().get_texts()) == ["neuron 0", "neuron 1"]


def test_tuning_curve_of_a_table_and_of_texts() -> None:
    table = pd.DataFrame({"contrast (%)": [10, 10, 50], "rate (Hz)": [1.0, 3.0, 8.0]})
    ax = plotting.tuning_curve("contrast (%)", "rate (Hz)", table=table, ax=new_ax())
    assert ax.containers[0][0].get_xydata().tolist() == [[10.0, 2.0], [50.0, 8.0]]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("contrast (%)", "rate (Hz), 95 % limits")
    ax = plotting.tuning_curve(
        ["drug", "control", "drug"], [[1.0, 5.0], [2.0, 6.0], [3.0, 7.0]], neurons=1, ax=new_ax()
    )
    assert ax.containers[0][0].get_xydata().tolist() == [[0.0, 6.0], [1.0, 6.0]]
    assert texts(ax.get_xticklabels()) == ["drug", "control"]


def test_tuning_curve_of_a_result_with_its_fit() -> None:
    rates = np.random.default_rng(1).poisson(8, size=(24, 2))
    angle = np.repeat([0.0, 90.0, 180.0, 270.0], 6) * pq.deg
    curve = measures.tuning_curve(angle, rates * pq.Hz)
    ax = plotting.tuning_curve(curve, fit=curve.fit("cosine"), ax=new_ax())
    for j, container in enumerate(ax.containers):
        np.testing.assert_allclose(container[0].get_xydata()[:, 1], curve.mean[j])
        np.testing.assert_allclose(bars(container), np.c_[curve.lower[j], curve.upper[j]])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("stimulus (deg)", "firing rate (Hz), 95 % limits")
    marks = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "^"]
    np.testing.assert_allclose(marks, curve.fit("cosine").parameters["preferred"])
    line = next(line for line in ax.lines if len(line.get_xdata()) == 300)
    np.testing.assert_allclose(line.get_ydata()[[0, -1]], curve.fit("cosine").predict([0, 270])[0])
    texts_curve = measures.tuning_curve(["b", "a"] * 12, rates)
    ax = plotting.tuning_curve(texts_curve, neurons=1, ax=new_ax())
    assert (texts(ax.get_xticklabels()), ax.get_ylabel()) == (["a", "b"], "response, 95 % limits")
    ax = plotting.tuning_curve([1, 1, 1, 2, 2, 2], [-2.0, 1.0, 2.0, 5.0, 6.0, 7.0], ax=new_ax())
    assert ax.get_ylim()[0] < bars(ax.containers[0]).min() < 0  # although both means are positive


def test_information_of_rate_vs_temporal() -> None:
    stimulus = np.repeat([0, 1], 40)
    block = nsnn.to_block([[[0.01 + 0.02 * s, 0.045]] for s in stimulus], t_stop=0.048 * pq.s)
    result = measures.rate_vs_temporal(stimulus, block, resolutions=[4, 8, 24] * pq.ms, n_shuffle=0)
    ax = plotting.information_against_resolution(result, ax=new_ax())
    assert texts(ax.get_legend().get_texts()) == ["count", "latency", "words"]
    for container in ax.containers:
        rows = result[result.code == container.get_label()]
        height = result.raw[0] + rows.over_count
        np.testing.assert_allclose(container[0].get_xydata(), np.c_[1e3 * rows.resolution, height])
        np.testing.assert_allclose(
            bars(container), np.c_[height - rows.over_count_se, height + rows.over_count_se]
        )
    assert ax.lines[0].get_ydata()[0] == result.raw[0]
    assert ax.get_ylabel() == "raw information (bit)"
    assert ax.get_xscale() == "log"
    assert texts(ax.get_xticklabels()) == ["4", "8", "24"]


def test_information_with_a_warning_is_an_open_point() -> None:
    columns = {
        "code": ["count", "words", "words"],
        "resolution": [0.05, 0.01, 0.02],
        "information": [0.1, 0.9, 0.2],
    }
    result = pd.DataFrame(columns).assign(se=0.05, warning=["few", "a lower bound: few", None])
    ax = plotting.information_against_resolution(result, ax=new_ax())
    assert "few trials (lower bound) or not above chance" in texts(ax.get_legend().get_texts())
    (points,) = [line for line in ax.lines if line.get_label().startswith("few trials")]
    np.testing.assert_allclose(points.get_xydata(), [[10, 0.9]])
    without = plotting.information_against_resolution(result.drop(columns="warning"), ax=new_ax())
    assert texts(without.get_legend().get_texts()) == ["count", "words"]


def test_information_of_metric_space() -> None:
    trains = [[0.1 + 0.2 * (k % 2), 0.35] + [0.4] * (k % 3 == 0) for k in range(20)]
    result = measures.metric_space_information(
        [k % 2 for k in range(20)], trains, q=[0, 10, 100, np.inf] * pq.Hz, n_shuffle=5
    )
    ax = plotting.information_against_resolution(result, ax=new_ax())
    (points,) = ax.containers
    np.testing.assert_allclose(points[0].get_xydata(), np.c_[[10, 100], result.corrected[[2, 1]]])
    assert ax.lines[0].get_ydata()[0] == result.corrected[0]
    assert ax.get_xlabel() == "time scale 1/q (ms)"
    ax = plotting.confusion(result, show="counts", ax=new_ax())
    assert texts(ax.texts) == [
        f"{x:g}" for x in result.confusion[np.argmax(result.corrected)].ravel().round(1)
    ]


@pytest.fixture(scope="module")
def fit() -> likelihood.NeuronFit:
    x = neo.AnalogSignal(
        np.random.default_rng(6).normal(size=(1500, 2)), units="mV", sampling_rate=1 * pq.kHz
    )
    true = likelihood.NeuronModel(
        dt=1 * pq.ms, family=nsnn.Gaussian(1.0), stimulus=likelihood.Lags(1), channels=2
    )
    return likelihood.fit_neuron(true.simulate([-1.0, 0.5, 0.5], x), x, dt=1 * pq.ms, stimulus=2, history=3)


def test_filters_have_bands_of_the_level(fit) -> None:
    ax = plotting.filters(fit, level=0.6826894921370859, ax=new_ax())
    lags, value, se = fit.stimulus_filter()
    curves = [(lags, value[:, 0], se[:, 0]), (lags, value[:, 1], se[:, 1]), fit.history_filter()]
    for line, band, (lags, value, se) in zip(ax.lines[1:], ax.collections, curves, strict=True):
        np.testing.assert_allclose(line.get_xydata(), np.c_[1e3 * lags, value])
        corners = band.get_paths()[0].vertices[:, 1]
        np.testing.assert_allclose([corners.min(), corners.max()], [(value - se).min(), (value + se).max()])
    assert texts(ax.get_legend().get_texts()) == ["channel 0", "channel 1", "spike history"]


def test_filters_of_inputs_and_of_history_alone() -> None:
    """A curve for each input; a fit without a stimulus has its history drawn, and no unit of a signal."""
    rng = np.random.default_rng(1)
    inputs, own = (
        nsnn.to_block([[np.flatnonzero(rng.random(500) < 0.2) * 1e-3 for _ in range(n)]], t_stop=0.5 * pq.s)
        for n in (2, 1)
    )
    fit = likelihood.fit_neuron(own, inputs=inputs, coupling=3, history=2, dt=1 * pq.ms)
    ax = plotting.filters(fit, which="coupling", ax=new_ax())
    assert texts(ax.get_legend().get_texts()) == ["input 0", "input 1"]
    np.testing.assert_allclose(ax.lines[2].get_ydata(), fit.coupling_filter()[1][1])
    np.testing.assert_allclose(ax.lines[2].get_xdata(), [1, 2, 3])
    assert ax.get_ylabel() == "effect on potential (noise scale)"
    assert texts(plotting.filters(fit, ax=new_ax()).get_legend().get_texts()) == ["spike history"]


def test_training_history_of_a_fit() -> None:
    history = pd.DataFrame({"epoch": [1, 2, 3], "loss": [0.9, 0.5, 0.3], "val_loss": [0.8, 0.6, 0.7]})
    history = history.assign(accuracy=[0.5, 0.7, 0.8], val_accuracy=[0.5, 0.6, 0.7])
    ax = plotting.training_history(types.SimpleNamespace(history=history, best_epoch=2), ax=new_ax())
    left, right = ax.figure.axes
    assert left is ax
    for own, name in ((left, "loss"), (right, "accuracy")):
        np.testing.assert_array_equal(own.lines[0].get_xydata(), history[["epoch", name]])
        np.testing.assert_array_equal(own.lines[1].get_xydata(), history[["epoch", f"val_{name}"]])
        assert own.lines[1].get_linestyle() == "--"
        assert own.get_ylabel() == name
    assert ax.lines[2].get_xdata()[0] == 2
    assert texts(ax.get_legend().get_texts())[-1] == "returned weights: epoch 2"
    alone = plotting.training_history(history.assign(accuracy=np.nan, val_accuracy=np.nan), ax=new_ax())
    assert alone.figure.axes == [alone]


@pytest.mark.parametrize("other", [1, None])
def test_correlogram_draws_the_counts_of_the_measure(other: int | None) -> None:
    block, options = poisson(), {"bin_width": 10 * pq.ms, "max_lag": 80 * pq.ms}
    result = measures.cross_correlogram(block, (0, other or 0), **options)
    ax = plotting.correlogram(block, other=other, show="counts", ax=new_ax(), **options)
    np.testing.assert_array_equal(ax.patches[0].get_data().values, result.counts)
    np.testing.assert_allclose(ax.patches[0].get_data().edges, np.arange(-85, 86, 10))
    np.testing.assert_allclose(ax.patches[2].get_data().values, result.expected)
    assert ax.get_ylabel() == "pairs of spikes per 10 ms"
    assert ax.get_xlabel() == ("lag (ms)" if other is None else "time of neuron 1 after neuron 0 (ms)")
    ratio = plotting.correlogram(block, other=other, ax=new_ax(), **options)
    np.testing.assert_allclose(ratio.patches[0].get_data().values, result.counts / result.expected)
    assert ratio.get_ylabel() == "pairs / chance"
    options |= {"predictor": "jitter", "jitter_window": 40 * pq.ms, "confidence": 0.9}
    jittered = measures.cross_correlogram(block, (0, other or 0), **options)
    for drawn in (
        plotting.correlogram(jittered, show="counts", ax=new_ax()),
        plotting.correlogram(block, other=other, show="counts", ax=new_ax(), **options),
    ):
        chance, band = drawn.patches[2].get_data(), drawn.patches[3].get_data()
        expected = [jittered.expected, jittered.upper, jittered.lower]
        np.testing.assert_array_equal([chance.values, band.values, band.baseline], expected)
        assert texts(drawn.get_legend().get_texts()) == ["chance, jitter predictor", "90 % band"]


def test_spectrum_draws_power_band_rate_and_theory() -> None:
    result = measures.power_spectrum(poisson(), sampling_rate=200 * pq.Hz, nperseg=100, noverlap=50)
    theory = ([0.0, 50.0, 100.0] * pq.Hz, [20.0, 18.0, 20.0] * pq.Hz)
    ax = plotting.spectrum(result, neuron=1, theory=theory, ax=new_ax())
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.c_[result.f, result.power[1]])
    assert ax.lines[1].get_xydata().tolist() == [[0.0, 20.0], [50.0, 18.0], [100.0, 20.0]]
    np.testing.assert_allclose(ax.lines[2].get_ydata(), result.rate[1])
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    np.testing.assert_allclose([band.min(), band.max()], [result.lower[1].min(), result.upper[1].max()])
    assert texts(ax.get_legend().get_texts()) == ["neuron 1", "theory", "rate (Poisson)"]
    mean = plotting.spectrum(result, log=True, ax=new_ax())
    np.testing.assert_allclose(mean.lines[0].get_xydata(), np.c_[result.f, result.power.mean(axis=0)][1:])
    average, error = result.power.mean(axis=0)[1:], np.hypot(*result.se[:, 1:]) / 2
    top = mean.collections[0].get_paths()[0].vertices[:, 1].max()
    assert 1 < top / (average + 1.96 * error).max() < 1.2  # chi-square: longer upwards
    assert (mean.get_xscale(), mean.get_yscale()) == ("log", "log")


def test_coherence_draws_what_the_measure_returns() -> None:
    signal = neo.AnalogSignal(
        np.random.default_rng(6).normal(size=4000), units="mV", sampling_rate=1 * pq.kHz
    )
    result = measures.coherence(signal, poisson(n_neurons=1))
    ax = plotting.coherence(result, theory=([0.0, 500.0], [0.0, 0.1]), f_max=0.1 * pq.kHz, ax=new_ax())
    np.testing.assert_array_equal(ax.lines[0].get_xydata(), np.c_[result])
    assert ax.lines[1].get_xydata().tolist() == [[0.0, 0.0], [500.0, 0.1]]
    assert ax.get_xlim() == (0.0, 100.0)


def arrows(ax) -> list[str]:
    """Colours of the arrows, in the order of the projections."""
    return [to_hex(patch.get_edgecolor()) for patch in ax.patches if hasattr(patch, "get_arrowstyle")]


def test_network_graph_of_layers_distributions_and_conductances() -> None:
    source = nsnn.Population(5, nsnn.PoissonSource(10 * pq.Hz), name="source")
    cell = nsnn.LIF(
        tau_m=20 * pq.ms, v_rest=-70 * pq.mV, v_reset=-65 * pq.mV, v_thresh=-50 * pq.mV, tau_refrac=0 * pq.ms
    )
    first, second = (nsnn.Population(2, cell, name=name) for name in ("first", "second"))
    inhibition = nsnn.ConductanceSynapse(5 * pq.ms, -80 * pq.mV)
    drawn = {
        "weight": nsnn.Normal(0.1 * pq.mV, 0.05 * pq.mV),
        "delay": nsnn.Between(1 * pq.ms, 2 * pq.ms),
        "rule": nsnn.AllToAll(),
    }
    net = nsnn.Network(
        [second, source, first],
        [
            nsnn.Projection(source, first, **drawn),
            nsnn.Projection(first, second, rule=nsnn.OneToOne(), weight=[0.1, 0.3], synapse=inhibition),
        ],
    )
    ax = plotting.network_graph(net, ax=new_ax())
    assert texts(ax.texts[3:]) == ["0.1 ± 0.05 mV\n1–2 ms", "0.2 ± 0.1"]
    assert arrows(ax) == [c.lower() for c in plotting.COLOURS[:2]]
    x = {text.get_text().split("\n")[0]: text.get_position()[0] for text in ax.texts[:3]}
    assert x["source"] < x["first"] < x["second"]
    ax = plotting.network_graph(nsnn.brunel(g=5, eta=2, n_e=80, n_i=20, J=0.5 * mV), ax=new_ax())
    assert texts(ax.texts[:2]) == ["E\nn = 80", "I\nn = 20"]
    assert texts(ax.texts[2:]) == ["0.5 mV\n1.5 ms"] * 2 + ["−2.5 mV\n1.5 ms"] * 2
    assert texts(ax.get_legend().get_texts()) == ["excitatory", "inhibitory"]


def test_filters_name_the_unit_of_the_signal(fit) -> None:
    labels = [
        plotting.filters(fit, which=w, ax=new_ax()).get_ylabel() for w in ("stimulus", "both", "history")
    ]
    start = "effect on potential (noise scale"
    assert labels == [f"{start} per mV)", f"{start}; stimulus: per mV)", f"{start})"]
    model = types.SimpleNamespace(family=likelihood.Poisson(), signal_unit=None)
    glm = types.SimpleNamespace(model=model, stimulus_filter=fit.stimulus_filter)
    assert plotting.filters(glm, which="stimulus", ax=new_ax()).get_ylabel() == "effect on log rate (1)"


def test_rescaling_draws_the_statistic_and_its_band(fit) -> None:
    """The largest distance of the curve from the diagonal is D, and 95 % of uniform samples stay within the band."""
    ax = plotting.rescaling(fit, ax=new_ax())
    x, y = ax.lines[-1].get_xydata().T
    assert np.abs(y - x).max() == pytest.approx(fit.rescaled().ks, rel=1e-12)
    rng = np.random.default_rng(41)
    n, repeats = 20, 1000
    uniform = likelihood.Rescaled(rng.random(n), 0.1, 0.9)
    ax = plotting.rescaling(uniform, ax=new_ax())
    half = ax.collections[0].get_paths()[0].vertices[:, 1].max() - 1
    z, k = np.sort(rng.random((repeats, n)), axis=1), np.arange(n)
    distance = np.maximum(np.abs(z - k / n), np.abs(z - (k + 1) / n)).max(axis=1)
    assert abs(np.mean(distance <= half) - 0.95) < 4 * np.sqrt(0.95 * 0.05 / repeats)
    one, two = fit.rescaled(), likelihood.Rescaled(np.linspace(0.05, 0.95, 10), 0.05, 0.99)
    ax = plotting.rescaling({"fit": one, "other": two}, level=0.9, ax=new_ax())
    legend = texts(ax.get_legend().get_texts())
    assert legend[:2] == ["90 % band, n = 10", f"90 % band, n = {one.n}"]
    assert [text.split(":")[0] for text in legend[2:]] == ["true model", "fit", "other"]
    assert len({patch.get_facecolor() for patch in ax.get_legend().get_patches()}) == 2


def test_hidden_states_are_drawn_at_their_times_beside_the_spikes() -> None:
    times = np.array([0.21, 0.29])
    posterior = np.array([[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]])
    model = types.SimpleNamespace(step=0.1)
    fit = types.SimpleNamespace(
        posterior=lambda *_: posterior, table=pd.DataFrame({"rate": [1.0, 20.0]}), model=model
    )
    block = nsnn.to_block([[times]], t_start=0.1 * pq.s, t_stop=0.4 * pq.s)
    ax = plotting.hidden_states(fit, block, ax=new_ax())
    assert texts(ax.get_legend().get_texts()) == ["state 0, 1 Hz", "state 1, 20 Hz"]
    low, high, ticks = ax.collections
    at = high.get_paths()[0].vertices
    assert sorted(set(at[:, 1].round(3))) == [0.2, 0.5, 0.9, 1.0]
    assert_allclose([at[:, 0].min(), at[:, 0].max()], [0.1, 0.4])
    assert_allclose([path.vertices[0, 0] for path in ticks.get_paths()], times)
    assert low.get_paths()[0].vertices[:, 1].min() == 0
