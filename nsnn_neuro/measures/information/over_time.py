"""Information in windows that slide over the trial, with a permutation test of clusters of windows.

Stimuli are permuted alike for all windows, so that correlations between windows stay.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.ndimage import label

from ...core.aliases import SpikeSource, Time, Values
from ...core.checks import check, positive, suggest_keywords
from ...core.errors import NsnnError
from ..entropies.contingency import contingency
from ..entropies.entropy import choose
from ..entropies.estimators import CLOSED_FORMS
from ..entropies.information_tables import information_of_tables
from ..entropies.symbols import as_symbols
from ..estimate import Report
from ..limits import between_0_and_1
from ..response_checks import as_labels, refuse_swapped, share_reached
from ..trains import binned, scalar_time
from ..trial_counts import sliding_windows
from .mutual_information import mutual_information
from .pipeline import of_many
from .rate_vs_temporal import of_one_neuron
from .words import from_start, in_window, refuse_remainder


@dataclass(frozen=True, eq=False)
class InformationOverTime(Report):
    """Information in windows and its clusters; made by `information_over_time`. Arrays are (n_windows,)."""

    start: np.ndarray
    """s, starts of the windows, from the event or on the trial's clock"""
    stop: np.ndarray
    """s, ends"""
    information: np.ndarray
    """bits, raw - null_mean"""
    se: np.ndarray
    """standard error of each window, as of `mutual_information`"""
    raw: np.ndarray
    """bits, as of `mutual_information`"""
    null_mean: np.ndarray
    """mean over permutations"""
    p: np.ndarray
    """of each window by itself, not corrected for their number"""
    clusters: pd.DataFrame
    """a row per cluster: start, stop (s), mass (sum of z-scores) and p for all windows together"""
    correction: str
    n: int
    """trials"""
    warning: str | None
    """windows with too few trials for the correction; None without"""

    @property
    def times(self) -> np.ndarray:
        """(n_windows,) s, centres of the windows"""
        return (self.start + self.stop) / 2

    def significant(self, alpha: float = 0.05) -> np.ndarray:
        """(n_windows,) whether the window is in a cluster of p <= alpha."""
        out = np.zeros(self.start.size, dtype=bool)
        for _, row in self.clusters[self.clusters.p <= alpha].iterrows():
            out |= (self.start >= row.start - 1e-12) & (self.stop <= row.stop + 1e-12)
        return out


