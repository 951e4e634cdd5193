"""Linear Fisher information against the number of neurons: mean, covariance, limit.

With the Cholesky factor L of the scatter matrix of the neurons in a random order, the plug-in information of the first
n is nu / ds^2 times the sum of the first n squares of z = L^-1 d, d the difference of the means. Without one of T
trials of a stimulus, with the deviation v from their mean, u = L^-1 v and the sums A, B, C of z^2, z u, u^2 over the
first n neurons, this sum is

    A + 2 b B + b^2 C + a (B + b C)^2 / (1 - a C),    a = T/(T - 1), b = 1/(T - 1) or -1/(T - 1)

The fit is I_n = n / (1/I_0 + eps n) by generalised least squares with the jackknife's covariance. Where an estimate
came out too low its variance did too: variances are taken to the fitted curve by Hotelling's law, and the fit is
repeated. Without it eps is too high.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.linalg import lapack, solve_triangular
from scipy.optimize import least_squares
from scipy.stats import chi2

from ...core.errors import NsnnError
from .fisher import HotellingLaw, within_stimuli

_LEAST_PIVOT = 1e-6  # of the correlation matrix's Cholesky factor: below, a neuron counts as a sum of others
_LEAST_VARIANCE = 1e-8  # of the largest one, among independent directions of the covariance of sizes
_ROUNDS = 2


def fisher_curves(
    a: np.ndarray, b: np.ndarray, ds: float, sizes: np.ndarray, n_subsets: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Corrected information (n_subsets, m) of nested sub-populations, and their mean's covariance over trials and sub-
    populations.

    Responses a (T1, N) and b (T2, N), ds apart; ascending sizes (m,).
    """
    centred, size = within_stimuli(a, b)
    centred = centred / size
    scatter = centred.T @ centred
    d = (b.mean(axis=0) - a.mean(axis=0)) / size
    first = np.arange(len(centred)) < len(a)
    less = np.where(first, len(a), len(b)) - 1.0
    share, step = ((less + 1) / less)[:, None], (np.where(first, 1, -1) / less)[:, None]
    law = HotellingLaw(len(a), len(b), sizes, ds)
    laws = [HotellingLaw(len(a) - k, len(b) - 1 + k, sizes, ds) for k in (1, 0)]
    starts = np.concatenate([[0], sizes[:-1]])
    curves, left_out = np.empty((n_subsets, sizes.size)), np.zeros((len(centred), sizes.size))
    for curve in curves:
        order = rng.permutation(a.shape[1])[: sizes[-1]]
        factor, failed = lapack.dpotrf(scatter[np.ix_(order, order)], lower=1)
        if failed or np.diag(factor).min() < _LEAST_PIVOT:
            raise NsnnError("responses are linearly dependent (one is a sum of others): leave some out")
        z = solve_triangular(factor, d[order], lower=True)
        u = solve_triangular(factor, centred[:, order].T, lower=True)
        squares, cross, own = (
            np.cumsum(np.add.reduceat(part, starts, axis=-1), axis=-1)
            for part in (z * z, (u * z[:, None]).T, (u * u).T)
        )
        moved = squares + 2 * step * cross + step**2 * own
        moved = moved + share * (cross + step * own) ** 2 / (1 - share * own)
        curve[:] = law.information(law.nu * squares, sizes)
        left_out += np.where(first[:, None], *(one.information(one.nu * moved, sizes) for one in laws))
    covariance = np.zeros((sizes.size, sizes.size))
    for part in (left_out[first], left_out[~first]):
        part = (part - part.mean(axis=0)) / n_subsets
        covariance += (len(part) - 1) / len(part) * part.T @ part
    if n_subsets > 1:
        covariance += np.atleast_2d(np.cov(curves, rowvar=False)) / n_subsets
    return curves, covariance


class GrowthFit(NamedTuple):
    """Fit of I_n = n / (1/initial + epsilon n)."""

    epsilon: float
    epsilon_se: float
    initial: float
    initial_se: float
    p: float  # of the distance between curve and fit, chi^2


def fit_growth(
    sizes: np.ndarray, information: np.ndarray, covariance: np.ndarray, law: HotellingLaw
) -> GrowthFit:
    """Fit of the mean information (m,) of sub-populations; the largest one's has to be positive."""
    most, n = float(sizes[-1]), sizes.astype(float)
    end = np.log(most / information[-1])
    parameters = np.array([np.log(n[0] / information[0]) if information[0] > 0 else end, end])
    parameters[0] = min(parameters[0], end)
    weighted = covariance
    for _ in range(1 + _ROUNDS):
        values, vectors = np.linalg.eigh(weighted)
        kept = values > _LEAST_VARIANCE * values[-1]
        root = (vectors[:, kept] / np.sqrt(values[kept])).T
        solution = least_squares(lambda x, root=root: root @ (information - _curve(x, n)), parameters)
        parameters = solution.x
        ratio = law.se(_curve(parameters, n)) / law.se(information)
        weighted = covariance * np.outer(ratio, ratio)
    cost, spread = 2 * solution.cost, np.linalg.pinv(solution.jac.T @ solution.jac)
    start, last = np.exp(parameters)
    slope = np.array([-start, last]) / most
    freedom = int(kept.sum()) - 2
    return GrowthFit(
        float((last - start) / most),
        float(np.sqrt(slope @ spread @ slope)),
        float(1 / start),
        float(np.sqrt(spread[0, 0]) / start),
        float(chi2.sf(cost, freedom)) if freedom > 0 else float("nan"),
    )


def _curve(parameters: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Information of n neurons, always positive, from ln(n/I_n) at n = 0 and at the largest n."""
    start, last = np.exp(parameters)
    return n / (start + (last - start) * n / n[-1])
