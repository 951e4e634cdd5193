"""Training of two-layer fits: its settings, standardised inputs, first weights, Adam, bits per spike."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import xlogy

from ..core.checks import SuggestsKeywords, positive, scalar, whole
from ..core.errors import NsnnError
from ..learning.loop import Epoch, Outcome, Scores, TrainingLoop, check_finite
from .fisher_scoring import quantile
from .network import NetworkModel
from .responses import width

_DECAY, _DECAY_SQUARE, _TINY = 0.9, 0.999, 1e-8  # Adam's
_BUSY = 0.3  # share of steps in which a hidden neuron near threshold fires, roughly


@dataclasses.dataclass(frozen=True, kw_only=True)
class Training(SuggestsKeywords):
    """How `fit_network` and `fit_windows` train: the argument `training` of both.

    Parameters
    ----------
    epochs, batch : whole numbers, as for `train`; the samples of a batch are windows
    eta : learning rate of Adam, in units of the noise's width 1 / f(0)
    schedule, keep : as for `train`. keep="best" chooses the epoch by the lower bound of the log-likelihood
        of the validation data, so that their score is too high
    window : time; None: 50 steps. Of `fit_network` only, as are those below
    refine : further epochs on the likelihood itself, with 30 particles, in NumPy
    particles : of the score `NetworkFit.held_out`

    >>> Training(epochs=60, keep="best").batch
    16
    """

    epochs: int = 30
    batch: int = 16
    eta: float = 0.01
    schedule: str = "cosine"
    keep: str = "last"
    window: Any = None
    refine: int = 0
    particles: int = 100

    def __post_init__(self) -> None:
        self.loop(0)  # checks epochs, schedule and keep
        whole(self.batch, 1, "batch")
        object.__setattr__(self, "eta", scalar(self.eta, "1", "eta", above=0))
        if self.window is not None:
            positive(self.window, "s", "window")
        whole(self.refine, 0, "refine")
        whole(self.particles, 1, "particles")

    def loop(self, seed: int, patience: int | None = None) -> TrainingLoop:
        """The loop over its epochs."""
        return TrainingLoop(
            epochs=self.epochs, seed=seed, schedule=self.schedule, patience=patience, keep=self.keep
        )


@dataclasses.dataclass(frozen=True)
class Scale:
    """Standardises columns for one learning rate, and maps them to 0 to 1, for `train`."""

    mean: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    span: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, all_rows: np.ndarray) -> Scale:
        """From the mean and variance of x, the rows to learn from, and the range of all rows."""
        mean, sd = x.mean(axis=0), x.std(axis=0)
        mean[0], sd[0] = 0.0, 1.0  # column 0 is the constant 1
        if np.any(sd == 0):
            raise NsnnError(f"stimulus[{np.flatnonzero(sd == 0)[0] - 1}]: nothing reaches it; drop it")
        z = (all_rows - mean) / sd
        low = z.min(axis=0)
        low[0] = 0.0
        return cls(mean, sd, low, z.max(axis=0) - low)

    def standardised(self, x: np.ndarray) -> np.ndarray:
        """(..., n_in) with the mean 0 and the variance 1 in the data that the scale is of."""
        return np.asarray((x - self.mean) / self.sd)

    def scaled(self, x: np.ndarray) -> np.ndarray:
        """(n, n_in) from 0 to 1, whatever the rounding."""
        return np.asarray(np.clip((self.standardised(x) - self.low) / self.span, 0.0, 1.0))

    def unscaled(self, w: np.ndarray) -> np.ndarray:
        """Weights of the original columns, from those of the scaled ones."""
        original = w / self.sd[:, None]
        original[0] -= self.mean[1:] @ original[1:]
        return original


def start(model: NetworkModel, o: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Random first weights of an effect of about the noise's width: hidden neurons near threshold, outputs at the rates of o."""
    scale = width(model.family)
    first, second = (rng.normal(0.0, scale / np.sqrt(n - 1), (n, m)) for n, m in model.shapes)
    first[0] = (1 - model.hidden.si("beta")) * model.hidden.si("theta")
    rates = np.minimum(o.mean(axis=0), 1 - 0.5 / len(o))  # a neuron may fire in every step
    middle = np.array([quantile(model.family, rate) for rate in rates])
    busy = _BUSY * second[1:].sum(axis=0)
    second[0] = (1 - model.output.si("beta")) * (model.output.si("theta") + middle) - busy
    return first, second


