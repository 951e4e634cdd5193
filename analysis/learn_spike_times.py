"""Learning of spike times by a noisy and a deterministic network, and the precision that noise permits.

Frozen Poisson-like input, one hidden layer, output neurons with target spikes at random steps. The loss is the squared van
Rossum distance (`losses.VanRossum`). The noisy network has Gaussian escape noise of width sigma in both layers and is trained by
`NDL`. The deterministic network fires if u > theta and is trained with the same density as surrogate gradient, with the same
initial weights and number of updates. The noisy network is also trained on `losses.NegativeLogLikelihood`, for which the output
receives its targets. Each seed has its own input, targets and weights. Trained networks are then simulated freely, many times,
in NumPy (`reference.forward`, which shares no code with training), as are untrained networks, and the weights of the deterministic
network with noise that it was not trained with.

Distances are relative to that of silence: 1 is the value of a network that never fires. A target spike is hit if the output fires
within `WINDOW` steps of it; the nearest spike counts, the others are extra. Jitter is the standard deviation over repeats of the
time of hits, as root mean square over target spikes. Random spikes in the window would have 2.58 steps, and with many extra
spikes the nearest one is close by chance, so jitter should be read together with the extra spikes. The learning rate was chosen
with the seed before those reported.
"""

from __future__ import annotations

import dataclasses
import itertools
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import quantities as pq
from matplotlib.figure import Figure

import nsnn_neuro as nsnn
from nsnn_neuro import reference

from .harness import Claim, Progress, StudyConfig, quiet, secondary
from .shared.figures import BLUE, RED, YELLOW, finish, log_axis, points
from .shared.intervals import interval
from .shared.paired_networks import noise_and_rule
from .shared.surrogate_rules import deterministic
from .shared.tables import where

CLAIM = "Noise-driven learning trains a network to fire at given times; the precision falls with its noise"
SABOTAGES = {"other targets": "networks are trained on other spike times than those used for evaluation"}
WINDOW = 4
CHANCE = float(np.sqrt(((2 * WINDOW + 1) ** 2 - 1) / 12))
"""jitter of a random spike in the window, steps"""
APART, FIRST, TARGETS = 10, 10, 3
"""smallest distance and first step of target spikes, number of targets per output neuron"""
MEANS, SPREADS = (0.02, 0.02), (0.2, 0.12)
"""means and SDs of the initial weights"""
NEURON: dict[str, Any] = {"beta": 0.9, "theta": 1.0, "reset": "hard"}
COLOURS = {"noisy": RED, "likelihood": YELLOW, "deterministic in noise": BLUE, "untrained": "#999999"}
MEASURES = ["distance", "shuffled", "jitter", "offset", "reliability", "missing", "extra"]


@dataclasses.dataclass(frozen=True)
class Config(StudyConfig):
    """Configuration of a run."""

    seeds: int = 5
    sizes: tuple[int, ...] = (100, 80, 4)
    steps: int = 50
    rate_in: float = 0.05
    """spikes per step of an input"""
    tau: float = 5.0
    """time constant of the loss, steps"""
    sigmas: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8)
    widths: tuple[float, ...] = (0.2, 0.4)
    """widths of the surrogate"""
    rate: float = 0.002
    updates: int = 240
    batch: int = 5
    """repeats of the input per update; one for the deterministic network, where all are identical"""
    repeats: int = 100

    QUICK: ClassVar[dict[str, Any]] = {"sigmas": (0.2, 0.8), "widths": (0.4,)}


