"""Figures of Blocks: rasters, rates over time and interval histograms.

A Block has one Segment per trial; `ax` are the axes to draw on, None makes a new figure. To add a figure, write a function that
reads its data with `as_trains` or a measure, draws on `axes(ax)` and returns `finish(ax)`.
"""

from __future__ import annotations

from typing import Any

import neo
import numpy as np

from ..core.aliases import Axes, SpikeSource, Time
from ..core.checks import scalar, suggest_keywords
from ..core.errors import NsnnError
from ..core.units import shown
from ..io.spikes.bins import LEAST, index, slack
from ..measures import Psth, as_trains, isi, positive
from ..measures import psth as rate_histogram
from ..measures.event_windows import warn_overlap
from ..measures.table import populations_of, unit_names
from .align import aligned, groups_of, labels_of, of_trials, one_neuron, selection
from .axes import COLOURS, INK, SOFT, axes, finish, keep_in_view, legend_above, number_rows, time_axis

_MANY_SPIKES = 20_000  # beyond these a raster is a picture inside a PDF or SVG, not one line for each spike
_LOWEST_TICK = 300  # a tick is at least 1/150 of the figure high: in a dense raster it covers several rows
_MOST_GROUPS = 40  # beyond these two alternating colours no longer tell neighbours apart


