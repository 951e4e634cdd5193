"""Claims of the study `recorded_codes` with their verdicts, its summary tables and its figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from ..harness import Claim, secondary
from ..shared.figures import BLUE, GREEN, GREY, ORANGE, PINK, equality, finish, means, points
from ..shared.intervals import holm, interval, interval_text, mean_and_half
from ..shared.tables import where
from . import config as c
from .config import CLAIM
from .population import ARMS, BINS, BOTH, COUNTS, EXCHANGED, LARGE, LATENCY, MIXED, NB, POISSON, SHUFFLED

PT, SHUFFLE, QUADRATIC = "panzeri-treves", "shuffle", "quadratic"


def responsive(table: pd.DataFrame) -> list[int]:
    """Numbers of the responsive cells."""
    rows = table[(table.part == "cell") & (table.quantity == "responsive") & (table.value > 0)]
    return sorted(int(cell) for cell in rows.cell)


def of_cells(
    table: pd.DataFrame, quantity: str, code: str = "", x: float | None = None, column: str = "value"
) -> pd.Series:
    """A quantity of the responsive cells, by cell."""
    rows = table[(table.part == "cell") & (table.quantity == quantity) & table.cell.isin(responsive(table))]
    rows = rows[rows.code == code] if code else rows
    rows = rows if x is None else rows[np.isclose(rows.x.astype(float), x)]
    return rows.set_index(rows.cell.astype(int))[column].astype(float).sort_index()


def by_image(table: pd.DataFrame, arm: str, quantity: str = "bits") -> pd.Series:
    """Bits (or accuracy) of a decoder, by image."""
    rows = where(table, part="decoder", code=arm, quantity=quantity)
    return rows.set_index(rows.image.astype(int)).value.astype(float).sort_index()


def above(values: pd.Series | np.ndarray, least: float = 0.0) -> float:
    """One-sided p of Student's t test that the mean exceeds `least`; 1 with fewer than three values."""
    known = np.asarray(values, dtype=float)
    known = known[~np.isnan(known)]
    if known.size < 3:
        return 1.0
    if known.std() == 0:
        return 0.0 if known[0] > least else 1.0
    return float(stats.ttest_1samp(known, least, alternative="greater").pvalue)


def _latency(table: pd.DataFrame) -> tuple[float, str]:
    latency, count = (of_cells(table, PT, code) for code in ("latency", "count"))
    gain = (latency - count).dropna()
    wins, n = int((gain > 0).sum()), int(gain.size)
    sign = float(stats.binomtest(wins, n, alternative="greater").pvalue) if n else 1.0
    # without information in latencies, which of two zeros is larger means nothing
    some = above(latency - of_cells(table, PT, "latency", column="null"))
    fair = (of_cells(table, QUADRATIC, "latency") - of_cells(table, QUADRATIC, "count")).dropna()
    text = f"{wins} of {n} responsive cells; mean of latency {latency.mean():.2f}, count {count.mean():.2f} bit, difference "
    text += f"{interval_text(gain, 'bit')} (95 % over cells); by quadratic extrapolation in {int((fair > 0).sum())} of {fair.size}"
    return max(sign, some), text


def _difference(table: pd.DataFrame, one: str, other: str) -> tuple[float, str]:
    """p that decoder `one` has more bits than `other`, and some at all; with evidence."""
    a, b = by_image(table, one), by_image(table, other)
    accuracy = [by_image(table, arm, "accuracy").mean() for arm in (one, other)]
    text = (
        f"{one} {a.mean():.2f}, {other} {b.mean():.2f} bit; difference {interval_text(a - b, 'bit')} (95 % over {a.size} images); "
        f"accuracy {accuracy[0]:.3f}, {accuracy[1]:.3f}"
    )
    return max(above(a - b), above(a)), text


def _majority(table: pd.DataFrame) -> tuple[float, str]:
    latency, bins = by_image(table, LATENCY), by_image(table, BINS)
    text = f"latencies {latency.mean():.2f}, bins {bins.mean():.2f} bit: {latency.mean() / bins.mean():.2f} of it; latencies "
    text += f"minus half of the bins' {interval_text(latency - bins / 2, 'bit')} (95 % over images)"
    return max(above(latency - bins / 2), above(latency), above(bins)), text


