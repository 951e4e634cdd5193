"""Perturbations of inputs, spikes and weights, for tests of robustness.

Inputs are numbers from 0 to 1, as encoders take them; perturbed values are clipped to that range. Spikes are arrays of 0 and 1,
events, or a Block of any neurons (one segment per trial, the same neurons in each); weights are a Network's. Arguments are not
changed, every random number comes from the seed (a whole number >= 0), and a perturbation of size 0 returns an equal copy.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import neo
import numpy as np

from .core import units
from .core.checks import fraction, instance, non_negative, scalar, suggest_keywords, whole
from .core.errors import NsnnError
from .io.block import block_of
from .io.spikes import Trains
from .models.network import Network

__all__ = [
    "delete_spikes",
    "drop_events",
    "gaussian",
    "insert_spikes",
    "multiplicative",
    "occlusion",
    "quantise",
    "salt_and_pepper",
    "weight_noise",
]


def _inputs(x: Any) -> np.ndarray:
    """A copy of x as floats from 0 to 1."""
    try:
        values = np.array(x, dtype=float)
    except (TypeError, ValueError):
        raise NsnnError(f"x = {type(x).__name__}: expected an array of numbers from 0 to 1") from None
    if not values.ndim or not np.all((values >= 0) & (values <= 1)):  # of NaN too
        message = "NaN" if np.isnan(values).any() else f"values from {values.min():g} to {values.max():g}"
        raise NsnnError(
            f"x has shape {values.shape}, {message}: expected an array of numbers from 0 to 1, e.g. x / x.max()"
        )
    return values


def _rng(seed: Any) -> np.random.Generator:
    return np.random.default_rng(whole(seed, 0, "seed"))


@suggest_keywords
def gaussian(x: Any, *, sd: float, seed: int) -> np.ndarray:
    """Additive noise: x + sd xi, xi normal and independent for each value, clipped to 0 to 1.

    Parameters
    ----------
    x : array of numbers from 0 to 1, any shape
    sd, seed : numbers >= 0, the seed a whole one

    Returns
    -------
    floats, shaped as x

    >>> gaussian([0.0, 0.5, 1.0], sd=0.1, seed=1).round(3)
    array([0.035, 0.582, 1. ])
    """
    x, sd, rng = _inputs(x), non_negative(sd, "sd"), _rng(seed)
    return np.asarray(np.clip(x + sd * rng.standard_normal(x.shape), 0.0, 1.0))


@suggest_keywords
def multiplicative(x: Any, *, sd: float, seed: int) -> np.ndarray:
    """Speckle: x (1 + sd xi), xi normal and independent for each value, clipped to 0 to 1. A value of 0 stays 0.

    Parameters and returns: as `gaussian`.

    >>> multiplicative([0.0, 0.5, 1.0], sd=0.1, seed=1).round(3)
    array([0. , 0.541, 1. ])
    """
    x, sd, rng = _inputs(x), non_negative(sd, "sd"), _rng(seed)
    return np.asarray(np.clip(x * (1 + sd * rng.standard_normal(x.shape)), 0.0, 1.0))


@suggest_keywords
def salt_and_pepper(x: Any, *, p: float, seed: int) -> np.ndarray:
    """Replace each value with probability p, by 0 or 1 with equal probability.

    p, seed : number from 0 to 1; whole number >= 0. x and returns: as `gaussian`

    >>> salt_and_pepper(np.full(8, 0.5), p=0.5, seed=2)
    array([1. , 1. , 0.5, 0. , 0.5, 0.5, 0. , 0. ])
    """
    x, p, rng = _inputs(x), fraction(p, "p"), _rng(seed)
    draw = rng.random(x.shape)
    return np.where(draw < p, np.where(draw < p / 2, 0.0, 1.0), x)


@suggest_keywords
def occlusion(x: Any, *, size: int, shape: tuple[int, int] | None = None, seed: int) -> np.ndarray:
    """Set a square of size x size pixels to 0 in each image, at a uniformly drawn place inside the image.

    Parameters
    ----------
    x : images with values from 0 to 1, (n, h, w), or (n, h w) with rows of pixels one after the other
    size : whole number from 0 to the shorter side
    shape : (h, w); needed for (n, h w)
    seed : whole number >= 0

    Returns
    -------
    floats, shaped as x

    >>> occlusion(np.ones((1, 9)), size=2, shape=(3, 3), seed=0).reshape(3, 3)
    array([[1., 1., 1.],
           [1., 0., 0.],
           [1., 0., 0.]])
    """
    values, rng = _inputs(x), _rng(seed)
    sides = values.shape[1:] if shape is None and values.ndim == 3 else shape
    try:
        h, w = (int(side) for side in sides or ())
    except (TypeError, ValueError):
        raise NsnnError(
            f"shape = {shape!r} for x of shape {values.shape}: expected (height, width) of the images, e.g. (28, 28)"
        ) from None
    if values.shape not in ((len(values), h * w), (len(values), h, w)):
        raise NsnnError(f"x has shape {values.shape}: expected images, (n, {h * w}) or (n, {h}, {w})")
    size = whole(size, 0, "size", min(h, w))
    top, left = (rng.integers(0, side - size + 1, (len(values), 1)) for side in (h, w))
    rows, columns = np.arange(h), np.arange(w)
    row = (rows >= top) & (rows < top + size)
    column = (columns >= left) & (columns < left + size)
    hidden = row[:, :, None] & column[:, None, :]
    return np.where(hidden.reshape(values.shape), 0.0, values)


@suggest_keywords
def drop_events(events: Any, *, p: float, seed: int) -> np.ndarray:
    """Delete each event, or each spike, with probability p.

    Parameters
    ----------
    events : (n_events,) structured array, as `datasets.nmnist_events` gives it; or spikes, 0 and 1, any shape
    p, seed : number from 0 to 1; whole number >= 0

    Returns
    -------
    the events that are left, in their order; or spikes of the same shape and type

    >>> drop_events(np.ones((2, 8), np.uint8), p=0.5, seed=1)
    array([[1, 1, 0, 1, 0, 0, 1, 0],
           [1, 0, 1, 1, 0, 1, 0, 0]], dtype=uint8)
    """
    given, p, rng = np.asarray(events), fraction(p, "p"), _rng(seed)
    if given.dtype.names is not None and given.ndim == 1:
        return given[rng.random(given.size) >= p]
    if not given.ndim or given.dtype.kind not in "biuf" or not np.all((given == 0) | (given == 1)):
        raise NsnnError(
            f"events has shape {given.shape}, {given.dtype}: expected an array of events, or of spikes, 0 and 1"
        )
    return np.where(rng.random(given.shape) >= p, given, np.zeros((), given.dtype))


@suggest_keywords
def delete_spikes(block: neo.Block, *, p: float, seed: int) -> neo.Block:
    """Delete each spike of a Block with probability p.

    p, seed : number from 0 to 1; whole number >= 0

    Returns
    -------
    neo.Block : times, signals, events and annotations as they were, but those of single spike trains and waveforms, which aren't
        kept; its annotation "perturbations" lists what was done

    >>> import quantities as pq
    >>> from nsnn_neuro.io.save_load import to_block
    >>> block = to_block([[[0.1, 0.2, 0.3, 0.4]]], t_stop=1*pq.s)
    >>> delete_spikes(block, p=0.5, seed=1).segments[0].spiketrains[0].magnitude
    array([0.1, 0.2, 0.4])
    """
    spikes, p, rng = Trains.from_block(block), fraction(p, "p"), _rng(seed)
    kept = rng.random(spikes.times.size) >= p
    done = {"name": "delete_spikes", "p": p, "seed": int(seed)}
    return _with_spikes(block, spikes, spikes.trial[kept], spikes.neuron[kept], spikes.times[kept], done)


@suggest_keywords
def insert_spikes(block: neo.Block, *, rate: Any, seed: int) -> neo.Block:
    """Add the spikes of a Poisson process of this rate to each train, regardless of refractoriness.

    rate : frequency >= 0, scalar, for each neuron
    seed : whole number >= 0

    Returns
    -------
    neo.Block : as `delete_spikes` gives it, but for the annotation dt, which is dropped: new spikes lie between steps

    >>> import quantities as pq
    >>> from nsnn_neuro.io.save_load import to_block
    >>> block = to_block([[[0.1, 0.2], []]], t_stop=1*pq.s)
    >>> [len(train) for train in insert_spikes(block, rate=5*pq.Hz, seed=1).segments[0].spiketrains]
    [9, 3]
    """
    spikes, rng, hz = Trains.from_block(block), _rng(seed), scalar(rate, "Hz", "rate", least=0)
    length = spikes.t_stop - spikes.t_start
    number = rng.poisson(hz * length[:, None], (length.size, spikes.n_neurons)).reshape(-1)
    trial, neuron = divmod(np.repeat(np.arange(number.size), number), max(1, spikes.n_neurons))
    # below 1, so that rounding alone can reach the stop, which is in the trial too
    times = spikes.t_start[trial] + rng.random(trial.size) * length[trial]
    done = {"name": "insert_spikes", "rate": hz, "seed": int(seed)}
    return _with_spikes(
        block,
        spikes,
        np.concatenate([spikes.trial, trial]),
        np.concatenate([spikes.neuron, neuron]),
        np.concatenate([spikes.times, np.minimum(times, spikes.t_stop[trial])]),
        done,
        on_grid=not trial.size,
    )


def _with_spikes(
    block: neo.Block,
    spikes: Trains,
    trial: np.ndarray,
    neuron: np.ndarray,
    times: np.ndarray,
    done: dict[str, Any],
    *,
    on_grid: bool = True,
) -> neo.Block:
    """A copy of a Block with other spikes."""
    annotations = copy.deepcopy(dict(block.annotations))
    before = annotations.get("perturbations", [])
    if not isinstance(before, list | tuple):
        raise NsnnError(
            f"block.annotations['perturbations'] = {units.shown(before)}: expected a list of perturbations; or remove it"
        )
    annotations["perturbations"] = [*before, done]
    if not on_grid:
        annotations.pop("dt", None)
    new = block_of(
        replace(spikes, trial=trial, neuron=neuron, times=times),
        signals=[[copy.deepcopy(signal) for signal in segment.analogsignals] for segment in block.segments],
        annotations=annotations,
    )
    new.name, new.description = block.name, block.description
    for old, segment in zip(block.segments, new.segments, strict=True):
        segment.name, segment.description = old.name, old.description
        segment.annotations.update(copy.deepcopy(dict(old.annotations)))
        for kind in ("events", "epochs"):
            for one in getattr(old, kind):
                getattr(segment, kind).append(copy.deepcopy(one))
    return new


@suggest_keywords
def weight_noise(net: Network, *, sd: float, seed: int) -> Network:
    """Multiply each weight by 1 + sd xi, xi normal and independent: device mismatch relative to the weight.

    A weight of 0 stays 0; with a large sd weights change their sign, one in 740 at sd = 1/3.

    sd, seed : numbers >= 0, the seed a whole one

    Returns
    -------
    Network : with the same populations, connections and seed

    >>> from nsnn_neuro.models.escape import EscapeNoise, Gaussian
    >>> from nsnn_neuro.models.presets import feedforward
    >>> net = feedforward([2, 2], noise=EscapeNoise(Gaussian(0.4)), weights=[np.eye(2)])
    >>> weight_noise(net, sd=0.1, seed=1).get_weights()[0].round(3)
    array([[1.035, 0. ],
           [0. , 0.87 ]])
    """
    sd, rng = non_negative(sd, "sd"), _rng(seed)
    return _with_weights(net, lambda w: w * (1 + sd * rng.standard_normal(w.shape)))


@suggest_keywords
def quantise(net: Network, *, bits: int) -> Network:
    """Round the weights of a network to `bits` bits: to the nearest k step, |k| <= 2^(bits - 1) - 1.

    The step belongs to a projection, its largest |w| / (2^(bits - 1) - 1): so the levels are symmetric, 0 is one of them, the
    largest weight stays, and no weight moves by more than half a step.

    bits : whole number from 2 (the levels -1, 0 and 1 times the largest) to 32

    Returns
    -------
    Network : with the same populations, connections and seed

    >>> from nsnn_neuro.models.escape import EscapeNoise, Gaussian
    >>> from nsnn_neuro.models.presets import feedforward
    >>> net = feedforward([2, 2], noise=EscapeNoise(Gaussian(0.4)), weights=[[[0.9, 0.5], [-0.4, 0.1]]])
    >>> quantise(net, bits=3).get_weights()[0].round(3)
    array([[ 0.9, 0.6],
           [-0.3, 0. ]])
    """
    levels = 2 ** (whole(bits, 2, "bits", 32) - 1) - 1

    def rounded(w: np.ndarray) -> np.ndarray:
        step = np.abs(w).max(initial=0.0) / levels
        return step * np.rint(w / step) if step > 0 else w

    return _with_weights(net, rounded)


def _with_weights(net: Any, change: Callable[[np.ndarray], np.ndarray]) -> Network:
    """A copy of a network with its weights changed, projection by projection, as SI floats."""
    instance(net, Network, "net", "a Network, such as fit.network")
    new = Network(net.populations, net.projections, seed=net.seed)
    weights = []
    for values, projection in zip(net.get_weights(), net.projections, strict=True):
        unit = projection.weight_unit
        changed = change(np.asarray(units.si(values, unit, "weights")))
        weights.append(changed if unit == "1" else units.brian(changed, unit))
    new.set_weights(weights)
    return new
