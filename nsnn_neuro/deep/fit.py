"""`fit`: training a `Classifier` in epochs, and its result, `Fit`."""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..core.aliases import Progress
from ..core.checks import one_of, whole
from ..core.errors import NsnnError
from ..learning.loop import Diverged, Outcome, Scores, TrainingLoop
from ..learning.losses import Loss
from .classifier import Classifier, checked, evaluated, evaluating, measured, on_its_device
from .estimators import GRADIENTS, added
from .module_trainer import ModuleTrainer
from .objective import check_loss, signal_in_time, values
from .online import taped
from .rng import seeded

__all__ = ["Diverged", "Fit", "fit"]


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """What `fit` returns.

    history : DataFrame, a row for each epoch: epoch (from 1), loss and accuracy (means over the training samples, each when it was
        learned from), val_loss and val_accuracy (after the epoch; NaN without validation), seconds
    module : a copy of the classifier with the learned weights
    best_epoch : the epoch whose weights the module has

    >>> from nsnn_neuro import Gaussian, losses
    >>> from nsnn_neuro.deep import Classifier, NoisySpike
    >>> net = Classifier(torch.nn.Sequential(torch.nn.Linear(2, 2), NoisySpike(Gaussian(0.4))))
    >>> trained = fit(net, (np.eye(2)[[0, 1] * 20], [0, 1] * 20), loss=losses.rate_mse, epochs=2, seed=1)
    >>> trained.history.columns.tolist(), len(trained.history)
    (['epoch', 'loss', 'accuracy', 'val_loss', 'val_accuracy', 'seconds'], 2)
    """

    history: pd.DataFrame
    module: Classifier
    best_epoch: int
    _loss: Loss = dataclasses.field(repr=False)

    def evaluate(self, data: Any, *, passes: int | None = None, seed: int = 0) -> dict[str, float]:
        """Accuracy on images and labels (X, y), its `se`, `low` and `high`, see `accuracy`; mean loss of images and passes."""
        return evaluated(self.module, data, passes, seed, self._loss)

    def score(self, data: Any, *, passes: int | None = None, seed: int = 0) -> float:
        """The accuracy of `evaluate`."""
        return self.evaluate(data, passes=passes, seed=seed)["accuracy"]


def fit(
    net: Classifier,
    data: Any,
    *,
    loss: Loss,
    epochs: int,
    algorithm: str = "bptt",
    gradient: str = "ndl",
    draws: int = 1,
    batch: int = 64,
    optimizer: Any = None,
    eta: float = 0.01,
    validation: Any = 0.2,
    schedule: str = "constant",
    patience: int | None = None,
    keep: str = "best",
    seed: int | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress = None,
) -> Fit:
    """Train a classifier by noise-driven learning, in mini-batches, down the mean loss of each.

    A given seed yields identical weights on the same machine, resumed or not. A noisy net and its `twin` get the same batches and
    input spikes. torch's generators are left as they were.

    Parameters
    ----------
    net : `Classifier`; it isn't changed. Dropout and batch norm keep their mode, and are in `eval` mode for validation
    data : (X, y): images (n, ...) from 0 to 1, as the module takes them; labels (n,), whole numbers from 0
    loss : of the output spikes, e.g. `losses.rate_mse`, `losses.cross_entropy_step` (temporal efficient training) or
        `losses.cross_entropy_mean`; a loss of your own needs NumPy functions only
    epochs : whole number, how often each training sample is shown
    algorithm : "bptt": backpropagation through time with do/du = f, along all paths. "online": the signal of a hidden layer comes
        from the same step above, that of the output from the steps so far, as in `reference.ndl(..., future=False)`, in as much
        memory as "bptt". Modules that mix steps, as batch norm does in training, still do
    gradient : "ndl", "local_expectation" or "score_function", as of `backward`, which says what they cost; the last two are
        unbiased at any depth, and need algorithm="bptt" and noise in all neurons
    draws : of input spikes and noise, for each sample of a batch, whose gradients are averaged
    batch : samples in a batch; the last batch of an epoch may have fewer
    optimizer : `SGD()`, `Momentum()`, `Adam()` of the package, or a function of (parameters, eta) that returns a
        torch.optim.Optimizer, such as torch.optim.AdamW; None: `Adam()`
    eta : number > 0, learning rate
    validation : share of the samples of each label that is held out, drawn from the seed; 0 for none; or data of its own, (X, y)
    schedule, patience, keep, checkpoint, progress : as for `train`
    seed : whole number; None draws one. It doesn't affect the module's first weights

    Raises
    ------
    NsnnError : data, a module or an option that doesn't fit; a checkpoint of another configuration
    Diverged : a loss or weights that aren't finite; the checkpoint is then that of the epoch before, and so is the error's `fit`
    FormatError : a checkpoint that is damaged

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831; online, without the future: Bellec et al. 2020,
    doi 10.1038/s41467-020-17236-y

    >>> from nsnn_neuro import Gaussian, losses
    >>> from nsnn_neuro.deep import Classifier, NoisySpike
    >>> X, y = np.eye(2)[[0, 1] * 40], np.array([0, 1] * 40)
    >>> net = Classifier(torch.nn.Sequential(torch.nn.Linear(2, 2), NoisySpike(Gaussian(0.4))))
    >>> trained = fit(net, (X, y), loss=losses.rate_mse, epochs=20, batch=16, eta=0.1, seed=1)
    >>> trained.score((X, y), passes=5) > 0.95
    True
    """
    loop = TrainingLoop(
        epochs=epochs, seed=seed, schedule=schedule, patience=patience, keep=keep, checkpoint=checkpoint
    )
    one_of(gradient, GRADIENTS, "gradient")
    estimator = (gradient, whole(draws, 1, "draws"))
    trainer = _Trainer(loop, net, data, loss, algorithm, estimator, optimizer, eta)
    trainer.divide(validation, batch)
    return loop.run(trainer.learned(), lambda: contextlib.nullcontext(trainer), trainer.fit, progress)


