"""`compare_models`: all scores of several fitted models on the same held-out spikes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from html import escape
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import xlogy

from ..core.aliases import Signal, SpikeSource, Time
from ..core.checks import check_seed, positive, suggest_keywords, whole
from ..core.errors import NsnnError
from ..core.units import pq_quantity
from ..core.warn import warn
from ..io.spikes import Trains, binned
from ..measures import (
    SilentNeuronWarning,
    as_repeats,
    cv,
    firing_rate,
    gamma_coincidence,
    md_star,
    psth_correlation,
)
from ..measures.estimate import jackknife_se
from ..measures.spiketrain.rate_over_time import signal_power
from .drawing import RunawayWarning
from .scores import PerStep, paired_error, part_sums, ratio_error, warn_fitted

RECORDED = "recorded"
_ALPHA = 0.05
_PRECISION = 4e-3  # s


@suggest_keywords
def compare_models(
    models: Mapping[str, Any],
    trains: SpikeSource,
    signal: Signal | None = None,
    *,
    precision: Time | None = None,
    bin_width: Time | None = None,
    inputs: Any = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
    trials: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Score fitted models on the same held-out spikes, by predictions and simulations.

    Scores, of each model and of the neuron itself ("recorded"):

    - bits_per_spike, bits_behind: log-likelihood over a neuron of constant probability, and what is
      missing to the best model, with a paired error; of all in bins of the shortest step, where a
      model with steps of m bins gives each 1/m of its probability.
    - misfits: how many tests of `misfit` have q < 0.05 (n: of how many), none if the model is true.
    - rate, cv: of simulated spikes (Hz; intervals pooled over trials).
    - md_star, gamma: `measures.md_star`, and `gamma_coincidence` averaged over pairs of a recorded
      and a simulated trial; "recorded": over pairs of recorded ones.
    - psth_correlation, psth_correlation_normalised: `measures.psth_correlation`, without and with
      division by its ceiling; "recorded": the ceiling of the plain correlation.

    Parameters
    ----------
    models : name -> `NeuronFit`, `Calibration`, `NetworkFit` or any object with
        `simulate(trials=, seed=)`, and `per_step` (see `PerStep`) or `score`. A fit of another
        neuron of a population takes the others as `inputs`
    trains : held-out spikes of one neuron, as for `fit_neuron`: of one trial or more of one
        stimulus
    signal : the stimulus, or a dict with that of each model by name. A model that has its own, such
        as a `Calibration`, uses that one unless the dict has its name
    precision : time, of coincidences; None: 4 ms, or a quarter of the mean interval if that is less
    bin_width : time, bins of the PSTH; None: `precision`
    inputs : as for `fit_neuron`
    t_start, t_stop : the held-out part, the same for all
    trials, seed : of the simulations, the same for all

    Returns
    -------
    DataFrame : model, score, value, se, n (spikes of the likelihood, else trials), bin (s). Printed,
        a last line says which model wins, and if by more than two errors. Errors of likelihoods
        are over 20 parts of the data, of rate and CV over simulated trials, else over recorded
        trials (jackknife, from three trials on). With one recorded trial Md* and ceilings are NaN

    Raises
    ------
    NsnnError : steps that are no whole multiples of the shortest one, several spikes in a step,
        models that see different spikes

    Warns
    -----
    of spikes that a model was fitted to; of scores that a model or the data do not have, which are
    NaN, such as those of simulated spikes of a Poisson model that runs away

    Source: Naud et al. 2011, doi 10.1162/NECO_a_00208; Schoppe et al. 2016, doi
    10.3389/fncom.2016.00010

    >>> import neo, quantities as pq
    >>> from brian2 import ms, second
    >>> from nsnn_neuro import Gaussian, fit_neuron
    >>> from nsnn_neuro.likelihood import Lags, NeuronModel, Poisson
    >>> x = np.random.default_rng(0).normal(size=2000)
    >>> signal = neo.AnalogSignal(x, units="dimensionless", sampling_period=1*pq.ms)
    >>> cell = NeuronModel(dt=1*ms, family=Gaussian(1.0), stimulus=Lags(1))
    >>> block = cell.simulate([-1.5, 0.8], signal, trials=3)
    >>> options = {"dt": 1*ms, "stimulus": 1, "t_stop": 1*second}
    >>> models = {"noisy": fit_neuron(block, signal, **options),
    ...           "GLM": fit_neuron(block, signal, family=Poisson(), **options)}
    >>> table = compare_models(models, block, signal, t_start=1*second, precision=3*ms, trials=5)
    >>> table = table.pivot(index="model", columns="score", values="value")
    >>> table.loc["noisy", ["md_star", "rate"]].round(1).tolist()
    [1.0, 128.2]
    """
    if isinstance(models, Sequence):
        models = {type(model).__name__ + f" {k}": model for k, model in enumerate(models)}
    if not isinstance(models, Mapping) or not models or RECORDED in models:
        raise NsnnError(f'models = {models!r}: expected a dict of fitted models, none called "{RECORDED}"')
    span: dict[str, Any] = {"t_start": t_start, "t_stop": t_stop}
    recorded = as_repeats(trains, **span)
    if np.isnan(recorded.t_stop).any():
        raise NsnnError("trains have no duration: expected t_stop, or spike trains with one, as in a Block")
    duration = np.ptp(recorded.window())  # refuses trials of several windows
    if precision is None:
        most = max(1, *np.bincount(recorded.trial, minlength=2))
        delta = min(_PRECISION, duration / most / 4)
    else:
        delta = positive(precision, "s", "precision")
    width = delta if bin_width is None else positive(bin_width, "s", "bin_width")
    runs = {"trials": whole(trials, 2, "trials"), "seed": check_seed(seed)}
    setup = _Setup(trains, signal, inputs, span, delta, width, runs)
    setup.likelihoods(models)
    setup.recorded(recorded)
    for name, model in models.items():
        setup.simulated(name, model, recorded)
    return Comparison(setup.rows, columns=["model", "score", "value", "se", "n", "bin"])


