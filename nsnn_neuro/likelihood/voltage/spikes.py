"""`detect_spikes`: the spikes in a recorded membrane potential; and how they end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import neo
import numpy as np
from scipy.signal import find_peaks, peak_widths

from ...core.checks import positive, scalar, suggest_keywords
from ...core.errors import NsnnError
from ...core.warn import warn
from ...io.block import build_block
from .recordings import Recording, read_voltage

_LEVEL, _HEIGHT, _WIDTH, _INTERVAL = -20e-3, 20e-3, 10e-3, 1e-3  # V, V, s, s
_SHARE = 1 / 3  # of the median height: the least height of a spike
_CLOSE = 0.8  # heights below 1 / 0.8 and widths above 0.8 of their limits are doubtful
_LONGEST = 10e-3  # s, of a spike
_SLOW = 0.05  # of the steepest fall: the spike is over
_EQUAL = 1e-5  # V
_HELD = 5  # samples whose mean is not above the lowest by more than 2 standard errors: the voltage is held


@suggest_keywords
def detect_spikes(
    voltage: Any, *, level: Any = None, height: Any = None, max_width: Any = None, min_interval: Any = None
) -> neo.Block:
    """Spikes of a recorded membrane potential: peaks above a level that are high and short enough.

    A shoulder of a broad spike rises little above the trough before it, and is not counted. The
    time of a spike is that of its last upward crossing of the level, or of half its height where
    the trough before it is above the level, interpolated between samples.

    Parameters
    ----------
    voltage : neo.AnalogSignal in a unit of voltage, a neo.Block with one in each segment, or a list
        of them, one for each repeat
    level : voltage that the peak reaches, default -20 mV
    height : voltage by which the peak is at least above the higher one of the troughs before and
        after it; by default a third of the median of all peaks that reach the level and are 20 mV
        above it, and 20 mV at least
    max_width : longest time at half of its height, default 10 ms
    min_interval : time, default 1 ms: a peak that follows a spike within it belongs to this spike

    Returns
    -------
    neo.Block : a segment with one spike train for each repeat; annotations["doubtful"] is the
    number of doubtful spikes

    Raises
    ------
    NsnnError : no spike in any repeat; NaN; values that are no membrane potential, such as -65 V

    Warns
    -----
    of doubtful spikes, close to height or max_width, and crossings of the level that were left out

    Source: Pozzorini et al. 2015, doi 10.1371/journal.pcbi.1004275

    >>> import numpy as np, quantities as pq
    >>> v = np.full(1000, -65.0)
    >>> v[[200, 700]] = 30.0
    >>> block = detect_spikes(neo.AnalogSignal(v, units="mV", sampling_rate=10*pq.kHz))
    >>> block.segments[0].spiketrains[0].rescale("ms").magnitude.round(2).tolist()
    [19.95, 69.95]
    """
    low = _LEVEL if level is None else scalar(level, "V", "level")
    width = _WIDTH if max_width is None else positive(max_width, "s", "max_width")
    least = _INTERVAL if min_interval is None else scalar(min_interval, "s", "min_interval", least=0.0)
    given = None if height is None else positive(height, "V", "height")
    recordings = read_voltage(voltage)
    candidates = [_candidates(one, low, _HEIGHT if given is None else _CLOSE * given) for one in recordings]
    rises = np.concatenate([one.rises for one in candidates])
    high = given or max(_HEIGHT, _SHARE * float(np.median(rises)) if rises.size else 0.0)
    chosen = [_spikes(*one, low, high, width, least) for one in zip(recordings, candidates, strict=True)]
    n_found, n_borderline, n_left_out = np.sum([(len(t), a, b) for t, a, b in chosen], axis=0).tolist()
    limits = f"level = {1e3 * low:g} mV, height = {1e3 * high:.3g} mV, max_width = {1e3 * width:g} ms"
    if not n_found:
        highest = max(float(one.values.max()) for one in recordings)
        what = (
            f"it rises through the level {n_left_out} times, by less than height or for longer than max_width"
            if n_left_out
            else f"it never rises through the level, and its highest value is {1e3 * highest:.4g} mV"
        )
        raise NsnnError(
            f"voltage has no spikes: {what} ({limits}); expected spikes; pass detect_spikes(voltage, level=..., height=...) as "
            "trains, with a level below their peaks"
        )
    if n_borderline + n_left_out:
        warn(
            f"voltage has {n_borderline + n_left_out} doubtful spikes: {n_borderline} of the {n_found} that were found are close "
            f"to a limit, and {n_left_out} more that rise through the level were left out ({limits}); look at them, or pass other "
            "limits to detect_spikes"
        )
    return build_block(
        np.repeat(np.arange(len(chosen)), [len(times) for times, _, _ in chosen]),
        np.zeros(n_found, dtype=np.int64),
        times=np.concatenate([times for times, _, _ in chosen]),
        n_trials=len(chosen),
        n_neurons=1,
        t_start=np.array([one.t_start for one in recordings]),
        t_stop=np.array([one.t_stop for one in recordings]),
        annotations={"doubtful": n_borderline + n_left_out},
    )


@dataclass(frozen=True)
class _Peaks:
    """Peaks of a voltage, (n,) each."""

    samples: np.ndarray
    rises: np.ndarray  # V above the higher one of the troughs on both sides
    widths: np.ndarray  # s, at half of it


def _candidates(one: Recording, level: float, height: float) -> _Peaks:
    """The peaks that reach a level and rise by a height."""
    # a spike that the end of the recording cuts off has a peak too
    v = np.append(one.values, one.values.min() - height)
    peaks, result = find_peaks(v, height=level, prominence=height)
    rises = result["prominences"]
    bases = rises, result["left_bases"], result["right_bases"]
    return _Peaks(peaks, rises, one.period * peak_widths(v, peaks, 0.5, prominence_data=bases)[0])


def _spikes(
    one: Recording, peaks: _Peaks, level: float, height: float, width: float, min_interval: float
) -> tuple[np.ndarray, int, int]:
    """The times (s) of spikes, how many are doubtful, and how many others rise."""
    v = one.values
    spike = (peaks.rises >= height) & (peaks.widths <= width)
    close = (peaks.rises < height / _CLOSE) | (peaks.widths > width * _CLOSE)
    times: list[float] = []
    doubtful = left_out = before = 0
    for k in np.flatnonzero(spike):
        way = v[before : peaks.samples[k] + 1]
        up = _upward(way, level if way.min() < level else way[-1] - 0.5 * peaks.rises[k])
        time = one.t_start + float(before + up[-1]) * one.period if up.size else np.nan
        before = int(peaks.samples[k])
        if times and time - times[-1] < min_interval:
            left_out += 1
        elif up.size:  # else the recording begins within it
            times.append(time)
            doubtful += int(close[k])
    apart, last = max(min_interval, one.period), -np.inf
    for time in one.t_start + one.period * _upward(v, level):
        if np.abs(np.array(times) - time).min(initial=np.inf) >= apart and time - last >= apart:
            last, left_out = float(time), left_out + 1
    return np.array(times), doubtful, left_out


def _upward(v: np.ndarray, level: float) -> np.ndarray:
    """Where a voltage rises through a level, in samples."""
    at = np.flatnonzero((v[:-1] < level) & (v[1:] >= level))
    return np.asarray(at + (level - v[at]) / (v[at + 1] - v[at]))


def end_of_spike(values: list[np.ndarray], spikes: list[np.ndarray], dt: float) -> float:
    """How long after its beginning a spike is over on average (s), at most 10 ms: where the mean voltage after spikes is lowest.

    A simulated neuron is held there. Where the voltage goes on falling, a spike ends at 5 % of the steepest fall."""
    gaps = np.concatenate([np.diff(k) for k in spikes])
    longest = int(min(_LONGEST / dt, gaps.min(initial=np.iinfo(np.int64).max) - 1))
    lags = np.arange(longest + 1)
    rows = []
    for v, k in zip(values, spikes, strict=True):
        inside = k[k + longest < len(v)]
        rows.append(v[inside[:, None] + lags])
    windows = np.concatenate(rows)
    if longest < 2 or not len(windows):
        return dt
    mean = windows.mean(axis=0)
    peak = int(np.argmax(mean))
    after = mean[peak:]
    lowest = int(np.argmin(after))
    above = windows[:, peak:] - windows[:, [peak + lowest]]
    error = above.std(axis=0) / np.sqrt(len(windows))
    low = np.flatnonzero(above.mean(axis=0) <= np.maximum(_EQUAL, 2 * error))
    lowest = peak + int(low[-1] if len(low) >= _HELD else lowest)
    if lowest < longest:
        return max(1, lowest) * dt
    falls = -np.diff(after)
    steepest = int(np.argmax(falls))
    slow = np.flatnonzero(falls[steepest:] < _SLOW * falls[steepest])
    return max(1, peak + steepest + int(slow[0]) if slow.size else longest) * dt
