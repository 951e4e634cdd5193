"""`fit_states`: a neuron that switches between hidden states, by maximum likelihood, and its result, `StatesFit`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import log_softmax, softmax

from ...core.aliases import Signal, SpikeSource, Time
from ...core.checks import check_seed, suggest_keywords, whole
from ...core.errors import NsnnError
from ...core.warn import warn
from ...measures import as_trains
from ...models.escape import Family
from ..bases import Basis
from ..coupling import check_first_lag
from ..data import Data
from ..fit import NeuronFit, fit_fields, prepared
from ..misfit import Predicted, of_events
from ..prior import Prior, strength
from ..responses import Poisson
from .chain import most_likely
from .states_model import Expected, StatesData, StatesModel, log_odds
from .states_search import by_rate, fittable, maximise_states, refined

_SAME = 0.1  # nats between two starts that reached the same maximum
_Z95 = 1.959964  # standard errors
_FEW_VISITS = 3.0  # expected visits of a state, below which its dwell time is hardly determined


@dataclass(frozen=True, eq=False, repr=False)
class StatesFit(NeuronFit):
    """Result of `fit_states`: parameters of each state, transitions, and when the neuron was where.

    States are in the order of their rates. `parameters`, `se`, `interval`, `derived`, `score`,
    `per_step`, `simulate` and `rescaled` are those of `NeuronFit`; each step is predicted from the
    spikes before it. Errors are from the observed information; `iterations` counts starts.

    >>> from brian2 import ms, second
    >>> from nsnn_neuro.likelihood import Poisson, StatesModel
    >>> cell = StatesModel(dt=5*ms, family=Poisson(), n_states=2)
    >>> block = cell.simulate([-4.0, -1.5, -4.0, -4.0, 0.0], duration=60*second)
    >>> fit = fit_states(block, dt=5*ms, family=Poisson(), n_states=2)
    >>> fit.transition.shape, fit.posterior().shape, fit.table["rate"].round().tolist()
    ((2, 2), (12000, 2), [5.0, 48.0])
    """

    model: StatesModel
    _data: StatesData = field(repr=False)
    reached: np.ndarray = field(default_factory=lambda: np.zeros(1))
    """(n_starts,) penalised log-likelihood that the search reached from each start"""

    def __repr__(self) -> str:
        """The states and their parameters."""
        first, second, *rows = super().__repr__().split("\n")
        k, states = self.model.n_states, []
        for j, row in self.table.iterrows():
            dwell = ""
            if k > 1:
                dwell = f"stays {row.dwell:.3g} s (95 %: {row.dwell_low:.2g} to {row.dwell_high:.2g} s), "
            share = f"{row.share:.0%} of the time in {row.visits:.0f} visits"
            rate = f"{row.rate:.3g} Hz (95 %: {row.rate_low:.3g} to {row.rate_high:.3g} Hz)"
            states.append(f"  state {j}: {rate}, {dwell}{share}")
        first = first.replace("NeuronFit:", f"StatesFit: {k} state{'s' * (k > 1)},")
        return "\n".join([first, second, *states, *rows])

    @cached_property
    def _expected(self) -> Expected:
        return self.model.expect(self.values, self._data)

    @property
    def takes(self) -> tuple[str, ...]:
        """What it needs beside spikes: "signal", "inputs", both or none."""
        driven = self.model.driver is not None and self.model.stimulus is None
        return ("signal", *super().takes) if driven else super().takes

    @property
    def transition(self) -> np.ndarray:
        """(n_states, n_states) probability of state j after state i, per step; driven: at the mean stimulus."""
        return self._transition(self.values)

    def _transition(self, p: np.ndarray) -> np.ndarray:
        mean = self._data.columns.mean(axis=0, keepdims=True)
        return np.asarray(softmax(log_odds(mean, self.model.split(p)[1])[0], axis=1))

    @property
    def initial(self) -> np.ndarray:
        """(n_states,) probability of each state in a trial's first step."""
        return np.asarray(softmax(self.model.split(self.values)[2]))

    @cached_property
    def table(self) -> pd.DataFrame:
        """A row for each state, of the fitted data.

        rate (Hz), share of the time, expected number of visits, and mean dwell time (s). 95 %
        intervals rate_low to rate_high and dwell_low to dwell_high are from standard errors of
        logarithms; those of rates hold for the expected time in each state.
        """
        now, free, p = self._expected, self._data.free, self.values
        time = now.posterior[free].sum(axis=0) * self.model.step
        table = pd.DataFrame(index=pd.RangeIndex(self.model.n_states, name="state"))
        table["rate"] = (self._data.o[free] @ now.posterior[free]) / np.maximum(time, 1e-300)
        factor = np.exp(_Z95 * self._log_rate_error())
        table["rate_low"], table["rate_high"] = table.rate / factor, table.rate * factor
        table["share"], table["visits"] = now.posterior.mean(axis=0), now.visits
        if self.model.n_states > 1:

            def log_dwell(q: np.ndarray) -> np.ndarray:
                return np.log(self.model.step) - np.log1p(-np.diag(self._transition(q)))

            slopes = np.array([log_dwell(p + d) - log_dwell(p - d) for d in 1e-4 * np.eye(len(p))]) / 2e-4
            known = np.isfinite(self.covariance).any()  # parameters of a silent state have no error
            covariance = np.nan_to_num(self.covariance) if known else self.covariance
            se = np.sqrt(np.einsum("ik,ij,jk->k", slopes, covariance, slopes))
            for name, z in (("dwell", 0.0), ("dwell_low", -_Z95), ("dwell_high", _Z95)):
                table[name] = np.exp(log_dwell(p) + z * np.where(z, se, 0.0))
        return table

    def _log_rate_error(self) -> np.ndarray:
        """(n_states,) standard errors of the logarithms of rates, by the delta method; inf of a silent state."""
        now, (few, _), n = self._expected, self._data.distinct, len(self.model.cell.names)
        linear, errors = self.model.cell.traces(0.0, few)[0], []
        for k, (seen, share) in enumerate(zip(now.responses, now.weights.T, strict=True)):
            mean, variance, gain = (np.where(few.free, one, 0.0) for one in seen.moments)
            slope = (share * variance * gain) @ linear / max(float(share @ mean), 1e-300)
            own = slice(k * n, (k + 1) * n)
            errors.append(np.sqrt(slope @ self.covariance[own, own] @ slope))
        return np.nan_to_num(np.array(errors), nan=np.inf)

    def of_state(self, k: int) -> NeuronFit:
        """The neuron in state k: its parameters with errors and filters, such as `history_filter`.

        Its log-likelihood and bits per spike are NaN, as the states are not observed.
        """
        n = len(self.model.cell.names)
        own = slice(whole(k, 0, "k", self.model.n_states - 1) * n, (k + 1) * n)
        values, errors = (
            dict(zip(self.model.cell.names, list(one.values())[own], strict=True))
            for one in (self.parameters, self.se)
        )
        return NeuronFit(
            model=self.model.cell, parameters=values, se=errors, covariance=self.covariance[own, own],
            log_likelihood=np.nan, bits_per_spike=np.nan, n_spikes=self.n_spikes, n_steps=self.n_steps,
            ridge=self.ridge, iterations=self.iterations, _data=self._data, smoothness=self.smoothness,
        )  # fmt: skip

    def _filter(self, *_: Any) -> Any:
        raise NsnnError(
            "filters differ between states: expected those of one, as fit.of_state(1).history_filter()"
        )

    def to_neuron(self, *_: Any, **__: Any) -> Any:
        """No neuron of `simulate` has hidden states."""
        raise NsnnError(
            "to_neuron: no neuron of simulate has hidden states; expected fit.simulate, or fit.of_state(1)"
        )

    def _predicted(self, data: Data, signal: np.ndarray | None) -> list[Predicted]:
        """Parameters are not accounted for: true fits have large p more often than small ones."""
        silence = self.model.probability(self.values, data)[0]
        return of_events(silence, data, np.empty((len(data.o), 0)) if signal is None else signal)

    def posterior(
        self,
        trains: SpikeSource | None = None,
        signal: Signal | None = None,
        *,
        inputs: Any = None,
        t_start: Time | None = None,
        t_stop: Time | None = None,
    ) -> np.ndarray:
        """(n_steps, n_states) probability of each state given all spikes, trials in line.

        trains : None: the data that were fitted
        """
        data = self._given(trains, signal, inputs, t_start, t_stop)
        return self.model.expect(self.values, data).posterior

    def states(
        self,
        trains: SpikeSource | None = None,
        signal: Signal | None = None,
        *,
        inputs: Any = None,
        t_start: Time | None = None,
        t_stop: Time | None = None,
    ) -> np.ndarray:
        """(n_steps,) the most likely path of states as a whole (Viterbi), trials in line.

        trains : None: the data that were fitted

        Source: Viterbi 1967, doi 10.1109/TIT.1967.1054010
        """
        data = self._given(trains, signal, inputs, t_start, t_stop)
        states, odds, first = self.model.split(self.values)
        few, row = data.distinct
        logs = np.stack([self.model.seen(q, few)[0] for q in states], axis=1)[row]
        transition = log_softmax(log_odds(data.columns, odds), axis=2)
        return most_likely(logs, transition, log_softmax(first), data.begins)


