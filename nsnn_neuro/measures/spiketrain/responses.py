"""Responses to a stimulus: tests against a baseline, counts and latencies by condition, and which neurons respond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest, false_discovery_control, rankdata, wilcoxon

from ...core.aliases import SpikeSource, Values
from ...core.checks import check, one_of, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import shown
from ...core.warn import warn
from ...io.segments import unit_ids
from ...io.spikes.bins import rounding
from ..estimate import CHANCE, Estimate, counted, listed
from ..limits import between_0_and_1, mean_limits
from ..response_checks import as_labels, refuse_swapped
from ..trains import Trains, as_trains, nan_ratio, time_window, warn_silent
from .zeta import zeta_test

_EXACT = 50  # trials up to which the signed-rank distribution is enumerated


@dataclass(frozen=True, eq=False)
class ResponseTest:
    """Paired comparison of rates in a response window and a baseline; made by `response_test`. Arrays are (n_neurons,)."""

    response: np.ndarray
    """Hz, mean rate in the window"""
    baseline: np.ndarray
    """Hz, mean rate in the baseline"""
    difference: np.ndarray
    """Hz, response - baseline"""
    se: np.ndarray
    """Hz, of the difference: SD over trials / sqrt(n); NaN for one trial. With few trials take `lower` and `upper`"""
    lower: np.ndarray
    """Hz, lower limit of the difference, 95 %, from Student's distribution with a correction for skewness"""
    upper: np.ndarray
    """upper limit"""
    p: np.ndarray
    """of no difference; 1 where no trial differs"""
    n: int
    """trials"""
    test: str

    def __repr__(self) -> str:
        n = self.p.size
        return listed(
            f"ResponseTest: {counted(n, 'neuron')}, {counted(self.n, 'trial')}, {self.test} test, "
            f"{(self.p <= CHANCE).sum()} with p <= {CHANCE}",
            lambda j: (
                f"neuron {j}: {self.baseline[j]:.3g} -> {self.response[j]:.3g} Hz, difference "
                f"{Estimate(self.difference[j], self.se[j]):.3g} Hz, p = {self.p[j]:.2g}"
            ),
            n,
        )


def crop_window(trains: Trains, edges: tuple[float, float], value: Any, name: str) -> Trains:
    """The spikes of a window, the argument `name`, which has to lie inside every trial."""
    apart = max(trains.resolution, rounding(*edges))
    low, high = trains.t_start.max(), trains.t_stop.min()
    if np.isnan([low, high]).any():
        _ = trains.durations  # which says how to give them
    if edges[0] < low - apart or edges[1] > high + apart:
        raise NsnnError(
            f"{name} = {shown(value)}: expected a window within all trials, which share {low:g} to {high:g} s"
        )
    return trains.crop(*edges)


@suggest_keywords
def response_test(
    block: SpikeSource, *, baseline: Any, window: Any, test: str = "wilcoxon", alternative: str = "two-sided"
) -> ResponseTest:
    """Test of each neuron's rate in a response window against its rate in a baseline, paired over trials.

    "wilcoxon" is the signed-rank test of the trials' differences of counts, trials without a difference left out. Up to 50
    differences its p is exact, also with ties, from the enumeration of all signs given the ranks; beyond it is scipy's normal
    approximation. "sign" counts the trials of more spikes in the window and is an exact binomial test. Exact tests of few trials
    are conservative, since p takes few values ("Errors with few trials" in the documentation).

    Parameters
    ----------
    block : neo.Block, one Segment per trial
    baseline, window : (start, stop), times in the trial, equally long: unequal ones differ without a response
    test : "wilcoxon" (default) or "sign"
    alternative : "two-sided" (default), "greater" (the rate in the window is larger) or "less"

    Raises
    ------
    NsnnError : windows of different length, a window that leaves a trial, or what `as_trains` refuses. Correct p for the number
        of neurons, for example with scipy.stats.false_discovery_control. Source: Wilcoxon 1945, doi 10.2307/3001968

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> trials = [[[0.1, 0.6, 0.7]], [[0.55, 0.9, 0.95]], [[0.2, 0.6, 0.7]], [[0.7]], [[0.6, 0.8]]]
    >>> print(response_test(to_block(trials, t_stop=1*pq.s), baseline=[0, 0.5]*pq.s, window=[0.5, 1]*pq.s))
    ResponseTest: 1 neuron, 5 trials, wilcoxon test, 0 with p <= 0.05
    neuron 0: 0.8 -> 4 Hz, difference 3.2 ± 0.8 Hz, p = 0.062
    """
    one_of(test, ("wilcoxon", "sign"), "test")
    one_of(alternative, ("two-sided", "greater", "less"), "alternative")
    before, after = time_window(baseline, "baseline"), time_window(window, "window")
    trains = as_trains(block)
    length, other = after[1] - after[0], before[1] - before[0]
    if abs(length - other) > max(trains.resolution, rounding(*before, *after)):
        raise NsnnError(
            f"baseline = {shown(baseline)} lasts {other:g} s, window = {shown(window)} {length:g} s: expected equal lengths, "
            "without which differences of rates are not symmetric about 0; shorten the longer one"
        )
    base = crop_window(trains, before, baseline, "baseline").counts
    response = crop_window(trains, after, window, "window").counts
    # counts and not rates are compared: quotients would break ties by their rounding
    difference = response.astype(np.int64) - base
    one = _signed_rank if test == "wilcoxon" else _sign
    n = trains.n_trials
    lower, upper = mean_limits(difference / length)
    return ResponseTest(
        response=response.mean(axis=0) / length,
        baseline=base.mean(axis=0) / length,
        difference=difference.mean(axis=0) / length,
        se=difference.std(axis=0, ddof=1) / (length * np.sqrt(n))
        if n > 1
        else np.full(trains.n_neurons, np.nan),
        lower=lower,
        upper=upper,
        p=np.array([one(d[d != 0], alternative) if d.any() else 1.0 for d in difference.T]),
        n=n,
        test=test,
    )


