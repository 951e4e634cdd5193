"""Arguments of the closed forms: quantities or plain numbers in, SI float arrays out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..core import units
from ..core.errors import NsnnError
from ..models.noise import SQRT2


def plain(value: Any, name: str) -> np.ndarray:
    """A quantity or a plain number as SI floats."""
    unit = units.unit_of(value)
    return np.asarray(value if unit == "?" else units.si(value, unit, name), dtype=float)


def voltages(**named: Any) -> list[np.ndarray]:
    """Voltages, or all of them plain numbers, as SI float arrays."""
    return _in_units("V", named)


def times(**named: Any) -> list[np.ndarray]:
    """Times and the frequency `f`, or all of them plain numbers, as SI float arrays."""
    return _in_units("s", named)


def _in_units(unit: str, named: dict[str, Any]) -> list[np.ndarray]:
    given = {name: units.unit_of(value) for name, value in named.items()}
    for name, value in named.items():
        expected = "Hz" if name == "f" else unit
        if given[name] != expected and set(given.values()) != {"1"}:
            missing = " has no unit" if given[name] == "1" else ""
            raise NsnnError(
                f"{name} = {value}{missing}: expected {units.describe(expected)}, or plain numbers for {', '.join(named)}"
                + units.from_current(value, expected)
            )
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
    """The arguments of `siegert_rate` and its like, checked and broadcast."""
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
