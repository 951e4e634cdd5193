"""Evaluate measures with their values without each trial, of a Block or of a file in groups of units."""

from __future__ import annotations

import contextlib
import inspect
import os
import sys
import warnings
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import neo
import numpy as np

from ..core.checks import refuse_unknown
from ..core.errors import NsnnError
from ..core.units import shown
from ..io.segments import moved, unit_table
from ..io.selection import select
from .spiketrain.trial_drift import TrialDriftWarning
from .trains import SilentNeuronWarning, Trains, as_trains

_AT_ONCE = 2**21  # spikes of a file; with measures they take about 400 MB


def plain(function: Any) -> tuple[Any, dict[str, Any]]:
    """The function inside of (nested) partials and the keywords set."""
    options: dict[str, Any] = {}
    while isinstance(function, partial) and not function.args:
        options = {**function.keywords, **options}
        function = function.func
    return function, options


def check_options(function: Any) -> None:
    """Raise NsnnError for an option, set by functools.partial, that the function does not have."""
    inner, given = plain(function)
    try:
        parameters = inspect.signature(inner).parameters.values()
    except (TypeError, ValueError):  # a builtin may have none
        return
    if given and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        known = [p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)]
        refuse_unknown(getattr(inner, "__name__", repr(inner)), given, known)


def measure_unit(function: Any) -> str:
    """The unit of a measure's values as text."""
    return str(getattr(function, "unit", None) or getattr(plain(function)[0], "unit", "1"))


def is_sum_over_trials(function: Any) -> bool:
    """Whether a measure is a function of sums over trials, for which `rows` needs no Block."""
    return getattr(plain(function)[0], "parts", None) is not None


def check_value(label: str, value: Any, n_neurons: int) -> None:
    """NsnnError unless `value` is what a measure in a table may return: (n_neurons,) numbers or Estimates, or one of these."""
    if own_errors(value) and (not isinstance(value, list) or len(value) == n_neurons):
        return
    try:
        shape = np.asarray(value, dtype=float).shape
        # NumPy makes numbers of texts and of None
        given = np.asarray(value)
        if given.dtype.kind in "USO" and any(
            one is None or isinstance(one, str | bytes) for one in given.flat
        ):
            returned = shown(value)
        elif shape in ((), (n_neurons,)):
            return
        else:
            returned = f"shape {shape}"
    except (TypeError, ValueError):
        returned = f"a {type(value).__name__}"
    raise NsnnError(
        f"measure {label} returned {returned}: expected ({n_neurons},), a number or an Estimate; tabulate a curve with a measure "
        "for each of its points, {w: partial(measures.fano_factor, window=w*ms) for w in [10, 100]}"
    )


def evaluate(
    block: Any, trains: Trains, label: str, function: Any, stimulus: np.ndarray | None, n_groups: int
) -> tuple[Any, Any]:
    """The value and the values without each trial, or without each group of trials where there are more than `n_groups`."""
    inner, options = plain(function)
    parts = getattr(inner, "parts", None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SilentNeuronWarning)
        if parts is None:
            call, n = _of_stimulus(function, stimulus), trains.n_trials
            value = call(block, np.arange(n))
            check_value(label, value, trains.n_neurons)
            if own_errors(value) or n < 2:
                return value, np.full((1, *np.shape(value)), np.nan)
            warnings.simplefilter("ignore", TrialDriftWarning)  # given for the whole Block
            # groups of neighbours in the order of stimuli would lack one stimulus
            order = np.arange(n) if stimulus is None else np.argsort(stimulus, kind="stable")
            groups = [order[k::n_groups] for k in range(min(n, n_groups))]
            rest = []
            for fewer, kept in _blocks_without_each(block, groups):
                try:
                    rest.append(call(fewer, kept))
                except NsnnError:  # too few trials for this measure without one of them
                    rest.append(np.full(np.shape(value), np.nan))
            return value, np.array(rest, dtype=float)
        if stimulus is not None:
            function, options = partial(function, stimulus=stimulus), {**options, "stimulus": stimulus}
        value = function(trains)
        check_value(label, value, trains.n_neurons)
        cropped = as_trains(trains, options.pop("t_start", None), options.pop("t_stop", None))
        sums, finish = parts(cropped, **options)
        return value, finish(sums.sum(axis=0) - sums)


