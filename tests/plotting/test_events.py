"""Rasters and PSTHs relative to events and by condition: what is drawn against arrays computed here."""

from __future__ import annotations

import itertools
import warnings
from functools import partial

import numpy as np
import pandas as pd
import pytest
import quantities as pq
from brian2 import mV
from matplotlib.colors import to_hex, to_rgba
from matplotlib.figure import Figure

import nsnn_neuro as nsnn
from nsnn_neuro import NsnnError, plotting

RNG = np.random.default_rng(3)
TIMES = [[np.sort(RNG.uniform(0, 2, 40)) for _ in range(2)] for _ in range(4)]  # [trial][neuron] s
EVENTS = [[0.5, 1.0], [1.2], [], [0.4, 0.9, 1.3]]  # s, of each trial
WINDOW = (-200 * pq.ms, 300 * pq.ms)


def block():
    return nsnn.to_block(TIMES, t_stop=2 * pq.s)


def new_ax():
    return Figure(figsize=(4, 3)).subplots()


def relative(neuron: int, events=EVENTS) -> list[list[float]]:
    """Times of a neuron's spikes from each event, in the window."""
    return [
        [t - event for t in TIMES[k][neuron] if -0.2 <= t - event < 0.3]
        for k, some in enumerate(events)
        for event in some
    ]


def rows_of(ax) -> list[tuple[int, float, str]]:
    """(row, time, colour) of each tick."""
    lines = ax.collections[0]
    segments = np.array(lines.get_segments())
    colours = [to_hex(c) for c in lines.get_colors()]
    colours = colours * len(segments) if len(colours) == 1 else colours
    found = [(round(s[:, 1].mean()), round(s[0, 0], 9), c) for s, c in zip(segments, colours, strict=True)]
    return sorted(found)


ALIGNS = {
    "one": (0.6 * pq.s, [[0.6]] * 4),
    "one each": ([600, 700, 800, 900] * pq.ms, [[0.6], [0.7], [0.8], [0.9]]),
    "all of a single trial": ([0.5 * pq.s, 1000 * pq.ms, 1.5 * pq.s], [[0.5, 1.0, 1.5]]),
    "several each": ([np.array(some) * pq.s for some in EVENTS], EVENTS),
}


@pytest.mark.parametrize("name", ALIGNS)
def test_raster_relative_to_events(name: str) -> None:
    align, events = ALIGNS[name]
    trials = nsnn.to_block(TIMES[: len(events)], t_stop=2 * pq.s)
    ax = plotting.raster(trials, neurons=1, align=align, window=WINDOW, ax=new_ax())
    expected = [(k, round(t, 9)) for k, row in enumerate(relative(1, events)) for t in row]
    assert [(row, t) for row, t, _ in rows_of(ax)] == sorted(expected)
    np.testing.assert_allclose(ax.get_xlim(), (-0.2, 0.3))
    label = "trial" if name.startswith("one") else "event"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("time from event (s)", label)


def test_raster_sorts_and_colours_conditions() -> None:
    ax = plotting.raster(block(), neurons=0, trials=[3, 1, 0], conditions=[5, 2, 2, 5] * mV, ax=new_ax())
    blue, red = (c.lower() for c in plotting.COLOURS[:2])
    # 2 mV first: trial 1; then 5 mV: trials 3 and 0 in the order asked for
    expected = [(row, t, c) for row, k, c in ((0, 1, blue), (1, 3, red), (2, 0, red)) for t in TIMES[k][0]]
    assert rows_of(ax) == sorted((row, round(t, 9), c) for row, t, c in expected)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["2 mV", "5 mV"]
    assert ax.get_ylabel() == "trial, sorted by condition"


def test_a_categorical_keeps_the_order_of_its_categories() -> None:
    labels = pd.Categorical(["10 Hz", "9 Hz", "10 Hz", "9 Hz"], categories=["9 Hz", "10 Hz", "11 Hz"])
    for drawn in (
        plotting.raster(block(), neurons=0, conditions=labels, ax=new_ax()),
        plotting.psth(block(), neuron=0, bin_width=1 * pq.s, conditions=pd.Series(labels), ax=new_ax()),
    ):
        assert [text.get_text() for text in drawn.get_legend().get_texts()] == ["9 Hz", "10 Hz"]
    table = pd.DataFrame({"x": labels, "value": [1.0, 2.0, 3.0, 4.0], "se": 0.1})
    ax = plotting.measure_against(table, "x", ax=new_ax())
    assert [text.get_text() for text in ax.get_xticklabels()] == ["9 Hz", "10 Hz"]
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[0, 2], [0, 4], [1, 1], [1, 3]])


