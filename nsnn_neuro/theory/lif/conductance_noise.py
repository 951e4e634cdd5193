"""Free membrane with two fluctuating synaptic conductances: exact stationary mean and standard deviation."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from ...core import units
from ...core.aliases import Time, Voltage
from ...core.errors import NsnnError
from ..arguments import expect, out, plain, times, voltages

_ORDERS = (8, 12, 18, 27, 40, 60, 90)  # highest order of Hermite polynomials, raised until results converge
_AIM = 1e-10


def conductance_moments(
    mu: Voltage,
    *,
    g_e: Any,
    sigma_e: Any,
    tau_e: Any,
    e_rev_e: Any,
    g_i: Any,
    sigma_i: Any,
    tau_i: Any,
    e_rev_i: Any,
    tau_m: Time,
) -> tuple[Any, Any]:
    """Stationary mean and SD (SI) of the voltage of a free leaky membrane with two Ornstein-Uhlenbeck conductances, exact.

    tau_m dV = (mu - V) dt + G_e (e_rev_e - V) dt + G_i (e_rev_i - V) dt, tau_k dG_k = (g_k - G_k) dt + sigma_k sqrt(2 tau_k) dW_k,
    independent and not clipped at 0. The moments E[V^n He_a(z_e) He_b(z_i)], z_k = (G_k - g_k) / sigma_k, of n = 1 and 2 each obey
    a linear system in a and b, (n b(z) + a tau_m/tau_e + b tau_m/tau_i) M_n = n c(z) M_(n-1), with b(z) = 1 + G_e + G_i and
    c(z) = mu + G_e e_rev_e + G_i e_rev_i acting as matrices. The order is raised until the results change by less than
    1e-10. V is not Gaussian.

    Parameters
    ----------
    mu : v_rest + drive; e_rev_e, e_rev_i : reversal potentials; voltages
    g_e, g_i : mean conductances in units of the leak, >= 0; sigma_e, sigma_i : their SD, >= 0; plain numbers
    tau_m, tau_e, tau_i : times. All broadcast

    Raises
    ------
    NsnnError : fluctuations so strong and slow that V has no variance, which needs
        1 + g_e + g_i > 2 (sigma_e^2 tau_e + sigma_i^2 tau_i) / tau_m

    Source: Destexhe et al. 2001, doi 10.1016/S0306-4522(01)00344-X (the conductances); Richardson & Gerstner 2005,
    doi 10.1162/0899766053429444 (approximate moments)

    >>> from brian2 import mV, ms
    >>> mean, sd = conductance_moments(-70*mV, g_e=0.5, sigma_e=0.2, tau_e=3*ms, e_rev_e=0*mV, g_i=2.0, sigma_i=0.5, tau_i=10*ms,
    ...                                e_rev_i=-75*mV, tau_m=20*ms)
    >>> round(mean * 1e3, 4), round(sd * 1e3, 4)
    (-62.7672, 2.5639)
    """
    rest, ends_e, ends_i = voltages(mu=mu, e_rev_e=e_rev_e, e_rev_i=e_rev_i)
    tau, slow_e, slow_i = times(tau_m=tau_m, tau_e=tau_e, tau_i=tau_i)
    numbers = {"g_e": g_e, "sigma_e": sigma_e, "g_i": g_i, "sigma_i": sigma_i}
    for name, value in numbers.items():
        if units.unit_of(value) != "1" or np.any(plain(value, name) < 0):
            raise NsnnError(f"{name} = {value}: expected a plain number in units of the leak, >= 0")
    mean_e, sd_e, mean_i, sd_i = (plain(value, name) for name, value in numbers.items())
    good = (tau > 0) & (slow_e > 0) & (slow_i > 0)
    expect(good, "positive times", tau_m=tau_m, tau_e=tau_e, tau_i=tau_i)
    total = 1 + mean_e + mean_i
    if np.any(total <= 2 * (sd_e**2 * slow_e + sd_i**2 * slow_i) / tau):
        raise NsnnError(
            f"sigma_e = {sigma_e}, sigma_i = {sigma_i}: the membrane has no variance, expected "
            "1 + g_e + g_i > 2 (sigma_e^2 tau_e + sigma_i^2 tau_i) / tau_m"
        )
    centre = (rest + mean_e * ends_e + mean_i * ends_i) / total
    push_e, push_i = sd_e * (ends_e - centre), sd_i * (ends_i - centre)
    points = np.broadcast(total, sd_e, sd_i, push_e, push_i, tau / slow_e, tau / slow_i)
    moments = np.array([_converged([float(x) for x in point]) for point in points]).reshape(*points.shape, 2)
    return out(centre + moments[..., 0]), out(moments[..., 1])


def _converged(point: list[float]) -> np.ndarray:
    """Mean and SD of V - centre, with Hermite polynomials up to the order of convergence."""
    before = np.full(2, np.inf)
    for order in _ORDERS:
        after = _moments(order, *point)
        if np.max(np.abs(after - before)) <= _AIM * np.max(np.abs(after)):
            return after
        before = after
    raise NsnnError(
        f"sigma_e = {point[1]}, sigma_i = {point[2]}: no convergence at order {_ORDERS[-1]}: conductances too slow compared with "
        "tau_m; expected smaller or faster conductances"
    )


def _moments(order, total, sd_e, sd_i, push_e, push_i, fast_e, fast_i) -> np.ndarray:
    """Mean and SD of x = V - centre from tau_m dx = (c - b x) dt, b = total + sum sd z, c = sum push z, cut off at `order`.

    In normalised Hermite polynomials h_a, z h_a = sqrt(a + 1) h_(a+1) + sqrt(a) h_(a-1), and the conductance's own motion takes h_a
    to -a h_a / tau_k.
    """
    number = np.arange(order + 1.0)
    root = np.sqrt(number[1:])
    z, one, degree = sparse.diags([root, root], [-1, 1]), sparse.identity(order + 1), sparse.diags(number)
    z_e, z_i = sparse.kron(z, one), sparse.kron(one, z)
    leak = total * sparse.identity((order + 1) ** 2) + sd_e * z_e + sd_i * z_i
    motion = fast_e * sparse.kron(degree, one) + fast_i * sparse.kron(one, degree)
    push = (push_e * z_e + push_i * z_i).tocsr()
    start = np.zeros((order + 1) ** 2)
    start[0] = 1.0
    first = spsolve((leak + motion).tocsc(), push @ start)
    second = spsolve((2 * leak + motion).tocsc(), 2 * (push @ first))
    return np.array([first[0], np.sqrt(max(second[0] - first[0] ** 2, 0.0))])
