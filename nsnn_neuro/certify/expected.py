"""Rate (Hz) and CV of a neuron with a noise model from theory, independent of the simulator.

Each function takes neuron, noise and mean drive (V) and returns {"rate": ..., "cv": ...}, or the rate only if there is no theory of
the CV. Without `cv` only the rate is computed.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from scipy.special import ndtr

from .. import theory
from ..core import units
from ..models.escape import EscapeNoise
from ..models.neurons import EIF, QIF, IntegrateAndFire
from ..models.noise import (
    MultiplicativeNoise,
    OUNoise,
    PoissonInput,
    PoissonNoise,
    ThresholdNoise,
    WhiteNoise,
)
from ..theory.fokker_planck.coloured import coloured_fp_rate_and_cv


def hard_threshold(neuron: IntegrateAndFire) -> dict[str, Any]:
    """The parameters of a membrane with a hard threshold (SI), as functions of `theory` take them."""
    return {name: neuron.si(name) for name in ("tau_m", "v_thresh", "v_reset", "tau_refrac")}


def free_potential(neuron: IntegrateAndFire, drive: float) -> float:
    """The potential (V) that a leaky membrane approaches without noise and spikes."""
    return neuron.si("v_rest") + drive


def _values(laws: tuple[Any, Any], cv: bool, *arguments: Any, **cell: Any) -> dict[str, float]:
    """The rate and, if asked for, the CV from two laws with these arguments."""
    values = {"rate": laws[0](*arguments, **cell)}
    return values | {"cv": laws[1](*arguments, **cell)} if cv else values


def leaky_white(
    neuron: Any, noise: WhiteNoise, drive: float, *, cv: bool = True, **other: float
) -> dict[str, float]:
    """Siegert's formula; `other` replaces parameters such as the threshold."""
    cell, mu = hard_threshold(neuron) | other, free_potential(neuron, drive)
    return _values((theory.siegert_rate, theory.siegert_cv), cv, mu, noise.si("sigma"), **cell)


def leaky_multiplicative(
    neuron: Any, noise: MultiplicativeNoise, drive: float, *, cv: bool = True
) -> dict[str, float]:
    """White noise of strength sigma (V - v_zero), from its logarithm."""
    arguments = (free_potential(neuron, drive), noise.si("sigma"), noise.si("v_zero"))
    cell = hard_threshold(neuron) | {"calculus": noise.calculus}
    return _values((theory.multiplicative_rate, theory.multiplicative_cv), cv, *arguments, **cell)


def leaky_shot_noise(neuron: Any, noise: PoissonNoise, drive: float, *, cv: bool = True) -> dict[str, float]:
    """Jumps of finite size."""
    arguments = (free_potential(neuron, drive), noise.si("weight"), noise.si("rate"))
    more = {"weight_inh": noise.si("weight_inh"), "rate_inh": noise.si("rate_inh"), **hard_threshold(neuron)}
    return _values((theory.shot_noise_rate, theory.shot_noise_cv), cv, *arguments, **more)


def leaky_threshold(neuron: Any, noise: ThresholdNoise, drive: float, *, cv: bool = True) -> dict[str, float]:
    """A threshold drawn for each interval."""
    arguments = (free_potential(neuron, drive), noise.si("sigma"))
    laws = theory.noisy_threshold_rate, theory.noisy_threshold_cv
    return _values(laws, cv, *arguments, **hard_threshold(neuron))


def perfect_white(neuron: Any, noise: WhiteNoise, drive: float, *, cv: bool = True) -> dict[str, float]:
    """Inverse-Gaussian intervals."""
    return _values((theory.pif_rate, theory.pif_cv), cv, drive, noise.si("sigma"), **hard_threshold(neuron))


def perfect_threshold(neuron: Any, noise: ThresholdNoise, drive: float) -> dict[str, float]:
    """T = tau_refrac + tau_m (d + sigma z)+ / drive, z standard normal, d = v_thresh - v_reset: normal intervals."""
    tau, refrac, sigma = neuron.si("tau_m"), neuron.si("tau_refrac"), noise.si("sigma")
    d = neuron.si("v_thresh") - neuron.si("v_reset")
    y, density = d / sigma, np.exp(-0.5 * (d / sigma) ** 2) / np.sqrt(2 * np.pi)
    first = sigma * (y * ndtr(y) + density)
    second = sigma**2 * ((1 + y**2) * ndtr(y) + y * density)
    rate = 1 / (refrac + tau * first / drive)
    return {"rate": float(rate), "cv": float(rate * tau * np.sqrt(second - first**2) / drive)}


