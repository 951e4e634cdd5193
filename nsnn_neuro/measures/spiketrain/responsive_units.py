"""Which neurons of a recording respond to an event, corrected for their number, and when each response begins.

A response begins where the rate changes from the baseline's, b, to another one, r. Let N(t) be the spikes of all n trials up to t
in the response window. S(t) = N(t) - n t (r - b) / ln(r / b), the log likelihood ratio of the two rates but for a factor, falls at
the rate b and rises at the rate r of an increase; for a decrease -S does. The interval over which it rises most is that of the
response, and its start is the latency. r is the rate in that interval: both are computed in turn, beginning with the slope n b.

The latency is the time of a spike: it is late, of a decrease early, by about the mean time between spikes of all trials there. A
bootstrap draws the same spikes again and misses this. latency_se is the root of the sum of squares of both.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from ...core.aliases import SpikeSource
from ...core.checks import check, one_of, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import shown
from ...io.segments import unit_ids
from ...io.spikes.bins import rounding
from ..limits import between_0_and_1
from ..trains import Trains, as_trains, time_window
from .responses import crop_window, response_test
from .zeta import zeta_test

_CENTRAL = [0.1587, 0.8413]  # of a normal distribution one SD from its mean; long tails make an SD too large
_STEPS = 5  # of the rate during the response
_SHORTEST = 1e-3  # s, interval of a response


@suggest_keywords
def responsive_units(
    block: SpikeSource,
    *,
    baseline: Any,
    response: Any,
    method: str = "zeta",
    alpha: float = 0.05,
    n_shuffle: int = 100,
    n_resample: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Which neurons respond: a row per neuron with p, q, responds, latency and latency_se.

    "zeta" tests whether the rate is constant through both windows (`zeta_test` of the two, the response after the baseline): it
    finds increases, decreases and brief responses in a part of the window. "paired" is the signed-rank test of `response_test` and
    finds changes of the mean rate. q is p corrected for the number of neurons by Benjamini and Hochberg, and responds is
    q <= alpha: of the neurons that respond on average at most the share alpha does so by chance.

    latency is the time in s from the start of the response window to the start of the response: of the interval in which the
    spikes of all trials exceed the baseline's rate, or fall short of it, most. latency_se is half the range of the central 68 % of
    a bootstrap over trials, with the mean time between spikes of all trials, by which latencies are late at sharp onsets. Both are
    NaN for neurons that do not respond. `select(block, units=table.neuron[table.responds])` is a Block of those that respond.

    Parameters
    ----------
    block : neo.Block, one Segment per trial
    baseline, response : (start, stop), times in the trial that do not overlap; with "paired" equally long
    method : "zeta" (default) or "paired"
    alpha : between 0 and 1, the false discovery rate
    n_shuffle : turns of the trials for "zeta", at least 10
    n_resample : bootstrap resamples for latency_se; 0: NaN
    seed : of both

    Raises
    ------
    NsnnError : a window that leaves a trial, windows that overlap or, with "paired", differ in length, one trial. p is NaN, and
        responds False, for neurons with fewer than three spikes with "zeta", with one SilentNeuronWarning. Sources: Benjamini &
        Hochberg 1995, doi 10.1111/j.2517-6161.1995.tb02031.x; Page 1954, doi 10.1093/biomet/41.1-2.100

    >>> import quantities as pq
    >>> from nsnn_neuro import select, to_block
    >>> rng = np.random.default_rng(1)
    >>> trials = [[np.append(rng.uniform(0, 1, 8), 0.6 + 0.01 * rng.random(3)), rng.uniform(0, 1, 8)] for _ in range(30)]
    >>> block = to_block([[np.sort(train) for train in trial] for trial in trials], t_stop=1*pq.s)
    >>> table = responsive_units(block, baseline=[0, 0.5]*pq.s, response=[0.5, 1]*pq.s)
    >>> table[["neuron", "responds", "latency"]].round(2).values.tolist()
    [[0, True, 0.1], [1, False, nan]]
    >>> len(select(block, units=table.neuron[table.responds]).segments[0].spiketrains)
    1
    """
    check(method=method, n_shuffle=n_shuffle, n_resample=n_resample, seed=seed)
    one_of(method, ("zeta", "paired"), "method")
    between_0_and_1(alpha, "alpha")
    edges = time_window(baseline, "baseline"), time_window(response, "response")
    if min(edges[0][1], edges[1][1]) - max(edges[0][0], edges[1][0]) > rounding(*edges[0], *edges[1]):
        raise NsnnError(
            f"baseline = {shown(baseline)}, response = {shown(response)}: the windows overlap; expected separate ones"
        )
    trains = as_trains(block)
    before = crop_window(trains, edges[0], baseline, "baseline")
    after = crop_window(trains, edges[1], response, "response")
    if method == "zeta":
        p = zeta_test(_joined(before, after), n_shuffle=n_shuffle, seed=seed).p
    else:
        try:
            p = response_test(trains, baseline=baseline, window=response).p
        except NsnnError as error:
            raise NsnnError(str(error).replace("window =", "response =", 1)) from None
    known = ~np.isnan(p)
    q, latency, se = np.full((3, p.size), np.nan)
    q[known] = false_discovery_control(p[known]) if known.any() else np.nan
    responds = q <= alpha
    n = trains.n_trials
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), size=n_resample)
    weights = np.concatenate([np.ones((1, n)), drawn])
    for j in np.flatnonzero(responds).tolist():
        starts, spacing = _starts(before.of_neuron(j), after.of_neuron(j), weights)
        latency[j] = starts[0]
        se[j] = np.hypot(np.ptp(np.quantile(starts[1:], _CENTRAL)) / 2, spacing) if n_resample else np.nan
    columns = {"p": p, "q": q, "responds": responds, "latency": latency, "latency_se": se}
    table = pd.DataFrame({"neuron": np.arange(p.size), **columns})
    ids = unit_ids(block, p.size)
    if ids is not None:
        table.insert(1, "id", pd.Series(ids, dtype=object))
    return table


