"""Standard errors of a fit in two steps, by a jackknife over blocks of time.

Both steps solve sums of scores, g1(x1) = 0 for the membrane and g2(x1, x2) = 0 for the threshold given that membrane. With s_j
the scores of block j over all parameters, A_j minus their slopes and A the sum of these, the estimate without block j is off by
d_j = inv(A - A_j) s_j to first order. The covariance is (n - 1) / n times the sum of d_j d_j'. inv(A) s_j in place of d_j is too
small: the fit adapts to the blocks with the most influence. Degrees of freedom are those of a chi-square variable with the mean
and variance of the estimated variance. A tau_refrac read off the mean spike moves the estimates by its error dt / sqrt(3).

Source: Efron 1982, doi 10.1137/1.9781611970319; Imbens & Kolesar 2016, doi 10.1162/REST_a_00552 (degrees of freedom); Murphy &
Topel 1985, doi 10.1080/07350015.1985.10509471 (two steps); JCGM 100:2008, 4.3.7 and G.4.1 (rectangular distribution)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.linalg import eigh

from ...core.warn import warn
from ..calibration.free_parameters import FreeParameters
from ..calibration.maximise import FLAT_RIDGE, ridge
from ..continuous.conditional import Parts, escape_logs
from .membrane import Regression, released_earlier
from .samples import Samples

_LEFT = 0.01  # of the information on a parameter, without one block
_SCORE, _SLOPE = 1e-4, 1e-3  # of differences, on the scale of the bounds


def block_logs(rows: Sequence[Parts], samples: Samples) -> np.ndarray:
    """The log-likelihood of each block under rows of parameters, (n_rows, n_blocks)."""
    total = np.zeros((len(rows), samples.n_blocks))
    for trial, block in zip(samples.trials, samples.blocks(), strict=True):
        own = slice(*trial.counted)
        drives: dict[Any, Any] = {}  # rows that differ in the threshold alone share one
        for parts, logs_of_blocks in zip(rows, total, strict=True):
            _, logs = escape_logs(parts, trial, samples.dt, drives=drives)
            logs_of_blocks += np.bincount(block[own], logs[own], samples.n_blocks)
    return total


def jackknife(scores: np.ndarray, slopes: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Covariance (K, K) of an estimate and degrees of freedom (K,) of its variances, from scores of blocks (n_blocks, K).

    `slopes` (n_blocks, K, K) are minus the scores' slopes, `expected` their covariance under the model, up to a factor."""
    n, total = len(scores), slopes.sum(axis=0)
    without = np.linalg.inv(total - slopes)
    moves = np.einsum("jab,jb->ja", without, scores)
    inverse, summed = np.linalg.inv(total), expected.sum(axis=0)
    freedom = []
    for row in without.transpose(1, 0, 2):
        # the covariance of this parameter's moves, of scores that were corrected for the fit
        fitted = np.einsum("ja,jab->jb", row, slopes) @ inverse
        own = np.einsum("ja,jab->jb", row, expected)
        crossed = fitted @ own.T
        of_moves = np.diag(np.sum(own * row, axis=1)) - crossed - crossed.T + fitted @ summed @ fitted.T
        freedom.append(np.trace(of_moves) ** 2 / np.sum(of_moves**2))
    return (n - 1) / n * moves.T @ moves, np.clip(freedom, 1.0, n - 1.0)


