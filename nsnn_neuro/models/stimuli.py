"""Stimuli: the drive of a neuron over time, in the unit of the membrane (a voltage R I, or dimensionless).

A stimulus is a text in `t`, `dt` and the names of its parameters (`Constant`, `Step`, `Sinusoid`), or samples on the time grid of
the simulation (`FrozenNoise`, `Recorded`, `Filtered`). The drive is constant over a step.
"""

from __future__ import annotations

import dataclasses
import math
from functools import partial
from typing import Any, ClassVar

import neo
import numpy as np
import quantities as pq

from ..core import units
from ..core.checks import instance, whole
from ..core.errors import NsnnError
from ..core.parameters import Model, Scalars, checked, parameter
from .neurons.expressions import value_of

__all__ = ["Constant", "Filtered", "FrozenNoise", "Recorded", "Sinusoid", "Step", "Stimulus", "Transduced"]


class Stimulus(Model):
    """Base of the stimuli: `text` in Brian2's syntax, or None for a stimulus that is defined by its samples.

    >>> from nsnn_neuro import Constant, Stimulus
    >>> isinstance(Constant(1.5), Stimulus), Constant(1.5).samples(2, 0.001).tolist()
    (True, [1.5, 1.5])
    """

    text: ClassVar[str | None] = None

    @property
    def drive_unit(self) -> str:
        """The unit of the drive: "V" or "1"."""
        return self.unit(self.parameter_fields()[0].name)

    def samples(self, n_steps: int, dt: float) -> np.ndarray:
        """The drive at k dt in SI, shape (n_steps,), or (n_steps, n_neurons) if a parameter is an array."""
        names = {field.name: self.si(field.name) for field in self.parameter_fields()}
        time = {"t": np.arange(n_steps)[:, None] * dt, "dt": dt}
        values = None if self.text is None else value_of(self.text, names | time)
        if values is None:
            raise NotImplementedError
        return _squeeze(np.atleast_2d(values), n_steps)


def _squeeze(values: np.ndarray, n_steps: int) -> np.ndarray:
    values = np.broadcast_to(values, (n_steps, *np.shape(values)[1:]))
    return values[:, 0] if values.shape[1] == 1 else values


@dataclasses.dataclass(frozen=True, eq=False)
class Constant(Stimulus):
    """Constant drive v.

    v : scalar or (n_neurons,), voltage or dimensionless

    >>> Constant(0.5).samples(3, 1e-3).tolist()
    [0.5, 0.5, 0.5]
    """

    v: Any = parameter("V", "1")
    text: ClassVar[str | None] = "v"


@dataclasses.dataclass(frozen=True, eq=False)
class Step(Stimulus):
    """Step: v from t_on (included) to t_off (excluded), 0 elsewhere; both times are rounded to the nearest step.

    v : scalar or (n_neurons,), voltage or dimensionless
    t_on, t_off : times, t_on before t_off

    >>> from brian2 import ms, mV
    >>> (1e3 * Step(5*mV, 1*ms, 3*ms).samples(5, 1e-3)).tolist()
    [0.0, 5.0, 5.0, 0.0, 0.0]
    """

    v: Any = parameter("V", "1")
    t_on: Any = parameter("s")
    t_off: Any = parameter("s")
    text: ClassVar[str | None] = "v * int(t >= t_on - 0.5 * dt) * int(t < t_off - 0.5 * dt)"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._in_order("t_on", "t_off")


@dataclasses.dataclass(frozen=True, eq=False)
class Sinusoid(Stimulus):
    """Sinusoid: mean + amplitude sin(2 pi frequency t + phase).

    mean, amplitude : scalar or (n_neurons,), voltage or dimensionless, same unit for both
    frequency : scalar or (n_neurons,), >= 0
    phase : scalar or (n_neurons,), radians

    >>> from brian2 import Hz
    >>> Sinusoid(1.0, 0.5, 250*Hz).samples(4, 1e-3).round(12).tolist()
    [1.0, 1.5, 1.0, 0.5]
    """

    mean: Any = parameter("V", "1")
    amplitude: Any = parameter("V", "1")
    frequency: Any = parameter("Hz", bound="non-negative")
    phase: Any = parameter("1", default=0.0)
    text: ClassVar[str | None] = "mean + amplitude * sin(2 * pi * frequency * t + phase)"

    def __post_init__(self) -> None:
        super().__post_init__()
        self._same_unit("mean", "amplitude")


