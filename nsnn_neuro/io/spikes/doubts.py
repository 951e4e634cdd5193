"""What tells numbers that aren't spike times in seconds: a rate far below that of neurons, whole numbers, numbers that repeat.

Milliseconds that are read as seconds make a neuron of 5 Hz one of 0.005 Hz, without spikes less than a second apart. A raster has
a value for each bin, so that few different numbers repeat; sample numbers are whole and large.
"""

from __future__ import annotations

import numpy as np

from ...core.errors import NsnnError

PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6}
_SLOWEST, _FASTEST = 0.1, 1000.0  # Hz, mean rates of a neuron that a reader wouldn't wonder at
_REFRACTORY = 1.0  # ms, and so seconds if milliseconds are read as such: no neuron's spikes are closer
_FEWEST = 3  # spikes that a rate is judged by


def likely_unit(rate: float) -> str | None:
    """The unit in which a neuron's rate would be ordinary, where `rate` (Hz, from times read as seconds) is too low for one.

    >>> likely_unit(0.004), likely_unit(4.0)
    ('ms', None)
    """
    if rate >= _SLOWEST:
        return None
    return next((u for u, scale in PER_SECOND.items() if _SLOWEST <= rate * scale <= _FASTEST), None)


def are_whole(times: np.ndarray) -> bool:
    """Whether all of several finite times are whole numbers.

    >>> are_whole(np.array([3.0, 4.0])), are_whole(np.array([3.0, 4.5]))
    (True, False)
    """
    first = times[:1000]  # few are enough to see that most recordings have other times
    return bool(times.size and (first == np.rint(first)).all() and (times == np.rint(times)).all())


def _stated(unit: str, table: bool) -> str:
    """How times are given this unit; a column of a table can't hold a Quantity."""
    return (
        f'pandas.to_timedelta(times, unit="{unit}")'
        if table
        else f"times * {'second' if unit == 's' else unit}"
    )


def refuse_counts(times: np.ndarray, train: np.ndarray, name: str, table: bool = False) -> None:
    """NsnnError for values that are a raster, or counts in bins: whole numbers of which most repeat in their train.

    table : whether they are a column of a DataFrame

    >>> refuse_counts(np.array([0.0, 1.0, 0.0, 0.0]), np.zeros(4, int), "source")
    Traceback (most recent call last):
    nsnn_neuro.core.errors.NsnnError: source holds the values 0, 1, 0, 0 of one neuron in one trial, a raster or counts in bins: ...
    """
    if times.size < 2 or not are_whole(times):
        return
    order = np.lexsort((times, train))
    same = np.concatenate([[False], (np.diff(train[order]) == 0) & (np.diff(times[order]) == 0), [False]])
    repeated = int(np.sum(same[1:] | same[:-1]))
    binary = times.min() >= 0 and times.max() <= 1
    thrice = bool((same[1:] & same[:-1]).any())  # spikes that were detected twice exist
    if thrice and (binary or 2 * repeated >= times.size):
        first = times[train == train[0]]
        shown = ", ".join(f"{t:.6g}" for t in first[:8]) + (", ..." if first.size > 8 else "")
        raise NsnnError(
            f"{name} holds the values {shown} of one neuron in one trial, a raster or counts in bins: expected spike times in "
            "seconds; those of a raster are numpy.flatnonzero(raster) * bin_width, with bin_width in seconds; if they are times "
            f"in seconds, {_stated('s', table)} says so"
        )


def doubt(
    times: np.ndarray, train: np.ndarray, n_neurons: int, duration: float, name: str, table: bool = False
) -> str | None:
    """What to warn of where times (n_spikes,), trains (trial * n_neurons + neuron) and the trials' total duration (s) look like
    milliseconds, microseconds or sample numbers; None where they don't. `table` is as for `refuse_counts`.

    >>> doubt(np.array([120.0, 310.0, 440.0]), np.zeros(3, int), 1, 500.0, "source")
    'source: 0.006 spikes a second and neuron make it likely that the times are ms, not seconds: pass them with their unit, ...'
    """
    if times.size < _FEWEST:
        return None
    rate = times.size / duration / np.unique(train % n_neurons).size
    unit = likely_unit(rate)
    if unit is None:
        return None
    order = np.lexsort((times, train))
    gaps = np.diff(times[order])[np.diff(train[order]) == 0]
    if not gaps.size or gaps.min() < _REFRACTORY:
        return None
    samples = "; divide sample numbers by the sampling rate" if are_whole(times) else ""
    return (
        f"{name}: {rate:.2g} spikes a second and neuron make it likely that the times are {unit}, not seconds: pass them with "
        f"their unit, {_stated(unit, table)}, and t_stop likewise{samples}; if they are seconds, {_stated('s', table)} says so"
    )


def doubt_milliseconds(times: np.ndarray, start: float, stop: float, name: str) -> str | None:
    """What to warn of where times (s) that were read as milliseconds look like seconds: all lie in the first thousandth.

    >>> doubt_milliseconds(np.array([1e-5, 2e-5, 9e-4]), 0.0, 1.0, "source")
    'source: all 3 spikes lie in the first 0.9 ms of 1 s, as NEST records times in ms: multiply times in seconds by 1000'
    """
    if times.size < _FEWEST or times.max() - start >= 1e-3 * (stop - start):
        return None
    return (
        f"{name}: all {times.size} spikes lie in the first {1e3 * (times.max() - start):.2g} ms of {stop - start:g} s, as NEST "
        "records times in ms: multiply times in seconds by 1000"
    )