@suggest_keywords
def raster(
    block: SpikeSource,
    *,
    trials: Any = None,
    neurons: Any = None,
    align: Any = None,
    window: Any = None,
    conditions: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Spikes as ticks against time; a row is a trial (or event) of a neuron, the rows of one neuron side by side.

    Several neurons have alternating colours, or, where populations are annotated, a colour for each population.

    Parameters
    ----------
    block : neo.Block, one Segment per trial
    trials, neurons : number or list of numbers, in the order in which they are drawn from below; None is all. Neurons also by id or
        name, "PV1", as `select` takes units
    align : time of an event at which time 0 is drawn: one for all trials, (n_trials,) one for each, or a list with the times of
        each trial's events (in a Block with one trial all times are events of it). Each event has a row
    window : (start, stop), times of the plot, relative to the event; with align it is needed. None (default): whole trials
    conditions : (n_trials,) labels, numbers or texts (or one for each event), or the name of an annotation of the Segments such as
        "label": rows are sorted by condition, each in a colour; a pandas Categorical has the order of its categories
    ax : axes to draw on; None makes a new figure

    Raises
    ------
    NsnnError : no such trial or neuron, a window that leaves a trial, another number of events or labels than of trials, or
        what `as_trains` refuses

    >>> import quantities as pq
    >>> from matplotlib.figure import Figure
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.3], [0.2]], [[0.4], []]], t_stop=0.5*pq.s)
    >>> ax = raster(block, neurons=0, ax=Figure().subplots())
    >>> ax.get_xlabel(), ax.get_ylabel(), len(ax.collections[0].get_segments())
    ('time (s)', 'trial', 3)
    >>> ax = raster(block, neurons=0, align=[100, 300]*pq.ms, window=[-50, 150]*pq.ms, ax=Figure().subplots())
    >>> [round(float(tick[0, 0]), 3) for tick in ax.collections[0].get_segments()], ax.get_xlabel()
    ([0.0, 0.1], 'time from event (s)')
    """
    from matplotlib.collections import LineCollection

    recorded, conditions = as_trains(block), labels_of(block, conditions)
    trains, trial = aligned(recorded, align, window)
    n_trials = recorded.n_trials
    cells = selection(neurons, trains.n_neurons, "neurons", block)
    chosen = np.concatenate([np.flatnonzero(trial == t) for t in selection(trials, n_trials, "trials")])
    if not chosen.size:
        raise NsnnError(f"trials = {shown(trials)}: none of these trials has an event in align")
    groups = [] if conditions is None else groups_of(conditions, trial, n_trials)
    if groups:
        chosen = np.concatenate([chosen[np.isin(chosen, rows)] for _, rows in groups])
    trial_row, neuron_row = np.full(trains.n_trials, -1), np.full(trains.n_neurons, -1)
    trial_row[chosen], neuron_row[cells] = np.arange(chosen.size), np.arange(cells.size)
    rank, group = trial_row[trains.trial], neuron_row[trains.neuron]
    seen = (rank >= 0) & (group >= 0)
    x, y = trains.times[seen], (group * chosen.size + rank)[seen]

    ax = axes(ax)
    rows = cells.size * chosen.size
    half = max(0.4, rows / _LOWEST_TICK)
    segments = np.stack([np.stack([x, y - half], axis=1), np.stack([x, y + half], axis=1)], axis=1)
    if groups:
        names = [(name, COLOURS[k % len(COLOURS)]) for k, (name, _) in enumerate(groups)]
        colour = np.full(trains.n_trials, INK, dtype=object)
        for (_, own), (_, one) in zip(groups, names, strict=True):
            colour[own] = one
        of_spike = colour[trains.trial[seen]]
    else:
        colour, names = _colours_of_neurons(block, trains.n_neurons, cells, chosen.size)
        of_spike = colour[trains.neuron[seen]]
    width = float(np.clip(3.0 * max(x.size, 1) ** -0.15, 0.4, 1.2))
    colours = of_spike if len(set(colour)) > 1 else colour[0]
    lines = LineCollection(list(segments), colors=colours, linewidths=width)
    lines.set_rasterized(x.size > _MANY_SPIKES)
    lines.set_snap(half == 0.4)  # ticks of about a pixel, put on whole pixels, would make stripes
    ax.add_collection(lines, autolim=False)
    for name, one in names:
        ax.plot([], [], color=one, lw=3, label=name)
    if names:
        legend_above(ax, len(names))
    reach = trains.t_start[chosen].min(), trains.t_stop[chosen].max()
    keep_in_view(ax, x=reach, y=(-0.5, rows - 0.5))
    row = "event" if trial.size > n_trials else "trial"
    if cells.size > 1:
        each = f" ({chosen.size} {row}s each)" if chosen.size > 1 else ""
        number_rows(ax, cells, chosen.size, each, unit_names(block, trains.n_neurons))
    elif groups:
        number_rows(ax, np.arange(chosen.size), 1, f"{row}, sorted by condition")
    else:
        number_rows(ax, chosen if row == "event" else trial[chosen], 1, row)
    return time_axis(ax, align)


@suggest_keywords
def psth(
    block: SpikeSource,
    *,
    bin_width: Time | None = None,
    neuron: int | str | None = None,
    neurons: Any = None,
    align: Any = None,
    window: Any = None,
    conditions: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Rate against time with its 95 % confidence band: of neurons, or the mean of each population, by condition.

    The band is `measures.psth`'s: Poisson, bin by bin; that of a population takes its neurons as independent
    given the stimulus. It is too narrow where windows of one curve overlap; a warning says how many do.

    Parameters
    ----------
    block : neo.Block; trials of different length count in the bins that they cover. Or a result of `measures.psth`, which is drawn
        with its own bins, band and clock
    bin_width : time, scalar; needed for a Block
    neuron, neurons : number, or id or name, "PV1", as `select` takes units; neurons: several, at most seven, a curve for each. None
        (default) is the mean over the neurons of each population
    align, window, conditions : as for `raster`; there is a curve for each condition
    ax : axes to draw on; None makes a new figure

    Raises
    ------
    NsnnError : no such neuron, a window that leaves a trial, another number of events or labels than of trials, conditions of
        several populations, or what `measures.psth` refuses

    >>> import quantities as pq
    >>> from matplotlib.figure import Figure
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.2], [0.4]]], t_stop=0.5*pq.s)
    >>> ax = psth(block, bin_width=250*pq.ms, ax=Figure().subplots())
    >>> ax.patches[0].get_data().values.tolist(), ax.get_ylabel()
    ([4.0, 2.0], 'rate (Hz)')
    """
    if isinstance(block, Psth):
        if any(given is not None for given in (bin_width, align, window, conditions)):
            raise NsnnError(
                "block is a result of measures.psth, which has bins: expected no other arguments than neuron, neurons and ax"
            )
        n, named = len(block.counts), neo.Block(units=block.units)
        label = n > 1 or block.units  # the mean of neurons, by `pooled`, has lost their names
        rates = [
            (name if label else "", block.pooled(own)) for name, own in _curves(named, neuron, neurons, n)
        ]
        return _rates(axes(ax), rates, None)
    if bin_width is None:
        raise NsnnError("psth needs bin_width: time, scalar")
    recorded, conditions = as_trains(block), labels_of(block, conditions)
    trains, trial = aligned(recorded, align, window)
    chosen = _curves(block, neuron, neurons, trains.n_neurons)
    curves = [(name, members, trains) for name, members in chosen]
    curve = np.zeros(trial.size, dtype=np.int64)
    if conditions is not None:
        if len(chosen) > 1:
            names = [name for name, _ in chosen]
            raise NsnnError(f"conditions with the curves {names}: choose a neuron, neuron=0")
        by_condition = groups_of(conditions, trial, recorded.n_trials)
        curves = [(name, chosen[0][1], of_trials(trains, rows)) for name, rows in by_condition]
        for k, (_, rows) in enumerate(by_condition):
            curve[rows] = k
    if align is not None:
        warn_overlap(trains, align, recorded.n_trials, "psth", curve)
    rates = [
        (name, rate_histogram(some, bin_width=bin_width).pooled(members)) for name, members, some in curves
    ]
    return _rates(axes(ax), rates, align)


