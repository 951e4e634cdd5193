"""Claims of the study `codes_of_noise` with their verdicts, and its summary tables."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy import stats

from ..harness import Claim, secondary
from ..shared.intervals import above, interval, interval_text
from ..shared.tables import where
from . import config as c
from .pairs import TESTED, TUNINGS
from .timing import KINDS

PARTS = ("redundant", "unique_1", "unique_2", "synergistic")
FELL = 0.25
"""share of the surplus that may be left at the largest noise"""
LEAST = 0.1
SHARE = 0.15
MARGIN = 0.05
TENTH = 0.1
TIMES = 5.0
AGREE = 0.02
SMALL = 0.01


def by_level(
    table: pd.DataFrame, part: str, quantity: str, condition: str = "", kind: str = ""
) -> pd.DataFrame:
    """Values of a quantity: a row per seed (or cell), a column per level."""
    rows = where(table, part=part, quantity=quantity)
    rows = rows[rows.condition == condition] if condition else rows
    rows = rows[rows.kind == kind] if kind else rows
    return rows.pivot(index="group", columns="level", values="value").astype(float)


def below(values: object, most: float) -> bool:
    """Whether the upper end of the interval is below `most`."""
    return bool(interval(values)[2] < most)


def within(values: object, most: float) -> bool:
    """Whether the interval lies between -most and +most."""
    _, low, high = interval(values)
    return bool(-most < low and high < most)


def half_level(words: pd.Series) -> float:
    """Noise level, interpolated on a logarithmic axis, at which information has fallen to half of that at the least noise.

    NaN if it is not positive at the least noise or does not fall so far.

    >>> round(half_level(pd.Series([2.0, 1.5, 0.5], index=[1.0, 2.0, 4.0])), 3)
    2.828
    """
    x, y = np.log(words.index.to_numpy(dtype=float)), words.to_numpy() - words.iloc[0] / 2
    crossed = np.flatnonzero(y <= 0)
    if not y[0] > 0 or not crossed.size:
        return float("nan")
    k = int(crossed[0])
    return float(np.exp(x[k - 1] + (x[k] - x[k - 1]) * y[k - 1] / (y[k - 1] - y[k])))


def shares(table: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Share of the count in the words of fast stimuli, by seed: at the least noise and where words have half their bits."""
    words, count = (by_level(table, "timing", q, "fast", kind) for q in ("words", "count"))
    rows = []
    for seed in words.index:
        level = half_level(words.loc[seed])
        at = np.log(words.columns.to_numpy(dtype=float))
        half = float(np.interp(np.log(level), at, count.loc[seed])) / (words.loc[seed].iloc[0] / 2)
        least = count.loc[seed].iloc[0] / words.loc[seed].iloc[0]
        rows.append({"level": level, "least": least, "half": half if np.isfinite(level) else np.nan})
    return pd.DataFrame(rows, index=words.index)


def claims(table: pd.DataFrame) -> list[Claim]:
    """Claims with their evidence; those of recordings only where they are available."""
    return [*timing_claims(table), *pair_claims(table), *choice_claims(table), *recorded_claims(table)]


