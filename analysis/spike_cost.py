"""Noise that is learned under a cost of spikes, in a pool of identical units.

K threshold units receive one Gaussian stimulus x of mean 0 and SD 1, and independent Gaussian noise of SD sigma; a unit fires if
x + noise > theta. The response is the number n of units that fire. At theta = 0 some noise maximises I(x; n), which is one bit
without noise (suprathreshold stochastic resonance: Stocks 2000, doi 10.1103/PhysRevLett.84.2310). The study maximises I(x; n) -
cost E[n], in bits, over sigma and theta together, by quasi-Newton steps along the exact gradient. In it the derivative of the
firing probability is the density of the noise, as in noise-driven learning, here also for the noise level. Information is that of
`theory.suprathreshold_information`: quadrature over the stimulus, binomial counts, no sampling. Closed forms to compare with:

- without noise all units agree: I - cost E[n] is at most log2(1 + 2^(-cost K)), with a single unit log2(1 + 2^-cost)
- no code with 0 to K spikes exceeds log2(sum_n 2^(-cost n)); thresholds that differ reach it without noise

Hypotheses, fixed before any run. One unit learns to be without noise at every cost; two or more units keep some noise. As the cost
grows the learned threshold rises and the learned noise falls. Larger pools learn more noise at every cost. A pool with
learned noise is better than every pool without noise whose thresholds are equal, a single unit included. The larger the cost, the
less different thresholds would gain. Known before: the optima at theta = 0 without a cost; the closed forms; and that for K >= 2 a
little noise cannot harm, since information gains sigma log(1 / sigma) there while E[n] changes with sigma^2 only. A quick run, with
2 and 8 units, contradicted three hypotheses: the noise rose with the cost, a single unit was better at the larger costs, and the
share of different thresholds grew. They are kept. Then threshold and noise, so far in one claim, which failed, became two, and the
two claims marked "after the quick run" were added.
"""

from __future__ import annotations

import dataclasses
import itertools
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from scipy import optimize, special, stats

import nsnn_neuro as nsnn
from nsnn_neuro import theory

from .harness import Claim, Progress, StudyConfig, quiet, secondary
from .shared.figures import BLACK, BLUE, GREEN, GREY, STYLES, finish, log_axis
from .shared.tables import where
from .stochastic_resonance.verdicts import PUBLISHED_POOL