class Comparison(pd.DataFrame):
    """The table of `compare_models`; a printed line says which model predicts the spikes best."""

    @property
    def _constructor(self) -> type[pd.DataFrame]:
        return pd.DataFrame  # a part of the table has no such line

    @property
    def _verdict(self) -> str:
        one = self[(self.score == "gamma") & (self.model == RECORDED)].n.max() == 1
        first = "\nNaN: these scores need two recorded trials or more" if one else ""
        behind = self[self.score == "bits_behind"].sort_values("value").iloc[:2]
        if len(behind) < 2:
            return first
        (best, second), value, se = behind.model, float(behind.value.iloc[1]), float(behind.se.iloc[1])
        apart = "more" if value > 2 * se else "not more"
        return (
            f"{first}\n{best} predicts the spikes best: {value:.2g} ± {se:.2g} bits per spike ahead of {second}, {apart} "
            + (
                "than two errors"
                if apart == "more"
                else "than two errors: these data do not tell the two apart"
            )
        )

    def __repr__(self) -> str:
        """The table, whole whatever the terminal's width, why scores of one trial are NaN, and that line."""
        return self.to_string() + self._verdict

    def _repr_html_(self) -> str | None:
        return f"{super()._repr_html_()}<p>{escape(self._verdict)}</p>"


