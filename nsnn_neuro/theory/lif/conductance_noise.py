"""Free membrane with fluctuating synaptic conductances or currents: exact stationary mean and standard deviation."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import linalg, sparse
from scipy.sparse.linalg import spsolve
from scipy.special import gammaln

from ...core import units
from ...core.aliases import Time, Voltage
from ...core.errors import NsnnError
from ...models.neurons.expressions import value_of
from ...models.noise import PoissonInput
from ..arguments import expect, out, plain, times, voltages

_ORDERS = (8, 12, 18, 27, 40, 60, 90)  # highest order of Hermite polynomials, raised until results converge
_MOST_UNKNOWNS = 10_000
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
    1e-10. V is not Gaussian. Spikes through conductance synapses (`PoissonInput`): `shot_noise_moments`.

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
    each = [
        _converged(total, (sd_e, sd_i), (push_e, push_i), (fast_e, fast_i), (0.0, 0.0))
        for total, sd_e, sd_i, push_e, push_i, fast_e, fast_i in (
            [float(x) for x in point] for point in points
        )
    ]
    moments = np.array(each).reshape(*points.shape, 2)
    return out(centre + moments[..., 0]), out(moments[..., 1])


def shot_noise_moments(noise: PoissonInput, mu: Voltage, *, tau_m: Time) -> tuple[float, float]:
    """Stationary mean and SD (SI) of the voltage of a free leaky membrane with Poisson inputs, exact.

    Jumps and currents (Campbell's theorem): mean = mu + sum n rate int h dt, variance = sum n rate int h^2 dt, with h the response
    of the membrane to a spike; for an `ExponentialSynapse` mu + n rate weight tau_syn and
    n rate weight^2 tau_syn^2 / (2 (tau_m + tau_syn)). Conductances: the moments of `conductance_moments`, with Poisson spikes in
    place of white noise. A conductance has the mean m = n rate weight tau_syn and the variance n rate weight^2 tau_syn / 2; the
    membrane relaxes with tau_m / (1 + sum m).

    Parameters
    ----------
    noise : `PoissonInput` or a sum of them, with one value for each parameter: jumps and currents, or conductances with one
        exponential each
    mu : v_rest + drive; tau_m : time; single values

    Raises
    ------
    NsnnError : currents beside conductances, arrays, conductances so strong that the series does not converge

    Source: Papoulis & Pillai 2002, ch. 10 (Campbell's theorem); Richardson & Gerstner 2005, doi 10.1162/0899766053429444
    (approximate moments with conductances)

    >>> from brian2 import Hz, ms, mV
    >>> from nsnn_neuro import ConductanceSynapse
    >>> ampa = PoissonInput(5*Hz, 0.02, synapse=ConductanceSynapse(2*ms, 0*mV), n=800)
    >>> gaba = PoissonInput(8*Hz, 0.1, synapse=ConductanceSynapse(5*ms, -80*mV), n=200)
    >>> mean, sd = shot_noise_moments(ampa + gaba, -65*mV, tau_m=20*ms)
    >>> round(mean * 1e3, 4), round(sd * 1e3, 4)
    (-65.7724, 0.9924)
    """
    if not isinstance(noise, PoissonInput):
        raise NsnnError(f"noise = {units.shown(noise)}: expected a PoissonInput")
    for one in noise.inputs:
        name = one.synapse.reversal
        voltages(mu=mu, **{name: getattr(one.synapse, name)} if name else {"weight": one.weight})
        for model in (one, one.synapse):
            for field in model.parameter_fields():
                if np.ndim(model.si(field.name)):
                    raise NsnnError(
                        f"{field.name} = {getattr(model, field.name)}: expected one number, not an array"
                    )
    rest, tau = (float(np.asarray(x).item()) for x in (voltages(mu=mu)[0], times(tau_m=tau_m)[0]))
    inputs = [one for one in noise.inputs if one.si("rate") > 0 and one.si("weight") != 0]
    conductances = [one for one in inputs if one.synapse.conductance]
    if not conductances:
        moments = np.array([_campbell(one, tau) for one in inputs]).reshape(-1, 2)
        return rest + float(moments[:, 0].sum()), float(np.sqrt(moments[:, 1].sum()))
    if len(conductances) < len(inputs) or any(len(one.synapse.states) > 1 for one in conductances):
        raise NsnnError(
            "noise has currents or jumps beside conductances, or a conductance of several exponentials: expected none of these; "
            "simulate it with a threshold that is out of reach"
        )
    each = [_spikes(one) for one in conductances]
    slow, jump = np.array([(-1 / drift.item(), (jumps @ seen).item()) for drift, jumps, seen, _ in each]).T
    mean = np.array([one.n * one.si("rate") for one in conductances]) * jump * slow
    sd = np.sqrt(mean * jump / 2)
    ends = np.array([one.synapse.si(one.synapse.reversal or "") for one in conductances])
    total = 1 + float(mean.sum())
    centre = (rest + float(mean @ ends)) / total
    shift, spread = _converged(total, sd, sd * (ends - centre), tau / slow, jump / sd)
    return float(centre + shift), float(spread)


def _spikes(one: PoissonInput) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Of a synapse: the drift of its states, what a spike adds to them, how the membrane sees them, and its jump, all in SI."""
    synapse, states = one.synapse, list(one.synapse.states)
    values = {f.name: float(synapse.si(f.name)) for f in synapse.parameter_fields()} | {
        "weight": float(one.si("weight"))
    }

    def row(text: str) -> list[Any]:
        return [value_of(text, values | dict.fromkeys(states, 0.0) | {x: 1.0}) for x in states]

    drift = np.array([row(synapse.states[x]) for x in states], dtype=float).reshape(len(states), len(states))
    jumps = np.array([value_of(synapse.on_arrival.get(x, "0"), values) for x in (*states, "v")], dtype=float)
    return (
        drift,
        jumps[:-1],
        np.array(row(synapse.current or synapse.conductance or "0")),
        float(jumps[-1]),
    )


def _campbell(one: PoissonInput, tau: float) -> tuple[float, float]:
    """Mean and variance that an input without conductance adds to the membrane, from the moments of its linear system."""
    drift, jumps, seen, jump = _spikes(one)
    whole = np.zeros((len(jumps) + 1, len(jumps) + 1))
    whole[:-1, :-1], whole[-1, :-1], whole[-1, -1] = drift, seen / tau, -1 / tau
    arriving, rate = np.append(jumps, jump), one.n * float(one.si("rate"))
    mean = np.linalg.solve(whole, -rate * arriving)
    variance = linalg.solve_continuous_lyapunov(whole, -rate * np.outer(arriving, arriving))
    return mean[-1], variance[-1, -1]


def _converged(total: float, sd: Any, push: Any, fast: Any, shot: Any) -> np.ndarray:
    """Mean and SD of V - centre, with Hermite polynomials up to the order of convergence."""
    before = np.full(2, np.inf)
    for order in _ORDERS:
        if (order + 1) ** len(sd) > _MOST_UNKNOWNS:
            break
        after = _moments(order, total, sd, push, fast, shot)
        if np.max(np.abs(after - before)) <= _AIM * np.max(np.abs(after)):
            return after
        before = after
    raise NsnnError(
        f"conductances of SD {', '.join(f'{x:.3g}' for x in sd)}: no convergence at order {order}: too slow or strong compared "
        "with tau_m; expected fewer, smaller or faster conductances"
    )


def _moments(
    order: int, total: float, sd: Sequence[float], push: Any, fast: Any, shot: Sequence[float]
) -> np.ndarray:
    """Mean and SD of x = V - centre from tau_m dx = (c - b x) dt, b = total + sum sd z, c = sum push z, cut off at `order`.

    In normalised Hermite polynomials h_a, z h_a = sqrt(a + 1) h_(a+1) + sqrt(a) h_(a-1), and the conductance's own motion takes h_a
    to -a h_a / tau_k. Jumps of z by `shot` d at the rate 2 / (d^2 tau_k) add sum_(j > 2) 2 d^(j-2) / j! sqrt(a! / (a-j)!) h_(a-j)
    / tau_k, and E h_a is then not 0.
    """
    number = np.arange(order + 1.0)
    root = np.sqrt(number[1:])
    z, one, degree = sparse.diags([root, root], [-1, 1]), sparse.identity(order + 1), sparse.diags(number)

    def along(k: int, matrix: Any) -> Any:
        return functools.reduce(sparse.kron, [matrix if j == k else one for j in range(len(sd))])

    start: np.ndarray = np.ones(1)
    motions = []
    for d in shot:
        arriving = degree - _shots(order, d) if d else degree
        stationary = np.zeros(order + 1)
        stationary[0] = 1.0
        if d:
            dense = arriving.toarray()
            stationary[1:] = linalg.solve_triangular(dense[1:, 1:], -dense[1:, 0], lower=True)
        motions.append(arriving)
        start = np.kron(start, stationary)
    leak = total * sparse.identity(start.size) + sum(x * along(k, z) for k, x in enumerate(sd))
    motion = sum(x * along(k, motions[k]) for k, x in enumerate(fast))
    force = sum(x * along(k, z) for k, x in enumerate(push)).tocsr()
    first = spsolve((leak + motion).tocsc(), force @ start)
    second = spsolve((2 * leak + motion).tocsc(), 2 * (force @ first))
    return np.array([first[0], np.sqrt(max(second[0] - first[0] ** 2, 0.0))])


def _shots(order: int, d: float) -> Any:
    """What jumps by d in standard deviations add to the motion of the polynomials, beyond drift and variance."""
    a, b = np.arange(order + 1)[:, None], np.arange(order + 1)
    j = np.maximum(a - b, 0)
    logs = np.log(2) + (j - 2) * np.log(d) - gammaln(j + 1) + (gammaln(a + 1) - gammaln(b + 1)) / 2
    return sparse.csr_matrix(np.where(a - b > 2, np.exp(np.where(a - b > 2, logs, 0.0)), 0.0))
