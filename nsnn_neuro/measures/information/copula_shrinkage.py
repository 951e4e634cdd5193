"""Gaussian information about a stimulus, of normal scores, with shrunk noise correlations.

Scores are x (n, d) of the stimulus and y (n, e) of the responses. The regression of y on x leaves
the noise, whose correlation matrix R is shrunk to (1 - a) R + a 1. With the regressed part G (d,
e), in units of the noise and for white x,

    I = 1/2 log2 det(1 + G R_a^-1 G^T)

Only the noise is shrunk, as in a linear discriminant: shrinking the correlations between x and y
too would take away most of the information. The shrinkage minimises the expected squared error of
R_a, a = sum of var(r_ij) / sum of r_ij^2 over i != j. Ledoit & Wolf 2004, doi
10.1016/S0047-259X(03)00096-4; for correlations Schäfer & Strimmer 2005, doi 10.2202/1544-6115.1175

The bias has no closed form; it is the mean over shuffles of x. At independence this is exact. With
information the estimate is too low: shrinkage neglects part of the correlations, and information
leaves less room for the bias than shuffles have.
"""

from __future__ import annotations

import numpy as np


def shrunk_information(x: np.ndarray, y: np.ndarray, shrinkage: float | None) -> tuple[float, float]:
    """Uncorrected bits, and the shrinkage used (None: the module's), of centred scores (n, d), (n,
    e).

    >>> x, noise = np.random.default_rng(0).normal(size=(2, 1000, 1))
    >>> value, used = shrunk_information(x - x.mean(), x + noise - (x + noise).mean(), None)
    >>> round(value, 1), used
    (0.5, 0.0)
    """
    white = np.linalg.qr(x)[0]
    along = white.T @ y
    noise = y - white @ along
    size = np.sqrt((noise**2).sum(axis=0))
    noise, along = noise / size, along / size
    correlation = noise.T @ noise
    a = _shrinkage(noise, correlation) if shrinkage is None else shrinkage
    shrunk = (1 - a) * correlation
    np.fill_diagonal(shrunk, 1.0)
    inverse = np.linalg.solve(shrunk, along.T) if a > 0 else np.linalg.lstsq(shrunk, along.T, rcond=None)[0]
    gain = np.eye(x.shape[1]) + along @ inverse
    return float(np.linalg.slogdet(gain)[1] / (2 * np.log(2))), a


def _shrinkage(noise: np.ndarray, correlation: np.ndarray) -> float:
    """The best shrinkage of the correlations of noise (n, e), whose columns have length 1."""
    n = len(noise)
    squares = noise**2
    off = ~np.eye(len(correlation), dtype=bool)
    variances = n * (squares.T @ squares) - correlation**2
    size = (correlation[off] ** 2).sum()
    return float(np.clip(variances[off].sum() / (n - 1) / size, 0.0, 1.0)) if size > 0 else 0.0


def shrunk_null(
    x: np.ndarray, y: np.ndarray, shrinkage: float | None, n_shuffle: int, rng: np.random.Generator
) -> np.ndarray:
    """(n_shuffle,) values of `shrunk_information` for rows of x in random order.

    >>> x, y = np.random.default_rng(0).normal(size=(2, 100, 1))
    >>> shrunk_null(x, y, None, 3, np.random.default_rng(1)).shape
    (3,)
    """
    return np.array([shrunk_information(rng.permutation(x), y, shrinkage)[0] for _ in range(n_shuffle)])
