"""Any measure in windows that slide over the trial, with its error."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import neo
import numpy as np
import pandas as pd

from ..core.aliases import SpikeSource, Time, Values
from ..core.checks import check, one_of, suggest_keywords
from ..core.errors import NsnnError
from ..core.units import shown
from ..core.warn import warn
from ..io.block import block_of
from ..io.segments import cropped, unit_ids
from .evaluation import is_sum_over_trials, measure_unit
from .limits import between_0_and_1
from .response_checks import as_labels
from .table import named_measures, rows
from .trains import as_trains
from .trial_counts import sliding_windows


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
    does. time is the middle of the window in s, n the number of trials. Windows that overlap share spikes, so that their values are
    correlated. Neighbouring values that deviate together are therefore no sign of a change.

    se is the jackknife over trials, sqrt((g - 1)/g sum of (v_(i) - mean v_(i))^2), v_(i) the value without group i of g groups. A
    measure of sums over trials (rates, Fano factor, CV, CV2, ...) is computed once per window, and each trial is a group. Any other
    one is called 1 + g times per window. Up to `n_groups` trials each is a group; more trials are dealt to `n_groups` groups, with
    about equal numbers of each stimulus, and se then varies by about 1/sqrt(2 g), 10 % for 50 groups. Results with an error of
    their own keep it and are computed once: an Estimate, and the accuracy of `decode`. Of skewed values two errors cover too
    little: `confidence` adds the columns lower and upper, as of `tabulate`.

    `plotting.measure_against(table, "time", hue="neuron")` draws the table; table.attrs["measure"] is the label of its axis, which
    may be set for a lambda.

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