def bits(loss: Any, o: np.ndarray) -> np.ndarray:
    """Bits per spike, from a mean loss per window (nats) of o (n, n_steps, n_outputs)."""
    if not o.sum():
        return np.full(len(loss), np.nan)
    p = o.mean(axis=(0, 1))
    entropy = -o.shape[1] * np.sum(xlogy(p, p) + xlogy(1 - p, 1 - p))
    return np.asarray((entropy - loss) * len(o) / o.sum() / np.log(2))


def history_in_bits(history: pd.DataFrame, o: np.ndarray, val_o: np.ndarray) -> pd.DataFrame:
    """The history of a training on the bound, with it in bits per spike of windows o (n, n_steps, n_outputs)."""
    losses = history[["epoch", "loss", "val_loss", "seconds"]]
    bound, val_bound = bits(history.loss, o), bits(history.val_loss, val_o)
    return losses.assign(bound=bound, val_bound=val_bound, likelihood=np.nan)


@dataclasses.dataclass(eq=False)
class Ascent:
    """Adam up the slope of an objective of windows: a `Trainer` without checkpoints (Kingma & Ba 2015, arXiv 1412.6980)."""

    # of weights, windows and random numbers: losses of the windows, slopes of the objective
    slope: Callable[[list[np.ndarray], np.ndarray, Any], tuple[np.ndarray, list[np.ndarray]]]
    weights: list[np.ndarray]
    batch: int
    eta: float
    seed: int
    held_out: Callable[[list[np.ndarray]], np.ndarray] | None = None  # losses of the held-out windows
    # whether windows are ordered by the random numbers of the slopes, not by the loop
    own_order: bool = False

    def __post_init__(self) -> None:
        self.rng, self.count = np.random.default_rng([self.seed, 1]), 0
        self.weights = [w.copy() for w in self.weights]
        self.mean, self.square = ([np.zeros_like(w) for w in self.weights] for _ in range(2))

    def run(self, loop: TrainingLoop, progress: Any) -> Outcome:
        """The outcome of a loop."""
        itself: Any = contextlib.nullcontext(self)
        return loop.run(self.learned(), lambda: itself, lambda outcome: outcome, progress)

    def run_epoch(self, epoch: Epoch) -> tuple[Scores, Scores | None]:
        """A step on each batch of windows."""
        order, loss = epoch.samples, []
        if self.own_order:
            order = self.rng.permutation(len(order))
        for rows in np.array_split(order, -(-len(order) // self.batch)):
            losses, slopes = self.slope(self.weights, rows, self.rng)
            loss.append(losses)
            self._step(slopes, self.eta * epoch.eta)
        scores = None if self.held_out is None else Scores(self.held_out(self.weights))
        return Scores(np.concatenate(loss)), scores

    def _step(self, slopes: list[np.ndarray], rate: float) -> None:
        self.count += 1
        for w, m, s, g in zip(self.weights, self.mean, self.square, slopes, strict=True):
            m += (1 - _DECAY) * (g - m)
            s += (1 - _DECAY_SQUARE) * (g**2 - s)
            size = np.sqrt(s / (1 - _DECAY_SQUARE**self.count)) + _TINY
            w += rate * (m / (1 - _DECAY**self.count)) / size

    def check(self) -> dict[str, float]:
        """Refuse weights that aren't finite."""
        check_finite({f"weights of layer {k}": w for k, w in enumerate(self.weights, 1)})
        return {}

    def learned(self) -> dict[str, np.ndarray]:
        """The weights of both layers."""
        return {f"weights_{k}": w for k, w in enumerate(self.weights)}
