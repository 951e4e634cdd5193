"""The unit border of `theory`: quantities or plain numbers in, SI float arrays out."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..core import units
from ..core.errors import NsnnError

__all__ = ["arguments", "expect", "function", "out", "plain", "times", "voltages"]


def plain(value: Any, name: str) -> np.ndarray:
    """A quantity or a plain number as SI floats."""
    return np.asarray(
        units.si(value, unit, name) if (unit := units.unit_of(value)) != "?" else value, dtype=float
    )


def voltages(**named: Any) -> list[np.ndarray]:
    """Voltages, or plain numbers all of them, as SI float arrays."""
    found = {name: units.unit_of(v) for name, v in named.items()}
    if len(set(found.values())) > 1 or not set(found.values()) <= {"V", "1"}:
        raise NsnnError(
            f"{', '.join(named)} have units {found}: expected one unit, voltages or plain numbers"
        )
    return [plain(v, n) for n, v in named.items()]


def times(**named: Any) -> list[np.ndarray]:
    """Times and the frequency `f`, or plain numbers all of them, as SI float arrays."""
    unit = {name: {"Hz": "s"}.get(units.unit_of(v), units.unit_of(v)) for name, v in named.items()}
    wrong = {n for n, v in named.items() if (n == "f") != (units.unit_of(v) == "Hz") and unit[n] != "1"}
    if wrong or len(set(unit.values())) > 1 or not set(unit.values()) <= {"s", "1"}:
        shown = ", ".join(f"{name} = {value}" for name, value in named.items())
        raise NsnnError(f"{shown}: expected times (and for f a frequency), or plain numbers for all of them")
    return [plain(v, n) for n, v in named.items()]


def expect(held: Any, rule: str, **shown: Any) -> None:
    """Raise NsnnError with the values `shown` unless the `rule` is held everywhere."""
    if not np.all(held):
        raise NsnnError(
            ", ".join(f"{name} = {value}" for name, value in shown.items()) + f": expected {rule}"
        )


def function(value: Any, name: str, example: str) -> None:
    """Raise NsnnError unless `value` can be called."""
    if not callable(value):
        raise NsnnError(f"{name} = {value}: expected a function such as {example}")


def arguments(mu, sigma, tau_m, v_thresh, v_reset, tau_refrac) -> list[np.ndarray]:
    """Those of an integrate-and-fire neuron with a hard threshold, checked: broadcast mu, sigma, tau, refrac, theta, reset."""
    mean, deviation, theta, reset = voltages(mu=mu, sigma=sigma, v_thresh=v_thresh, v_reset=v_reset)
    tau, refrac = times(tau_m=tau_m, tau_refrac=tau_refrac)
    expect(deviation >= 0, "sigma >= 0", sigma=sigma)
    expect(tau > 0, "tau_m > 0", tau_m=tau_m)
    expect(refrac >= 0, "tau_refrac >= 0", tau_refrac=tau_refrac)
    expect(reset < theta, "v_reset < v_thresh", v_reset=v_reset, v_thresh=v_thresh)
    return list(np.broadcast_arrays(mean, deviation, tau, refrac, theta, reset))


def out(value: np.ndarray) -> Any:
    """A number for an array without axes, else the array."""
    return value.item() if np.ndim(value) == 0 else value
