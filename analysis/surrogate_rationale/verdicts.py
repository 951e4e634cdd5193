"""Claims of the study `surrogate_rationale` with their verdicts, its summary tables and its figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import nsnn_neuro as nsnn

from ..harness import Claim, secondary
from ..shared.figures import BLUE, GREEN, ORANGE, PINK, SKY, finish, log_axis, points
from ..shared.surrogate_rules import SURROGATES
from ..shared.tables import where
from .config import BIAS, CLAIM, DRIVE, SIGMA, THETA

PUBLISHED = {
    0.1: (1.487e-5, 8),
    0.2: (0.088744, 6),
    0.4: (0.578956, 6),
    0.8: (0.876444, 6),
    1.6: (0.967870, 6),
}
"""sigma -> (NDL / exact gradient of one hidden neuron, computed independently; number of decimals)"""
SAME, SLOPE = 1e-12, 1e-9


def _relative(rows: pd.DataFrame) -> pd.Series:
    """Largest relative difference between value and exact, by case."""
    apart = (rows.value - rows.exact).abs()
    scale = rows.exact.abs().where(rows.exact != 0, rows.exact.abs().max())
    return (apart / scale).groupby(rows.case, sort=False).max()


def _each(numbers: pd.Series) -> str:
    return ", ".join(f"{name} {number:.1e}" for name, number in numbers.items())


def _bias(rows: pd.DataFrame, by: str, ascending: bool) -> tuple[np.ndarray, np.ndarray]:
    """Values of a column in order, and NDL / exact - 1."""
    rows = rows.sort_values(by, ascending=ascending)
    return rows[by].to_numpy(), (rows.value / rows.exact - 1).to_numpy()


def _falls(bias: np.ndarray) -> bool:
    return bool((np.diff(np.abs(bias)) < 0).all())


def _order(x: np.ndarray, y: np.ndarray) -> float:
    """d log |y| / d log x between the last two points."""
    return float(np.log(np.abs(y[-1] / y[-2])) / np.log(x[-1] / x[-2]))


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    return [*_claims_of_the_rule(table), *_claims_of_bias(table), *_claims_of_the_limit(table)]


def _claims_of_the_rule(table: pd.DataFrame) -> list[Claim]:
    same = _relative(table[table.part == "density"])
    slope = _relative(table[(table.part == "slope") & (table.x.abs() < 1)])
    gradient = table[table.part == "gradient"].groupby("case", sort=False).value.max()
    text = table[table.part == "text"]
    return [
        Claim(
            f"the density of each of the six families equals a published surrogate gradient, relative difference below {SAME:g}",
            len(same) == len(SURROGATES) and bool((same < SAME).all()),
            "largest relative difference within 3 widths of threshold: " + _each(same),
        ),
        Claim(
            f"each density is the slope of the firing probability, relative difference below {SLOPE:g}",
            len(slope) == len(SURROGATES) and bool((slope < SLOPE).all()),
            "largest relative difference within a width: " + _each(slope),
        ),
        Claim(
            "along the same spikes NDL gives the gradient of backpropagation with the surrogate (two layers, both "
            f"resets), to {SAME:g}",
            len(gradient) == len(SURROGATES) and bool((gradient < SAME).all()),
            "largest difference over the largest component: " + _each(gradient),
        ),
        Claim(
            "both rules have identical Brian2 code, for six families and both resets",
            len(text) == 2 * len(SURROGATES) and bool((text.value == 0).all()),
            f"{int((text.value > 0).sum())} of {len(text)} differ",
        ),
    ]


def _claims_of_bias(table: pd.DataFrame) -> list[Claim]:
    depth, reset = table[table.part == "depth"], table[table.part == "reset"]
    sigma, noise = _bias(depth[depth.case == "noise"], "sigma", True)
    ratio = dict(zip(sigma.tolist(), (1 + noise).tolist(), strict=True))
    weight, weaker = _bias(depth[depth.case == "weaker"], "weight", False)
    shared = depth[depth.case == "shared"]
    synapses, many = _bias(shared[shared.sigma == SIGMA], "synapses", True)
    least = shared.sigma.min()
    few = _bias(shared[shared.sigma == least], "synapses", True)[1]
    family = nsnn.Gaussian(SIGMA)
    first = float((family.cdf(DRIVE - THETA) - 0.5) * BIAS / SIGMA**2)  # (p - 1/2) f' / f at -BIAS
    through = {path: _bias(reset[reset.case == path], "sigma", True) for path in ("exact", "detached")}
    at = {path: float(bias[through[path][0] == SIGMA][0]) for path, (_, bias) in through.items()}
    orders = {path: _order(*through[path]) for path in through}
    return [
        Claim(
            "one hidden and one output neuron: NDL / exact gradient equals an independent calculation, to the printed digits",
            all(round(ratio[s], digits) == number for s, (number, digits) in PUBLISHED.items()),
            "; ".join(f"sigma {s:g}: {ratio[s]:.6g}" for s in PUBLISHED),
        ),
        Claim(
            "the bias falls with each doubling of sigma, finally with the square of weight / sigma (order within .02 of 2)",
            _falls(noise) and abs(_order(1 / sigma, noise) - 2) < 0.02,
            f"{100 * noise[0]:.1f} % at sigma {sigma[0]:g}, {100 * noise[-1]:.2f} % at {sigma[-1]:g}; "
            f"order {_order(1 / sigma, noise):.3f}",
        ),
        Claim(
            "the bias falls with each halving of the weight, finally as (p - 1/2) f'/f times the weight (within 1 %)",
            _falls(weaker) and bool(abs(weaker[-1] / weight[-1] / first - 1) < 0.01),
            f"{100 * weaker[0]:.1f} % at weight {weight[0]:g}, {100 * weaker[-1]:.3f} % at {weight[-1]:.2g}; "
            f"bias / weight {weaker[-1] / weight[-1]:.4f}, predicted {first:.4f}",
        ),
        Claim(
            "the bias falls with each doubling of the synapses that share the weight, finally as 1 / synapses (order "
            "within .06 of 1)",
            _falls(many) and abs(_order(1 / synapses, many) - 1) < 0.06,
            ", ".join(f"{n:g}: {100 * b:.1f} %" for n, b in zip(synapses, many, strict=True))
            + f"; order {_order(1 / synapses, many):.3f}, sigma {SIGMA:g}",
        ),
        secondary(
            f"sharing does not help if the synapses together are strong: at sigma {least:g} more than half of the "
            "gradient is missing",
            (few < -0.5).all(),
            ", ".join(f"{n:g}: {100 * b:.0f} %" for n, b in zip(synapses, few, strict=True)),
        ),
        Claim(
            "two steps with the path through the reset: bias 1.6 % at sigma .4, order 3 in 1 / sigma; without that "
            "path 20 %, order 1",
            abs(at["exact"] - 0.0157) < 1e-4
            and abs(at["detached"] - 0.1951) < 1e-4
            and abs(orders["exact"] + 3) < 0.06
            and abs(orders["detached"] + 1) < 0.06,
            "; ".join(f"{path}: {100 * at[path]:.2f} %, order {orders[path]:.3f}" for path in at),
        ),
    ]


def _claims_of_the_limit(table: pd.DataFrame) -> list[Claim]:
    limit = table[table.part == "limit"].sort_values("sigma", ascending=False)
    curves = [group for _, group in limit.groupby(["case", "reset"], sort=False)]
    errors = [np.hypot(c.se.to_numpy()[1:], c.se.to_numpy()[:-1]).clip(1e-12) for c in curves]
    rises = [(np.diff(c.value) / error).max() for c, error in zip(curves, errors, strict=True)]
    widest, least = limit[limit.sigma == limit.sigma.max()], limit[limit.sigma == limit.sigma.min()]
    return [
        Claim(
            "as the noise vanishes the spikes become those of the deterministic network: none differs at the smallest width",
            len(curves) == 2 * len(SURROGATES)
            and bool((least.value == 0).all() and (widest.value > 0.1).all())
            and max(rises) < 4,
            f"{100 * widest.value.min():.0f} to {100 * widest.value.max():.0f} % differ at width {widest.sigma.iloc[0]:g}, "
            f"{int((least.value > 0).sum())} of {len(least)} networks differ at {least.sigma.iloc[0]:g}; "
            f"largest rise between widths {max(0.0, *rises):.1f} standard errors",
        )
    ]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """The surrogate that each family corresponds to, and the largest differences."""
    same = _relative(table[table.part == "density"])
    gradient = table[table.part == "gradient"].groupby("case").value.max()
    limit = table[table.part == "limit"].groupby(["case", "sigma"]).value.mean()
    return pd.DataFrame(
        {
            "family": list(SURROGATES),
            "surrogate": [surrogate.name for surrogate in SURROGATES.values()],
            "density differs by": [f"{same[name]:.0e}" for name in SURROGATES],
            "gradient differs by": [f"{gradient[name]:.0e}" for name in SURROGATES],
            "spikes that differ at width 0.01 (%)": [f"{100 * limit[name, 0.01]:.2f}" for name in SURROGATES],
        }
    )


def tables(table: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """The bias in each setting."""
    depth = table[table.part == "depth"]
    reset = table[table.part == "reset"]
    titles = {"noise": "sigma", "shared": "number of synapses that share the weight", "weaker": "weight"}
    return {
        "Bias in depth": pd.DataFrame(
            {
                "varied": depth.case.map(titles),
                "sigma": depth.sigma.map("{:g}".format),
                "synapses": depth.synapses.astype(int),
                "weight of each synapse": depth.weight.map("{:.4g}".format),
                "NDL": depth.value.map("{:.6g}".format),
                "exact": depth.exact.map("{:.6g}".format),
                "NDL / exact": (depth.value / depth.exact).map("{:.6g}".format),
            }
        ),
        "Bias through the reset": pd.DataFrame(
            {
                "path through the reset": reset.case,
                "sigma": reset.sigma.map("{:g}".format),
                "NDL": reset.value.map("{:.6g}".format),
                "exact": reset.exact.map("{:.6g}".format),
                "bias (%)": (100 * (reset.value / reset.exact - 1)).map("{:.4g}".format),
            }
        ),
    }


LEGEND = {"loc": "upper left", "handlelength": 1.2, "columnspacing": 0.8}


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The three panels with their caption."""
    return {
        f"{CLAIM}. Left: the families' densities (lines) and the surrogates (dots). Middle: bias of noise-driven learning against "
        "the effect of one spike on the membrane potential, in units of sigma. Right: spikes that differ between the noisy and the "
        "deterministic network; bars: standard errors over trials.": plot(table)
    }


