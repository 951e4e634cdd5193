"""Exact distribution of interspike intervals of the NSNN neuron under constant drive, and of the neuron of the published code."""

from __future__ import annotations

import numpy as np
from scipy import sparse, special

from ..core import units
from ..core.checks import whole
from ..core.errors import NsnnError
from ..models.escape import Family
from ..models.escape.families import dimensionless
from ..models.noise import SQRT2
from .arguments import expect

_PER_SIGMA = 4  # nodes per sigma; the trapezoidal rule is exact to rounding from 3 on
_WIDTH = 9.5  # standard deviations at which normal densities are truncated: the rest is 1e-21
_NODES = 50_000  # largest number of nodes


def nsnn_interval(current: float, family: Family, *, beta: float, theta: float, kmax: int) -> np.ndarray:
    """Probability that an interval of the NSNN neuron (hard reset, constant current) is k steps, k = 1 ... kmax.

    u_k = current (1 - beta^k) / (1 - beta), p_k = F(u_k - theta), P(T = k) = p_k prod_(j<k) (1 - p_j). The result (kmax,) sums to 1
    minus the probability of longer intervals.

    Parameters
    ----------
    current : drive per step, dimensionless
    family : the escape noise, dimensionless
    beta : decay, 0 to 1; theta : threshold; kmax : number of steps, >= 1

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831 (the neuron); renewal theory

    >>> from nsnn_neuro import Gaussian
    >>> pmf = nsnn_interval(0.5, Gaussian(0.4), beta=0.5, theta=1.0, kmax=200)
    >>> round(float(pmf @ np.arange(1, 201)), 6)
    3.438516
    """
    whole(kmax, 1, "kmax")
    expect(0 <= beta <= 1, "a value from 0 to 1", beta=beta)
    dimensionless(family)
    current, theta = units.si(current, "1", "current"), units.si(theta, "1", "theta")
    k = np.arange(1, kmax + 1)
    u = current * (k if beta == 1 else (1 - beta**k) / (1 - beta))
    p = family.cdf(u - theta)
    return p * np.cumprod(np.concatenate([[1.0], 1 - p[:-1]]))


def double_noise_interval(
    current: float, sigma: float, *, beta: float, theta: float, kmax: int
) -> np.ndarray:
    """Probability that an interval is k steps for the neuron of the published code, with noise in membrane and spike.

    u_t = beta u_(t-1) (1 - o_(t-1)) + current + sigma xi_t, then P(o_t = 1) = Phi((u_t - theta) / sigma); the noise stays in
    u. The density g_k of u_k in an interval longer than k follows from g_(k-1) by quadrature (error below 1e-12):
    P(T = k) = int g_(k-1)(u) Phi((beta u + current - theta) / (sqrt2 sigma)) du. For beta = 0 it is geometric with
    p = Phi((current - theta) / (sqrt2 sigma)), which is also P(T = 1).

    Parameters
    ----------
    sigma : SD of each of the two noises, > 0; the others, and the result, as for `nsnn_interval`

    Raises
    ------
    NsnnError : a membrane that may spread over more than 12,500 sigma (beta near 1, many steps)

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831 (the code published with it)

    >>> pmf = double_noise_interval(0.5, 0.4, beta=0.5, theta=1.0, kmax=200)
    >>> round(float(pmf @ np.arange(1, 201)), 6)    # 3.438516 without the noise in u
    3.366068
    """
    whole(kmax, 1, "kmax")
    expect(0 <= beta <= 1, "a value from 0 to 1", beta=beta)
    expect(sigma > 0, "a positive value", sigma=sigma)
    grid = _grid(current, sigma, beta, theta, kmax)
    h = sigma / _PER_SIGMA
    quiet = special.ndtr((theta - grid) / sigma)
    fires = special.ndtr((beta * grid + current - theta) / (SQRT2 * sigma))
    step = _transition(grid, beta * grid + current, sigma)
    pmf = np.empty(kmax)
    pmf[0] = special.ndtr((current - theta) / (SQRT2 * sigma))
    density = quiet * _normal((grid - current) / sigma) / sigma
    for k in range(1, kmax):
        pmf[k] = h * density @ fires
        density = quiet * (step @ density)
    return pmf


def _normal(x: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * x**2) / np.sqrt(2 * np.pi)


def _grid(current: float, sigma: float, beta: float, theta: float, kmax: int) -> np.ndarray:
    """Grid of potentials without a spike in kmax steps: from below the free distribution to certain spikes."""
    power = beta ** np.arange(kmax)
    mean, deviation = current * np.cumsum(power), sigma * np.sqrt(np.cumsum(power**2))
    low = min(np.min(mean - _WIDTH * deviation), theta - _WIDTH * sigma)
    n = int(np.ceil((theta - low) / sigma + _WIDTH) * _PER_SIGMA)
    if n > _NODES:
        raise NsnnError(
            f"beta = {beta}, kmax = {kmax}, sigma = {sigma}: the membrane may spread over {n // _PER_SIGMA} sigma, "
            "expected fewer steps or a smaller beta"
        )
    return low + np.arange(n + 1) * sigma / _PER_SIGMA


def _transition(grid: np.ndarray, centre: np.ndarray, sigma: float) -> sparse.csr_matrix:
    """Density at each node (row) after a step from each node (column) whose mean is `centre`, times the spacing."""
    n, h = len(grid), sigma / _PER_SIGMA
    reach = np.arange(-int(_WIDTH * _PER_SIGMA), int(_WIDTH * _PER_SIGMA) + 1)
    rows = np.rint((centre - grid[0]) / h).astype(int)[:, None] + reach
    columns = np.broadcast_to(np.arange(n)[:, None], rows.shape)
    values = _normal((grid[0] + rows * h - centre[:, None]) / sigma) / _PER_SIGMA
    inside = (rows >= 0) & (rows < n)
    return sparse.csr_matrix((values[inside], (rows[inside], columns[inside])), shape=(n, n))
