"""Claims of the study `rate_vs_temporal` with their verdicts, its summary tables and its figures."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import stats

from ..harness import Claim, secondary
from ..shared.figures import GREY, STYLES, curve, finish, log_axis, means
from ..shared.intervals import above, interval, interval_text, mean_and_half
from ..shared.tables import where
from .config import CLAIM

GONE = 0.05
"""bits; a surplus below this counts as vanished"""
DECODED = 0.2
"""bits that the best distance must carry in each seed for its precision to be evaluated"""
COST_OF_TIME = 100.0
"""1/s, for the recorded neuron"""


def information_by_seed(table: pd.DataFrame, code: str, tau: float, sigma: float) -> pd.DataFrame:
    """Information (bits) in the LIF neuron's responses: a row per seed, a column per resolution or cost."""
    own = where(table, part="LIF", code=code, tau=tau, sigma=sigma)
    return own.pivot(index="group", columns="x", values="value")


def finest(table: pd.DataFrame, code: str, tau: float, sigma: float) -> np.ndarray:
    """Information (bits) at the finest resolution, for each seed."""
    return information_by_seed(table, code, tau, sigma).iloc[:, 0].to_numpy(dtype=float)


def surplus(table: pd.DataFrame, tau: float, sigma: float) -> np.ndarray:
    """Information in words at the finest resolution minus that in counts, for each seed."""
    return finest(table, "words", tau, sigma) - finest(table, "count", tau, sigma)


def half_cost(costs: np.ndarray, bits: np.ndarray) -> float:
    """Cost beyond the maximum at which the information has fallen to half, by interpolation in log q; the largest cost if it
    does not fall so far."""
    most = int(np.argmax(bits))
    for k in range(most + 1, bits.size):
        if bits[k] < bits[most] / 2:
            share = (bits[k - 1] - bits[most] / 2) / (bits[k - 1] - bits[k])
            low = max(costs[k - 1], costs[k] / 2)  # the first cost is 0
            return float(low * (costs[k] / low) ** share)
    return float(costs[-1])


def half_costs(table: pd.DataFrame, tau: float, sigma: float) -> np.ndarray:
    """`half_cost` of each seed."""
    curves = information_by_seed(table, "distance", tau, sigma)
    return np.array([half_cost(curves.columns.to_numpy(dtype=float), row) for row in curves.to_numpy()])


def _cost_text(table: pd.DataFrame, costs: np.ndarray) -> str:
    """Geometric mean of costs over seeds as text; `half_cost` is at most the largest cost."""
    largest = table[table.code == "distance"].x.max()
    return f"{stats.gmean(costs):.0f} / s" if (costs < largest).any() else f"beyond {largest:g} / s"


def decodable_noises(table: pd.DataFrame, tau: float, least: float = DECODED) -> list[float]:
    """Noise levels at which the best distance carries at least `least` bits in each seed."""
    sigmas = axis(table, "sigma")
    return [s for s in sigmas if (information_by_seed(table, "distance", tau, s).max(axis=1) >= least).all()]


def axis(table: pd.DataFrame, name: str) -> list[float]:
    """Sorted values of a column of the LIF neuron\'s rows: its correlation times or noise levels."""
    return sorted(table[table.part == "LIF"][name].unique())


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    taus, sigmas = axis(table, "tau"), axis(table, "sigma")
    return [
        *_claims_of_surplus(table, taus, sigmas),
        *_claims_of_distances(table, taus),
        *_secondary_claims(table, taus, sigmas),
        *_claims_of_the_recording(table),
    ]


