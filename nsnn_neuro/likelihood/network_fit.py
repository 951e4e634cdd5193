"""`fit_network`: fits of a two-layer network to recorded spikes by noise-driven learning, and their result, `NetworkFit`."""

from __future__ import annotations

import dataclasses
from typing import Any

import neo
import numpy as np
import pandas as pd
from scipy.special import xlogy

from ..core.checks import suggest_keywords, whole
from ..core.deprecated import renamed_keywords
from ..core.errors import NsnnError
from ..core.parameters import parameter
from ..core.units import si
from ..learning.coding import Encoder
from ..learning.losses import NegativeLogLikelihood
from ..measures import Estimate
from ..models.escape import Family, Gaussian
from ..models.network import Network
from ..models.neurons import NSNNNeuron
from ..models.plasticity import NDL, Adam
from .bases import Basis
from .data import n_channels, unit_of_signal
from .fisher_scoring import quantile
from .fit import as_basis
from .network import NetworkModel, Observed
from .particle_gradient import Ascent
from .per_step import PerStep

_PARTICLES = 30  # of the refinement
_BUSY = 0.3  # share of steps in which a hidden neuron near threshold fires, roughly


@dataclasses.dataclass(frozen=True, eq=False)
class Ranged(Encoder):
    """A value from 0 to 1 mapped back to its original range."""

    low: Any = parameter("1")
    span: Any = parameter("1")
    o = "low + span * x"


@dataclasses.dataclass(frozen=True, eq=False)
class NetworkFit:
    """Result of `fit_network`: weights, history, score on new data, simulated spikes.

    There are no standard errors: hidden neurons can be permuted, so the weights are not identified. The network's function is: its
    score and its simulated spikes.

    >>> import quantities as pq
    >>> from nsnn_neuro.likelihood import Lags
    >>> signal = neo.AnalogSignal(np.random.default_rng(0).normal(size=2000), units=pq.dimensionless, sampling_period=1*pq.ms)
    >>> trains = [np.flatnonzero(signal.magnitude[:, 0] > 1.5) * 1e-3]
    >>> fit = fit_network(trains, signal, dt=1*pq.ms, stimulus=1, epochs=10, eta=0.05, engine="numpy")
    >>> [w.shape for w in fit.weights], fit.held_out.value > 1
    ([(2, 16), (17, 1)], True)
    >>> print(fit)
    NetworkFit: 16 hidden and 1 output neurons, ... epoch 10, held out ... bits per spike
    """

    model: NetworkModel
    weights: tuple[np.ndarray, np.ndarray]
    """hidden (1 + n_stimulus, n_hidden) and output (1 + n_hidden, n_outputs), biases first"""
    history: pd.DataFrame
    """a row for each epoch: epoch (from 1); loss and val_loss (nats per window, minus the bound that is trained, or the likelihood
    while it is refined); bound and val_bound (bits per spike of the bound); likelihood (bits per spike, while it is refined,
    estimated as it was learned from); seconds. held_out_bound is val_bound by its old name, until the next release"""
    best_epoch: int
    """the epoch whose weights these are"""
    held_out: Estimate | None
    """`score` of the validation data; None without"""
    n_spikes: int
    """in the windows that it learned from"""
    n_steps: int
    """of these windows"""

    def __repr__(self) -> str:
        """Sizes and scores, without the weights."""
        sizes = f"{self.model.n_hidden} hidden and {self.model.n_outputs} output neurons"
        score = (
            ""
            if self.held_out is None
            else f", held out {self.held_out.value:.3g} ± {self.held_out.se:.2g} bits per spike"
        )
        return f"NetworkFit: {sizes}, {self.n_spikes} spikes in {self.n_steps} steps, epoch {self.best_epoch}{score}"

    @property
    def network(self) -> Network:
        """The fit as a `Network`; see `NetworkModel.network`."""
        return self.model.network(self.weights)

    def score(
        self,
        trains: Any,
        signal: Any,
        *,
        t_start: Any = None,
        t_stop: Any = None,
        particles: int = 100,
        seed: int = 0,
    ) -> Estimate:
        """Bits per spike of these data over homogeneous neurons: (log2 P(O|x) - log2 P0(O)) / n_spikes, as `NeuronFit.score`.

        A particle filter estimates P(O|x) = E_hidden[P(O|hidden)] over each trial, from potentials of 0. The estimate of its log is
        too low on average; the bias shrinks with the number of `particles`. particles=1 gives the bound E_hidden[log2 P(O|hidden)].
        `se` is the error over stretches of data, not that of the fit.

        Source: Gordon, Salmond & Smith 1993, doi 10.1049/ip-f-2.1993.0015
        """
        data = self.model.data(trains, signal, t_start=t_start, t_stop=t_stop)
        return self.model.score(self.weights, data, particles=particles, seed=seed)

    takes = ("signal",)

    def per_step(
        self,
        trains: Any,
        signal: Any,
        *,
        t_start: Any = None,
        t_stop: Any = None,
        particles: int = 100,
        seed: int = 0,
    ) -> PerStep:
        """The log-likelihood of each step, trials concatenated; arguments as of `score`. Spikes are (n,) of a single output."""
        data = self.model.data(trains, signal, t_start=t_start, t_stop=t_stop)
        logs = self.model.log_likelihood(self.weights, data, particles=particles, seed=seed)
        return PerStep(logs, data.o[:, 0] if data.o.shape[1] == 1 else data.o, self.model.step)

    def evaluate(self, trains: Any, signal: Any, **options: Any) -> dict[str, float]:
        """`score` as a dict: bits_per_spike and its standard error se; `options` are those of `score`."""
        estimate = self.score(trains, signal, **options)
        return {"bits_per_spike": estimate.value, "se": estimate.se}

    def simulate(self, signal: neo.AnalogSignal, *, trials: int = 1, seed: int = 0) -> neo.Block:
        """Simulate the output's spikes under `signal`; see `NetworkModel.simulate`."""
        return self.model.simulate(self.weights, signal, trials=trials, seed=seed)