def _correlations(table: pd.DataFrame) -> tuple[float, str]:
    """Two one-sided tests that the change is above -5 % and below +5 % of the information."""
    own, mixed = by_image(table, COUNTS), by_image(table, SHUFFLED)
    change, most = mixed - own, c.MARGIN * own.mean()
    p = max(above(change, -most), above(-change, -most), above(own)) if own.size and own.mean() > 0 else 1.0
    text = f"{own.mean():.3f} bit, shuffled {mixed.mean():.3f}: change {interval_text(change, 'bit')} (95 % over images), "
    text += f"{100 * change.mean() / own.mean():+.1f} %"
    return p, text


def _sub_poisson(table: pd.DataFrame) -> tuple[float, str]:
    fano = of_cells(table, "Fano factor").dropna()
    p = float(stats.wilcoxon(fano - 1, alternative="less").pvalue) if fano.size > 2 else 1.0
    text = f"median {fano.median():.2f}, quartiles {fano.quantile(0.25):.2f} and {fano.quantile(0.75):.2f}; below 1 in "
    return p, text + f"{int((fano < 1).sum())} of {fano.size} cells"


def claims(table: pd.DataFrame) -> list[Claim]:
    """Claims with their evidence."""
    tests = {
        c.LATENCY_ABOVE_COUNT: _latency(table),
        c.TIMING_ADDS: _difference(table, BOTH, EXCHANGED),
        c.MAJORITY: _majority(table),
        c.NB_CALIBRATED: _difference(table, NB, POISSON),
        c.CORRELATIONS_SMALL: _correlations(table),
        c.SUB_POISSON: _sub_poisson(table),
    }
    corrected = holm([p for p, _ in tests.values()])
    central = [
        Claim(text, p < c.ALPHA, f"{evidence}; p {p:.2g} (Holm)")
        for (text, (_, evidence)), p in zip(tests.items(), corrected, strict=True)
    ]
    return central + [secondary(*parts) for parts in _secondary(table)]


