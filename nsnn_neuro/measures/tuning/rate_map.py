"""Rate maps: spikes over the time spent in bins of one or two continuous variables, such as position or head direction.

Spikes belong to the nearest sample, each of which counts 1 / (sampling rate) of time. With n_k and o_k the spikes and the time of
K stretches of the recording, both smoothed alike, the rate of a bin is r = sum n_k / sum o_k. Its variance is that of a ratio of
sums, M / (M - 1) sum (n_k - r o_k)^2 / (sum o_k)^2, M = (sum o_k)^2 / sum o_k^2 the number of stretches that share the bin. It
follows the data: spikes need not be Poisson, but stretches have to be long against visits to a bin. It is that of recordings with
other paths, which smoothing mixes into the rate. The bias of smoothing, which lowers peaks, is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import neo
import numpy as np
import pandas as pd
import quantities as pq
from scipy.fft import fft, ifft
from scipy.ndimage import gaussian_filter1d

from ...core.aliases import Quantity, Signal, SpikeSource, Time
from ...core.checks import check, flag, scalar, suggest_keywords, whole
from ...core.errors import NsnnError
from ...core.units import shown
from ...core.warn import warn
from ..estimate import Estimate, counted, listed
from ..information.per_spike import skaggs_information
from ..spiketrain.spike_triggered import covering_signals
from ..trains import Trains, as_trains, nan_ratio, warn_silent
from .map_decoding import MapDecoding, bin_of, decode_map
from .read_trials import in_unit, unit_text

_MOST_BINS = 1000  # of a channel
_LEAST_SHIFT = 20.0  # s, by default
_RECURS, _CODES = 0.3, 16  # share above which shifts are no null; random codes of the bins


@dataclass(frozen=True, eq=False)
class RateMap:
    """Rate of each neuron in bins of one or two variables; made by `rate_map`."""

    rate: np.ndarray
    """(n_neurons, n_bins) or (n_neurons, n_bins_0, n_bins_1) Hz; NaN in bins with less than `min_occupancy`"""
    se: np.ndarray
    """Hz, standard error, of the shape of `rate`; NaN without a spike, or where all of the time is in one stretch"""
    occupancy: np.ndarray
    """(n_bins,) or (n_bins_0, n_bins_1) s spent in each bin, not smoothed"""
    counts: np.ndarray
    """spikes in each bin, of the shape of `rate`, not smoothed"""
    edges: tuple[np.ndarray, ...]
    """of the bins of each variable, in `unit`"""
    unit: str
    """of the variables"""
    circular: tuple[bool, ...]
    """whether each variable is an angle"""
    sampling_rate: float
    """Hz"""
    n_blocks: int
    """stretches of which errors are made"""
    _bin: np.ndarray = field(repr=False)  # (n_samples,); -1 outside, and in bins of too little time
    _sample: np.ndarray = field(repr=False)  # (n_spikes,)
    _neuron: np.ndarray = field(repr=False)  # (n_spikes,)

    def __repr__(self) -> str:
        n, shape, unit = len(self.rate), self.occupancy.shape, "" if self.unit == "1" else f" {self.unit}"
        spent, spikes = self.occupancy.sum(), self.counts.reshape(n, -1).sum(axis=1)

        def row(j: int) -> str:
            at = np.unravel_index(np.nanargmax(self.rate[j]), shape)
            place = ", ".join(f"{c[i]:.3g}" for c, i in zip(self.centers, at, strict=True))
            most = Estimate(self.rate[j][at], self.se[j][at])
            return (
                f"neuron {j}: {counted(int(spikes[j]), 'spike')}, {spikes[j] / spent:.3g} Hz on average, at most {most:.3g} Hz at "
                f"{place}{unit}"
            )

        ends = " and ".join(
            f"{k} bins from {e[0]:.4g} to {e[-1]:.4g}" for k, e in zip(shape, self.edges, strict=True)
        )
        return listed(f"RateMap: {counted(n, 'neuron')}, {ends}{unit}, {spent:.4g} s", row, n)

    @property
    def centers(self) -> tuple[np.ndarray, ...]:
        """Centres of the bins of each variable, in `unit`."""
        return tuple((one[1:] + one[:-1]) / 2 for one in self.edges)

    def information(
        self, *, n_shuffle: int = 100, seed: int = 0, min_shift: Time | None = None
    ) -> pd.DataFrame:
        """Information about the variable, a row for each neuron, over the bins that have a rate, without smoothing.

        raw is `skaggs_information` without a correction, null_mean its mean where spikes are shifted circularly in time against the
        variable, by the same shifts for all neurons. per_spike = raw - null_mean, per_second = per_spike times the mean rate. What
        a slow variable and any train have in common by chance is in null_mean too: per_spike may be too low by up to null_mean.

        In laps of equal time shifts land on the same places again, so that p is too large and per_spike too small, by half where
        laps differ by 5 %. A warning says so where the variable recurs in more than 0.3 of the time beyond chance. The cure is a
        null that turns each lap by itself. Cut laps into trials, `laps = cut(block, starts, before=0*pq.s, after=lap)`, and test
        raw: `def raw(laps): return rate_map(signals, laps, bins=20).information(n_shuffle=0)["raw"]`, then
        `against_surrogates(raw, laps, method="shift")`.

        Parameters
        ----------
        n_shuffle, seed : of the shifts; with n_shuffle = 0 per_spike, per_second, null_mean and p are NaN
        min_shift : time, the least shift; long against the correlation of spikes with the variable. None (default): 20 s, or a
            quarter of the recording if that is less

        Returns
        -------
        pandas.DataFrame with the columns neuron, per_spike (bit/spike), se (of per_spike, jackknife over stretches), per_second
            (bit/s), raw, null_mean (bit/spike), p (1 + shifts that reach raw)/(1 + n_shuffle), n (spikes). NaN without spikes,
            with one SilentNeuronWarning

        Raises
        ------
        NsnnError : a shift of more than half of the recording; fewer samples than stretches. Source: Skaggs et al. 1993 (Advances
            in Neural Information Processing Systems 5, 1030-1037)

        >>> import neo
        >>> from nsnn_neuro import to_block
        >>> place = np.random.default_rng(1).integers(0, 3, 60)  # another one each second
        >>> position = neo.AnalogSignal(np.repeat(place, 10), units="cm", sampling_rate=10*pq.Hz)
        >>> block = to_block([[np.flatnonzero(place == 1) + 0.5]], t_stop=60*pq.s)
        >>> rate_map(position, block, bins=3).information().round(2).values.tolist()
        [[0.0, 1.93, 0.38, 0.48, 2.0, 0.07, 0.01, 15.0]]
        """
        check(n_shuffle=n_shuffle, seed=seed)
        inside = self._bin >= 0
        duration = inside.sum() / self.sampling_rate
        least = usual = min(_LEAST_SHIFT, duration / 4)
        if min_shift is not None:
            least = scalar(min_shift, "s", "min_shift", least=0, most=duration / 2)
        if n_shuffle and inside.sum() > 1:
            share, lag = _recurrence(self._bin[inside], max(1, int(max(least, usual) * self.sampling_rate)))
            if share > _RECURS:
                warn(
                    f"information: {lag / self.sampling_rate:.4g} s later the variable is in the same bin for {share:.2f} of the "
                    "time beyond chance, as in laps of equal time: p is too large and per_spike too small; cut laps into trials "
                    'and take against_surrogates(..., method="shift"), see RateMap.information'
                )
        rows = np.full((len(self.rate), 7), np.nan)
        for j, row in enumerate(rows):
            spikes = np.bincount(self._sample[self._neuron == j], minlength=inside.size)[inside]
            row[6] = spikes.sum()
            if row[6]:
                result = skaggs_information(
                    self._bin[inside], spikes, bias="none", n_blocks=self.n_blocks, n_shuffle=n_shuffle, seed=seed,
                    min_shift=int(least * self.sampling_rate),
                )  # fmt: skip
                null, p = (np.nan if one is None else one for one in (result.null_mean, result.p))
                row[:6] = result.gain, result.se, result.gain * row[6] / duration, result.value, null, p
        warn_silent(rows[:, 3], "information", "have no spikes in bins that have a rate")
        table = pd.DataFrame(
            rows, columns=["per_spike", "se", "per_second", "raw", "null_mean", "p", "n"]
        ).astype({"n": int})
        table.insert(0, "neuron", np.arange(len(rows)))
        return table

    @suggest_keywords
    def decode(
        self,
        block: SpikeSource,
        *,
        window: Time,
        signal: Signal | None = None,
        prior: str = "flat",
        min_rate: Quantity = 0.1 * pq.Hz,
        level: float = 0.9,
        t_start: Time | None = None,
        t_stop: Time | None = None,
    ) -> MapDecoding:
        """Posterior of the variable in windows of time, from the spikes of neurons with these maps.

        Neurons are taken to be Poisson and independent: P(x | counts n_j) is proportional to prior(x) prod_j r_j(x)^n_j
        exp(-window r_j(x)). Decode times that the map was not made of: it holds the noise of its own spikes, which makes errors too
        small. The posterior is too narrow if rates are known from few spikes, without smoothing above all, and if neurons fire
        together. The column rank then is below a level in a smaller share of windows than this level.

        Parameters
        ----------
        block : neo.Block with the neurons of the map, in their order
        window : time, scalar; windows tile each trial, and what remains is left out
        signal : as of `rate_map`; None (default): without true values and errors
        prior : "flat" (default): equal in all bins with a rate; "occupancy": the time that the map has in them
        min_rate : rate, scalar; smaller ones are raised to it, as a single spike would else exclude bins for ever
        level : of the table's size
        t_start, t_stop : times, scalar; None is the trials' own end

        Raises
        ------
        NsnnError : another number of neurons, a signal in another unit, what `as_trains` refuses. Source: Zhang et al. 1998, doi
            10.1152/jn.1998.79.2.1017

        >>> import neo
        >>> from nsnn_neuro import to_block
        >>> turning = neo.AnalogSignal(np.arange(720) * 3.0, units="deg", sampling_rate=10*pq.Hz)
        >>> times = np.arange(0, 72, 0.1)
        >>> trains = [times[np.cos(np.deg2rad(30*times - one)) > 0.5] for one in (0, 120, 240)]
        >>> block = to_block([trains], t_stop=72*pq.s)
        >>> map = rate_map(turning, block, bins=12, circular=True, t_stop=60*pq.s)
        >>> table = map.decode(block, window=500*pq.ms, signal=turning, t_start=60*pq.s).table
        >>> table[["time", "mode", "true", "error"]].head(2).values.tolist()
        [[60.25, 15.0, 9.0, 6.0], [60.75, 15.0, 24.0, 9.0]]
        """
        return decode_map(self, block, window, signal, prior, min_rate, level, t_start, t_stop)


@suggest_keywords
def rate_map(
    signal: Signal,
    block: SpikeSource,
    *,
    bins: Any,
    smoothing: Any = None,
    min_occupancy: Time = 100 * pq.ms,
    circular: Any = False,
    n_blocks: int = 20,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> RateMap:
    """Rate of each neuron as a function of one or two continuous variables: position, head direction, speed.

    Rate = spikes / time spent, in each bin. A spike belongs to the nearest sample of the signal. Samples outside given edges are
    left out, with their spikes.

    Parameters
    ----------
    signal : neo.AnalogSignal of one or two channels on the clock of the trials, without NaN; or a list with one for each trial.
        Interpolate samples that the tracking has lost, or cut the recording there
    block : neo.Block, one Segment per trial
    bins : number of equal bins from the least to the largest sample, or of one turn if circular; or their edges (n + 1,), plain
        numbers in the unit of the signal or a quantity. For two channels one number for both, or a list of two of these
    smoothing : SD of a Gaussian, in the unit of the signal, or one for each channel; None (default) does none. Spikes and time
        are smoothed alike, so that rates are not lowered at edges and beside places without a visit
    min_occupancy : time, scalar, spent in a bin at least (default 100 ms); bins with less have the rate NaN
    circular : True for an angle; or a list, one for each channel. Edges then cover the whole turn, or half of it for axes, and
        angles are taken modulo it
    n_blocks : stretches of equal time for errors (default 20), long against visits to a bin
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : a signal that does not cover the trials, is constant (with a number of bins) or has more than two channels; a single
        bin, edges that do not increase, smoothing of unequal bins; circular edges that cover no turn; a number of bins of
        a circular signal that has no unit of angles; no bin with enough time; or what `as_trains` refuses

    >>> import neo
    >>> from nsnn_neuro import to_block
    >>> turning = neo.AnalogSignal(np.arange(72) * 30.0, units="deg", sampling_rate=10*pq.Hz)  # six turns
    >>> block = to_block([[np.arange(0, 7.2, 1.2) + 0.02]], t_stop=7.2*pq.s)
    >>> print(rate_map(turning, block, bins=4, circular=True))
    RateMap: 1 neuron, 4 bins from 0 to 360 deg, 7.2 s
    neuron 0: 6 spikes, 0.833 Hz on average, at most 3.33 ± 0.4 Hz at 45 deg
    >>> rate_map(turning, block, bins=4, circular=True, smoothing=45*pq.deg).rate.round(2)
    array([[2.62, 0.35, 0.  , 0.35]])
    """
    check(n_blocks=n_blocks)
    least = scalar(min_occupancy, "s", "min_occupancy", least=0)
    trains = as_trains(block, t_start, t_stop)
    _ = trains.durations  # which says how to give them
    x, sample, fs, unit = _samples(signal, trains)
    d = x.shape[1]
    around = _each(circular, d, "circular", flag)
    edges = tuple(
        _edges(one, x[:, i], unit, around[i]) for i, one in enumerate(_each(bins, d, "bins", lambda b, _: b))
    )
    place = bin_of(x, edges, around)
    shape = tuple(e.size - 1 for e in edges)
    n_bins, n_neurons = int(np.prod(shape)), trains.n_neurons
    if n_blocks > len(x):
        raise NsnnError(f"n_blocks = {n_blocks}: expected at most the number of samples, {len(x)}")
    stretch, inside = np.arange(len(x)) * n_blocks // len(x), place >= 0
    time = np.bincount((stretch * n_bins + place)[inside], minlength=n_blocks * n_bins) / fs
    time = time.reshape(n_blocks, 1, *shape)
    kept, neuron = inside[sample], trains.neuron
    cell = ((stretch[sample] * n_neurons + neuron) * n_bins + place[sample])[kept]
    spikes_in = np.bincount(cell, minlength=n_blocks * n_neurons * n_bins).reshape(
        n_blocks, n_neurons, *shape
    )
    occupancy, counts = time.sum(axis=(0, 1)), spikes_in.sum(axis=0)
    enough = (occupancy > 0) & (occupancy >= least - 1e-9)
    if not enough.any():
        raise NsnnError(
            f"min_occupancy = {min_occupancy}: no bin has as much, the most is {occupancy.max():g} s; lower it, take wider bins, "
            "or edges where the signal is"
        )
    n, o = spikes_in.astype(float), time
    if smoothing is not None:
        n, o = (_smooth(one, smoothing, edges, around, unit) for one in (n, o))
    total = o.sum(axis=0)
    rate = np.where(enough, nan_ratio(n.sum(axis=0), total), np.nan)
    shared = nan_ratio(total**2, (o**2).sum(axis=0))
    several = np.where(shared > 1 + 1e-9, nan_ratio(shared, shared - 1), np.nan)
    se = np.sqrt(several * ((n - rate * o) ** 2).sum(axis=0)) / np.where(enough, total, np.nan)
    place = np.where(inside & enough.ravel()[place], place, -1)
    se = np.where(se > 0, se, np.nan)
    return RateMap(
        rate, se, occupancy, counts, edges, unit, tuple(around), fs, n_blocks, place, sample, neuron
    )


def _recurrence(place: np.ndarray, shift: int) -> tuple[float, int]:
    """Largest share of samples that are in their bin again after at least `shift` samples, less chance, and after how many."""
    # autocorrelation of random phases, one for each bin, in place of that of each bin
    phase = np.random.default_rng(0).random((_CODES, int(place.max()) + 1))
    codes = np.exp(2j * np.pi * phase[:, place])
    power = np.abs(fft(codes - codes.mean(axis=1, keepdims=True))) ** 2
    again = ifft(power.sum(axis=0)).real
    lag = shift + int(again[shift : place.size - shift + 1].argmax())
    return (float(again[lag] / again[0]) if again[0] > 1e-9 else 0.0), lag


def _samples(signal: Any, trains: Trains) -> tuple[np.ndarray, np.ndarray, float, str]:
    """Samples (n, d) of all trials in a row, the one nearest to each spike, the sampling rate (Hz) and the unit."""
    read = covering_signals(signal, trains)
    fs, d = read[0][1], read[0][0].shape[1]
    if d > 2:
        raise NsnnError(f"signal has {d} channels: expected one or two; select with signal[:, [0, 1]]")
    signals = [signal] if isinstance(signal, neo.AnalogSignal) else list(signal)
    units = sorted({unit_text(one) for one in signals})
    if len(units) > 1:
        raise NsnnError(f"signal = list in {' and '.join(units)}: expected one unit")
    parts, sample, first = [], np.empty(trains.times.size, dtype=np.int64), 0
    borders = trains.offsets[:: trains.n_neurons]
    for k, (values, _, start) in enumerate(read):
        ends = (np.array([trains.t_start[k], trains.t_stop[k]]) - start) * fs
        low, high = np.clip(np.ceil(ends - 1e-6), 0, len(values)).astype(int)
        if low == high:
            raise NsnnError(f"signal has no sample in trial {k}: expected several")
        spikes = slice(borders[k], borders[k + 1])
        nearest = np.floor((trains.times[spikes] - start) * fs + 0.5).astype(int)
        sample[spikes] = first + np.clip(nearest, low, high - 1) - low
        parts.append(values[low:high])
        first += high - low
    return np.concatenate(parts), sample, fs, units[0]


def _smooth(
    values: np.ndarray, smoothing: Any, edges: tuple[np.ndarray, ...], around: list[bool], unit: str
) -> np.ndarray:
    """Values (n_blocks, n, *shape) in the bins, smoothed by a Gaussian."""
    for i, sd in enumerate(_each(smoothing, len(edges), "smoothing", lambda s, name: in_unit(s, unit, name))):
        width = np.diff(edges[i])
        if sd.ndim or not 0 < sd < np.inf or np.ptp(width) > 1e-6 * width[0]:
            raise NsnnError(
                f"smoothing = {shown(smoothing)}: expected a number above 0, or a list of one for each channel, and bins of "
                "equal width"
            )
        mode = "wrap" if around[i] else "constant"
        values = gaussian_filter1d(values, float(sd) / width[0], axis=i + 2, mode=mode)
    return values


def _each(value: Any, d: int, name: str, read: Any) -> list[Any]:
    """What an argument says of each of d channels: one value for all, or a list of two."""
    if d == 2 and isinstance(value, list | tuple):
        if len(value) != 2:
            raise NsnnError(f"{name} = {shown(value)}: expected one for both channels, or a list of two")
        return [read(one, name) for one in value]
    return [read(value, name)] * d


def _edges(bins: Any, x: np.ndarray, unit: str, circular: bool) -> np.ndarray:
    """Edges of the bins of one channel."""
    try:
        turn = float(pq.Quantity(360, "deg").rescale(unit)) if circular and unit != "1" else np.nan
    except ValueError:
        turn = np.nan
    if not isinstance(bins, list | tuple | np.ndarray):
        n = whole(bins, 2, "bins", _MOST_BINS)
        low, high = (0.0, turn) if circular else (float(x.min()), float(x.max()))
        if np.isnan(high):
            raise NsnnError(
                f"bins = {n} of a circular signal in the unit {unit}: its period is not known; give edges over one turn, such as "
                "numpy.linspace(0, 360, 37), or the signal the unit deg or rad"
            )
        if not low < high:
            raise NsnnError(f"signal is constant ({x[0]:g}): it has no range to bin; give edges as bins")
        return np.linspace(low, high, n + 1)
    edges = in_unit(bins, unit, "bins")
    if edges.ndim != 1 or edges.size < 3 or not np.isfinite(edges).all() or not (np.diff(edges) > 0).all():
        raise NsnnError(
            f"bins = {shown(bins)}: expected a number of at least 2, or the increasing edges of at least 2 bins"
        )
    turns = turn / np.ptp(edges)
    if abs(turns - np.rint(turns)) > 1e-6 or turns < 0.5:
        raise NsnnError(
            f"bins from {edges[0]:g} to {edges[-1]:g} {unit}: expected the whole turn of a circular signal, or half of it"
        )
    return edges
