"""Errors and warnings about parameters that data do not determine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

import numpy as np

from ...core.errors import NsnnError
from ...core.warn import FIT_RIGHT, warn
from ...models.step_length import long_steps
from .limits import Limit

VARY = "give a stimulus that varies more"  # the cure besides a shorter `free`
_HIGHER = 0.1  # nats


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
) -> None:
    """Warn of parameters at a bound (u 0 or 1) and of idle ones; `limits` says where limits for all values of the former are."""
    for k in edge:
        warn(
            f"{names[k]} is at its {'lower' if u[k] < 0.5 else 'upper'} bound: its error is NaN, and the errors of the others "
            f"are conditional on this value; widen its bounds, or take it out of free{limits}{FIT_RIGHT}bounds"
        )
    for k in idle:
        warn(f"{names[k]} does not change the {what}: its error is inf; drop it from free{FIT_RIGHT}similar")


def warn_flat(flat: Mapping[str, str]) -> None:
    """Warn of parameters, by name, whose profile likelihood does not exclude a bound."""
    if flat:
        what = ", ".join(f"{name} ({where})" for name, where in flat.items())
        warn(
            f"the likelihood falls by less than 2 nats: {what}; standard errors say little; widen the bounds, or {VARY}; limits: "
            f"fit.profile(name){FIT_RIGHT}flat"
        )


def warn_limits(ends: Sequence[tuple[str, str, Limit]]) -> None:
    """Warn of ends (name, "lower" or "upper", limit) that a bound cuts off, or that are wrong."""
    cut = [f"{name} at its {side} bound" for name, side, one in ends if one.at_bound]
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


def warn_alone(name: str) -> None:
    """Warn of a parameter that one block of time determines alone, so that it has no error."""
    warn(
        f"{name} is determined by one stretch of the recording alone: its error is inf, and the errors of the others hold for this "
        "value; record longer, with a current that varies more, or take it out of free"
    )


def warn_fast(neuron: Any, dt: float) -> None:
    """Warn of fitted time constants that are too short for steps of `dt` s, as `simulate` does."""
    for one in long_steps(dt, neuron):
        warn(
            f"{one} of the fitted neuron: spikes are known in steps of dt only, and `simulate` is inexact with this dt; pass dt of "
            f"at most {one.longest}, if the times of the spikes are known so well{FIT_RIGHT}fast"
        )
