"""`Fit`: what `train` returns."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import neo
import numpy as np
import pandas as pd

from ..brian import engine, global_state
from ..core.checks import check_seed, whole
from ..core.errors import NsnnError
from ..io.block import build_block
from ..io.provenance import provenance
from ..models.network import Network
from . import fit_files
from .accuracy import accuracy_of, standard_error
from .batched import Learner
from .coding import Count, Decoder
from .data import batches, check_data

EVALUATION = 4
"""the first number of the path from the seed to the random numbers of an evaluation"""
STEP = 1e-3
"""s, of the network's time in a Fit's Block"""


@dataclasses.dataclass(frozen=True, eq=False)
class Fit:
    """A trained network, with the history of its training. `train` returns it.

    history : DataFrame, a row for each epoch: epoch (from 1), loss and accuracy (means over the training samples, each when it was
        learned from), val_loss and val_accuracy (after the epoch; NaN without validation), seconds. Accuracies are NaN where y are
        target spikes. Where the noise of a layer is learned or scheduled, "noise of NAME": its scale after the epoch, relative to
        the given network, averaged over neurons; "mean beta of NAME" and "mean theta of NAME" where these are learned
    network : a copy of the network with the learned weights, noise, beta and theta; `simulate` runs it
    block : neo.Block: the history's columns as signals by epoch; "weight of NAME" before training and as returned, in the network's
        own time; likewise "level of NAME" of each neuron's noise, "beta of NAME", "theta of NAME"; annotations seed, parameters,
        versions
    best_epoch : the epoch whose weights the network has

    >>> from nsnn_neuro import NDL, EscapeNoise, Gaussian, feedforward, losses, train
    >>> X, y = np.eye(2)[[0, 1] * 20], np.array([0, 1] * 20)
    >>> net = feedforward([2, 2], noise=EscapeNoise(Gaussian(0.4)), plasticity=NDL(0.5))
    >>> fit = train(net, (X, y), loss=losses.rate_mse, epochs=2, keep="best", seed=1, engine="numpy")
    >>> fit.history.columns.tolist(), len(fit.history)
    (['epoch', 'loss', 'accuracy', 'val_loss', 'val_accuracy', 'seconds'], 2)
    >>> sorted(fit.evaluate((X, y)))
    ['accuracy', 'chance', 'high', 'loss', 'low', 'se']
    """

    history: pd.DataFrame
    network: Network
    block: neo.Block = dataclasses.field(repr=False)
    best_epoch: int
    _settings: dict[str, Any] = dataclasses.field(repr=False)
    _engine: str = dataclasses.field(repr=False)

    def __repr__(self) -> str:
        last = {k: v for k, v in self.history.iloc[-1].items() if k != "seconds"} if len(self.history) else {}
        shown = ", ".join(f"{k} {v:.3g}" for k, v in last.items() if k != "epoch" and v == v)
        return f"<Fit of {self.network!r}: {len(self.history)} epochs, the weights of epoch {self.best_epoch}; last {shown}>"

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any:
            cures = {
                "predict": "probabilities(X).argmax(axis=1) are guesses",
                "predict_proba": "probabilities(X) returns them",
            }
            hint = f"; {cures[name]}" if name in cures else ""
            raise AttributeError(f"'Fit' object has no attribute {name!r}{hint}")

    def evaluate(
        self, data: Any, *, passes: int = 1, seed: int = 0, decoder: Decoder | None = None
    ) -> dict[str, float]:
        """Accuracy and loss on samples (X, y). The guess is the output neuron with the highest score, the first of several.

        Parameters
        ----------
        data : (X, y) as for `train`
        passes : how often each sample is shown, each time with other noise; scores are summed over passes
        seed : whole number, of the noise
        decoder : of `coding`, gives the output neurons scores; None: `coding.Count()`, the number of spikes. None for target spikes

        Returns
        -------
        dict : accuracy, the share of right guesses; se, its standard error over samples (NaN for one sample, 0 where all are
            right); low and high, the ends of its 95 % interval over samples (Wilson 1927, doi 10.1080/01621459.1927.10502953),
            which has a width then too; chance, the share of the most frequent label; loss, the mean over samples and passes. For
            target spikes there is no accuracy and chance, and se is that of the loss over samples (over passes for one sample)
        """
        X, y = self._data(data)
        if decoder is not None and y.ndim > 1:
            raise NsnnError(f"decoder = {decoder!r}: expected None with target spikes")
        loss, scores = self._scores(X, y, passes, seed, decoder)
        if y.ndim > 1:
            values = np.mean(loss, axis=0) if len(y) > 1 else np.ravel(loss)
            return {"loss": float(np.mean(loss)), "se": standard_error(values)}
        right, chance = np.sum(scores, axis=0).argmax(-1) == y, float(np.bincount(y).max() / y.size)
        return accuracy_of(right) | {"chance": chance, "loss": float(np.mean(loss))}

    def score(self, data: Any, *, passes: int = 1, seed: int = 0, decoder: Decoder | None = None) -> float:
        """The accuracy of `evaluate`; minus its loss where y are target spikes. The higher the better."""
        measures = self.evaluate(data, passes=passes, seed=seed, decoder=decoder)
        return measures.get("accuracy", -measures["loss"])

    def probabilities(
        self, X: Any, *, passes: int = 20, seed: int = 0, decoder: Decoder | None = None
    ) -> np.ndarray:
        """For each sample the share of passes in which each class scored highest.

        Classes that tie for the highest score, as all do when the output is silent, share the pass. A share p has the standard
        error sqrt(p (1 - p) / passes). `measures.calibration_error` measures how far such probabilities can be trusted.

        X are samples as for `train`; the pair (X, y) is accepted too, and y is not used. Other arguments as for `evaluate`, whose
        passes a given seed yields. Returns (n, n_out) floats; each row adds up to 1.

        Raises
        ------
        NsnnError : a network trained towards target spikes

        >>> from nsnn_neuro import NDL, EscapeNoise, Gaussian, feedforward, losses, train
        >>> X, y = np.eye(2)[[0, 1] * 20], np.array([0, 1] * 20)
        >>> net = feedforward([2, 2], noise=EscapeNoise(Gaussian(0.4)), plasticity=NDL(0.5))
        >>> fit = train(net, (X, y), loss=losses.rate_mse, epochs=5, keep="best", seed=1, engine="numpy")
        >>> p = fit.probabilities(np.eye(2), passes=50)
        >>> p.shape, bool((p.argmax(1) == [0, 1]).all())
        ((2, 2), True)
        """
        if self._settings["loss"].targets != "labels":
            raise NsnnError(
                f"the loss was {self._settings['loss']!r}: expected a loss of labels; with target spikes nothing is guessed"
            )
        X, y, _ = self._samples(X)
        _, scores = self._scores(X, y, passes, seed, decoder)
        best = scores == scores.max(-1, keepdims=True)
        return np.asarray((best / best.sum(-1, keepdims=True)).mean(axis=0))

    def _scores(
        self, X: np.ndarray, y: np.ndarray, passes: int, seed: int, decoder: Decoder | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """The losses (passes, n) of samples, and the scores of the output, (passes, n, n_out)."""
        if decoder is None or type(decoder) is Count:
            return self._run(X, y, passes, seed)
        if not isinstance(decoder, Decoder):
            raise NsnnError(f"decoder = {decoder!r}: expected a decoder such as coding.Count()")
        output = [len(self.network.populations) - 1]
        return self._run(X, y, passes, seed, output, lambda spikes: decoder.scores(spikes[0]))

    def _run(
        self,
        X: np.ndarray,
        y: np.ndarray,
        passes: int,
        seed: int,
        layers: Sequence[int] = (),
        read: Callable[[list[np.ndarray]], np.ndarray] = lambda spikes: np.concatenate(spikes, axis=2),
    ) -> tuple[np.ndarray, np.ndarray]:
        """The losses (passes, n) of samples and, for each pass, what `read` makes of the spikes of `layers`, booleans (n, n_steps,
        n_neurons) each; without `layers` the numbers of the output's spikes, (passes, n, n_out)."""
        whole(passes, 1, "passes")
        seed = check_seed(seed)
        order = batches(np.arange(len(y)), self._settings["batch"])
        real = order >= 0  # in the samples' order
        losses, results = [], []
        with engine.running(self._engine), global_state.frozen_heap():
            learner = Learner(self.network, **self._settings)
            spikes, n = learner.record() if layers else [], len(learner.layers)
            for k in range(passes):
                loss, count = learner.run(X, y, order, np.zeros(len(order), bool), key=(seed, EVALUATION, k))
                losses.append(loss[real])
                here = [np.concatenate(spikes[j::n])[real.ravel()] for j in layers]
                results.append(read(here) if layers else count[real])
                spikes.clear()
        return np.array(losses), np.array(results)

    def spikes(self, data: Any, *, layers: Any = None, passes: int = 1, seed: int = 0) -> neo.Block:
        """The spikes of the trained network on samples (X, y), those that `evaluate` counts for the same seed.

        Parameters
        ----------
        data : X, or the pair (X, y) as for `train`
        passes, seed : as for `evaluate`
        layers : name of a population, or a list of names; None: all, from "input" on

        Returns
        -------
        neo.Block : a segment for each pass and sample, all samples of the first pass first; a step of the network lasts 1 ms. The
            segments' annotations: sample (its row in X), label (where y are given and are labels), repeat (from 0). The Block's:
            seed, dt, parameters, populations, versions

        >>> from nsnn_neuro import NDL, EscapeNoise, Gaussian, feedforward, losses, train, measures
        >>> X, y = np.eye(2)[[0, 1] * 20], np.array([0, 1] * 20)
        >>> net = feedforward([2, 2], noise=EscapeNoise(Gaussian(0.4)), plasticity=NDL(0.5))
        >>> fit = train(net, (X, y), loss=losses.rate_mse, epochs=5, keep="best", seed=1, engine="numpy")
        >>> block = fit.spikes((X, y), layers="layer1", passes=5)
        >>> len(block.segments), block.annotations["populations"]
        (200, [{'name': 'layer1', 'size': 2}])
        >>> measures.decode([s.annotations["label"] for s in block.segments], block).accuracy > 0.8
        True
        """
        X, y, labelled = self._samples(data)
        names = [p.name for p in self.network.populations]
        given = names if layers is None else [layers] if isinstance(layers, str) else layers
        if not isinstance(given, list | tuple) or not given or not all(name in names for name in given):
            raise NsnnError(f"layers = {layers!r}: expected names of populations, of {', '.join(names)}")
        chosen = [names.index(name) for name in given]
        _, spikes = self._run(X, y, passes, seed, chosen)
        fired = spikes.reshape(-1, *spikes.shape[2:])
        trial, tick, neuron = np.nonzero(fired)
        populations = [self.network.populations[k] for k in chosen]
        block = build_block(
            trial,
            neuron,
            tick,
            dt=STEP,
            n_trials=passes * len(y),
            n_neurons=sum(p.n for p in populations),
            t_start=0.0,
            t_stop=fired.shape[1] * STEP,
            annotations={
                "seed": seed,
                "parameters": {"model": self.network.describe(), "passes": int(passes)},
                "populations": [{"name": p.name, "size": p.n} for p in populations],
                **provenance(),
            },
        )
        for k, segment in enumerate(block.segments):
            repeat, sample = divmod(k, len(y))
            segment.annotate(sample=sample, repeat=repeat)
            if labelled and y.ndim == 1:
                segment.annotate(label=int(y[sample]))
        return block

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the fit to an .npz file atomically; `load_fit` reads it, and then evaluates identically.

        The file holds the network, the settings of the training, the history and the Block, but not the samples. It holds no code,
        so a network with a noise, rule, loss or encoder of your own class can't be saved: train it with `checkpoint=`.

        path : ends in .npz; a file of that name is replaced

        Raises
        ------
        NsnnError : another ending, no such folder, a full disk, a class of your own; then the file that was there is still there
        """
        return fit_files.write(path, {f.name: getattr(self, f.name) for f in dataclasses.fields(self)})

    def _samples(self, data: Any) -> tuple[np.ndarray, np.ndarray, bool]:
        """X, y and whether y was given, of X alone or a pair (X, y). Without y, labels or target spikes are 0."""
        # a tuple of two is a pair; a list of two samples isn't one: both have one axis, or both two
        pair = isinstance(data, tuple | list) and len(data) == 2
        axes = (np.ndim(data[0]), np.ndim(data[1])) if pair else ()
        if pair and (isinstance(data, tuple) or axes not in ((1, 1), (2, 2))):
            return *self._data(data), True
        shape = np.shape(data)
        if self._settings["loss"].targets == "spikes":
            n_steps = shape[1] if len(shape) == 3 else self._settings["n_steps"]
            return *self._data((data, np.zeros((*shape[:1], n_steps, self.network.populations[-1].n)))), False
        return *self._data((data, np.zeros(shape[:1], np.int64))), False

    def _data(self, data: Any) -> tuple[np.ndarray, np.ndarray]:
        given = {name: self._settings[name] for name in ("loss", "encoder", "n_steps")}
        return check_data(data, self.network, **given)[:2]