@renamed_keywords(held_out="validation")
@suggest_keywords
def fit_network(
    trains: Any,
    signal: Any,
    *,
    dt: Any,
    stimulus: Basis | int,
    n_hidden: int = 16,
    family: Family | None = None,
    hidden: NSNNNeuron | None = None,
    output: NSNNNeuron | None = None,
    window: Any = None,
    validation: float = 0.2,
    particles: int = 100,
    epochs: int = 30,
    batch: int = 16,
    eta: float = 0.01,
    patience: int | None = None,
    keep: str = "last",
    refine: int = 0,
    t_start: Any = None,
    t_stop: Any = None,
    seed: int = 0,
    engine: str = "cython",
    progress: Any = None,
) -> NetworkFit:
    """Fit a two-layer network of NSNN neurons to the spikes of observed neurons: hidden spikes are drawn, output spikes forced.

    It maximises the bound E_hidden[log P(O|hidden)] <= log P(O|x) by noise-driven learning (`train` with
    `losses.NegativeLogLikelihood`), along one draw of the hidden spikes at a time. The bound is tight and the rule nearly unbiased
    with many hidden neurons, each of little effect. With two or three strong ones the bound is far below the likelihood, and the
    rule is biased (`docs/likelihood.md`). Take 16 or more, or `refine`: further, slower epochs follow the gradient of log P(O|x)
    itself, with hidden spikes drawn by a particle filter, without that bias. Compare fits by the held-out score.

    The recording is cut into windows, each starting from potentials of 0. Take them long compared with the membranes' memory of
    1 / (1 - beta) steps. The rest of a trial is not learned from. Scores are of entire trials.

    Parameters
    ----------
    trains : neo.Block of the observed neurons, one segment for each trial; or repeats of one neuron, as for `fit_neuron`
    signal, dt, stimulus, t_start, t_stop : as for `fit_neuron`; hidden neurons see the stimulus through the basis, and 1
    n_hidden : whole number of hidden neurons
    family : noise F of both layers, `Gaussian(0.4)` by default
    hidden, output : `NSNNNeuron`s, of given beta, theta and reset; None: `NSNNNeuron()`
    window : time; None: 50 steps
    validation : share from 0 to below 1, at the end of each trial, that isn't learned from; its score is `NetworkFit.held_out`
    particles : of that score
    epochs, batch, engine, progress : as for `train`; the samples of a batch are windows
    eta : learning rate of Adam, in units of the noise's width 1 / f(0); it goes to 0 with a cosine
    patience, keep : as for `train`, by the bound of the validation data. With patience or keep="best" these data choose the epoch,
        so that `held_out` is too high; hence keep="last"
    refine : whole number of further epochs on the likelihood itself, with 30 particles, in NumPy
    seed : whole number, of first weights, order and hidden spikes

    Raises
    ------
    NsnnError : as `fit_neuron` for the data; windows longer than every trial
    Diverged : an NsnnError: weights that aren't finite any more; the error's `fit` is that of `train`

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831

    >>> import quantities as pq
    >>> from nsnn_neuro.likelihood import Lags
    >>> signal = neo.AnalogSignal(np.random.default_rng(0).normal(size=4000), units=pq.dimensionless, sampling_period=1*pq.ms)
    >>> trains = [np.flatnonzero(np.abs(signal.magnitude[:, 0]) > 1.5) * 1e-3]
    >>> fit = fit_network(trains, signal, dt=1*pq.ms, stimulus=1, epochs=10, eta=0.05, engine="numpy")
    >>> fit.held_out.value > 1
    True
    """
    channels, block = n_channels(signal), isinstance(trains, neo.Block) and trains.segments
    model = NetworkModel(
        dt=dt,
        stimulus=as_basis(stimulus, "stimulus"),
        n_hidden=n_hidden,
        n_outputs=len(trains.segments[0].spiketrains) if block else 1,
        family=Gaussian(0.4) if family is None else family,
        hidden=NSNNNeuron() if hidden is None else hidden,
        output=NSNNNeuron() if output is None else output,
        channels=channels,
        signal_unit=unit_of_signal(signal),
    )
    share, rate = (float(si(value, "1", name)) for value, name in ((validation, "validation"), (eta, "eta")))
    if not 0 <= share < 1:
        raise NsnnError(f"validation = {validation}: expected a share from 0 to below 1")
    whole(particles, 1, "particles")
    whole(refine, 0, "refine")
    data = model.data(trains, signal, t_start=t_start, t_stop=t_stop)
    learned, rest = data.split(share)
    for o, where in ((learned.o, "trains"), (rest.o, f"the last {share:g} of the trains")):
        silent = np.flatnonzero(o.sum(axis=0) == 0)
        if len(o) and silent.size:
            raise NsnnError(f"{where} hold no spikes of neuron {silent[0]} in {len(o)} steps: expected some")
    n_steps = 50 if window is None else round(float(si(window, "s", "window")) / model.step)
    scale = Scale.of(learned.x, data.x)
    windows = [_windows(part, n_steps, scale) for part in (learned, rest)]
    if not len(windows[0][0]):
        raise NsnnError(
            f"window = {window}: {n_steps} steps, and the longest trial has {learned.lengths.max()} to learn from; expected fewer"
        )
    from ..learning.train import train  # imports Brian2, which fits of neurons do without

    width = 1 / float(np.max(model.family.pdf(0.0)))
    rule = NDL(rate * width, optimizer=Adam())
    fit = train(
        model.network(_start(model, learned, width, np.random.default_rng(seed)), (rule, rule)),
        windows[0],
        loss=NegativeLogLikelihood(),
        epochs=epochs,
        batch=batch,
        encoder=Ranged(scale.low, scale.span),
        validation=windows[1] if len(windows[1][0]) else 0.0,
        schedule="cosine",
        patience=patience,
        keep=keep,
        seed=seed,
        engine=engine,
        progress=progress,
    )
    w1, w2 = (np.asarray(w) for w in fit.network.get_weights())
    w1, best_epoch, (x, o) = w1[:, 1:], fit.best_epoch, windows[0]
    history = fit.history[["epoch", "loss", "val_loss", "seconds"]].assign(
        bound=_bits(fit.history.loss, o),
        val_bound=_bits(fit.history.val_loss, windows[1][1]),
        likelihood=np.nan,
    )
    if refine:
        ascent = Ascent(model, [w1, w2], scale.low + scale.span * x, o, batch, rate * width, _PARTICLES, seed)
        (w1, w2), further = ascent.run(refine)
        further = further[["epoch", "loss", "seconds"]].assign(
            epoch=further.epoch + len(history), likelihood=_bits(further.loss, o)
        )
        history = pd.concat([history, further], ignore_index=True)
        best_epoch = len(history)
    history["held_out_bound"] = history["val_bound"]
    weights = scale.unscaled(w1), w2
    held_out = model.score(weights, rest, particles=particles, seed=seed) if len(rest.o) else None
    return NetworkFit(model, weights, history, best_epoch, held_out, int(o.sum()), o.shape[0] * n_steps)


