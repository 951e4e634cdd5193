"""Training a `Classifier` in epochs: `fit`, and what comes of it, `Fit`."""

from __future__ import annotations

import copy
import dataclasses
import functools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..core.checks import check_seed, number, one_of, whole
from ..core.errors import FormatError, NsnnError
from ..core.progress import progress_bar
from ..learning import checkpoint as checkpoints
from ..learning import loop as epochs
from ..learning.losses import Loss
from ..models.plasticity.optimizers import SGD, Adam, Momentum, Optimizer
from .classifier import Classifier, checked, evaluating, measured, on_its_device
from .objective import check_loss, signal_in_time, values
from .online import taped
from .rng import child, seeded

__all__ = ["Diverged", "Fit", "fit"]

_COLUMNS = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"]
_ALGORITHMS = ("bptt", "online")
# what random numbers are for: the first number of their path from the seed
_NOISE, _SHUFFLE, _SPLIT, _VALIDATION = range(4)
_MADE: dict[type, Callable[[Any, Any, float], torch.optim.Optimizer]] = {
    SGD: lambda record, parameters, eta: torch.optim.SGD(parameters, lr=eta),
    Momentum: lambda record, parameters, eta: torch.optim.SGD(parameters, lr=eta, momentum=record.si("mu")),
    Adam: lambda record, parameters, eta: torch.optim.Adam(
        parameters, lr=eta, betas=(record.si("beta_1"), record.si("beta_2")), eps=record.si("epsilon")
    ),
}


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """What `fit` returns.

    history : DataFrame, a row for each epoch: epoch (from 1), loss and accuracy (means over the training samples, each when it was
        learned from), val_loss and val_accuracy (after the epoch; NaN without validation), seconds
    module : a copy of the classifier with the weights of the best epoch
    best_epoch : that of the smallest validation loss, without validation the last

    >>> from nsnn_neuro import Gaussian, losses
    >>> from nsnn_neuro.deep import Classifier, NoisySpike
    >>> net = Classifier(torch.nn.Sequential(torch.nn.Linear(2, 2), NoisySpike(Gaussian(0.4))))
    >>> found = fit(net, (np.eye(2)[[0, 1] * 20], [0, 1] * 20), loss=losses.rate_mse, epochs=2, seed=1)
    >>> found.history.columns.tolist(), len(found.history)
    (['epoch', 'loss', 'accuracy', 'val_loss', 'val_accuracy', 'seconds'], 2)
    """

    history: pd.DataFrame
    module: Classifier
    best_epoch: int


class Diverged(NsnnError):
    """Training that ran away: the loss or a weight isn't finite any more. `fit` is the `Fit` of the epochs before.

    >>> issubclass(Diverged, NsnnError)
    True
    """

    fit: Fit


