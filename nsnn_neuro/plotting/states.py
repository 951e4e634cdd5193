"""Figures of hidden states: their probability over time, beside the spikes."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core.aliases import Axes, SpikeSource
from ..core.checks import suggest_keywords
from ..core.errors import NsnnError
from ..measures import as_trains
from .axes import COLOURS, INK, axes, keep_in_view, legend_above, time_axis


@suggest_keywords
def hidden_states(fit: Any, block: SpikeSource, signal: Any = None, *, ax: Axes | None = None) -> Axes:
    """Probability of each hidden state given all spikes, stacked to 1, against time; ticks above are the spikes.

    Parameters
    ----------
    fit : result of `fit_states`
    block : neo.Block of one neuron and one trial, that was fitted or another one
    signal : its stimulus, for a fit that has one
    ax : axes to draw on; None makes a new figure

    Raises
    ------
    NsnnError : no such result, several trials or neurons

    >>> import quantities as pq
    >>> from matplotlib.figure import Figure
    >>> from nsnn_neuro.likelihood import Poisson, StatesModel, fit_states
    >>> cell = StatesModel(dt=5*pq.ms, family=Poisson(), n_states=2)
    >>> block = cell.simulate([-4.0, -1.5, -4.0, -4.0, 0.0], duration=10*pq.s)
    >>> fit = fit_states(block, dt=5*pq.ms, family=Poisson(), n_states=2)
    >>> ax = hidden_states(fit, block, ax=Figure().subplots())
    >>> ax.get_xlabel(), ax.get_ylabel(), len(ax.collections)
    ('time (s)', 'P(state | spikes)', 3)
    """
    if not hasattr(fit, "posterior"):
        raise NsnnError(f"fit = {type(fit).__name__} object: expected the result of fit_states")
    trains = as_trains(block)
    if trains.n_trials * trains.n_neurons != 1:
        raise NsnnError(
            f"block has {trains.n_trials} trials and {trains.n_neurons} neurons: expected one of each, as from select(block, "
            "trials=0)"
        )
    posterior, rates = fit.posterior(block, signal), fit.table["rate"]
    start, step = float(trains.t_start[0]), fit.model.step
    edges = start + step * np.arange(len(posterior) + 1)
    below = np.zeros(len(edges))
    ax = axes(ax)
    for k, rate in enumerate(rates):
        above = below + np.append(posterior[:, k], posterior[-1, k])
        label, colour = f"state {k}, {rate:.3g} Hz", COLOURS[k % len(COLOURS)]
        ax.fill_between(edges, below, above, step="post", color=colour, alpha=0.6, lw=0, label=label)
        below = above
    ax.vlines(trains.times, 1.04, 1.16, color=INK, lw=0.6)
    keep_in_view(ax, x=(edges[0], edges[-1]), y=(0.0, 1.18))
    ax.set(ylabel="P(state | spikes)", yticks=[0, 0.5, 1])
    legend_above(ax, len(rates))
    return time_axis(ax, None)