@dataclasses.dataclass(frozen=True)
class Scale:
    """Standardises columns, so that one learning rate fits all, and maps them to 0 to 1, the range of `train`."""

    mean: np.ndarray
    sd: np.ndarray
    low: np.ndarray
    span: np.ndarray

    @classmethod
    def of(cls, x: np.ndarray, everything: np.ndarray) -> Scale:
        """From the mean and variance of x, and the range of everything."""
        mean, sd = x.mean(axis=0), x.std(axis=0)
        mean[0], sd[0] = 0.0, 1.0
        if np.any(sd == 0):
            raise NsnnError(
                f"stimulus[{np.flatnonzero(sd == 0)[0] - 1}]: nothing reaches it in these data; drop it"
            )
        z = (everything - mean) / sd
        low = z.min(axis=0)
        low[0] = 0.0
        return cls(mean, sd, low, z.max(axis=0) - low)

    def scaled(self, x: np.ndarray) -> np.ndarray:
        """(n, n_in) from 0 to 1."""
        return np.asarray(np.clip(((x - self.mean) / self.sd - self.low) / self.span, 0.0, 1.0))  # rounding

    def unscaled(self, w: np.ndarray) -> np.ndarray:
        """Weights of the original columns, from those of the scaled ones."""
        original = w / self.sd[:, None]
        original[0] -= self.mean[1:] @ original[1:]
        return original


