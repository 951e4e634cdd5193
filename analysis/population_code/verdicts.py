"""Claims of the study `population_code` with their verdicts, and its summary tables."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..harness import Claim
from ..shared.intervals import mean_and_half


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    model = table[table.part == "model"]
    found = of_growth(model) + of_theory(model) + of_decoding(model)
    found += of_few(table[table.part == "few trials"])
    cells = table[table.part == "retina"]
    return found + (of_retina(cells) if len(cells) else [])


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means over populations, by condition and size, for people."""
    model = table[table.part == "model"]
    rows = []
    for name in CONDITIONS:
        error = error_of(model, name)
        mean = {
            c: wide(model, name, c).mean()
            for c in ("information", "theory", "shuffled", "right", "right at best")
        }
        for n in error.index:
            rows.append(
                {
                    "population": name,
                    "neurons": int(n),
                    "information (1/mV^2)": f"{mean['information'][n]:.2f} ± {error[n]:.2f}",
                    "linear response": f"{mean['theory'][n]:.2f}",
                    "trials shuffled": f"{mean['shuffled'][n]:.2f}",
                    "right (%)": f"{100 * mean['right'][n]:.1f}",
                    "at best (%)": f"{100 * mean['right at best'][n]:.1f}",
                }
            )
    return pd.DataFrame(rows)


CONDITIONS = ("private", "equal", "mixed")
TOLERANCE = 0.15
"""of linear response, relative"""
POINTS = 0.02
"""of the discriminant's share of right trials"""


def wide(table: pd.DataFrame, condition: str, column: str) -> pd.DataFrame:
    """One row per population, one column per size."""
    return table[table.condition == condition].pivot(index="population", columns="neurons", values=column)


def exponents(information: pd.DataFrame) -> np.ndarray:
    """Each population's slope of log information on log size; NaN where an estimate isn't positive."""
    x = np.log(information.columns.to_numpy(dtype=float))
    values = information.to_numpy()
    y = np.log(np.where(values > 0, values, np.nan))
    x = x - x.mean()
    return y @ x / (x @ x)


def of_growth(model: pd.DataFrame) -> list[Claim]:
    """Claims on how information grows with the number of neurons."""
    found = {name: wide(model, name, "information") for name in CONDITIONS}
    limit = float(model.limit[model.condition == "equal"].iloc[0])
    private, half = mean_and_half(exponents(found["private"]))
    last, more = mean_and_half(exponents(found["equal"].iloc[:, -2:]))
    above = (found["equal"].mean() - limit) / error_of(model, "equal")
    mixed, span = mean_and_half(exponents(found["mixed"]))
    beyond = (found["mixed"].mean() - limit) / error_of(model, "mixed")
    n = max(found["equal"].columns)
    return [
        Claim(
            "private noise: information grows in proportion to the number of neurons, exponent in (0.8, 1.2)",
            bool(private - half > 0.8 and private + half < 1.2),
            f"exponent {private:.3f} ± {half:.3f} (95 %)",
        ),
        Claim(
            "shared noise, equal gains: information stops growing, exponent of the last doubling below 0.5",
            bool(last + more < 0.5),
            f"exponent {last:.3f} ± {more:.3f} (95 %)",
        ),
        Claim(
            "shared noise, equal gains: at no size more than (T + warm-up) / (2 tau_m sigma^2 c), 4 standard errors allowed",
            bool((above < 4).all() and found["equal"][n].mean() > 0),
            f"{found['equal'][n].mean():.2f} ± {error_of(model, 'equal')[n]:.2f} of {limit:.2f} /mV^2 with {n} neurons; "
            f"largest z {above.max():.1f}",
        ),
        Claim(
            f"shared noise, gains of both signs: with {n} neurons past that bound, exponent above 0.5",
            bool(beyond[n] > 4 and mixed - span > 0.5),
            f"{found['mixed'][n].mean():.2f} ± {error_of(model, 'mixed')[n]:.2f} /mV^2, exponent {mixed:.3f} ± {span:.3f} (95 %)",
        ),
    ]


def error_of(model: pd.DataFrame, condition: str, column: str = "se") -> pd.Series:
    """Standard error of the mean over populations, by size, from each estimate's own."""
    errors = wide(model, condition, column)
    return np.sqrt((errors**2).sum()) / len(errors)


