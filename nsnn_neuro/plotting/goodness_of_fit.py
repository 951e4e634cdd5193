"""Goodness of fit: rescaled intervals against the uniform distribution, and tests of what a fit misses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import kstwo, norm

from ..core.aliases import Axes, DataFrame
from ..core.checks import suggest_keywords
from ..core.errors import NsnnError
from ..measures.limits import between_0_and_1
from .axes import COLOURS, SOFT, axes, check_columns, check_rows, finish, legend_above

_EXPECTED = "expected the result of fit_neuron or of its `rescaled`, or a dict of them"
_LARGEST_Z = 37.0  # of a p that is not 0
_TICKS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0)  # ms


@suggest_keywords
def rescaling(fit: Any, *, level: float = 0.95, ax: Axes | None = None) -> Axes:
    """Kolmogorov-Smirnov plot of the time-rescaling test: rescaled intervals against uniform quantiles, with the test's band.

    If the model is true, the rescaled intervals are uniform, and the whole curve lies within the band with probability `level`.
    The largest vertical distance of the curve from the diagonal is the test's statistic D, whose exact quantile for n intervals
    is the half-width of the band.

    Parameters
    ----------
    fit : result of `fit_neuron`, whose fitted data are tested; or of `NeuronFit.rescaled` or `Rescaled.of`, for other data or
        models; or a dict from labels to several of them. Parameters fitted to the same data make the test too lenient
    level : of the band, between 0 and 1
    ax : axes to draw on; None makes a new figure

    Raises
    ------
    NsnnError : no such result, level out of range. Source: Brown et al. 2002, doi 10.1162/08997660252741149; Marsaglia, Tsang &
        Wang 2003, doi 10.18637/jss.v008.i18

    >>> from matplotlib.figure import Figure
    >>> from nsnn_neuro.likelihood import Rescaled
    >>> spikes = np.random.default_rng(1).random(10_000) < 0.05
    >>> result = Rescaled.of(np.full(10_000, 0.05), spikes)
    >>> ax = rescaling(result, ax=Figure().subplots())
    >>> x, y = ax.lines[-1].get_xydata().T
    >>> bool(np.isclose(np.abs(y - x).max(), result.ks)), ax.get_xlabel()
    (True, 'uniform quantile (probability)')
    """
    between_0_and_1(level, "level")
    results = {label: _result(one) for label, one in (fit if isinstance(fit, Mapping) else {"": fit}).items()}
    if not results:
        raise NsnnError(f"fit is empty: {_EXPECTED}")
    ax = axes(ax)
    sizes = sorted({result.n for result in results.values()})
    for n in sizes:
        half = float(kstwo.ppf(level, n))
        label, colour = f"{100 * level:g} % band", SOFT
        if len(sizes) > 1:  # of the first curve with this band
            first = next(k for k, result in enumerate(results.values()) if result.n == n)
            label, colour = f"{label}, n = {n}", COLOURS[first % len(COLOURS)]
        ax.fill_between(
            [0, 1], [-half, 1 - half], [half, 1 + half], color=colour, alpha=0.16, lw=0, label=label
        )
    ax.plot([0, 1], [0, 1], color=SOFT, lw=0.8, ls=":", label="true model")
    for k, (label, result) in enumerate(results.items()):
        # both ends of each step of the empirical distribution, so that the largest distance is the statistic
        quantile = np.arange(result.n + 1).repeat(2)[1:-1] / result.n
        name = f"{label}: " if label else ""
        text = f"{name}distance {result.ks:.2g}, p = {result.p:.2g}"
        ax.plot(quantile, np.sort(result.z).repeat(2), color=COLOURS[k % len(COLOURS)], lw=1.3, label=text)
    ax.set(xlim=(0, 1), xlabel="uniform quantile (probability)")
    ax.set(ylim=(0, 1), ylabel="rescaled interval (probability)")
    legend_above(ax, len(sizes) + len(results) + 1)
    return finish(ax)


def _result(one: Any) -> Any:
    """The rescaled intervals of a fit; a result of the test unchanged."""
    result = one.rescaled() if hasattr(one, "rescaled") else one
    if not all(hasattr(result, name) for name in ("z", "ks", "p", "n")):
        raise NsnnError(f"fit = {type(one).__name__} object: {_EXPECTED}")
    return result


@suggest_keywords
def misfit(table: DataFrame, *, alpha: float = 0.05, ax: Axes | None = None) -> Axes:
    """Tests of what a fit misses: z of each against its lag or time constant, filled where q is below alpha.

    Tests of several regressors have the z of their p, above 0. Those without a lag stand on the right, the present stimulus on the
    left. z of a true model are standard normal. Tests with NaN are left out.

    table : as `misfit` of a fit returns it, or rows of it
    alpha : a filled mark has a q below it
    ax : axes to draw on; None makes a new figure

    >>> import pandas as pd
    >>> from matplotlib.figure import Figure
    >>> rows = [("spikes over 10 ms", "spikes", 0.01, 0.5, 0.62, 0.62), ("trend", "drift", np.nan, 4.0, 6e-5, 1e-4)]
    >>> table = pd.DataFrame(rows, columns=["test", "kind", "lag", "statistic", "p", "q"])
    >>> misfit(table, ax=Figure().subplots()).get_legend_handles_labels()[1]
    ['95 % of one test', 'q < 0.05', 'spikes', 'drift']
    """
    check_columns(table, ["test", "kind", "lag", "statistic", "p", "q"])
    check_rows(table)
    between_0_and_1(alpha, "alpha")
    table = table[table.p.notna()]
    z = np.minimum(norm.isf(table.p.to_numpy() / 2), _LARGEST_Z) * np.sign(table.statistic.to_numpy())
    low, lag = table.q.to_numpy() < alpha, 1e3 * table.lag.to_numpy(dtype=float)
    first, last = min(lag[lag > 0], default=1.0), max(lag[lag > 0], default=1.0)
    x = np.where(lag > 0, lag, first / 2)
    beside = np.flatnonzero(np.isnan(lag))
    x[beside] = last * 3.0 ** np.arange(1, 1 + len(beside))
    ax = axes(ax)
    ax.axhspan(-1.96, 1.96, color=SOFT, alpha=0.16, lw=0, label="95 % of one test")
    ax.axhline(0, color=SOFT, lw=0.8, ls=":")
    ax.plot([], [], "o", color=SOFT, ms=5, label=f"q < {alpha:g}")
    kinds = list(dict.fromkeys(table.kind))
    for k, kind in enumerate(kinds):
        own, colour = (table.kind == kind).to_numpy(), COLOURS[k % len(COLOURS)]
        joined = "-" if len(set(x[own])) == own.sum() and not np.isnan(lag[own]).any() else ""
        ax.plot(x[own], z[own], "o", ls=joined, color=colour, mfc="white", ms=5, lw=1.0, label=kind)
        ax.plot(x[own & low], z[own & low], "o", color=colour, ms=5)
    ax.set_xscale("log")
    ticks = {t: f"{t:g}" for t in _TICKS if first <= t <= last}
    if (lag == 0).any():
        ticks[first / 2] = "now"
    names = [name.split(" over")[0].replace(" ", "\n") for name in table.test.iloc[beside]]
    ticks |= dict(zip(x[beside].tolist(), names, strict=True))
    ax.set_xticks(list(ticks), list(ticks.values()))
    ax.set_xticks([], minor=True)
    ax.set(xlabel="lag or time constant (ms)", ylabel="z")
    legend_above(ax, len(kinds) + 2)
    return finish(ax)