def fit(
    net: Classifier,
    data: Any,
    *,
    loss: Loss,
    epochs: int,
    algorithm: str = "bptt",
    batch: int = 64,
    optimizer: Any = None,
    eta: float = 0.01,
    schedule: str = "constant",
    validation: Any = 0.2,
    seed: int | None = None,
    checkpoint: str | Path | None = None,
    progress: Any = None,
) -> Fit:
    """Train a classifier by noise-driven learning, in mini-batches, down the mean loss of each.

    Every random number comes from the seed, the epoch and the batch: the same seed gives the same weights bit for bit on the same
    machine, resumed or not, and a noisy net and its `twin` the same batches and input spikes. torch's generators are left alone.

    Parameters
    ----------
    net : `Classifier`; it isn't changed. Dropout and batch norm are in the mode that they are in, and in `eval` mode for validation
    data : (X, y): images (n, ...) from 0 to 1, as the module takes them; labels (n,), whole numbers from 0
    loss : of the output spikes, e.g. `losses.rate_mse`, `losses.cross_entropy_step` (temporal efficient training) or
        `losses.cross_entropy_mean`, or one of your own, which needs its NumPy alone
    epochs : whole number, how often each training sample is shown
    algorithm : "bptt": backpropagation through time with do/du = f, along all paths. "online": a hidden layer's signal comes from
        the same step above, the output's from the steps so far; what a spike does to later membranes above is left out, a neuron's
        own membrane and reset aren't. The gradient is that of `reference.ndl(..., future=False)`, in as much memory as "bptt". What
        modules mix over steps on their own, as batch norm does in training, isn't undone
    batch : samples in a batch; the last batch of an epoch may have fewer
    optimizer : `SGD()`, `Momentum()`, `Adam()` of the package, or a function of (parameters, eta) that returns a
        torch.optim.Optimizer, such as torch.optim.AdamW itself; None: `Adam()`
    eta : number > 0, learning rate
    schedule : of the learning rate: "constant", or "cosine", from eta to 0 over the epochs
    validation : share of the samples of each label that is held out, drawn from the seed; 0 for none; or data of its own, (X, y)
    seed : whole number; None draws one. The weights that the module begins with aren't drawn here
    checkpoint : a file, written after each epoch, as a whole or not at all, without pickles; where it exists training goes on
        from there
    progress : as for `simulate`

    Raises
    ------
    NsnnError : data, a module or an option that doesn't fit; a checkpoint of another configuration
    Diverged : a loss, or weights, that aren't finite; the checkpoint is then that of the epoch before, and so is the error's `fit`
    FormatError : a checkpoint that is damaged

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831; online, without the future: Bellec et al. 2020,
    doi 10.1038/s41467-020-17236-y

    >>> from nsnn_neuro import Gaussian, losses
    >>> from nsnn_neuro.deep import Classifier, NoisySpike, accuracy
    >>> X, y = np.eye(2)[[0, 1] * 40], np.array([0, 1] * 40)
    >>> net = Classifier(torch.nn.Sequential(torch.nn.Linear(2, 2), NoisySpike(Gaussian(0.4))))
    >>> found = fit(net, (X, y), loss=losses.rate_mse, epochs=20, batch=16, eta=0.1, seed=1)
    >>> accuracy(found.module, (X, y), passes=5)["accuracy"] > 0.95
    True
    """
    task = _Task(
        net, data, loss, epochs, algorithm, batch, optimizer, eta, schedule, validation, seed, checkpoint
    )
    return task.run(progress)