def _secondary(table: pd.DataFrame) -> list[tuple[str, Any, str]]:
    """Text, verdict and evidence of each secondary claim."""
    changes = {
        size: by_image(table, SHUFFLED + end) - by_image(table, COUNTS + end)
        for size, end in (("groups of 4", ""), ("groups of 12", f", {LARGE}"))
    }
    words = where(table, part="cell", code="words")
    widths = sorted(words.x.dropna().unique(), reverse=True)
    gains = [of_cells(table, "gain", "words", w) for w in widths]
    gain_p = [of_cells(table, "gain", "words", w, "p") for w in widths]
    correlations = table[table.part == "correlation"].drop_duplicates("quantity").set_index("quantity")
    mean, near = (correlations.loc[f"mean over pairs{end}"] for end in ("", " within blocks"))
    drift_p, drift = _difference(table, MIXED, SHUFFLED)
    share, gain = of_cells(table, "share of gain"), of_cells(table, "gain variance")
    varies = of_cells(table, "gain variance", column="p")
    informed_p = {code: of_cells(table, PT, code, column="p") for code in ("count", "latency")}
    errors = {arm: _single(table, arm, "calibration error") for arm in (POISSON, NB)}
    latency_p, latency = _difference(table, LATENCY, COUNTS)
    return [
        (
            "shuffling trials changes the cross-entropy information of decoders of 4 and 12 cells by less than 2 standard errors",
            all(abs(change.mean()) < 2 * change.sem() for change in changes.values()),
            "; ".join(
                f"{size}: {change.mean():+.4f} ± {change.sem():.4f} bit (standard error over images)"
                for size, change in changes.items()
            ),
        ),
        (
            "the mean noise correlation over pairs is above that of shuffled trials (p < .05)",
            mean.p < c.ALPHA and mean.value > mean.null,
            f"{mean.value:.4f}; shuffled {mean.null:.4f} ± {mean.se:.4f}, p {mean.p:.2g}; within blocks of repeats "
            f"{near.value:.4f}, shuffled {near.null:.4f} ± {near.se:.4f}",
        ),
        (
            "the recording changes slowly: shuffling trials over blocks of repeats helps the decoder more than within them (over "
            "images, p < .05; added after the quick run)",
            drift_p < c.ALPHA,
            f"{drift}; variance of successive differences over that of repeats {correlations.loc['drift ratio', 'value']:.2f}",
        ),
        (
            "latencies of a group of cells carry more than its counts, by linear decoders (over images, p < .05)",
            latency_p < c.ALPHA,
            latency,
        ),
        (
            "both counts and latencies inform about the image in every responsive cell (p < .05)",
            all(len(p) and (p < c.ALPHA).all() for p in informed_p.values()),
            ", ".join(f"{code} in {(p < c.ALPHA).sum()} of {len(p)}" for code, p in informed_p.items()),
        ),
        (
            "words carry more than counts explain, in the majority of responsive cells at every bin width (p < .05 each)",
            all(len(p) and (p < c.ALPHA).mean() > 0.5 for p in gain_p),
            "; ".join(
                f"{1e3 * w:g} ms: {g.mean():+.3f} bit on average, {(p < c.ALPHA).sum()} of {len(p)}"
                for w, g, p in zip(widths, gains, gain_p, strict=True)
            ),
        ),
        (
            "a gain that varies between trials is found in the majority of responsive cells (modulated Poisson model, p < .05)",
            (varies < c.ALPHA).mean() > 0.5,
            f"in {int((varies < c.ALPHA).sum())} of {len(gain)}; medians: variance of the gain {gain.median():.3f}, its share of "
            f"the variance of counts {share.median():.2f}, excess variance {of_cells(table, 'excess variance').median():.3f}",
        ),
        (
            "negative binomial posteriors have a smaller calibration error than Poisson posteriors (two standard errors)",
            errors[POISSON][0] - errors[NB][0] > 2 * np.hypot(errors[POISSON][1], errors[NB][1]),
            ", ".join(
                f"{arm} {value:.3f} ± {se:.3f} (mean confidence {_single(table, arm, 'mean confidence')[0]:.2f}, accuracy "
                f"{by_image(table, arm, 'accuracy').mean():.2f})"
                for arm, (value, se) in errors.items()
            ),
        ),
    ]  # fmt: skip


def _single(table: pd.DataFrame, arm: str, quantity: str) -> tuple[float, float]:
    """Value and error of a quantity that a decoder has once."""
    row = where(table, part="decoder", code=arm, quantity=quantity).iloc[0]
    return float(row.value), float(row.se)


