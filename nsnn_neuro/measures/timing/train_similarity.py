"""Similarity of the repeats of one neuron: spike-train distances, coincidences, reliability."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.aliases import SpikeSource, Time
from ...core.checks import positive
from ...core.errors import NsnnError
from ...core.numba_jit import njit
from ...core.units import describe, si
from ...core.warn import warn
from ...io.spikes import Trains
from ...io.spikes.bins import slack
from ..estimate import public_measure
from ..trains import SilentNeuronWarning, as_repeats, nan_ratio, several_repeats


@njit(cache=True)  # pragma: no cover - compiled
def _victor_purpura(times: np.ndarray, offsets: np.ndarray, cost: float) -> np.ndarray:
    n = offsets.size - 1
    out = np.zeros((n, n))
    longest = 0
    for a in range(n):
        longest = max(longest, offsets[a + 1] - offsets[a])
    row = np.empty(longest + 1)
    for a in range(n):
        for b in range(a):
            n_b = offsets[b + 1] - offsets[b]
            for j in range(n_b + 1):
                row[j] = j
            for i in range(offsets[a], offsets[a + 1]):
                diagonal = row[0]
                row[0] += 1.0
                for j in range(n_b):
                    apart = abs(times[i] - times[offsets[b] + j])
                    shift = diagonal + cost * apart if apart > 0 else diagonal  # inf * 0 would be NaN
                    diagonal = row[j + 1]
                    row[j + 1] = min(shift, row[j + 1] + 1.0, row[j] + 1.0)
            out[a, b] = out[b, a] = row[n_b]
    return out


@njit(cache=True)  # pragma: no cover - compiled
def _van_rossum(times: np.ndarray, offsets: np.ndarray, tau: float) -> np.ndarray:
    n = offsets.size - 1
    out = np.zeros((n, n))
    for a in range(n):
        for b in range(a):
            i, j = offsets[a], offsets[b]
            trace, last, total = 0.0, 0.0, 0.0
            while i < offsets[a + 1] or j < offsets[b + 1]:
                if j == offsets[b + 1] or (i < offsets[a + 1] and times[i] <= times[j]):
                    t, sign, i = times[i], 1.0, i + 1
                else:
                    t, sign, j = times[j], -1.0, j + 1
                if trace != 0.0:
                    trace *= np.exp((last - t) / tau)
                total += 1.0 + 2.0 * sign * trace
                trace += sign
                last = t
            out[a, b] = out[b, a] = np.sqrt(max(total, 0.0))
    return out


@njit(cache=True)  # pragma: no cover - compiled
def _coincidences(times: np.ndarray, offsets: np.ndarray, delta: float) -> np.ndarray:
    n = offsets.size - 1
    out = np.zeros((n, n))
    for a in range(n):
        for b in range(a + 1):
            i, j = offsets[a], offsets[b]
            result = 0
            while i < offsets[a + 1] and j < offsets[b + 1]:
                if abs(times[i] - times[j]) <= delta:
                    result, i, j = result + 1, i + 1, j + 1
                elif times[i] < times[j]:
                    i += 1
                else:
                    j += 1
            out[a, b] = out[b, a] = result
    return out


@njit(cache=True)  # pragma: no cover - compiled
def _kernel_sums(times: np.ndarray, offsets: np.ndarray, reach: float, sigma: float) -> np.ndarray:
    """Of each two trains, the sum of exp(-d^2 / 4 sigma^2) over pairs of spikes at most `reach` apart; d their distance."""
    n = offsets.size - 1
    out = np.zeros((n, n))
    for a in range(n):
        for b in range(a + 1):
            first = offsets[b]
            total = 0.0
            for i in range(offsets[a], offsets[a + 1]):
                while first < offsets[b + 1] and times[first] < times[i] - reach:
                    first += 1
                j = first
                while j < offsets[b + 1] and times[j] <= times[i] + reach:
                    total += (
                        1.0 if sigma == np.inf else np.exp(-(((times[i] - times[j]) / (2.0 * sigma)) ** 2))
                    )
                    j += 1
            out[a, b] = out[b, a] = total
    return out


@public_measure("1")
def victor_purpura(
    trains: SpikeSource, *, cost: Any, t_start: Time | None = None, t_stop: Time | None = None
) -> np.ndarray:
    """Victor-Purpura distance of each pair of trains, (n, n): the least cost of turning one into the other.

    Adding or removing a spike costs 1, moving it by dt costs cost * abs(dt). cost 0 gives the difference of
    the counts; an infinite cost the number of spikes without an exact partner (Elephant counts exact partners
    too). O(n_a n_b) per pair.

    Parameters
    ----------
    trains : the repeats of one neuron: a list of neo.SpikeTrain or of arrays of seconds, a SpikeTrainList, or a neo.Block
        with one neuron, see `as_repeats`. Trains may differ in duration: later spikes count as unmatched
    cost : frequency (1/s), scalar, at least 0
    t_start, t_stop : times, scalar; None is the trains' own end

    Raises
    ------
    NsnnError : negative cost, or what `as_repeats` refuses.
        Source: Victor & Purpura 1996, doi 10.1152/jn.1996.76.2.1310

    >>> import quantities as pq
    >>> victor_purpura([[0.1, 0.2], [0.11]], cost=10*pq.Hz).round(12)
    array([[0. , 1.1], [1.1, 0. ]])
    """
    q = si(cost, "Hz", "cost")
    if np.ndim(q) != 0 or q < 0:
        raise NsnnError(f"cost = {cost}: expected {describe('Hz')}, at least 0")
    repeats = as_repeats(trains, t_start, t_stop)
    return _victor_purpura(repeats.times, repeats.offsets, float(q))


@public_measure("1")
def van_rossum(
    trains: SpikeSource, *, tau: Any, t_start: Time | None = None, t_stop: Time | None = None
) -> np.ndarray:
    """Van Rossum distance of each pair of trains, (n, n); one lone spike is at distance 1 from silence.

    D^2 = (2 / tau) * integral of (f_a - f_b)^2 dt, f(t) = sum over spikes before t of exp(-(t - t_spike) /
    tau). This is Elephant's scale; the source's is D / sqrt(2). Computed in O(n_a + n_b) (Houghton & Kreuz).

    `tau` is a time, scalar; infinity gives the difference of the counts. Other arguments and errors: as for `victor_purpura`.
    Sources: van Rossum 2001, doi 10.1162/089976601300014321; Houghton & Kreuz 2012, doi 10.3109/0954898X.2012.673048

    >>> import quantities as pq
    >>> van_rossum([[0.1], []], tau=20*pq.ms)
    array([[0., 1.], [1., 0.]])
    """
    decay = positive(tau, "s", "tau")
    repeats = as_repeats(trains, t_start, t_stop)
    return _van_rossum(repeats.times, repeats.offsets, decay)


@public_measure("1")
def gamma_coincidence(
    trains: SpikeSource,
    other: Any = None,
    *,
    precision: Any,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> np.ndarray:
    """Coincidence factor Gamma of each pair of trains, (n, n), or with each of another set, (n, n_other).

    Row: reference, column: its prediction.

    Gamma = (N_coinc - 2 nu Delta N_a) / ((N_a + N_b)/2 (1 - 2 nu Delta)), nu = N_b / duration the rate of the
    column's train, 2 nu Delta N_a the number of coincidences expected of a Poisson train of that rate.
    N_coinc is the largest number of pairs of spikes at most Delta apart with each spike used once, so Gamma
    <= 1. 1 for equal trains, about 0 for independent ones; not symmetric for unequal counts.

    Parameters
    ----------
    trains, t_start, t_stop : as for `victor_purpura`; plain arrays, whose duration is unknown, need t_start and t_stop
    other : trains of a model, say, in the same window
    precision : Delta, time, scalar

    Raises
    ------
    NsnnError : 2 nu Delta >= 1 (chance alone would then match every spike), trains of different windows or without one, or
        what `as_repeats` refuses. NaN, with one SilentNeuronWarning, where both trains are empty. Sources: Kistler,
        Gerstner & van Hemmen 1997, doi 10.1162/neco.1997.9.5.1015; Jolivet et al. 2008, doi
        10.1016/j.jneumeth.2007.11.006

    >>> import quantities as pq
    >>> trains = [[0.1, 0.5], [0.101, 0.7]]
    >>> gamma_coincidence(trains, precision=2*pq.ms, t_start=0*pq.s, t_stop=1*pq.s).round(3)
    array([[1.   , 0.496], [0.496, 1.   ]])
    """
    delta = positive(precision, "s", "precision")
    n, repeats = _joined(trains, other, t_start, t_stop, ("trains", "other"))
    start, stop = repeats.window()
    count = repeats.counts[:, 0].astype(float)
    chance = 2 * delta * count / (stop - start)
    if (chance >= 1).any():
        k = int(np.argmax(chance))
        raise NsnnError(
            f"precision = {precision}: 2 nu Delta = {chance[k]:.3g} >= 1 for train {k} at "
            f"{count[k] / (stop - start):.4g} Hz: a random train would match every spike, and Gamma has "
            "no meaning; take a smaller precision"
        )
    # spikes of simulated trains sit on a grid: a distance that is meant to equal Delta may exceed it by rounding
    reach = delta * (1 + slack(delta, repeats.resolution, "precision"))
    result = _coincidences(repeats.times, repeats.offsets, reach)
    size = (count[:, None] + count) / 2 * (1 - chance)
    _warn_empty(count, "gamma_coincidence", "the pairs of two empty trains are NaN")
    gamma = nan_ratio(result - chance * count[:, None], size)
    return gamma if other is None else gamma[:n, n:]


@public_measure("1")
def md_star(
    data: Any, model: Any, *, precision: Any, t_start: Time | None = None, t_stop: Time | None = None
) -> float:
    """Similarity Md* of the repeats of a model to those of a neuron: 2 R_dm / (R_d + R_m).

    R_dm is the mean over pairs of a recorded and a simulated train of the number of pairs of spikes at most `precision` apart, R_d
    and R_m the means over pairs of two different trains of one set. 1 if both sets come from one process; it may exceed 1. Unlike
    Gamma averaged over pairs it does not prefer models with less variability than the neuron.

    `data` and `model` are trains of two or more repeats each, `precision` a time, scalar. Other arguments and errors: as for
    `victor_purpura`. NaN, with one SilentNeuronWarning, where no two trains of a set have a coincidence.
    Source: Naud, Gerhard, Mensi & Gerstner 2011, doi 10.1162/NECO_a_00208

    >>> import quantities as pq
    >>> recorded, simulated = [[0.010, 0.030], [0.011, 0.033]], [[0.010, 0.031], [0.012, 0.048]]
    >>> md_star(recorded, simulated, precision=4*pq.ms)
    1.0
    """
    delta = positive(precision, "s", "precision")
    n, repeats = _joined(data, model, t_start, t_stop, ("data", "model"))
    for name, size in (("data", n), ("model", repeats.n_trials - n)):
        if size < 2:
            raise NsnnError(f"{name} has {size} train: expected two or more, to compare them with each other")
    reach = delta * (1 + slack(delta, repeats.resolution, "precision"))
    pairs = _kernel_sums(repeats.times, repeats.offsets, reach, np.inf)  # numbers of pairs

    def among(own: np.ndarray) -> float:
        return float((own.sum() - np.trace(own)) / (len(own) * (len(own) - 1)))

    within = among(pairs[:n, :n]) + among(pairs[n:, n:])
    if within == 0:
        warn("md_star: no two trains of a set have a coincidence; its value is NaN", SilentNeuronWarning)
        return float("nan")
    return float(2 * pairs[:n, n:].mean() / within)


def _joined(trains: Any, other: Any, t_start: Any, t_stop: Any, names: tuple[str, str]) -> tuple[int, Trains]:
    """The number of the first trains, and all trains in one."""
    first = as_repeats(trains, t_start, t_stop, names[0])
    if other is None:
        return first.n_trials, first
    second = as_repeats(other, t_start, t_stop, names[1])
    edges = np.concatenate([np.stack([one.t_start, one.t_stop], axis=1) for one in (first, second)])
    times = np.concatenate([first.times, second.times])
    trial = np.concatenate([first.trial, second.trial + first.n_trials])
    resolution = max(first.resolution, second.resolution)
    return first.n_trials, Trains.from_arrays(
        times, np.zeros(times.size, np.int64), trial, 1, edges, resolution
    )


@public_measure("1")
def schreiber_reliability(
    trains: SpikeSource, *, sigma: Any, t_start: Time | None = None, t_stop: Time | None = None
) -> float:
    """Mean cosine of all pairs of trains after a Gaussian filter, in [0, 1]; 1 for equal trains.

    R = 2 / (n (n - 1)) * sum over pairs of s_a.s_b / (abs(s_a) abs(s_b)), s_a.s_b ~ sum of exp(-(t_i - t_j)^2 /
    (4 sigma^2)) in closed form. Pairs of a trial without spikes count as 0, since such a trial isn't reliable.

    `sigma`, the standard deviation of the filter, is a time, scalar; at least two trains. Other arguments and errors: as for
    `victor_purpura`. Empty trains cause one SilentNeuronWarning (NaN if all are). Source: Schreiber et al. 2003, doi
    10.1016/S0925-2312(02)00838-X

    >>> import quantities as pq
    >>> round(schreiber_reliability([[0.1, 0.5], [0.102, 0.5]], sigma=2*pq.ms), 4)
    0.8894
    """
    width = positive(sigma, "s", "sigma")
    repeats = several_repeats(trains, t_start, t_stop)
    # beyond 13 sigma the kernel is below 1e-18
    products = _kernel_sums(repeats.times, repeats.offsets, 13.0 * width, width)
    count = repeats.counts[:, 0]
    _warn_empty(count, "schreiber_reliability", "their pairs count as 0 (NaN if all are empty)")
    if not count.any():
        return float("nan")
    norm = np.sqrt(np.diag(products))
    cosine = np.nan_to_num(nan_ratio(products, norm[:, None] * norm))
    return float(cosine[np.triu_indices(count.size, 1)].mean())


def _warn_empty(count: np.ndarray, name: str, consequence: str) -> None:
    empty = int((count == 0).sum())
    if empty:
        warn(f"{name}: {empty} of {count.size} trains have no spikes; {consequence}", SilentNeuronWarning)
