"""Regressors from the spikes of other neurons, and products of regressors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..core.errors import NsnnError
from ..core.warn import warn
from ..io.spikes import Trains, as_trains
from ..io.spikes.bins import index, slack
from .data import Data, past

KINDS = ("stimulus", "coupling")
"""regressors that may be multiplied"""
# spikes in steps with an input's spike: share of all, and SD above independent trains
_MANY, _CHANCE = (0.05, 4.0)


def read_inputs(inputs: Any, n_inputs: int) -> Trains:
    """The spikes of other neurons, one trial for each of the fitted neuron's."""
    trains = as_trains(inputs, name="inputs")
    if trains.n_neurons != n_inputs:
        raise NsnnError(f"inputs have {trains.n_neurons} neurons: expected {n_inputs}, as the model has")
    return trains


def spike_columns(
    inputs: Trains,
    starts: np.ndarray,
    lengths: Sequence[int],
    bases: Sequence[np.ndarray],
    dt: float,
    first: int = 1,
) -> Iterator[Iterator[np.ndarray]]:
    """Columns (n_steps,) of each trial: the spikes of each input, also those before a trial's start (s), filtered by its basis."""
    if inputs.n_trials != len(lengths):
        raise NsnnError(f"inputs have {inputs.n_trials} trials, trains {len(lengths)}: expected the same")
    share = slack(dt, inputs.resolution, "dt")
    for trial, (start, n) in enumerate(zip(starts.tolist(), lengths, strict=True)):
        window = float(inputs.t_start[trial]), float(inputs.t_stop[trial])
        if window[0] > start + share * dt or window[1] < start + (n - share) * dt - dt / 2:
            raise NsnnError(
                f"inputs last from {window[0]:.6g} s to {window[1]:.6g} s in trial {trial}, trains from {start:.6g} s to "
                f"{start + n * dt:.6g} s: expected inputs for all of it; or pass t_start and t_stop"
            )
        yield _columns_of_trial(inputs, trial, (start, n), bases, (dt, share, first))


def _columns_of_trial(
    inputs: Trains,
    trial: int,
    span: tuple[float, int],
    bases: Sequence[np.ndarray],
    grid: tuple[float, float, int],
) -> Iterator[np.ndarray]:
    (start, n), (dt, share, first) = span, grid
    for neuron, basis in enumerate(bases):
        k, reach = trial * inputs.n_neurons + neuron, len(basis)
        times = inputs.times[inputs.offsets[k] : inputs.offsets[k + 1]]
        step = index(times, start, dt, share) + reach + first - 1  # `past` begins at lag 1
        counts = np.bincount(step[(step >= 0) & (step < n + reach)], minlength=n + reach)
        yield from past(counts.astype(float), basis)[reach:].T


def input_columns(
    inputs: Trains,
    starts: np.ndarray,
    lengths: Sequence[int],
    bases: Sequence[np.ndarray],
    dt: float,
    first: int = 1,
) -> list[np.ndarray]:
    """`spike_columns` as an array (n_steps, n) per trial."""
    each = zip(spike_columns(inputs, starts, lengths, bases, dt, first), lengths, strict=True)
    return [np.column_stack([*columns, np.empty((n, 0))]) for columns, n in each]


def check_first_lag(inputs: Trains | None, data: Data, dt: float, first: int) -> None:
    """Warn where lag 0 of the inputs is left out but many spikes share their step; refuse lag 0 of the neuron's own spikes."""
    if inputs is None:
        return
    lengths = np.diff(np.append(np.flatnonzero(data.begins), len(data.o)))
    counts = input_columns(inputs, data.starts, lengths.tolist(), [np.ones((1, 1))] * inputs.n_neurons, dt, 0)
    each, fired = np.concatenate(counts) > 0, data.o > 0
    if first == 0:
        own = np.flatnonzero((each == fired[:, None]).all(axis=0))
        if own.size:
            raise NsnnError(
                f"first_input_lag = 0: neuron {own[0]} of the inputs has the spikes of the fitted neuron, each of which would "
                "predict itself; leave it out of the inputs, as in select(block, units=...)"
            )
        return
    fed = each.any(axis=1)
    n, by_chance = int(fired.sum()), float(fed.mean())
    shared = int(np.sum(fired & fed))
    if shared > _MANY * n and shared - n * by_chance > _CHANCE * np.sqrt(n * by_chance * (1 - by_chance)):
        warn(
            f"{shared} of {n} spikes ({shared / n:.0%}) are in a step of dt = {1e3 * dt:g} ms with a spike of the inputs, where "
            f"independent trains have {by_chance:.1%}: first_input_lag = 1 leaves these spikes of the inputs out; pass "
            "first_input_lag=0 if the inputs drive the neuron, or a shorter dt"
        )


def check_products(products: Any) -> tuple[tuple[str, str], ...]:
    """Pairs of kinds of regressors."""
    listed = products if isinstance(products, list | tuple) else [] if products is None else [products]
    pairs = tuple(tuple(pair) if isinstance(pair, list | tuple) else pair for pair in listed)
    for pair in pairs:
        if not (isinstance(pair, tuple) and len(pair) == 2 and all(one in KINDS for one in pair)):
            raise NsnnError(
                f"products = {products!r}: expected pairs of 'stimulus' and 'coupling' such as [('stimulus', 'stimulus')]"
            )
    return tuple((str(a), str(b)) for a, b in pairs)


def multiplied(pairs: Sequence[tuple[str, str]], parts: Mapping[str, Sequence[Any]]) -> list[tuple[Any, Any]]:
    """The pairs of regressors (or of their names) that are multiplied: of one kind each once, with its square."""
    result = []
    for first, second in pairs:
        a, b = parts[first], parts[second]
        result += [(a[i], b[j]) for i in range(len(a)) for j in range(i if first == second else 0, len(b))]
    return result
