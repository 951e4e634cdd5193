"""The training loop of `train`, `deep.fit` and `fit_network`, and the protocols of their fits.

`TrainingLoop` chooses the held-out samples, the order of samples and the learning rate of each epoch. It keeps the history, finds
the best epoch, stops early, writes checkpoints and resumes from them. What it trains is a `Trainer`, in Brian2, torch or NumPy.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple, Protocol, TypeVar, runtime_checkable

import numpy as np
import pandas as pd

from ..core import units
from ..core.checks import check_seed, one_of, whole
from ..core.errors import NsnnError
from ..core.progress import progress_bar
from ..core.results import digest
from . import checkpoint as checkpoints

COLUMNS = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"]
# schedule -> factor of the learning rate in an epoch (from 0), of so many
SCHEDULES: dict[str, Callable[[int, int], float]] = {
    "constant": lambda epoch, epochs: 1.0,
    "cosine": lambda epoch, epochs: float(0.5 * (1 + np.cos(np.pi * epoch / epochs))),
}
_KEEP = ("best", "last")
# what random numbers are for: the first number of their path from the seed
NOISE, _SHUFFLE, _SPLIT = range(3)

Result = TypeVar("Result")


# --- fits ---


@runtime_checkable
class Scored(Protocol):
    """A fit that new data can judge. `fit_neuron` returns one.

    >>> from nsnn_neuro.likelihood import NeuronFit
    >>> issubclass(NeuronFit, Scored)
    True
    """

    def evaluate(self, *data: Any, **options: Any) -> dict[str, float]:
        """Measures of the fit on data, by name; `se` is the standard error of the first."""

    def score(self, *data: Any, **options: Any) -> Any:
        """The number that fits are compared by, the higher the better: a float, or an `Estimate`."""


@runtime_checkable
class TrainedFit(Scored, Protocol):
    """A fit by training in epochs. `train`, `deep.fit` and `fit_network` return one.

    history : a row for each epoch; its columns include epoch (from 1), loss, val_loss and seconds
    best_epoch : the epoch whose weights the fit has; 0: those before the first

    >>> from nsnn_neuro import NDL, EscapeNoise, Gaussian, feedforward, losses, train
    >>> net = feedforward([2, 2], noise=EscapeNoise(Gaussian(0.4)), plasticity=NDL(0.5))
    >>> data = np.eye(2), np.array([0, 1])
    >>> fit = train(net, data, loss=losses.rate_mse, epochs=2, keep="last", seed=1, engine="numpy")
    >>> isinstance(fit, TrainedFit), fit.best_epoch, fit.history["epoch"].tolist()
    (True, 2, [1, 2])
    """

    history: pd.DataFrame
    best_epoch: int


class Diverged(NsnnError):
    """Training that ran away: a loss or a weight isn't finite any more. `fit` is the fit of the epochs before.

    >>> issubclass(Diverged, NsnnError)
    True
    """

    fit: Any


# --- what the loop trains ---


class Epoch(NamedTuple):
    """The task of a `Trainer` in an epoch."""

    number: int
    """from 0"""
    samples: np.ndarray
    """the training samples in this epoch's order"""
    eta: float
    """factor of the learning rate"""
    report: Callable[[float], Any] | None
    """to call with the completed fraction of the epoch"""


class Scores(NamedTuple):
    """Losses (n,) of samples, and which guesses were right, (n,) or None where nothing is guessed.

    >>> scores = Scores(loss=np.array([0.2, 0.6]), right=np.array([True, False]))
    >>> round(float(scores.loss.mean()), 6), float(scores.right.mean())
    (0.4, 0.5)
    """

    loss: np.ndarray
    right: np.ndarray | None = None


