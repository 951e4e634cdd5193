"""Regression of a recorded membrane potential between spikes: docs/voltage.md.

Given its spikes the membrane of the model is a known function of time; a resistance in series adds the current without delay.
Least squares of the potential itself have no bias from noise; regression of its derivative has. `errors` takes the scores of
blocks of time, so that noise with a short correlation time may have any spectrum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.optimize import least_squares

from ...core.errors import NsnnError
from ..calibration.free_parameters import FreeParameters
from ..calibration.maximise import FLAT_RIDGE, ridge
from ..calibration.undetermined import refuse_indistinct
from ..continuous.conditional import Parts, stimulus_of
from ..continuous.escape import paths
from ..continuous.given_spikes import at_middle, membrane, stretches
from ..continuous.trials import Trial
from .samples import Samples

BEFORE = 3e-3
"""s before a spike that are left out: the upstroke is not that of a leaky membrane."""
SETTLE = 0.1
"""s from the start of a trial that are left out: what was before it is unknown."""
VARIED = "record with a current that varies more"
_STEP = 1e-6  # of differences, on the scale of the bounds
_MOST_CLIPPED = 0.01
_MV = 1e3


def noise_free(parts: Parts, trial: Trial, dt: float, start: float) -> tuple[np.ndarray, np.ndarray]:
    """The membrane (V) at the start of steps given the spikes and its start (V), and where it moves freely."""
    neuron, noise, stimulus = parts
    middle = at_middle(noise)
    path = membrane(neuron, stimulus_of(trial, stimulus), trial.o, dt, middle=middle, lifted=False)
    free = stretches(neuron, path.lift, trial.o, dt, middle=middle, t_start=trial.t_start)
    free = replace(free, start=np.where(free.first == 0, start, free.start))
    given = free.first, free.n_steps, free.length, free.start, path.drive
    before, _, length = paths(*given, path.tau / dt, path.leaky, path.load, path.kick)
    inside = length > 0
    # the membrane is released within these steps, or starts there
    inside[free.first[free.first < len(trial.o)]] = False
    return before, inside


def compared(parts: Parts, trial: Trial, values: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """The membrane (V), and the steps that a recorded potential has to follow, (n_steps,)."""
    v, inside = noise_free(parts, trial, dt, float(values[0]))
    inside[: max(trial.counted[0], round(SETTLE / dt))] = False
    inside[trial.counted[1] :] = False
    for k in np.flatnonzero(trial.o):
        inside[max(0, int(k) + 1 - round(BEFORE / dt)) : int(k) + 1] = False
    return v, inside


def difference(parts: Parts, samples: Samples, series: float) -> tuple[float, float]:
    """What the membrane explains: fraction of the variance, root mean square left (V); series in V for one unit of the current."""
    recorded, missed = [], []
    for k, (trial, values) in enumerate(zip(samples.trials, samples.values, strict=True)):
        v, inside = compared(parts, trial, values, samples.dt)
        if samples.current is not None:
            v = v + series * samples.current[k]
        recorded.append(values[inside])
        missed.append((values - v)[inside])
    y, left = np.concatenate(recorded), np.concatenate(missed)
    return 1 - float(left @ left) / float(np.sum((y - y.mean()) ** 2)), float(np.sqrt(np.mean(left**2)))


@dataclass(frozen=True, eq=False)
class Regression:
    """The fitted membrane."""

    u: np.ndarray  # (K,) on the scale of the bounds
    series: float  # in V for one unit of the current; 0 where it was not fitted
    scores: np.ndarray  # (n_blocks, K + 0 or 1), mV^2
    squares: np.ndarray  # (n_blocks, K + 0 or 1, K + 0 or 1) minus their slopes: sums of squares and products
    pull: np.ndarray  # (K + 0 or 1,) minus the slope of the sum of scores along tau_refrac, mV^2 / s
    left: float  # root mean square of what is left, over the degrees of freedom, mV
    weakest: float  # smallest eigenvalue of the scaled information
    moved: Sequence[int]  # the parameters that it moves


def regress(free: FreeParameters, samples: Samples) -> Regression:
    """Fit the free parameters of the membrane, if there are any, and a resistance in series."""
    if not free.each:
        n, none = samples.n_blocks, np.zeros(0)
        return Regression(none, 0.0, np.zeros((n, 0)), np.zeros((n, 0, 0)), none, 0.0, 1.0, [])
    masks = [
        compared(free.numbers(free.values(free.start())), trial, v, samples.dt)[1]
        for trial, v in zip(samples.trials, samples.values, strict=True)
    ]
    y = _MV * np.concatenate([v[m] for v, m in zip(samples.values, masks, strict=True)])
    _check(y, len(free.names), samples.dt)
    column = _column(samples, masks)

    def residual(x: np.ndarray, own: FreeParameters = free) -> np.ndarray:
        parts = own.numbers(own.values(x[: len(free.names)], within=False))
        each = zip(samples.trials, samples.values, masks, strict=True)
        v = [noise_free(parts, t, samples.dt, float(w[0]))[0][m] for t, w, m in each]
        left = y - _MV * np.concatenate(v)
        return left if column is None else left - x[-1] * column

    best = _least_squares(residual, free, column is not None)
    steps = _STEP * np.eye(len(best))
    slopes = -np.stack([(residual(best + s) - residual(best - s)) / (2 * _STEP) for s in steps], axis=1)
    information = slopes.T @ slopes
    if idle := [name for name, own in zip(free.names, np.diag(information), strict=False) if own == 0]:
        raise NsnnError(
            f"free: {', '.join(idle)} does not change the voltage, as with a time constant of a current that is 0: take it out of "
            "free, or the jump of the current into it"
        )
    weakest, moved = ridge(information)
    n = len(free.names)
    if weakest < FLAT_RIDGE and column is not None and n in moved:
        return regress(free, replace(samples, current=None))
    if weakest < FLAT_RIDGE:
        refuse_indistinct([free.names[k] for k in moved], "voltage is", VARIED)
    left = residual(best)
    block = np.concatenate([b[m] for b, m in zip(samples.blocks(), masks, strict=True)])
    scores = np.stack([np.bincount(block, s * left, samples.n_blocks) for s in slopes.T], axis=1)
    series = 0.0 if column is None else float(best[-1]) / _MV / _size(samples)
    earlier, step = released_earlier(free, samples.dt)
    pull = slopes.T @ (residual(best, earlier) - left) / step
    squares = _squares(slopes, block, samples.n_blocks)
    spread = float(np.sqrt(left @ left / (len(left) - len(best))))
    return Regression(best[:n], series, scores, squares, pull, spread, weakest, moved)


def released_earlier(free: FreeParameters, dt: float) -> tuple[FreeParameters, float]:
    """The parameters of a neuron with a shorter tau_refrac, and the difference (s)."""
    time = float(free.parts[0].si("tau_refrac"))
    step = min(dt, time / 2)
    neuron = free.parts[0].with_si({"tau_refrac": time - step})
    return replace(free, parts=(neuron, *free.parts[1:])), step


def series_scale(samples: Samples) -> float:
    """What one unit of the last score stands for, in V for one unit of the current."""
    return 1 / (_MV * _size(samples))


def _size(samples: Samples) -> float:
    return 1.0 if samples.current is None else float(np.std(np.concatenate(samples.current)))


def _column(samples: Samples, masks: list[np.ndarray]) -> np.ndarray | None:
    if samples.current is None:
        return None
    column = np.concatenate([i[m] for i, m in zip(samples.current, masks, strict=True)]) / _size(samples)
    return None if np.std(column) < 1e-9 else column


def _least_squares(residual: Any, free: FreeParameters, series: bool) -> np.ndarray:
    """The best of two starts: the model's values, and the middle of its time constants."""
    start = np.clip(free.start(), 1e-3, 1 - 1e-3)
    starts = [start, np.where([one.unit == "s" for one in free.each], 0.5, start)]
    low, high = np.zeros(len(start)), np.ones(len(start))
    if series:
        starts = [np.append(one, 0.0) for one in starts]
        low, high = np.append(low, -np.inf), np.append(high, np.inf)
    result = [
        least_squares(residual, one, bounds=(low, high), x_scale="jac", xtol=1e-10, ftol=1e-12, max_nfev=60)
        for one in (starts if not np.allclose(starts[0], starts[1]) else starts[:1])
    ]
    best = min(result, key=lambda one: float(one.cost))
    x: np.ndarray = best.x
    scaled = x[: len(start)]  # without the resistance in series
    scaled[scaled < 1e-6], scaled[scaled > 1 - 1e-6] = 0.0, 1.0
    return x


def _squares(columns: np.ndarray, block: np.ndarray, n_blocks: int) -> np.ndarray:
    """(n_blocks, n, n) the sums of squares and products of columns over each block."""
    n = columns.shape[1]
    result = np.empty((n_blocks, n, n))
    for i in range(n):
        for j in range(i + 1):
            result[:, i, j] = result[:, j, i] = np.bincount(block, columns[:, i] * columns[:, j], n_blocks)
    return result


def _check(y: np.ndarray, n_parameters: int, dt: float) -> None:
    if len(y) < 20 * n_parameters:
        raise NsnnError(
            f"voltage has {len(y)} samples of {1e3 * dt:g} ms between the spikes, without the {1e3 * BEFORE:g} ms before each: "
            f"expected at least {20 * n_parameters}; record longer, or with less current"
        )
    for end, name in ((y.min(), "lowest"), (y.max(), "highest")):
        share = float(np.mean(y == end))
        if share > _MOST_CLIPPED:
            raise NsnnError(
                f"voltage is clipped: {100 * share:.2g} % of its samples between spikes have its {name} value, {end:.5g} mV; "
                "expected a signal within the range of the amplifier; use the unclipped part, cut with signal.time_slice"
            )
