"""Errors and warnings about parameters that data do not determine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from ...core.errors import NsnnError
from ...core.warn import FIT_RIGHT, warn
from ...models.step_length import long_steps
from ..continuous.conditional import longest_refractory
from ..continuous.trials import Trial
from .free_parameters import FreeParameters
from .limits import Limit

VARY = "give a stimulus that varies more"  # the cure besides a shorter `free`
_HIGHER = 0.1  # nats
REFRACTORY = "model.tau_refrac"


def up_to_data(free: FreeParameters, trials: Sequence[Trial], noise: Any, dt: float) -> list[str]:
    """The names of free parameters whose upper bound is the shortest interval: no wider one is possible."""
    longest, _ = longest_refractory(trials, noise, dt)
    return [one.name for one in free.each if one.path == REFRACTORY and one.high >= longest]


def refuse_indistinct(names: Sequence[str], equal: str = "likelihood is", cure: str = VARY) -> NoReturn:
    """Raise NsnnError for parameters that can change together without a change of what is compared."""
    raise NsnnError(
        f"free: {', '.join(names)} cannot be distinguished: the {equal} equal, or nearly so, where they change together; take "
        f"{names[-1]} out of free, or {cure}{FIT_RIGHT}voltages"
    )


def warn_similar(names: Sequence[str], cure: str = VARY) -> None:
    """Warn of parameters that almost replace each other."""
    warn(
        f"{' and '.join(names)} almost replace each other, so that their errors are large: take one of them out of free, or "
        f"{cure}{FIT_RIGHT}similar"
    )


def warn_held(
    names: Sequence[str],
    u: np.ndarray,
    edge: Sequence[int] | np.ndarray,
    idle: Sequence[int] | np.ndarray,
    *,
    limits: str = "",
    what: str = "likelihood",
    up_to_data: Sequence[str] = (),
) -> None:
    """Warn of parameters at a bound (u 0 or 1) and of idle ones; `limits` says where limits for all values of the former are."""
    for k in edge:
        side, cure = "lower" if u[k] < 0.5 else "upper", "widen its bounds, or "
        bound = f"{side} bound"
        if side == "upper" and names[k] in up_to_data:
            bound, cure = "upper bound, the shortest interval, beyond which the spikes are impossible", ""
        warn(
            f"{names[k]} is at its {bound}: its error is NaN, and the errors of the others are conditional on this value; "
            f"{cure}take it out of free{limits}{FIT_RIGHT}bounds"
        )
    for k in idle:
        warn(f"{names[k]} does not change the {what}: its error is inf; drop it from free{FIT_RIGHT}similar")


def warn_flat(flat: Mapping[str, str], up_to_data: Sequence[str] = ()) -> None:
    """Warn of parameters, by name, whose profile likelihood does not exclude a bound."""
    if flat:
        what = ", ".join(f"{name} ({where})" for name, where in flat.items())
        wider = [name for name in flat if name not in up_to_data]
        some = f" of {', '.join(wider)}" if len(wider) < len(flat) else ""
        cure = f"widen the bounds{some}, or " if wider else ""
        warn(
            f"the likelihood falls by less than 2 nats: {what}; standard errors say little; {cure}{VARY}; limits: "
            f"fit.profile(name){FIT_RIGHT}flat"
        )


def warn_limits(ends: Sequence[tuple[str, str, Limit]], up_to_data: Sequence[str] = ()) -> None:
    """Warn of ends (name, "lower" or "upper", limit) that a bound cuts off, or that are wrong."""
    cut = [
        f"{name} at its {side} bound"
        for name, side, one in ends
        if one.at_bound and not (side == "upper" and name in up_to_data)
    ]
    if cut:
        warn(
            f"the profile likelihood has not ended for {', '.join(cut)}: these intervals hold only if the bounds do; widen "
            f"them, or {VARY}{FIT_RIGHT}limits"
        )
    lost = [f"{side} of {name}" for name, side, one in ends if one.u != one.u]
    if lost:
        warn(f"limits that were not found are NaN: {', '.join(lost)}; look at fit.profile")
    gained, name = max(((one.gained, name) for name, _, one in ends), default=(0.0, ""))
    if gained > _HIGHER:
        warn(
            f"the likelihood is {gained:.2g} nats higher for another {name}: the fit is not the maximum, and intervals do not "
            "hold; calibrate again with another seed, or with values of the model closer to it"
        )


def warn_fast(neuron: Any, dt: float) -> None:
    """Warn of fitted time constants that are too short for steps of `dt` s, as `simulate` does."""
    for one in long_steps(dt, neuron):
        warn(
            f"{one} of the fitted neuron: spikes are known in steps of dt only, and `simulate` is inexact with this dt; pass dt of "
            f"at most {one.longest}, if the times of the spikes are known so well{FIT_RIGHT}fast"
        )
