"""Claims of the study `variability_reliability` with their verdicts, its summary tables and its figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..harness import Claim, secondary
from ..shared import cortical_cell as cell
from ..shared.figures import BLACK, BLUE, GREEN, ORANGE, SKY, equality, finish, log_axis, means, points
from ..shared.intervals import mean_and_half
from ..shared.tables import where
from .config import CLAIM


def claims(table: pd.DataFrame) -> list[Claim]:
    """Claims with their evidence: about the model, then about the cell."""
    frozen = table[table.part == "frozen"]
    fluctuating = sorted(f for f in frozen.fluctuation.unique() if f > 0)
    noisy = sorted(s for s in frozen.sigma.unique() if s > 0)
    strong = strongest(frozen.fluctuation.unique())
    slopes_of = {
        "Gamma (corrected for chance) falls with sigma at every fluctuation": ("Gamma", "sigma", -1, fluctuating),
        "Gamma rises with the fluctuation at every sigma": ("Gamma", "fluctuation", 1, noisy),
        "Schreiber's reliability rises with the fluctuation at every sigma": ("reliability", "fluctuation", 1, noisy),
        "Schreiber's reliability falls with sigma under the two strongest fluctuations": ("reliability", "sigma", -1, strong),
        "the jitter of firing events (ms) grows with sigma under the two strongest fluctuations": ("jitter", "sigma", 1, strong),
    }  # fmt: skip
    return [
        *(_slope_claim(table, f"{text} (95 %)", *how) for text, how in slopes_of.items()),
        _deterministic(frozen),
        _renewal(table, "CV", "constant current: the CV equals Siegert's at every sigma, |z| < 4"),
        _renewal(
            table,
            "spread",
            "constant current: the SD of the time of the n-th spike is that of a renewal "
            "process, proportional to sqrt(n), |z| < 4",
        ),
        _irregular(table, max(fluctuating), noisy),
        *_secondary(table, strong, noisy),
        *cell.claims(table),
    ]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean and 95 % interval over seeds of each quantity, a row per fluctuation and sigma."""
    columns = {"Fano factor": 1, "CV": 1, "reliability": 1, "Gamma": 1, "jitter": 1e3}
    wides = {name: scale * by_seed(table, name) for name, scale in columns.items()}
    rows = []
    for at in wides["CV"].columns:
        row = {"fluctuation (mV)": f"{at[0]:g}", "sigma (mV)": f"{at[1]:g}"}
        for name, wide in wides.items():
            known = wide[at].dropna() if at in wide else []
            text = "{:.3f} ± {:.2g}".format(*mean_and_half(known)) if len(known) > 1 else "-"
            row["jitter (ms)" if name == "jitter" else name] = text
        rows.append(row)
    return pd.DataFrame(rows)


def headline(table: pd.DataFrame) -> str:
    """The main result in a sentence."""
    wide = by_seed(table, "reliability").mean()
    sigmas = sorted(s for s in table[table.part == "frozen"].sigma.unique() if s > 0)
    low, high = sigmas[0], sigmas[-1]
    most, least = (end(table[table.part == "frozen"].fluctuation) for end in (max, min))
    recorded = (table.part == "cell").any()
    absent = "" if recorded else " The recordings of the cortical neuron were absent; that part is omitted."
    return (
        f"From sigma {low:g} to {high:g} mV the reliability falls from {wide[most, low]:.2f} to {wide[most, high]:.2f} under the "
        f"strongest fluctuation; under a constant current it is {wide[least, low]:.2f} at {low:g} mV. Without noise, "
        f"trials are identical.{absent}"
    )


EXACT = 1e-12


def strongest(fluctuations: Any) -> list[float]:
    """The two strongest fluctuations, which cause firing events."""
    return sorted(float(f) for f in set(fluctuations))[-2:]