@suggest_keywords
def fit_states(
    trains: SpikeSource,
    signal: Signal | None = None,
    *,
    n_states: int,
    dt: Time,
    transitions: Basis | int | str = "constant",
    stimulus: Basis | int | None = None,
    inputs: Any = None,
    coupling: Basis | int | Sequence[Basis] | None = None,
    first_input_lag: int = 1,
    products: Sequence[tuple[str, str]] = (),
    history: Basis | int | None = None,
    family: Family | Poisson | None = None,
    refractory: Any = None,
    ridge: float = 0.0,
    smoothness: float = 0.0,
    n_starts: int = 5,
    seed: int = 0,
    t_start: Time | None = None,
    t_stop: Time | None = None,
) -> StatesFit:
    """Fit a neuron that switches between hidden states, each with parameters of its own.

    In each state the neuron is that of `fit_neuron` without a membrane. The state is a Markov
    chain, whose transitions may depend on the stimulus: a hidden Markov model, with stimulus or
    history a GLM-HMM. Equations: `StatesModel`. The number of states: `cross_validate` with
    candidates such as {"n_states": 2}.

    Half a transition between each pair of states, and one trial that begins in each, are added to
    the expected numbers: without them, a transition that is never made has odds of -infinity.

    Parameters
    ----------
    n_states : whole number from 1
    transitions : "constant", or a basis of the filtered signal on which the log-odds of leaving for
        each other state depend, lags from 0. Without `stimulus` the signal acts on them alone
    n_starts, seed : starts of the search; the highest maximum is kept
    **others : as of `fit_neuron`; penalties act on filters of each state and of transitions

    Raises
    ------
    NsnnError : as `fit_neuron`

    Warns
    -----
    where only one start reached the highest maximum, and of states that are hardly visited, never
    fire, or can't be told apart

    Source: Rabiner 1989, doi 10.1109/5.18626; Escola et al. 2011, doi 10.1162/NECO_a_00118

    >>> from brian2 import ms, second
    >>> from nsnn_neuro import Logistic
    >>> from nsnn_neuro.likelihood import StatesModel
    >>> cell = StatesModel(dt=2*ms, family=Logistic(1.0), n_states=2)
    >>> block = cell.simulate([-5.0, -2.0, -6.0, -5.0, 0.0], duration=100*second)
    >>> fit = fit_states(block, n_states=2, dt=2*ms, family=Logistic(1.0))
    >>> [round(fit.parameters[f"state[{k}].bias"]) for k in (0, 1)]
    [-5, -2]
    """
    given = None if inputs is None else as_trains(inputs, name="inputs")
    prior = Prior(strength(ridge, "ridge"), strength(smoothness, "smoothness"))
    model, data = prepared(
        trains, signal, given, dt, (t_start, t_stop), make=StatesModel, n_states=n_states, transitions=transitions,
        stimulus=stimulus, coupling=coupling, first_input_lag=first_input_lag, products=products, history=history,
        family=family, refractory=refractory,
    )  # fmt: skip
    check_first_lag(given, data, model.step, first_input_lag)
    fit = fit_states_data(model, data, prior, n_starts=n_starts, seed=seed)
    _warn_doubts(fit)
    return fit


