"""Claims of the study `population_code` with their verdicts, its summary tables and its figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..harness import Claim, secondary
from ..shared.figures import BLUE, GREEN, ORANGE, curve, finish, log_axis, points
from ..shared.intervals import mean_and_half
from .config import CLAIM


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    model, cells = (table[table.part == part] for part in ("model", "retina"))
    return [
        *growth_claims(model),
        *theory_claims(model),
        *decoding_claims(model),
        *few_trials_claims(table[table.part == "few trials"]),
        *(retina_claims(cells) if len(cells) else []),
    ]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means over populations, by condition and size."""
    model, rows = table[table.part == "model"], []
    for name in CONDITIONS:
        error = error_of(model, name)
        columns = ("information", "theory", "shuffled", "right", "right at best")
        information, theory, shuffled, right, best = (by_population(model, name, c).mean() for c in columns)
        rows += [
            {
                "population": name,
                "neurons": int(n),
                "information (1/mV^2)": f"{information[n]:.2f} ± {error[n]:.2f}",
                "linear response": f"{theory[n]:.2f}",
                "trials shuffled": f"{shuffled[n]:.2f}",
                "correct (%)": f"{100 * right[n]:.1f}",
                "upper bound (%)": f"{100 * best[n]:.1f}",
            }
            for n in error.index
        ]
    return pd.DataFrame(rows)


CONDITIONS = ("private", "equal", "mixed")
TOLERANCE = 0.15
"""relative tolerance of linear response"""
POINTS = 0.02
"""tolerance of the share of correct trials"""


def by_population(table: pd.DataFrame, condition: str, column: str) -> pd.DataFrame:
    """A column of the table: a row per population, a column per size."""
    return table[table.condition == condition].pivot(index="population", columns="neurons", values=column)


def exponents(information: pd.DataFrame) -> np.ndarray:
    """Slope of log information against log size for each population; NaN if an estimate is not positive."""
    x = np.log(information.columns.to_numpy(dtype=float))
    values = information.to_numpy()
    y = np.log(np.where(values > 0, values, np.nan))
    x = x - x.mean()
    return y @ x / (x @ x)


def growth_claims(model: pd.DataFrame) -> list[Claim]:
    """Claims about the growth of information with the number of neurons."""
    information = {name: by_population(model, name, "information") for name in CONDITIONS}
    limit = float(model.limit[model.condition == "equal"].iloc[0])
    private, half = mean_and_half(exponents(information["private"]))
    last, more = mean_and_half(exponents(information["equal"].iloc[:, -2:]))
    above = (information["equal"].mean() - limit) / error_of(model, "equal")
    mixed, span = mean_and_half(exponents(information["mixed"]))
    beyond = (information["mixed"].mean() - limit) / error_of(model, "mixed")
    n = max(information["equal"].columns)
    return [
        Claim(
            "private noise: information is proportional to the number of neurons, exponent in (0.8, 1.2)",
            private - half > 0.8 and private + half < 1.2,
            f"exponent {private:.3f} ± {half:.3f} (95 %)",
        ),
        Claim(
            "shared noise, equal gains: information saturates, exponent of the last doubling below 0.5",
            last + more < 0.5,
            f"exponent {last:.3f} ± {more:.3f} (95 %)",
        ),
        Claim(
            "shared noise, equal gains: at every size at most (T + warm-up) / (2 tau_m sigma^2 c), to 4 standard errors",
            (above < 4).all() and information["equal"][n].mean() > 0,
            f"{information['equal'][n].mean():.2f} ± {error_of(model, 'equal')[n]:.2f} of {limit:.2f} /mV^2 with {n} neurons; "
            f"largest z {above.max():.1f}",
        ),
        Claim(
            f"shared noise, gains of both signs: {n} neurons exceed that bound by 4 standard errors, exponent above 0.5",
            beyond[n] > 4 and mixed - span > 0.5,
            f"{information['mixed'][n].mean():.2f} ± {error_of(model, 'mixed')[n]:.2f} /mV^2, exponent {mixed:.3f} ± "
            f"{span:.3f} (95 %)",
        ),
    ]


def error_of(model: pd.DataFrame, condition: str, column: str = "se") -> pd.Series:
    """Standard error of the mean over populations, by size, from the standard error of each estimate."""
    errors = by_population(model, condition, column)
    return np.sqrt((errors**2).sum()) / len(errors)


