"""Correlation of a model's PSTH with a neuron's, relative to the noise of few trials."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core.aliases import Time
from ...core.checks import flag, positive, suggest_keywords
from ...core.errors import NsnnError
from ..estimate import measure
from ..trains import as_repeats, binned, warn_silent


@measure("1")
@suggest_keywords
def psth_correlation(
    data: Any,
    model: Any,
    *,
    bin_width: Time,
    normalised: bool = True,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> float:
    """Correlation over time between the PSTHs of a neuron and of a model, divided by its largest possible value.

        C = cov(x, y) / sqrt(S_x S_y),   S_x = [var(sum of trials) - sum over trials of var] / (N (N - 1))

    x and y are mean counts per bin. S_x, the signal power, estimates the variance of the expected count: that of x also contains
    the noise of N trials. So C is 1 for a model with the neuron's expected counts, however few trials there are; it may exceed 1.
    With normalised=False it is the plain correlation, cov(x, y) / sqrt(var(x) var(y)), whose ceiling for the neuron's trials is
    sqrt(S_x / var(x)). Both need the same stimulus in all trials.

    Parameters
    ----------
    data, model : trains of the repeats of each, as for `victor_purpura`; two or more if normalised
    bin_width : time, scalar; C depends on it
    normalised : True, or False for the plain correlation
    t_start, t_stop : times, scalar; None is the trials' own end

    Raises
    ------
    NsnnError : a set of one train if normalised, different windows, or what `as_repeats` refuses. NaN, with one
        SilentNeuronWarning, for a PSTH without variance or signal power

    Source: Sahani & Linden 2003 (NIPS 15); Schoppe et al. 2016, doi 10.3389/fncom.2016.00010, with the power of the model's
    signal in place of the variance of its PSTH, as the model has a finite number of trials too

    >>> import quantities as pq
    >>> trains = [[0.10, 0.11, 0.30], [0.11, 0.12, 0.32]]
    >>> window = {"t_start": 0*pq.s, "t_stop": 0.4*pq.s, "bin_width": 100*pq.ms}
    >>> psth_correlation(trains, trains, **window), round(psth_correlation(trains, [[0.12]], normalised=False, **window), 3)
    (1.0, 0.87)
    """
    width = positive(bin_width, "s", "bin_width")
    normalised = flag(normalised, "normalised")
    least = 2 if normalised else 1
    x = _counts(data, width, t_start, t_stop, "data", least)
    y = _counts(model, width, t_start, t_stop, "model", least)
    if x.shape[1] != y.shape[1]:
        raise NsnnError(
            f"data have {x.shape[1]} bins of {width} s, model {y.shape[1]}: expected the same window; pass t_start and t_stop"
        )
    powers = [signal_power(c) if normalised else float(np.var(c.mean(axis=0))) for c in (x, y)]
    covariance = float(np.mean((x.mean(axis=0) - x.mean()) * (y.mean(axis=0) - y.mean())))
    value = covariance / np.sqrt(powers[0] * powers[1]) if min(powers) > 0 else np.nan
    what = "signal power" if normalised else "variance over time"
    return float(warn_silent(np.array([value]), "psth_correlation", f"have a PSTH without {what}")[0])


def _counts(trains: Any, width: float, t_start: Any, t_stop: Any, name: str, least: int) -> np.ndarray:
    repeats = as_repeats(trains, t_start, t_stop, name)
    if repeats.n_trials < least:
        raise NsnnError(
            f"{name} has {repeats.n_trials} train: expected two or more, to estimate the noise; or normalised=False"
        )
    repeats.check_durations("so that the bins differ")
    return binned(repeats, width, "bin_width")[:, 0].astype(float)


def signal_power(counts: np.ndarray) -> float:
    """Variance over bins of the expected count, unbiased, from counts (n_trials, n_bins) of two trials or more."""
    n = len(counts)
    total = np.var(counts.sum(axis=0)) - np.var(counts, axis=1).sum()
    return float(total / (n * (n - 1)))
