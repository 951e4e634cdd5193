"""Brunel's sparse network in its four states, told apart by rate, irregularity and synchrony, and held against its mean field.

Ten thousand excitatory and 2,500 inhibitory leaky neurons, each with 1,000 and 250 synapses from within and Poisson input from
outside. Inhibition g and external drive eta decide how it fires: all together and regularly (SR), irregularly and independently
(AI), or irregularly in a population rhythm that is fast (SI fast) or slow (SI slow). Single neurons are told by the CV of their
intervals; synchrony by the Fano factor of the population's count in windows of 1 ms, which is 1 for independent neurons (less for
regular ones) and grows with the network's size where they are synchronous; rhythms by the peak of the count's spectrum.
In the asynchronous state the mean field theory, self-consistent rates from Siegert's formula, is to give the rate.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from brian2 import second
from matplotlib.figure import Figure

import nsnn_neuro as nsnn
from nsnn_neuro import measures, theory

from .harness import Claim, check

CLAIM = "Brunel's four states are told apart by rate, CV and population Fano factor; the asynchronous one has its mean-field rate"

STATES = {"SR": (3.0, 2.0), "AI": (5.0, 2.0), "SI fast": (6.0, 4.0), "SI slow": (4.5, 0.9)}
COLOURS = {"SR": "#CC79A7", "AI": "#0072B2", "SI fast": "#D55E00", "SI slow": "#009E73"}


@dataclasses.dataclass(frozen=True)
class Config:
    """Everything that decides a run. Times in s."""

    seed: int = 1
    quick: bool = False
    n_e: int = 10_000
    epsilon: float = 0.1
    """n_e epsilon is the excitatory in-degree, 1,000"""
    seconds: float = 1.0
    """after a transient of 0.2 s"""
    transient: float = 0.2
    states: tuple[str, ...] = tuple(STATES)

    def __post_init__(self) -> None:
        if self.quick:
            object.__setattr__(self, "seconds", 0.3)


def run(
    config: Config, out: Path | None = None, progress: Callable[[str], None] = lambda text: None
) -> pd.DataFrame:
    """One row for each state: rate and its standard error over windows of 50 ms, CV, population Fano factor, spectral peak; the
    population's counts in windows of 1 ms stand in the columns "count k"."""
    rows = []
    for name in config.states:
        g, eta = STATES[name]
        net = nsnn.brunel(
            g=g, eta=eta, n_e=config.n_e, n_i=config.n_e // 4, epsilon=config.epsilon, seed=config.seed
        )
        n = sum(p.n for p in net.populations)
        progress(f"{name}: g {g:g}, eta {eta:g}, {n} neurons for {config.transient + config.seconds:g} s")
        block = nsnn.simulate(
            net, duration=(config.transient + config.seconds) * second, seed=config.seed, progress=False
        )
        mean_field = theory.brunel_rates(g=g, eta=eta)
        counts = population_counts(block, config.transient)
        windows = counts[: counts.size // 50 * 50].reshape(-1, 50).sum(axis=1) / (n * 0.05)
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", measures.SilentNeuronWarning
            )  # in the slow state most have no two intervals
            cv = measures.cv(block, t_start=config.transient * second)
        spectrum = np.abs(np.fft.rfft(counts - counts.mean())) ** 2
        rows.append(
            {
                "state": name,
                "g": g,
                "eta": eta,
                "neurons": n,
                "rate": counts.sum() / (n * config.seconds),
                "se": windows.std(ddof=1) / np.sqrt(windows.size),
                "mean field": mean_field[-1] if mean_field.size else 0.0,
                "cv": np.nanmean(cv),
                "fano": counts.var() / counts.mean(),
                "peak": np.fft.rfftfreq(counts.size, 1e-3)[1 + np.argmax(spectrum[1:])],
                **{f"count {k}": c for k, c in enumerate(counts)},
            }
        )
    return pd.DataFrame(rows)