class _Trainer(ModuleTrainer):
    """`ModuleTrainer` for classifiers: X are images, targets are labels."""

    def __init__(
        self,
        loop: TrainingLoop,
        net: Any,
        data: Any,
        loss: Any,
        algorithm: str,
        estimator: Any,
        optimizer: Any,
        eta: float,
    ) -> None:
        self.algorithm, self.estimator = one_of(algorithm, ("bptt", "online"), "algorithm"), estimator
        self.online, self.plain = algorithm == "online", estimator == ("ndl", 1)
        if self.online and not self.plain:
            raise NsnnError('algorithm = "online": expected gradient="ndl" and draws=1, or algorithm="bptt"')
        self.loss = check_loss(loss, online=self.online)
        super().__init__(loop, net, data, checked, optimizer, eta, "net")
        if self.online:  # refuses what it can't do before an epoch has begun
            with torch.no_grad(), evaluating(self.net), seeded(0, self.net), taped(self.net):
                self.net.spikes(on_its_device(self.net, self.X[:1]))

    def divide(self, validation: Any, batch: int) -> None:
        super().divide(validation, batch)
        described = self.described() | {
            "encoder": {**self.net.encoder.describe(), "o": self.net.encoder.o},
            "decoder": self.net.decoder.describe(),
            "loss": self.loss.describe(),
            "algorithm": self.algorithm,
            "batch": self.batch,
        }
        if not self.plain:
            described["estimator"] = list(self.estimator)
        self.loop.identify(described, self.X.numpy(), self.targets)

    def fit(self, outcome: Outcome) -> Fit:
        return Fit(outcome.history, self.trained(outcome), outcome.best_epoch, self.loss)

    def learn(self, rows: np.ndarray) -> Scores:
        """One step down the loss."""
        x, y = on_its_device(self.net, self.X[rows]), self.targets[rows]
        self.optimizer.zero_grad()
        if self.online:
            with taped(self.net) as tape:
                out = self.net.spikes(x)
            tape.backward(out, signal_in_time(self.loss, out, y) / len(y))
            value = values(self.loss, out.detach(), y)
        elif not self.plain:
            gradient, draws = self.estimator
            given = self.net.encoded(x.repeat(draws, *[1] * (x.ndim - 1)))
            each, out = added(self.net.module, given, lambda o: values(self.loss, o, y), gradient, draws)
            value = each.mean(0)
        else:
            out = self.net.spikes(x)
            value = values(self.loss, out, y)
            value.mean().backward()
        self.optimizer.step()
        guess = self.net.scores(out.detach()).unflatten(0, (-1, len(y))).mean(0).argmax(-1)
        return Scores(value.detach().double().cpu().numpy(), guess.cpu().numpy() == y)

    def judged(self, rows: np.ndarray, seed: int) -> Scores:
        """The mean loss, and which guesses are right."""
        with seeded(seed, self.net):
            right, mean = measured(self.net, self.X[rows], self.targets[rows], self.net.passes, self.loss)
        return Scores(np.array(mean), right)
