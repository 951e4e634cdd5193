"""Spikes drawn from fitted models, step by step: one neuron, or several that are coupled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.warn import SEE, warn
from ..models.escape import Family
from .responses import Poisson

_MOST = 1000.0  # spikes of a Poisson neuron in a step
_RUNAWAY = 4.0  # times the recorded rate


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


def draw(
    drive: np.ndarray, cells: Cells, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Step, trial and neuron of each spike; of several spikes of a neuron in a step the steps are fractions apart.

    drive : (n_steps, n_trials, n_cells), without the coupling among the cells
    """
    n, trials, n_cells = drive.shape
    family, kernel, coupling = cells.family, cells.kernel, cells.coupling
    poisson = isinstance(family, Poisson)
    scale = None if isinstance(family, Poisson) else np.asarray(family.si(family.parameter_fields()[0].name))
    m = np.zeros((trials, n_cells))
    effect = np.ascontiguousarray(kernel.T)  # (n_cells, n_lags)
    past = np.zeros((trials, n_cells, n if effect.size else 1))  # steps last: a spike acts on many of them
    synaptic = None if coupling is None else np.zeros(drive.shape)
    last = np.full((trials, n_cells), -np.inf)
    drawn: list[tuple[np.ndarray, ...]] = []
    capped = False
    for t in range(n):
        m = cells.beta * m + drive[t]
        if synaptic is not None:
            m += synaptic[t]
        a = m + past[:, :, t if effect.size else 0] - cells.theta
        if isinstance(family, Poisson):
            rate = family.rate(a)
            if rate.max() > _MOST:
                capped, rate = True, np.minimum(rate, _MOST)
            counts = rng.poisson(rate)
        else:
            counts = (rng.random((trials, n_cells)) < family._cdf(a, scale)).astype(int)
        if cells.silent:
            counts = counts * (t - last > cells.silent)
        if not counts.any():
            continue
        trial, cell = np.nonzero(counts)
        number = counts[trial, cell]
        drawn.append((np.full(trial.size, t), trial, cell, number))
        last[trial, cell] = t
        if effect.size:
            for i, j, k in zip(trial, cell, number, strict=True):
                past[i, j, t + 1 : t + 1 + len(kernel)] += k * effect[j, : n - t - 1]
        if synaptic is not None and coupling is not None:
            later = slice(t + 1, t + 1 + len(coupling))
            for i, j, k in zip(trial, cell, number, strict=True):
                synaptic[later, i] += k * coupling[: n - t - 1, :, j]
        if cells.reset == "hard":
            m[trial, cell] = 0.0
        elif cells.reset == "subtract":
            m[trial, cell] -= np.broadcast_to(cells.theta, n_cells)[cell]
    if capped:
        warn(
            f"the simulated rate was limited to {_MOST:g} spikes in a step: a Poisson model with history or coupling runs away; "
            "take a family such as Logistic(1.0), whose probability is at most 1, a ridge or fewer lags"
        )
    if not drawn:
        return np.empty(0, int), np.empty(0, int), np.empty(0, int)
    tick, trial, cell, number = (np.concatenate(one) for one in zip(*drawn, strict=True))
    if not poisson:
        return tick, trial, cell
    first = np.repeat(np.cumsum(number) - number, number)
    rank = (np.arange(len(first)) - first) / np.repeat(number, number)
    return np.repeat(tick, number) + rank, np.repeat(trial, number), np.repeat(cell, number)


def warn_runaway(names: list[str], simulated: np.ndarray, recorded: np.ndarray) -> None:
    """Warn of neurons whose simulated rate (Hz) is several times the recorded one: a fit need not be stable on its own spikes."""
    wild = np.flatnonzero(simulated > _RUNAWAY * recorded)
    if wild.size:
        k = int(wild[np.argmax(simulated[wild] / recorded[wild])])
        more = f" (and {wild.size - 1} more)" if wild.size > 1 else ""
        warn(
            f"{names[k]}{more} runs away: simulated {simulated[k]:.3g} Hz, recorded {recorded[k]:.3g} Hz; pass ridge=1.0 or more, "
            "fewer lags of history and coupling, refractory=, or a family with a limit such as Logistic(1.0). A stronger signal "
            f"than the fitted one does this too{SEE}fit_right.md#statistics"
        )