def task(config: Config, seed: int) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Input spikes (steps, n_in), target spikes (steps, n_out) and initial weights."""
    rng = np.random.default_rng(seed)
    n_in, n_out = config.sizes[0], config.sizes[-1]
    x = (rng.random((config.steps, n_in)) < config.rate_in).astype(float)
    y = np.stack([_target(rng, config.steps) for _ in range(n_out)], axis=1)
    pairs = zip(config.sizes, config.sizes[1:], MEANS, SPREADS, strict=False)
    return x, y, [rng.normal(mean, spread, (a, b)) for a, b, mean, spread in pairs]


def _target(rng: np.random.Generator, steps: int) -> np.ndarray:
    """Target spikes at random steps with non-overlapping windows."""
    room = steps - FIRST - (TARGETS - 1) * (APART - 1)
    y = np.zeros(steps)
    y[FIRST + np.sort(rng.choice(room, TARGETS, replace=False)) + np.arange(TARGETS) * (APART - 1)] = 1
    return y


def _train(config: Config, arm: str, width: float, seed: int) -> nsnn.Fit:
    x, y, weights = task(config, seed)
    if config.sabotage == "other targets":
        y = task(config, seed + config.seeds)[1]
    loss = nsnn.losses.NegativeLogLikelihood() if arm == "likelihood" else nsnn.losses.VanRossum(config.tau)
    how = noise_and_rule(arm, width, config.rate)
    net = nsnn.feedforward(
        list(config.sizes), neuron=nsnn.NSNNNeuron(**NEURON), weights=weights, seed=seed, **how
    )
    batch, part = 1 if arm == "deterministic" else config.batch, 20  # updates per epoch
    shown = [np.repeat(a[None], batch * part, axis=0) for a in (x, y)]
    return nsnn.train(
        net, shown, loss=loss, encoder=nsnn.coding.Direct(), epochs=config.updates // part,
        batch=batch, validation=0, schedule="cosine", seed=seed, progress=False,
    )  # fmt: skip


def _fire(config: Config, weights: list[np.ndarray], x: np.ndarray, sigma: float, seed: int) -> np.ndarray:
    """Output spikes (repeats, steps, n_out); a single repeat without noise if sigma is 0."""
    if not sigma:
        return deterministic(weights, x[None], **NEURON)[1][-1]
    shown = np.broadcast_to(x, (config.repeats, *x.shape))
    return reference.forward(weights, shown, nsnn.Gaussian(sigma), seed=seed, **NEURON)[1][-1]


def measure(o: np.ndarray, y: np.ndarray, tau: float, rng: np.random.Generator) -> dict[str, float]:
    """Measures of spikes o (repeats, steps, n) against targets y (steps, n); see the module docstring."""
    loss = nsnn.losses.VanRossum(tau)
    silence = float(loss.value(np.zeros_like(y), y))
    distances = loss.value(o, np.broadcast_to(y, o.shape)) / silence
    others = [np.stack([_target(rng, len(y)) for _ in y.T], axis=1) for _ in range(20)]
    shuffled = [loss.value(o, np.broadcast_to(other, o.shape)).mean() for other in others]
    times, hits = [], 0
    for k in range(y.shape[1]):
        for at in np.flatnonzero(y[:, k]):
            offsets = np.array([_nearest(one[:, k], int(at)) for one in o])
            times.append(offsets)
            hits += int(np.isfinite(offsets).sum())
    n_targets = len(o) * y.sum()
    repeated = [t[np.isfinite(t)] for t in times if np.isfinite(t).sum() > 1]
    hit = [t[np.isfinite(t)] for t in times if np.isfinite(t).any()]
    return {
        "distance": float(distances.mean()),
        "se": float(distances.std(ddof=1) / np.sqrt(len(o))) if len(o) > 1 else np.nan,
        "shuffled": float(np.mean(shuffled) / silence),
        "jitter": float(np.sqrt(np.mean([t.var(ddof=1) for t in repeated]))) if repeated else np.nan,
        "offset": float(np.sqrt(np.mean([t.mean() ** 2 for t in hit]))) if hit else np.nan,
        "reliability": _reliability(o),
        "missing": float(1 - hits / n_targets),
        "extra": float((o.sum() - hits) / n_targets),
    }


def _nearest(o: np.ndarray, at: int) -> float:
    """Time from a target to the nearest spike; NaN without a spike in the window."""
    d = np.flatnonzero(o) - at
    d = d[np.abs(d) <= WINDOW]
    return float(d[np.argmin(np.abs(d))]) if d.size else np.nan


def _reliability(o: np.ndarray) -> float:
    """Schreiber's reliability with a kernel of 2 steps, mean over neurons that fire; NaN for a single repeat."""
    if len(o) == 1:
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", nsnn.measures.SilentNeuronWarning)
        trains = ([np.flatnonzero(one[:, k]) * 1e-3 for one in o] for k in np.flatnonzero(o.any(axis=(0, 1))))
        values = [nsnn.measures.schreiber_reliability(each, sigma=2 * pq.ms) for each in trains]
    return float(np.mean(values)) if values else float("nan")


