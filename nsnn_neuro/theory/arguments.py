"""Arguments of the closed forms: quantities or plain numbers in, SI float arrays out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core import units
from ..core.errors import NsnnError
from ..models.noise import SQRT2


def plain(value: Any, name: str) -> np.ndarray:
    """A quantity or a plain number as SI floats."""
    return np.asarray(
        units.si(value, unit, name) if (unit := units.unit_of(value)) != "?" else value, dtype=float
    )


def voltages(**named: Any) -> list[np.ndarray]:
    """Voltages, or all of them plain numbers, as SI float arrays."""
    given = {name: units.unit_of(v) for name, v in named.items()}
    if len(set(given.values())) > 1 or not set(given.values()) <= {"V", "1"}:
        raise NsnnError(
            f"{', '.join(named)} have units {given}: expected the same unit for all, voltages or plain numbers"
        )
    return [plain(v, n) for n, v in named.items()]


def times(**named: Any) -> list[np.ndarray]:
    """Times and the frequency `f`, or all of them plain numbers, as SI float arrays."""
    unit = {name: {"Hz": "s"}.get(units.unit_of(v), units.unit_of(v)) for name, v in named.items()}
    wrong = {n for n, v in named.items() if (n == "f") != (units.unit_of(v) == "Hz") and unit[n] != "1"}
    if wrong or len(set(unit.values())) > 1 or not set(unit.values()) <= {"s", "1"}:
        shown = ", ".join(f"{name} = {value}" for name, value in named.items())
        raise NsnnError(f"{shown}: expected times (and for f a frequency), or plain numbers for all of them")
    return [plain(v, n) for n, v in named.items()]


def expect(condition: Any, rule: str, **shown: Any) -> None:
    """Raise NsnnError with the values `shown` and the `rule` unless the condition is true everywhere."""
    if not np.all(condition):
        raise NsnnError(
            ", ".join(f"{name} = {value}" for name, value in shown.items()) + f": expected {rule}"
        )


def function(value: Any, name: str, example: str) -> None:
    """Raise NsnnError unless `value` can be called."""
    if not callable(value):
        raise NsnnError(f"{name} = {value}: expected a function such as {example}")


class Problem(NamedTuple):
    """A neuron with a hard threshold in white noise, and its drive: SI arrays of one shape, or plain numbers."""

    mu: np.ndarray
    sigma: np.ndarray
    tau: np.ndarray
    refrac: np.ndarray
    theta: np.ndarray
    reset: np.ndarray

    @property
    def distance(self) -> np.ndarray:
        """From reset to threshold."""
        return self.theta - self.reset

    def limits(self) -> tuple[np.ndarray, np.ndarray]:
        """(v_reset - mu) / sigma_B and (v_thresh - mu) / sigma_B, sigma_B = sqrt(2) sigma; not scaled where sigma = 0."""
        scale = np.where(self.sigma > 0, SQRT2 * self.sigma, 1.0)
        return (self.reset - self.mu) / scale, (self.theta - self.mu) / scale


def problem(mu: Any, sigma: Any, *, tau_m: Any, v_thresh: Any, v_reset: Any, tau_refrac: Any) -> Problem:
    """The arguments of `siegert_rate` and its like, checked and broadcast.

    Raises
    ------
    NsnnError : wrong or mixed units; sigma, tau_m, tau_refrac or v_reset out of range
    """
    mean, deviation, theta, reset = voltages(mu=mu, sigma=sigma, v_thresh=v_thresh, v_reset=v_reset)
    tau, refrac = neuron_times(tau_m, tau_refrac)
    expect(deviation >= 0, "sigma >= 0", sigma=sigma)
    expect(reset < theta, "v_reset < v_thresh", v_reset=v_reset, v_thresh=v_thresh)
    return Problem(*np.broadcast_arrays(mean, deviation, tau, refrac, theta, reset))


def neuron_times(tau_m: Any, tau_refrac: Any, **more: Any) -> list[np.ndarray]:
    """tau_m > 0 and tau_refrac >= 0; `more` are times or f, checked for their unit only."""
    tau, refrac, *others = times(tau_m=tau_m, tau_refrac=tau_refrac, **more)
    expect(tau > 0, "tau_m > 0", tau_m=tau_m)
    expect(refrac >= 0, "tau_refrac >= 0", tau_refrac=tau_refrac)
    return [tau, refrac, *others]


def out(value: np.ndarray) -> Any:
    """A number instead of an array without axes."""
    return value.item() if np.ndim(value) == 0 else value
