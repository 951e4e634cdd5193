"""Surrogate spike trains: random changes that keep some features of the data and destroy others; tests of measures by them.

- "jitter" (Elephant: `jitter_spikes`): each spike is placed anew, uniformly, within windows that tile the trial. Keeps the count
  in each window, destroys timing finer than the window.
- "dither" (`dither_spikes`): each spike moves by a uniform amount within +-dither, independently. Keeps counts and slow changes
  of the rate, destroys fine timing and small intervals.
- "isi_dither" (`dither_spikes` with `refractory_period`): spikes move in random order, each within +-dither and no closer to
  its two neighbours than the refractory period. Keeps the order of spikes and the refractory period as well.
- "shift" (`trial_shifting`): each train turns around a circle, its trial, by one uniform amount. Keeps intervals, but for one,
  destroys the time relation to other trains and to the stimulus.
- "shuffle" (`shuffle_isis`): the intervals of a trial, with that from its start to the first spike, are put in random order.
  Keeps the set of intervals, destroys their order and changes of the rate. The interval from the last spike to the end is not
  among them, so that the last spike of a train keeps its time, as in Elephant.
- "trial_shuffle" (not in Elephant): each neuron's trials are put in random order, those of each stimulus among themselves if
  `stimulus` is given. Keeps trains; with one stimulus, or with `stimulus`, also their relation to it. Destroys what neurons share
  beyond the stimulus.

Why these are not Elephant's functions: "Elephant and this package" in the documentation.

Sources: Grün 2009, doi 10.1152/jn.00093.2008; Louis, Gerstein, Grün & Diesmann 2010, doi 10.3389/fncom.2010.00127; Amarasingham
et al. 2012, doi 10.1152/jn.00633.2011.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import neo
import numpy as np
import quantities as pq

from ...core.aliases import SpikeSource
from ...core.checks import LARGEST, check, flag, one_of, refuse_unknown, scalar, suggest_keywords, whole
from ...core.errors import NsnnError
from ...core.numba_jit import njit
from ...core.units import floats, shown
from ...io.block import block_of
from ..estimate import Estimate
from ..response_checks import permutation_p
from ..trains import Trains, as_trains
from ..trial_counts import read_labels
from .trial_drift import TrialDriftWarning

# A method is a function of (trains, rng, **options in SI) that returns a new time for each spike of `trains`, in any order
# within a train; or new trains.


def jitter(trains: Trains, rng: np.random.Generator, *, window: float) -> np.ndarray:
    """Times (n_spikes,) in s, each placed uniformly within the window of its trial that holds it; the last may be shorter."""
    start, stop = trains.t_start[trains.trial], trains.t_stop[trains.trial]
    last = np.maximum(np.ceil((stop - start) / window - 1e-9) - 1, 0)
    number = np.minimum(np.floor((trains.times - start) / window + 1e-9), last)
    low = start + number * window
    return low + rng.random(trains.times.size) * (np.minimum(low + window, stop) - low)


def _dither(trains: Trains, rng: np.random.Generator, *, dither: float) -> np.ndarray:
    """Times that moved uniformly within +-dither, reflected at the ends of the trial."""
    start, stop = trains.t_start[trains.trial], trains.t_stop[trains.trial]
    moved = trains.times + dither * (2 * rng.random(trains.times.size) - 1)
    # reflection at both ends is a triangular wave of twice the trial's length
    length = stop - start
    phase = np.mod(moved - start, 2 * length)
    return start + np.where(phase > length, 2 * length - phase, phase)


@njit(cache=True)  # pragma: no cover - compiled
def _dither_between(
    times: np.ndarray,
    offsets: np.ndarray,
    starts: np.ndarray,
    stops: np.ndarray,
    order: np.ndarray,
    share: np.ndarray,
    dither: float,
    refractory: float,
) -> None:
    """Move the spikes of each train in place, in `order`, between their neighbours."""
    for train in range(offsets.size - 1):
        begin, end = offsets[train], offsets[train + 1]
        closest = refractory
        for k in range(begin + 1, end):
            closest = min(closest, times[k] - times[k - 1])
        for m in range(begin, end):
            k = order[m]
            before = times[k - 1] if k > begin else starts[train] - closest
            after = times[k + 1] if k < end - 1 else stops[train] + closest
            left = max(0.0, min(dither, times[k] - before - closest))
            right = max(0.0, min(dither, after - times[k] - closest))
            times[k] += (left + right) * share[m] - left


def _isi_dither(
    trains: Trains, rng: np.random.Generator, *, dither: float, refractory_period: float
) -> np.ndarray:
    """Times that moved between their neighbours."""
    times, n = trains.times.copy(), trains.times.size
    order = np.lexsort((rng.random(n), trains.train))
    starts, stops = (np.repeat(edge, trains.n_neurons) for edge in (trains.t_start, trains.t_stop))
    _dither_between(times, trains.offsets, starts, stops, order, rng.random(n), dither, refractory_period)
    return times


def _shift(trains: Trains, rng: np.random.Generator, *, dither: float | None) -> np.ndarray:
    """Times of trains that turned around their trials, by up to +-dither or (None) by any amount."""
    start, stop = trains.t_start, trains.t_stop
    reach = (stop - start)[:, None] / 2 if dither is None else dither
    amount = (reach * (2 * rng.random((trains.n_trials, trains.n_neurons)) - 1)).ravel()[trains.train]
    begin = start[trains.trial]
    return begin + np.mod(trains.times - begin + amount, (stop - start)[trains.trial])


def _shuffle(trains: Trains, rng: np.random.Generator) -> np.ndarray:
    """Times of trains whose intervals, the first one from the trial's start, are in random order."""
    times, n = trains.times, trains.times.size
    if not n:
        return times.copy()
    first = trains.offsets[:-1][trains.counts.ravel() > 0]
    start = trains.t_start[trains.trial]
    intervals = np.diff(times, prepend=0.0)
    intervals[first] = times[first] - start[first]
    intervals = intervals[np.lexsort((rng.random(n), trains.train))]
    total = np.cumsum(intervals)
    before = np.zeros(n)
    before[first] = np.diff(np.concatenate([[0.0], total[first] - intervals[first]]))
    return start + total - np.cumsum(before)