def run(config: Config, out: Path | None = None, progress: Progress = quiet) -> pd.DataFrame:
    """Rows of two parts: "measure", one per network, sigma and seed; "firing", the share of repeats that fire in a step.

    Networks: noisy, likelihood, untrained (with noise sigma), deterministic (sigma 0), deterministic in noise. The first seed's
    noisy rows also contain the distance by `Fit.evaluate`, `evaluated`, with its standard error.
    """
    rows: list[dict[str, Any]] = []
    for seed in range(config.seed + 1, config.seed + 1 + config.seeds):
        progress(f"training: seed {seed}")
        first = seed == config.seed + 1
        x, y, weights = task(config, seed)
        rng = np.random.default_rng([seed, 2])

        def row(arm: str, sigma: float, width: float, w: list[np.ndarray], seed=seed, x=x, y=y, rng=rng):
            o = _fire(config, w, x, sigma, seed)
            labels = {"part": "measure", "arm": arm, "sigma": sigma, "width": width, "seed": seed}
            return labels | measure(o, y, config.tau, rng), o

        for sigma in config.sigmas:
            rows.append(row("untrained", sigma, np.nan, weights)[0])
            for arm in ("likelihood", "noisy"):
                fit = _train(config, arm, sigma, seed)
                measured, o = row(arm, sigma, sigma, fit.network.get_weights())
                rows.append(measured | (_evaluated(config, fit, x, y) if first and arm == "noisy" else {}))
                rows += firing_rows(o, y, arm, sigma) if first else []
        for width in config.widths:
            w = _train(config, "deterministic", width, seed).network.get_weights()
            rows.append(row("deterministic", 0.0, width, w)[0])
            rows += [row("deterministic in noise", sigma, width, w)[0] for sigma in config.sigmas]
    return pd.DataFrame(rows)


