"""Figure of recorded membranes, the signals "v" of a Block."""

from __future__ import annotations

from typing import Any

import neo
import numpy as np
import quantities as pq

from ..core.aliases import Axes, SpikeSource
from ..core.checks import did_you_mean, suggest_keywords
from ..core.errors import NsnnError
from ..core.units import shown, si, unit_of
from ..measures import as_trains
from ..measures.table import populations_of, unit_names
from .align import selection
from .axes import COLOURS, INK, axes, finish, keep_in_view


@suggest_keywords
def membrane(
    block: SpikeSource,
    *,
    trial: int = 0,
    population: str | None = None,
    neurons: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """The recorded membranes of one trial with each neuron's spikes as ticks above.

    Parameters
    ----------
    block : neo.Block of `simulate(..., record_v=...)`, or any whose Segments hold a signal "v", or a signal "v of NAME" for each
        population
    trial : number
    population : name; None is all populations that were recorded
    neurons : number, id or name, or a list of one kind; numbers are among the recorded ones, counted over all populations as in
        `raster`, or within `population`; None is all of them

    Raises
    ------
    NsnnError : no such trial, population or neuron, nothing recorded, or populations whose membranes have different units

    >>> from matplotlib.figure import Figure
    >>> from nsnn_neuro import NSNNNeuron, Constant, simulate
    >>> block = simulate(NSNNNeuron(), stimulus=Constant(0.6), duration=6*pq.ms, dt=1*pq.ms, record_v=True,
    ...                  engine="numpy")
    >>> ax = membrane(block, ax=Figure().subplots())
    >>> ax.get_ylabel(), ax.lines[0].get_ydata().round(3).tolist()
    ('membrane', [0.6, 0.9, 1.05, 0.6, 0.9, 1.05])
    """
    trains = as_trains(block)
    number = int(selection(trial, trains.n_trials, "trial")[0])
    signals, first = _membranes(block, number, population, trains.n_neurons)
    own_numbers = [_channels(one) for one in signals]
    ids = np.concatenate([numbers + at for numbers, at in zip(own_numbers, first, strict=True)])
    recorded = np.concatenate(own_numbers) if population is not None else ids
    signal = signals[0]
    if neurons is not None and np.asarray(neurons).dtype.kind in "UO":  # ids or names
        chosen = selection(neurons, trains.n_neurons, "neurons", block)
        neurons = [recorded[ids == j][0] if j in ids else j for j in chosen]
    expected = recorded if neurons is None else np.atleast_1d(neurons)
    missing = [int(j) for j in expected if j not in recorded]
    if missing:
        raise NsnnError(
            f"neurons = {shown(neurons)}: {missing} not among the recorded neurons {recorded.tolist()}"
        )
    unit = unit_of(signal)
    values = np.concatenate(
        [1e3 * si(one, "V", "v") if unit == "V" else np.asarray(one.magnitude, float) for one in signals],
        axis=1,
    )
    t = np.asarray(signal.times.rescale(pq.s).magnitude, dtype=float)
    ax, names = axes(ax), unit_names(block, trains.n_neurons)
    own, lane = trains.trial == number, min(0.06, 0.6 / len(expected))
    for k, j in enumerate(expected):
        colour = INK if len(expected) == 1 else COLOURS[k % len(COLOURS)]
        channel = int(np.argmax(recorded == j))
        name = names[ids[channel]] if names[0].startswith("unit") else f"neuron {j}"
        ax.plot(t, values[:, channel], color=colour, lw=0.9, label=name)
        spikes = trains.times[own & (trains.neuron == ids[channel])]
        low = 1.0 - lane * (len(expected) - k)
        ax.vlines(spikes, low, low + 0.75 * lane, transform=ax.get_xaxis_transform(), color=colour, lw=1.0)
    drawn = np.concatenate([line.get_ydata() for line in ax.lines[-len(expected) :]])
    low = min(float(np.nanmin(drawn)), ax.dataLim.y0)  # 1 / 21 is the margin below
    top = low + (float(np.nanmax(drawn)) - low) / (0.98 - 1 / 21 - lane * len(expected))
    if len(expected) > 1:
        ax.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    keep_in_view(ax, x=(t[0], float(signal.t_stop.rescale(pq.s).magnitude)), y=[top])
    ax.set_xlabel("time (s)")
    plotted = {"V": " (mV)", "1": ""}.get(unit, f" ({signal.dimensionality.string})")
    ax.set_ylabel("membrane" + plotted)
    return finish(ax)


def _membranes(
    block: Any, trial: int, population: str | None, n: int
) -> tuple[list[neo.AnalogSignal], list[int]]:
    """Recorded membranes of a trial, one signal for each population, and the number of each population's first neuron."""
    named = {signal.name: signal for signal in block.segments[trial].analogsignals}
    listed = populations_of(block, n)
    first = np.cumsum([0, *(size for _, size in listed)]).tolist()
    places = {f"v of {name}": (name, at) for (name, _), at in zip(listed, first, strict=False)}
    places["v"] = (listed[0][0], 0)
    recorded = [(*places[name], signal) for name, signal in named.items() if name in places]
    if not recorded:
        raise NsnnError(
            f'trial = {trial}: no signal "v" in the block; record it with simulate(..., record_v=[0]), of a network with '
            "record_v=True"
        )
    names = [name for name, _, _ in recorded]
    if population is not None and population not in names:
        hint = did_you_mean(population, names)
        raise NsnnError(
            f"population = {shown(population)}: expected one whose membrane is recorded, {', '.join(names)}{hint}"
        )
    chosen = [(at, signal) for name, at, signal in recorded if population in (None, name)]
    if len({unit_of(signal) for _, signal in chosen}) > 1:
        raise NsnnError(
            f"population = None: the membranes of {', '.join(names)} have different units: choose one, population={names[0]!r}"
        )
    return [signal for _, signal in chosen], [first for first, _ in chosen]


def _channels(signal: neo.AnalogSignal) -> np.ndarray:
    """The neuron of each channel of a recorded membrane."""
    recorded = np.asarray(signal.array_annotations.get("neuron", range(signal.shape[1])))
    if recorded.shape != (signal.shape[1],) or recorded.dtype.kind not in "iu":
        raise NsnnError(
            f'the signal "{signal.name}" has array_annotations["neuron"] = {shown(recorded)}: expected a whole number for each '
            "channel"
        )
    return recorded.astype(np.int64)
