"""Channel capacity, the most information that any law of the stimuli lets a channel transmit.

With D_s = sum_r W(r | s) log2 W(r | s) / q(r), I(p) = sum_s p(s) D_s <= C <= max_s D_s at any p. Blahut & Arimoto's
iteration multiplies p(s) by 2^(m D_s); m grows while I(p) rises and falls back to 1 when it does not (Matz & Duhamel
2004).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...core.aliases import Values
from ...core.checks import check, number, suggest_keywords
from ...core.errors import NsnnError
from ...core.numba_jit import njit
from ...core.units import floats, shown
from ...core.warn import TRUST, warn
from ..entropies.contingency import LN2
from ..entropies.entropy import choose
from ..entropies.information_tables import zero_spread
from ..entropies.symbols import one_value
from ..estimate import Estimate, Report, jackknife_se
from ..response_checks import with_test
from .pipeline import judged, read

_MOST_STEPS = 100_000
_TOLERANCE = 1e-9  # bits
_PRECISION = 1e-4  # bits, of estimates
_ENOUGH = {"jackknife": 4.0, "plugin": 64.0}  # trials per stimulus for each response that occurs


@njit(cache=True)  # pragma: no cover - compiled
def _informations(channel: np.ndarray, p: np.ndarray, q: np.ndarray, each: np.ndarray) -> float:
    """D_s in nats into `each`, q into `q`; returns I(p)."""
    n_s, n_r = channel.shape
    q[:] = 0.0
    for s in range(n_s):
        for r in range(n_r):
            q[r] += p[s] * channel[s, r]
    total = 0.0
    for s in range(n_s):
        each[s] = 0.0
        for r in range(n_r):
            if channel[s, r] > 0.0:
                each[s] += channel[s, r] * np.log(channel[s, r] / max(q[r], 1e-300))
        total += p[s] * each[s]
    return total


@njit(cache=True)  # pragma: no cover - compiled
def _maximise(channel: np.ndarray, p: np.ndarray, tolerance: float, most: int) -> tuple[float, float]:
    """The best p, from its start in place; the lower and the upper bound of C in nats."""
    n_s, n_r = channel.shape
    q, each, better = np.empty(n_r), np.empty(n_s), np.empty(n_s)
    trial, speed = np.empty(n_s), 1.0
    value = _informations(channel, p, q, each)
    for _ in range(most):
        highest = each.max()
        if highest - value <= tolerance:
            break
        total = 0.0
        for s in range(n_s):
            trial[s] = p[s] * np.exp(speed * (each[s] - highest))
            total += trial[s]
        trial /= total
        result = _informations(channel, trial, q, better)
        if result >= value or speed == 1.0:  # at m = 1 it rises but for rounding
            if result < value and highest - value < 1e-13:
                break
            p[:] = trial
            each[:] = better
            value = result
            speed = min(1.5 * speed, 1e6)
        else:
            speed = 1.0
    return value, each.max()


@njit(cache=True)  # pragma: no cover - compiled
def _capacity_of(table: np.ndarray, tolerance: float, most: int, without: np.ndarray) -> float:
    """Plug-in capacity in nats of counts (n_s, n_r); `without` one trial of each."""
    n_s, n_r = table.shape
    channel = table / table.sum(axis=1).reshape(n_s, 1)
    p = np.full(n_s, 1.0 / n_s)
    value, _ = _maximise(channel, p, tolerance, most)
    without[:] = np.nan
    start = np.empty(n_s)
    for s in range(n_s):
        n = table[s].sum()
        for r in range(n_r):
            if table[s, r] == 0:
                continue
            if n > 1:
                channel[s] = table[s] / (n - 1.0)
                channel[s, r] -= 1.0 / (n - 1.0)
            start[:] = (p + 1e-4 / n_s) / (1.0 + 1e-4)
            without[s, r], _ = _maximise(channel, start, tolerance, most)
        channel[s] = table[s] / n
    return value


@dataclass(frozen=True)
class ChannelCapacity(Report):
    """Capacity of a known channel; made by `blahut_arimoto`; a number of bits."""

    value: float
    """bits, a lower bound of the capacity"""
    upper: float
    """bits"""
    p: np.ndarray
    """(n_s,) probabilities of the stimuli that reach `value`"""

    def __float__(self) -> float:
        return self.value


@suggest_keywords
def blahut_arimoto(channel: Any, *, tolerance: float = _TOLERANCE) -> ChannelCapacity:
    """Capacity of a channel of known probabilities, C = max over p(s) of I(S; R), in bits.

    Parameters
    ----------
    channel : (n_s, n_r) probabilities W(r | s) of response r to stimulus s; rows add up to 1
    tolerance : bits, positive; the lower and upper bounds of C are as close

    Raises
    ------
    NsnnError : rows that are no probabilities, a tolerance that is not positive. Warns if the
        bounds are further apart after 10^5 steps. Source: Blahut
        1972, doi 10.1109/TIT.1972.1054855; Arimoto 1972, doi 10.1109/TIT.1972.1054753; Matz &
        Duhamel 2004, doi 10.1109/ITW.2004.1405276

    >>> capacity = blahut_arimoto([[1, 0], [0.5, 0.5]])  # Z-channel: log2(5/4), reached with p = (3/5, 2/5)
    >>> round(float(capacity), 6), capacity.p.round(3)
    (0.321928, array([0.6, 0.4]))
    """
    w = floats(channel, "channel", "probabilities (n_s, n_r), one row per stimulus")
    if w.ndim != 2 or w.size == 0:
        raise NsnnError(
            f"channel has shape {w.shape}: expected (n_s, n_r), a row of probabilities per stimulus"
        )
    wrong = ~((w >= 0).all(1) & (np.abs(w.sum(1) - 1) < 1e-6))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise NsnnError(f"channel[{row}] = {shown(w[row])}: expected numbers from 0 that add up to 1")
    if not number(tolerance, "tolerance") > 0:
        raise NsnnError(f"tolerance = {shown(tolerance)}: expected a positive number of bits")
    p = np.full(len(w), 1.0 / len(w))
    lower, upper = _maximise(w / w.sum(1, keepdims=True), p, float(tolerance) * LN2, _MOST_STEPS)
    if upper - lower > tolerance * LN2 + 1e-13:
        warn(
            f"channel: the capacity is known to {(upper - lower) / LN2:.2g} bit only, after {_MOST_STEPS} steps"
        )
    return ChannelCapacity(max(lower, 0.0) / LN2, max(upper, 0.0) / LN2, p)


@suggest_keywords
def channel_capacity(
    s: Values, r: Values, *, bias: str = "jackknife", n_shuffle: int = 100, seed: int = 0
) -> Estimate:
    """Capacity of the channel from stimuli s to responses r, estimated from trials, in bits.

    C = max over p(s) of I(S; R), for the laws p(r | s) that the trials show. It does not depend on
    how often each stimulus was shown, and is the most that the responses can tell about these
    stimuli. The plug-in value is too high, by the bias of an information and of a maximum.

    - "jackknife" (default) removes a bias of order 1/N: C + (N - 1) (C - mean C without one trial).
    - "plugin" ("none") makes no correction.

    null_mean and p: stimuli are permuted over trials, each corrected in the same way. se is the
    delete-one jackknife over trials. `warning` is set for fewer than 4 trials per stimulus and
    response that occurs (64 for "plugin"), and within the range of chance, where se is too small.

    Parameters
    ----------
    s, r : as for `mutual_information`
    bias : see above
    n_shuffle, seed : of the shuffles; n_shuffle = 0 leaves null_mean and p None

    Raises
    ------
    NsnnError : no symbols, unequal lengths, fewer than 2 trials of a stimulus, an unknown bias.
        Source: Blahut 1972, doi 10.1109/TIT.1972.1054855

    >>> s = [0] * 100 + [1] * 100
    >>> r = [0] * 100 + [0, 1] * 50  # Z-channel: log2(5/4) = 0.322
    >>> e = channel_capacity(s, r)
    >>> print(f"{e:.2f}", round(e.p, 4))
    0.32 ± 0.04 0.0099
    """
    check(bias=bias, n_shuffle=n_shuffle, seed=seed)
    bias = choose(bias, ("jackknife", "plugin"), "bias")
    data = read(labels=("s",), s=s, r=r)
    table, (n_s, n_r) = data.table, data.sizes
    if table.sum(1).min() < 2:
        raise NsnnError("s has a stimulus of 1 trial: expected at least 2 trials of each")
    value, without = _estimate(table, bias)
    se = float(jackknife_se(without[table > 0], table[table > 0]))
    tables = data.permuted_tables("s", n_shuffle, np.random.default_rng(seed))
    null = np.array([_estimate(one, bias)[0] for one in tables])
    few = None
    if data.n < _ENOUGH[bias] * n_s * n_r:
        few = (
            f"{data.n / n_s:.4g} trials per stimulus for {n_r} responses, fewer than {_ENOUGH[bias]:.4g} trials for each response: "
            f"{bias} may be biased; take more trials or fewer responses{TRUST}few trials"
        )
    result = with_test(value, se, bias, null, n=data.n, se_method="jackknife over trials")
    return judged(result, notes=[one_value({"s": n_s, "r": n_r}), few], spread=zero_spread(table))


def _estimate(table: np.ndarray, bias: str) -> tuple[float, np.ndarray]:
    """The estimate in bits, and the plug-in values without one trial of each cell."""
    without = np.empty(table.shape)
    tolerance = _PRECISION * LN2 / table.sum()  # the jackknife multiplies errors by the number of trials
    value = _capacity_of(table.astype(float), tolerance, _MOST_STEPS, without) / LN2
    without /= LN2
    if bias == "jackknife":
        n, seen = table.sum(), table > 0
        value = n * value - (n - 1) * float(table[seen] @ without[seen]) / n
    return value, without
