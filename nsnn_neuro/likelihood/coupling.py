"""Regressors from the spikes of other neurons, and products of regressors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..core.bins import index, slack
from ..core.errors import NsnnError
from ..io.spikes import Trains
from ..measures.trains import as_trains
from .data import past

KINDS = ("stimulus", "coupling")
"""regressors that may be multiplied"""


def read_inputs(inputs: Any, n_inputs: int) -> Trains:
    """The spikes of other neurons, one trial for each of the fitted neuron's."""
    trains = as_trains(inputs, name="inputs")
    if trains.n_neurons != n_inputs:
        raise NsnnError(
            f"inputs have {trains.n_neurons} neurons: expected {n_inputs}, those that the model was made for"
        )
    return trains


def input_columns(
    inputs: Trains, starts: np.ndarray, lengths: Sequence[int], bases: Sequence[np.ndarray], dt: float
) -> list[np.ndarray]:
    """The spikes of each input neuron filtered by its basis over lags from 1, for each trial (n_steps, sum of n_functions).

    starts (n_trials,) s and lengths of the trials' grids. Spikes before a trial's start count; a step may have several.
    """
    if inputs.n_trials != len(lengths):
        raise NsnnError(
            f"inputs have {inputs.n_trials} trials, trains {len(lengths)}: expected the same trials"
        )
    share = slack(dt, inputs.resolution, "dt")
    result = []
    for trial, (start, n) in enumerate(zip(starts.tolist(), lengths, strict=True)):
        window = float(inputs.t_start[trial]), float(inputs.t_stop[trial])
        if window[0] > start + share * dt or window[1] < start + (n - share) * dt - dt / 2:
            raise NsnnError(
                f"inputs last from {window[0]:.6g} s to {window[1]:.6g} s in trial {trial}, trains from {start:.6g} s to "
                f"{start + n * dt:.6g} s: expected inputs for all of it; or pass t_start and t_stop"
            )
        columns = []
        for neuron, basis in enumerate(bases):
            k = trial * inputs.n_neurons + neuron
            times = inputs.times[inputs.offsets[k] : inputs.offsets[k + 1]]
            reach = len(basis)
            step = index(times, start, dt, share) + reach
            counts = np.bincount(step[(step >= 0) & (step < n + reach)], minlength=n + reach)
            columns.append(past(counts.astype(float), basis)[reach:])
        result.append(np.concatenate(columns, axis=1) if columns else np.empty((n, 0)))
    return result


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
    found = []
    for first, second in pairs:
        a, b = parts[first], parts[second]
        found += [(a[i], b[j]) for i in range(len(a)) for j in range(i if first == second else 0, len(b))]
    return found
