"""Claims of the study `stochastic_resonance` with their verdicts, its summary tables and its figures."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ..harness import Claim, secondary
from ..shared.figures import BLACK, BLUE, GREEN, GREY, ORANGE, finish, log_axis, means, points
from ..shared.intervals import above, interval_text
from ..shared.tables import where
from .config import CLAIM

PUBLISHED_UNIT = (0.26837, 0.094071)
"""(sigma, bits) of the maximum for one unit, potentials .4 and .8, threshold 1; computed independently"""
PUBLISHED_POOL = {2: (0.088, 1.0577), 8: (0.316, 1.5646), 63: (0.503, 2.7401)}
"""units -> (noise, bits) of the maximum; computed independently"""
PUBLISHED_ONE = 0.278652
"""bits of one unit whose noise and signal have the same SD"""
RESIDUAL = 0.003
"""bits; residual bias that is accepted if responses are nearly certain, where the standard error is nearly 0"""
STATED_ACCURACY = 0.01
"""bits; stated accuracy of the Panzeri-Treves correction with enough trials"""


def simulated(table: pd.DataFrame, part: str, signal: str, units: int = 1) -> pd.DataFrame:
    """Mean over replicates at each sigma: sigma, value, se, exact, z."""
    own = where(table, kind="simulated", part=part, signal=signal, units=units)
    points = own.groupby("sigma", as_index=False).agg(
        value=("value", "mean"), se=("se", lambda e: np.sqrt((e**2).sum()) / len(e)), exact=("exact", "first")
    )
    return points.assign(z=(points.value - points.exact) / points.se.clip(lower=1e-6))


def curve(table: pd.DataFrame, part: str, signal: str, units: int = 1, kind: str = "curve") -> pd.DataFrame:
    """The exact curve, or its maximum."""
    return where(table, kind=kind, part=part, signal=signal, units=units).sort_values("sigma")


def _nearest(points: pd.DataFrame, sigma: float) -> int:
    """The row whose sigma is nearest, in log sigma."""
    return int(np.abs(np.log(points.sigma / sigma)).to_numpy().argmin())


def replicates(table: pd.DataFrame, part: str, signal: str, sigma: float, units: int = 1) -> np.ndarray:
    """Information (bits) of each replicate at the grid point nearest to sigma in log sigma."""
    own = where(table, kind="simulated", part=part, signal=signal, units=units)
    nearest = own.sigma.iloc[_nearest(own, sigma)]
    return own[own.sigma == nearest].sort_values("replicate").value.to_numpy(dtype=float)


def vertex(x: np.ndarray, y: np.ndarray, se: np.ndarray) -> tuple[float, float, float]:
    """Vertex of the least-squares parabola through points, its standard error by linear propagation, and its curvature in standard
    errors; NaN without curvature.
    """
    design = np.vander(x - x.mean(), 3)
    solve = np.linalg.pinv(design)
    a, b, _ = solve @ y
    if a == 0:
        return (float("nan"),) * 3
    slope = (b * solve[0] - a * solve[1]) / (2 * a**2)
    spread = max(float(np.sqrt(((solve[0] * se) ** 2).sum())), 1e-9)
    return float(x.mean() - b / (2 * a)), float(np.sqrt(((slope * se) ** 2).sum())), float(a / spread)


def location(table: pd.DataFrame, part: str) -> tuple[float, float, float, float]:
    """Sigma of the simulated maximum, standard error of its logarithm, z of the logarithm against theory, and z of the
    curvature."""
    best = float(curve(table, part, "subthreshold", kind="best").sigma.iloc[0])
    points = simulated(table, part, "subthreshold")
    first = int(np.clip(_nearest(points, best) - 2, 0, len(points) - 5))
    near = points.iloc[first : first + 5]
    x = np.log(near.sigma.to_numpy())
    at, error, curvature = vertex(x, near.value.to_numpy(), near.se.to_numpy())
    expected, *_ = vertex(x, near.exact.to_numpy(), 0 * x)
    error = max(error, 1e-6)
    return float(best * np.exp(at - expected)), error, (at - expected) / error, curvature


def _agree(points: pd.DataFrame) -> tuple[bool, str]:
    """Whether all points agree with theory, and the evidence."""
    off = (points.value - points.exact).abs()
    z = points.z[off >= RESIDUAL].abs()
    text = f"{len(points)} points, largest difference {off.max():.4f} bit; "
    if len(z):
        text += f"largest |z| of points that differ by more than {RESIDUAL:g} bit: {z.max():.1f}"
    else:
        text += f"no point differs by {RESIDUAL:g} bit"
    return len(points) > 0 and (z < 4).all(), text


def _claims_of_signals(table: pd.DataFrame, part: str, text: str, located: bool) -> Iterator[Claim]:
    """Claims about the unit or the LIF neuron; `located`: whether the place of the maximum is a central claim."""
    weak, strong = (simulated(table, part, name) for name in ("subthreshold", "suprathreshold"))
    yield Claim(
        f"{text}: simulated and exact information agree at every noise for both signals, |z| < 4 or within {RESIDUAL:g} bit",
        *_agree(pd.concat([weak, strong])),
    )
    best, sigmas = curve(table, part, "subthreshold", kind="best").iloc[0], weak.sigma
    top = replicates(table, part, "subthreshold", best.sigma)
    ends = [top - replicates(table, part, "subthreshold", s) for s in (sigmas.min(), sigmas.max())]
    yield Claim(
        f"{text}: information about the subthreshold signal is larger at intermediate than at the smallest and largest "
        "noise (95 %)",
        all(above(d, 0.0) for d in ends),
        f"at the exact maximum, sigma {best.sigma:.4g}: {top.mean():.3f} bit (exact {best.exact:.3f}); minus that at sigma "
        f"{sigmas.min():.3g}: {interval_text(ends[0], 'bit')}; at {sigmas.max():.3g}: {interval_text(ends[1], 'bit')}",
    )
    at, error, z, curvature = location(table, part)
    yield Claim(
        f"{text}: the simulated information has a maximum (curvature below -4 standard errors) at the predicted noise, |z| < 4",
        abs(z) < 4 and curvature < -4,
        f"sigma {at:.4g} ± {at * error:.2g}, exact {best.sigma:.4g}, z = {z:+.1f}; curvature {curvature:.1f} standard errors",
        central=located,
    )
    exact, value, se = (
        curve(table, part, "suprathreshold").exact,
        strong.value.to_numpy(),
        strong.se.to_numpy(),
    )
    rise = np.diff(value) / np.hypot(se[1:], se[:-1]).clip(1e-6)
    sigmas = strong.sigma
    ends = [replicates(table, part, "suprathreshold", s) for s in (sigmas.min(), sigmas.max())]
    yield Claim(
        f"{text}: information about the control falls monotonically with noise, exactly and in simulations to 4 standard errors",
        (np.diff(exact) < 0).all() and rise.max() < 4 and above(ends[0] - ends[1], 0.0),
        f"{ends[0].mean():.3f} bit at sigma {sigmas.min():.3g}, {ends[1].mean():.3f} at {sigmas.max():.3g}; largest "
        f"rise {max(0.0, float(rise.max())):.1f} standard errors",
    )


def _claims_of_pools(table: pd.DataFrame) -> list[Claim]:
    pools = sorted(where(table, part="pool", kind="simulated").units.astype(int).unique())
    best = {k: curve(table, "pool", "Gaussian", k, "best").iloc[0] for k in pools if k > 1}
    one = float(where(table, part="pool", signal="equal SDs").exact.iloc[0])
    points = pd.concat([simulated(table, "pool", "Gaussian", k) for k in pools])
    own = where(table, part="pool", kind="simulated")
    other = (own["panzeri treves"] - own.exact).groupby([own.units, own.sigma]).mean().abs()
    gain = {k: replicates(table, "pool", "Gaussian", best[k].sigma, k) - 1 for k in best}
    more = [b - a for a, b in itertools.pairwise(gain.values())]
    single = curve(table, "pool", "Gaussian", 1).exact
    return [
        Claim(
            "pool: the exact information equals independent values: maxima for 2, 8 and 63 units, and one unit at equal SDs",
            round(one, 6) == PUBLISHED_ONE
            and all(
                k in best and abs(best[k].sigma - at) < 1e-3 and round(best[k].exact, 4) == bits
                for k, (at, bits) in PUBLISHED_POOL.items()
            ),
            "; ".join(f"{k} units {best[k].exact:.4f} bit at {best[k].sigma:.3f}" for k in best)
            + f"; one {one:.6f}",
        ),
        Claim(
            f"pool: simulated and exact information agree at every noise and size, |z| < 4 or within {RESIDUAL:g} bit",
            *_agree(points),
        ),
        Claim(
            "pool: with noise two or more units carry more than the noiseless bit, and the gain grows with their number (95 %)",
            all(above(g, 0.0) for g in gain.values()) and all(above(d, 0.0) for d in more),
            "; ".join(f"{k} units {interval_text(g, 'bit')}" for k, g in gain.items()),
        ),
        secondary(
            f"pool: with the Panzeri-Treves correction instead, every point is within {STATED_ACCURACY:g} bit of theory",
            other.max() < STATED_ACCURACY,
            f"largest difference {other.max():.4f} bit",
        ),
        Claim(
            "pool: a single unit does not gain from noise: its exact information falls from one bit",
            (np.diff(single) < 0).all() and single.max() < 1,
            f"{single.max():.3f} bit at the least noise",
        ),
    ]


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    best = curve(table, "unit", "subthreshold", kind="best").iloc[0]
    return [
        Claim(
            "one unit: the exact maximum equals an independent value, .094071 bit at sigma .26837",
            abs(best.sigma - PUBLISHED_UNIT[0]) < 2e-5 and round(best.exact, 6) == PUBLISHED_UNIT[1],
            f"{best.exact:.6f} bit at {best.sigma:.5f}",
        ),
        *_claims_of_signals(table, "unit", "one unit", True),
        *_claims_of_signals(table, "LIF", "LIF", False),
        *_claims_of_pools(table),
    ]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Largest information of each part: exact, and simulated at the nearest grid point."""
    rows = []
    for best in table[table.kind == "best"].itertuples():
        own = simulated(table, best.part, best.signal, best.units)
        if own.empty:
            continue
        near = own.iloc[_nearest(own, best.sigma)]
        rows.append(
            {
                "part": best.part,
                "units": int(best.units),
                "best sigma": f"{best.sigma:.4g}",
                "exact maximum (bit)": f"{best.exact:.4f}",
                "simulated at sigma": f"{near.sigma:.4g}",
                "exact at that sigma (bit)": f"{near.exact:.4f}",
                "simulated (raw bit)": f"{near.value:.4f} ± {near.se:.4f}",
                "z": f"{near.z:+.1f}",
            }
        )
    return pd.DataFrame(rows)