def plot(table: pd.DataFrame) -> Figure:
    """Densities and surrogates; bias against weight / sigma; share of spikes that differ from the deterministic network."""
    figure = Figure(figsize=(13, 4.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    limit = where(table, part="limit", reset="hard")
    for name, surrogate in SURROGATES.items():
        colour, label = surrogate.colour, f"{name}: {surrogate.name.split(',')[0]}"
        rows = table[(table.part == "density") & (table.case == name) & (table.value > 0)].sort_values("x")
        left.plot(rows.x, rows.value, color=colour, lw=1.3)
        left.plot(rows.x[::3], rows.exact[::3], "o", color=colour, ms=3.5)
        left.plot([], [], "-o", color=colour, lw=1.3, ms=3.5, label=label)
        rows = limit[limit.case == name].sort_values("sigma")
        points(right, rows.sigma, 100 * rows.value, 100 * rows.se, fmt="o-", color=colour, label=name, ms=3.5)
    log_axis(left, [0.001, 0.01, 0.1, 1], axis="y")
    two = LEGEND | {"ncols": 2}
    width, density = "distance to threshold (widths)", "density (1 / width)"
    title = "noise densities and surrogates"
    finish(left, legend=two, ylim=(1e-3, 12), xlabel=width, ylabel=density, title=title)
    _draw_bias(middle, table)
    right.set_xscale("log")
    right.set_yscale("symlog", linthresh=0.01)
    ticks = [0, 0.01, 0.1, 1, 10]
    right.set_yticks(ticks, [f"{t:g}" for t in ticks])
    right.minorticks_off()
    labels = {"xlabel": "width of the noise (thresholds)", "ylabel": "differing spikes (%)"}
    limits = {"xlim": (3e-9, 2), "ylim": (-0.002, 60)}
    finish(right, legend=LEGEND, title="deterministic limit", **labels, **limits)
    return figure


def _draw_bias(ax: Axes, table: pd.DataFrame) -> None:
    """Bias of the gradient against the effect of one spike on the membrane potential, in units of sigma."""
    depth, reset = table[table.part == "depth"], table[table.part == "reset"]
    shared = where(depth, case="shared", sigma=SIGMA)
    curves = (
        (depth[depth.case == "noise"], BLUE, "o-", "weight 1, sigma from .1 to 12.8"),
        (shared, GREEN, "s-", "sigma .4, weight 1 shared by 1, 2, 4, ... synapses"),
        (depth[depth.case == "weaker"], SKY, "^-", "sigma .4, one weight from 1 down"),
        (reset[reset.case == "detached"], PINK, "v--", "two steps, path through reset omitted"),
        (reset[reset.case == "exact"], ORANGE, "d--", "two steps, path through reset included"),
    )
    for rows, colour, style, label in curves:
        bias = 100 * (rows.value / rows.exact - 1).abs()
        ax.plot(rows.weight / rows.sigma, bias, style, color=colour, ms=4, lw=1.2, label=label)
    log_axis(ax, [0.01, 0.1, 1, 10])
    log_axis(ax, [0.01, 0.1, 1, 10, 100], axis="y")
    effect, title = "effect of a spike on the potential / sigma", "bias of noise-driven learning"
    finish(
        ax, legend=LEGEND, ylim=(1e-3, 2e3), xlabel=effect, ylabel="|bias| of the gradient (%)", title=title
    )