def perfect_shot_noise(neuron: Any, noise: PoissonNoise, _: float) -> dict[str, float]:
    """No drive, jumps of +w and -w: a walk on a lattice, n = ceil(d / w) levels up, at rates e up and i down.

    Mean n / (e - i) and variance n (e + i) / (e - i)^3: one level takes the busy period of a queue (Cox & Miller 1965, ch. 2).
    """
    weight, up, down = noise.si("weight"), noise.si("rate"), noise.si("rate_inh")
    n = np.ceil((neuron.si("v_thresh") - neuron.si("v_reset")) / weight)
    rate = 1 / (neuron.si("tau_refrac") + n / (up - down))
    return {"rate": float(rate), "cv": float(rate * np.sqrt(n * (up + down) / (up - down) ** 3))}


def perfect_input(neuron: Any, noise: PoissonInput, _: float) -> dict[str, float]:
    """No drive, no refractory time, a current that is never negative: mean current over tau_m and the distance to threshold."""
    current, _ = theory.shot_noise_moments(noise, 0 * noise.weight, tau_m=neuron.tau_m)
    return {"rate": current / neuron.si("tau_m") / (neuron.si("v_thresh") - neuron.si("v_reset"))}


def balanced_input(neuron: Any, noise: PoissonInput, drive: float) -> dict[str, float]:
    """Exponential currents of one time constant: OU noise of their mean and variance, the limit of many small weights."""
    mean, sd = theory.shot_noise_moments(noise, 0 * noise.weight, tau_m=neuron.tau_m)
    tau_noise = units.brian(noise.synapse.si("tau_syn"), "s")
    return fokker_planck(neuron, OUNoise(units.brian(sd, "V"), tau_noise), drive + mean)


# a function, its arguments, those with names
_Call = tuple[Any, tuple[float, ...], tuple[tuple[str, float], ...]]


def _drift_call(neuron: IntegrateAndFire, drive: float) -> _Call:
    """What to call for the drift f of tau_m dV/dt = f(V); equal for equal drifts."""
    if isinstance(neuron, EIF):
        sharp = ("delta_T", neuron.si("delta_T")), ("v_thresh", neuron.si("v_thresh"))
        return theory.eif_drift, (free_potential(neuron, drive),), sharp
    if isinstance(neuron, QIF):
        zeros = ("v_rest", neuron.si("v_rest")), ("v_thresh", neuron.si("v_thresh"))
        return theory.qif_drift, (drive,), zeros
    if neuron.leaky:
        return theory.lif_drift, (free_potential(neuron, drive),), ()
    return theory.pif_drift, (drive,), ()


@functools.cache
def _coloured(
    drift: _Call, sigma: float, tau_noise: float, cell: tuple[tuple[str, float], ...]
) -> tuple[float, float]:
    """Rate and CV in OU noise, which take a second: once for the rows of both, and for neurons that have the same membrane."""
    make, arguments, more = drift
    rate, cv = coloured_fp_rate_and_cv(make(*arguments, **dict(more)), sigma, tau_noise, **dict(cell))
    return float(rate), float(cv)


def fokker_planck(
    neuron: IntegrateAndFire, noise: Any, drive: float, *, cells: int = 1000, cv: bool = True
) -> dict[str, float]:
    """Any drift, in white noise, OU noise (two dimensions) or multiplicative noise (Lamperti's transformation).

    y = ln[(V - v_zero) / (v_spike - v_zero)] has the drift f(V) / (V - v_zero), less sigma^2 in Ito's calculus, and noise sigma.
    """
    call, sigma = _drift_call(neuron, drive), noise.si("sigma")
    spike, reset = neuron.si(neuron.threshold), neuron.si("v_reset")
    cell: dict[str, Any] = {name: neuron.si(name) for name in ("tau_m", "tau_refrac", "v_reset")}
    cell["v_spike"] = spike
    if isinstance(noise, OUNoise):
        rate, variation = _coloured(call, sigma, noise.si("tau_noise"), tuple(cell.items()))
        return {"rate": rate, "cv": variation} if cv else {"rate": rate}
    make, arguments, more = call
    f = make(*arguments, **dict(more))
    if isinstance(noise, MultiplicativeNoise):
        zero, loss = noise.si("v_zero"), sigma**2 * (noise.calculus == "ito")
        scale, drift = spike - zero, f
        f = theory.Drift(lambda y: drift(zero + scale * np.exp(y)) / scale * np.exp(-y) - loss, unit="1")
        cell |= {"v_spike": 0.0, "v_reset": float(np.log((reset - zero) / scale))}
    return _values((theory.fp_rate, theory.fp_cv), cv, f, sigma, cells=cells, **cell)


