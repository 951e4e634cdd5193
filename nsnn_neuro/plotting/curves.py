"""Tuning curves, filters of fits and training histories."""

from __future__ import annotations

from typing import Any

import numpy as np
import quantities as pq
from scipy.stats import norm

from ..core.aliases import Axes, DataFrame
from ..core.checks import one_of, suggest_keywords
from ..core.errors import NsnnError
from ..core.units import floats, shown
from ..io.spikes import holds_blocks
from ..measures import TuningCurve, as_trains
from ..measures.limits import between_0_and_1
from ..measures.table import unit_names
from ..measures.tuning.read_trials import limits_by_stimulus
from ..measures.tuning.tuning_curve import by_stimulus
from .align import selection
from .axes import (
    COLOURS,
    POINTS,
    SOFT,
    axes,
    check_columns,
    finish,
    keep_in_view,
    numbers,
    places,
    plain,
    positions,
    slant,
    with_unit,
)


@suggest_keywords
def tuning_curve(
    stimulus: Any,
    response: Any = None,
    *,
    fit: Any = None,
    table: DataFrame | None = None,
    neurons: Any = None,
    ax: Axes | None = None,
) -> Axes:
    """Mean response to each stimulus with its 95 % confidence limits, those of `measures.tuning_curve`; a curve for each neuron.

    A stimulus of a single trial has no limits. Points of a numeric stimulus are joined; texts keep their order.

    Parameters
    ----------
    stimulus : result of `measures.tuning_curve`; or (n_trials,) numbers, a quantity or texts; with a table the name of a column
    response : neo.Block with one Segment per trial, whose firing rates are drawn; or (n_trials,) or (n_trials, n_neurons) rates in
        Hz or a quantity; with a table the name of a column; None for a result of `measures.tuning_curve`
    fit : result of `TuningCurve.fit` of the same neurons, drawn as lines; triangles mark the preferred stimuli
    table : DataFrame with a row per trial
    neurons : number, id or name, or a list of one kind; None is all, at most seven
    ax : axes to draw on; None makes a new figure

    Raises
    ------
    NsnnError : another number of stimuli than of trials, more than seven neurons, a column that the table lacks, no numbers

    >>> from matplotlib.figure import Figure
    >>> ax = tuning_curve([0, 0, 90, 90] * pq.deg, [4.0, 6.0, 9.0, 11.0], ax=Figure().subplots())
    >>> ax.lines[0].get_xydata().tolist(), ax.get_xlabel(), ax.get_ylabel()
    ([[0.0, 5.0], [90.0, 10.0]], 'stimulus (deg)', 'firing rate (Hz), 95 % limits')
    """
    levels, names, mean, (lower, upper), x_label, y_label = _curve(stimulus, response, table)
    cells = selection(neurons, len(mean), "neurons", response)
    called = getattr(stimulus, "names", None) or unit_names(response, len(mean))
    if cells.size > len(COLOURS):
        raise NsnnError(f"response has {cells.size} neurons: choose at most {len(COLOURS)}, neurons=[0, 1]")
    if fit is not None and (names or not hasattr(fit, "predict") or len(fit.r2) != len(mean)):
        raise NsnnError(
            f"fit = {type(fit).__name__} object: expected what TuningCurve.fit returns for these {len(mean)} neurons"
        )
    ax = axes(ax)
    bars = np.stack([mean - lower, upper - mean], axis=1)
    for k, j in enumerate(cells):
        ax.errorbar(
            levels + (0.4 * ((k + 0.5) / cells.size - 0.5) if names else 0.0),
            mean[j], bars[j], fmt="o" if names or fit is not None else "o-", color=COLOURS[k], label=called[j], **POINTS,
        )  # fmt: skip
    if fit is not None:
        x = np.linspace(levels[0], levels[-1], 300)
        for k, line in enumerate(fit.predict(x)[cells]):
            ax.plot(x, line, color=COLOURS[k], lw=1.2)
        for k, j in enumerate(cells if "preferred" in fit.parameters else []):
            if fit.se["preferred"][j] >= 0:  # not NaN, of a flat curve
                at = fit.parameters["preferred"][j], 0.03
                ax.plot(*at, "^", color=COLOURS[k], ms=5, transform=ax.get_xaxis_transform())
    if names:
        ax.set_xticks(range(len(names)), names)
        keep_in_view(ax, x=(-0.5, len(names) - 0.5))
        slant(ax)
    if cells.size > 1:
        ax.legend(frameon=False)
    if not (np.fmin(mean, lower) < 0).any():
        keep_in_view(ax, y=[0])
    ax.set(xlabel=x_label, ylabel=f"{y_label}, 95 % limits")
    return finish(ax)