def _trial_shuffle(trains: Trains, rng: np.random.Generator, label: np.ndarray) -> Trains:
    """Each neuron's trials in random order within each label; times count from the start of the trial."""
    shape = (trains.n_neurons, trains.n_trials)
    shuffled = np.lexsort((rng.random(shape), np.broadcast_to(label, shape)), axis=1)
    new = np.empty_like(shuffled)
    new[:, np.argsort(label, kind="stable")] = shuffled
    trial = new[trains.neuron, trains.trial]
    times = trains.times - trains.t_start[trains.trial] + trains.t_start[trial]
    return replace(trains, times=times, trial=trial)


# the function of each method, and the defaults of its options; ... if one has none
_METHODS: dict[str, tuple[Callable[..., Trains | np.ndarray], dict[str, Any]]] = {
    "jitter": (jitter, {"window": ...}),
    "dither": (_dither, {"dither": ...}),
    "isi_dither": (_isi_dither, {"dither": ..., "refractory_period": 4 * pq.ms}),
    "shift": (_shift, {"dither": None}),
    "shuffle": (_shuffle, {}),
    "trial_shuffle": (_trial_shuffle, {"stimulus": None}),
}


@suggest_keywords
def surrogates(
    block: SpikeSource, *, method: str, n: int, seed: int = 0, **options: Any
) -> Iterator[neo.Block]:
    """Surrogates of a Block, n Blocks one after the other, all with the same neurons, trials and windows.

    Every neuron and trial changes independently. The first surrogates are the same for any n. The Blocks and their Segments have
    the annotations of `block` and no signals. A Segment of "trial_shuffle" keeps its annotations and receives other trains.

    Parameters
    ----------
    block : neo.Block, one Segment per trial
    method : "jitter" (option `window`), "dither" (option `dither`), "isi_dither" (options `dither` and `refractory_period`, 4 ms
        unless given), "shift" (option `dither`, None: any amount), "shuffle" or "trial_shuffle" (option `stimulus`). The module
        says what each keeps and destroys
    n : number of surrogates, at least 1
    seed : whole number
    options : of the method. Times, scalar: window, the width of the windows that tile each trial; dither, the largest
        movement of a spike or train; refractory_period, the smallest interval that "isi_dither" makes, unless the train itself
        has a smaller one. stimulus, (n_trials,) labels such as conditions(block): trials are exchanged within each label. None
        (default) exchanges all trials, also where Segments have a "label": for trials of one stimulus

    Raises
    ------
    NsnnError : unknown method, missing or unknown options, "trial_shuffle" of one trial, of trials that last differently long, or
        without a label that two trials have, or what `as_trains` refuses. Source: Louis et al. 2010, doi 10.3389/fncom.2010.00127

    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.12, 0.31, 0.75]]], t_stop=1*pq.s)
    >>> for surrogate in surrogates(block, method="jitter", n=2, window=100*pq.ms):
    ...     print(surrogate.segments[0].spiketrains[0].magnitude.round(3))
    [0.164 0.327 0.704]
    [0.102 0.381 0.791]
    """
    one_of(method, _METHODS, "method")
    count = whole(n, 1, "n", LARGEST)
    check(seed=seed)
    given = _read(method, options)
    trains = as_trains(block)
    lengths = trains.durations
    if method == "trial_shuffle":
        if trains.n_trials < 2:
            raise NsnnError("method = 'trial_shuffle': needs at least two trials")
        trains.check_durations("so that they cannot be exchanged")
        label = read_labels(given.pop("stimulus"), trains.n_trials)
        if np.bincount(label).max() < 2:
            raise NsnnError(
                f"stimulus = {shown(options['stimulus'])}: each label has one trial, so that none can be exchanged; expected "
                "labels that repeat"
            )
        given["label"] = label
    if given.get("window") and given["window"] > lengths.max():
        raise NsnnError(f"window = {options['window']}: longer than the longest trial ({lengths.max():g} s)")
    annotations = dict(getattr(block, "annotations", {}))
    annotations |= {"surrogate_method": method, "surrogate_seed": seed}
    blocks = [block] if isinstance(block, neo.Block) else block if isinstance(block, list | tuple) else []
    # of each trial; none of a Trains or of a list of trains
    segments = [dict(s.annotations) for one in blocks if isinstance(one, neo.Block) for s in one.segments]

    def drawn() -> Iterator[neo.Block]:
        rng = np.random.default_rng(seed)
        for k in range(count):
            new = _METHODS[method][0](trains, rng, **given)
            if not isinstance(new, Trains):
                new = replace(trains, times=new)
            # rounding may put a time beyond its trial's end
            times = np.clip(new.times, new.t_start[new.trial], new.t_stop[new.trial])
            surrogate = block_of(replace(new, times=times), annotations={**annotations, "surrogate": k})
            for segment, own in zip(surrogate.segments, segments, strict=bool(segments)):
                segment.annotations.update(own)
            yield surrogate

    return drawn()


