"""Fits of any network to recorded spikes: the likelihood of output spikes that are forced, and `fit_spikes`.

Given the spikes h of the hidden layers the recorded spikes O fix the potentials of the output neurons, and log P(O|h) is a sum over
steps. With K draws of h

    L_K = log (1/K) sum_k P(O|h_k),      E L_1 <= E L_2 <= ... -> log P(O|x)

In the weights of the output the gradient of L_K is exact. Hidden neurons pass it on by noise-driven learning.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.special import xlogy
from torch import nn

from ..core.aliases import Progress
from ..core.checks import whole
from ..core.errors import NsnnError
from ..learning.loop import Diverged, Outcome, Scores, TrainingLoop
from ..likelihood.scores import Scored, part_sums, ratio_error
from ..measures import Estimate
from ..models.log_odds import observed
from .classifier import dtype_of, evaluating, on_its_device, pair_of_arrays, trying
from .module_trainer import ModuleTrainer
from .neuron import NoisySpike, shown
from .rng import seeded

__all__ = ["SpikeFit", "fit_spikes", "log_likelihood"]

# samples times draws at once without a gradient, and values of their inputs or outputs; hidden layers take several times that
_MOST, _VALUES = 2000, 2**21


def log_likelihood(
    module: nn.Module, x: torch.Tensor, spikes: Any, *, draws: int = 1, seed: int | None = None
) -> torch.Tensor:
    """Log-likelihood of recorded spikes given the input of a network, by K draws of its hidden layers, (batch,) nats.

    It is log (1/K) sum_k P(spikes|h_k), below log P(spikes|x) on average, less so with more draws, exact without noise in
    hidden layers. Minus its mean is a loss for a training loop of your own. Time is the first axis.

    Parameters
    ----------
    module : nn.Sequential of any modules, whose last one is a `NoisySpike` with noise: the recorded neurons
    x : (T, batch, ...), finite, as the module takes it
    spikes : (T, batch, ...) 0 or 1, of the shape that the module gives
    draws : K, a whole number; they run as one batch
    seed : of the draws; torch's generators are then left as they were. None: continue them

    Raises
    ------
    NsnnError : a module that doesn't end with noisy neurons, or whose last noise is learned; x or spikes that don't fit

    Source: Burda, Grosse & Salakhutdinov 2016, arXiv 1509.00519

    >>> from nsnn_neuro import Gaussian, deep
    >>> net = nn.Sequential(nn.Linear(3, 2), deep.NoisySpike(Gaussian(0.4)))
    >>> x, o = torch.zeros(5, 4, 3), torch.zeros(5, 4, 2)
    >>> value = log_likelihood(net, x, o)
    >>> value.shape, bool((value < 0).all())
    (torch.Size([4]), True)
    """
    hidden, output = _layers(module)
    if not isinstance(x, torch.Tensor) or x.ndim < 2 or not x.numel() or not torch.isfinite(x).all():
        raise NsnnError(f"x is {shown(x)}: expected a tensor of finite numbers (T, batch, ...)")
    n_draws = whole(draws, 1, "draws")
    with seeded(seed, module, x):
        several = x[:, None].expand(len(x), n_draws, *x.shape[1:]).flatten(1, 2)
        drive = hidden(several)
    if not isinstance(drive, torch.Tensor) or drive.ndim < 3 or drive.shape[:2] != several.shape[:2]:
        raise NsnnError(f"the last layer's drive is {shown(drive)}: expected {(*several.shape[:2], '...')}")
    drive = drive.to(torch.promote_types(drive.dtype, torch.float32)).unflatten(1, (n_draws, -1))
    o = torch.as_tensor(spikes, dtype=drive.dtype, device=drive.device)
    if o.shape != (len(x), *drive.shape[2:]) or not ((o == 0) | (o == 1)).all():
        expected = (len(x), *drive.shape[2:])
        raise NsnnError(f"spikes is {shown(spikes)}: expected 0 and 1 of shape {expected}, the module's")
    law, potentials = output._law(drive[0, 0]), [drive[0]]
    for t in range(1, len(drive)):
        potentials.append(drive[t] + law.kept(potentials[-1], o[t - 1]))
    logs = _Observed.apply(torch.stack(potentials) - law.theta, o[:, None], output.family)
    return torch.logsumexp(logs.flatten(3).sum((0, 3)), 0) - math.log(n_draws)


def _layers(module: Any) -> tuple[nn.Module, NoisySpike]:
    """The hidden part of a network and its output neurons."""
    plain = isinstance(module, nn.Sequential) and type(module).forward is nn.Sequential.forward
    if not plain or not len(module):
        raise NsnnError(
            f"module is {type(module).__name__}: expected an nn.Sequential with a NoisySpike last"
        )
    output = module[-1]
    if not isinstance(output, NoisySpike):
        raise NsnnError(f"module ends with {type(output).__name__}: expected a recorded NoisySpike")
    if not output.noisy:
        raise NsnnError("module: its last neurons have noisy=False: expected noise, for possible spikes")
    if output.log_level is not None:
        raise NsnnError(
            "module: its last neurons have learn_noise=True: expected False, as the size of their weights sets the noise"
        )
    if output.axis != -1:
        raise NsnnError(f"module: its last neurons have axis = {output.axis}: expected -1")
    return nn.Sequential(*list(module)[:-1]), output


class _Observed(torch.autograd.Function):
    """log P(o) at x = u - theta, exact far from threshold, computed in NumPy in float64; its slope is f / F or -f / (1 - F)."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, o: torch.Tensor, family: Any) -> torch.Tensor:  # type: ignore[override]
        at, fired = (np.asarray(part.detach().double().cpu()) for part in (x, o))
        logs, slope = observed(family, at, fired)
        ctx.save_for_backward(torch.as_tensor(slope, dtype=x.dtype, device=x.device))
        return torch.as_tensor(logs, dtype=x.dtype, device=x.device)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: torch.Tensor) -> Any:  # type: ignore[override]
        (slope,) = ctx.saved_tensors
        return g * slope, None, None


