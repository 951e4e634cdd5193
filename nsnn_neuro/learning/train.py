"""Training layered networks: `train`, and what comes of it, `Fit`."""

from __future__ import annotations

import dataclasses
import functools
import time
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pandas as pd

from ..brian import engine
from ..core import units
from ..core.checks import check_seed, whole
from ..core.errors import NsnnError
from ..core.progress import progress_bar
from ..io import save_load
from ..models.network import Network
from . import checkpoint as checkpoints
from .batched import Learner
from .coding import Bernoulli, Count, Decoder, Encoder
from .layers import check_forced, check_online, layered
from .loop import SCHEDULES, held_out
from .loop import rng as _rng
from .loop import standard_error as _standard_error
from .losses import Loss
from .noise_scale import eta_noise, family_of
from .online import OnlineLearner

__all__ = ["Fit", "train"]

_WIDEST = 1e3  # times what it was: learned noise beyond has run away, or collapsed
_STEP = 1e-3  # s, of the network's time in a Fit's block
_N_STEPS = 20  # where nothing says how many
_COLUMNS = ["epoch", "loss", "accuracy", "val_loss", "val_accuracy", "seconds"]
_LEARNERS: dict[str, Any] = {"fast": Learner, "online": OnlineLearner}
# what random numbers are for: the first number of their path from the seed
_NOISE, _SHUFFLE, _SPLIT, _FEEDBACK, _EVALUATION = range(5)


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """What `train` returns.

    history : DataFrame, a row for each epoch: epoch (from 1), loss and accuracy (means over the training samples, each when it was
        learned from), val_loss and val_accuracy (after the epoch; NaN without validation), seconds. Accuracies are NaN where y are
        target spikes. Where the noise of a layer is learned or scheduled "noise of NAME": its scale after the epoch over that in
        the network given, the mean over neurons
    network : a copy of the network with the learned weights, and noise; `simulate` runs it
    block : neo.Block: the history's columns as signals by epoch, "weight of NAME" before the first epoch and after the last, in the
        network's own time, and "level of NAME", of each neuron's noise, likewise; annotations seed, parameters, versions
    best_epoch : the epoch whose weights these are

    >>> from nsnn_neuro import NDL, EscapeNoise, Gaussian, feedforward, losses
    >>> X, y = np.eye(2)[[0, 1] * 20], np.array([0, 1] * 20)
    >>> net = feedforward([2, 2], noise=EscapeNoise(Gaussian(0.4)), plasticity=NDL(0.5))
    >>> fit = train(net, (X, y), loss=losses.rate_mse, epochs=2, seed=1, engine="numpy")
    >>> fit.history.columns.tolist(), len(fit.history)
    (['epoch', 'loss', 'accuracy', 'val_loss', 'val_accuracy', 'seconds'], 2)
    >>> sorted(fit.evaluate((X, y)))
    ['accuracy', 'loss', 'se']
    """

    history: pd.DataFrame
    network: Network
    block: neo.Block = dataclasses.field(repr=False)
    best_epoch: int
    _settings: dict[str, Any] = dataclasses.field(repr=False)
    _engine: str = dataclasses.field(repr=False)

    def evaluate(
        self, data: Any, *, passes: int = 1, seed: int = 0, decoder: Decoder | None = None
    ) -> dict[str, float]:
        """Accuracy and loss on samples (X, y): the guess is the output neuron with the highest score, the first of several.

        Parameters
        ----------
        data : (X, y) as for `train`
        passes : how often each sample is shown, with noise of its own; its scores are added up over them
        seed : whole number, of that noise
        decoder : what scores the output's spikes, of `coding`; None: `coding.Count()`, the number of spikes

        Returns
        -------
        dict : accuracy, the share of right guesses; se, its standard error over samples (NaN for one sample); loss, the mean over
            samples and passes, each pass by itself. For target spikes there is no accuracy, and se is that of the loss over samples
            (over passes for one sample)

        Raises
        ------
        NsnnError : as `train` for the data; a decoder with target spikes, where nothing is guessed
        """
        X, y = self._data(data)
        if decoder is not None and y.ndim > 1:
            raise NsnnError(f"decoder = {decoder!r}: expected None with target spikes")
        loss, scores = self._shown(X, y, passes, seed, decoder)
        if y.ndim > 1:
            values = np.mean(loss, axis=0) if len(y) > 1 else np.ravel(loss)
            return {"loss": float(np.mean(loss)), "se": _standard_error(values)}
        right = np.sum(scores, axis=0).argmax(-1) == y
        return {"accuracy": float(right.mean()), "se": _standard_error(right), "loss": float(np.mean(loss))}

    def probabilities(
        self, X: Any, *, passes: int = 20, seed: int = 0, decoder: Decoder | None = None
    ) -> np.ndarray:
        """How often the noisy network answers with each class: for each sample the share of passes in which a class scored highest.

        Where several classes score highest, as all do in an output that is silent, they share the pass. A share p has the standard
        error sqrt(p (1 - p) / passes). `measures.calibration_error` and its like tell how far such probabilities can be trusted.

        Parameters
        ----------
        X : as for `train`
        passes : how often each sample is shown, with noise of its own
        seed : whole number, of that noise: the passes are those of `evaluate` for the same seed
        decoder : as for `evaluate`

        Returns
        -------
        (n, n_out) floats; each row adds up to 1

        Raises
        ------
        NsnnError : as `train` for X; a network trained towards target spikes

        >>> from nsnn_neuro import NDL, EscapeNoise, Gaussian, feedforward, losses
        >>> X, y = np.eye(2)[[0, 1] * 20], np.array([0, 1] * 20)
        >>> net = feedforward([2, 2], noise=EscapeNoise(Gaussian(0.4)), plasticity=NDL(0.5))
        >>> fit = train(net, (X, y), loss=losses.rate_mse, epochs=5, seed=1, engine="numpy")
        >>> p = fit.probabilities(np.eye(2), passes=50)
        >>> p.shape, bool((p.argmax(1) == [0, 1]).all())
        ((2, 2), True)
        """
        if self._settings["loss"].targets != "labels":
            raise NsnnError(
                f"the loss was {self._settings['loss']!r}: expected one of labels, others guess nothing"
            )
        X, y = self._data((X, np.zeros(np.shape(X)[:1], np.int64)))
        _, scores = self._shown(X, y, passes, seed, decoder)
        best = scores == scores.max(-1, keepdims=True)
        return np.asarray((best / best.sum(-1, keepdims=True)).mean(axis=0))

    def _shown(
        self, X: np.ndarray, y: np.ndarray, passes: int, seed: int, decoder: Decoder | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The loss (passes, n) of samples, and the scores of the output, (passes, n, n_out)."""
        whole(passes, 1, "passes")
        seed = check_seed(seed)
        if decoder is not None and not isinstance(decoder, Decoder):
            raise NsnnError(f"decoder = {decoder!r}: expected a decoder such as coding.Count()")
        order = _batches(np.arange(len(y)), self._settings["batch"])
        real = order >= 0  # in the samples' order
        loss, scores = [], []
        with engine.running(self._engine), engine.set_aside():
            learner = Learner(self.network, **self._settings)
            counts = decoder is None or type(decoder) is Count  # the run counts them itself
            seen = [] if counts else learner.record()
            for k in range(passes):
                quiet = np.zeros(len(order), bool)
                value, count = learner.run(X, y, order, quiet, key=(seed, _EVALUATION, k))
                loss.append(value[real])
                if decoder is None or counts:
                    scores.append(count[real])
                else:
                    every = len(learner.layers)
                    scores.append(decoder.scores(np.concatenate(seen[every - 1 :: every])[real.ravel()]))
                    seen.clear()
        return np.array(loss), np.array(scores)

    def spikes(self, data: Any, *, layers: Any = None, passes: int = 1, seed: int = 0) -> neo.Block:
        """The spikes of the trained network on samples (X, y), the same ones that `evaluate` counts for the same seed.

        Parameters
        ----------
        data : (X, y) as for `train`
        layers : name of a population, or a list of names; None: all, from "input" on
        passes : how often each sample is shown, with noise of its own
        seed : whole number, of that noise

        Returns
        -------
        neo.Block : a segment for each pass and sample, all samples of the first pass first; a step of the network lasts 1 ms. The
            segments' annotations: sample (its row in X), label (where y are labels), repeat (from 0); the Block's: seed, dt,
            parameters, populations, versions

        Raises
        ------
        NsnnError : as `train` for the data; a population that the network doesn't have

        >>> from nsnn_neuro import NDL, EscapeNoise, Gaussian, feedforward, losses, measures
        >>> X, y = np.eye(2)[[0, 1] * 20], np.array([0, 1] * 20)
        >>> net = feedforward([2, 2], noise=EscapeNoise(Gaussian(0.4)), plasticity=NDL(0.5))
        >>> fit = train(net, (X, y), loss=losses.rate_mse, epochs=5, seed=1, engine="numpy")
        >>> block = fit.spikes((X, y), layers="layer1", passes=5)
        >>> len(block.segments), block.annotations["populations"]
        (200, [{'name': 'layer1', 'size': 2}])
        >>> measures.decode(block, [s.annotations["label"] for s in block.segments]).accuracy > 0.8
        True
        """
        X, y = self._data(data)
        whole(passes, 1, "passes")
        seed = check_seed(seed)
        chosen = self._chosen(layers)
        order = _batches(np.arange(len(y)), self._settings["batch"])
        quiet = np.zeros(len(order), bool)
        with engine.running(self._engine), engine.set_aside():
            learner = Learner(self.network, **self._settings)
            seen = learner.record()
            for k in range(passes):
                learner.run(X, y, order, quiet, key=(seed, _EVALUATION, k))
        every = len(learner.layers)
        real = np.tile(order.ravel() >= 0, passes)
        fired = np.concatenate([np.concatenate(seen[k::every])[real] for k in chosen], axis=2)
        trial, tick, neuron = np.nonzero(fired)
        populations = [self.network.populations[k] for k in chosen]
        block = save_load.build_block(
            trial,
            neuron,
            tick,
            dt=_STEP,
            n_trials=passes * len(y),
            n_neurons=sum(p.n for p in populations),
            t_start=0.0,
            t_stop=fired.shape[1] * _STEP,
            annotations={
                "seed": seed,
                "parameters": {"model": self.network.describe(), "passes": int(passes)},
                "populations": [{"name": p.name, "size": p.n} for p in populations],
                **save_load.provenance(),
            },
        )
        for k, segment in enumerate(block.segments):
            repeat, sample = divmod(k, len(y))
            segment.annotate(sample=sample, repeat=repeat)
            if y.ndim == 1:
                segment.annotate(label=int(y[sample]))
        return block

    def _data(self, data: Any) -> tuple[np.ndarray, np.ndarray]:
        told = self._settings
        return _data(data, self.network, told["loss"], told["encoder"], told["n_steps"])[:2]

    def _chosen(self, layers: Any) -> list[int]:
        names = [p.name for p in self.network.populations]
        wanted = names if layers is None else [layers] if isinstance(layers, str) else layers
        if not isinstance(wanted, list | tuple) or not wanted or not all(name in names for name in wanted):
            raise NsnnError(f"layers = {layers!r}: expected names of populations, of {', '.join(names)}")
        return [names.index(name) for name in wanted]


def train(
    net: Network,
    data: Any,
    *,
    loss: Loss,
    epochs: int,
    batch: int = 16,
    n_steps: int | None = None,
    encoder: Encoder | None = None,
    validation: Any = 0.2,
    formulation: str = "fast",
    schedule: str = "constant",
    noise_schedule: Any = None,
    patience: int | None = None,
    seed: int | None = None,
    checkpoint: str | Path | None = None,
    engine: str = "cython",
    progress: Any = None,
) -> Fit:
    """Train a layered network by its projections' learning rule: mini-batches, down the mean loss of each.

    The fast formulation: `batch` copies of the network share their weights, and the learning signals of hidden layers carry their
    future terms, by a sweep back through the stored steps after each batch. Given the spikes the gradient is, with
    signal="transport", that of backpropagation through time; with signal="reward" it is the score function's, a sample's baseline
    the mean loss of the others in its batch. A rule in an online network (`NDL(...).synapses`) can't know the future terms, so
    below the output its updates differ when there are several steps.

    Layers may be recurrent: with "transport" signals go back through the recurrent weights too, otherwise (and with `EProp`) not.

    With noise=None and `SurrogateGradient` or `EProp` it trains the deterministic twin, which fires when u > theta.
    Every random number comes from the seed, the epoch and the place in it: the same seed gives the same weights bit for bit on the
    same machine and engine, resumed or not.

    Parameters
    ----------
    net : `Network` of layers with plasticity, as `feedforward` or `recurrent` makes it; it isn't changed. signal="random" and
        "broadcast" have fixed weights from the seed, normal with variance 1 / the number of neurons they come from
    data : (X, y): X (n, n_in) from 0 to 1, or sequences (n, n_steps, n_in), of which the encoder gets each step's x; n_in is the
        number of input neurons over the encoder's units (1, but for `coding.Population`); y as the loss
        wants it: labels (n,), whole numbers from 0 to n_out - 1, or target spikes (n, n_steps, n_out), 0 or 1
    loss : a loss, e.g. `losses.rate_mse`
    epochs : whole number, how often each training sample is shown
    batch : samples in a batch; the last batch of an epoch may have fewer, its mean is over those
    n_steps : steps for which each sample is shown, from u = 0; None: as many as sequences and target spikes have, else 20
    encoder : how X becomes input; None: `coding.Bernoulli()`. It passes spikes, 0 or 1, on as they are, as `coding.Direct()` does
    validation : share of the samples of each label (with target spikes: of all) that is held out, drawn from the seed; 0 for none;
        or data of its own, (X, y)
    formulation : "fast", or "online": for layers without recurrent projections, a loss that is the mean of something over steps
        (its `averaged`), fixed noise, any signal but "reward"
    schedule : of the learning rates: "constant", or "cosine", from eta to 0 over the epochs
    noise_schedule : of every layer's noise: factors of its scale, a list with one for each epoch, or a pair (first, last) between
        which they go geometrically, e.g. (2.0, 0.5); None: 1. A scale that is learned (`NDL(..., eta_noise=...)`) is multiplied too
    patience : stop when the validation loss hasn't reached a new minimum in so many epochs, and return the weights of the minimum;
        None: all epochs, and the last weights
    seed : whole number; None draws one (it is in the block's annotations)
    checkpoint : a file, written after each epoch; where it exists the training goes on from there
    engine : "cython" or "numpy"
    progress : as for `simulate`

    Raises
    ------
    NsnnError : a network, data or an option that doesn't fit; a checkpoint of another configuration; weights that aren't finite any
        more, noise that has left 1/1000 to 1000 times what it was (the checkpoint is then that of the epoch before)
    FormatError : a checkpoint that is damaged

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831

    >>> from nsnn_neuro import NDL, EscapeNoise, Gaussian, feedforward, losses
    >>> X, y = np.eye(2)[[0, 1] * 40], np.array([0, 1] * 40)
    >>> net = feedforward([2, 2], noise=EscapeNoise(Gaussian(0.4)), plasticity=NDL(0.5))
    >>> fit = train(net, (X, y), loss=losses.rate_mse, epochs=5, seed=1, engine="numpy")
    >>> fit.evaluate((X, y), passes=5)["accuracy"] > 0.95
    True
    """
    task = _Task(
        net, data, loss, epochs, batch, n_steps, encoder, validation, formulation, schedule, patience, seed, checkpoint, engine,
        noise_schedule,
    )  # fmt: skip
    return task.run(progress)


class _Task:
    """The arguments of one call, checked, and what becomes of them."""

    def __init__(
        self, net, data, loss, epochs, batch, n_steps, encoder, validation, formulation, schedule, patience, seed, checkpoint,
        target, noise_schedule=None,
    ):  # fmt: skip
        if not isinstance(net, Network):
            raise NsnnError(f"net = {net!r}: expected a Network, e.g. feedforward([64, 128, 10], ...)")
        projections, _ = layered(net)
        if not isinstance(loss, Loss):
            raise NsnnError(f"loss = {loss!r}: expected a loss such as losses.rate_mse")
        if loss.forced:
            check_forced(projections[-1], loss)
        encoder = Bernoulli() if encoder is None else encoder
        if not isinstance(encoder, Encoder):
            raise NsnnError(f"encoder = {encoder!r}: expected an encoder such as coding.Bernoulli()")
        for value, name in ((epochs, "epochs"), (batch, "batch"), (n_steps, "n_steps")):
            if value is not None or name != "n_steps":
                whole(value, 1, name)
        if not isinstance(formulation, str) or formulation not in _LEARNERS:
            raise NsnnError(f'formulation = {formulation!r}: expected "fast" or "online"')
        if formulation == "online":
            check_online(net, loss, noise_schedule is not None)
        self.learner = _LEARNERS[formulation]
        if not isinstance(schedule, str) or schedule not in SCHEDULES:
            raise NsnnError(f'schedule = {schedule!r}: expected "constant" or "cosine"')
        self.noise = _factors(noise_schedule, int(epochs))
        self.scheduled = noise_schedule is not None
        # layer -> name of its population, where the noise changes
        self.levels = {k: p.post.name for k, p in enumerate(projections, 1) if self.scheduled or eta_noise(p)}
        for p in projections if self.scheduled else []:
            family_of(p, f"noise_schedule = {noise_schedule}")
        if target not in ("cython", "numpy"):
            raise NsnnError(f'engine = {target!r}: training runs on "cython" or "numpy"')
        self.net, self.epochs, self.batch, self.schedule = net, int(epochs), int(batch), schedule
        self.path = None if checkpoint is None else Path(checkpoint)
        if self.path is not None and not self.path.parent.is_dir():
            raise NsnnError(f"checkpoint = {checkpoint}: expected a file in a folder that exists")
        if seed is None and self.path is not None:
            raise NsnnError("seed = None with a checkpoint: expected a number, by which it can go on")
        self.seed = check_seed(seed)
        self.X, self.y, n_steps = _data(data, net, loss, encoder, n_steps)
        self._split(validation, loss, encoder, n_steps)
        self.patience = patience
        if patience is not None:
            whole(patience, 1, "patience")
            if not self.held_out.size:
                raise NsnnError(
                    f"patience = {patience}: expected None without validation, whose loss it watches"
                )
        self.engine = engine.choose(target)
        if self.engine == "cython" and not loss.code:
            raise NsnnError(f'loss = {loss!r}: it has no C text `code`, expected one, or engine="numpy"')
        feedback = _feedback(projections, self.seed)
        self.settings: dict[str, Any] = {
            "batch": self.batch, "n_steps": n_steps, "encoder": encoder, "loss": loss, "feedback": feedback,
        }  # fmt: skip
        self.described: dict[str, Any] = {
            "model": net.describe(),
            "loss": {**loss.describe(), "code": loss.code},
            "encoder": {**encoder.describe(), "o": encoder.o},
            "batch": self.batch, "n_steps": n_steps, "seed": self.seed, "schedule": schedule, "engine": self.engine,
            "patience": None if patience is None else int(patience),
            "formulation": formulation,
            **({"noise_schedule": [float(v) for v in noise_schedule]} if self.scheduled else {}),
        }  # fmt: skip

    def _split(self, validation: Any, loss: Loss, encoder: Encoder, n_steps: int) -> None:
        """Which samples are trained on, which held out."""
        n = len(self.y)
        if isinstance(validation, tuple | list):
            X, y, _ = _data(validation, self.net, loss, encoder, n_steps, "validation")
            if X.ndim != self.X.ndim:
                raise NsnnError(
                    f"validation: X has shape {X.shape}, expected {self.X.ndim} axes as that of data, {self.X.shape}"
                )
            self.X, self.y = np.concatenate([self.X, X]), np.concatenate([self.y, y])
            self.trained, self.held_out = np.arange(n), np.arange(n, len(self.y))
            return
        self.held_out = held_out(self.y, validation, _rng(self.seed, _SPLIT))
        self.trained = np.setdiff1d(np.arange(n), self.held_out)

    @functools.cached_property
    def _config(self) -> str:
        """What a checkpoint has to be of."""
        # epochs may grow, unless the schedule depends on them
        rest = {"epochs": self.epochs} if self.schedule != "constant" or self.scheduled else {}
        return checkpoints.digest(self.described | rest, self.X, self.y, self.trained)

    def run(self, progress: Any) -> Fit:
        first = [w.copy() for w in self.net.get_weights()]
        history: list[dict[str, float]] = []
        best, arrays, last = _Best(first), None, first
        levels: dict[int, np.ndarray] = {}
        if self.path is not None and self.path.exists():
            arrays, history = self._resume(self.path, best, [w.size for w in first])
            last = [arrays[f"weights_{k}"] for k in range(len(first))]
            levels = {k: arrays[f"level_{k}_values"] for k in self.levels}
        if len(history) < self.epochs and not self._enough(best, len(history)):
            last, levels = self._learn(history, best, arrays, progress)
        keep_best = self.patience is not None
        learned, levels = (best.weights, best.levels) if keep_best else (last, levels)
        network = _with_noise(self.net, levels)
        network.set_weights([w.reshape(f.shape) for w, f in zip(learned, first, strict=True)])
        table = pd.DataFrame(history, columns=[*_COLUMNS, *map(_noise_of, self.levels.values())])
        block = self._block(table, first, learned, levels)
        epoch = best.epoch if keep_best else len(table)
        return Fit(table, network, block, epoch, self.settings, self.engine)

    def _learn(
        self,
        history: list[dict[str, float]],
        best: _Best,
        arrays: dict[str, np.ndarray] | None,
        progress: Any,
    ) -> tuple[list[np.ndarray], dict[int, np.ndarray]]:
        """Go on from the end of `history`, which grows, and the state in `arrays`; returns the last weights and noise levels."""
        with engine.running(self.engine), engine.set_aside(), progress_bar(progress, "training") as report:
            learner = self.learner(self.net, **self.settings, scheduled=self.scheduled)
            for name, values in [pair for level in learner.levels.values() for pair in level.saved().items()]:
                if arrays is not None:
                    values[:] = checkpoints.array(self.path, arrays, name, values.shape)
            for k, (w, states) in enumerate(zip(learner.weights, learner.states, strict=True)):
                if arrays is not None:
                    w[:] = checkpoints.array(self.path, arrays, f"weights_{k}", w.shape)
                    for name, values in states.items():
                        values[:] = checkpoints.array(self.path, arrays, f"state_{k}_{name}", values.shape)
            for epoch in range(len(history), self.epochs):
                if self._enough(best, epoch):
                    break
                history.append(self._epoch(learner, epoch, report))
                self._check_levels(learner, epoch)
                self._check_finite(learner, epoch)
                levels = {k: level.values.copy() for k, level in learner.levels.items()}
                history[-1] |= {_noise_of(self.levels[k]): float(v.mean()) for k, v in levels.items()}
                best.see(epoch + 1, history[-1]["val_loss"], learner.weights, levels)
                self._save(learner, history, best)
            return [w.copy() for w in learner.weights], levels

    def _enough(self, best: _Best, epoch: int) -> bool:
        return self.patience is not None and epoch - best.epoch >= self.patience

    def _epoch(self, learner: Learner, epoch: int, report: Any) -> dict[str, float]:
        began = time.perf_counter()
        shuffled = _rng(self.seed, _SHUFFLE, epoch).permutation(self.trained)
        parts = [_batches(shuffled, self.batch), _batches(self.held_out, self.batch)]
        order = np.concatenate(parts)
        learns = np.arange(len(order)) < len(parts[0])

        def overall(fraction: float) -> None:
            report((epoch + fraction) / self.epochs)

        loss, count = learner.run(
            self.X,
            self.y,
            order,
            learns,
            key=(self.seed, _NOISE, epoch),
            eta=SCHEDULES[self.schedule](epoch, self.epochs),
            noise=self.noise[epoch],
            report=overall if report is not None else None,
        )
        row: dict[str, float] = {"epoch": epoch + 1}
        for prefix, rows in (("", learns), ("val_", ~learns)):
            real = order[rows] >= 0
            row[f"{prefix}loss"] = float(loss[rows][real].mean()) if real.any() else np.nan
            row[f"{prefix}accuracy"] = np.nan
            if real.any() and self.y.ndim == 1:
                right = count[rows][real].argmax(-1) == self.y[order[rows][real]]
                row[f"{prefix}accuracy"] = float(right.mean())
        return row | {"seconds": time.perf_counter() - began}

    def _check_levels(self, learner: Learner, epoch: int) -> None:
        for k, level in learner.levels.items():
            wrong = level.log[~(np.abs(level.log) <= np.log(_WIDEST))]  # of NaN too
            if wrong.size:
                raise NsnnError(
                    f"epoch {epoch + 1}: the noise of {self.levels[k]!r} is exp({wrong[0]:.4g}) times what it was, expected "
                    f"1/{_WIDEST:g} to {_WIDEST:g} times, a smaller eta_noise{self._kept(epoch)}"
                )

    def _kept(self, epoch: int) -> str:
        return f"; {self.path} is that of epoch {epoch}" if self.path is not None and epoch else ""

    def _check_finite(self, learner: Learner, epoch: int) -> None:
        for w, name in zip(learner.weights, self.net.projection_names, strict=True):
            if not np.isfinite(w).all():
                raise NsnnError(
                    f"epoch {epoch + 1}: weights of {name!r} aren't finite any more, expected a smaller eta{self._kept(epoch)}"
                )

    def _save(self, learner: Learner, history: list[dict[str, float]], best: _Best) -> None:
        if self.path is None:
            return
        arrays = {f"weights_{k}": w for k, w in enumerate(learner.weights)}
        arrays |= {f"best_{k}": w for k, w in enumerate(best.weights)}
        arrays |= {f"state_{k}_{name}": v for k, s in enumerate(learner.states) for name, v in s.items()}
        for k, level in learner.levels.items():
            arrays |= {**level.saved(), f"best_level_{k}": best.levels.get(k, np.ones(level.n))}
        about = {
            "config": self._config, "epoch": len(history), "history": history,
            "best": [best.epoch, best.loss], "described": self.described,
        }  # fmt: skip
        checkpoints.write(self.path, arrays, about)

    def _resume(
        self, path: Path, best: _Best, sizes: list[int]
    ) -> tuple[dict[str, np.ndarray], list[dict[str, float]]]:
        """The checkpoint's arrays and history, if it is of this configuration; what it knows of the best goes into `best`.

        sizes : number of weights of each projection
        """
        arrays, about = checkpoints.resumed(path, self._config, self.described, self.epochs)
        known = {f"{name}_{k}": (size,) for name in ("weights", "best") for k, size in enumerate(sizes)}
        known |= {name: (-1,) for k in self.levels for name in (f"level_{k}_values", f"best_level_{k}")}
        for name, shape in known.items():
            flat = {name: arrays[name].ravel()} if name in arrays else {}
            checkpoints.array(path, flat, name, shape if shape != (-1,) or not flat else flat[name].shape)
        best.epoch, best.loss = about["best"]
        best.weights = [arrays[f"best_{k}"] for k in range(len(best.weights))]
        best.levels = {k: arrays[f"best_level_{k}"] for k in self.levels}
        return arrays, list(about["history"])

    def _block(
        self,
        table: pd.DataFrame,
        first: list[np.ndarray],
        learned: list[np.ndarray],
        levels: dict[int, np.ndarray],
    ) -> neo.Block:
        n = -(-self.trained.size // self.batch) + -(-self.held_out.size // self.batch)
        epoch = n * self.settings["n_steps"] * _STEP
        block = neo.Block(name="training")
        block.annotate(
            seed=self.seed, parameters={**self.described, "epochs": len(table)}, **save_load.provenance()
        )
        segment = neo.Segment(name="training")
        for column in table.columns.drop(["epoch", "seconds"]):
            values = table[column].to_numpy(float)[:, None]
            segment.analogsignals.append(_signal(values, epoch, column, t_start=epoch))
        for name, before, after in zip(self.net.projection_names, first, learned, strict=True):
            values = np.stack([before.ravel(), after.ravel()])
            segment.analogsignals.append(_signal(values, epoch * max(1, len(table)), f"weight of {name}"))
        for k, after in levels.items():
            values = np.stack([np.ones_like(after), after])
            segment.analogsignals.append(
                _signal(values, epoch * max(1, len(table)), f"level of {self.levels[k]}")
            )
        block.segments.append(segment)
        return block


class _Best:
    """The weights, and noise levels, of the smallest validation loss so far."""

    def __init__(self, weights: list[np.ndarray]) -> None:
        self.epoch, self.loss, self.weights = 0, float("inf"), weights
        self.levels: dict[int, np.ndarray] = {}

    def see(self, epoch: int, loss: float, weights: list[np.ndarray], levels: dict[int, np.ndarray]) -> None:
        if loss < self.loss:
            self.epoch, self.loss, self.weights = epoch, loss, [w.copy() for w in weights]
            self.levels = levels


def _noise_of(name: str) -> str:
    return f"noise of {name}"


def _with_noise(net: Network, levels: dict[int, np.ndarray]) -> Network:
    """A copy of a layered network whose layers' noise is that many times as large."""
    new = list(net.populations)
    for k, level in levels.items():
        noise = new[k].noise
        scaled = noise.family.scaled(level if level.size > 1 else float(level[0]))
        new[k] = dataclasses.replace(new[k], noise=dataclasses.replace(noise, family=scaled))
    now = {p.name: p for p in new}
    projections = [
        dataclasses.replace(p, pre=now[p.pre.name], post=now[p.post.name]) for p in net.projections
    ]
    return Network(new, projections, seed=net.seed)


def _signal(values: np.ndarray, period: float, name: str, t_start: float = 0.0) -> neo.AnalogSignal:
    return neo.AnalogSignal(
        values,
        units="dimensionless",
        sampling_rate=units.pq_quantity(1 / period, "Hz"),
        t_start=units.pq_quantity(t_start, "s"),
        name=name,
    )


def _feedback(projections: list[Any], seed: int) -> list[np.ndarray] | None:
    """Fixed weights that bring hidden layers their signal, (n of the layer, n of where it comes from)."""
    signal = projections[0].plasticity.signal
    if signal in ("transport", "reward"):
        return None
    rng = _rng(seed, _FEEDBACK)
    found = []
    for projection in projections[1:]:
        source = projections[-1].post if signal == "broadcast" else projection.post
        found.append(rng.normal(0.0, source.n**-0.5, (projection.pre.n, source.n)))
    return found


def _batches(which: np.ndarray, batch: int) -> np.ndarray:
    """Samples as rows of a batch each, the last one filled up with -1."""
    n = -(-which.size // batch)
    padded = np.full(n * batch, -1)
    padded[: which.size] = which
    return padded.reshape(n, batch)


def _factors(noise_schedule: Any, epochs: int) -> np.ndarray:
    """The factor of the noise in each epoch."""
    if noise_schedule is None:
        return np.ones(epochs)
    try:
        factors = np.asarray(noise_schedule, dtype=float)
    except (TypeError, ValueError):
        factors = np.empty(0)
    if factors.shape not in ((2,), (epochs,)) or not np.all((factors > 0) & np.isfinite(factors)):
        raise NsnnError(
            f"noise_schedule = {noise_schedule}: expected two positive numbers (first, last), or one for each of {epochs} epochs"
        )
    return factors if factors.size == epochs else np.geomspace(factors[0], factors[1], epochs)


def _data(
    data: Any, net: Network, loss: Loss, encoder: Encoder, n_steps: int | None = None, name: str = "data"
) -> tuple[np.ndarray, np.ndarray, int]:
    """X, y and the number of steps, checked against the network, the loss and the encoder."""
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise NsnnError(f"{name} = {type(data).__name__}: expected a pair (X, y)")
    X, y = np.asarray(data[0]), np.asarray(data[1])
    n_in, rest = divmod(net.populations[0].n, encoder.units)
    shared = (
        "" if encoder.units == 1 else f"the {net.populations[0].n} input neurons / units = {encoder.units}"
    )
    if rest:
        raise NsnnError(f"encoder = {encoder!r}: expected a whole number of values, not {shared}")
    if X.dtype.kind not in "iufb" or X.ndim not in (2, 3) or X.shape[-1] != n_in or not X.size:
        raise NsnnError(
            f"X has shape {X.shape}, {X.dtype}: expected numbers of shape (n, {n_in}), or (n, n_steps, {n_in}) for sequences"
            + (f"; {n_in} is {shared}" if shared else "")
        )
    X = X.astype(float)
    if not np.all((X >= 0) & (X <= 1)):
        raise NsnnError(
            f"X has values from {X.min():g} to {X.max():g}: expected values from 0 to 1, e.g. X / X.max()"
        )
    y = (_spikes if loss.targets == "spikes" else _labels)(y, len(X), net.populations[-1].n, loss)
    told = {"n_steps": n_steps} if n_steps is not None else {}
    told |= {f"steps of {name}": a.shape[1] for name, a in (("X", X), ("y", y)) if a.ndim == 3}
    if len(set(told.values())) > 1:
        said = ", ".join(f"{what} = {n}" for what, n in told.items())
        raise NsnnError(f"{said}: expected one number of steps (n_steps = None takes that of the data)")
    return X, y, int(next(iter(told.values()), _N_STEPS))


def _labels(y: np.ndarray, n: int, n_out: int, loss: Loss) -> np.ndarray:
    if y.shape != (n,) or y.dtype.kind not in "iu":
        raise NsnnError(
            f"y has shape {y.shape}, {y.dtype}: expected whole numbers of shape ({n},), the labels that {loss} wants"
        )
    if y.min() < 0 or y.max() >= n_out:
        raise NsnnError(
            f"y has labels from {y.min()} to {y.max()}: expected 0 to {n_out - 1}, the output's neurons"
        )
    return y.astype(np.int64)


def _spikes(y: np.ndarray, n: int, n_out: int, loss: Loss) -> np.ndarray:
    if y.dtype.kind not in "iufb" or y.ndim != 3 or (len(y), y.shape[2]) != (n, n_out):
        raise NsnnError(
            f"y has shape {y.shape}, {y.dtype}: expected 0 or 1 of shape ({n}, n_steps, {n_out}), "
            f"the target spikes that {loss} wants"
        )
    if not np.all((y == 0) | (y == 1)):
        raise NsnnError(f"y has values from {y.min():g} to {y.max():g}: expected target spikes, 0 or 1")
    return y.astype(float)