@suggest_keywords
def filters(fit: Any, *, which: str = "both", level: float = 0.95, ax: Axes | None = None) -> Axes:
    """Filters of a fitted neuron against the lag, of stimulus, spike history or the spikes of its inputs, with confidence bands.

    Bands are value -+ z se at each lag, by the normal law of large samples. The stimulus filter is the effect of one unit of the
    signal in a step on the potential, the other filters that of a spike; the noise family has the unit of potentials. The
    vertical axis names the unit of the signal, "per nA", where the fit knows it.

    Parameters
    ----------
    fit : result of `fit_neuron`
    which : "stimulus", "history", "both" (those that the fit has), or "coupling" (a curve for each input)
    level : of the bands, between 0 and 1
    ax : axes to draw on; None makes a new figure

    Raises
    ------
    NsnnError : no such result, a filter that the fit lacks, level out of range

    >>> import neo
    >>> from matplotlib.figure import Figure
    >>> from nsnn_neuro import fit_neuron, to_block
    >>> signal = neo.AnalogSignal([0.0, 1.0, 0.0, 1.0, 1.0, 0.0] * 50, units="mV", sampling_rate=1*pq.kHz)
    >>> train = np.flatnonzero(np.random.default_rng(0).random(300) < 0.2 + 0.3 * signal.magnitude[:, 0]) / 1000
    >>> fit = fit_neuron([train], signal, dt=1*pq.ms, stimulus=2)
    >>> ax = filters(fit, ax=Figure().subplots())
    >>> bool((ax.lines[1].get_ydata() == fit.stimulus_filter()[1]).all()), ax.get_xlabel()
    (True, 'lag (ms)')
    """
    one_of(which, ("both", "stimulus", "history", "coupling"), "which")
    between_0_and_1(level, "level")
    if not hasattr(fit, "stimulus_filter"):
        raise NsnnError(f"fit = {type(fit).__name__} object: expected the result of fit_neuron")
    curves = []
    if which in ("both", "stimulus"):
        lags, value, se = fit.stimulus_filter()
        if lags.size:
            value, se = value.reshape(lags.size, -1), se.reshape(lags.size, -1)
            names = ["stimulus"] if value.shape[1] == 1 else [f"channel {c}" for c in range(value.shape[1])]
            curves += [(name, lags, value[:, c], se[:, c]) for c, name in enumerate(names)]
    if which in ("both", "history"):
        lags, value, se = fit.history_filter()
        if lags.size:
            curves.append(("spike history", lags, value, se))
    if which == "coupling":
        lags, value, se = fit.coupling_filter()
        curves += [(f"input {j}", lags, value[j], se[j]) for j in range(len(value))]
    if not curves:
        option = "history" if which == "both" else which
        raise NsnnError(
            f"which = {which!r}: the fit has no {option} filter; fit_neuron(..., {option}=...) makes one"
        )
    z = float(norm.ppf(0.5 + level / 2))
    ax = axes(ax)
    ax.axhline(0.0, color=SOFT, lw=0.8, ls=":", zorder=0)
    for k, (name, lags, value, se) in enumerate(curves):
        colour = COLOURS[k % len(COLOURS)]
        ax.fill_between(1e3 * lags, value - z * se, value + z * se, color=colour, alpha=0.22, lw=0)
        ax.plot(1e3 * lags, value, color=colour, lw=1.3, label=name)
    ax.legend(frameon=False, title=f"filter, {100 * level:g} % band")
    ax.set_xlabel("lag (ms)")
    own = fit.model.signal_unit
    unit = "1" if own is None else plain(own)[1]
    per = "" if unit == "1" or curves[0][0] in ("spike history", "input 0") else f" per {unit}"
    if per and curves[-1][0] == "spike history":
        per = f"; stimulus:{per}"
    effect = getattr(fit.model.family, "potential_is", "potential (noise scale")
    ax.set_ylabel(f"effect on {effect}{per})")
    return finish(ax)


