"""Scores of fits on held-out windows: bits per spike, PSTH correlation, distances of drawn spikes, Fano, noise correlations."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from nsnn_neuro import measures

from .config import BIN, COST, LEFT_OUT_NATS, PSTH_BINS, RECORDED
from .responses import Responses


class Fitted(Protocol):
    """A fit of any arm."""

    def log_likelihood(self, data: Responses) -> np.ndarray:
        """(n, n_repeats, n_cells) nats."""

    def sample(self, data: Responses, repeats: int, rng: np.random.Generator) -> np.ndarray:
        """Spikes (n, repeats, n_steps, n_cells)."""


def gain(logs: np.ndarray, o: np.ndarray, rates: np.ndarray) -> np.ndarray:
    """Nats above cells with constant spike probabilities `rates` (n_cells,), (n, n_repeats, n_cells)."""
    p = np.clip(rates, 1e-4, 1 - 1e-4)
    counts = o.sum(axis=2)
    return logs - counts * np.log(p) - (o.shape[2] - counts) * np.log1p(-p)


def rows_of_fit(
    fitted: Fitted, test: Responses, rates: np.ndarray, samples: int, seed: Any
) -> list[dict[str, Any]]:
    """Scores of a fit: its nats, also with the stimuli of the windows exchanged, and scores of spikes drawn from it."""
    rows = rows_of_nats(fitted, test, rates)
    drawn = fitted.sample(test, samples, np.random.default_rng(seed))
    rows += _numbered("cell", "PSTH correlation", _correlations(_psth(drawn), _psth(test.o)))
    rows += _numbered("cell", "excess distance", _distances(test.o, drawn))
    return rows + _variability(drawn)


def rows_of_nats(
    fitted: Fitted, test: Responses, rates: np.ndarray, *, exchanged: bool = True
) -> list[dict[str, Any]]:
    """Nats by cell and by window, also with the stimuli of the windows exchanged.

    Of the cells that are left out of all choices there are nats by window of their own.
    """
    n = len(test.o)
    x, tiles = (np.roll(a, max(1, n // 2), axis=0) for a in (test.x, test.tiles))
    shown = {"nats": test} | ({"nats, exchanged": Responses(x, tiles, test.o)} if exchanged else {})
    spikes = test.o.sum(axis=(1, 2))  # (n, n_cells)
    rows = []
    for quantity, data in shown.items():
        each = gain(fitted.log_likelihood(data), test.o, rates).sum(axis=1)
        rows += _numbered("cell", quantity, each.sum(axis=0), spikes.sum(axis=0))
        rows += _numbered("window", quantity, each.sum(axis=1), spikes.sum(axis=1))
        if quantity == "nats":
            odd = slice(1, None, 2)
            rows += _numbered("window", LEFT_OUT_NATS, each[:, odd].sum(axis=1), spikes[:, odd].sum(axis=1))
    return rows


def _numbered(name: str, quantity: str, values: Any, spikes: Any = None) -> list[dict[str, Any]]:
    """A row for each value, with its number as a cell or a window, and its number of spikes if there is one."""
    rows = [{name: k, "quantity": quantity, "value": value} for k, value in enumerate(values)]
    return rows if spikes is None else [r | {"spikes": n} for r, n in zip(rows, spikes, strict=True)]


def rows_of_recording(test: Responses, samples: int) -> list[dict[str, Any]]:
    """The ceiling of the PSTH correlation with so many drawn repeats, and the variability of the recorded spikes."""
    rows = _numbered("cell", "PSTH ceiling", _ceilings(test.o, samples))
    return [{"arm": RECORDED, **row} for row in rows + _variability(test.o)]


def _counts(o: np.ndarray) -> np.ndarray:
    """Counts in bins of the PSTH, (n, n_repeats, n_bins, n_cells)."""
    return o.reshape(*o.shape[:2], -1, PSTH_BINS, o.shape[3]).sum(axis=3)


def _psth(o: np.ndarray) -> np.ndarray:
    """Mean counts, (n * n_bins, n_cells)."""
    return _counts(o).mean(axis=1).reshape(-1, o.shape[3])


def _correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Correlation of each column of predictions a with b: 0 where a is constant, as it predicts nothing, NaN where b is."""
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    size = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    r = np.where(size > 0, (a * b).sum(axis=0) / np.where(size > 0, size, 1.0), 0.0)
    return np.where((b**2).sum(axis=0) > 0, r, np.nan)


def _ceilings(o: np.ndarray, samples: int) -> np.ndarray:
    """Expected correlation of a PSTH with that of so many repeats drawn from the cell itself.

    It is S / sqrt((S + N / n) (S + N / samples)), with the power S of the signal and N of the noise of one repeat, and n repeats;
    S as of Sahani & Linden 2003 (NIPS 15).
    """
    counts = _counts(o)
    n = counts.shape[1]
    flat = counts.transpose(1, 0, 2, 3).reshape(n, -1, o.shape[3])
    power = (flat.sum(axis=0).var(axis=0, ddof=1) - flat.var(axis=1, ddof=1).sum(axis=0)) / (n * (n - 1))
    variance = flat.mean(axis=0).var(axis=0, ddof=1)  # power + noise / n
    power = np.clip(power, 0.0, variance)
    drawn = power + (variance - power) * n / samples
    return np.where(variance > 0, power / np.sqrt(np.where(variance > 0, variance * drawn, 1.0)), np.nan)


def _distances(o: np.ndarray, drawn: np.ndarray) -> np.ndarray:
    """Of each cell the mean over windows of 2 d(drawn, recorded) - d(drawn, drawn) - d(recorded, recorded), d Victor-Purpura's.

    It is 0 on average for spikes drawn from the cell itself.
    """
    width = float(BIN.rescale("s"))
    n, m = o.shape[1], drawn.shape[1]
    both = np.concatenate([o, drawn], axis=1) > 0
    result = np.zeros(o.shape[3])
    for cell in range(o.shape[3]):
        for window in both[..., cell]:
            trains = [(np.flatnonzero(one) + 0.5) * width for one in window]
            d = measures.victor_purpura(trains, cost=COST)
            within = d[:n, :n].sum() / (n * (n - 1)) + d[n:, n:].sum() / (m * (m - 1))
            result[cell] += 2 * d[:n, n:].mean() - within
    return result / len(o)


def _variability(o: np.ndarray) -> list[dict[str, Any]]:
    """Fano factors, variance over repeats and mean averaged over windows; and the mean noise correlation over pairs of cells."""
    counts = o.sum(axis=2)
    mean, variance = counts.mean(axis=(0, 1)), counts.var(axis=1, ddof=1).mean(axis=0)
    fano = np.where(mean > 0, variance / np.where(mean > 0, mean, 1.0), np.nan)
    rows = _numbered("cell", "Fano factor", fano)
    rest = (counts - counts.mean(axis=1, keepdims=True)).reshape(-1, counts.shape[2])
    rest = rest[:, rest.std(axis=0) > 0]
    if rest.shape[1] > 1:
        pairs = np.atleast_2d(np.corrcoef(rest.T))[np.triu_indices(rest.shape[1], 1)]
        rows.append({"quantity": "noise correlation", "value": float(pairs.mean())})
    return rows