@dataclass
class _Setup:
    """What all models share, and the rows of the table."""

    trains: Any
    signal: Any
    inputs: Any
    span: dict[str, Any]
    delta: float  # s, precision of coincidences
    width: float  # s, bins of the PSTH
    runs: dict[str, int]  # options of `simulate`
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, model: str, score: str, value: float, se: float, n: int, width: float = math.nan) -> None:
        self.rows.append((model, score, value, se, n, width))

    def given(self, name: str, model: Any) -> dict[str, Any]:
        """The stimulus and inputs that a model uses."""
        by_name = isinstance(self.signal, Mapping)
        signal = self.signal.get(name) if by_name else self.signal
        takes = getattr(model, "takes", ("signal",) if signal is not None else ())
        if by_name and name in self.signal:
            takes = {"signal": None, **dict.fromkeys(takes)}
        both = {"signal": signal, "inputs": self.inputs}
        return {key: both[key] for key in takes}

    def likelihoods(self, models: Mapping[str, Any]) -> None:
        """Bits per spike of all models in one bin."""
        steps: dict[str, PerStep] = {}
        for name, model in models.items():
            if hasattr(model, "per_step"):
                steps[name] = model.per_step(self.trains, **self.given(name, model), **self.span)
            else:
                self._own_score(name, model)
            if hasattr(model, "misfit"):
                tests = model.misfit(self.trains, **self.given(name, model), **self.span).q.dropna()
                self.add(name, "misfits", float((tests < _ALPHA).sum()), np.nan, len(tests))
        if not steps:
            return
        warn_fitted(steps)
        gains = in_one_bin(steps)
        shortest = min(one.dt for one in steps.values())
        best = max(gains.values(), key=lambda pair: pair[0].sum())[0]
        for name, (sums, spikes) in gains.items():
            n, value = int(spikes.sum()), float(sums.sum() / spikes.sum())
            less = best - sums
            self.add(name, "bits_per_spike", value, ratio_error(sums, spikes, value), n, shortest)
            self.add(name, "bits_behind", float(less.sum() / n), paired_error(less, n), n, shortest)

    def _own_score(self, name: str, model: Any) -> None:
        reason = getattr(model, "absent", {}).get("score")
        if reason is None and not hasattr(model, "score"):
            return
        try:
            if reason is not None:
                raise NsnnError(f"score: {reason}")
            one = model.score(self.trains, **self.given(name, model), **self.span)
        except NsnnError as error:
            warn(f"{name}: bits_per_spike is NaN: {error}")
            self.add(name, "bits_per_spike", np.nan, np.nan, 0)
        else:
            se, n = float(getattr(one, "se", np.nan)), getattr(one, "n", 0)
            self.add(name, "bits_per_spike", float(one), se, n)

    def _simulate(self, name: str, model: Any, recorded: Trains) -> Trains:
        given = self.given(name, model)
        if not given:
            given["duration"] = pq_quantity(float(recorded.t_stop[0]), "s")
        if isinstance(given.get("signal"), list | tuple):
            raise NsnnError("each trial has a signal of its own: expected one stimulus for all trials")
        return as_repeats(model.simulate(**self.runs, **given)).crop(*recorded.window())

    def recorded(self, recorded: Trains) -> None:
        """The neuron's own values and the ceilings."""
        precision = pq_quantity(self.delta, "s")
        self._rate_and_cv(RECORDED, recorded)

        def gamma(trains: Trains) -> float:
            pairs = np.nan_to_num(gamma_coincidence(trains, precision=precision))
            return float(pairs[~np.eye(len(pairs), dtype=bool)].mean())

        def psth(trains: Trains) -> float:
            counts = binned(trains, self.width, "bin_width")[:, 0].astype(float)
            variance = np.var(counts.mean(axis=0))
            return float(np.sqrt(max(signal_power(counts), 0.0) / variance)) if variance > 0 else np.nan

        self._attempt(RECORDED, "gamma", gamma, recorded, least=2, width=self.delta)
        self._attempt(RECORDED, "psth_correlation", psth, recorded, least=2, width=self.width)

    def simulated(self, name: str, model: Any, recorded: Trains) -> None:
        """Scores of one model's spikes."""
        precision, width = (pq_quantity(one, "s") for one in (self.delta, self.width))

        def gamma(trains: Trains, drawn: Trains) -> float:
            return float(np.mean(np.nan_to_num(gamma_coincidence(trains, drawn, precision=precision))))

        # by name: a function of recorded and simulated trains, the fewest recorded trials, its bin
        scores: dict[str, tuple[Callable[..., float], int, float]] = {
            "md_star": (partial(md_star, precision=precision), 2, self.delta),
            "gamma": (gamma, 1, self.delta),
            "psth_correlation": (partial(psth_correlation, bin_width=width, normalised=False), 1, self.width),
            "psth_correlation_normalised": (partial(psth_correlation, bin_width=width), 2, self.width),
        }
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error", RunawayWarning)
                drawn = self._simulate(name, model, recorded)
        except (NsnnError, RunawayWarning) as error:
            warn(f"{name}: scores of simulated spikes are NaN: {error}")
            for score in ("rate", "cv", *scores):
                self.add(name, score, np.nan, np.nan, recorded.n_trials)
            return
        self._rate_and_cv(name, drawn)
        for score, (function, least, bin_width) in scores.items():
            self._attempt(name, score, function, recorded, drawn, least=least, width=bin_width)

    def _rate_and_cv(self, name: str, trains: Trains) -> None:
        for score, measure in (("rate", firing_rate), ("cv", cv)):
            self._attempt(name, score, lambda some, m=measure: float(m(some)[0]), trains)

    def _attempt(
        self,
        name: str,
        score: str,
        function: Callable[..., float],
        trains: Trains,
        *others: Trains,
        least: int = 1,
        width: float = math.nan,
    ) -> None:
        """A row: a function of trains and its jackknife error over their trials; NaN with trials < `least`."""
        n, value, se = trains.n_trials, np.nan, np.nan
        if n >= least:
            try:
                with warnings.catch_warnings(record=True) as caught:
                    warnings.simplefilter("always", SilentNeuronWarning)
                    value = function(trains, *others)
                if n > least and np.isfinite(value):
                    with warnings.catch_warnings():  # of fewer trials: NaN
                        warnings.simplefilter("ignore", SilentNeuronWarning)
                        left = np.array([function(_without(trains, k), *others) for k in range(n)])
                    se = float(jackknife_se(left))
                for one in caught:
                    warn(f"{name}: {one.message}", one.category)
            except NsnnError as error:
                warn(f"{name}: {score} is NaN: {error}")
        self.add(name, score, float(value), se, n, width)