class Trainer(Protocol):
    """Something that `TrainingLoop` can train. Arrays are named as in checkpoints.

    >>> from contextlib import nullcontext
    >>> class Mean:  # fits w to samples x by gradient descent
    ...     def __init__(self, x):
    ...         self.x, self.w = x, np.zeros(1)
    ...     def run_epoch(self, epoch):
    ...         errors = self.w - self.x[epoch.samples]
    ...         self.w = self.w - 0.5 * epoch.eta * errors.mean()
    ...         return Scores(errors**2), None
    ...     def check(self):
    ...         return {}
    ...     def learned(self):
    ...         return {"weights": self.w}
    ...     def state(self):
    ...         return {}, {}
    ...     def restore(self, arrays, about):
    ...         self.w = arrays["weights"]
    >>> loop = TrainingLoop(epochs=3, seed=1, keep="last")
    >>> loop.split(np.zeros(4), 0)
    >>> trainer = Mean(np.array([1.0, 1.0, 3.0, 3.0]))
    >>> outcome = loop.run(trainer.learned(), lambda: nullcontext(trainer), lambda outcome: outcome)
    >>> outcome.arrays["weights"].tolist(), outcome.history["loss"].tolist()
    ([1.75], [5.0, 2.0, 1.25])
    """

    def run_epoch(self, epoch: Epoch) -> tuple[Scores, Scores | None]:
        """Learn from the epoch's samples; their scores as they were learned from, and those of the held-out samples afterwards."""

    def check(self) -> dict[str, float]:
        """Raise `Diverged` where training has run away; else the values of further columns of the history."""

    def learned(self) -> dict[str, np.ndarray]:
        """The arrays of the fit: weights above all. May be views."""

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The other arrays and plain data that resuming needs."""

    def restore(self, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
        """Resume from the arrays and plain data of a checkpoint."""


class Outcome(NamedTuple):
    """The result of a training loop.

    >>> outcome = Outcome(pd.DataFrame({"epoch": [1, 2], "val_loss": [0.3, 0.4]}), 1, {"weights": np.zeros(2)})
    >>> float(outcome.history["val_loss"][outcome.best_epoch - 1])
    0.3
    """

    history: pd.DataFrame
    best_epoch: int
    """whose arrays these are"""
    arrays: dict[str, np.ndarray]
    """as `Trainer.learned`"""


# --- the loop ---


class TrainingLoop:
    """Epochs of training, with the arguments that all trainings share.

    Parameters
    ----------
    epochs, seed, schedule, patience, keep, checkpoint : as for `train`; with a checkpoint there must be a seed
    columns : further columns of the history

    >>> loop = TrainingLoop(epochs=10, seed=1)
    >>> loop.split(np.array([0, 0, 1, 1, 1, 1]), validation=0.5)
    >>> loop.trained.size, loop.held_out.size
    (3, 3)
    """

    config = ""
    held_out: np.ndarray
    trained: np.ndarray

    def __init__(
        self,
        *,
        epochs: int,
        seed: int | None,
        schedule: str = "constant",
        patience: int | None = None,
        keep: str = "best",
        checkpoint: str | Path | None = None,
        columns: Sequence[str] = (),
    ) -> None:
        self.epochs: int = whole(epochs, 1, "epochs")
        self.schedule: str = one_of(schedule, SCHEDULES, "schedule")
        self.patience = None if patience is None else whole(patience, 1, "patience")
        self.keep: str = one_of(keep, _KEEP, "keep")
        self.path = None if checkpoint is None else Path(checkpoint)
        if self.path is not None and not self.path.parent.is_dir():
            raise NsnnError(f"checkpoint = {checkpoint}: expected a file in a folder that exists")
        if seed is None and self.path is not None:
            raise NsnnError("seed = None with a checkpoint: expected a number, which resuming needs")
        self.seed: int = check_seed(seed)
        self.columns: list[str] = [*COLUMNS, *columns]
        self.trained = self.held_out = np.empty(0, int)
        self.described: dict[str, Any] = {}

    def split(self, y: np.ndarray, validation: Any, n: int | None = None) -> None:
        """Set which samples are trained on, `trained`, and which are held out, `held_out`.

        y : labels (n,) or target spikes (n, n_steps, n_out)
        validation : the share to hold out; see `held_out`
        n : number of training samples, where those that follow are validation data; None: hold out a share
        """
        if n is None:
            self.held_out = held_out(y, validation, rng(self.seed, _SPLIT))
            self.trained = np.setdiff1d(np.arange(len(y)), self.held_out)
        else:
            self.trained, self.held_out = np.arange(n), np.arange(n, len(y))
        if self.patience is not None and not self.held_out.size:
            raise NsnnError(
                f"patience = {self.patience}: expected None without validation, whose loss it watches"
            )

    def identify(self, described: dict[str, Any], *data: np.ndarray, fixed_epochs: bool = False) -> None:
        """Set what a checkpoint must be of to be resumed from: plain data and arrays.

        fixed_epochs : whether more epochs are another training, as they are with a schedule
        """
        fixed = {"epochs": self.epochs} if fixed_epochs or self.schedule != "constant" else {}
        self.described = described
        self.config = digest(described | fixed, *data, self.trained)

    def run(
        self,
        start: dict[str, np.ndarray],
        open_trainer: Callable[[], AbstractContextManager[Trainer]],
        result: Callable[[Outcome], Result],
        progress: Any = None,
    ) -> Result:
        """Train, and return `result` of the outcome.

        start : what `Trainer.learned` gives before the first epoch
        open_trainer : called where there is something left to do

        Raises
        ------
        Diverged : training ran away; the error's `fit` is `result` of the epochs before, and so is the checkpoint
        """
        history: list[dict[str, float]] = []
        best, last, stored = _Best(0, np.inf, start), start, None
        if self.path is not None and self.path.exists():
            stored = checkpoints.resumed(self.path, self.config, self.described, self.epochs)
            arrays, about = stored
            history, last = list(about["history"]), self._learned(arrays, start, str)
            best_epoch, best_loss = about["best"]
            best = _Best(best_epoch, best_loss, self._learned(arrays, start, _best_name))
        if len(history) < self.epochs and not self._is_over(best, history):
            with open_trainer() as trainer, progress_bar(progress, "training") as report:
                if stored is not None:
                    trainer.restore(*stored)
                while len(history) < self.epochs and not self._is_over(best, history):
                    try:
                        row = self._epoch(trainer, len(history), report)
                    except Diverged as error:
                        kept = (
                            f"; {self.path} is that of epoch {len(history)}" if self.path and history else ""
                        )
                        diverged = Diverged(f"epoch {len(history) + 1}: {error}{kept}")
                        diverged.fit = result(self._outcome(history, best, last))
                        raise diverged from None
                    history.append(row)
                    last = {name: np.array(values) for name, values in trainer.learned().items()}
                    best.update(len(history), row["val_loss"], last)
                    self._save(trainer, history, best)
        return result(self._outcome(history, best, last))

    def _is_over(self, best: _Best, history: list[Any]) -> bool:
        return self.patience is not None and len(history) - best.epoch >= self.patience

    def _epoch(self, trainer: Trainer, number: int, report: Any) -> dict[str, float]:
        began = time.perf_counter()
        order = rng(self.seed, _SHUFFLE, number).permutation(self.trained)
        eta = SCHEDULES[self.schedule](number, self.epochs)
        overall = report and (lambda fraction: report((number + fraction) / self.epochs))
        scores = trainer.run_epoch(Epoch(number, order, eta, overall))
        row: dict[str, float] = {"epoch": number + 1}
        for prefix, one in zip(("", "val_"), scores, strict=True):
            row[f"{prefix}loss"] = np.nan if one is None else float(one.loss.mean())
            row[f"{prefix}accuracy"] = np.nan if one is None or one.right is None else float(one.right.mean())
        return row | {"seconds": time.perf_counter() - began} | trainer.check()

    def _outcome(self, history: list[dict[str, float]], best: _Best, last: dict[str, np.ndarray]) -> Outcome:
        table = pd.DataFrame(history, columns=self.columns)
        if self.keep == "best":
            return Outcome(table, best.epoch, best.arrays)
        return Outcome(table, len(history), last)

    def _save(self, trainer: Trainer, history: list[dict[str, float]], best: _Best) -> None:
        if self.path is None:
            return
        more, plain = trainer.state()
        arrays = trainer.learned() | more | {_best_name(name): v for name, v in best.arrays.items()}
        about = {
            "config": self.config, "epoch": len(history), "history": history,
            "best": [best.epoch, best.loss], "described": self.described, **plain,
        }  # fmt: skip
        checkpoints.write_checkpoint(self.path, arrays, about)

    def _learned(
        self, arrays: dict[str, np.ndarray], start: dict[str, np.ndarray], name_of: Callable[[str], str]
    ) -> dict[str, np.ndarray]:
        """The arrays of a checkpoint that `name_of` the names of `start` names, in the shapes of `start`."""
        learned = {}
        for name, first in start.items():
            key = name_of(name)
            flat = {key: arrays[key].reshape(-1)} if key in arrays else {}
            learned[name] = checkpoints.array(self.path, flat, key, (first.size,)).reshape(first.shape)
        return learned


@dataclasses.dataclass
class _Best:
    """The epoch of the smallest validation loss so far, and its arrays; without validation the last epoch."""

    epoch: int
    loss: float
    arrays: dict[str, np.ndarray]

    def update(self, epoch: int, loss: float, arrays: dict[str, np.ndarray]) -> None:
        if loss < self.loss or (np.isnan(loss) and np.isinf(self.loss)):
            self.epoch, self.arrays = epoch, arrays
            self.loss = np.inf if np.isnan(loss) else loss


def _best_name(name: str) -> str:
    """An array's name in a checkpoint, as one of the best epoch: "weights_0" -> "best_0", "level_1_values" -> "best_level_1"."""
    if name.startswith("weights"):
        return "best" + name.removeprefix("weights")
    return f"best_{name.removesuffix('_values')}"