def _sign(differences: np.ndarray, alternative: str) -> float:
    up = int((differences > 0).sum())
    return float(binomtest(up, differences.size, 0.5, alternative).pvalue)


def _signed_rank(differences: np.ndarray, alternative: str) -> float:
    """p of the signed-rank test of whole differences, none of them 0."""
    if differences.size > _EXACT:
        return float(wilcoxon(differences, alternative=alternative, correction=True, method="approx").pvalue)
    ranks = np.rint(2 * rankdata(np.abs(differences))).astype(np.int64)  # middle ranks are halves
    ways = np.zeros(ranks.sum() + 1)
    ways[0] = 1.0
    for rank in ranks:
        shifted = np.zeros_like(ways)
        shifted[rank:] = ways[: ways.size - rank]
        ways = (ways + shifted) / 2
    plus = int(ranks[differences > 0].sum())
    upper, lower = float(ways[plus:].sum()), float(ways[: plus + 1].sum())
    tail = {"greater": upper, "less": lower, "two-sided": 2 * min(upper, lower)}[alternative]
    return min(1.0, tail)


@suggest_keywords
def response_statistics(stimulus: Values, block: SpikeSource, *, window: Any) -> pd.DataFrame:
    """Spike counts and latencies of each neuron by condition, one row for each pair of them, sorted by condition.

    Parameters
    ----------
    stimulus : (n_trials,) one label per trial: whole numbers, texts, or floats that repeat; a pandas Categorical has its own order
    block : neo.Block, one Segment per trial
    window : (start, stop), times in the trial; latencies count from its start

    Returns
    -------
    pandas.DataFrame with the columns condition, neuron (and id, where the Block's units have ids), n (trials), mean_count,
    mean_count_se, mean_count_lower, mean_count_upper, variance (unbiased), fano, p_no_spike (fraction of trials without a spike),
    mean_latency (s, of the first spike, over trials with one), latency_se, latency_lower, latency_upper and jitter (s, standard
    deviation of the latency over trials). NaN where there is no value: fano without a spike, variance and errors with one trial,
    jitter and errors of the latency with fewer than two trials that have a spike

    Lower and upper are 95 % limits, from Student's distribution with a correction for skewness.
    Coverage: "Errors with few trials" in the documentation

    Raises
    ------
    NsnnError : a number of labels other than of trials, a window that leaves a trial, or what `as_trains` refuses. Sources for the
        latency's jitter: VanRullen, Guyonneau & Thorpe 2005, doi 10.1016/j.tins.2004.10.010

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.11, 0.3]], [[0.13]], [[]]], t_stop=1*pq.s)
    >>> table = response_statistics(["a", "a", "b"], block, window=[100, 500]*pq.ms)
    >>> table[["condition", "n", "mean_count", "mean_latency", "jitter", "p_no_spike"]].round(4).values.tolist()
    [['a', 2, 1.5, 0.02, 0.0141, 0.0], ['b', 1, 0.0, nan, nan, 1.0]]
    """
    edges = time_window(window, "window")
    refuse_swapped(stimulus, block, "response_statistics(stimulus, block)")
    trains = as_trains(block)
    names, label = as_labels(stimulus, "stimulus", trains.n_trials, least=1)
    own = crop_window(trains, edges, window, "window")
    counts = own.counts.astype(float)
    latency: np.ndarray = np.full(counts.size, np.nan)
    seen = own.counts.ravel() > 0
    latency[seen] = own.times[own.offsets[:-1][seen]] - edges[0]
    latency = latency.reshape(counts.shape)
    parts = []
    for k, name in enumerate(names.tolist()):
        chosen = label == k
        n = int(chosen.sum())
        count, first = counts[chosen], latency[chosen]
        of_count, of_latency = mean_limits(count, scale="positive"), mean_limits(first, scale="positive")
        mean = count.mean(axis=0)
        variance = count.var(axis=0, ddof=1) if n > 1 else np.full(mean.shape, np.nan)
        with_spike = (count > 0).sum(axis=0)
        mean_latency = nan_ratio(np.nansum(first, axis=0), with_spike)
        squares = np.nansum((first - mean_latency) ** 2, axis=0)
        jitter = np.sqrt(np.where(with_spike > 1, nan_ratio(squares, np.maximum(with_spike - 1, 0)), np.nan))
        parts.append(
            pd.DataFrame(
                {
                    "condition": name,
                    "neuron": np.arange(trains.n_neurons),
                    "n": n,
                    "mean_count": mean,
                    "mean_count_se": np.sqrt(variance / n),
                    "mean_count_lower": of_count[0],
                    "mean_count_upper": of_count[1],
                    "variance": variance,
                    "fano": nan_ratio(variance, mean),
                    "p_no_spike": 1 - with_spike / n,
                    "mean_latency": mean_latency,
                    "latency_se": nan_ratio(jitter, np.sqrt(with_spike)),
                    "latency_lower": of_latency[0],
                    "latency_upper": of_latency[1],
                    "jitter": jitter,
                }
            )
        )
    silent = np.where(own.counts.sum(axis=0) > 0, 0.0, np.nan)
    warn_silent(silent, "response_statistics", "have no spike in the window")
    table = pd.concat(parts, ignore_index=True)
    ids = unit_ids(block, trains.n_neurons)
    if ids is not None:
        table.insert(2, "id", pd.Series(ids * len(parts), dtype=object))
    return table


