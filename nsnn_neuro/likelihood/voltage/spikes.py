"""`detect_spikes`: the spikes in a recorded membrane potential; and how they end."""

from __future__ import annotations

from typing import Any

import neo
import numpy as np

from ...core.checks import scalar, suggest_keywords
from ...core.errors import NsnnError
from ...io.block import build_block
from .recordings import Recording, read_voltage

_LEVEL, _INTERVAL = -20e-3, 1e-3  # V, s
_LONGEST = 10e-3  # s, of a spike
_SLOW = 0.05  # of the steepest fall: the spike is over
_EQUAL = 1e-5  # V
_HELD = 5  # samples whose mean is not above the lowest by more than 2 standard errors: the voltage is held


@suggest_keywords
def detect_spikes(voltage: Any, *, level: Any = None, min_interval: Any = None) -> neo.Block:
    """Spikes of a recorded membrane potential: its upward crossings of a level.

    Times are interpolated between the samples before and after the crossing.

    Parameters
    ----------
    voltage : neo.AnalogSignal in a unit of voltage, a neo.Block with one in each segment, or a list of them, one for each repeat
    level : voltage, default -20 mV; between the threshold and the peak of all spikes
    min_interval : time, default 1 ms: a crossing that follows a spike within it belongs to this spike

    Returns
    -------
    neo.Block : a segment with one spike train for each repeat

    Raises
    ------
    NsnnError : no crossing in any repeat; NaN; values that are no membrane potential, such as -65 V

    Source: Pozzorini et al. 2015, doi 10.1371/journal.pcbi.1004275

    >>> import numpy as np, quantities as pq
    >>> v = np.full(1000, -65.0)
    >>> v[[200, 700]] = 30.0
    >>> block = detect_spikes(neo.AnalogSignal(v, units="mV", sampling_rate=10*pq.kHz))
    >>> block.segments[0].spiketrains[0].rescale("ms").magnitude.round(2).tolist()
    [19.95, 69.95]
    """
    height = _LEVEL if level is None else scalar(level, "V", "level")
    least = _INTERVAL if min_interval is None else scalar(min_interval, "s", "min_interval", least=0.0)
    recordings = read_voltage(voltage)
    trains = [crossings(one, height, least) for one in recordings]
    if not sum(map(len, trains)):
        highest = max(float(one.values.max()) for one in recordings)
        raise NsnnError(
            f"voltage has no spikes: it never rises through level = {1e3 * height:g} mV, and its highest value is "
            f"{1e3 * highest:.4g} mV; expected spikes; pass detect_spikes(voltage, level=...) as trains, with a level below their "
            "peaks"
        )
    return build_block(
        np.repeat(np.arange(len(trains)), [len(one) for one in trains]),
        np.zeros(sum(map(len, trains)), dtype=np.int64),
        times=np.concatenate(trains),
        n_trials=len(trains),
        n_neurons=1,
        t_start=np.array([one.t_start for one in recordings]),
        t_stop=np.array([one.t_stop for one in recordings]),
    )


def crossings(one: Recording, level: float, min_interval: float) -> np.ndarray:
    """The times (s) at which a voltage rises through a level, at least min_interval apart."""
    v = one.values
    at = np.flatnonzero((v[:-1] < level) & (v[1:] >= level))
    times = one.t_start + (at + (level - v[at]) / (v[at + 1] - v[at])) * one.period
    kept: list[float] = []
    for time in times:
        if not kept or time - kept[-1] >= min_interval:
            kept.append(float(time))
    return np.array(kept)


def end_of_spike(values: list[np.ndarray], spikes: list[np.ndarray], dt: float) -> float:
    """How long after its beginning a spike is over on average (s), at most 10 ms and less than the shortest interval.

    That is when the mean voltage after spikes is lowest; the end of the time for which it is held there, in a simulated neuron; or,
    where it goes on falling slowly, when it falls at less than 5 % of its steepest.

    values : voltage of each trial on steps of dt
    spikes : steps with a spike, of each trial
    """
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
