"""Claims of the study `network_states` with their verdicts, its summary tables and its figures."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..harness import Claim, secondary
from ..shared.figures import BLUE, GREEN, ORANGE, PINK, finish, log_axis, points
from .config import CLAIM, SHOWN, STATES

PUBLISHED = {"AI": 37.7, "SI fast": 60.7, "SI slow": 5.5}
"""rates (Hz) of the simulations in Brunel 2000 with 12,500 neurons"""
RESOLVING = {"SR": 1e-3, "SI fast": 1e-3, "SI slow": 10e-3}
"""s, windows of a fifth to a third of the period of the rhythm"""


def mean_text(values: pd.Series) -> str:
    """Mean with standard error over networks as text."""
    error = f" ± {values.sem():.2g}" if len(values) > 1 else ""
    return f"{values.mean():.3g}{error}"


def _correlation(table: pd.DataFrame, state: str, window: float) -> pd.Series:
    """Pairwise correlation by network."""
    rows = table[(table.part == "correlation") & (table.state == state) & np.isclose(table.x, window)]
    return rows.set_index("network").value


def by_state(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Measures of each state, by network."""
    rows = table[table.part == "state"]
    return {
        name: rows[rows.state == name].set_index("network") for name in STATES if (rows.state == name).any()
    }


def claims(table: pd.DataFrame) -> list[Claim]:
    """Claims with their evidence, for the states in the table."""
    return list(_claims(table, by_state(table)))


def _claims(table: pd.DataFrame, by_name: dict[str, pd.DataFrame]) -> Iterator[Claim]:
    if "AI" in by_name:
        yield from _claims_of_ai(by_name["AI"])
        for name in by_name:
            if name != "AI":
                yield from _claims_of_synchrony(table, name, by_name)
    if "SR" in by_name:
        yield _claim_of_sr(by_name)
    if "SI fast" in by_name:
        row = by_name["SI fast"]
        yield Claim(
            "SI fast: irregular neurons (CV above 0.3) with rates below half the frequency of a rhythm of 130 to 220 Hz",
            row.cv.mean() > 0.3
            and (row.rate < row.peak / 2).all()
            and row.peak.between(130, 220, "neither").all(),
            f"{mean_text(row.rate)} Hz, CV {mean_text(row.cv)}, peak at {mean_text(row.peak)} Hz",
        )
    if "SI slow" in by_name:
        row = by_name["SI slow"]
        yield Claim(
            "SI slow: rates below three quarters of the frequency of a rhythm of 15 to 35 Hz",
            (row.rate < 0.75 * row.peak).all() and 15 <= row.peak.mean() <= 35,
            f"{mean_text(row.rate)} Hz, CV {mean_text(row.cv)}, peak at {mean_text(row.peak)} Hz",
        )
    yield from _claims_of_mean_field(by_name)


def _claims_of_ai(ai: pd.DataFrame) -> list[Claim]:
    tolerance = 0.05 * ai.epsilon.iloc[0] / 0.1
    error = ai.rate.mean() / ai["mean field"].iloc[0] - 1
    return [
        Claim(
            f"AI: the rate is within {100 * tolerance:g} % of the mean-field rate",
            abs(error) < tolerance,
            f"{mean_text(ai.rate)} Hz, mean field {ai['mean field'].iloc[0]:.2f} Hz, {100 * error:+.1f} %",
        ),
        Claim("AI: irregular firing, CV above 0.3", ai.cv.mean() > 0.3, mean_text(ai.cv)),
        secondary(
            "AI: the CV is within 25 % of the mean-field CV",
            abs(ai.cv.mean() / ai["mean field cv"].iloc[0] - 1) < 0.25,
            f"{mean_text(ai.cv)}, mean field {ai['mean field cv'].iloc[0]:.3f}",
        ),
        secondary(
            f"AI: the CV is within {100 * tolerance:g} % of that of neurons whose input has the spectrum of their own spikes",
            abs(ai.cv.mean() / ai["fed back cv"].iloc[0] - 1) < tolerance,
            f"{mean_text(ai.cv)}, theirs {ai['fed back cv'].iloc[0]:.3f} (rate {ai['fed back'].iloc[0]:.1f} Hz)",
        ),
    ]