def timing_claims(table: pd.DataFrame) -> list[Claim]:
    """Claims about rate and timing."""
    lost, moved, made, checks = {}, {}, {}, {}
    parts = {kind: shares(table, kind) for kind in KINDS}
    for kind, share in parts.items():
        surplus = by_level(table, "timing", "surplus", "fast", kind)
        first, last = surplus.iloc[:, 0], surplus.iloc[:, -1]
        lost[kind] = (
            above(first, LEAST) and above(FELL * first - last, 0.0),
            f"surplus {interval_text(first, 'bit')} at the least, {interval_text(last, 'bit')} at the largest noise",
        )
        gain = share.half - share.least
        moved[kind] = (
            above(gain, 0.0),
            f"{interval_text(gain, 'of the words')} at {share.level.mean():.1f} mV",
        )
        made[kind] = created(by_level(table, "timing", "count", "weak", kind))
        words, check = (by_level(table, "timing", q, "fast", kind) for q in ("words", "words, quadratic"))
        checks[kind] = (words - check).mean().abs().max()
    difference = parts[KINDS[0]].half - parts[KINDS[1]].half
    return [
        *(
            Claim(
                text,
                all(holds for holds, _ in by_kind.values()),
                "; ".join(f"{kind}: {evidence}" for kind, (_, evidence) in by_kind.items()),
            )
            for text, by_kind in ((c.TIMING_LOST, lost), (c.MOVED, moved), (c.CREATED, made))
        ),
        Claim(
            c.KINDS,
            within(difference, SHARE),
            f"diffusive minus escape: {interval_text(difference, 'of the words')}",
        ),
        secondary(
            c.CORRECTIONS,
            max(checks.values()) < AGREE,
            "largest mean difference " + ", ".join(f"{kind} {most:.3f} bit" for kind, most in checks.items()),
        ),
    ]


def created(counts: pd.DataFrame) -> tuple[bool, str]:
    """Whether an intermediate level, for each seed the best of the other seeds, exceeds both ends; and the evidence."""
    inside = counts.columns[1:-1]
    best = [counts.drop(index=seed)[inside].mean().idxmax() for seed in counts.index]
    value = np.array([counts.loc[seed, level] for seed, level in zip(counts.index, best, strict=True)])
    low, high = value - counts.iloc[:, 0].to_numpy(), value - counts.iloc[:, -1].to_numpy()
    text = f"{value.mean():.3f} bit at {np.median(best):g} mV; above the smallest noise by {interval_text(low, 'bit')}, above the "
    return above(low, 0.0) and above(high, 0.0), text + f"largest by {interval_text(high, 'bit')}"


def pair_claims(table: pd.DataFrame) -> list[Claim]:
    """Claims about two cells."""
    change = {}
    for quantity in ("redundant", "synergistic"):
        share = by_level(table, "private", quantity) / by_level(table, "private", "total")
        change[quantity] = share.iloc[:, -1] - share.iloc[:, 0]

    def moved(tuning: str, quantity: str) -> pd.Series:
        values = by_level(table, "shared", quantity, tuning)
        return values[TESTED] - values[0.0]

    equal, opposite = (moved(tuning, "synergistic") for tuning in TUNINGS)
    redundant = {tuning: moved(tuning, "redundant") for tuning in TUNINGS}
    tested = where(table, part="shared", quantity="synergistic", condition="opposite", level=TESTED)
    p = tested.p.astype(float)
    together, apart = (
        by_level(table, "gain", "synergistic", f"{kind} gain") for kind in ("shared", "private")
    )
    gain = together - apart
    variance = where(table, part="gain", quantity="gain variance").groupby("condition").value.mean()
    return [
        Claim(
            c.TO_SYNERGY,
            below(change["redundant"], 0.0) and above(change["synergistic"], 0.0),
            "; ".join(f"{q} {interval_text(values, 'of all bits')}" for q, values in change.items()),
        ),
        Claim(c.SHARED_EQUAL, below(equal, 0.0), interval_text(equal, "bit")),
        Claim(
            c.SHARED_OPPOSITE,
            above(opposite, 0.0) and (p < c.ALPHA).all() and len(p) > 0,
            f"{interval_text(opposite, 'bit')}; p at most {p.max():.3f}",
        ),
        Claim(
            c.MARGINS,
            all(within(values, MARGIN) for values in redundant.values()),
            "; ".join(f"{tuning}: {interval_text(values, 'bit')}" for tuning, values in redundant.items()),
        ),
        Claim(
            c.GAIN,
            below(gain[0.0], 0.0),
            f"shared minus private: {interval_text(gain[0.0], 'bit')}; variance of the gain of the modulated Poisson model: "
            + ", ".join(f"{name} {value:.2f}" for name, value in variance.items()),
        ),
        secondary(c.ORTHOGONAL, above(gain[90.0], 0.0), f"shared minus private: {interval_text(gain[90.0], 'bit')}"),
    ]  # fmt: skip


