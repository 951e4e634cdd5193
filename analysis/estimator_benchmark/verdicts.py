"""Claims of the study `estimator_benchmark` with their verdicts, its summary tables and its figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from ..harness import Claim
from ..shared.figures import log_axis
from ..shared.tables import where
from .simulation import ESTIMATORS, KINDS, ON_WORDS, SYMBOLS

# bits, uniform distribution, one sample per symbol; independent calculation
INDEPENDENT = {"plugin": 5.82, "nsb": 6.54}
ROOM = 3.0  # standard errors of a fraction of repeats


def shown(table: pd.DataFrame) -> list[str]:
    """Names of the channels in the figure, all except the words of each kind."""
    return [name for name in dict.fromkeys(table.channel) if not name.startswith(KINDS)]


def few_trials(table: pd.DataFrame, trials: int) -> str:
    """Markdown table for the words of each kind with few trials: bias and coverage, and the bracket of "auto"."""
    names = [name for name in ON_WORDS if name != "auto"]
    lines = [
        f"| words, {trials} trials per stimulus | truth | {' | '.join(names)} | auto: from, to; coverage |",
        "|---" * (len(names) + 3) + "|",
    ]
    rows = table[~table.channel.isin(shown(table)) & (table.trials == trials)]
    for channel, own in rows.groupby("channel", sort=False):
        own = own.set_index("estimator")
        cells = [f"{own.truth.iloc[0]:.2f}"]
        for name in names:
            bias, coverage = own["mean"][name] - own.truth[name], own.coverage[name]
            cells.append("NaN" if np.isnan(bias) else f"{bias:+.2f}, {100 * coverage:.0f} %")
        auto = own.loc["auto"]
        cells.append(f"{auto.lower:.2f}, {auto.upper:.2f}; {100 * auto.coverage:.0f} %")
        lines.append(f"| {channel} | {' | '.join(cells)} |")
    return "\n".join(lines)


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    bias = (table["mean"] - table.truth).rename("bias")
    at = table.assign(bias=bias).set_index(["channel", "estimator", "per response"]).bias
    inside = table[table["in regime"]]
    room = ROOM * np.sqrt(0.9 * 0.1 / inside.repeats)
    covered = inside.groupby("estimator").coverage
    mean, least = covered.mean(), covered.min()
    flat = where(table, channel="uniform", trials=SYMBOLS).set_index("estimator")
    error = flat.sd / np.sqrt(flat.repeats)
    curve = where(table, channel="curve", trials=table.trials[table.channel == "curve"].max())
    curve = curve.set_index("estimator")
    share = curve["mean"] / curve.truth
    four = {name: float(at["words", name, 4.0]) for name in ("panzeri-treves", "miller-madow", "plugin")}
    eight = float(at["words", "plugin", 8.0])
    return [
        Claim(
            "words, four trials per response: Panzeri-Treves is within .02 bit of the true value",
            abs(four["panzeri-treves"]) < 0.02,
            f"{four['panzeri-treves']:+.4f} bit; Miller-Madow {four['miller-madow']:+.4f}",
        ),
        Claim(
            "words, eight trials per response: the plug-in estimate is more than .02 bit too high",
            eight > 0.02,
            f"{eight:+.4f} bit; at four {four['plugin']:+.4f}",
        ),
        Claim(
            f"every estimator, channel and size in its regime: two standard errors cover the true value in 90 % of the repeats, "
            f"minus {ROOM:g} standard errors of that fraction",
            (inside.coverage >= 0.9 - room).all(),
            "; ".join(
                f"{name} {100 * mean[name]:.0f} % (worst channel and size {100 * least[name]:.0f} %)"
                for name in mean.index
            ),
        ),
        _few_trials(table),
        Claim(
            "uniform distribution, one sample per symbol: plug-in 5.82, NSB 6.54 bit, as in an independent calculation, |z| < 4",
            all(abs(flat["mean"][x] - number) < 0.005 + 4 * error[x] for x, number in INDEPENDENT.items()),
            "; ".join(f"{x} {flat['mean'][x]:.3f}, SD {flat.sd[x]:.2f}" for x in INDEPENDENT),
        ),
        Claim(
            "a curve without correlation: KSG finds more than 90 % of the information, the Gaussian copula less than 10 %",
            share["ksg"] > 0.9 and share["gaussian-copula"] < 0.1,
            f"KSG {100 * share['ksg']:.1f} %, copula {100 * share['gaussian-copula']:.1f} % of {curve.truth.iloc[0]:.3f} bit",
        ),
    ]


def _few_trials(table: pd.DataFrame) -> Claim:
    rows = table[~table.channel.isin(shown(table)) & (table.estimator == "auto")]
    worst = rows.loc[rows.coverage.idxmin()]
    others = table[~table.channel.isin(shown(table)) & (table.estimator != "auto")]
    least = others.groupby("estimator").coverage.min()
    room = ROOM * np.sqrt(0.9 * 0.1 / rows.repeats)
    return Claim(
        f"words of every kind with few trials: two standard errors or the bracket of 'auto' cover the true value in 90 % of the "
        f"repeats, minus {ROOM:g} standard errors of that fraction",
        (rows.coverage >= 0.9 - room).all(),
        f"worst {100 * worst.coverage:.0f} % ({worst.channel}, {worst.trials} trials); the other estimators, all with a warning: "
        + "; ".join(f"{name} {100 * value:.0f} %" for name, value in least.items()),
    )


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Bias, spread and coverage."""
    bias = table["mean"] - table.truth
    spread = table.sd / np.sqrt(table.repeats)
    return pd.DataFrame(
        {
            "channel": table.channel,
            "estimator": table.estimator,
            "trials": table.trials,
            "true value (bit)": table.truth.map("{:.3f}".format),
            "bias (bit)": [f"{b:+.4f} ± {e:.4f}" for b, e in zip(bias, spread, strict=True)],
            "SD": table.sd.map("{:.4f}".format),
            "mean SE": table.se.map("{:.4f}".format),
            "within 2 SE (%)": (100 * table.coverage).map("{:.0f}".format),
            "in regime": table["in regime"].map({True: "yes", False: "no"}),
            "no value (%)": (100 * table["without value"]).map("{:.0f}".format),
            "warned (%)": (100 * table.warned).map("{:.0f}".format),
        }
    )