def _without(trains: Trains, k: int) -> Trains:
    """All trials but one."""
    own = trains.trial != k
    trial = trains.trial[own] - (trains.trial[own] > k)
    edges = np.delete(np.stack([trains.t_start, trains.t_stop], axis=1), k, axis=0)
    left = Trains.from_arrays(trains.times[own], trains.neuron[own], trial, trains.n_neurons, edges)
    return left.at_least(trains.resolution)


def in_one_bin(steps: Mapping[str, PerStep]) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Gains over a constant neuron (bits) of each model in parts, and spikes of the parts.

    In a step of m bins with one spike each bin has the probability P/m, and log(1 - P) is that of m silent bins."""
    shortest = min(one.dt for one in steps.values())
    finest = next(one for one in steps.values() if one.dt == shortest)
    n_spikes, total = finest.o.sum(), len(finest.o)
    if n_spikes == 0:
        raise NsnnError("trains hold no spikes: expected some, as the score is per spike")
    rate = n_spikes / total
    result = {}
    for name, one in steps.items():
        m = round(one.dt / shortest)
        if abs(one.dt / shortest - m) > 1e-6:
            raise NsnnError(
                f"{name} has steps of {one.dt:g} s, another model of {shortest:g} s: expected whole multiples by dt"
            )
        if one.o.ndim != 1 or one.o.max() > 1:
            raise NsnnError(
                f"{name}: expected one neuron with at most one spike in a step of {one.dt:g} s; fit with a smaller dt"
            )
        if one.o.sum() != n_spikes or abs(len(one.o) * m - total) > m + 0.01 * total:
            raise NsnnError(
                f"{name} is scored on {one.o.sum():g} spikes in {len(one.o) * one.dt:g} s, another model on {n_spikes:g} in "
                f"{total * shortest:g} s: expected the same; pass t_start and t_stop on the steps of all models"
            )
        constant = xlogy(one.o, rate) + xlogy(m - one.o, 1 - rate)
        gain = (one.log_likelihood - one.o * np.log(m) - constant) / np.log(2)
        result[name] = part_sums(gain), part_sums(one.o)
    return result