@dataclasses.dataclass(frozen=True, eq=False)
class FrozenNoise(Scalars, Stimulus):
    """Frozen noise: one Ornstein-Uhlenbeck path, identical in every trial, with mean, standard deviation and correlation time.

    The path depends on `seed` and dt only; it starts from the stationary distribution.

    mean, sigma : scalars, voltage or dimensionless, same unit for both; sigma >= 0
    tau_noise : scalar, time > 0
    seed : integer

    Source: Mainen & Sejnowski 1995, doi 10.1126/science.7770778 (the experiment)

    >>> from brian2 import ms
    >>> one, two = FrozenNoise(0.0, 1.0, 5*ms, seed=3), FrozenNoise(0.0, 1.0, 5*ms, seed=3)
    >>> bool((one.samples(100, 1e-4) == two.samples(100, 1e-4)).all())
    True
    """

    mean: Any = parameter("V", "1")
    sigma: Any = parameter("V", "1", bound="non-negative")
    tau_noise: Any = parameter("s", bound="positive")
    seed: int = checked(partial(whole, least=0))

    def __post_init__(self) -> None:
        super().__post_init__()
        self._same_unit("mean", "sigma")

    def samples(self, n_steps: int, dt: float) -> np.ndarray:
        """The drive at k dt; see `Stimulus.samples`."""
        from scipy.signal import lfilter

        z = np.random.Generator(np.random.PCG64(self.seed)).standard_normal(n_steps)
        decay = np.exp(-dt / self.si("tau_noise"))
        z[1:] *= np.sqrt(1 - decay**2)
        return self.si("mean") + self.si("sigma") * lfilter([1.0], [1.0, -decay], z)


@dataclasses.dataclass(frozen=True, eq=False)
class Recorded(Stimulus):
    """Recorded signal: samples longer than dt are repeated, shorter ones averaged.

    The first sample is at time 0, the start of the trial; a run that continues another one reads on. Either of sampling
    period and dt must be a whole multiple of the other.

    signal : neo.AnalogSignal in volts or dimensionless, one channel or n_neurons channels

    >>> import neo, quantities as pq
    >>> s = neo.AnalogSignal([[1.0], [2.0]], units="mV", sampling_period=2*pq.ms)
    >>> (1e3 * Recorded(s).samples(4, 1e-3)).tolist()
    [1.0, 1.0, 2.0, 2.0]
    """

    signal: neo.AnalogSignal

    def __post_init__(self) -> None:
        instance(self.signal, neo.AnalogSignal, "signal", "a neo.AnalogSignal")
        unit = units.unit_of(self.signal)
        if unit not in ("V", "1"):
            raise NsnnError(
                f"signal has unit {self.signal.dimensionality}: expected a voltage or a dimensionless signal"
                + ("; for a current use Filtered(signal, gain=100*Mohm)" if unit == "A" else "")
            )
        values = np.asarray(units.si(self.signal, unit, "signal"))
        if not np.isfinite(values).all():
            raise NsnnError("signal has infinite values: expected finite values")

    @property
    def drive_unit(self) -> str:
        """The unit of the drive: "V" or "1"."""
        return units.unit_of(self.signal)

    def samples(self, n_steps: int, dt: float) -> np.ndarray:
        """The drive at k dt; see `Stimulus.samples`."""
        period = units.si(self.signal.sampling_period, "s", "signal")
        values = np.asarray(units.si(self.signal, self.drive_unit, "signal"), dtype=float)
        repeat, average = round(period / dt), round(dt / period)
        if repeat >= 1 and abs(repeat * dt - period) < 1e-6 * dt:
            values = np.repeat(values, repeat, axis=0)
        elif average >= 1 and abs(average * period - dt) < 1e-6 * period:
            n = len(values) // average
            values = values[: n * average].reshape(n, average, -1).mean(axis=1)
        else:
            raise NsnnError(
                f"signal has a sampling period of {period:g} s and dt = {dt:g} s: expected one to be a whole multiple of the "
                "other (resample the signal, or choose another dt)"
            )
        if len(values) < n_steps:
            raise NsnnError(
                f"signal lasts {len(values) * dt:g} s: expected a signal until the end of the run, {n_steps * dt:g} s (shorten "
                "duration)"
            )
        return _squeeze(values[:n_steps], n_steps)

    def describe(self) -> dict[str, Any]:
        """The stimulus as plain data, without the samples (they are in the Block as the signal "stimulus")."""
        return {"type": "Recorded", **_described(self.signal)}


def _described(signal: neo.AnalogSignal) -> dict[str, Any]:
    rate = units.si(signal.sampling_rate, "Hz", "signal")
    return {"signal": str(signal.name or ""), "sampling_rate": {"value": rate, "unit": "Hz"}}