def _claims_of_synchrony(table: pd.DataFrame, name: str, by_name: dict[str, pd.DataFrame]) -> list[Claim]:
    fano, calm = by_name[name]["population fano"], by_name["AI"]["population fano"]
    window = RESOLVING[name]
    pairs, loose = _correlation(table, name, window), _correlation(table, "AI", window)
    return [
        Claim(
            f"{name}: the population Fano factor is above that of AI in every network",
            (fano > calm).all(),
            f"{mean_text(fano)} against {mean_text(calm)}",
        ),
        Claim(
            f"{name}: pairs are more correlated than in AI, in windows of {1e3 * window:g} ms",
            pairs.mean() > loose.mean(),
            f"{mean_text(pairs)} against {mean_text(loose)}",
        ),
    ]


def _claim_of_sr(by_name: dict[str, pd.DataFrame]) -> Claim:
    row = by_name["SR"]
    others = [frame.fano.mean() for name, frame in by_name.items() if name != "SR"]
    return Claim(
        "SR: regular and fast firing: CV below 0.2, above 100 Hz, one spike per cycle (to 10 %), smallest Fano factor "
        "of all states",
        row.cv.mean() < 0.2
        and row.rate.min() > 100
        and (np.abs(row.rate / row.peak - 1) < 0.1).all()
        and all(row.fano.mean() < other for other in others),
        f"{mean_text(row.rate)} Hz, rhythm {mean_text(row.peak)} Hz, CV {mean_text(row.cv)}, Fano factor {mean_text(row.fano)}",
    )


def _claims_of_mean_field(by_name: dict[str, pd.DataFrame]) -> Iterator[Claim]:
    off = {name: row.rate.mean() / row["mean field"].iloc[0] - 1 for name, row in by_name.items()}
    if "AI" in off and len(off) > 1:
        yield secondary(
            "the asynchronous mean field has larger errors of the rate in each of the other states than in AI",
            all(abs(error) > abs(off["AI"]) for name, error in off.items() if name != "AI"),
            ", ".join(f"{name} {100 * error:+.1f} %" for name, error in off.items()),
        )
    size = {(row.neurons.iloc[0], row.epsilon.iloc[0]) for row in by_name.values()}
    known = [name for name in PUBLISHED if name in by_name]
    if size == {(12_500, 0.1)} and known:
        yield secondary(
            "rates are within 15 % of those of published simulations (37.7, 60.7, 5.5 Hz)",
            all(abs(by_name[name].rate.mean() / PUBLISHED[name] - 1) < 0.15 for name in known),
            ", ".join(f"{name} {mean_text(by_name[name].rate)} Hz" for name in known),
        )