def _rates(ax: Axes, curves: list[tuple[str, Psth]], align: Any) -> Axes:
    """Draw rates with their bands beside those that the axes have, and names where there are several or one is a mean."""
    from matplotlib.patches import StepPatch

    earlier = [patch for patch in ax.patches if isinstance(patch, StepPatch)]
    for k, (name, one) in enumerate(curves, start=len(earlier)):
        colour = COLOURS[k % len(COLOURS)]
        ax.stairs(one.rate[0], one.edges, baseline=None, color=colour, lw=1.3, label=name)
        lower, upper = (np.append(limit[0], limit[0, -1]) for limit in (one.lower, one.upper))
        ax.fill_between(one.edges, lower, upper, step="post", color=colour, alpha=0.22, lw=0)
        keep_in_view(ax, x=one.edges[[0, -1]], y=[0])
    names = [label for label in ax.get_legend_handles_labels()[1] if label]
    if names and (len(earlier) + len(curves) > 1 or names[0].startswith("mean of ")):
        legend_above(ax, len(names))
    ax.set_ylabel("rate (Hz)")
    return time_axis(ax, align)


@suggest_keywords
def isi_histogram(
    block: SpikeSource,
    *,
    neuron: int | str | None = None,
    bin_width: Time | None = None,
    ax: Axes | None = None,
    log: bool = False,
) -> Axes:
    """Histogram of the interspike intervals, as a density: of one neuron, or of all neurons pooled.

    Parameters
    ----------
    block : neo.Block; no interval spans a border between trials
    neuron : number, or id or name, "PV1", as `select` takes units; None pools all neurons
    bin_width : time, scalar; None (default) is Freedman & Diaconis' 2 IQR / m^(1/3) within 10 to 200 bins, a
        multiple of the simulation's dt, so that every bin holds as many possible intervals. Not with `log`
    log : True draws bins of equal width on a logarithmic axis; the density is then per decade, so that the
        areas still add up to 1

    Source: Freedman & Diaconis 1981, doi 10.1007/BF01025868

    >>> import quantities as pq
    >>> from matplotlib.figure import Figure
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.15, 0.25], [0.2, 0.3]]], t_stop=0.5*pq.s)
    >>> ax = isi_histogram(block, bin_width=50*pq.ms, ax=Figure().subplots())
    >>> ax.get_xlabel(), ax.patches[0].get_data().values.round(4).tolist()
    ('interspike interval (ms)', [0.0, 0.0067, 0.0133])
    """
    trains = as_trains(block)
    per_neuron = isi(trains)
    if neuron is not None:
        per_neuron = [per_neuron[j] for j in selection(neuron, len(per_neuron), "neuron", block)]
    intervals = 1e3 * np.concatenate(per_neuron)
    if log and bin_width is not None:
        raise NsnnError(f"bin_width = {bin_width}: expected None with log=True, where bins have no one width")
    width = None if bin_width is None else 1e3 * positive(bin_width, "s", "bin_width")
    values = np.log10(intervals[intervals > 0]) if log else intervals
    ax = axes(ax)
    if log:
        ax.set_xscale("log")
    if values.size:
        low = float(values.min()) if log else 0.0
        dt = None if log else getattr(block, "annotations", {}).get("dt")
        grid = None if dt is None else 1e3 * scalar(dt, "1", "block.annotations['dt'], in seconds,", above=0)
        width = width or _bin_width(values, float(values.max()) - low, grid)
        share = LEAST if log else slack(1e-3 * width, trains.resolution, "bin_width")
        if not (values.max() - low) / width < 1e6:
            raise NsnnError(
                f"bin_width = {width} ms: expected fewer than a million bins up to {values.max()} ms"
            )
        counts = np.bincount(np.maximum(index(values, low, width, share), 0))
        density, edges = counts / (values.size * width), low + width * np.arange(counts.size + 1)
        edges = 10**edges if log else edges
        ax.stairs(density, edges, fill=True, color=COLOURS[0], alpha=0.35, lw=0)
        ax.stairs(density, edges, color=COLOURS[0], lw=1.2)
        keep_in_view(ax, x=edges[[0, -1]], y=[0])
    number = f"{intervals.size or 'no'} interval{'' if intervals.size == 1 else 's'}"
    ax.text(0.98, 0.97, number, transform=ax.transAxes, ha="right", va="top", color=SOFT, fontsize="small")
    ax.set(xlabel="interspike interval (ms)", ylabel="density (1/decade)" if log else "density (1/ms)")
    return finish(ax)


