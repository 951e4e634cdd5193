"""Maximise the likelihood of a model with hidden states from several starts.

From each start, expectation maximisation with constant transitions comes first, as it is robust. Its M step of a state's parameters
is Newton's method of `fit_neuron`, with steps weighted by the state's probability. BFGS over all parameters is next, as it
is faster near the maximum. Its coordinates are those in which the information would be 1 if states were observed.

Source: Dempster, Laird & Rubin 1977, doi 10.1111/j.2517-6161.1977.tb01600.x; Lange 1995, Statistica Sinica 5, 1
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import minimize

from ...core.errors import NsnnError
from ...core.warn import warn
from ..fisher_scoring import climb, covariance_at, inverse, maximise, quantile
from ..prior import Prior
from ..responses import Poisson
from .states_model import HALF, Expected, Priors, StatesData, StatesModel

_PASSES, _GAIN = 30, 0.1  # of expectation maximisation: most passes; gain in nats of the last one
_NEWTON_STEPS = 3  # in an M step
_FEWEST = 0.01  # expected spikes, and silent steps, of a state whose parameters can be fitted
_GRADIENT, _MOST = 1e-5, 300  # nats per standard error at the maximum; iterations of BFGS
_STEP = 1e-3  # standard errors, over which the gradient is differentiated
_SPREAD = 1.2  # standard deviation of the logarithm of the states' rates in the starts
_UNREACHED = 1e-3  # nats of expected gain, beyond which the maximum was not reached
_RARE = 1e-6  # expected transitions


def maximise_states(
    model: StatesModel,
    data: StatesData,
    prior: Prior,
    near: np.ndarray | None = None,
    *,
    n_starts: int = 10,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """The parameters of the highest maximum, and the heights of all that were reached, nats; with `near` from there alone."""
    priors = Priors.of(model, data, prior)
    if near is not None:
        height, p = _ascend(model, near, data, priors)
        return p, np.array([height])
    q = maximise(model.cell, data, prior)[0]
    if model.n_states == 1:
        return q, np.array([model.objective(q, data, priors)[0]])
    plain, constant = replace(model, transitions=None), replace(data, driven=None)
    own, rng = Priors.of(plain, constant, prior), np.random.default_rng(seed)
    reached: list[tuple[float, np.ndarray]] = []
    for k in range(n_starts):
        try:
            p = _passes(plain, _start(plain, constant, q, rng if k else None), constant, own)
        except NsnnError as error:  # no maximum near this start
            refused = error
            continue
        states, odds, first = plain.split(p)
        wide = np.zeros((*odds.shape[:2], data.columns.shape[1]))
        wide[..., :1] = odds
        reached.append(_ascend(model, model.joined(states, wide, first), data, priors))
    if not reached:
        raise refused
    return max(reached, key=lambda one: one[0])[1], np.array([height for height, _ in reached])


def _passes(model: StatesModel, p: np.ndarray, data: StatesData, priors: Priors) -> np.ndarray:
    """Parameters after expectation maximisation from p, until its gain is small."""
    before = -np.inf
    for _ in range(_PASSES):
        now = model.expect(p, data)
        p = improved(model, p, data, priors, now)
        if now.log_likelihood - before < _GAIN:
            break
        before = now.log_likelihood
    return p


def _start(
    model: StatesModel, data: StatesData, q: np.ndarray, rng: np.random.Generator | None
) -> np.ndarray:
    """Parameters around those of a single state: rates apart, filters alike, random dwell times; without `rng` not random."""
    k, rate, n = model.n_states, float(data.o[data.free].mean()), len(data.o)
    least, most = np.log(max(2.0, 1 / rate)), np.log(max(4.0, n / (2 * k)))
    if rng is None:
        factors, gains = np.exp(_SPREAD * np.linspace(-1, 1, k)), np.ones(k)
        dwell = np.exp((least + most) / 2)
    else:
        factors, gains = np.exp(_SPREAD * rng.normal(size=k)), rng.uniform(0.5, 1.5, k)
        dwell = np.exp(rng.uniform(least, most))
    rates = rate * factors
    if not isinstance(model.family, Poisson):
        rates = np.minimum(rates, (1 + rate) / 2)
    states = np.outer(gains, q)
    states[:, 0] = [q[0] + quantile(model.family, one) - quantile(model.family, rate) for one in rates]
    odds = np.full((k, k, 1), np.log(1 / ((dwell - 1) * max(k - 1, 1))))
    odds[np.diag_indices(k)] = 0.0
    return model.joined(states, odds, np.zeros(k))


def fittable(model: StatesModel, data: StatesData, now: Expected) -> np.ndarray:
    """(n_parameters,) False for parameters of states that are never visited, or that never or always fire."""
    few = data.distinct[0]
    numbers = [now.weights.T @ (few.free * few.o)]
    if not isinstance(model.family, Poisson):
        numbers.append(now.weights.T @ (few.free * (1 - few.o)))
    enough = np.min(numbers, axis=0) > _FEWEST
    each = np.repeat(enough, len(model.cell.names))
    return np.concatenate([each, np.ones(len(model.names) - len(each), dtype=bool)])


def improved(
    model: StatesModel, p: np.ndarray, data: StatesData, priors: Priors, now: Expected
) -> np.ndarray:
    """One pass of expectation maximisation, for constant transitions; `now` is what is expected at p."""
    (states, _, _), few, k = model.split(p), data.distinct[0], model.n_states
    free = fittable(model, data, now)[: states.size].reshape(states.shape)[:, 0]
    linear, new = model.cell.traces(0.0, few), states.copy()
    span = np.maximum(linear[0].max(axis=0), -linear[0].min(axis=0))
    for j in np.flatnonzero(free).tolist():
        weighted = replace(few.without_columns(), weight=now.weights[:, j])
        evaluate = partial(model.cell.evaluate, data=weighted, linear=linear, curved=True)
        new[j] = climb(model.cell, states[j], priors.state, evaluate, span, False, _NEWTON_STEPS)[0]
    counts = now.transitions[0] + HALF * (1 - np.eye(k))
    return model.joined(new, np.log(np.maximum(counts, _RARE))[..., None], np.log(now.first + 1))


def _whitened(
    model: StatesModel, p: np.ndarray, data: StatesData, priors: Priors
) -> tuple[Callable[[np.ndarray], tuple[float, np.ndarray]], np.ndarray]:
    """The objective and its gradient around p, in coordinates u of unit information if states were observed; and dp/du."""
    free = fittable(model, data, model.expect(p, data))
    information = model.complete_information(p, data, priors)[np.ix_(free, free)]
    diagonal = np.diag(information)
    information += np.diag(1e-10 * diagonal + 1e-12 * max(diagonal.max(), 1e-12))
    slopes = np.zeros((len(p), int(free.sum())))
    slopes[free] = solve_triangular(cholesky(information, lower=True), np.eye(len(information)), lower=True).T

    def objective(u: np.ndarray) -> tuple[float, np.ndarray]:
        with np.errstate(all="ignore"):
            value, gradient = model.objective(p + slopes @ u, data, priors)
        sound = np.isfinite(value) and np.all(np.isfinite(gradient))
        return (value, gradient @ slopes) if sound else (-1e300, np.zeros(len(u)))

    return objective, slopes


def _ascend(model: StatesModel, p: np.ndarray, data: StatesData, priors: Priors) -> tuple[float, np.ndarray]:
    """The height and the parameters of the maximum near p."""
    objective, slopes = _whitened(model, p, data, priors)

    def negative(u: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = objective(u)
        return -value, -gradient

    options = {"gtol": _GRADIENT, "maxiter": _MOST}
    best = minimize(negative, np.zeros(slopes.shape[1]), jac=True, method="BFGS", options=options)
    return -float(best.fun), p + slopes @ best.x


def refined(
    model: StatesModel, p: np.ndarray, data: StatesData, prior: Prior
) -> tuple[np.ndarray, np.ndarray]:
    """Parameters after one of Newton's steps, and their covariance: NaN of those that can't be told apart.

    It is the inverse of the observed information, from differences of the gradient; of a single state that of `fit_neuron`."""
    priors = Priors.of(model, data, prior)
    if model.n_states == 1:
        covariance = covariance_at(model.cell.evaluate(p, data), priors.state)
        assert covariance is not None  # `maximise` refuses such data
        return p, covariance
    objective, slopes = _whitened(model, p, data, priors)
    steps = _STEP * np.eye(slopes.shape[1])
    bent = np.array([objective(-u)[1] - objective(u)[1] for u in steps]) / (2 * _STEP)
    inverted, free = inverse((bent + bent.T) / 2), np.any(slopes != 0, axis=1)
    result = np.full((len(p), len(p)), np.nan)
    if inverted is None:
        return p, result
    result[np.ix_(free, free)] = (slopes @ inverted @ slopes.T)[np.ix_(free, free)]
    value, gradient = objective(np.zeros(len(steps)))
    step = inverted @ gradient
    if gradient @ step > _UNREACHED:
        warn(
            f"the search stopped about {gradient @ step / 2:.2g} nats below the maximum: values and errors are not exact; pass "
            "fewer states, or ridge=1.0"
        )
    return (p + slopes @ step if objective(step)[0] >= value else p), result


def by_rate(model: StatesModel, p: np.ndarray, data: StatesData) -> np.ndarray:
    """The parameters with the states in the order of their rates."""
    now, (few, _) = model.expect(p, data), data.distinct
    rates = (now.weights.T @ (few.free * few.o)) / np.maximum(now.weights.T @ few.free, 1e-9)
    order = np.argsort(rates, kind="stable")
    states, odds, first = model.split(p)
    return model.joined(states[order], odds[np.ix_(order, order)], first[order])