def _claims_of_surplus(table: pd.DataFrame, taus: list[float], sigmas: list[float]) -> list[Claim]:
    extra = {(t, s): surplus(table, t, s) for t in taus for s in sigmas}
    fast, slow, least, most = taus[0], taus[-1], sigmas[0], sigmas[-1]
    rises = [interval(extra[t, b] - extra[t, a])[1] for t in taus for a, b in itertools.pairwise(sigmas)]
    bits = {code: finest(table, code, fast, least).mean() for code in ("words", "count")}
    return [
        Claim(
            "at the smallest noise and for the fastest stimuli, words at the finest resolution carry more information "
            "than counts (95 %)",
            above(extra[fast, least], 0.0),
            f"{bits['words']:.2f} against {bits['count']:.2f} bit, surplus {interval_text(extra[fast, least], 'bit')}",
        ),
        Claim(
            "the surplus falls with noise at every time scale: smaller at the largest than at the smallest noise, no "
            "step up (95 %)",
            all(above(extra[t, least] - extra[t, most], 0.0) for t in taus) and max(rises) <= 0,
            "; ".join(
                f"{1e3 * t:g} ms: " + ", ".join(f"{extra[t, s].mean():.2f}" for s in sigmas) for t in taus
            )
            + f" bit at sigma {', '.join(f'{s:g}' for s in sigmas)} mV",
        ),
        Claim(
            f"at the largest noise the surplus is below {GONE:g} bit at every time scale (95 %)",
            all(interval(extra[t, most])[2] < GONE for t in taus),
            "; ".join(f"{1e3 * t:g} ms {interval_text(extra[t, most], 'bit')}" for t in taus),
        ),
        Claim(
            "at the smallest noise the surplus is larger for the fastest stimuli than for the slowest (95 %, paired by seed)",
            above(extra[fast, least] - extra[slow, least], 0.0),
            f"{1e3 * fast:g} ms {extra[fast, least].mean():.2f}, {1e3 * slow:g} ms {extra[slow, least].mean():.2f}; difference "
            + interval_text(extra[fast, least] - extra[slow, least], "bit"),
        ),
    ]


def _claims_of_distances(table: pd.DataFrame, taus: list[float]) -> list[Claim]:
    falls, best, texts, peaks = [], [], [], []
    for t in taus:
        usable = decodable_noises(table, t)
        if len(usable) < 2:
            falls.append(False)
            texts.append(
                f"{1e3 * t:g} ms: {len(usable)} noise levels at which distances carry {DECODED:g} bit"
            )
            continue
        few, many = (half_costs(table, t, s) for s in (usable[0], usable[-1]))
        falls.append(above(np.log2(few / many), 0.0))
        texts.append(
            f"{1e3 * t:g} ms: {_cost_text(table, few)} at sigma {usable[0]:g} mV, {_cost_text(table, many)} at {usable[-1]:g} mV"
        )
        top = [information_by_seed(table, "distance", t, s).idxmax(axis=1) for s in usable]
        best.append(above(top[0] - top[-1], 0.0))
        peaks.append(f"{1e3 * t:g} ms: " + ", ".join(f"{q.mean():.0f}" for q in top))
    return [
        Claim(
            "the cost at which distances have lost half of their information falls with noise, at every time scale (95 %)",
            all(falls),
            "; ".join(texts),
        ),
        secondary(
            "the cost with the largest information, q_max, falls with noise, at every time scale (95 %)",
            len(best) == len(taus) and all(best),
            "; ".join(peaks) + " / s, means over seeds, from the smallest noise on",
        ),
    ]


def required_resolution(table: pd.DataFrame, tau: float, sigma: float) -> float:
    """The coarsest resolution (s) at which words carry 90 % of the information at the finest, mean over seeds."""
    bits = information_by_seed(table, "words", tau, sigma).mean()
    return float(bits.index[bits >= 0.9 * bits.iloc[0]].max())