def _curves(block: Any, neuron: Any, neurons: Any, n: int) -> list[tuple[str, np.ndarray]]:
    """Name and neurons of each rate that `psth` draws."""
    names, curves = unit_names(block, n), _populations(block, n)
    if neuron is not None:
        neurons = [one_neuron(block, neuron, n, cure="; neurons= draws a curve for each of several")]
    if neurons is not None:
        curves = [(names[j], np.array([j])) for j in selection(neurons, n, "neurons", block)]
        if len(curves) > len(COLOURS):
            raise NsnnError(
                f"neurons = {shown(neurons)}: expected at most {len(COLOURS)}; select(block, units=...) has their mean drawn"
            )
    if len(curves) > 1:
        return curves
    own = curves[0][1]
    return [(f"mean of {own.size} {names[0].split()[0]}s" if own.size > 1 else names[own[0]], own)]


def _populations(block: Any, n: int) -> list[tuple[str, np.ndarray]]:
    """Names and neurons of the Block's populations; one of all neurons where they aren't annotated."""
    listed = populations_of(block, n)
    ends = np.cumsum([size for _, size in listed])
    sized = zip(listed, ends, strict=True)
    return [(name, np.arange(end - size, end)) for (name, size), end in sized if size]


def _colours_of_neurons(
    block: Any, n: int, cells: np.ndarray, rows_each: int
) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Colour of each neuron, (n,); and name and colour of each population where there are several."""
    colour = np.full(n, INK, dtype=object)
    populations = _populations(block, n)
    if len(populations) > 1:
        for k, (_, members) in enumerate(populations):
            colour[members] = COLOURS[k % len(COLOURS)]
        return colour, [(name, colour[m[0]]) for name, m in populations if np.isin(m, cells).any()]
    if rows_each > 1 and 1 < cells.size <= _MOST_GROUPS:
        colour[cells[1::2]] = COLOURS[0]
    return colour, []


def _bin_width(values: np.ndarray, spread: float, grid: float | None) -> float:
    """Freedman and Diaconis' width for 10 to 200 bins over `spread`, a multiple of `grid`."""
    iqr = float(np.subtract(*np.percentile(values, [75, 25])))
    width = min(max(2 * iqr * values.size ** (-1 / 3), spread / 200), spread / 10)
    if grid:
        return grid * max(1, round(width / grid))
    return width or 0.1  # all values are one
