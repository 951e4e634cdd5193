"""The discrete NSNN neuron under constant drive: the exact law of its interspike intervals."""

from __future__ import annotations

import numpy as np

from ..errors import NsnnError
from ..escape import Family

__all__ = ["nsnn_interval"]


def nsnn_interval(current: float, family: Family, *, beta: float, theta: float, kmax: int) -> np.ndarray:
    """Probability that an interval of the NSNN neuron (hard reset, constant current) is k steps, k = 1 ... kmax.

    u_k = current (1 - beta^k) / (1 - beta), p_k = F(u_k - theta), P(T = k) = p_k prod_(j<k) (1 - p_j)

    Parameters
    ----------
    current : drive of each step, dimensionless
    family : the escape noise, dimensionless
    beta : decay, 0 to 1; theta : threshold; kmax : number of steps, >= 1

    Returns
    -------
    pmf : (kmax,); what is missing to 1 is the probability of longer intervals

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831 (the neuron); renewal theory

    >>> from nsnn_neuro import Gaussian
    >>> pmf = nsnn_interval(0.5, Gaussian(0.4), beta=0.5, theta=1.0, kmax=200)
    >>> round(float(pmf @ np.arange(1, 201)), 6)
    3.438516
    """
    if isinstance(kmax, bool) or not isinstance(kmax, int | np.integer) or kmax < 1:
        raise NsnnError(f"kmax = {kmax!r}: expected a whole number, 1 or more")
    if not 0 <= beta <= 1:
        raise NsnnError(f"beta = {beta}: expected a value from 0 to 1")
    k = np.arange(1, kmax + 1)
    u = current * (k if beta == 1 else (1 - beta**k) / (1 - beta))
    p = family.cdf(u - theta)
    return p * np.cumprod(np.concatenate([[1.0], 1 - p[:-1]]))