def headline(table: pd.DataFrame) -> str:
    """The main result in a sentence."""
    one, cell = (curve(table, part, "subthreshold", kind="best").iloc[0] for part in ("unit", "LIF"))
    most = where(table, kind="best", part="pool", units=63).iloc[0]
    return (
        f"One unit transmits most information about a subthreshold signal at sigma {one.sigma:.3f} ({one.exact:.3f} bit), a LIF "
        f"neuron at {cell.sigma:.2f} mV ({cell.exact:.2f} bit); 63 units carry {most.exact:.2f} bits at the best "
        "noise, 1 bit without."
    )


SIGNALS = {"subthreshold": (BLUE, "o", "-"), "suprathreshold": (ORANGE, "s", "--")}
POOLS: tuple[tuple[str, str, Any], ...] = (
    (BLACK, "o", "-"),
    (ORANGE, "s", "--"),
    (BLUE, "^", "-."),
    (GREEN, "D", (0, (6, 1.5, 1, 1.5, 1, 1.5))),
)
BITS = "information (bit; points raw)"
TICKS = (0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20)


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """Information against noise, and the pools' maxima."""
    return {
        f"{CLAIM}. Lines: exact. Markers: simulated, with 2 standard errors. Left and middle: a subthreshold signal and, as the "
        "control, a suprathreshold one; dotted: exact maximum. Right: pools of units that share a signal around their threshold, "
        "simulated at discrete levels, which carry less at small noise; dotted: one bit, the value without noise.": plot(
            table
        ),
        "Information of a pool at its best noise. Line: exact. Markers: simulated at the nearest grid point, 95 % intervals "
        "over replicates. Dotted: without noise.": plot_gain(table),
    }