def _read(method: str, options: dict[str, Any]) -> dict[str, Any]:
    """Options of the method, times in s, with its defaults."""
    known = _METHODS[method][1]
    refuse_unknown(f"method {method!r}", options, known)
    given = {}
    for name, default in known.items():
        value = options.get(name, default)
        if name == "stimulus":
            given[name] = value
            continue
        if value is ...:
            raise NsnnError(f"method = {method!r} needs {name}: a time such as 20*ms")
        if value is None and default is not None:
            raise NsnnError(f"{name} = None: expected a time such as 20*ms with method = {method!r}")
        least = {"least": 0.0} if name == "refractory_period" else {"above": 0.0}
        given[name] = None if value is None else scalar(value, "s", name, **least)
    return given


@suggest_keywords
def against_surrogates(
    measure: Callable[..., Any],
    block: SpikeSource,
    *,
    method: str,
    n: int = 200,
    seed: int = 0,
    two_sided: bool = False,
    **options: Any,
) -> Estimate | list[Estimate]:
    """A measure of a Block, with its mean, z and p for surrogates of the Block.

    With v the measure of the data and v_k that of surrogate k, null_mean is the mean of v_k, z = (v - null_mean) / SD of v_k, and
    p = (1 + number of v_k >= v) / (1 + n). If the surrogates destroy nothing that the data have, p is uniform.

    Parameters
    ----------
    measure : function of a Block that returns a number, or an array (n_neurons,) or of any length. Give its options with
        functools.partial or a lambda
    block : neo.Block, one Segment per trial
    method, n, seed, options : of `surrogates`
    two_sided : False (default): p counts surrogates whose value is at least that of the data; True doubles the smaller of both
        tails

    Returns
    -------
    an Estimate for a number, a list of them for an array. n is the number of surrogates whose value is not NaN; the others are
    left out, and `warning` says so. No standard error

    Raises
    ------
    NsnnError : measure is no function, returns no numbers or arrays of different length, or what `surrogates` refuses. Source:
        Grün 2009, doi 10.1152/jn.00093.2008; p: Phipson & Smyth 2010, doi 10.2202/1544-6115.1585

    >>> import quantities as pq
    >>> from nsnn_neuro import measures, to_block
    >>> one = np.arange(0.05, 2, 0.1)
    >>> block = to_block([[one, one + 0.001]], t_stop=2*pq.s)  # neuron 1 follows neuron 0 by 1 ms
    >>> def synchrony(block):
    ...     return measures.spike_time_tiling(block, dt=2*pq.ms)[0, 1]
    >>> test = measures.against_surrogates(synchrony, block, method="jitter", n=99, window=50*pq.ms)
    >>> test.value, test.p, bool(test.z > 10)
    (1.0, 0.01, True)
    """
    if not callable(measure):
        raise NsnnError(f"measure = {shown(measure)}: expected a function of a Block")
    flag(two_sided, "two_sided")
    drawn = surrogates(block, method=method, n=n, seed=seed, **options)
    value = _values(measure, block)
    rows = []
    for k, surrogate in enumerate(drawn):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TrialDriftWarning)  # given for the data
            rows.append(_values(measure, surrogate))
        if rows[-1].shape != value.shape:
            raise NsnnError(
                f"measure returned shape {value.shape} for the data and {rows[-1].shape} for surrogate {k}: expected a number, or "
                "an array that is equally long for all"
            )
    null = np.array(rows)
    unit = getattr(measure, "unit", "1")
    if value.ndim == 0:
        return _test(float(value), null, two_sided, unit)
    return [_test(float(v), null[:, j], two_sided, unit) for j, v in enumerate(value)]


