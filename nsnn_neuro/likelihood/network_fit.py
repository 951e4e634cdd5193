"""`fit_network`: fits of a two-layer network to recorded spikes by noise-driven learning."""

from __future__ import annotations

import dataclasses
from typing import Any

import neo
import numpy as np
import pandas as pd

from ..core.aliases import Progress, Signal, SpikeSource, Time
from ..core.checks import instance, suggest_keywords, whole
from ..core.errors import NsnnError
from ..core.parameters import parameter
from ..core.units import si
from ..learning.coding import Encoder
from ..learning.losses import NegativeLogLikelihood
from ..models.escape import Family, Gaussian
from ..models.neurons import NSNNNeuron
from ..models.plasticity import NDL, Adam
from .bases import Basis
from .data import channels_of
from .network import NetworkModel, Observed
from .network_objective import likelihood_slope
from .network_training import Ascent, Scale, Training, bits, history_in_bits, start
from .network_windows import NetworkFit, fit_windows
from .prior import strength
from .responses import width

_PARTICLES = 30  # of the refinement


@dataclasses.dataclass(frozen=True, eq=False)
class Ranged(Encoder):
    """A value from 0 to 1 mapped back to its original range."""

    low: Any = parameter("1")
    span: Any = parameter("1")
    o = "low + span * x"


@suggest_keywords
def fit_network(
    trains: SpikeSource,
    signal: Signal,
    *,
    dt: Time,
    stimulus: Basis | int,
    n_hidden: int = 16,
    family: Family | None = None,
    hidden: NSNNNeuron | None = None,
    output: NSNNNeuron | None = None,
    noisy: bool = True,
    own_inputs: bool = False,
    ridge: float = 0.0,
    n_draws: int = 1,
    validation: float = 0.2,
    patience: int | None = None,
    training: Training = Training(),  # noqa: B008 - it cannot be changed
    t_start: Time | None = None,
    t_stop: Time | None = None,
    seed: int = 0,
    engine: str = "cython",
    progress: Progress = None,
) -> NetworkFit:
    """Fit a two-layer network of NSNN neurons to spikes, by noise-driven learning.

    Hidden spikes are drawn, output spikes forced. It maximises the bound E_hidden[log P(O|hidden)]
    <= log P(O|x) along one draw at a time (`train` with `losses.NegativeLogLikelihood`). The bound
    is tight with 16 or more hidden neurons of little effect; Training(refine=20) adds slower epochs
    along the gradient of log P(O|x). With several draws, a `ridge`, `own_inputs` or hidden neurons
    without noise the same rule runs in NumPy; see `fit_windows`.

    The recording is cut into windows, each starting from potentials of 0. Take them long compared
    with the membranes' memory of 1 / (1 - beta) steps. Scores are of entire trials.

    Parameters
    ----------
    trains : neo.Block of the observed neurons, one segment for each trial; or repeats of one
        neuron, as for `fit_neuron`
    signal, dt, stimulus, t_start, t_stop : as for `fit_neuron`; hidden neurons see the stimulus
        through the basis, and 1
    n_hidden : whole number of hidden neurons
    family : noise F of both layers, `Gaussian(0.4)` by default
    hidden, output : `NSNNNeuron`s, of given beta, theta and reset; None: `NSNNNeuron()`
    noisy, own_inputs : as of `NetworkModel`: hidden neurons without noise, fitted by a
        surrogate gradient; hidden neurons of each output with the same weights and its own channels
        of the signal, output by output
    ridge : strength of a penalty ridge/2 sum (weight times the SD of its input)^2 in nats of the
        data that are learned from
    n_draws : number K of draws of the hidden layer in the objective log (1/K) sum_k P(O|h_k)
    validation : share from 0 to below 1, at the end of each trial, that isn't learned from; its
        score is `NetworkFit.held_out`
    patience : as for `train`, by the bound of the validation data; `held_out` is then too high
    training : `Training`: epochs, learning rate, windows, refinement
    seed : whole number, of first weights, order and hidden spikes
    engine, progress : as for `train`

    Raises
    ------
    NsnnError : as `fit_neuron` for the data; windows longer than every trial; refine with several
        draws, a ridge, own inputs or without hidden noise
    Diverged : weights that aren't finite any more; the error's `fit` is that of `train`

    Source: Ma, Yan & Tang 2023, doi 10.1016/j.patter.2023.100831

    >>> import quantities as pq
    >>> from nsnn_neuro.likelihood import Training
    >>> x = np.random.default_rng(0).normal(size=4000)
    >>> signal = neo.AnalogSignal(x, units="dimensionless", sampling_period=1*pq.ms)
    >>> trains = [np.flatnonzero(np.abs(signal.magnitude[:, 0]) > 1.5) * 1e-3]
    >>> training = Training(epochs=10, eta=0.05)
    >>> fit = fit_network(trains, signal, dt=1*pq.ms, stimulus=1, training=training, engine="numpy")
    >>> fit.held_out.value > 1
    True
    """
    (channels, unit), block = channels_of(signal), isinstance(trains, neo.Block) and trains.segments
    n_outputs = len(trains.segments[0].spiketrains) if block else 1
    if own_inputs and channels % n_outputs:
        raise NsnnError(
            f"own_inputs = True: signal has {channels} channels: expected as many for each of {n_outputs} neurons"
        )
    model = NetworkModel(
        dt=dt,
        stimulus=stimulus,
        n_hidden=n_hidden,
        n_outputs=n_outputs,
        family=Gaussian(0.4) if family is None else family,
        hidden=NSNNNeuron() if hidden is None else hidden,
        output=NSNNNeuron() if output is None else output,
        channels=channels // n_outputs if own_inputs else channels,
        noisy=noisy,
        own_inputs=own_inputs,
        signal_unit=unit,
    )
    instance(training, Training, "training", "settings such as likelihood.Training(epochs=60)")
    share, refine = float(si(validation, "1", "validation")), training.refine
    if not 0 <= share < 1:
        raise NsnnError(f"validation = {validation}: expected a share from 0 to below 1")
    several = whole(n_draws, 1, "n_draws") > 1
    in_numpy = several or strength(ridge, "ridge") > 0 or own_inputs or not noisy
    if refine and in_numpy:
        raise NsnnError(
            f"refine = {refine}: expected 0 with several draws, a ridge, own_inputs or noisy=False, which it does not know"
        )
    data = model.data(trains, signal, t_start=t_start, t_stop=t_stop)
    parts = learned, rest = data.split(share)
    for o, where in ((learned.o, "trains"), (rest.o, f"the last {share:g} of the trains")):
        silent = np.flatnonzero(o.sum(axis=0) == 0)
        if len(o) and silent.size:
            raise NsnnError(f"{where} hold no spikes of neuron {silent[0]} in {len(o)} steps: expected some")
    window = training.window
    n_steps = 50 if window is None else round(float(si(window, "s", "window")) / model.step)
    rows = [_windows(part, n_steps) for part in parts]
    if not len(rows[0]):
        raise NsnnError(
            f"window = {window}: {n_steps} steps, and the longest trial has {learned.lengths.max()} to learn from; expected fewer"
        )
    options: dict[str, Any] = {"patience": patience, "seed": seed, "progress": progress}
    if in_numpy:
        pairs = [(part.x[at], part.o[at][:, None]) for part, at in zip(parts, rows, strict=True)]
        held = pairs[1] if len(rows[1]) else None
        plain = dataclasses.replace(training, window=None, particles=Training.particles)
        fit = fit_windows(
            model, pairs[0], validation=held, ridge=ridge, n_draws=n_draws, training=plain, **options
        )
    else:
        scale = Scale.of(learned.x, data.x)
        pairs = [(scale.scaled(part.x)[at], part.o[at]) for part, at in zip(parts, rows, strict=True)]
        fit = _trained(model, scale, pairs, learned.o, training, engine=engine, **options)
        if refine:
            fit = _refined(fit, scale, pairs[0], training, seed)
        fit = dataclasses.replace(fit, weights=(scale.unscaled(fit.weights[0]), fit.weights[1]))
    if not len(rest.o):
        return fit
    held_out = model.score(fit.weights, rest, particles=training.particles, seed=seed)
    return dataclasses.replace(fit, held_out=held_out)