def choice_claims(table: pd.DataFrame) -> list[Claim]:
    """Claims about layer, readout and choice."""

    def of(quantity: str, shared: float = 0.0) -> pd.DataFrame:
        return by_level(table, "choice", quantity, f"shared {shared:g}")

    used, in_count, beyond = of("intersection"), of("I(S; C)").iloc[:, 0], of("I(S; C | R)").iloc[:, 0]
    link, less, single = (
        of(q, 0.5).iloc[:, 0] - of(q).iloc[:, 0] for q in ("I(cell; C | S)", "I(S; C)", "intersection, cell")
    )
    forth, back = of("transfer"), of("transfer back")
    falls = forth.iloc[:, 0] - forth.iloc[:, -1]
    one_way = forth.iloc[:, 0] - TIMES * back.iloc[:, 0]
    return [
        Claim(
            c.READOUT,
            above(used.iloc[:, 0], 0.0) and above(used.iloc[:, 0] / 2 - used.iloc[:, -1], 0.0),
            f"{interval_text(used.iloc[:, 0], 'bit')} at {used.columns[0]:g} mV, {interval_text(used.iloc[:, -1], 'bit')} at "
            f"{used.columns[-1]:g} mV; I(S; R) {of('I(S; R)').iloc[:, 0].mean():.3f} bit",
        ),
        Claim(
            c.PROCESSING,
            above(in_count, 0.0) and above(TENTH * in_count - beyond, 0.0),
            f"I(S; C) {interval_text(in_count, 'bit')}; I(S; C | R) {interval_text(beyond, 'bit')}",
        ),
        Claim(
            c.CHOICE_LINK,
            above(link, 0.0) and below(less, 0.0),
            f"I(cell; C | S) {interval_text(link, 'bit')}; I(S; C) {interval_text(less, 'bit')}",
        ),
        Claim(
            c.TRANSFER,
            above(falls, 0.0) and above(one_way, 0.0),
            f"forth {interval_text(forth.iloc[:, 0], 'bit per bin', digits=4)} at {forth.columns[0]:g} mV, "
            f"{interval_text(forth.iloc[:, -1], 'bit per bin', digits=4)} at {forth.columns[-1]:g} mV; back "
            f"{interval_text(back.iloc[:, 0], 'bit per bin', digits=4)}",
        ),
        secondary(
            c.SINGLE_CELL,
            below(single, SMALL),
            f"{interval_text(single, 'bit')}, from {of('intersection, cell').iloc[:, 0].mean():.3f} bit",
        ),
    ]  # fmt: skip


def recorded_claims(table: pd.DataFrame) -> Iterator[Claim]:
    """Secondary claims about recordings that are available."""
    if (table.part == "retina").any():
        gain = by_level(table, "retina", "latency") - by_level(table, "retina", "count")
        first, last = gain.iloc[:, 0], gain.iloc[:, -1]
        yield secondary(
            c.JITTER,
            above(first, 0.0) and below(last, 0.0),
            f"latency minus count: {interval_text(first, 'bit')} as recorded, {interval_text(last, 'bit')} with a jitter of "
            f"{1e3 * gain.columns[-1]:g} ms, {len(gain)} cells",
        )
        yield from retina_pair_claims(table[table.part == "retina pairs"])
    for text, condition, quantity in ((c.STN, "subthalamic", "count"), (c.LIGHT, "light", "surplus")):
        rows = where(table, part="textbook", condition=condition, quantity=quantity)
        if len(rows):
            row = rows.iloc[0]
            # the surplus has lost the mean of its exchanges
            null = 0.0 if quantity == "surplus" else row.null
            evidence = f"{row.value - null:.3f} ± {row.se:.3f} bit over the null, p = {row.p:.3g}"
            yield secondary(text, row.p < c.ALPHA, evidence)