def _secondary_claims(table: pd.DataFrame, taus: list[float], sigmas: list[float]) -> list[Claim]:
    fast, slow, least = taus[0], taus[-1], sigmas[0]
    first = finest(table, "latency", fast, least) - finest(table, "count", fast, least)
    telling = [s for s in sigmas if all(finest(table, "words", t, s).mean() > 2 * GONE for t in taus)]
    share = {
        (t, s): surplus(table, t, s) / finest(table, "words", t, s) for t in (fast, slow) for s in telling
    }
    coarser = {t: [required_resolution(table, t, s) for s in telling] for t in taus}
    return [
        secondary(
            "at the smallest noise and for the fastest stimuli, the latency of the first spike carries more "
            "information than the count (95 %)",
            above(first, 0.0),
            f"{interval_text(first, 'bit')} at the finest resolution",
        ),
        secondary(
            "the share of timing in the information of words is smaller for the slowest stimuli if words carry "
            f"{2 * GONE:g} bit (95 %)",
            len(telling) > 0 and all(above(share[fast, s] - share[slow, s], 0.0) for s in telling),
            ", ".join(
                f"sigma {s:g}: {100 * share[fast, s].mean():.0f} and {100 * share[slow, s].mean():.0f} %"
                for s in telling
            ),
        ),
        secondary(
            "the resolution that preserves 90 % of the information in words coarsens with noise, at every time scale",
            len(telling) > 1 and all(c[-1] > c[0] and min(np.diff(c)) >= 0 for c in coarser.values()),
            "; ".join(f"{1e3 * t:g} ms: " + ", ".join(f"{1e3 * x:g}" for x in c) for t, c in coarser.items())
            + f" ms at sigma {', '.join(f'{s:g}' for s in telling)} mV",
        ),
    ]


def recorded_settings(table: pd.DataFrame) -> pd.DataFrame:
    """Each setting of the recording: reliability, mean curve of distances, and gain of timing in each group of windows."""
    rows = []
    own = table[table.part == "cortex"]
    for setting, part in own.groupby(own.setting.astype(float).astype(int)):
        curves = part[part.code == "distance"].pivot(index="group", columns="x", values="value")
        reliability = part[part.code == "reliability"].value.iloc[0]
        gain = (curves[COST_OF_TIME] - curves[0.0]).to_numpy(dtype=float)
        rows.append({"setting": setting, "reliability": reliability, "gain": gain, "curve": curves.mean()})
    return pd.DataFrame(rows)