def _of_stimulus(function: Any, stimulus: np.ndarray | None) -> Callable[[Any, np.ndarray], Any]:
    """The measure as a function of a Block and the numbers of its trials, which choose their stimuli."""
    if stimulus is None:
        return lambda block, kept: function(block)
    names = list(inspect.signature(function).parameters)
    if "stimulus" in names[1:]:
        return lambda block, kept: function(block, stimulus=stimulus[kept])
    if names[:2] != ["s", "r"]:
        return lambda block, kept: function(stimulus[kept], block)
    return lambda block, kept: [function(stimulus[kept], r) for r in as_trains(block).counts.T]


def own_errors(value: Any) -> bool:
    """Whether a measure returned its own error: an Estimate, what has a `headline` like it, or a list of these for neurons."""
    return all(hasattr(one, "headline") for one in (value if isinstance(value, list) and value else [value]))


def _blocks_without_each(
    block: neo.Block, groups: list[np.ndarray]
) -> Iterable[tuple[neo.Block, np.ndarray]]:
    """One Block per group of trials that lacks it, made of new segments on the same arrays, and the trials that it has."""
    # neo links a child to its parent: putting the user's own segments and signals elsewhere would change them
    segments = []
    for old in block.segments:
        new = neo.Segment(index=old.index, name=old.name, **old.annotations)
        new.spiketrains = old.spiketrains  # the very list: neo sets no link to a parent here
        for kind, objects in moved(old, 0.0).items():
            getattr(new, kind).extend(objects)
        segments.append(new)
    for group in groups:
        kept = np.delete(np.arange(len(segments)), group)
        rest = neo.Block(name=block.name, **block.annotations)
        rest.segments.extend([segments[k] for k in kept])
        yield rest, kept


def evaluate_parts(
    given: Any, name: str, functions: dict[str, Callable[..., Any]], **options: Any
) -> tuple[neo.Block, tuple[int, int], dict[str, tuple[Any, Any]]]:
    """What a Block or a path annotates of its units, their number and that of trials, and by measure what `evaluate` returns."""
    parts: Iterable[neo.Block] = [given]
    if isinstance(given, str | os.PathLike):
        from ..io.save_load import load_parts  # which imports h5py

        parts = load_parts(given, signals=False, most=_AT_ONCE, **options)
    results: dict[str, list[tuple[Any, Any]]] = {label: [] for label in functions}
    about, ids, n, n_trials = neo.Block(), [], 0, 0
    for block in parts:
        trains = as_trains(block, name=name)
        for label, function in functions.items():
            results[label].append(evaluate(block, trains, label, function, None, sys.maxsize))
            if n:
                _check_alone(block, trains, label, function, results[label][-1][0])
        about.annotations.update(block.annotations)
        ids += unit_table(block).get("id", [])
        n, n_trials = n + trains.n_neurons, trains.n_trials
    about.annotations["units"] = {"id": ids}
    joined = {
        label: several[0] if len(several) == 1 else _joined(several) for label, several in results.items()
    }
    return about, (n, n_trials), joined


def _joined(several: list[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Values of neighbouring neurons in a row, and those without each trial."""
    values, left_out = zip(*several, strict=True)
    if isinstance(values[0], list):
        return [one for part in values for one in part], left_out[0]
    return np.concatenate(values), np.concatenate(left_out, axis=-1)


def _check_alone(block: neo.Block, trains: Trains, label: str, function: Any, value: Any) -> None:
    """NsnnError unless the neuron with most spikes has the same value without the others."""

    def of_neuron(result: Any, j: int) -> Any:
        return result[j].headline if isinstance(result, list) else result[j]

    j = int(trains.counts.sum(axis=0).argmax())
    with contextlib.suppress(NsnnError), warnings.catch_warnings():
        warnings.simplefilter("ignore", SilentNeuronWarning)
        if (isinstance(value, list) or np.ndim(value)) and np.allclose(
            of_neuron(value, j), of_neuron(function(select(block, units=j)), 0), equal_nan=True
        ):
            return
    raise NsnnError(
        f"measure {label} takes all neurons together, or a neuron's value depends on the others, and this file has more than "
        f"{_AT_ONCE} spikes: give the Block, tabulate(load(path, max_bytes=...), ...)"
    )
