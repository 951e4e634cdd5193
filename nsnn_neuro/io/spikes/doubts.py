"""What tells that plain numbers aren't spike times in seconds: rates far below those of neurons, whole or repeated numbers.

Milliseconds that are read as seconds make a neuron of 5 Hz one of 0.005 Hz, without spikes less than a second apart. A raster has
a value for each bin, so that few different numbers repeat; sample numbers are whole and large.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...core.errors import NsnnError
from ...core.warn import warn

PER_SECOND = {"s": 1.0, "ms": 1e3, "us": 1e6}
_SLOWEST, _FASTEST = 0.1, 1000.0  # Hz, mean rates of a neuron that a reader wouldn't wonder at
_SMALLEST_GAP = 1.0  # s, of 1 ms that was read as seconds: no neuron's spikes are closer
_FEWEST = 3  # spikes that a rate is judged by


def likely_unit(rate: float) -> str | None:
    """The unit in which a neuron's rate would be ordinary, where `rate` (Hz, from times read as seconds) is too low for one."""
    if rate >= _SLOWEST:
        return None
    return next((u for u, scale in PER_SECOND.items() if _SLOWEST <= rate * scale <= _FASTEST), None)


class Unitless(NamedTuple):
    """Times that were numbers without a unit: how they were read, and how a user states a unit."""

    milliseconds: bool = False  # they were read as milliseconds; False: as seconds
    stated: str = "times * {}"  # Python text of times with the unit {}

    def check(self, source: Any, start: np.ndarray, stop: np.ndarray) -> None:
        """NsnnError for a raster or counts in bins; a warning where times look like another unit.

        source : a `Source` of finite times; start, stop : (n_trials,) s
        """
        times, neuron, trial, name = source.times, source.neuron, source.trial, source.name
        if times.size < _FEWEST:
            return
        if self.milliseconds:
            last, length = times.max() - min(0.0, start.min()), stop.max() - min(0.0, start.min())
            if last < 1e-3 * length:
                warn(
                    f"{name}: all {times.size} spikes lie in the first {1e3 * last:.2g} ms of {length:g} s, as NEST records times "
                    "in ms: multiply times in seconds by 1000"
                )
            return
        first = times[:1000]  # few are enough to see that most recordings have other times
        whole = bool((first == np.rint(first)).all() and (times == np.rint(times)).all())
        rate = times.size / float((stop - start).sum()) / np.unique(neuron).size
        unit = likely_unit(rate)
        if not whole and unit is None:
            return
        order = np.lexsort((times, neuron, trial))
        gaps = np.diff(times[order])
        one_train = (np.diff(neuron[order]) == 0) & (np.diff(trial[order]) == 0)
        seconds = self.stated.format("second")
        same = np.concatenate([[False], (gaps == 0) & one_train, [False]])
        binary = times.min() >= 0 and times.max() <= 1
        thrice = bool((same[1:] & same[:-1]).any())  # spikes that were detected twice exist
        if whole and thrice and (binary or 2 * np.sum(same[1:] | same[:-1]) >= times.size):
            values = ", ".join(f"{t:.6g}" for t in times[(neuron == neuron[0]) & (trial == trial[0])][:8])
            raise NsnnError(
                f"{name} holds the values {values} of one neuron in one trial, a raster or counts in bins: expected spike times in "
                "seconds; to_block(raster, bin_width=...) takes a raster (n_trials, n_neurons, n_bins); if they are times in "
                f"seconds, {seconds} says so"
            )
        if unit is not None and one_train.any() and gaps[one_train].min() >= _SMALLEST_GAP:
            warn(
                f"{name}: {rate:.2g} spikes a second and neuron make it likely that the times are {unit}, not seconds: pass them "
                f"with their unit, {self.stated.format(unit)}, and t_stop likewise"
                f"{'; divide sample numbers by the sampling rate' * whole}; if they are seconds, {seconds} says so"
            )
