"""Noise-driven learning for a membrane in white noise: factor and text of the rule."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...core import units
from ...core.checks import flag, one_of, suggest_keywords
from ...core.errors import NsnnError
from ...core.parameters import substitute
from ..noise import OUNoise, WhiteNoise
from .optimizers import Optimizer
from .rule_text import RuleText, numbers

# integration method of the target -> dm/dx0 and s; `lapse` is dt / tau_m
_STEPS = {
    "euler": ("1 - lapse", "noise_sigma * sqrt(2 * lapse)"),
    "exact": ("exp(-lapse)", "noise_sigma * sqrt(2 * lapse * smooth_exprel(-2 * lapse))"),
}
_DENSITY = "exp(-0.5 * ((m - v_thresh) / s)**2) / (s * sqrt(2 * pi))"
_Y = "((m + v_thresh - 2 * x0) / s)"
# exp(A) Phi(-y)
_NEAR = f"exp(clip(2 * ((m - x0) / s) * ((v_thresh - x0) / s), -700, 40)) * normal_cdf(-{_Y})"


@suggest_keywords
def white_noise_factor(*, bridge: bool = True) -> str:
    """Factor of NDL for a membrane in white noise: dP/dm, P the probability that the step u' = m + s xi from x0 crosses v_thresh.

    Without the bridge P = Phi((m - v_thresh) / s). With it P = Phi((m - v_thresh) / s) + exp(A) Phi(-y),
    A = 2 (m - x0)(v_thresh - x0) / s^2 and y = (m + v_thresh - 2 x0) / s, whose derivative is

        dP/dm = 2 (v_thresh - x0) / s^2 exp(A) Phi(-y)      and 0 for x0 >= v_thresh, where P = 1

    P is the same with noise shared within a population. Correlations between neurons are neglected: the rule adds the gradients of
    single neurons, which is exact for a loss that is a sum over neurons.

    bridge : include crossings between grid points, as `simulate` does

    Returns text in Brian2's syntax, in m, s, v_thresh and, with the bridge, x0 and the function normal_cdf (`brian.functions()`).
    exp(A) Phi(-y) is phi((m - v_thresh) / s) times Mills' ratio of y, a continued fraction for y > 8, so that nothing overflows.

    Source: Brownian bridge: Karatzas & Shreve 1998, doi 10.1007/978-1-4612-0949-2, ch. 2.8

    >>> white_noise_factor(bridge=False)
    'exp(-0.5 * ((m - v_thresh) / s)**2) / (s * sqrt(2 * pi))'
    """
    if not flag(bridge, "bridge"):
        return _DENSITY
    near = f"{_NEAR} * int({_Y} <= 8)"
    return (
        f"2 * clip(v_thresh - x0, 0 * s, inf * s) / s * ({near} / s + {_DENSITY} / {_far(1)} * int({_Y} > 8))"
    )


def _start_factor() -> str:
    """dP/dx0 at the same m, with the bridge: 2 / s (phi(z) - y exp(A) Phi(-y)), z = (m - v_thresh) / s; text as above.

    For y > 8 by the continued fraction 1 / M = y + 1 / D of Mills' ratio M: 1 - y M = M / D, free of cancellation.
    """
    near = f"({_DENSITY} - {_Y} * {_NEAR} / s) * int({_Y} <= 8)"
    far = f"{_DENSITY} / ({_far(1)} * {_far(2)}) * int({_Y} > 8)"
    return f"2 * int(x0 < v_thresh) * ({near} + {far})"


def _far(first: int) -> str:
    """The continued fraction y + k / (y + (k + 1) / ...) from k = first, for y > 8."""
    fraction = beyond = f"clip({_Y}, 8, inf)"
    for k in range(12, first - 1, -1):
        fraction = f"({beyond} + {k} / {fraction})"
    return fraction


def is_diffusive(noise: Any) -> bool:
    """True for white noise of the membrane; raises NsnnError for OU noise, in which a spike has no density per step."""
    if isinstance(noise, OUNoise):
        raise NsnnError(
            f"noise = {noise}: the step is deterministic given the state of coloured noise, so the factor of NDL vanishes; "
            "expected WhiteNoise(...), or EscapeNoise as an approximation"
        )
    if isinstance(noise, WhiteNoise) and noise.weighted:
        raise NsnnError(
            f"weight = {noise.weight} of WhiteNoise: expected 0, as NDL is derived for noise of a constant variance"
        )
    return isinstance(noise, WhiteNoise)


def diffusive_text(
    eta: float,
    optimizer: Optimizer,
    *,
    noise: WhiteNoise,
    tau_m: Any = None,
    v_thresh: Any = None,
    mu: Any = None,
    method: str = "euler",
    bridge: bool = False,
    trial: bool = False,
) -> RuleText:
    """The text of `NDL` with this learning rate and optimizer for a leaky membrane in white noise with a hard reset (see `NDL`).

    The factor is evaluated at the start of the step, at x0; the learning signal of the same step is known at its end. A spike of
    the target sets the trace to 0.
    """
    one_of(method, tuple(_STEPS), "method")
    unit = noise.unit("sigma")
    values = {"noise_sigma": (noise.si("sigma"), unit)}
    if np.any(np.asarray(values["noise_sigma"][0]) == 0):
        raise NsnnError(
            f"sigma = {noise.sigma}: without noise the factor of NDL vanishes, expected a positive value"
        )
    expected = {"tau_m": (tau_m, "s"), "v_thresh": (v_thresh, unit), "mu": (mu, unit)}
    for name, (value, its_unit) in expected.items():
        if value is None:
            raise NsnnError(
                f"{name} = None: NDL of a diffusive membrane needs this parameter, {units.describe(its_unit)}"
            )
        if not (name == "mu" and isinstance(value, str)):
            values[name] = (units.si(value, its_unit, name), its_unit)
    if not np.all(np.asarray(values["tau_m"][0]) > 0):
        raise NsnnError(f"tau_m = {tau_m}: expected a positive value")
    kept, spread = _STEPS[method]
    slope = f"({white_noise_factor(bridge=bridge)}) * kept" + (f" + {_start_factor()}" if bridge else "")
    states = ["trace", "pull", *optimizer.states, *(["g"] if trial else [])]
    return RuleText(
        states=tuple(f"{name} : 1" for name in states),
        at_start=(
            "lapse = dt / tau_m",
            f"kept = {kept}",
            "m = mu + (u - mu) * kept",
            f"s = {spread}",
            f"pull = volts * ({substitute(slope, {'x0': 'u'})}) * trace",
            "trace *= kept",
        ),
        each_step=(
            *optimizer.step("L * pull", trial, volts=True),
            *(["trace *= 1 - due"] if trial else []),
        ),
        on_pre=("trace += pre",),
        on_post=("trace = 0",),
        unit=unit,
        parameters={"eta": (eta, "1"), "volts": (1.0, unit)} | values | numbers(optimizer, "optimizer_"),
    )