def population_counts(block, t_start: float) -> np.ndarray:
    """Spikes of all neurons in windows of 1 ms from t_start (s) on."""
    trains = block.segments[0].spiketrains
    times = np.asarray(trains.multiplexed[1].rescale("s").magnitude)
    stop = float(trains.t_stop.rescale("s"))
    edges = (
        t_start + 1e-3 * np.arange(round((stop - t_start) / 1e-3) + 1) - 1e-7
    )  # spikes are dated at a step's beginning
    return np.histogram(times, edges)[0].astype(float)


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    of = {row.state: row for row in table.itertuples()}
    found = []
    if "AI" in of:
        ai = of["AI"]
        error = ai.rate / table.loc[table.state == "AI", "mean field"].iloc[0] - 1
        found.append(
            Claim(
                "AI: the rate is within 5 % of the mean field's",
                bool(abs(error) < 0.05),
                f"{ai.rate:.2f} ± {ai.se:.2f} Hz, {100 * error:+.1f} %",
            )
        )
        found.append(Claim("AI: irregular, CV above 0.3", bool(ai.cv > 0.3), f"{ai.cv:.2f}"))
        for name in set(of) - {"AI"}:
            found.append(
                Claim(
                    f"{name}: the population's Fano factor is above that of AI",
                    bool(of[name].fano > ai.fano),
                    f"{of[name].fano:.0f} against {ai.fano:.0f}",
                )
            )
    if "SR" in of:
        found.append(
            Claim(
                "SR: regular and fast, CV below 0.2 and more than 100 Hz",
                bool(of["SR"].cv < 0.2 and of["SR"].rate > 100),
                f"{of['SR'].cv:.2f}, {of['SR'].rate:.0f} Hz",
            )
        )
    if "SI fast" in of:
        row = of["SI fast"]
        found.append(
            Claim(
                "SI fast: irregular neurons at 50 to 70 Hz in a rhythm of 130 to 220 Hz",
                bool(50 < row.rate < 70 and row.cv > 0.3 and 130 < row.peak < 220),
                f"{row.rate:.1f} Hz, CV {row.cv:.2f}, peak at {row.peak:.0f} Hz",
            )
        )
    if "SI slow" in of:
        row = of["SI slow"]
        found.append(
            Claim(
                "SI slow: neurons at 4 to 8 Hz in a rhythm of 15 to 35 Hz",
                bool(4 < row.rate < 8 and 15 < row.peak < 35),
                f"{row.rate:.1f} Hz, CV {row.cv:.2f}, peak at {row.peak:.0f} Hz",
            )
        )
    return found


def verify(table: pd.DataFrame) -> None:
    """Raise `ClaimFailed` when one of the claims doesn't hold."""
    check(claims(table))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """What the states are told by, for people."""
    return pd.DataFrame(
        {
            "state": table.state,
            "g": table.g.map("{:g}".format),
            "eta": table.eta.map("{:g}".format),
            "rate (Hz)": [f"{r:.2f} ± {e:.2f}" for r, e in zip(table.rate, table.se, strict=True)],
            "mean field (Hz)": table["mean field"].map("{:.2f}".format),
            "CV": table.cv.map("{:.2f}".format),
            "population Fano, 1 ms": table.fano.map("{:.0f}".format),
            "peak (Hz)": table.peak.map("{:.0f}".format),
        }
    )


def plot(table: pd.DataFrame) -> Figure:
    """The population's rate over the last 200 ms of each state, and CV against the Fano factor."""
    figure = Figure(figsize=(7.2, 4.6), layout="constrained")
    grid = figure.add_gridspec(len(table), 2, width_ratios=(2, 1))
    for k, row in enumerate(table.to_dict("records")):
        counts = np.array([v for name, v in row.items() if str(name).startswith("count ")])
        shown = counts[-200:] / (row["neurons"] * 1e-3)
        ax = figure.add_subplot(grid[k, 0])
        ax.fill_between(np.arange(shown.size), shown, step="post", color=COLOURS[row["state"]], lw=0)
        ax.set_ylabel(row["state"], rotation=0, ha="right", va="center")
        ax.set_ylim(0)
        ax.spines[["top", "right"]].set_visible(False)
        if k < len(table) - 1:
            ax.set_xticklabels([])
    ax.set_xlabel("time (ms); population rate (Hz) in windows of 1 ms")
    ax = figure.add_subplot(grid[:, 1])
    for state in table.itertuples():
        ax.plot(state.fano, state.cv, "o", color=COLOURS[state.state])
        ax.annotate(state.state, (state.fano, state.cv), xytext=(4, 5), textcoords="offset points")
    ax.set(xscale="log", xlabel="population Fano factor", ylabel="CV of intervals")
    ax.margins(0.25)
    ax.set_ylim(-0.05)  # regular neurons have a CV of 0
    ax.spines[["top", "right"]].set_visible(False)
    return figure
