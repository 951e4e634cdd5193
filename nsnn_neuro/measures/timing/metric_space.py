"""Metric-space information: how well spike-train distances identify the stimulus that evoked a train."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import quantities as pq

from ...core.aliases import SpikeSource, Time, Values
from ...core.checks import check, suggest_keywords
from ...core.errors import NsnnError
from ...core.units import describe, si
from ..entropies.contingency import information, plugin_entropy, table_se
from ..estimate import Estimate
from ..response_checks import as_labels, permutation_p, refuse_swapped, shuffle_test
from ..trains import as_repeats
from .train_similarity import victor_purpura

HALVES = 50  # half-samples of trains behind a standard error
_CEILING = 0.75  # share of the entropy of the classes from which the correction for chance takes off too much
_NEAR_ZERO = 1e12  # weight of a distance of 0 against that of the smallest other one, for z < 0


@dataclass(frozen=True, eq=False)
class MetricSpace:
    """Information against the cost q; made by `metric_space_information`."""

    q: np.ndarray
    """(n_q,) 1/s"""
    raw: np.ndarray
    """(n_q,) bits, of the table as it stands"""
    null_mean: np.ndarray
    """(n_q,) bits, mean over shuffled labels; NaN without shuffles"""
    null_sd: np.ndarray
    """(n_q,) bits"""
    corrected: np.ndarray
    """(n_q,) bits, raw - null_mean (or raw where there are no shuffles)"""
    se: np.ndarray
    """(n_q,) bits, from half-samples of the trains and from the table"""
    p: np.ndarray
    """(n_q,) of each q by itself; NaN without shuffles"""
    confusion: np.ndarray
    """(n_q, K, K) trains of each class (rows) put into each class; ties are shared out"""
    labels: np.ndarray
    """(K,) the classes"""
    n: int
    """trains"""
    n_shuffle: int
    best: Estimate
    """at q_max; its p and null_mean are those of the largest corrected information over all q, and its `gain` is without the bias
    of the choice"""

    @property
    def q_max(self) -> float:
        """The q, 1/s, of the largest corrected information; the smallest such q."""
        return float(self.q[np.argmax(self.corrected)])

    def __str__(self) -> str:
        return f"q_max {self.q_max:.4g} / s: {self.best}"

    def at(self, k: int) -> Estimate:
        """The corrected information at q[k], chosen beforehand, as an Estimate."""
        shuffles = self.n_shuffle > 0
        return Estimate(
            float(self.corrected[k]),
            se=float(self.se[k]),
            correction="shuffle" if shuffles else "none",
            null_mean=0.0 if shuffles else None,
            null_se=0.0 if shuffles else np.nan,  # part of se
            p=float(self.p[k]) if shuffles else None,
            n=self.n,
            warning=_limits(float(self.raw[k]), float(self.null_mean[k]), self.confusion[k]),
            se_method="half-samples of trains and table",
        )


@suggest_keywords
def metric_space_information(
    labels: Values,
    trains: SpikeSource,
    *,
    q: Any,
    z: float = -2.0,
    distance: Callable[..., np.ndarray] = victor_purpura,
    n_shuffle: int = 100,
    seed: int = 0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> MetricSpace:
    """Information H(q), bits, of distances with cost q about the class of a train, against q.

    d(train, class) = (mean of distance^z over the other trains of the class)^(1/z). The train goes to the class with the least,
    shared out where several tie. z = -2 lets the nearest trains decide. For z < 0 a distance of 0 counts above all others:
    classes are then compared by their share of such trains. H(0) is the information in counts; a maximum H(q_max) > H(0) means
    that timing carries more, with a precision of about 1/q_max.

    H is that of the table, sum of p log2(p / (p_true p_found)). It is too high by chance: the mean over shuffled labels is
    subtracted (`corrected`). That takes off too much where H is near its ceiling, H(classes): from 0.75 H(classes) on
    warnings say so, and `se` includes all of `null_mean`. The largest of several H(q) is too high once more: `best.p` and
    `best.null_mean` take the maximum over q in each shuffle; for a value without this bias choose q before, and take `.at(k)`.

    p: tables with fewer correct than by chance count as 0 bits, in shuffles and data. se: spread over random halves of the
    trains, of one q, and in quadrature the error of the table alone (delta method); too large, see "Errors with few trials".

    Parameters
    ----------
    labels : (n,) whole numbers, texts, or floats that repeat, the class (stimulus) of each train; at least two trains of each
    trains, t_start, t_stop : the repeats of one neuron, n of them, as for `victor_purpura`
    q : frequencies (1/s), scalar or array, at least 0; infinity counts exact coincidences alone
    z : exponent, not 0
    distance : function of (repeats, cost=quantity) that returns (n, n); default `victor_purpura`. For
        `van_rossum`: lambda repeats, cost: van_rossum(repeats, tau=1/cost)
    n_shuffle, seed : of the shuffles of the labels, the same for all q; n_shuffle = 0 leaves the information uncorrected

    Raises
    ------
    NsnnError : swapped arguments, labels of another kind or length, one class or one train in a class; distances that
        are negative or NaN. Sources: Victor & Purpura 1996, doi 10.1152/jn.1996.76.2.1310; 1997, doi 10.1088/0954-898X_8_2_003

    >>> trains = [[0.1], [0.102], [0.101], [0.3], [0.301], [0.303]]
    >>> found = metric_space_information([0, 0, 0, 1, 1, 1], trains, q=[0, 20]*pq.Hz, n_shuffle=0)
    >>> print(found)
    q_max 20 / s: raw 1 bit (correction none; no null; n = 6; ...)
    """
    check(z=z, distance=distance, n_shuffle=n_shuffle, seed=seed)
    cost = np.atleast_1d(si(q, "Hz", "q"))
    if cost.ndim != 1 or cost.size == 0 or not (cost >= 0).all():
        raise NsnnError(f"q = {q}: expected {describe('Hz')} or an array of them, at least 0")
    if z == 0:
        raise NsnnError(f"z = {z!r}: expected a finite number other than 0")
    refuse_swapped(labels, trains, "metric_space_information(labels, trains)")
    repeats = as_repeats(trains, t_start, t_stop)
    n = repeats.n_trials
    classes, number = as_labels(labels, "labels", n)
    members = np.bincount(number)
    if members.min() < 2:
        k = int(np.argmin(members))
        raise NsnnError(f"labels: class {classes[k]} has one train: expected at least two of each")
    rng = np.random.default_rng(seed)
    one_hot = np.eye(classes.size)[number]
    shuffled = one_hot[rng.permuted(np.tile(np.arange(n), (n_shuffle, 1)), axis=1)]  # (n_shuffle, n, K)
    tables, errors, shuffles = [], [], []
    for one in cost:
        weights = _weights(np.asarray(distance(repeats, cost=one * pq.Hz), dtype=float), n, float(z))
        tables.append(_confusion(weights, one_hot))
        shuffles.append(_confusion(weights, shuffled))
        errors.append(_half_samples(weights, number, rng))
    return _result(cost, np.array(tables), np.array(errors), np.array(shuffles), classes)


def _weights(d: np.ndarray, n: int, z: float) -> np.ndarray:
    """(n, n) distance^z, negative for z > 0, so that more is nearer; 0 on the diagonal."""
    if d.shape != (n, n) or not (np.isfinite(d) & (d >= 0)).all():
        raise NsnnError(f"distance returned shape {d.shape}: expected ({n}, {n}) finite numbers, at least 0")
    off = ~np.eye(n, dtype=bool)
    if z > 0:
        return np.where(off, -(d**z), 0.0)
    least = d[off & (d > 0)].min(initial=np.inf)
    least = least if np.isfinite(least) else 1.0
    return np.where(off, np.maximum(d / least, _NEAR_ZERO ** (1 / z)) ** z, 0.0)


def _confusion(weights: np.ndarray, one_hot: np.ndarray) -> np.ndarray:
    """(..., K, K) tables for labels (..., n, K); where classes are equally near, each gets a part of the train."""
    sizes = one_hot.sum(axis=-2, keepdims=True) - one_hot  # a train is not compared with itself
    mean = weights @ one_hot / sizes
    best = mean.max(axis=-1, keepdims=True)
    nearest = mean >= best - 1e-9 * np.abs(best)
    return np.swapaxes(one_hot, -1, -2) @ (nearest / nearest.sum(axis=-1, keepdims=True))


def _half_samples(weights: np.ndarray, number: np.ndarray, rng: np.random.Generator) -> float:
    """SE from random halves of each class, of m trains; NaN for fewer than four. Halves vary sqrt((n - m) / m) times as much."""
    one_hot = np.eye(number.max() + 1)[number]
    kept = (one_hot.sum(axis=0) // 2).astype(int)
    if kept.min() < 2:
        return float("nan")
    values = np.empty(HALVES)
    for h in range(HALVES):
        order = rng.permutation(number.size)
        half = np.concatenate([order[number[order] == c][:m] for c, m in enumerate(kept)])
        values[h] = information(_confusion(weights[np.ix_(half, half)], one_hot[half]))
    m = kept.sum()
    return float(values.std(ddof=1) * np.sqrt(m / (number.size - m)))


def _limits(raw: float, null_mean: float, table: np.ndarray, *others: str) -> str | None:
    """Limits of a corrected information: few trains for its table, or an information near the entropy of the classes."""
    k, n, texts = len(table), round(table.sum()), []
    if n < 5 * k**2:
        texts.append(f"{n} trains for a table of {k} x {k}: fewer than 5 per cell")
    entropy = float(plugin_entropy(table.sum(axis=-1)))
    if not np.isnan(null_mean) and raw >= _CEILING * entropy:
        texts.append(
            f"within {round(100 * (1 - _CEILING))} % of the entropy of the classes, {entropy:.3g} bits, where the "
            f"correction of {null_mean:.2g} bits takes off too much (se includes it)"
        )
    return "; ".join([*texts, *others]) or None


def _signed(tables: np.ndarray) -> np.ndarray:
    """Information of tables, 0 where fewer are right than by chance."""
    rows, columns = tables.sum(axis=-1), tables.sum(axis=-2)
    chance = (rows * columns).sum(axis=-1) / rows.sum(axis=-1)
    return np.where(tables.trace(axis1=-2, axis2=-1) > chance, information(tables), 0.0)


def _result(
    cost: np.ndarray, tables: np.ndarray, errors: np.ndarray, shuffles: np.ndarray, classes: np.ndarray
) -> MetricSpace:
    """All of it from tables (n_q, K, K), errors (n_q,) and shuffled tables (n_q, n_shuffle, K, K)."""
    raw, n_shuffle, n = information(tables), shuffles.shape[1], round(tables[0].sum())
    # halves of a table without errors have none either; a jackknife over trains would be 1.3 to 3.5 times the SD
    errors = np.hypot(errors, [table_se(table) for table in tables])
    if n_shuffle:
        null, signed, own = information(shuffles), _signed(shuffles), _signed(tables)
        mean, sd = null.mean(axis=1), null.std(axis=1)
        errors = np.hypot(errors, sd / np.sqrt(n_shuffle))
        # a table without errors has no bias that chance could explain, and its halves don't vary either
        errors = np.hypot(
            errors, np.where(raw >= _CEILING * plugin_entropy(tables[0].sum(axis=-1)), mean, 0.0)
        )
        corrected = raw - mean
        p = np.array([permutation_p(v, h) for v, h in zip(signed, own, strict=True)], float)
        highest, own_highest = (signed - mean[:, None]).max(axis=0), float((own - mean).max())
    else:
        mean = sd = p = np.full(raw.shape, np.nan)
        corrected, highest, own_highest = raw, np.empty(0), 0.0
    k = int(np.argmax(corrected))
    several = [f"the largest of {cost.size} values, too high by choice"] if cost.size > 1 else []
    best = Estimate(
        float(corrected[k]),
        se=float(errors[k]),
        correction="shuffle" if n_shuffle else "none",
        **shuffle_test(highest, own_highest) | {"p": permutation_p(highest, own_highest)},
        n=n,
        warning=_limits(float(raw[k]), float(mean[k]), tables[k], *several),
        se_method=None if np.isnan(errors[k]) else "half-samples of trains and table",
    )
    return MetricSpace(cost, raw, mean, sd, corrected, errors, p, tables, classes, n, n_shuffle, best)
