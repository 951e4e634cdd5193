"""Scores that fits of all kinds have: log-likelihoods of steps, bits per spike, and the time-rescaling test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import gammaln, xlogy
from scipy.stats import cauchy, kstest

from ..core.checks import whole
from ..core.errors import NsnnError
from ..core.warn import FIT_RIGHT, warn
from ..measures import Estimate

_PARTS = 20  # of the data, for the standard error
# spikes that two recordings may share; repeats with a spike or two each may share more, but hardly half of all
_BY_CHANCE = 2
Trials = Sequence[tuple[float, np.ndarray]]


@dataclass(frozen=True, eq=False)
class PerStep:
    """The log-likelihood of each step, given what was before; from `per_step` of a fit.

    A model of your own with a method per_step(trains, signal, *, t_start, t_stop) that returns one
    is compared like a fit.

    >>> steps = PerStep(np.log([0.9, 0.2]), np.array([0.0, 1.0]), 0.001)
    >>> round(float(steps.log_likelihood.sum()), 3)
    -1.715
    """

    log_likelihood: np.ndarray
    """(n,) nats: log P(spike) in a step with one, else log P(none)"""
    o: np.ndarray
    """(n,) 1.0 in a step with a spike"""
    dt: float
    """s"""
    warning: str | None = None
    """why a score of these steps is too high: of which spikes the model was fitted to"""


def fitted_warning(now: Trials, fitted: Trials, dt: float) -> str | None:
    """What to warn of if spikes that are scored were fitted, more than half of them or all where times overlap.

    Of each trial its start (s) and its spikes in steps."""
    same = overlapping = 0
    if len(now) != len(fitted):
        return None
    for (start, a), (first, b) in zip(now, fitted, strict=True):
        shift = round((first - start) / dt)
        a, b = a[max(0, shift) :], b[max(0, -shift) :]
        n = min(a.size, b.size)
        spikes = int(a[:n].sum()) if n > 0 else 0
        overlapping += spikes
        same += spikes if spikes and np.array_equal(a[:n], b[:n]) else 0
    total = int(sum(o.sum() for _, o in now))
    if same <= _BY_CHANCE or not (same == overlapping or same > total / 2):
        return None
    return (
        f"{same} of the {total} spikes were fitted, so that the score is too high: give t_stop to the fit and t_start to score, or "
        f"score other trials; fit.bits_per_spike is of the fitted data{FIT_RIGHT}rivals"
    )


class Scored:
    """Base of results with a `score`."""

    score: Any

    def evaluate(self, *data: Any, **options: Any) -> dict[str, float]:
        """`score`, with its arguments, as a dict: bits_per_spike and its standard error se."""
        estimate = self.score(*data, **options)
        return {"bits_per_spike": estimate.value, "se": estimate.se}


def check_level(level: Any) -> float:
    """A confidence level."""
    if not isinstance(level, int | float) or not 0 < level < 1:
        raise NsnnError(f"level = {level}: expected a number between 0 and 1")
    return float(level)


def part_sums(values: np.ndarray) -> np.ndarray:
    """Sums over 20 consecutive parts of steps (n, ...), for errors; fewer parts of fewer steps."""
    return np.array([part.sum() for part in np.array_split(values, min(_PARTS, len(values)))])


def ratio_error(sums: np.ndarray, spikes: np.ndarray, value: float) -> float:
    """Standard error of `value`, a total per spike, from the `sums` and `spikes` of parts."""
    k, n = len(sums), spikes.sum()
    return float(np.sqrt(k / (k - 1) * np.sum((sums - value * spikes) ** 2)) / n) if k > 1 else np.nan


def paired_error(sums: np.ndarray, n: float) -> float:
    """Standard error of a difference per spike, from its sums over parts with n spikes in all."""
    k = len(sums)
    return float(np.sqrt(k) * sums.std(ddof=1) / n) if k > 1 else np.nan


def warn_fitted(steps: Mapping[str, PerStep]) -> None:
    """Warn of steps, by the names of what predicts them, whose spikes were fitted."""
    for reason in dict.fromkeys(one.warning for one in steps.values() if one.warning):
        names = ", ".join(name for name, one in steps.items() if name and one.warning == reason)
        warn(f"{names}: {reason}" if names else reason)


def bits_per_spike(logs: np.ndarray, o: np.ndarray) -> Estimate:
    """(log2 P(O|x) - log2 P0(O)) / n_spikes, from log-likelihoods of steps (n,) in nats and spikes o (n,) or (n, n_neurons).

    P0: Bernoulli neurons with the rates of these data; Poisson neurons, as `warning` says, if a step has several spikes."""
    o = o.reshape(len(o), -1)
    n = o.sum()
    if n == 0:
        raise NsnnError("trains hold no spikes: expected some, as the score is per spike")
    rate, counts = o.mean(axis=0), o.max() > 1
    rest = -rate - gammaln(o + 1) if counts else xlogy(1 - o, 1 - rate)
    constant = (xlogy(o, rate) + rest).sum(axis=1)
    gain = (logs - constant) / np.log(2)
    value = gain.sum() / n
    sums = part_sums(gain)
    se = ratio_error(sums, part_sums(o), value)
    note = "steps with several spikes: relative to a Poisson process of constant rate" if counts else None
    return Estimate(
        float(value), se, n=int(n), unit="bit/spike", se_method=f"{len(sums)} consecutive parts", warning=note
    )


@dataclass(frozen=True, eq=False)
class Rescaled:
    """Rescaled intervals, independent and uniform on (0, 1) if the model is true; from `NeuronFit.rescaled`, or `Rescaled.of` for
    any other model.

    >>> import numpy as np
    >>> Rescaled(np.array([0.1, 0.4, 0.8]), 0.233, 0.97).n
    3
    """

    z: np.ndarray
    """(n,) 1 - exp(-integrated hazard between spikes)"""
    ks: float
    """Kolmogorov-Smirnov distance of z from the uniform law"""
    p: float
    """its exact p-value, or that of several seeds combined (Cauchy's rule, right whether or not these agree); too large for data
    that the model was fitted to"""
    n_seeds: int = 1

    def __repr__(self) -> str:
        seeds = f" of {self.n_seeds} seeds" if self.n_seeds > 1 else ""
        return f"Rescaled: {self.n} intervals, Kolmogorov-Smirnov distance {self.ks:.3g}, p = {self.p:.2g}{seeds}"

    @property
    def n(self) -> int:
        """Number of intervals."""
        return len(self.z)

    @classmethod
    def of(cls, probability: Any, spikes: Any, *, seed: int = 0, n_seeds: int = 1) -> Rescaled:
        """Test any model, from its probability of a spike in each step given the past.

        Parameters
        ----------
        probability : (n_steps,) from 0 to below 1, above 0 where a spike is; trials of (n_trials, n_steps) are concatenated
        spikes : of the same shape, 1 in a step with a spike, else 0
        seed : of the position of spikes within steps
        n_seeds : how many seeds, from this one on, p combines: of long steps a p depends on the seed. z and ks are of the first one

        Source: Brown et al. 2002, doi 10.1162/08997660252741149; Haslinger et al. 2010, doi 10.1162/NECO_a_00015; Liu & Xie 2020,
        doi 10.1080/01621459.2018.1554485 (combined p)

        >>> import numpy as np
        >>> spikes = np.random.default_rng(1).random(10_000) < 0.05
        >>> Rescaled.of(np.full(10_000, 0.05), spikes).p > 0.01, Rescaled.of(np.full(10_000, 0.1), spikes).p < 1e-6
        (True, True)
        """
        p, o = np.asarray(probability, dtype=float), np.asarray(spikes, dtype=float)
        if p.shape != o.shape:
            raise NsnnError(f"probability has shape {p.shape}, spikes {o.shape}: expected a number per step")
        if not np.all((o == 0) | (o == 1)):
            raise NsnnError("spikes: expected 1 in a step with a spike, else 0")
        if not np.all((p >= 0) & (p < 1)) or np.any(p[o == 1] == 0):
            raise NsnnError("probability: expected numbers from 0 to below 1, above 0 where a spike is")
        return rescale(np.log1p(-p.ravel()), o.ravel(), seed, n_seeds)


def rescale(log_silence: np.ndarray, o: np.ndarray, seed: int, n_seeds: int = 1) -> Rescaled:
    """Rescale intervals, from log(1 - p) and the spikes of each step, (n,), trials concatenated; p of n_seeds combined.

    Hazards -log(1 - p) of silent steps add up; a step with a spike adds -log(1 - r p), r uniform: its place within the step."""
    spikes = np.flatnonzero(o)
    if spikes.size and o.max() > 1:
        raise NsnnError(
            "trains have several spikes in a step: expected one at most, to rescale intervals; fit with a smaller dt, or test the "
            "counts by misfit"
        )
    if spikes.size == 0:
        raise NsnnError("trains hold no spikes: expected some, to rescale the intervals between them")
    if whole(n_seeds, 1, "n_seeds") > 1:
        several = [rescale(log_silence, o, seed + k) for k in range(n_seeds)]
        angle = np.mean(1 / np.tan(np.pi * np.clip([one.p for one in several], 1e-300, 1 - 1e-9)))
        return replace(several[0], p=float(cauchy.sf(angle)), n_seeds=n_seeds)
    r = np.random.default_rng(seed).random(spikes.size)
    hazard = np.where(o == 1, 0.0, -log_silence)
    total = np.concatenate([[0.0], np.cumsum(hazard)])[spikes]
    within = -np.log1p(r * np.expm1(log_silence[spikes]))
    z = -np.expm1(-(np.diff(total, prepend=0.0) + within))
    test = kstest(z, "uniform")
    return Rescaled(z, float(test.statistic), float(test.pvalue))