def _windows(data: Observed, n_steps: int, scale: Scale) -> tuple[np.ndarray, np.ndarray]:
    """Inputs (n, n_steps, n_in) from 0 to 1 and spikes (n, n_steps, n_outputs)."""
    if n_steps < 1:
        raise NsnnError(f"window = {n_steps} steps: expected a step or more")
    ends = np.cumsum(data.lengths)
    starts = [
        np.arange(end - n, end - n_steps + 1, n_steps) for n, end in zip(data.lengths, ends, strict=True)
    ]
    rows = np.concatenate([*starts, np.empty(0, int)]).astype(int)[:, None] + np.arange(n_steps)
    return scale.scaled(data.x)[rows], data.o[rows]


def _start(
    model: NetworkModel, data: Observed, width: float, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Random initial weights with an effect of about the noise's width; hidden neurons near threshold, outputs at their rates."""
    first, second = (rng.normal(0.0, width / np.sqrt(n - 1), (n, m)) for n, m in model.shapes)
    first[0] = (1 - model.hidden.si("beta")) * model.hidden.si("theta")
    rates = np.minimum(data.o.mean(axis=0), 1 - 0.5 / len(data.o))  # a neuron may fire in every step
    middle = np.array([quantile(model.family, rate) for rate in rates])
    busy = _BUSY * second[1:].sum(axis=0)
    second[0] = (1 - model.output.si("beta")) * (model.output.si("theta") + middle) - busy
    return first, second


def _bits(loss: Any, o: np.ndarray) -> np.ndarray:
    """Bits per spike over homogeneous neurons, from a mean loss per window."""
    if not o.sum():
        return np.full(len(loss), np.nan)
    p = o.mean(axis=(0, 1))
    entropy = -o.shape[1] * np.sum(xlogy(p, p) + xlogy(1 - p, 1 - p))
    return np.asarray((entropy - loss) * len(o) / o.sum() / np.log(2))