# --- parts ---


def check_finite(arrays: Mapping[str, np.ndarray]) -> None:
    """Raise `Diverged` for the first array with values that aren't finite; it is named as in `arrays`."""
    for name, values in arrays.items():
        if not np.isfinite(values).all():
            raise Diverged(f"{name} aren't finite any more, expected a smaller eta")


def rng(seed: int, *path: int) -> np.random.Generator:
    """The random numbers of one use: those of the seed's child at `path`.

    >>> rng(1, 0).random() == rng(1, 0).random(), rng(1, 0).random() == rng(1, 1).random()
    (True, False)
    """
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=path)))


def held_out(y: np.ndarray, validation: Any, random: np.random.Generator) -> np.ndarray:
    """Sorted rows of a share of the samples of each label; where y isn't labels, (n, ...), of all samples.

    >>> held_out(np.array([0, 0, 1, 1]), 0.5, rng(1)).size
    2
    """
    share = units.si(validation, "1", "validation")
    if np.ndim(share) or not 0 <= share < 1:
        raise NsnnError(f"validation = {validation}: expected a share from 0 to below 1, or (X, y)")
    groups = [np.arange(len(y))] if y.ndim > 1 else [np.flatnonzero(y == k) for k in np.unique(y)]
    rows = np.sort(np.concatenate([random.permutation(g)[: round(share * g.size)] for g in groups]))
    if rows.size == len(y):
        raise NsnnError(f"validation = {validation}: nothing is left to train on, expected less")
    return rows