def _claims_of_the_recording(table: pd.DataFrame) -> list[Claim]:
    if not (table.part == "cortex").any():
        return []
    settings = recorded_settings(table).set_index("setting")
    high, low = settings.gain[11], settings.gain[12]
    gains = np.array([g.mean() for g in settings.gain])
    rank = stats.spearmanr(settings.reliability, gains)
    return [
        secondary(
            "recorded neuron, most reliable setting (11): distances with a cost of time carry more information than counts (95 %)",
            above(high, 0.0),
            f"{interval_text(high, 'bit')} over {high.size} groups of windows, {COST_OF_TIME:g} / s against 0",
        ),
        secondary(
            "recorded neuron: the gain of timing is larger in the most reliable setting (11) than in the least "
            "reliable one (12) (95 %)",
            above(high - low, 0.0),
            f"reliability {settings.reliability[11]:.2f} and {settings.reliability[12]:.2f}; {interval_text(high - low, 'bit')}",
        ),
        secondary(
            "recorded neuron: over the eight settings the gain of timing rises with reliability (rank correlation, p < .05)",
            rank.statistic > 0 and rank.pvalue < 0.05,
            f"{rank.statistic:+.2f}, p = {rank.pvalue:.2g}; "
            + ", ".join(
                f"{k:02d} {r:.2f}: {g:+.2f}"
                for k, r, g in zip(settings.index, settings.reliability, gains, strict=True)
            ),
        ),
    ]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means over seeds at each time scale and noise."""
    rows = []
    for t, s in itertools.product(axis(table, "tau"), axis(table, "sigma")):
        row = {"tau (ms)": f"{1e3 * t:g}", "sigma (mV)": f"{s:g}"}
        row["spikes"] = f"{where(table, code='spikes', tau=t, sigma=s).value.mean():.2f}"
        for code in ("count", "latency", "words"):
            row[f"{code} (raw bit)"] = f"{finest(table, code, t, s).mean():.3f}"
        extra, decodable = surplus(table, t, s), s in decodable_noises(table, t)
        row["surplus (bit)"] = f"{extra.mean():.3f} ± {stats.sem(extra):.3f}"
        row["required resolution (ms)"] = f"{1e3 * required_resolution(table, t, s):g}"
        row["half lost at cost"] = _cost_text(table, half_costs(table, t, s)) if decodable else ""
        rows.append(row)
    return pd.DataFrame(rows)


def headline(table: pd.DataFrame) -> str:
    """The main result in a sentence."""
    taus, sigmas = axis(table, "tau"), axis(table, "sigma")
    few, most = (surplus(table, taus[0], s).mean() for s in (sigmas[0], sigmas[-1]))
    return (
        f"For stimuli with a time scale of {1e3 * taus[0]:g} ms, spike times add {few:.2f} bit to the spike count at sigma "
        f"{sigmas[0]:g} mV, and {most:.2f} bit at {sigmas[-1]:g} mV."
    )


CODES = {"words": "words", "latency": "first-spike latency", "count": "count"}
OVER_NULL = "information over the null (bit)"


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The main figure, words against resolution, and the recording where it is present."""
    drawn = {
        f"{CLAIM}. Left: information in words and first-spike latencies at the finest resolution, and in counts, against noise. "
        "Middle: words minus counts, for each time scale of the stimuli. Right: information in distances against their cost of "
        "time, a curve per noise; vertical lines: cost at which half is lost. Bars and bands: 95 % intervals over seeds.": plot(
            table
        ),
        "Information in words against bin width; the widest bin is the whole window (the count). Bars: 95 % intervals over "
        "seeds.": plot_resolutions(table),
    }
    if (table.part == "cortex").any():
        drawn[
            "Information in a recorded cortical neuron about eight windows of 150 ms, decoded by distance, four "
            "repeats of each, minus "
            "that of shuffled labels. Left: against the cost of time; thick lines: the two settings that are compared. Right: gain "
            "of timing against the reliability of the spikes (Gamma, 2 ms); bars: 95 % intervals over groups of windows."
        ] = plot_cortex(table)
    return drawn


def _style(k: int) -> dict[str, Any]:
    colour, marker, line = STYLES[k % len(STYLES)]
    return {"color": colour, "marker": marker, "ls": line, "mfc": "white"}