def fit_states_data(
    model: Any, data: Any, prior: Prior, near: np.ndarray | None = None, *, n_starts: int = 5, seed: int = 0
) -> StatesFit:
    """The fit of a model with states to prepared data; with `near` the search starts there alone."""
    whole(n_starts, 1, "n_starts")
    p, reached = maximise_states(model, data, prior, near, n_starts=n_starts, seed=check_seed(seed))
    p, covariance = refined(model, by_rate(model, p, data), data, prior)
    known = fit_fields(model, p, covariance, model.probability(p, data)[1], data, prior)
    value = model.expect(p, data).log_likelihood
    return StatesFit(log_likelihood=value, iterations=len(reached), reached=reached, **known)


def _warn_doubts(fit: StatesFit) -> None:
    """Warn of a maximum that one start reached, and of states that the data hardly determine."""
    model, reached = fit.model, np.sort(fit.reached)
    if len(reached) > 1 and reached[-1] - reached[-2] > _SAME:
        warn(
            f"only one of {len(reached)} starts reached the highest likelihood, the next one {reached[-1] - reached[-2]:.3g} nats "
            f"less: there may be a higher one; pass n_starts={4 * len(reached)}, or fewer states"
        )
    if model.n_states == 1:
        return
    n = len(model.cell.names)
    fitted = fittable(model, fit._data, fit._expected)[: n * model.n_states : n]
    for k, row in fit.table.iterrows():
        if not fitted[int(str(k))]:
            always = row.rate * model.step > 0.5
            what = "always fires" if always else "never fires"
            warn(
                f"state {k} {what}, so that its parameters have no errors; this may be right, or pass fewer states or a larger dt"
            )
        elif row.visits < _FEW_VISITS:
            warn(
                f"state {k} is visited {row.visits:.1f} times, {row.share:.2g} of the time: its dwell time is hardly determined; "
                "record longer, or pass fewer states"
            )
    own = np.concatenate([np.repeat(fitted, n), np.ones(len(model.names) - n * model.n_states, dtype=bool)])
    if np.isnan(np.diag(fit.covariance)[own]).any():
        warn(
            "the states can't be told apart in these data, so that errors are NaN; pass fewer states, or ridge=1.0"
        )