def samples_needed(values: np.ndarray, period: float, delay: float, n_steps: int, dt: float) -> np.ndarray:
    """The first of the samples, `period` s apart, on which steps that begin `delay` s before them depend.

    Raises
    ------
    NsnnError : too few

    >>> samples_needed(np.arange(5.0), 1e-3, 0.0, 2, 1e-3)
    array([0., 1., 2.])
    """
    last = n_steps * dt - delay
    if last > len(values) * period * (1 + 1e-9):
        raise NsnnError(
            f"signal lasts {len(values) * period:g} s: expected at least the duration of {n_steps * dt:g} s less the delay "
            f"(shorten duration)"
        )
    return values[: max(1, math.ceil(last / period) + 1)]


def low_pass(values: np.ndarray, period: float, tau: float) -> np.ndarray:
    """Means over sampling periods of y, tau dy/dt = x - y, where x is each of the values for a period; y starts at the first.

    >>> low_pass(np.array([0.0, 1.0, 1.0]), 1e-3, 1e-3).round(3).tolist()
    [0.0, 0.368, 0.767]
    """
    from scipy.signal import lfilter

    gone = -np.expm1(-period / tau)  # of the distance to x in a period
    start = lfilter([0.0, gone], [1.0, gone - 1.0], values, zi=values[:1])[0]
    return np.asarray(values + (start - values) * (gone * tau / period))


class HeldSignal(Scalars, Stimulus):
    """Base of stimuli with a `signal` of which each sample is held for its period, and a gain and an offset."""

    signal: neo.AnalogSignal

    @property
    def drive_unit(self) -> str:
        """The unit of the drive: "V" or "1"."""
        return self.unit("offset")

    def held(self, values: np.ndarray, period: float) -> np.ndarray:
        """What the gain multiplies in each sampling period (s), from the samples (n,)."""
        raise NotImplementedError

    def areas(self, n_steps: int, dt: float) -> tuple[np.ndarray, float]:
        """The integral over each step of what the gain multiplies, in sampling periods, (n_steps,), and this period in s.

        Before the delay it is the first value."""
        from .step_areas import areas

        period = units.si(self.signal.sampling_period, "s", "signal")
        time = period, self.si("delay"), n_steps, dt
        values = samples_needed(np.asarray(self.signal.magnitude, dtype=float)[:, 0], *time)
        return areas(self.held(values, period), *time), period

    def samples(self, n_steps: int, dt: float) -> np.ndarray:
        """The drive of step k; see `Stimulus.samples`."""
        return self.scaled(*self.areas(n_steps, dt), dt)

    def scaled(self, areas: np.ndarray, period: float, dt: float) -> np.ndarray:
        """The drive, given `areas`, which do not depend on gain and offset."""
        result = self.si("gain") * areas
        result *= period  # in place: fits scale millions of steps for each row of parameters
        result /= dt
        result += self.si("offset")
        return np.asarray(result)

    def describe(self) -> dict[str, Any]:
        """The stimulus as plain data, without the samples (the drive is in the Block as the signal "stimulus")."""
        return super().describe() | _described(self.signal)