@suggest_keywords
def training_history(fit: Any, *, ax: Axes | None = None) -> Axes:
    """Loss (left axis) and accuracy (right axis) against the epoch; validation dashed, the best epoch marked.

    Columns without values are left out: accuracies of target spikes, or validation without held-out samples.

    Parameters
    ----------
    fit : result of `train`, `deep.fit` or `fit_network`; or a DataFrame with columns epoch and loss, and any of val_loss, accuracy,
        val_accuracy
    ax : axes to draw on; None makes a new figure

    Raises
    ------
    NsnnError : something else, or no epoch

    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> ax = training_history(pd.DataFrame({"epoch": [1, 2], "loss": [0.9, 0.4]}), ax=Figure().subplots())
    >>> ax.lines[0].get_xydata().tolist(), ax.get_xlabel(), ax.get_ylabel()
    ([[1.0, 0.9], [2.0, 0.4]], 'epoch', 'loss')
    """
    from matplotlib.ticker import MaxNLocator

    history = getattr(fit, "history", fit)
    check_columns(history, ["epoch", "loss"])
    if not len(history):
        raise NsnnError("fit has no epoch: expected at least one")
    epoch = numbers(history["epoch"], "epoch")
    ax = axes(ax)
    lines = []
    for name, colour in (("loss", COLOURS[0]), ("accuracy", COLOURS[1])):
        columns = [c for c in (name, f"val_{name}") if c in history.columns and history[c].notna().any()]
        if not columns:
            continue
        own = ax if name == "loss" else ax.twinx()
        for column in columns:
            validation = column != name
            label = f"{name}, {'validation' if validation else 'training'}"
            lines += own.plot(
                epoch, numbers(history[column], column), color=colour, lw=1.3, ls="--" if validation else "-", label=label,
                marker="o" if len(epoch) == 1 else None,
            )  # fmt: skip
        finish(own)
        own.set_ylabel(name, color=colour)
        if name == "accuracy":
            own.spines["right"].set_visible(True)
            own.spines["right"].set_color(ax.spines["left"].get_edgecolor())
            own.spines["left"].set_visible(False)
            own.set_ylim(0, 1.02)
    best = getattr(fit, "best_epoch", None)
    if best is not None:
        lines.append(ax.axvline(best, color=SOFT, lw=1.0, ls=":", label=f"returned weights: epoch {best}"))
    ax.legend(
        handles=lines, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, handlelength=1.8, fontsize="small"
    )  # fmt: skip
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("epoch")
    return ax


def _curve(
    stimulus: Any, response: Any, table: DataFrame | None
) -> tuple[np.ndarray, list[str], np.ndarray, tuple[np.ndarray, np.ndarray], str, str]:
    """Places of the stimuli, their names if they are texts, means and their limits (n_neurons, n_stimuli), labels of the axes."""
    if isinstance(stimulus, TuningCurve):
        if response is not None or table is not None:
            raise NsnnError(
                "stimulus is a TuningCurve, which has its responses: expected no response and no table"
            )
        texts = stimulus.values.dtype.kind == "U"
        at = np.arange(stimulus.n.size, dtype=float) if texts else stimulus.values
        rate = "firing rate (Hz)" if stimulus.response_unit == "Hz" else "response"
        names = [str(value) for value in stimulus.values] if texts else []
        limits = stimulus.lower, stimulus.upper
        return at, names, stimulus.mean, limits, with_unit("stimulus", stimulus.unit), rate
    if response is None:
        raise NsnnError(
            f"stimulus = {shown(stimulus)} without a response: expected the responses, or a result of measures.tuning_curve"
        )
    if table is not None:
        check_columns(table, [stimulus, response])
        at, names, x_label = places(table, stimulus)
        values, y_label = numbers(table[response], response)[:, None], str(response)
    else:
        labels, unit = plain(stimulus)
        x_label = with_unit("stimulus", unit)
        if labels.ndim != 1:
            raise NsnnError(f"stimulus has shape {labels.shape}: expected one for each trial, (n_trials,)")
        at, names = positions(labels)
        values, y_label = _rates(response)
    if at.shape != values.shape[:1]:
        raise NsnnError(f"stimulus has {at.size} values: expected one for each of {len(values)} trials")
    levels, row = np.unique(at, return_inverse=True)
    scale = "linear" if (values < 0).any() else "positive"
    mean, limits = by_stimulus(row, values)[1], limits_by_stimulus(row, values, scale)
    return levels, names, mean, limits, x_label, y_label


def _rates(response: Any) -> tuple[np.ndarray, str]:
    """Responses (n_trials, n_neurons), and the label of their axis."""
    if holds_blocks(response):
        trains = as_trains(response)
        return trains.counts / trains.durations[:, None], "firing rate (Hz)"
    values = floats(response, "response", "a neo.Block, or rates (n_trials,) or (n_trials, n_neurons)")
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or not values.size:
        raise NsnnError(
            f"response has shape {values.shape}: expected (n_trials,) or (n_trials, n_neurons) rates"
        )
    unit = str(response.dimensionality) if isinstance(response, pq.Quantity) else "Hz"
    return values, "firing rate (Hz)" if unit in ("Hz", "1/s") else with_unit("response", unit)