@suggest_keywords
def information_over_time(
    stimulus: Values,
    block: SpikeSource,
    *,
    window: Any,
    step: Any = None,
    bin_width: Time | None = None,
    neuron: int | None = None,
    threshold: float = 0.05,
    bias: str = "panzeri-treves",
    n_shuffle: int = 200,
    seed: int = 0,
    align: Any = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> InformationOverTime:
    """Information about the stimulus in windows that slide over the trial, with one test.

    The response of a window is its spike count, or with `bin_width` the word of counts in its bins.
    p of a cluster is the share of permutations, the data among them, whose largest cluster has at
    least its mass: without information in any window, the probability of any p <= 0.05 is at most
    0.05, however many windows there are. A cluster's borders, and p of a window, are not tested so.

    Parameters
    ----------
    stimulus, block, neuron : as for `rate_vs_temporal`
    window : time, scalar, the length of the windows
    step : time, scalar, from one window to the next; None (default) is half a window
    bin_width : time, scalar, of words; it has to divide the window. None (default) counts spikes
    threshold : between 0 and 1, the p of a window below which it joins a cluster; it decides which
        clusters are found, long and weak or short and strong, not how often false ones
    bias : "panzeri-treves" (default), "plugin", "miller-madow", "chao-shen", "grassberger"
    n_shuffle, seed : permutations, at least 1, and their seed
    align, t_start, t_stop : the time over which windows slide, see `words`

    Raises
    ------
    NsnnError : a window longer than the time or not divided by bin_width, a threshold outside (0,
        1), too few permutations for it, or what `rate_vs_temporal` refuses. Source: Maris &
        Oostenveld 2007, doi 10.1016/j.jneumeth.2007.03.024

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> stimulus = [0, 1] * 20
    >>> block = to_block([[[0.25] if s else []] for s in stimulus], t_stop=0.4*pq.s)
    >>> found = information_over_time(stimulus, block, window=100*pq.ms, step=100*pq.ms, n_shuffle=99)
    >>> found.information.round(2).tolist()
    [0.0, 0.0, 0.99, 0.0]
    >>> found.clusters[["start", "stop", "p"]].round(3).values.tolist()
    [[0.2, 0.3, 0.01]]
    """
    check(neuron=neuron, bias=bias, n_shuffle=n_shuffle, seed=seed)
    refuse_swapped(stimulus, block, "information_over_time(stimulus, block)")
    method = choose(bias, CLOSED_FORMS, "bias")
    between_0_and_1(threshold, "threshold")
    if threshold * (n_shuffle + 1) < 1:
        raise NsnnError(
            f"n_shuffle = {n_shuffle}: no window could reach threshold = {threshold:g}; expected at least "
            f"{np.ceil(1 / threshold) - 1:.0f}"
        )
    trains = of_one_neuron(in_window(block, align, t_start, t_stop), neuron)
    offset = 0.0  # of the first window, from the event or on the clock that the trials share
    if align is not None:
        offset = scalar_time(t_start, "t_start", 0.0)
    elif np.ptp(trains.t_start) == 0:
        offset = float(trains.t_start[0])
    labels, trains = as_labels(stimulus, "stimulus", trains.n_trials)[1], from_start(trains)
    start, stop = sliding_windows(trains, window, step)
    letter = None if bin_width is None else positive(bin_width, "s", "bin_width")
    if letter is not None:
        refuse_remainder(letter, positive(window, "s", "window"), f"bin_width = {bin_width}")
    parts = [trains.crop(*window) for window in zip(start.tolist(), stop.tolist(), strict=True)]
    if letter is None:
        responses = [part.counts[:, 0] for part in parts]
    else:
        responses = [binned(from_start(part), letter, "bin_width")[:, 0] for part in parts]
    result = [mutual_information(labels, r, bias=bias, n_shuffle=0) for r in responses]
    rng, n_s = np.random.default_rng(seed), int(labels.max()) + 1
    orders = np.vstack([labels[None], rng.permuted(np.tile(labels, (n_shuffle, 1)), axis=1)])
    values = np.empty((len(responses), len(orders)))  # of the data and of permuted labels
    for row, response in zip(values, responses, strict=True):
        r, n_r = as_symbols(response, "response")
        tables = (contingency(order, r, n_s, n_r) for order in orders)
        row[:] = of_many(tables, lambda stack: information_of_tables(stack, method), n_s * n_r)
    p = share_reached(values)
    clusters = clusters_of(values, p <= threshold)
    clusters = clusters.assign(start=offset + start[clusters["first"]], stop=offset + stop[clusters["last"]])
    warned = [one.warning for one in result if one.warning]
    note = f"{len(warned)} of {len(result)} windows: {warned[0]}" if warned else None
    raw, null = np.array([one.value for one in result]), values[:, 1:]
    mean, se = null.mean(axis=1), np.hypot([one.se for one in result], null.std(axis=1) / np.sqrt(n_shuffle))
    about = clusters[["start", "stop", "mass", "p"]], result[0].correction, trains.n_trials, note
    return InformationOverTime(offset + start, offset + stop, raw - mean, se, raw, mean, p[:, 0], *about)


def clusters_of(values: np.ndarray, above: np.ndarray) -> pd.DataFrame:
    """Runs of windows `above` of the first column, with first, last, mass and p; other columns are permutations."""
    sd = values.std(axis=1, keepdims=True)
    z = np.maximum(values - values.mean(axis=1, keepdims=True), 0.0) / np.where(sd > 0, sd, np.inf)
    z = np.where(above, z, 0.0)
    run = largest = np.zeros(values.shape[1])
    for row, member in zip(z, above, strict=True):
        run = np.where(member, run + row, 0.0)  # z is not negative: a run is largest at its end
        largest = np.maximum(largest, run)
    number, n = label(above[:, 0])
    rows = []
    for k in range(1, n + 1):
        windows = np.flatnonzero(number == k)
        mass = float(z[windows, 0].sum())
        p = float(np.mean(largest >= mass - 1e-9 * max(1.0, mass)))
        rows.append((int(windows[0]), int(windows[-1]), mass, p))
    table = pd.DataFrame(rows, columns=["first", "last", "mass", "p"])
    return table.astype({"first": int, "last": int, "mass": float, "p": float})