@dataclasses.dataclass(frozen=True, eq=False)
class Filtered(HeldSignal):
    """Recorded signal through a gain, an offset, a delay and a low-pass filter: offset + gain y(t - delay), tau dy/dt = signal - y.

    Each sample is held for its period, and a step has the mean over its length, so that the drive is continuous in the delay.
    Before its start the signal has its first value. Without tau y is the signal. Use it for a recorded stimulus whose unit is
    another than that of the membrane: that of a sensory cell, or a current that is injected, with the resistance of the membrane
    as its gain.

    signal : neo.AnalogSignal of one channel, in any unit; its first sample is at the start of the trial
    gain : scalar, voltage or dimensionless, for one unit of the signal (for a signal in mV/mm: per mV/mm); or, for a signal that is
        a current, a resistance, as in `Filtered(current, gain=100*Mohm)`
    offset : scalar, voltage or dimensionless as the membrane, default 0
    delay : scalar, time >= 0
    tau : scalar, time >= 0, default 0: time constant of what filters the stimulus before the membrane does

    >>> import neo, quantities as pq
    >>> s = neo.AnalogSignal([1.0, 2.0, 4.0], units="um", sampling_period=1*pq.ms)
    >>> Filtered(s, gain=2.0, offset=0.5, delay=0.5*pq.ms).samples(3, 1e-3).tolist()
    [2.5, 3.5, 6.5]
    >>> Filtered(s, gain=2.0, tau=1*pq.ms).samples(3, 1e-3).round(3).tolist()
    [2.0, 2.736, 5.006]
    >>> current = neo.AnalogSignal([100.0, 200.0], units="pA", sampling_period=1*pq.ms)
    >>> (1e3 * Filtered(current, gain=50e6*pq.ohm).samples(2, 1e-3)).round(6).tolist()
    [5.0, 10.0]
    """

    signal: neo.AnalogSignal
    # not `parameter`, which has no resistances: those of neurons are counted in their voltages
    gain: Any = dataclasses.field(metadata={"units": ("V", "1", "ohm"), "bound": "any"}, kw_only=True)
    offset: Any = parameter("V", "1", default=None, kw_only=True)
    delay: Any = parameter("s", bound="non-negative", default=0 * pq.s, kw_only=True)
    tau: Any = parameter("s", bound="non-negative", added=True, default=0 * pq.s, kw_only=True)

    def __post_init__(self) -> None:
        ohmic = units.unit_of(self.gain) == "ohm"
        if self.offset is None:
            volts = ohmic or units.unit_of(self.gain) == "V"
            object.__setattr__(self, "offset", units.pq_quantity(0.0, "V") if volts else 0.0)
        super().__post_init__()
        if not ohmic:
            self._same_unit("gain", "offset")
        elif self.unit("offset") != "V":
            raise NsnnError(
                f"offset = {self.offset}: expected {units.describe('V')}, as a current times gain = {self.gain} is a voltage"
            )
        instance(self.signal, neo.AnalogSignal, "signal", "a neo.AnalogSignal")
        if self.signal.shape[1] != 1 or not self.signal.shape[0]:
            raise NsnnError(
                f"signal has {self.signal.shape[1]} channels of {self.signal.shape[0]} samples: expected one channel, such as "
                "signal[:, :1], with samples"
            )
        if not np.isfinite(self.signal.magnitude).all():
            raise NsnnError("signal has infinite or NaN values: expected finite values")
        if ohmic and units.unit_of(self.signal) != "A":
            raise NsnnError(
                f"gain = {self.gain} and a signal in {self.signal.dimensionality}: expected a signal in a unit of current, such as "
                "pA, for a gain that is a resistance; for other signals the gain is the voltage for one unit of them"
            )

    def held(self, values: np.ndarray, period: float) -> np.ndarray:
        """The signal through the filter; see `HeldSignal.held`."""
        if self.unit("gain") == "ohm":
            values = values * units.si(pq.Quantity(1.0, self.signal.units), "A", "signal")
        return low_pass(values, period, tau) if (tau := self.si("tau")) > 0 else values


@dataclasses.dataclass(frozen=True, eq=False)
class Transduced(HeldSignal):
    """Recorded signal through a receptor that saturates and adapts: offset + gain (r(t - delay) - adaptation m(t - delay)).

    r = 1 / (1 + exp(-(signal - middle) / width)); of a level in dB it is a Hill function of the amplitude. m is the running average
    of r, tau_adaptation dm/dt = r - m. A cell with adaptation 1 responds to changes only. The average starts at the first r; delay
    and steps are as in `Filtered`, which has neither saturation nor adaptation.

    signal : neo.AnalogSignal of one channel, in any unit; its first sample is at the start of the trial
    gain, offset : scalars, voltage or dimensionless, same unit for both
    middle, width : scalars, in the signal's unit; width > 0
    adaptation : scalar from 0 to 1, default 0
    tau_adaptation : scalar, time > 0
    delay : scalar, time >= 0

    Source: Gollisch & Herz 2004, doi 10.1523/JNEUROSCI.0398-04.2004 (input-driven adaptation of auditory receptors)

    >>> import neo, quantities as pq
    >>> level = neo.AnalogSignal([0.0, 0.0, 9.0], units="dimensionless", sampling_period=1*pq.ms)
    >>> Transduced(level, gain=2.0, offset=1.0, middle=0.0, width=0.1).samples(3, 1e-3).round(3).tolist()
    [2.0, 2.0, 3.0]
    """

    signal: neo.AnalogSignal
    gain: Any = parameter("V", "1", kw_only=True)
    offset: Any = parameter("V", "1", kw_only=True)
    middle: Any = parameter("1", kw_only=True)
    width: Any = parameter("1", bound="positive", kw_only=True)
    adaptation: Any = parameter("1", bound="fraction", default=0.0, kw_only=True)
    tau_adaptation: Any = parameter("s", bound="positive", default=10 * pq.ms, kw_only=True)
    delay: Any = parameter("s", bound="non-negative", default=0 * pq.s, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self._same_unit("gain", "offset")
        Filtered(self.signal, gain=self.gain, offset=self.offset, delay=self.delay)  # checks the signal

    def held(self, values: np.ndarray, period: float) -> np.ndarray:
        """The adapted response; see `HeldSignal.held`."""
        from scipy.signal import lfilter

        x = (values - self.si("middle")) / self.si("width")
        response = 1 / (1 + np.exp(-np.clip(x, -700, 700)))
        keep = np.exp(-period / self.si("tau_adaptation"))
        mean = lfilter([1 - keep], [1, -keep], response, zi=[keep * response[0]])[0]
        return np.asarray(response - self.si("adaptation") * mean)