def by_seed(table: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """A quantity of the model: a row per seed, a column per (fluctuation, sigma)."""
    rows = where(table, part="frozen", quantity=quantity)
    return rows.pivot(index="seed", columns=["fluctuation", "sigma"], values="value")


def slopes(wide: pd.DataFrame, along: str, at: float) -> np.ndarray:
    """Slope of each seed: change per doubling of sigma at a fluctuation, or per mV of fluctuation at a sigma (> 0).

    Uses the points at which every seed has a value; NaN for fewer than two points.
    """
    other = "fluctuation" if along == "sigma" else "sigma"
    part = wide.xs(at, axis=1, level=other).dropna(axis=1)
    part = part.loc[:, part.columns > 0] if along == "sigma" else part
    if part.shape[1] < 2:
        return np.full(len(wide), np.nan)
    x = np.log2(part.columns.to_numpy(float)) if along == "sigma" else part.columns.to_numpy(float)
    x = x - x.mean()
    return np.asarray(part.to_numpy() @ x / (x @ x))


def _slope_claim(
    table: pd.DataFrame,
    text: str,
    quantity: str,
    along: str,
    sign: int,
    points: list[float],
    central: bool = True,
) -> Claim:
    wide, parts, holds = by_seed(table, quantity), [], True
    scale = 1e3 if quantity == "jitter" else 1.0
    for at in points:
        mean, width = mean_and_half(scale * slopes(wide, along, at))
        holds = holds and sign * mean > width
        name = "fluctuation" if along == "sigma" else "sigma"
        parts.append(f"{name} {at:g} mV: {mean:+.3g} ± {width:.2g}")
    unit = "doubling of sigma" if along == "sigma" else "mV of fluctuation"
    return Claim(text, holds, f"per {unit}, 95 % over seeds: " + "; ".join(parts), central)


def _deterministic(frozen: pd.DataFrame) -> Claim:
    deterministic = frozen[frozen.sigma == 0]
    fano, unlike = (
        deterministic[deterministic.quantity == q].value for q in ("Fano factor", "trials unlike the first")
    )
    off = (deterministic[deterministic.quantity == "reliability"].value - 1).abs()
    holds = len(fano) > 0 and (fano.abs() < EXACT).all() and (off < EXACT).all() and (unlike == 0).all()
    return Claim(
        f"the deterministic neuron has identical trials: Fano factor 0 and reliability 1, to {EXACT:g}, under every input",
        holds,
        f"{len(fano)} inputs: largest Fano factor {fano.abs().max():.2g}, largest deviation of the reliability from 1 "
        f"{off.max():.2g}, trials that differ from the first {int(unlike.sum())}",
    )


def _renewal(table: pd.DataFrame, quantity: str, text: str) -> Claim:
    rows = where(table, part="constant", quantity=quantity)
    z = (rows.value - rows.exact) / rows.se
    scale, unit = (1e3, " ms") if quantity == "spread" else (1.0, "")
    worst = rows.loc[z.abs().idxmax()]
    return Claim(
        text,
        (z.abs() < 4).all(),
        f"largest |z| of {len(z)}: {z.abs().max():.1f}, at sigma {worst.sigma:g} mV: "
        f"{scale * worst.value:.4g} ± {scale * worst.se:.2g}{unit}, exact {scale * worst.exact:.4g}",
    )


def _irregular(table: pd.DataFrame, fluctuation: float, noisy: list[float]) -> Claim:
    gap = by_seed(table, "Fano factor") - by_seed(table, "CV") ** 2
    each = {s: mean_and_half(gap[fluctuation, s].to_numpy()) for s in noisy}
    return Claim(
        f"irregular but repeatable: under fluctuations of {fluctuation:g} mV the Fano factor is below CV^2 at every sigma (95 %)",
        all(mean + width < 0 for mean, width in each.values()),
        "Fano factor - CV^2, 95 % over seeds: "
        + "; ".join(f"sigma {s:g} mV: {mean:.3f} ± {width:.2g}" for s, (mean, width) in each.items()),
    )


def _secondary(table: pd.DataFrame, strong: list[float], noisy: list[float]) -> list[Claim]:
    jitter, early, late = (by_seed(table, q) for q in ("jitter", "jitter, early", "jitter, late"))
    weaker, stronger = strong
    gain = _each(np.log2(jitter[stronger][noisy] / jitter[weaker][noisy]), noisy)
    least = noisy[:2]
    order = np.log(jitter[stronger, least[1]] / jitter[stronger, least[0]]) / np.log(least[1] / least[0])
    exponent = mean_and_half(order.to_numpy())
    half = _each(np.log(late[stronger][noisy] / early[stronger][noisy]), noisy)
    fluctuating = sorted(f for f in table[table.part == "frozen"].fluctuation.unique() if f > 0)
    text = (
        "Schreiber's reliability falls with sigma under every fluctuating input, including weak ones (95 %)"
    )
    return [
        _slope_claim(table, text, "reliability", "sigma", -1, fluctuating, central=False),
        secondary(
            f"events are more precise under {stronger:g} than under {weaker:g} mV of fluctuation, at every sigma with "
            "events (95 %)",
            len(gain) > 1 and all(mean + width < 0 for mean, width in gain.values()),
            "log2 of the ratio of jitters, 95 % over seeds: "
            + "; ".join(f"sigma {s:g} mV: {mean:.2f} ± {width:.2g}" for s, (mean, width) in gain.items()),
        ),
        secondary(
            "weak noise: jitter is proportional to sigma (exponent from .8 to 1.2 between the two smallest sigmas)",
            exponent[0] - exponent[1] > 0.8 and exponent[0] + exponent[1] < 1.2,
            f"exponent {exponent[0]:.3f} ± {exponent[1]:.2g} (95 % over seeds)",
        ),
        secondary(
            f"under {stronger:g} mV of fluctuation jitter does not grow during a trial: later half / earlier half < 1.25 (95 %)",
            len(half) > 1 and all(np.exp(mean + width) < 1.25 for mean, width in half.values()),
            "ratio, 95 % over seeds: "
            + "; ".join(
                f"sigma {s:g} mV: {np.exp(m):.2f} ({np.exp(m - w):.2f} to {np.exp(m + w):.2f})"
                for s, (m, w) in half.items()
            ),
        ),
    ]


def _each(wide: pd.DataFrame, noisy: list[float]) -> dict[float, tuple[float, float]]:
    """Mean and half-width of the 95 % interval over seeds, at each sigma where every seed has a value."""
    return {s: mean_and_half(wide[s].to_numpy()) for s in noisy if wide[s].notna().all()}


STYLES: tuple[tuple[str, str, Any], ...] = (
    (BLACK, "v", ":"),
    (SKY, "o", "--"),
    (GREEN, "s", "-."),
    (ORANGE, "^", (0, (4, 1))),
    (BLUE, "D", "-"),
)


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The model; the constant current and theory; cell and model, if the recordings were available."""
    drawn = {
        f"{CLAIM}. Top: spikes in 20 trials at one sigma, under a constant current and under the strongest frozen "
        "fluctuation. Below: Schreiber's reliability, the jitter of firing events, and the Fano factor of the count (filled) "
        "and CV^2 of the intervals (open), against sigma. Bars: 95 % intervals over seeds.": plot(table),
        "Constant current: CV of the intervals with Siegert's theory (line), and standard deviation of the time of the n-th "
        "spike with that of a renewal process (lines). Bars: two standard errors.": constant(table),
    }
    if (table.part == "cell").any():
        drawn[
            "A rat cortical neuron and the LIF neuron in the same currents, second halves of the recordings. Left: Gamma against "
            "the standard deviation of the current; lines join settings of similar mean. Middle: Gamma of the model against "
            "that of the cell; filled settings were not used in the fit. Right: Gamma of the model, mean over settings, against "
            "its sigma in units of the fitted one."
        ] = recorded(table)
    return drawn


def _sigma_axis(ax: Any, sigmas: list[float]) -> None:
    """Logarithmic axis, with sigma 0 at half the smallest sigma."""
    log_axis(ax, [_place(s, sigmas) for s in sigmas])
    ax.set_xticks(ax.get_xticks(), [f"{s:g}" for s in sigmas])


def _place(sigma: float, sigmas: list[float]) -> float:
    return min(s for s in sigmas if s > 0) / 2 if sigma == 0 else sigma


def _curves(
    ax: Any, table: pd.DataFrame, quantity: str, fluctuations: list[float], *, power: int = 1, **style: Any
) -> None:
    """A quantity (to a power) against sigma, a curve per fluctuation."""
    rows = where(table, part="frozen", quantity=quantity)
    every = sorted(table[table.part == "frozen"].fluctuation.unique())
    sigmas = sorted(rows.sigma.unique())
    for fluctuation in fluctuations:
        colour, marker, line = STYLES[-len(every) :][every.index(fluctuation)]
        groups = rows[rows.fluctuation == fluctuation].dropna(subset="value").groupby("sigma").value
        values = {_place(s, sigmas): v.to_numpy() ** power for s, v in groups if len(v) > 1}
        label = "constant" if fluctuation == 0 else f"{fluctuation:g} mV"
        look = {"color": colour, "marker": marker, "ls": line, "label": label} | style
        means(ax, list(values), values.values(), **look)
    _sigma_axis(ax, sigmas)


def plot(table: pd.DataFrame) -> Figure:
    """Rasters above; reliability, jitter, Fano factor and CV^2 below."""
    figure = Figure(figsize=(9.5, 6.2), layout="constrained")
    grid = figure.add_gridspec(2, 6, height_ratios=(0.8, 1))
    raster = table[table.part == "raster"]
    for k, (fluctuation, rows) in enumerate(raster.groupby("fluctuation")):
        ax = figure.add_subplot(grid[0, 3 * k : 3 * k + 3])
        ax.plot(1e3 * rows.value, rows.x + 1, "|", color=STYLES[0][0] if k == 0 else STYLES[-1][0], ms=5)
        kind = "constant current" if fluctuation == 0 else f"frozen current, SD {fluctuation:g} mV"
        finish(ax, "AB"[k], xlabel="time (ms)", ylabel="trial", xlim=(0, 800))
        ax.set_title(f"{kind}, sigma {rows.sigma.iloc[0]:g} mV", fontsize=10)
    every = sorted(table[table.part == "frozen"].fluctuation.unique())
    left, middle, right = (figure.add_subplot(grid[1, 2 * k : 2 * k + 2]) for k in range(3))
    ends = [every[0], every[-1]]
    _curves(left, table, "reliability", every)
    _curves(middle, table, "jitter", every[-2:], scale=1e3)
    _curves(right, table, "Fano factor", ends)
    _curves(right, table, "CV", ends, power=2, mfc="white", label=None)
    title = {"title": "SD of the input", "title_fontsize": 8}
    low = {"loc": "lower left", "ncols": 2}
    finish(
        left, "C", legend=title | low, xlabel="sigma (mV)", ylabel="Schreiber's reliability", ylim=(0, 1.05)
    )
    finish(middle, "D", legend=title, xlabel="sigma (mV)", ylabel="jitter of events (ms)", ylim=(0, None))
    both = "Fano factor (filled), CV$^2$ (open)"
    finish(right, "E", legend=title, xlabel="sigma (mV)", ylabel=both, ylim=(-0.02, None))
    return figure


def constant(table: pd.DataFrame) -> Figure:
    """The constant current compared with theory."""
    figure = Figure(figsize=(8, 3.3), layout="constrained")
    left, right = figure.subplots(1, 2)
    rows = where(table, part="constant", quantity="CV").sort_values("sigma")
    left.plot(rows.sigma, rows.exact, color=BLACK, lw=1.2, label="Siegert's theory")
    points(left, rows.sigma, rows.value, 2 * rows.se, fmt="o", color=BLUE, label="simulated")
    _sigma_axis(left, sorted(rows.sigma))
    rows = (
        1e3
        * where(table, part="constant", quantity="spread").set_index(["sigma", "x"])[["value", "se", "exact"]]
    )
    sigmas = rows.index.unique("sigma").sort_values()
    for (colour, marker, line), sigma in zip((*STYLES[::-1], *STYLES[::-1]), sigmas, strict=False):
        part = rows.loc[sigma].sort_index()
        right.plot(part.index, part.exact, color=colour, ls=line, lw=1.2)
        points(right, part.index, part.value, 2 * part.se, fmt=marker, color=colour, label=f"{sigma:g} mV")
    log_axis(right, sorted(rows.index.unique("x")))
    low, high = rows.value.min(), rows.value.max()
    log_axis(right, [t for t in (1, 2, 5, 10, 20, 50, 100) if 0.8 * low < t < 1.5 * high], axis="y")
    finish(left, "A", xlabel="sigma (mV)", ylabel="CV of the intervals")
    legend = {"title": "sigma", "title_fontsize": 8, "ncols": 2}
    spread = "SD of the time of the n-th spike (ms)"
    finish(right, "B", legend=legend, xlabel="spike number n", ylabel=spread)
    return figure


def recorded(table: pd.DataFrame) -> Figure:
    """Cell and model."""
    figure = Figure(figsize=(10.5, 3.5), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    part = where(table, part="cell", quantity="Gamma")
    cell = part[part.source == "cell"].sort_values("fluctuation")
    lif = where(part, source="LIF", x=1).sort_values("fluctuation")
    mean = np.round(cell.x.to_numpy() / 6)  # settings of similar mean
    for which, marker in zip(sorted(set(mean)), "osD^v", strict=False):
        own = mean == which
        style: dict[str, Any] = {"marker": marker, "ms": 5, "lw": 1.2}
        label = f"cell, mean {cell.x.to_numpy()[own].mean():.0f} mV"
        left.plot(cell.fluctuation[own], cell.value[own], color=ORANGE, label=label, **style)
        left.plot(lif.fluctuation[own], lif.value[own], "--", color=BLUE, mfc="white", **style)
    left.plot([], [], "o--", color=BLUE, mfc="white", ms=5, lw=1.2, label="LIF, same means")
    seen = cell.setting.str.endswith("*").to_numpy()
    for own, face, text in (
        (~seen, BLUE, "not used in the fit"),
        (seen, "white", "first half used in the fit"),
    ):
        middle.plot(cell.value[own], lif.value[own], "o", color=BLUE, mfc=face, ms=6, label=text)
    equality(middle, 0, 1)
    by = part[part.source == "LIF"].groupby("x").value.mean()
    right.plot(by, "o-", color=BLUE, ms=5, lw=1.3, label="LIF, mean over settings")
    right.axhline(cell.value.mean(), color=ORANGE, ls="--", lw=1.3, label="cell, mean over settings")
    right.axvline(1, color=BLACK, ls=":", lw=0.8)
    gamma, limits = "Gamma, 2 ms", (-0.05, 1.05)
    small = {"fontsize": 7.5, "loc": "lower right"}
    finish(left, "A", legend=small, xlabel="SD of the current, R I (mV)", ylabel=gamma, ylim=limits)
    finish(middle, "B", xlabel="Gamma of the cell", ylabel="Gamma of the LIF", xlim=limits, ylim=limits)
    finish(right, "C", xlabel="sigma / fitted sigma", ylabel=gamma, ylim=(0, 1.05))
    return figure