def plot(table: pd.DataFrame) -> Figure:
    """Information against noise: one unit, LIF neuron, pools."""
    figure = Figure(figsize=(10.5, 3.6), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    _two_signals(left, table, "unit", xlabel="noise sigma (thresholds)", title="one unit, one step")
    _two_signals(middle, table, "LIF", xlabel="noise sigma (mV)", title="LIF neuron, spike count")
    sizes = _sizes(table)
    for k, style in zip(reversed(sizes), POOLS, strict=False):
        _against_noise(right, table, "pool", "Gaussian", style, f"{k} units" if k > 1 else "1 unit", k)
    right.axhline(1, color=GREY, lw=0.8, ls=":")
    top = 1.25 * max(curve(table, "pool", "Gaussian", k).exact.max() for k in sizes)
    _noise_axis(right)
    title, legend = "pool, number of spikes", {"ncols": 2, "loc": "upper left", "bbox_to_anchor": (0, 1.02)}
    finish(right, legend=legend, xlabel="noise SD / signal SD", ylabel=BITS, ylim=(0, top), title=title)
    return figure


def _sizes(table: pd.DataFrame) -> list[int]:
    return sorted(where(table, part="pool", kind="simulated").units.astype(int).unique())


def _against_noise(
    ax: Any,
    table: pd.DataFrame,
    part: str,
    signal: str,
    style: tuple[str, str, Any],
    label: str,
    units: int = 1,
) -> None:
    """Exact curve, and simulated points with two standard errors."""
    (colour, marker, line), exact = style, curve(table, part, signal, units)
    ax.plot(exact.sigma, exact.exact, ls=line, color=colour, lw=1.2)
    at = simulated(table, part, signal, units)
    points(ax, at.sigma, at.value, 2 * at.se, fmt=marker, color=colour, mfc="white", label=label)


def _noise_axis(ax: Any) -> None:
    ax.set_xscale("log")
    low, high = ax.get_xlim()
    log_axis(ax, [t for t in TICKS if low <= t <= high])


def _two_signals(ax: Any, table: pd.DataFrame, part: str, **labels: str) -> None:
    """Information against noise for the two signals; the small values of the unit have a separate axis."""
    most = curve(table, part, "subthreshold").exact.max()
    other, (colour, marker, _) = ax, SIGNALS["suprathreshold"]
    if most < 0.2:
        other = ax.twinx()
        other.set_ylabel("information, control (bit; points raw)", color=colour)
        other.tick_params(axis="y", colors=colour)
        other.spines["top"].set_visible(False)
    _against_noise(ax, table, part, "subthreshold", SIGNALS["subthreshold"], "below threshold")
    _against_noise(other, table, part, "suprathreshold", SIGNALS["suprathreshold"], "control")
    if other is not ax:
        points(ax, [], [], fmt=marker, color=colour, mfc="white", label="control")
        ax.set_ylim(0, 1.4 * most)
        other.set_ylim(0, 1.4)
    best = curve(table, part, "subthreshold", kind="best").sigma.iloc[0]
    ax.axvline(best, color=BLUE, lw=0.8, ls=":")
    _noise_axis(ax)
    finish(ax, legend={"loc": "upper right"}, ylabel=BITS, **labels)
    ax.set_ylim(bottom=0)


def plot_gain(table: pd.DataFrame) -> Figure:
    """Information of a pool at its best noise, against its size."""
    figure = Figure(figsize=(5.2, 3.4), layout="constrained")
    ax = figure.subplots()
    best = where(table, kind="best", part="pool").sort_values("units")
    ax.plot([1, *best.units], [1, *best.exact], "-", color=BLUE, lw=1.2, label="exact")
    at = best[best.units.isin(set(_sizes(table)) - {1})]
    bits = [replicates(table, "pool", "Gaussian", b.sigma, int(b.units)) for b in at.itertuples()]
    means(ax, at.units, bits, fmt="o", color=ORANGE, mfc="white", label="simulated")
    ax.axhline(1, color=GREY, lw=0.8, ls=":")
    log_axis(ax, [1, 2, 4, 8, 16, 32, 64, 128])
    finish(ax, xlabel="units in the pool", ylabel=f"largest {BITS}", ylim=(0, None))
    return figure