def _trained(
    model: NetworkModel, scale: Scale, pairs: list[Any], o: np.ndarray, training: Training, **options: Any
) -> NetworkFit:
    """The fit by `train` of scaled inputs; o (n, n_outputs) of all steps, pairs of windows."""
    from ..learning.train import train  # imports Brian2, which fits of neurons do without

    rule = NDL(training.eta * width(model.family), optimizer=Adam())
    fit = train(
        model.network(start(model, o, np.random.default_rng(options["seed"])), (rule, rule)),
        pairs[0],
        loss=NegativeLogLikelihood(),
        encoder=Ranged(scale.low, scale.span),
        validation=pairs[1] if len(pairs[1][0]) else 0.0,
        epochs=training.epochs,
        batch=training.batch,
        schedule=training.schedule,
        keep=training.keep,
        **options,
    )
    history = history_in_bits(fit.history, pairs[0][1], pairs[1][1])
    (first, second), spikes = fit.network.get_weights(), pairs[0][1]
    weights, n_steps = (np.asarray(first)[:, 1:], np.asarray(second)), spikes.shape[0] * spikes.shape[1]
    return NetworkFit(model, weights, history, fit.best_epoch, None, int(spikes.sum()), n_steps)


def _refined(fit: NetworkFit, scale: Scale, pair: Any, training: Training, seed: int) -> NetworkFit:
    """Further epochs on the likelihood itself."""
    model, x, o = fit.model, scale.low + scale.span * pair[0], pair[1]

    def slope(weights: Any, rows: np.ndarray, rng: Any) -> tuple[np.ndarray, list[np.ndarray]]:
        logs, slopes = likelihood_slope(model, (weights[0], weights[1]), x[rows], o[rows], _PARTICLES, rng)
        return -logs, [one.mean(axis=0) for one in slopes]

    loop = dataclasses.replace(training, epochs=training.refine, keep="last").loop(seed)
    loop.split(o, 0.0)
    eta = training.eta * width(model.family)
    outcome = Ascent(slope, list(fit.weights), training.batch, eta, seed, own_order=True).run(loop, False)
    further = outcome.history[["epoch", "loss", "seconds"]].assign(
        epoch=outcome.history.epoch + len(fit.history), likelihood=bits(outcome.history.loss, o)
    )
    history = pd.concat([fit.history, further], ignore_index=True)
    weights = outcome.arrays["weights_0"], outcome.arrays["weights_1"]
    return dataclasses.replace(fit, weights=weights, history=history, best_epoch=len(history))


def _windows(data: Observed, n_steps: int) -> np.ndarray:
    """Rows of each window, (n, n_steps)."""
    if n_steps < 1:
        raise NsnnError(f"window = {n_steps} steps: expected a step or more")
    ends = np.cumsum(data.lengths)
    starts = [
        np.arange(end - n, end - n_steps + 1, n_steps) for n, end in zip(data.lengths, ends, strict=True)
    ]
    return np.concatenate([*starts, np.empty(0, int)]).astype(int)[:, None] + np.arange(n_steps)