def plot(table: pd.DataFrame) -> Figure:
    """Bias (top) and standard deviation (bottom) against trials; filled points: the estimator is in its regime."""
    names = shown(table)
    figure = Figure(figsize=(2.3 * len(names), 5.6), layout="constrained")
    axes = figure.subplots(2, len(names), sharex="col", squeeze=False)
    for column, channel in enumerate(names):
        for estimator, colour in ESTIMATORS.items():
            rows = where(table, channel=channel, estimator=estimator).sort_values("trials")
            if rows.empty:
                continue
            inside = rows["in regime"].to_numpy(dtype=bool)
            for ax, y in zip(axes[:, column], (rows["mean"] - rows.truth, rows.sd), strict=True):
                ax.plot(rows.trials, y, color=colour, lw=1.2, label=estimator)
                ax.plot(rows.trials[inside], y[inside], "o", color=colour, ms=4)
                ax.plot(rows.trials[~inside], y[~inside], "o", color=colour, ms=4, mfc="white")
        top, bottom = axes[:, column]
        top.set_title(
            f"{channel}\n(true value {table.truth[table.channel == channel].iloc[0]:.2f} bit)", fontsize=10
        )
        top.axhline(0, color="black", lw=0.8, zorder=0)
        top.set_yscale("symlog", linthresh=0.02)
        low, high = top.get_ylim()
        top.set_ylim(min(low, -0.03), max(high, 0.03))  # so that the axis has labels
        bottom.set_yscale("log")
        log_axis(bottom, np.unique(table.trials[table.channel == channel]))
        bottom.set_xlabel("trials per stimulus" if channel in ("words", "counts") else "samples")
        for ax in (top, bottom):
            ax.spines[["top", "right"]].set_visible(False)
            ax.tick_params(labelsize=8)
    axes[0, 0].set_ylabel("bias (bit)")
    axes[1, 0].set_ylabel("SD over repeats (bit)")
    handles = dict(zip(*reversed(axes[0, 0].get_legend_handles_labels()), strict=True))
    handles |= dict(zip(*reversed(axes[0, -1].get_legend_handles_labels()), strict=True))
    for face, text in (("black", "in its regime"), ("white", "outside its regime")):
        handles[text] = Line2D([], [], color="black", marker="o", ms=4, mfc=face, ls="")
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=7, frameon=False, fontsize=8)
    return figure
