"""Leaky integrate-and-fire neuron in shot noise: Poisson jumps of finite size instead of white noise.

tau_m dV = (mu - V) dt between jumps, V -> V + w at a jump. The first-passage time from v has mean m(v) and variance s(v),

    (mu - v)/tau_m m' + sum_k r_k [m(v + w_k) - m(v)] = -1
    (mu - v)/tau_m s' + sum_k r_k [s(v + w_k) - s(v)] = -sum_k r_k [m(v + w_k) - m(v)]^2

with m = s = 0 at and above the threshold (the second equation avoids differences of large moments). The spacing of the grid divides
the excitatory jump. Each node is connected to its neighbour towards mu; the path between them is integrated exactly along the
drift, with linear interpolation of the values after jumps. So kinks of m are on nodes, all coefficients are positive, and errors
fall as the spacing squared. Richardson extrapolation follows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse, special
from scipy.sparse.linalg import splu

from ...core import units
from ...core.aliases import Time, Voltage
from ...core.errors import NsnnError
from ...models.noise import Noise
from ..arguments import expect, neuron_times, out, plain, voltages

_BARRIER = 36.0  # the probability of a free membrane below the lowest node is at most exp(-36)
_PER_JUMP = 8  # initial nodes per smallest jump
_AIM, _BOUND = 2e-6, 1e-4  # relative change under refinement: aim, and limit of what is accepted
_NODES = 40_000  # largest number of nodes


def shot_noise_rate(
    mu: Voltage,
    weight: Any,
    rate: Any,
    *,
    weight_inh: Any = 0,
    rate_inh: Any = 0,
    tau_m: Time,
    v_thresh: Voltage,
    v_reset: Voltage,
    tau_refrac: Time,
) -> Any:
    """Stationary firing rate of an LIF neuron in excitatory and inhibitory shot noise, in Hz.

    tau_m dV = (mu - V) dt, V -> V + weight at events of `rate`, V -> V + weight_inh at events of `rate_inh`;
    1/r = tau_refrac + m(v_reset), with the mean first-passage time m. A spike occurs when a jump or the drift (mu > v_thresh)
    reaches v_thresh; jumps during the refractory time are lost. The grid is refined until the result changes by less than 2e-6.
    Tested for 0.05 to 300 jumps per tau_m. The free membrane has mean mu + tau_m sum w_k r_k and variance tau_m sum w_k^2 r_k / 2.

    Parameters
    ----------
    mu : v_rest + drive
    weight : > 0; weight_inh : <= 0; v_thresh, v_reset : voltages, or all of them plain numbers
    rate, rate_inh : of jumps, frequencies (plain numbers if tau_m is one), >= 0; tau_m, tau_refrac : times. All broadcast

    Raises
    ------
    NsnnError : jumps so small (1/2,500 of the range of the membrane) that `siegert_rate` applies; a rate below about 1e-9/tau_m,
        where rounding errors exceed 1e-4

    Source: Richardson & Swarbrick 2010, doi 10.1103/PhysRevLett.105.178102 (the model); Tuckwell 1988, Introduction to Theoretical
    Neurobiology 2, ch. 9 (the equations)

    >>> from brian2 import Hz, mV, ms
    >>> cell = dict(tau_m=20*ms, v_thresh=20*mV, v_reset=10*mV, tau_refrac=2*ms)
    >>> round(shot_noise_rate(0*mV, 1*mV, 1000*Hz, **cell), 3)
    24.727
    >>> round(shot_noise_rate(0*mV, 25*mV, 10*Hz, **cell), 4)    # every jump is a spike: 1 / (2 ms + 100 ms)
    9.8039
    """
    mean, _, refrac = _moments(
        mu, weight, rate, weight_inh, rate_inh, tau_m, v_thresh, v_reset, tau_refrac, with_cv=False
    )
    return out(1 / (refrac + mean))


def shot_noise_cv(
    mu: Voltage,
    weight: Any,
    rate: Any,
    *,
    weight_inh: Any = 0,
    rate_inh: Any = 0,
    tau_m: Time,
    v_thresh: Voltage,
    v_reset: Voltage,
    tau_refrac: Time,
) -> Any:
    """Coefficient of variation of the interspike intervals of an LIF neuron in shot noise; NaN where it never fires.

    CV = sqrt(s(v_reset)) / (tau_refrac + m(v_reset)), with mean m and variance s of the first-passage time. Arguments as in
    `shot_noise_rate`.

    Source: Richardson & Swarbrick 2010, doi 10.1103/PhysRevLett.105.178102 (the model); Tuckwell 1988, ch. 9 (the equations)

    >>> from brian2 import Hz, mV, ms
    >>> cell = dict(tau_m=20*ms, v_thresh=20*mV, v_reset=10*mV, tau_refrac=2*ms)
    >>> round(shot_noise_cv(0*mV, 1*mV, 1000*Hz, **cell), 4)
    0.579
    """
    mean, variance, refrac = _moments(
        mu, weight, rate, weight_inh, rate_inh, tau_m, v_thresh, v_reset, tau_refrac, with_cv=True
    )
    with np.errstate(invalid="ignore"):
        return out(np.sqrt(variance) / (refrac + mean))


def _frequency(value: Any, name: str, tau_m: Any) -> np.ndarray:
    """A rate in Hz if tau_m is a time, else a plain number; 0 is allowed for both."""
    expected = "Hz" if units.unit_of(tau_m) == "s" else "1"
    array = plain(value, name)
    if units.unit_of(value) != expected and np.any(array != 0):
        raise NsnnError(
            f"{name} = {value}, tau_m = {tau_m}: expected a frequency and a time, or plain numbers"
        )
    expect(array >= 0, "zero or a positive value", **{name: value})
    return array


def _moments(mu, weight, rate, weight_inh, rate_inh, tau_m, v_thresh, v_reset, tau_refrac, with_cv):
    """Mean and variance of the first-passage time from v_reset, and tau_refrac, broadcast, SI."""
    numbers = {"mu": mu, "weight": weight, "rate": rate, "weight_inh": weight_inh, "rate_inh": rate_inh}
    for name, value in numbers.items():
        if isinstance(value, Noise):
            raise NsnnError(
                f"{name} = {units.shown(value)}: expected a number or a quantity; give weight=noise.weight and "
                "rate=noise.n * noise.rate of a PoissonInput through DeltaSynapse(), or use shot_noise_moments or simulate"
            )
    if units.unit_of(weight_inh) == "1" and not np.any(plain(weight_inh, "weight_inh")):
        weight_inh = 0 * weight
    mean, up, down, theta, reset = voltages(
        mu=mu, weight=weight, weight_inh=weight_inh, v_thresh=v_thresh, v_reset=v_reset
    )
    tau, refrac = neuron_times(tau_m, tau_refrac)
    expect(up > 0, "weight > 0", weight=weight)
    expect(down <= 0, "weight_inh <= 0", weight_inh=weight_inh)
    expect(reset < theta, "v_reset < v_thresh", v_reset=v_reset, v_thresh=v_thresh)
    often, often_inh = _frequency(rate, "rate", tau_m), _frequency(rate_inh, "rate_inh", tau_m)
    *cell, refrac, tau = np.broadcast_arrays(
        mean, up, often * tau, down, np.where(down < 0, often_inh * tau, 0.0), theta, reset, refrac, tau
    )
    points = np.broadcast(*cell)
    moments = np.array([_converged(*(float(x) for x in point), with_cv=with_cv) for point in points])
    moments = moments.reshape(*tau.shape, 2)
    return tau * moments[..., 0], tau**2 * moments[..., 1], refrac


def _converged(mu, up, often, down, often_inh, theta, reset, *, with_cv: bool) -> tuple[float, float]:
    """Mean and variance at one point, time in tau, refined until Richardson extrapolations agree."""
    if often + often_inh == 0:
        return (np.log((mu - reset) / (mu - theta)), 0.0) if mu > theta else (np.inf, np.nan)
    if often == 0 and mu <= theta:
        return np.inf, np.nan
    low = _lowest(min(mu, reset), down, often_inh)
    up = min(up, theta - low)  # larger jumps have the effect of one from the lowest node to the threshold
    smallest = min(up, theta - reset, -down if often_inh else np.inf)
    start = _PER_JUMP if 4 * _PER_JUMP * (theta - low) < _NODES * smallest else _PER_JUMP // 2
    if 4 * start * (theta - low) > _NODES * smallest:
        raise NsnnError(
            f"weight = {up}, weight_inh = {down} (SI): too small for a range of {theta - low}; expected larger jumps, "
            "or use siegert_rate"
        )
    per_jump, change = int(np.ceil(start * up / smallest)), np.inf
    results: list[np.ndarray] = []
    coarse = np.array(_solved(mu, up, often, down, often_inh, theta, reset, low, per_jump))
    while len(results) < 2 or (change > _AIM and 2 * per_jump * (theta - low) < _NODES * up):
        per_jump *= 2
        fine = np.array(_solved(mu, up, often, down, often_inh, theta, reset, low, per_jump))
        results.append(fine + (fine - coarse) / 3)
        coarse = fine
        if len(results) > 1:
            after = results[-1]
            shown = slice(0, 2 if with_cv and after[1] > 0 else 1)
            change = float(np.max(np.abs(after - results[-2])[shown] / np.abs(after[shown])))
    if not change < _BOUND:
        raise NsnnError(
            f"mu = {mu}, weight = {up} (SI): the mean interval {after[0]:.3g} tau_m is uncertain by {change:.1g}; "
            "expected larger jumps or a higher rate"
        )
    return float(after[0]), max(float(after[1]), 0.0)


def _lowest(start: float, down: float, often: float) -> float:
    """A voltage below which inhibition takes the free membrane with probability of at most exp(-36) (Chernoff bound)."""
    if often == 0:
        return start
    x = np.geomspace(1e-4, 60.0, 4000)  # log E exp(x (mu - V) / |down|) = often int_0^x (e^y - 1)/y dy
    return start + down * np.min((often * (special.expi(x) - np.log(x) - np.euler_gamma) + _BARRIER) / x)


def _solved(mu, up, often, down, often_inh, theta, reset, low, per_jump: int) -> tuple[float, float]:
    """Mean and variance on one grid; node 0 is v_thresh approached from below, node k is k spacings lower.

    m(a) = int_0^Delta exp(-R t) S dt + exp(-R Delta) m(b) for the path from node a to node b, with R the rate of all jumps,
    S = 1 + sum r m(v + w) linear in v, (v - mu) = (a - mu) exp(-t), Delta infinite if mu is at a or between a and b.
    """
    h, total = up / per_jump, often + often_inh
    n = int(np.ceil((theta - low) / h - 1e-9)) + 1
    k = np.arange(n)
    v = theta - h * k
    at_mu = np.abs(v - mu) < 1e-9 * h
    above = (v > mu) & ~at_mu
    to = np.clip(np.where(above, k + 1, k - 1), 0, n - 1)
    a, b = np.where(at_mu, 0.0, v - mu), np.where(at_mu[to], 0.0, v[to] - mu)
    ends = (a * b <= 0) | (to == k)  # the drift ends in mu, before the next node
    left = np.where(ends, 0.0, b / np.where(ends, 1.0, a))
    with np.errstate(divide="ignore"):
        log_left = np.log(left)
    whole, first = (-(a**i) * np.expm1((total + i) * log_left) / (total + i) for i in range(2))
    at_b = np.where(to == k, 0.0, (first - a * whole) / np.where(to == k, 1.0, b - a))
    at_a = whole - at_b  # int exp(-R t) (v - mu)^i became the weights of S at b and at a

    def place(rows, columns, values):
        return sparse.csr_matrix((values, (rows, columns)), shape=(n, n))

    def jumped(first_node: int):
        rows = np.arange(first_node, n)
        return place(rows, rows - per_jump, np.ones(len(rows)))

    # one jump below v_thresh the destination is node 0 if approached from below, a spike if from above
    from_below, from_above = jumped(per_jump), jumped(per_jump + 1)
    upper, lower = sparse.diags(above * 1.0), sparse.diags(~above * 1.0)
    forward = place(k, to, np.ones(n))
    on_a = upper @ from_below + lower @ from_above
    on_b = upper @ forward @ from_above + lower @ forward @ from_below
    landing = np.minimum(k - down / h, n - 1.0)
    node = np.minimum(landing.astype(int), n - 2)
    inhibited = place([*k, *k], [*node, *(node + 1)], [*(node + 1 - landing), *(landing - node)])
    weight_a, weight_b = sparse.diags(at_a), sparse.diags(at_b)
    jumps = often * (weight_a @ on_a + weight_b @ on_b) + often_inh * (
        (weight_a + weight_b @ forward) @ inhibited
    )
    inside = np.ones(n)
    if mu > theta and not at_mu[0]:
        inside[0] = 0.0  # the drift reaches v_thresh
    kept = sparse.diags(np.exp(total * log_left)) @ forward
    solver = splu((sparse.identity(n) - sparse.diags(inside) @ (kept + jumps)).tocsc())
    mean = solver.solve(inside * whole)

    def source(excited, start):
        return (
            often * (excited @ mean - start @ mean) ** 2
            + often_inh * (start @ (inhibited @ mean - mean)) ** 2
        )

    sources = at_a * source(on_a, sparse.identity(n)) + at_b * source(on_b, forward)
    variance = solver.solve(inside * sources)
    return float(np.interp(reset, v[::-1], mean[::-1])), float(np.interp(reset, v[::-1], variance[::-1]))