def theory_claims(model: pd.DataFrame) -> list[Claim]:
    """Claims about the agreement of simulation and linear response."""
    worst, texts, ratios = 0.0, [], {}
    for name in CONDITIONS:
        columns = ("information", "theory", "shuffled")
        information, theory, shuffled = (by_population(model, name, column) for column in columns)
        expected = theory.mean()
        off, error = information.mean() / expected - 1, error_of(model, name) / expected
        worst = max(worst, float((off.abs() - 2 * error).max()))
        texts.append(f"{name} {100 * off.iloc[-1]:+.1f} ± {100 * error.iloc[-1]:.1f} %")
        ratio = shuffled.iloc[:, -1] / information.iloc[:, -1]
        ratios[name] = mean_and_half(np.log(ratio.where(ratio > 0).to_numpy()))
    (equal, more), (private, half) = ratios["equal"], ratios["private"]
    return [
        Claim(
            f"linear response predicts the information of every population at every size to {100 * TOLERANCE:g} % plus two "
            "standard errors",
            worst < TOLERANCE,
            f"largest population: {', '.join(texts)}; beyond two standard errors at most {100 * max(worst, 0):.1f} %",
        ),
        Claim(
            "shuffling trials more than doubles the information of equal gains in shared noise (95 %); in private noise the "
            "ratio is within 10 % of 1, up to its 95 % interval",
            equal - more > np.log(2) and abs(private) - half < np.log(1.1),
            f"largest population, shuffled / true: equal {np.exp(equal):.2f} ({np.exp(equal - more):.2f} to "
            f"{np.exp(equal + more):.2f}), private {np.exp(private):.3f} ({np.exp(private - half):.3f} to "
            f"{np.exp(private + half):.3f})",
        ),
    ]


def decoding_claims(model: pd.DataFrame) -> list[Claim]:
    """Claim about a decoder and the linear Fisher information."""
    above, off, texts = [], [], []
    for name in CONDITIONS:
        right, best = (by_population(model, name, column).mean() for column in ("right", "right at best"))
        error = np.hypot(error_of(model, name, "right se"), error_of(model, name, "right at best se"))
        above.append(((right - best) / error).max())
        short = (right - by_population(model, name, "right if trained").mean()).abs()
        off.append((short - 2 * error).max())
        texts.append(
            f"{name} {100 * right.iloc[-1]:.1f} of {100 * best.iloc[-1]:.1f} ± {100 * error.iloc[-1]:.1f} %"
        )
    return [
        Claim(
            "a discriminant never exceeds Phi(d'/2), to 4 standard errors, and reaches the accuracy expected for its training "
            f"trials, to {100 * POINTS:g} points plus two standard errors",
            max(above) < 4 and max(off) < POINTS,
            f"largest population: {', '.join(texts)}; largest z {max(above):.1f}, difference from the expected accuracy at most "
            f"{100 * max(0.0, *off):.1f} points more than two standard errors",
        )
    ]


def few_trials_claims(few: pd.DataFrame) -> list[Claim]:
    """Claim about plug-in and corrected estimates from few trials."""
    z: dict[str, list[float]] = {"plug-in": [], "information": []}
    texts = []
    for trials, rows in few.groupby("trials"):
        truth = rows.groupby("population")[["all trials", "se"]].first()
        error = np.sqrt((truth["se"] ** 2).sum()) / len(truth)
        for column, values in z.items():
            off = rows[column] - rows["all trials"]
            values.append(off.mean() / np.hypot(rows[column].std(ddof=1) / np.sqrt(len(rows)), error))
        texts.append(
            f"{trials} trials: {rows['plug-in'].mean():.2f}, {rows.information.mean():.2f} of {rows['all trials'].mean():.2f}"
        )
    raw, corrected = z.values()
    return [
        Claim(
            "with the fewest trials the plug-in estimate is too high by more than 4 standard errors; no corrected one is off by 4",
            raw[0] > 4 and np.abs(corrected).max() < 4,
            f"plug-in and corrected /mV^2, {'; '.join(texts)}; z {raw[0]:.1f} and at most {np.abs(corrected).max():.1f}",
        )
    ]


def retina_claims(cells: pd.DataFrame) -> list[Claim]:
    """Claims about the recorded retina."""
    information, shuffled = (by_population(cells, "retina", name) for name in ("information", "shuffled"))
    gain, half = mean_and_half(np.log(shuffled.sum(axis=1) / information.sum(axis=1)))
    before, largest = (information.iloc[:, k].clip(lower=1e-9) for k in (-2, -1))
    last, more = mean_and_half(np.log2(largest / before))
    return [
        secondary(
            "salamander retina: shuffling repeats changes the information about the film by less than 10 % (95 %)",
            abs(gain) + half < np.log(1.1),
            f"shuffled / true {np.exp(gain):.3f} ({np.exp(gain - half):.3f} to {np.exp(gain + half):.3f}), "
            f"{len(information)} pairs of moments",
        ),
        secondary(
            f"salamander retina: no saturation up to {information.columns[-1]} cells, exponent of the last doubling "
            "above 0.5 (95 %)",
            last - more > 0.5,
            f"exponent {last:.3f} ± {more:.3f} (95 %)",
        ),
    ]