def headline(table: pd.DataFrame) -> str:
    """The main result in a sentence."""
    latency, count = (of_cells(table, PT, code) for code in ("latency", "count"))
    decoders = ", ".join(f"{by_image(table, arm).mean():.2f} from {arm}" for arm in (COUNTS, LATENCY, BOTH))
    return (
        f"{len(latency)} responsive cells: {latency.mean():.2f} bit about the image in the latency of the first spike, "
        f"{count.mean():.2f} in the count; latency ahead in {int((latency > count).sum())}. Decoders of groups of "
        f"cells, of at most {np.log2(by_image(table, COUNTS).size):.2f} bit: {decoders}."
    )


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Decoders of groups of cells: cross-entropy information and accuracy."""
    rows = []
    for arm in table[table.part == "decoder"].code.unique():
        bits, right = by_image(table, arm), by_image(table, arm, "accuracy")
        mean, low, high = interval(bits)
        row = {"decoder": arm, "cross-entropy information (bit)": f"{mean:.3f} [{low:.3f}, {high:.3f}]"}
        row["accuracy"] = f"{right.mean():.3f} ± {right.sem():.3f}"
        row["calibration error"] = f"{_single(table, arm, 'calibration error')[0]:.3f}"
        rows.append(row)
    return pd.DataFrame(rows)


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Information in single cells by code and correction; variability of counts."""
    rows = []
    cells = table[(table.part == "cell") & table.quantity.isin([PT, SHUFFLE, QUADRATIC])]
    for (code, x, bias), part in cells.groupby(["code", "x", "quantity"], dropna=False, sort=False):
        mean, low, high = interval((part.value - part.null).dropna())
        rows.append(
            {
                "code": code if np.isnan(x) else f"{code} of {1e3 * x:g} ms", "correction": bias,
                "information (bit)": f"{mean:.3f} [{low:.3f}, {high:.3f}]", "mean standard error": f"{part.se.mean():.3f}",
                "raw": f"{part.value.mean():.3f}",
                "mean null": f"{part.null.mean():+.4f}", "p < .05": f"{int((part.p < c.ALPHA).sum())} of {len(part)}",
                "with a warning": int(part.warning.notna().sum()),
            }
        )  # fmt: skip
    names = ("mean count", "Fano factor", "excess variance", "gain variance", "share of gain")
    values = pd.DataFrame({name: of_cells(table, name) for name in names})
    quantiles = values.quantile([0, 0.25, 0.5, 0.75, 1]).round(3)
    quantiles.insert(0, "quantile", ["least", "quarter", "median", "three quarters", "most"])
    return {
        "Information in single cells, means over cells with 95 % intervals": pd.DataFrame(rows),
        "Variability of counts over responsive cells": quantiles,
    }


