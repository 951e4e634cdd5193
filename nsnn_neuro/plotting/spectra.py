"""Correlograms, power spectra, coherence and phases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.stats import chi2

from ..core.aliases import Axes, Quantity, Signal, SpikeSource, Time
from ..core.checks import check, one_of, positive, suggest_keywords, whole
from ..core.errors import NsnnError
from ..core.units import floats, is_quantity, shown, si
from ..measures import CrossCorrelogram, as_trains, cross_correlogram
from ..measures.spectral.phase_locking import with_phases
from ..measures.table import unit_names
from ..measures.trains import nan_ratio
from .align import one_neuron
from .axes import COLOURS, INK, SOFT, SPINE, axes, finish, keep_in_view


@suggest_keywords
def correlogram(
    block: SpikeSource,
    *,
    neuron: int | str = 0,
    other: int | str | None = None,
    bin_width: Time | None = None,
    max_lag: Time | None = None,
    show: str = "chance",
    ax: Axes | None = None,
    **options: Any,
) -> Axes:
    """Auto- or cross-correlogram: pairs of spikes against the lag, the time of `other`'s spike less that of `neuron`'s.

    Counts, chance and its band are those of `measures.cross_correlogram`, of independent trains of constant rate by default.

    Parameters
    ----------
    block : neo.Block, one Segment per trial; or a result of `measures.cross_correlogram`
    neuron, other : numbers, or ids or names, as `select` takes units; other=None (default) is the autocorrelogram
    bin_width, max_lag, options : of `measures.cross_correlogram`, such as predictor; the first two are needed for a Block
    show : "chance" (pairs over those expected by chance, 1 without correlation) or "counts"
    ax : axes to draw on; None makes a new figure

    Raises
    ------
    NsnnError : no such neuron, neurons without spikes, a lag as long as a trial, or what `as_trains` refuses.
        Source: Perkel, Gerstein & Moore 1967, doi 10.1016/S0006-3495(67)86597-4

    >>> import quantities as pq
    >>> from matplotlib.figure import Figure
    >>> from nsnn_neuro import to_block
    >>> block = to_block([[[0.105, 0.305], [0.115, 0.315]]], t_stop=0.5*pq.s)
    >>> ax = correlogram(block, other=1, bin_width=10*pq.ms, max_lag=20*pq.ms, show="counts", ax=Figure().subplots())
    >>> ax.patches[0].get_data().values.tolist()  # neuron 1 follows neuron 0 by 10 ms
    [0.0, 0.0, 0.0, 2.0, 0.0]
    """
    one_of(show, ("chance", "counts"), "show")
    if not isinstance(block, CrossCorrelogram):
        trains = as_trains(block)
        a = one_neuron(block, neuron, trains.n_neurons)
        b = a if other is None else one_neuron(block, other, trains.n_neurons, "other")
        names = [unit_names(block, trains.n_neurons)[j] for j in (a, b)]
        options |= {"bin_width": bin_width, "max_lag": max_lag}
        result = replace(cross_correlogram(trains, (a, b), **options), names=names)
    elif neuron == 0 and other is bin_width is max_lag is None and not options:
        result = block
    else:
        raise NsnnError("block is a result of cross_correlogram: expected no arguments but show and ax")
    one, second = result.names
    if not result.expected.any():
        raise NsnnError(f"{one} and {second} have no trial in which both fire: expected spikes of both")
    ax = axes(ax)
    width, n = 1e3 * result.bin_width, result.counts.size
    edges = width * (np.arange(n + 1) - n / 2)
    unit = result.expected if show == "chance" else np.ones(n)
    drawn = result.counts, result.expected, result.lower, result.upper
    values, chance, lower, upper = (nan_ratio(one, unit) for one in drawn)
    ax.stairs(values, edges, fill=True, color=COLOURS[0], alpha=0.35, lw=0)
    ax.stairs(values, edges, color=COLOURS[0], lw=1.0)
    name = "chance" if result.predictor == "poisson" else f"chance, {result.predictor} predictor"
    ax.stairs(chance, edges, baseline=None, color=INK, lw=1.0, ls="--", label=name)
    band = f"{100 * result.confidence:g} % band"
    ax.stairs(upper, edges, baseline=lower, fill=True, color=SOFT, alpha=0.25, lw=0, label=band)
    ax.legend(frameon=False)
    keep_in_view(ax, x=edges[[0, -1]], y=[0])
    alone = "lag (ms)" if one.startswith("neuron") else f"lag, {one} (ms)"
    ax.set_xlabel(alone if second == one else f"time of {second} after {one} (ms)")
    ax.set_ylabel("pairs / chance" if show == "chance" else f"pairs of spikes per {width:g} ms")
    return finish(ax)


@suggest_keywords
def spectrum(
    result: Any, *, neuron: int | None = None, theory: Any = None, log: bool = False, ax: Axes | None = None
) -> Axes:
    """Power spectrum of spike trains with its 95 % limits, and the rate, which it equals for a Poisson process.

    The limits of one neuron are those of the result; of a mean over neurons those of chi-square with 2 (power / error)^2 degrees of
    freedom.

    Parameters
    ----------
    result : result of `measures.power_spectrum`
    neuron : number; None is the mean over the neurons that fire, whose errors are taken as independent
    theory : (f, power), arrays in Hz or quantities, drawn as a line; None for none
    log : True draws both axes logarithmic, without f = 0
    ax : axes to draw on; None makes a new figure

    Raises
    ------
    NsnnError : another kind of result, no such neuron, no neuron that fires, a theory of two lengths

    >>> import quantities as pq
    >>> from matplotlib.figure import Figure
    >>> from nsnn_neuro.measures import power_spectrum
    >>> times = np.random.default_rng(0).uniform(0, 20, 400)
    >>> result = power_spectrum([times], sampling_rate=500*pq.Hz, t_start=0*pq.s, t_stop=20*pq.s)
    >>> ax = spectrum(result, ax=Figure().subplots())
    >>> bool((ax.lines[0].get_ydata() == result.power[0]).all()), ax.get_xlabel(), ax.get_ylabel()
    (True, 'frequency (Hz)', 'power (Hz)')
    """
    if not all(hasattr(result, name) for name in ("f", "power", "se", "lower", "upper", "rate")):
        raise NsnnError(f"result = {shown(result)}: expected that of measures.power_spectrum")
    if neuron is None:
        cells = np.flatnonzero(result.rate > 0)
        name = "mean of the neurons" if cells.size > 1 else "spike train"
    else:
        cells = np.array([whole(neuron, 0, "neuron", len(result.rate) - 1)])
        name = f"neuron {neuron}"
    if not result.rate[cells].any():
        raise NsnnError("result has no spikes: expected a neuron that fires")
    power = result.power[cells].mean(axis=0)
    if cells.size == 1:
        lower, upper = result.lower[cells[0]], result.upper[cells[0]]
    else:
        freedom = 2 * power**2 * cells.size**2 / (result.se[cells] ** 2).sum(axis=0)
        lower, upper = (freedom * power / chi2.ppf(tail, freedom) for tail in (0.975, 0.025))
    rate = float(result.rate[cells].mean())
    seen = slice(1 if log else 0, None)
    f, power, lower, upper = (one[seen] for one in (result.f, power, lower, upper))
    ax = axes(ax)
    ax.plot(f, power, color=COLOURS[0], lw=1.2, label=name)
    ax.fill_between(f, lower, upper, color=COLOURS[0], alpha=0.22, lw=0)
    if theory is not None:
        x, y = _pair(theory, "theory", "Hz")
        ax.plot(x[x > 0] if log else x, y[x > 0] if log else y, color=COLOURS[1], lw=1.3, label="theory")
    ax.axhline(rate, color=SOFT, lw=1.0, ls="--", label="rate (Poisson)", zorder=0)
    if log:
        ax.set_xscale("log")
        ax.set_yscale("log")
    else:
        keep_in_view(ax, y=[0])
    keep_in_view(ax, x=f[[0, -1]])
    ax.legend(frameon=False)
    ax.set(xlabel="frequency (Hz)", ylabel="power (Hz)")
    return finish(ax)


@suggest_keywords
def coherence(result: Any, *, theory: Any = None, f_max: Any = None, ax: Axes | None = None) -> Axes:
    """Coherence of a signal and spikes against frequency.

    Parameters
    ----------
    result : (f, C), result of `measures.coherence`
    theory : (f, C), arrays (f in Hz or a quantity), drawn as a line; None for none
    f_max : frequency at which the axis ends; None is the last one
    ax : axes to draw on; None makes a new figure

    Raises
    ------
    NsnnError : not two arrays of one length

    >>> from matplotlib.figure import Figure
    >>> ax = coherence(([0.0, 10.0, 20.0], [0.1, 0.6, 0.3]), ax=Figure().subplots())
    >>> ax.lines[0].get_xydata().tolist(), ax.get_xlabel()
    ([[0.0, 0.1], [10.0, 0.6], [20.0, 0.3]], 'frequency (Hz)')
    """
    f, values = _pair(result, "result", "1")
    ax = axes(ax)
    ax.plot(f, values, color=COLOURS[0], lw=1.2, label="coherence")
    if theory is not None:
        ax.plot(*_pair(theory, "theory", "1"), color=COLOURS[1], lw=1.3, label="theory")
        ax.legend(frameon=False)
    keep_in_view(ax, x=f[[0, -1]], y=(min(0.0, float(np.nanmin(values, initial=0.0))), 1))
    if f_max is not None:
        ax.set_xlim(f[0], positive(f_max, "Hz", "f_max"))
    ax.set(xlabel="frequency (Hz)", ylabel="coherence")
    return finish(ax)


@suggest_keywords
def phase_histogram(
    phase: Quantity | Signal,
    block: SpikeSource,
    *,
    neuron: int | str = 0,
    band: Any = None,
    n_bins: int = 24,
    t_start: Time | None = None,
    t_stop: Time | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Polar histogram of the phases of a neuron's spikes, with an arrow in the mean direction.

    Bars show the share of spikes in each bin of phase; the arrow's length over the outer circle's
    radius is the vector strength. Phases and options are those of `measures.phase_locking`: 0 is
    the peak of a field, and time 0 of a drive.

    Parameters
    ----------
    phase : frequency, or the field, a neo.AnalogSignal or a list with one for each trial
    block : neo.Block, one Segment per trial
    neuron : number, or id or name, as `select` takes units
    band : (low, high) frequencies of a field
    n_bins : bins of the circle
    t_start, t_stop : times, scalar; None is the trials' own end
    ax : polar axes to draw on; None makes a new figure

    Raises
    ------
    NsnnError : no such neuron, one without spikes, axes that are not polar, or what
        `measures.phase_locking` refuses

    >>> import quantities as pq
    >>> from matplotlib.figure import Figure
    >>> from nsnn_neuro import to_block
    >>> polar = Figure().subplots(subplot_kw={"projection": "polar"})
    >>> ax = phase_histogram(1*pq.Hz, to_block([[[0.2, 0.3]]], t_stop=1*pq.s), n_bins=4, ax=polar)
    >>> [float(bar.get_height()) for bar in ax.patches[:4]]  # from 0 to pi / 2, and so on
    [0.5, 0.5, 0.0, 0.0]
    """
    from matplotlib.ticker import MaxNLocator

    check(n_bins=n_bins)
    trains, phases = with_phases(phase, block, band, t_start, t_stop)
    j = one_neuron(block, neuron, trains.n_neurons)
    angle = phases(trains)[trains.neuron == j]
    name = unit_names(block, trains.n_neurons)[j]
    if not angle.size:
        raise NsnnError(f"{name} has no spikes: expected a neuron that fires")
    if ax is None:
        from matplotlib import pyplot

        ax = pyplot.subplots(figsize=(4.2, 4.2), layout="constrained", subplot_kw={"projection": "polar"})[1]
    if ax.name != "polar":
        raise NsnnError('ax: expected polar axes, as of plt.subplots(subplot_kw={"projection": "polar"})')
    share, edges = np.histogram(np.mod(angle, 2 * np.pi), n_bins, (0, 2 * np.pi))
    share, mean = share / angle.size, np.exp(1j * angle).mean()
    looks: dict[str, Any] = {"color": COLOURS[0], "edgecolor": COLOURS[0], "alpha": 0.35, "label": name}
    ax.bar(edges[:-1], share, np.diff(edges), align="edge", **looks)
    arrow = {"arrowstyle": "-|>", "color": COLOURS[1], "lw": 2, "shrinkA": 0, "shrinkB": 0}
    share_of = ax.get_xaxis_transform()  # its radius is a share of the outer circle's
    ax.annotate("", (np.angle(mean), np.abs(mean)), (0, 0), xycoords=share_of, arrowprops=arrow)
    ax.plot([], [], color=COLOURS[1], lw=2, label=f"mean direction, strength {np.abs(mean):.2f}")
    keep_in_view(ax, y=(0, 1.05 * share.max()))
    ax.set_xticks(np.arange(4) * np.pi / 2, ["0", "π/2", "π", "3π/2"])
    ax.set(rlabel_position=np.degrees(np.angle(mean)) + 180)  # where bars are short
    ax.yaxis.set_major_locator(MaxNLocator(3))
    ax.grid(color=SPINE, lw=0.5, alpha=0.6)
    ax.spines["polar"].set_color(SPINE)
    ax.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.06), ncols=2)
    ax.set(xlabel="phase (rad); radius: share of spikes", axisbelow=True)
    return ax


def _pair(given: Any, name: str, unit: str) -> tuple[np.ndarray, np.ndarray]:
    """Frequencies (Hz) and values in `unit`, arrays of one length; plain numbers are in these units."""
    if not isinstance(given, list | tuple) or len(given) != 2:
        raise NsnnError(f"{name} = {shown(given)}: expected two arrays, frequencies and values")
    f, values = (
        np.atleast_1d(si(one, own, name) if is_quantity(one) else floats(one, name, "numbers"))
        for one, own in zip(given, ("Hz", unit), strict=True)
    )
    if f.ndim != 1 or f.shape != values.shape or not f.size:
        raise NsnnError(
            f"{name} has arrays of shapes {f.shape} and {values.shape}: expected two of one length"
        )
    return f, values