class _Task:
    """The arguments of one call, checked, and what becomes of them."""

    def __init__(
        self, net, data, loss, n_epochs, algorithm, batch, optimizer, eta, schedule, validation, seed, checkpoint
    ):  # fmt: skip
        for value, name in ((n_epochs, "epochs"), (batch, "batch")):
            whole(value, 1, name)
        for value, known, name in (
            (algorithm, _ALGORITHMS, "algorithm"),
            (schedule, tuple(epochs.SCHEDULES), "schedule"),
        ):
            one_of(value, known, name)
        if not number(eta, "eta", "a number above 0") > 0:
            raise NsnnError(f"eta = {eta!r}: expected a number above 0")
        self.loss = check_loss(loss, online=algorithm == "online")
        self.epochs, self.batch, self.schedule = int(n_epochs), int(batch), schedule
        self.online = algorithm == "online"
        self.path = None if checkpoint is None else Path(checkpoint)
        if self.path is not None and not self.path.parent.is_dir():
            raise NsnnError(f"checkpoint = {checkpoint}: expected a file in a folder that exists")
        if seed is None and self.path is not None:
            raise NsnnError("seed = None with a checkpoint: expected a number, by which it can go on")
        self.seed = check_seed(seed)
        self.X, self.y = checked(net, data)
        self.net = copy.deepcopy(net)
        if self.online:  # refuses what it can't do before an epoch has begun
            with torch.no_grad(), evaluating(self.net), seeded(0, self.net), taped(self.net):
                self.net.spikes(on_its_device(self.net, self.X[:1]))
        self.learned = {name: p for name, p in self.net.named_parameters() if p.requires_grad}
        if not self.learned:
            raise NsnnError("net has no parameters that require a gradient: expected some, e.g. of nn.Linear")
        self._split(validation)
        self.optimizer = _optimizer(optimizer, list(self.learned.values()), float(eta))
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.described: dict[str, Any] = {
            "module": str(self.net),
            "shapes": {name: [str(v.dtype), *v.shape] for name, v in self._state().items()},
            "encoder": {**self.net.encoder.describe(), "o": self.net.encoder.o},
            "decoder": self.net.decoder.describe(),
            "loss": self.loss.describe(),
            "algorithm": algorithm, "batch": self.batch, "schedule": schedule, "seed": self.seed,
            "optimizer": str(self.optimizer),
        }  # fmt: skip

    def _split(self, validation: Any) -> None:
        """Which samples are trained on, which held out."""
        n = len(self.y)
        if isinstance(validation, tuple | list):
            X, y = checked(self.net, validation, "validation")
            if X.shape[1:] != self.X.shape[1:]:
                raise NsnnError(
                    f"validation: X has shape {tuple(X.shape)}, that of data {tuple(self.X.shape)}"
                )
            self.X, self.y = torch.cat([self.X, X]), np.concatenate([self.y, y])
            self.trained, self.held_out = np.arange(n), np.arange(n, len(self.y))
            return
        self.held_out = epochs.held_out(self.y, validation, epochs.rng(self.seed, _SPLIT))
        self.trained = np.setdiff1d(np.arange(n), self.held_out)

    @functools.cached_property
    def _config(self) -> str:
        """What a checkpoint has to be of."""
        rest = {"epochs": self.epochs} if self.schedule != "constant" else {}
        return checkpoints.digest(self.described | rest, self.X.numpy(), self.y, self.trained)

    def run(self, progress: Any) -> Fit:
        history: list[dict[str, float]] = []
        best = _Best(self._state())
        if self.path is not None and self.path.exists():
            history = self._resume(self.path, best)
        with progress_bar(progress, "training") as report:
            for epoch in range(len(history), self.epochs):
                try:
                    row = self._epoch(epoch, report)
                except NsnnError as error:
                    raise self._diverged(epoch, error, history, best) from None
                history.append(row)
                best.see(epoch + 1, row["val_loss"], self._state())
                if self.path is not None:
                    self._save(history, best)
        return self._result(history, best)

    def _result(self, history: list[dict[str, float]], best: _Best) -> Fit:
        module = copy.deepcopy(self.net)
        for name, value in _tensors(module).items():
            value.copy_(best.state[name])
        module.zero_grad(set_to_none=True)
        return Fit(pd.DataFrame(history, columns=_COLUMNS), module, best.epoch)

    def _epoch(self, epoch: int, report: Any) -> dict[str, float]:
        began = time.perf_counter()
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * epochs.SCHEDULES[self.schedule](epoch, self.epochs)
        shuffled = epochs.rng(self.seed, _SHUFFLE, epoch).permutation(self.trained)
        lost, right = [], []
        starts = range(0, shuffled.size, self.batch)
        for k, at in enumerate(starts):
            rows = shuffled[at : at + self.batch]
            with seeded(child(self.seed, _NOISE, epoch, k), self.net):
                value, guess = self._learn(on_its_device(self.net, self.X[rows]), self.y[rows])
            self._check_finite(value)
            lost.append(value)
            right.append(guess == self.y[rows])
            if report is not None:
                report((epoch + (k + 1) / len(starts)) / self.epochs)
        row = {
            "epoch": epoch + 1,
            "loss": float(np.concatenate(lost).mean()),
            "accuracy": float(np.concatenate(right).mean()),
            "val_loss": np.nan,
            "val_accuracy": np.nan,
        }
        if self.held_out.size:
            X, y = self.X[self.held_out], self.y[self.held_out]
            with seeded(child(self.seed, _VALIDATION), self.net):
                guessed, row["val_loss"] = measured(self.net, X, y, self.net.passes, self.loss)
            row["val_accuracy"] = float(guessed.mean())
            self._check_finite(np.array(row["val_loss"]))
        return row | {"seconds": time.perf_counter() - began}

    def _learn(self, x: torch.Tensor, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One step down the loss of a batch; the loss and the guess of each of its samples."""
        self.optimizer.zero_grad()
        if self.online:
            with taped(self.net) as tape:
                out = self.net.spikes(x)
            tape.backward(out, signal_in_time(self.loss, out, y) / len(y))
            value = values(self.loss, out.detach(), y)
        else:
            out = self.net.spikes(x)
            value = values(self.loss, out, y)
            value.mean().backward()
        self.optimizer.step()
        guess = self.net.scores(out.detach()).argmax(-1)
        return value.detach().double().cpu().numpy(), guess.cpu().numpy()

    def _check_finite(self, value: np.ndarray) -> None:
        if not np.isfinite(value).all():
            raise NsnnError("the loss isn't finite")
        for name, p in self.learned.items():
            if not torch.isfinite(p).all():
                raise NsnnError(f"{name} has values that aren't finite")

    def _diverged(
        self, epoch: int, error: NsnnError, history: list[dict[str, float]], best: _Best
    ) -> Diverged:
        kept = f"; {self.path} is that of epoch {epoch}" if self.path is not None and epoch else ""
        found = Diverged(f"epoch {epoch + 1}: {error}, expected a smaller eta{kept}")
        found.fit = self._result(history, best)
        return found

    def _state(self) -> dict[str, torch.Tensor]:
        """Copies of all parameters and buffers, on the CPU."""
        return {name: value.detach().cpu().clone() for name, value in _tensors(self.net).items()}

    def _save(self, history: list[dict[str, float]], best: _Best) -> None:
        assert self.path is not None
        arrays = {f"weights of {name}": value.numpy() for name, value in self._state().items()}
        arrays |= {f"best of {name}": value.numpy() for name, value in best.state.items()}
        plain: dict[str, Any] = {}
        for k, state in self.optimizer.state_dict()["state"].items():
            for name, value in state.items():
                if isinstance(value, torch.Tensor):
                    arrays[f"optimizer {k} {name}"] = value.cpu().numpy()
                else:
                    plain[f"optimizer {k} {name}"] = value
        about = {
            "config": self._config, "epoch": len(history), "history": history, "optimizer": plain,
            "best": [best.epoch, best.loss], "described": self.described,
        }  # fmt: skip
        checkpoints.write(self.path, arrays, about)

    def _resume(self, path: Path, best: _Best) -> list[dict[str, float]]:
        """The checkpoint's history, if it is of this configuration; weights and optimizer go on from it, and `best`."""
        arrays, about = checkpoints.resumed(path, self._config, self.described, self.epochs)
        learned = {
            kind: {
                name: checkpoints.array(path, arrays, f"{kind} of {name}", tuple(value.shape))
                for name, value in _tensors(self.net).items()
            }
            for kind in ("weights", "best")
        }
        states = self._optimizer_states(path, arrays, about)
        groups = self.optimizer.state_dict()["param_groups"]
        try:
            self.optimizer.load_state_dict({"state": states, "param_groups": groups})
        except (ValueError, KeyError, TypeError, RuntimeError) as error:
            raise FormatError(
                f"checkpoint = {path}: its optimizer's state doesn't fit ({error}): another file, or delete it"
            ) from None
        for name, value in _tensors(self.net).items():
            value.copy_(torch.from_numpy(learned["weights"][name]))
        best.epoch, best.loss = about["best"]
        best.state = {name: torch.from_numpy(learned["best"][name]) for name in best.state}
        return list(about["history"])

    def _optimizer_states(
        self, path: Path, arrays: dict[str, np.ndarray], about: dict[str, Any]
    ) -> dict[int, dict[str, Any]]:
        """The optimizer's state of each parameter: arrays of its shape or of none, and plain numbers."""
        shapes = [tuple(p.shape) for group in self.optimizer.param_groups for p in group["params"]]
        plain = about.get("optimizer", {})
        states: dict[int, dict[str, Any]] = {}
        for key, value in [*arrays.items(), *(plain.items() if isinstance(plain, dict) else ())]:
            if not key.startswith("optimizer "):
                continue
            _, k, name = [*key.split(" ", 2), "", ""][:3]
            if not k.isascii() or not k.isdigit() or int(k) >= len(shapes):
                raise FormatError(
                    f"checkpoint = {path}: {key[:60]!r} is of no parameter: another file, or delete it"
                )
            shape = shapes[int(k)] if np.shape(value) else ()
            array = checkpoints.array(path, {key: np.asarray(value)}, key, shape)
            states.setdefault(int(k), {})[name] = torch.from_numpy(array) if key in arrays else value
        return states


class _Best:
    """The state of the smallest validation loss so far; without one, the last."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        self.epoch, self.loss, self.state = 0, float("inf"), state

    def see(self, epoch: int, loss: float, state: dict[str, torch.Tensor]) -> None:
        if np.isnan(loss) or loss < self.loss:
            self.epoch, self.state = epoch, state
            self.loss = float("inf") if np.isnan(loss) else loss


def _tensors(module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """All parameters and buffers themselves."""
    return {n: v for n, v in module.state_dict().items() if isinstance(v, torch.Tensor)}


def _optimizer(given: Any, parameters: list[Any], eta: float) -> torch.optim.Optimizer:
    given = Adam() if given is None else given
    told = (
        "expected SGD(), Momentum() or Adam(), or a function of (parameters, eta) such as torch.optim.AdamW"
    )
    if isinstance(given, Optimizer):
        if type(given) not in _MADE:
            raise NsnnError(f"optimizer = {given!r}: its text is for Brian2's synapses, {told}")
        return _MADE[type(given)](given, parameters, eta)
    made = given(parameters, eta) if callable(given) else None
    if not isinstance(made, torch.optim.Optimizer):
        raise NsnnError(f"optimizer = {given!r}: {told}")
    return made
