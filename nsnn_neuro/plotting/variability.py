"""Figure of the variability of spike trains."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

from ..core.aliases import Axes, SpikeSource, Time
from ..core.checks import suggest_keywords
from ..core.errors import NsnnError
from ..measures import cv, firing_rate, tabulate
from ..measures.table import INTERVALS, n_intervals, named_blocks
from .align import selection
from .axes import COLOURS, INK, SOFT, axes, finish, keep_in_view, legend_above


@suggest_keywords
def cv_against_rate(
    blocks: SpikeSource,
    *,
    neurons: Any = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
    ax: Axes | None = None,
) -> Axes:
    """CV of the intervals against the firing rate, a dot for each neuron, and the line of Poisson trains at 1.

    Bars are one standard error of each, the jackknife over trials of `tabulate`; with one trial there are none. Neurons with
    fewer than two intervals have no CV: they are left out, and their number is written in the corner. Dots are open where there
    are fewer than 5 intervals per trial, whose CV is too low, as the ends of trials cut long intervals off: .88 of a Poisson
    process with 2. Longer trials cure it.

    Parameters
    ----------
    blocks : neo.Block, list of them, or dict of name -> Block. Several Blocks have a colour each, of one Block each population
    neurons : number, id or name, or a list of one kind, in each Block; None is all
    t_start, t_stop : times, scalar, on the trials' clock; None is the trials' own end
    ax : axes to draw on; None makes a new figure

    Raises
    ------
    NsnnError : no such neuron, no neuron with a CV, or what `tabulate` and `cv` refuse

    >>> import quantities as pq
    >>> from matplotlib.figure import Figure
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.1, 0.2, 0.4], [0.1, 0.2, 0.3, 0.4], [0.3]]], t_stop=0.5*pq.s)
    >>> ax = cv_against_rate(block, ax=Figure().subplots())
    >>> ax.lines[-2].get_xydata().round(3).tolist(), ax.texts[0].get_text()  # open dots
    ([[6.0, 0.333], [8.0, 0.0]], '1 neuron without a CV')
    """
    named = named_blocks(blocks)
    window = {"t_start": t_start, "t_stop": t_stop}
    functions = {"rate": firing_rate, "cv": cv, "intervals": n_intervals}
    table = tabulate(named, {which: partial(function, **window) for which, function in functions.items()})
    kept = np.zeros(len(table), dtype=bool)
    for name, block in named.items():
        own = (table["block"] == name).to_numpy(bool)
        n = int(own.sum()) // 3
        kept |= own & table["neuron"].isin(selection(neurons, n, "neurons", block)).to_numpy(bool)
    rate, other, number = (
        table[kept & (table["measure"] == which)].reset_index(drop=True) for which in functions
    )
    few = number["value"] < INTERVALS * number["n"]
    seen = other["value"].notna()
    if not seen.any():
        raise NsnnError("blocks have no neuron with two intervals in a trial: expected more spikes")
    ax = axes(ax)
    ax.axhline(1.0, color=INK, lw=1.0, ls="--", label="Poisson: CV 1", zorder=0)
    group = rate["block" if len(named) > 1 else "population"]
    names = list(dict.fromkeys(group[seen]))
    has_open = int((few & seen).any())
    for k, name in enumerate(names):
        colour = COLOURS[k % len(COLOURS)]
        for rows, fill in [(~few, colour), (few, "none")][: 1 + has_open]:
            rows = rows & seen & (group == name)
            x, y = rate[rows], other[rows]
            ax.errorbar(
                x["value"], y["value"], y["se"], x["se"], fmt="o", color=colour, mfc=fill, ms=4.5, elinewidth=0.8, alpha=0.8,
                label=str(name) if len(names) > 1 and fill == colour else None,
            )  # fmt: skip
    if has_open:
        label = f"fewer than {INTERVALS} intervals per trial: CV too low"
        ax.plot([], [], "o", color=INK, mfc="none", ms=4.5, label=label)
    ax.set(xlabel="firing rate (Hz)", ylabel="CV of the intervals")
    keep_in_view(ax, x=[0], y=[0])
    left_out = int((~seen).sum())
    if left_out:
        text = f"{left_out} neuron{'s' * (left_out > 1)} without a CV"
        corner: dict[str, Any] = {"transform": ax.transAxes, "ha": "right", "va": "bottom"}
        ax.text(0.98, 0.02, text, color=SOFT, fontsize="small", **corner)
    legend_above(ax, 1 + len(names) * (len(names) > 1) + has_open)
    return finish(ax)