@dataclasses.dataclass(frozen=True, eq=False)
class SpikeFit(Scored):
    """What `fit_spikes` returns.

    history : DataFrame, a row for each epoch: epoch (from 1); loss and val_loss, minus the bound in nats per sample; bound and
        val_bound, in bits per spike above neurons with constant probabilities; seconds. NaN without validation
    module : a copy of the network with the learned weights; called with an input (T, batch, ...) it draws spikes
    best_epoch : the epoch whose weights the module has

    >>> from nsnn_neuro import Gaussian, deep
    >>> net = nn.Sequential(nn.Linear(1, 1), deep.NoisySpike(Gaussian(0.4)))
    >>> x = np.random.default_rng(0).normal(size=(40, 20, 1))
    >>> fitted = deep.fit_spikes(net, (x, x > 1), epochs=2, seed=1)
    >>> len(fitted.history), fitted.score((x, x > 1)).unit
    (2, 'bit/spike')
    """

    history: pd.DataFrame
    module: nn.Sequential
    best_epoch: int

    def log_likelihood(self, data: Any, *, draws: int = 100, seed: int = 0) -> np.ndarray:
        """Log-likelihood of each sample (n,), nats, by so many draws of the hidden layers; data as for `fit_spikes`."""
        X, o = _checked(self.module, data)
        return _log_likelihoods(self.module, X, o, whole(draws, 1, "draws"), seed)

    def score(self, data: Any, *, draws: int = 100, seed: int = 0) -> Estimate:
        """Bits per spike above neurons with the mean spike probabilities of *these* data; pass data that were not fitted.

        `se` is over 20 consecutive parts of the samples, fewer if there are fewer samples.
        """
        logs = self.log_likelihood(data, draws=draws, seed=seed)
        _, o = _checked(self.module, data)
        gain = (logs - _constant(o)) / math.log(2)
        counts = o.reshape(len(o), -1).sum(axis=1)
        value, sums = float(gain.sum() / float(counts.sum())), part_sums(gain)
        se = ratio_error(sums, part_sums(counts), value)
        return Estimate(
            value, se, n=int(counts.sum()), unit="bit/spike", se_method=f"{len(sums)} consecutive parts"
        )


