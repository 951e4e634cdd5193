"""Models with hidden states: their parameters, the likelihood and its gradient, simulated spikes."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, NamedTuple

import neo
import numpy as np
from scipy.linalg import block_diag
from scipy.special import logsumexp, softmax

from ...core.aliases import Signal, SpikeSource, Time
from ...core.checks import check_seed, whole
from ...core.errors import NsnnError
from ..bases import as_basis
from ..data import Data, Steps, drawn_block
from ..drawing import Cells, draw
from ..model import NeuronModel
from ..prior import Prior
from ..responses import gram, response
from .chain import backward, drawn, forward

_MOST_STATES = 20
_SILENT = -1e30  # potential of a state that the neuron is not in
HALF = 0.5  # expected transition between each pair of states that is added, as to counts whose log-odds are estimated
_LEAST = 1e-300  # probability


@dataclass(frozen=True, eq=False)
class StatesData(Data):
    """The data of a model with states."""

    driven: Data | None = None  # columns of the stimulus that drive transitions

    @cached_property
    def columns(self) -> np.ndarray:
        """(1 or n, 1 + n_drive) regressors of transitions, the first of them 1; one row where transitions are constant."""
        if self.driven is None:
            return np.ones((1, 1))
        return np.column_stack([np.ones(len(self.o)), self.driven.drive])

    @cached_property
    def distinct(self) -> tuple[Data, Any]:
        """Rows that differ, few without stimulus, inputs and history, and the row of each step; or all rows and slice(None)."""
        if self.drive.shape[1] + self.history.shape[1]:
            return self, slice(None)
        _, first, row = np.unique(np.where(self.free, self.o, -1.0), return_index=True, return_inverse=True)
        some = self.o[first], self.begins[first], self.drive[first], self.history[first], self.free[first]
        return Data(*some, starts=self.starts), row


@dataclass(frozen=True)
class Priors:
    """Penalties of a state's parameters, of those of a row of transitions, and the columns' means, at which pairs are counted."""

    state: np.ndarray
    transition: np.ndarray
    mean: np.ndarray  # (1, 1 + n_drive)

    @classmethod
    def of(cls, model: StatesModel, data: StatesData, prior: Prior) -> Priors:
        """The penalties of `prior`."""
        driven = np.zeros((1, 1))
        if model.driver is not None and data.driven is not None:
            driven = prior.matrix(model.driver, data.driven)
        return cls(prior.matrix(model.cell, data), driven, data.columns.mean(axis=0, keepdims=True))


class Height(NamedTuple):
    """The log-likelihood at one set of parameters, nats, and its gradient (n_parameters,)."""

    log_likelihood: float
    gradient: np.ndarray


@dataclass(frozen=True)
class Expected:
    """What is expected of the hidden states, given parameters and spikes."""

    log_likelihood: float
    posterior: np.ndarray  # (n, n_states)
    weights: np.ndarray  # (n_rows, n_states) the posterior, summed over the steps of each distinct row
    transition: np.ndarray  # (1 or n, n_states, n_states) probabilities
    transitions: np.ndarray  # likewise, expected numbers
    first: np.ndarray  # (n_states,) expected number of trials that begin in each state
    responses: list[Any]  # of the distinct rows, in each state

    @property
    def visits(self) -> np.ndarray:
        """(n_states,) expected number of visits, trials that begin there included."""
        changes = self.transitions.sum(axis=0)
        return self.first + changes.sum(axis=0) - np.diag(changes)


@dataclass(frozen=True, eq=False, kw_only=True)
class StatesModel(NeuronModel):
    """The model that `fit_states` fits: a `NeuronModel` whose parameters depend on a hidden state.

    The state s is a Markov chain: P(s_t = j | s_(t-1) = i) is proportional to exp(e_ij), e_ii = 0,
    e_ij = transition[i,j] + its columns of the stimulus in step t. Trials begin in state j with
    probability proportional to exp(initial[j]), initial[0] = 0.

    Parameters
    ----------
    n_states : whole number from 1
    transitions : "constant", or a basis of the filtered stimulus that drives them
    **others : as of `NeuronModel`, without a membrane

    Raises
    ------
    NsnnError : as `NeuronModel`; a membrane

    >>> from brian2 import ms
    >>> from nsnn_neuro import Logistic
    >>> StatesModel(dt=1*ms, family=Logistic(1.0), n_states=2).names
    ('state[0].bias', 'state[1].bias', 'transition[0,1]', 'transition[1,0]', 'initial[1]')
    """

    n_states: int = 2
    transitions: Any = "constant"

    def __post_init__(self) -> None:
        super().__post_init__()
        whole(self.n_states, 1, "n_states", _MOST_STATES)
        if self.beta != 0:
            raise NsnnError(f"beta = {self.beta!r}: a model with states has no membrane; leave beta out")
        if self.fits_dispersion:
            raise NsnnError(
                f"family = {self.family!r}: states need a given dispersion, such as NegativeBinomial(0.2)"
            )
        constant = self.transitions is None or isinstance(self.transitions, str)
        if constant and self.transitions not in (None, "constant"):
            raise NsnnError(
                f"transitions = {self.transitions!r}: expected 'constant', or a basis of the stimulus such as Lags(1)"
            )
        basis = None if constant or self.n_states == 1 else as_basis(self.transitions, "transitions")
        object.__setattr__(self, "transitions", basis)

    @cached_property
    def cell(self) -> NeuronModel:
        """The model of the neuron in one state."""
        return NeuronModel(**{one.name: getattr(self, one.name) for one in fields(NeuronModel)})

    @cached_property
    def driver(self) -> NeuronModel | None:
        """A model whose stimulus columns drive the transitions; None where they are constant."""
        if self.transitions is None:
            return None
        shared = {"channels": self.channels, "signal_unit": self.signal_unit}
        return NeuronModel(dt=self.dt, family=self.family, stimulus=self.transitions, **shared)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The parameters in the order of gradients."""
        states = range(self.n_states)
        drive = () if self.driver is None else self.driver.drive_names
        columns = ["", *(f".{name}" for name in drive)]
        return (
            *(f"state[{k}].{name}" for k in states for name in self.cell.names),
            *(f"transition[{i},{j}]{one}" for i in states for j in states if i != j for one in columns),
            *(f"initial[{k}]" for k in states[1:]),
        )

    def split(self, p: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Parameters of states (n_states, n), log-odds of transitions (n_states, n_states, 1 + n_drive) and of first states."""
        k, n = self.n_states, len(self.cell.names)
        width = 1 if self.driver is None else 1 + len(self.driver.drive_names)
        odds = np.zeros((k, k, width))
        odds[~np.eye(k, dtype=bool)] = p[k * n : k * n + k * (k - 1) * width].reshape(-1, width)
        return p[: k * n].reshape(k, n), odds, np.concatenate([[0.0], p[len(p) - k + 1 :]])

    def joined(
        self, states: np.ndarray, odds: np.ndarray, first: np.ndarray, *, relative: bool = True
    ) -> np.ndarray:
        """The inverse of `split`, where the odds of states are `relative` to one of them; or a gradient."""
        if relative:
            odds = odds - np.diagonal(odds).T[:, None]
            first = first - first[0]
        others = ~np.eye(self.n_states, dtype=bool)
        return np.concatenate([states.ravel(), odds[others].ravel(), first[1:]])

    def data(
        self,
        trains: SpikeSource,
        signal: Signal | None = None,
        *,
        inputs: Any = None,
        t_start: Time | None = None,
        t_stop: Time | None = None,
    ) -> StatesData:
        """Spikes, stimulus and inputs on steps, and the columns that drive transitions."""
        span: dict[str, Any] = {"t_start": t_start, "t_stop": t_stop}
        if self.driver is not None and signal is None:
            raise NsnnError(f"transitions = {self.transitions!r}, signal missing: expected both, or neither")
        driven = None if self.driver is None else self.driver.data(trains, signal, **span)
        given = None if self.stimulus is None and driven is not None else signal
        return StatesData(**vars(self.cell.data(trains, given, inputs=inputs, **span)), driven=driven)

    def seen(self, q: np.ndarray, data: Data) -> tuple[np.ndarray, Any]:
        """Log-likelihood (n,) of each step with a state's parameters, 0 while refractory; and the response."""
        linear, below = self.cell.traces(0.0, data)
        one = response(self.family, linear @ q + (self.threshold or 0.0) * below, data.o)
        return np.where(data.free, one.log_likelihood, 0.0), one

    def expect(self, p: np.ndarray, data: StatesData, *, smooth: bool = True) -> Expected:
        """The states given all spikes, or, without `smooth`, in each step given those up to it (posterior alone)."""
        states, odds, first = self.split(p)
        few, row = data.distinct
        each = [self.seen(q, few) for q in states]
        logs, seen = np.stack([one for one, _ in each], axis=1), [one for _, one in each]
        highest = logs.max(axis=1)
        likelihood = np.exp(logs - highest[:, None])[row]
        transition, initial = softmax(log_odds(data.columns, odds), axis=2), softmax(first)
        posterior, norm = forward(likelihood, transition, initial, data.begins)
        value = float(np.log(norm).sum() + highest[row].sum())
        if not smooth:
            return Expected(value, posterior, posterior, transition, transition, initial, seen)
        expected = backward(posterior, likelihood, norm, transition, data.begins)
        weights = posterior
        if not isinstance(row, slice):
            weights = np.stack([np.bincount(row, one, len(few.o)) for one in posterior.T], axis=1)
        return Expected(
            value, posterior, weights, transition, expected, posterior[data.begins].sum(axis=0), seen
        )

    def objective(
        self, p: np.ndarray, data: StatesData, priors: Priors | None = None
    ) -> tuple[float, np.ndarray]:
        """The (penalised) log-likelihood and its gradient (n_parameters,), by Fisher's identity."""
        states, odds, first = self.split(p)
        now, (few, _), k = self.expect(p, data), data.distinct, self.n_states
        slopes = np.stack([np.where(few.free, one.slope, 0.0) for one in now.responses], axis=1)
        by_state = (now.weights * slopes).T @ self.cell.traces(0.0, few)[0]
        by_odds = _pulls(now.transitions, now.transition, data.columns)
        initial, value = softmax(first), now.log_likelihood
        by_first = now.first - len(data.starts) * initial
        if priors is not None:
            rough, pairs = odds @ priors.transition, HALF * (1 - np.eye(k))
            mean = softmax(log_odds(priors.mean, odds), axis=2)
            value += float(np.sum(pairs * np.log(mean)) + np.sum(np.log(initial)))
            value -= 0.5 * float(np.sum(states @ priors.state * states) + np.sum(rough * odds))
            by_state = by_state - states @ priors.state
            by_odds = by_odds + _pulls(pairs[None], mean, priors.mean) - rough
            by_first = by_first + 1 - k * initial
        return value, self.joined(by_state, by_odds, by_first, relative=False)

    def complete_information(self, p: np.ndarray, data: StatesData, priors: Priors) -> np.ndarray:
        """(n_parameters, n_parameters) expected information if the states were observed, without that shared by transitions."""
        now, (few, _), k = self.expect(p, data), data.distinct, self.n_states
        linear, (_, odds, first) = self.cell.traces(0.0, few)[0], self.split(p)
        blocks = [
            gram(linear, np.where(few.free, weight * one.information, 0.0)) + priors.state
            for weight, one in zip(now.weights.T, now.responses, strict=True)
        ]
        mean, counts = softmax(log_odds(priors.mean, odds), axis=2)[0], now.transitions.sum(axis=2)
        for i, j in zip(*np.nonzero(~np.eye(k, dtype=bool)), strict=True):
            chance, rest = now.transition[:, i, j], HALF * (k - 1) * mean[i, j] * (1 - mean[i, j])
            block = (
                gram(data.columns, counts[:, i] * chance * (1 - chance)) + rest * priors.mean.T @ priors.mean
            )
            blocks.append(block + priors.transition)
        initial = softmax(first)[1:]
        return np.asarray(block_diag(*blocks, *((len(data.starts) + k) * initial * (1 - initial))))

    def probability(self, p: np.ndarray, data: Data) -> tuple[np.ndarray, np.ndarray]:
        """(n,) log P(no spike) and log-likelihood of each step, given the spikes before it.

        As of `NeuronModel.probability`; averaged over the states that are predicted from the past.
        """
        assert isinstance(data, StatesData)
        now, (few, row) = self.expect(p, data, smooth=False), data.distinct
        before = np.roll(now.posterior, 1, axis=0)
        moves = now.transition
        ahead = np.einsum("ti,tij->tj", before, moves) if len(moves) > 1 else before @ moves[0]
        ahead[data.begins] = now.first
        # (n_states, 2, n)
        each = np.stack([np.stack(self.cell.probability(q, few)) for q in self.split(p)[0]])
        silence, events = logsumexp(np.log(np.maximum(ahead.T, _LEAST))[:, None] + each[..., row], axis=0)
        return silence, events

    def evaluate(self, p: np.ndarray, data: Data, *_: Any, **__: Any) -> Any:
        """Log-likelihood, of all paths of states together, and gradient."""
        assert isinstance(data, StatesData)
        return Height(*self.objective(p, data))

    def draw_states(
        self,
        parameters: Any,
        signal: neo.AnalogSignal | None = None,
        *,
        inputs: Any = None,
        trials: int = 1,
        duration: Time | None = None,
        seed: int = 0,
    ) -> np.ndarray:
        """The hidden states (n_steps, n_trials) of `simulate` with the same arguments."""
        _, odds, first = self.split(self.vector(parameters))
        steps, _, columns = self._all_columns(signal, inputs, whole(trials, 1, "trials"), duration)
        uniform = np.random.default_rng([check_seed(seed), 1]).random((len(steps.values), trials))
        return drawn(softmax(log_odds(columns, odds), axis=2), softmax(first), uniform)

    def _all_columns(
        self, signal: Any, inputs: Any, trials: int, duration: Any
    ) -> tuple[Steps, np.ndarray, np.ndarray]:
        """The steps of a simulation, columns of its drive (1 or n_trials, n_steps, n_drive) and of its transitions."""
        if self.driver is None:
            return *self.cell.drive_columns(signal, inputs, trials, duration), np.ones((1, 1))
        steps, driven = self.driver.drive_columns(signal, None, trials, duration)
        columns = np.column_stack([np.ones(driven.shape[1]), driven[0]])
        if self.stimulus is None and inputs is None:
            return steps, np.empty((1, len(columns), 0)), columns
        given = None if self.stimulus is None else signal
        return steps, self.cell.drive_columns(given, inputs, trials, duration)[1], columns

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
        """Spikes drawn from the model, as `NeuronModel.simulate`; their states: `draw_states`.

        >>> from brian2 import ms, second
        >>> from nsnn_neuro.likelihood import Poisson
        >>> cell = StatesModel(dt=1*ms, family=Poisson(), n_states=2)
        >>> p = [-7.0, -3.0, -5.0, -5.0, 0.0]
        >>> block = cell.simulate(p, duration=2*second)
        >>> state = cell.draw_states(p, duration=2*second)[:, 0]
        >>> index = np.rint(1e3 * block.segments[0].spiketrains[0].magnitude).astype(int)
        >>> [int((state[index] == k).sum()) for k in (0, 1)]
        [0, 32]
        """
        p, shape = self.vector(parameters), {"inputs": inputs, "trials": trials, "duration": duration}
        path = self.draw_states(p, signal, seed=seed, **shape)
        steps, columns, _ = self._all_columns(signal, inputs, trials, duration)
        states, n_drive, n = self.split(p)[0], columns.shape[2], self.n_states
        drive = np.stack(
            [(q[0] + columns @ q[1 : 1 + n_drive]).T * np.ones((1, trials)) for q in states], axis=2
        )
        drive[path[:, :, None] != np.arange(n)] = _SILENT
        # a cell for each state, of which only that of the present state can fire; its spikes act on all of them
        basis, silent = self.bases()[1], self.refractory_steps
        effect = np.zeros((max(len(basis), silent), n))
        effect[: len(basis)] = basis @ states[:, 1 + n_drive :].T
        effect[:silent] += _SILENT
        coupling = np.repeat(effect[:, :, None], n, axis=2) if len(effect) else None
        cells = Cells(self.family, 0.0, self.threshold or 0.0, "none", 0, np.empty((0, n)), coupling)
        tick, trial, _ = draw(drive, cells, np.random.default_rng(seed))
        named = dict(zip(self.names, p.tolist(), strict=True))
        spikes = tick, trial, np.zeros(len(tick), dtype=int)
        return drawn_block(steps, spikes, (len(path), trials, 1), seed, named)


def log_odds(columns: np.ndarray, odds: np.ndarray) -> np.ndarray:
    """Log-odds of transitions (n, n_states, n_states), from columns (n, m) and coefficients (n_states, n_states, m)."""
    return np.ascontiguousarray(np.tensordot(columns, odds, axes=(1, 2)))


def _pulls(expected: np.ndarray, transition: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Gradient (n_states, n_states, m) of the log-probability of the expected transitions (n, n_states, n_states)."""
    return np.tensordot(expected - expected.sum(axis=2, keepdims=True) * transition, columns, axes=(0, 0))