_CENTRAL = [0.1587, 0.8413]  # of a normal distribution one SD from its mean; long tails make an SD too large
_STEPS = 5  # of the rate during the response
_SHORTEST = 1e-3  # s, interval of a response
_EDGE = 2.0  # mean times between spikes from the edge of a window, at which a response may begin outside


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
    NaN for neurons that do not respond, and, with a warning, for responses that begin within two such times of the window's edges.

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
    >>> from nsnn_neuro import to_block
    >>> rng = np.random.default_rng(1)
    >>> trials = [[np.append(rng.uniform(0, 1, 8), 0.6 + 0.01 * rng.random(3)), rng.uniform(0, 1, 8)] for _ in range(30)]
    >>> block = to_block([[np.sort(train) for train in trial] for trial in trials], t_stop=1*pq.s)
    >>> table = responsive_units(block, baseline=[0, 0.5]*pq.s, response=[0.5, 1]*pq.s)
    >>> table[["neuron", "responds", "latency"]].round(2).values.tolist()
    [[0, True, 0.1], [1, False, nan]]
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
    weights, at_edge = np.concatenate([np.ones((1, n)), drawn]), []
    for j in np.flatnonzero(responds).tolist():
        starts, spacing = _starts(before.of_neuron(j), after.of_neuron(j), weights)
        length = float(after.durations[0])
        if not _EDGE * spacing < starts[0] < length - _EDGE * spacing:
            at_edge.append(j)
            continue
        latency[j] = starts[0]
        se[j] = np.hypot(np.ptp(np.quantile(starts[1:], _CENTRAL)) / 2, spacing) if n_resample else np.nan
    if at_edge:
        warn(
            f"responsive_units: the response of {len(at_edge)} of {responds.sum()} neurons that respond begins at an edge of the "
            f"window (neuron {shown(at_edge)}), and its latency is NaN: it may begin outside; take a longer or earlier window"
        )
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
    mean time between spikes of all trials at the rate of which it takes a spike: r of an increase, b of a decrease.

    A response begins where the rate changes from the baseline's, b, to another one, r. Let N(t) be the spikes of all n trials up to
    t in the response window. S(t) = N(t) - n t (r - b) / ln(r / b), the log likelihood ratio of the two rates but for a factor,
    falls at the rate b and rises at the rate r of an increase; for a decrease -S does. The interval over which it rises most is
    that of the response, and its start is the latency. r is the rate in that interval: both are computed in turn, beginning with
    the slope n b.

    The latency is the time of a spike: it is late, of a decrease early, by about the mean time between spikes of all trials there.
    A bootstrap draws the same spikes again and misses this. latency_se is the root of the sum of squares of both.
    """
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