def two_step_errors(
    first: FreeParameters,
    fitted: Regression,
    both: FreeParameters,
    u: np.ndarray,
    inner: np.ndarray,
    samples: Samples,
    refractory: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Covariance (K, K) and degrees of freedom (K,) of membrane and threshold, covariance with tau_refrac (K,), the series' error.

    `inner`: parameters of the threshold within their bounds that matter; `refractory`: error of tau_refrac (s), 0 if given."""
    n1, n2 = len(first.names), len(both.names) - len(first.names)
    m1 = fitted.scores.shape[1]
    m = m1 + n2
    scores, slopes, pull = np.zeros((samples.n_blocks, m)), np.zeros((samples.n_blocks, m, m)), np.zeros(m)
    expected = np.zeros_like(slopes)
    held = [k for k in range(n1) if not 0 < fitted.u[k] < 1]
    scores[:, :m1], slopes[:, :m1, :m1] = fitted.scores, fitted.squares
    expected[:, :m1, :m1], pull[:m1] = fitted.squares * fitted.left**2, fitted.pull
    if len(inner):
        scores[:, m1:], bent = _scores_and_slopes(both, u, n1, samples)
        if refractory:
            earlier, step = released_earlier(both, samples.dt)
            pull[m1:] = (_scores(earlier, u, n1, samples) - scores[:, m1:]).sum(axis=0) / step
        own = bent[:, :, n1:]
        if ridge(own.sum(axis=0)[np.ix_(inner, inner)])[0] < FLAT_RIDGE:  # no maximum to be seen
            own = scores[:, m1:, None] * scores[:, None, m1:]
        slopes[:, m1:, :n1], slopes[:, m1:, m1:], expected[:, m1:, m1:] = bent[:, :, :n1], own, own
    used = np.abs(slopes).sum(axis=(1, 2)) > 0
    membrane = np.array([k for k in range(m1) if k not in held], dtype=int)
    alone = [k for part in (membrane, m1 + inner) for k in _alone(slopes[used], part)]
    names = [*first.names, *["the series resistance"] * (m1 - n1), *both.names[n1:]]
    for k in alone:
        warn(
            f"{names[k]} is determined by one stretch of the recording alone: its error is inf, and the errors of the others hold "
            "for this value; record longer, with a current that varies more, or take it out of free"
        )
    kept = np.array([k for k in (*membrane, *(m1 + inner)) if k not in alone], dtype=int)
    full, freedom, shared = np.full((m, m), np.nan), np.full(m, np.nan), np.full(m, np.nan)
    full[alone, :] = full[:, alone] = shared[alone] = 0.0
    full[alone, alone] = np.inf
    if len(kept):
        square = np.ix_(used, kept, kept)
        covariance, degrees = jackknife(scores[np.ix_(used, kept)], slopes[square], expected[square])
        moved = -refractory * np.linalg.solve(slopes[square].sum(axis=0), pull[kept])
        full[np.ix_(kept, kept)] = covariance + np.outer(moved, moved)
        # that of tau_refrac is no estimate, so that it has as many as wanted (Welch-Satterthwaite)
        freedom[kept] = degrees * (1 + moved**2 / np.diag(covariance)) ** 2
        shared[kept] = refractory * moved
    series = float(np.sqrt(full[n1, n1])) if m1 > n1 else 0.0
    chosen = np.concatenate([np.arange(n1), m1 + np.arange(n2)])
    return full[np.ix_(chosen, chosen)], freedom[chosen], shared[chosen], series


def _alone(slopes: np.ndarray, part: np.ndarray) -> list[int]:
    """Those of a part of the parameters of which one block has nearly all information."""
    result: set[int] = set()
    while rest := [k for k in part.tolist() if k not in result]:
        own = slopes[np.ix_(range(len(slopes)), rest, rest)]
        total = own.sum(axis=0)
        scale = np.sqrt(np.diag(total))
        total = total / np.outer(scale, scale)
        pairs = [eigh(total - one / np.outer(scale, scale), total, subset_by_index=[0, 0]) for one in own]
        smallest, vector = min(pairs, key=lambda pair: float(pair[0][0]))
        if smallest[0] >= _LEFT:
            break
        size = np.abs(vector[:, 0])
        result |= {k for k, moved in zip(rest, size >= size.max() / 3, strict=True) if moved}
    return sorted(result)


def _scores(free: FreeParameters, u: np.ndarray, first: int, samples: Samples) -> np.ndarray:
    """The scores of each block along the parameters from `first` on, (n_blocks, n)."""
    steps = _SCORE * np.eye(len(u))[first:]
    points = np.concatenate([u + steps, u - steps])
    logs = block_logs(free.rows(points), samples)
    return (logs[: len(steps)] - logs[len(steps) :]).T / (2 * _SCORE)


def _scores_and_slopes(
    free: FreeParameters, u: np.ndarray, first: int, samples: Samples
) -> tuple[np.ndarray, np.ndarray]:
    """`_scores`, and minus their slopes along all parameters, (n_blocks, n, K)."""
    steps = _SLOPE * np.eye(len(u))
    falls = [_scores(free, u - s, first, samples) - _scores(free, u + s, first, samples) for s in steps]
    bent = np.stack(falls, axis=2) / (2 * _SLOPE)
    bent[:, :, first:] = (bent[:, :, first:] + bent[:, :, first:].transpose(0, 2, 1)) / 2
    return _scores(free, u, first, samples), bent