def path(neuron: IntegrateAndFire, drive: float, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The noise-free membrane potential at time t after release, and its slope."""
    reset, tau = neuron.si("v_reset"), neuron.si("tau_m")
    if neuron.leaky:
        gap = (free_potential(neuron, drive) - reset) * np.exp(-t / tau)
        return free_potential(neuron, drive) - gap, gap / tau
    return reset + drive * t / tau, np.full_like(t, drive / tau)


def path_hazard(
    neuron: IntegrateAndFire, noise: EscapeNoise, drive: float, lift: float = 0.0, *, cv: bool = True
) -> dict[str, float]:
    """Renewal integral of a hazard along the noise-free membrane; `lift` raises the threshold."""

    def rho(t: np.ndarray) -> np.ndarray:
        u, rise = path(neuron, drive, t)
        above = units.brian(u - neuron.si("v_thresh") - lift, neuron.membrane_unit)
        return noise.hazard.hazard(above, rise)  # type: ignore[union-attr]

    return _values((theory.renewal_rate, theory.renewal_cv), cv, rho, tau_refrac=neuron.si("tau_refrac"))


def stepwise(neuron: IntegrateAndFire, noise: EscapeNoise, drive: float, dt: float) -> dict[str, float]:
    """Escape noise per step: held for tau_refrac / dt steps, then a spike in step j with F(u_j - v_thresh)."""
    u, _ = path(neuron, drive, dt * np.arange(1, 40_001))  # `conditional` refuses longer intervals
    p = noise.family.cdf(units.brian(u - neuron.si("v_thresh"), neuron.membrane_unit))  # type: ignore[union-attr]
    return conditional(p, dt, int(np.rint(neuron.si("tau_refrac") / dt)))


def conditional(p: np.ndarray, dt: float, held: int = 0) -> dict[str, float]:
    """Rate and CV when the j-th step after `held` ones has a spike with probability p_j, given none before it."""
    pmf = p * np.cumprod(np.concatenate([[1.0], 1 - p[:-1]]))
    if not pmf.sum() > 1 - 1e-9:
        raise ArithmeticError(f"{p.size} steps contain only {pmf.sum():.3g} of the intervals")
    steps = held + np.arange(1, p.size + 1)
    mean = pmf @ steps
    return {"rate": float(1 / (mean * dt)), "cv": float(np.sqrt(pmf @ (steps - mean) ** 2) / mean)}


def subtractive_uniform(current: float, a: float, beta: float, theta: float, dt: float) -> dict[str, float]:
    """NSNN with subtractive reset in uniform noise that covers the range of u: p = 1/2 + (E u - theta) / 2a is linear, thus exact.

    E u = beta (E u - theta p) + current
    """
    p = (0.5 + (current / (1 - beta) - theta) / (2 * a)) / (1 + beta * theta / ((1 - beta) * 2 * a))
    return {"rate": p / dt}


def warm_up(rate_at: Any, mean_rate: float, tau: float) -> float:
    """The time (s) in which a stronger drive brings slow adaptation to its stationary mean.

    Its fraction x of that mean obeys tau dx/dt = rate_at(x) / mean_rate - x; t = tau int_0^1 dx / (rate_at(x) / mean_rate - x).
    """
    x, weight = np.polynomial.legendre.leggauss(4)
    x = (x + 1) / 2
    return float(tau * sum(w / 2 / (rate_at(at) / mean_rate - at) for at, w in zip(x, weight, strict=True)))