def of_pairs(rows: pd.DataFrame, condition: str, quantity: str, column: str = "value") -> pd.Series:
    """A column by pair."""
    own = where(rows, condition=condition, quantity=quantity)
    return own.set_index("group")[column].astype(float).sort_index()


def tuning_and_loss(rows: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Signal correlation, and synergy with shared minus that with private losses, by pair."""
    signal = rows[rows.quantity == "signal correlation"].set_index("group").value.sort_index()
    shared, private = (of_pairs(rows, f"{kind} losses", "synergistic") for kind in ("shared", "private"))
    return signal, shared - private


def retina_pair_claims(rows: pd.DataFrame) -> list[Claim]:
    """Claims about pairs of retinal cells."""
    synergy = of_pairs(rows, "recorded", "synergistic")
    net = of_pairs(rows, "recorded", "redundant") - synergy
    change = synergy - of_pairs(rows, "recorded", "synergistic", "null")
    signal, lost = tuning_and_loss(rows)
    test = stats.spearmanr(signal, lost, alternative="less")
    return [
        secondary(c.NET_REDUNDANT, above(net, 0.0), f"{interval_text(net, 'bit')}, {len(net)} pairs"),
        secondary(c.CORRELATIONS, within(change, SMALL), f"{interval_text(change, 'bit')}, {len(change)} pairs"),
        secondary(
            c.LOSSES,
            test.pvalue < c.ALPHA,
            f"Spearman {test.statistic:.2f}, p = {test.pvalue:.3g}; synergy, shared minus private: {interval_text(lost, 'bit')}",
        ),
    ]  # fmt: skip


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Rate and timing: information of each code at each noise level, means over seeds with standard errors."""
    rows = []
    for name, kind in itertools.product(("fast", "weak"), KINDS):
        spikes = by_level(table, "timing", "mean count", name, kind).mean()
        codes = {
            q: by_level(table, "timing", q, name, kind) for q in ("count", "latency", "words", "surplus")
        }
        for level in spikes.index:
            row = {
                "stimuli": name,
                "noise": kind,
                "level (mV)": f"{level:g}",
                "spikes": f"{spikes[level]:.2f}",
            }
            for q, values in codes.items():
                unit = "bit" if q == "surplus" else "raw bit"
                row[f"{q} ({unit})"] = f"{values[level].mean():.3f} ± {values[level].sem():.2g}"
            rows.append(row)
    return pd.DataFrame(rows)


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Parts of the information of two cells; from stimulus to choice."""
    shown = [*PARTS, "total", "noise correlation"]
    two = table[table.part.isin(["private", "shared", "gain"]) & table.quantity.isin(shown)]
    mean = two.groupby(["part", "condition", "level", "quantity"]).value.mean().unstack()
    choice = table[table.part == "choice"].groupby(["condition", "level", "quantity"]).value.mean().unstack()
    return {
        "Two cells: raw bits, and noise correlation": mean[shown].round(3).reset_index(),
        "From stimulus to choice: raw bits; transfer in raw bit per bin": choice.round(4).reset_index(),
    }


def headline(table: pd.DataFrame) -> str:
    """The main result in a sentence."""
    surplus = by_level(table, "timing", "surplus", "fast", "diffusive").mean()
    equal, opposite = (by_level(table, "shared", "synergistic", tuning).mean() for tuning in TUNINGS)
    used = by_level(table, "choice", "intersection", "shared 0").mean()
    return (
        f"What words tell beyond counts falls from {surplus.iloc[0]:.2f} to {surplus.iloc[-1]:.2f} bit with diffusive noise. "
        f"Sharing {TESTED:g} of their noise changes the synergy of equally tuned cells from {equal[0.0]:.2f} to "
        f"{equal[TESTED]:.2f} bit, that of oppositely tuned cells from {opposite[0.0]:.2f} to {opposite[TESTED]:.2f} bit. Noise of "
        f"the readout lowers what the choice uses from {used.iloc[0]:.2f} to {used.iloc[-1]:.2f} bit."
    )
