"""Tables of measures with standard errors, of whole trials and in windows that slide over the trial."""

from __future__ import annotations

import math
import os
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any

import neo
import numpy as np
import pandas as pd

from ..core.aliases import SpikeSource, Time, Values
from ..core.checks import check, one_of, refuse_unknown, suggest_keywords, whole
from ..core.errors import NsnnError
from ..core.progress import resolve_progress
from ..core.units import described, shown
from ..core.warn import warn
from ..io.block import block_of
from ..io.lookup import NAMES
from ..io.segments import cropped, unit_ids, unit_table
from ..io.spikes.arrays import block_from
from .estimate import jackknife_se, measure
from .evaluation import (
    check_options,
    evaluate,
    evaluate_parts,
    is_sum_over_trials,
    measure_unit,
    own_errors,
    plain,
)
from .limits import between_0_and_1, jackknife_limits, mean_limits
from .response_checks import as_labels
from .spiketrain.firing_statistics import cv
from .trains import Trains, as_trains
from .trial_counts import sliding_windows

INTERVALS = 5
"""per trial, below which a CV is too low: by 5 % for a Poisson process, 19 % where there is 0.7"""
COLUMNS = ["population", "neuron", "measure", "value", "se", "n", "unit"]
_OF_LOAD = ("units", "trials", "t_start", "t_stop", "max_bytes")
_CURE = "; an option of a measure is set with functools.partial(measures.firing_rate, {name}=...)"


@partial(suggest_keywords, cure=_CURE)
def tabulate(
    blocks: SpikeSource,
    measures: Any,
    *,
    by: str = "neuron",
    confidence: float | None = None,
    progress: Any = None,
    **options: Any,
) -> pd.DataFrame:
    """Table of measures with standard errors: columns block, population, neuron (position from 0), measure, value, se, n, unit.

    by="neuron": one row per neuron. se is the jackknife over the n trials, sqrt((n - 1)/n sum of (v_(i) - mean v_(i))^2), v_(i)
    the value without trial i; NaN for one trial, or if some v_(i) does not exist. by="population": one row per
    population, the mean over its n neurons that have a value; se is their SD / sqrt(n), too small where they share a gain.

    With few trials two standard errors cover too little ("Errors with few trials" in the documentation): `confidence` adds columns
    lower and upper, limits from Student's distribution with a correction for skewness, of Fano and Allan factors, CV, LV and LvR
    on the logarithmic scale. `plotting.measure_against` draws them in place of the errors.

    Measures of this package that are functions of sums over trials get v_(i) by subtraction. Any other function is called once
    more per trial, on a Block without it; if that is too slow, declare its `parts` with `measure`. A function may also return
    one number for the Block (its row has neuron NA and population ""), an Estimate with its own se and n (of information with a
    null, its gain over the null), a list of Estimates, one for each neuron, or the result of `decode`, whose accuracy is the
    value. Neurons with too few spikes have NaN, without a warning. Where a Block's units have ids or names,
    `block.annotations["units"]`, a column id follows neuron. Sources of a simulated network, `PoissonSource` and `Relay`, are
    not listed beside its neurons.

    The path or address of a file may stand in place of its Block. An NWB file of another program is then read in groups of units,
    about 2 million spikes each, and without signals: a recording that does not fit into memory has the table that its Block
    would have. A measure whose value of a neuron depends on the others, or of all neurons together, is refused if the file is
    larger. The spikes of a pair: `load(path, units=[3, 8])`.

    Parameters
    ----------
    blocks : neo.Block or path, list of them (named 0, 1, ...; a single path by itself), or dict of name -> Block or path.
        Populations come from block.annotations["populations"], a list of {"name", "size"}; without it all neurons are "neurons"
    measures : function, list of functions, or dict of name -> function (names become texts), each of a Block to (n_neurons,),
        number or Estimate; functools.partial sets options. The unit is the function's attribute `unit`, else "1"
    by : "neuron" (default), a row for each, or "population", the mean over the neurons of each population of a network
    confidence : of the limits, between 0 and 1, such as 0.95; None (default): no limits. An Estimate has NaN
    progress : of paths; None (default): a bar after a second in a terminal or notebook; True, False, or a function of the completed
        fraction of each file
    options : of `load`, for paths: units, trials, t_start, t_stop, max_bytes

    Raises
    ------
    NsnnError : what is none of these, a result of another shape, two measures of one name, population sizes that don't
        add up, a confidence outside (0, 1), or a measure that needs all neurons of a large file. FileNotFoundError, FormatError: a
        path that `load` refuses. Source: Efron & Stein 1981, doi 10.1214/aos/1176345462

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> from nsnn_neuro.measures import firing_rate
    >>> block = to_block([[[0.1]], [[0.1, 0.2, 0.3]]], t_stop=1*pq.s)
    >>> print(tabulate({"control": block}, [firing_rate]).to_string(index=False))
      block population  neuron     measure  value  se  n unit
    control    neurons       0 firing_rate    2.0 1.0  2   Hz
    >>> tabulate(block, firing_rate, confidence=0.9)[["lower", "value", "upper"]].round(2).values.tolist()
    [[0.0, 2.0, 8.31]]
    """
    one_of(by, ("neuron", "population"), "by")
    if confidence is not None:
        between_0_and_1(confidence, "confidence")
    resolve_progress(progress)
    functions = named_measures(measures)
    place = COLUMNS.index("se") + 1
    names = COLUMNS if confidence is None else [*COLUMNS[:place], "lower", "upper", *COLUMNS[place:]]
    columns: dict[str, list[Any]] = {name: [] for name in ["block", *names]}
    ids: list[Any] = []
    named = named_blocks(blocks)
    of_load = _OF_LOAD if any(isinstance(one, str | os.PathLike) for one in named.values()) else ()
    refuse_unknown("tabulate", options, ["by", "confidence", "progress", *of_load], _CURE)
    for name, given in named.items():
        where = f"blocks[{name!r}]"
        about, sizes, results = evaluate_parts(given, where, functions, progress=progress, **options)
        known = unit_ids(about, sizes[0])
        for label, function in functions.items():
            result = _columns(about, sizes, label, function, by, confidence, results[label])
            result = _without_sources(about, result)
            columns["block"] += [name] * len(result["value"])
            for column, values in result.items():
                columns[column] += values
            ids += [pd.NA if k is None or known is None else known[k] for k in result["neuron"]]
    table = pd.DataFrame(columns).astype({"neuron": "Int64", "n": "int64", "value": float, "se": float})
    if any(one is not pd.NA for one in ids):
        table.insert(table.columns.get_loc("neuron") + 1, "id", pd.Series(ids, dtype=object))
    return table


