"""`train`: training layered networks in Brian2."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import neo
import numpy as np
import pandas as pd

from ..brian import engine, global_state
from ..core.aliases import Progress
from ..core.checks import one_of, suggest_keywords, whole
from ..core.errors import NsnnError
from ..io.provenance import provenance
from ..models.network import Network
from . import checkpoint as checkpoints
from .batched import Learner
from .coding import Bernoulli, Encoder
from .data import batches, check_data
from .fit import STEP, Fit
from .fit_files import signal
from .layers import Changing, Layers, family_of
from .learner import LayeredLearner
from .loop import NOISE, Diverged, Epoch, Outcome, Scores, TrainingLoop, check_finite, rng
from .losses import Loss
from .online import OnlineLearner

_FEEDBACK = 3  # the first number of the path from the seed to the fixed feedback weights
_LEARNERS: dict[str, Any] = {"fast": Learner, "online": OnlineLearner}


@suggest_keywords
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
    keep: str = "best",
    seed: int | None = None,
    checkpoint: str | Path | None = None,
    engine: str = "cython",
    progress: Progress = None,
) -> Fit:
    """Train a layered network with the learning rules of its projections, in mini-batches, to minimise the mean loss.

    In the fast formulation, `batch` copies of the network share their weights, and a backward pass after each batch adds the effect
    of a spike on later steps to the learning signals. Given the spikes, the gradient with signal="transport" is that of
    backpropagation through time; signals also go back through recurrent weights, except with `EProp`. With signal="reward" it is
    the score function's, with the mean loss of the other samples in the batch as baseline. The online formulation omits effects on
    later steps; its updates of hidden layers differ if there are several steps.

    Without noise, by `SurrogateGradient` or `EProp`, it trains the deterministic network, which fires when u > theta.
    A given seed yields identical weights on the same machine and engine, resumed or not.

    Parameters
    ----------
    net : `Network` of layers with plasticity, as from `feedforward` or `recurrent`; it isn't changed. The fixed feedback weights of
        signal="random" and "broadcast" are drawn from the seed, normal with variance 1 / (number of source neurons)
    data : the pair (X, y), one argument: train(net, (X, y), ...). X: values from 0 to 1, (n, n_in), or sequences (n, n_steps,
        n_in). n_in is the number of input neurons, divided by `units` with `coding.PopulationCode`. y, as the loss needs it: labels
        (n,), whole numbers from 0 to n_out - 1, or target spikes (n, n_steps, n_out), 0 or 1
    loss : a loss, e.g. `losses.rate_mse`
    epochs : number of epochs; in each, every training sample is shown once
    batch : samples in a batch; the last batch of an epoch may have fewer
    n_steps : steps for which each sample is shown, from u = 0; None: as many as sequences and target spikes have, else 20
    encoder : how X becomes input; None: `coding.Bernoulli()`, which leaves input spikes, 0 or 1, as they are
    validation : held-out samples: a share of each label (of all samples, with target spikes), drawn from the seed; 0 for none; or
        other data (X, y)
    formulation : "fast" or "online". Online, layers are not recurrent, the loss is a mean over steps (`Loss.averaged`), noise,
        beta and theta are fixed, and the signal isn't "reward"
    schedule : "constant" learning rates, or "cosine": from eta to 0 over the epochs
    noise_schedule : factors of the noise scale of all layers: a list with one for each epoch, or a pair (first, last) for a
        geometric sequence, e.g. (2.0, 0.5). None: 1. A scale that is learned (`NDL(..., eta_noise=...)`) is multiplied, too.
        `Fit.network` has the scale of the epoch whose weights it has: pass keep="last" for that at the end of the sequence
    patience : stop after so many epochs without a new minimum of the validation loss; None: train all epochs
    keep : weights to return: "best", of the epoch with the smallest validation loss (the last epoch without validation), or "last"
    seed : whole number; None draws one, which the annotations of `Fit.block` contain
    checkpoint : a file, written after each epoch; if it exists, training resumes from it
    engine : "cython" or "numpy"
    progress : as for `simulate`

    Raises
    ------
    NsnnError : a network, data or an option that doesn't fit; a checkpoint of another configuration
    Diverged : an NsnnError: weights that aren't finite any more, noise outside 1/1000 to 1000 times its first scale, or theta
        beyond 1000 times its first value. The checkpoint and the error's `fit` are those of the epoch before
    FormatError : a damaged checkpoint

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831

    >>> from nsnn_neuro import NDL, EscapeNoise, Gaussian, feedforward, losses
    >>> X, y = np.eye(2)[[0, 1] * 40], np.array([0, 1] * 40)
    >>> net = feedforward([2, 2], noise=EscapeNoise(Gaussian(0.4)), plasticity=NDL(0.5))
    >>> fit = train(net, (X, y), loss=losses.rate_mse, epochs=5, seed=1, engine="numpy")
    >>> fit.evaluate((X, y), passes=5)["accuracy"] > 0.95
    True
    """
    loop = TrainingLoop(
        epochs=epochs, seed=seed, schedule=schedule, patience=patience, keep=keep, checkpoint=checkpoint
    )
    training = _Training(loop, net, loss, encoder, formulation, noise_schedule, engine)
    training.take(data, validation, batch, n_steps)
    return training.run(progress)


class _Training:
    """The arguments of one call of `train`, checked; data follow by `take`."""

    def __init__(
        self,
        loop: TrainingLoop,
        net: Network,
        loss: Loss,
        encoder: Encoder | None,
        formulation: str,
        noise_schedule: Any,
        target: str,
    ) -> None:
        if not isinstance(net, Network):
            raise NsnnError(f"net = {net!r}: expected a Network, e.g. feedforward([64, 128, 10], ...)")
        if not isinstance(loss, Loss):
            raise NsnnError(f"loss = {loss!r}: expected a loss such as losses.rate_mse")
        encoder = Bernoulli() if encoder is None else encoder
        if not isinstance(encoder, Encoder):
            raise NsnnError(f"encoder = {encoder!r}: expected an encoder such as coding.Bernoulli()")
        one_of(formulation, _LEARNERS, "formulation")
        self.scheduled = noise_schedule is not None
        self.noise = _factors(noise_schedule, loop.epochs)
        layers = Layers(net, loss, online=formulation == "online", scheduled=self.scheduled)
        self.changing = {changing.label: changing for changing in layers.changing}
        for p in layers.forward if self.scheduled else []:
            family_of(p, f"noise_schedule = {noise_schedule}")
        if target not in ("cython", "numpy"):
            raise NsnnError(f'engine = {target!r}: training runs on "cython" or "numpy"')
        self.engine = engine.choose(target)
        if self.engine == "cython" and not loss.code:
            raise NsnnError(f'loss = {loss!r}: it has no C text `code`, expected one, or engine="numpy"')
        random = rng(loop.seed, _FEEDBACK)
        feedback = [random.normal(0.0, n**-0.5, (to, n)) for to, n in layers.feedback_shapes()] or None
        self.loop, self.net, self.formulation = loop, net, formulation
        loop.columns += [changing.column for changing in layers.changing]
        self.settings: dict[str, Any] = {"encoder": encoder, "loss": loss, "feedback": feedback}
        self.start = {f"weights_{k}": w for k, w in enumerate(layers.weights)}
        self.start |= {f"{label}_values": changing.first() for label, changing in self.changing.items()}
        self.schedules = {
            "schedule": loop.schedule,
            "engine": self.engine,
            "patience": loop.patience,
            "formulation": formulation,
            **({"noise_schedule": [float(v) for v in noise_schedule]} if self.scheduled else {}),
        }

    def take(self, data: Any, validation: Any, batch: int, n_steps: int | None) -> None:
        """The samples, and which of them are held out."""
        batch = whole(batch, 1, "batch")
        n_steps = None if n_steps is None else whole(n_steps, 1, "n_steps")
        loop, net, loss, encoder = self.loop, self.net, self.settings["loss"], self.settings["encoder"]
        self.X, self.y, n_steps = check_data(data, net, loss, encoder, n_steps)
        n = None
        if isinstance(validation, tuple | list):
            X, y, _ = check_data(validation, net, loss, encoder, n_steps, "validation")
            if X.ndim != self.X.ndim:
                raise NsnnError(
                    f"validation: X has shape {X.shape}, expected {self.X.ndim} axes as that of data, {self.X.shape}"
                )
            n = len(self.y)
            self.X, self.y = np.concatenate([self.X, X]), np.concatenate([self.y, y])
        loop.split(self.y, validation, n)
        self.settings |= {"batch": batch, "n_steps": n_steps}
        self.described: dict[str, Any] = {
            "model": net.describe(),
            "loss": {**loss.describe(), "code": loss.code},
            "encoder": {**encoder.describe(), "o": encoder.o},
            "batch": batch,
            "n_steps": n_steps,
            "seed": loop.seed,
            **self.schedules,
        }
        loop.identify(self.described, self.X, self.y, fixed_epochs=self.scheduled)

    def run(self, progress: Any) -> Fit:
        """The fit."""
        return self.loop.run(self.start, self._trainer, self._fit, progress)

    @contextlib.contextmanager
    def _trainer(self) -> Iterator[_Trainer]:
        with engine.running(self.engine), global_state.frozen_heap():
            learner = _LEARNERS[self.formulation](self.net, **self.settings, scheduled=self.scheduled)
            yield _Trainer(self, learner)

    def _fit(self, outcome: Outcome) -> Fit:
        names = [f"weights_{k}" for k in range(len(self.net.projections))]
        learned = [outcome.arrays[name].reshape(self.start[name].shape) for name in names]
        levels = {label: outcome.arrays[f"{label}_values"] for label in self.changing}
        network = _changed(self.net, [(self.changing[label], values) for label, values in levels.items()])
        network.set_weights(learned)
        block = self._block(outcome.history, learned, levels)
        return Fit(outcome.history, network, block, outcome.best_epoch, self.settings, self.engine)

    def _block(
        self, table: pd.DataFrame, learned: list[np.ndarray], levels: dict[str, np.ndarray]
    ) -> neo.Block:
        batch = self.settings["batch"]
        n = -(-self.loop.trained.size // batch) + -(-self.loop.held_out.size // batch)
        epoch = n * self.settings["n_steps"] * STEP
        block = neo.Block(name="training")
        block.annotate(
            seed=self.loop.seed, parameters={**self.described, "epochs": len(table)}, **provenance()
        )
        segment = neo.Segment(name="training")
        for column in table.columns.drop(["epoch", "seconds"]):
            values = table[column].to_numpy(float)[:, None]
            segment.analogsignals.append(signal(values, 1 / epoch, column, epoch))
        names = [f"weight of {name}" for name in self.net.projection_names]
        names += [self.changing[label].signal for label in levels]
        ends = zip(names, self.start.values(), [*learned, *levels.values()], strict=True)
        for name, before, after in ends:
            values = np.stack([before.ravel(), after.ravel()])
            segment.analogsignals.append(signal(values, 1 / (epoch * max(1, len(table))), name))
        block.segments.append(segment)
        return block


class _Trainer:
    """A learner of Brian2 objects as the `Trainer` of a loop."""

    def __init__(self, training: _Training, learner: LayeredLearner) -> None:
        self.training, self.learner = training, learner

    def run_epoch(self, epoch: Epoch) -> tuple[Scores, Scores | None]:
        """All batches in one run of Brian2: those to learn from, then those held out."""
        training, loop = self.training, self.training.loop
        batch = training.settings["batch"]
        parts = [batches(epoch.samples, batch), batches(loop.held_out, batch)]
        order = np.concatenate(parts)
        learns = np.arange(len(order)) < len(parts[0])
        loss, count = self.learner.run(
            training.X,
            training.y,
            order,
            learns,
            key=(loop.seed, NOISE, epoch.number),
            eta=epoch.eta,
            noise=training.noise[epoch.number],
            report=epoch.report,
        )

        def scores(rows: np.ndarray) -> Scores | None:
            real = order[rows] >= 0
            if not real.any():
                return None
            if training.y.ndim > 1:
                return Scores(loss[rows][real])
            right = count[rows][real].argmax(-1) == training.y[order[rows][real]]
            return Scores(loss[rows][real], right)

        learned_from = scores(learns)
        assert learned_from is not None
        return learned_from, scores(~learns)

    def check(self) -> dict[str, float]:
        """Refuse noise that has run away and weights that aren't finite; the parameters' means over neurons."""
        levels = self.learner.levels
        for level in levels:
            if message := level.runaway():
                raise Diverged(message)
        projections = self.training.net.projection_names
        check_finite({f"weights of {n!r}": w for n, w in zip(projections, self.learner.weights, strict=True)})
        check_finite({f"values of {level.changing.signal!r}": level.free for level in levels})
        return {level.changing.column: float(level.values.mean()) for level in levels}

    def learned(self) -> dict[str, np.ndarray]:
        """Weights, and the parameters that change."""
        weights = {f"weights_{k}": w for k, w in enumerate(self.learner.weights)}
        return weights | {f"{level.label}_values": level.values for level in self.learner.levels}

    def state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """The optimizers' states."""
        arrays = {f"state_{k}_{name}": v for k, s in enumerate(self.learner.states) for name, v in s.items()}
        for level in self.learner.levels:
            arrays |= level.saved()
        return arrays, {}

    def restore(self, arrays: dict[str, np.ndarray], about: dict[str, Any]) -> None:
        """Copy the checkpoint's arrays into those of Brian2."""
        for name, values in (self.learned() | self.state()[0]).items():
            values[:] = checkpoints.array(self.training.loop.path, arrays, name, values.shape)


def _changed(net: Network, parameters: list[tuple[Changing, np.ndarray]]) -> Network:
    """A copy of a layered network with these values of its layers' parameters, of the noise as factors."""
    new = list(net.populations)
    for (kind, k, *_), values in parameters:
        value: Any = values if values.size > 1 else float(values[0])
        noise: Any = new[k].noise
        if kind == "noise":
            change = {"noise": dataclasses.replace(noise, family=noise.family.scaled(value))}
        else:
            change = {"neuron": dataclasses.replace(new[k].neuron, **{kind: value})}
        new[k] = dataclasses.replace(new[k], **change)
    now = {p.name: p for p in new}
    projections = [
        dataclasses.replace(p, pre=now[p.pre.name], post=now[p.post.name]) for p in net.projections
    ]
    return Network(new, projections, seed=net.seed)


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