def fit_spikes(
    module: nn.Module,
    data: Any,
    *,
    epochs: int,
    draws: int = 1,
    batch: int = 16,
    optimizer: Any = None,
    eta: float = 0.01,
    validation: Any = 0.2,
    schedule: str = "cosine",
    patience: int | None = None,
    keep: str = "last",
    seed: int | None = None,
    checkpoint: str | Path | None = None,
    progress: Progress = None,
) -> SpikeFit:
    """Fit a network of any layers to recorded spikes: those of the output are forced, those of hidden layers drawn.

    Each step of the optimizer goes up the bound of `log_likelihood`. For two dense layers under a filtered stimulus `fit_network`
    does the same from a recording.

    Parameters
    ----------
    module : as of `log_likelihood`; it isn't changed
    data : (X, O): inputs (n, T, ...), finite, which the module receives as (T, batch, ...); spikes (n, T, ...), 0 or 1; each of
        the n windows of a recording starts from potentials of 0
    epochs, batch, schedule, patience, keep, checkpoint, progress : as of `fit`
    draws : of the hidden layers, for each sample in each epoch
    optimizer : as of `fit`; a penalty of the weights is `functools.partial(torch.optim.AdamW, weight_decay=0.01)`
    eta : number > 0, learning rate
    validation : share of the samples that is held out, drawn from the seed; 0 for none; or data of their own, (X, O). Neighbouring
        windows of a recording are alike: hold out entire blocks of time
    seed : whole number; None draws one. It doesn't affect the module's first weights

    Raises
    ------
    NsnnError : data, a module or an option that doesn't fit; an output neuron without spikes
    Diverged : a loss or weights that aren't finite, as with noise that makes a recorded spike impossible

    Source: as of `log_likelihood`; Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831

    >>> from nsnn_neuro import Gaussian, deep
    >>> _ = torch.manual_seed(1)
    >>> x = np.random.default_rng(0).normal(size=(100, 20, 1))
    >>> spikes = np.abs(x) > 1.5  # two hidden neurons can see it, one linear filter can't
    >>> net = nn.Sequential(
    ...     nn.Linear(1, 8), deep.NoisySpike(Gaussian(0.4)), nn.Linear(8, 1), deep.NoisySpike(Gaussian(0.4)))
    >>> fitted = deep.fit_spikes(net, (x[:80], spikes[:80]), epochs=20, eta=0.05, validation=0, seed=1)
    >>> fitted.score((x[80:], spikes[80:])).value > 0.5
    True
    """
    loop = TrainingLoop(
        epochs=epochs, seed=seed, schedule=schedule, patience=patience, keep=keep, checkpoint=checkpoint
    )
    trainer = _SpikeTrainer(loop, module, data, draws, optimizer, eta)
    trainer.divide(validation, batch)
    return loop.run(trainer.learned(), lambda: contextlib.nullcontext(trainer), trainer.fit, progress)