def _joined(before: Trains, after: Trains) -> Trains:
    """Trials of the first window and then the second one, from 0 s."""
    first, second = (float(one.durations[0]) for one in (before, after))
    times = np.concatenate([
        np.clip(before.times - before.t_start[0], 0.0, first),
        np.clip(after.times - after.t_start[0], 0.0, second) + first,
    ])  # fmt: skip
    neuron, trial = (
        np.concatenate([getattr(before, name), getattr(after, name)]) for name in ("neuron", "trial")
    )
    edges = np.tile([0.0, first + second], (before.n_trials, 1))
    return Trains.from_arrays(times, neuron, trial, before.n_neurons, edges)


def _starts(before: Trains, after: Trains, weights: np.ndarray) -> tuple[np.ndarray, float]:
    """Latency of one neuron's response, s, for each row of weights (m, n_trials), all in the direction of the first one; and the
    mean time between spikes of all trials at the rate of which it takes a spike: r of an increase, b of a decrease."""
    order = np.argsort(after.times)
    length = float(after.durations[0])
    times = np.concatenate([[0.0], after.times[order] - after.t_start[0], [length]])
    spikes = np.pad(weights[:, after.trial[order]], ((0, 0), (1, 1)))
    up_to, rows = np.cumsum(spikes, axis=1), np.arange(len(weights))
    base = np.maximum(weights @ before.counts, 0.5) / before.durations[0]
    slope, sign = base, 0
    for _ in range(_STEPS):
        s = up_to - slope * times
        rise, fall = (s - spikes)[:, 1:], -s[:, :-1]  # S just before a spike, -S just after it
        rises = s[:, 1:] - np.minimum.accumulate(rise, axis=1)
        falls = (spikes - s)[:, 1:] - np.minimum.accumulate(fall, axis=1)
        sign = sign or (1 if rises[0].max() >= falls[0].max() else -1)
        begin, size, shift = (rise, rises, 1) if sign > 0 else (fall, falls, 0)
        last = size.argmax(axis=1)
        low = np.where(np.arange(times.size - 1) <= last[:, None], begin, np.inf)
        # of equal ones the last: a spike of weight 0 begins nothing
        first = times.size - 2 - low[:, ::-1].argmin(axis=1)
        duration = np.maximum(times[last + 1] - times[first + shift], _SHORTEST)[:, None]
        number = up_to[rows, last + shift] - up_to[rows, first]
        rate = np.maximum(number[:, None], 0.5) / duration
        apart = np.abs(rate - base) > 1e-9 * base
        slope = np.where(apart, (rate - base) / np.where(apart, np.log(rate / base), 1.0), base)
    return times[first + shift], 1 / float((rate if sign > 0 else base)[0, 0])