@pytest.mark.parametrize("stop", [2, 7])
def test_numbers_of_an_axis_of_a_few_ms_do_not_touch(stop) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    short = nsnn.to_block([[[0.001], [0.0005]]], t_stop=stop * pq.ms)
    ax = plotting.raster(short, ax=new_ax())
    canvas = FigureCanvasAgg(ax.figure)
    canvas.draw()
    boxes = [label.get_window_extent(canvas.get_renderer()) for label in ax.get_xticklabels()]
    low, high = ax.bbox.x0 - 1, ax.bbox.x1 + 1
    shown = [box for box in boxes if low <= (box.x0 + box.x1) / 2 <= high]
    assert len(shown) >= 3
    assert all(one.x1 + 4 < other.x0 for one, other in itertools.pairwise(shown))


def test_legends_of_panels_side_by_side_are_no_wider_than_their_axes() -> None:
    """In one row the four texts are wider than the axes: they covered the next panel and made a layout shrink all axes by half."""
    figure = Figure(figsize=(7, 3), layout="constrained")
    panels, odours = figure.subplots(1, 2), ["air", "citral", "hexanal", "mixture"]
    for ax in panels:
        plotting.psth(block(), bin_width=500 * pq.ms, neuron=0, conditions=odours, ax=ax)
    figure.draw_without_rendering()
    for ax in panels:
        legend, axes = ax.get_legend().get_window_extent(), ax.get_window_extent()
        assert axes.x0 - 1 <= legend.x0 < legend.x1 <= axes.x1 + 1
        assert axes.width > 0.38 * figure.bbox.width
        assert legend.y0 >= axes.y1 - 1


