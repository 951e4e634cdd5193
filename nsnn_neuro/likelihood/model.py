"""The model of a noisy neuron: log-likelihood, three-factor gradient, information, and simulated spikes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import neo
import numpy as np

from ..core.checks import one_of, positive, whole
from ..core.errors import NsnnError
from ..core.numba_jit import njit
from ..core.units import si
from ..models.escape import Family
from ..models.escape.families import dimensionless
from ..models.log_odds import Tails, curvature, tails
from .bases import Basis, check_basis
from .data import Data, check_signal_unit, drawn_block, filtered, on_steps, prepare

LARGEST = 0.9999  # |beta|, while it is fitted
RESETS = ("hard", "subtract", "none")


@dataclass(frozen=True, eq=False)
class Value:
    """The log-likelihood at one set of parameters, in nats."""

    log_likelihood: float
    gradient: np.ndarray
    """(n_parameters,)"""
    traces: np.ndarray
    """(n, n_parameters) da/dparameter"""
    potential: np.ndarray
    """(n,) a"""
    tails: Tails
    family: Family
    data: Data

    @cached_property
    def information(self) -> np.ndarray:
        """(n_parameters, n_parameters) expected Fisher information along the recorded spikes."""
        return self._weighted(self.tails.up * self.tails.down)

    @cached_property
    def curvature(self) -> np.ndarray | None:
        """(n_parameters, n_parameters) minus the second derivatives of the log-likelihood, without those of beta's trace.

        None for a family whose f' is unknown.
        """
        each = curvature(self.family, self.potential, self.tails)
        return None if each is None else self._weighted(np.where(self.data.o == 1, *each))

    def _weighted(self, weight: np.ndarray) -> np.ndarray:
        e = self.traces
        return np.asarray(e.T @ ((weight * self.data.free)[:, None] * e))


@dataclass(frozen=True, eq=False, kw_only=True)
class NeuronModel:
    """The model that `fit_neuron` fits: P(spike) = F(a), a = m + history - theta, m = beta kept + bias + stimulus.

    Parameters
    ----------
    stimulus, history : `Basis` over lags from 0 of the stimulus, and over lags from 1 of the neuron's own spikes (or None)
    theta : threshold, "fit" (needs a membrane), or None: 0 without a membrane, "fit" with one
    channels : of the stimulus
    signal_unit : unit such as pq.nA that the stimulus filter is per; signals in other units are converted to it. None: signals are
        taken as they are. `fit_neuron` sets it to that of its signal
    dt, family, beta, reset, refractory : as for `fit_neuron`; an estimate of beta may be negative

    Raises
    ------
    NsnnError : values out of range, unknown options, a threshold that can't be distinguished from the bias

    >>> from brian2 import ms
    >>> from nsnn_neuro import Gaussian
    >>> from nsnn_neuro.likelihood import Lags
    >>> NeuronModel(dt=1*ms, family=Gaussian(0.4), stimulus=Lags(1), beta="fit", theta=1.0).names
    ('bias', 'stimulus[0]', 'beta')
    """

    dt: Any
    family: Family
    stimulus: Basis
    history: Basis | None = None
    beta: float | str = 0.0
    theta: float | str | None = None
    reset: str = "hard"
    refractory: Any = None
    channels: int = 1
    signal_unit: Any = None

    def __post_init__(self) -> None:
        dimensionless(self.family, one_scale=True)
        positive(self.dt, "s", "dt")
        check_basis(self.stimulus, "stimulus")
        if self.history is not None:
            check_basis(self.history, "history")
        one_of(self.reset, RESETS, "reset")
        check_signal_unit(self.signal_unit)
        for name, value in (("beta", self.beta), ("theta", self.theta)):
            if isinstance(value, int | float | np.number) and not isinstance(value, bool):
                good = bool(np.isfinite(value))
            else:
                good = value == "fit" or (value is None and name == "theta")
            if not good:
                raise NsnnError(f'{name} = {value!r}: expected a number or "fit"')
        if isinstance(self.beta, int | float | np.number) and not 0 <= self.beta < 1:
            raise NsnnError(f"beta = {self.beta}: expected a decay for each step, from 0 to below 1")
        if self.theta == "fit" and (self.beta == 0 or self.reset == "none"):
            raise NsnnError(
                'theta = "fit": without a membrane that is reset only bias - theta matters; leave theta out'
            )
        silent = 0.0 if self.refractory is None else si(self.refractory, "s", "refractory")
        if np.ndim(silent) or not 0 <= silent < np.inf:
            raise NsnnError(f"refractory = {self.refractory}: expected one time from 0")

    # --- parameters ---

    @property
    def step(self) -> float:
        """dt in s."""
        return float(si(self.dt, "s", "dt"))

    @property
    def threshold(self) -> float | None:
        """The given theta; None when it is fitted."""
        if self.theta is None:
            return 0.0 if self.beta == 0 or self.reset == "none" else None
        return None if isinstance(self.theta, str) else float(self.theta)

    @property
    def refractory_steps(self) -> int:
        """Whole steps."""
        silent = 0.0 if self.refractory is None else float(si(self.refractory, "s", "refractory"))
        return round(silent / self.step)

    def bases(self) -> tuple[np.ndarray, np.ndarray]:
        """The functions of stimulus and history, (n_lags, n)."""
        past = np.empty((0, 0)) if self.history is None else self.history.matrix(self.step, 1)
        return self.stimulus.matrix(self.step, 0), past

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters in the order of gradients and covariances; theta and beta where they are fitted."""
        first, second = (b.shape[1] for b in self.bases())
        channels = [""] if self.channels == 1 else [f"{c}," for c in range(self.channels)]
        names = ["bias", *(f"stimulus[{c}{k}]" for c in channels for k in range(first))]
        names += [f"history[{k}]" for k in range(second)]
        return (*names, *["theta"] * (self.threshold is None), *["beta"] * (self.beta == "fit"))

    def vector(self, parameters: Any) -> np.ndarray:
        """Parameters by name, or in the order of `names`, as an array."""
        names = self.names
        if isinstance(parameters, Mapping):
            if set(parameters) != set(names):
                raise NsnnError(f"parameters has the names {sorted(parameters)}: expected {', '.join(names)}")
            parameters = [parameters[name] for name in names]
        array = np.asarray(parameters, dtype=float)
        if array.shape != (len(names),) or not np.all(np.isfinite(array)):
            raise NsnnError(
                f"parameters = {parameters!r}: expected {len(names)} finite numbers: {', '.join(names)}"
            )
        return array

    # --- likelihood ---

    def data(self, trains: Any, signal: Any, *, t_start: Any = None, t_stop: Any = None) -> Data:
        """Spikes and stimulus on the model's steps."""
        known: dict[str, Any] = {
            "dt": self.step,
            "refractory": self.refractory_steps,
            "channels": self.channels,
            "unit": self.signal_unit,
        }
        return prepare(trains, signal, self.bases(), span=(t_start, t_stop), **known)

    def log_likelihood(
        self, parameters: Any, trains: Any, signal: Any, *, t_start: Any = None, t_stop: Any = None
    ) -> tuple[float, np.ndarray]:
        """log P(O|x) in nats and its gradient (n_parameters,), three factors summed over steps; arguments as of `fit_neuron`.

        >>> import neo, quantities as pq
        >>> from nsnn_neuro import Logistic
        >>> from nsnn_neuro.likelihood import Lags
        >>> signal = neo.AnalogSignal([0.0, 1.0, 0.0], units=pq.dimensionless, sampling_period=1*pq.ms)
        >>> model = NeuronModel(dt=1*pq.ms, family=Logistic(1.0), stimulus=Lags(1))
        >>> value, gradient = model.log_likelihood({"bias": 0.0, "stimulus[0]": 0.0}, [[0.001]], signal)
        >>> round(value, 6), gradient.tolist()
        (-2.079442, [-0.5, 0.5])
        """
        data = self.data(trains, signal, t_start=t_start, t_stop=t_stop)
        value = self.evaluate(self.vector(parameters), data)
        return value.log_likelihood, value.gradient

    def traces(self, beta: float, data: Data) -> tuple[np.ndarray, np.ndarray]:
        """da/dparameter of all but beta, (n, n_linear), and da/dtheta (n,), at this beta, spikes held fixed."""
        o, n = data.before, len(data.o)
        reset = -beta * o if self.reset == "subtract" else np.zeros(n)
        inputs = np.column_stack([np.ones(n), data.drive, reset])
        through = leak(inputs, self.kept(data), beta)
        threshold = through[:, -1] - 1.0
        linear = np.concatenate([through[:, :-1], data.history], axis=1)
        if self.threshold is None:
            linear = np.concatenate([linear, threshold[:, None]], axis=1)
        return linear, threshold

    def kept(self, data: Data) -> np.ndarray:
        """(n,) the share of m that remains from the step before: 0 at a trial's start and after a hard reset."""
        alive = np.where(data.begins, 0.0, 1.0)
        return alive * (1 - data.before) if self.reset == "hard" else alive

    def evaluate(
        self, p: np.ndarray, data: Data, linear: tuple[np.ndarray, np.ndarray] | None = None
    ) -> Value:
        """Log-likelihood and gradient, with information and curvature on demand; `linear`: the traces, if known."""
        fitted = self.beta == "fit"
        beta = float(p[-1]) if fitted else float(self.beta)
        e, threshold = self.traces(beta, data) if linear is None else linear
        a = e @ (p[:-1] if fitted else p)
        theta = self.threshold
        if theta is not None:
            a = a + theta * threshold
        elif fitted:
            theta = float(p[-2])
        if fitted:
            n_history = data.history.shape[1]
            m = a + theta - data.history @ p[1 + data.drive.shape[1] :][:n_history]
            before = np.concatenate([[0.0], m[:-1]]) * self.kept(data)
            if self.reset == "subtract":
                before = before - theta * data.before
            e = np.concatenate([e, leak(before[:, None], self.kept(data), beta)], axis=1)
        parts = tails(self.family, a)
        signal = np.where(data.o == 1, parts.up, -parts.down)  # minus the learning signal, times the density
        logs = np.where(data.o == 1, parts.log_spike, parts.log_silence)
        free = data.free
        if not free.all():
            signal = signal * free
        return Value(float(logs[free].sum()), e.T @ signal, e, a, parts, self.family, data)

    def probability(self, p: np.ndarray, data: Data) -> tuple[np.ndarray, np.ndarray]:
        """(n,) log(1 - P(spike)) and log-likelihood of each step; both 0 while refractory."""
        at = self.evaluate(p, data).tails
        logs = np.where(data.o == 1, at.log_spike, at.log_silence)
        return np.where(data.free, at.log_silence, 0.0), np.where(data.free, logs, 0.0)

    # --- spikes ---

    def simulate(
        self, parameters: Any, signal: neo.AnalogSignal, *, trials: int = 1, seed: int = 0
    ) -> neo.Block:
        """Spikes drawn from the model under `signal`: a Block with one segment per trial; a spike in step k is stamped k dt.

        parameters : by name, or in the order of `names`; signal : neo.AnalogSignal, which every trial lasts as long as

        >>> import quantities as pq
        >>> from nsnn_neuro import Logistic
        >>> from nsnn_neuro.likelihood import Lags
        >>> signal = neo.AnalogSignal([0.0, 900.0, 0.0], units=pq.dimensionless, sampling_period=1*pq.ms)
        >>> model = NeuronModel(dt=1*pq.ms, family=Logistic(1.0), stimulus=Lags(1))
        >>> model.simulate([-50.0, 1.0], signal, trials=2).segments[1].spiketrains[0].times
        array([0.001]) * s
        """
        p = self.vector(parameters)
        steps = on_steps(signal, self.step, self.channels, unit=self.signal_unit)
        whole(trials, 1, "trials")
        first, second = self.bases()
        columns = filtered(steps, first)
        n_stimulus = columns.shape[1]
        drive = p[0] + columns @ p[1 : 1 + n_stimulus]
        kernel = second @ p[1 + n_stimulus :][: second.shape[1]]
        spikes = self._draw(p, drive, kernel, trials, np.random.default_rng(seed))
        named = dict(zip(self.names, p.tolist(), strict=True))
        return drawn_block(steps, spikes, (len(drive), trials, 1), seed, named)

    def _draw(
        self, p: np.ndarray, drive: np.ndarray, kernel: np.ndarray, trials: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Step, trial and neuron (0) of each spike, (3, n_spikes)."""
        fitted = self.beta == "fit"
        beta = float(p[-1]) if fitted else float(self.beta)
        theta = float(p[-2] if fitted else p[-1]) if self.threshold is None else self.threshold
        n, silent = len(drive), self.refractory_steps
        scale = np.asarray(self.family.si(self.family.parameter_fields()[0].name))
        past, m, last = np.zeros((n, trials)), np.zeros(trials), np.full(trials, -np.inf)
        drawn = [np.empty((3, 0), dtype=int)]
        for t in range(n):
            m = beta * m + drive[t]
            p_spike = self.family._cdf(m + past[t] - theta, scale)
            spikes = np.flatnonzero((rng.random(trials) < p_spike) & (t - last > silent))
            if spikes.size:
                drawn.append(np.stack([np.full_like(spikes, t), spikes, np.zeros_like(spikes)]))
                last[spikes] = t
                later = slice(t + 1, t + 1 + len(kernel))
                past[later, spikes] += kernel[: n - t - 1, None]
                if self.reset == "hard":
                    m[spikes] = 0.0
                elif self.reset == "subtract":
                    m[spikes] -= theta
        return np.concatenate(drawn, axis=1)


@njit(cache=True)
def leak(inputs: np.ndarray, kept: np.ndarray, beta: float) -> np.ndarray:
    """y(t) = inputs(t) + beta kept(t) y(t - 1), (n, k)."""
    y = inputs.copy()
    if beta != 0.0:
        for t in range(1, len(inputs)):
            factor = beta * kept[t]
            if factor != 0.0:
                for k in range(inputs.shape[1]):
                    y[t, k] += factor * y[t - 1, k]
    return y