LOOKS = {
    "private": (BLUE, "o", "-", "private noise"),
    "equal": (ORANGE, "s", "--", "shared noise, equal gains"),
    "mixed": (GREEN, "^", "-.", "shared noise, gains of both signs"),
}
FISHER = "linear Fisher information (1/mV$^2$)"


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The main figure; estimators and retina."""
    second_figure = Figure(figsize=(8.5, 3.6), layout="constrained")
    cells = table[table.part == "retina"]
    panels = 2 if len(cells) else 1
    estimators(second_figure.add_subplot(1, panels, 1), table[table.part == "few trials"])
    if len(cells):
        recorded(second_figure.add_subplot(1, panels, 2), cells)
    return {
        f"{CLAIM}. Left: linear Fisher information (points; bars: two standard errors), linear response (lines) and the bound for "
        "equal gains in shared noise. Middle: information with shuffled trials over the true information; bars: 95 % intervals "
        "over populations. Right: correct trials of a cross-validated discriminant (points; bars: two standard errors) and the "
        "upper bound of a linear readout, Phi(d'/2) (lines).": plot(table),
        "Left: plug-in and corrected estimates from few trials, and the estimate from all trials (equal gains in shared noise); "
        "bars: two standard errors. Right, if the recordings are available: information of retinal ganglion cells about two "
        "moments of a film, with repeats in order and shuffled; bars: two standard errors over pairs of moments.": second_figure,
    }


def plot(table: pd.DataFrame) -> Figure:
    """Information, ratio of shuffled to true information, and correct trials against the number of neurons."""
    figure = Figure(figsize=(10.5, 3.7), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    model = table[table.part == "model"]
    for name, (colour, marker, line, label) in LOOKS.items():
        of = {
            column: by_population(model, name, column)
            for column in ("information", "theory", "shuffled", "right", "right at best")
        }
        mean = {column: values.mean() for column, values in of.items()}
        style = {"fmt": marker, "color": colour, "label": label}
        x = mean["theory"].index
        points(left, x, mean["information"], 2 * error_of(model, name), **style)
        left.plot(mean["theory"], line, lw=1.2, color=colour)
        curve(middle, of["shuffled"] / of["information"], **style | {"fmt": marker + line})
        points(right, x, 100 * mean["right"], 200 * error_of(model, name, "right se"), **style)
        right.plot(100 * mean["right at best"], line, lw=1.2, color=colour)
    limit = model.limit[model.condition == "equal"].iloc[0]
    left.axhline(limit, color="black", lw=1, ls=":", label="bound for equal gains")
    middle.axhline(1, color="black", lw=0.8, zorder=0)
    place = {"loc": "upper left"}
    labels: tuple[dict[str, Any], ...] = (
        {"ylabel": FISHER, "yscale": "log"},
        {"ylabel": "information, shuffled / true"},
        {"ylabel": "correct trials (%)", "ylim": (50, 115), "yticks": range(50, 101, 10)},
    )
    for ax, own in zip((left, middle, right), labels, strict=True):
        log_axis(ax, np.unique(model.neurons))
        finish(ax, legend=place, xlabel="number of neurons", **own)
    left.set_ylim(top=left.get_ylim()[1] * 4)  # room for the legend
    return figure


def estimators(ax: Any, few: pd.DataFrame) -> None:
    """Plug-in and corrected estimates against trials."""
    for column, name, colour, mark in (
        ("plug-in", "plug-in", ORANGE, "s--"),
        ("information", "corrected", BLUE, "o-"),
    ):
        by = few.groupby("trials")[column]
        points(ax, by.mean().index, by.mean(), 2 * by.sem(), fmt=mark, color=colour, label=name)
    truth = few.groupby("population")["all trials"].first()
    ax.axhline(truth.mean(), color="black", lw=1, ls=":", label="all trials")
    ax.set_title(f"{int(few.neurons.iloc[0])} neurons, shared noise, equal gains", fontsize=9)
    finish(ax, xlabel="trials per stimulus", ylabel=FISHER, ylim=(0, None))


def recorded(ax: Any, cells: pd.DataFrame) -> None:
    """Information of retinal cells, repeats in order and shuffled."""
    for column, name, colour, mark, size, fill in (
        ("shuffled", "repeats shuffled", ORANGE, "s--", 9, "none"),
        ("information", "repeats in order", BLUE, "o-", 4, BLUE),
    ):
        values = by_population(cells, "retina", column)
        style = {"fmt": mark, "ms": size, "mfc": fill, "color": colour, "capsize": size / 2}
        points(ax, values.columns, values.mean(), 2 * values.sem(), label=name, **style)
    ax.set_title("salamander retina, pairs of moments of a film", fontsize=9)
    log_axis(ax, np.unique(cells.neurons))
    finish(ax, yscale="log", xlabel="number of cells", ylabel="information, $d'^2$")