def test_rates_of_several_calls_on_the_same_axes_have_colours_and_names_of_their_own() -> None:
    trains = nsnn.to_block([[[0.1, 0.2], [0.3]], [[0.4], []]], t_stop=0.5 * pq.s)
    ax = new_ax()
    for neuron in (0, 1):
        plotting.psth(trains, neuron=neuron, bin_width=0.1 * pq.s, ax=ax)
    shorter = nsnn.to_block([[[0.1, 0.2]]], t_stop=0.25 * pq.s)
    plotting.psth(shorter, neuron=0, bin_width=0.05 * pq.s, ax=ax)
    assert [patch.get_edgecolor() for patch in ax.patches] == [to_rgba(c) for c in plotting.COLOURS[:3]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["neuron 0", "neuron 1", "neuron 0"]
    assert ax.get_xlim() == (0.0, 0.5)


def test_psth_of_each_condition_relative_to_events() -> None:
    """Labels of trials, of events, or the name of an annotation of trials."""
    labels, named = ["go", "stop", "go", "stop"], block()
    for segment, label in zip(named.segments, labels, strict=True):
        segment.annotations["label"] = label
    kind = [label for label, some in zip(labels, EVENTS, strict=True) for _ in some]
    options = {
        "bin_width": 100 * pq.ms,
        "align": [np.array(some) * pq.s for some in EVENTS],
        "window": WINDOW,
    }
    for conditions in (labels, kind, "label"):
        ax = plotting.psth(named, neuron=1, conditions=conditions, ax=new_ax(), **options)
        for patch, name in zip(ax.patches, ("go", "stop"), strict=True):
            own = [row for row, label in zip(relative(1), kind, strict=True) if label == name]
            counts = np.histogram(np.concatenate(own), np.linspace(-0.2, 0.3, 6))[0]
            np.testing.assert_allclose(patch.get_data().values, counts / len(own) / 0.1)
        assert [text.get_text() for text in ax.get_legend().get_texts()] == ["go", "stop"]


def test_a_window_without_event_crops() -> None:
    ax = plotting.psth(block(), bin_width=250 * pq.ms, neuron=0, window=(0.5, 1.0) * pq.s, ax=new_ax())
    counts = np.histogram(np.concatenate([trial[0] for trial in TIMES]), [0.5, 0.75, 1.0])[0]
    np.testing.assert_allclose(ax.patches[0].get_data().values, counts / 4 / 0.25)
    assert ax.get_xlabel() == "time (s)"


def test_rate_map_relative_to_events() -> None:
    ax = plotting.rate_map(
        block(), bin_width=100 * pq.ms, neurons=[1, 0], align=0.6 * pq.s, window=WINDOW, ax=new_ax()
    )
    expected = [
        np.histogram(np.concatenate(relative(j, [[0.6]] * 4)), np.linspace(-0.2, 0.3, 6))[0] / 4 / 0.1
        for j in (1, 0)
    ]
    np.testing.assert_allclose(ax.collections[0].get_array(), expected)
    assert ax.figure.axes[1].get_ylabel() == "firing rate (Hz)"


def test_curves_of_trials_of_different_length_reach_as_far_as_each() -> None:
    short, long = nsnn.to_block([[[0.1]]], t_stop=1 * pq.s), nsnn.to_block([[[0.2, 1.5]]], t_stop=2 * pq.s)
    joined = nsnn.join({"long": long, "short": short})
    ax = plotting.psth(joined, bin_width=0.5 * pq.s, conditions="label", ax=new_ax())
    assert [patch.get_data().edges[-1] for patch in ax.patches] == [2.0, 1.0]
    assert ax.get_xlim() == (0.0, 2.0)
    (together,) = plotting.psth(joined, bin_width=0.5 * pq.s, ax=new_ax()).patches
    np.testing.assert_allclose(together.get_data().values, [2.0, 0.0, 0.0, 2.0])


def test_neurons_are_drawn_by_their_ids() -> None:
    named = block()
    named.annotations["units"] = {"id": ["PV1", "PYR7"], "area": ["V1", "V2"]}
    labels = [*"ab" * 9][: len(named.segments)]
    lags = {"bin_width": 0.1 * pq.s, "max_lag": 0.2 * pq.s}
    for draw in (
        lambda neuron: plotting.correlogram(named, neuron=neuron, ax=new_ax(), **lags).patches[0].get_data().values,
        lambda neurons: plotting.rate_map(named, neurons=neurons, bin_width=0.1 * pq.s, ax=new_ax()).collections[0].get_array(),
        lambda neurons: plotting.tuning_curve(labels, named, neurons=neurons, ax=new_ax()).lines[0].get_ydata(),
        lambda neuron: plotting.raster(named, neurons=neuron, ax=new_ax()).collections[0].get_segments(),
        lambda neuron: plotting.isi_histogram(named, neuron=neuron, ax=new_ax()).patches[0].get_data().values,
        lambda neuron: plotting.psth(named, neuron=neuron, bin_width=0.1 * pq.s, ax=new_ax()).patches[0].get_data().values,
    ):  # fmt: skip
        for neuron in ("PYR7", {"area": "V2"}):
            np.testing.assert_array_equal(draw(neuron), draw(1))
        with pytest.raises(NsnnError, match=r"neurons? = 'z9': no units or population of this name.*'PV1'"):
            draw("z9")
    tuned = plotting.tuning_curve(nsnn.measures.tuning_curve(labels, named), ax=new_ax())
    assert [text.get_text() for text in tuned.get_legend().get_texts()] == ["unit PV1", "unit PYR7"]
    for ax in (
        plotting.raster(named, ax=new_ax()),
        plotting.rate_map(named, bin_width=0.1 * pq.s, ax=new_ax()),
    ):
        ticks = {ax.yaxis.get_major_formatter()(tick) for tick in ax.yaxis.get_major_locator()()}
        assert ticks >= {"PV1", "PYR7"}
        assert ax.get_ylabel().startswith("unit")
    pair = nsnn.measures.cross_correlogram(named, ("PYR7", "PV1"), **lags)
    same = nsnn.measures.cross_correlogram(named, (1, 0), **lags)
    np.testing.assert_array_equal(pair.counts, same.counts)
    for both in (
        plotting.correlogram(named, neuron=1, other=0, ax=new_ax(), **lags),
        plotting.correlogram(pair, ax=new_ax()),
    ):
        assert both.get_xlabel() == "time of unit PV1 after unit PYR7 (ms)"
    rates = nsnn.measures.psth(named, bin_width=0.1 * pq.s)
    for draw in (partial(plotting.psth, named, bin_width=0.1 * pq.s), partial(plotting.psth, rates)):
        each, mean = draw(neurons=["PYR7", "PV1"], ax=new_ax()), draw(ax=new_ax())
        assert [text.get_text() for text in each.get_legend().get_texts()] == ["unit PYR7", "unit PV1"]
        assert [text.get_text() for text in mean.get_legend().get_texts()] == ["mean of 2 units"]
        np.testing.assert_array_equal([one.get_data().values for one in each.patches], rates.rate[[1, 0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # neurons of one Block are repeats, not groups
        plotting.measure_against(nsnn.tabulate(named, nsnn.measures.firing_rate), x="block", ax=new_ax())