def _evaluated(config: Config, fit: nsnn.Fit, x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    n, loss = config.repeats, nsnn.losses.VanRossum(config.tau)
    result = fit.evaluate((np.repeat(x[None], n, axis=0), np.repeat(y[None], n, axis=0)), seed=1)
    silence = float(loss.value(np.zeros_like(y), y))
    return {"evaluated": result["loss"] / silence, "evaluated_se": result["se"] / silence}


def firing_rows(o: np.ndarray, y: np.ndarray, arm: str, sigma: float) -> Iterator[dict[str, Any]]:
    """Rows of the share of repeats in which each output neuron fires in each step."""
    for (step, neuron), value in np.ndenumerate(o.mean(0)):
        yield {
            "part": "firing", "arm": arm, "sigma": sigma, "neuron": neuron, "step": step, "value": value, "target": y[step, neuron],
        }  # fmt: skip


def by_seed_and_sigma(table: pd.DataFrame, arm: str, column: str) -> pd.DataFrame:
    """A measure of a network, (seeds, sigmas); deterministic: at each sigma with the width of the smallest mean distance."""
    rows = where(table, part="measure", arm=arm)
    if arm.startswith("deterministic"):
        means = rows.groupby(["sigma", "width"]).distance.mean()
        best = {sigma: means[sigma].idxmin() for sigma in rows.sigma.unique()}
        rows = rows[rows.width == rows.sigma.map(best)]
    return rows.pivot(index="seed", columns="sigma", values=column)


def _slopes(wide_table: pd.DataFrame) -> np.ndarray:
    """Slope of log measure against log sigma for each seed, over sigmas with values for all seeds; NaN for fewer than two."""
    wide_table = wide_table.dropna(axis=1)
    if wide_table.shape[1] < 2:
        return np.full(len(wide_table), np.nan)
    return np.polyfit(np.log(wide_table.columns.to_numpy(float)), np.log(wide_table.to_numpy().T), 1)[0]


def _below(a: pd.DataFrame, b: pd.DataFrame) -> tuple[bool, str]:
    """Whether a is below b at each sigma (paired 95 % intervals below 0), and the evidence."""
    holds, texts = True, []
    for sigma in a.columns:
        mean, low, high = interval(a[sigma] - b[sigma])
        holds = holds and high < 0
        texts.append(f"sigma {sigma:g}: {mean:+.2f} [{low:+.2f}, {high:+.2f}]")
    return holds, "; ".join(texts)


def claims(table: pd.DataFrame) -> list[Claim]:
    """Claims with their evidence."""
    distance = by_seed_and_sigma(table, "noisy", "distance")
    jitter, reliability = (by_seed_and_sigma(table, "noisy", name) for name in ("jitter", "reliability"))
    steep, steep_low, steep_high = interval(_slopes(jitter))
    fall, fall_low, fall_high = interval(_slopes(reliability))
    other = by_seed_and_sigma(table, "deterministic", "distance")[0.0]
    checked = table.dropna(subset=["evaluated"])
    z = (checked.distance - checked.evaluated) / np.hypot(checked.se, checked.evaluated_se)
    sigmas = distance.columns
    least = distance.mean().idxmin()
    apart = interval(distance[sigmas[0]] - distance[least])
    return [
        Claim(
            "at every sigma the distance after learning is below that before learning (95 %)",
            *_below(distance, by_seed_and_sigma(table, "untrained", "distance")),
        ),
        Claim(
            "at every sigma the distance is below that to other targets with the same number of spikes (95 %)",
            *_below(distance, by_seed_and_sigma(table, "noisy", "shuffled")),
        ),
        Claim(
            "jitter grows with sigma (slope of its logarithm above 0, 95 %)",
            steep_low > 0,
            f"jitter ~ sigma^{steep:.2f} [{steep_low:.2f}, {steep_high:.2f}]; means {_means(jitter)} steps",
        ),
        Claim(
            "the distance by `Fit.evaluate` equals that of spikes of the reference implementation (all |z| < 4)",
            len(z) > 0 and (z.abs() < 4).all(),
            f"z = {', '.join(f'{value:+.2f}' for value in z)}",
        ),
        Claim(
            "the deterministic network learns its targets (mean distance below .05)",
            other.mean() < 0.05,
            f"{other.mean():.3f}; {int((other == 0).sum())} of {other.size} seeds have every target spike in its step "
            "and no other spike",
        ),
        secondary(
            "reliability falls with sigma (slope of its logarithm below 0, 95 %)",
            fall_high < 0,
            f"reliability ~ sigma^{fall:.2f} [{fall_low:.2f}, {fall_high:.2f}]; means {_means(reliability)}",
        ),
        secondary(
            "jitter grows less than in proportion to sigma (exponent below 1, 95 %)",
            steep_high < 1,
            f"exponent {steep:.2f} [{steep_low:.2f}, {steep_high:.2f}] (the window limits it to about {CHANCE:.2f} steps)",
        ),
        secondary(
            "a network trained with noise is nearer to its targets than the deterministic network in that noise, at "
            "every sigma (95 %)",
            *_below(distance, by_seed_and_sigma(table, "deterministic in noise", "distance")),
        ),
        secondary(
            "training on the likelihood of the targets gives smaller distances than training on the distance itself, "
            "at every sigma (95 %)",
            *_below(by_seed_and_sigma(table, "likelihood", "distance"), distance),
        ),
        secondary(
            "too little noise impairs learning: the smallest sigma does not have the smallest distance (95 %)",
            least != sigmas[0] and apart[1] > 0,
            f"smallest distance at sigma {least:g}; smallest sigma minus that {apart[0]:+.2f} [{apart[1]:+.2f}, {apart[2]:+.2f}]; "
            f"means {_means(distance)}",
        ),
    ]


def _means(by_sigma: pd.DataFrame) -> str:
    return ", ".join(f"{sigma:g}: {v.mean():.2f} ± {v.std(ddof=1):.2f}" for sigma, v in by_sigma.items())


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means with standard deviations over seeds."""
    rows = table[table.part == "measure"]
    groups = rows.groupby(["arm", "sigma", "width"], dropna=False, sort=False)[MEASURES]
    means, spread = groups.mean(), groups.std(ddof=1)
    shown = means.map("{:.2f}".format) + " ± " + spread.map("{:.2f}".format)
    return shown.reset_index()


def plot(table: pd.DataFrame) -> Figure:
    """Distance, jitter, missing and extra spikes against sigma: means over seeds; bars: standard errors."""
    figure = Figure(figsize=(10.0, 3.2), layout="constrained")
    left, middle, right = figure.subplots(1, 3)

    def curve(ax: Any, arm: str, column: str, label: str, **style: Any) -> None:
        values = by_seed_and_sigma(table, arm, column)
        look = {"color": COLOURS[arm], "marker": "o", "label": label} | style
        points(ax, values.columns, values.mean(), values.sem(), **look)

    for arm in COLOURS:
        curve(left, arm, "distance", arm)
    curve(left, "noisy", "shuffled", "noisy, other targets", ls=":", mfc="white")
    left.axhline(1, color="black", lw=0.6, ls="--")
    for arm in ("noisy", "likelihood", "deterministic in noise"):
        curve(middle, arm, "jitter", arm)
        curve(right, arm, "missing", f"{arm}: missing", marker="v")
        curve(right, arm, "extra", f"{arm}: extra", marker="^", ls="--", mfc="white")
    middle.axhline(CHANCE, color="black", lw=0.6, ls="--")
    sigmas = sorted(table.loc[table.arm == "noisy", "sigma"].unique())
    labels: tuple[dict[str, Any], ...] = (
        {"ylabel": "distance / that of silence", "yscale": "log"},
        {"ylabel": "jitter (steps)", "ylim": (0, None)},
        {"ylabel": "spikes per target spike", "ylim": (0, None)},
    )
    for ax, label in zip((left, middle, right), labels, strict=True):
        log_axis(ax, sigmas)
        finish(ax, legend={"fontsize": 7}, xlabel="noise sigma (thresholds)", **label)
    return figure


def figures(table: pd.DataFrame) -> dict[str, Figure]:
    """The measures, and the firing of the trained outputs of one seed."""
    return {
        CLAIM: plot(table),
        "Firing of the outputs of one seed: share of repeats with a spike in each step; red "
        "lines: targets": _plot_firing(table),
    }


def _plot_firing(table: pd.DataFrame) -> Figure:
    rows = table[table.part == "firing"]
    sigmas, arms = sorted(rows.sigma.unique()), ("noisy", "likelihood")
    figure = Figure(figsize=(10.0, 1.2 + 1.1 * len(sigmas)), layout="constrained")
    axes = figure.subplots(len(sigmas), len(arms), sharex=True, sharey=True, squeeze=False)
    for ax, (sigma, arm) in zip(axes.flat, itertools.product(sigmas, arms), strict=True):
        here = where(rows, sigma=sigma, arm=arm)
        wide = here.pivot(index="neuron", columns="step")
        share, target = (wide[name].to_numpy(float) for name in ("value", "target"))
        image = ax.imshow(share, aspect="auto", cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
        neuron, step = np.nonzero(target)
        ax.vlines(step, neuron - 0.5, neuron + 0.5, color=RED, lw=0.8)
        ax.set_yticks(range(len(share)))
    for ax, sigma in zip(axes[:, 0], sigmas, strict=True):
        ax.set_ylabel(f"sigma {sigma:g}")
    for top, bottom, arm in zip(axes[0], axes[-1], arms, strict=True):
        top.set_title(arm, fontsize=9)
        bottom.set_xlabel("step")
    figure.colorbar(image, ax=axes, label="share of repeats", aspect=30)
    return figure
