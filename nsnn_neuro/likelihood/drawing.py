"""Spikes drawn from fitted models, step by step: one neuron, or several that are coupled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.numba_jit import njit
from ..core.warn import FIT_RIGHT, warn
from ..models.escape import Family
from .responses import Poisson

_MOST = 1000.0  # spikes of a Poisson neuron in a step
_MOST_EVER = 50_000.0  # of a negative binomial one, whose rate has a gain: counts are 16-bit numbers
_RUNAWAY = 4.0  # times the recorded rate


class RunawayWarning(UserWarning):
    """Warning of a simulation whose rate passed every limit; `compare_models` has no scores of it."""


@dataclass(frozen=True, eq=False)
class Cells:
    """Parameters of neurons of one model."""

    family: Family | Poisson
    beta: Any
    """a number or (n_cells,)"""
    theta: Any
    """a number or (n_cells,)"""
    reset: str
    silent: int
    """refractory steps"""
    kernel: np.ndarray
    """(n_lags, n_cells) effect of a spike on later potentials of the neuron, lags from 1"""
    coupling: np.ndarray | None = None
    """(n_lags, post, pre) effect of a spike on the drive of other neurons, lags from 1"""
    dispersion: Any = 0.0
    """of counts, a number or (n_cells,)"""


def draw(
    drive: np.ndarray, cells: Cells, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Step, trial and neuron of each spike; of several spikes of a neuron in a step the steps are fractions apart.

    drive : (n_steps, n_trials, n_cells), without the coupling among the cells
    """
    n, trials, n_cells = drive.shape
    family, effect = cells.family, np.ascontiguousarray(cells.kernel.T)  # (n_cells, n_lags)
    coupling = np.empty((0, n_cells, n_cells)) if cells.coupling is None else cells.coupling
    past = np.zeros((trials, n_cells, n if effect.size else 1))  # steps last: a spike acts on many of them
    synaptic = np.zeros((n if coupling.size else 1, trials, n_cells))
    theta = np.broadcast_to(cells.theta, n_cells).astype(float)
    m, counts = np.zeros((trials, n_cells)), np.zeros(drive.shape, dtype=np.uint16)
    later = (m, past, effect, synaptic, coupling, theta, cells.reset)
    if isinstance(family, Poisson):
        dispersion = np.broadcast_to(cells.dispersion, n_cells).astype(float)
        if _draw_poisson(rng, counts, drive, cells.silent, dispersion, *later):
            warn(
                f"the simulated rate was limited to {_MOST:g} spikes in a step: a Poisson model with history or coupling runs "
                "away, and its trial has no spikes after that step; take a family such as Logistic(1.0), whose probability is "
                "at most 1, a ridge or fewer lags",
                RunawayWarning,
            )
        tick, trial, cell = np.nonzero(counts)
        number = counts[tick, trial, cell].astype(int)
        first = np.repeat(np.cumsum(number) - number, number)
        rank = (np.arange(len(first)) - first) / np.repeat(number, number)
        return np.repeat(tick, number) + rank, np.repeat(trial, number), np.repeat(cell, number)
    scale = np.asarray(family.si(family.parameter_fields()[0].name))
    for t in range(n):
        m *= cells.beta
        m += drive[t]
        if coupling.size:
            m += synaptic[t]
        a = m + past[:, :, t if effect.size else 0] - theta
        spikes = rng.random((trials, n_cells)) < family._cdf(a, scale)
        if cells.silent:
            spikes &= ~counts[max(0, t - cells.silent) : t].any(axis=0)
        if spikes.any():
            counts[t] = spikes
            _pass_on(t, counts[t], *later)
    tick, trial, cell = np.nonzero(counts)
    return tick, trial, cell


@njit(cache=True)  # pragma: no cover - compiled
def _pass_on(
    t: int,
    counts: np.ndarray,
    m: np.ndarray,
    past: np.ndarray,
    effect: np.ndarray,
    synaptic: np.ndarray,
    coupling: np.ndarray,
    theta: np.ndarray,
    reset: str,
) -> None:
    """Add the effect of the spikes of step t, (n_trials, n_cells), to later steps, and reset the membrane."""
    for i in range(len(counts)):
        for j in range(len(theta)):
            k = float(counts[i, j])
            if k == 0.0:
                continue
            after, own = past[i, j, t + 1 :], effect[j]
            for lag in range(min(len(after), len(own))):
                after[lag] += k * own[lag]
            for lag in range(min(len(coupling), len(synaptic) - t - 1)):
                for post in range(len(theta)):
                    synaptic[t + 1 + lag, i, post] += k * coupling[lag, post, j]
            if reset == "hard":
                m[i, j] = 0.0
            elif reset == "subtract":
                m[i, j] -= theta[j]


@njit(cache=True)  # pragma: no cover - compiled
def _draw_poisson(
    rng: np.random.Generator,
    counts: np.ndarray,
    drive: np.ndarray,
    silent: int,
    dispersion: np.ndarray,
    m: np.ndarray,
    past: np.ndarray,
    effect: np.ndarray,
    synaptic: np.ndarray,
    coupling: np.ndarray,
    theta: np.ndarray,
    reset: str,
) -> bool:
    """Fill in the spike counts of a Poisson or negative binomial model, which has no membrane; whether its rate was limited.

    500 is the limit of `Poisson.rate`.
    A trial that runs away through history or coupling ends there, before it has millions of spikes.
    """
    capped, over = False, np.zeros(counts.shape[1], dtype=np.bool_)
    for t in range(len(counts)):
        for i in np.flatnonzero(~over):
            for j in range(len(theta)):
                a = drive[t, i, j] + (synaptic[t, i, j] if coupling.size else 0.0)
                rate = np.exp(min(a + past[i, j, t if effect.size else 0] - theta[j], 500.0))
                if rate > _MOST:
                    capped, over[i] = True, effect.size + coupling.size > 0
                rate = min(rate, _MOST)
                if dispersion[j] > 0.0:
                    rate = min(rate * rng.gamma(1.0 / dispersion[j], dispersion[j]), _MOST_EVER)
                count = rng.poisson(rate)
                if not counts[max(0, t - silent) : t, i, j].any():
                    counts[t, i, j] = count
        _pass_on(t, counts[t], m, past, effect, synaptic, coupling, theta, reset)
    return capped


def warn_runaway(names: list[str], simulated: np.ndarray, recorded: np.ndarray) -> None:
    """Warn of neurons whose simulated rate (Hz) is several times the recorded one: a fit need not be stable on its own spikes."""
    wild = np.flatnonzero(simulated > _RUNAWAY * recorded)
    if wild.size:
        k = int(wild[np.argmax(simulated[wild] / recorded[wild])])
        more = f" (and {wild.size - 1} more)" if wild.size > 1 else ""
        warn(
            f"{names[k]}{more} runs away: simulated {simulated[k]:.3g} Hz, recorded {recorded[k]:.3g} Hz; pass ridge=1.0 or more, "
            "fewer lags of history and coupling, refractory=, or a family with a limit such as Logistic(1.0). A stronger signal "
            f"than the fitted one does this too{FIT_RIGHT}statistics"
        )
