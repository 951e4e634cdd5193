"""What the methods of `calibrate` share: checks, the ending, the base of their results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from textwrap import wrap
from typing import TYPE_CHECKING, Any, ClassVar

import neo
import numpy as np
import pandas as pd
import quantities as pq
from scipy.stats import norm

from ...core.checks import whole
from ...core.errors import NsnnError
from ...models.connectivity import OneToOne
from ...models.network import Network
from ...models.neurons import Relay
from ...models.populations import Population, Projection
from ...models.stimuli import Recorded
from ..continuous.conditional import Parts
from ..continuous.synaptic import arrivals, arriving
from ..continuous.trials import Trial
from ..fit_codec import Saved
from ..scores import check_level
from ..synaptic_input import other_trains, silent_trials
from .free_parameters import PARTS, FreeParameters


@dataclass(frozen=True, eq=False)
class Given:
    """What a method of `calibrate` is given, as its user wrote it."""

    parts: Parts
    free: Any
    trains: Any
    t_start: Any
    t_stop: Any
    dt: float  # s
    seed: int
    progress: Any
    heads: tuple[str, ...] = PARTS


def count_spikes(trials: Sequence[Trial], names: Sequence[str], of: str = "") -> int:
    """The spikes that count, at least one for each free parameter (`of`: whose parameters, for the message)."""
    n_spikes = sum(trial.n_spikes for trial in trials)
    if n_spikes < len(names):
        raise NsnnError(
            f"trains hold {n_spikes} spikes in the time of the fit: expected at least {len(names)}, one for each free "
            f"parameter{of}, and some hundred for errors that hold"
        )
    return n_spikes


def _gain_per_spike(log_likelihood: float, trials: Sequence[Trial]) -> float:
    """Bits per spike of a log-likelihood (nats) over a neuron with a constant probability."""
    o = np.concatenate([trial.o[slice(*trial.counted)] for trial in trials])
    rate = o.mean()
    constant = o.sum() * np.log(rate) + (1 - o).sum() * np.log1p(-rate)
    return float((log_likelihood - constant) / np.log(2) / o.sum())


def scaled_covariance(n: int, inner: np.ndarray, idle: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """(n, n) with that of `inner` parameters, inf of idle ones, NaN of those at a bound."""
    scaled = np.full((n, n), np.nan)
    scaled[np.ix_(inner, inner)] = covariance
    scaled[idle, :] = scaled[:, idle] = 0.0
    scaled[idle, idle] = np.inf
    return scaled


def estimates(
    free: FreeParameters,
    u: np.ndarray,
    scaled: np.ndarray,
    trials: list[Trial],
    dt: float,
    *,
    parts: Parts | None = None,
    log_likelihood: float | None = None,
) -> dict[str, Any]:
    """The fields of `Calibrated`, and of a `SpikeCalibration` with a log-likelihood, from u and its covariance, both from 0 to 1.

    parts : those with these values, if known"""
    values, slopes = free.values(u), free.slopes(u)
    with np.errstate(invalid="ignore"):
        covariance = scaled * np.outer(slopes, slopes)
    model, noise, stimulus, *inputs = free.models(values) if parts is None else parts
    spikes = {}
    if log_likelihood is not None:
        spikes = {"log_likelihood": log_likelihood, "bits_per_spike": _gain_per_spike(log_likelihood, trials)}
    return {
        **spikes,
        "n_spikes": sum(trial.n_spikes for trial in trials),
        "dt": dt,
        "_trials": trials,
        "model": model,
        "noise": noise,
        "stimulus": stimulus,
        "inputs": dict(zip(free.heads[len(PARTS) :], inputs, strict=True)),
        "parameters": dict(zip(free.names, values.tolist(), strict=True)),
        "se": dict(zip(free.names, np.sqrt(np.diag(covariance)).tolist(), strict=True)),
        "covariance": covariance,
        "_free": free,
        "_u": u,
        "_scaled": scaled,
    }


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Calibrated(Saved):
    """A neuron with calibrated parameters and errors: the base of what `calibrate` returns."""

    model: Any
    """the neuron, with its calibrated parameters"""
    noise: Any
    stimulus: Any
    """a tuple of stimuli for several recordings"""
    inputs: dict[str, Any] = field(default_factory=dict)
    """each `SynapticInput` by name, "input" if there is one, with its calibrated parameters"""
    parameters: dict[str, float]
    """SI (s, V)"""
    se: dict[str, float]
    """standard errors, SI; inf for a parameter without effect, NaN for one at a bound"""
    covariance: np.ndarray
    """(n_parameters, n_parameters) SI; NaN in rows of parameters at a bound"""
    n_spikes: int
    dt: float
    """s"""
    flat: dict[str, str] = field(default_factory=dict)
    """by name, where the profile likelihood falls by less than 2 nats up to a bound"""
    _free: FreeParameters
    _u: np.ndarray
    _scaled: np.ndarray
    _trials: list[Trial]
    _engine: str | None = None

    takes = ()
    _RELATIVE: ClassVar[bool] = True  # voltages are, of spikes alone
    _LIMITS: ClassVar[str] = "widen its bounds, or take it out of free"
    absent: ClassVar[dict[str, str]] = {}
    """by name, what to use in place of a method that other results have"""

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            """Say what to use in place of a method that other results have."""
            message = f"{type(self).__name__!r} object has no attribute {name!r}"
            if name in self.absent:
                message = f"{name}: {self.absent[name]}"
            raise AttributeError(message, name=name, obj=self)

    def __repr__(self) -> str:
        """A row for each parameter, in the unit of its bounds; then those that were given."""
        lines = [*self._head(), *self._free.lines(self.table, self._LIMITS)]
        if given := self._free.given():
            each = [f"{name} = {value}".replace(" ", "\xa0") for name, (value, _) in given.items()]
            lines += [
                one.replace("\xa0", " ")
                for one in wrap(f"given: {', '.join(each)}", 100, subsequent_indent="  ")
            ]
            of_voltages = {"V", "ohm"} & {one.unit for one in self._free.each}
            if self._RELATIVE and of_voltages and "V" in [unit for _, unit in given.values()]:
                lines.append(
                    "spikes determine voltages only relative to each other: millivolts hold if those given are right"
                )
        return "\n".join(lines)

    def _head(self) -> list[str]:
        raise NotImplementedError

    @property
    def table(self) -> pd.DataFrame:
        """A row for each parameter: value, se, lower and upper bound in their unit; note.

        The note of a parameter at a bound says so; those of the others are then "conditional", as
        their errors hold only if its value is the bound. It also says where the likelihood is flat
        up to a bound (`flat`).
        """
        return self._free.table(self.parameters, self.se, self.flat)

    def interval(
        self, level: float = 0.95, *, method: str = "wald", names: Sequence[str] | None = None
    ) -> dict[str, tuple[Any, Any]]:
        """Confidence intervals by name, in the units of the bounds.

        They are normal (Student's t for a fit to voltage) on the scale of the fit, which is
        logarithmic for bounds a factor of 5 apart, and end at the bounds of the parameter.

        level : confidence level
        method : "wald", from standard errors
        names : of some parameters only
        """
        if method != "wald":
            raise NsnnError(f"method = {method!r}: expected 'wald', as {self.absent['profile']}")
        limits = self._wald(level)
        return self._free.intervals({name: limits[name] for name in self._chosen(names)})

    def _chosen(self, names: Sequence[str] | None) -> tuple[str, ...]:
        chosen = self._free.names if names is None else tuple(names)
        for name in chosen:
            self._index(name)
        return chosen

    def _index(self, name: str) -> int:
        if name not in self._free.names:
            raise NsnnError(f"name = {name!r}: expected one of {', '.join(self._free.names)}")
        return self._free.names.index(name)

    def _wald(self, level: float) -> dict[str, tuple[float, float]]:
        """Intervals from standard errors."""
        z = self._quantile(0.5 + check_level(level) / 2)
        error = np.sqrt(np.diag(self._scaled))
        wide = z * np.where(np.isfinite(error), error, np.inf)
        low, high = (self._free.values(np.clip(self._u + sign * wide, 0.0, 1.0)) for sign in (-1, 1))
        unbounded = np.isposinf(error) & hasattr(self, "log_likelihood")
        low, high = np.where(unbounded, -np.inf, low), np.where(unbounded, np.inf, high)
        return {name: (float(low[k]), float(high[k])) for k, name in enumerate(self._free.names)}

    def _quantile(self, upper: float) -> np.ndarray:
        """Standard errors below a fraction of the distribution of estimates, (K,) or a number."""
        return np.asarray(norm.ppf(upper))

    def _recorded(self, recording: int) -> tuple[int, Any]:
        """The number of a recording, and its stimulus."""
        several = self.stimulus if isinstance(self.stimulus, tuple) else (self.stimulus,)
        k = whole(recording, 0, "recording", len(several) - 1)
        return k, several[k]

    @property
    def _n_recordings(self) -> int | None:
        """None for one recording that is not in a list."""
        return len(self.stimulus) if isinstance(self.stimulus, tuple) else None

    def _of_recording(self, recording: int) -> list[Trial]:
        return [replace(trial, recording=0) for trial in self._trials if trial.recording == recording]

    def under(self, signal: Any, *, recording: int = 0, inputs: Any = None) -> Any:
        """The same neuron with another signal in its `Filtered` or `Recorded` stimulus, or with other input spikes.

        The gain holds for the unit of the fitted signal: a signal in another unit of the same kind
        is converted.

        recording : with several recordings, the number of the one whose stimulus is taken
        inputs : trains of the input, or a dict of trains by the names of several; None: those of the fit

        NsnnError : a stimulus without a signal, a signal of another kind
        """
        if inputs is not None:
            fit = self.under(signal, recording=recording)
            fed = other_trains(self.inputs, inputs)
            return replace(fit, inputs=fed, _trials=silent_trials(fed, fit._n_recordings, self.dt))
        if signal is None:
            return self
        stimulus = self._recorded(recording)[1]
        if not hasattr(stimulus, "signal"):
            raise NsnnError(
                f"signal: the fit has the stimulus {type(stimulus).__name__}, which has no signal to replace; leave signal "
                "out, or pass any stimulus to simulate(fit.model, fit.noise, stimulus, duration=...)"
            )
        if isinstance(signal, neo.AnalogSignal) and signal.units != stimulus.signal.units:
            try:
                signal = signal.rescale(stimulus.signal.units)
            except ValueError:
                raise NsnnError(
                    f"signal is in {signal.dimensionality}: expected a unit such as {stimulus.signal.dimensionality}, that "
                    "of the fitted signal, for which the gain holds"
                ) from None
        own: dict[str, Any] = {"stimulus": replace(stimulus, signal=signal)}
        if self.inputs and self._n_recordings is not None:
            inputs = self.inputs.items()
            own["inputs"] = {name: replace(one, trains=one.trains[recording]) for name, one in inputs}
            own["_trials"] = self._of_recording(recording)
        return replace(self, **own)

    def simulate(
        self,
        signal: Any = None,
        *,
        trials: int = 1,
        seed: int = 0,
        duration: Any = None,
        engine: str | None = None,
        recording: int = 0,
        inputs: Any = None,
    ) -> neo.Block:
        """Simulate the calibrated neuron under its stimulus, or another `signal` in it.

        `duration` is that of the longest fitted trial by default, or that of `signal`. With a
        stimulus of another kind call `simulate(fit.model, fit.noise, stimulus, duration=...)`.

        recording : with several recordings, the number of the one whose stimulus is taken
        inputs : other spikes of its synaptic inputs, as for `under`. Trial k has the input spikes of trial k of the fit, or of
            `inputs`, which are used again from the first one on; spikes before a trial have no effect
        """
        if signal is not None or inputs is not None:
            fit = self.under(signal, recording=recording, inputs=inputs)
            span = duration
            if duration is None and signal is not None:
                span = signal.t_stop - signal.t_start
                recording = 0
            return fit.simulate(trials=trials, seed=seed, duration=span, engine=engine, recording=recording)
        from brian2 import second

        from ...brian.simulate import simulate

        k, stimulus = self._recorded(recording)
        own = self._of_recording(k)
        longest = max(len(trial.o) for trial in own) * self.dt * second
        options: dict[str, Any] = {"trials": trials, "dt": self.dt * second, "seed": seed}
        if engine or self._engine:
            options["engine"] = engine or self._engine
        duration = longest if duration is None else duration
        if self.inputs:
            del options["trials"]
            parts = self.model, self.noise, stimulus
            return _simulate_driven(parts, self.inputs, own, trials, duration=duration, **options)
        return simulate(self.model, self.noise, stimulus, duration=duration, **options)


def _simulate_driven(
    parts: tuple[Any, Any, Any], inputs: Mapping[str, Any], trials: Sequence[Trial], n: int, **options: Any
) -> neo.Block:
    """n simulated trials of a neuron, noise and stimulus; trial k has the input spikes of trial k of `trials`, which repeat.

    options : of `simulate`, with duration and dt
    """
    from ...brian.simulate import simulate

    dt = float(options["dt"])
    n_steps = round(float(options["duration"]) / dt)
    neuron, noise, stimulus = parts
    cells = Population(len(trials), neuron, noise=noise, stimulus=stimulus, name="neuron")
    relays, projections = [], []
    for k, (name, one) in enumerate(inputs.items()):
        given = [arriving(one, trial.inputs[k], dt) for trial in trials]
        values = np.stack([arrivals(*spikes, 0, n_steps) for spikes in given], axis=1)
        signal = neo.AnalogSignal(values, units="dimensionless", sampling_period=dt * pq.s)
        relay = Population(len(trials), Relay(), stimulus=Recorded(signal), name=name)
        relays.append(relay)
        kind = {"weight": one.weight, "synapse": one.synapse}
        projections.append(Projection(relay, cells, rule=OneToOne(), name=name, **kind))
    block = simulate(Network([*relays, cells], projections), trials=-(-n // len(trials)), **options)
    every = [segment.spiketrains[-len(trials) :] for segment in block.segments]
    result = neo.Block(**block.annotations)
    for k in range(n):
        segment = neo.Segment(name=f"trial {k}", index=k)
        segment.spiketrains.append(every[k // len(trials)][k % len(trials)])
        result.segments.append(segment)
    return result