def _without_sources(block: neo.Block, result: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """The rows without those of sources, by the model that `simulate` annotates; all rows if there are no others."""
    try:
        listed = block.annotations["parameters"]["model"]["populations"]
        sources = {one["name"] for one in listed if one["neuron"]["type"] in ("PoissonSource", "Relay")}
    except (AttributeError, KeyError, TypeError):  # no simulated network
        return result
    kept = [k for k, name in enumerate(result["population"]) if name not in sources]
    return {key: [column[k] for k in kept] for key, column in result.items()} if kept else result


def rows(
    block: neo.Block | Trains,
    trains: Trains,
    label: str,
    function: Any,
    by: str,
    confidence: float | None = None,
    stimulus: np.ndarray | None = None,
    n_groups: int = sys.maxsize,
) -> dict[str, list[Any]]:
    """The table's columns for one measure of one Block, without `block`; `trains` are those of `as_trains(block)`.

    Of one population and a measure that `is_sum_over_trials` the trains may take the Block's place.
    """
    result = evaluate(block, trains, label, function, stimulus, n_groups)
    return _columns(block, (trains.n_neurons, trains.n_trials), label, function, by, confidence, result)


def named_blocks(blocks: Any) -> dict[Any, neo.Block]:
    """The Blocks of `tabulate`'s argument by name."""
    alone = isinstance(blocks, neo.Block | str | os.PathLike)
    named = [blocks] if alone else blocks
    if not isinstance(named, Iterable) or isinstance(named, np.ndarray | pd.DataFrame):
        raise NsnnError(
            f"blocks = {described(blocks)}: expected a neo.Block, a list or a dict of them{block_from(blocks)}"
        )
    paths = isinstance(named, list) and all(isinstance(one, str | os.PathLike) for one in named)
    listed = zip(map(str, named), named, strict=True) if paths else enumerate(named)
    result = dict(named.items() if isinstance(named, Mapping) else listed)
    if not result:
        raise NsnnError("blocks is empty: expected at least one neo.Block")
    return result


def named_measures(measures: Any) -> dict[str, Callable[..., Any]]:
    """The functions of `measures`, as `tabulate` takes them, by name."""
    listed = [measures] if callable(measures) else measures
    if isinstance(listed, Mapping):
        pairs = [(str(name), function) for name, function in listed.items()]
    elif isinstance(listed, Iterable) and not isinstance(listed, np.ndarray):
        pairs = [(getattr(plain(f)[0], "__name__", repr(plain(f)[0])), f) for f in listed]
    else:
        pairs = []
    wrong = [f for _, f in pairs if not callable(f)]
    if not pairs or wrong:
        names = any(isinstance(f, str) for f in (listed if isinstance(listed, list | tuple) else [listed]))
        cure = ", not their names: nsnn.measures.firing_rate" if names else ""
        raise NsnnError(f"measures = {shown(measures)}: expected a function, list or dict of functions{cure}")
    for _, function in pairs:
        check_options(function)
    if len(dict(pairs)) < len(pairs):
        raise NsnnError(f"measures have equal names, {[n for n, _ in pairs]}: give a dict, name -> function")
    return dict(pairs)


def _interval_counts(trains: Trains) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
    return trains.per_train(trains.intervals[1])[:, None], lambda sums: sums[..., 0, :]


@measure("1", _interval_counts)
def n_intervals(block: SpikeSource, *, t_start: Any = None, t_stop: Any = None) -> np.ndarray:
    """Number of intervals of each neuron in all trials, (n_neurons,)."""
    return _interval_counts(as_trains(block, t_start, t_stop))[0].sum(axis=(0, 1))


def few_intervals(trains: Trains, function: Any) -> bool:
    """Whether `function` is `cv`, and most neurons that have a value have fewer than 5 intervals per trial.

    The ends of trials cut long intervals off, which makes the CV of few intervals per trial too low.
    """
    inner, options = plain(function)
    if inner is not cv:
        return False
    number = n_intervals(trains, t_start=options.get("t_start"), t_stop=options.get("t_stop"))
    number = number[number >= 2]
    return bool(np.mean(number < INTERVALS * trains.n_trials) > 0.5) if number.size else False


def populations_of(block: Any, n: int) -> list[tuple[str, int]]:
    """Names and sizes of a Block's populations, of n neurons in all; one named "neurons" where none are annotated."""
    listed = getattr(block, "annotations", {}).get("populations")
    if listed is None or (isinstance(listed, list | tuple) and not listed):
        return [("neurons", n)]
    where = f"block.annotations['populations'] = {shown(listed)}"
    if not isinstance(listed, list | tuple) or not all(
        isinstance(p, Mapping) and {"name", "size"} <= p.keys() for p in listed
    ):
        raise NsnnError(
            f"{where}: expected a list such as [{{'name': 'E', 'size': 80}}, {{'name': 'I', 'size': 20}}]"
        )
    sizes = [whole(p["size"], 0, f"{where}: size") for p in listed]
    if sum(sizes) != n:
        raise NsnnError(f"{where}: sizes don't add up to {n} neurons")
    return [(str(p["name"]), size) for p, size in zip(listed, sizes, strict=True)]


def unit_names(block: Any, n: int) -> list[str]:
    """What figures call each of n neurons: "unit" and its id or name where a Block has them, else "neuron" and a number."""
    table = unit_table(block) if isinstance(block, neo.Block) else {}
    for texts in ([str(one) for one in table.get(key, ())] for key in ("id", *NAMES)):
        if len(texts) == len(set(texts)) == n and texts != [str(j) for j in range(n)]:
            return [f"unit {text}" for text in texts]
    return [f"neuron {j}" for j in range(n)]


def _columns(
    block: Any, sizes: tuple[int, int], label: str, function: Any, by: str, confidence: Any, result: Any
) -> dict[str, list[Any]]:
    """The columns of `rows` for a result of `evaluate` and the numbers of neurons and trials."""
    (n_neurons, n_trials), (value, left_out), populations = sizes, result, populations_of(block, sizes[0])
    names, neurons = [name for name, size in populations for _ in range(size)], [*range(n_neurons)]
    options: Any = {"scale": getattr(plain(function)[0], "scale", "linear"), "confidence": confidence}
    ends: list[Any] = []  # (2, n) limits
    values: Any
    se: Any
    own = own_errors(value)
    numbers: Any = None if own else np.asarray(value, dtype=float)
    if own:
        listed = value if isinstance(value, list) else [value]
        values, se = np.array([one.headline for one in listed], dtype=float).T.tolist()
        n, ends = [int(one.n) for one in listed], [np.full((2, len(listed)), math.nan)]
    elif by == "neuron" or numbers.ndim == 0:
        values, se = (np.atleast_1d(one).tolist() for one in (numbers, jackknife_se(left_out)))
        n = [n_trials] * len(values)
        if confidence is not None:
            ends = [np.reshape(jackknife_limits(numbers, left_out, **options), (2, -1))]
    else:
        groups = np.split(numbers, np.cumsum([size for _, size in populations])[:-1])
        known = [group[~np.isnan(group)] for group in groups]
        names, neurons = [name for name, _ in populations], [None] * len(groups)
        values = [float(one.mean()) if one.size else math.nan for one in known]
        se = [float(one.std(ddof=1)) / math.sqrt(one.size) if one.size > 1 else math.nan for one in known]
        n = [one.size for one in known]
        if confidence is not None:
            ends = [mean_limits(group[:, None], **options) for group in groups]
    if not isinstance(value, list) if own else numbers.ndim == 0:
        names, neurons = [""], [None]
    limits = (
        {} if confidence is None else dict(zip(("lower", "upper"), np.hstack(ends).tolist(), strict=True))
    )
    return {
        "population": names, "neuron": neurons, "measure": [label] * len(n), "value": values, "se": se, **limits, "n": n,
        "unit": [measure_unit(function)] * len(n),
    }  # fmt: skip


@suggest_keywords
def over_time(
    measure: Callable[..., Any],
    block: SpikeSource,
    *,
    window: Any,
    step: Any = None,
    by: str = "neuron",
    stimulus: Values | None = None,
    n_groups: int = 50,
    confidence: float | None = None,
    t_start: Time | None = None,
    t_stop: Time | None = None,
    **options: Any,
) -> pd.DataFrame:
    """A measure in windows that slide over the trial, with standard errors: columns neuron, time, value, se, n.

    Each window is a Block of the trials' spikes and signals in it, on the trials' clock, and the measure is evaluated as `tabulate`
    does. time is the middle of the window in s, n the number of trials. Windows that overlap share spikes: neighbouring values that
    deviate together are no sign of a change.

    se is the jackknife of `tabulate`. A measure of sums over trials (rates, Fano factor, CV, CV2, ...) is computed once per window.
    Any other one is called once more for each of g groups of trials: up to `n_groups` trials each is a group; more are dealt to
    `n_groups` groups, with about equal numbers of each stimulus, and se then varies by about 1/sqrt(2 g), 10 % for 50 groups.
    Results with an error of their own keep it and are computed once: an Estimate, and the accuracy of `decode`. Of skewed values
    two errors cover too little: `confidence` adds the columns lower and upper.

    `plotting.measure_against(table, "time", hue="neuron")` draws the table; table.attrs["measure"] is the label of its axis.

    Parameters
    ----------
    measure : function, as of `tabulate`: of a Block to (n_neurons,), number, Estimate or list of Estimates; of a pair of neurons
        lambda block: noise_correlation(block)[0, 1]. With `stimulus` a function of (stimulus, block), such as `decode`, or of a
        block with the keyword stimulus, such as `fano_factor`; one whose arguments are called s and r, such as
        `mutual_information`, takes the stimulus and the counts of each neuron
    block : neo.Block, one Segment per trial. Windows slide over the time that all trials share
    window : time, scalar, the length of the windows
    step : time, scalar, from one window to the next; None (default) is half a window
    by : "neuron" (default) or "population": the mean over the n neurons that have a value in the window, se their SD / sqrt(n),
        too small where they share a gain; a mean of your own, such as np.nanmean, has a jackknife over trials
    stimulus : (n_trials,) one label per trial; None (default) for a measure without stimulus
    n_groups : of the jackknife, at least 2
    confidence : of the limits, between 0 and 1, such as 0.95; None (default): no limits. An Estimate has NaN
    t_start, t_stop : times, scalar, over which windows slide; None is the trials' own end. The first window begins at t_start:
        choose it so that one begins at the event
    options : of the measure. Its own `window`, t_start or t_stop are set with functools.partial

    Raises
    ------
    NsnnError : a window longer than the trials, another number of labels than of trials, what `tabulate` or the measure refuses.
        Warnings of windows are counted and given once. Sources: Efron & Stein 1981, doi 10.1214/aos/1176345462; groups:
        Shao & Wu 1989, doi 10.1214/aos/1176347263

    >>> import quantities as pq
    >>> from nsnn_neuro import to_block
    >>> from nsnn_neuro.measures import fano_factor
    >>> block = to_block([[[0.1, 0.6]], [[0.2, 0.3, 0.4, 0.6, 0.7]], [[0.3, 0.8]]], t_stop=1*pq.s)
    >>> print(over_time(fano_factor, block, window=500*pq.ms).round(2).to_string(index=False))
     neuron  time  value   se  n
          0  0.25   0.80 0.67  3
          0  0.50   1.50 1.20  3
          0  0.75   0.25 0.22  3
    """
    if not callable(measure):
        raise NsnnError(f"measure = {shown(measure)}: expected a function such as measures.fano_factor")
    one_of(by, ("neuron", "population"), "by")
    ((name, function),) = named_measures(partial(measure, **options)).items()
    check(n_groups=n_groups)
    if confidence is not None:
        between_0_and_1(confidence, "confidence")
    trains = as_trains(block, t_start, t_stop)
    labels = None
    if stimulus is not None:
        distinct, number = as_labels(stimulus, "stimulus", trains.n_trials, least=1)
        labels = distinct[number]
    full = block if isinstance(block, neo.Block) else block_of(trains)
    start, stop = sliding_windows(trains, window, step)
    parts, seen = [], []
    for a, b in zip(start.tolist(), stop.tolist(), strict=True):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            inside = trains.crop(a, b)
            source = full if is_sum_over_trials(function) else cropped(full, a, b)
            result = rows(source, inside, name, function, by, confidence, labels, n_groups)
        seen += [(one.category, str(one.message)) for one in caught]
        columns = (by, "value", "se", "lower", "upper", "n")
        parts.append(pd.DataFrame({key: result[key] for key in columns if key in result}))
    for category in dict.fromkeys(kind for kind, _ in seen):
        messages = [text for kind, text in seen if kind is category]
        warn(f"over_time: {len(messages)} warnings in {start.size} windows, first: {messages[0]}", category)
    kinds = {by: "Int64" if by == "neuron" else object, "value": float, "se": float}
    table = pd.concat(parts, ignore_index=True).astype(kinds)
    lost = table[by].isna() & table[["value", "se"]].isna().any(axis=1) & (table["n"] > 1)
    if lost.any():
        cure = "over_time(measure, block, by='population', window=...) averages neurons that have a value"
        warn(f"over_time: {name} or its error is NaN in {lost.sum()} of {start.size} windows; {cure}")
    # rounded, as the middle of windows around 0 would be 1e-17
    table.insert(1, "time", np.repeat(((start + stop) / 2).round(12), [len(part) for part in parts]))
    ids = unit_ids(block, trains.n_neurons)
    if ids is not None and by == "neuron" and table["neuron"].notna().all():
        table.insert(1, "id", pd.Series(ids * start.size, dtype=object))
    table = table.sort_values([by, "time"], kind="stable", ignore_index=True)
    # figures read these: the columns hold neither names nor units
    table.attrs = {"measure": name, "units": {"time": "s", "value": measure_unit(function)}}
    return table
