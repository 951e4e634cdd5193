"""The model of a noisy neuron: likelihood, three-factor gradient, simulated spikes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import neo
import numpy as np

from ..core.aliases import Signal, SpikeSource, Time
from ..core.checks import instance, number, one_of, positive, scalar, whole
from ..core.errors import NsnnError
from ..core.units import si
from ..io.spikes import Trains
from ..models.escape import Family
from .bases import Lags, as_basis
from .coupling import check_products, input_columns, multiplied, read_inputs, spike_columns
from .data import Data, Steps, check_signal_unit, drawn_block, filtered, on_steps, prepare
from .drawing import Cells, draw
from .responses import NegativeBinomial, Poisson, Value, check_family, evaluated, leak

LARGEST = 0.9999  # |beta|, while it is fitted
RESETS = ("hard", "subtract", "none")


@dataclass(frozen=True, eq=False, kw_only=True)
class NeuronModel:
    """The model that `fit_neuron` fits: P(spike) = F(a), a = m + history - theta.

    The membrane is m = beta kept + bias + stimulus + coupling.

    Parameters
    ----------
    stimulus, history : `Basis`, or number, of lags from 0 of the stimulus, and of lags from 1 of
        the neuron's own spikes, or None
    coupling : the same for the spikes of other neurons, or a list with one for each of them, or None
    first_input_lag : their first lag, 1, or 0 for neurons whose spikes act within a step
    n_inputs : number of these neurons
    products : pairs of "stimulus" and "coupling", whose filtered values are multiplied
    theta : threshold, "fit" (needs a membrane), or None: 0 without a membrane, "fit" with one
    channels : of the stimulus
    signal_unit : unit such as pq.nA that the stimulus filter is per; signals in other units are
        converted to it. None: signals are taken as they are. `fit_neuron` sets it to that of its
        signal
    dt, family, beta, reset, refractory : as for `fit_neuron`; an estimate of beta may be negative

    Raises
    ------
    NsnnError : values out of range, unknown options, a threshold that can't be distinguished from
        the bias

    >>> from brian2 import ms
    >>> from nsnn_neuro import Gaussian
    >>> from nsnn_neuro.likelihood import Lags
    >>> NeuronModel(dt=1*ms, family=Gaussian(0.4), stimulus=Lags(1), beta="fit", theta=1.0).names
    ('bias', 'stimulus[0]', 'beta')
    """

    dt: Any
    family: Family | Poisson
    stimulus: Any = None
    history: Any = None
    coupling: Any = None
    first_input_lag: int = 1
    n_inputs: int = 0
    products: tuple[tuple[str, str], ...] = ()
    beta: float | str = 0.0
    theta: float | str | None = None
    reset: str = "hard"
    refractory: Any = None
    channels: int = 1
    signal_unit: Any = None

    def __post_init__(self) -> None:
        check_family(self.family)
        positive(self.dt, "s", "dt")
        for name in ("stimulus", "history"):
            object.__setattr__(self, name, as_basis(getattr(self, name), name))
        whole(self.n_inputs, 0, "n_inputs")
        whole(self.first_input_lag, 0, "first_input_lag", 1)
        self._check_coupling()
        for name, value in (("beta", self.beta), ("theta", self.theta)):
            fitted = isinstance(value, str) and value == "fit"
            if not fitted and not (value is None and name == "theta"):
                number(value, name, 'a number or "fit"')
                instance(value, int | float | np.number, name, 'a number or "fit"')  # no array
        if isinstance(self.family, Poisson) and self.beta != 0:
            raise NsnnError(
                f"beta = {self.beta!r}: a model of counts has no membrane, leave beta out or take a family such as Gaussian(1.0)"
            )
        one_of(self.reset, RESETS, "reset")
        check_signal_unit(self.signal_unit)
        if isinstance(self.beta, int | float | np.number) and not 0 <= self.beta < 1:
            raise NsnnError(f"beta = {self.beta}: expected a decay for each step, from 0 to below 1")
        if self.theta == "fit" and (self.beta == 0 or self.reset == "none"):
            raise NsnnError('theta = "fit": without a reset only bias - theta matters; leave theta out')
        if self.refractory is not None:
            scalar(self.refractory, "s", "refractory", least=0)

    def _check_coupling(self) -> None:
        coupling: Any = self.coupling
        if isinstance(coupling, list | tuple):
            coupling = tuple(as_basis(one, f"coupling[{k}]") for k, one in enumerate(coupling))
        else:
            coupling = as_basis(coupling, "coupling")
        _check_both("coupling", coupling, "inputs", self.n_inputs > 0)
        if isinstance(coupling, tuple) and len(coupling) != self.n_inputs:
            raise NsnnError(
                f"coupling has {len(coupling)} bases: expected one for all inputs, or one for each of {self.n_inputs}"
            )
        object.__setattr__(self, "coupling", coupling)
        object.__setattr__(self, "products", check_products(self.products))
        without = {"stimulus": self.stimulus is None, "coupling": self.coupling is None}
        for one in (kind for pair in self.products for kind in pair):
            if without[one]:
                raise NsnnError(f"products = {self.products}: the model has no {one} to multiply")

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

    @property
    def fits_dispersion(self) -> bool:
        """Whether the dispersion is a parameter."""
        return isinstance(self.family, NegativeBinomial) and self.family.dispersion is None

    def at_dispersion(self, dispersion: float) -> NeuronModel:
        """The model with this dispersion, which then is no parameter."""
        return replace(self, family=NegativeBinomial(dispersion))

    def bases(self) -> tuple[np.ndarray, np.ndarray]:
        """The functions of stimulus and history, (n_lags, n)."""
        none = np.empty((0, 0))
        past = none if self.history is None else self.history.matrix(self.step, 1)
        return none if self.stimulus is None else self.stimulus.matrix(self.step, 0), past

    def coupling_bases(self) -> list[np.ndarray]:
        """The functions of each input neuron, (n_lags, n), lags from `first_input_lag`."""
        bases = self.coupling if isinstance(self.coupling, tuple) else (self.coupling,) * self.n_inputs
        return [basis.matrix(self.step, self.first_input_lag) for basis in bases if basis is not None]

    @cached_property
    def drive_names(self) -> tuple[str, ...]:
        """The columns of `Data.drive`: of the stimulus, of the input neurons, and products."""
        n = self.bases()[0].shape[1]
        channels = [""] if self.channels == 1 else [f"{c}," for c in range(self.channels)]
        parts = {"stimulus": [f"stimulus[{c}{k}]" for c in channels for k in range(n)]}
        inputs = [""] if self.n_inputs == 1 else [f"{j}," for j in range(self.n_inputs)]
        each = zip(inputs, self.coupling_bases(), strict=True) if self.n_inputs else ()
        parts["coupling"] = [f"coupling[{j}{k}]" for j, basis in each for k in range(basis.shape[1])]
        both = [f"{a}*{b}" for a, b in multiplied(self.products, parts)]
        return (*parts["stimulus"], *parts["coupling"], *both)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The parameters in the order of gradients; theta, beta and dispersion where they are fitted."""
        names = ["bias", *self.drive_names, *(f"history[{k}]" for k in range(self.bases()[1].shape[1]))]
        fitted = {
            "theta": self.threshold is None,
            "beta": self.beta == "fit",
            "dispersion": self.fits_dispersion,
        }
        return (*names, *(name for name, free in fitted.items() if free))

    def vector(self, parameters: Any) -> np.ndarray:
        """Parameters by name, or in the order of `names`, as an array."""
        names = self.names
        if isinstance(parameters, Mapping):
            if set(parameters) != set(names):
                raise NsnnError(f"parameters has the names {sorted(parameters)}: expected {', '.join(names)}")
            parameters = [parameters[name] for name in names]
        array = np.asarray(parameters, dtype=float)
        if array.shape != (len(names),) or not np.all(np.isfinite(array)):
            raise NsnnError(f"parameters = {parameters!r}: expected finite numbers {', '.join(names)}")
        if self.fits_dispersion and array[-1] < 0:
            raise NsnnError(f"dispersion = {array[-1]}: expected a number from 0")
        return array

    def data(
        self,
        trains: SpikeSource,
        signal: Signal | None = None,
        *,
        inputs: Any = None,
        t_start: Time | None = None,
        t_stop: Time | None = None,
    ) -> Data:
        """Spikes, stimulus and inputs on steps: the design matrix is [1, drive, history]."""
        given = None if inputs is None else read_inputs(inputs, self.n_inputs)
        return self.columns(trains, signal, self._coupled(spike_columns, given), (t_start, t_stop))

    def columns(
        self,
        trains: SpikeSource,
        signal: Signal,
        coupled: Callable[..., Iterable[Iterable[np.ndarray]]] | None,
        span: tuple[Any, Any],
    ) -> Data:
        """`data`, with columns of inputs as a function of starts and lengths of trials."""
        self.check_given(signal, coupled)

        n, bases = self.channels * self.bases()[0].shape[1], self.coupling_bases()
        n_coupled = sum(basis.shape[1] for basis in bases)
        places = {"stimulus": range(n), "coupling": range(n, n + n_coupled)}
        return prepare(
            trains,
            signal,
            self.bases(),
            dt=self.step,
            refractory=self.refractory_steps,
            channels=self.channels,
            unit=self.signal_unit,
            span=span,
            several=isinstance(self.family, Poisson),
            cure=", or pass family=Poisson(), which takes several",
            coupled=coupled,
            n_coupled=n_coupled,
            products=multiplied(self.products, places),
        )

    def raw_signal(self, trains: SpikeSource, signal: Signal, span: tuple[Any, Any]) -> np.ndarray:
        """The signal on the steps of `data`, (n, n_channels)."""
        plain = NeuronModel(
            dt=self.dt,
            stimulus=Lags(1),
            channels=self.channels,
            signal_unit=self.signal_unit,
            family=self.family,
        )
        return plain.columns(trains, signal, None, span).drive

    def check_given(self, signal: Signal, inputs: Any) -> None:
        """Refuse a stimulus or inputs that the model lacks, and their absence if it has them."""
        _check_both("stimulus", self.stimulus, "signal", signal is not None)
        _check_both("coupling", self.coupling, "inputs", inputs is not None)

    def _coupled(self, columns: Callable[..., Any], inputs: Trains | None) -> Callable[..., Any] | None:
        if inputs is None:
            return None
        return partial(columns, inputs, bases=self.coupling_bases(), dt=self.step, first=self.first_input_lag)

    def _with_products(self, stimulus: np.ndarray, coupled: np.ndarray | None) -> np.ndarray:
        """Columns of stimulus and coupling, and their products."""
        parts = {"stimulus": list(stimulus.T), "coupling": [] if coupled is None else list(coupled.T)}
        both = [a * b for a, b in multiplied(self.products, parts)]
        return np.column_stack([*parts["stimulus"], *parts["coupling"], *both, np.empty((len(stimulus), 0))])

    def log_likelihood(
        self,
        parameters: Any,
        trains: SpikeSource,
        signal: Signal | None = None,
        *,
        inputs: Any = None,
        t_start: Time | None = None,
        t_stop: Time | None = None,
    ) -> tuple[float, np.ndarray]:
        """log P(O|x) in nats and its gradient (n_parameters,); arguments as of `fit_neuron`.

        >>> import neo, quantities as pq
        >>> from nsnn_neuro import Logistic
        >>> from nsnn_neuro.likelihood import Lags
        >>> x = [0.0, 1.0, 0.0]
        >>> signal = neo.AnalogSignal(x, units="dimensionless", sampling_period=1*pq.ms)
        >>> model = NeuronModel(dt=1*pq.ms, family=Logistic(1.0), stimulus=Lags(1))
        >>> value, gradient = model.log_likelihood({"bias": 0.0, "stimulus[0]": 0.0}, [[0.001]], signal)
        >>> round(value, 6), gradient.tolist()
        (-2.079442, [-0.5, 0.5])
        """
        data = self.data(trains, signal, inputs=inputs, t_start=t_start, t_stop=t_stop)
        value = self.evaluate(self.vector(parameters), data)
        return value.log_likelihood, value.gradient

    def traces(self, beta: float, data: Data) -> tuple[np.ndarray, np.ndarray]:
        """da/dparameter of all but beta, (n, n_linear), and da/dtheta (n,), at this beta."""
        n = len(data.o)
        if beta == 0.0:  # without a membrane nothing is carried over
            if data.design is not None and self.threshold is not None:
                return data.design, np.broadcast_to(-1.0, n)
            columns = [np.ones(n), data.drive, data.history, *[np.full(n, -1.0)] * (self.threshold is None)]
            return np.column_stack(columns), np.broadcast_to(-1.0, n)
        reset = -beta * data.before if self.reset == "subtract" else np.zeros(n)
        inputs = np.column_stack([np.ones(n), data.drive, reset])
        through = leak(inputs, self.kept(data), beta)
        threshold = through[:, -1] - 1.0
        columns = [through[:, :-1], data.history, *[threshold[:, None]] * (self.threshold is None)]
        return np.concatenate(columns, axis=1), threshold

    def kept(self, data: Data) -> np.ndarray:
        """(n,) the share of m that remains: 0 at a trial's start and after a hard reset."""
        alive = np.where(data.begins, 0.0, 1.0)
        return alive * (1 - data.before) if self.reset == "hard" else alive

    def evaluate(
        self,
        p: np.ndarray,
        data: Data,
        linear: tuple[np.ndarray, np.ndarray] | None = None,
        *,
        curved: bool = False,
    ) -> Value:
        """Log-likelihood and gradient, with information and curvature on demand.

        linear : the traces, if known; curved : whether the curvature is needed, which then takes no
            pass of its own
        """
        if self.fits_dispersion:
            value = self.at_dispersion(float(p[-1])).evaluate(p[:-1], data, linear, curved=curved)
            seen: Any = value.response
            return replace(value, gradient=np.append(value.gradient, seen.by_dispersion[0][data.free].sum()))
        fitted = self.beta == "fit"
        beta, q = (float(p[-1]), p[:-1]) if fitted else (float(self.beta), p)
        e, threshold = self.traces(beta, data) if linear is None else linear
        theta = self.threshold

        def potential(rows: slice) -> np.ndarray:
            at = e[rows] @ q
            return at + theta * threshold[rows] if theta else at

        if fitted:
            a = potential(slice(None))
            if theta is None:
                theta = float(p[-2])
            n_history = data.history.shape[1]
            m = a + theta - data.history @ p[1 + data.drive.shape[1] :][:n_history]
            before = np.concatenate([[0.0], m[:-1]]) * self.kept(data)
            if self.reset == "subtract":
                before = before - theta * data.before
            extended = np.concatenate([e, leak(before[:, None], self.kept(data), beta)], axis=1)
            return evaluated(self.family, data, extended, lambda rows: a[rows], curved)
        return evaluated(self.family, data, e, potential, curved)

    def probability(self, p: np.ndarray, data: Data) -> tuple[np.ndarray, np.ndarray]:
        """(n,) log(1 - P(spike)) and log-likelihood of each step; both 0 while refractory.

        Of a model of counts, log P(one or more) and log P(none), as of other families; the likelihood
        of the counts where some step has several spikes.
        """
        value = self.evaluate(p, data)
        return np.where(data.free, value.response.log_silence, 0.0), value.log_events

    def simulate(
        self,
        parameters: Any,
        signal: neo.AnalogSignal | None = None,
        *,
        inputs: Any = None,
        trials: int = 1,
        duration: Time | None = None,
        seed: int = 0,
    ) -> neo.Block:
        """Spikes drawn from the model under `signal`; a spike in step k is stamped k dt.

        parameters : by name, or in the order of `names`
        signal : neo.AnalogSignal, which every trial lasts as long as; None without a stimulus
        inputs : spikes of the other neurons, of one trial that all trials share, or of as many
            trials as there are
        duration : time, of a model without stimulus and coupling

        >>> import quantities as pq
        >>> from nsnn_neuro import Logistic
        >>> from nsnn_neuro.likelihood import Lags
        >>> x = [0.0, 900.0, 0.0]
        >>> signal = neo.AnalogSignal(x, units="dimensionless", sampling_period=1*pq.ms)
        >>> model = NeuronModel(dt=1*pq.ms, family=Logistic(1.0), stimulus=Lags(1))
        >>> model.simulate([-50.0, 1.0], signal, trials=2).segments[1].spiketrains[0].times
        array([0.001]) * s
        """
        p = self.vector(parameters)
        whole(trials, 1, "trials")
        steps, columns = self.drive_columns(signal, inputs, trials, duration)
        n_drive = columns.shape[2]
        drive = p[0] + columns @ p[1 : 1 + n_drive]  # (1 or n_trials, n_steps)
        shape = drive.shape[1], trials, 1
        rng = np.random.default_rng(seed)
        spikes = draw(np.broadcast_to(drive.T[:, :, None], shape), self.cells(p[None]), rng)
        named = dict(zip(self.names, p.tolist(), strict=True))
        return drawn_block(steps, spikes, shape, seed, named)

    def drive_columns(
        self, signal: Signal, inputs: Any, trials: int, duration: Time
    ) -> tuple[Steps, np.ndarray]:
        """The steps of a simulation, and columns of its drive (1 or n_trials, n_steps, n_drive)."""
        self.check_given(signal, inputs)
        given = None if inputs is None else read_inputs(inputs, self.n_inputs)
        if given is not None and given.n_trials not in (1, trials):
            raise NsnnError(
                f"inputs have {given.n_trials} trials, trials = {trials}: expected one, or as many"
            )
        if (duration is None) == (signal is None and given is None):
            raise NsnnError(
                f"duration = {duration}: expected the time to simulate where there is neither signal nor inputs, and only there"
            )
        if signal is not None:
            steps = on_steps(signal, self.step, self.channels, unit=self.signal_unit)
        else:
            start, stop = (0.0, positive(duration, "s", "duration")) if given is None else given.window()
            n = max(1, int(np.floor((stop - start) / self.step + 1e-6)))
            steps = Steps(np.empty((n, 0)), start, self.step)
        stimulus, n = filtered(steps, self.bases()[0]), len(steps.values)
        coupled, n_trials = self._coupled(input_columns, given), 1 if given is None else given.n_trials
        each = [None] if coupled is None else coupled(np.full(n_trials, steps.start), [n] * n_trials)
        return steps, np.stack([self._with_products(stimulus, one) for one in each])

    def cells(self, values: np.ndarray) -> Cells:
        """Neurons of this model to draw spikes from; values (n_cells, n_parameters)."""
        fitted, history = self.beta == "fit", self.bases()[1]
        theta = values[:, -2 if fitted else -1] if self.threshold is None else self.threshold
        first = 1 + len(self.drive_names)
        return Cells(
            family=self.family,
            beta=values[:, -1] if fitted else float(self.beta),
            theta=theta,
            reset=self.reset,
            silent=self.refractory_steps,
            kernel=history @ values[:, first : first + history.shape[1]].T,
            dispersion=values[:, -1] if self.fits_dispersion else getattr(self.family, "dispersion", 0.0),
        )


def _check_both(kind: str, basis: Any, name: str, given: bool) -> None:
    """Raise NsnnError unless there are data and the basis of their filter, or neither."""
    if (basis is None) == given:
        raise NsnnError(
            f"{kind} = {basis!r}, {name} {'given' if given else 'missing'}: expected both {name} and {kind}, its basis, or neither"
        )
