"""Limits of profile likelihood intervals, where the log-likelihood is `drop` nats below its maximum.

Newton steps look for this fall and for a slope of 0 along all other parameters at once (Venzon & Moolgavkar 1988, doi
10.2307/2347496). The information follows the slopes from step to step, as in `climb`. Steps are taken on the scale of the signed
root of the fall, which is nearly straight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .maximise import Function, at_best, beside, updated, widths

_REACH = 0.7  # of the way from the maximum to a limit: the longest step, as longer ones leave curved ridges
_OFF = 0.1  # nats: the last step, which is not evaluated, corrects the fall by less
_LEFT = 0.05  # nats that the other parameters may still gain at a limit
_LOST = 10.0  # nats that they may gain on the way without a search for their maximum
_PATIENCE, _MOST_STEPS = 6, 14
_SMALL = 0.1  # of the drop: a fall that says little about the slope


@dataclass(frozen=True)
class Limit:
    """One end of an interval."""

    u: float  # place of the parameter, 0 to 1; NaN where the search did not end
    at_bound: bool  # whether the likelihood at a bound of the parameter is still within the interval
    gained: float  # nats above the maximum of the fit, where a higher likelihood was met on the way


@dataclass
class _Point:
    """A point on the way, with what the slopes there say of the profile."""

    u: np.ndarray
    value: float
    gradient: np.ndarray  # (K,)
    rest: np.ndarray  # (K,) step of the other parameters to their maximum
    lean: np.ndarray  # (K,) how all parameters move with this one along the profile
    gain: float  # nats of `rest`
    slope: float  # of the profile
    variance: float  # minus the inverse of the second derivative of the profile


class Profiler:
    """Limits of all parameters of a fit, from log-likelihoods of stretches, their maximum (K,) and the information there (K, K)."""

    def __init__(self, function: Function, top: np.ndarray, information: np.ndarray) -> None:
        self._function, self._information = function, information
        self._widths = widths(np.diag(information))
        self.value, self._slopes = self._scored(top)
        self._top = top

    def limit(self, k: int, sign: int, drop: float) -> Limit:
        """Where the profile of parameter k has fallen by `drop` nats: sign -1 below, 1 above."""
        information = self._information
        at = self._point(self._top, self.value, self._slopes, information, k)
        widest = _REACH * float(np.sqrt(2 * drop * at.variance))
        inner, outer, gained = 0.0, np.inf, 0.0
        for turn in range(_MOST_STEPS):
            way = sign * float(at.u[k] - self._top[k])
            fall = self.value - at.value - at.gain
            gained = max(gained, at.value - self.value)
            step = float(np.clip(_outwards(fall, -sign * at.slope, at.variance, drop), -widest, widest))
            if turn:
                if at.gain < _LEFT and abs(fall - drop) < _OFF:
                    return Limit(float(np.clip(at.u[k] + sign * step, 0.0, 1.0)), False, gained)
                if at.gain < _LEFT and fall < drop and at.u[k] == (sign + 1) / 2:
                    return Limit(float(at.u[k]), True, gained)
                if self.value - at.value < drop:  # whatever the others may gain
                    inner = max(inner, way)
                elif at.gain < _LEFT:
                    outer = min(outer, way)
                if not inner < way + step < outer:
                    end = way if fall > drop else min(outer, way + widest)
                    step = 0.5 * (inner + end) - way
            if turn and at.gain > (_LOST if turn < _PATIENCE else _LEFT):
                # nearly at their best, by a search that cannot get lost
                place = at_best(self._function, at.u, np.arange(len(at.u)) != k, 12, 0.02).u
            else:
                along = float(np.clip(at.u[k] + sign * step, 0.0, 1.0)) - at.u[k]
                place = np.clip(at.u + at.rest + along * at.lean, 0.0, 1.0)
            value, slopes = self._scored(place)
            information = updated(information, [(place - at.u, at.gradient - slopes)])
            at = self._point(place, value, slopes, information, k)
        return Limit(np.nan, False, gained)

    def _scored(self, u: np.ndarray) -> tuple[float, np.ndarray]:
        """Value and gradient (K,)."""
        logs, steps = beside(self._function, u, self._widths)
        f = logs.sum(axis=1)
        return float(f[-1]), (f[:-1] - f[-1]) / steps

    @staticmethod
    def _point(u: np.ndarray, value: float, gradient: np.ndarray, information: np.ndarray, k: int) -> _Point:
        held = ((u <= 0) & (gradient < 0)) | ((u >= 1) & (gradient > 0))
        held[k] = True
        free = np.flatnonzero(~held)
        rest, lean = np.zeros(len(u)), np.zeros(len(u))
        lean[k] = 1.0
        if free.size:
            both = np.stack([gradient[free], -information[free, k]], axis=1)
            rest[free], lean[free] = np.linalg.solve(information[np.ix_(free, free)], both).T
        curved = max(float(information[k] @ lean), 1e-12)
        gain, slope = 0.5 * float(gradient @ rest), float(gradient @ lean)
        return _Point(u, value, gradient, rest, lean, gain, slope, 1.0 / curved)


def _outwards(fall: float, steepness: float, variance: float, drop: float) -> float:
    """The step outwards to a fall of `drop` nats, where it is `fall`, growing by `steepness`."""
    if fall > _SMALL * drop and steepness > 0:
        root = np.sqrt(2 * fall)
        return float((np.sqrt(2 * drop) - root) * root / steepness)
    inner = max(steepness**2 + 2 * (drop - fall) / variance, 0.0)
    return float((np.sqrt(inner) - steepness) * variance)