def of_theory(model: pd.DataFrame) -> list[Claim]:
    """Claims on the agreement of measured and exact information."""
    worst, told, ratios = 0.0, [], {}
    for name in CONDITIONS:
        mean, expected = wide(model, name, "information").mean(), wide(model, name, "theory").mean()
        off, error = mean / expected - 1, error_of(model, name) / expected
        worst = max(worst, float((off.abs() - 2 * error).max()))
        told.append(f"{name} {100 * off.iloc[-1]:+.1f} ± {100 * error.iloc[-1]:.1f} %")
        ratio = wide(model, name, "shuffled").iloc[:, -1] / wide(model, name, "information").iloc[:, -1]
        ratios[name] = mean_and_half(np.log(ratio.where(ratio > 0).to_numpy()))
    (equal, more), (private, half) = ratios["equal"], ratios["private"]
    return [
        Claim(
            f"linear response gives the information of every population at every size to {100 * TOLERANCE:g} % and two "
            "standard errors",
            bool(worst < TOLERANCE),
            f"largest population: {', '.join(told)}; beyond two standard errors at most {100 * max(worst, 0):.1f} %",
        ),
        Claim(
            "shuffling trials more than doubles the information of equal gains in shared noise, and that in private noise by "
            "less than 10 % beyond its interval",
            bool(equal - more > np.log(2) and abs(private) - half < np.log(1.1)),
            f"largest population, shuffled / true: equal {np.exp(equal):.2f} ({np.exp(equal - more):.2f} to "
            f"{np.exp(equal + more):.2f}), private {np.exp(private):.3f} ({np.exp(private - half):.3f} to "
            f"{np.exp(private + half):.3f})",
        ),
    ]


def of_decoding(model: pd.DataFrame) -> list[Claim]:
    """Claims on decoders beside the linear Fisher information."""
    above, off, told = [], [], []
    for name in CONDITIONS:
        right, best = (wide(model, name, column).mean() for column in ("right", "right at best"))
        error = np.hypot(error_of(model, name, "right se"), error_of(model, name, "right at best se"))
        above.append(((right - best) / error).max())
        short = (right - wide(model, name, "right if trained").mean()).abs()
        off.append((short - 2 * error).max())
        told.append(
            f"{name} {100 * right.iloc[-1]:.1f} of {100 * best.iloc[-1]:.1f} ± {100 * error.iloc[-1]:.1f} %"
        )
    return [
        Claim(
            "a discriminant never beats Phi(d'/2), 4 standard errors allowed, and gets right what its training trials allow, to "
            f"{100 * POINTS:g} points and two standard errors",
            bool(max(above) < 4 and max(off) < POINTS),
            f"largest population: {', '.join(told)}; largest z above {max(above):.1f}, off from what training allows by at most "
            f"{100 * max(0.0, *off):.1f} points more than two standard errors",
        )
    ]


def of_few(few: pd.DataFrame) -> list[Claim]:
    """Claims on few trials, raw and corrected."""
    raw: list[float] = []
    corrected: list[float] = []
    told = []
    for trials, rows in few.groupby("trials"):
        truth = rows.groupby("population")[["all trials", "se"]].first()
        error = np.sqrt((truth["se"] ** 2).sum()) / len(truth)
        for column, z in (("plug-in", raw), ("information", corrected)):
            off = rows[column] - rows["all trials"]
            z.append(off.mean() / np.hypot(rows[column].std(ddof=1) / np.sqrt(len(rows)), error))
        told.append(
            f"{trials} trials: {rows['plug-in'].mean():.2f}, {rows.information.mean():.2f} of {rows['all trials'].mean():.2f}"
        )
    return [
        Claim(
            "from the fewest trials the plug-in estimate is too high by more than 4 standard errors; corrected, none is off by 4",
            bool(raw[0] > 4 and np.abs(corrected).max() < 4),
            f"plug-in and corrected /mV^2, {'; '.join(told)}; z {raw[0]:.1f} and at most {np.abs(corrected).max():.1f}",
        )
    ]


def of_retina(cells: pd.DataFrame) -> list[Claim]:
    """Claims on the recorded retina."""
    found = wide(cells, "retina", "information")
    gain, half = mean_and_half(
        np.log(wide(cells, "retina", "shuffled").sum(axis=1) / found.sum(axis=1)).to_numpy()
    )
    last, more = mean_and_half(
        np.log2(found.iloc[:, -1].clip(lower=1e-9) / found.iloc[:, -2].clip(lower=1e-9)).to_numpy()
    )
    return [
        Claim(
            "salamander retina: shuffling repeats changes the information on the film by less than 10 %",
            bool(abs(gain) + half < np.log(1.1)),
            f"shuffled / true {np.exp(gain):.3f} ({np.exp(gain - half):.3f} to {np.exp(gain + half):.3f}), "
            f"{len(found)} pairs of moments",
            central=False,
        ),
        Claim(
            f"salamander retina: up to {found.columns[-1]} cells nothing limits it, exponent of the last doubling above 0.5",
            bool(last - more > 0.5),
            f"exponent {last:.3f} ± {more:.3f} (95 %)",
            central=False,
        ),
    ]