def plot(table: pd.DataFrame) -> Figure:
    """Information of each code against noise, surplus at each time scale, and distances against their cost of time."""
    figure = Figure(figsize=(10.5, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    taus, sigmas = axis(table, "tau"), axis(table, "sigma")
    for k, (code, name) in enumerate(CODES.items()):
        means(left, sigmas, [finest(table, code, taus[0], s) for s in sigmas], label=name, **_style(k))
    for k, t in enumerate(taus):
        label = f"stimuli of {1e3 * t:g} ms"
        means(middle, sigmas, [surplus(table, t, s) for s in sigmas], label=label, **_style(k))
    for ax in (left, middle):
        log_axis(ax, sigmas)
    middle.axhline(0, color=GREY, lw=0.8)
    noise, fastest = "noise sigma (mV)", f"stimuli of {1e3 * taus[0]:g} ms"
    finish(left, xlabel=noise, ylabel="raw information (bit)", ylim=(0, None), title=fastest)
    finish(middle, xlabel=noise, ylabel="surplus of timing (bit)", title="words minus counts")
    _distances(right, table, taus[0], sigmas)
    right.set_title(f"distances, {fastest}")
    return figure


def _costs(ax: Any, costs: np.ndarray) -> np.ndarray:
    """Positions of the costs on a logarithmic axis, 0 one step below the first."""
    places = np.where(costs > 0, costs, costs[1] / 2)
    shown = places[::2] if costs.size > 6 else places
    log_axis(ax, shown)
    ax.set_xticks(shown, ["0" if p == costs[1] / 2 else f"{p:g}" for p in shown])
    ax.axhline(0, color=GREY, lw=0.8)
    return places


def _distances(ax: Any, table: pd.DataFrame, tau: float, sigmas: list[float]) -> None:
    """Information in distances against their cost of time, a line per noise."""
    telling, top = decodable_noises(table, tau), 0.0
    for k, sigma in enumerate(sigmas):
        seeds, style = information_by_seed(table, "distance", tau, sigma), _style(k)
        places = _costs(ax, seeds.columns.to_numpy(dtype=float))
        mean, half = np.array([mean_and_half(seeds[q]) for q in seeds]).T
        ax.fill_between(places, mean - half, mean + half, color=style["color"], alpha=0.15, lw=0)
        ax.plot(places, mean, ms=4, lw=1.2, label=f"{sigma:g} mV", **style)
        if sigma in telling:
            at = float(stats.gmean(half_costs(table, tau, sigma)))
            ax.plot([at] * 2, [0, 0.5 * mean.max()], color=style["color"], ls=style["ls"], lw=0.9)
        top = max(top, mean.max())
    legend = {"title": "noise sigma", "title_fontsize": 8, "ncols": 3, "loc": "upper center"}
    finish(ax, legend=legend, xlabel="cost of time q (1/s)", ylabel=OVER_NULL)
    ax.set_ylim(top=1.45 * top)


def plot_resolutions(table: pd.DataFrame) -> Figure:
    """Information in words against bin width, a panel per time scale."""
    taus = axis(table, "tau")
    figure = Figure(figsize=(3.3 * len(taus) + 0.6, 3.3), layout="constrained")
    axes = figure.subplots(1, len(taus), sharey=True, squeeze=False)[0]
    place = {"title": "noise sigma", "title_fontsize": 8, "loc": "center left", "bbox_to_anchor": (1, 0.5)}
    for ax, t in zip(axes, taus, strict=True):
        for k, s in enumerate(axis(table, "sigma")):
            bits = pd.concat([information_by_seed(table, code, t, s) for code in ("words", "count")], axis=1)
            bits.columns = 1e3 * bits.columns.to_numpy(dtype=float)
            curve(ax, bits, label=f"{s:g} mV" if t == taus[-1] else None, **_style(k))
        log_axis(ax, bits.columns)
        finish(ax, legend=place, xlabel="bin width (ms)", title=f"stimuli of {1e3 * t:g} ms")
    axes[0].set_ylabel("raw information (bit)")
    return figure


def plot_cortex(table: pd.DataFrame) -> Figure:
    """Recorded neuron: information against the cost of time in each setting, and gain of timing against reliability."""
    figure = Figure(figsize=(8, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for k, row in enumerate(recorded_settings(table).itertuples()):
        style, compared = _style(k), row.setting in (11, 12)
        places = _costs(left, row.curve.index.to_numpy(dtype=float))
        left.plot(places, row.curve, ls=style["ls"], color=style["color"], lw=2.2 if compared else 0.9)
        if compared:
            style["mfc"] = style["color"]
        middle, low, _ = interval(row.gain)
        right.errorbar(row.reliability, middle, middle - low, capsize=2, label=f"{row.setting:02d}", **style)
    right.axhline(0, color=GREY, lw=0.8)
    finish(left, xlabel="cost of time q (1/s)", ylabel=OVER_NULL)
    gain = f"gain of timing, cost {COST_OF_TIME:g} / s minus 0 (bit)"
    legend = {"title": "setting", "title_fontsize": 8, "ncols": 2}
    finish(right, legend=legend, xlabel="reliability (Gamma, 2 ms)", ylabel=gain)
    return figure