class _SpikeTrainer(ModuleTrainer):
    """`ModuleTrainer` for recorded spikes: X are inputs, targets are spikes."""

    def __init__(
        self, loop: TrainingLoop, module: Any, data: Any, draws: int, optimizer: Any, eta: float
    ) -> None:
        self.draws = whole(draws, 1, "draws")
        _layers(module)
        super().__init__(loop, module, data, _checked, optimizer, eta, "module")

    def divide(self, validation: Any, batch: int) -> None:
        super().divide(validation, batch)
        silent = np.flatnonzero(self.targets[self.loop.trained].sum(axis=(0, 1)) == 0)
        if silent.size:
            raise NsnnError(f"data hold no spikes of output {silent[0]} to learn from: expected some")
        described = self.described() | {"batch": self.batch, "draws": self.draws}
        self.loop.identify(described, self.X.numpy(), self.targets)

    def refuse_infinite(self, value: np.ndarray) -> None:
        if not np.isfinite(value).all():
            family = self.net[-1].family
            raise Diverged(
                f"the log-likelihood isn't finite, as what was recorded is impossible with {family!r}, or eta is too large: "
                "expected noise of unlimited range such as Gaussian, or a smaller eta"
            )

    def learn(self, rows: np.ndarray) -> Scores:
        """One step up the bound."""
        self.optimizer.zero_grad()
        x, o = on_its_device(self.net, self.X[rows].transpose(0, 1)), self.targets[rows].swapaxes(0, 1)
        loss = -log_likelihood(self.net, x, o, draws=self.draws)
        loss.mean().backward()
        self.optimizer.step()
        return Scores(loss.detach().double().cpu().numpy())

    def judged(self, rows: np.ndarray, seed: int) -> Scores:
        """Minus the bound."""
        return Scores(-_log_likelihoods(self.net, self.X[rows], self.targets[rows], self.draws, seed))

    def fit(self, outcome: Outcome) -> SpikeFit:
        history = outcome.history[["epoch", "loss", "val_loss", "seconds"]].copy()
        for place, name, rows in ((2, "", self.loop.trained), (4, "val_", self.loop.held_out)):
            o = self.targets[rows]
            spikes = o.sum() / max(len(o), 1)
            bound = (-history[f"{name}loss"] - (_constant(o).mean() if len(o) else 0.0)) / math.log(2)
            history.insert(place, f"{name}bound", bound / spikes if spikes else np.nan)
        return SpikeFit(history, self.trained(outcome), outcome.best_epoch)


def _checked(module: Any, data: Any, name: str = "data") -> tuple[torch.Tensor, np.ndarray]:
    """X (n, T, ...) in the type of the module's parameters, and spikes O (n, T, ...)."""
    inputs, spikes = pair_of_arrays(data, name, "(X, O), inputs and spikes")
    if inputs.dtype.kind not in "biuf" or inputs.ndim < 3 or not inputs.size or not np.isfinite(inputs).all():
        raise NsnnError(f"X has shape {inputs.shape}, {inputs.dtype}: expected finite numbers (n, T, ...)")
    if spikes.ndim < 3 or spikes.shape[:2] != inputs.shape[:2] or not np.isin(spikes, (0, 1)).all():
        raise NsnnError(
            f"O has shape {spikes.shape}, {spikes.dtype}: expected 0 and 1 of shape {inputs.shape[:2]} and the outputs"
        )
    if not spikes.any():
        raise NsnnError(f"{name} hold no spikes: expected some")
    dtype = dtype_of(module)
    X, o = torch.as_tensor(inputs).to(dtype), torch.as_tensor(spikes).to(dtype).numpy()
    with trying(module, X):
        x = on_its_device(module, X[:1].transpose(0, 1))
        shape = module(x).shape
        if (shape[0], *shape[2:]) != o.shape[1:]:
            raise NsnnError(
                f"O has shape {spikes.shape}, the module's output {(len(X), shape[0], *shape[2:])}"
            )
        log_likelihood(module, x, o[:1].swapaxes(0, 1), seed=0)
    return X, o


def _log_likelihoods(
    module: nn.Sequential, X: torch.Tensor, o: np.ndarray, draws: int, seed: int
) -> np.ndarray:
    """(n,) nats, in `eval` mode, in parts that fit into memory."""
    at_once = max(1, min(_MOST, _VALUES // max(o[0].size, X[0].numel())))
    several = max(1, at_once // draws)  # samples
    logs = []
    with torch.no_grad(), evaluating(module), seeded(seed, module):
        for k in range(0, len(X), several):
            x = on_its_device(module, X[k : k + several].transpose(0, 1))
            fired = o[k : k + several].swapaxes(0, 1)
            some = [min(at_once, draws - j) for j in range(0, draws, at_once)]
            each = [log_likelihood(module, x, fired, draws=j).double() + math.log(j) for j in some]
            logs.append((torch.logsumexp(torch.stack(each), 0) - math.log(draws)).cpu().numpy())
    return np.concatenate(logs)


def _constant(o: np.ndarray) -> np.ndarray:
    """Log-likelihood of each sample (n,), nats, under output neurons with the mean spike probabilities of these data."""
    rate = o.mean(axis=(0, 1))
    return np.asarray((xlogy(o, rate) + xlogy(1 - o, 1 - rate)).reshape(len(o), -1).sum(axis=1))