SHORT = {
    POISSON: "counts, Poisson",
    NB: "counts,\nnegative binomial",
    SHUFFLED: "counts, trials\nshuffled in blocks",
    MIXED: "counts, trials\nshuffled over blocks",
    EXCHANGED: "counts and\nexchanged latencies",
}


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The main figure, and variability, noise correlations and calibration."""
    return {
        f"{CLAIM}. A: information about the image in each responsive cell, by latency and by count (seven classes each; "
        "Panzeri-Treves; bars: one standard error); line: equality. B: mean over cells of counts, latencies and words of several "
        "bin widths, by two corrections of the bias; bars: 95 % intervals over cells. C: cross-entropy information of decoders of "
        "four cells, linear unless named, mean over groups; bars: 95 % intervals over images; dotted line: entropy of the "
        "images.": plot(table),
        "A: Fano factor of each responsive cell, mean over images with a mean count of one spike or more, against its mean count; "
        "line: Poisson. "
        "B: noise correlations of all pairs within images and blocks of repeats, recorded and with trials shuffled. C: "
        "cross-entropy information of each image, Poisson and negative binomial posteriors; line: equality. D: counts as recorded "
        "and with trials shuffled within blocks, linear decoder; line: equality.": variability(table),
    }


def plot(table: pd.DataFrame) -> Figure:
    """Latency against count in each cell, information by code, and decoders of groups of cells."""
    figure = Figure(figsize=(12, 4.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3, width_ratios=(1, 1.1, 1))
    _latency_and_count(left, table)
    _codes(middle, table)
    _decoders(right, table)
    return figure


def _latency_and_count(ax: Axes, table: pd.DataFrame) -> None:
    count, latency = (of_cells(table, PT, code) for code in ("count", "latency"))
    across, up = (of_cells(table, PT, code, column="se") for code in ("count", "latency"))
    top = 1.08 * max(float(count.max()), float(latency.max()))
    equality(ax, 0, top)
    style = {"fmt": "o", "ms": 4, "color": BLUE, "mfc": "white", "lw": 0.8, "capsize": 0}
    points(ax, count, latency, up, xerr=across, **style)
    ticks, bits = np.arange(0, top, 0.5), "raw information in the {} (bit)"
    square = {"xlim": (0, top), "ylim": (0, top), "aspect": "equal", "xticks": ticks, "yticks": ticks}
    finish(ax, "A", xlabel=bits.format("count"), ylabel=bits.format("latency"), **square)


def _codes(ax: Axes, table: pd.DataFrame) -> None:
    words = where(table, part="cell", code="words")
    widths = sorted(words.x.dropna().unique(), reverse=True)
    places: list[tuple[str, str, float | None]] = [("count", "count", None), ("latency", "latency", None)]
    places += [(f"words\n{1e3 * w:g} ms", "words", float(w)) for w in widths]
    for bias, colour, marker, shift, text in (
        (PT, BLUE, "o", -0.1, "Panzeri-Treves"),
        (SHUFFLE, ORANGE, "s", 0.1, "shuffled words"),
    ):
        values = {k + shift: of_cells(table, bias, code, x).dropna() for k, (_, code, x) in enumerate(places)}
        values = {x: v for x, v in values.items() if len(v)}
        means(ax, list(values), values.values(), fmt=marker, color=colour, mfc="white", label=text)
    ax.set_xticks(range(len(places)), [name for name, _, _ in places])
    finish(ax, "B", ylabel="raw information, mean over cells (bit)", ylim=(0, None))


def _decoders(ax: Axes, table: pd.DataFrame) -> None:
    arms = [arm for arm in ARMS if len(by_image(table, arm))]
    for k, arm in enumerate(arms):
        mean, half = mean_and_half(by_image(table, arm))
        colour, marker = (GREEN, "^") if arm in (POISSON, NB) else (BLUE, "o")
        points(ax, mean, k, xerr=half, fmt=marker, color=colour, mfc="white")
    most = float(np.log2(by_image(table, arms[0]).size))
    ax.axvline(most, color=GREY, ls=":", lw=1)
    ax.text(0.97 * most, 0, "entropy of\nthe images", ha="right", va="center", fontsize=8, color=GREY)
    ax.set_yticks(range(len(arms)), [SHORT.get(arm, arm) for arm in arms])
    ax.invert_yaxis()
    low = min(0.0, min(float(by_image(table, arm).mean()) for arm in arms))
    finish(ax, "C", xlabel="cross-entropy information (bit)", xlim=(1.1 * low, 1.05 * most))


def _pairs(ax: Axes, x: pd.Series, y: pd.Series, colour: str) -> None:
    """Two values of each image, and the line of equality."""
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    room = 0.05 * (high - low) + 1e-9
    equality(ax, low - room, high + room)
    ax.plot(x, y, "o", ms=4, color=colour, mfc="white")


def variability(table: pd.DataFrame) -> Figure:
    """Fano factors, noise correlations, calibration and shuffled trials."""
    figure = Figure(figsize=(9, 6.6), layout="constrained")
    (a, b), (c, d) = figure.subplots(2, 2)
    fano = of_cells(table, "Fano factor")
    a.plot(of_cells(table, "mean count"), fano, "o", ms=4.5, color=BLUE, mfc="white")
    a.axhline(1, color=GREY, lw=0.9)
    rows = table[table.part == "correlation"].groupby("quantity").value
    pairs = {
        "recorded": (rows.get_group("pair within blocks").dropna(), BLUE, "-"),
        "shuffled": (rows.get_group("pair, shuffled within blocks").dropna(), ORANGE, "--"),
    }
    every = np.concatenate([values for values, *_ in pairs.values()])
    edges = np.linspace(every.min(), every.max(), 60)
    for name, (values, colour, line) in pairs.items():
        label = f"{name}, mean {round(values.mean(), 3) + 0.0:.3f}"  # no -0.000
        b.hist(values, edges, histtype="step", color=colour, ls=line, lw=1.3, label=label)
    _pairs(c, by_image(table, POISSON), by_image(table, NB), GREEN)
    _pairs(d, by_image(table, COUNTS), by_image(table, SHUFFLED), PINK)
    positive = {"xlim": (0, None), "ylim": (0, None)}
    finish(a, "A", xlabel="mean count over images (spikes)", ylabel="Fano factor", **positive)
    finish(b, "B", xlabel="noise correlation of counts", ylabel="pairs of cells")
    bits = "information, {} (bit)".format
    finish(c, "C", xlabel=bits("Poisson posteriors"), ylabel=bits("negative binomial"))
    finish(d, "D", xlabel=bits("counts as recorded"), ylabel=bits("trials shuffled"))
    return figure