def _values(measure: Callable[..., Any], block: Any) -> np.ndarray:
    result = measure(block)
    values = floats(
        float(result) if isinstance(result, Estimate) else result,
        "measure",
        "a function that returns a number or a 1-D array",
    )
    if values.ndim > 1:
        raise NsnnError(
            f"measure returned an array of shape {values.shape}: expected a number or a 1-D array; choose one, "
            "as in lambda block: measure(block)[0, 1]"
        )
    return values


def _test(value: float, null: np.ndarray, two_sided: bool, unit: str) -> Estimate:
    seen = null[np.isfinite(null)]
    lost = null.size - seen.size
    warning = f"the measure is not finite for {lost} of {null.size} surrogates" if lost else None
    if not np.isfinite(value) or not seen.size:
        warning = warning or "the measure of the data is not finite"
        return Estimate(value, n=seen.size, warning=warning, unit=unit)
    tails = [permutation_p(sign * seen, sign * value) or 0.0 for sign in (1, -1)]  # never 0: there are some
    p = min(1.0, 2 * min(tails)) if two_sided else tails[0]
    mean = float(seen.mean())
    sd = float(seen.std(ddof=1)) if seen.size > 1 else 0.0
    z = None if sd <= 1e-12 * max(1.0, abs(mean)) else (value - mean) / sd
    return Estimate(value, null_mean=mean, p=p, n=seen.size, warning=warning, unit=unit, z=z)
