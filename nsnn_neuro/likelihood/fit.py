"""`fit_neuron`: maximum likelihood fits of one neuron, and their result, `NeuronFit`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import neo
import numpy as np
from scipy.stats import norm

from ..core.aliases import Signal, SpikeSource, Time
from ..core.checks import suggest_keywords
from ..core.errors import NsnnError
from ..core.units import pq_quantity
from ..io.spikes import Trains
from ..measures import Estimate, as_trains
from ..models.escape import EscapeNoise, Family, Gaussian
from ..models.neurons import NSNNNeuron
from ..models.stimuli import Recorded
from .bases import Basis
from .coupling import check_first_lag
from .cross_validation import best_ridge
from .data import Data, channels_of, range_of_times
from .dispersion import covariance_with, maximise
from .drawing import warn_runaway
from .fisher_scoring import covariance_at
from .fit_codec import Saved
from .inference import Inference
from .misfit import Predicted, filter_cures, of_filters
from .model import NeuronModel
from .prior import Prior, strength
from .responses import Poisson
from .scores import PerStep, bits_per_spike, check_level, fitted_warning
from .step_fit import Arguments, StepFit


@dataclass(frozen=True, eq=False)
class NeuronFit(Inference, StepFit, Saved):
    """Result of `fit_neuron`: parameters with errors, scores, simulated spikes, goodness of fit.

    >>> import neo, quantities as pq
    >>> from nsnn_neuro.likelihood import Lags
    >>> x = np.random.default_rng(0).normal(size=4000)
    >>> signal = neo.AnalogSignal(x, units="dimensionless", sampling_period=1*pq.ms)
    >>> true = NeuronModel(dt=1*pq.ms, family=Gaussian(1.0), stimulus=Lags(1))
    >>> fit = fit_neuron(true.simulate([-2.0, 0.8], signal), signal, dt=1*pq.ms, stimulus=1)
    >>> {name: round(value, 1) for name, value in fit.parameters.items()}
    {'bias': -2.0, 'stimulus[0]': 0.8}
    """

    model: NeuronModel
    parameters: dict[str, float]
    se: dict[str, float]
    """standard errors; with a penalty those of the posterior under its Gaussian prior"""
    covariance: np.ndarray
    """(n_parameters, n_parameters), inverse of the expected information (plus the prior's); with a
    fitted dispersion of the observed one"""
    log_likelihood: float
    """nats, of the fitted data; with `Poisson()` or `NegativeBinomial()` of the counts"""
    bits_per_spike: float
    """of the fitted data; see `score`"""
    n_spikes: int
    n_steps: int
    ridge: float
    iterations: int
    _data: Data = field(repr=False)
    ridges: dict[float, Estimate] = field(default_factory=dict, repr=False)
    """cross-validated bits per spike of each strength that ridge="cv" tried; otherwise empty"""
    smoothness: float = 0.0

    def __repr__(self) -> str:
        """A row for each parameter, without the arrays."""
        penalty = f", ridge {self.ridge:g}" if self.ridge else ""
        penalty += f", smoothness {self.smoothness:g}" if self.smoothness else ""
        width = max(len("parameter"), *map(len, self.parameters))
        rows = [f"  {'parameter':<{width}}  {'value':>10}  {'se':>9}"]
        rows += [
            f"  {name:<{width}}  {v:>10.4g}  {self.se[name]:>9.2g}" for name, v in self.parameters.items()
        ]
        first = f"NeuronFit: {self.n_spikes} spikes in {self.n_steps} steps of {self.model.step:g} s{penalty}"
        second = f"log-likelihood {self.log_likelihood:.6g} nats, {self.bits_per_spike:.3g} bits per spike (of the fitted data)"
        return "\n".join([first, second, *rows])

    @property
    def values(self) -> np.ndarray:
        """The parameters as an array, in the order of `covariance`."""
        return np.array(list(self.parameters.values()))

    def interval(self, level: float = 0.95) -> dict[str, tuple[float, float]]:
        """Confidence intervals by name: value -+ z se, the normal law of large samples.

        That of a fitted dispersion d is d exp(-+ z se / d), and from 0 to z se where d is 0.
        """
        z = float(norm.ppf(0.5 + check_level(level) / 2))
        ends = {k: (v - z * self.se[k], v + z * self.se[k]) for k, v in self.parameters.items()}
        if self.model.fits_dispersion:
            d, se = self.parameters["dispersion"], self.se["dispersion"]
            factor = float(np.exp(z * se / d)) if d > 0 else np.nan
            ends["dispersion"] = (d / factor, d * factor) if d > 0 else (0.0, z * se)
        return ends

    def derived(self, function: Callable[[Mapping[str, float]], Any]) -> tuple[Any, Any]:
        """A function of the parameters (a dict by name) and its error by the delta method.

        For example, fit.derived(lambda p: 0.4 / p["theta"]) is noise over threshold. Slopes are
        central differences over a thousandth of a standard error.
        """
        p, names = self.values, list(self.parameters)
        h = 1e-3 * np.sqrt(np.diag(self.covariance))

        def at(x: np.ndarray) -> np.ndarray:
            return np.asarray(function(dict(zip(names, x.tolist(), strict=True))), dtype=float)

        slopes = np.array([(at(p + d) - at(p - d)) / (2 * d[k]) for k, d in enumerate(np.diag(h))])
        variance = np.einsum("i...,ij,j...->...", slopes, self.covariance, slopes)
        value, se = at(p), np.sqrt(variance)
        return (float(value), float(se)) if value.ndim == 0 else (value, se)

    def stimulus_filter(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The stimulus filter: lags (s), values and errors (n_lags,) or (n_lags, n_channels)."""
        basis, n = self.model.bases()[0], self.model.channels
        lags, value, se = self._filter(np.kron(np.eye(n), basis), 1, 0, n)
        return (lags, value[:, 0], se[:, 0]) if n == 1 else (lags, value, se)

    def history_filter(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The effect of a spike on the potential: lags (s), values and errors (n_lags,)."""
        first = 1 + len(self.model.drive_names)
        lags, value, se = self._filter(self.model.bases()[1], first, 1)
        return lags, value[:, 0], se[:, 0]

    def coupling_filter(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The effect of inputs' spikes: lags (s), values and errors (n_inputs, n_lags).

        Bases of several lengths are filled with 0; without inputs the arrays are empty.
        """
        bases = self.model.coupling_bases()
        n_lags = max((len(basis) for basis in bases), default=0)
        values, errors = np.zeros((len(bases), n_lags)), np.zeros((len(bases), n_lags))
        first = 1 + self.model.channels * self.model.bases()[0].shape[1]
        for j, basis in enumerate(bases):
            _, value, se = self._filter(basis, first, 0)
            values[j, : len(basis)], errors[j, : len(basis)] = value[:, 0], se[:, 0]
            first += basis.shape[1]
        return (self.model.first_input_lag + np.arange(n_lags)) * self.model.step, values, errors

    def _filter(
        self, basis: np.ndarray, first: int, lag: int, n: int = 1
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Lags (s) and n filters with their errors, (n_lags, n), from the parameters from `first` on."""
        own, n_lags = slice(first, first + basis.shape[1]), len(basis) // n
        value = basis @ self.values[own]
        se = np.sqrt(np.einsum("ti,ij,tj->t", basis, self.covariance[own, own], basis))
        lags = (lag + np.arange(n_lags)) * self.model.step
        return lags, value.reshape(n, n_lags).T, se.reshape(n, n_lags).T

    @property
    def takes(self) -> tuple[str, ...]:
        """What it needs beside spikes: "signal", "inputs", both or none."""
        both = {"signal": self.model.stimulus, "inputs": self.model.coupling}
        return tuple(name for name, basis in both.items() if basis is not None)

    def _per_step(self, given: Arguments) -> PerStep:
        trains, signal, inputs, t_start, t_stop = given
        return self.steps_of(self.model.data(trains, signal, inputs=inputs, t_start=t_start, t_stop=t_stop))

    def steps_of(self, data: Data) -> PerStep:
        """The log-likelihood of each step of prepared data."""
        warning = fitted_warning(data.pieces, self._data.pieces, self.model.step)
        return PerStep(self.model.probability(self.values, data)[1], data.o, self.model.step, warning)

    def simulate(
        self,
        signal: neo.AnalogSignal | None = None,
        *,
        inputs: Any = None,
        trials: int = 1,
        duration: Time | None = None,
        seed: int = 0,
    ) -> neo.Block:
        """Simulate the fit under `signal`, see `NeuronModel.simulate`; warns of a runaway rate."""
        given: dict[str, Any] = {"inputs": inputs, "duration": duration}
        block = self.model.simulate(self.values, signal, trials=trials, seed=seed, **given)
        trains = as_trains(block)
        rate = trains.times.size / trains.durations.sum()
        recorded = self.n_spikes / (self.n_steps * self.model.step)
        warn_runaway(["the fitted neuron"], np.array([rate]), np.array([recorded]))
        return block

    def to_neuron(
        self, signal: neo.AnalogSignal | None = None, *, inputs: Any = None
    ) -> tuple[Any, Any, Any]:
        """The fit as neuron, noise and stimulus under `signal`, for `simulate`.

            block = nsnn.simulate(*fit.to_neuron(signal), trials=20, duration=10*second, dt=1*ms)

        The neuron is an `NSNNNeuron` with `EscapeNoise(family)`, and the stimulus the filtered
        signal plus the bias, dimensionless. Use the fit's dt; spikes have the same law as those of
        `NeuronFit.simulate`. For a continuous neuron use `calibrate`.

        signal, inputs : as of `simulate`, on a clock that begins at 0; inputs of one trial

        Raises
        ------
        NsnnError : `simulate` has no neuron of this model: spike history, a refractory time,
            counts, a membrane that is not reset, a fitted beta below 0

        >>> import quantities as pq
        >>> from nsnn_neuro import simulate
        >>> from nsnn_neuro.likelihood import Lags
        >>> x = np.random.default_rng(0).normal(size=2000)
        >>> signal = neo.AnalogSignal(x, units="dimensionless", sampling_period=1*pq.ms)
        >>> true = NeuronModel(dt=1*pq.ms, family=Gaussian(1.0), stimulus=Lags(1))
        >>> fit = fit_neuron(true.simulate([-2.0, 0.8], signal), signal, dt=1*pq.ms, stimulus=1)
        >>> block = simulate(*fit.to_neuron(signal), duration=2*pq.s, dt=1*pq.ms, seed=1, engine="numpy")
        >>> abs(len(block.segments[0].spiketrains[0]) - fit.n_spikes) < 40
        True
        """
        model = self.model
        beta = float(self.parameters.get("beta", model.beta))
        for problem, where in (
            ("spike history", model.history is not None),
            ("a refractory time", model.refractory_steps > 0),
            ("counts", isinstance(model.family, Poisson)),
            ('a membrane with reset="none"', model.reset == "none" and beta != 0),
            (f"beta = {beta:.3g} below 0", beta < 0),
        ):
            if where:
                raise NsnnError(
                    f"the model has {problem}, and no neuron of simulate has: expected a fit of bias, stimulus and a membrane that "
                    'is reset (history=None, beta="fit"); fit.simulate simulates this one, and calibrate fits neurons such as GIF'
                )
        steps, columns = model.drive_columns(signal, inputs, 1, None)
        if abs(steps.start) > 1e-9:
            raise NsnnError(f"signal starts at {steps.start} s: expected 0 s, where simulate begins")
        drive = self.values[0] + columns[0] @ self.values[1 : 1 + columns.shape[2]]
        theta = self.parameters.get("theta", model.threshold)
        neuron = NSNNNeuron(beta=beta, theta=theta, reset="subtract" if model.reset == "subtract" else "hard")
        family: Any = model.family
        stimulus = Recorded(
            neo.AnalogSignal(drive, units="dimensionless", sampling_period=pq_quantity(model.step, "s"))
        )
        return neuron, EscapeNoise(family), stimulus

    def _silence(self, given: Arguments) -> tuple[np.ndarray, np.ndarray]:
        data = self._given(*given)
        return self.model.probability(self.values, data)[0], data.o

    def _tested(self, given: Arguments) -> tuple[list[Predicted], float, dict[str, str]]:
        data, (trains, signal, _, *span) = self._given(*given), given
        raw = None if signal is None else self.model.raw_signal(trains, signal, (span[0], span[1]))
        return self._predicted(data, raw), self.model.step, filter_cures(self.model)

    def _predicted(self, data: Data, signal: np.ndarray | None) -> list[Predicted]:
        return of_filters(self.model, self.values, data, signal)

    def _given(self, trains: Any, signal: Any, inputs: Any, t_start: Any, t_stop: Any) -> Any:
        """The data of these arguments, or the fitted ones."""
        if trains is not None:
            return self.model.data(trains, signal, inputs=inputs, t_start=t_start, t_stop=t_stop)
        if any(one is not None for one in (signal, inputs, t_start, t_stop)):
            raise NsnnError(
                "trains and signal: expected both, or neither of them (nor inputs, t_start, t_stop) for the data that were fitted"
            )
        if self._data.drive.shape[1] != len(self.model.drive_names):
            raise NsnnError("trains = None: a fit of fit_population keeps no regressors; expected the data")
        return self._data


@suggest_keywords
def fit_neuron(
    trains: SpikeSource,
    signal: Signal | None = None,
    *,
    dt: Time,
    stimulus: Basis | int | None = None,
    inputs: Any = None,
    coupling: Basis | int | Sequence[Basis] | None = None,
    first_input_lag: int = 1,
    products: Sequence[tuple[str, str]] = (),
    history: Basis | int | None = None,
    family: Family | Poisson | None = None,
    beta: float | str = 0.0,
    theta: float | str | None = None,
    reset: str = "hard",
    refractory: Any = None,
    ridge: float | str = 0.0,
    smoothness: float = 0.0,
    n_folds: int = 5,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> NeuronFit:
    """Fit a noisy neuron to recorded spikes by maximum likelihood.

    P(spike in a step) = F(potential - theta). The potential is the filtered signal plus the
    filtered spikes of other neurons (`inputs`) plus a bias, passed through a leaky membrane (beta,
    reset) if there is one, plus the effect of earlier spikes (history). `nsnn_neuro.likelihood` has
    the equations.

    A stimulus filter alone is a generalised linear model, with Poisson() as family a Poisson GLM.
    If the likelihood has no maximum, pass ridge=1.0 or a smaller basis.
    Without a membrane, regressors that would take more than half of the free memory are kept in a
    temporary file and read in pieces (TMPDIR names its folder, which must be on a disk): recordings
    that do not fit in memory have the same fit.

    Parameters
    ----------
    trains : neo.Block of one neuron, or a list of spike trains, one for each repeat; plain arrays
        (s) last as long as the signal, each as its own in a list of signals, which has to hold all
        their spikes unless t_start and t_stop are given
    signal : neo.AnalogSignal (any number of channels) on the clock of all trials, or a list with
        one for each trial. Samples are averaged to dt or held. It counts as 0 before its start, so
        subtract its mean. Filters are per unit of the signal, which the fit keeps: signals that it
        is given later are converted to it. None: history or inputs alone
    dt : time, the step, short enough for at most one spike; a whole multiple or fraction of the
        signal's sampling period
    stimulus : basis of the filter, lags from 0: `RaisedCosines`, `Lags(n)` or just n,
        `Exponentials`; None without a signal
    inputs : spikes of other neurons in the same trials, a neo.Block; those before t_start are used
    coupling : basis of the effect of their spikes, lags from `first_input_lag` steps; or a list
        with one for each of them
    first_input_lag : 1, or 0 for inputs that are known to make the neuron fire within the same step,
        such as those of a relay
    products : pairs of "stimulus" and "coupling", whose filtered values are multiplied for further
        regressors, such as [("stimulus", "stimulus")] for a quadratic response
    history : basis of the effect of a spike on later potentials, lags from one step; None: no
        effect
    family : noise F, `Gaussian(1.0)` by default; its scale is the unit of potentials and not
        fitted. `Poisson()`: counts with exp(potential) spikes per step on average, any number of
        them in a step, no membrane. `NegativeBinomial()`: the same with a larger variance, whose
        dispersion is fitted
    beta : decay of the membrane per step, a number from 0 to below 1, or "fit"; 0: no membrane
    theta : threshold, a number; None: 0 without a membrane, fitted with one
    reset : effect of a spike on the membrane: "hard", "subtract" or "none"
    refractory : time after a spike in which none is possible, rounded to whole steps, or None
    ridge : strength of the penalty ridge/2 sum (parameter times its regressor's root mean square)^2
        on filters and products, in nats. It biases, hence 0 by default. "cv": that of .01, .1, 1,
        10, 100 (and beyond, 1e-6 to 1e6) with the highest cross-validated likelihood
    smoothness : strength of the penalty smoothness/2 s^2 sum over lags (f(l + 1) - 2 f(l) + f(l -
        1))^2 on each filter f, in nats; s^2 is the mean square of its regressors over that of its
        basis functions, for `Lags` that of the signal. Use it with `Lags`
    n_folds : blocks in time of that cross-validation, a whole number from 2
    t_start, t_stop : times; None: the ends of the trials. The signal before t_start is used, spikes
        before it are not

    Raises
    ------
    NsnnError : two spikes in a step, no spikes, spikes outside the signal, a signal or inputs
        shorter than the trains or NaN in it, a spike within `refractory`, linearly dependent
        regressors, a likelihood without a maximum (separable data)

    Warns
    -----
    where more than 5 % of the spikes, and more than by chance, share a step with a spike of the
    inputs that is left out, and where ridge="cv" ends at the weakest or strongest that it tried

    Source: Paninski 2004, doi 10.1088/0954-898X_15_4_002; Truccolo et al. 2005, doi
    10.1152/jn.00697.2004

    >>> import quantities as pq
    >>> from nsnn_neuro.likelihood import Lags
    >>> x = np.random.default_rng(1).normal(size=5000)
    >>> signal = neo.AnalogSignal(x, units="dimensionless", sampling_period=1*pq.ms)
    >>> cell = NeuronModel(dt=1*pq.ms, family=Gaussian(0.4), stimulus=Lags(1), beta=0.5, theta=1.0)
    >>> block = cell.simulate({"bias": 0.2, "stimulus[0]": 0.5}, signal)
    >>> options = {"family": Gaussian(0.4), "beta": "fit", "theta": 1.0}
    >>> fit = fit_neuron(block, signal, dt=1*pq.ms, stimulus=1, **options)
    >>> {name: round(value, 1) for name, value in fit.parameters.items()}
    {'bias': 0.2, 'stimulus[0]': 0.5, 'beta': 0.5}
    """
    penalties = check_penalties(ridge, smoothness)
    given = None if inputs is None else as_trains(inputs, name="inputs")
    model, data = prepared(
        trains, signal, given, dt, (t_start, t_stop), stimulus=stimulus, coupling=coupling, first_input_lag=first_input_lag,
        products=products, history=history, family=family, beta=beta, theta=theta, reset=reset, refractory=refractory,
    )  # fmt: skip
    check_first_lag(given, data, model.step, first_input_lag)
    return penalised_fit(model, data, *penalties, n_folds)


def check_penalties(ridge: Any, smoothness: Any) -> tuple[float | None, float]:
    """The strengths of both penalties; None for ridge="cv"."""
    chosen = isinstance(ridge, str) and ridge == "cv"
    first = None if chosen else strength(ridge, "ridge", 'a number from 0, or "cv"')
    return first, strength(smoothness, "smoothness")


def penalised_fit(
    model: NeuronModel, data: Data, ridge: float | None, smoothness: float, n_folds: int
) -> NeuronFit:
    """The fit with these penalties; None: the ridge with the best cross-validated likelihood."""
    if ridge is not None:
        return fit_data(model, data, Prior(ridge, smoothness))
    best, tried = best_ridge(model, data, smoothness, n_folds)
    return replace(fit_data(model, data, Prior(best, smoothness)), ridges=tried)


def prepared(
    trains: Any, signal: Any, inputs: Trains | None, dt: Any, span: tuple[Any, Any], **options: Any
) -> tuple[NeuronModel, Data]:
    """The model of these arguments of `fit_neuron`, and the data of a span of time."""
    model = model_of(signal, 0 if inputs is None else inputs.n_neurons, dt, **options)
    data = model.data(trains, signal, inputs=inputs, t_start=span[0], t_stop=span[1])
    check_spikes(model, data, trains)
    return model, data


def model_of(
    signal: Any, n_inputs: int, dt: Any, *, family: Any = None, make: Any = NeuronModel, **options: Any
) -> Any:
    """The model, of class `make`, of these arguments of `fit_neuron` for a signal and a number of input neurons."""
    channels, unit = channels_of(signal)
    given: dict[str, Any] = {"n_inputs": n_inputs, "channels": max(channels, 1), "signal_unit": unit}
    return make(dt=dt, family=Gaussian(1.0) if family is None else family, **given, **options)


def check_spikes(model: NeuronModel, data: Data, trains: Any) -> None:
    """Refuse data without spikes, or without steps that have none."""
    if not data.o.any():
        raise NsnnError(
            f"trains hold no spikes in {len(data.o)} steps: expected some; the likelihood has no maximum without"
            f"{range_of_times(trains)}"
        )
    if not isinstance(model.family, Poisson) and np.all(data.o[data.free] == 1):
        raise NsnnError(
            f"trains have a spike in every step of dt = {model.step} s: expected silent steps too; take a smaller dt"
        )


def fit_data(model: NeuronModel, data: Data, prior: Prior, near: np.ndarray | None = None) -> NeuronFit:
    """The fit of a model to prepared data; `near` as of `maximise`."""
    p, value, penalty, count = maximise(model, data, prior, near)
    dispersed = model.fits_dispersion
    covariance = covariance_with(p[-1], value, penalty) if dispersed else covariance_at(value, penalty)
    if covariance is None:
        raise NsnnError(
            "parameters can't be distinguished in these data to rounding: take a smaller basis, or pass ridge=1.0"
        )
    known = fit_fields(model, p, covariance, value.log_events, data, prior)
    return NeuronFit(log_likelihood=value.log_likelihood, iterations=count, **known)


def fit_fields(
    model: NeuronModel, p: np.ndarray, covariance: np.ndarray, logs: np.ndarray, data: Data, prior: Prior
) -> dict[str, Any]:
    """Fields of a `NeuronFit` with parameters p; logs (n,) are log-likelihoods of a spike or none in each step."""
    named = [dict(zip(model.names, x.tolist(), strict=True)) for x in (p, np.sqrt(np.diag(covariance)))]
    penalty = {"ridge": prior.ridge, "smoothness": prior.smoothness}
    sizes = {"n_spikes": int(data.o.sum()), "n_steps": len(data.o), "_data": data}
    bits = {"bits_per_spike": float(bits_per_spike(logs, data.o)), "covariance": covariance}
    return {"model": model, "parameters": named[0], "se": named[1], **bits, **sizes, **penalty}


def fitted_data(fit: NeuronFit) -> Data:
    """The data that were fitted, on steps; NsnnError where the fit keeps none."""
    return fit._given(None, None, None, None, None)