CLAIM = "A pool of identical units learns to keep some noise even if its spikes have a cost"
SABOTAGES = {
    "noise not learned": "sigma stays at its lower bound; only the threshold is learned",
    "density of another noise": "the gradient has the density of a noise that is 10 % wider",
    "cost ignored": "sigma and theta are those learned without a cost",
}
LEAST, LARGEST = 1e-3, 3.0  # bounds of sigma, the lower of which stands for no noise
RAISED = 6.0  # upper bound of theta
STARTS = ((0.1, 0.3), (0.5, 0.3), (0.3, 1.5), (0.1, 2.5))  # sigma, theta
NODES, WIDTH = 1201, 9.0  # of the quadrature; its range in stimulus SDs
TIE = 1e-4  # bit; a difference that counts


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run."""

    pools: tuple[int, ...] = (1, 2, 4, 8, 16, 63)
    costs: tuple[float, ...] = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # bit per spike
    grid: int = 24  # values of sigma and of theta

    QUICK: ClassVar[dict[str, Any]] = {"pools": (1, 2, 8), "costs": (0.0, 0.1, 0.5), "grid": 8}


def binomial(n_units: int, a: np.ndarray) -> np.ndarray:
    """Probabilities of 0 to n_units spikes, (n_units + 1, nodes), each with probability Phi(a)."""
    n = np.arange(n_units + 1)[:, None]
    return special.comb(n_units, n) * np.exp(n * special.log_ndtr(a) + (n_units - n) * special.log_ndtr(-a))


def objective(
    sigma: float, theta: float, n_units: int, cost: float = 0.0, *, width: float = 1.0
) -> tuple[float, float, np.ndarray]:
    """Information (bit), expected number of spikes, and gradient of information - cost spikes by log sigma and theta.

    dI = sum_n int P(x) dP(n | x) log2(P(n | x) / P(n)) dx, with dP(n | x) / dp = K (B(n - 1; K - 1, p) - B(n; K - 1, p)), B
    binomial, p = Phi(a), a = (x - theta) / sigma, dp / dtheta = -phi(a) / sigma. Nodes are dense at the threshold.

    width : factor of the SD of the density phi; other than 1 it is a sabotage
    """
    low, high = np.arcsinh((np.array([-WIDTH, WIDTH]) - theta) / sigma)
    t = np.linspace(low, high, NODES)
    a = np.sinh(t)
    weight = np.exp(-0.5 * (theta + sigma * a) ** 2) * np.cosh(t)
    weight /= weight.sum()
    law, fewer, none = binomial(n_units, a), binomial(n_units - 1, a), np.zeros((1, NODES))
    with np.errstate(divide="ignore", invalid="ignore"):
        surprise = np.where(law > 0, np.log2(law / (law @ weight)[:, None]), 0.0)
    by_p = n_units * (np.vstack([none, fewer]) - np.vstack([fewer, none]))
    force = weight * stats.norm.pdf(a, scale=width) * ((by_p * surprise).sum(0) - cost * n_units)
    gradient = np.array([-(force @ a), -force.sum() / sigma])
    return float(weight @ (law * surprise).sum(0)), float(n_units * weight @ special.ndtr(a)), gradient


def exact_value(sigma: float, theta: float, n_units: int, cost: float = 0.0) -> float:
    """Information - cost spikes, by the package."""
    bits = theory.suprathreshold_information(nsnn.Gaussian(sigma), n_units=n_units, theta=theta)
    return bits - cost * n_units * float(special.ndtr(-theta / np.hypot(1, sigma)))


def equal_deviations(n_units: int) -> float:
    """Information (bit) at sigma = 1 and theta = 0, where all counts are equally likely."""
    orders = np.log2(special.comb(n_units, np.arange(n_units + 1)))
    return float(np.log2(n_units + 1) - n_units / (2 * np.log(2)) + orders.mean())


def learn(n_units: int, cost: float, sabotage: str = "") -> tuple[float, float]:
    """The sigma and theta of the best of several searches along the gradient."""
    width = 1.1 if sabotage == "density of another noise" else 1.0
    most = LEAST if sabotage == "noise not learned" else LARGEST
    cost = 0.0 if sabotage == "cost ignored" else cost

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        bits, spikes, gradient = objective(np.exp(at[0]), at[1], n_units, cost, width=width)
        return cost * spikes - bits, -gradient

    how: dict[str, Any] = {"jac": True, "method": "L-BFGS-B", "options": {"ftol": 1e-13, "gtol": 1e-8}}
    how["bounds"] = [(np.log(LEAST), np.log(most)), (0.0, RAISED)]
    searches = [optimize.minimize(loss, (np.log(min(sigma, most)), theta), **how) for sigma, theta in STARTS]
    best = min(searches, key=lambda search: search.fun).x
    return float(np.exp(best[0])), float(best[1])


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """Rows of five parts: "known" (value and exact, by case); "gradient" (with finite differences as exact); "learned" sigma and
    theta, with the value reached; "grid", its best point; "fixed", the best noise at theta = 0 without a cost."""
    rows: list[dict[str, Any]] = []

    def add(part: str, value: float, exact: float = np.nan, **where: Any) -> None:
        rows.append({"part": part, "case": "", "units": k, **where, "value": value, "exact": exact})

    sigmas, thetas = np.geomspace(LEAST, 1.5, config.grid), np.linspace(0, 3.5, config.grid)
    points = list(itertools.product(sigmas, thetas))
    width, h = 1.1 if config.sabotage == "density of another noise" else 1.0, 1e-4
    for k in config.pools:
        progress(f"{k} units")
        add("known", objective(1.0, 0.0, k)[0], equal_deviations(k), case="equal SDs")
        add("known", objective(1e-7, 0.0, k)[0], 1.0, case="no noise")
        for sigma, theta, cost in itertools.product((0.05, 0.4), (0.0, 1.5), (0.0, 0.3)):
            moved = [
                (sigma * np.exp(h), theta),
                (sigma * np.exp(-h), theta),
                (sigma, theta + h),
                (sigma, theta - h),
            ]
            value = np.array([exact_value(s, t, k, cost) for s, t in moved])
            gradient = objective(sigma, theta, k, cost, width=width)[2]
            for case, ours, exact in zip(
                ("sigma", "theta"), gradient, (value[::2] - value[1::2]) / (2 * h), strict=True
            ):
                add("gradient", ours, exact, case=case, cost=cost, sigma=sigma, theta=theta)
        bits, spikes = np.array([objective(s, t, k)[:2] for s, t in points]).T
        for cost in config.costs:
            sigma, theta = learn(k, cost, config.sabotage)
            add("learned", exact_value(sigma, theta, k, cost), cost=cost, sigma=sigma, theta=theta)
            best = int(np.argmax(bits - cost * spikes))
            sigma, theta = points[best]
            add("grid", bits[best] - cost * spikes[best], cost=cost, sigma=sigma, theta=theta)
        if k in PUBLISHED_POOL:
            values = {s: objective(s, 0.0, k)[0] for s in np.arange(0.05, 0.8, 5e-4).tolist()}
            sigma = max(values, key=values.__getitem__)
            add("fixed", values[sigma], sigma=sigma, theta=0.0)
    return pd.DataFrame(rows)


def noiseless(n_units: Any, cost: Any) -> Any:
    """Largest information - cost spikes (bit) of units without noise and with one threshold."""
    return np.log2(1 + 2.0 ** (-np.asarray(cost) * n_units))


def bound(n_units: int, cost: float) -> float:
    """The same of any code with 0 to n_units spikes."""
    return float(np.log2((2.0 ** (-cost * np.arange(n_units + 1))).sum()))


def _largest(rows: pd.DataFrame) -> float:
    """Largest difference of value and exact, relative where they are above 1."""
    return float(((rows.value - rows.exact).abs() / rows.exact.abs().clip(lower=1.0)).max())


def claims(table: pd.DataFrame) -> list[Claim]:
    """The study's claims with their evidence."""
    known = [_largest(where(table, part="known", case=case)) for case in ("equal SDs", "no noise")]
    slope, fixed = _largest(where(table, part="gradient")), where(table, part="fixed").set_index("units")
    learned = where(table, part="learned").set_index(["units", "cost"]).sort_index()
    grid = where(table, part="grid").set_index(["units", "cost"]).sort_index()
    units, cost = (learned.index.get_level_values(name) for name in ("units", "cost"))
    above_grid = learned.value - grid.value
    most = pd.Series([bound(k, c) for k, c in learned.index], learned.index)
    gain, over_one = learned.value - noiseless(units, cost), learned.value - noiseless(1, cost)
    pool, alone = units > 1, learned[units == 1]
    loss = (noiseless(1, cost)[units == 1] - alone.value).abs().max()
    sigma, theta, share = (v.unstack("units") for v in (learned.sigma, learned.theta, learned.value / most))
    some = [k for k in sigma.columns if k > 1]
    until = [max(c for c, value in over_one[k].items() if value > 0) for k in some]
    ends = sigma.index[[0, -1]]

    def path(values: pd.DataFrame, scale: float = 1.0) -> str:
        """First and last value of each pool."""
        return "; ".join(
            f"{k} units {scale * values[k][ends[0]]:.3f} to {scale * values[k][ends[1]]:.3f}" for k in some
        )

    return [
        Claim(
            "information by quadrature equals closed forms: of all pools at equal SDs of noise and stimulus to 1e-8, and one "
            "bit without noise to 1e-4",
            known[0] < 1e-8 and known[1] < 1e-4,
            f"largest differences {known[0]:.1e} and {known[1]:.1e} bit",
        ),
        Claim(
            "the exact gradient by noise level and threshold equals finite differences of the package's information to 1e-5",
            slope < 1e-5,
            f"{len(where(table, part='gradient'))} components, largest difference {slope:.1e}",
        ),
        Claim(
            "at theta = 0 and without a cost the best noise is that of independent calculations",
            all(abs(row.sigma - PUBLISHED_POOL[k][0]) < 1e-3 and round(row.value, 4) == PUBLISHED_POOL[k][1]
                for k, row in fixed.iterrows()),
            "; ".join(f"{k} units {row.value:.4f} bit at {row.sigma:.3f}" for k, row in fixed.iterrows()),
        ),
        Claim(
            "the searches end at the maximum: no point of a grid is better by 1e-6 bit, and none exceeds the bound of all codes",
            above_grid.min() > -1e-6 and (most - learned.value).min() > -1e-9,
            f"{len(learned)} maxima, {1e3 * above_grid.min():.2f}e-3 to {1e3 * above_grid.max():.2f}e-3 bit above the grid's best",
        ),
        Claim(
            f"one unit learns to be without noise at every cost: sigma is at its lower bound of {LEAST:g}, and the value that of "
            "the noiseless unit within .005 bit",
            (alone.sigma < 1.01 * LEAST).all() and loss < 0.005,
            f"largest sigma {alone.sigma.max():.4f}; largest difference {loss:.4f} bit",
        ),
        Claim(
            "two or more units keep some noise at every cost, and gain by it over the same units without noise",
            (learned.sigma[pool] > 2 * LEAST).all() and (gain[pool] > TIE).all(),
            "; ".join(f"{k} units: gain {gain[k].min():.3f} to {gain[k].max():.3f} bit" for k in some),
        ),
        Claim(
            "the learned threshold rises with each step of the cost",
            all((np.diff(theta[k]) > 0).all() for k in theta.columns),
            path(theta),
        ),
        Claim(
            "the learned noise falls with each step of the cost (K >= 2)",
            all((np.diff(sigma[k]) < 0).all() for k in some),
            path(sigma),
        ),
        Claim(
            "larger pools learn more noise, at every cost",
            (np.diff(sigma.to_numpy(), axis=1) > 0).all(),
            "; ".join(f"cost {c:g}: " + ", ".join(f"{s:.3f}" for s in row) for c, row in sigma.iterrows()),
        ),
        Claim(
            "a pool with learned noise is better than every pool without noise whose thresholds are equal, a single unit included, "
            "at every cost (K >= 2)",
            (over_one[pool] > TIE).all(),
            "over a single unit: " + "; ".join(f"{k} units {over_one[k].min():+.4f} to {over_one[k].max():+.4f} bit" for k in some),
        ),
        secondary(
            "the share of what different thresholds without noise would reach rises with each cost (K >= 2)",
            all((np.diff(share[k]) > 0).all() for k in some),
            path(share),
        ),
        secondary(
            "after the quick run: the learned noise rises with each step of the cost (K >= 2)",
            all((np.diff(sigma[k]) > 0).all() for k in some),
            path(sigma),
        ),
        secondary(
            "after the quick run: the learned pool is better than a single noiseless unit up to some cost only (K >= 2)",
            max(until) < ends[1],
            "better up to: " + ", ".join(f"{k} units {c:g} bit per spike" for k, c in zip(some, until, strict=True)),
        ),
    ]  # fmt: skip


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """What is learned at each cost, and what it is compared with."""
    rows = where(table, part="learned")
    columns = {"units": rows.units.astype(int), "cost (bit / spike)": rows.cost, "sigma": rows.sigma, "theta": rows.theta,
               "information - cost (bit)": rows.value, "no noise": noiseless(rows.units, rows.cost),
               "different thresholds": [bound(int(r.units), r.cost) for r in rows.itertuples()]}  # fmt: skip
    return pd.DataFrame(columns).round(4)


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The figure with its caption."""
    caption = (
        "A, B: noise and threshold that maximise information - cost x spikes, in SDs of the stimulus; the noise of one unit is "
        "at its lower bound. C: the largest value of the largest pool, and values without noise: with one threshold, of a single "
        "unit, and with different thresholds, which is the bound of all codes. Nothing is sampled."
    )
    return {f"{CLAIM}. {caption}": plot(table)}


def plot(table: pd.DataFrame) -> Figure:
    """Learned noise, learned threshold, and the value reached, against the cost."""
    figure = Figure(figsize=(10.5, 3.4), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    learned = where(table, part="learned").sort_values("cost")
    costs = np.array(sorted(learned.cost.unique()))
    x = np.where(costs > 0, costs, costs[1] / 2.5)  # the place of 0 on a logarithmic axis
    for (k, pool), (colour, marker, line) in zip(learned.groupby("units"), STYLES, strict=False):
        for ax, values in ((left, pool.sigma), (middle, pool.theta)):
            ax.plot(x, values, marker, ls=line, color=colour, ms=4, lw=1.2, label=f"{k:.0f}")
    most = int(learned.units.max())
    right.plot(x, [bound(most, c) for c in costs], "-.", color=GREEN, label="no noise, different thresholds")
    right.plot(x, pool.value, "o-", color=BLUE, ms=4, label="learned noise")
    right.plot(x, noiseless(1, costs), "--", color=BLACK, label="no noise, a single unit")
    right.plot(x, noiseless(most, costs), ":", color=GREY, label="no noise, one threshold")
    names = ("learned noise (SD)", "learned threshold (SD)", f"information - cost, {most} units (bit)")
    for ax, letter, name in zip((left, middle, right), "ABC", names, strict=True):
        log_axis(ax, x)
        ax.set_xticks(x, [f"{c:g}" for c in costs])
        legend = {} if letter == "C" else {"title": "units", "title_fontsize": 8}
        finish(ax, letter, legend=legend, xlabel="cost of a spike (bit)", ylabel=name, ylim=(0, None))
    right.set_ylim(0, 1.4 * bound(most, 0.0))
    return figure