def headline(table: pd.DataFrame) -> str:
    """Rates of the states in a sentence."""
    return "; ".join(
        f"{name}: {mean_text(row.rate)} Hz (mean field {row['mean field'].iloc[0]:.1f})"
        for name, row in by_state(table).items()
    )


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Measures of the states: means with standard errors over networks."""
    rows = [
        {
            "state": name,
            "g": f"{row.g.iloc[0]:g}",
            "eta": f"{row.eta.iloc[0]:g}",
            "rate (Hz)": mean_text(row.rate),
            "mean field (Hz)": f"{row['mean field'].iloc[0]:.2f}",
            "CV": mean_text(row.cv),
            "Fano, 25 ms": mean_text(row.fano),
            "pair correlation, 1 ms": mean_text(_correlation(table, name, 1e-3)),
            "pair correlation, 10 ms": mean_text(_correlation(table, name, 10e-3)),
            "population Fano, 1 ms": mean_text(row["population fano"]),
            "rhythm (Hz)": mean_text(row.peak),
        }
        for name, row in by_state(table).items()
    ]
    return pd.DataFrame(rows)


COLOURS = {"SR": PINK, "AI": BLUE, "SI fast": ORANGE, "SI slow": GREEN}
MARKERS = {"SR": "D", "AI": "o", "SI fast": "s", "SI slow": "^"}
LINES = {"SR": ":", "AI": "-", "SI fast": "--", "SI slow": "-."}


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """Spikes, population rate and measures of each state, with the caption."""
    return {
        f"{CLAIM}. Above: spikes of {SHOWN} neurons and population rate in bins of 1 ms, at most 100 ms of one network. "
        "Below, means over networks with bars of two standard errors: spectrum of the population count over that of "
        "independent Poisson neurons (means over 5 Hz, no bars); correlation of pairs of neurons against the counting window; "
        "CV of intervals against the population Fano factor; simulated over mean-field rate.": plot(table)
    }


def plot(table: pd.DataFrame) -> Figure:
    """Rasters, rates, spectra, correlations, CV against Fano factor, rates against the mean field."""
    of = by_state(table)
    figure = Figure(figsize=(11, 7.4), layout="constrained")
    halves: Any = figure.subfigures(2, 1, height_ratios=(1.15, 1))
    _activity(halves[0], table, of)
    _measures(halves[1].subplots(1, 4), table, of)
    return figure


def _bar(values: pd.Series) -> tuple[float, float]:
    """Mean and two standard errors over networks (0 for a single network)."""
    return float(values.mean()), 2 * float(values.sem()) if len(values) > 1 else 0.0


def _activity(figure: Any, table: pd.DataFrame, of: dict[str, pd.DataFrame]) -> None:
    """Raster and population rate of each state."""
    axes = figure.subplots(2, len(of), sharex="col", squeeze=False, height_ratios=(1.3, 1))
    for (above, below), (name, row) in zip(axes.T, of.items(), strict=True):
        here = table[table.state == name]
        spikes, counts = here[here.part == "spike"], here[here.part == "count"]
        above.plot(1e3 * spikes.x, spikes.value + 1, "|", ms=2.6, mew=0.7, color=COLOURS[name])
        above.set_title(f"{name}: g {row.g.iloc[0]:g}, eta {row.eta.iloc[0]:g}", fontsize=10)
        rate = counts.value / (row.neurons.iloc[0] * 1e-3)
        below.fill_between(1e3 * counts.x, rate, step="post", color=COLOURS[name], lw=0)
        finish(above, ylim=(0, SHOWN + 1))
        finish(below, ylim=(0, None), xlim=(0, 1e3 * counts.x.max() + 1), xlabel="time (ms)")
    axes[0, 0].set_ylabel("neuron")
    axes[1, 0].set_ylabel("population rate (Hz)")


def _measures(axes: Any, table: pd.DataFrame, of: dict[str, pd.DataFrame]) -> None:
    """Spectra, correlations, irregularity, and rates against the mean field."""
    spectra, correlations, irregularity, rates = axes
    rows = table[table.part == "correlation"]
    for name, row in of.items():
        colour, marker, here = COLOURS[name], MARKERS[name], table[table.state == name]
        spectrum = here[here.part == "spectrum"]
        power = spectrum.groupby(5 * np.round(spectrum.x / 5)).value.mean()
        spectra.plot(power, LINES[name], lw=1.2, color=colour, label=name)
        by = rows[rows.state == name].groupby("x").value
        windows, bars = 1e3 * np.array(list(by.groups)), np.array([_bar(values) for _, values in by]).T
        points(correlations, windows, *bars, fmt=marker + LINES[name], color=colour)
        (x, width), (y, height) = _bar(row["population fano"]), _bar(row.cv)
        points(irregularity, x, y, height, xerr=width, fmt=marker, color=colour)
        irregularity.annotate(name, (x, y), xytext=(5, 5), textcoords="offset points", fontsize=8)
        x, (y, error) = row["mean field"].iloc[0], _bar(row.rate / row["mean field"])
        points(rates, x, y, error, fmt=marker, color=colour)
        side = {"xytext": (-5, 6), "ha": "right"} if name == "AI" else {"xytext": (5, 6)}  # SI fast is close
        rates.annotate(name, (x, y), textcoords="offset points", fontsize=8, **side)
    for ax, level in ((spectra, 1), (correlations, 0), (rates, 1)):
        ax.axhline(level, color="black", lw=0.8, zorder=0)
    log_axis(correlations, 1e3 * np.unique(rows.x))
    legend = {"ncols": 2, "loc": "upper left", "handlelength": 1.6, "columnspacing": 1}
    power, relative = "power / that of Poisson neurons", "simulated / mean-field rate"
    finish(spectra, legend=legend, yscale="log", xlim=(0, 400), xlabel="frequency (Hz)", ylabel=power)
    spectra.set_ylim(top=spectra.get_ylim()[1] * 30)  # room for the legend
    finish(correlations, xlabel="window (ms)", ylabel="pairwise correlation")
    finish(irregularity, xscale="log", xlabel="population Fano factor (1 ms)", ylabel="CV of intervals")
    irregularity.margins(0.3)
    irregularity.set_ylim(-0.05)
    finish(rates, xscale="log", xlabel="mean-field rate (Hz)", ylabel=relative, xlim=(3, 1000))
    rates.margins(y=0.2)
